//! Products of few rows with a transposed B: both operands are contiguous along k, so tiles of
//! 4x2 dot products run without packing B, which would cost as much as the product itself.
use crate::simd::*;
use crate::threads;

/// Rows up to which this beats packing B.
pub const MAX_ROWS: usize = 8;

/// `c[m,n] = a[m,k] b[n,k]ᵀ`, in parallel over columns if worth it.
///
/// # Safety
/// The operands have these shapes.
pub unsafe fn dot_product(
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    (m, n, k): (usize, usize, usize),
) {
    let work = 2 * m as u64 * n as u64 * k as u64;
    let (size, count) = threads::split(n.div_ceil(2), 4, 16);
    // SAFETY: tasks write disjoint columns.
    unsafe {
        threads::run(work, count, &|task| {
            let first = task as usize * size * 2;
            for j in (first..n.min(first + 2 * size)).step_by(2) {
                for i in (0..m).step_by(4) {
                    // Rows and columns past the end repeat the last one.
                    let row = |q: usize| a.add((i + q).min(m - 1) * k);
                    let column = |q: usize| b.add((j + q).min(n - 1) * k);
                    let sums = tile([row(0), row(1), row(2), row(3)], [column(0), column(1)], k);
                    for (q, pair) in sums.iter().enumerate().take(m - i) {
                        for (r, sum) in pair.iter().enumerate().take(n - j) {
                            *c.add((i + q) * n + j + r) = *sum;
                        }
                    }
                }
            }
        });
    }
}

/// 4x2 dot products of length k: eight accumulators of four partial sums each.
#[inline(never)]
unsafe fn tile(a: [*const f32; 4], b: [*const f32; 2], k: usize) -> [[f32; 2]; 4] {
    let mut acc = [[ZERO; 2]; 4];
    let mut p = 0;
    // SAFETY: the rows are k long, and readable one vector past their end.
    unsafe {
        while p < k {
            let mut vb = [load(b[0].add(p)), load(b[1].add(p))];
            let last = k - p < 4;
            if last {
                let mask = first_lanes(k - p);
                vb = vb.map(|v| v128_and(v, mask));
            }
            for i in 0..4 {
                let mut va = load(a[i].add(p));
                if last {
                    va = v128_and(va, first_lanes(k - p));
                }
                for j in 0..2 {
                    acc[i][j] = madd(va, vb[j], acc[i][j]);
                }
            }
            p += 4;
        }
    }
    acc.map(|pair| pair.map(horizontal_sum))
}
