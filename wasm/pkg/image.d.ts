/* tslint:disable */
/* eslint-disable */

/**
 * Decodes a PNG or JPEG to upright RGBA; `size` receives width and height.
 */
export function decode(bytes: Uint8Array, max_pixels: number, max_side: number, size: Uint32Array): Uint8Array;

/**
 * Writes a PNG of 1, 3 or 4 channels; `effort` is 0 fast, 1 balanced, 2 small.
 */
export function encode_png(data: Uint8Array, width: number, height: number, channels: number, effort: number): Uint8Array;

/**
 * Makes a batch of pixels, one `u32` each, of packed images; see [`gather::Layout`].
 *
 * `flips` has one number an image, not 0 to mirror it; `offsets` has top and left for each.
 */
export function gather(data: Uint8Array, height: number, width: number, channels: number, flips: Uint8Array, offsets: Int32Array, out_height: number, out_width: number, edge: boolean): Uint32Array;

/**
 * What a file says of itself, without decoding it: format (0 PNG, 1 JPEG), width, height,
 * channels of the file (1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha), bits a sample,
 * EXIF orientation (1 to 8). Width and height are those of the upright image.
 */
export function info(bytes: Uint8Array): Uint32Array;

/**
 * Resamples RGBA pixels; `filter` is 0 nearest, 1 bilinear, 2 bicubic, 3 Lanczos.
 */
export function resize(data: Uint8Array, width: number, height: number, new_width: number, new_height: number, filter: number): Uint8Array;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly decode: (a: number, b: number, c: number, d: number, e: number, f: number, g: any) => [number, number, number, number];
    readonly encode_png: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number, number, number];
    readonly gather: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number, k: number, l: number) => [number, number, number, number];
    readonly info: (a: number, b: number) => [number, number, number, number];
    readonly resize: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => [number, number, number, number];
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __wbindgen_malloc: (a: number, b: number) => number;
    readonly __externref_table_dealloc: (a: number) => void;
    readonly __wbindgen_free: (a: number, b: number, c: number) => void;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;

/** Forgets the instance: the next initSync makes a new one. Added by build_module.ts. */
export function forget(): void;
