//! Packing of A: strips of four rows, step of k after step of k.
//!
//! The engine may check the bounds of every access (Deno's V8 does: a comparison and a branch).
//! Read where it lies, a step of k loads one value per row of the tile; packed, one vector brings
//! four. The copy takes a quarter of a tile's time, so it pays once a strip meets several tiles.
use super::micro::Segment;
use super::pack::transpose;
use crate::simd::*;
use core::mem::MaybeUninit;

/// Rows of a strip.
pub const HEIGHT: usize = 4;

/// Most rows that are packed at a time, and the longest block of k.
pub const MAX_ROWS: usize = 96;
pub const LONGEST: usize = 512;

/// Room for packed strips, on their thread's stack; aligned so that no vector of it straddles two
/// cache lines.
#[repr(align(64))]
pub struct Room(MaybeUninit<[f32; MAX_ROWS * LONGEST]>);

impl Room {
    #[inline(always)]
    pub fn new() -> Room {
        Room(MaybeUninit::uninit())
    }

    pub fn at(&mut self) -> *mut f32 {
        self.0.as_mut_ptr() as *mut f32
    }
}

/// Fewest columns for which a strip is packed: two tiles' worth.
const MIN_COLUMNS: usize = 13;

/// Whether to pack an A that `columns` columns meet.
pub fn pays(rows: usize, columns: usize) -> bool {
    rows.next_multiple_of(HEIGHT) * 7 <= rows * 8 && columns >= MIN_COLUMNS
}

/// Packs rows whose byte addresses are `a`, in whole strips: `a` repeats the last row up to there.
/// Values of k lie `step` bytes apart within a segment. Strips follow each other, each four times
/// as long as the segments together.
///
/// # Safety
/// `to` has room for the strips; every row is valid over the segments, and three values more.
pub unsafe fn pack(a: &[usize], step: usize, segments: &[Segment], mut to: *mut f32) {
    for rows in a.chunks_exact(HEIGHT) {
        let rows = [rows[0], rows[1], rows[2], rows[3]];
        let side_by_side = (1..HEIGHT).all(|i| rows[i] == rows[0].wrapping_add(4 * i));
        for segment in segments {
            let from = rows.map(|row| row.wrapping_add_signed(segment.offset as isize * 4));
            let len = segment.len as usize;
            // SAFETY: passed on to the caller.
            unsafe {
                match (step, side_by_side) {
                    (4, _) => along(from, len, to),
                    (_, true) => across(from[0], step, len, to),
                    _ => apart(from, step, len, to),
                }
                to = to.add(HEIGHT * len);
            }
        }
    }
}

/// Values of k lie side by side.
#[inline(never)]
unsafe fn along(from: [usize; HEIGHT], len: usize, to: *mut f32) {
    let from = from.map(|row| row as *const f32);
    let whole = len / 4 * 4;
    for j in (0..whole).step_by(4) {
        // SAFETY: the rows are valid up to `len`.
        unsafe {
            let block = transpose(from.map(|row| load(row.add(j))));
            for (q, v) in block.into_iter().enumerate() {
                store(to.add((j + q) * HEIGHT), v);
            }
        }
    }
    if whole < len {
        // SAFETY: a last vector may be loaded whole; what is beyond `len` is not stored.
        unsafe {
            let [first, second, third, _] = transpose(from.map(|row| load(row.add(whole))));
            let to = to.add(whole * HEIGHT);
            store(to, first);
            if whole + 1 < len {
                store(to.add(HEIGHT), second);
            }
            if whole + 2 < len {
                store(to.add(2 * HEIGHT), third);
            }
        }
    }
}

/// The four rows lie side by side.
#[inline(never)]
unsafe fn across(from: usize, step: usize, len: usize, to: *mut f32) {
    let mut from = from;
    for p in 0..len {
        // SAFETY: the rows are valid up to `len`.
        unsafe { store(to.add(p * HEIGHT), load(from as *const f32)) };
        from = from.wrapping_add(step);
    }
}

/// Nothing lies side by side.
#[inline(never)]
unsafe fn apart(from: [usize; HEIGHT], step: usize, len: usize, to: *mut f32) {
    let mut from = from;
    for p in 0..len {
        // SAFETY: the rows are valid up to `len`.
        unsafe {
            let value = |i: usize| *(from[i] as *const f32);
            let v = f32x4(value(0), value(1), value(2), value(3));
            store(to.add(p * HEIGHT), v);
        }
        from = from.map(|row| row.wrapping_add(step));
    }
}
