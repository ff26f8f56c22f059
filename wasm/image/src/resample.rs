//! Resampling, antialiased when shrinking, as Pillow does it.

use crate::orient::{Turn, UPRIGHT};
use crate::pixels::{blank, room, Result, Size, View};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8x2, U8x3, U8x4, U8};
use fast_image_resize::{FilterType, MulDiv, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use std::borrow::Cow;
use std::ops::Range;

/// How pixels are interpolated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos3,
}

impl Filter {
    /// By the numbers that TypeScript has for them.
    pub fn of(number: u8) -> Result<Filter> {
        use Filter::*;
        let all = [Nearest, Bilinear, Bicubic, Lanczos3];
        let unknown = || format!("filter number {number} is unknown, 0 to 3 are wanted");
        all.get(usize::from(number)).copied().ok_or_else(unknown)
    }

    /// The kernel and how far it reaches; nothing for the nearest pixel.
    fn kernel(self) -> Option<(FilterType, f64)> {
        match self {
            Filter::Nearest => None,
            Filter::Bilinear => Some((FilterType::Bilinear, 1.0)),
            // The cubic of Keys with a = -1/2, which Pillow calls bicubic.
            Filter::Bicubic => Some((FilterType::CatmullRom, 2.0)),
            Filter::Lanczos3 => Some((FilterType::Lanczos3, 3.0)),
        }
    }
}

/// Along one axis: of a picture scaled to `whole` pixels, those from `start` on, `size` of them.
/// Only they are computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub whole: u64,
    pub start: u64,
    pub size: u32,
}

impl Cut {
    pub fn all(size: u32) -> Cut {
        let whole = u64::from(size);
        Cut {
            whole,
            start: 0,
            size,
        }
    }

    /// The same pixels counted from the other end.
    pub fn reversed(self) -> Cut {
        let start = self.whole - self.start - u64::from(self.size);
        Cut { start, ..self }
    }

    /// The interval of the source, `extent` pixels long, that these pixels cover.
    fn source(self, extent: f64) -> Range<f64> {
        let at = |pixel: u64| pixel as f64 * extent / self.whole as f64;
        at(self.start)..at(self.start + u64::from(self.size))
    }

    /// True where nothing is to be done for a source of `side` pixels.
    fn is_all_of(self, side: u32) -> bool {
        self == Cut::all(side)
    }
}

/// What to do with a picture whose sides are `view.size`; they stand for `extent` pixels, which may
/// be less by a fraction where a decoder has shrunk it.
pub struct Resize {
    /// Where the picture begins among the pixels: a fraction of one, where it was cut out of more.
    pub origin: [f64; 2],
    pub extent: [f64; 2],
    pub cuts: [Cut; 2],
    pub filter: Filter,
    /// How the result will be turned; what is computed is the same as if it had been turned before.
    pub turn: Turn,
}

impl Resize {
    /// To a size, as a whole, across first: Pillow's order.
    pub fn to(from: Size, size: Size, filter: Filter) -> Resize {
        Resize {
            origin: [0.0; 2],
            extent: from.map(f64::from),
            cuts: size.map(Cut::all),
            filter,
            turn: Turn::of(UPRIGHT),
        }
    }

