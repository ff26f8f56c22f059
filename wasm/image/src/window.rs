//! The pixels of a stored picture that a part of the upright one needs.

use crate::augment::Part;
use crate::orient::Turn;
use crate::pixels::{room, Result, Size, View};
use std::borrow::Cow;

/// Whole pixels of a picture as it was decoded, and where the part lies in them.
pub struct Window {
    start: Size,
    pub size: Size,
    /// Where the part begins within the window, in pixels: not 0 where a decoder has shrunk.
    pub origin: [f64; 2],
    /// How many pixels the part is long.
    pub extent: [f64; 2],
}

impl Window {
    /// Of a part, or of all, of a picture stored with the size `full` that `turn` makes upright,
    /// decoded at a part of its size.
    pub fn of(part: Option<Part>, full: Size, turn: Turn, shrunk: u32) -> Result<Window> {
        let (start, size) = match part {
            None => ([0, 0], full),
            Some(part) => stored(part, full, turn)?,
        };
        let first = start.map(|at| at / shrunk);
        let end = [0, 1].map(|axis| (start[axis] + size[axis]).div_ceil(shrunk));
        let by = f64::from(shrunk);
        Ok(Window {
            start: first,
            size: [0, 1].map(|axis| end[axis] - first[axis]),
            origin: [0, 1].map(|axis| f64::from(start[axis]) / by - f64::from(first[axis])),
            extent: size.map(|side| f64::from(side) / by),
        })
    }

    /// The pixels of the window, of a view that holds it.
    pub fn cut<'a>(&self, view: View<'a>) -> Result<Cow<'a, [u8]>> {
        let (channels, data) = (view.channels, view.data);
        let stride = view.size[0] as usize * channels;
        let [left, top] = self.start.map(|at| at as usize);
        let [width, height] = self.size.map(|side| side as usize);
        let rows = &data[top * stride..(top + height) * stride];
        if width * channels == stride {
            return Ok(Cow::Borrowed(rows));
        }
        let mut cut = room((width * height * channels) as u64)?;
        for row in rows.chunks_exact(stride) {
            cut.extend_from_slice(&row[left * channels..(left + width) * channels]);
        }
        Ok(Cow::Owned(cut))
    }
}

/// Start and size of a part along the stored axes.
fn stored(part: Part, full: Size, turn: Turn) -> Result<(Size, Size)> {
    let [whole, start, size] = [turn.exchange(full), part.start, part.size];
    let ends = [0, 1].map(|axis| u64::from(start[axis]) + u64::from(size[axis]));
    let fits = |axis: usize| size[axis] >= 1 && ends[axis] <= u64::from(whole[axis]);
    if !fits(0) || !fits(1) {
        let [[left, top], [width, height]] = [start, size];
        let found = format!("the part of {width}×{height} at top {top}, left {left}");
        let [width, height] = whole;
        return Err(format!(
            "{found} leaves the picture of {width}×{height}, a part within it is wanted"
        ));
    }
    let (mut start, size) = (turn.exchange(start), turn.exchange(size));
    for axis in [0, 1] {
        if turn.reverses[axis] {
            start[axis] = full[axis] - start[axis] - size[axis];
        }
    }
    Ok((start, size))
}
