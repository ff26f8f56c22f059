//! Packed images of a small data set, to a batch of pixels ready for upload.

use crate::pixels::Result;

/// How the packed images lie and what becomes of them.
///
/// An image is `height` x `width` x `channels` bytes, 1 (grey) or 3 (colour). It is mirrored if
/// asked, then laid at (top, left) on a canvas of `out_height` x `out_width`; what lies outside of
/// the canvas is cut off, and the rest of the canvas is black or repeats the image's nearest edge.
pub struct Layout {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub edge: bool,
}

/// Red in the low byte, alpha 255.
const BLACK: u32 = 0xff00_0000;

impl Layout {
    /// `flips` has a number for each image, `offsets` two: top and left.
    pub fn gather(&self, data: &[u8], flips: &[u8], offsets: &[i32]) -> Result<Vec<u32>> {
        let (count, image_bytes) = (flips.len(), self.height * self.width * self.channels);
        if image_bytes == 0 || !matches!(self.channels, 1 | 3) {
            return Err("the images are empty or not of 1 or 3 channels".to_owned());
        }
        if data.len() != count * image_bytes || offsets.len() != 2 * count {
            return Err("data, flips and offsets differ in their number of images".to_owned());
        }
        let length = count as u64 * self.out_height as u64 * self.out_width as u64;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut batch: Vec<u32> = Vec::new();
        batch
            .try_reserve_exact(length)
            .map_err(|_| "the batch is too large for the memory")?;
        let mut row = vec![BLACK; self.width];
        let images = data
            .chunks_exact(image_bytes)
            .zip(flips)
            .zip(offsets.chunks_exact(2));
        for ((image, &flip), offset) in images {
            for y in 0..self.out_height {
                match self.source_row(y, offset[0]) {
                    Some(source) => {
                        self.unpack(&mut row, image, source, flip != 0);
                        self.lay(&mut batch, &row, offset[1]);
                    }
                    None => batch.extend(std::iter::repeat_n(BLACK, self.out_width)),
                }
            }
        }
        Ok(batch)
    }

    /// The image's row that canvas row `y` shows, if any.
    fn source_row(&self, y: usize, top: i32) -> Option<usize> {
        let (row, last) = (y as i64 - i64::from(top), self.height as i64 - 1);
        if self.edge {
            return Some(row.clamp(0, last) as usize);
        }
        (0..=last).contains(&row).then_some(row as usize)
    }

    fn unpack(&self, row: &mut [u32], image: &[u8], y: usize, flip: bool) {
        let stride = self.width * self.channels;
        let bytes = &image[y * stride..(y + 1) * stride];
        if self.channels == 1 {
            let grey = |&v: &u8| BLACK | (u32::from(v) * 0x01_0101);
            row.iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = grey(from));
        } else {
            let colour = |v: &[u8]| u32::from_le_bytes([v[0], v[1], v[2], 255]);
            row.iter_mut()
                .zip(bytes.chunks_exact(3))
                .for_each(|(to, from)| *to = colour(from));
        }
        if flip {
            row.reverse();
        }
    }

    /// Appends one row of the canvas.
    fn lay(&self, batch: &mut Vec<u32>, row: &[u32], left: i32) {
        let (out, width) = (self.out_width as i64, self.width as i64);
        let start = i64::from(left).clamp(0, out);
        let end = (i64::from(left) + width).clamp(start, out);
        let (before, after) = if self.edge {
            (row[0], row[row.len() - 1])
        } else {
            (BLACK, BLACK)
        };
        batch.extend(std::iter::repeat_n(before, start as usize));
        if end > start {
            let from = (start - i64::from(left)) as usize;
            batch.extend_from_slice(&row[from..from + (end - start) as usize]);
        }
        batch.extend(std::iter::repeat_n(after, (out - end) as usize));
    }
}
