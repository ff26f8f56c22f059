//! Copies: whole, filled, and strided (slice, pad, concatenate, transpose).
use crate::gemm::pack::transpose;
use crate::{simd::*, threads};
use wasm_bindgen::prelude::*;

const MAX_RANK: usize = 8;

/// Copies `bytes` bytes; the ranges may overlap.
#[wasm_bindgen]
pub fn copy(src: *const u8, dst: *mut u8, bytes: usize) {
    // SAFETY: TypeScript has checked the sizes.
    unsafe { core::ptr::copy(src, dst, bytes) }
}

/// Sets `count` floats.
#[wasm_bindgen]
pub fn fill(ptr: *mut f32, count: usize, value: f32) {
    // SAFETY: TypeScript has checked the size.
    unsafe {
        if value.to_bits() == 0 {
            core::ptr::write_bytes(ptr, 0, count);
        } else {
            core::slice::from_raw_parts_mut(ptr, count).fill(value);
        }
    }
}

/// Dimensions in the order of the walk, with source and destination strides in elements.
#[derive(Clone, Copy)]
struct Walk {
    rank: usize,
    dims: [usize; MAX_RANK],
    from: [isize; MAX_RANK],
    to: [isize; MAX_RANK],
}

impl Walk {
    /// Reads dims, source strides, destination strides; drops dimensions of size 1 and joins those
    /// that run on in both tensors.
    unsafe fn read(rank: usize, geom: *const i32) -> Walk {
        let zero = [0; MAX_RANK];
        let mut walk = Walk {
            rank: 0,
            dims: [1; MAX_RANK],
            from: zero,
            to: zero,
        };
        for i in 0..rank.min(MAX_RANK) {
            // SAFETY: the geometry has 3 rank words.
            let [size, from, to] =
                unsafe { [i, rank + i, 2 * rank + i].map(|at| *geom.add(at) as isize) };
            if size == 1 {
                continue;
            }
            let last = walk.rank.wrapping_sub(1);
            if walk.rank > 0 && walk.from[last] == from * size && walk.to[last] == to * size {
                walk.dims[last] *= size.max(0) as usize;
                (walk.from[last], walk.to[last]) = (from, to);
                continue;
            }
            walk.dims[walk.rank] = size.max(0) as usize;
            (walk.from[walk.rank], walk.to[walk.rank]) = (from, to);
            walk.rank += 1;
        }
        walk
    }

    /// Brings the dimension that is contiguous in the source next to the innermost one, so that a
    /// transpose can work on 4x4 blocks.
    fn for_transpose(mut self) -> Walk {
        let last = self.rank.wrapping_sub(1);
        let inner = (0..last.min(MAX_RANK)).find(|&i| self.from[i] == 1 && self.dims[i] >= 4);
        if let (Some(i), true) = (inner, self.rank >= 2 && self.from[last] != 1) {
            for j in i..last - 1 {
                self.dims.swap(j, j + 1);
                self.from.swap(j, j + 1);
                self.to.swap(j, j + 1);
            }
        }
        self
    }

    /// Offsets of line `line`, where a line is everything but the innermost `inner` dimensions.
    fn offsets(&self, inner: usize, line: usize) -> (isize, isize) {
        let (mut rest, mut from, mut to) = (line, 0, 0);
        for i in (0..self.rank - inner).rev() {
            let index = (rest % self.dims[i]) as isize;
            rest /= self.dims[i];
            from += index * self.from[i];
            to += index * self.to[i];
        }
        (from, to)
    }
}

