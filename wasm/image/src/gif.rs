//! GIF: the first frame, on the logical screen; what it does not cover is transparent.
//!
//! A walk over the blocks comes first: it finds sizes, palette and transparency, and whether the
//! file reaches its end mark, before anything is allocated.

use crate::format::Request;
use crate::pixels::{area, blank, check_memory, damaged, ends_early, Info, Raster, Result, Size};
use ::gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

/// What the blocks say of the first frame.
struct Outline {
    screen: Size,
    frame: Size,
    /// Where the frame lies on the screen.
    place: Size,
    /// Bits of an index into the frame's palette.
    bits: u32,
    is_transparent: bool,
}

/// Bytes that are taken off the front, as long as there are any.
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, place: &str) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| ends_early(self.length, place))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The first of a chain of blocks that ends with an empty one; the others are passed over.
    fn chain(&mut self, place: &str) -> Result<&'a [u8]> {
        let mut first = None;
        loop {
            let length = self.take(1, place)?[0];
            let block = self.take(usize::from(length), place)?;
            first = first.or(Some(block));
            if length == 0 {
                return Ok(first.unwrap_or_default());
            }
        }
    }
}

fn sides(bytes: &[u8]) -> Size {
    [0, 2].map(|at| u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]])))
}

/// Bits of an index into a palette that follows, if the flags say that one does.
fn palette(flags: u8) -> Option<u32> {
    (flags & 0x80 != 0).then_some(u32::from(flags & 7) + 1)
}

impl Outline {
    /// Walks up to the first frame's data, or over the whole file.
    fn of(bytes: &[u8], header_only: bool) -> Result<Outline> {
        let (rest, length) = (bytes, bytes.len());
        let mut reader = Reader { rest, length };
        let head = reader.take(13, "the header")?;
        let screen = sides(&head[6..]);
        let common = palette(head[10]);
        reader.take(common.map_or(0, |bits| 3 << bits), "the palette")?;
        let (mut found, mut is_transparent) = (None, false);
        loop {
            match reader.take(1, "a list of blocks")?[0] {
                b'!' => {
                    let label = reader.take(1, "an extension")?[0];
                    let control = reader.chain("an extension")?;
                    // The graphic control before a frame; its first bit is transparency.
                    if label == 0xf9 && found.is_none() {
                        is_transparent = control.first().is_some_and(|flags| flags & 1 != 0);
                    }
                }
                b',' => {
                    let head = reader.take(9, "a frame's header")?;
                    let own = palette(head[8]);
                    reader.take(own.map_or(0, |bits| 3 << bits), "a palette")?;
                    let Some(bits) = own.or(common) else {
                        return Err("it has no palette, a palette is wanted".to_owned());
                    };
                    let outline = Outline {
                        screen,
                        frame: sides(&head[4..]),
                        place: sides(head),
                        bits,
                        is_transparent,
                    };
                    if header_only {
                        return Ok(outline);
                    }
                    found = found.or(Some(outline));
                    reader.take(1, "a frame's data")?;
                    reader.chain("a frame's data")?;
                }
                b';' => return found.ok_or_else(|| "it has no frame, one is wanted".to_owned()),
                other => {
                    let found =
                        format!("a block of the GIF is damaged (it begins with {other:02x})");
                    return Err(format!("{found}, an undamaged file is wanted"));
                }
            }
        }
    }

    fn covers_screen(&self) -> bool {
        let reaches = |axis: usize| self.place[axis] == 0 && self.frame[axis] >= self.screen[axis];
        reaches(0) && reaches(1)
    }
}

pub fn info(bytes: &[u8]) -> Result<Info> {
    let outline = Outline::of(bytes, true)?;
    Ok(Info {
        size: outline.screen,
        channels: if outline.is_transparent || !outline.covers_screen() {
            4
        } else {
            3
        },
        bits: outline.bits,
        orientation: 1,
    })
}

pub fn decode(bytes: &[u8], request: Request) -> Result<Raster> {
    let outline = Outline::of(bytes, false)?;
    request.limits.check(outline.screen)?;
    request.limits.check(outline.frame)?;
    // Indices and colours of the frame, and the screen.
    check_memory(5 * area(outline.frame) + 8 * area(outline.screen))?;
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.set_memory_limit(MemoryLimit::Unlimited);
    let in_data = |e| explain(e, bytes, "the image data");
    let mut decoder = options
        .read_info(bytes)
        .map_err(|e| explain(e, bytes, "the header"))?;
    let head = decoder.next_frame_info().map_err(in_data)?;
    let is_as_outlined = head.is_some_and(|f| [f.width, f.height].map(u32::from) == outline.frame);
    if !is_as_outlined {
        return Err("its first frame is damaged, an undamaged file is wanted".to_owned());
    }
    let mut frame = blank(outline.frame, 4)?;
    decoder.read_into_buffer(&mut frame).map_err(in_data)?;
    let data = if outline.covers_screen() && outline.frame == outline.screen {
        frame
    } else {
        on_screen(&outline, &frame)?
    };
    Ok(Raster::new(outline.screen, 4, data, 1))
}

/// The frame at its place; what leaves the screen is cut off.
fn on_screen(outline: &Outline, frame: &[u8]) -> Result<Vec<u8>> {
    let mut data = blank(outline.screen, 4)?;
    let shown = [0, 1].map(|axis| {
        let free = outline.screen[axis].saturating_sub(outline.place[axis]);
        free.min(outline.frame[axis]) as usize
    });
    if shown.contains(&0) {
        return Ok(data);
    }
    let [left, top] = outline.place.map(|at| at as usize);
    let rows = data
        .chunks_exact_mut(outline.screen[0] as usize * 4)
        .skip(top);
    let from = frame.chunks_exact(outline.frame[0] as usize * 4);
    for (to, from) in rows.zip(from).take(shown[1]) {
        to[left * 4..][..shown[0] * 4].copy_from_slice(&from[..shown[0] * 4]);
    }
    Ok(data)
}

fn explain(error: DecodingError, bytes: &[u8], place: &str) -> String {
    match error {
        DecodingError::UnexpectedEof => ends_early(bytes.len(), place),
        other => damaged(other, place, "GIF"),
    }
}
