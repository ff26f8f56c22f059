//! What is drawn at random for a picture, applied to it: augmentation.
//!
//! TypeScript draws (`data/augmentation_draw.ts`), so that what is drawn can be seen and compared;
//! here it is only carried out, and no number that can be drawn, or not drawn, is beyond it. The
//! part of the picture that is taken counts before it is scaled, everything else on the net's
//! pixels. The operations are torchvision's for pictures of Pillow, rounding included.

mod colour;
mod erase;
mod filter;
mod geometry;

use crate::pixels::{Result, Size};
use erase::Erasure;
use geometry::{Matrix, Shift, Warp};

/// The part of an upright picture that is scaled to what the net sees.
#[derive(Clone, Copy)]
pub struct Part {
    /// First column and row.
    pub start: Size,
    pub size: Size,
}

/// What was drawn for one picture.
pub struct Plan {
    pub part: Option<Part>,
    /// True where it is mirrored left to right before it is scaled.
    pub is_mirrored: bool,
    steps: Vec<Step>,
}

/// What is done to the net's pixels.
enum Step {
    Mirror,
    Upend,
    Shift(Shift),
    /// By degrees, counter-clockwise.
    Rotate(f64, Warp),
    Affine(Matrix, Warp),
    Brightness(f32),
    Contrast(f32),
    Saturation(f32),
    Hue(f64),
    Sharpness(f32),
    Posterize(u32),
    Solarize(f64),
    Autocontrast,
    Equalize,
    Blur(u32, f64),
    Erase(Erasure),
}

/// Pixels being worked on, and room for the result of what cannot be done in place.
struct Canvas<'a> {
    size: Size,
    pixels: &'a mut [u32],
    spare: Vec<u32>,
}

impl Canvas<'_> {
    fn width(&self) -> usize {
        self.size[0] as usize
    }

    /// The pixels as they were, in memory of their own: the canvas is for the result.
    fn aside(&mut self) -> Result<Vec<u32>> {
        let mut old = std::mem::take(&mut self.spare);
        old.clear();
        if old.try_reserve_exact(self.pixels.len()).is_err() {
            return crate::pixels::room(self.pixels.len() as u64); // Says what is wrong.
        }
        old.extend_from_slice(self.pixels);
        Ok(old)
    }
}

impl Plan {
    /// The plan of the next picture: how many numbers it has, then steps, each by its code and what
    /// it takes. TypeScript (`data/augmentation_numbers.ts`) writes them.
    pub fn read(numbers: &mut Numbers) -> Result<Plan> {
        let length = numbers.whole()?;
        let mut own = numbers.split(length as usize)?;
        let mut plan = Plan {
            part: None,
            is_mirrored: false,
            steps: Vec::new(),
        };
        let mut is_first = true;
        while !own.0.is_empty() {
            match own.whole()? {
                0 if is_first => plan.part = Some(own.part()?),
                1 if is_first => plan.is_mirrored = true,
                code => plan.steps.push(own.step(code)?),
            }
            is_first = false;
        }
        Ok(plan)
    }

    /// Applies what is done to the net's pixels.
    pub fn apply(&self, size: Size, pixels: &mut [u32]) -> Result<()> {
        let spare = Vec::new();
        let mut canvas = Canvas {
            size,
            pixels,
            spare,
        };
        self.steps.iter().try_for_each(|step| canvas.apply(step))
    }
}

impl Canvas<'_> {
    fn apply(&mut self, step: &Step) -> Result<()> {
        match *step {
            Step::Mirror => self.mirror(),
            Step::Upend => self.upend(),
            Step::Shift(ref shift) => return self.shift(shift),
            Step::Rotate(degrees, ref warp) => return self.rotate(degrees, warp),
            Step::Affine(ref matrix, ref warp) => return self.affine(matrix, warp),
            Step::Brightness(factor) => self.brightness(factor),
            Step::Contrast(factor) => self.contrast(factor),
            Step::Saturation(factor) => self.saturation(factor),
            Step::Hue(by) => self.hue(by),
            Step::Sharpness(factor) => return self.sharpness(factor),
            Step::Posterize(bits) => self.posterize(bits),
            Step::Solarize(threshold) => self.solarize(threshold),
            Step::Autocontrast => self.autocontrast(),
            Step::Equalize => self.equalize(),
            Step::Blur(kernel, sigma) => return self.blur(kernel, sigma),
            Step::Erase(ref erasure) => self.erase(erasure),
        }
        Ok(())
    }
}

