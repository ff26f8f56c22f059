// TypeScript cannot parse `import source`, so this is JavaScript with its types beside it.
// @ts-self-types="./weights.d.ts"
import source weights from "./weights.wasm";
export { weights };
