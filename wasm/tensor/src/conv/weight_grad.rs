//! Convolution, gradient of the weights: rows are the weights of one output channel, columns output
//! channels, k all output pixels.
//!
//! k is long and the result often small, so for small results k is cut into fixed parts, each
//! summed into a copy of dw of its own, and the copies are added in order. Large results are cut
//! by rows.
use super::forward::input_frame;
use super::frame::Frame;
use super::narrow::{padded, padded_rows};
use super::planes::{self, Layout};
use super::{depthwise, Geometry};
use crate::gemm::micro::Segment;
use crate::gemm::pack::{pack_rows, packed_len, panel_width};
use crate::gemm::segments::{segments_len, SegmentList};
use crate::gemm::{run, run_here, EvenRows, Operand, Problem, Rows};
use crate::simd::*;
use crate::{memory, pool};
use wasm_bindgen::prelude::*;

/// Weights up to which k is cut, and the most parts.
const SMALL: usize = 65536;
const MAX_PARTS: usize = 16;

/// Floats of packed dy made at a time.
const PACKED_MAX: usize = 8 << 20;

/// The gradient of `conv2d` with respect to w, given that of y.
#[wasm_bindgen]
pub fn conv2d_weight_grad(x: *const f32, dy: *const f32, dw: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let g = Geometry::read(geom);
        if g.empty() {
            core::ptr::write_bytes(dw, 0, g.kh * g.kw * g.group_in * g.cout);
        } else if g.depthwise() {
            depthwise::weight_grad(x, dy, dw, &g);
        } else {
            weight_grad(x, dy, dw, &g);
        }
    }
}

/// Rows that are the weights `(ky, kx, ci)` of a group.
#[derive(Clone, Copy)]
struct WeightRows<'a> {
    g: &'a Geometry,
    layout: Layout,
    frame_w: usize,
    a: usize,
    c: usize,
}

