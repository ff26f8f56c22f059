/** The compiled image module, not yet an instance; see image_module.js. */
declare const module: WebAssembly.Module;
export default module;
