//! WebP, lossy and lossless, with or without transparency; of an animation the first frame.
//!
//! The decoder sizes its memory by the header inside of a chunk before it compares that with the
//! picture's, and takes the length of the container on trust; both are checked here first.

use crate::exif;
use crate::format::Request;
use crate::orient::Turn;
use crate::pixels::{area, blank, check_memory, damaged, ends_early, Info, Raster, Result, Size};
use image_webp::{DecodingError, WebPDecoder};
use std::io::{Cursor, ErrorKind};

/// Bytes of the file's mark, and of a chunk's head.
const MARK: usize = 12;
const HEAD: usize = 8;
/// Bytes of an animation's frame before its chunks.
const FRAME_HEAD: usize = 16;

/// Bytes that the tables of a lossless picture may take: 65,536 groups of five, each of 1,024
/// entries and its head, and how many at most come from a byte of the file.
const MOST_TABLES: u64 = 65_536 * 5 * 4200;
const TABLES_A_BYTE: u64 = 2000;

pub fn info(bytes: &[u8]) -> Result<Info> {
    let decoder = open(bytes)?;
    let orientation = orientation(bytes);
    Ok(Info {
        size: Turn::of(orientation).exchange(decoder.dimensions().into()),
        channels: if decoder.has_alpha() { 4 } else { 3 },
        bits: 8,
        orientation,
    })
}

pub fn decode(bytes: &[u8], request: Request) -> Result<Raster> {
    check_length(bytes)?;
    let mut decoder = open(bytes)?;
    let size: Size = decoder.dimensions().into();
    request.limits.check(size)?;
    for frame in lossy_sizes(bytes) {
        if frame[0] > size[0] || frame[1] > size[1] {
            return Err(format!(
                "a frame of {}×{} pixels leaves the picture of {}×{}, a frame within it is wanted",
                frame[0], frame[1], size[0], size[1]
            ));
        }
    }
    // The pixels in RGBA, once more on an animation's canvas, without alpha, and as the result.
    let tables = MOST_TABLES.min(bytes.len() as u64 * TABLES_A_BYTE);
    check_memory(bytes.len() as u64 + tables + 16 * area(size))?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut data = blank(size, channels)?;
    decoder
        .read_image(&mut data)
        .map_err(|e| explain(e, bytes, "the image data"))?;
    Ok(Raster::new(size, channels, data, orientation(bytes)))
}

/// The chunks from `at` on, each with its type and data; the last one may be cut.
fn chunks(bytes: &[u8], at: usize) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes.get(at..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<HEAD>()?;
        let (kind, length) = head.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length.first_chunk()?) as usize;
        let (data, after) = after.split_at(length.min(after.len()));
        rest = after.get(length & 1..).unwrap_or_default();
        Some((kind, data))
    })
}

/// The size of each lossy bit stream, of the picture or of an animation's frames, by its own header.
fn lossy_sizes(bytes: &[u8]) -> impl Iterator<Item = Size> + '_ {
    let frames = chunks(bytes, MARK).filter(|(kind, _)| *kind == b"ANMF");
    let inner = frames.flat_map(|(_, data)| chunks(data, FRAME_HEAD));
    let lossy = chunks(bytes, MARK)
        .chain(inner)
        .filter(|(kind, _)| *kind == b"VP8 ");
    lossy.filter_map(|(_, data)| {
        let side = |at| {
            Some(u32::from(
                u16::from_le_bytes(*data.get(at..)?.first_chunk()?) & 0x3fff,
            ))
        };
        Some([side(6)?, side(8)?])
    })
}

/// The orientation in the EXIF chunk. Some put the mark of a JPEG's EXIF segment before it.
fn orientation(bytes: &[u8]) -> u32 {
    let found = chunks(bytes, MARK).find(|(kind, _)| *kind == b"EXIF");
    found.map_or(1, |(_, data)| {
        exif::orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(data))
    })
}

/// Refuses a file that is shorter than its container says.
fn check_length(bytes: &[u8]) -> Result<()> {
    let length = bytes.get(4..).and_then(<[u8]>::first_chunk);
    let length = length.map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
    if bytes.len() as u64 >= length + HEAD as u64 {
        return Ok(());
    }
    Err(ends_early(bytes.len(), "the container"))
}

fn open(bytes: &[u8]) -> Result<WebPDecoder<Cursor<&[u8]>>> {
    WebPDecoder::new(Cursor::new(bytes)).map_err(|e| explain(e, bytes, "the header"))
}

fn explain(error: DecodingError, bytes: &[u8], place: &str) -> String {
    match error {
        DecodingError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            ends_early(bytes.len(), place)
        }
        other => damaged(other, place, "WebP"),
    }
}
