//! Micro-kernels: one register tile of C over one block of k.
//!
//! Tiles of 2x16, 3x12, 4x8 and 8x4 hold eight or nine accumulators, as many as V8 can keep in
//! registers beside the operands; the larger tiles of native libraries spill and fall to half the
//! speed, and so does unrolling over k. The tile is chosen by the columns that are left, so
//! that six columns do not pay for sixteen.
//!
//! A is not packed: every row of the tile has an address of its own, which a step of k moves by
//! `step`. That covers a matrix, its transpose, and the windows of a convolution, where k is a
//! list of contiguous [`Segment`]s. Only B is packed, where it is worth it.
use crate::simd::*;

/// A run of k: `len` values of A, the first `offset` elements from the row's address, with the rows
/// of B from `b` on (in units of [`Run::b_unit`]).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Segment {
    pub offset: i32,
    pub b: u32,
    pub len: u32,
}

/// The k of one call.
#[derive(Clone, Copy)]
pub struct Run {
    pub segments: *const Segment,
    pub count: usize,
    /// Bytes between neighbours in k within a row of A.
    pub step: usize,
    /// Bytes between the rows of B, and what a segment counts B in.
    pub b_step: usize,
    pub b_unit: usize,
}

/// Rows of the tile that is `width` (4, 8, 12 or 16) columns wide.
pub fn tile_rows(width: usize) -> usize {
    match width {
        4 => 8,
        8 => 4,
        12 => 3,
        _ => 2,
    }
}

/// Runs the tile that is `width` columns wide. `a` and `c` hold the byte addresses of its rows (those of
/// C to be moved by `column` bytes), `b` is the panel of B. C is overwritten, or added to, row after row: rows of C may overlap then.
///
/// # Safety
/// All addresses are valid for the tile's rows and columns.
#[inline(always)]
pub unsafe fn tile(
    width: usize,
    run: &Run,
    a: *const usize,
    b: *const f32,
    c: *const usize,
    column: usize,
    add: bool,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        match width {
            4 => kernel::<8, 1>(run, a, b, c, column, add),
            8 => kernel::<4, 2>(run, a, b, c, column, add),
            12 => kernel::<3, 3>(run, a, b, c, column, add),
            _ => kernel::<2, 4>(run, a, b, c, column, add),
        }
    }
}

/// Never inlined: V8 swaps optimised code in at the next call only, and a driver that runs for
/// seconds would stay in baseline code to its end, five times slower. The loops over MR and NV
/// have constant bounds and are unrolled, so `acc` lives in registers.
#[inline(never)]
unsafe fn kernel<const MR: usize, const NV: usize>(
    run: &Run,
    a: *const usize,
    b: *const f32,
    c: *const usize,
    column: usize,
    add: bool,
) {
    // SAFETY: the caller's addresses are valid for the tile.
    unsafe {
        let mut acc = [[ZERO; NV]; MR];
        let Run { step, b_step, b_unit, .. } = *run;
        for s in 0..run.count {
            let segment = *run.segments.add(s);
            let mut rows = [core::ptr::null::<u8>(); MR];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = (*a.add(i)).wrapping_add_signed(segment.offset as isize * 4) as *const u8;
            }
            let mut b = (b as *const u8).wrapping_add(segment.b as usize * b_unit);
            for _ in 0..segment.len {
                let mut vb = [ZERO; NV];
                for (j, v) in vb.iter_mut().enumerate() {
                    *v = v128_load((b as *const v128).add(j));
                }
                for i in 0..MR {
                    let va = v128_load32_splat(rows[i] as *const u32);
                    for j in 0..NV {
                        acc[i][j] = f32x4_relaxed_madd(va, vb[j], acc[i][j]);
                    }
                    rows[i] = rows[i].wrapping_add(step);
                }
                b = b.wrapping_add(b_step);
            }
        }
        for (i, row) in acc.iter().enumerate() {
            let to = (*c.add(i)).wrapping_add(column) as *mut v128;
            for (j, &v) in row.iter().enumerate() {
                let p = to.add(j);
                v128_store(p, if add { f32x4_add(v128_load(p), v) } else { v });
            }
        }
    }
}
