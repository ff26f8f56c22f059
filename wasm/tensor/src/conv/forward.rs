//! Convolution, forward: rows are output pixels, columns output channels, k the window.
use super::frame::Frame;
use super::{depthwise, narrow, Geometry};
use crate::gemm::epilogue::Epilogue;
use crate::gemm::pack::{pack_rows, packed_len, panel_width, worth_packing, PANEL};
use crate::gemm::segments::{segments_len, SegmentList};
use crate::gemm::{run, Operand, Problem, Rows};
use crate::memory::floats;
use crate::{memory, threads};

/// `conv2d`, never by Winograd's filtering.
///
/// # Safety
/// The operands have these shapes.
pub unsafe fn direct(x: *const f32, w: *const f32, y: *mut f32, g: &Geometry, then: &Epilogue) {
    // SAFETY: passed on to the caller.
    unsafe {
        if g.empty() {
        } else if g.depthwise() {
            depthwise::forward(x, w, y, g, then);
        } else {
            forward(x, w, y, g, then);
        }
    }
}

/// The frame of `x` that all windows of a convolution stay inside.
pub fn input_frame(g: &Geometry) -> Frame {
    Frame {
        h: g.h,
        w: g.w,
        channels: g.cin,
        top: g.pt,
        left: g.pl,
        frame_h: (g.oh - 1) * g.sh + (g.kh - 1) * g.dh + 1,
        frame_w: (g.ow - 1) * g.sw + (g.kw - 1) * g.dw + 1,
    }
    .settled()
}

/// Rows of a product that are the pixels of a grid: A's pixel `(y, x)` of an image lies
/// `y a_row + x a_pixel` bytes into it, C's likewise.
#[derive(Clone, Copy)]
pub struct PixelRows {
    pub width: usize,
    pub height: usize,
    pub a: usize,
    pub a_image: usize,
    pub a_row: usize,
    pub a_pixel: usize,
    pub c: usize,
    pub c_image: usize,
    pub c_row: usize,
    pub c_pixel: usize,
}

impl Rows for PixelRows {
    fn fill(&self, first: usize, a: &mut [usize], c: &mut [usize]) {
        let (mut x, line) = (first % self.width, first / self.width);
        let (mut y, mut image) = (line % self.height, line / self.height);
        let mut from = self.a + image * self.a_image + y * self.a_row + x * self.a_pixel;
        let mut to = self.c + image * self.c_image + y * self.c_row + x * self.c_pixel;
        for (a, c) in a.iter_mut().zip(c) {
            (*a, *c) = (from, to);
            x += 1;
            (from, to) = (from + self.a_pixel, to + self.c_pixel);
            if x == self.width {
                (x, y) = (0, y + 1);
                if y == self.height {
                    (y, image) = (0, image + 1);
                }
                from = self.a + image * self.a_image + y * self.a_row;
                to = self.c + image * self.c_image + y * self.c_row;
            }
        }
    }
}

unsafe fn forward(x: *const f32, mut w: *const f32, y: *mut f32, g: &Geometry, then: &Epilogue) {
    let together = narrow::pixels_together(g);
    // Pixels taken together have the same channels several times: what follows comes afterwards.
    let within = if together > 1 {
        &Epilogue::none()
    } else {
        then
    };
    let (given, g) = (g, &narrow::widened(g, together));
    let frame = input_frame(g);
    let group = frame.group(g.n);
    let (taps, n) = (g.kh * g.kw, g.group_out);
    let k = taps * g.group_in;
    let unpacked = !worth_packing(g.n * g.oh * g.ow, n);
    let len = if unpacked { 0 } else { packed_len(k, n) };
    let sizes = [
        frame.scratch(group),
        len.saturating_mul(g.groups as u64),
        segments_len(taps, g.group_in),
        narrow::widened_len(given, together),
    ];
    let Some([framed, packed, scratch, widened]) = memory::workspace(sizes) else {
        return;
    };
    let len = len as usize;
    // SAFETY: TypeScript has checked shapes and sizes; scratch is as large as asked for.
    unsafe {
        if together > 1 {
            narrow::widen(w, widened, given, together);
            w = widened;
        }
        let operand = |i: usize| match unpacked {
            true => Operand::Rows {
                at: w.add(i * n),
                ld: g.cout,
            },
            false => Operand::Panels {
                at: packed.add(i * len),
                depth: k,
            },
        };
        let list = SegmentList::new(scratch, 4, &operand(0));
        let (segments, segment_count, _) = window(g, &frame, list).list();
        if !unpacked {
            pack(w, packed, g, k, n);
        }
        for first in (0..g.n).step_by(group) {
            let images = group.min(g.n - first);
            let framed = frame.fill(x.add(first * g.h * g.w * g.cin), images, framed);
            let y = y.add(first * g.oh * g.ow * g.cout);
            run(images * g.oh * g.ow, n, k, g.groups, &|i| {
                let rows = PixelRows {
                    width: g.ow,
                    height: g.oh,
                    a: framed.add(i * g.group_in) as usize,
                    a_image: frame.len() * 4,
                    a_row: g.sh * frame.frame_w * g.cin * 4,
                    a_pixel: g.sw * g.cin * 4,
                    c: y.add(i * n) as usize,
                    c_image: g.oh * g.ow * g.cout * 4,
                    c_row: g.ow * g.cout * 4,
                    c_pixel: g.cout * 4,
                };
                let (m, b) = (images * g.oh * g.ow, operand(i));
                Problem {
                    rows,
                    m,
                    n,
                    segments,
                    segment_count,
                    step: 4,
                    b,
                    add: false,
                    then: within.part(i * n),
                }
            });
        }
        if together > 1 {
            then.everywhere(y, given.n * given.oh * given.ow, given.cout);
        }
    }
}

/// The window as segments from its first pixel; taps that lie side by side join.
fn window(g: &Geometry, frame: &Frame, mut list: SegmentList) -> SegmentList {
    for ky in 0..g.kh {
        for kx in 0..g.kw {
            list.push((ky * g.dh * frame.frame_w + kx * g.dw) * g.cin, g.group_in);
        }
    }
    list
}

/// Packs the weights of every group.
unsafe fn pack(w: *const f32, to: *mut f32, g: &Geometry, k: usize, n: usize) {
    let panels = n.div_ceil(PANEL);
    // SAFETY: every task writes a panel of its own.
    unsafe {
        threads::run(floats([2, k, n, g.groups]), g.groups * panels, &|task| {
            let (i, column) = (task as usize / panels, task as usize % panels * PANEL);
            let to = to.add(i * packed_len(k, n) as usize + column * k);
            pack_rows(w.add(i * n + column), g.cout, k, panel_width(n, column), to);
        });
    }
}
