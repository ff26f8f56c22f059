//! Batched matrix product.
use super::dot::{self, dot_product};
use super::pack::{pack_columns, pack_rows, packed_len, panel_width, worth_packing, PANEL};
use super::segments::{segments_len, SegmentList};
use super::{run, EvenRows, Operand, Problem};
use crate::memory::floats;
use crate::{memory, threads};
use wasm_bindgen::prelude::*;

/// Floats of packed B made at a time.
const PACKED_MAX: usize = 8 << 20;

/// Geometry of [`matmul`], as TypeScript lays it out. Strides in elements; 0 broadcasts.
#[repr(C)]
#[derive(Clone, Copy)]
struct Geometry {
    batch: i32,
    m: i32,
    n: i32,
    k: i32,
    transpose_a: i32,
    transpose_b: i32,
    a_batch_stride: i32,
    b_batch_stride: i32,
}

/// `c[i] = op(a[i]) op(b[i])` for every i of the batch: a is `[m, k]`, or `[k, m]` when transposed;
/// b is `[k, n]`, or `[n, k]`; c is `[batch, m, n]`.
#[wasm_bindgen]
pub fn matmul(a: *const f32, b: *const f32, c: *mut f32, geom: *const i32) {
    // SAFETY: TypeScript has checked shapes and sizes.
    unsafe {
        let mut g = *(geom as *const Geometry);
        if g.batch <= 0 || g.m <= 0 || g.n <= 0 {
            return;
        }
        if g.b_batch_stride == 0 && g.transpose_a == 0 && g.a_batch_stride == g.m * g.k {
            (g.batch, g.m) = (1, g.m * g.batch); // one B for all: one tall product
        }
        let (m, n, k) = (g.m as usize, g.n as usize, g.k as usize);
        let few = m <= dot::MAX_ROWS && g.transpose_a == 0 && g.transpose_b != 0 && k > 0;
        if !few {
            return tiled(a, b, c, &g);
        }
        for i in 0..g.batch as usize {
            let (a, b) = (g.a(a, i), g.b(b, i));
            dot_product(a, b, c.add(i * m * n), (m, n, k));
        }
    }
}

impl Geometry {
    fn a(&self, a: *const f32, i: usize) -> *const f32 {
        a.wrapping_add(i * self.a_batch_stride as usize)
    }

    fn b(&self, b: *const f32, i: usize) -> *const f32 {
        b.wrapping_add(i * self.b_batch_stride as usize)
    }

    fn unpacked(&self) -> bool {
        self.transpose_b == 0 && !worth_packing(self.m as usize, self.n as usize)
    }
}

/// The general way: B packed, or read as it lies, and register tiles.
unsafe fn tiled(a: *const f32, b: *const f32, c: *mut f32, g: &Geometry) {
    let (m, n, k) = (g.m as usize, g.n as usize, g.k as usize);
    let (batch, shared) = (g.batch as usize, g.b_batch_stride == 0);
    let len = if g.unpacked() { 0 } else { packed_len(k, n) };
    // A shared B is packed once; of many, some at a time.
    let group = if shared {
        batch
    } else {
        (PACKED_MAX as u64 / len.max(1)).clamp(1, batch as u64) as usize
    };
    let packs = if shared { 1 } else { group };
    let sizes = [len.saturating_mul(packs as u64), segments_len(1, k)];
    let Some([packed, scratch]) = memory::workspace(sizes) else {
        return;
    };
    let len = len as usize;
    let (a_pitch, step) = match g.transpose_a != 0 {
        false => (k * 4, 4),
        true => (4, m * 4),
    };
    // SAFETY: TypeScript has checked shapes and sizes; scratch is as large as asked for.
    unsafe {
        let operand = |b: *const f32, i: usize| match len {
            0 => Operand::Rows {
                at: g.b(b, i),
                ld: n,
            },
            _ => Operand::Panels {
                at: packed.add(if shared { 0 } else { i * len }),
                depth: k,
            },
        };
        let mut list = SegmentList::new(scratch, step, &operand(b, 0));
        list.push(0, k);
        let (segments, segment_count, _) = list.list();
        for first in (0..batch).step_by(group) {
            let count = group.min(batch - first);
            if len > 0 && (first == 0 || !shared) {
                pack(g.b(b, first), packed, g, packs.min(count));
            }
            run(m, n, k, count, &|i| {
                let rows = EvenRows {
                    a: g.a(a, first + i) as usize,
                    a_pitch,
                    c: c.add((first + i) * m * n) as usize,
                    c_pitch: n * 4,
                };
                let b = operand(g.b(b, first), i);
                Problem {
                    rows,
                    m,
                    n,
                    segments,
                    segment_count,
                    step,
                    b,
                    add: false,
                    then: None,
                }
            });
        }
    }
}

/// Packs `count` matrices B, in parallel over all their panels if worth it.
unsafe fn pack(b: *const f32, to: *mut f32, g: &Geometry, count: usize) {
    let (n, k) = (g.n as usize, g.k as usize);
    let panels = n.div_ceil(PANEL);
    let work = floats([count, k, n, 2]);
    // SAFETY: every task writes a panel of its own.
    unsafe {
        threads::run(work, count * panels, &|task| {
            let (i, column) = (task as usize / panels, task as usize % panels * PANEL);
            let (b, width) = (g.b(b, i), panel_width(n, column));
            let to = to.add(i * packed_len(k, n) as usize + column * k);
            if g.transpose_b == 0 {
                pack_rows(b.add(column), n, k, width, to);
            } else {
                pack_columns(b.add(column * k), k, k, n - column, width, to);
            }
        });
    }
}
