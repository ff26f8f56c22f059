//! From a picture to what a net sees: scaled, cut or padded, one `u32` a pixel.

use crate::lay::{lay, Ink};
use crate::orient::{Turn, MIRRORED, UPRIGHT};
use crate::pixels::{area, room, Raster, Result, Size, View};
use crate::resample::{Cut, Filter, Resize};

/// How a picture of other proportions becomes the net's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Crop,
    Stretch,
    Pad,
}

/// What is done to a picture before a net sees it; see `models/preparation.ts`.
pub struct Preparation {
    /// Width and height of what the net sees.
    pub size: Size,
    fit: Fit,
    filter: Filter,
    ink: Ink,
    /// What the picture is scaled to fill (`Crop`), to be (`Stretch`) or to fit into (`Pad`).
    frame: Size,
}

/// A frame with longer sides would only cut a few pixels out of any picture.
const MOST_FRAME: f64 = 1e6;

impl Preparation {
    /// Numbers in the order height, width, fit, share, filter, channels; TypeScript has checked all
    /// but that the share leaves something of a picture.
    pub fn of(numbers: &[f64]) -> Result<Preparation> {
        let &[height, width, fit, share, filter, channels] = numbers else {
            return Err(format!("{} numbers, 6 are wanted", numbers.len()));
        };
        let fit = match fit {
            0.0 => Fit::Crop,
            1.0 => Fit::Stretch,
            2.0 => Fit::Pad,
            _ => return Err("the fit is unknown, 0 to 2 are wanted".to_owned()),
        };
        let frame = [width, height].map(|side| match fit {
            Fit::Crop => (side / share).round(),
            Fit::Stretch | Fit::Pad => (side * share).round().max(1.0),
        });
        if !frame.iter().all(|side| (1.0..=MOST_FRAME).contains(side)) {
            let found = "the share leaves less of a picture than a millionth";
            return Err(format!("{found}, a share nearer to 1 is wanted"));
        }
        Ok(Preparation {
            size: [width as u32, height as u32],
            fit,
            filter: Filter::of(filter as u8)?,
            ink: if channels == 1.0 {
                Ink::Grey
            } else {
                Ink::Opaque
            },
            frame: frame.map(|side| side as u32),
        })
    }

    /// How an upright picture of this size is scaled, across and down, and what is kept of it.
    fn cuts(&self, [width, height]: Size) -> [Cut; 2] {
        let (w, h) = (u64::from(width), u64::from(height));
        let [frame_w, frame_h] = self.frame.map(u64::from);
        // Truncated as in torchvision's Resize; the cut as in its CenterCrop.
        let by_width = [frame_w, frame_w * h / w];
        let by_height = [frame_h * w / h, frame_h];
        let is_wider = frame_h * w >= frame_w * h;
        match self.fit {
            Fit::Stretch => self.frame.map(Cut::all),
            Fit::Pad => {
                let scaled = if is_wider { by_width } else { by_height };
                scaled.map(|side| Cut::all(side.max(1) as u32))
            }
            Fit::Crop => {
                let scaled = if is_wider { by_height } else { by_width };
                [0, 1].map(|axis| {
                    let (whole, size) = (scaled[axis], self.size[axis]);
                    let start = half_even(whole - u64::from(size));
                    Cut { whole, start, size }
                })
            }
        }
    }

    /// The cuts along the axes of a stored picture that `turn` makes upright.
    fn stored_cuts(&self, stored: Size, turn: Turn) -> [Cut; 2] {
        let cuts = turn.exchange(self.cuts(turn.exchange(stored)));
        [0, 1].map(|axis| {
            if turn.reverses[axis] {
                cuts[axis].reversed()
            } else {
                cuts[axis]
            }
        })
    }

    /// By how much a decoder may shrink a stored picture beforehand, so that what is done here still
    /// shrinks or keeps. An eighth would save a twentieth of the time of a quarter, and show.
    pub fn most_shrunk(&self, stored: Size, orientation: u32) -> u32 {
        if self.filter == Filter::Nearest {
            return 1; // It shows pixels of the file, not means of them.
        }
        let cuts = self.stored_cuts(stored, Turn::of(orientation));
        let keeps =
            |axis: usize, by: u32| u64::from(stored[axis]) >= u64::from(by) * cuts[axis].whole;
        let fits = |by: &u32| keeps(0, *by) && keeps(1, *by);
        [4, 2].into_iter().find(fits).unwrap_or(1)
    }

    /// Pixels of the net's size.
    pub fn apply(&self, picture: &Raster) -> Result<Vec<u32>> {
        let turn = Turn::of(picture.orientation);
        let resize = Resize {
            extent: picture
                .full
                .map(|side| f64::from(side) / f64::from(picture.shrunk)),
            cuts: self.stored_cuts(picture.full, turn),
            filter: self.filter,
            turn,
        };
        let mut to = room(area(self.size))?;
        self.finish(&mut to, picture.view(), &resize, turn)?;
        Ok(to)
    }

    /// The same for pictures of one size, which lie one after another; `flips` has a number for
    /// each, not 0 to mirror it first.
    pub fn apply_packed(&self, all: View, flips: &[u8]) -> Result<Vec<u32>> {
        let length = area(all.size) as usize * all.channels;
        if length == 0 || all.data.len() != flips.len() * length {
            return Err("images and flips differ in number, as many are wanted".to_owned());
        }
        let mut to = room(area(self.size) * flips.len() as u64)?;
        let ways = [UPRIGHT, MIRRORED].map(|orientation| {
            let turn = Turn::of(orientation);
            let resize = Resize {
                extent: all.size.map(f64::from),
                cuts: self.stored_cuts(all.size, turn),
                filter: self.filter,
                turn,
            };
            (resize, turn)
        });
        for (data, &flip) in all.data.chunks_exact(length).zip(flips) {
            let (resize, turn) = &ways[usize::from(flip != 0)];
            self.finish(&mut to, View { data, ..all }, resize, *turn)?;
        }
        Ok(to)
    }

    /// Scales, and lays the result in the middle of a black canvas.
    fn finish(&self, to: &mut Vec<u32>, view: View, resize: &Resize, turn: Turn) -> Result<()> {
        let data = resize.apply(view)?;
        let size = resize.cuts.map(|cut| cut.size);
        let upright = turn.exchange(size);
        let place = [0, 1].map(|axis| (self.size[axis] - upright[axis]) >> 1);
        let scaled = View {
            size,
            data: &data,
            ..view
        };
        lay(to, self.size, place, scaled, turn, self.ink);
        Ok(())
    }
}

/// Half of a number; a half left over goes to the even neighbour, as in Python's `round`.
fn half_even(number: u64) -> u64 {
    let half = number / 2;
    half + (number & half & 1)
}
