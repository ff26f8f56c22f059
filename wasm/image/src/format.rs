//! Tells what a file is by its first bytes, never by its name.
//!
//! Each format is a module of two functions: `info` reads the header, of pictures of any size;
//! `decode` makes pixels, and refuses what exceeds the limits, or would take the decoder more time
//! or memory than its size allows, before the crate that decodes sees it.

use crate::pixels::{Info, Limits, Raster, Result};
use crate::prepare::Preparation;
use crate::{bmp, gif, jpeg, png, webp};

/// What is asked of a decoder.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub limits: Limits,
    /// What becomes of the picture, where it is to be made small: a decoder that can shrink it
    /// cheaply may do so.
    pub preparation: Option<&'a Preparation>,
}

/// Where a mark lies in a file, and the mark.
type Mark = (usize, &'static [u8]);

/// A format that is decoded.
pub struct Format {
    pub name: &'static str,
    /// All are there.
    marks: &'static [Mark],
    pub info: fn(&[u8]) -> Result<Info>,
    pub decode: fn(&[u8], Request) -> Result<Raster>,
}

/// The formats, in the order that TypeScript numbers them.
const FORMATS: [Format; 5] = [
    Format {
        name: "PNG",
        marks: &[(0, b"\x89PNG\r\n\x1a\n")],
        info: png::info,
        decode: png::decode,
    },
    Format {
        name: "JPEG",
        marks: &[(0, b"\xff\xd8\xff")],
        info: jpeg::info,
        decode: jpeg::decode,
    },
    Format {
        name: "WebP",
        marks: &[(0, b"RIFF"), (8, b"WEBP")],
        info: webp::info,
        decode: webp::decode,
    },
    Format {
        name: "GIF",
        marks: &[(0, b"GIF8")],
        info: gif::info,
        decode: gif::decode,
    },
    Format {
        name: "BMP",
        marks: &[(0, b"BM")],
        info: bmp::info,
        decode: bmp::decode,
    },
];

/// Files that people mistake for one of these: a mark, and what it is.
const OTHERS: [(Mark, &str); 13] = [
    ((8, b"WAVE"), "a WAVE file"),
    ((8, b"AVI "), "an AVI file"),
    ((0, b"II*\0"), "a TIFF file"),
    ((0, b"MM\0*"), "a TIFF file"),
    ((4, b"ftypavif"), "an AVIF file"),
    ((4, b"ftyphei"), "a HEIC file"),
    ((4, b"ftypmif1"), "a HEIF file"),
    ((0, b"%PDF"), "a PDF file"),
    ((0, b"<!DOCTYPE html"), "an HTML page"),
    ((0, b"<html"), "an HTML page"),
    ((0, b"<svg"), "an SVG file"),
    ((0, b"\x1f\x8b"), "a gzip file"),
    ((0, b"PK\x03\x04"), "a zip file"),
];

fn bears(bytes: &[u8], (at, mark): Mark) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(mark))
}

impl Format {
    /// The format of a file, with its number.
    pub fn of(bytes: &[u8]) -> Result<(u32, &'static Format)> {
        const ALL: &[Format] = &FORMATS;
        let mut formats = ALL.iter().zip(0..);
        let found = formats.find(|(f, _)| f.marks.iter().all(|&mark| bears(bytes, mark)));
        found
            .map(|(format, number)| (number, format))
            .ok_or_else(|| foreign(bytes))
    }
}

/// What a file is that is none of the formats.
fn foreign(bytes: &[u8]) -> String {
    let could_begin = |f: &Format| f.marks[0].1.starts_with(bytes);
    let found = if bytes.is_empty() {
        "the file is empty".to_owned()
    } else if FORMATS.iter().any(could_begin) {
        format!("the data ends after {} bytes", bytes.len())
    } else {
        match OTHERS.iter().find(|&&(mark, _)| bears(bytes, mark)) {
            Some((_, name)) => format!("it is {name}"),
            None => format!("it starts with {}", start(bytes)),
        }
    };
    let names = FORMATS.map(|format| format.name);
    let (last, others) = (names[names.len() - 1], &names[..names.len() - 1]);
    format!("{found}, a {} or {last} file is wanted", others.join(", "))
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
