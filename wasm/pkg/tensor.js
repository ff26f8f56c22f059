/* @ts-self-types="./tensor.d.ts" */

/**
 * Zero-filled memory, 64-byte aligned and readable 64 bytes past its end; null when there is
 * none left.
 * @param {number} bytes
 * @returns {number}
 */
export function alloc(bytes) {
    const ret = wasm.alloc(bytes);
    return ret >>> 0;
}

/**
 * `y[n, oy, ox, c] = mean of x over the window`, whose padding counts if `count_padding` is not 0.
 * A window without a pixel gives 0.
 * @param {number} x
 * @param {number} y
 * @param {number} geom
 * @param {number} count_padding
 */
export function avg_pool(x, y, geom, count_padding) {
    wasm.avg_pool(x, y, geom, count_padding);
}

/**
 * The gradient of [`avg_pool`].
 * @param {number} dy
 * @param {number} dx
 * @param {number} geom
 * @param {number} count_padding
 */
export function avg_pool_grad(dy, dx, geom, count_padding) {
    wasm.avg_pool_grad(dy, dx, geom, count_padding);
}

/**
 * Gradients of gamma and beta, and slope and offset in `dx = scale (dy + slope (x - mean) + offset)`,
 * which is a map. `inner` is that of the statistics.
 * @param {number} x
 * @param {number} dy
 * @param {number} mean
 * @param {number} inner
 * @param {number} dgamma
 * @param {number} dbeta
 * @param {number} slope
 * @param {number} offset
 * @param {number} rows
 * @param {number} c
 */
export function batch_norm_sums(x, dy, mean, inner, dgamma, dbeta, slope, offset, rows, c) {
    wasm.batch_norm_sums(x, dy, mean, inner, dgamma, dbeta, slope, offset, rows, c);
}

/**
 * Statistics of a batch: `mean`, `var_unbiased` for the running estimate (biased for a single row),
 * and `scale` and `shift`, of c values each, with which `gamma (x - exact mean) inv_std + beta` is
 * `(x - mean) scale + shift`: the shift holds what rounding the mean has left, so that a mean of a
 * thousand deviations costs no digit. `inner`, of 2 c values, is for the gradient:
 * `inv_std = 1 / sqrt(var + eps)` over the biased variance, and the rest of the mean. Normalising
 * itself is a map, so that it melts with what follows.
 * @param {number} x
 * @param {number} gamma
 * @param {number} beta
 * @param {number} mean
 * @param {number} inner
 * @param {number} var_unbiased
 * @param {number} scale
 * @param {number} shift
 * @param {number} rows
 * @param {number} c
 * @param {number} eps
 */
export function batch_statistics(x, gamma, beta, mean, inner, var_unbiased, scale, shift, rows, c, eps) {
    wasm.batch_statistics(x, gamma, beta, mean, inner, var_unbiased, scale, shift, rows, c, eps);
}

/**
 * `y[n, oy, ox, co] = sum over ky, kx, ci of x[n, oy sh + ky dh - pt, ox sw + kx dw - pl, ci]
 * w[ky, kx, ci, co]`.
 * @param {number} x
 * @param {number} w
 * @param {number} y
 * @param {number} geom
 */
export function conv2d(x, w, y, geom) {
    wasm.conv2d(x, w, y, geom);
}

/**
 * The gradient of `conv2d` with respect to x, given that of y.
 * @param {number} dy
 * @param {number} w
 * @param {number} dx
 * @param {number} geom
 */
export function conv2d_input_grad(dy, w, dx, geom) {
    wasm.conv2d_input_grad(dy, w, dx, geom);
}

/**
 * `conv2d_input_grad` in a given way, as [`conv2d_winograd`].
 * @param {number} dy
 * @param {number} w
 * @param {number} dx
 * @param {number} geom
 * @param {number} tile
 */
export function conv2d_input_grad_winograd(dy, w, dx, geom, tile) {
    wasm.conv2d_input_grad_winograd(dy, w, dx, geom, tile);
}

/**
 * [`conv2d`] with what follows done on the way: `y = min(max((y - mean) scale + shift + residual,
 * low), high)`, where mean, scale and shift have a value for each channel and the residual one for
 * each place. Absent: the residual, or mean and scale, or these and the shift, as null.
 * @param {number} x
 * @param {number} w
 * @param {number} y
 * @param {number} geom
 * @param {number} mean
 * @param {number} scale
 * @param {number} shift
 * @param {number} residual
 * @param {number} low
 * @param {number} high
 */
export function conv2d_then(x, w, y, geom, mean, scale, shift, residual, low, high) {
    wasm.conv2d_then(x, w, y, geom, mean, scale, shift, residual, low, high);
}

/**
 * The gradient of `conv2d` with respect to w, given that of y.
 * @param {number} x
 * @param {number} dy
 * @param {number} dw
 * @param {number} geom
 */
