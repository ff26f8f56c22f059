//! JPEG, baseline, progressive and lossless, to upright RGBA.

use crate::pixels::{blank, ends_early, expand, Image, Info, Limits, Result};
use crate::{exif, orient};
use jpeg_decoder::{Decoder, Error, ImageInfo, PixelFormat, UnsupportedFeature};
use std::io::ErrorKind;

struct Opened<'a> {
    decoder: Decoder<&'a [u8]>,
    info: ImageInfo,
    orientation: u32,
}

pub fn info(bytes: &[u8]) -> Result<Info> {
    let Opened {
        info, orientation, ..
    } = open(bytes)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let (width, height) = if orient::swaps(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    let (channels, bits) = match info.pixel_format {
        PixelFormat::L8 => (1, 8),
        PixelFormat::L16 => (1, 16),
        PixelFormat::RGB24 | PixelFormat::CMYK32 => (3, 8),
    };
    Ok(Info {
        width,
        height,
        channels,
        bits,
        orientation,
    })
}

pub fn decode(bytes: &[u8], limits: Limits) -> Result<Image> {
    let Opened {
        mut decoder,
        info,
        orientation,
    } = open(bytes)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    limits.check(width, height)?;
    let samples = decoder
        .decode()
        .map_err(|e| explain(e, bytes, "the image data"))?;
    let pixels = width as usize * height as usize;
    if samples.len() < pixels * info.pixel_format.pixel_bytes() {
        return Err("it has fewer pixels than its header says, a whole file is wanted".to_owned());
    }
    let mut data = blank(width, height)?;
    match info.pixel_format {
        PixelFormat::L8 => expand(&mut data, &samples, 1),
        PixelFormat::RGB24 => expand(&mut data, &samples, 3),
        PixelFormat::L16 => expand_grey16(&mut data, &samples),
        PixelFormat::CMYK32 => expand_cmyk(&mut data, &samples),
    }
    drop(samples);
    orient::upright(
        Image {
            width,
            height,
            data,
        },
        orientation,
    )
}

/// Reads the header; the EXIF orientation counts when it stands before the frame, as it must.
fn open(bytes: &[u8]) -> Result<Opened<'_>> {
    let mut decoder = Decoder::new(bytes);
    decoder
        .read_info()
        .map_err(|e| explain(e, bytes, "the header"))?;
    let info = decoder
        .info()
        .ok_or("it has no frame, a whole file is wanted")?;
    let orientation = decoder.exif_data().map_or(1, exif::orientation);
    Ok(Opened {
        decoder,
        info,
        orientation,
    })
}

/// The high byte of each sample; the decoder gives them in the machine's order, little-endian.
fn expand_grey16(to: &mut [u8], from: &[u8]) {
    for (t, f) in to.chunks_exact_mut(4).zip(from.chunks_exact(2)) {
        t.copy_from_slice(&[f[1], f[1], f[1], 255]);
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
