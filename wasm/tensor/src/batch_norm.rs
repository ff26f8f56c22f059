//! Batch normalisation over the rows of `[rows, c]` (NHWC with the channels last), training mode.
//!
//! Statistics are made by chunks of rows that fit the first-level cache: the chunk's own mean, then
//! the squares around it, then all chunks combined in order in double precision (Chan's formula). So
//! memory is read once, and a mean far from zero does not eat the variance.
use crate::{memory, pool, simd::*};
use wasm_bindgen::prelude::*;

/// Floats of a chunk: 24 KiB.
const CHUNK: usize = 6144;

/// Rows of a chunk and the number of chunks.
fn chunks(rows: usize, c: usize) -> (usize, usize) {
    pool::split(rows, (CHUNK / c.max(1)).max(8), 4096)
}

/// `y = gamma (x - mean) inv_std + beta` with the statistics of this batch: `mean`, `inv_std = 1 / sqrt(var +
/// eps)` over the biased variance, and `var_unbiased` for the running estimate (biased for a single
/// row). All three have c values.
#[wasm_bindgen]
pub fn batch_norm(
    x: *const f32,
    gamma: *const f32,
    beta: *const f32,
    y: *mut f32,
    mean: *mut f32,
    inv_std: *mut f32,
    var_unbiased: *mut f32,
    rows: usize,
    c: usize,
    eps: f32,
) {
    let (size, count) = chunks(rows, c);
    let work = rows as u64 * c as u64 * 4;
    let stride = c.next_multiple_of(4);
    let [sums] = memory::workspace([2 * stride * count]);
    // SAFETY: TypeScript has checked the sizes; every task has its own sums and rows.
    unsafe {
        pool::run(work, count, &|task| {
            let task = task as usize;
            let first = task * size;
            let to = sums.add(task * 2 * stride);
            moments(x.add(first * c), size.min(rows - first), c, to, to.add(stride));
        });
        for channel in 0..c {
            let (center, squares) = combine(sums.add(channel), stride, size, count, rows);
            let n = rows as f64;
            *mean.add(channel) = center as f32;
            *inv_std.add(channel) = (1.0 / (squares / n + eps as f64).sqrt()) as f32;
            let free = if rows > 1 { n - 1.0 } else { n };
            *var_unbiased.add(channel) = (squares / free) as f32;
        }
        pool::run(work, count, &|task| {
            let first = task as usize * size;
            let (x, y) = (x.add(first * c), y.add(first * c));
            normalise(x, y, [gamma, beta, mean, inv_std], size.min(rows - first), c);
        });
    }
}

/// Mean and sum of squared deviations of one channel, from those of all chunks.
unsafe fn combine(
    sums: *const f32,
    stride: usize,
    size: usize,
    count: usize,
    rows: usize,
) -> (f64, f64) {
    let chunk = |i: usize| {
        // SAFETY: every chunk has left its mean and its squares.
        let (mean, squares) = unsafe {
            let at = sums.add(i * 2 * stride);
            (*at as f64, *at.add(stride) as f64)
        };
        (size.min(rows - i * size) as f64, mean, squares)
    };
    let total: f64 = (0..count).map(chunk).map(|(n, mean, _)| n * mean).sum();
    let center = total / rows as f64;
    let squares = (0..count).map(chunk).map(|(n, mean, squares)| {
        let apart = mean - center;
        squares + n * apart * apart
    });
    (center, squares.sum())
}

/// Mean and sum of squares around it, for every channel of a few rows.
#[inline(never)]
unsafe fn moments(x: *const f32, rows: usize, c: usize, mean: *mut f32, squares: *mut f32) {
    let share = f32x4_splat(1.0 / rows as f32);
    for at in (0..c).step_by(4) {
        // SAFETY: the last vector of a row may read past its end; sums have whole vectors.
        unsafe {
            let mut sum = [ZERO; 2];
            for row in 0..rows {
                sum[row & 1] = f32x4_add(sum[row & 1], load(x.add(row * c + at)));
            }
            let center = f32x4_mul(f32x4_add(sum[0], sum[1]), share);
            let (mut sum, mut rest) = (ZERO, ZERO);
            for row in 0..rows {
                let d = f32x4_sub(load(x.add(row * c + at)), center);
                sum = madd(d, d, sum);
                rest = f32x4_add(rest, d);
            }
            // The rounding of the mean, taken out again.
            let slip = f32x4_mul(rest, share);
            store(mean.add(at), f32x4_add(center, slip));
            store(squares.add(at), nmadd(slip, rest, sum));
        }
    }
}

