//! Sums and maxima over the middle of `[outer, mid, inner]`.
//!
//! Long sums are cut into fixed chunks whose partial results are combined in order: parallel, the
//! same for any number of threads, and more exact than one long running sum.
use crate::{memory, simd::*, threads};
use wasm_bindgen::prelude::*;

/// Elements of a chunk, at least.
const CHUNK: usize = 4096;

/// `y[o, i] = scale * sum (kind 0) or maximum (kind 1) over m of x[o, m, i]`. An empty sum is 0, an
/// empty maximum minus infinity; NaN propagates.
#[wasm_bindgen]
pub fn reduce(
    x: *const f32,
    y: *mut f32,
    kind: u32,
    outer: usize,
    mid: usize,
    inner: usize,
    scale: f32,
) {
    // SAFETY: TypeScript has checked the sizes.
    unsafe {
        match kind {
            0 => reduce_with(x, y, (outer, mid, inner), scale, 0.0, |a, b| {
                f32x4_add(a, b)
            }),
            _ => reduce_with(
                x,
                y,
                (outer, mid, inner),
                scale,
                f32::NEG_INFINITY,
                |a, b| f32x4_max(a, b),
            ),
        }
    }
}

/// `op` is associative up to rounding and has the neutral element `start`.
#[inline(always)]
unsafe fn reduce_with(
    x: *const f32,
    y: *mut f32,
    (outer, mid, inner): (usize, usize, usize),
    scale: f32,
    start: f32,
    op: impl Fn(v128, v128) -> v128 + Copy,
) {
    let work = outer as u64 * mid as u64 * inner as u64 * 2;
    // Chunks of the middle; with many outer rows the rows alone are enough to share out.
    let (size, parts) = if outer >= 64 {
        (mid, 1)
    } else {
        threads::split(mid, (CHUNK / inner.max(1)).max(16), 64)
    };
    let (row_size, row_chunks) = threads::split(outer, 1, 64);
    let parts = parts.max(1);
    let direct = parts == 1;
    let room = if direct {
        0
    } else {
        memory::floats([outer, parts, inner])
    };
    let Some([partial]) = memory::workspace([room]) else {
        return;
    };
    let to = if direct { y } else { partial };
    // SAFETY: every task writes its own part of every row.
    unsafe {
        threads::run(work, row_chunks * parts, &|task| {
            let (chunk, part) = (task as usize / parts, task as usize % parts);
            let first = chunk * row_size;
            for o in first..outer.min(first + row_size) {
                let begin = (part * size).min(mid);
                let rows = size.min(mid - begin);
                let from = x.wrapping_add((o * mid + begin) * inner);
                let to = to.wrapping_add((o * parts + part) * inner);
                let scale = if direct { scale } else { 1.0 };
                if inner == 1 {
                    *to = scale * contiguous(from, rows, start, op);
                } else {
                    columns(from, rows, inner, to, start, scale, op);
                }
            }
        });
        for o in 0..if direct { 0 } else { outer } {
            let from = partial.add(o * parts * inner);
            columns(from, parts, inner, y.add(o * inner), start, scale, op);
        }
    }
}

/// Reduces `count` neighbours, with four independent accumulators.
#[inline(never)]
unsafe fn contiguous(
    x: *const f32,
    count: usize,
    start: f32,
    op: impl Fn(v128, v128) -> v128,
) -> f32 {
    let neutral = f32x4_splat(start);
    let mut acc = [neutral; 4];
    let whole = count / 16 * 16;
    // SAFETY: the last vector is masked.
    unsafe {
        for i in (0..whole).step_by(16) {
            for (j, acc) in acc.iter_mut().enumerate() {
                *acc = op(*acc, load(x.add(i + j * 4)));
            }
        }
        for i in (whole..count).step_by(4) {
            let v = select(first_lanes(count - i), load(x.add(i)), neutral);
            acc[0] = op(acc[0], v);
        }
    }
    let v = op(op(acc[0], acc[1]), op(acc[2], acc[3]));
    let v = op(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
    f32x4_extract_lane::<0>(op(v, i32x4_shuffle::<1, 0, 3, 2>(v, v)))
}

/// Reduces `rows` rows of `inner` columns to one row times `scale`, four vectors at a time.
#[inline(never)]
unsafe fn columns(
    x: *const f32,
    rows: usize,
    inner: usize,
    to: *mut f32,
    start: f32,
    scale: f32,
    op: impl Fn(v128, v128) -> v128,
) {
    // SAFETY: the last vector of a row may read past its end; stores are cut.
    unsafe {
        let mut column = 0;
        while column < inner {
            let mut acc = [f32x4_splat(start); 4];
            let vectors = (inner - column).div_ceil(4).min(4);
            let mut from = x.wrapping_add(column);
            if vectors == 4 {
                for _ in 0..rows {
                    for (j, acc) in acc.iter_mut().enumerate() {
                        *acc = op(*acc, load(from.add(j * 4)));
                    }
                    from = from.wrapping_add(inner);
                }
            } else {
                for _ in 0..rows {
                    for (j, acc) in acc.iter_mut().enumerate().take(vectors) {
                        *acc = op(*acc, load(from.add(j * 4)));
                    }
                    from = from.wrapping_add(inner);
                }
            }
            for (j, &acc) in acc.iter().enumerate().take(vectors) {
                let at = column + j * 4;
                store_part(to.add(at), f32x4_mul(acc, f32x4_splat(scale)), inner - at);
            }
            column += 16;
        }
    }
}
