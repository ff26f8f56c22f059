//! One task of a product: a chunk of rows times a chunk of columns, block of k by block of k.
use super::micro::{strip_pair, strip_tile, tile, tile_rows, tile_width, Run, Segment};
use super::pack::{panel_width, PANEL};
use super::strips::{self, Room, HEIGHT, MAX_ROWS};
use super::{Grid, Operand, Problem, Rows, COLUMNS, KC};
use crate::simd::*;

/// Rows of the address tables: the last tile of a chunk may reach over its edge.
const TABLE: usize = MAX_ROWS + 8;

/// What all blocks of k have in common.
struct Chunk<'a, R> {
    p: &'a Problem<R>,
    /// Addresses of the rows of A, repeating the last one, and of C.
    a: [usize; TABLE],
    c: [usize; TABLE],
    rows: usize,
    first_column: usize,
    end_column: usize,
}

/// Runs one task.
///
/// # Safety
/// As [`super::run`].
pub(super) unsafe fn chunk<R: Rows>(p: &Problem<R>, grid: &Grid, task: usize) {
    let first_row = task % grid.row_chunks * grid.chunk_rows;
    let rows = grid.chunk_rows.min(p.m - first_row);
    let first_column = task / grid.row_chunks * grid.chunk_panels * COLUMNS;
    let end_column = p.n.min(first_column + grid.chunk_panels * COLUMNS);
    let (mut a, mut c) = ([0usize; TABLE], [0usize; TABLE]);
    p.rows.fill(first_row, &mut a[..rows], &mut c[..rows]);
    let last = a[rows - 1];
    a[rows..rows + 8].fill(last);
    let chunk = Chunk {
        p,
        a,
        c,
        rows,
        first_column,
        end_column,
    };
    let packs = strips::pays(rows, end_column - first_column);
    let mut segment = 0;
    loop {
        // SAFETY: still inside the list, which may be empty.
        let segments = unsafe {
            let left =
                core::slice::from_raw_parts(p.segments.add(segment), p.segment_count - segment);
            block(left, p.b.longest_block())
        };
        let add = p.add || segment > 0;
        // SAFETY: passed on to the caller.
        unsafe {
            if packs {
                chunk.strips(segments, add);
            } else {
                chunk.tiles(segments, add);
            }
        }
        segment += segments.len();
        if segment >= p.segment_count {
            break;
        }
    }
    if let Some(then) = &p.then {
        // SAFETY: passed on to the caller.
        unsafe { then.pixels(&chunk.c[..rows], (first_column, end_column)) };
    }
}

/// The segments that make up the next block of k.
fn block(segments: &[Segment], longest: usize) -> &[Segment] {
    let mut total = 0;
    for (i, segment) in segments.iter().enumerate() {
        let len = segment.len as usize;
        if i > 0 && total + len > longest {
            return &segments[..i];
        }
        total += len;
    }
    segments
}

impl<R: Rows> Chunk<'_, R> {
    /// The columns from `column` on, `width` of them, over a block of k.
    fn run(&self, segments: &[Segment], column: usize, width: usize, add: bool) -> Run {
        let p = self.p;
        let (b, b_step, b_unit) = p.b.panel(column, width);
        Run {
            width,
            b,
            segments: segments.as_ptr(),
            count: segments.len(),
            step: p.step,
            b_step,
            b_unit,
            column: column * 4,
            last_lanes: if column + width <= p.n { 4 } else { p.n % 4 },
            add,
        }
    }

    /// A block of k with A packed.
    #[inline(never)]
    unsafe fn strips(&self, segments: &[Segment], add: bool) {
        let k: usize = segments.iter().map(|s| s.len as usize).sum();
        let mut room = Room::new();
        let packed = room.at();
        let c = &self.c[..self.rows];
        // A strip meets two panels in turn, so that the tiles write whole cache lines of C. Of long
        // blocks C matters less than that two panels do not fit the first-level cache.
        let at_once = if k <= KC { COLUMNS } else { PANEL };
        // SAFETY: a block is at most LONGEST long, and a chunk has at most MAX_ROWS rows.
        unsafe {
            let rows = &self.a[..self.rows.next_multiple_of(HEIGHT)];
            strips::pack(rows, self.p.step, segments, packed);
            for first in (self.first_column..self.end_column).step_by(at_once) {
                let run = |column| self.run(segments, column, panel_width(self.p.n, column), add);
                if at_once > PANEL && first + PANEL < self.end_column {
                    strip_panels(packed, k, c, &[run(first), run(first + PANEL)]);
                } else {
                    strip_panels(packed, k, c, &[run(first)]);
                }
            }
        }
    }

    /// A block of k with A read where it lies.
    #[inline(never)]
    unsafe fn tiles(&self, segments: &[Segment], add: bool) {
        let at_once = match self.p.b {
            Operand::Rows { .. } => COLUMNS,
            Operand::Panels { .. } | Operand::WidePanels { .. } => PANEL,
        };
        for column in (self.first_column..self.end_column).step_by(at_once) {
            let width = tile_width(self.p.n - column).min(at_once);
            let run = self.run(segments, column, width, add);
            // SAFETY: the table has eight rows to spare.
            unsafe { panel(&run, &self.a, &self.c, self.rows) };
        }
    }
}

/// All tiles of some panels: strip by strip.
#[inline(never)]
unsafe fn strip_panels(strips: *const f32, k: usize, c: &[usize], panels: &[Run]) {
    let strip = |row: usize| strips.wrapping_add(row * k);
    for row in (0..c.len()).step_by(HEIGHT) {
        for run in panels {
            // SAFETY: there is a strip, k steps long, for every four rows of `c`.
            unsafe {
                if run.width == PANEL {
                    strip_tile(run, strip(row), &c[row..]);
                } else if row % (2 * HEIGHT) == 0 {
                    // Without a second strip the first one passes for it; its sums go nowhere.
                    let more = row + HEIGHT < c.len();
                    let below = strip(if more { row + HEIGHT } else { row });
                    strip_pair(run, [strip(row), below], &c[row..]);
                }
            }
        }
    }
}

/// All tiles of `rows` rows of a panel.
unsafe fn panel(run: &Run, a: &[usize], c: &[usize], rows: usize) {
    let height = tile_rows(run.width);
    let mut row = 0;
    while row < rows {
        // SAFETY: `a` has rows to spare.
        unsafe {
            let from = a.as_ptr().add(row);
            if row + height <= rows {
                tile(run, from, c.as_ptr().add(row));
            } else {
                last_tile(run, from, &c[row..rows]);
            }
        }
        row += height;
    }
}

/// A tile with more rows than are left: the others go nowhere.
#[inline(never)]
unsafe fn last_tile(run: &Run, a: *const usize, c: &[usize]) {
    let mut nowhere = [ZERO; 4];
    let mut to = [(nowhere.as_mut_ptr() as usize).wrapping_sub(run.column); 8];
    to[..c.len()].copy_from_slice(c);
    // SAFETY: `nowhere` is as wide as the widest tile.
    unsafe { tile(run, a, to.as_ptr()) };
}
