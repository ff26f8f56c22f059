/* tslint:disable */
/* eslint-disable */

/**
 * A result that stays in the module's memory until it is freed, so that JavaScript copies it once,
 * to where it is wanted.
 */
export class Pixels {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Where the pixels lie; at a multiple of 4 where the function that made them says so.
     */
    readonly address: number;
    /**
     * Number of pixels.
     */
    readonly count: number;
    readonly height: number;
    readonly width: number;
}

/**
 * Decodes a picture to upright RGBA.
 */
export function decode(bytes: Uint8Array, max_pixels: number, max_side: number): Pixels;

/**
 * Writes a PNG of 1, 3 or 4 channels; `effort` is 0 fast, 1 balanced, 2 small.
 */
export function encode_png(data: Uint8Array, width: number, height: number, channels: number, effort: number): Uint8Array;

/**
 * What a file says of itself, without decoding it: format (a number, see `format.rs`), width,
 * height, channels of the file (1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha), bits a
 * sample, EXIF orientation (1 to 8). Width and height are those of the upright image.
 */
export function info(bytes: Uint8Array): Uint32Array;

/**
 * What a net sees of a file, as `u32` pixels; see [`Preparation::of`] and [`Plan::read`] for the
 * numbers.
 */
export function prepare(bytes: Uint8Array, preparation: Float64Array, steps: Float64Array, max_pixels: number, max_side: number): Pixels;

/**
 * What a net sees of pictures of one size, of 1, 3 or 4 channels, one after another, as `u32`
 * pixels; `steps` has the plan of each.
 */
export function prepare_packed(data: Uint8Array, width: number, height: number, channels: number, preparation: Float64Array, steps: Float64Array): Pixels;

/**
 * Resamples RGBA pixels; `filter` is 0 nearest, 1 bilinear, 2 bicubic, 3 Lanczos.
 */
export function resize(data: Uint8Array, width: number, height: number, new_width: number, new_height: number, filter: number): Uint8Array;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_pixels_free: (a: number, b: number) => void;
    readonly decode: (a: number, b: number, c: number, d: number) => [number, number, number];
    readonly encode_png: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number, number, number];
    readonly info: (a: number, b: number) => [number, number, number, number];
    readonly pixels_address: (a: number) => number;
    readonly pixels_count: (a: number) => number;
    readonly pixels_height: (a: number) => number;
    readonly pixels_width: (a: number) => number;
    readonly prepare: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => [number, number, number];
    readonly prepare_packed: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number) => [number, number, number];
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