export function conv2d_weight_grad(x, dy, dw, geom) {
    wasm.conv2d_weight_grad(x, dy, dw, geom);
}

/**
 * `conv2d_weight_grad` in a given way, as [`conv2d_winograd`].
 * @param {number} x
 * @param {number} dy
 * @param {number} dw
 * @param {number} geom
 * @param {number} tile
 */
export function conv2d_weight_grad_winograd(x, dy, dw, geom, tile) {
    wasm.conv2d_weight_grad_winograd(x, dy, dw, geom, tile);
}

/**
 * `conv2d` in a given way: tiles of 2x2 or 4x4 outputs, or, for any other number or where this way
 * is not possible, directly.
 * @param {number} x
 * @param {number} w
 * @param {number} y
 * @param {number} geom
 * @param {number} tile
 */
export function conv2d_winograd(x, w, y, geom, tile) {
    wasm.conv2d_winograd(x, w, y, geom, tile);
}

/**
 * Copies `bytes` bytes; the ranges may overlap.
 * @param {number} src
 * @param {number} dst
 * @param {number} bytes
 */
export function copy(src, dst, bytes) {
    wasm.copy(src, dst, bytes);
}

/**
 * `dst[i . dst_strides] = src[i . src_strides]` over all indices i of `dims`, or `+=`. `geom`
 * holds dims, source strides and destination strides, `rank` words each, in elements. Source and
 * destination do not overlap.
 * @param {number} src
 * @param {number} dst
 * @param {number} rank
 * @param {number} geom
 * @param {number} src_offset
 * @param {number} dst_offset
 * @param {number} accumulate
 */
export function copy_strided(src, dst, rank, geom, src_offset, dst_offset, accumulate) {
    wasm.copy_strided(src, dst, rank, geom, src_offset, dst_offset, accumulate);
}

/**
 * Loss and weight of every row: `(1 - s) w_y (-log p_y) + s / C sum over c of w_c (-log p_c)`, and
 * `w_y`; both 0 for the ignored label, and NaN for a label that is no class. The mean is sum of
 * losses by sum of weights.
 * @param {number} logits
 * @param {number} labels
 * @param {number} class_weights
 * @param {number} loss
 * @param {number} weight
 * @param {number} rows
 * @param {number} classes
 * @param {number} smoothing
 * @param {number} ignore
 */
export function cross_entropy(logits, labels, class_weights, loss, weight, rows, classes, smoothing, ignore) {
    wasm.cross_entropy(logits, labels, class_weights, loss, weight, rows, classes, smoothing, ignore);
}

/**
 * The gradient of [`cross_entropy`]'s losses with respect to the logits, given that of every loss.
 * @param {number} logits
 * @param {number} labels
 * @param {number} class_weights
 * @param {number} dloss
 * @param {number} dlogits
 * @param {number} rows
 * @param {number} classes
 * @param {number} smoothing
 * @param {number} ignore
 */
export function cross_entropy_grad(logits, labels, class_weights, dloss, dlogits, rows, classes, smoothing, ignore) {
    wasm.cross_entropy_grad(logits, labels, class_weights, dloss, dlogits, rows, classes, smoothing, ignore);
}

/**
 * Gives back what `alloc(bytes)` returned; null is ignored.
 * @param {number} ptr
 * @param {number} bytes
 */
export function dealloc(ptr, bytes) {
    wasm.dealloc(ptr, bytes);
}

/**
 * Sets `count` floats.
 * @param {number} ptr
 * @param {number} count
 * @param {number} value
 */
export function fill(ptr, count, value) {
    wasm.fill(ptr, count, value);
}

/**
 * For every row the number of classes that beat the label's: a greater logit, or an equal one of a
 * lower index. NaN beats everything, as in a sort that puts it first, and a label whose own logit
 * is NaN comes last. -1 for the ignored label, NaN for a label that is no class.
 * @param {number} logits
 * @param {number} labels
 * @param {number} rank
 * @param {number} rows
 * @param {number} classes
 * @param {number} ignore
 */
export function label_rank(logits, labels, rank, rows, classes, ignore) {
    wasm.label_rank(logits, labels, rank, rows, classes, ignore);
}

/**
 * Bytes given out by `alloc` and not yet given back.
 * @returns {number}
 */
export function live_bytes() {
    const ret = wasm.live_bytes();
    return ret >>> 0;
}

/**
 * Runs a program over all its elements.
 * @param {number} program
 */
export function map(program) {
    wasm.map(program);
}

/**
 * `c[i] = op(a[i]) op(b[i])` for every i of the batch: a is `[m, k]`, or `[k, m]` when transposed;
 * b is `[k, n]`, or `[n, k]`; c is `[batch, m, n]`.
 * @param {number} a
 * @param {number} b
 * @param {number} c
 * @param {number} geom
 */
