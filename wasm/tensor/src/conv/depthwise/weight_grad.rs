//! Depthwise convolution, gradient of the weights.
use super::weight_lines::{tile_lines, Lines};
use super::weight_slide::slide_lines;
use super::{general, inside, tiled};
use crate::conv::Geometry;
use crate::memory::floats;
use crate::simd::*;
use crate::{memory, threads};

/// Bytes of x and dy that one vector of channels after the other walks through: they stay in the
/// first-level cache.
const CACHED: usize = 20 << 10;

/// Channels that share cache lines.
const BLOCK: usize = 16;

/// Lines of output pixels are cut into fixed parts with sums of their own, added in order.
///
/// # Safety
/// Shapes as in `conv2d_weight_grad`.
pub unsafe fn weight_grad(x: *const f32, dy: *const f32, dw: *mut f32, g: &Geometry) {
    let (lines, weights) = (g.n * g.oh, g.kh * g.kw * g.cout);
    let (size, parts) = threads::split(lines, 8, 32);
    let Some([partial]) = memory::workspace([floats([weights, parts])]) else {
        return;
    };
    // With few parts the channels are split too.
    let blocks = g.cout.div_ceil(BLOCK);
    let (width, splits) = match tiled(g) {
        true => threads::split(blocks, 1, 16usize.div_ceil(parts)),
        false => (blocks, 1),
    };
    // SAFETY: every task has its own sums.
    unsafe {
        threads::run(2 * g.work(), parts * splits, &|task| {
            let (part, split) = (task as usize / splits, task as usize % splits);
            let range = (part * size, lines.min((part + 1) * size));
            let sums = partial.add(part * weights);
            if !tiled(g) {
                for tap in 0..g.kh * g.kw {
                    general::weight_grad_tap(x, dy, sums.add(tap * g.cout), g, tap, range);
                }
                return;
            }
            for block in split * width..blocks.min((split + 1) * width) {
                let channels = (block * BLOCK, g.cout.min((block + 1) * BLOCK));
                part_of(x, dy, sums, g, range, channels);
            }
        });
        for at in (0..weights).step_by(4) {
            let mut sum = ZERO;
            for part in 0..parts {
                sum = f32x4_add(sum, load(partial.add(part * weights + at)));
            }
            store_part(dw.add(at), sum, weights - at);
        }
    }
}

/// Sums over some lines, which may belong to several images, for a block of channels.
unsafe fn part_of(
    x: *const f32,
    dy: *const f32,
    sums: *mut f32,
    g: &Geometry,
    (first, end): (usize, usize),
    channels: (usize, usize),
) {
    // SAFETY: the sums of all taps are there.
    unsafe {
        for tap in 0..g.kh * g.kw {
            let at = sums.add(tap * g.cout + channels.0);
            core::ptr::write_bytes(at, 0, channels.1 - channels.0);
        }
    }
    let step = (CACHED / ((g.w + g.ow) * BLOCK * 4)).max(1);
    let mut line = first;
    while line < end {
        let (image, oy) = (line / g.oh, line % g.oh);
        let count = step.min(end - line).min(g.oh - oy);
        // SAFETY: lines of one image.
        unsafe {
            let x = x.add(image * g.h * g.w * g.cin);
            let dy = dy.add(image * g.oh * g.ow * g.cout);
            match (g.kw, g.sw) {
                (3, 1) => lines::<3, 3, 1>(x, dy, sums, g, (oy, oy + count), channels),
                (3, _) => lines::<3, 3, 2>(x, dy, sums, g, (oy, oy + count), channels),
                (5, 1) => lines::<2, 5, 1>(x, dy, sums, g, (oy, oy + count), channels),
                _ => lines::<2, 5, 2>(x, dy, sums, g, (oy, oy + count), channels),
            }
        }
        line += count;
    }
}

/// Adds what some lines of an image give: R rows of taps at a time, or as many of them as meet the
/// image; lines that meet it by the same rows go together.
unsafe fn lines<const R: usize, const KW: usize, const S: usize>(
    x: *const f32,
    dy: *const f32,
    sums: *mut f32,
    g: &Geometry,
    (first, end): (usize, usize),
    channels: (usize, usize),
) {
    for rows in (0..g.kh).step_by(R) {
        let met = |oy: usize| {
            let (y0, y1) = inside(oy, g.sh, g.dh, g.pt, g.kh, g.h);
            let ky = y0.clamp(rows, rows + R);
            (ky, y1.clamp(ky, rows + R) - ky)
        };
        let mut oy = first;
        while oy < end {
            let (ky, count) = met(oy);
            let together = (oy..end).take_while(|&o| met(o) == (ky, count)).count();
            let iy = (oy * g.sh + ky * g.dh).wrapping_sub(g.pt);
            let lines = Lines {
                x: (x as usize).wrapping_add(iy.wrapping_mul(g.w * g.cin * 4)),
                dy: dy as usize + oy * g.ow * g.cout * 4,
                sums: sums as usize + ky * g.kw * g.cout * 4,
                count: together,
            };
            // SAFETY: these rows of taps meet the image on these lines.
            unsafe {
                match (KW, count) {
                    (_, 0) => {}
                    (3, 1) => slide_lines::<1, S>(&lines, g, channels),
                    (3, 2) => slide_lines::<2, S>(&lines, g, channels),
                    (3, _) => slide_lines::<3, S>(&lines, g, channels),
                    (_, 1) => tile_lines::<1, KW, S>(&lines, g, channels),
                    (_, 2) => tile_lines::<2, KW, S>(&lines, g, channels),
                    (_, _) => tile_lines::<R, KW, S>(&lines, g, channels),
                }
            }
            oy += together;
        }
    }
}
