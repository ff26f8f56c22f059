//! What is convolved, and the tiles it is cut into.
use crate::conv::Geometry;
use crate::memory::floats;

/// A convolution of stride 1 with windows of 3x3, from `n` planes of `h x w` pixels to `oh x ow`.
/// The window of output pixel (0, 0) starts at pixel `(-top, -left)`.
#[derive(Clone, Copy)]
pub struct Plane {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub cin: usize,
    pub oh: usize,
    pub ow: usize,
    pub cout: usize,
    pub top: isize,
    pub left: isize,
}

impl Plane {
    /// From x to y.
    pub fn forwards(g: &Geometry) -> Plane {
        Plane {
            n: g.n,
            h: g.h,
            w: g.w,
            cin: g.cin,
            oh: g.oh,
            ow: g.ow,
            cout: g.cout,
            top: g.pt as isize,
            left: g.pl as isize,
        }
    }

    /// From dy to dx.
    pub fn backwards(g: &Geometry) -> Plane {
        Plane {
            n: g.n,
            h: g.oh,
            w: g.ow,
            cin: g.cout,
            oh: g.h,
            ow: g.w,
            cout: g.cin,
            top: 2 - g.pt as isize,
            left: 2 - g.pl as isize,
        }
    }

    /// Tiles of `m x m` outputs.
    pub fn tiles(&self, m: usize) -> usize {
        self.n * self.oh.div_ceil(m) * self.ow.div_ceil(m)
    }

    /// What those tiles read, `m + 2` pixels wide and high.
    pub fn inputs(&self, m: usize) -> Tiling {
        Tiling {
            h: self.h,
            w: self.w,
            channels: self.cin,
            rows: self.oh.div_ceil(m),
            columns: self.ow.div_ceil(m),
            step: m,
            top: self.top,
            left: self.left,
        }
    }

    /// The tiles themselves.
    pub fn outputs(&self, m: usize) -> Tiling {
        Tiling {
            h: self.oh,
            w: self.ow,
            channels: self.cout,
            top: 0,
            left: 0,
            ..self.inputs(m)
        }
    }

    /// Floating-point operations of the products for `tiles` tiles of `points` points.
    pub fn work(&self, tiles: usize, points: usize) -> u64 {
        2 * floats([tiles, points, self.cin, self.cout])
    }
}

/// Tiles of a batch of planes. Tile `(ty, tx)` of an image starts at pixel
/// `(ty step - top, tx step - left)`.
#[derive(Clone, Copy)]
pub struct Tiling {
    h: usize,
    w: usize,
    channels: usize,
    /// Tiles of an image.
    rows: usize,
    columns: usize,
    step: usize,
    top: isize,
    left: isize,
}

impl Tiling {
    /// Addresses of the `I x I` pixels of a tile of `x`; `outside` for those beyond the plane.
    pub fn pixels<const I: usize>(
        &self,
        x: *const f32,
        tile: usize,
        outside: *const f32,
    ) -> [[*const f32; I]; I] {
        let (line, tx) = (tile / self.columns, tile % self.columns);
        let (image, ty) = (line / self.rows, line % self.rows);
        let y0 = (ty * self.step) as isize - self.top;
        let x0 = (tx * self.step) as isize - self.left;
        let row = (image * self.h) as isize + y0;
        let first = x.wrapping_offset((row * self.w as isize + x0) * self.channels as isize);
        core::array::from_fn(|i| {
            let line = first.wrapping_add(i * self.w * self.channels);
            // Negative numbers are large as unsigned ones.
            let inside = ((y0 + i as isize) as usize) < self.h;
            core::array::from_fn(|j| {
                if inside && ((x0 + j as isize) as usize) < self.w {
                    line.wrapping_add(j * self.channels)
                } else {
                    outside
                }
            })
        })
    }

    /// The same to write to.
    pub fn pixels_mut<const I: usize>(
        &self,
        y: *mut f32,
        tile: usize,
        outside: *mut f32,
    ) -> [[*mut f32; I]; I] {
        (self.pixels::<I>(y, tile, outside)).map(|row| row.map(|pixel| pixel as *mut f32))
    }
}
