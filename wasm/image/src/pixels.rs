//! What the decoders share: the decoded image, the limits, and memory that may be refused.

/// An answer, or what is wrong with the data and what is wanted.
pub type Result<T> = std::result::Result<T, String>;

/// Upright RGBA pixels.
pub struct Image {
    pub width: u32,
    pub height: u32,
    pub data: Vec<u8>,
}

/// What a header says.
pub struct Info {
    pub width: u32,
    pub height: u32,
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
    pub fn check(self, width: u32, height: u32) -> Result<()> {
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
        if u64::from(width) * u64::from(height) > u64::from(self.pixels) {
            let pixels = grouped(self.pixels as u64);
            let wanted = "a smaller image is wanted";
            return Err(format!("{size} exceed the limit of {pixels}, {wanted}"));
        }
        Ok(())
    }
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

/// `count` zero bytes, or an error where the memory is not to be had: a failed allocation of
/// `vec!` would end the whole instance.
pub fn zeroed(count: u64) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let length = usize::try_from(count).unwrap_or(usize::MAX);
    match data.try_reserve_exact(length) {
        Ok(()) => {
            data.resize(length, 0);
            Ok(data)
        }
        Err(_) => Err(format!(
            "{} bytes of memory are not to be had, a smaller image is wanted",
            grouped(count)
        )),
    }
}

/// Zero bytes for `width` x `height` RGBA pixels.
pub fn blank(width: u32, height: u32) -> Result<Vec<u8>> {
    zeroed(u64::from(width) * u64::from(height) * 4)
}

/// Spreads pixels of 1 (grey), 2 (grey, alpha), 3 (colour) or 4 channels to RGBA.
pub fn expand(to: &mut [u8], from: &[u8], channels: usize) {
    let pixels = to.chunks_exact_mut(4);
    match channels {
        1 => pixels
            .zip(from)
            .for_each(|(t, &v)| t.copy_from_slice(&[v, v, v, 255])),
        2 => pixels
            .zip(from.chunks_exact(2))
            .for_each(|(t, f)| t.copy_from_slice(&[f[0], f[0], f[0], f[1]])),
        3 => pixels
            .zip(from.chunks_exact(3))
            .for_each(|(t, f)| t.copy_from_slice(&[f[0], f[1], f[2], 255])),
        _ => pixels
            .zip(from.chunks_exact(4))
            .for_each(|(t, f)| t.copy_from_slice(f)),
    }
}

/// The message for data that stops too early.
pub fn ends_early(length: usize, place: &str) -> String {
    let at = grouped(length as u64);
    format!("the data ends at byte {at} inside {place}, a whole file is wanted")
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
