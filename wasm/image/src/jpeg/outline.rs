//! A JPEG's segments without its pixels: a walk over the markers, before anything is decoded.
//!
//! The decoder's work grows with scans times blocks, and a block costs the same when no data are
//! left for it: a file of a few hundred bytes can ask for seconds, one of a few hundred thousand
//! for minutes. Here the work is counted first. The walk steps from marker to marker as the
//! decoder does, so neither sees a scan that the other does not.

use crate::pixels::{ends_early, grouped, Result};

/// Samples that the scans of a progressive picture may visit, for each pixel: 64 scans over every
/// component in 4:2:0, 32 in 4:4:4. libjpeg's own script visits 14. A visit costs about 5 ns, so
/// this is half a second for a megapixel.
const VISITS: u64 = 96;
/// Smaller pictures may spend as much as a megapixel.
const LEAST_PIXELS: u64 = 1 << 20;
/// Visits of any one file, however large: about ten seconds.
const MOST_VISITS: u64 = 1 << 31;
/// Where nothing is refined, each component has one scan; a second is borne.
const SEQUENTIAL_PASSES: u64 = 2;

/// How samples are coded, as far as their cost goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Process {
    Sequential,
    Progressive,
    Lossless,
}

struct Component {
    id: u8,
    /// Blocks of 8 x 8 samples; in the lossless process, samples.
    units: u64,
}

/// The frame header.
pub struct Frame {
    pub process: Process,
    pub precision: u8,
    width: u16,
    height: u16,
    components: Vec<Component>,
}

/// What the walk has found.
#[derive(Default)]
pub struct Outline<'a> {
    pub frame: Option<Frame>,
    /// EXIF data before the first scan, from the TIFF header on.
    pub exif: Option<&'a [u8]>,
    /// Units visited by all scans.
    units: u64,
    /// Bytes of entropy-coded data in all scans.
    data: u64,
    /// The file stops before its end mark.
    is_cut: bool,
}

/// A marker with what belongs to it.
struct Segment<'a> {
    marker: u8,
    body: &'a [u8],
}