impl Rows for WeightRows<'_> {
    fn fill(&self, first: usize, a: &mut [usize], c: &mut [usize]) {
        let g = self.g;
        let (mut ci, mut tap) = (first % g.group_in, first / g.group_in);
        for (i, (a, c)) in a.iter_mut().zip(c).enumerate() {
            let (ky, kx) = (tap / g.kw, tap % g.kw);
            let pixel = ky * g.dh * self.frame_w + kx * g.dw;
            *a = self.a + (pixel * self.layout.pixel + ci * self.layout.channel) * 4;
            *c = self.c + (first + i) * g.cout * 4;
            ci += 1;
            if ci == g.group_in {
                (ci, tap) = (0, tap + 1);
            }
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
    /// x in planes, and how it lies.
    planes: bool,
    layout: Layout,
}

impl Cut {
    fn new(g: &Geometry) -> Cut {
        let frame = input_frame(g);
        let swapped = swap_pays(g);
        let planes = !swapped && Layout::turns(&frame);
        let layout = if planes { Layout::planes(&frame) } else { Layout::pixels(&frame) };
        let packed = g.group_out > 16 && !swapped;
        let pixels = g.oh * g.ow * g.cout.next_multiple_of(4);
        let fit = if packed { (PACKED_MAX / pixels).max(1) } else { g.n };
        let fit = if planes { fit.min((PACKED_MAX / layout.image).max(1)) } else { fit };
        let group = frame.group(g.n).min(fit);
        let small = g.kh * g.kw * g.group_in * g.cout <= SMALL;
        let worth = (g.work() / 1_000_000) as usize;
        let lines = g.oh * group;
        let parts = if small { worth.clamp(1, MAX_PARTS).min(lines) } else { 1 };
        Cut { frame, group, parts, packed, swapped, planes, layout }
    }
}

impl Cut {
    /// Whether sums are made apart from dw.
    fn apart(&self) -> bool {
        self.parts > 1 || self.swapped
    }
}

/// Whether to compute the transpose: rows are output channels, and columns a row of the window, which
/// is contiguous in x. With few channels this fills the tiles better.
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
        if cut.planes { cut.layout.image * cut.group } else { cut.frame.scratch(cut.group) },
        if cut.packed { packed_len(pixels, g.group_out) * g.groups } else { 0 },
        segments_len(lines, g.ow),
        if cut.apart() { weights * cut.parts } else { 0 },
    ];
    let [framed, packed, scratch, partial] = memory::workspace(sizes);
    // SAFETY: TypeScript has checked shapes and sizes; scratch is as large as asked for.
    unsafe {
        for first in (0..g.n).step_by(cut.group) {
            let images = cut.group.min(g.n - first);
            let x = x.add(first * g.h * g.w * g.cin);
            let dy = dy.add(first * g.oh * g.ow * g.cout);
            let framed = if cut.planes {
                planes::fill(&cut.frame, x, images, framed);
                framed as *const f32
            } else {
                cut.frame.fill(x, images, framed)
            };
            if cut.packed {
                pack(dy, packed, g, images * g.oh * g.ow);
            }
            let pass = Pass { g, cut: &cut, framed, dy, packed, scratch, images };
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

/// The pass over one group of images.
struct Pass<'a> {
    g: &'a Geometry,
    cut: &'a Cut,
    framed: *const f32,
    dy: *const f32,
    packed: *const f32,
    scratch: *mut f32,
    images: usize,
}

impl<'a> Pass<'a> {
    fn step(&self) -> usize {
        if self.cut.swapped { self.g.cout * 4 } else { self.g.sw * self.cut.layout.pixel * 4 }
    }

    /// k as segments: the lines `first .. end` of output pixels.
    unsafe fn lines(&self, first: usize, end: usize, scratch: *mut f32) -> SegmentList {
        // SAFETY: the caller has made room for these lines.
        let mut list = unsafe { SegmentList::new(scratch, self.step(), &self.operand(0)) };
        let (g, pixel) = (self.g, if self.cut.packed { 1 } else { self.g.cout });
        for line in first..end {
            let (image, oy) = (line / g.oh, line % g.oh);
            let Layout { image: size, pixel: apart, .. } = self.cut.layout;
            let offset = image * size + oy * g.sh * self.cut.frame.frame_w * apart;
            if self.cut.swapped {
                list.push_with(line * g.ow * g.cout, offset, g.ow);
            } else {
                list.push_with(offset, line * g.ow * pixel, g.ow);
            }
        }
        list
    }

    /// dy of channel group `i`; or, swapped, the rows of windows that tap row `i` meets.
    fn operand(&self, i: usize) -> Operand {
        if self.cut.swapped {
            let offset = i * self.g.dh * self.cut.frame.frame_w * self.g.cin;
            let at = self.framed.wrapping_add(offset);
            return Operand::Rows { at, ld: self.g.sw * self.g.cin };
        }
        let (n, depth) = (self.g.group_out, self.images * self.g.oh * self.g.ow);
        if self.cut.packed {
            Operand::Panels { at: self.packed.wrapping_add(i * packed_len(depth, n)), depth }
        } else {
            Operand::Rows { at: self.dy.wrapping_add(i * n), ld: self.g.cout }
        }
    }

    /// The product of channel group `i` over some lines of pixels.
    fn problem(
        &self,
        i: usize,
        (segments, segment_count): (*const Segment, usize),
        dw: *mut f32,
        add: bool,
    ) -> Problem<WeightRows<'a>> {
        let g = self.g;
        let (m, n) = (g.kh * g.kw * g.group_in, g.group_out);
        let rows = WeightRows {
            g,
            layout: self.cut.layout,
            frame_w: self.cut.frame.frame_w,
            a: self.framed.wrapping_add(i * g.group_in * self.cut.layout.channel) as usize,
            c: dw.wrapping_add(i * n) as usize,
        };
        let (step, b) = (self.step(), self.operand(i));
        Problem { rows, m, n, segments, segment_count, step, b, add }
    }

    /// The transposed product of tap row `ky` over some lines of pixels: `[cout, kw cin]`.
    fn swapped_problem(
        &self,
        ky: usize,
        (segments, segment_count): (*const Segment, usize),
        sums: *mut f32,
    ) -> Problem<EvenRows> {
        let g = self.g;
        let (m, n) = (g.cout, g.kw * g.cin);
        let c = sums.wrapping_add(ky * m * n) as usize;
        let rows = EvenRows { a: self.dy as usize, a_pitch: 4, c, c_pitch: n * 4 };
        let (step, b) = (self.step(), self.operand(ky));
        Problem { rows, m, n, segments, segment_count, step, b, add: false }
    }

    /// A large result: its rows are shared out.
    unsafe fn rows(&self, dw: *mut f32, add: bool) {
        // SAFETY: scratch has room for all lines; groups write disjoint columns.
        unsafe {
            let list = self.lines(0, self.images * self.g.oh, self.scratch);
            let (segments, count, k) = list.list();
            let g = self.g;
            run(g.kh * g.kw * g.group_in, g.group_out, k, g.groups, &|i| {
                self.problem(i, (segments, count), dw, add)
            });
        }
    }

    /// A small result: the lines of pixels are shared out, each part with its own sums.
    unsafe fn parts(&self, partial: *mut f32) {
        let g = self.g;
        let weights = g.kh * g.kw * g.group_in * g.cout;
        let total = self.images * g.oh;
        let size = total.div_ceil(self.cut.parts);
        // SAFETY: every part has its own sums and its own room for segments.
        unsafe {
            pool::run(g.work(), self.cut.parts, &|part| {
                let part = part as usize;
                let (first, end) = ((part * size).min(total), ((part + 1) * size).min(total));
                let room = self.scratch.add(segments_len(first, g.ow));
                let (segments, count, _) = self.lines(first, end, room).list();
                let sums = partial.add(part * weights);
                for ky in 0..if self.cut.swapped { g.kh } else { 0 } {
                    run_here(&self.swapped_problem(ky, (segments, count), sums));
                }
                for i in 0..if self.cut.swapped { 0 } else { g.groups } {
                    run_here(&self.problem(i, (segments, count), sums, false));
                }
            });
        }
    }
}