    /// The pixels of the cuts, in as many channels.
    pub fn apply<'a>(&self, view: View<'a>) -> Result<Cow<'a, [u8]>> {
        let [x, y] = self.cuts;
        let is_whole = self.origin == [0.0; 2];
        if is_whole && x.is_all_of(view.size[0]) && y.is_all_of(view.size[1]) {
            return Ok(Cow::Borrowed(view.data));
        }
        let Some(kernel) = self.filter.kernel() else {
            return self.nearest(view).map(Cow::Owned);
        };
        // A match, not the crate's own choice by a value: this way only these four are compiled in.
        let result = match view.channels {
            1 => self.convolve::<U8>(view, kernel),
            2 => self.convolve_alpha::<U8x2>(view, kernel),
            3 => self.convolve::<U8x3>(view, kernel),
            _ => self.convolve_alpha::<U8x4>(view, kernel),
        };
        result.map(Cow::Owned)
    }

    /// Colours are weighted by alpha, so that what is not seen does not show at its border. That
    /// costs time and rounding, so it is done only where it means something.
    fn convolve_alpha<P: PixelTrait>(
        &self,
        view: View,
        kernel: (FilterType, f64),
    ) -> Result<Vec<u8>> {
        if is_opaque(view) {
            return self.convolve::<P>(view, kernel);
        }
        let mut data = room(view.data.len() as u64)?;
        data.extend_from_slice(view.data);
        let muldiv = MulDiv::new();
        muldiv
            .multiply_alpha_inplace_typed(&mut target::<P>(&mut data, view.size)?)
            .map_err(text)?;
        let weighted = View {
            data: &data,
            ..view
        };
        let mut result = self.convolve::<P>(weighted, kernel)?;
        let size = self.cuts.map(|cut| cut.size);
        muldiv
            .divide_alpha_inplace_typed(&mut target::<P>(&mut result, size)?)
            .map_err(text)?;
        Ok(result)
    }

    fn convolve<P: PixelTrait>(
        &self,
        view: View,
        (kernel, reach): (FilterType, f64),
    ) -> Result<Vec<u8>> {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel));
        let mut resizer = Resizer::new();
        let mut pass = |view: View, part: [Range<f64>; 2], to: Size| -> Result<Vec<u8>> {
            let [width, height] = view.size;
            let source = TypedImageRef::<P>::from_buffer(width, height, view.data).map_err(text)?;
            let mut result = blank(to, view.channels)?;
            let [x, y] = [0, 1].map(|i| within(&part[i], view.size[i]));
            let options = options.use_alpha(false).crop(x.0, y.0, x.1, y.1);
            resizer
                .resize_typed(&source, &mut target::<P>(&mut result, to)?, &options)
                .map_err(text)?;
            Ok(result)
        };
        let parts = [0, 1].map(|i| {
            let Range { start, end } = self.cuts[i].source(self.extent[i]);
            self.origin[i] + start..self.origin[i] + end
        });
        let to = self.cuts.map(|cut| cut.size);
        // Upright rows come first. Kernels with negative lobes overshoot and are cut off at 0 and
        // 255 between the passes, and so the order shows beside strong edges.
        let [first, second] = self.turn.exchange([0, 1]);
        if self.cuts[first].is_all_of(view.size[first])
            || self.cuts[second].is_all_of(view.size[second])
        {
            return pass(view, parts, to);
        }
        // Of the other axis, the first pass keeps what the second one reads.
        let read = reached(&parts[second], to[second], reach, view.size[second]);
        let (mut size, mut part) = (to, parts.clone());
        size[second] = read.end - read.start;
        part[second] = f64::from(read.start)..f64::from(read.end);
        let middle = pass(view, part, size)?;
        let mut part = size.map(|side| 0.0..f64::from(side));
        let offset = f64::from(read.start);
        part[second] = parts[second].start - offset..parts[second].end - offset;
        let view = View {
            size,
            data: &middle,
            ..view
        };
        pass(view, part, to)
    }

    /// The pixel whose area holds the new pixel's centre; in whole numbers, so that a centre on a
    /// border always falls to the upright pixel after it.
    fn nearest(&self, view: View) -> Result<Vec<u8>> {
        let [x, y] = [0, 1].map(|axis| {
            let (cut, side) = (self.cuts[axis], u64::from(view.size[axis]));
            let under = |at: u64| (2 * at + 1) * side / (2 * cut.whole);
            let is_reversed = self.turn.reverses[axis];
            let place = move |i| match (cut.start + i, is_reversed) {
                (at, false) => under(at) as usize,
                (at, true) => (side - 1 - under(cut.whole - 1 - at)) as usize,
            };
            (0..u64::from(cut.size)).map(place).collect::<Vec<usize>>()
        });
        let (channels, stride) = (view.channels, view.size[0] as usize * view.channels);
        let mut result = blank([x.len() as u32, y.len() as u32], channels)?;
        let rows = result.chunks_exact_mut(x.len() * channels);
        for (row, at) in rows.zip(y) {
            let pixels = &view.data[at * stride..(at + 1) * stride];
            for (pixel, &at) in row.chunks_exact_mut(channels).zip(&x) {
                pixel.copy_from_slice(&pixels[at * channels..][..channels]);
            }
        }
        Ok(result)
    }
}

/// The source pixels that a kernel reaches from an interval scaled to `size` pixels.
fn reached(part: &Range<f64>, size: u32, reach: f64, side: u32) -> Range<u32> {
    let scale = (part.end - part.start) / f64::from(size);
    let margin = reach * scale.max(1.0) + 1.0;
    let start = (part.start - margin).floor().max(0.0) as u32;
    let end = (part.end + margin).ceil().min(f64::from(side)) as u32;
    start..end
}

/// Start and length of an interval, such that rounding does not lead beyond the side.
fn within(part: &Range<f64>, side: u32) -> (f64, f64) {
    let side = f64::from(side);
    let mut length = part.end.min(side) - part.start;
    while part.start + length > side {
        length = length.next_down();
    }
    (part.start, length)
}

fn is_opaque(view: View) -> bool {
    let alpha = view.channels - 1;
    let mut pixels = view.data.chunks_exact(view.channels);
    pixels.all(|pixel| pixel[alpha] == 255)
}

fn target<P: PixelTrait>(data: &mut [u8], size: Size) -> Result<TypedImage<'_, P>> {
    TypedImage::from_buffer(size[0], size[1], data).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
