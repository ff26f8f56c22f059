//! The driver of all matrix products, convolutions included: C = A B over register tiles.
//!
//! Loop order: chunk of rows (one task; its part of A stays in the second-level cache), block of k
//! (its panel of B stays in the first-level cache), panel of columns, tile of rows.
mod chunk;
pub mod dot;
pub mod epilogue;
mod matmul;
pub mod micro;
pub mod pack;
pub mod segments;
pub mod strips;

use crate::threads;
use chunk::chunk;
use epilogue::Epilogue;
use micro::Segment;
use pack::PANEL;
use strips::{LONGEST, MAX_ROWS};

/// Longest segment, in steps of k: of sixteen columns of B it meets 20 KiB.
pub const KC: usize = 320;

/// Columns that are handed out together: two panels, whole cache lines of C.
const COLUMNS: usize = 2 * PANEL;

/// Tells where the rows of A and C lie.
pub trait Rows {
    /// Writes the byte addresses of rows `first ..` of A and of C, as many as the slices hold.
    fn fill(&self, first: usize, a: &mut [usize], c: &mut [usize]);
}

/// Rows that lie evenly spaced; the spacing is in bytes.
#[derive(Clone, Copy)]
pub struct EvenRows {
    pub a: usize,
    pub a_pitch: usize,
    pub c: usize,
    pub c_pitch: usize,
}

impl Rows for EvenRows {
    fn fill(&self, first: usize, a: &mut [usize], c: &mut [usize]) {
        let (mut at, mut to) = (self.a + first * self.a_pitch, self.c + first * self.c_pitch);
        for (a, c) in a.iter_mut().zip(c) {
            (*a, *c) = (at, to);
            (at, to) = (at + self.a_pitch, to + self.c_pitch);
        }
    }
}

/// Where B lies.
#[derive(Clone, Copy)]
pub enum Operand {
    /// As rows of C's columns, `ld` floats apart; they may overlap.
    Rows { at: *const f32, ld: usize },
    /// Packed in panels of eight columns and `depth` rows.
    Panels { at: *const f32, depth: usize },
    /// Packed in panels of sixteen columns and `depth` rows of 16 floats, filled or not.
    WidePanels { at: *const f32, depth: usize },
}

impl Operand {
    /// Longest block of k: eight columns of a packed B then take 16 KiB, sixteen of another 20.
    fn longest_block(&self) -> usize {
        match self {
            Operand::Rows { .. } | Operand::WidePanels { .. } => KC,
            Operand::Panels { .. } => LONGEST,
        }
    }

    /// The panel that starts at `column`, the bytes between its rows, and the bytes that segments
    /// count in.
    fn panel(&self, column: usize, width: usize) -> (*const f32, usize, usize) {
        match *self {
            Operand::Rows { at, ld } => (at.wrapping_add(column), ld * 4, 4),
            Operand::Panels { at, depth } => {
                (at.wrapping_add(column * depth), width * 4, width * 4)
            }
            Operand::WidePanels { at, depth } => {
                let offset = column / COLUMNS * COLUMNS * depth + column % COLUMNS;
                (at.wrapping_add(offset), COLUMNS * 4, COLUMNS * 4)
            }
        }
    }
}

/// One product of `m` rows and `n` columns.
#[derive(Clone, Copy)]
pub struct Problem<R> {
    pub rows: R,
    pub m: usize,
    pub n: usize,
    pub segments: *const Segment,
    pub segment_count: usize,
    /// Bytes between neighbours in k within a row of A.
    pub step: usize,
    pub b: Operand,
    /// Add to C instead of overwriting it.
    pub add: bool,
    /// What follows, once C is whole; its channels are the columns.
    pub then: Option<Epilogue>,
}

/// How a product is cut into tasks: by its shape alone.
#[derive(Clone, Copy)]
struct Grid {
    chunk_rows: usize,
    row_chunks: usize,
    chunk_panels: usize,
    panel_chunks: usize,
}

impl Grid {
    fn new(m: usize, n: usize) -> Grid {
        // A multiple of 16 chunks keeps 2, 4, 8 or 16 threads evenly busy.
        let waves = m.div_ceil(16 * MAX_ROWS).max(1);
        let chunk_rows = m.div_ceil(16 * waves).next_multiple_of(4).max(8);
        let row_chunks = m.div_ceil(chunk_rows);
        // With few rows the columns are split too.
        let panels = n.div_ceil(COLUMNS);
        let (chunk_panels, panel_chunks) = threads::split(panels, 1, 16usize.div_ceil(row_chunks));
        Grid {
            chunk_rows,
            row_chunks,
            chunk_panels,
            panel_chunks,
        }
    }

    /// For one thread: as few chunks as the tables allow. No sum depends on the grid.
    fn whole(m: usize, n: usize) -> Grid {
        let (chunk_rows, row_chunks) = threads::split(m, m.min(MAX_ROWS), m.div_ceil(MAX_ROWS));
        Grid {
            chunk_rows,
            row_chunks,
            chunk_panels: n.div_ceil(COLUMNS),
            panel_chunks: 1,
        }
    }

    fn tasks(&self) -> usize {
        self.row_chunks * self.panel_chunks
    }
}

/// Runs `count` products of one shape on all threads, if they are worth it.
///
/// # Safety
/// All addresses are valid and the products write disjoint memory.
pub unsafe fn run<R: Rows>(
    m: usize,
    n: usize,
    k: usize,
    count: usize,
    at: &dyn Fn(usize) -> Problem<R>,
) {
    let work = 2 * m as u64 * n as u64 * k as u64 * count as u64;
    let grid = if work < threads::PARALLEL_WORK {
        Grid::whole(m, n)
    } else {
        Grid::new(m, n)
    };
    // SAFETY: tasks write disjoint rows and columns of C.
    unsafe {
        threads::run(work, count * grid.tasks(), &|task| {
            let (product, task) = (task as usize / grid.tasks(), task as usize % grid.tasks());
            chunk(&at(product), &grid, task);
        });
    }
}

/// Runs one product on the calling thread.
///
/// # Safety
/// As [`run`].
pub unsafe fn run_here<R: Rows>(problem: &Problem<R>) {
    let grid = Grid::whole(problem.m, problem.n);
    for task in 0..grid.tasks() {
        // SAFETY: passed on to the caller.
        unsafe { chunk(problem, &grid, task) };
    }
}
