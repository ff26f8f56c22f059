//! The matrix product of one point, on the calling thread.
use crate::gemm::micro::{tile, tile_rows, Run, Segment};
use crate::gemm::pack::panel_width;
use crate::simd::*;

/// Longest block of k: a panel of B then takes 32 KiB.
const KC: usize = 512;

/// A, by rows: row i lies `i / 16 * group + i % 16 * row` floats from the first, and its values
/// `step` floats apart.
#[derive(Clone, Copy)]
pub struct Rows {
    pub at: *const f32,
    pub row: usize,
    pub group: usize,
    pub step: usize,
}

/// B, in panels of 16 columns, each of `depth` rows of 16 floats.
#[derive(Clone, Copy)]
pub struct Panels {
    pub at: *const f32,
    pub depth: usize,
}

/// C, in rows `row` floats apart.
#[derive(Clone, Copy)]
pub struct Sums {
    pub at: *mut f32,
    pub row: usize,
}

/// `C = A B`, or `C += A B`, over `m` rows, `n` columns (a multiple of four) and `k` values.
///
/// # Safety
/// All addresses are valid.
pub unsafe fn product(a: Rows, b: Panels, c: Sums, (m, n, k): (usize, usize, usize), add: bool) {
    let blocks = k.div_ceil(KC);
    for block in 0..blocks {
        let (first, end) = (block * k / blocks, (block + 1) * k / blocks);
        let segment = Segment {
            offset: 0,
            b: 0,
            len: (end - first) as u32,
        };
        let at = a.at.wrapping_add(first * a.step);
        for column in (0..n).step_by(16) {
            let run = Run {
                width: panel_width(n, column),
                b: b.at.wrapping_add(column * b.depth + first * 16),
                segments: &segment,
                count: 1,
                step: a.step * 4,
                b_step: 64,
                b_unit: 0,
                column: column * 4,
                last_lanes: 4,
                add: add || block > 0,
            };
            // SAFETY: passed on to the caller.
            unsafe { panel(&run, Rows { at, ..a }, c, m) };
        }
    }
}

/// All tiles of one panel.
#[inline(never)]
unsafe fn panel(run: &Run, a: Rows, c: Sums, m: usize) {
    let height = tile_rows(run.width);
    let mut nowhere = [ZERO; 4];
    let nowhere = (nowhere.as_mut_ptr() as usize).wrapping_sub(run.column);
    for first in (0..m).step_by(height) {
        let (mut from, mut to) = ([0usize; 8], [nowhere; 8]);
        for i in 0..height {
            // Rows past the last one repeat it, and go nowhere.
            let row = (first + i).min(m - 1);
            let offset = row / 16 * a.group + row % 16 * a.row;
            from[i] = a.at.wrapping_add(offset) as usize;
            if first + i < m {
                to[i] = c.at.wrapping_add(row * c.row) as usize;
            }
        }
        // SAFETY: passed on to the caller; `nowhere` is as wide as the widest tile.
        unsafe { tile(run, from.as_ptr(), to.as_ptr()) };
    }
}
