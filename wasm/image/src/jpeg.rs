//! JPEG, baseline, progressive and lossless.
//!
//! What a net sees is often a small part of a photo's pixels. Then the decoder computes each block
//! from its lowest frequencies alone, at a half or a quarter of its side: libjpeg's scaled decoding,
//! Pillow's `draft`.

mod outline;

use crate::exif;
use crate::format::Request;
use crate::orient::Turn;
use crate::pixels::{area, check_memory, damaged, ends_early, room, Info, Raster, Result, Size};
use jpeg_decoder::{Decoder, Error, ImageInfo, PixelFormat, UnsupportedFeature};
use outline::{Frame, Outline};
use std::io::ErrorKind;

struct Opened<'a> {
    decoder: Decoder<&'a [u8]>,
    info: ImageInfo,
}

pub fn info(bytes: &[u8]) -> Result<Info> {
    let info = open(bytes)?.info;
    let outline = Outline::of(bytes, true);
    let orientation = outline.exif.map_or(1, exif::orientation);
    let channels = match info.pixel_format {
        PixelFormat::L8 | PixelFormat::L16 => 1,
        PixelFormat::RGB24 | PixelFormat::CMYK32 => 3,
    };
    Ok(Info {
        size: Turn::of(orientation).exchange(size_of(info)),
        channels,
        bits: outline.frame.map_or(8, |frame| u32::from(frame.precision)),
        orientation,
    })
}

pub fn decode(bytes: &[u8], request: Request) -> Result<Raster> {
    let Opened { mut decoder, info } = open(bytes)?;
    let full = size_of(info);
    request.limits.check(full)?;
    let outline = Outline::of(bytes, false);
    outline.check(bytes.len())?;
    let decoder_bytes = outline.frame.as_ref().map_or(0, Frame::decoder_bytes);
    // What the decoder gives, and what is made of it.
    check_memory(bytes.len() as u64 + decoder_bytes + 8 * area(full))?;
    let orientation = outline.exif.map_or(1, exif::orientation);
    let wanted = match (request.preparation, &outline.frame) {
        (Some(preparation), Some(frame)) if frame.has_blocks() => {
            preparation.most_shrunk(full, orientation)
        }
        _ => 1,
    };
    let (size, shrunk) = shrink(&mut decoder, full, wanted)?;
    let samples = decoder
        .decode()
        .map_err(|e| explain(e, bytes, "the image data"))?;
    drop(decoder); // It holds the coefficients.
    let samples = match outline.frame {
        Some(frame) if frame.is_wide() => narrow(&samples, frame.precision),
        _ => samples,
    };
    let channels = match info.pixel_format {
        PixelFormat::L8 | PixelFormat::L16 => 1,
        PixelFormat::RGB24 => 3,
        PixelFormat::CMYK32 => 4,
    };
    if samples.len() as u64 != area(size) * channels as u64 {
        return Err("it has fewer pixels than its header says, a whole file is wanted".to_owned());
    }
    let (channels, data) = match info.pixel_format {
        PixelFormat::CMYK32 => (3, rgb_of_cmyk(&samples)?),
        _ => (channels, samples),
    };
    Ok(Raster {
        full,
        shrunk,
        ..Raster::new(size, channels, data, orientation)
    })
}

fn size_of(info: ImageInfo) -> Size {
    [info.width, info.height].map(u32::from)
}

/// Has the decoder shrink the picture; tells the size it will have, and by how much it is shrunk.
fn shrink(decoder: &mut Decoder<&[u8]>, full: Size, by: u32) -> Result<(Size, u32)> {
    let size = full.map(|side| side.div_ceil(by));
    if by == 1 {
        return Ok((full, 1));
    }
    // The decoder takes the first of its sizes that reaches one of the sides asked for; the other
    // one is out of reach.
    let (width, height) = if full[0] > full[1] {
        (size[0] as u16, u16::MAX)
    } else {
        (u16::MAX, size[1] as u16)
    };
    let mut scale = |width, height| {
        let (width, height) = decoder.scale(width, height).map_err(|e| e.to_string())?;
        Ok::<Size, String>([width, height].map(u32::from))
    };
    if scale(width, height)? == size {
        return Ok((size, by));
    }
    // Sides of a few pixels are the same at several scales.
    scale(u16::MAX, u16::MAX)?;
    Ok((full, 1))
}

/// Reads the header.
fn open(bytes: &[u8]) -> Result<Opened<'_>> {
    let mut decoder = Decoder::new(bytes);
    decoder
        .read_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    let info = decoder
        .info()
        .ok_or("it has no frame, a whole file is wanted")?;
    Ok(Opened { decoder, info })
}

/// Samples of `bits` bits, two bytes each in the machine's order, little-endian, to 8 bits.
fn narrow(samples: &[u8], bits: u8) -> Vec<u8> {
    let most = (1u32 << bits) - 1;
    let pairs = samples.chunks_exact(2);
    let values = pairs.map(|pair| u32::from(pair[0]) | u32::from(pair[1]) << 8);
    if bits > 8 {
        values.map(|value| (value >> (bits - 8)) as u8).collect()
    } else {
        values
            .map(|value| (value.min(most) * 255 / most) as u8)
            .collect()
    }
}

/// The plain conversion of Pillow and of browsers without a colour profile: each ink takes its
/// share of the light that black lets through.
fn rgb_of_cmyk(samples: &[u8]) -> Result<Vec<u8>> {
    let mut data = room(samples.len() as u64 / 4 * 3)?;
    for &[c, m, y, k] in samples.as_chunks().0 {
        let light = 255 - u32::from(k);
        data.extend([c, m, y].map(|ink| {
            // Ink times light over 255, rounded.
            let product = u32::from(ink) * light + 128;
            let absorbed = ((product >> 8) + product) >> 8;
            light.saturating_sub(absorbed) as u8
        }));
    }
    Ok(data)
}

fn explain(error: Error, bytes: &[u8], place: &str) -> String {
    match error {
        Error::Io(e) if e.kind() == ErrorKind::UnexpectedEof => ends_early(bytes.len(), place),
        Error::Unsupported(feature) => {
            let found = match feature {
                UnsupportedFeature::ArithmeticEntropyCoding => "arithmetic coding".to_owned(),
                UnsupportedFeature::Hierarchical => "hierarchical coding".to_owned(),
                UnsupportedFeature::SamplePrecision(bits) => format!("{bits} bits a sample"),
                UnsupportedFeature::ComponentCount(count) => format!("{count} components"),
                other => format!("{other:?}"),
            };
            format!("it is a JPEG with {found}, a common baseline or progressive JPEG is wanted")
        }
        Error::Format(text) => damaged(text, place, "JPEG"),
        other => damaged(other, place, "JPEG"),
    }
}
