//! PNG, all kinds.
//!
//! Samples of 16 bits keep their high byte, as in libpng's `png_set_strip_16`.
//! Checksums are verified: a file damaged in transport must not become training data.

use crate::exif;
use crate::format::Request;
use crate::orient::Turn;
use crate::pixels::{area, blank, damaged, ends_early, grouped, Info, Raster, Result};
use ::png::{chunk, ColorType, Decoded, Decoder, DecodingError, StreamingDecoder, Transformations};
use std::io::{Cursor, ErrorKind};

/// For what the decoder keeps besides the image itself: palettes, profiles, a few rows.
const EXTRA_BYTES: usize = 64 << 20;

/// Deflate packs 258 bytes into two bits at best.
const MOST_PACKED: u64 = 258 * 4;

/// Reads up to the image data without preparing for them, so there is no limit on their size.
pub fn info(bytes: &[u8]) -> Result<Info> {
    let mut decoder = StreamingDecoder::new();
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut rest = bytes;
    loop {
        if rest.is_empty() {
            return Err(ends_early(bytes.len(), "the header"));
        }
        let (used, event) = decoder
            .update(rest, None)
            .map_err(|e| explain(e, bytes, "the header"))?;
        rest = &rest[used..];
        match event {
            Decoded::ChunkBegin(_, chunk::IDAT) => break,
            Decoded::ChunkComplete(chunk::IEND) => return Err(no_data()),
            _ => continue,
        }
    }
    let header = decoder.info().ok_or_else(no_data)?;
    let orientation = orientation(bytes);
    let is_transparent = header.trns.is_some();
    let channels = match header.color_type {
        ColorType::Grayscale if is_transparent => 2,
        ColorType::Rgb | ColorType::Indexed if is_transparent => 4,
        ColorType::Indexed => 3,
        other => other.samples() as u32,
    };
    Ok(Info {
        size: Turn::of(orientation).exchange([header.width, header.height]),
        channels,
        bits: header.bit_depth as u32,
        orientation,
    })
}

pub fn decode(bytes: &[u8], request: Request) -> Result<Raster> {
    let mut decoder = open(bytes);
    let header = decoder
        .read_header_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    let size = [header.width, header.height];
    let bits = header.bit_depth as u64 * header.color_type.samples() as u64;
    request.limits.check(size)?;
    check_data(bytes, area(size) * bits / 8)?;
    let mut reader = decoder
        .read_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    check_palette(reader.info())?;
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err(no_palette()),
    };
    let mut data = blank(size, channels)?;
    reader
        .next_frame(&mut data)
        .map_err(|e| explain(e, bytes, "the image data"))?;
    // What follows the pixels belongs to a whole file, its end mark above all.
    reader
        .finish()
        .map_err(|e| explain(e, bytes, "the chunks after the image data"))?;
    Ok(Raster::new(size, channels, data, orientation(bytes)))
}

/// The chunks by their lengths, each with its type; the last one may be cut. Checksums are the
/// decoder's business.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (chunk::ChunkType, &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<8>()?;
        let &[a, b, c, d, kind @ ..] = head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let (data, after) = after.split_at(length.min(after.len()));
        rest = after.get(4..).unwrap_or_default();
        Some((chunk::ChunkType(kind), data))
    })
}

/// The orientation in the EXIF chunk, which may stand before the image data or behind. Some put
/// the mark of a JPEG's EXIF segment before it.
fn orientation(bytes: &[u8]) -> u32 {
    let found = chunks(bytes).find(|(kind, _)| *kind == chunk::eXIf);
    found.map_or(1, |(_, data)| {
        exif::orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(data))
    })
}

/// Refuses a palette that would end the instance: the decoder takes its length on trust.
fn check_palette(header: &::png::Info) -> Result<()> {
    if header.color_type != ColorType::Indexed {
        return Ok(());
    }
    let length = header.palette.as_deref().ok_or_else(no_palette)?.len();
    if length % 3 == 0 {
        return Ok(());
    }
    Err(format!(
        "its palette has {length} bytes, a multiple of 3 is wanted"
    ))
}

/// Refuses image data too short for `wanted` bytes however well packed, before anything is
/// allocated for them. Where there are none at all, the decoder says so.
fn check_data(bytes: &[u8], wanted: u64) -> Result<()> {
    let packed: u64 = chunks(bytes)
        .filter(|(kind, _)| *kind == chunk::IDAT)
        .map(|(_, data)| data.len() as u64)
        .sum();
    let least = wanted / MOST_PACKED;
    if packed >= least || packed == 0 {
        return Ok(());
    }
    let (packed, least) = (grouped(packed), grouped(least));
    Err(format!(
        "its image data are {packed} bytes, at least {least} are wanted for its size"
    ))
}

fn no_data() -> String {
    "it has no image data, a whole file is wanted".to_owned()
}

fn no_palette() -> String {
    "its palette is missing, a palette is wanted".to_owned()
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
        other => damaged(other, place, "PNG"),
    }
}
