//! The matrix product of one point, on the calling thread.
use crate::gemm::chunk::strip_panels;
use crate::gemm::micro::{Run, Segment};
use crate::gemm::pack::{panel_width, PANEL};
use crate::gemm::strips::{self, Room, HEIGHT, MAX_ROWS};

/// Longest block of k: a panel of B then takes 20 KiB.
const KC: usize = 320;

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

impl Rows {
    /// Byte addresses of rows `first ..`, as many as the table holds; the last of `m` repeats.
    fn fill(&self, first: usize, m: usize, table: &mut [usize]) {
        for (i, address) in table.iter_mut().enumerate() {
            let row = (first + i).min(m - 1);
            let offset = row / 16 * self.group + row % 16 * self.row;
            *address = self.at.wrapping_add(offset) as usize;
        }
    }
}

/// `C = A B`, or `C += A B`, over `m` rows, `n` columns (a multiple of four) and `k` values.
///
/// # Safety
/// All addresses are valid.
pub unsafe fn product(a: Rows, b: Panels, c: Sums, (m, n, k): (usize, usize, usize), add: bool) {
    let blocks = k.div_ceil(KC);
    for first_row in (0..m).step_by(MAX_ROWS) {
        let rows = MAX_ROWS.min(m - first_row);
        for block in 0..blocks {
            let (first, end) = (block * k / blocks, (block + 1) * k / blocks);
            let at = a.at.wrapping_add(first * a.step);
            let b = Panels {
                at: b.at.wrapping_add(first * 16),
                ..b
            };
            let add = add || block > 0;
            // SAFETY: passed on to the caller.
            unsafe {
                part(
                    Rows { at, ..a },
                    b,
                    c,
                    (first_row, rows),
                    (m, n, end - first),
                    add,
                )
            };
        }
    }
}

/// Some rows over one block of k.
#[inline(never)]
unsafe fn part(
    a: Rows,
    b: Panels,
    c: Sums,
    (first_row, rows): (usize, usize),
    (m, n, k): (usize, usize, usize),
    add: bool,
) {
    let (mut from, mut to) = ([0; MAX_ROWS], [0; MAX_ROWS]);
    let from = &mut from[..rows.next_multiple_of(HEIGHT)];
    a.fill(first_row, m, from);
    for (i, address) in to.iter_mut().enumerate().take(rows) {
        *address = c.at.wrapping_add((first_row + i) * c.row) as usize;
    }
    let segments = [Segment {
        offset: 0,
        b: 0,
        len: k as u32,
    }];
    let mut room = Room::new();
    let packed = room.at();
    let run = |column: usize| Run {
        width: panel_width(n, column),
        b: b.at.wrapping_add(column / 16 * 16 * b.depth + column % 16),
        segments: segments.as_ptr(),
        count: 1,
        step: a.step * 4,
        b_step: 64,
        b_unit: 0,
        column: column * 4,
        last_lanes: 4,
        add,
    };
    // SAFETY: passed on to the caller; the room is large enough for MAX_ROWS rows of KC values.
    unsafe {
        strips::pack(from, a.step * 4, &segments, packed);
        for column in (0..n).step_by(16) {
            let second = (column + PANEL < n).then(|| run(column + PANEL));
            strip_panels(packed, k, &to[..rows], run(column), second);
        }
    }
}
