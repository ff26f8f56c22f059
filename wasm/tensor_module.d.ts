// Type of tensor_module.js, which says what it is for.
declare const module: WebAssembly.Module;
export default module;
