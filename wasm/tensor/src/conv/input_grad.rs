//! Convolution, gradient of the input: a convolution of dy with the taps transposed.
//!
//! With strides the input pixels fall into `sh * sw` phases. The pixels of one phase meet the same
//! taps, at the same offsets in dy, so every phase is a product without wasted work.
use super::forward::PixelRows;
use super::frame::Frame;
use super::{depthwise, scatter, Geometry};
use crate::gemm::pack::{pack_columns, packed_len, panel_width, PANEL};
use crate::gemm::segments::{segments_len, SegmentList};
use crate::gemm::{run, Operand, Problem};
use crate::memory::floats;
use crate::{memory, threads};

/// `conv2d_input_grad`, never by Winograd's filtering.
///
/// # Safety
/// The operands have these shapes.
pub unsafe fn direct(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry) {
    // SAFETY: passed on to the caller.
    unsafe {
        if g.n * g.h * g.w * g.cin == 0 {
        } else if g.empty() {
            core::ptr::write_bytes(dx, 0, g.n * g.h * g.w * g.cin);
        } else if g.depthwise() {
            depthwise::input_grad(dy, w, dx, g);
        } else if scatter::pays(g) {
            scatter::input_grad(dy, w, dx, g);
        } else {
            input_grad(dy, w, dx, g);
        }
    }
}

/// Along one axis, phase `r` holds the input positions `q s + r`. Tap `k` reaches it if
/// `r + p - k d` is a multiple of s, and then reads output position `q + (r + p - k d) / s`, here
/// counted from the frame's edge.
fn tap_offset(r: usize, p: usize, k: usize, d: usize, s: usize, margin: usize) -> Option<usize> {
    let reach = (r + p + margin * s).checked_sub(k * d)?;
    (reach % s == 0).then_some(reach / s)
}

/// Zeros needed before the first output position so that no tap falls off the edge.
fn margin(kernel: usize, d: usize, p: usize, s: usize) -> usize {
    ((kernel - 1) * d).saturating_sub(p).div_ceil(s)
}

/// The frame of dy that all phases stay inside.
fn output_frame(g: &Geometry) -> Frame {
    let (top, left) = (
        margin(g.kh, g.dh, g.pt, g.sh),
        margin(g.kw, g.dw, g.pl, g.sw),
    );
    Frame {
        h: g.oh,
        w: g.ow,
        channels: g.cout,
        top,
        left,
        frame_h: top + (g.h - 1 + g.pt) / g.sh + 1,
        frame_w: left + (g.w - 1 + g.pl) / g.sw + 1,
    }
    .settled()
}

unsafe fn input_grad(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry) {
    let frame = output_frame(g);
    let group = frame.group(g.n);
    let taps = g.kh * g.kw;
    let len = packed_len(taps * g.group_out, g.group_in).saturating_mul(g.groups as u64);
    let sizes = [
        frame.scratch(group),
        len,
        segments_len(taps, g.group_out),
        taps as u64,
    ];
    let Some([framed, packed, scratch, order]) = memory::workspace(sizes) else {
        return;
    };
    // SAFETY: TypeScript has checked shapes and sizes; scratch is as large as asked for.
    unsafe {
        for first in (0..g.n).step_by(group) {
            let images = group.min(g.n - first);
            let framed = frame.fill(dy.add(first * g.oh * g.ow * g.cout), images, framed);
            let dx = dx.add(first * g.h * g.w * g.cin);
            for phase in 0..g.sh.min(g.h) * g.sw.min(g.w) {
                let at = (phase / g.sw.min(g.w), phase % g.sw.min(g.w));
                let list = SegmentList::new(
                    scratch,
                    4,
                    &Operand::Panels {
                        at: packed,
                        depth: 0,
                    },
                );
                let (list, met) = taps_of(at, g, &frame, list, order as *mut u32);
                pack(w, packed, g, order as *const u32, met);
                run_phase(at, g, &frame, images, framed, packed, &list, dx);
            }
        }
    }
}

/// The taps that reach a phase, as segments of dy; writes their numbers and returns how many.
/// Going backwards, neighbouring taps read neighbouring pixels, and join.
unsafe fn taps_of(
    (ry, rx): (usize, usize),
    g: &Geometry,
    frame: &Frame,
    mut list: SegmentList,
    order: *mut u32,
) -> (SegmentList, usize) {
    let mut met = 0;
    for ky in (0..g.kh).rev() {
        let Some(y) = tap_offset(ry, g.pt, ky, g.dh, g.sh, frame.top) else {
            continue;
        };
        for kx in (0..g.kw).rev() {
            let Some(x) = tap_offset(rx, g.pl, kx, g.dw, g.sw, frame.left) else {
                continue;
            };
            list.push((y * frame.frame_w + x) * g.cout, g.group_out);
            // SAFETY: there is a word for every tap.
            unsafe { *order.add(met) = (ky * g.kw + kx) as u32 };
            met += 1;
        }
    }
    (list, met)
}

/// Packs the transposed taps `order[..met]` of every group: k is (tap, output channel), columns are
/// input channels.
unsafe fn pack(w: *const f32, to: *mut f32, g: &Geometry, order: *const u32, met: usize) {
    let (k, n) = (met * g.group_out, g.group_in);
    let panels = n.div_ceil(PANEL);
    // SAFETY: every task writes a panel of its own.
    unsafe {
        threads::run(floats([4, k, n, g.groups]), g.groups * panels, &|task| {
            let (i, column) = (task as usize / panels, task as usize % panels * PANEL);
            let width = panel_width(n, column);
            let to = to.add(i * packed_len(k, n) as usize + column * k);
            for t in 0..met {
                let tap = *order.add(t) as usize;
                let from = w.add((tap * n + column) * g.cout + i * g.group_out);
                let to = to.add(t * g.group_out * width);
                pack_columns(from, g.cout, g.group_out, n - column, width, to);
            }
        });
    }
}

unsafe fn run_phase(
    (ry, rx): (usize, usize),
    g: &Geometry,
    frame: &Frame,
    images: usize,
    framed: *const f32,
    packed: *const f32,
    list: &SegmentList,
    dx: *mut f32,
) {
    let (segments, segment_count, k) = list.list();
    let (height, width) = ((g.h - ry).div_ceil(g.sh), (g.w - rx).div_ceil(g.sw));
    let (m, n) = (images * height * width, g.group_in);
    // SAFETY: the phases' pixels are disjoint, and so are the groups' channels.
    unsafe {
        run(m, n, k, g.groups, &|i| {
            let rows = PixelRows {
                width,
                height,
                a: framed.add(i * g.group_out) as usize,
                a_image: frame.len() * 4,
                a_row: frame.frame_w * g.cout * 4,
                a_pixel: g.cout * 4,
                c: dx.add((ry * g.w + rx) * g.cin + i * n) as usize,
                c_image: g.h * g.w * g.cin * 4,
                c_row: g.sh * g.w * g.cin * 4,
                c_pixel: g.sw * g.cin * 4,
            };
            let at = packed.add(i * packed_len(k, n) as usize);
            let b = Operand::Panels { at, depth: k };
            Problem {
                rows,
                m,
                n,
                segments,
                segment_count,
                step: 4,
                b,
                add: false,
                then: None,
            }
        });
    }
}
