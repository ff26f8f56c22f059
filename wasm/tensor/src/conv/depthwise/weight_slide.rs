//! Gradient of weights of windows of 3 columns over some lines: R rows of taps by one vector of
//! channels, which walks over all pixels of a line.
//!
//! With stride 1 three pixels of dy are held while x is loaded once: 4 loads for 9 multiply-adds
//! where [`super::weight_lines`] takes 6.
use super::tile::{unrolled, ZERO_COLUMN};
use super::weight_lines::Lines;
use crate::conv::Geometry;
use crate::simd::*;

type Sums<const R: usize> = [[v128; 3]; R];

/// A line of x and dy for a vector of channels; addresses and distances in bytes.
struct Line {
    x: usize,
    row: usize,
    dy: usize,
    pitch: usize,
    width: usize,
    pixels: usize,
    before: usize,
}

/// Adds to the sums what the lines give, with stride S in 1 and 2.
///
/// # Safety
/// The rows of x exist.
#[inline(never)]
pub unsafe fn slide_lines<const R: usize, const S: usize>(
    lines: &Lines,
    g: &Geometry,
    (first, end): (usize, usize),
) {
    let pitch = g.cin * 4;
    for c in (first..end).step_by(4) {
        let mut sums = [[ZERO; 3]; R];
        for i in 0..lines.count {
            let line = Line {
                x: lines.x.wrapping_add(i * g.sh * g.w * pitch + c * 4),
                row: g.dh * g.w * pitch,
                dy: lines.dy + i * g.ow * pitch + c * 4,
                pitch,
                width: g.w,
                pixels: g.ow,
                before: g.pl,
            };
            // SAFETY: passed on to the caller.
            unsafe {
                match S {
                    1 => line.add_to(&mut sums),
                    _ => line.add_to_by_two(&mut sums),
                }
            }
        }
        for (r, row) in sums.iter().enumerate() {
            for (k, &sum) in row.iter().enumerate() {
                // SAFETY: every tap has its sums.
                unsafe {
                    let to = (lines.sums + (r * 3 + k) * pitch + c * 4) as *mut f32;
                    store_part(to, f32x4_add(load(to), sum), end - c);
                }
            }
        }
    }
}

impl Line {
    /// Stride 1: column d meets pixel `d + before - k` by tap k.
    #[inline(always)]
    unsafe fn add_to<const R: usize>(&self, sums: &mut Sums<R>) {
        // Columns whose three pixels exist.
        let whole = 2usize.saturating_sub(self.before);
        let end = (self.pixels.saturating_sub(self.before)).clamp(whole, self.width.max(whole));
        // SAFETY: columns that exist, and pixels.
        unsafe {
            for d in (0..whole.min(self.width)).chain(end..self.width) {
                self.column(d, sums);
            }
            let mut dy = self.dy.wrapping_add((whole + self.before - 2) * self.pitch);
            let mut at = self.x.wrapping_add(whole * self.pitch);
            if whole < end {
                let mut last = load(dy as *const f32);
                let mut middle = load(dy.wrapping_add(self.pitch) as *const f32);
                dy = dy.wrapping_add(2 * self.pitch);
                for _ in whole..end {
                    let next = load(dy as *const f32);
                    let mut column = at;
                    unrolled!(R, |r: usize| {
                        let v = load(column as *const f32);
                        sums[r][0] = madd(v, next, sums[r][0]);
                        sums[r][1] = madd(v, middle, sums[r][1]);
                        sums[r][2] = madd(v, last, sums[r][2]);
                        column = column.wrapping_add(self.row);
                    });
                    (last, middle) = (middle, next);
                    at = at.wrapping_add(self.pitch);
                    dy = dy.wrapping_add(self.pitch);
                }
            }
        }
    }

    /// A column with pixels that are missing. They count as zero, and so does the column to them:
    /// what is no number there must not reach a tap that never meets it. No branches: where paths
    /// meet, V8 moves all sums about.
    #[inline(always)]
    unsafe fn column<const R: usize>(&self, d: usize, sums: &mut Sums<R>) {
        let (mut dy, mut mask) = ([ZERO; 3], [ZERO; 3]);
        unrolled!(3, |k: usize| {
            let pixel = (d + self.before).wrapping_sub(k);
            let exists = pixel < self.pixels;
            let at = self.dy.wrapping_add(pixel.wrapping_mul(self.pitch));
            let from = if exists {
                at
            } else {
                ZERO_COLUMN.as_ptr() as usize
            };
            // SAFETY: a pixel that exists, or zeros.
            dy[k] = unsafe { load(from as *const f32) };
            mask[k] = i32x4_splat(-i32::from(exists));
        });
        let mut at = self.x.wrapping_add(d * self.pitch);
        unrolled!(R, |r: usize| {
            // SAFETY: a column that exists.
            let v = unsafe { load(at as *const f32) };
            unrolled!(3, |k: usize| {
                sums[r][k] = madd(v128_and(v, mask[k]), dy[k], sums[r][k]);
            });
            at = at.wrapping_add(self.row);
        });
    }

    /// Stride 2: pixel o meets column `2 o - before + k` by tap k, and shares its last one with the
    /// next pixel.
    #[inline(always)]
    unsafe fn add_to_by_two<const R: usize>(&self, sums: &mut Sums<R>) {
        // Pixels whose three columns exist.
        let whole = self.before.div_ceil(2).min(self.pixels);
        let end = ((self.width + self.before).saturating_sub(1) / 2).clamp(whole, self.pixels);
        // SAFETY: columns that exist, and pixels.
        unsafe {
            for o in (0..whole).chain(end..self.pixels) {
                self.pixel(o, sums);
            }
            if whole == end {
                return;
            }
            let mut dy = self.dy + whole * self.pitch;
            let start = (2 * whole).wrapping_sub(self.before);
            let mut at = self.x.wrapping_add(start.wrapping_mul(self.pitch));
            for _ in whole..end {
                let pixel = load(dy as *const f32);
                let mut column = at;
                unrolled!(R, |r: usize| {
                    let second = column.wrapping_add(self.pitch);
                    let third = second.wrapping_add(self.pitch);
                    sums[r][0] = madd(load(column as *const f32), pixel, sums[r][0]);
                    sums[r][1] = madd(load(second as *const f32), pixel, sums[r][1]);
                    sums[r][2] = madd(load(third as *const f32), pixel, sums[r][2]);
                    column = column.wrapping_add(self.row);
                });
                at = at.wrapping_add(2 * self.pitch);
                dy = dy.wrapping_add(self.pitch);
            }
        }
    }

    /// A pixel with columns that are missing, which count as zero.
    #[inline(always)]
    unsafe fn pixel<const R: usize>(&self, o: usize, sums: &mut Sums<R>) {
        // SAFETY: a pixel that exists.
        let dy = unsafe { load((self.dy + o * self.pitch) as *const f32) };
        unrolled!(3, |k: usize| {
            let column = (2 * o + k).wrapping_sub(self.before);
            let exists = column < self.width;
            let mut at = self.x.wrapping_add(column.wrapping_mul(self.pitch));
            unrolled!(R, |r: usize| {
                let from = if exists {
                    at
                } else {
                    ZERO_COLUMN.as_ptr() as usize
                };
                // SAFETY: a column that exists, or zeros.
                sums[r][k] = madd(unsafe { load(from as *const f32) }, dy, sums[r][k]);
                at = at.wrapping_add(self.row);
            });
        });
    }
}
