//! Winograd's minimal filtering: convolution with 3x3 windows of stride 1 in fewer multiplications.
//!
//! A tile of `m x m` outputs depends on `p x p` inputs, `p = m + 2`. Inputs, filters and outputs are
//! transformed so that the convolution becomes `p²` numbers multiplied point by point, which, summed
//! over channels, is one matrix product per point for all tiles: 4 times fewer multiplications for
//! 4x4 outputs, 2.25 times for 2x2. With the matrices of [`scheme`], for filters g, inputs d and
//! outputs y:
//! - forward, `y = Aᵀ [(G g Gᵀ) * (Bᵀ d B)] A`;
//! - gradient of the input: the same from dy to dx, with the filters turned by half a circle;
//! - gradient of the weights, `dg = Gᵀ [(Bᵀ d B) * (A dy Aᵀ)] G`, summed over tiles.
//!
//! Accuracy, stated: 2e-5 for up to 512 channels, largest error against float64 divided by the
//! largest value. Measured for 64, 128, 256 and 512 channels, numbers drawn evenly from -1 .. 1:
//!
//! | pass            | direct     | 2x2        | 4x4        |
//! | --------------- | ---------- | ---------- | ---------- |
//! | forward         | 4 .. 6e-7  | 3 .. 6e-7  | 1 .. 3e-6  |
//! | input gradient  | 3 .. 6e-7  | 3 .. 6e-7  | 1 .. 2e-6  |
//! | weight gradient | 2 .. 8e-7  | 4 .. 7e-7  | 1 .. 2e-6  |
//!
//! Source: Lavin & Gray 2015, arXiv:1509.09308; points that round less: Barabasz et al. 2020,
//! arXiv:1803.10986.
mod by_filters;
mod by_tiles;
mod filters;
mod plane;
mod product;
mod scheme;
mod slots;
mod tile;
mod weight_grad;

use super::Geometry;
use crate::gemm::epilogue::Epilogue;
use crate::memory::floats;
use filters::Filters;
pub use plane::Plane;
use scheme::{Scheme, F2, F4};

/// Floats between points beyond their content: without it they would crowd into few sets of the
/// caches.
const GAP: usize = 16;

/// Most floats of transformed filters that are kept whole: bounds the workspace.
const FILTERS: usize = 6 << 20;

/// Whether a convolution can be done this way.
pub fn possible(g: &Geometry) -> bool {
    let ones = [g.sh, g.sw, g.dh, g.dw, g.groups];
    g.kh == 3 && g.kw == 3 && ones.iter().all(|&x| x == 1) && !g.empty()
}

/// `conv2d` by tiles of 4x4 outputs, or of 2x2.
///
/// # Safety
/// The operands have these shapes, and this way is possible.
pub unsafe fn forward(
    x: *const f32,
    w: *const f32,
    y: *mut f32,
    g: &Geometry,
    tile: usize,
    then: &Epilogue,
) {
    let filters = Filters {
        at: w,
        cin: g.cin,
        cout: g.cout,
        turned: false,
    };
    // SAFETY: passed on to the caller.
    unsafe {
        match tile {
            4 => convolve::<F4, 4, 6>(x, &filters, y, &Plane::forwards(g), then),
            _ => convolve::<F2, 2, 4>(x, &filters, y, &Plane::forwards(g), then),
        }
    }
}

/// `conv2d_input_grad`, as [`forward`].
///
/// # Safety
/// As [`forward`].
pub unsafe fn input_grad(dy: *const f32, w: *const f32, dx: *mut f32, g: &Geometry, tile: usize) {
    let filters = Filters {
        at: w,
        cin: g.cout,
        cout: g.cin,
        turned: true,
    };
    let none = Epilogue::none();
    // SAFETY: passed on to the caller.
    unsafe {
        match tile {
            4 => convolve::<F4, 4, 6>(dy, &filters, dx, &Plane::backwards(g), &none),
            _ => convolve::<F2, 2, 4>(dy, &filters, dx, &Plane::backwards(g), &none),
        }
    }
}

/// `conv2d_weight_grad`, as [`forward`].
///
/// # Safety
/// As [`forward`].
pub unsafe fn weight_grad(x: *const f32, dy: *const f32, dw: *mut f32, g: &Geometry, tile: usize) {
    let plane = Plane::forwards(g);
    // SAFETY: passed on to the caller.
    unsafe {
        match tile {
            4 => weight_grad::weight_grad::<F4, 4, 6>(x, dy, dw, &plane),
            _ => weight_grad::weight_grad::<F2, 2, 4>(x, dy, dw, &plane),
        }
    }
}

/// Convolves by filters where these, transformed, would be larger than the rest twice over, or too
/// large altogether.
unsafe fn convolve<S: Scheme<M, P>, const M: usize, const P: usize>(
    x: *const f32,
    filters: &Filters,
    y: *mut f32,
    plane: &Plane,
    then: &Epilogue,
) {
    let (cin, cout) = (plane.cin, plane.cout);
    let size = cin * cout;
    // SAFETY: passed on to the caller.
    unsafe {
        if size as u64 > 2 * floats([plane.tiles(M), cin + cout]) || size > FILTERS / (P * P) {
            by_filters::convolve::<S, M, P>(x, filters, y, plane, then);
        } else {
            by_tiles::convolve::<S, M, P>(x, filters, y, plane, then);
        }
    }
}
