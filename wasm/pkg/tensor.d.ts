/* tslint:disable */
/* eslint-disable */

/**
 * Zero-filled memory, 64-byte aligned and readable 64 bytes past its end; null when there is
 * none left.
 */
export function alloc(bytes: number): number;

/**
 * `y[n, oy, ox, c] = mean of x over the window`, whose padding counts if `count_padding` is not 0.
 * A window without a pixel gives 0.
 */
export function avg_pool(x: number, y: number, geom: number, count_padding: number): void;

/**
 * The gradient of [`avg_pool`].
 */
export function avg_pool_grad(dy: number, dx: number, geom: number, count_padding: number): void;

/**
 * Gradients of gamma and beta, and slope and offset in `dx = scale (dy + slope (x - mean) + offset)`,
 * which is a map. `inner` is that of the statistics.
 */
export function batch_norm_sums(x: number, dy: number, mean: number, inner: number, dgamma: number, dbeta: number, slope: number, offset: number, rows: number, c: number): void;

/**
 * Statistics of a batch: `mean`, `var_unbiased` for the running estimate (biased for a single row),
 * and `scale` and `shift`, of c values each, with which `gamma (x - exact mean) inv_std + beta` is
 * `(x - mean) scale + shift`: the shift holds what rounding the mean has left, so that a mean of a
 * thousand deviations costs no digit. `inner`, of 2 c values, is for the gradient:
 * `inv_std = 1 / sqrt(var + eps)` over the biased variance, and the rest of the mean. Normalising
 * itself is a map, so that it melts with what follows.
 */
export function batch_statistics(x: number, gamma: number, beta: number, mean: number, inner: number, var_unbiased: number, scale: number, shift: number, rows: number, c: number, eps: number): void;

/**
 * `y[n, oy, ox, co] = sum over ky, kx, ci of x[n, oy sh + ky dh - pt, ox sw + kx dw - pl, ci]
 * w[ky, kx, ci, co]`.
 */
export function conv2d(x: number, w: number, y: number, geom: number): void;

/**
 * The gradient of `conv2d` with respect to x, given that of y.
 */
export function conv2d_input_grad(dy: number, w: number, dx: number, geom: number): void;

/**
 * `conv2d_input_grad` in a given way, as [`conv2d_winograd`].
 */
export function conv2d_input_grad_winograd(dy: number, w: number, dx: number, geom: number, tile: number): void;

/**
 * [`conv2d`] with what follows done on the way: `y = min(max((y - mean) scale + shift + residual,
 * low), high)`, where mean, scale and shift have a value for each channel and the residual one for
 * each place. Absent: the residual, or mean and scale, or these and the shift, as null.
 */
export function conv2d_then(x: number, w: number, y: number, geom: number, mean: number, scale: number, shift: number, residual: number, low: number, high: number): void;

/**
 * The gradient of `conv2d` with respect to w, given that of y.
 */
export function conv2d_weight_grad(x: number, dy: number, dw: number, geom: number): void;

/**
 * `conv2d_weight_grad` in a given way, as [`conv2d_winograd`].
 */
export function conv2d_weight_grad_winograd(x: number, dy: number, dw: number, geom: number, tile: number): void;

/**
 * `conv2d` in a given way: tiles of 2x2 or 4x4 outputs, or, for any other number or where this way
 * is not possible, directly.
 */
export function conv2d_winograd(x: number, w: number, y: number, geom: number, tile: number): void;

/**
 * Copies `bytes` bytes; the ranges may overlap.
 */
export function copy(src: number, dst: number, bytes: number): void;

/**
 * `dst[i . dst_strides] = src[i . src_strides]` over all indices i of `dims`, or `+=`. `geom`
 * holds dims, source strides and destination strides, `rank` words each, in elements. Source and
 * destination do not overlap.
 */
export function copy_strided(src: number, dst: number, rank: number, geom: number, src_offset: number, dst_offset: number, accumulate: number): void;

