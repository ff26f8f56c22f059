//! The register tile of depthwise convolution: neighbouring pixels of a line by one vector of
//! channels.
//!
//! The taps of a window's row are loaded once for a tile, and each column of the source once for all
//! the pixels that it meets: seven pixels take 12 loads for 21 multiply-adds with 3 taps, and 16 for
//! 35 with 5. More sums would not fit the registers, and pictures of 224 give lines of sevens.
//! Forwards, column d meets pixel j with tap k if `d = j S + k`; backwards (the gradient of the
//! input), if `j = d S + k`, columns counted from the first that reaches the tile.
use crate::simd::*;

/// What a tile reads and writes; addresses and distances in bytes, for channel 0.
pub struct Tile {
    /// The tile's first column in the first row, which may lie outside.
    pub from: usize,
    /// From row to row, downwards or upwards, and their number.
    pub row: isize,
    pub rows: usize,
    /// The taps of the first row, and from those to the next row's.
    pub taps: usize,
    pub tap_row: usize,
    /// The tile's first pixel, which may lie outside.
    pub to: usize,
    /// Columns and pixels that exist: the first, and how many.
    pub columns: (usize, usize),
    pub pixels: (usize, usize),
    /// Between neighbouring pixels, columns and taps: all have as many channels.
    pub pitch: usize,
}

/// What is read for columns outside: the padding.
pub static ZERO_COLUMN: [f32; 4] = [0.0; 4];

/// Columns that a tile of P pixels meets.
pub const fn columns(p: usize, kw: usize, s: usize, back: bool) -> usize {
    if back {
        reach(kw, s) + p.div_ceil(s)
    } else {
        (p - 1) * s + kw
    }
}

/// Columns that reach a tile from before its first pixel, backwards.
pub const fn reach(kw: usize, s: usize) -> usize {
    (kw - 1) / s
}

/// The pixel that column d meets by tap k.
#[inline(always)]
fn pixel(d: usize, k: usize, kw: usize, s: usize, back: bool) -> usize {
    if back {
        (d * s + k).wrapping_sub(reach(kw, s) * s)
    } else if d >= k && (d - k).is_multiple_of(s) {
        (d - k) / s
    } else {
        usize::MAX
    }
}

/// Runs `$f` for the numbers from 0 to 18 that are below `$n`: unrolled, whatever LLVM thinks of it.
macro_rules! unrolled {
    ($n:expr, $f:expr) => {
        unrolled!($n, $f; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18)
    };
    ($n:expr, $f:expr; $($d:literal)*) => { $( if $d < $n { $f($d) } )* };
}
pub(super) use unrolled;

/// Computes channels `first .. end` of a tile. `WHOLE`: all its columns and pixels exist.
///
/// # Safety
/// The columns and pixels said to exist do.
#[inline(never)]
pub unsafe fn run<
    const P: usize,
    const KW: usize,
    const S: usize,
    const BACK: bool,
    const WHOLE: bool,
>(
    tile: &Tile,
    (first, end): (usize, usize),
) {
    let pitch = tile.pitch;
    let nowhere = ZERO_COLUMN.as_ptr() as usize;
    for c in (first..end).step_by(4) {
        let mut acc = [ZERO; P];
        let mut row = tile.from.wrapping_add(c * 4);
        let mut taps = tile.taps + c * 4;
        for _ in 0..tile.rows {
            let mut tap = [ZERO; KW];
            let mut at = taps;
            // SAFETY: a row of taps has KW of them.
            unrolled!(KW, |k: usize| unsafe {
                tap[k] = load(at as *const f32);
                at = at.wrapping_add(pitch);
            });
            let mut at = row;
            let (from, to) = tile.columns;
            unrolled!(columns(P, KW, S, BACK), |d: usize| {
                // A branch around the sums would cost more: V8 moves them all where paths meet.
                let exists = WHOLE || d.wrapping_sub(from) < to;
                let column = if exists { at } else { nowhere };
                // SAFETY: the column exists.
                let v = unsafe { load(column as *const f32) };
                unrolled!(KW, |k: usize| {
                    let j = pixel(d, k, KW, S, BACK);
                    if j < P {
                        acc[j] = madd(v, tap[k], acc[j]);
                    }
                });
                at = at.wrapping_add(pitch);
            });
            row = row.wrapping_add_signed(tile.row);
            taps = taps.wrapping_add(tile.tap_row);
        }
        let mut to = tile.to.wrapping_add(c * 4);
        let (from, count) = tile.pixels;
        unrolled!(P, |j: usize| {
            if WHOLE || j.wrapping_sub(from) < count {
                // SAFETY: the pixel exists.
                unsafe { store_part(to as *mut f32, acc[j], end - c) };
            }
            to = to.wrapping_add(pitch);
        });
    }
}
