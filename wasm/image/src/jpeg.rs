//! JPEG, baseline, progressive and lossless, to upright RGBA.

mod outline;

use crate::pixels::{blank, check_memory, ends_early, expand, Image, Info, Limits, Result};
use crate::{exif, orient};
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
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let (width, height) = if orient::swaps(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    let channels = match info.pixel_format {
        PixelFormat::L8 | PixelFormat::L16 => 1,
        PixelFormat::RGB24 | PixelFormat::CMYK32 => 3,
    };
    Ok(Info {
        width,
        height,
        channels,
        bits: outline.frame.map_or(8, |frame| u32::from(frame.precision)),
        orientation,
    })
}

pub fn decode(bytes: &[u8], limits: Limits) -> Result<Image> {
    let Opened { mut decoder, info } = open(bytes)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    limits.check(width, height)?;
    let outline = Outline::of(bytes, false);
    outline.check(bytes.len())?;
    let pixels = u64::from(width) * u64::from(height);
    let decoder_bytes = outline.frame.as_ref().map_or(0, Frame::decoder_bytes);
    // Twice the result, where it is turned.
    check_memory(bytes.len() as u64 + decoder_bytes + 8 * pixels)?;
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
    if samples.len() as u64 != pixels * channels as u64 {
        return Err("it has fewer pixels than its header says, a whole file is wanted".to_owned());
    }
    let mut data = blank(width, height)?;
    match info.pixel_format {
        PixelFormat::CMYK32 => expand_cmyk(&mut data, &samples),
        _ => expand(&mut data, &samples, channels),
    }
    drop(samples);
    let image = Image {
        width,
        height,
        data,
    };
    orient::upright(image, outline.exif.map_or(1, exif::orientation))
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
fn expand_cmyk(to: &mut [u8], from: &[u8]) {
    for (t, f) in to.chunks_exact_mut(4).zip(from.chunks_exact(4)) {
        let light = 255 - u32::from(f[3]);
        for (t, &ink) in t.iter_mut().zip(&f[..3]) {
            // Ink times light over 255, rounded.
            let product = u32::from(ink) * light + 128;
            let absorbed = ((product >> 8) + product) >> 8;
            *t = light.saturating_sub(absorbed) as u8;
        }
        t[3] = 255;
    }
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
        Error::Format(text) => damaged(&text, place),
        other => damaged(&other.to_string(), place),
    }
}

fn damaged(text: &str, place: &str) -> String {
    let text = text.trim_end_matches('.');
    format!("{place} of the JPEG is damaged ({text}), an undamaged file is wanted")
}
