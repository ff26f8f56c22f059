//! Convolution, gradient of the weights: rows are the weights of one output channel, columns output
//! channels, k all output pixels.
//!
//! k is long and the result often small, so for small results k is cut into fixed parts, each
//! summed into a copy of dw of its own, and the copies are added in order. Large results are cut
//! by rows.
mod pass;
mod sums;

use super::forward::input_frame;
use super::frame::Frame;
use super::narrow::{padded, padded_rows};
use super::{depthwise, Geometry};
use crate::gemm::pack::packed_len;
use crate::gemm::segments::segments_len;
use crate::memory::{self, floats};
use pass::{pack, Pass};
use sums::{add_parts, add_swapped};

/// Weights up to which k is cut, and the most parts.
const SMALL: usize = 65536;
const MAX_PARTS: usize = 16;

/// Floats of packed dy made at a time.
const PACKED_MAX: usize = 8 << 20;

/// `conv2d_weight_grad`, never by Winograd's filtering.
///
/// # Safety
/// The operands have these shapes.
pub unsafe fn direct(x: *const f32, dy: *const f32, dw: *mut f32, g: &Geometry) {
    // SAFETY: passed on to the caller.
    unsafe {
        if g.empty() {
            core::ptr::write_bytes(dw, 0, g.kh * g.kw * g.group_in * g.cout);
        } else if g.depthwise() {
            depthwise::weight_grad(x, dy, dw, g);
        } else {
            weight_grad(x, dy, dw, g);
        }
    }
}

/// How the pass is cut.
struct Cut {
    frame: Frame,
    /// Images at a time, and parts of them that are summed apart (1: none).
    group: usize,
    parts: usize,
    /// dy is packed, or read as it lies.
    packed: bool,
    /// Rows and columns change places.
    swapped: bool,
}

impl Cut {
    fn new(g: &Geometry) -> Cut {
        let frame = input_frame(g);
        let swapped = swap_pays(g);
        let packed = g.group_out > 16 && !swapped;
        let pixels = g.oh * g.ow * g.cout.next_multiple_of(4);
        let largest = if packed { pixels } else { 1 };
        let group = frame.group(g.n).min((PACKED_MAX / largest).max(1));
        let small = g.kh * g.kw * g.group_in * g.cout <= SMALL;
        let worth = (g.work() / 1_000_000) as usize;
        let lines = g.oh * group;
        let parts = if small {
            worth.clamp(1, MAX_PARTS).min(lines)
        } else {
            1
        };
        Cut {
            frame,
            group,
            parts,
            packed,
            swapped,
        }
    }

    /// Whether sums are made apart from dw.
    fn apart(&self) -> bool {
        self.parts > 1 || self.swapped
    }
}

/// Whether to compute the transpose: rows are output channels, and columns a row of the window,
/// which is contiguous in x. With few channels this fills the tiles better.
fn swap_pays(g: &Geometry) -> bool {
    let (row, small) = (g.kw * g.cin, g.kh * g.kw * g.cin * g.cout <= SMALL);
    let swapped = g.kh * padded(row) * padded_rows(g.cout, row);
    let plain = padded(g.cout) * padded_rows(g.kh * row, g.cout);
    small && g.groups == 1 && g.dw == 1 && swapped * 10 < plain * 9
}

unsafe fn weight_grad(x: *const f32, dy: *const f32, dw: *mut f32, g: &Geometry) {
    let cut = Cut::new(g);
    let (weights, lines) = (g.kh * g.kw * g.group_in * g.cout, cut.group * g.oh);
    let pixels = lines * g.ow;
    let sizes = [
        cut.frame.scratch(cut.group),
        if cut.packed {
            packed_len(pixels, g.group_out).saturating_mul(g.groups as u64)
        } else {
            0
        },
        segments_len(lines, g.ow),
        if cut.apart() {
            floats([weights, cut.parts])
        } else {
            0
        },
    ];
    let Some([framed, packed, scratch, partial]) = memory::workspace(sizes) else {
        return;
    };
    // SAFETY: TypeScript has checked shapes and sizes; scratch is as large as asked for.
    unsafe {
        for first in (0..g.n).step_by(cut.group) {
            let images = cut.group.min(g.n - first);
            let x = x.add(first * g.h * g.w * g.cin);
            let dy = dy.add(first * g.oh * g.ow * g.cout);
            let framed = cut.frame.fill(x, images, framed);
            if cut.packed {
                pack(dy, packed, g, images * g.oh * g.ow);
            }
            let pass = Pass {
                g,
                cut: &cut,
                framed,
                dy,
                packed,
                scratch,
                images,
            };
            if cut.apart() {
                pass.parts(partial);
                if cut.swapped {
                    add_swapped(partial, cut.parts, g, dw, first > 0);
                } else {
                    add_parts(partial, cut.parts, weights, dw, first > 0);
                }
            } else {
                pass.rows(dw, first > 0);
            }
        }
    }
}
