/** A module without code; its custom section is the model file. */
export declare const weights: WebAssembly.Module;
