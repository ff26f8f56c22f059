//! Softmax cross-entropy against class labels, as PyTorch defines it: class weights, label
//! smoothing, an ignored label.
use crate::softmax::{log_sum, row_chunks, row_work};
use crate::{math, simd::*, threads};
use wasm_bindgen::prelude::*;

/// What both directions know about the task.
#[derive(Clone, Copy)]
struct Criterion {
    classes: usize,
    /// Weight of every class; null for none.
    weights: *const f32,
    smoothing: f32,
    ignore: i32,
}

impl Criterion {
    /// Weight of a class that exists.
    unsafe fn weight(&self, class: usize) -> f32 {
        if self.weights.is_null() {
            1.0
        } else {
            // SAFETY: the caller's class is below `classes`.
            unsafe { *self.weights.add(class) }
        }
    }

    unsafe fn weight_sum(&self) -> f32 {
        // SAFETY: all classes exist.
        (0..self.classes).map(|c| unsafe { self.weight(c) }).sum()
    }

    fn knows(&self, label: i32) -> bool {
        usize::try_from(label).is_ok_and(|label| label < self.classes)
    }
}

/// Loss and weight of every row: `(1 - s) w_y (-log p_y) + s / C sum over c of w_c (-log p_c)`, and
/// `w_y`; both 0 for the ignored label, and NaN for a label that is no class. The mean is sum of
/// losses by sum of weights.
#[wasm_bindgen]
pub fn cross_entropy(
    logits: *const f32,
    labels: *const i32,
    class_weights: *const f32,
    loss: *mut f32,
    weight: *mut f32,
    rows: usize,
    classes: usize,
    smoothing: f32,
    ignore: i32,
) {
    let criterion = Criterion {
        classes,
        weights: class_weights,
        smoothing,
        ignore,
    };
    let (size, count) = row_chunks(rows, classes);
    // SAFETY: TypeScript has checked the sizes; every task writes its own rows.
    unsafe {
        threads::run(row_work(rows, classes), count, &|task| {
            let first = task as usize * size;
            for row in first..rows.min(first + size) {
                let (x, label) = (logits.add(row * classes), *labels.add(row));
                (*loss.add(row), *weight.add(row)) = loss_row(x, label, &criterion);
            }
        });
    }
}

unsafe fn loss_row(x: *const f32, label: i32, criterion: &Criterion) -> (f32, f32) {
    if label == criterion.ignore {
        return (0.0, 0.0);
    }
    if !criterion.knows(label) {
        return (f32::NAN, f32::NAN);
    }
    let label = label as usize;
    // SAFETY: the label is a class, the row has `classes` logits.
    unsafe {
        let (max, sum) = log_sum(x, criterion.classes);
        let negative_log = |class: usize| sum - (*x.add(class) - max);
        let weight = criterion.weight(label);
        let mut loss = weight * negative_log(label);
        if criterion.smoothing > 0.0 {
            let classes = 0..criterion.classes;
            let spread: f32 = classes.map(|c| criterion.weight(c) * negative_log(c)).sum();
            let share = criterion.smoothing / criterion.classes as f32;
            loss = (1.0 - criterion.smoothing) * loss + share * spread;
        }
        (loss, weight)
    }
}

/// The gradient of [`cross_entropy`]'s losses with respect to the logits, given that of every loss.
#[wasm_bindgen]
pub fn cross_entropy_grad(
    logits: *const f32,
    labels: *const i32,
    class_weights: *const f32,
    dloss: *const f32,
    dlogits: *mut f32,
    rows: usize,
    classes: usize,
    smoothing: f32,
    ignore: i32,
) {
    let criterion = Criterion {
        classes,
        weights: class_weights,
        smoothing,
        ignore,
    };
    let (size, count) = row_chunks(rows, classes);
    // SAFETY: TypeScript has checked the sizes; every task writes its own rows.
    unsafe {
        let weight_sum = if smoothing > 0.0 {
            criterion.weight_sum()
        } else {
            0.0
        };
        threads::run(row_work(rows, classes), count, &|task| {
            let first = task as usize * size;
            for row in first..rows.min(first + size) {
                let (x, to) = (logits.add(row * classes), dlogits.add(row * classes));
                grad_row(
                    x,
                    *labels.add(row),
                    *dloss.add(row),
                    to,
                    &criterion,
                    weight_sum,
                );
            }
        });
    }
}

/// `g ((1 - s) w_y (p - [c = y]) + s / C (p sum w - w_c))`.
#[inline(never)]
unsafe fn grad_row(
    x: *const f32,
    label: i32,
    dloss: f32,
    to: *mut f32,
    criterion: &Criterion,
    weight_sum: f32,
) {
    let classes = criterion.classes;
    let known = criterion.knows(label);
    // SAFETY: the row has `classes` logits; stores are cut; the label is checked.
    unsafe {
        if label == criterion.ignore || !known {
            let value = if label == criterion.ignore {
                0.0
            } else {
                f32::NAN
            };
            (0..classes).for_each(|class| *to.add(class) = value);
            return;
        }
        let (max, sum) = log_sum(x, classes);
        let hard = (1.0 - criterion.smoothing) * criterion.weight(label as usize) * dloss;
        let share = criterion.smoothing / classes as f32 * dloss;
        let factor = f32x4_splat(hard + share * weight_sum);
        let (shift, sum) = (f32x4_splat(max), f32x4_splat(sum));
        for at in (0..classes).step_by(4) {
            let v = f32x4_sub(f32x4_sub(load(x.add(at)), shift), sum);
            let mut d = f32x4_mul(math::exp(v), factor);
            if share != 0.0 {
                let weights = match criterion.weights.is_null() {
                    true => f32x4_splat(1.0),
                    false => load(criterion.weights.add(at)),
                };
                d = nmadd(weights, f32x4_splat(share), d);
            }
            store_part(to.add(at), d, classes - at);
        }
        *to.add(label as usize) -= hard;
    }
}
