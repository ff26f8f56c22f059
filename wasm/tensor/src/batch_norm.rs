//! Batch normalisation over the rows of `[rows, c]` (NHWC with the channels last), training mode.
//!
//! Statistics are made by chunks of rows that fit the first-level cache: the chunk's own mean, then
//! the squares around it, then all chunks combined in order in double precision. So memory is read
//! once, and a mean far from zero does not eat the variance.
mod grad;

use crate::{memory, simd::*, threads};
use wasm_bindgen::prelude::*;

/// Floats of a chunk: 24 KiB.
const CHUNK: usize = 6144;

/// Rows that are summed up before they are added to others: long sums in f32 lose digits.
const SHORT: usize = 64;

/// Rows of a chunk and the number of chunks.
pub fn chunks(rows: usize, c: usize) -> (usize, usize) {
    threads::split(rows, (CHUNK / c.max(16)).max(8), 4096)
}

/// Statistics of a batch: `mean`, `var_unbiased` for the running estimate (biased for a single row),
/// and `scale` and `shift`, of c values each, with which `gamma (x - exact mean) inv_std + beta` is
/// `(x - mean) scale + shift`: the shift holds what rounding the mean has left, so that a mean of a
/// thousand deviations costs no digit. `inner`, of 2 c values, is for the gradient:
/// `inv_std = 1 / sqrt(var + eps)` over the biased variance, and the rest of the mean. Normalising
/// itself is a map, so that it melts with what follows.
#[wasm_bindgen]
pub fn batch_statistics(
    x: *const f32,
    gamma: *const f32,
    beta: *const f32,
    mean: *mut f32,
    inner: *mut f32,
    var_unbiased: *mut f32,
    scale: *mut f32,
    shift: *mut f32,
    rows: usize,
    c: usize,
    eps: f32,
) {
    let (size, count) = chunks(rows, c);
    let work = rows as u64 * c as u64 * 4;
    let stride = c.next_multiple_of(4);
    let Some([sums]) = memory::workspace([memory::floats([3, stride, count])]) else {
        return;
    };
    // SAFETY: TypeScript has checked the sizes; every task has its own sums and rows.
    unsafe {
        threads::run(work, count, &|task| {
            let task = task as usize;
            let first = task * size;
            let to = sums.add(task * 3 * stride);
            moments(x.add(first * c), size.min(rows - first), c, to, stride);
        });
        for first in (0..c).step_by(4) {
            let (centers, squares) = combine(sums.add(first), stride, size, count, rows);
            for channel in first..c.min(first + 4) {
                let (center, squares) = (centers[channel - first], squares[channel - first]);
                let n = rows as f64;
                let inverse = 1.0 / (squares / n + eps as f64).sqrt();
                let factor = *gamma.add(channel) as f64 * inverse;
                let rest = center - center as f32 as f64;
                *mean.add(channel) = center as f32;
                *inner.add(channel) = inverse as f32;
                *inner.add(c + channel) = rest as f32;
                let free = if rows > 1 { n - 1.0 } else { n };
                *var_unbiased.add(channel) = (squares / free) as f32;
                *scale.add(channel) = factor as f32;
                *shift.add(channel) = (*beta.add(channel) as f64 - rest * factor) as f32;
            }
        }
    }
}

/// Means and sums of squared deviations of four channels, from those of all chunks.
#[inline(never)]
unsafe fn combine(
    sums: *const f32,
    stride: usize,
    size: usize,
    count: usize,
    rows: usize,
) -> ([f64; 4], [f64; 4]) {
    let rows_of = |i: usize| f64x2_splat(size.min(rows - i * size) as f64);
    // SAFETY: every chunk has left three rows of whole vectors.
    let part = |i: usize, k: usize| unsafe { doubles(load(sums.add((i * 3 + k) * stride))) };
    let mean = |i: usize, half: usize| f64x2_add(part(i, 0)[half], part(i, 1)[half]);
    let zero = [f64x2_splat(0.0); 2];
    let mut center = zero;
    for i in 0..count {
        for half in 0..2 {
            let weighed = f64x2_mul(rows_of(i), mean(i, half));
            center[half] = f64x2_add(center[half], weighed);
        }
    }
    let center = center.map(|total| f64x2_div(total, f64x2_splat(rows as f64)));
    let mut squares = zero;
    for i in 0..count {
        for half in 0..2 {
            let apart = f64x2_sub(mean(i, half), center[half]);
            let moved = f64x2_mul(rows_of(i), f64x2_mul(apart, apart));
            squares[half] = f64x2_add(squares[half], f64x2_add(part(i, 2)[half], moved));
        }
    }
    (numbers(center), numbers(squares))
}

