//! Two-dimensional transforms of one tile, over all its channels.
//!
//! Channels are innermost everywhere, so every step works on vectors of four of them. A tile of
//! `6 x 6` vectors does not fit V8's registers: the columns of a block of channels are transformed
//! into a buffer that stays in the first-level cache, and then its rows.
use crate::simd::*;
use core::mem::MaybeUninit;

/// Vectors of channels per block.
const BLOCK: usize = 16;

/// Where the points of a transformed tile lie. Channel c of point p of the tile that starts at an
/// address is `p * point + c / 16 * panel + c % 16` floats further.
#[derive(Clone, Copy)]
pub struct Points {
    pub point: usize,
    pub panel: usize,
}

impl Points {
    #[inline(always)]
    fn offset(&self, vector: usize) -> usize {
        (vector / 4) * self.panel + vector % 4 * 4
    }
}

/// Transforms a tile of `I x I` pixels, whose addresses are `pixels`, to `P x P` points by `line`.
///
/// # Safety
/// Every pixel is readable for `channels` floats and one vector more; `to` has room for the points
/// of whole vectors.
#[inline(never)]
pub unsafe fn spread<const I: usize, const P: usize>(
    pixels: &[[*const f32; I]; I],
    channels: usize,
    to: *mut f32,
    points: Points,
    line: impl Fn([v128; I]) -> [v128; P],
) {
    let mut buffer = MaybeUninit::<[[[v128; BLOCK]; I]; P]>::uninit();
    let vectors = channels.div_ceil(4);
    for first in (0..vectors).step_by(BLOCK) {
        let count = BLOCK.min(vectors - first);
        // SAFETY: see above; the buffer has a place for every column, point and vector.
        unsafe {
            let buffer = buffer.as_mut_ptr() as *mut v128;
            for column in 0..I {
                let from = pixels.map(|row| row[column].wrapping_add(first * 4));
                let to = buffer.add(column * BLOCK);
                for v in 0..count {
                    let out = line(from.map(|p| load(p.add(v * 4))));
                    for (p, &value) in out.iter().enumerate() {
                        *to.add(p * I * BLOCK + v) = value;
                    }
                }
            }
            for row in 0..P {
                let from = buffer.add(row * I * BLOCK) as *const v128;
                let to: [*mut f32; P] =
                    core::array::from_fn(|p| to.wrapping_add((row * P + p) * points.point));
                for v in 0..count {
                    let out = line(core::array::from_fn(|i| *from.add(i * BLOCK + v)));
                    let offset = points.offset(first + v);
                    for (to, &value) in to.iter().zip(&out) {
                        store(to.add(offset), value);
                    }
                }
            }
        }
    }
}

/// Transforms the `P x P` points of a tile to `O x O` pixels, whose addresses are `pixels`; or adds
/// to these.
///
/// # Safety
/// `from` holds the points in whole vectors, every pixel is writable for `channels` floats.
#[inline(never)]
pub unsafe fn collect<const P: usize, const O: usize, const ADD: bool>(
    from: *const f32,
    point: usize,
    channels: usize,
    pixels: &[[*mut f32; O]; O],
    line: impl Fn([v128; P]) -> [v128; O],
) {
    let mut buffer = MaybeUninit::<[[[v128; BLOCK]; P]; O]>::uninit();
    let vectors = channels.div_ceil(4);
    for first in (0..vectors).step_by(BLOCK) {
        let count = BLOCK.min(vectors - first);
        let whole = count.min(channels / 4 - first);
        // SAFETY: see above; the buffer has a place for every row, column and vector.
        unsafe {
            let buffer = buffer.as_mut_ptr() as *mut v128;
            for column in 0..P {
                let from: [*const f32; P] = core::array::from_fn(|p| {
                    from.wrapping_add((p * P + column) * point + first * 4)
                });
                let to = buffer.add(column * BLOCK);
                for v in 0..count {
                    let out = line(from.map(|p| load(p.add(v * 4))));
                    for (o, &value) in out.iter().enumerate() {
                        *to.add(o * P * BLOCK + v) = value;
                    }
                }
            }
            for (row, pixels) in pixels.iter().enumerate() {
                let from = buffer.add(row * P * BLOCK) as *const v128;
                let to: [*mut f32; O] = pixels.map(|p| p.wrapping_add(first * 4));
                let vector = |v: usize| line(core::array::from_fn(|p| *from.add(p * BLOCK + v)));
                for v in 0..whole {
                    for (to, &value) in to.iter().zip(&vector(v)) {
                        let to = to.add(v * 4);
                        store(to, sum::<ADD>(to, value));
                    }
                }
                if whole < count {
                    for (to, &value) in to.iter().zip(&vector(whole)) {
                        let to = to.add(whole * 4);
                        store_part(to, sum::<ADD>(to, value), channels % 4);
                    }
                }
            }
        }
    }
}

/// What to store at `to`: the value, or its sum with what is there.
#[inline(always)]
unsafe fn sum<const ADD: bool>(to: *const f32, value: v128) -> v128 {
    if ADD {
        // SAFETY: the caller's address is readable.
        f32x4_add(unsafe { load(to) }, value)
    } else {
        value
    }
}
