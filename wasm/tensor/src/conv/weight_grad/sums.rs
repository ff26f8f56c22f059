//! Adds up the sums of the parts, always in the same order.
use crate::conv::Geometry;
use crate::simd::*;
use crate::threads;

/// dw = the parts' sums, in order; or added to dw.
///
/// # Safety
/// `partial` holds the parts' sums.
pub unsafe fn add_parts(partial: *const f32, parts: usize, len: usize, dw: *mut f32, add: bool) {
    let (size, chunks) = threads::split(len.div_ceil(4), 256, 64);
    // SAFETY: every task writes its own piece of dw.
    unsafe {
        threads::run((2 * parts * len) as u64, chunks, &|task| {
            let first = task as usize * size * 4;
            for at in (first..len.min(first + size * 4)).step_by(4) {
                let mut sum = if add { load(dw.add(at)) } else { ZERO };
                for part in 0..parts {
                    sum = f32x4_add(sum, load(partial.add(part * len + at)));
                }
                store_part(dw.add(at), sum, len - at);
            }
        });
    }
}

/// The same from transposed sums, `[kh, cout, kw cin]`. They are few.
///
/// # Safety
/// `partial` holds the parts' sums.
pub unsafe fn add_swapped(
    partial: *const f32,
    parts: usize,
    g: &Geometry,
    dw: *mut f32,
    add: bool,
) {
    let (row, len) = (g.kw * g.cin, g.kh * g.kw * g.cin * g.cout);
    for i in 0..len {
        let (ky, co, j) = (i / (row * g.cout), i / row % g.cout, i % row);
        // SAFETY: i < len, and so is the transposed index.
        unsafe {
            let to = dw.add((ky * row + j) * g.cout + co);
            let mut sum = if add { *to } else { 0.0 };
            for part in 0..parts {
                sum += *partial.add(part * len + i);
            }
            *to = sum;
        }
    }
}