/// The lanes of a vector in double precision.
#[inline(always)]
fn doubles(v: v128) -> [v128; 2] {
    [v, i64x2_shuffle::<1, 1>(v, v)].map(|half| f64x2_promote_low_f32x4(half))
}

/// The other way: four doubles as numbers.
#[inline(always)]
fn numbers([low, high]: [v128; 2]) -> [f64; 4] {
    [
        f64x2_extract_lane::<0>(low),
        f64x2_extract_lane::<1>(low),
        f64x2_extract_lane::<0>(high),
        f64x2_extract_lane::<1>(high),
    ]
}

/// Runs `f::<4>` over blocks of four vectors of channels and `f::<1>` over the vectors that are
/// left; both take the first channel. Four keep the adders busy.
#[inline(always)]
pub fn by_channels(c: usize, four: impl Fn(usize), one: impl Fn(usize)) {
    let whole = c / 16 * 16;
    (0..whole).step_by(16).for_each(four);
    (whole..c).step_by(4).for_each(one);
}

/// N vectors at `p`.
///
/// # Safety
/// The address is readable for N vectors.
#[inline(always)]
pub unsafe fn load_n<const N: usize>(p: *const f32) -> [v128; N] {
    // SAFETY: the caller's address is readable for N vectors.
    core::array::from_fn(|j| unsafe { load(p.add(j * 4)) })
}

/// Mean in two parts and sum of squares around it, `stride` apart, for every channel of a few rows.
unsafe fn moments(x: *const f32, rows: usize, c: usize, to: *mut f32, stride: usize) {
    // SAFETY: the last vector of a row may read past its end; sums have whole vectors.
    unsafe {
        by_channels(
            c,
            |at| moments_of::<4>(x.add(at), rows, c, to.add(at), stride),
            |at| moments_of::<1>(x.add(at), rows, c, to.add(at), stride),
        )
    }
}

#[inline(never)]
unsafe fn moments_of<const N: usize>(
    x: *const f32,
    rows: usize,
    c: usize,
    to: *mut f32,
    stride: usize,
) {
    let share = f32x4_splat(1.0 / rows as f32);
    let mut sum = [ZERO; N];
    let mut slip = [ZERO; N];
    // SAFETY: see `moments`.
    unsafe {
        for row in 0..rows {
            let v = load_n::<N>(x.add(row * c));
            (0..N).for_each(|j| sum[j] = f32x4_add(sum[j], v[j]));
        }
        let center = sum.map(|s| f32x4_mul(s, share));
        let mut sum = [ZERO; N];
        for first in (0..rows).step_by(SHORT) {
            let (mut squares, mut off) = ([ZERO; N], [ZERO; N]);
            for row in first..rows.min(first + SHORT) {
                let v = load_n::<N>(x.add(row * c));
                for j in 0..N {
                    let d = f32x4_sub(v[j], center[j]);
                    squares[j] = madd(d, d, squares[j]);
                    off[j] = f32x4_add(off[j], d);
                }
            }
            for j in 0..N {
                sum[j] = f32x4_add(sum[j], squares[j]);
                slip[j] = f32x4_add(slip[j], off[j]);
            }
        }
        for j in 0..N {
            // By how much rounding has moved the center from the mean.
            let more = f32x4_mul(slip[j], share);
            let to = to.add(j * 4);
            store(to, center[j]);
            store(to.add(stride), more);
            store(to.add(2 * stride), nmadd(more, slip[j], sum[j]));
        }
    }
}
