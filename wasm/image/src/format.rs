//! Tells what a file is by its first bytes, never by its name.
//!
//! Each format is a module of two functions: `info` reads the header, of pictures of any size;
//! `decode` makes upright RGBA, and refuses what exceeds the limits, or would take the decoder more
//! time or memory than its size allows, before the crate that decodes sees it.

use crate::pixels::{Image, Info, Limits, Result};
use crate::{jpeg, png};

/// The formats that are decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Png = 0,
    Jpeg = 1,
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";

/// Files that people mistake for a PNG or JPEG: where the mark lies, the mark, what it is.
const OTHERS: [(usize, &[u8], &str); 13] = [
    (0, b"GIF8", "a GIF file"),
    (8, b"WEBP", "a WebP file"),
    (0, b"BM", "a BMP file"),
    (0, b"II*\0", "a TIFF file"),
    (0, b"MM\0*", "a TIFF file"),
    (4, b"ftypavif", "an AVIF file"),
    (4, b"ftyphei", "a HEIC file"),
    (4, b"ftypmif1", "a HEIF file"),
    (0, b"%PDF", "a PDF file"),
    (0, b"<!DOCTYPE html", "an HTML page"),
    (0, b"<html", "an HTML page"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"PK\x03\x04", "a zip file"),
];

impl Format {
    pub fn of(bytes: &[u8]) -> Result<Format> {
        if bytes.starts_with(PNG) {
            return Ok(Format::Png);
        }
        if bytes.starts_with(JPEG) {
            return Ok(Format::Jpeg);
        }
        let found = if bytes.is_empty() {
            "the file is empty".to_owned()
        } else if [PNG, JPEG].iter().any(|mark| mark.starts_with(bytes)) {
            format!("the data ends after {} bytes", bytes.len())
        } else {
            let is = |(at, mark, _): &&(usize, &[u8], &str)| {
                bytes.get(*at..).is_some_and(|rest| rest.starts_with(mark))
            };
            match OTHERS.iter().find(is) {
                Some((_, _, name)) => format!("it is {name}"),
                None => format!("it starts with {}", start(bytes)),
            }
        };
        Err(format!("{found}, a PNG or JPEG file is wanted"))
    }

    pub fn info(self, bytes: &[u8]) -> Result<Info> {
        match self {
            Format::Png => png::info(bytes),
            Format::Jpeg => jpeg::info(bytes),
        }
    }

    pub fn decode(self, bytes: &[u8], limits: Limits) -> Result<Image> {
        match self {
            Format::Png => png::decode(bytes, limits),
            Format::Jpeg => jpeg::decode(bytes, limits),
        }
    }
}

/// The first bytes, as text where they are text.
fn start(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(16)];
    let is_text = |b: &u8| matches!(*b, 0x20..=0x7e | b'\n' | b'\r' | b'\t');
    if head.iter().all(is_text) {
        let text: String = head
            .iter()
            .map(|&b| if b < 0x20 { ' ' } else { b as char })
            .collect();
        return format!("the text \"{}\"", text.trim_end());
    }
    let hex: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("the bytes {}", hex.join(" "))
}
