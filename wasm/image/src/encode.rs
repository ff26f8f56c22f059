//! PNG writing, for data sheets, masks and previews.

use crate::pixels::Result;
use png::{BitDepth, ColorType, Compression, Encoder};

pub fn png(data: &[u8], size: (u32, u32), channels: u8, effort: u8) -> Result<Vec<u8>> {
    let color = match channels {
        1 => ColorType::Grayscale,
        3 => ColorType::Rgb,
        4 => ColorType::Rgba,
        other => return Err(format!("{other} channels are given, 1, 3 or 4 are wanted")),
    };
    let compression = match effort {
        0 => Compression::Fast,
        1 => Compression::Balanced,
        _ => Compression::High,
    };
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, size.0, size.1);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(compression);
    let mut writer = encoder.write_header().map_err(|e| e.to_string())?;
    writer.write_image_data(data).map_err(|e| e.to_string())?;
    writer.finish().map_err(|e| e.to_string())?;
    Ok(file)
}
