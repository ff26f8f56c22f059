/* @ts-self-types="./tensor_module.d.ts" */
// The compiled tensor module, with no permission and from any URL. TypeScript does not parse
// `import source` yet (TS1005), so it lives in this JavaScript file.
import source module from "./pkg/tensor_bg.wasm";
export { module as tensorCode };
