//! Average pooling, over the whole window or over its part inside the image.
use super::{Geometry, Span};
use crate::{memory::floats, simd::*, threads};
use wasm_bindgen::prelude::*;

/// What a window's sum is multiplied by: padding counts as zeros, or not at all.
fn share(g: &Geometry, rows: Span, columns: Span, count_padding: bool) -> f32 {
    let count = if count_padding {
        floats([g.kh, g.kw])
    } else {
        floats([rows.len(), columns.len()])
    };
    1.0 / count.max(1) as f32
}

/// `y[n, oy, ox, c] = mean of x over the window`, whose padding counts if `count_padding` is not 0.
/// A window without a pixel gives 0.
#[wasm_bindgen]
pub fn avg_pool(x: *const f32, y: *mut f32, geom: *const i32, count_padding: u32) {
    // SAFETY: TypeScript has checked geometry and sizes; every task writes its own lines.
    unsafe {
        let g = Geometry::read(geom);
        let lines = g.n * g.oh;
        let (size, chunks) = threads::split(lines, 1, 128);
        threads::run(2 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for line in first..lines.min(first + size) {
                average_line(x, y, &g, line, count_padding != 0);
            }
        });
    }
}

#[inline(never)]
unsafe fn average_line(x: *const f32, y: *mut f32, g: &Geometry, line: usize, padding: bool) {
    let (image, rows) = (line / g.oh, g.rows(line % g.oh));
    for ox in 0..g.ow {
        let columns = g.columns(ox);
        let share = f32x4_splat(share(g, rows, columns, padding));
        let start = ((image * g.h + rows.start) * g.w + columns.start) * g.c;
        for c in (0..g.c).step_by(4) {
            // SAFETY: the window is inside the image; the store is cut.
            unsafe {
                let mut sum = ZERO;
                for row in 0..rows.len() {
                    let mut at = x.wrapping_add(start + c + row * g.dh * g.w * g.c);
                    for _ in 0..columns.len() {
                        sum = f32x4_add(sum, load(at));
                        at = at.wrapping_add(g.dw * g.c);
                    }
                }
                let to = y.add((line * g.ow + ox) * g.c + c);
                store_part(to, f32x4_mul(sum, share), g.c - c);
            }
        }
    }
}

/// The gradient of [`avg_pool`].
#[wasm_bindgen]
pub fn avg_pool_grad(dy: *const f32, dx: *mut f32, geom: *const i32, count_padding: u32) {
    // SAFETY: TypeScript has checked geometry and sizes; every task has images of its own.
    unsafe {
        let g = Geometry::read(geom);
        let (size, chunks) = threads::split(g.n, 1, 64);
        let image = g.h * g.w * g.c;
        threads::run(4 * g.work(), chunks, &|task| {
            let first = task as usize * size;
            for n in first..g.n.min(first + size) {
                core::ptr::write_bytes(dx.add(n * image), 0, image);
                for oy in 0..g.oh {
                    grad_line(dy, dx, &g, n * g.oh + oy, count_padding != 0);
                }
            }
        });
    }
}

#[inline(never)]
unsafe fn grad_line(dy: *const f32, dx: *mut f32, g: &Geometry, line: usize, padding: bool) {
    let (image, rows) = (line / g.oh, g.rows(line % g.oh));
    for ox in 0..g.ow {
        let columns = g.columns(ox);
        let share = f32x4_splat(share(g, rows, columns, padding));
        let start = ((image * g.h + rows.start) * g.w + columns.start) * g.c;
        for c in (0..g.c).step_by(4) {
            // SAFETY: the window is inside the image; stores are cut.
            unsafe {
                let d = f32x4_mul(load(dy.add((line * g.ow + ox) * g.c + c)), share);
                for row in 0..rows.len() {
                    let mut at = dx.wrapping_add(start + c + row * g.dh * g.w * g.c);
                    for _ in 0..columns.len() {
                        store_part(at, f32x4_add(load(at), d), g.c - c);
                        at = at.wrapping_add(g.dw * g.c);
                    }
                }
            }
        }
    }
}