/**
 * Loss and weight of every row: `(1 - s) w_y (-log p_y) + s / C sum over c of w_c (-log p_c)`, and
 * `w_y`; both 0 for the ignored label, and NaN for a label that is no class. The mean is sum of
 * losses by sum of weights.
 */
export function cross_entropy(logits: number, labels: number, class_weights: number, loss: number, weight: number, rows: number, classes: number, smoothing: number, ignore: number): void;

/**
 * The gradient of [`cross_entropy`]'s losses with respect to the logits, given that of every loss.
 */
export function cross_entropy_grad(logits: number, labels: number, class_weights: number, dloss: number, dlogits: number, rows: number, classes: number, smoothing: number, ignore: number): void;

/**
 * Gives back what `alloc(bytes)` returned; null is ignored.
 */
export function dealloc(ptr: number, bytes: number): void;

/**
 * Sets `count` floats.
 */
export function fill(ptr: number, count: number, value: number): void;

/**
 * For every row the number of classes that beat the label's: a greater logit, or an equal one of a
 * lower index. NaN beats everything, as in a sort that puts it first, and a label whose own logit
 * is NaN comes last. -1 for the ignored label, NaN for a label that is no class.
 */
export function label_rank(logits: number, labels: number, rank: number, rows: number, classes: number, ignore: number): void;

/**
 * Bytes given out by `alloc` and not yet given back.
 */
export function live_bytes(): number;

/**
 * Runs a program over all its elements.
 */
export function map(program: number): void;

/**
 * `c[i] = op(a[i]) op(b[i])` for every i of the batch: a is `[m, k]`, or `[k, m]` when transposed;
 * b is `[k, n]`, or `[n, k]`; c is `[batch, m, n]`.
 */
export function matmul(a: number, b: number, c: number, geom: number): void;

/**
 * `y[n, oy, ox, c] = max of x over the window`; padding is minus infinity.
 */
export function max_pool(x: number, y: number, geom: number): void;

/**
 * The gradient of [`max_pool`]: each window's goes to its first maximum in row-major order; where
 * windows overlap they add up.
 */
export function max_pool_grad(x: number, dy: number, dx: number, geom: number): void;

/**
 * `y[i, ch] = byte ch of x[i] * scale[ch] + shift[ch]` for the first `channels` (1, 3 or 4)
 * channels; `scale_shift` holds four scales and four shifts.
 */
export function pixels(x: number, y: number, count: number, channels: number, scale_shift: number): void;

/**
 * `y[o, i] = scale * sum (kind 0) or maximum (kind 1) over m of x[o, m, i]`. An empty sum is 0, an
 * empty maximum minus infinity; NaN propagates.
 */
export function reduce(x: number, y: number, kind: number, outer: number, mid: number, inner: number, scale: number): void;

/**
 * Begins a rehearsal for so many threads, this one included: kernels that take scratch may be
 * called with their arguments, touch no tensor, and only say what they need.
 */
export function rehearse(threads: number): void;

/**
 * `loss = sum over c of target_c (-log p_c)` for every row.
 */
export function soft_cross_entropy(logits: number, target: number, loss: number, rows: number, classes: number): void;

/**
 * The gradient of [`soft_cross_entropy`] with respect to the logits: `dloss (p sum t - t)`.
 */
export function soft_cross_entropy_grad(logits: number, target: number, dloss: number, dlogits: number, rows: number, classes: number): void;

/**
 * `y = softmax(x)` over each row, or its logarithm.
 */
export function softmax(x: number, y: number, rows: number, c: number, log: number): void;

/**
 * The gradient of [`softmax`] with respect to x, from its result and the result's gradient.
 */
export function softmax_grad(y: number, dy: number, dx: number, rows: number, c: number, log: number): void;

/**
 * Sends all workers home for good, after a trap on the main thread or on theirs.
 */
export function threads_close(): void;

/**
 * Runs `jobs` jobs of 2, 3 .. `tasks` tasks in turn, in which task i adds 1 to `hits[i]`: the
 * stress test of the threads. `tasks` must be at least 2.
 */
export function threads_count(jobs: number, tasks: number, hits: number): void;

