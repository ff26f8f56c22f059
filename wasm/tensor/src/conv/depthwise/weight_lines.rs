//! Gradient of the weights over some lines: R rows of taps by one vector of channels.
//!
//! Three pixels of dy are held, and each column of x is loaded once for all of them: with 2 rows of 5
//! taps 17 loads for 30 multiply-adds.
use super::tile::{columns, unrolled, ZERO_COLUMN};
use crate::conv::Geometry;
use crate::simd::*;

/// Pixels of dy that are held.
const PIXELS: usize = 3;

/// Lines of dy, and what they meet; addresses in bytes, for channel 0.
pub struct Lines {
    /// Column 0 of the row of x that the first line meets by the first row of taps.
    pub x: usize,
    pub dy: usize,
    /// Where the first row of taps has its sums.
    pub sums: usize,
    pub count: usize,
}

/// What a line is to a vector of channels.
struct Row<'a> {
    g: &'a Geometry,
    x: usize,
    dy: usize,
}

/// Adds to the sums what the lines give.
///
/// # Safety
/// The rows of x exist.
#[inline(never)]
pub unsafe fn tile_lines<const R: usize, const KW: usize, const S: usize>(
    lines: &Lines,
    g: &Geometry,
    (first, end): (usize, usize),
) {
    let pitch = g.cin * 4;
    let met = columns(PIXELS, KW, S, false);
    for c in (first..end).step_by(4) {
        let mut acc = [[ZERO; KW]; R];
        for line in 0..lines.count {
            let row = Row {
                g,
                x: lines.x.wrapping_add(line * g.sh * g.w * pitch + c * 4),
                dy: lines.dy + line * g.ow * pitch + c * 4,
            };
            // Whole tiles have a loop of their own: where paths meet, V8 moves all sums about.
            let tiles = g.ow / PIXELS * PIXELS;
            let whole = g.pl.div_ceil(S).next_multiple_of(PIXELS).min(tiles);
            let fit = (g.w + g.pl + PIXELS * S).saturating_sub(met) / S / PIXELS * PIXELS;
            let cut = fit.clamp(whole, tiles);
            let mut o = 0;
            // SAFETY: passed on to the caller.
            unsafe {
                while o < whole {
                    row.tile::<PIXELS, R, KW, S, false>(o, &mut acc);
                    o += PIXELS;
                }
                while o < cut {
                    row.tile::<PIXELS, R, KW, S, true>(o, &mut acc);
                    o += PIXELS;
                }
                while o < tiles {
                    row.tile::<PIXELS, R, KW, S, false>(o, &mut acc);
                    o += PIXELS;
                }
            }
            // SAFETY: passed on to the caller.
            unsafe {
                if o + 2 <= g.ow {
                    row.tile::<2, R, KW, S, false>(o, &mut acc);
                    o += 2;
                }
                if o < g.ow {
                    row.tile::<1, R, KW, S, false>(o, &mut acc);
                }
            }
        }
        for (r, row) in acc.iter().enumerate() {
            for (k, &sum) in row.iter().enumerate() {
                // SAFETY: every tap has its sums.
                unsafe {
                    let to = (lines.sums + (r * KW + k) * pitch + c * 4) as *mut f32;
                    store_part(to, f32x4_add(load(to), sum), end - c);
                }
            }
        }
    }
}

impl Row<'_> {
    /// P pixels of dy from `o` on. `WHOLE`: their windows lie inside the image.
    #[inline(always)]
    unsafe fn tile<
        const P: usize,
        const R: usize,
        const KW: usize,
        const S: usize,
        const WHOLE: bool,
    >(
        &self,
        o: usize,
        acc: &mut [[v128; KW]; R],
    ) {
        let (g, pitch) = (self.g, self.g.cin * 4);
        let mut dy = [ZERO; P];
        let mut at = self.dy + o * pitch;
        unrolled!(P, |j: usize| {
            // SAFETY: pixels of dy.
            dy[j] = unsafe { load(at as *const f32) };
            at += pitch;
        });
        let start = (o * S).wrapping_sub(g.pl);
        let mut row = self.x.wrapping_add(start.wrapping_mul(pitch));
        for sums in acc.iter_mut() {
            let mut at = row;
            unrolled!(columns(P, KW, S, false), |d: usize| {
                let exists = WHOLE || start.wrapping_add(d) < g.w;
                let column = if exists {
                    at
                } else {
                    ZERO_COLUMN.as_ptr() as usize
                };
                // SAFETY: the column exists.
                let v = unsafe { load(column as *const f32) };
                unrolled!(P, |j: usize| {
                    let k = d.wrapping_sub(j * S);
                    if k < KW {
                        sums[k] = madd(v, dy[j], sums[k]);
                    }
                });
                at = at.wrapping_add(pitch);
            });
            row = row.wrapping_add(g.dh * g.w * pitch);
        }
    }
}
