//! Windows of 3 × 3 along a line: one vector of channels walks over all its pixels.
//!
//! The taps stay in registers, and a column is loaded once for all the sums that it belongs to: with
//! stride 1 that is 3 loads for 9 multiply-adds, where a tile of seven pixels takes 5. Four vectors
//! in a row walk through the same cache lines.
use super::tile::unrolled;
use crate::simd::*;

/// A line of pixels and the rows that it meets; addresses and distances in bytes, for channel 0.
pub struct Walk {
    /// Column 0 of the first row, and from row to row, downwards or upwards.
    pub from: usize,
    pub row: isize,
    /// The first tap of the first row, from tap to tap, and from those to the next row's.
    pub taps: usize,
    pub tap: isize,
    pub tap_row: usize,
    /// Pixel 0.
    pub to: usize,
    /// Between neighbouring columns and pixels.
    pub pitch: usize,
    /// Columns, and pixels.
    pub width: usize,
    pub pixels: usize,
    /// Columns of padding before column 0: at most 2, or 1 with stride 2.
    pub before: usize,
}

type Taps<const R: usize> = [[v128; 3]; R];

/// Pixels of stride 2 that are made before the next vector of channels: more of them, with the two
/// columns that each takes from three rows, push each other out of the first-level cache.
const SEGMENT: usize = 14;

impl Walk {
    /// Makes channels `first .. end` of the line in whole vectors, where it can: the channels left.
    ///
    /// # Safety
    /// The rows and the line exist.
    pub unsafe fn run(
        &self,
        stride: usize,
        rows: usize,
        (first, end): (usize, usize),
    ) -> (usize, usize) {
        let cut = first + (end - first) / 4 * 4;
        if !self.fits(stride) {
            return (first, end);
        }
        // SAFETY: passed on to the caller.
        unsafe {
            match (stride, rows) {
                (1, 2) => self.by_one::<2>((first, cut)),
                (1, 3) => self.by_one::<3>((first, cut)),
                (2, 2) => self.segments(|part| part.by_two::<2>((first, cut))),
                (2, 3) => self.segments(|part| part.by_two::<3>((first, cut))),
                _ => return (first, end),
            }
        }
        (cut, end)
    }

    /// Whether the walk meets every pixel: no more padding than a window can hang over.
    fn fits(&self, stride: usize) -> bool {
        let reach = self.width + self.before;
        match stride {
            1 => self.before <= 2 && reach <= self.pixels + 2 && self.pixels <= reach,
            _ => self.before <= 1 && 2 * self.pixels <= reach + 1,
        }
    }

    /// The line of stride 2 in pieces.
    fn segments(&self, run: impl Fn(Walk)) {
        for pixel in (0..self.pixels).step_by(SEGMENT) {
            let skipped = (2 * pixel).saturating_sub(self.before);
            run(Walk {
                from: self.from.wrapping_add(skipped * self.pitch),
                to: self.to + pixel * self.pitch,
                width: self.width - skipped,
                pixels: SEGMENT.min(self.pixels - pixel),
                before: if pixel == 0 { self.before } else { 0 },
                ..*self
            });
        }
    }

    /// The taps of R rows for the vector of channels that begins `offset` bytes after channel 0.
    #[inline(always)]
    unsafe fn load_taps<const R: usize>(&self, offset: usize) -> Taps<R> {
        let mut taps = [[ZERO; 3]; R];
        let mut row = self.taps + offset;
        unrolled!(R, |r: usize| {
            let mut at = row;
            unrolled!(3, |k: usize| {
                // SAFETY: R rows have three taps each.
                taps[r][k] = unsafe { load(at as *const f32) };
                at = at.wrapping_add_signed(self.tap);
            });
            row = row.wrapping_add(self.tap_row);
        });
        taps
    }

