//! BMP of 1, 2, 4, 8, 16, 24 and 32 bits a pixel, with palette or bit fields, of any of its headers.
//!
//! image-rs has it in the `image` crate alone, which brings four more crates (one manages colours)
//! and would make the module 30 KB larger than this reader does. It takes a colour beyond the
//! palette for black and knows no header of OS/2 2; in its favour it reads run lengths (RLE4, RLE8),
//! which no common program writes. Those are refused here, as are embedded PNG and JPEG.

use crate::format::Request;
use crate::pixels::{area, check_memory, ends_early, grouped, room, Info, Raster, Result, Size};

/// Bytes before the header that gives its own length.
const MARK: usize = 14;

/// Where the bits of a channel lie in a pixel.
#[derive(Clone, Copy, Default)]
struct Field {
    shift: u32,
    /// The largest value.
    most: u32,
}

struct Header {
    size: Size,
    /// Rows come from top to bottom, not as usual.
    is_top_down: bool,
    bits: u32,
    /// Red, green, blue, alpha; for 16 bits and more.
    fields: [Field; 4],
    /// Place, entries and bytes an entry.
    palette: (usize, usize, usize),
    /// Place of the pixels.
    data: usize,
}

impl Field {
    fn of(mask: u32) -> Result<Field> {
        let shift = mask.trailing_zeros() & 31;
        let most = mask >> shift;
        if most & most.wrapping_add(1) != 0 {
            return Err(format!(
                "a mask is {mask:08x}, bits side by side are wanted"
            ));
        }
        Ok(Field { shift, most })
    }

    /// The 8 highest bits or, of fewer, their share of 255, cut off as in Pillow.
    fn value(self, pixel: u32) -> u8 {
        let value = u64::from((pixel >> self.shift) & self.most);
        (value * 255 / u64::from(self.most.max(1))) as u8
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn short(&self, at: usize) -> Result<u32> {
        let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk);
        bytes
            .map(|b| u32::from(u16::from_le_bytes(*b)))
            .ok_or_else(|| self.ends())
    }

    fn long(&self, at: usize) -> Result<u32> {
        let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk);
        bytes
            .map(|b| u32::from_le_bytes(*b))
            .ok_or_else(|| self.ends())
    }

    fn ends(&self) -> String {
        ends_early(self.0.len(), "the header")
    }
}

impl Header {
    fn of(bytes: &[u8]) -> Result<Header> {
        let file = Bytes(bytes);
        let data = file.long(10)? as usize;
        let length = file.long(MARK)? as usize;
        if length == 12 {
            return Header::of_core(&file, data);
        }
        if !(40..=124).contains(&length) && length != 16 && length != 24 {
            return Err(format!(
                "it is a BMP with a header of {length} bytes, one of 12 to 124 is wanted"
            ));
        }
        // OS/2's headers may end early; what is left out is 0.
        let field = |at: usize| {
            if at < length {
                file.long(MARK + at)
            } else {
                Ok(0)
            }
        };
        let (width, height) = (field(4)? as i32, field(8)? as i32);
        let bits = file.short(MARK + 14)?;
        let compression = field(16)?;
        let (colours, end) = (field(32)? as usize, MARK + length);
        let masks = match compression {
            0 => 0,
            3 => 3,
            6 => 4,
            other => return Err(unsupported(other)),
        };
        check_bits(bits, masks > 0)?;
        let fields = fields(&file, length, bits, masks)?;
        // Behind a short header the masks come first.
        let start = if length == 40 { end + 4 * masks } else { end };
        let most = if bits <= 8 { 1 << bits } else { 0 };
        let entries = if colours == 0 {
            most
        } else {
            colours.min(most)
        };
        Ok(Header {
            size: [width.max(0) as u32, height.unsigned_abs()],
            is_top_down: height < 0,
            bits,
            fields,
            palette: (start, entries, 4),
            data,
        })
    }

    /// The first header, of OS/2 1.x and Windows 2.
    fn of_core(file: &Bytes, data: usize) -> Result<Header> {
        let bits = file.short(MARK + 10)?;
        check_bits(bits, false)?;
        let entries = if bits <= 8 { 1 << bits } else { 0 };
        Ok(Header {
            size: [file.short(MARK + 4)?, file.short(MARK + 6)?],
            is_top_down: false,
            bits,
            fields: fields(file, 12, bits, 0)?,
            palette: (MARK + 12, entries, 3),
            data,
        })
    }

    fn has_alpha(&self) -> bool {
        self.fields[3].most > 0
    }

    /// Bytes from a row to the next.
    fn stride(&self) -> u64 {
        (u64::from(self.size[0]) * u64::from(self.bits)).div_ceil(32) * 4
    }
}

fn check_bits(bits: u32, has_masks: bool) -> Result<()> {
    let wanted = match bits {
        16 | 32 => return Ok(()),
        1 | 2 | 4 | 8 | 24 if !has_masks => return Ok(()),
        _ if has_masks => "16 or 32 are wanted for bit fields",
        _ => "1, 2, 4, 8, 16, 24 or 32 are wanted",
    };
    Err(format!("it is a BMP of {bits} bits a pixel, {wanted}"))
}

