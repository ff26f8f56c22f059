/** A module without code; its custom sections are the PNG sheets and their labels. */
export declare const sheets: WebAssembly.Module;
