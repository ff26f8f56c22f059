/* tslint:disable */
/* eslint-disable */
export const memory: WebAssembly.Memory;
export const __wbg_pixels_free: (a: number, b: number) => void;
export const decode: (a: number, b: number, c: number, d: number) => [number, number, number];
export const encode_png: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number, number, number];
export const info: (a: number, b: number) => [number, number, number, number];
export const pixels_address: (a: number) => number;
export const pixels_count: (a: number) => number;
export const pixels_height: (a: number) => number;
export const pixels_width: (a: number) => number;
export const prepare: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => [number, number, number];
export const prepare_packed: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number) => [number, number, number];
export const resize: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => [number, number, number, number];
export const __wbindgen_externrefs: WebAssembly.Table;
export const __wbindgen_malloc: (a: number, b: number) => number;
export const __externref_table_dealloc: (a: number) => void;
export const __wbindgen_free: (a: number, b: number, c: number) => void;
export const __wbindgen_start: () => void;
