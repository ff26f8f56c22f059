//! Maximum and average pooling on NHWC. Vectors run over channels; windows are cut to the image, so
//! padding costs nothing.
mod average;
mod maximum;

use crate::memory::floats;

/// Geometry of a pooling, as TypeScript lays it out.
#[derive(Clone, Copy)]
struct Geometry {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
    kh: usize,
    kw: usize,
    oh: usize,
    ow: usize,
    sh: usize,
    sw: usize,
    dh: usize,
    dw: usize,
    pt: usize,
    pl: usize,
}

/// The part of a window along one axis that lies inside the image.
#[derive(Clone, Copy)]
struct Span {
    /// Taps `first .. end`.
    first: usize,
    end: usize,
    /// Input position of tap `first`.
    start: usize,
}

impl Geometry {
    /// # Safety
    /// `geom` points at 14 words of a checked geometry.
    unsafe fn read(geom: *const i32) -> Geometry {
        // SAFETY: see above.
        let raw = unsafe { *(geom as *const [i32; 14]) };
        let [n, h, w, c, kh, kw, oh, ow, sh, sw, dh, dw, pt, pl] = raw.map(|x| x.max(0) as usize);
        Geometry {
            n,
            h,
            w,
            c,
            kh,
            kw,
            oh,
            ow,
            sh,
            sw,
            dh,
            dw,
            pt,
            pl,
        }
    }

    fn work(&self) -> u64 {
        // A window may be far larger than its image; twice or four times this must not overflow.
        floats([self.n, self.oh, self.ow, self.c, self.kh, self.kw]).min(1 << 60)
    }

    /// Whether the windows lie side by side and cover the image exactly.
    fn tiles_image(&self) -> bool {
        let windows = (self.sh, self.sw, self.dh, self.dw) == (self.kh, self.kw, 1, 1);
        let cover = (self.oh * self.kh, self.ow * self.kw) == (self.h, self.w);
        windows && cover && self.pt == 0 && self.pl == 0
    }

    fn rows(&self, oy: usize) -> Span {
        Span::new(oy * self.sh, self.pt, self.dh, self.kh, self.h)
    }

    fn columns(&self, ox: usize) -> Span {
        Span::new(ox * self.sw, self.pl, self.dw, self.kw, self.w)
    }
}

impl Span {
    #[inline(always)]
    fn new(at: usize, padding: usize, dilation: usize, kernel: usize, size: usize) -> Span {
        if at >= padding && at - padding + (kernel - 1) * dilation < size {
            return Span {
                first: 0,
                end: kernel,
                start: at - padding,
            };
        }
        let end = (size + padding)
            .saturating_sub(at)
            .div_ceil(dilation)
            .min(kernel);
        let first = padding.saturating_sub(at).div_ceil(dilation).min(end);
        Span {
            first,
            end,
            start: (at + first * dilation).saturating_sub(padding),
        }
    }

    fn len(&self) -> usize {
        self.end - self.first
    }
}
