//! A line of pixels, tile by tile.
use super::inside;
use super::slide::Walk;
use super::tile::{self, columns, reach, Tile};
use crate::conv::Geometry;

/// A line to make: the rows of the source that it meets, and their taps. Addresses in bytes.
pub struct Lines {
    /// Column 0 of the first row, bytes between rows, and their number.
    from: usize,
    row: isize,
    rows: usize,
    /// Taps of the first row, bytes between those of rows.
    taps: usize,
    tap_row: usize,
    to: usize,
}

impl Lines {
    /// A line of y, from x.
    pub fn of_output(x: usize, w: usize, y: usize, g: &Geometry, line: usize) -> Lines {
        let (image, oy) = (line / g.oh, line % g.oh);
        let (first, end) = inside(oy, g.sh, g.dh, g.pt, g.kh, g.h);
        let pixel = g.cin * 4;
        let row = (oy * g.sh + first * g.dh).wrapping_sub(g.pt);
        Lines {
            from: x.wrapping_add((image * g.h).wrapping_add(row).wrapping_mul(g.w * pixel)),
            row: (g.dh * g.w * pixel) as isize,
            rows: end - first,
            taps: w + first * g.kw * pixel,
            tap_row: g.kw * pixel,
            to: y + line * g.ow * pixel,
        }
    }

    /// A line of dx, from dy: every so many rows of taps meet a line of dy, each one further up.
    pub fn of_input(dy: usize, w: usize, dx: usize, g: &Geometry, line: usize) -> Lines {
        let (image, iy) = (line / g.h, line % g.h);
        let output = |ky: usize| {
            let reach = (iy + g.pt).checked_sub(ky * g.dh)?;
            (reach % g.sh == 0 && reach / g.sh < g.oh).then_some(reach / g.sh)
        };
        let mut met = (0..g.kh).filter_map(|ky| Some((ky, output(ky)?)));
        let pixel = g.cin * 4;
        let (mut rows, mut row, mut tap_row) = (0, 0, 0);
        let (first, oy) = met.next().inspect(|_| rows = 1).unwrap_or((0, 0));
        if let Some((second, above)) = met.next() {
            rows = 2 + met.count();
            row = -(((oy - above) * g.ow * pixel) as isize);
            tap_row = (second - first) * g.kw * pixel;
        }
        Lines {
            from: dy + (image * g.oh + oy) * g.ow * pixel,
            row,
            rows,
            taps: w + first * g.kw * pixel,
            tap_row,
            to: dx + line * g.w * pixel,
        }
    }

    /// Makes the channels of a line of y.
    ///
    /// # Safety
    /// The line and its rows exist.
    pub unsafe fn run(&self, g: &Geometry, channels: (usize, usize)) {
        // SAFETY: passed on to the caller.
        unsafe {
            let left = self.walk(g, channels);
            match (g.kw, g.sw) {
                (3, 1) => self.forwards::<7, 3, 1>(g, left),
                (3, _) => self.forwards::<7, 3, 2>(g, left),
                (5, 1) => self.forwards::<7, 5, 1>(g, left),
                _ => self.forwards::<7, 5, 2>(g, left),
            }
        }
    }

    /// Makes the channels of a line of dx.
    ///
    /// # Safety
    /// The line and its rows exist.
    pub unsafe fn run_back(&self, g: &Geometry, channels: (usize, usize)) {
        // SAFETY: passed on to the caller.
        unsafe {
            let left = self.walk_back(g, channels);
            match (g.kw, g.sw) {
                (3, 1) => self.backwards::<7, 3, 1>(g, left),
                (3, _) => self.backwards::<8, 3, 2>(g, left),
                (5, 1) => self.backwards::<7, 5, 1>(g, left),
                _ => self.backwards::<8, 5, 2>(g, left),
            }
        }
    }

