//! What changes colours, pixel by pixel: Pillow's `ImageEnhance`, `ImageOps` and HSV.

use super::Canvas;

/// What becomes of each value of red, green and blue.
type Table = [[u8; 256]; 3];
/// How often each value occurs in red, green and blue.
type Histogram = [[u32; 256]; 3];

/// A value between two, or beyond them: Pillow's `Image.blend`.
pub fn blend(from: u8, to: u8, share: f32) -> u8 {
    let (from, to) = (i32::from(from), i32::from(to));
    // Cut off at 0 and 255, and towards 0, by the cast.
    (from as f32 + share * (to - from) as f32) as u8
}

/// Pillow's luma of red, green and blue.
fn luma([r, g, b, _]: [u8; 4]) -> u8 {
    let [r, g, b] = [r, g, b].map(u32::from);
    ((r * 19_595 + g * 38_470 + b * 7471 + 0x8000) >> 16) as u8
}

impl Canvas<'_> {
    fn each(&mut self, change: impl Fn([u8; 4]) -> [u8; 4]) {
        for pixel in self.pixels.iter_mut() {
            *pixel = u32::from_le_bytes(change(pixel.to_le_bytes()));
        }
    }

    fn look_up(&mut self, [red, green, blue]: &Table) {
        self.each(|[r, g, b, a]| {
            [
                red[usize::from(r)],
                green[usize::from(g)],
                blue[usize::from(b)],
                a,
            ]
        });
    }

    /// One table for all three colours.
    fn look_up_all(&mut self, change: impl Fn(u8) -> u8) {
        let table = std::array::from_fn(|value| change(value as u8));
        self.look_up(&[table; 3]);
    }

    fn histogram(&self) -> Histogram {
        let mut counts = [[0; 256]; 3];
        for pixel in self.pixels.iter() {
            let [r, g, b, _] = pixel.to_le_bytes();
            counts[0][usize::from(r)] += 1;
            counts[1][usize::from(g)] += 1;
            counts[2][usize::from(b)] += 1;
        }
        counts
    }

    pub fn brightness(&mut self, factor: f32) {
        self.look_up_all(|value| blend(0, value, factor));
    }

    /// Towards the mean of the luma, or away from it.
    pub fn contrast(&mut self, factor: f32) {
        let lumas = self.pixels.iter().map(|pixel| luma(pixel.to_le_bytes()));
        let sum: u64 = lumas.map(u64::from).sum();
        let mean = (sum as f64 / self.pixels.len() as f64 + 0.5) as u8;
        self.look_up_all(|value| blend(mean, value, factor));
    }

    /// Towards the pixel's luma, or away from it.
    pub fn saturation(&mut self, factor: f32) {
        self.each(|pixel| {
            let grey = luma(pixel);
            let [r, g, b, a] = pixel;
            let [r, g, b] = [r, g, b].map(|value| blend(grey, value, factor));
            [r, g, b, a]
        });
    }

    /// Turns the hue by a share of the circle, which has 255 steps, as torchvision takes it.
    pub fn hue(&mut self, by: f64) {
        let by = (by * 255.0) as i64 as u8;
        let circle = Circle::new();
        self.each(|[r, g, b, a]| {
            let [h, s, v] = hsv([r, g, b]);
            let [r, g, b] = circle.rgb([h.wrapping_add(by), s, v]);
            [r, g, b, a]
        });
    }

    /// Keeps the highest bits of each value.
    pub fn posterize(&mut self, bits: u32) {
        let dropped = 8 - bits.min(8);
        self.look_up_all(|value| (u32::from(value) >> dropped << dropped) as u8);
    }

    /// Inverts values from the threshold on.
    pub fn solarize(&mut self, threshold: f64) {
        self.look_up_all(|value| match f64::from(value) < threshold {
            true => value,
            false => 255 - value,
        });
    }

    /// Stretches each colour to 0–255.
    pub fn autocontrast(&mut self) {
        let table = self.histogram().map(|counts| {
            let is_there = |value: &usize| counts[*value] > 0;
            let low = (0..256).find(is_there).unwrap_or(0);
            let high = (0..256).rfind(is_there).unwrap_or(0);
            if high <= low {
                return std::array::from_fn(|value| value as u8);
            }
            let scale = 255.0 / (high - low) as f64;
            let offset = -(low as f64) * scale;
            std::array::from_fn(|value| (value as f64 * scale + offset) as u8)
        });
        self.look_up(&table);
    }

    /// Spreads the values of each colour, so that all occur about equally often.
    pub fn equalize(&mut self) {
        let table = self.histogram().map(|counts| {
            let total: u32 = counts.iter().sum();
            let last = counts.iter().rfind(|&&count| count > 0).unwrap_or(&0);
            let step = (total - last) / 255;
            let mut sum = u64::from(step / 2);
            std::array::from_fn(|value| {
                if step == 0 {
                    return value as u8;
                }
                let level = sum / u64::from(step);
                sum += u64::from(counts[value]);
                level.min(255) as u8
            })
        });
        self.look_up(&table);
    }
}

/// Hue, saturation and value, 0–255 each: Pillow's `rgb2hsv`, which mixes f32 and f64 as C does.
fn hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let part = |value: u8| f32::from(most - value) / range;
    let hue = if r == most {
        part(b) - part(g)
    } else if g == most {
        (2.0 + f64::from(part(r)) - f64::from(part(b))) as f32
    } else {
        (4.0 + f64::from(part(g)) - f64::from(part(r))) as f32
    };
    let turns = f64::from(hue) / 6.0 + 1.0;
    let hue = if turns >= 1.0 { turns - 1.0 } else { turns } as f32;
    let byte = |share: f32| (f64::from(share) * 255.0) as u8;
    [byte(hue), byte(range / f32::from(most)), most]
}

/// What the way back has of each hue and saturation.
struct Circle {
    /// Sixth of the circle, and the rest of it.
    hues: [(u8, f32); 256],
    shares: [f32; 256],
}

impl Circle {
    fn new() -> Circle {
        Circle {
            hues: std::array::from_fn(|h| {
                let sixths = f64::from(h as f32 * 6.0) / 255.0;
                let sector = sixths.floor();
                (sector as u8 % 6, (sixths - sector) as f32)
            }),
            shares: std::array::from_fn(|s| (s as f64 / 255.0) as f32),
        }
    }

    /// Pillow's `hsv2rgb`.
    fn rgb(&self, [h, s, v]: [u8; 3]) -> [u8; 3] {
        if s == 0 {
            return [v; 3];
        }
        let (sector, rest) = self.hues[usize::from(h)];
        let share = self.shares[usize::from(s)];
        let darker = |by: f64| (f64::from(v) * (1.0 - by) + 0.5) as u8;
        let p = darker(f64::from(share));
        // Falling in odd sectors, rising in even ones.
        let between = if sector % 2 == 1 {
            darker(f64::from(share * rest))
        } else {
            darker(f64::from(share) * (1.0 - f64::from(rest)))
        };
        match sector {
            0 => [v, between, p],
            1 => [between, v, p],
            2 => [p, v, between],
            3 => [p, between, v],
            4 => [between, p, v],
            _ => [v, p, between],
        }
    }
}
