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

use super::{forward, input_grad, weight_grad as direct_weight_grad, Geometry};
use crate::memory::floats;
use filters::Filters;
use plane::Plane;
use scheme::{Scheme, F2, F4};
use wasm_bindgen::prelude::*;

/// Floats between points beyond their content: without it they would crowd into few sets of the
/// caches.
const GAP: usize = 16;

/// Fewest channels on either side for which this is chosen. With less the transforms eat up most of
/// the gain, and sums of small whole numbers stay exact.
const MIN_CHANNELS: usize = 32;

/// Most floats of transformed filters that are kept whole: bounds the workspace.
const FILTERS: usize = 6 << 20;

/// Whether a convolution can be done this way.
fn possible(g: &Geometry) -> bool {
    let ones = [g.sh, g.sw, g.dh, g.dw, g.groups];
    g.kh == 3 && g.kw == 3 && ones.iter().all(|&x| x == 1) && !g.empty()
}

/// The way that takes least time: tiles of 4x4 or 2x2 outputs, or 0 for a direct convolution.
/// Measured: a transform costs as much as 10 products per channel and point, and that of the filters
/// `filters` products per point. A fifth is a margin for what the model leaves out.
fn fastest(plane: &Plane, filters: usize) -> usize {
    let (cin, cout) = (plane.cin as u64, plane.cout as u64);
    let cost = |m: usize| {
        let (tiles, points) = (plane.tiles(m) as u64, (m + 2) * (m + 2));
        let products = tiles * (cin * cout + 10 * (cin + cout)) + filters as u64 * cin * cout;
        points as u64 * products
    };
    let direct = floats([plane.n, plane.oh, plane.ow, 9]) * cin * cout;
    let best = if cost(2) < cost(4) { 2 } else { 4 };
    if cost(best) * 6 < direct * 5 {
        best
    } else {
        0
    }
}

/// The tile for `conv2d`; 0: none.
pub fn forward_tile(g: &Geometry) -> usize {
    chosen(g, Plane::forwards, 4)
}

/// The tile for `conv2d_input_grad`; 0: none.
pub fn input_grad_tile(g: &Geometry) -> usize {
    chosen(g, Plane::backwards, 4)
}

/// The tile for `conv2d_weight_grad`; 0: none.
pub fn weight_grad_tile(g: &Geometry) -> usize {
    chosen(g, Plane::forwards, 8)
}

fn chosen(g: &Geometry, plane: impl Fn(&Geometry) -> Plane, filters: usize) -> usize {
    if possible(g) && g.cin.min(g.cout) >= MIN_CHANNELS {
        fastest(&plane(g), filters)
    } else {
        0
    }
}

/// `conv2d` in a given way: tiles of 2x2 or 4x4 outputs, or, for any other number or where this way
/// is not possible, directly.
#[wasm_bindgen]
pub fn conv2d_winograd(x: *const f32, w: *const f32, y: *mut f32, geom: *const i32, tile: usize) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let g = Geometry::read(geom);
        let filters = Filters {
            at: w,
            cin: g.cin,
            cout: g.cout,
            turned: false,
        };
        match tile {
            4 if possible(&g) => convolve::<F4, 4, 6>(x, &filters, y, &Plane::forwards(&g)),
            2 if possible(&g) => convolve::<F2, 2, 4>(x, &filters, y, &Plane::forwards(&g)),
            _ => forward::direct(x, w, y, &g),
        }
    }
}

/// `conv2d_input_grad` in a given way, as [`conv2d_winograd`].
#[wasm_bindgen]
pub fn conv2d_input_grad_winograd(
    dy: *const f32,
    w: *const f32,
    dx: *mut f32,
    geom: *const i32,
    tile: usize,
) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let g = Geometry::read(geom);
        let filters = Filters {
            at: w,
            cin: g.cout,
            cout: g.cin,
            turned: true,
        };
        match tile {
            4 if possible(&g) => convolve::<F4, 4, 6>(dy, &filters, dx, &Plane::backwards(&g)),
            2 if possible(&g) => convolve::<F2, 2, 4>(dy, &filters, dx, &Plane::backwards(&g)),
            _ => input_grad::direct(dy, w, dx, &g),
        }
    }
}

/// `conv2d_weight_grad` in a given way, as [`conv2d_winograd`].
#[wasm_bindgen]
pub fn conv2d_weight_grad_winograd(
    x: *const f32,
    dy: *const f32,
    dw: *mut f32,
    geom: *const i32,
    tile: usize,
) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let g = Geometry::read(geom);
        let plane = Plane::forwards(&g);
        match tile {
            4 if possible(&g) => weight_grad::weight_grad::<F4, 4, 6>(x, dy, dw, &plane),
            2 if possible(&g) => weight_grad::weight_grad::<F2, 2, 4>(x, dy, dw, &plane),
            _ => direct_weight_grad::direct(x, dy, dw, &g),
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
) {
    let (cin, cout) = (plane.cin, plane.cout);
    let size = cin * cout;
    // SAFETY: passed on to the caller.
    unsafe {
        if size as u64 > 2 * floats([plane.tiles(M), cin + cout]) || size > FILTERS / (P * P) {
            by_filters::convolve::<S, M, P>(x, filters, y, plane);
        } else {
            by_tiles::convolve::<S, M, P>(x, filters, y, plane);
        }
    }
}
