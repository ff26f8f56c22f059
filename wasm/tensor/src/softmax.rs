//! Softmax and its logarithm over the rows of `[rows, c]`, with their gradients; and what the
//! cross-entropies share with them.
use crate::{math, simd::*, threads};
use wasm_bindgen::prelude::*;

/// Rows per task, and the number of tasks.
pub fn row_chunks(rows: usize, c: usize) -> (usize, usize) {
    threads::split(rows, (4096 / c.max(1)).max(1), 64)
}

/// Work of a kernel that takes an exponential of every element.
pub fn row_work(rows: usize, c: usize) -> u64 {
    16 * rows as u64 * c as u64
}

/// A vector of row elements, lanes past the end replaced.
#[inline(always)]
unsafe fn load_row(x: *const f32, at: usize, c: usize, other: f32) -> v128 {
    // SAFETY: a row is readable one vector past its end.
    let v = unsafe { load(x.add(at)) };
    if c - at >= 4 {
        v
    } else {
        select(first_lanes(c - at), v, f32x4_splat(other))
    }
}

/// Largest value of a row, and the logarithm of the sum of `e^(x - max)`.
///
/// # Safety
/// The row has `c` elements and is readable one vector past its end.
#[inline(never)]
pub unsafe fn log_sum(x: *const f32, c: usize) -> (f32, f32) {
    // SAFETY: see above.
    unsafe {
        let mut max = f32x4_splat(f32::NEG_INFINITY);
        for at in (0..c).step_by(4) {
            max = f32x4_max(max, load_row(x, at, c, f32::NEG_INFINITY));
        }
        let max = horizontal_max(max);
        let (mut sum, shift) = (ZERO, f32x4_splat(max));
        for at in (0..c).step_by(4) {
            let e = math::exp(f32x4_sub(load_row(x, at, c, f32::NEG_INFINITY), shift));
            sum = f32x4_add(sum, e);
        }
        let sum = f32x4_splat(horizontal_sum(sum));
        (max, f32x4_extract_lane::<0>(math::log(sum)))
    }
}

/// `y = softmax(x)` over each row, or its logarithm.
#[wasm_bindgen]
pub fn softmax(x: *const f32, y: *mut f32, rows: usize, c: usize, log: u32) {
    let (size, count) = row_chunks(rows, c);
    // SAFETY: TypeScript has checked the sizes; every task writes its own rows.
    unsafe {
        threads::run(row_work(rows, c), count, &|task| {
            let first = task as usize * size;
            for row in first..rows.min(first + size) {
                let (x, y) = (x.add(row * c), y.add(row * c));
                if log != 0 {
                    log_softmax_row(x, y, c);
                } else {
                    softmax_row(x, y, c);
                }
            }
        });
    }
}

#[inline(never)]
unsafe fn log_softmax_row(x: *const f32, y: *mut f32, c: usize) {
    // SAFETY: the caller's row; stores are cut. y may be x.
    unsafe {
        let (max, sum) = log_sum(x, c);
        for at in (0..c).step_by(4) {
            let v = f32x4_sub(load(x.add(at)), f32x4_splat(max));
            store_part(y.add(at), f32x4_sub(v, f32x4_splat(sum)), c - at);
        }
    }
}

#[inline(never)]
unsafe fn softmax_row(x: *const f32, y: *mut f32, c: usize) {
    // SAFETY: the caller's row; stores are cut. y may be x.
    unsafe {
        let mut max = f32x4_splat(f32::NEG_INFINITY);
        for at in (0..c).step_by(4) {
            max = f32x4_max(max, load_row(x, at, c, f32::NEG_INFINITY));
        }
        let (mut sum, shift) = (ZERO, f32x4_splat(horizontal_max(max)));
        for at in (0..c).step_by(4) {
            let e = math::exp(f32x4_sub(load_row(x, at, c, f32::NEG_INFINITY), shift));
            store_part(y.add(at), e, c - at);
            sum = f32x4_add(sum, e);
        }
        let sum = f32x4_splat(horizontal_sum(sum));
        for at in (0..c).step_by(4) {
            store_part(y.add(at), f32x4_div(load(y.add(at)), sum), c - at);
        }
    }
}

/// The gradient of [`softmax`] with respect to x, from its result and the result's gradient.
#[wasm_bindgen]
pub fn softmax_grad(y: *const f32, dy: *const f32, dx: *mut f32, rows: usize, c: usize, log: u32) {
    let (size, count) = row_chunks(rows, c);
    // SAFETY: TypeScript has checked the sizes; every task writes its own rows.
    unsafe {
        threads::run(row_work(rows, c), count, &|task| {
            let first = task as usize * size;
            for row in first..rows.min(first + size) {
                let [y, dy] = [y, dy].map(|p| p.add(row * c));
                grad_row(y, dy, dx.add(row * c), c, log != 0);
            }
        });
    }
}

/// `y (dy - sum y dy)`, or `dy - e^y sum dy` for the logarithm.
#[inline(never)]
unsafe fn grad_row(y: *const f32, dy: *const f32, dx: *mut f32, c: usize, log: bool) {
    // SAFETY: the caller's row; stores are cut.
    unsafe {
        let mut sum = ZERO;
        for at in (0..c).step_by(4) {
            let g = load_row(dy, at, c, 0.0);
            let weight = if log {
                f32x4_splat(1.0)
            } else {
                load_row(y, at, c, 0.0)
            };
            sum = madd(g, weight, sum);
        }
        let sum = f32x4_splat(horizontal_sum(sum));
        for at in (0..c).step_by(4) {
            let (v, g) = (load(y.add(at)), load(dy.add(at)));
            let d = if log {
                nmadd(math::exp(v), sum, g)
            } else {
                f32x4_mul(v, f32x4_sub(g, sum))
            };
            store_part(dx.add(at), d, c - at);
        }
    }
}
