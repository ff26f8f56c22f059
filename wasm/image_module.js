/* @ts-self-types="./image_module.d.ts" */
// The compiled image module. It needs no permission, from a file or by URL. `import source` is
// not understood by the TypeScript checker, so it lives in this file, typed by the other.
import source module from "./pkg/image_bg.wasm";
export { module as imageCode };
