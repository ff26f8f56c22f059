//! Convolutions of few channels, such as a first layer from RGB, without waste.
//!
//! Six output channels would leave a tile of eight a quarter empty. But NHWC lets p neighbouring
//! pixels pass for one pixel of `p cout` channels: the same memory, a window wider by the p - 1
//! steps between them, and weights with zeros where a pixel does not reach. Six channels in pairs
//! fill a tile of twelve, and what is stored is contiguous.
use super::Geometry;
use crate::gemm::micro::{tile_rows, tile_width};
use crate::memory::floats;

/// Most pixels taken together.
const MAX_PIXELS: usize = 4;

/// Columns a product computes for `n` it needs.
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(4)
}

/// Rows a product computes for `m` rows and a last panel of `n` columns.
pub fn padded_rows(m: usize, n: usize) -> usize {
    m.next_multiple_of(tile_rows(tile_width(n)))
}

/// How many output pixels to take together: 1 unless more save a twentieth of the work.
pub fn pixels_together(g: &Geometry) -> usize {
    if g.groups > 1 || g.dw > 1 || g.cout > 8 {
        return 1;
    }
    let cost = |p: usize| floats([g.kw + (p - 1) * g.sw, padded(p * g.cout), 20]) / p as u64;
    let fits = |p: &usize| g.ow.is_multiple_of(*p) && p * g.cout <= 16;
    let best = (2..=MAX_PIXELS).filter(fits).min_by_key(|&p| cost(p));
    best.filter(|&p| cost(p) * 20 <= cost(1) * 19).unwrap_or(1)
}

/// The convolution over groups of p pixels.
pub fn widened(g: &Geometry, p: usize) -> Geometry {
    Geometry {
        kw: g.kw + (p - 1) * g.sw,
        sw: p * g.sw,
        ow: g.ow / p,
        cout: g.cout * p,
        group_out: g.group_out * p,
        ..*g
    }
}

/// Floats of the widened weights.
pub fn widened_len(g: &Geometry, p: usize) -> u64 {
    if p == 1 {
        return 0;
    }
    let wide = widened(g, p);
    floats([wide.kh, wide.kw, wide.cin, wide.cout])
}

/// Writes the widened weights.
///
/// # Safety
/// `w` holds the weights of `g`, `to` has room for [`widened_len`] floats.
pub unsafe fn widen(w: *const f32, to: *mut f32, g: &Geometry, p: usize) {
    let wide = widened(g, p);
    // SAFETY: see above.
    unsafe {
        core::ptr::write_bytes(to, 0, widened_len(g, p) as usize);
        for (pixel, ky) in (0..p).flat_map(|pixel| (0..g.kh).map(move |ky| (pixel, ky))) {
            for row in 0..g.kw * g.cin {
                let from = w.add((ky * g.kw * g.cin + row) * g.cout);
                let line = ky * wide.kw * g.cin + pixel * g.sw * g.cin + row;
                let to = to.add(line * wide.cout + pixel * g.cout);
                core::ptr::copy_nonoverlapping(from, to, g.cout);
            }
        }
    }
}
