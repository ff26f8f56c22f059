//! Framed images turned to planes, one per channel.
//!
//! The weight gradient walks along pixels. In NHWC neighbours are `cin` floats apart, a power of
//! two as a rule, so that a block of k crowds into few sets of the first-level cache. In planes
//! they are side by side, for all taps at once.
use super::frame::Frame;
use crate::gemm::pack::transpose_into;
use crate::{pool, simd::*};

/// Channels from which turning the images costs less than it saves.
const MIN_CHANNELS: usize = 128;

/// Channels per task.
const BLOCK: usize = 32;

/// Where the elements of framed images lie: floats between neighbours.
#[derive(Clone, Copy)]
pub struct Layout {
    pub image: usize,
    pub pixel: usize,
    pub channel: usize,
}

impl Layout {
    /// As the frame has them.
    pub fn pixels(frame: &Frame) -> Layout {
        Layout {
            image: frame.len(),
            pixel: frame.channels,
            channel: 1,
        }
    }

    /// In planes.
    pub fn planes(frame: &Frame) -> Layout {
        // A transposed row may spill three floats past its plane.
        let plane = (frame.frame_h * frame.frame_w + 3).next_multiple_of(4);
        Layout {
            image: plane * frame.channels,
            pixel: 1,
            channel: plane,
        }
    }

    /// Whether planes pay.
    pub fn turns(frame: &Frame) -> bool {
        frame.channels >= MIN_CHANNELS
    }
}

/// Frames `count` images from `x` on in planes.
///
/// # Safety
/// `x` holds the images, `to` has room for `count` times [`Layout::image`] floats.
pub unsafe fn fill(frame: &Frame, x: *const f32, count: usize, to: *mut f32) {
    let layout = Layout::planes(frame);
    let blocks = frame.channels.div_ceil(BLOCK);
    // SAFETY: every task has planes of its own.
    unsafe {
        pool::run((count * layout.image) as u64 * 3, count * blocks, &|task| {
            let (image, first) = (task as usize / blocks, task as usize % blocks * BLOCK);
            let channels = BLOCK.min(frame.channels - first);
            let x = x.add(image * frame.h * frame.w * frame.channels + first);
            let to = to.add(image * layout.image + first * layout.channel);
            fill_block(frame, x, to, channels, layout.channel);
        });
    }
}

/// Some channels of one image: first the rows, upwards, then the margins they spill into.
unsafe fn fill_block(frame: &Frame, x: *const f32, to: *mut f32, channels: usize, plane: usize) {
    let Frame {
        w,
        top,
        left,
        frame_h,
        frame_w,
        ..
    } = *frame;
    let columns = w.min(frame_w.saturating_sub(left));
    let rows = frame.h.min(frame_h.saturating_sub(top));
    // SAFETY: the caller's planes.
    unsafe {
        for y in 0..rows {
            let from = x.add(y * w * frame.channels);
            let to = to.add((top + y) * frame_w + left);
            transpose_into(from, frame.channels, (columns, channels), to, plane);
        }
        for channel in 0..channels {
            let to = to.add(channel * plane);
            zero(to, top * frame_w + left);
            for y in 0..rows {
                let end = (top + y) * frame_w + left + columns;
                let gap = if y + 1 < rows {
                    frame_w - columns
                } else {
                    frame_w - left - columns
                };
                zero(to.add(end), gap);
            }
            zero(
                to.add((top + rows) * frame_w),
                (frame_h - top - rows) * frame_w,
            );
        }
    }
}

#[inline(always)]
unsafe fn zero(to: *mut f32, count: usize) {
    for i in (0..count).step_by(4) {
        // SAFETY: the last store is cut to what is left.
        unsafe { store_part(to.add(i), ZERO, count - i) }
    }
}