    /// Stride 1: channels `first .. end`, a multiple of four of them.
    ///
    /// # Safety
    /// R rows and the line exist.
    #[inline(never)]
    unsafe fn by_one<const R: usize>(&self, (first, end): (usize, usize)) {
        for offset in (first * 4..end * 4).step_by(16) {
            // SAFETY: passed on to the caller.
            let taps: Taps<R> = unsafe { self.load_taps(offset) };
            let (mut at, mut to) = (self.from.wrapping_add(offset), self.to + offset);
            // Sums of the pixel that the next column completes, and of the one after it.
            let (mut near, mut far) = (ZERO, ZERO);
            let lead = (2 - self.before).min(self.width);
            let mut left = self.width - lead;
            // One column of all rows: what is complete, and the sums that go on.
            let mut step = |near: v128, far: v128| {
                let (mut done, mut next, mut new) = (near, far, ZERO);
                let mut column = at;
                unrolled!(R, |r: usize| {
                    // SAFETY: the column exists in all rows.
                    let v = unsafe { load(column as *const f32) };
                    done = madd(v, taps[r][2], done);
                    next = madd(v, taps[r][1], next);
                    new = if r == 0 {
                        f32x4_mul(v, taps[r][0])
                    } else {
                        madd(v, taps[r][0], new)
                    };
                    column = column.wrapping_add_signed(self.row);
                });
                at = at.wrapping_add(self.pitch);
                (done, next, new)
            };
            let mut put = |v: v128| {
                // SAFETY: as many pixels are put as there are.
                unsafe { store(to as *mut f32, v) };
                to = to.wrapping_add(self.pitch);
            };
            for _ in 0..lead {
                (_, near, far) = step(near, far);
            }
            while left > 0 {
                let (done, next, new) = step(near, far);
                put(done);
                (near, far, left) = (next, new, left - 1);
            }
            // The pixels whose windows reach over the end, of a very narrow line over both.
            let complete = self.width - lead;
            if self.width + self.before >= 2 && complete < self.pixels {
                put(near);
            }
            if complete + 1 < self.pixels || self.width + self.before < 2 {
                put(far);
            }
        }
    }

    /// Stride 2: channels `first .. end`, a multiple of four of them.
    ///
    /// # Safety
    /// R rows and the line exist.
    #[inline(never)]
    unsafe fn by_two<const R: usize>(&self, (first, end): (usize, usize)) {
        let whole = ((self.width + self.before - 1) / 2).min(self.pixels);
        for offset in (first * 4..end * 4).step_by(16) {
            // SAFETY: passed on to the caller.
            let taps: Taps<R> = unsafe { self.load_taps(offset) };
            let (mut at, mut to) = (self.from.wrapping_add(offset), self.to + offset);
            // Adds what the column gives by tap K.
            let add = |at: usize, k: usize, sum: v128| {
                let (mut column, mut sum) = (at, sum);
                unrolled!(R, |r: usize| {
                    // SAFETY: the column exists in all rows.
                    sum = madd(unsafe { load(column as *const f32) }, taps[r][k], sum);
                    column = column.wrapping_add_signed(self.row);
                });
                sum
            };
            let mut sum = ZERO;
            if self.before == 0 {
                sum = add(at, 0, sum);
                at = at.wrapping_add(self.pitch);
            }
            for _ in 0..whole {
                let (mut column, mut new) = (at, ZERO);
                unrolled!(R, |r: usize| {
                    // SAFETY: both columns exist in all rows.
                    let [v, shared] = unsafe {
                        let second = column.wrapping_add(self.pitch);
                        [load(column as *const f32), load(second as *const f32)]
                    };
                    sum = madd(v, taps[r][1], sum);
                    sum = madd(shared, taps[r][2], sum);
                    new = if r == 0 {
                        f32x4_mul(shared, taps[r][0])
                    } else {
                        madd(shared, taps[r][0], new)
                    };
                    column = column.wrapping_add_signed(self.row);
                });
                // SAFETY: the pixel exists.
                unsafe { store(to as *mut f32, sum) };
                sum = new;
                at = at.wrapping_add(2 * self.pitch);
                to = to.wrapping_add(self.pitch);
            }
            for pixel in whole..self.pixels {
                if pixel == whole && 2 * pixel + 1 < self.width + self.before {
                    sum = add(at, 1, sum);
                }
                // SAFETY: the pixel exists.
                unsafe { store(to as *mut f32, sum) };
                (sum, to) = (ZERO, to.wrapping_add(self.pitch));
            }
        }
    }
}
