//! Image decoding, resampling, encoding and batching for Fovea, compiled to WebAssembly.
//!
//! Pixels are RGBA, 8 bits a channel, rows from top to bottom. Every error is a sentence without
//! its subject, `⟨what is⟩, ⟨what is wanted⟩`; TypeScript puts `Cannot decode FILE: ` before it.
//! This file is the border to JavaScript and nothing else.
#![deny(unsafe_op_in_unsafe_fn)]

mod encode;
mod exif;
mod format;
mod gather;
mod jpeg;
mod orient;
mod pixels;
mod png;
mod resample;

use format::Format;
use pixels::Limits;
use wasm_bindgen::prelude::*;

/// What a file says of itself, without decoding it: format (0 PNG, 1 JPEG), width, height,
/// channels of the file (1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha), bits a sample,
/// EXIF orientation (1 to 8). Width and height are those of the upright image.
#[wasm_bindgen]
pub fn info(bytes: &[u8]) -> Result<Vec<u32>, JsError> {
    let format = Format::of(bytes).map_err(to_js)?;
    let info = format.info(bytes).map_err(to_js)?;
    let code = format as u32;
    Ok(vec![
        code,
        info.width,
        info.height,
        info.channels,
        info.bits,
        info.orientation,
    ])
}

/// Decodes a PNG or JPEG to upright RGBA; `size` receives width and height.
#[wasm_bindgen]
pub fn decode(
    bytes: &[u8],
    max_pixels: u32,
    max_side: u32,
    size: &mut [u32],
) -> Result<Vec<u8>, JsError> {
    let limits = Limits {
        pixels: max_pixels,
        side: max_side,
    };
    let format = Format::of(bytes).map_err(to_js)?;
    let image = format.decode(bytes, limits).map_err(to_js)?;
    for (to, from) in size.iter_mut().zip([image.width, image.height]) {
        *to = from;
    }
    Ok(image.data)
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
    resample::resize(data, (width, height), (new_width, new_height), filter).map_err(to_js)
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

/// Makes a batch of pixels, one `u32` each, of packed images; see [`gather::Layout`].
///
/// `flips` has one number an image, not 0 to mirror it; `offsets` has top and left for each.
#[wasm_bindgen]
#[allow(clippy::too_many_arguments)]
pub fn gather(
    data: &[u8],
    height: u32,
    width: u32,
    channels: u32,
    flips: &[u8],
    offsets: &[i32],
    out_height: u32,
    out_width: u32,
    edge: bool,
) -> Result<Vec<u32>, JsError> {
    let layout = gather::Layout {
        height: height as usize,
        width: width as usize,
        channels: channels as usize,
        out_height: out_height as usize,
        out_width: out_width as usize,
        edge,
    };
    layout.gather(data, flips, offsets).map_err(to_js)
}

fn to_js(message: String) -> JsError {
    JsError::new(&message)
}
