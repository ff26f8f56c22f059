//! Depthwise convolution by windows of any kind, one after the other; vectors run over channels.
use super::inside;
use crate::conv::Geometry;
use crate::memory::floats;
use crate::simd::*;
use crate::{memory, threads};

/// Vectors of channels kept as accumulators.
const BLOCK: usize = 4;

/// # Safety
/// Shapes as in `conv2d`.
pub unsafe fn forward(x: *const f32, w: *const f32, y: *mut f32, g: &Geometry) {
    let lines = g.n * g.oh;
    let (size, chunks) = threads::split(lines, 1, 256);
    // SAFETY: every task writes its own lines of y.
    unsafe {
        threads::run(2 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for line in first..lines.min(first + size) {
                if g.group_out == 1 {
                    forward_line(x, w, y, g, line);
                } else {
                    multiplied_line(x, w, y, g, line);
                }
            }
        });
    }
}

/// One line of output pixels, one output channel per input channel.
#[inline(never)]
unsafe fn forward_line(x: *const f32, w: *const f32, y: *mut f32, g: &Geometry, line: usize) {
    let (image, oy) = (line / g.oh, line % g.oh);
    let (y0, y1) = inside(oy, g.sh, g.dh, g.pt, g.kh, g.h);
    for ox in 0..g.ow {
        let (x0, x1) = inside(ox, g.sw, g.dw, g.pl, g.kw, g.w);
        let pixel = Taps {
            count: (y1 - y0, x1 - x0),
            from: ((image * g.h + oy * g.sh + y0 * g.dh).wrapping_sub(g.pt) * g.w
                + (ox * g.sw + x0 * g.dw).wrapping_sub(g.pl))
            .wrapping_mul(g.cin),
            step: (g.dh * g.w * g.cin, g.dw * g.cin),
            tap: (y0 * g.kw + x0) * g.cin,
            tap_step: (g.kw * g.cin, g.cin),
        };
        for c in (0..g.cin).step_by(4 * BLOCK) {
            // SAFETY: the taps are inside the image.
            unsafe {
                let to = y.add((line * g.ow + ox) * g.cin + c);
                let (x, w) = (x.wrapping_add(c), w.add(c));
                if g.cin - c >= 4 * BLOCK {
                    pixel.sum(x, w, to, 4 * BLOCK);
                } else {
                    pixel.sum(x, w, to, g.cin - c);
                }
            }
        }
    }
}

/// The taps of a window inside the image, in floats.
struct Taps {
    count: (usize, usize),
    from: usize,
    step: (usize, usize),
    tap: usize,
    tap_step: (usize, usize),
}

impl Taps {
    /// One output pixel over up to [`BLOCK`] vectors of channels.
    #[inline(always)]
    unsafe fn sum(&self, x: *const f32, w: *const f32, to: *mut f32, channels: usize) {
        let mut acc = [ZERO; BLOCK];
        let (mut row, mut tap_row) = (x.wrapping_add(self.from), w.wrapping_add(self.tap));
        for _ in 0..self.count.0 {
            let (mut at, mut tap) = (row, tap_row);
            for _ in 0..self.count.1 {
                // SAFETY: the taps are inside the image.
                unsafe { multiply_add(at, tap, &mut acc, channels) };
                at = at.wrapping_add(self.step.1);
                tap = tap.wrapping_add(self.tap_step.1);
            }
            row = row.wrapping_add(self.step.0);
            tap_row = tap_row.wrapping_add(self.tap_step.0);
        }
        // SAFETY: stores `channels` floats.
        unsafe { store_block(to, &acc, channels) };
    }
}

/// `acc += a b` over up to [`BLOCK`] vectors of channels.
#[inline(always)]
unsafe fn multiply_add(a: *const f32, b: *const f32, acc: &mut [v128; BLOCK], left: usize) {
    for (i, acc) in acc.iter_mut().enumerate() {
        if left >= 4 * BLOCK || i * 4 < left {
            // SAFETY: at most the last vector reads past the end.
            unsafe { *acc = madd(load(a.add(i * 4)), load(b.add(i * 4)), *acc) };
        }
    }
}

#[inline(always)]
unsafe fn store_block(to: *mut f32, acc: &[v128; BLOCK], left: usize) {
    for (i, &v) in acc.iter().enumerate() {
        if i * 4 < left {
            // SAFETY: stores `left` floats at most.
            unsafe { store_part(to.add(i * 4), v, left - i * 4) };
        }
    }
}

