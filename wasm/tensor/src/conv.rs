//! Convolution on NHWC: forward, input gradient, weight gradient; a file for each, and one that
//! chooses the way.
//!
//! All three are matrix products whose A is never built. In NHWC a row of a window is contiguous,
//! `kw * cin` values long, so a window is `kh` segments at fixed offsets from its first pixel, and
//! the micro-kernel walks them in place. Padding is the only thing that must be made: the image is
//! copied once into a frame of zeros (an image that needs none is read where it lies), in groups of
//! images that keep the workspace bounded.
//!
//! TypeScript has checked that a padded image and a window are at most 2^30 pixels long on either
//! axis, so places along an axis fit 32 bits. Areas need not, and sizes of scratch are reckoned in
//! 64: what does not fit is refused before any thread starts.
mod choose;
mod depthwise;
mod forward;
mod frame;
mod input_grad;
mod narrow;
mod scatter;
mod weight_grad;
mod winograd;

use crate::memory::floats;

/// Geometry of a convolution, as TypeScript lays it out.
#[repr(C)]
#[derive(Clone, Copy)]
struct RawGeometry([i32; 16]);

/// The same as sizes. `pt` and `pl` are the padding before the first row and column; the padding
/// after the last ones follows from `oh` and `ow`.
#[derive(Clone, Copy)]
pub struct Geometry {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub cin: usize,
    pub kh: usize,
    pub kw: usize,
    pub cout: usize,
    pub oh: usize,
    pub ow: usize,
    pub sh: usize,
    pub sw: usize,
    pub dh: usize,
    pub dw: usize,
    pub pt: usize,
    pub pl: usize,
    pub groups: usize,
    /// Channels of one group.
    pub group_in: usize,
    pub group_out: usize,
}

impl Geometry {
    /// # Safety
    /// `geom` points at 16 words of a checked geometry.
    pub unsafe fn read(geom: *const i32) -> Geometry {
        // SAFETY: see above.
        let raw = unsafe { *(geom as *const RawGeometry) };
        let [n, h, w, cin, kh, kw, cout, oh, ow, sh, sw, dh, dw, pt, pl, groups] =
            raw.0.map(|x| x.max(0) as usize);
        let groups = groups.max(1);
        let (group_in, group_out) = (cin / groups, cout / groups);
        Geometry {
            n,
            h,
            w,
            cin,
            kh,
            kw,
            cout,
            oh,
            ow,
            sh,
            sw,
            dh,
            dw,
            pt,
            pl,
            groups,
            group_in,
            group_out,
        }
    }

    /// One channel in per group: no sum over channels, hence no matrix product.
    pub fn depthwise(&self) -> bool {
        self.groups == self.cin && self.group_in == 1 && self.cin > 1
    }

    pub fn empty(&self) -> bool {
        self.n * self.h * self.w * self.cin == 0 || self.oh * self.ow * self.cout == 0
    }

    /// Floating-point operations of any of the three passes.
    pub fn work(&self) -> u64 {
        let (pixels, k) = (
            [self.n, self.oh, self.ow],
            [self.kh, self.kw, self.group_in],
        );
        2 * floats(pixels) * floats(k) * self.cout as u64
    }
}
