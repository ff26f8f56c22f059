//! Turns and mirrors an image as its EXIF orientation asks.

use crate::pixels::{blank, Image, Result};

/// True where the upright image has width and height exchanged.
pub fn swaps(orientation: u32) -> bool {
    (5..=8).contains(&orientation)
}

/// The image as it is meant to be seen (EXIF 2.32, section 4.6.4, tag 274).
pub fn upright(image: Image, orientation: u32) -> Result<Image> {
    let (w, h) = (image.width as isize, image.height as isize);
    // The upright pixel (x, y) is the stored pixel number start + x * across + y * down.
    let (start, across, down) = match orientation {
        2 => (w - 1, -1, w),
        3 => (w * h - 1, -1, -w),
        4 => (w * (h - 1), 1, -w),
        5 => (0, w, 1),
        6 => (w * (h - 1), -w, 1),
        7 => (w * h - 1, -w, -1),
        8 => (w - 1, w, -1),
        _ => return Ok(image),
    };
    let (width, height) = if swaps(orientation) {
        (image.height, image.width)
    } else {
        (image.width, image.height)
    };
    let mut data = blank(width, height)?;
    for (y, row) in data.chunks_exact_mut(width as usize * 4).enumerate() {
        let mut from = start + y as isize * down;
        for to in row.chunks_exact_mut(4) {
            let at = from as usize * 4;
            to.copy_from_slice(&image.data[at..at + 4]);
            from += across;
        }
    }
    Ok(Image {
        width,
        height,
        data,
    })
}
