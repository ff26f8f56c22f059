//! What follows a product or convolution, done while a part of its result is still in the caches:
//! `v = min(max((v - mean) scale + shift + residual, low), high)`, in this order and with as many
//! roundings as the pointwise operations it stands for, so that not a bit depends on it.
use crate::pool;
use crate::simd::*;

/// The numbers of an epilogue. Vectors have a value for each channel; the residual has one for each
/// value of the result, in the same places.
#[derive(Clone, Copy)]
pub struct Epilogue {
    /// None, a shift alone, or all three; addresses of the first channel.
    vectors: Vectors,
    mean: usize,
    scale: usize,
    shift: usize,
    /// Bytes from a value of the result to that of the residual, where there is one.
    residual: Option<isize>,
    low: f32,
    high: f32,
}

#[derive(Clone, Copy, PartialEq)]
enum Vectors {
    None,
    Shift,
    All,
}

impl Epilogue {
    /// One that leaves everything as it is.
    pub fn none() -> Epilogue {
        Epilogue {
            vectors: Vectors::None,
            mean: 0,
            scale: 0,
            shift: 0,
            residual: None,
            low: f32::NEG_INFINITY,
            high: f32::INFINITY,
        }
    }

    /// Absent are null: the residual, or mean and scale, or these and the shift.
    pub fn new(
        [mean, scale, shift]: [*const f32; 3],
        residual: *const f32,
        result: *mut f32,
        low: f32,
        high: f32,
    ) -> Epilogue {
        let vectors = match (mean.is_null(), shift.is_null()) {
            (false, _) => Vectors::All,
            (true, false) => Vectors::Shift,
            (true, true) => Vectors::None,
        };
        let distance = (residual as usize).wrapping_sub(result as usize) as isize;
        Epilogue {
            vectors,
            mean: mean as usize,
            scale: scale as usize,
            shift: shift as usize,
            residual: (!residual.is_null()).then_some(distance),
            low,
            high,
        }
    }

    /// For a part of the channels, from `first` on; nothing where there is nothing to do.
    pub fn from_channel(&self, first: usize) -> Option<Epilogue> {
        let unbounded = self.low == f32::NEG_INFINITY && self.high == f32::INFINITY;
        if self.vectors == Vectors::None && self.residual.is_none() && unbounded {
            return None;
        }
        let offset = first * 4;
        Some(Epilogue {
            mean: self.mean.wrapping_add(offset),
            scale: self.scale.wrapping_add(offset),
            shift: self.shift.wrapping_add(offset),
            ..*self
        })
    }

    /// Channels `first .. end` of some pixels, whose addresses (of channel 0) `pixel` tells.
    ///
    /// # Safety
    /// The pixels are there, and everything else is as large as it has to be.
    pub unsafe fn pixels(
        &self,
        count: usize,
        pixel: &dyn Fn(usize) -> usize,
        (first, end): (usize, usize),
    ) {
        for i in 0..count {
            let at = pixel(i);
            // SAFETY: passed on to the caller.
            unsafe {
                match (self.vectors, self.residual) {
                    (Vectors::None, None) => self.pixel::<0, false>(at, first, end),
                    (Vectors::None, _) => self.pixel::<0, true>(at, first, end),
                    (Vectors::Shift, None) => self.pixel::<1, false>(at, first, end),
                    (Vectors::Shift, _) => self.pixel::<1, true>(at, first, end),
                    (Vectors::All, None) => self.pixel::<3, false>(at, first, end),
                    (Vectors::All, _) => self.pixel::<3, true>(at, first, end),
                }
            }
        }
    }

    /// One pixel, with so many vectors.
    #[inline(never)]
    unsafe fn pixel<const VECTORS: usize, const RESIDUAL: bool>(
        &self,
        at: usize,
        first: usize,
        end: usize,
    ) {
        let (low, high) = (f32x4_splat(self.low), f32x4_splat(self.high));
        let value = |c: usize| {
            let vector = |p: usize| {
                // SAFETY: every vector has the channels, and one vector more can be read.
                unsafe { load((p + c * 4) as *const f32) }
            };
            let mut v = vector(at);
            if VECTORS == 3 {
                v = f32x4_mul(f32x4_sub(v, vector(self.mean)), vector(self.scale));
            }
            if VECTORS > 0 {
                v = f32x4_add(v, vector(self.shift));
            }
            if RESIDUAL {
                let distance = self.residual.unwrap_or(0);
                v = f32x4_add(v, vector(at.wrapping_add_signed(distance)));
            }
            at_most(at_least(v, low), high)
        };
        let whole = first + (end - first) / 4 * 4;
        for c in (first..whole).step_by(4) {
            // SAFETY: the pixel's channels are there.
            unsafe { store((at + c * 4) as *mut f32, value(c)) };
        }
        if whole < end {
            // SAFETY: only what is left is stored.
            unsafe { store_part((at + whole * 4) as *mut f32, value(whole), end - whole) };
        }
    }

    /// All of a result that lies without gaps, in parallel if worth it.
    ///
    /// # Safety
    /// As [`Epilogue::pixels`].
    pub unsafe fn everywhere(&self, y: *mut f32, pixels: usize, channels: usize) {
        let Some(then) = self.from_channel(0) else {
            return;
        };
        let (size, chunks) = pool::split(pixels, (4096 / channels.max(1)).max(1), 64);
        let y = y as usize;
        // SAFETY: tasks have pixels of their own.
        unsafe {
            pool::run(8 * pixels as u64 * channels as u64, chunks, &|task| {
                let first = task as usize * size;
                let at = |i: usize| y + (first + i) * channels * 4;
                then.pixels(size.min(pixels - first), &at, (0, channels));
            });
        }
    }
}