fn unsupported(compression: u32) -> String {
    let found = match compression {
        1 => "run lengths (RLE8)".to_owned(),
        2 => "run lengths (RLE4)".to_owned(),
        4 => "an embedded JPEG".to_owned(),
        5 => "an embedded PNG".to_owned(),
        other => format!("compression number {other}"),
    };
    format!("it is a BMP with {found}, an uncompressed one is wanted")
}

/// The fields of a pixel: by as many masks as the header has, or the usual ones.
fn fields(file: &Bytes, length: usize, bits: u32, masks: usize) -> Result<[Field; 4]> {
    let mut fields = [Field::default(); 4];
    let usual: [u32; 3] = match bits {
        16 => [0x7c00, 0x03e0, 0x001f],
        _ => [0xff_0000, 0xff00, 0xff],
    };
    if masks == 0 {
        for (field, mask) in fields.iter_mut().zip(usual) {
            *field = Field::of(mask)?;
        }
        return Ok(fields);
    }
    // From the third version on the header has a mask for alpha too.
    let count = if length >= 56 { 4 } else { masks };
    for (i, field) in fields.iter_mut().enumerate().take(count) {
        *field = Field::of(file.long(MARK + 40 + 4 * i)?)?;
    }
    Ok(fields)
}

pub fn info(bytes: &[u8]) -> Result<Info> {
    let header = Header::of(bytes)?;
    let widest = header
        .fields
        .iter()
        .map(|field| field.most.count_ones())
        .max();
    Ok(Info {
        size: header.size,
        channels: if header.has_alpha() { 4 } else { 3 },
        bits: if header.bits <= 8 {
            header.bits
        } else {
            widest.unwrap_or(8)
        },
        orientation: 1,
    })
}

pub fn decode(bytes: &[u8], request: Request) -> Result<Raster> {
    let header = Header::of(bytes)?;
    let [width, height] = header.size;
    request.limits.check(header.size)?;
    let pixels = rows(bytes, &header)?;
    let channels = if header.has_alpha() { 4 } else { 3 };
    check_memory(bytes.len() as u64 + 8 * area(header.size))?;
    let palette = palette(bytes, &header)?;
    let mut data = room(area(header.size) * channels as u64)?;
    let stride = header.stride() as usize;
    for y in 0..height as usize {
        let row = if header.is_top_down {
            y
        } else {
            height as usize - 1 - y
        };
        let row = &pixels[row * stride..(row + 1) * stride];
        add_row(&mut data, row, width as usize, &header, &palette)?;
    }
    Ok(Raster::new(header.size, channels, data, 1))
}

/// The bytes of all rows, if they are there.
fn rows<'a>(bytes: &'a [u8], header: &Header) -> Result<&'a [u8]> {
    let length = header.stride() * u64::from(header.size[1]);
    let found = bytes.get(header.data..).unwrap_or_default();
    let rows = usize::try_from(length)
        .ok()
        .and_then(|length| found.get(..length));
    rows.ok_or_else(|| ends_early(bytes.len(), "the image data"))
}

/// Colours by their index, red first.
fn palette(bytes: &[u8], header: &Header) -> Result<Vec<[u8; 3]>> {
    let (start, entries, length) = header.palette;
    let found = bytes.get(start..header.data).unwrap_or_default();
    if found.len() < entries * length {
        let (found, wanted) = (grouped(found.len() as u64), entries * length);
        return Err(format!(
            "its palette has {found} bytes, {wanted} are wanted"
        ));
    }
    let colours = found.chunks_exact(length).take(entries);
    Ok(colours.map(|c| [c[2], c[1], c[0]]).collect())
}

fn add_row(
    to: &mut Vec<u8>,
    row: &[u8],
    width: usize,
    header: &Header,
    palette: &[[u8; 3]],
) -> Result<()> {
    let fields = header.fields;
    let mut add = |pixel: u32| {
        to.extend(fields[..3].iter().map(|field| field.value(pixel)));
        if header.has_alpha() {
            to.push(fields[3].value(pixel));
        }
    };
    match header.bits {
        24 => to.extend(
            row.as_chunks()
                .0
                .iter()
                .take(width)
                .flat_map(|&[b, g, r]| [r, g, b]),
        ),
        32 => row
            .as_chunks()
            .0
            .iter()
            .take(width)
            .for_each(|&p| add(u32::from_le_bytes(p))),
        16 => {
            let pixels = row.as_chunks().0.iter().take(width);
            pixels.for_each(|&p| add(u32::from(u16::from_le_bytes(p))));
        }
        bits => {
            let mask = (1u32 << bits) - 1;
            for x in 0..width {
                let bit = x * bits as usize;
                let shift = 8 - bits - (bit % 8) as u32;
                let index = (u32::from(row[bit / 8]) >> shift & mask) as usize;
                let Some(colour) = palette.get(index) else {
                    let (count, wanted) = (palette.len(), "an index within it is wanted");
                    return Err(format!("a pixel has colour {index} of {count}, {wanted}"));
                };
                to.extend(colour);
            }
        }
    }
    Ok(())
}
