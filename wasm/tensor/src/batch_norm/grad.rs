//! Gradients of batch normalisation: two sums per channel.
use super::{by_channels, chunks, load_n};
use crate::{memory, simd::*, threads};
use wasm_bindgen::prelude::*;

/// Gradients of gamma and beta, and slope and offset in `dx = scale (dy + slope (x - mean) + offset)`,
/// which is a map. `inner` is that of the statistics.
#[wasm_bindgen]
pub fn batch_norm_sums(
    x: *const f32,
    dy: *const f32,
    mean: *const f32,
    inner: *const f32,
    dgamma: *mut f32,
    dbeta: *mut f32,
    slope: *mut f32,
    offset: *mut f32,
    rows: usize,
    c: usize,
) {
    let (size, count) = chunks(rows, c);
    let work = rows as u64 * c as u64 * 4;
    let stride = c.next_multiple_of(4);
    let Some([sums]) = memory::workspace([memory::floats([2, stride, count])]) else {
        return;
    };
    // SAFETY: TypeScript has checked the sizes; every task has its own sums and rows.
    unsafe {
        threads::run(work, count, &|task| {
            let first = task as usize * size;
            let to = sums.add(task as usize * 2 * stride);
            let (x, dy) = (x.add(first * c), dy.add(first * c));
            products(x, dy, mean, size.min(rows - first), c, to, to.add(stride));
        });
        for channel in 0..c {
            let (mut dot, mut sum) = (0.0f64, 0.0f64);
            for chunk in 0..count {
                let at = sums.add(chunk * 2 * stride + channel);
                dot += *at as f64;
                sum += *at.add(stride) as f64;
            }
            let inverse = *inner.add(channel) as f64;
            let rest = *inner.add(c + channel) as f64;
            let normal = (dot - rest * sum) * inverse;
            let fall = -normal * inverse / rows as f64;
            (*dgamma.add(channel), *dbeta.add(channel)) = (normal as f32, sum as f32);
            *slope.add(channel) = fall as f32;
            *offset.add(channel) = (-sum / rows as f64 - fall * rest) as f32;
        }
    }
}

/// Sums of `dy (x - mean)` and of dy, for every channel of a few rows.
unsafe fn products(
    x: *const f32,
    dy: *const f32,
    mean: *const f32,
    rows: usize,
    c: usize,
    dot: *mut f32,
    sum: *mut f32,
) {
    // SAFETY: as in `moments`.
    unsafe {
        let at = |at: usize| [x, dy, mean].map(|p| p.add(at));
        by_channels(
            c,
            |i| products_of::<4>(at(i), (rows, c), dot.add(i), sum.add(i)),
            |i| products_of::<1>(at(i), (rows, c), dot.add(i), sum.add(i)),
        )
    }
}

#[inline(never)]
unsafe fn products_of<const N: usize>(
    [x, dy, mean]: [*const f32; 3],
    (rows, c): (usize, usize),
    dot: *mut f32,
    sum: *mut f32,
) {
    // SAFETY: see `products`.
    unsafe {
        let center = load_n::<N>(mean);
        let (mut d, mut s) = ([ZERO; N], [ZERO; N]);
        for row in 0..rows {
            let (v, g) = (load_n::<N>(x.add(row * c)), load_n::<N>(dy.add(row * c)));
            for j in 0..N {
                d[j] = madd(g[j], f32x4_sub(v[j], center[j]), d[j]);
                s[j] = f32x4_add(s[j], g[j]);
            }
        }
        for j in 0..N {
            store(dot.add(j * 4), d[j]);
            store(sum.add(j * 4), s[j]);
        }
    }
}