/// One line of output pixels with several output channels per input channel.
#[inline(never)]
unsafe fn multiplied_line(x: *const f32, w: *const f32, y: *mut f32, g: &Geometry, line: usize) {
    let (image, oy) = (line / g.oh, line % g.oh);
    let (y0, y1) = inside(oy, g.sh, g.dh, g.pt, g.kh, g.h);
    for ox in 0..g.ow {
        let (x0, x1) = inside(ox, g.sw, g.dw, g.pl, g.kw, g.w);
        for co in 0..g.cout {
            let mut sum = 0.0;
            for ky in y0..y1 {
                let row = (image * g.h + oy * g.sh + ky * g.dh - g.pt) * g.w;
                for kx in x0..x1 {
                    let pixel = row + ox * g.sw + kx * g.dw - g.pl;
                    // SAFETY: the taps are inside the image.
                    sum += unsafe {
                        *x.add(pixel * g.cin + co / g.group_out)
                            * *w.add((ky * g.kw + kx) * g.cout + co)
                    };
                }
            }
            // SAFETY: a pixel of y.
            unsafe { *y.add((line * g.ow + ox) * g.cout + co) = sum };
        }
    }
}

/// Without strides the gradient is a convolution of dy with the taps flipped: its geometry.
fn turned(g: &Geometry) -> Option<Geometry> {
    let pt = ((g.kh - 1) * g.dh).checked_sub(g.pt)?;
    let pl = ((g.kw - 1) * g.dw).checked_sub(g.pl)?;
    let (h, w, oh, ow) = (g.oh, g.ow, g.h, g.w);
    let turned = Geometry {
        h,
        w,
        oh,
        ow,
        pt,
        pl,
        ..*g
    };
    ((g.sh, g.sw) == (1, 1)).then_some(turned)
}

/// # Safety
/// Shapes as in `conv2d_input_grad`.
pub unsafe fn input_grad(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry) {
    if let (1, Some(turned)) = (g.group_out, turned(g)) {
        let Some([flipped]) = memory::workspace([floats([g.kh, g.kw, g.cin])]) else {
            return;
        };
        // SAFETY: there is room for all taps.
        return unsafe {
            for tap in 0..g.kh * g.kw {
                let to = flipped.add((g.kh * g.kw - 1 - tap) * g.cin);
                core::ptr::copy_nonoverlapping(w.add(tap * g.cin), to, g.cin);
            }
            forward(dy, flipped, dx, &turned)
        };
    }
    let lines = g.n * g.h;
    let (size, chunks) = threads::split(lines, 1, 256);
    // SAFETY: every task writes its own lines of dx.
    unsafe {
        threads::run(2 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for line in first..lines.min(first + size) {
                input_grad_line(dy, w, dx, g, line);
            }
        });
    }
}

/// The output position that tap `k` of input position `i` belongs to, if there is one.
#[inline(always)]
fn output_of(i: usize, k: usize, d: usize, p: usize, s: usize, size: usize) -> Option<usize> {
    let reach = (i + p).checked_sub(k * d)?;
    (reach % s == 0 && reach / s < size).then_some(reach / s)
}

#[inline(never)]
unsafe fn input_grad_line(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry, line: usize) {
    let (image, iy) = (line / g.h, line % g.h);
    let step = if g.group_out == 1 { 4 * BLOCK } else { 1 };
    for ix in 0..g.w {
        for c in (0..g.cin).step_by(step) {
            let mut acc = [ZERO; BLOCK];
            let mut sum = 0.0;
            for ky in 0..g.kh {
                let Some(oy) = output_of(iy, ky, g.dh, g.pt, g.sh, g.oh) else {
                    continue;
                };
                for kx in 0..g.kw {
                    let Some(ox) = output_of(ix, kx, g.dw, g.pl, g.sw, g.ow) else {
                        continue;
                    };
                    let pixel = (image * g.oh + oy) * g.ow + ox;
                    // SAFETY: a pixel of dy and a tap of w.
                    unsafe {
                        let from = dy.add(pixel * g.cout + c * g.group_out);
                        let tap = w.add((ky * g.kw + kx) * g.cout + c * g.group_out);
                        if g.group_out == 1 {
                            multiply_add(from, tap, &mut acc, g.cin - c);
                        } else {
                            (0..g.group_out).for_each(|q| sum += *from.add(q) * *tap.add(q));
                        }
                    }
                }
            }
            // SAFETY: a pixel of dx.
            unsafe {
                let to = dx.add((line * g.w + ix) * g.cin + c);
                if g.group_out == 1 {
                    store_block(to, &acc, g.cin - c);
                } else {
                    *to = sum;
                }
            }
        }
    }
}

/// The gradient of one tap over some lines of output pixels.
#[inline(never)]
pub unsafe fn weight_grad_tap(
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
