//! The one thing wanted of EXIF: which way is up.

/// Tag of the orientation in the first directory of a TIFF structure.
const ORIENTATION: u16 = 0x0112;
/// Field type: unsigned, 16 bits.
const SHORT: u16 = 3;

/// Orientation 1 to 8 of EXIF data that starts at the TIFF header; 1 where it says none or is
/// damaged, since a photo with a broken note beside it is still a photo.
pub fn orientation(exif: &[u8]) -> u32 {
    match find(exif) {
        Some(value @ 1..=8) => u32::from(value),
        _ => 1,
    }
}

fn find(exif: &[u8]) -> Option<u16> {
    let little = match exif.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let high = u32::from(short(if little { 6 } else { 4 })?);
    let low = u32::from(short(if little { 4 } else { 6 })?);
    let directory = usize::try_from(high << 16 | low).ok()?;
    let count = usize::from(short(directory)?);
    (0..count)
        .map_while(|i| directory.checked_add(2 + 12 * i))
        .find(|&entry| short(entry) == Some(ORIENTATION) && short(entry + 2) == Some(SHORT))
        .and_then(|entry| short(entry + 8))
}
