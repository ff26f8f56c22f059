/** The compiled image module, not yet an instance; see image_module.js. */
export declare const imageCode: WebAssembly.Module;