export function matmul(a, b, c, geom) {
    wasm.matmul(a, b, c, geom);
}

/**
 * `y[n, oy, ox, c] = max of x over the window`; padding is minus infinity.
 * @param {number} x
 * @param {number} y
 * @param {number} geom
 */
export function max_pool(x, y, geom) {
    wasm.max_pool(x, y, geom);
}

/**
 * The gradient of [`max_pool`]: each window's goes to its first maximum in row-major order; where
 * windows overlap they add up.
 * @param {number} x
 * @param {number} dy
 * @param {number} dx
 * @param {number} geom
 */
export function max_pool_grad(x, dy, dx, geom) {
    wasm.max_pool_grad(x, dy, dx, geom);
}

/**
 * `y[i, ch] = byte ch of x[i] * scale[ch] + shift[ch]` for the first `channels` (1, 3 or 4)
 * channels; `scale_shift` holds four scales and four shifts.
 * @param {number} x
 * @param {number} y
 * @param {number} count
 * @param {number} channels
 * @param {number} scale_shift
 */
export function pixels(x, y, count, channels, scale_shift) {
    wasm.pixels(x, y, count, channels, scale_shift);
}

/**
 * `y[o, i] = scale * sum (kind 0) or maximum (kind 1) over m of x[o, m, i]`. An empty sum is 0, an
 * empty maximum minus infinity; NaN propagates.
 * @param {number} x
 * @param {number} y
 * @param {number} kind
 * @param {number} outer
 * @param {number} mid
 * @param {number} inner
 * @param {number} scale
 */
export function reduce(x, y, kind, outer, mid, inner, scale) {
    wasm.reduce(x, y, kind, outer, mid, inner, scale);
}

/**
 * Begins a rehearsal for so many threads, this one included: kernels that take scratch may be
 * called with their arguments, touch no tensor, and only say what they need.
 * @param {number} threads
 */
export function rehearse(threads) {
    wasm.rehearse(threads);
}

/**
 * `loss = sum over c of target_c (-log p_c)` for every row.
 * @param {number} logits
 * @param {number} target
 * @param {number} loss
 * @param {number} rows
 * @param {number} classes
 */
export function soft_cross_entropy(logits, target, loss, rows, classes) {
    wasm.soft_cross_entropy(logits, target, loss, rows, classes);
}

/**
 * The gradient of [`soft_cross_entropy`] with respect to the logits: `dloss (p sum t - t)`.
 * @param {number} logits
 * @param {number} target
 * @param {number} dloss
 * @param {number} dlogits
 * @param {number} rows
 * @param {number} classes
 */
export function soft_cross_entropy_grad(logits, target, dloss, dlogits, rows, classes) {
    wasm.soft_cross_entropy_grad(logits, target, dloss, dlogits, rows, classes);
}

/**
 * `y = softmax(x)` over each row, or its logarithm.
 * @param {number} x
 * @param {number} y
 * @param {number} rows
 * @param {number} c
 * @param {number} log
 */
export function softmax(x, y, rows, c, log) {
    wasm.softmax(x, y, rows, c, log);
}

/**
 * The gradient of [`softmax`] with respect to x, from its result and the result's gradient.
 * @param {number} y
 * @param {number} dy
 * @param {number} dx
 * @param {number} rows
 * @param {number} c
 * @param {number} log
 */
export function softmax_grad(y, dy, dx, rows, c, log) {
    wasm.softmax_grad(y, dy, dx, rows, c, log);
}

/**
 * Sends all workers home for good, after a trap on the main thread or on theirs.
 */
export function threads_close() {
    wasm.threads_close();
}

/**
 * Runs `jobs` jobs of 2, 3 .. `tasks` tasks in turn, in which task i adds 1 to `hits[i]`: the
 * stress test of the threads. `tasks` must be at least 2.
 * @param {number} jobs
 * @param {number} tasks
 * @param {number} hits
 */
export function threads_count(jobs, tasks, hits) {
    wasm.threads_count(jobs, tasks, hits);
}

/**
 * Number of worker threads that have joined so far.
 * @returns {number}
 */
export function threads_joined() {
    const ret = wasm.threads_joined();
    return ret >>> 0;
}

/**
 * For a worker whose task has trapped, called by what caught that: the task counts as done, so
 * that nobody waits for it. What is left of the job is skipped, and its caller traps.
 */
export function threads_task_trapped() {
    wasm.threads_task_trapped();
}

/**
 * A worker's life: look for the next job `spin` times (3000 looks last about a microsecond),
 * then sleep until one comes; help; again. Returns once the threads were closed.
 * @param {number} spin
 */
export function threads_worker(spin) {
    wasm.threads_worker(spin);
}