/// Packs dy, whose rows are pixels.
unsafe fn pack(dy: *const f32, to: *mut f32, g: &Geometry, pixels: usize) {
    let n = g.group_out;
    let panels = g.groups * n.div_ceil(16);
    let (size, chunks) = pool::split(pixels, 512, 16);
    // SAFETY: every task writes its own rows of its own panel.
    unsafe {
        pool::run((2 * pixels * g.cout) as u64, panels * chunks, &|task| {
            let (panel, first) = (task as usize % panels, task as usize / panels * size);
            let (i, column) = (panel / n.div_ceil(16), panel % n.div_ceil(16) * 16);
            let (width, rows) = (panel_width(n, column), size.min(pixels - first));
            let to = to.add(i * packed_len(pixels, n) + column * pixels + first * width);
            pack_rows(dy.add(first * g.cout + i * n + column), g.cout, rows, width, to);
        });
    }
}

/// dw = the parts' sums, in order; or added to dw.
unsafe fn add_parts(partial: *const f32, parts: usize, len: usize, dw: *mut f32, add: bool) {
    let (size, chunks) = pool::split(len.div_ceil(4), 256, 64);
    // SAFETY: every task writes its own piece of dw.
    unsafe {
        pool::run((2 * parts * len) as u64, chunks, &|task| {
            let first = task as usize * size * 4;
            for at in (first..len.min(first + size * 4)).step_by(4) {
                let mut sum = if add { load(dw.add(at)) } else { ZERO };
                for part in 0..parts {
                    sum = f32x4_add(sum, load(partial.add(part * len + at)));
                }
                store_part(dw.add(at), sum, len - at);
            }
        });
    }
}

/// The same from transposed sums, `[kh, cout, kw cin]`. They are few.
unsafe fn add_swapped(partial: *const f32, parts: usize, g: &Geometry, dw: *mut f32, add: bool) {
    let (row, len) = (g.kw * g.cin, g.kh * g.kw * g.cin * g.cout);
    for i in 0..len {
        let (ky, co, j) = (i / (row * g.cout), i / row % g.cout, i % row);
        // SAFETY: i < len, and so is the transposed index.
        unsafe {
            let to = dw.add((ky * row + j) * g.cout + co);
            let mut sum = if add { *to } else { 0.0 };
            for part in 0..parts {
                sum += *partial.add(part * len + i);
            }
            *to = sum;
        }
    }
}
