// Type of tensor_module.js, which says what it is for.
/** The compiled module. */
export declare const tensorCode: WebAssembly.Module;
