//! From a picture to what a net sees: scaled, cut or padded, one `u32` a pixel.

use crate::augment::{Numbers, Part, Plan};
use crate::lay::{lay, Ink};
use crate::orient::{Turn, UPRIGHT};
use crate::pixels::{area, room, Raster, Result, Size, View};
use crate::resample::{Cut, Filter, Resize};
use crate::window::Window;

/// How a picture of other proportions becomes the net's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Crop,
    Stretch,
    Pad,
}

/// What is done to a picture before a net sees it; see `models/preparation.ts`.
#[derive(Clone, Copy)]
pub struct Preparation {
    /// Width and height of what the net sees.
    pub size: Size,
    fit: Fit,
    filter: Filter,
    ink: Ink,
    /// What the picture is scaled to fill (`Crop`), to be (`Stretch`) or to fit into (`Pad`).
    frame: Size,
    /// What is taken of the upright picture and stretched to the net's size, whatever the fit.
    part: Option<Part>,
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
            part: None,
        })
    }

    /// The preparation of a picture of which only a part may be taken.
    pub fn of_part(self, part: Option<Part>) -> Preparation {
        Preparation { part, ..self }
    }

    /// How an upright picture of this size is scaled, across and down, and what is kept of it.
    fn cuts(&self, [width, height]: Size) -> [Cut; 2] {
        if self.part.is_some() {
            return self.size.map(Cut::all);
        }
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
        let turn = Turn::of(orientation);
        let Ok(window) = Window::of(self.part, stored, turn, 1) else {
            return 1; // Refused when it is applied.
        };
        let (cuts, stored) = (self.stored_cuts(stored, turn), window.size);
        let keeps =
            |axis: usize, by: u32| u64::from(stored[axis]) >= u64::from(by) * cuts[axis].whole;
        let fits = |by: &u32| keeps(0, *by) && keeps(1, *by);
        [4, 2].into_iter().find(fits).unwrap_or(1)
    }

    /// Pixels of the net's size, augmented as planned; the part must be the plan's.
    pub fn apply(&self, picture: &Raster, plan: &Plan) -> Result<Vec<u32>> {
        let mut to = room(area(self.size))?;
        self.append(&mut to, picture.view(), Source::of(picture), plan)?;
        Ok(to)
    }

    /// The same for pictures of one size, which lie one after another; `steps` has the plan of each.
    pub fn apply_packed(&self, all: View, steps: &[f64]) -> Result<Vec<u32>> {
        let length = area(all.size) as usize * all.channels;
        if length == 0 || !all.data.len().is_multiple_of(length) {
            return Err("the last image is not whole, whole images are wanted".to_owned());
        }
        let source = Source {
            full: all.size,
            shrunk: 1,
            orientation: UPRIGHT,
        };
        let mut numbers = Numbers(steps);
        let mut to = room(area(self.size) * (all.data.len() / length) as u64)?;
        for data in all.data.chunks_exact(length) {
            let plan = Plan::read(&mut numbers)?;
            let preparation = self.of_part(plan.part);
            preparation.append(&mut to, View { data, ..all }, source, &plan)?;
        }
        Ok(to)
    }

    fn append(&self, to: &mut Vec<u32>, view: View, source: Source, plan: &Plan) -> Result<()> {
        let Source { full, shrunk, .. } = source;
        let mut turn = Turn::of(source.orientation);
        if plan.is_mirrored {
            turn = turn.mirrored();
        }
        let window = Window::of(self.part, full, turn, shrunk)?;
        let resize = Resize {
            origin: window.origin,
            extent: window.extent,
            cuts: self.stored_cuts(full, turn),
            filter: self.filter,
            turn,
        };
        let start = to.len();
        let data = window.cut(view)?;
        let cut = View {
            size: window.size,
            data: &data,
            ..view
        };
        self.finish(to, cut, &resize, turn)?;
        plan.apply(self.size, &mut to[start..])
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

/// What a view's pixels are to the picture in the file.
#[derive(Clone, Copy)]
struct Source {
    full: Size,
    shrunk: u32,
    orientation: u32,
}

impl Source {
    fn of(picture: &Raster) -> Source {
        let &Raster {
            full,
            shrunk,
            orientation,
            ..
        } = picture;
        Source {
            full,
            shrunk,
            orientation,
        }
    }
}

/// Half of a number; a half left over goes to the even neighbour, as in Python's `round`.
fn half_even(number: u64) -> u64 {
    let half = number / 2;
    half + (number & half & 1)
}