/// `dst[i . dst_strides] = src[i . src_strides]` over all indices i of `dims`, or `+=`. `geom`
/// holds dims, source strides and destination strides, `rank` words each, in elements. Source and
/// destination do not overlap.
#[wasm_bindgen]
pub fn copy_strided(
    src: *const f32,
    dst: *mut f32,
    rank: usize,
    geom: *const i32,
    src_offset: usize,
    dst_offset: usize,
    accumulate: u32,
) {
    // SAFETY: TypeScript has checked the geometry.
    unsafe {
        let walk = Walk::read(rank, geom);
        let (src, dst, add) = (src.add(src_offset), dst.add(dst_offset), accumulate != 0);
        let total: usize = walk.dims.iter().product();
        if total == 0 {
            return;
        }
        if walk.rank == 0 {
            return line(src, dst, 1, (1, 1), add);
        }
        // Destinations that meet must be written in order.
        let apart = walk.to[..walk.rank].iter().all(|&stride| stride != 0);
        let work = if apart { total as u64 * 3 } else { 0 };
        let walk = if add { walk } else { walk.for_transpose() };
        let last = walk.rank - 1;
        let blocks = !add && last >= 1 && walk.from[last - 1] == 1 && walk.to[last] == 1;
        if blocks {
            return transpose_planes(src, dst, &walk, work);
        }
        let (count, strides) = (walk.dims[last], (walk.from[last], walk.to[last]));
        let lines = total / count;
        let (size, chunks) = threads::split(lines, (8192 / count).max(1), 64);
        threads::run(work, chunks, &|task| {
            let first = task as usize * size;
            for i in first..lines.min(first + size) {
                let (from, to) = walk.offsets(1, i);
                line(
                    src.wrapping_offset(from),
                    dst.wrapping_offset(to),
                    count,
                    strides,
                    add,
                );
            }
        });
    }
}

/// Columns of a transpose that go together: the destination's cache lines are then written whole.
const COLUMNS: usize = 16;

/// Transposes the two innermost dimensions for every index of the others.
unsafe fn transpose_planes(src: *const f32, dst: *mut f32, walk: &Walk, work: u64) {
    let columns = walk.dims[walk.rank - 1];
    let planes = walk.dims[..walk.rank - 2].iter().product::<usize>();
    let strips = columns.div_ceil(COLUMNS);
    let (size, chunks) = threads::split(planes * strips, 1, 64);
    // SAFETY: every task writes strips of its own.
    unsafe {
        threads::run(work, chunks, &|task| {
            let first = task as usize * size;
            for i in first..(planes * strips).min(first + size) {
                let (from, to) = walk.offsets(2, i / strips);
                let (src, dst) = (src.wrapping_offset(from), dst.wrapping_offset(to));
                let column = i % strips * COLUMNS;
                transpose_strip(src, dst, walk, column, columns.min(column + COLUMNS));
            }
        });
    }
}

/// One run of the innermost dimension.
#[inline(never)]
unsafe fn line(
    src: *const f32,
    dst: *mut f32,
    count: usize,
    (from, to): (isize, isize),
    add: bool,
) {
    // SAFETY: the caller's run.
    unsafe {
        if (from, to) == (1, 1) {
            for i in (0..count).step_by(4) {
                let (at, v) = (dst.add(i), load(src.add(i)));
                let v = if add { f32x4_add(load(at), v) } else { v };
                store_part(at, v, count - i);
            }
            return;
        }
        for i in 0..count as isize {
            let (at, v) = (dst.wrapping_offset(i * to), *src.wrapping_offset(i * from));
            *at = if add { *at + v } else { v };
        }
    }
}

/// Columns `first .. end` of the two innermost dimensions, contiguous in the source along the outer
/// and in the destination along the inner one, in 4x4 blocks.
#[inline(never)]
unsafe fn transpose_strip(src: *const f32, dst: *mut f32, walk: &Walk, first: usize, end: usize) {
    let last = walk.rank - 1;
    let (rows, from, to) = (walk.dims[last - 1], walk.from[last], walk.to[last - 1]);
    // SAFETY: the two dimensions lie inside the tensors; loads may pass the end by a vector.
    unsafe {
        for i in (0..rows).step_by(4) {
            for j in (first..end).step_by(4) {
                let column = |q: usize| {
                    let column = (j + q).min(end - 1) as isize * from;
                    load(src.wrapping_offset(column).wrapping_add(i))
                };
                let block = transpose([column(0), column(1), column(2), column(3)]);
                for (q, &v) in block.iter().enumerate().take(rows - i) {
                    let at = dst.wrapping_offset((i + q) as isize * to).wrapping_add(j);
                    store_part(at, v, end - j);
                }
            }
        }
    }
}
