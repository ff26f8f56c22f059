//! Micro-kernels: one register tile of C over one block of k.
//!
//! Tiles hold eight or nine accumulators, as many as V8 can keep in registers beside the operands;
//! the larger tiles of native libraries spill and fall to half the speed, and so does unrolling over
//! k. The tile is chosen by the columns that are left, so that six columns do not pay for sixteen.
//!
//! There are two kinds. [`strip_tile`], 4x8, and [`strip_pair`], 8x4, read an A that was packed in
//! strips of four rows: three loads for eight multiply-adds. [`tile`], 2x16, 3x12, 4x8 or 8x4, reads
//! A where it lies, with six loads, for products too small to pack: every row of the tile has an
//! address of its own, which a step of k moves by `step`. That covers a matrix, its transpose, and
//! the windows of a convolution, where k is a list of contiguous [`Segment`]s.
use super::strips::HEIGHT;
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

/// Width of the tile for the first of `n` columns: 4, 8, 12 or 16.
pub fn tile_width(n: usize) -> usize {
    n.next_multiple_of(4).min(16)
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
        finish(run, &acc, c, MR);
    }
}

/// A tile of 4x8 from a packed strip. As many rows as `c` has are stored.
///
/// # Safety
/// The strip reaches over the run's segments; `c` is valid for the panel's columns.
#[inline(always)]
pub unsafe fn strip_tile(run: &Run, strip: *const f32, c: &[usize]) {
    // SAFETY: passed on to the caller.
    unsafe { strips_kernel::<1, 2>(run, [strip], c) }
}

/// A tile of 8x4 from two packed strips, otherwise as [`strip_tile`].
///
/// # Safety
/// As [`strip_tile`].
#[inline(never)]
pub unsafe fn strip_pair(run: &Run, strips: [*const f32; 2], c: &[usize]) {
    // SAFETY: passed on to the caller.
    unsafe { strips_kernel::<2, 1>(run, strips, c) }
}

/// S strips of four rows times NV vectors.
#[inline(always)]
unsafe fn strips_kernel<const S: usize, const NV: usize>(
    run: &Run,
    strips: [*const f32; S],
    c: &[usize],
) {
    // SAFETY: the caller's addresses are valid for the tile.
    unsafe {
        let mut acc = [[[ZERO; NV]; HEIGHT]; S];
        let mut strips = strips.map(|strip| strip as *const u8);
        let Run { b_step, b_unit, .. } = *run;
        for s in 0..run.count {
            let segment = *run.segments.add(s);
            let mut b = (run.b as *const u8).wrapping_add(segment.b as usize * b_unit);
            for _ in 0..segment.len {
                let mut vb = [ZERO; NV];
                for (j, v) in vb.iter_mut().enumerate() {
                    *v = v128_load((b as *const v128).add(j));
                }
                for (strip, acc) in strips.iter_mut().zip(&mut acc) {
                    let va = v128_load(*strip as *const v128);
                    add_product(i32x4_shuffle::<0, 0, 0, 0>(va, va), &vb, &mut acc[0]);
                    add_product(i32x4_shuffle::<1, 1, 1, 1>(va, va), &vb, &mut acc[1]);
                    add_product(i32x4_shuffle::<2, 2, 2, 2>(va, va), &vb, &mut acc[2]);
                    add_product(i32x4_shuffle::<3, 3, 3, 3>(va, va), &vb, &mut acc[3]);
                    *strip = strip.wrapping_add(16);
                }
                b = b.wrapping_add(b_step);
            }
        }
        finish(run, acc.as_flattened(), c.as_ptr(), c.len());
    }
}

#[inline(always)]
fn add_product<const NV: usize>(a: v128, b: &[v128; NV], acc: &mut [v128; NV]) {
    for j in 0..NV {
        acc[j] = f32x4_relaxed_madd(a, b[j], acc[j]);
    }
}

/// Stores the first `rows` rows of a tile, or adds them to C. Whole tiles, nearly all, are stored
/// without a look at each row.
#[inline(always)]
unsafe fn finish<const NV: usize>(run: &Run, acc: &[[v128; NV]], c: *const usize, rows: usize) {
    // SAFETY: the caller's addresses are valid for the tile.
    unsafe {
        let row = |i: usize| (*c.add(i)).wrapping_add(run.column) as *mut f32;
        if rows < acc.len() || run.last_lanes < 4 {
            for i in 0..acc.len() {
                if i < rows {
                    store_row(row(i), acc[i], run.add, run.last_lanes);
                }
            }
        } else if run.add {
            for i in 0..acc.len() {
                store_row(row(i), acc[i], true, 4);
            }
        } else {
            for i in 0..acc.len() {
                store_row(row(i), acc[i], false, 4);
            }
        }
    }
}

/// One row of a tile; of its last vector only some lanes.
#[inline(always)]
unsafe fn store_row<const NV: usize>(to: *mut f32, row: [v128; NV], add: bool, last_lanes: usize) {
    for (j, v) in row.into_iter().enumerate() {
        // SAFETY: the caller's row is as wide as the tile, but for the lanes that are missing.
        unsafe {
            let p = to.add(j * 4);
            let v = if add { f32x4_add(load(p), v) } else { v };
            if j + 1 < NV {
                store(p, v);
            } else {
                store_part(p, v, last_lanes);
            }
        }
    }
}
