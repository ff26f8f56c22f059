//! Packing of B: panels of eight columns (the last one may be four wide), each panel holding its k
//! rows one after the other, so that the micro-kernel reads B as one stream.
use crate::memory::floats;
use crate::simd::*;

/// Columns of a panel.
pub const PANEL: usize = 8;

/// Whether to pack a B of `n` columns for a product of `m` rows, or read it as it lies. For few
/// rows packing costs as much as the product. Rows of B up to 2 KiB apart do well enough unpacked
/// while the copy is not yet cheap; farther apart they crowd into few sets of the caches.
pub fn worth_packing(m: usize, n: usize) -> bool {
    n > 16 && m > 24 && (n > 512 || m > 512)
}

/// Width of the panel that starts at column `column` of `n`: eight, or four where that holds the
/// rest.
pub fn panel_width(n: usize, column: usize) -> usize {
    (n - column).next_multiple_of(4).min(PANEL)
}

/// Floats of a packed B.
pub fn packed_len(k: usize, n: usize) -> u64 {
    floats([k, n.next_multiple_of(4)])
}

/// Packs `rows` rows of `valid` columns from `b` (rows `ld` floats apart) for a panel `width` wide.
/// Columns beyond `valid` get whatever lies there: their products are never stored.
///
/// # Safety
/// `b` is readable over those rows and one vector more, `to` holds `rows * width` floats.
#[inline(never)]
pub unsafe fn pack_rows(b: *const f32, ld: usize, rows: usize, width: usize, to: *mut f32) {
    // SAFETY: the caller's addresses are valid.
    unsafe {
        let (mut from, mut to) = (b, to);
        for _ in 0..rows {
            for j in (0..width).step_by(4) {
                store(to.add(j), load(from.add(j)));
            }
            from = from.wrapping_add(ld);
            to = to.add(width);
        }
    }
}

/// The same from a transposed B: row p of the panel is column p of `b`, whose `valid` rows are
/// `ld` floats apart. Columns beyond `valid` repeat the last one.
///
/// # Safety
/// As [`pack_rows`].
pub unsafe fn pack_columns(
    b: *const f32,
    ld: usize,
    rows: usize,
    valid: usize,
    width: usize,
    to: *mut f32,
) {
    // SAFETY: passed on to the caller.
    unsafe { transpose_into(b, ld, (valid.min(width), rows), to, width) }
}

/// `to[j, i] = from[i, j]` for a matrix of `rows` by `columns`; its rows are `ld` floats apart,
/// those of the result `to_ld`. The result's rows are filled up to whole vectors with the last
/// value.
///
/// # Safety
/// Both are valid; `to` has room for whole vectors in each row.
#[inline(never)]
pub unsafe fn transpose_into(
    from: *const f32,
    ld: usize,
    (rows, columns): (usize, usize),
    to: *mut f32,
    to_ld: usize,
) {
    // SAFETY: see above.
    unsafe {
        for i in (0..rows).step_by(4) {
            let row = |q: usize| from.wrapping_add((i + q).min(rows - 1) * ld);
            let row = [row(0), row(1), row(2), row(3)];
            let mut out = to.add(i);
            let whole = columns / 4 * 4;
            for j in (0..whole).step_by(4) {
                for v in transpose(row.map(|r| load(r.add(j)))) {
                    store(out, v);
                    out = out.wrapping_add(to_ld);
                }
            }
            for j in whole..columns {
                for (lane, r) in row.iter().enumerate() {
                    *out.add(lane) = *r.add(j);
                }
                out = out.wrapping_add(to_ld);
            }
        }
    }
}

/// Rows of a 4x4 block to its columns.
#[inline(always)]
pub fn transpose([a, b, c, d]: [v128; 4]) -> [v128; 4] {
    let (ab_low, ab_high) = (
        i32x4_shuffle::<0, 4, 1, 5>(a, b),
        i32x4_shuffle::<2, 6, 3, 7>(a, b),
    );
    let (cd_low, cd_high) = (
        i32x4_shuffle::<0, 4, 1, 5>(c, d),
        i32x4_shuffle::<2, 6, 3, 7>(c, d),
    );
    [
        i64x2_shuffle::<0, 2>(ab_low, cd_low),
        i64x2_shuffle::<1, 3>(ab_low, cd_low),
        i64x2_shuffle::<0, 2>(ab_high, cd_high),
        i64x2_shuffle::<1, 3>(ab_high, cd_high),
    ]
}
