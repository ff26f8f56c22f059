//! What mixes a pixel with those around it: Gaussian blur and sharpness.

use super::colour::blend;
use super::geometry::reflected;
use super::Canvas;
use crate::pixels::{room, Result};

/// Wider kernels would take seconds for a picture of usual size.
const MOST_KERNEL: u32 = 255;

impl Canvas<'_> {
    /// Across, then down, in f32; the picture is mirrored at its border pixels.
    pub fn blur(&mut self, kernel: u32, sigma: f64) -> Result<()> {
        let weights = gaussian(kernel, sigma)?;
        let reach = weights.len() / 2;
        let [width, height] = self.size.map(|side| side as usize);
        let near = |side: usize| -> Vec<usize> {
            let all = 0..(side + 2 * reach) as i64;
            all.map(|at| reflected(at - reach as i64, side as i64))
                .collect()
        };
        let (columns, lines) = (near(width), near(height));
        // Three values a pixel, so that the loops below are as long as rows.
        let mut across: Vec<f32> = room((width * height * 3) as u64)?;
        let mut padded: Vec<f32> = room(columns.len() as u64 * 3)?;
        for row in self.pixels.chunks_exact(width) {
            padded.clear();
            for &column in &columns {
                let [r, g, b, _] = row[column].to_le_bytes();
                padded.extend([r, g, b].map(f32::from));
            }
            let start = across.len();
            across.resize(start + 3 * width, 0.0);
            for (at, &weight) in weights.iter().enumerate() {
                add(&mut across[start..], &padded[3 * at..], weight);
            }
        }
        let mut sum: Vec<f32> = room(3 * width as u64)?;
        for (line, row) in self.pixels.chunks_exact_mut(width).enumerate() {
            sum.clear();
            sum.resize(3 * width, 0.0);
            for (at, &weight) in weights.iter().enumerate() {
                add(&mut sum, &across[lines[line + at] * 3 * width..], weight);
            }
            for (pixel, values) in row.iter_mut().zip(sum.as_chunks::<3>().0) {
                let [r, g, b] = values.map(|value| value.round_ties_even() as u8);
                *pixel = u32::from_le_bytes([r, g, b, 255]);
            }
        }
        Ok(())
    }

    /// Away from the picture smoothed by `[1,1,1; 1,5,1; 1,1,1] / 13`, or towards it; the border
    /// pixels stay.
    pub fn sharpness(&mut self, factor: f32) -> Result<()> {
        let old = self.aside()?;
        let [width, height] = self.size.map(|side| side as usize);
        for line in 1..height.saturating_sub(1) {
            let rows = [line - 1, line, line + 1].map(|at| &old[at * width..(at + 1) * width]);
            let row = &mut self.pixels[line * width..(line + 1) * width];
            for column in 1..width.saturating_sub(1) {
                let mut sums = [0; 3];
                for near in rows.map(|row| &row[column - 1..=column + 1]) {
                    for pixel in near {
                        let [r, g, b, _] = pixel.to_le_bytes().map(u32::from);
                        sums = [sums[0] + r, sums[1] + g, sums[2] + b];
                    }
                }
                let [r, g, b, a] = rows[1][column].to_le_bytes();
                let sharp = |value: u8, sum: u32| {
                    let smooth = (sum + 4 * u32::from(value)) * 2 + 13;
                    blend((smooth / 26) as u8, value, factor)
                };
                let [r, g, b] = [sharp(r, sums[0]), sharp(g, sums[1]), sharp(b, sums[2])];
                row[column] = u32::from_le_bytes([r, g, b, a]);
            }
        }
        self.spare = old;
        Ok(())
    }
}

/// The weights of a Gaussian, their sum 1.
fn gaussian(kernel: u32, sigma: f64) -> Result<Vec<f32>> {
    if kernel.is_multiple_of(2) || kernel > MOST_KERNEL {
        let wanted = format!("an odd number up to {MOST_KERNEL} is wanted");
        return Err(format!("a kernel has {kernel} pixels, {wanted}"));
    }
    if sigma <= 0.0 {
        return Err(format!("sigma is {sigma}, a number above 0 is wanted"));
    }
    let reach = i64::from(kernel / 2);
    let values: Vec<f64> = (-reach..=reach)
        .map(|at| (-0.5 * (at as f64 / sigma).powi(2)).exp())
        .collect();
    let sum: f64 = values.iter().sum();
    Ok(values.iter().map(|value| (value / sum) as f32).collect())
}

/// Adds as many values as there are sums, weighted.
fn add(sums: &mut [f32], values: &[f32], weight: f32) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
}
