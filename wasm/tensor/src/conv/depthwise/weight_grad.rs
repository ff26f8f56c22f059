//! Depthwise convolution, gradient of the weights.
use super::{multiply_add, store_block, BLOCK};
use crate::conv::Geometry;
use crate::memory::floats;
use crate::simd::*;
use crate::{memory, pool};

/// Lines of output pixels are cut into fixed parts with sums of their own, added in order.
///
/// # Safety
/// Shapes as in `conv2d_weight_grad`.
pub unsafe fn weight_grad(x: *const f32, dy: *const f32, dw: *mut f32, g: &Geometry) {
    let (lines, weights) = (g.n * g.oh, g.kh * g.kw * g.cout);
    let (size, parts) = pool::split(lines, 8, 32);
    let Some([partial]) = memory::workspace([floats([weights, parts])]) else {
        return;
    };
    // SAFETY: every part has its own sums.
    unsafe {
        pool::run(2 * g.work(), parts, &|part| {
            let first = part as usize * size;
            let sums = partial.add(part as usize * weights);
            for tap in 0..g.kh * g.kw {
                weight_grad_tap(
                    x,
                    dy,
                    sums.add(tap * g.cout),
                    g,
                    tap,
                    (first, lines.min(first + size)),
                );
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

/// The gradient of one tap over some lines of output pixels.
#[inline(never)]
unsafe fn weight_grad_tap(
    x: *const f32,
    dy: *const f32,
    dw: *mut f32,
    g: &Geometry,
    tap: usize,
    (first, end): (usize, usize),
) {
    let (ky, kx) = (tap / g.kw, tap % g.kw);
    // Output columns whose tap is inside the image.
    let x0 = g.pl.saturating_sub(kx * g.dw).div_ceil(g.sw).min(g.ow);
    let x1 = (g.w + g.pl)
        .saturating_sub(kx * g.dw)
        .div_ceil(g.sw)
        .min(g.ow)
        .max(x0);
    let step = if g.group_out == 1 { 4 * BLOCK } else { 1 };
    for c in (0..g.cout).step_by(step) {
        let mut acc = [ZERO; BLOCK];
        let mut total = 0.0;
        for line in first..end {
            let (image, oy) = (line / g.oh, line % g.oh);
            let iy = (oy * g.sh + ky * g.dh).wrapping_sub(g.pt);
            if iy >= g.h {
                continue;
            }
            let mut sum = [ZERO; BLOCK];
            for ox in x0..x1 {
                let from = ((image * g.h + iy) * g.w + ox * g.sw + kx * g.dw - g.pl) * g.cin;
                // SAFETY: a pixel of x and one of dy.
                unsafe {
                    let dy = dy.add((line * g.ow + ox) * g.cout + c);
                    if g.group_out == 1 {
                        multiply_add(x.add(from + c), dy, &mut sum, g.cout - c);
                    } else {
                        total += *x.add(from + c / g.group_out) * *dy;
                    }
                }
            }
            for (acc, sum) in acc.iter_mut().zip(sum) {
                *acc = f32x4_add(*acc, sum);
            }
        }
        // SAFETY: the tap has cout weights.
        unsafe {
            if g.group_out == 1 {
                store_block(dw.add(c), &acc, g.cout - c);
            } else {
                *dw.add(c) = total;
            }
        }
    }
}
