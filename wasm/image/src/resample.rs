//! Resampling of RGBA pixels, antialiased when shrinking, as Pillow does it.

use crate::pixels::{blank, Result};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// Width and height.
type Size = (u32, u32);

pub fn resize(data: &[u8], from: Size, to: Size, filter: u8) -> Result<Vec<u8>> {
    let kernel = match filter {
        0 => return nearest(data, from, to),
        1 => FilterType::Bilinear,
        // The cubic of Keys with a = -1/2, which Pillow calls bicubic.
        2 => FilterType::CatmullRom,
        3 => FilterType::Lanczos3,
        other => {
            return Err(format!(
                "filter number {other} is unknown, 0 to 3 are wanted"
            ))
        }
    };
    if from == to {
        return copy(data, from);
    }
    // Weighing colours by their alpha costs time and rounding, so only where it means something.
    if data.chunks_exact(4).all(|pixel| pixel[3] == 255) {
        return convolve(data, from, to, kernel);
    }
    let mut weighted = copy(data, from)?;
    MulDiv::new()
        .multiply_alpha_inplace(&mut view(&mut weighted, from)?)
        .map_err(text)?;
    let mut result = convolve(&weighted, from, to, kernel)?;
    MulDiv::new()
        .divide_alpha_inplace(&mut view(&mut result, to)?)
        .map_err(text)?;
    Ok(result)
}

/// Across, then down: Pillow's order. Kernels with negative lobes overshoot and are cut off at 0
/// and 255 between the two passes, so the other order gives other pixels beside strong edges.
fn convolve(data: &[u8], from: Size, to: Size, kernel: FilterType) -> Result<Vec<u8>> {
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(kernel))
        .use_alpha(false);
    let mut resizer = Resizer::new();
    let mut pass = |data: &[u8], from: Size, to: Size| -> Result<Vec<u8>> {
        let source = ImageRef::new(from.0, from.1, data, PixelType::U8x4).map_err(text)?;
        let mut result = blank(to.0, to.1)?;
        resizer
            .resize(&source, &mut view(&mut result, to)?, &options)
            .map_err(text)?;
        Ok(result)
    };
    let middle = (to.0, from.1);
    if middle == from || middle == to {
        return pass(data, from, to);
    }
    let across = pass(data, from, middle)?;
    pass(&across, middle, to)
}

/// The pixel whose area holds the new pixel's centre; in whole numbers, so that a centre on a
/// border always falls to the pixel after it.
fn nearest(data: &[u8], from: Size, to: Size) -> Result<Vec<u8>> {
    let source = |at: usize, from: u32, to: u32| {
        ((2 * at as u64 + 1) * u64::from(from) / (2 * u64::from(to))) as usize
    };
    let columns: Vec<usize> = (0..to.0 as usize)
        .map(|x| source(x, from.0, to.0) * 4)
        .collect();
    let mut result = blank(to.0, to.1)?;
    let stride = from.0 as usize * 4;
    for (y, row) in result.chunks_exact_mut(to.0 as usize * 4).enumerate() {
        let start = source(y, from.1, to.1) * stride;
        let pixels = &data[start..start + stride];
        for (pixel, &at) in row.chunks_exact_mut(4).zip(&columns) {
            pixel.copy_from_slice(&pixels[at..at + 4]);
        }
    }
    Ok(result)
}

fn copy(data: &[u8], size: Size) -> Result<Vec<u8>> {
    let mut result = blank(size.0, size.1)?;
    result.copy_from_slice(data);
    Ok(result)
}

fn view(data: &mut [u8], size: Size) -> Result<Image<'_>> {
    Image::from_slice_u8(size.0, size.1, data, PixelType::U8x4).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
