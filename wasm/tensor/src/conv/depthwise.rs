//! Depthwise convolution: every input channel has `cout / cin` output channels of its own, and no
//! sum runs over channels. Vectors run over channels, and the image needs no frame: rows of taps
//! are cut to it.
//!
//! A window summed by itself takes two loads for a multiply-add, and loads are what costs: Deno
//! checks each of them. Windows of 3 × 3 therefore go by walks along the line, which load a column
//! once ([`slide`], [`weight_slide`]); where that is not to be had, for 5 columns or at an edge, by
//! tiles of neighbouring pixels, which share columns ([`tile`], [`weight_lines`]); other strides and
//! windows, and several output channels per input channel, by single windows ([`general`]).
mod general;
mod lines;
mod slide;
mod tile;
mod weight_grad;
mod weight_lines;
mod weight_slide;

use super::Geometry;
use crate::gemm::epilogue::Epilogue;
use crate::threads;
use lines::Lines;
pub use weight_grad::weight_grad;

/// The taps `first .. end` of a window that lie inside the image, for output position `o`.
fn inside(o: usize, s: usize, d: usize, p: usize, k: usize, size: usize) -> (usize, usize) {
    let start = o * s;
    let first = p.saturating_sub(start).div_ceil(d);
    let end = (size + p).saturating_sub(start).div_ceil(d).min(k);
    (first.min(end), end)
}

/// Whether a window goes by tiles.
fn tiled(g: &Geometry) -> bool {
    g.group_out == 1 && g.dw == 1 && matches!(g.kw, 3 | 5) && matches!(g.sw, 1 | 2)
}

/// Runs tasks of some lines and channels, by the shape alone: lines, unless there are few.
///
/// # Safety
/// Tasks write the lines and channels they are given, and nothing else.
unsafe fn run(lines: usize, g: &Geometry, task: &dyn Fn(Part)) {
    let (size, chunks) = threads::split(lines, 1, 256);
    let vectors = g.cin.div_ceil(16);
    let (width, parts) = threads::split(vectors, 1, 16usize.div_ceil(chunks));
    // SAFETY: no two tasks are given the same lines and channels.
    unsafe {
        threads::run(2 * g.work(), chunks * parts, &|i| {
            let (chunk, part) = (i as usize / parts, i as usize % parts);
            task(Part {
                lines: (chunk * size, lines.min((chunk + 1) * size)),
                channels: (part * width * 16, g.cin.min((part + 1) * width * 16)),
            });
        });
    }
}

/// The lines and channels of a task.
#[derive(Clone, Copy)]
struct Part {
    lines: (usize, usize),
    channels: (usize, usize),
}

/// # Safety
/// Shapes as in `conv2d`.
pub unsafe fn forward(x: *const f32, w: *const f32, y: *mut f32, g: &Geometry, then: &Epilogue) {
    if !tiled(g) {
        // SAFETY: passed on to the caller.
        return unsafe {
            general::forward(x, w, y, g);
            then.everywhere(y, g.n * g.oh * g.ow, g.cout);
        };
    }
    let then = then.part(0);
    let (x, w, y) = (x as usize, w as usize, y as usize);
    // SAFETY: lines of y; the taps are inside the image.
    unsafe {
        run(g.n * g.oh, g, &|part| {
            for line in part.lines.0..part.lines.1 {
                Lines::of_output(x, w, y, g, line).run(g, part.channels);
                if let Some(then) = &then {
                    let pitch = g.cin * 4;
                    then.line(y + line * g.ow * pitch, pitch, g.ow, part.channels);
                }
            }
        });
    }
}

/// # Safety
/// Shapes as in `conv2d_input_grad`.
pub unsafe fn input_grad(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry) {
    if !tiled(g) {
        // SAFETY: passed on to the caller.
        return unsafe { general::input_grad(dy, w, dx, g) };
    }
    let (dy, w, dx) = (dy as usize, w as usize, dx as usize);
    // SAFETY: lines of dx; the taps are inside dy.
    unsafe {
        run(g.n * g.h, g, &|part| {
            for line in part.lines.0..part.lines.1 {
                Lines::of_input(dy, w, dx, g, line).run_back(g, part.channels);
            }
        });
    }
}
