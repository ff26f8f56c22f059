//! Maximum pooling. NaN counts as greatest, and the gradient goes to the first maximum of a window,
//! as in PyTorch.
use super::{Geometry, Span};
use crate::{simd::*, threads};
use wasm_bindgen::prelude::*;

/// `y[n, oy, ox, c] = max of x over the window`; padding is minus infinity.
#[wasm_bindgen]
pub fn max_pool(x: *const f32, y: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked geometry and sizes; every task writes its own lines.
    unsafe {
        let g = Geometry::read(geom);
        let lines = g.n * g.oh;
        let (size, chunks) = threads::split(lines, 1, 128);
        threads::run(2 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for line in first..lines.min(first + size) {
                max_line(x, y, &g, line);
            }
        });
    }
}

/// Four channels of a window: where its first inner tap lies, in floats, and the spacing of the
/// taps.
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

    /// Calls `f` with the window, and for the common 2x2 with one whose size the compiler knows, so
    /// that its loops dissolve.
    #[inline(always)]
    fn with(self, f: impl Fn(&Window)) {
        if (self.rows, self.columns) == (2, 2) {
            f(&Window {
                rows: 2,
                columns: 2,
                ..self
            });
        } else {
            f(&self);
        }
    }
}

#[inline(never)]
unsafe fn max_line(x: *const f32, y: *mut f32, g: &Geometry, line: usize) {
    let (image, rows) = (line / g.oh, g.rows(line % g.oh));
    for ox in 0..g.ow {
        // SAFETY: a pixel of y.
        let y = unsafe { y.add((line * g.ow + ox) * g.c) };
        Window::new(g, image, rows, g.columns(ox)).with(
            #[inline(always)]
            |window| {
                for c in (0..g.c).step_by(4) {
                    // SAFETY: the window is inside the image; the store is cut.
                    unsafe {
                        let max = maximum(x.wrapping_add(window.start + c), window);
                        store_part(y.add(c), max, g.c - c);
                    }
                }
            },
        );
    }
}

#[inline(always)]
unsafe fn maximum(x: *const f32, window: &Window) -> v128 {
    let mut max = f32x4_splat(f32::NEG_INFINITY);
    for row in 0..window.rows {
        for column in 0..window.columns {
            let at = x.wrapping_add(row * window.row + column * window.column);
            // SAFETY: the caller's window.
            max = f32x4_max(max, unsafe { load(at) });
        }
    }
    max
}

/// The gradient of [`max_pool`]: each window's goes to its first maximum in row-major order; where
/// windows overlap they add up.
#[wasm_bindgen]
pub fn max_pool_grad(x: *const f32, dy: *const f32, dx: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked geometry and sizes; every task has images of its own.
    unsafe {
        let g = Geometry::read(geom);
        let (size, chunks) = threads::split(g.n, 1, 64);
        let image = g.h * g.w * g.c;
        let tiled = g.tiles_image();
        threads::run(4 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for n in first..g.n.min(first + size) {
                if !tiled {
                    core::ptr::write_bytes(dx.add(n * image), 0, image);
                }
                for line in n * g.oh..(n + 1) * g.oh {
                    if tiled {
                        grad_line::<false>(x, dy, dx, &g, line);
                    } else {
                        grad_line::<true>(x, dy, dx, &g, line);
                    }
                }
            }
        });
    }
}

/// ADD: add to dx; else the windows lie side by side and cover it, and every value is just stored.
#[inline(never)]
unsafe fn grad_line<const ADD: bool>(
    x: *const f32,
    dy: *const f32,
    dx: *mut f32,
    g: &Geometry,
    line: usize,
) {
    let (image, rows) = (line / g.oh, g.rows(line % g.oh));
    for ox in 0..g.ow {
        let window = Window::new(g, image, rows, g.columns(ox));
        if window.rows * window.columns == 0 {
            continue; // all padding
        }
        // SAFETY: a pixel of dy.
        let dy = unsafe { dy.add((line * g.ow + ox) * g.c) };
        window.with(
            #[inline(always)]
            |window| {
                for c in (0..g.c).step_by(4) {
                    // SAFETY: the window is inside the image; stores are cut.
                    unsafe {
                        let best = first_maximum(x.add(window.start + c), window);
                        let to = dx.add(window.start + c);
                        scatter::<ADD>(to, window, best, load(dy.add(c)), g.c - c);
                    }
                }
            },
        );
    }
}

/// Number of the first maximal tap in every lane; NaN, the last one, wins.
#[inline(always)]
unsafe fn first_maximum(x: *const f32, window: &Window) -> v128 {
    // SAFETY: the caller's window.
    let mut max = unsafe { load(x) };
    let mut best = ZERO;
    for row in 0..window.rows {
        for column in 0..window.columns {
            let at = x.wrapping_add(row * window.row + column * window.column);
            // SAFETY: the caller's window.
            let v = unsafe { load(at) };
            let number = i32x4_splat((row * window.columns + column) as i32);
            let better = v128_or(f32x4_gt(v, max), f32x4_ne(v, v));
            max = select(better, v, max);
            best = select(better, number, best);
        }
    }
    best
}

#[inline(always)]
unsafe fn scatter<const ADD: bool>(
    dx: *mut f32,
    window: &Window,
    best: v128,
    d: v128,
    left: usize,
) {
    for row in 0..window.rows {
        for column in 0..window.columns {
            let at = dx.wrapping_add(row * window.row + column * window.column);
            let number = i32x4_splat((row * window.columns + column) as i32);
            let more = v128_and(d, i32x4_eq(best, number));
            // SAFETY: the caller's window.
            unsafe { store_part(at, if ADD { f32x4_add(load(at), more) } else { more }, left) };
        }
    }
}
