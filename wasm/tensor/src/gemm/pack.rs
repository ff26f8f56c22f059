//! Packing of B: panels of 16 columns (the last one 4, 8, 12 or 16 wide), each panel holding its k
//! rows one after the other, so that the micro-kernel reads B as one stream.
use crate::simd::*;

/// Width of the panel that starts at column `column` of `n`: 16, or what holds the rest.
pub fn panel_width(n: usize, column: usize) -> usize {
    (n - column).next_multiple_of(4).min(16)
}

/// Floats of a packed B.
pub fn packed_len(k: usize, n: usize) -> usize {
    k * n.next_multiple_of(4)
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
#[inline(never)]
pub unsafe fn pack_columns(
    b: *const f32,
    ld: usize,
    rows: usize,
    valid: usize,
    width: usize,
    to: *mut f32,
) {
    // SAFETY: the caller's addresses are valid.
    unsafe {
        for j in (0..width).step_by(4) {
            let row = |q: usize| b.wrapping_add((j + q).min(valid - 1) * ld);
            let from = [row(0), row(1), row(2), row(3)];
            let mut out = to.add(j);
            let mut p = 0;
            while p + 4 <= rows {
                for v in transpose(from.map(|f| load(f.add(p)))) {
                    store(out, v);
                    out = out.wrapping_add(width);
                }
                p += 4;
            }
            for q in p..rows {
                for (lane, f) in from.iter().enumerate() {
                    *out.add(lane) = *f.add(q);
                }
                out = out.wrapping_add(width);
            }
        }
    }
}

/// Rows of a 4x4 block to its columns.
#[inline(always)]
pub fn transpose([a, b, c, d]: [v128; 4]) -> [v128; 4] {
    let (ab_low, ab_high) =
        (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
    let (cd_low, cd_high) =
        (i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
    [
        i64x2_shuffle::<0, 2>(ab_low, cd_low),
        i64x2_shuffle::<1, 3>(ab_low, cd_low),
        i64x2_shuffle::<0, 2>(ab_high, cd_high),
        i64x2_shuffle::<1, 3>(ab_high, cd_high),
    ]
}
