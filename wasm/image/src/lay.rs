//! Lays pixels on a canvas of one `u32` a pixel: red in the low byte, then green, blue, alpha.

use crate::orient::{Steps, Turn};
use crate::pixels::{Size, View};

/// An opaque black pixel.
const BLACK: u32 = 0xff00_0000;

/// What becomes of colours and alpha.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As they are.
    Kept,
    /// Colours as they are, alpha 255.
    Opaque,
    /// Red, green and blue are the luma, alpha 255.
    Grey,
}

/// Appends a canvas to `to`, black but for the upright picture at (left, top), which lies within.
pub fn lay(to: &mut Vec<u32>, canvas: Size, place: Size, picture: View, turn: Turn, ink: Ink) {
    match picture.channels {
        1 => lay_rows(to, canvas, place, picture, turn, ink, |[v]| grey(v)),
        2 => lay_rows(to, canvas, place, picture, turn, ink, |[v, a]| {
            (grey(v) & !BLACK) | (u32::from(a) << 24)
        }),
        3 => lay_rows(to, canvas, place, picture, turn, ink, |[r, g, b]| {
            u32::from_le_bytes([r, g, b, 255])
        }),
        _ => lay_rows(to, canvas, place, picture, turn, ink, u32::from_le_bytes),
    }
}

fn grey(value: u8) -> u32 {
    BLACK | (u32::from(value) * 0x01_0101)
}

/// Pillow's luma (ITU-R 601-2) of an `u32` pixel; grey stays what it is.
fn luma(pixel: u32) -> u32 {
    let [r, g, b, _] = pixel.to_le_bytes().map(u32::from);
    grey(((r * 19_595 + g * 38_470 + b * 7471 + 0x8000) >> 16) as u8)
}

fn lay_rows<const N: usize>(
    to: &mut Vec<u32>,
    [width, height]: Size,
    [left, top]: Size,
    picture: View,
    turn: Turn,
    ink: Ink,
    unpack: impl Fn([u8; N]) -> u32,
) {
    let [columns, rows] = turn.exchange(picture.size).map(|side| side as usize);
    let (width, left) = (width as usize, left as usize);
    let black = |to: &mut Vec<u32>, count| to.extend(std::iter::repeat_n(BLACK, count));
    let (pixels, _) = picture.data.as_chunks::<N>();
    let unpack = |&pixel: &[u8; N]| unpack(pixel);
    let Steps {
        start,
        across,
        down,
    } = turn.steps(picture.size);
    black(to, top as usize * width);
    for row in 0..rows {
        black(to, left);
        let first = start + row as isize * down;
        match across {
            1 => to.extend(pixels[first as usize..][..columns].iter().map(unpack)),
            -1 => to.extend(
                pixels[..=first as usize]
                    .iter()
                    .rev()
                    .take(columns)
                    .map(unpack),
            ),
            _ => to.extend(
                (0..columns as isize).map(|x| unpack(&pixels[(first + x * across) as usize])),
            ),
        }
        dye(to, columns, ink, N);
        black(to, width - left - columns);
    }
    black(to, (height as usize - top as usize - rows) * width);
}

/// Gives the last pixels their ink, where those of so many channels do not have it by themselves.
fn dye(to: &mut [u32], count: usize, ink: Ink, channels: usize) {
    let start = to.len() - count;
    let pixels = to[start..].iter_mut();
    match ink {
        Ink::Opaque if channels.is_multiple_of(2) => pixels.for_each(|pixel| *pixel |= BLACK),
        Ink::Grey if channels > 1 => pixels.for_each(|pixel| *pixel = luma(*pixel)),
        _ => (),
    }
}
