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

/// What the tiles of one panel of B and one block of k have in common.
#[derive(Clone, Copy)]
pub struct Run {
    /// Columns of the panel as packed: 4, 8, 12 or 16.
    pub width: usize,
    /// The panel.
    pub b: *const f32,
    pub segments: *const Segment,
    pub count: usize,
    /// Bytes between neighbours in k within a row of A.
    pub step: usize,
    /// Bytes between the rows of B, and what a segment counts B in.
    pub b_step: usize,
    pub b_unit: usize,
    /// Bytes from a row of C to the panel's columns.
    pub column: usize,
    /// Lanes of the last vector of a row that belong to C; 4 for all.
    pub last_lanes: usize,
    /// Add to C instead of overwriting it.
    pub add: bool,
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

/// Runs one tile. `a` and `c` hold the byte addresses of its rows. Rows of C are finished one after
/// the other: where they overlap, additions add up.
///
/// # Safety
/// All addresses are valid for the tile's rows and columns.
#[inline(always)]
pub unsafe fn tile(run: &Run, a: *const usize, c: *const usize) {
    // SAFETY: passed on to the caller.
    unsafe {
        match run.width {
            4 => kernel::<8, 1>(run, a, c),
            8 => kernel::<4, 2>(run, a, c),
            12 => kernel::<3, 3>(run, a, c),
            _ => kernel::<2, 4>(run, a, c),
        }
    }
}

/// Never inlined: V8 swaps optimised code in at the next call only, and a driver that runs for
/// seconds would stay in baseline code to its end, five times slower. The loops over MR and NV
/// have constant bounds and are unrolled, so `acc` lives in registers.
#[inline(never)]
unsafe fn kernel<const MR: usize, const NV: usize>(run: &Run, a: *const usize, c: *const usize) {
    // SAFETY: the caller's addresses are valid for the tile.
    unsafe {
        let mut acc = [[ZERO; NV]; MR];
        let Run {
            step,
            b_step,
            b_unit,
            ..
        } = *run;
        for s in 0..run.count {
            let segment = *run.segments.add(s);
            let mut rows = [core::ptr::null::<u8>(); MR];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = (*a.add(i)).wrapping_add_signed(segment.offset as isize * 4) as *const u8;
            }
            let mut b = (run.b as *const u8).wrapping_add(segment.b as usize * b_unit);
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
            let to = (*c.add(i)).wrapping_add(run.column) as *mut f32;
            for (j, &v) in row.iter().enumerate() {
                let p = to.add(j * 4);
                let v = if run.add { f32x4_add(load(p), v) } else { v };
                if j + 1 < NV {
                    store(p, v);
                } else {
                    store_part(p, v, run.last_lanes);
                }
            }
        }
    }
}
