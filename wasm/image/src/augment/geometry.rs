//! What moves pixels: mirrored, shifted, rotated, sheared.

use super::Canvas;
use crate::pixels::Result;

/// Where a new pixel's centre (x, y) lies in the old picture: `(a x + b y + c, d x + e y + f)`.
pub type Matrix = [f64; 6];

/// How pixels are taken that lie between others or outside.
pub struct Warp {
    /// Bilinear; otherwise the nearest.
    pub is_smooth: bool,
    /// The pixel that lies outside.
    pub fill: u32,
}

/// The new pixel (x, y) is the old one at (x + by.0, y + by.1).
pub struct Shift {
    pub by: [i64; 2],
    /// Outside lies the picture mirrored at its border pixels, which are not repeated.
    pub is_reflected: bool,
    pub fill: u32,
}

impl Canvas<'_> {
    pub fn mirror(&mut self) {
        let width = self.width();
        self.pixels
            .chunks_exact_mut(width)
            .for_each(<[u32]>::reverse);
    }

    pub fn upend(&mut self) {
        let half = self.pixels.len() / 2 / self.width() * self.width();
        let (upper, lower) = self.pixels.split_at_mut(half);
        let lower = lower.chunks_exact_mut(self.size[0] as usize).rev();
        for (above, below) in upper.chunks_exact_mut(self.size[0] as usize).zip(lower) {
            above.swap_with_slice(below);
        }
    }

    /// Padding, and a crop of the canvas's size, in one.
    pub fn shift(&mut self, shift: &Shift) -> Result<()> {
        let old = self.aside()?;
        let width = self.width();
        let [columns, rows] = [0, 1].map(|axis| {
            let side = i64::from(self.size[axis]);
            (0..side).map(move |at| {
                let at = at + shift.by[axis];
                match shift.is_reflected {
                    true => Some(reflected(at, side)),
                    false => (0..side).contains(&at).then_some(at as usize),
                }
            })
        });
        let columns: Vec<Option<usize>> = columns.collect();
        for (row, at) in self.pixels.chunks_exact_mut(width).zip(rows) {
            let Some(at) = at else {
                row.fill(shift.fill);
                continue;
            };
            let from = &old[at * width..(at + 1) * width];
            for (pixel, column) in row.iter_mut().zip(&columns) {
                *pixel = column.map_or(shift.fill, |column| from[column]);
            }
        }
        self.spare = old;
        Ok(())
    }

    /// Counter-clockwise about the centre, as Pillow's `Image.rotate` does.
    pub fn rotate(&mut self, degrees: f64, warp: &Warp) -> Result<()> {
        let angle = degrees.rem_euclid(360.0);
        if angle == 0.0 {
            return Ok(());
        }
        // Pillow transposes by right angles; the matrix then meets every pixel in its centre.
        let (sin, cos) = (-angle.to_radians()).sin_cos();
        let [sin, cos] = [sin, cos].map(|value| (value * 1e15).round() / 1e15);
        let [x, y] = self.size.map(|side| f64::from(side) / 2.0);
        let c = cos * -x + sin * -y + x;
        let f = -sin * -x + cos * -y + y;
        self.affine(&[cos, sin, c, -sin, cos, f], warp)
    }

    /// As Pillow's `Image.transform` does.
    pub fn affine(&mut self, matrix: &Matrix, warp: &Warp) -> Result<()> {
        let old = self.aside()?;
        if warp.is_smooth {
            self.affine_smooth(&old, matrix, warp.fill);
        } else if self.is_fixed(matrix) {
            self.affine_fixed(&old, matrix, warp.fill);
        } else {
            self.affine_nearest(&old, matrix, warp.fill);
        }
        self.spare = old;
        Ok(())
    }

    /// True where 16 bits before the point hold every place.
    fn is_fixed(&self, [a, b, c, d, e, f]: &Matrix) -> bool {
        let [width, height] = self.size.map(f64::from);
        let corners = [(0.0, 0.0), (width, height), (0.0, height), (width, 0.0)];
        corners.iter().all(|(x, y)| {
            (x * a + y * b + c).abs() < 32_768.0 && (x * d + y * e + f).abs() < 32_768.0
        })
    }

    /// In steps of 2⁻¹⁶ pixels, whose rounding adds up along rows and columns: Pillow's own.
    fn affine_fixed(&mut self, old: &[u32], [a, b, c, d, e, f]: &Matrix, fill: u32) {
        let fix = |value: f64| (value * 65_536.0 + 0.5).floor() as i64;
        let [width, height] = self.size.map(i64::from);
        let mut start = [c + a * 0.5 + b * 0.5, f + d * 0.5 + e * 0.5].map(fix);
        let [a, b, d, e] = [a, b, d, e].map(|&value| fix(value));
        for row in self.pixels.chunks_exact_mut(width as usize) {
            let [mut x, mut y] = start;
            for pixel in row {
                let (column, line) = (x >> 16, y >> 16);
                let is_inside = (0..width).contains(&column) && (0..height).contains(&line);
                *pixel = if is_inside {
                    old[(line * width + column) as usize]
                } else {
                    fill
                };
                x += a;
                y += d;
            }
            start = [start[0] + b, start[1] + e];
        }
    }

    fn affine_nearest(&mut self, old: &[u32], matrix: &Matrix, fill: u32) {
        let [width, height] = self.size;
        self.affine_each(matrix, |x, y| {
            let is_inside =
                (0.0..f64::from(width)).contains(&x) && (0.0..f64::from(height)).contains(&y);
            match is_inside {
                true => old[y as usize * width as usize + x as usize],
                false => fill,
            }
        });
    }

    fn affine_smooth(&mut self, old: &[u32], matrix: &Matrix, fill: u32) {
        let [width, height] = self.size;
        let (last_x, last_y) = (width as usize - 1, height as usize - 1);
        self.affine_each(matrix, |x, y| {
            let is_inside =
                (0.0..f64::from(width)).contains(&x) && (0.0..f64::from(height)).contains(&y);
            if !is_inside {
                return fill;
            }
            // Half a pixel before the first centre, the first pixel stands twice.
            let (x, y) = (x - 0.5, y - 0.5);
            let (left, top) = (x.floor(), y.floor());
            let (dx, dy) = (x - left, y - top);
            let columns = [left.max(0.0) as usize, ((left + 1.0) as usize).min(last_x)];
            let lines = [top.max(0.0) as usize, ((top + 1.0) as usize).min(last_y)];
            let at = |line: usize, column: usize| {
                old[line * width as usize + column]
                    .to_le_bytes()
                    .map(f64::from)
            };
            let [above, below] = lines.map(|line| [at(line, columns[0]), at(line, columns[1])]);
            let mut mixed = [255; 4];
            for (channel, value) in mixed.iter_mut().enumerate().take(3) {
                let across = |[left, right]: [[f64; 4]; 2]| {
                    left[channel] + (right[channel] - left[channel]) * dx
                };
                let (above, below) = (across(above), across(below));
                *value = (above + (below - above) * dy) as u8;
            }
            u32::from_le_bytes(mixed)
        });
    }

    /// Every pixel by the place that its centre comes from.
    fn affine_each(&mut self, [a, b, c, d, e, f]: &Matrix, pixel: impl Fn(f64, f64) -> u32) {
        let width = self.width();
        for (line, row) in self.pixels.chunks_exact_mut(width).enumerate() {
            let y = line as f64 + 0.5;
            for (column, to) in row.iter_mut().enumerate() {
                let x = column as f64 + 0.5;
                *to = pixel(a * x + b * y + c, d * x + e * y + f);
            }
        }
    }
}

/// A place beyond a side, mirrored at the first and the last pixel as often as needed.
pub fn reflected(at: i64, side: i64) -> usize {
    if side == 1 {
        return 0;
    }
    let period = 2 * (side - 1);
    let at = at.rem_euclid(period);
    at.min(period - at) as usize
}
