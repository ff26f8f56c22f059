//! The exports, and which way a convolution goes: by Winograd's filtering or directly.
use super::winograd::{self, Plane};
use super::{forward, input_grad, weight_grad, Geometry};
use crate::gemm::epilogue::Epilogue;
use crate::memory::floats;
use wasm_bindgen::prelude::*;

/// Fewest channels on either side for Winograd's filtering. With less the transforms eat up most of
/// the gain, and sums of small whole numbers stay exact.
const MIN_CHANNELS: usize = 32;

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

fn chosen(g: &Geometry, plane: impl Fn(&Geometry) -> Plane, filters: usize) -> usize {
    if winograd::possible(g) && g.cin.min(g.cout) >= MIN_CHANNELS {
        fastest(&plane(g), filters)
    } else {
        0
    }
}

/// `y[n, oy, ox, co] = sum over ky, kx, ci of x[n, oy sh + ky dh - pt, ox sw + kx dw - pl, ci]
/// w[ky, kx, ci, co]`.
#[wasm_bindgen]
pub fn conv2d(x: *const f32, w: *const f32, y: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let g = Geometry::read(geom);
        forwards(
            x,
            w,
            y,
            &g,
            chosen(&g, Plane::forwards, 4),
            &Epilogue::none(),
        );
    }
}

/// [`conv2d`] with what follows done on the way: `y = min(max((y - mean) scale + shift + residual,
/// low), high)`, where mean, scale and shift have a value for each channel and the residual one for
/// each place. Absent: the residual, or mean and scale, or these and the shift, as null.
#[wasm_bindgen]
pub fn conv2d_then(
    x: *const f32,
    w: *const f32,
    y: *mut f32,
    geom: *const i32,
    mean: *const f32,
    scale: *const f32,
    shift: *const f32,
    residual: *const f32,
    low: f32,
    high: f32,
) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let g = Geometry::read(geom);
        let then = Epilogue::new([mean, scale, shift], residual, y, low, high);
        forwards(x, w, y, &g, chosen(&g, Plane::forwards, 4), &then);
    }
}

/// `conv2d` in a given way: tiles of 2x2 or 4x4 outputs, or, for any other number or where this way
/// is not possible, directly.
#[wasm_bindgen]
pub fn conv2d_winograd(x: *const f32, w: *const f32, y: *mut f32, geom: *const i32, tile: usize) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let g = Geometry::read(geom);
        forwards(x, w, y, &g, tile, &Epilogue::none());
    }
}

unsafe fn forwards(
    x: *const f32,
    w: *const f32,
    y: *mut f32,
    g: &Geometry,
    tile: usize,
    then: &Epilogue,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        match tile {
            2 | 4 if winograd::possible(g) => winograd::forward(x, w, y, g, tile, then),
            _ => forward::direct(x, w, y, g, then),
        }
    }
}

/// The gradient of `conv2d` with respect to x, given that of y.
#[wasm_bindgen]
pub fn conv2d_input_grad(dy: *const f32, w: *const f32, dx: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked shapes and sizes.
    let tile = chosen(&unsafe { Geometry::read(geom) }, Plane::backwards, 4);
    conv2d_input_grad_winograd(dy, w, dx, geom, tile);
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
        match tile {
            2 | 4 if winograd::possible(&g) => winograd::input_grad(dy, w, dx, &g, tile),
            _ => input_grad::direct(dy, w, dx, &g),
        }
    }
}

/// The gradient of `conv2d` with respect to w, given that of y.
#[wasm_bindgen]
pub fn conv2d_weight_grad(x: *const f32, dy: *const f32, dw: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked shapes and sizes.
    let tile = chosen(&unsafe { Geometry::read(geom) }, Plane::forwards, 8);
    conv2d_weight_grad_winograd(x, dy, dw, geom, tile);
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
        match tile {
            2 | 4 if winograd::possible(&g) => winograd::weight_grad(x, dy, dw, &g, tile),
            _ => weight_grad::direct(x, dy, dw, &g),
        }
    }
}
