//! Random erasing: a rectangle loses its content.

use super::{Canvas, Part};

/// A rectangle, and what it is filled with.
pub struct Erasure {
    pub part: Part,
    /// Key of the random numbers.
    pub key: [u32; 2],
    /// What the net sees as 0, on the scale 0–255.
    pub mean: [f64; 3],
    /// What the net sees as 1 more; 0 without noise.
    pub deviation: [f64; 3],
    /// One random number a pixel, not three.
    pub is_grey: bool,
}

impl Canvas<'_> {
    /// The rectangle may reach beyond the canvas.
    pub fn erase(&mut self, erasure: &Erasure) {
        let width = self.width();
        let Part { start, size } = erasure.part;
        let [left, top] = [0, 1].map(|axis| start[axis].min(self.size[axis]) as usize);
        let [right, end] =
            [0, 1].map(|axis| start[axis].saturating_add(size[axis]).min(self.size[axis]) as usize);
        let has_noise = erasure.deviation.iter().any(|&value| value != 0.0);
        let flat = erasure.pixel([0.0; 3]);
        let mut counter = 0;
        for line in top..end {
            for pixel in &mut self.pixels[line * width + left..line * width + right] {
                *pixel = flat;
                if has_noise {
                    *pixel = erasure.pixel(erasure.noise(counter));
                    counter += 1;
                }
            }
        }
    }
}

impl Erasure {
    fn pixel(&self, noise: [f64; 3]) -> u32 {
        let value = |channel: usize| {
            let value = self.mean[channel] + self.deviation[channel] * noise[channel];
            (value + 0.5) as u8 // Cut off at 0 and 255.
        };
        u32::from_le_bytes([value(0), value(1), value(2), 255])
    }

    /// Normal deviates of pixel number `counter`, by Box and Muller.
    fn noise(&self, counter: u32) -> [f64; 3] {
        let pair = |half: u32| {
            let uniform = |word: u32| f64::from(word >> 8) / 16_777_216.0;
            let [u, v] = threefry(self.key, [counter, half]).map(uniform);
            let radius = (-2.0 * (1.0 - u).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
            [radius * cos, radius * sin]
        };
        let [first, second] = pair(0);
        if self.is_grey {
            return [first; 3];
        }
        [first, second, pair(1)[0]]
    }
}

/// Threefry-2x32 with 20 rounds, as in `core/rng.ts`.
fn threefry([k0, k1]: [u32; 2], [c0, c1]: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];
    let key = [k0, k1, k0 ^ k1 ^ 0x1bd1_1bda];
    let (mut x, mut y) = (c0.wrapping_add(key[0]), c1.wrapping_add(key[1]));
    for round in 0..20 {
        x = x.wrapping_add(y);
        y = y.rotate_left(ROTATIONS[round % 8]) ^ x;
        if round % 4 == 3 {
            let turn = round.div_ceil(4);
            x = x.wrapping_add(key[turn % 3]);
            y = y
                .wrapping_add(key[(turn + 1) % 3])
                .wrapping_add(turn as u32);
        }
    }
    [x, y]
}