/**
 * `y[i]` = the upper 24 bits of the first word for the counter `(counter[1] * each + i,
 * counter[0])`, times 2^-24. `each` is the number of elements of an example.
 * @param {number} counter
 * @param {number} key
 * @param {number} y
 * @param {number} count
 * @param {number} each
 */
export function uniform(counter, key, y, count, each) {
    wasm.uniform(counter, key, y, count, each);
}

/**
 * Bytes the kernels' workspace holds; it grows to the largest need met so far.
 * @returns {number}
 */
export function workspace_bytes() {
    const ret = wasm.workspace_bytes();
    return ret >>> 0;
}

/**
 * Ends a rehearsal and takes the workspace it asked for. The bytes wanted if that many cannot be
 * had, else 0.
 * @returns {number}
 */
export function workspace_reserve() {
    const ret = wasm.workspace_reserve();
    return ret;
}

/**
 * Bytes that the last kernel asked for in vain, in which case it did nothing, or 0.
 * @returns {number}
 */
export function workspace_short() {
    const ret = wasm.workspace_short();
    return ret;
}

function __wbg_get_imports(memory) {
    const import0 = {
        __proto__: null,
        __wbindgen_init_externref_table: function() {
            const table = wasm.__wbindgen_externrefs;
            const offset = table.grow(4);
            table.set(0, undefined);
            table.set(offset + 0, undefined);
            table.set(offset + 1, null);
            table.set(offset + 2, true);
            table.set(offset + 3, false);
        },
        memory: memory || new WebAssembly.Memory({initial:18,maximum:65536,shared:true}),
    };
    return {
        __proto__: null,
        "./tensor_bg.js": import0,
    };
}

let wasmModule, wasm;
function __wbg_finalize_init(instance, module, thread_stack_size) {
    wasm = instance.exports;
    wasmModule = module;
    if (typeof thread_stack_size !== 'undefined' && (typeof thread_stack_size !== 'number' || thread_stack_size === 0 || thread_stack_size % 65536 !== 0)) {
        throw 'invalid stack size';
    }
    wasm.__wbindgen_start(thread_stack_size);
    return wasm;
}

async function __wbg_load(module, imports) {
    if (typeof Response === 'function' && module instanceof Response) {
        if (typeof WebAssembly.instantiateStreaming === 'function') {
            try {
                return await WebAssembly.instantiateStreaming(module, imports);
            } catch (e) {
                const validResponse = module.ok && expectedResponseType(module.type);

                if (validResponse && module.headers.get('Content-Type') !== 'application/wasm') {
                    console.warn("`WebAssembly.instantiateStreaming` failed because your server does not serve Wasm with `application/wasm` MIME type. Falling back to `WebAssembly.instantiate` which is slower. Original error:\n", e);

                } else { throw e; }
            }
        }

        const bytes = await module.arrayBuffer();
        return await WebAssembly.instantiate(bytes, imports);
    } else {
        const instance = await WebAssembly.instantiate(module, imports);

        if (instance instanceof WebAssembly.Instance) {
            return { instance, module };
        } else {
            return instance;
        }
    }

    function expectedResponseType(type) {
        switch (type) {
            case 'basic': case 'cors': case 'default': return true;
        }
        return false;
    }
}

function initSync(module, memory) {
    if (wasm !== undefined) return wasm;

    let thread_stack_size
    if (module !== undefined) {
        if (Object.getPrototypeOf(module) === Object.prototype) {
            ({module, memory, thread_stack_size} = module)
        } else {
            console.warn('using deprecated parameters for `initSync()`; pass a single object instead')
        }
    }

    const imports = __wbg_get_imports(memory);
    if (!(module instanceof WebAssembly.Module)) {
        module = new WebAssembly.Module(module);
    }
    const instance = new WebAssembly.Instance(module, imports);
    return __wbg_finalize_init(instance, module, thread_stack_size);
}

async function __wbg_init(module_or_path, memory) {
    if (wasm !== undefined) return wasm;

    let thread_stack_size
    if (module_or_path !== undefined) {
        if (Object.getPrototypeOf(module_or_path) === Object.prototype) {
            ({module_or_path, memory, thread_stack_size} = module_or_path)
        } else {
            console.warn('using deprecated parameters for the initialization function; pass a single object instead')
        }
    }


    const imports = __wbg_get_imports(memory);

    if (typeof module_or_path === 'string' || (typeof Request === 'function' && module_or_path instanceof Request) || (typeof URL === 'function' && module_or_path instanceof URL)) {
        module_or_path = fetch(module_or_path);
    }

    const { instance, module } = await __wbg_load(await module_or_path, imports);

    return __wbg_finalize_init(instance, module, thread_stack_size);
}

export { initSync, __wbg_init as default };

/** Forgets the instance: the next initSync makes a new one. Added by build_module.ts. */
export function forget() {
    wasm = undefined;
}
