//! How a stored picture is turned and mirrored to stand upright (EXIF 2.32, section 4.6.4, tag 274).

use crate::pixels::Size;

/// EXIF's number for a picture that is stored as it is meant to be seen.
pub const UPRIGHT: u32 = 1;

/// First the stored axes are reversed where asked, then exchanged.
#[derive(Clone, Copy)]
pub struct Turn {
    /// Of the stored axes, across and down.
    pub reverses: [bool; 2],
    /// True where stored rows are upright columns.
    pub swaps: bool,
}

/// Where the upright pixel (x, y) is stored: at pixel number `start + x * across + y * down`.
pub struct Steps {
    pub start: isize,
    pub across: isize,
    pub down: isize,
}

impl Turn {
    pub fn of(orientation: u32) -> Turn {
        let (reverses, swaps) = match orientation {
            2 => ([true, false], false),
            3 => ([true, true], false),
            4 => ([false, true], false),
            5 => ([false, false], true),
            6 => ([false, true], true),
            7 => ([true, true], true),
            8 => ([true, false], true),
            _ => ([false, false], false),
        };
        Turn { reverses, swaps }
    }

    /// Upright and then mirrored left to right.
    pub fn mirrored(self) -> Turn {
        let across = usize::from(self.swaps);
        let mut reverses = self.reverses;
        reverses[across] = !reverses[across];
        Turn { reverses, ..self }
    }

    /// What belongs to the stored axes, by upright axes, and the other way round.
    pub fn exchange<T>(self, [across, down]: [T; 2]) -> [T; 2] {
        if self.swaps {
            [down, across]
        } else {
            [across, down]
        }
    }

    /// How to walk over pixels stored with this size.
    pub fn steps(self, stored: Size) -> Steps {
        let [width, height] = stored.map(|side| side as isize);
        let (mut start, mut step) = (0, [1, width]);
        for (axis, last) in [width - 1, height - 1].into_iter().enumerate() {
            if self.reverses[axis] {
                start += last * step[axis];
                step[axis] = -step[axis];
            }
        }
        let [across, down] = self.exchange(step);
        Steps {
            start,
            across,
            down,
        }
    }
}
