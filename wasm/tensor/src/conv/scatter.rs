//! Gradient of the input by scattering, for windows of few channels without padding.
//!
//! Gathering computes every input pixel over all taps, and at the border most taps meet nothing: a
//! 5x5 window on 14x14 pixels does twice the work. Here a row of dx takes what every row of dy has
//! for it: an output pixel adds a row of its window, `kw * cin` contiguous values, summed over the
//! rows of dy and their channels; a product that adds to overlapping rows of C. It writes more, so
//! it pays where cin is small. Rows of one image are added by one thread, in order.
use super::forward::PixelRows;
use super::narrow::padded;
use super::Geometry;
use crate::gemm::pack::{pack_columns, packed_len, panel_width, PANEL};
use crate::gemm::segments::{segments_len, SegmentList};
use crate::gemm::{run_here, Operand, Problem};
use crate::memory::floats;
use crate::{memory, threads};

/// Whether this needs no padding and is cheaper than gathering.
pub fn pays(g: &Geometry) -> bool {
    let inside = g.pt == 0
        && g.pl == 0
        && (g.oh - 1) * g.sh + (g.kh - 1) * g.dh < g.h
        && (g.ow - 1) * g.sw + g.kw <= g.w;
    if !inside || g.groups > 1 || g.dw > 1 {
        return false;
    }
    let gather = floats([g.h, g.w, g.kh, g.kw, padded(g.cin), g.cout]) / floats([g.sh, g.sw]);
    // A tile's additions to C take as long as some six values of k.
    let row = floats([g.ow, padded(g.kw * g.cin)]);
    row * (floats([g.oh, g.kh, g.cout]) + floats([6, g.h])) < gather
}

/// # Safety
/// Shapes as in `conv2d_input_grad`, and [`pays`] holds.
pub unsafe fn input_grad(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry) {
    let (size, chunks) = threads::split(g.n, 1, 64);
    let room = segments_len(g.kh, g.cout);
    let sizes = [
        packed_len(g.kh * g.cout, g.kw * g.cin),
        room.saturating_mul(chunks as u64),
    ];
    let Some([packed, scratch]) = memory::workspace(sizes) else {
        return;
    };
    let room = room as usize;
    // SAFETY: tasks write images of their own; scratch is as large as asked for.
    unsafe {
        pack(w, packed, g);
        threads::run(g.work(), chunks, &|task| {
            let first = task as usize * size;
            let images = size.min(g.n - first);
            let dy = dy.add(first * g.oh * g.ow * g.cout);
            let dx = dx.add(first * g.h * g.w * g.cin);
            core::ptr::write_bytes(dx, 0, images * g.h * g.w * g.cin);
            for y in 0..g.h {
                let scratch = scratch.add(task as usize * room);
                row(dy, packed, dx, g, images, y, scratch);
            }
        });
    }
}

/// Adds to row `y` of some images what all rows of dy have for it.
unsafe fn row(
    dy: *const f32,
    packed: *const f32,
    dx: *mut f32,
    g: &Geometry,
    images: usize,
    y: usize,
    scratch: *mut f32,
) {
    let depth = g.kh * g.cout;
    let b = Operand::Panels { at: packed, depth };
    // SAFETY: the caller's memory.
    unsafe {
        let mut list = SegmentList::new(scratch, 4, &b);
        for ky in (0..g.kh).filter(|ky| ky * g.dh <= y && (y - ky * g.dh).is_multiple_of(g.sh)) {
            let oy = (y - ky * g.dh) / g.sh;
            if oy < g.oh {
                list.push_with(oy * g.ow * g.cout, ky * g.cout, g.cout);
            }
        }
        let (segments, segment_count, k) = list.list();
        if k == 0 {
            return;
        }
        // Across the images: neighbours along a line would add to what the tile has only just
        // stored, and wait for it.
        let rows = PixelRows {
            width: images,
            height: g.ow,
            a: dy as usize,
            a_image: 0,
            a_row: g.cout * 4,
            a_pixel: g.oh * g.ow * g.cout * 4,
            c: dx.add(y * g.w * g.cin) as usize,
            c_image: 0,
            c_row: g.sw * g.cin * 4,
            c_pixel: g.h * g.w * g.cin * 4,
        };
        run_here(&Problem {
            rows,
            m: images * g.ow,
            n: g.kw * g.cin,
            segments,
            segment_count,
            step: 4,
            b,
            add: true,
            then: None,
        });
    }
}

/// Packs the transposed weights: k is the row of taps and the output channel.
unsafe fn pack(w: *const f32, to: *mut f32, g: &Geometry) {
    let (k, n) = (g.cout, g.kw * g.cin);
    for column in (0..n).step_by(PANEL) {
        let width = panel_width(n, column);
        for ky in 0..g.kh {
            // SAFETY: the caller's weights and room.
            unsafe {
                let from = w.add((ky * n + column) * k);
                let to = to.add(column * g.kh * k + ky * k * width);
                pack_columns(from, k, k, n - column, width, to);
            }
        }
    }
}
