//! PNG, all kinds, to RGBA.
//!
//! Samples of 16 bits keep their high byte, as in libpng's `png_set_strip_16`.
//! Checksums are verified: a file damaged in transport must not become training data.

use crate::pixels::{blank, ends_early, expand, zeroed, Image, Info, Limits, Result};
use ::png::{ColorType, Decoder, DecodingError, Transformations};
use std::io::{Cursor, ErrorKind};

/// For what the decoder keeps besides the image itself: palettes, profiles, a few rows.
const EXTRA_BYTES: usize = 64 << 20;

pub fn info(bytes: &[u8]) -> Result<Info> {
    let mut decoder = open(bytes);
    let header = decoder
        .read_header_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    let (width, height, bits) = (header.width, header.height, header.bit_depth as u32);
    // A transparent colour comes in a later chunk, so read up to the image data.
    let reader = decoder
        .read_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    let channels = reader.output_color_type().0.samples() as u32;
    Ok(Info {
        width,
        height,
        channels,
        bits,
        orientation: 1,
    })
}

pub fn decode(bytes: &[u8], limits: Limits) -> Result<Image> {
    let mut decoder = open(bytes);
    let header = decoder
        .read_header_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    let (width, height, interlaced) = (header.width, header.height, header.interlaced);
    limits.check(width, height)?;
    let mut reader = decoder
        .read_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err("its palette is missing, a palette is wanted".to_owned()),
    };
    let mut data = blank(width, height)?;
    let in_image = |e| explain(e, bytes, "the image data");
    let row_length = width as usize * channels;
    if interlaced {
        let mut frame = zeroed(row_length as u64 * u64::from(height))?;
        reader.next_frame(&mut frame).map_err(in_image)?;
        expand(&mut data, &frame, channels);
    } else {
        let mut row = zeroed(row_length as u64)?;
        for to in data.chunks_exact_mut(width as usize * 4) {
            reader.read_row(&mut row).map_err(in_image)?;
            expand(to, &row, channels);
        }
    }
    // What follows the pixels belongs to a whole file, its end mark above all.
    reader
        .finish()
        .map_err(|e| explain(e, bytes, "the chunks after the image data"))?;
    Ok(Image {
        width,
        height,
        data,
    })
}

fn open(bytes: &[u8]) -> Decoder<Cursor<&[u8]>> {
    let limits = ::png::Limits { bytes: EXTRA_BYTES };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder
}

fn explain(error: DecodingError, bytes: &[u8], place: &str) -> String {
    match error {
        DecodingError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            ends_early(bytes.len(), place)
        }
        DecodingError::LimitsExceeded => {
            format!("{place} needs too much memory, a smaller image is wanted")
        }
        other => {
            let text = other.to_string();
            let text = text.trim_end_matches('.');
            format!("{place} of the PNG is damaged ({text}), an undamaged file is wanted")
        }
    }
}
