//! The matrix product of one point, on the calling thread.
use crate::gemm::micro::Segment;
use crate::gemm::{self, run_here, Operand, Problem, KC};

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

/// The rows of a product, as the driver asks for them.
#[derive(Clone, Copy)]
struct PointRows {
    a: Rows,
    c: Sums,
}

impl gemm::Rows for PointRows {
    fn fill(&self, first: usize, a: &mut [usize], c: &mut [usize]) {
        for (i, (a, c)) in a.iter_mut().zip(c).enumerate() {
            let row = first + i;
            let offset = row / 16 * self.a.group + row % 16 * self.a.row;
            *a = self.a.at.wrapping_add(offset) as usize;
            *c = self.c.at.wrapping_add(row * self.c.row) as usize;
        }
    }
}

/// `C = A B`, or `C += A B`, over `m` rows, `n` columns (a multiple of four) and `k` values.
///
/// # Safety
/// All addresses are valid.
pub unsafe fn product(a: Rows, b: Panels, c: Sums, (m, n, k): (usize, usize, usize), add: bool) {
    let blocks = k.div_ceil(KC);
    for block in 0..blocks {
        let (first, end) = (block * k / blocks, (block + 1) * k / blocks);
        let at = a.at.wrapping_add(first * a.step);
        let segment = Segment {
            offset: 0,
            b: first as u32,
            len: (end - first) as u32,
        };
        let problem = Problem {
            rows: PointRows {
                a: Rows { at, ..a },
                c,
            },
            m,
            n,
            segments: &segment,
            segment_count: 1,
            step: a.step * 4,
            b: Operand::WidePanels {
                at: b.at,
                depth: b.depth,
            },
            add: add || block > 0,
            then: None,
        };
        // SAFETY: passed on to the caller.
        unsafe { run_here(&problem) };
    }
}
