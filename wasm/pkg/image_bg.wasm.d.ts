/* tslint:disable */
/* eslint-disable */
export const memory: WebAssembly.Memory;
export const decode: (a: number, b: number, c: number, d: number, e: number, f: number, g: any) => [number, number, number, number];
export const encode_png: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number, number, number];
export const gather: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number, k: number, l: number) => [number, number, number, number];
export const info: (a: number, b: number) => [number, number, number, number];
export const resize: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => [number, number, number, number];
export const __wbindgen_externrefs: WebAssembly.Table;
export const __wbindgen_malloc: (a: number, b: number) => number;
export const __externref_table_dealloc: (a: number) => void;
export const __wbindgen_free: (a: number, b: number, c: number) => void;
export const __wbindgen_start: () => void;
