//! The one thing wanted of EXIF: which way is up.

/// Tag of the orientation in the first directory of a TIFF structure.
const ORIENTATION: u16 = 0x0112;
/// Field types: unsigned, of 16 and 32 bits. The standard asks for the first; some write the other.
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// Orientation 1 to 8 of EXIF data that starts at the TIFF header; 1 where it says none or is
/// damaged, since a photo with a broken note beside it is still a photo.
pub fn orientation(exif: &[u8]) -> u32 {
    Tiff::open(exif)
        .and_then(|tiff| tiff.orientation())
        .filter(|value| (1..=8).contains(value))
        .unwrap_or(1)
}

/// Numbers in a TIFF structure, in the byte order that its header tells.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl<'a> Tiff<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Tiff { bytes, is_little })
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    /// The first orientation of one number; with more, the field would hold a place, not a value.
    fn orientation(&self) -> Option<u32> {
        let directory = usize::try_from(self.long(4)?).ok()?;
        let count = usize::from(self.short(directory)?);
        (0..count)
            .map_while(|i| directory.checked_add(2 + 12 * i))
            .filter(|&at| self.short(at) == Some(ORIENTATION))
            .filter(|&at| self.long(at + 4) == Some(1))
            .find_map(|at| match self.short(at + 2)? {
                SHORT => self.short(at + 8).map(u32::from),
                LONG => self.long(at + 8),
                _ => None,
            })
    }
}
