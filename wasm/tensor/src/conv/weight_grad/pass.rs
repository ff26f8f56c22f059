//! The products of the weight gradient over one group of images.
use super::Cut;
use crate::conv::Geometry;
use crate::gemm::micro::Segment;
use crate::gemm::pack::{pack_rows, packed_len, panel_width, PANEL};
use crate::gemm::segments::{segments_len, SegmentList};
use crate::gemm::{run, run_here, EvenRows, Operand, Problem, Rows};
use crate::threads;

/// Rows that are the weights `(ky, kx, ci)` of a group.
#[derive(Clone, Copy)]
struct WeightRows<'a> {
    g: &'a Geometry,
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
            *a = self.a + (pixel * g.cin + ci) * 4;
            *c = self.c + (first + i) * g.cout * 4;
            ci += 1;
            if ci == g.group_in {
                (ci, tap) = (0, tap + 1);
            }
        }
    }
}

/// The pass over one group of images.
pub struct Pass<'a> {
    pub g: &'a Geometry,
    pub cut: &'a Cut,
    /// x, framed; dy; and dy packed.
    pub framed: *const f32,
    pub dy: *const f32,
    pub packed: *const f32,
    /// Room for all segments.
    pub scratch: *mut f32,
    pub images: usize,
}

impl<'a> Pass<'a> {
    fn step(&self) -> usize {
        if self.cut.swapped {
            self.g.cout * 4
        } else {
            self.g.sw * self.g.cin * 4
        }
    }

    /// k as segments: the lines `first .. end` of output pixels.
    unsafe fn lines(&self, first: usize, end: usize, scratch: *mut f32) -> SegmentList {
        // SAFETY: the caller has made room for these lines.
        let mut list = unsafe { SegmentList::new(scratch, self.step(), &self.operand(0)) };
        let (g, pixel) = (self.g, if self.cut.packed { 1 } else { self.g.cout });
        for line in first..end {
            let (image, oy) = (line / g.oh, line % g.oh);
            let frame = &self.cut.frame;
            let offset = image * frame.len() + oy * g.sh * frame.frame_w * g.cin;
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
            return Operand::Rows {
                at,
                ld: self.g.sw * self.g.cin,
            };
        }
        let (n, depth) = (self.g.group_out, self.images * self.g.oh * self.g.ow);
        if self.cut.packed {
            Operand::Panels {
                at: self.packed.wrapping_add(i * packed_len(depth, n) as usize),
                depth,
            }
        } else {
            Operand::Rows {
                at: self.dy.wrapping_add(i * n),
                ld: self.g.cout,
            }
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
            frame_w: self.cut.frame.frame_w,
            a: self.framed.wrapping_add(i * g.group_in) as usize,
            c: dw.wrapping_add(i * n) as usize,
        };
        let (step, b) = (self.step(), self.operand(i));
        Problem {
            rows,
            m,
            n,
            segments,
            segment_count,
            step,
            b,
            add,
            then: None,
        }
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
        let rows = EvenRows {
            a: self.dy as usize,
            a_pitch: 4,
            c,
            c_pitch: n * 4,
        };
        let (step, b) = (self.step(), self.operand(ky));
        Problem {
            rows,
            m,
            n,
            segments,
            segment_count,
            step,
            b,
            add: false,
            then: None,
        }
    }

    /// A large result: its rows are shared out.
    ///
    /// # Safety
    /// All pointers are as their fields say.
    pub unsafe fn rows(&self, dw: *mut f32, add: bool) {
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
    ///
    /// # Safety
    /// As [`Pass::rows`]; `partial` has room for the parts' sums.
    pub unsafe fn parts(&self, partial: *mut f32) {
        let g = self.g;
        let weights = g.kh * g.kw * g.group_in * g.cout;
        let total = self.images * g.oh;
        let size = total.div_ceil(self.cut.parts);
        // SAFETY: every part has its own sums and its own room for segments.
        unsafe {
            threads::run(g.work(), self.cut.parts, &|part| {
                let part = part as usize;
                let (first, end) = ((part * size).min(total), ((part + 1) * size).min(total));
                let room = self.scratch.add(segments_len(first, g.ow) as usize);
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
///
/// # Safety
/// `to` has room for all groups' panels.
pub unsafe fn pack(dy: *const f32, to: *mut f32, g: &Geometry, pixels: usize) {
    let n = g.group_out;
    let panels = g.groups * n.div_ceil(PANEL);
    let (size, chunks) = threads::split(pixels, 512, 16);
    // SAFETY: every task writes its own rows of its own panel.
    unsafe {
        threads::run((2 * pixels * g.cout) as u64, panels * chunks, &|task| {
            let (panel, first) = (task as usize % panels, task as usize / panels * size);
            let (i, column) = (panel / n.div_ceil(PANEL), panel % n.div_ceil(PANEL) * PANEL);
            let (width, rows) = (panel_width(n, column), size.min(pixels - first));
            let to = to.add(i * packed_len(pixels, n) as usize + column * pixels + first * width);
            pack_rows(
                dy.add(first * g.cout + i * n + column),
                g.cout,
                rows,
                width,
                to,
            );
        });
    }
}
