//! Softmax cross-entropy against probabilities: mixed labels, distillation.
use crate::softmax::{log_sum, row_chunks, row_work};
use crate::{math, simd::*, threads};
use wasm_bindgen::prelude::*;

/// `loss = sum over c of target_c (-log p_c)` for every row.
#[wasm_bindgen]
pub fn soft_cross_entropy(
    logits: *const f32,
    target: *const f32,
    loss: *mut f32,
    rows: usize,
    classes: usize,
) {
    let (size, count) = row_chunks(rows, classes);
    // SAFETY: TypeScript has checked the sizes; every task writes its own rows.
    unsafe {
        threads::run(row_work(rows, classes), count, &|task| {
            let first = task as usize * size;
            for row in first..rows.min(first + size) {
                let [x, t] = [logits, target].map(|p| p.add(row * classes));
                *loss.add(row) = loss_row(x, t, classes);
            }
        });
    }
}

#[inline(never)]
unsafe fn loss_row(x: *const f32, target: *const f32, classes: usize) -> f32 {
    // SAFETY: both rows have `classes` values, and one vector more to read.
    unsafe {
        let (max, log) = log_sum(x, classes);
        let (shift, log) = (f32x4_splat(max), f32x4_splat(log));
        let mut sum = ZERO;
        for at in (0..classes).step_by(4) {
            let nll = f32x4_sub(log, f32x4_sub(load(x.add(at)), shift));
            // As in PyTorch a probability of 0 at a logit of minus infinity gives NaN.
            let loss = f32x4_mul(load(target.add(at)), nll);
            sum = f32x4_add(sum, v128_and(first_lanes(classes - at), loss));
        }
        horizontal_sum(sum)
    }
}

/// The gradient of [`soft_cross_entropy`] with respect to the logits: `dloss (p sum t - t)`.
#[wasm_bindgen]
pub fn soft_cross_entropy_grad(
    logits: *const f32,
    target: *const f32,
    dloss: *const f32,
    dlogits: *mut f32,
    rows: usize,
    classes: usize,
) {
    let (size, count) = row_chunks(rows, classes);
    // SAFETY: TypeScript has checked the sizes; every task writes its own rows.
    unsafe {
        threads::run(row_work(rows, classes), count, &|task| {
            let first = task as usize * size;
            for row in first..rows.min(first + size) {
                let [x, t] = [logits, target].map(|p| p.add(row * classes));
                grad_row(x, t, *dloss.add(row), dlogits.add(row * classes), classes);
            }
        });
    }
}

#[inline(never)]
unsafe fn grad_row(x: *const f32, target: *const f32, dloss: f32, to: *mut f32, classes: usize) {
    // SAFETY: as in `loss_row`; stores are cut.
    unsafe {
        let (max, log) = log_sum(x, classes);
        let mut total = ZERO;
        for at in (0..classes).step_by(4) {
            total = f32x4_add(
                total,
                v128_and(first_lanes(classes - at), load(target.add(at))),
            );
        }
        let total = f32x4_splat(horizontal_sum(total));
        let (shift, log) = (f32x4_splat(max), f32x4_splat(log));
        for at in (0..classes).step_by(4) {
            let p = math::exp(f32x4_sub(f32x4_sub(load(x.add(at)), shift), log));
            let d = f32x4_sub(f32x4_mul(p, total), load(target.add(at)));
            store_part(to.add(at), f32x4_mul(d, f32x4_splat(dloss)), classes - at);
        }
    }
}
