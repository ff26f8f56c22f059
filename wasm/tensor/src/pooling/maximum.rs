//! Maximum pooling. NaN counts as greatest, and the gradient goes to the first maximum of a window,
//! as in PyTorch.
use super::{Geometry, Span};
use crate::{pool, simd::*};
use wasm_bindgen::prelude::*;

/// `y[n, oy, ox, c] = max of x over the window`; padding is minus infinity.
#[wasm_bindgen]
pub fn max_pool(x: *const f32, y: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked geometry and sizes; every task writes its own lines.
    unsafe {
        let g = Geometry::read(geom);
        let lines = g.n * g.oh;
        let (size, chunks) = pool::split(lines, 1, 128);
        pool::run(2 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for line in first..lines.min(first + size) {
                max_line(x, y, &g, line);
            }
        });
    }
}

/// Four channels of a window: where its first inner tap lies, in floats, and the spacing of the taps.
#[derive(Clone, Copy)]
struct Window {
    start: usize,
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
}

impl Window {
    #[inline(always)]
    fn new(g: &Geometry, image: usize, rows: Span, columns: Span) -> Window {
        Window {
            start: ((image * g.h + rows.start) * g.w + columns.start) * g.c,
            row: g.dh * g.w * g.c,
            column: g.dw * g.c,
            rows: rows.len(),
            columns: columns.len(),
        }
    }
}

#[inline(never)]
unsafe fn max_line(x: *const f32, y: *mut f32, g: &Geometry, line: usize) {
    let (image, rows) = (line / g.oh, g.rows(line % g.oh));
    for ox in 0..g.ow {
        let window = Window::new(g, image, rows, g.columns(ox));
        for c in (0..g.c).step_by(4) {
            // SAFETY: the window is inside the image; the store is cut.
            unsafe {
                let mut max = f32x4_splat(f32::NEG_INFINITY);
                let mut from = x.wrapping_add(window.start + c);
                for _ in 0..window.rows {
                    let mut at = from;
                    for _ in 0..window.columns {
                        max = f32x4_max(max, load(at));
                        at = at.wrapping_add(window.column);
                    }
                    from = from.wrapping_add(window.row);
                }
                store_part(y.add((line * g.ow + ox) * g.c + c), max, g.c - c);
            }
        }
    }
}

/// The gradient of [`max_pool`]: each window's goes to its first maximum in row-major order; where
/// windows overlap they add up.
#[wasm_bindgen]
pub fn max_pool_grad(x: *const f32, dy: *const f32, dx: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked geometry and sizes; every task has images of its own.
    unsafe {
        let g = Geometry::read(geom);
        let (size, chunks) = pool::split(g.n, 1, 64);
        let image = g.h * g.w * g.c;
        pool::run(4 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for n in first..g.n.min(first + size) {
                core::ptr::write_bytes(dx.add(n * image), 0, image);
                for oy in 0..g.oh {
                    grad_line(x, dy, dx, &g, n * g.oh + oy);
                }
            }
        });
    }
}

#[inline(never)]
unsafe fn grad_line(x: *const f32, dy: *const f32, dx: *mut f32, g: &Geometry, line: usize) {
    let (image, rows) = (line / g.oh, g.rows(line % g.oh));
    for ox in 0..g.ow {
        let window = Window::new(g, image, rows, g.columns(ox));
        if window.rows * window.columns == 0 {
            continue; // all padding
        }
        for c in (0..g.c).step_by(4) {
            // SAFETY: the window is inside the image; stores are cut.
            unsafe {
                let best = first_maximum(x.add(window.start + c), &window);
                let d = load(dy.add((line * g.ow + ox) * g.c + c));
                scatter(dx.add(window.start + c), &window, best, d, g.c - c);
            }
        }
    }
}

/// Number of the first maximal tap in every lane; NaN, the last one, wins.
#[inline(always)]
unsafe fn first_maximum(x: *const f32, window: &Window) -> v128 {
    // SAFETY: the caller's window.
    unsafe {
        let (mut max, mut best, mut number) = (load(x), ZERO, ZERO);
        for row in 0..window.rows {
            let mut at = x.wrapping_add(row * window.row);
            for _ in 0..window.columns {
                let v = load(at);
                let better = v128_or(f32x4_gt(v, max), f32x4_ne(v, v));
                max = select(better, v, max);
                best = select(better, number, best);
                number = i32x4_add(number, i32x4_splat(1));
                at = at.wrapping_add(window.column);
            }
        }
        best
    }
}

#[inline(always)]
unsafe fn scatter(dx: *mut f32, window: &Window, best: v128, d: v128, left: usize) {
    let mut number = ZERO;
    for row in 0..window.rows {
        let mut at = dx.wrapping_add(row * window.row);
        for _ in 0..window.columns {
            // SAFETY: the caller's window.
            unsafe {
                let more = v128_and(d, i32x4_eq(best, number));
                store_part(at, f32x4_add(load(at), more), left);
            }
            number = i32x4_add(number, i32x4_splat(1));
            at = at.wrapping_add(window.column);
        }
    }
}
