//! Builds the list of segments that make up k.
use super::micro::Segment;
use super::{Operand, KC};
use crate::memory::floats;

/// Writes segments into scratch, joining neighbours and cutting what is longer than a block.
pub struct SegmentList {
    start: *mut Segment,
    len: usize,
    /// Elements of A, and units of B, between neighbours in k.
    step: usize,
    b_step: usize,
    total: usize,
}

/// Floats of scratch for `count` pushes of `len` each.
pub fn segments_len(count: usize, len: usize) -> u64 {
    floats([3, count, len.div_ceil(KC).max(1)])
}

impl SegmentList {
    /// `step` is in bytes of A. B is counted in rows of its panels, or in elements where it is read
    /// as it lies.
    ///
    /// # Safety
    /// `scratch` has room for [`segments_len`] floats of all that will be pushed.
    pub unsafe fn new(scratch: *mut f32, step: usize, b: &Operand) -> SegmentList {
        let b_step = match b {
            Operand::Rows { ld, .. } => *ld,
            Operand::Panels { .. } | Operand::WidePanels { .. } => 1,
        };
        SegmentList {
            start: scratch as *mut Segment,
            len: 0,
            step: step / 4,
            b_step,
            total: 0,
        }
    }

    /// Appends `len` values of k, the first `offset` elements from the row's address, with the next
    /// rows of B.
    pub fn push(&mut self, offset: usize, len: usize) {
        self.push_with(offset, self.total * self.b_step, len);
    }

    /// The same with the rows of B from `b` on.
    pub fn push_with(&mut self, offset: usize, b: usize, len: usize) {
        self.total += len;
        let pieces = len.div_ceil(KC);
        let mut done = 0;
        for piece in 0..pieces {
            let part = (len - done).div_ceil(pieces - piece);
            self.append(offset + done * self.step, b + done * self.b_step, part);
            done += part;
        }
    }

    fn append(&mut self, offset: usize, b: usize, len: usize) {
        // SAFETY: `new` was promised the room.
        unsafe {
            if self.len > 0 {
                let last = &mut *self.start.add(self.len - 1);
                let done = last.len as usize;
                let a_end = last.offset as usize + done * self.step;
                let b_end = last.b as usize + done * self.b_step;
                if (a_end, b_end) == (offset, b) && done + len <= KC {
                    last.len += len as u32;
                    return;
                }
            }
            let segment = Segment {
                offset: offset as i32,
                b: b as u32,
                len: len as u32,
            };
            *self.start.add(self.len) = segment;
        }
        self.len += 1;
    }

    /// First segment, number of segments, and k.
    pub fn list(&self) -> (*const Segment, usize, usize) {
        (self.start, self.len, self.total)
    }
}
