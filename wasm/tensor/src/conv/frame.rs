//! Images in a frame of zeros, so that windows never leave their image.
use crate::{memory::floats, simd::*, threads};

/// Floats of framed images made at a time: bounds the workspace.
const FRAMED_MAX: usize = 8 << 20;

/// Where the frame puts an image: image row y, column x lie at frame row `top + y`, column
/// `left + x`; what falls outside is cut off.
#[derive(Clone, Copy, PartialEq)]
pub struct Frame {
    pub h: usize,
    pub w: usize,
    pub channels: usize,
    pub top: usize,
    pub left: usize,
    pub frame_h: usize,
    pub frame_w: usize,
}

impl Frame {
    /// Whether frame and image are the same (or the frame is never read beyond the image).
    pub fn is_image(&self) -> bool {
        self.top == 0 && self.left == 0 && self.frame_h <= self.h && self.frame_w <= self.w
    }

    /// The frame to read from: the image itself where nothing must be added.
    pub fn settled(mut self) -> Frame {
        if self.is_image() {
            (self.frame_h, self.frame_w) = (self.h, self.w);
        }
        self
    }

    /// Floats of one framed image, once there is scratch for it.
    pub fn len(&self) -> usize {
        self.size() as usize
    }

    fn size(&self) -> u64 {
        floats([self.frame_h, self.frame_w, self.channels])
    }

    /// Images per group, so that a group's frames stay below a bound.
    pub fn group(&self, images: usize) -> usize {
        if self.is_image() {
            images
        } else {
            (FRAMED_MAX as u64 / self.size().max(1)).clamp(1, images as u64) as usize
        }
    }

    /// Floats of scratch for a group of images.
    pub fn scratch(&self, group: usize) -> u64 {
        if self.is_image() {
            0
        } else {
            self.size().saturating_mul(group as u64)
        }
    }

    /// Frames `count` images from `x` on into `scratch`, in parallel if worth it, and returns where
    /// the framed images are.
    ///
    /// # Safety
    /// `x` holds the images and `scratch` as many floats as [`Frame::scratch`] says.
    pub unsafe fn fill(&self, x: *const f32, count: usize, scratch: *mut f32) -> *const f32 {
        if self.is_image() {
            return x;
        }
        let rows = count * self.frame_h;
        let row_len = self.frame_w * self.channels;
        let (size, chunks) = threads::split(rows, (16384 / row_len.max(1)).max(1), 64);
        // SAFETY: every task writes frame rows of its own.
        unsafe {
            threads::run(floats([rows, row_len, 2]), chunks, &|task| {
                let first = task as usize * size;
                for row in first..rows.min(first + size) {
                    self.fill_row(x, row, scratch.add(row * row_len));
                }
            });
        }
        scratch
    }

    unsafe fn fill_row(&self, x: *const f32, row: usize, to: *mut f32) {
        let (image, y) = (row / self.frame_h, row % self.frame_h);
        let c = self.channels;
        let inside = y >= self.top && y - self.top < self.h;
        let columns = if inside {
            self.w.min(self.frame_w.saturating_sub(self.left))
        } else {
            0
        };
        let before = if columns > 0 { self.left * c } else { 0 };
        let end = before + columns * c;
        // SAFETY: the row has frame_w * c floats, of which `before .. end` come from the image.
        unsafe {
            zero(to, before);
            if columns > 0 {
                let from = x.add((image * self.h + y - self.top) * self.w * c);
                copy(from, to.add(before), columns * c);
            }
            zero(to.add(end), self.frame_w * c - end);
        }
    }
}

#[inline(never)]
unsafe fn copy(from: *const f32, to: *mut f32, count: usize) {
    // SAFETY: both have `count` floats.
    unsafe { core::ptr::copy_nonoverlapping(from, to, count) }
}

/// Short rows of zeros: a loop beats a call of memset.
#[inline(always)]
unsafe fn zero(to: *mut f32, count: usize) {
    for i in (0..count).step_by(4) {
        // SAFETY: the last store is cut to what is left.
        unsafe { store_part(to.add(i), ZERO, count - i) }
    }
}