/**
 * Number of worker threads that have joined so far.
 */
export function threads_joined(): number;

/**
 * For a worker whose task has trapped, called by what caught that: the task counts as done, so
 * that nobody waits for it. What is left of the job is skipped, and its caller traps.
 */
export function threads_task_trapped(): void;

/**
 * A worker's life: look for the next job `spin` times (3000 looks last about a microsecond),
 * then sleep until one comes; help; again. Returns once the threads were closed.
 */
export function threads_worker(spin: number): void;

/**
 * `y[i]` = the upper 24 bits of the first word for the counter `(counter[1] * each + i,
 * counter[0])`, times 2^-24. `each` is the number of elements of an example.
 */
export function uniform(counter: number, key: number, y: number, count: number, each: number): void;

/**
 * Bytes the kernels' workspace holds; it grows to the largest need met so far.
 */
export function workspace_bytes(): number;

/**
 * Ends a rehearsal and takes the workspace it asked for. The bytes wanted if that many cannot be
 * had, else 0.
 */
export function workspace_reserve(): number;

/**
 * Bytes that the last kernel asked for in vain, in which case it did nothing, or 0.
 */
export function workspace_short(): number;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly alloc: (a: number) => number;
    readonly avg_pool: (a: number, b: number, c: number, d: number) => void;
    readonly avg_pool_grad: (a: number, b: number, c: number, d: number) => void;
    readonly batch_norm_sums: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number) => void;
    readonly batch_statistics: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number, k: number) => void;
    readonly conv2d: (a: number, b: number, c: number, d: number) => void;
    readonly conv2d_input_grad: (a: number, b: number, c: number, d: number) => void;
    readonly conv2d_input_grad_winograd: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly conv2d_then: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number) => void;
    readonly conv2d_weight_grad: (a: number, b: number, c: number, d: number) => void;
    readonly conv2d_weight_grad_winograd: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly conv2d_winograd: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly copy: (a: number, b: number, c: number) => void;
    readonly copy_strided: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => void;
    readonly cross_entropy: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number) => void;
    readonly cross_entropy_grad: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number) => void;
    readonly dealloc: (a: number, b: number) => void;
    readonly fill: (a: number, b: number, c: number) => void;
    readonly label_rank: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly live_bytes: () => number;
    readonly map: (a: number) => void;
    readonly matmul: (a: number, b: number, c: number, d: number) => void;
    readonly max_pool: (a: number, b: number, c: number) => void;
    readonly max_pool_grad: (a: number, b: number, c: number, d: number) => void;
    readonly pixels: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly reduce: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => void;
    readonly rehearse: (a: number) => void;
    readonly soft_cross_entropy: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly soft_cross_entropy_grad: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly softmax: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly softmax_grad: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly threads_close: () => void;
    readonly threads_count: (a: number, b: number, c: number) => void;
    readonly threads_joined: () => number;
    readonly threads_task_trapped: () => void;
    readonly threads_worker: (a: number) => void;
    readonly uniform: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly workspace_bytes: () => number;
    readonly workspace_reserve: () => number;
    readonly workspace_short: () => number;
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __wbindgen_thread_destroy: (a?: number, b?: number, c?: number) => void;
    readonly __wbindgen_start: (a: number) => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput, memory?: WebAssembly.Memory, thread_stack_size?: number }} module - Passing `SyncInitInput` directly is deprecated.
 * @param {WebAssembly.Memory} memory - Deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput, memory?: WebAssembly.Memory, thread_stack_size?: number } | SyncInitInput, memory?: WebAssembly.Memory): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput>, memory?: WebAssembly.Memory, thread_stack_size?: number }} module_or_path - Passing `InitInput` directly is deprecated.
 * @param {WebAssembly.Memory} memory - Deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput>, memory?: WebAssembly.Memory, thread_stack_size?: number } | InitInput | Promise<InitInput>, memory?: WebAssembly.Memory): Promise<InitOutput>;

/** Forgets the instance: the next initSync makes a new one. Added by build_module.ts. */
export function forget(): void;
