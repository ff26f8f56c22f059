//! GIF: the first frame, on the logical screen; what it does not cover is transparent.
//!
//! A walk over the blocks comes first: it finds sizes, palette and transparency, and whether the
//! blocks are whole, before anything is allocated.

use crate::format::Request;
use crate::pixels::{area, blank, check_memory, damaged, ends_early, Info, Raster, Result, Size};
use ::gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

/// What the blocks say of the first frame.
#[derive(Clone, Copy)]
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
            // Some writers leave the end mark out; all that is wanted is there.
            if let (Some(outline), true) = (&found, reader.rest.is_empty()) {
                return Ok(*outline);
            }
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
    // Indices of the frame, colours of the screen, and the result.
    check_memory(area(outline.frame) + 8 * area(outline.screen))?;
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Unlimited);
    let in_data = |e| explain(e, bytes, "the image data");
    let mut decoder = options
        .read_info(bytes)
        .map_err(|e| explain(e, bytes, "the header"))?;
    let head = decoder.next_frame_info().map_err(in_data)?;
    let head = head.map(|f| {
        (
            [f.width, f.height].map(u32::from),
            f.transparent,
            f.interlaced,
        )
    });
    let (transparent, is_interlaced) = match head {
        Some((size, transparent, is_interlaced)) if size == outline.frame => {
            (transparent, is_interlaced)
        }
        _ => return Err("its first frame is damaged, an undamaged file is wanted".to_owned()),
    };
    // All rows at once, in the order of the file: asked for them one by one, the decoder takes the
    // data to be over when their end has been read, and loses what it has not handed out yet.
    let mut indices = blank(outline.frame, 1)?;
    if !decoder.fill_buffer(&mut indices).map_err(in_data)? {
        return Err(damaged("image truncated", "the image data", "GIF"));
    }
    let mut colours = [[0; 4]; 256];
    let palette = decoder.palette().map_err(in_data)?;
    for (i, (colour, &[r, g, b])) in colours.iter_mut().zip(palette.as_chunks().0).enumerate() {
        let is_seen = transparent.map(usize::from) != Some(i);
        *colour = [r, g, b, if is_seen { 255 } else { 0 }];
    }
    let data = on_screen(&outline, &indices, &colours, is_interlaced)?;
    Ok(Raster::new(outline.screen, 4, data, 1))
}

/// The colours of the frame at its place; what leaves the screen is cut off.
fn on_screen(
    outline: &Outline,
    indices: &[u8],
    colours: &[[u8; 4]; 256],
    is_interlaced: bool,
) -> Result<Vec<u8>> {
    let mut data = blank(outline.screen, 4)?;
    let [left, top] = outline.place.map(|at| at as usize);
    let [width, height] = outline.frame.map(|side| side as usize);
    let screen_width = outline.screen[0] as usize;
    let (pixels, _) = data.as_chunks_mut::<4>();
    // Every eighth row, those between, every second that is left, and the rest.
    let passes: &[(usize, usize)] = if is_interlaced {
        &[(0, 8), (4, 8), (2, 4), (1, 2)]
    } else {
        &[(0, 1)]
    };
    let rows = passes
        .iter()
        .flat_map(|&(start, step)| (start..height).step_by(step));
    for (y, row) in rows.zip(indices.chunks_exact(width)) {
        let Some(to) = pixels.chunks_exact_mut(screen_width).nth(top + y) else {
            continue;
        };
        for (to, &index) in to.iter_mut().skip(left).zip(row) {
            *to = colours[usize::from(index)];
        }
    }
    Ok(data)
}

fn explain(error: DecodingError, bytes: &[u8], place: &str) -> String {
    match error {
        DecodingError::UnexpectedEof => ends_early(bytes.len(), place),
        other => damaged(other, place, "GIF"),
    }
}
