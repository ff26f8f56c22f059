// TypeScript cannot parse `import source`, so this is JavaScript with its types beside it.
// @ts-self-types="./sheets.d.ts"
import source sheets from "./sheets.wasm";
export { sheets };
