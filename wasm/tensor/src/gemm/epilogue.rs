//! What follows a product or convolution, done while a part of its result is still in the caches:
//! `v = min(max((v - mean) scale + shift + residual, low), high)`, in this order and with as many
//! roundings as the pointwise operations it stands for, so that not a bit depends on it.
use crate::simd::*;
use crate::threads;

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
    pub fn part(&self, first: usize) -> Option<Epilogue> {
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

    /// Channels `first .. end` of some pixels, whose addresses (of channel 0) are given.
    ///
    /// # Safety
    /// The pixels are there, and everything else is as large as it has to be.
    pub unsafe fn pixels(&self, pixels: &[usize], channels: (usize, usize)) {
        // SAFETY: passed on to the caller.
        unsafe {
            match (self.vectors, self.residual) {
                (Vectors::None, None) => self.columns::<0, false>(pixels, channels),
                (Vectors::None, _) => self.columns::<0, true>(pixels, channels),
                (Vectors::Shift, None) => self.columns::<1, false>(pixels, channels),
                (Vectors::Shift, _) => self.columns::<1, true>(pixels, channels),
                (Vectors::All, None) => self.columns::<3, false>(pixels, channels),
                (Vectors::All, _) => self.columns::<3, true>(pixels, channels),
            }
        }
    }

    /// The same, two vectors of channels at a time, whose numbers stay in registers.
    #[inline(never)]
    unsafe fn columns<const VECTORS: usize, const RESIDUAL: bool>(
        &self,
        pixels: &[usize],
        (first, end): (usize, usize),
    ) {
        let distance = self.residual.unwrap_or(0);
        let whole = first + (end - first) / 8 * 8;
        for c in (first..whole).step_by(8) {
            let numbers = [self.numbers::<VECTORS>(c), self.numbers::<VECTORS>(c + 4)];
            for &pixel in pixels {
                // SAFETY: the pixel's channels are there.
                unsafe {
                    let at = pixel + c * 4;
                    let [low, high] =
                        [at, at + 16].map(|p| value::<RESIDUAL>(p as *const f32, distance));
                    store(at as *mut f32, numbers[0].apply::<VECTORS, RESIDUAL>(low));
                    store(
                        (at + 16) as *mut f32,
                        numbers[1].apply::<VECTORS, RESIDUAL>(high),
                    );
                }
            }
        }
        for c in (whole..end).step_by(4) {
            let numbers = self.numbers::<VECTORS>(c);
            for &pixel in pixels {
                // SAFETY: only what is left is stored.
                unsafe {
                    let at = (pixel + c * 4) as *mut f32;
                    let v = value::<RESIDUAL>(at, distance);
                    store_part(at, numbers.apply::<VECTORS, RESIDUAL>(v), end - c);
                }
            }
        }
    }

    /// The numbers of four channels.
    #[inline(always)]
    fn numbers<const VECTORS: usize>(&self, c: usize) -> Numbers {
        // SAFETY: every vector that there is has the channels, and one vector more can be read.
        let vector = |least: usize, p: usize| match VECTORS >= least {
            true => unsafe { load((p + c * 4) as *const f32) },
            false => ZERO,
        };
        Numbers {
            mean: vector(3, self.mean),
            scale: vector(3, self.scale),
            shift: vector(1, self.shift),
            low: f32x4_splat(self.low),
            high: f32x4_splat(self.high),
        }
    }

    /// All of a result that lies without gaps, in parallel if worth it.
    ///
    /// # Safety
    /// As [`Epilogue::pixels`].
    pub unsafe fn everywhere(&self, y: *mut f32, pixels: usize, channels: usize) {
        let Some(then) = self.part(0) else {
            return;
        };
        let (size, chunks) = threads::split(pixels, (4096 / channels.max(1)).max(1), 64);
        let y = y as usize;
        // SAFETY: tasks have pixels of their own.
        unsafe {
            threads::run(8 * pixels as u64 * channels as u64, chunks, &|task| {
                let first = task as usize * size;
                let count = size.min(pixels - first);
                let pitch = channels * 4;
                then.line(y + first * pitch, pitch, count, (0, channels));
            });
        }
    }

    /// Channels `first .. end` of `count` pixels from address `from` on, `pitch` bytes apart.
    ///
    /// # Safety
    /// As [`Epilogue::pixels`].
    pub unsafe fn line(&self, from: usize, pitch: usize, count: usize, channels: (usize, usize)) {
        let mut at = [0; LINE];
        for first in (0..count).step_by(LINE) {
            let at = &mut at[..LINE.min(count - first)];
            for (i, at) in at.iter_mut().enumerate() {
                *at = from + (first + i) * pitch;
            }
            // SAFETY: passed on to the caller.
            unsafe { self.pixels(at, channels) };
        }
    }
}

/// Pixels of a line at a time.
const LINE: usize = 64;

/// What is done to four values.
struct Numbers {
    mean: v128,
    scale: v128,
    shift: v128,
    low: v128,
    high: v128,
}

impl Numbers {
    #[inline(always)]
    fn apply<const VECTORS: usize, const RESIDUAL: bool>(
        &self,
        [mut v, residual]: [v128; 2],
    ) -> v128 {
        if VECTORS == 3 {
            v = f32x4_mul(f32x4_sub(v, self.mean), self.scale);
        }
        if VECTORS > 0 {
            v = f32x4_add(v, self.shift);
        }
        if RESIDUAL {
            v = f32x4_add(v, residual);
        }
        at_most(at_least(v, self.low), self.high)
    }
}

/// Four values of the result, and of the residual if there is one.
#[inline(always)]
unsafe fn value<const RESIDUAL: bool>(at: *const f32, distance: isize) -> [v128; 2] {
    // SAFETY: the caller's values, and what they belong to, are there.
    unsafe {
        match RESIDUAL {
            true => [load(at), load(at.wrapping_byte_offset(distance))],
            false => [load(at), ZERO],
        }
    }
}