/// Numbers still to be read.
pub struct Numbers<'a>(pub &'a [f64]);

impl<'a> Numbers<'a> {
    fn split(&mut self, length: usize) -> Result<Numbers<'a>> {
        let (own, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("the numbers of a drawn step are too few, all of them are wanted")?;
        self.0 = rest;
        Ok(Numbers(own))
    }

    /// A number that is one.
    fn finite(&mut self) -> Result<f64> {
        let &[number] = self.split(1)?.0 else {
            return Err("a number is missing, one is wanted".to_owned());
        };
        if number.is_finite() {
            return Ok(number);
        }
        Err(format!(
            "a drawn number is {number}, a finite one is wanted"
        ))
    }

    /// A whole number of 32 bits.
    fn whole(&mut self) -> Result<u32> {
        let number = self.finite()?;
        if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
            return Ok(number as u32);
        }
        let wanted = "a whole number from 0 is wanted";
        Err(format!("a drawn number is {number}, {wanted}"))
    }

    fn several<const N: usize, T>(&mut self, one: impl Fn(&mut Self) -> Result<T>) -> Result<[T; N]>
    where
        T: Copy + Default,
    {
        let mut all = [T::default(); N];
        for value in &mut all {
            *value = one(self)?;
        }
        Ok(all)
    }

    /// Top, left, height, width.
    fn part(&mut self) -> Result<Part> {
        let [top, left, height, width] = self.several(Self::whole)?;
        Ok(Part {
            start: [left, top],
            size: [width, height],
        })
    }

    /// A pixel, whatever its alpha.
    fn opaque(&mut self) -> Result<u32> {
        Ok(self.whole()? | 0xff00_0000)
    }

    fn warp(&mut self) -> Result<Warp> {
        Ok(Warp {
            is_smooth: self.whole()? != 0,
            fill: self.opaque()?,
        })
    }

    fn factor(&mut self) -> Result<f32> {
        Ok(self.finite()? as f32)
    }

    fn step(&mut self, code: u32) -> Result<Step> {
        Ok(match code {
            1 => Step::Mirror,
            2 => Step::Upend,
            3 => Step::Shift(self.shift()?),
            4 => Step::Rotate(self.finite()?, self.warp()?),
            5 => {
                let [x, y] = self.several(Self::finite)?;
                Step::Affine([1.0, x, 0.0, y, 1.0, 0.0], self.warp()?)
            }
            6 => {
                let [x, y] = self.several(Self::finite)?;
                Step::Affine([1.0, 0.0, -x, 0.0, 1.0, -y], self.warp()?)
            }
            7 => Step::Brightness(self.factor()?),
            8 => Step::Contrast(self.factor()?),
            9 => Step::Saturation(self.factor()?),
            10 => Step::Hue(self.finite()?),
            11 => Step::Sharpness(self.factor()?),
            12 => Step::Posterize(self.whole()?),
            13 => Step::Solarize(self.finite()?),
            14 => Step::Autocontrast,
            15 => Step::Equalize,
            16 => Step::Blur(self.whole()?, self.finite()?),
            17 => Step::Erase(self.erasure()?),
            0 => return Err("a crop is not the first step, it is wanted there".to_owned()),
            _ => return Err(format!("step {code} is unknown, 0 to 17 are wanted")),
        })
    }

    fn shift(&mut self) -> Result<Shift> {
        let [top, left, padding, is_reflected] = self.several(Self::whole)?;
        Ok(Shift {
            by: [left, top].map(|start| i64::from(start) - i64::from(padding)),
            is_reflected: is_reflected != 0,
            fill: self.opaque()?,
        })
    }

    fn erasure(&mut self) -> Result<Erasure> {
        let part = self.part()?;
        let key = self.several(Self::whole)?;
        let mean = self.several(Self::finite)?;
        let deviation = self.several(Self::finite)?;
        let is_grey = self.whole()? != 0;
        Ok(Erasure {
            part,
            key,
            mean,
            deviation,
            is_grey,
        })
    }
}