#[inline(never)]
unsafe fn normalise(
    x: *const f32,
    y: *mut f32,
    [gamma, beta, mean, inv_std]: [*const f32; 4],
    rows: usize,
    c: usize,
) {
    for at in (0..c).step_by(4) {
        // SAFETY: as in `moments`; stores are cut.
        unsafe {
            let factor = f32x4_mul(load(gamma.add(at)), load(inv_std.add(at)));
            let (shift, center) = (load(beta.add(at)), load(mean.add(at)));
            for row in 0..rows {
                let d = f32x4_sub(load(x.add(row * c + at)), center);
                store_part(y.add(row * c + at), madd(d, factor, shift), c - at);
            }
        }
    }
}

/// Gradients of [`batch_norm`] with respect to x, gamma and beta, given that of y.
#[wasm_bindgen]
pub fn batch_norm_grad(
    x: *const f32,
    dy: *const f32,
    gamma: *const f32,
    mean: *const f32,
    inv_std: *const f32,
    dx: *mut f32,
    dgamma: *mut f32,
    dbeta: *mut f32,
    rows: usize,
    c: usize,
) {
    let (size, count) = chunks(rows, c);
    let work = rows as u64 * c as u64 * 4;
    let stride = c.next_multiple_of(4);
    let [sums] = memory::workspace([2 * stride * count]);
    // SAFETY: TypeScript has checked the sizes; every task has its own sums and rows.
    unsafe {
        pool::run(work, count, &|task| {
            let first = task as usize * size;
            let to = sums.add(task as usize * 2 * stride);
            let (x, dy) = (x.add(first * c), dy.add(first * c));
            products(x, dy, [mean, inv_std], size.min(rows - first), c, to, to.add(stride));
        });
        for channel in 0..c {
            let (mut dot, mut sum) = (0.0f64, 0.0f64);
            for chunk in 0..count {
                let at = sums.add(chunk * 2 * stride + channel);
                dot += *at as f64;
                sum += *at.add(stride) as f64;
            }
            (*dgamma.add(channel), *dbeta.add(channel)) = (dot as f32, sum as f32);
        }
        pool::run(work, count, &|task| {
            let first = task as usize * size;
            let [x, dy] = [x, dy].map(|p| p.add(first * c));
            let stats = [gamma, mean, inv_std, dgamma as *const f32, dbeta as *const f32];
            input_grad(x, dy, dx.add(first * c), stats, (size.min(rows - first), rows), c);
        });
    }
}

/// Sums of `dy x_hat` and of dy, for every channel of a few rows.
#[inline(never)]
unsafe fn products(
    x: *const f32,
    dy: *const f32,
    [mean, inv_std]: [*const f32; 2],
    rows: usize,
    c: usize,
    dot: *mut f32,
    sum: *mut f32,
) {
    for at in (0..c).step_by(4) {
        // SAFETY: as in `moments`.
        unsafe {
            let (center, scale) = (load(mean.add(at)), load(inv_std.add(at)));
            let (mut d, mut s) = (ZERO, ZERO);
            for row in 0..rows {
                let g = load(dy.add(row * c + at));
                d = madd(g, f32x4_sub(load(x.add(row * c + at)), center), d);
                s = f32x4_add(s, g);
            }
            store(dot.add(at), f32x4_mul(d, scale));
            store(sum.add(at), s);
        }
    }
}

/// `dx = gamma inv_std (dy - dbeta / n - x_hat dgamma / n)`.
#[inline(never)]
unsafe fn input_grad(
    x: *const f32,
    dy: *const f32,
    dx: *mut f32,
    [gamma, mean, inv_std, dgamma, dbeta]: [*const f32; 5],
    (rows, all): (usize, usize),
    c: usize,
) {
    let share = f32x4_splat(1.0 / all as f32);
    for at in (0..c).step_by(4) {
        // SAFETY: as in `normalise`.
        unsafe {
            let (center, scale) = (load(mean.add(at)), load(inv_std.add(at)));
            let factor = f32x4_mul(load(gamma.add(at)), scale);
            let offset = f32x4_mul(load(dbeta.add(at)), share);
            let slope = f32x4_mul(f32x4_mul(load(dgamma.add(at)), share), scale);
            for row in 0..rows {
                let i = row * c + at;
                let d = f32x4_sub(load(x.add(i)), center);
                let g = nmadd(d, slope, f32x4_sub(load(dy.add(i)), offset));
                store_part(dx.add(i), f32x4_mul(g, factor), c - at);
            }
        }
    }
}