    /// Walks along a line of y where its windows allow it; the channels that are left.
    unsafe fn walk(&self, g: &Geometry, channels: (usize, usize)) -> (usize, usize) {
        let pitch = g.cin * 4;
        let walk = Walk {
            from: self.from,
            row: self.row,
            taps: self.taps,
            tap: pitch as isize,
            tap_row: self.tap_row,
            to: self.to,
            pitch,
            width: g.w,
            pixels: g.ow,
            before: g.pl,
        };
        // SAFETY: passed on to the caller.
        unsafe {
            match g.kw {
                3 => walk.run(g.sw, self.rows, channels),
                _ => channels,
            }
        }
    }

    /// As [`Lines::walk`], from dy to dx, which without strides is the same with the taps turned.
    unsafe fn walk_back(&self, g: &Geometry, channels: (usize, usize)) -> (usize, usize) {
        if (g.kw, g.sw) != (3, 1) || g.pl > 2 {
            return channels;
        }
        let pitch = g.cin * 4;
        let walk = Walk {
            from: self.from,
            row: self.row,
            taps: self.taps + 2 * pitch,
            tap: -(pitch as isize),
            tap_row: self.tap_row,
            to: self.to,
            pitch,
            width: g.ow,
            pixels: g.w,
            before: 2 - g.pl,
        };
        // SAFETY: passed on to the caller.
        unsafe { walk.run(1, self.rows, channels) }
    }

    unsafe fn forwards<const P: usize, const KW: usize, const S: usize>(
        &self,
        g: &Geometry,
        channels: (usize, usize),
    ) {
        for o in (0..g.ow).step_by(P) {
            let start = (o * S) as isize - g.pl as isize;
            // SAFETY: passed on to the caller.
            unsafe {
                let (x, y) = ((start, g.w), (o as isize, g.ow));
                self.tile::<P, KW, S, false>(g, x, y, channels);
            }
        }
    }

    unsafe fn backwards<const P: usize, const KW: usize, const S: usize>(
        &self,
        g: &Geometry,
        channels: (usize, usize),
    ) {
        // Counted from the padding's first pixel, tiles begin at a multiple of the stride.
        for u in (g.pl / S * S..g.pl + g.w).step_by(P) {
            let start = (u / S) as isize - reach(KW, S) as isize;
            let first = u as isize - g.pl as isize;
            // SAFETY: passed on to the caller.
            unsafe { self.tile::<P, KW, S, true>(g, (start, g.ow), (first, g.w), channels) };
        }
    }

    /// One tile: of its columns, from `start` on, those below `width` exist; of its pixels, from
    /// `first` on, those below `pixels`.
    unsafe fn tile<const P: usize, const KW: usize, const S: usize, const BACK: bool>(
        &self,
        g: &Geometry,
        (start, width): (isize, usize),
        (first, pixels): (isize, usize),
        channels: (usize, usize),
    ) {
        let (pitch, met) = (g.cin * 4, columns(P, KW, S, BACK));
        let (columns, pixels) = (clip(start, met, width), clip(first, P, pixels));
        let tile = Tile {
            from: self
                .from
                .wrapping_add_signed(start.wrapping_mul(pitch as isize)),
            row: self.row,
            rows: self.rows,
            taps: self.taps,
            tap_row: self.tap_row,
            to: self
                .to
                .wrapping_add_signed(first.wrapping_mul(pitch as isize)),
            columns,
            pixels,
            pitch,
        };
        // SAFETY: what exists was found out above.
        unsafe {
            if columns == (0, met) && pixels == (0, P) {
                tile::run::<P, KW, S, BACK, true>(&tile, channels);
            } else {
                tile::run::<P, KW, S, BACK, false>(&tile, channels);
            }
        }
    }
}

/// Of `count` places from `start` on, those from 0 to `size`: the first, and how many.
fn clip(start: isize, count: usize, size: usize) -> (usize, usize) {
    let first = (-start).max(0) as usize;
    let end = (size as isize - start).clamp(0, count as isize) as usize;
    (first, end.saturating_sub(first))
}
