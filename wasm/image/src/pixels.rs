//! What the decoders share: pixels as a file stores them, the limits, and memory that may be refused.

/// An answer, or what is wrong with the data and what is wanted.
pub type Result<T> = std::result::Result<T, String>;

/// Columns and rows.
pub type Size = [u32; 2];

/// Pixels of 1 (grey), 2 (grey, alpha), 3 (colour) or 4 channels, 8 bits each, row by row.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub size: Size,
    pub channels: usize,
    pub data: &'a [u8],
}

/// A picture as a decoder leaves it: channels and direction are the file's, so that nothing is
/// widened or turned before it has been made small.
pub struct Raster {
    pub size: Size,
    pub channels: usize,
    pub data: Vec<u8>,
    /// EXIF orientation, 1 to 8.
    pub orientation: u32,
    /// Size in the file. Where the decoder has shrunk by a whole number, a side of the raster is
    /// that of the file over this number, rounded up.
    pub full: Size,
    pub shrunk: u32,
}

impl Raster {
    /// A raster of the file's own size.
    pub fn new(size: Size, channels: usize, data: Vec<u8>, orientation: u32) -> Raster {
        let (full, shrunk) = (size, 1);
        Raster {
            size,
            channels,
            data,
            orientation,
            full,
            shrunk,
        }
    }

    pub fn view(&self) -> View<'_> {
        View {
            size: self.size,
            channels: self.channels,
            data: &self.data,
        }
    }
}

/// What a header says; width and height are those of the upright picture.
pub struct Info {
    pub size: Size,
    pub channels: u32,
    pub bits: u32,
    pub orientation: u32,
}

/// Sizes beyond which nothing is allocated: a header of a few bytes can claim gigabytes.
#[derive(Clone, Copy)]
pub struct Limits {
    pub pixels: u32,
    pub side: u32,
}

impl Limits {
    pub fn check(self, [width, height]: Size) -> Result<()> {
        let size = format!("{width}×{height} pixels");
        if width == 0 || height == 0 {
            return Err(format!(
                "{size} are no image, sides of at least 1 are wanted"
            ));
        }
        if width > self.side || height > self.side {
            let side = grouped(self.side as u64);
            return Err(format!(
                "{size} exceed the limit of {side} a side, a smaller image is wanted"
            ));
        }
        if area([width, height]) > u64::from(self.pixels) {
            let pixels = grouped(self.pixels as u64);
            let wanted = "a smaller image is wanted";
            return Err(format!("{size} exceed the limit of {pixels}, {wanted}"));
        }
        Ok(())
    }
}

/// Pixels of a size.
pub fn area([width, height]: Size) -> u64 {
    u64::from(width) * u64::from(height)
}

/// Of the 4 GiB that a module can address; the rest is for what the estimates leave out.
const MOST_BYTES: u64 = 7 << 29;

/// Refuses work that would not fit into the module: the crates' own allocations end the instance
/// when they fail.
pub fn check_memory(bytes: u64) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let (found, most) = (grouped(bytes >> 20), grouped(MOST_BYTES >> 20));
    Err(format!(
        "it takes {found} MiB of memory to decode, at most {most} MiB are wanted"
    ))
}

/// An empty vector with room for `count` values, or an error where the memory is not to be had: a
/// failed allocation of `vec!` would end the whole instance.
pub fn room<T>(count: u64) -> Result<Vec<T>> {
    let mut data = Vec::new();
    let length = usize::try_from(count).unwrap_or(usize::MAX);
    match data.try_reserve_exact(length) {
        Ok(()) => Ok(data),
        Err(_) => Err(format!(
            "{} bytes of memory are not to be had, a smaller image is wanted",
            grouped(count.saturating_mul(size_of::<T>() as u64))
        )),
    }
}

/// `count` zero bytes.
pub fn zeroed(count: u64) -> Result<Vec<u8>> {
    let mut data = room(count)?;
    data.resize(data.capacity().min(count as usize), 0);
    Ok(data)
}

/// Zero bytes for pixels of a size and a number of channels.
pub fn blank(size: Size, channels: usize) -> Result<Vec<u8>> {
    zeroed(area(size) * channels as u64)
}

/// The message for data that stops too early.
pub fn ends_early(length: usize, place: &str) -> String {
    let at = grouped(length as u64);
    format!("the data ends at byte {at} inside {place}, a whole file is wanted")
}

/// The message for what a decoder cannot make sense of, in the decoder's words.
pub fn damaged(error: impl std::fmt::Display, place: &str, format: &str) -> String {
    let text = error.to_string();
    let text = text.trim_end_matches('.');
    format!("{place} of the {format} is damaged ({text}), an undamaged file is wanted")
}

/// Decimal digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