enum Step<'a> {
    Segment(Segment<'a>),
    /// The end mark, or a marker that the decoder refuses.
    End,
    /// The data stop.
    Cut,
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP1: u8 = 0xe1;
const EXIF: &[u8] = b"Exif\0\0";

impl<'a> Outline<'a> {
    /// Walks over the segments: up to the first scan, where the header ends, or over all.
    pub fn of(bytes: &'a [u8], header_only: bool) -> Self {
        let mut outline = Outline::default();
        let (mut at, mut scans) = (2, 0);
        loop {
            match step(bytes, &mut at) {
                Step::End => return outline,
                Step::Cut => {
                    outline.is_cut = true;
                    return outline;
                }
                Step::Segment(Segment { marker: SOS, .. }) if header_only => return outline,
                Step::Segment(Segment { marker: SOS, body }) => {
                    let end = entropy_end(bytes, at);
                    outline.add_scan(body, (end - at) as u64);
                    (at, scans) = (end, scans + 1);
                }
                Step::Segment(Segment { marker: APP1, body }) if scans == 0 => {
                    outline.exif = outline.exif.or(body.strip_prefix(EXIF));
                }
                Step::Segment(Segment { marker, body }) => {
                    if let (Some(process), None) = (process(marker), &outline.frame) {
                        outline.frame = Frame::parse(process, body);
                    }
                }
            }
        }
    }

    fn add_scan(&mut self, body: &[u8], data: u64) {
        self.data += data;
        let Some(frame) = &self.frame else { return };
        let count = usize::from(body.first().copied().unwrap_or(0));
        let ids = body.iter().skip(1).step_by(2).take(count);
        self.units += ids
            .filter_map(|id| frame.components.iter().find(|c| c.id == *id))
            .map(|component| component.units)
            .sum::<u64>();
    }

    /// Refuses a file that is cut off, that lacks most of its data, or that would keep the decoder
    /// busy for longer than [`VISITS`] says.
    pub fn check(&self, length: usize) -> Result<()> {
        if self.is_cut {
            return Err(ends_early(length, "the image data"));
        }
        let Some(frame) = &self.frame else {
            return Ok(()); // The decoder says what it misses.
        };
        let size = format!("{}×{} pixels", frame.width, frame.height);
        let units = frame.units();
        // No code is shorter than a bit. A block takes one for its mean and, unless they come in
        // scans of their own, one for the rest; a lossless sample takes one.
        let bits = match frame.process {
            Process::Sequential => 2 * units,
            Process::Progressive | Process::Lossless => units,
        };
        let least = bits.div_ceil(8);
        if self.data < least {
            let (found, least) = (grouped(self.data), grouped(least));
            return Err(format!(
                "its image data are {found} bytes, at least {least} are wanted for {size}"
            ));
        }
        let most = frame.most_units(units);
        if self.units > most {
            return Err(format!(
                "its scans pass {} times over {size}, at most {} times are wanted",
                self.units.div_ceil(units),
                most / units
            ));
        }
        Ok(())
    }
}

impl Frame {
    fn parse(process: Process, body: &[u8]) -> Option<Frame> {
        let (header, components) = (body.get(..6)?, body.get(6..)?.chunks_exact(3));
        let height = u16::from_be_bytes([header[1], header[2]]);
        let width = u16::from_be_bytes([header[3], header[4]]);
        let sampling = |factors: u8| (u64::from(factors >> 4), u64::from(factors & 15));
        let most = components.clone().map(|c| sampling(c[1]));
        let (h_most, v_most) = most.fold((1, 1), |(h, v), c| (h.max(c.0), v.max(c.1)));
        let side = if process == Process::Lossless { 1 } else { 8 };
        let components = components
            .map(|c| {
                let (h, v) = sampling(c[1]);
                let across = (u64::from(width) * h).div_ceil(h_most * side);
                let down = (u64::from(height) * v).div_ceil(v_most * side);
                Component {
                    id: c[0],
                    units: across * down,
                }
            })
            .collect();
        Some(Frame {
            process,
            precision: header[0],
            width,
            height,
            components,
        })
    }

    /// Units of all components; the decoder has refused a frame without any.
    fn units(&self) -> u64 {
        self.components.iter().map(|c| c.units).sum::<u64>().max(1)
    }

    /// Units that all scans together may visit, where the picture has `units`.
    fn most_units(&self, units: u64) -> u64 {
        if self.process != Process::Progressive {
            return SEQUENTIAL_PASSES * units;
        }
        let pixels = u64::from(self.width) * u64::from(self.height);
        let visits = (VISITS * pixels.max(LEAST_PIXELS)).min(MOST_VISITS);
        (visits / 64).max(units)
    }

    /// True where the decoder gives two bytes a sample.
    pub fn is_wide(&self) -> bool {
        self.process == Process::Lossless && self.precision != 8
    }

    /// True where samples are coded in blocks, which can be decoded smaller.
    pub fn has_blocks(&self) -> bool {
        self.process != Process::Lossless
    }

    /// Bytes that the decoder holds at its peak: coefficients, planes, and its result.
    pub fn decoder_bytes(&self) -> u64 {
        let units = self.units();
        match self.process {
            Process::Sequential => units * 64 * 2,
            Process::Progressive => units * 64 * 4,
            Process::Lossless => units * 8,
        }
    }
}

/// How a frame of this marker is coded; nothing where it is no frame, or one that is not decoded.
fn process(marker: u8) -> Option<Process> {
    match marker {
        0xc0 | 0xc1 => Some(Process::Sequential),
        0xc2 => Some(Process::Progressive),
        0xc3 => Some(Process::Lossless),
        _ => None,
    }
}

/// The next marker from `at` on; `at` moves behind its segment.
fn step<'a>(bytes: &'a [u8], at: &mut usize) -> Step<'a> {
    loop {
        // Bytes between segments are skipped, as libjpeg does; so are fill bytes, all FF.
        let Some(skipped) = find_ff(&bytes[*at..]) else {
            return Step::Cut;
        };
        *at += skipped;
        let rest = &bytes[*at..];
        let Some(fill) = rest.iter().position(|&b| b != 0xff) else {
            return Step::Cut;
        };
        *at += fill + 1;
        match rest[fill] {
            0 | 0xd0..=0xd7 => continue,
            EOI | SOI | 1..=0xbf => return Step::End,
            marker => {
                let rest = &bytes[*at..];
                let Some(&[high, low]) = rest.first_chunk() else {
                    return Step::Cut;
                };
                let length = usize::from(u16::from_be_bytes([high, low]));
                if length < 2 {
                    return Step::End;
                }
                let Some(body) = rest.get(2..length) else {
                    return Step::Cut;
                };
                *at += length;
                return Step::Segment(Segment { marker, body });
            }
        }
    }
}

/// Where the entropy-coded data from `at` on end: at a marker other than a restart, or with the
/// file.
fn entropy_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(skipped) = find_ff(&bytes[at..]) {
        at += skipped;
        match bytes.get(at + 1) {
            Some(0 | 0xd0..=0xd7) => at += 2,
            Some(0xff) => at += 1,
            Some(_) => return at,
            None => break,
        }
    }
    bytes.len()
}

/// The first FF. Most groups hold none, and whether one does is a few vector instructions.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    const GROUP: usize = 64;
    let has_ff = |group: &[u8]| group.iter().fold(false, |any, &b| any | (b == 0xff));
    let clear = bytes.chunks_exact(GROUP).take_while(|g| !has_ff(g)).count() * GROUP;
    let found = bytes[clear..].iter().position(|&b| b == 0xff)?;
    Some(clear + found)
}
