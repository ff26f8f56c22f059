//! Gradient of the input by scattering, for windows of few channels without padding.
//!
//! Gathering computes every input pixel over all taps, and at the border most taps meet nothing: a
//! 5x5 window on 14x14 pixels does twice the work. Here every output pixel adds the row of its
//! window, `kw * cin` contiguous values, to dx: a product that adds to overlapping rows of C. It
//! writes more, so it pays where cin is small. Rows of one image are added by one thread, in order.
use super::forward::PixelRows;
use super::narrow::padded;
use super::Geometry;
use crate::gemm::pack::{pack_columns, packed_len, panel_width, PANEL};
use crate::gemm::segments::{segments_len, SegmentList};
use crate::gemm::{run_here, Operand, Problem};
use crate::{memory, pool};

/// Whether this needs no padding and is cheaper than gathering.
pub fn pays(g: &Geometry) -> bool {
    let inside = g.pt == 0
        && g.pl == 0
        && (g.oh - 1) * g.sh + (g.kh - 1) * g.dh < g.h
        && (g.ow - 1) * g.sw + g.kw <= g.w;
    if !inside || g.groups > 1 || g.dw > 1 {
        return false;
    }
    let gather = (g.h * g.w) as u64 * (g.kw * padded(g.cin)) as u64 / (g.sh * g.sw) as u64;
    // A tile's additions to C take as long as some six values of k.
    let scatter = (g.oh * g.ow) as u64 * padded(g.kw * g.cin) as u64;
    scatter * (g.cout as u64 + 6) < gather * g.cout as u64
}

/// # Safety
/// Shapes as in `conv2d_input_grad`, and [`pays`] holds.
pub unsafe fn input_grad(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry) {
    let (k, n) = (g.cout, g.kw * g.cin);
    let len = packed_len(k, n);
    let [packed, scratch] = memory::workspace([len * g.kh, segments_len(1, k)]);
    let image = g.h * g.w * g.cin;
    let panel = |ky: usize| Operand::Panels {
        at: packed.wrapping_add(ky * len),
        depth: k,
    };
    // SAFETY: every image is one task; scratch is as large as asked for.
    unsafe {
        pack(w, packed, g);
        let mut list = SegmentList::new(scratch, 4, &panel(0));
        list.push(0, k);
        let (segments, segment_count, _) = list.list();
        let (size, chunks) = pool::split(g.n, 1, 64);
        pool::run(g.work(), chunks, &|task| {
            let first = task as usize * size;
            for i in first..g.n.min(first + size) {
                core::ptr::write_bytes(dx.add(i * image), 0, image);
                for ky in 0..g.kh {
                    // Down the columns: neighbours along a line would add to what the tile has
                    // only just stored, and wait for it.
                    let rows = PixelRows {
                        width: g.oh,
                        height: g.ow,
                        a: dy.add(i * g.oh * g.ow * g.cout) as usize,
                        a_image: 0,
                        a_row: g.cout * 4,
                        a_pixel: g.ow * g.cout * 4,
                        c: dx.add(i * image + ky * g.dh * g.w * g.cin) as usize,
                        c_image: 0,
                        c_row: g.sw * g.cin * 4,
                        c_pixel: g.sh * g.w * g.cin * 4,
                    };
                    let (m, b) = (g.oh * g.ow, panel(ky));
                    let step = 4;
                    run_here(&Problem {
                        rows,
                        m,
                        n,
                        segments,
                        segment_count,
                        step,
                        b,
                        add: true,
                    });
                }
            }
        });
    }
}

/// Packs the transposed weights of every row of taps: k is the output channel.
unsafe fn pack(w: *const f32, to: *mut f32, g: &Geometry) {
    let (k, n) = (g.cout, g.kw * g.cin);
    for ky in 0..g.kh {
        for column in (0..n).step_by(PANEL) {
            let width = panel_width(n, column);
            // SAFETY: the caller's weights and room.
            unsafe {
                let from = w.add((ky * n + column) * k);
                let to = to.add(ky * packed_len(k, n) + column * k);
                pack_columns(from, k, k, n - column, width, to);
            }
        }
    }
}
