//! Gradients of batch normalisation: two sums per channel, then one pass over x and dy.
use super::{by_channels, chunks, load_n};
use crate::{memory, pool, simd::*};
use wasm_bindgen::prelude::*;

/// Gradients of `batch_norm` with respect to x, gamma and beta, given that of y.
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
            products(
                x,
                dy,
                [mean, inv_std],
                size.min(rows - first),
                c,
                to,
                to.add(stride),
            );
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
            let stats = [
                gamma,
                mean,
                inv_std,
                dgamma as *const f32,
                dbeta as *const f32,
            ];
            input_grad(
                x,
                dy,
                dx.add(first * c),
                stats,
                (size.min(rows - first), rows),
                c,
            );
        });
    }
}

/// Sums of `dy x_hat` and of dy, for every channel of a few rows.
unsafe fn products(
    x: *const f32,
    dy: *const f32,
    stats: [*const f32; 2],
    rows: usize,
    c: usize,
    dot: *mut f32,
    sum: *mut f32,
) {
    // SAFETY: as in `moments`.
    unsafe {
        let at = |at: usize| (x.add(at), dy.add(at), stats.map(|p| p.add(at)));
        by_channels(
            c,
            |i| products_of::<4>(at(i), (rows, c), dot.add(i), sum.add(i)),
            |i| products_of::<1>(at(i), (rows, c), dot.add(i), sum.add(i)),
        )
    }
}

#[inline(never)]
unsafe fn products_of<const N: usize>(
    (x, dy, stats): (*const f32, *const f32, [*const f32; 2]),
    (rows, c): (usize, usize),
    dot: *mut f32,
    sum: *mut f32,
) {
    // SAFETY: see `products`.
    unsafe {
        let [center, scale] = stats.map(|p| load_n::<N>(p));
        let (mut d, mut s) = ([ZERO; N], [ZERO; N]);
        for row in 0..rows {
            let (v, g) = (load_n::<N>(x.add(row * c)), load_n::<N>(dy.add(row * c)));
            for j in 0..N {
                d[j] = madd(g[j], f32x4_sub(v[j], center[j]), d[j]);
                s[j] = f32x4_add(s[j], g[j]);
            }
        }
        for j in 0..N {
            store(dot.add(j * 4), f32x4_mul(d[j], scale[j]));
            store(sum.add(j * 4), s[j]);
        }
    }
}

/// `dx = gamma inv_std (dy - dbeta / n - x_hat dgamma / n)`.
unsafe fn input_grad(
    x: *const f32,
    dy: *const f32,
    dx: *mut f32,
    stats: [*const f32; 5],
    rows: (usize, usize),
    c: usize,
) {
    // SAFETY: as in `normalise`.
    unsafe {
        let at = |at: usize| (x.add(at), dy.add(at), stats.map(|p| p.add(at)));
        by_channels(
            c,
            |i| input_grad_of::<4>(at(i), dx.add(i), rows, c, 16),
            |i| input_grad_of::<1>(at(i), dx.add(i), rows, c, c - i),
        )
    }
}

#[inline(never)]
unsafe fn input_grad_of<const N: usize>(
    (x, dy, stats): (*const f32, *const f32, [*const f32; 5]),
    dx: *mut f32,
    (rows, all): (usize, usize),
    c: usize,
    left: usize,
) {
    let share = f32x4_splat(1.0 / all as f32);
    // SAFETY: see `input_grad`.
    unsafe {
        for j in 0..N {
            let [gamma, center, scale, dgamma, dbeta] = stats.map(|p| load(p.add(j * 4)));
            let factor = f32x4_mul(gamma, scale);
            let offset = f32x4_mul(dbeta, share);
            let slope = f32x4_mul(f32x4_mul(dgamma, share), scale);
            for row in 0..rows {
                let i = row * c + j * 4;
                let d = f32x4_sub(load(x.add(i)), center);
                let g = nmadd(d, slope, f32x4_sub(load(dy.add(i)), offset));
                let lanes = if N == 4 { 4 } else { left };
                store_part(dx.add(i), f32x4_mul(g, factor), lanes);
            }
        }
    }
}
