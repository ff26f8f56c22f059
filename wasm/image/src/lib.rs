//! Image decoding, resampling, encoding, and what a net sees of pictures, compiled to WebAssembly.
//!
//! Pixels are RGBA, 8 bits a channel, rows from top to bottom. Every error is a sentence without
//! its subject, `⟨what is⟩, ⟨what is wanted⟩`; TypeScript puts `Cannot decode FILE: ` before it.
//! This file is the border to JavaScript and nothing else.
#![deny(unsafe_op_in_unsafe_fn)]

mod augment;
mod bmp;
mod encode;
mod exif;
mod format;
mod gif;
mod jpeg;
mod lay;
mod orient;
mod pixels;
mod png;
mod prepare;
mod resample;
mod webp;
mod window;

use augment::{Numbers, Plan};
use format::{Format, Request};
use lay::Ink;
use orient::Turn;
use pixels::{area, Limits, Raster, View};
use prepare::Preparation;
use resample::{Filter, Resize};
use wasm_bindgen::prelude::*;

/// A result that stays in the module's memory until it is freed, so that JavaScript copies it once,
/// to where it is wanted.
#[wasm_bindgen]
pub struct Pixels {
    width: u32,
    height: u32,
    data: Data,
}

enum Data {
    Bytes(Vec<u8>),
    Words(Vec<u32>),
}

#[wasm_bindgen]
impl Pixels {
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> u32 {
        self.width
    }

    #[wasm_bindgen(getter)]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Where the pixels lie; at a multiple of 4 where the function that made them says so.
    #[wasm_bindgen(getter)]
    pub fn address(&self) -> usize {
        match &self.data {
            Data::Bytes(data) => data.as_ptr() as usize,
            Data::Words(data) => data.as_ptr() as usize,
        }
    }

    /// Number of pixels.
    #[wasm_bindgen(getter)]
    pub fn count(&self) -> usize {
        match &self.data {
            Data::Bytes(data) => data.len() / 4,
            Data::Words(data) => data.len(),
        }
    }
}

/// What a file says of itself, without decoding it: format (a number, see `format.rs`), width,
/// height, channels of the file (1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha), bits a
/// sample, EXIF orientation (1 to 8). Width and height are those of the upright image.
#[wasm_bindgen]
pub fn info(bytes: &[u8]) -> Result<Vec<u32>, JsError> {
    let (number, format) = Format::of(bytes).map_err(to_js)?;
    let info = (format.info)(bytes).map_err(to_js)?;
    let [width, height] = info.size;
    Ok(vec![
        number,
        width,
        height,
        info.channels,
        info.bits,
        info.orientation,
    ])
}

/// Decodes a picture to upright RGBA.
#[wasm_bindgen]
pub fn decode(bytes: &[u8], max_pixels: u32, max_side: u32) -> Result<Pixels, JsError> {
    let picture = decoded(bytes, max_pixels, max_side, None).map_err(to_js)?;
    upright(picture).map_err(to_js)
}

/// Resamples RGBA pixels; `filter` is 0 nearest, 1 bilinear, 2 bicubic, 3 Lanczos.
#[wasm_bindgen]
pub fn resize(
    data: &[u8],
    width: u32,
    height: u32,
    new_width: u32,
    new_height: u32,
    filter: u8,
) -> Result<Vec<u8>, JsError> {
    let size = [width, height];
    let view = View {
        size,
        channels: 4,
        data,
    };
    let filter = Filter::of(filter).map_err(to_js)?;
    let resized = Resize::to(size, [new_width, new_height], filter).apply(view);
    Ok(resized.map_err(to_js)?.into_owned())
}

/// Writes a PNG of 1, 3 or 4 channels; `effort` is 0 fast, 1 balanced, 2 small.
#[wasm_bindgen]
pub fn encode_png(
    data: &[u8],
    width: u32,
    height: u32,
    channels: u8,
    effort: u8,
) -> Result<Vec<u8>, JsError> {
    encode::png(data, (width, height), channels, effort).map_err(to_js)
}

/// What a net sees of a file, as `u32` pixels; see [`Preparation::of`] and [`Plan::read`] for the
/// numbers.
#[wasm_bindgen]
pub fn prepare(
    bytes: &[u8],
    preparation: &[f64],
    steps: &[f64],
    max_pixels: u32,
    max_side: u32,
) -> Result<Pixels, JsError> {
    let plan = Plan::read(&mut Numbers(steps)).map_err(to_js)?;
    let preparation = Preparation::of(preparation).map_err(to_js)?;
    let preparation = preparation.of_part(plan.part);
    let picture = decoded(bytes, max_pixels, max_side, Some(&preparation)).map_err(to_js)?;
    prepared(&preparation, preparation.apply(&picture, &plan)).map_err(to_js)
}

/// What a net sees of pictures of one size, of 1, 3 or 4 channels, one after another, as `u32`
/// pixels; `steps` has the plan of each.
#[wasm_bindgen]
pub fn prepare_packed(
    data: &[u8],
    width: u32,
    height: u32,
    channels: u8,
    preparation: &[f64],
    steps: &[f64],
) -> Result<Pixels, JsError> {
    let preparation = Preparation::of(preparation).map_err(to_js)?;
    let view = View {
        size: [width, height],
        channels: usize::from(channels),
        data,
    };
    prepared(&preparation, preparation.apply_packed(view, steps)).map_err(to_js)
}

fn decoded(
    bytes: &[u8],
    pixels: u32,
    side: u32,
    preparation: Option<&Preparation>,
) -> pixels::Result<Raster> {
    let limits = Limits { pixels, side };
    let request = Request {
        limits,
        preparation,
    };
    (Format::of(bytes)?.1.decode)(bytes, request)
}

fn upright(picture: Raster) -> pixels::Result<Pixels> {
    let turn = Turn::of(picture.orientation);
    let [width, height] = turn.exchange(picture.size);
    let data = if picture.channels == 4 && picture.orientation == orient::UPRIGHT {
        Data::Bytes(picture.data)
    } else {
        let (size, place) = ([width, height], [0, 0]);
        let mut data = pixels::room(area(size))?;
        lay::lay(&mut data, size, place, picture.view(), turn, Ink::Kept);
        Data::Words(data)
    };
    Ok(Pixels {
        width,
        height,
        data,
    })
}

fn prepared(to: &Preparation, data: pixels::Result<Vec<u32>>) -> pixels::Result<Pixels> {
    let ([width, height], data) = (to.size, Data::Words(data?));
    Ok(Pixels {
        width,
        height,
        data,
    })
}

fn to_js(message: String) -> JsError {
    JsError::new(&message)
}
