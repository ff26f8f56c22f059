//! Pixels to floats: one `u32` of four bytes per pixel (R lowest) to 1, 3 or 4 scaled channels.
use crate::{simd::*, threads};
use wasm_bindgen::prelude::*;

/// `y[i, ch] = byte ch of x[i] * scale[ch] + shift[ch]` for the first `channels` (1, 3 or 4)
/// channels; `scale_shift` holds four scales and four shifts.
#[wasm_bindgen]
pub fn pixels(x: *const u32, y: *mut f32, count: usize, channels: usize, scale_shift: *const f32) {
    let (size, chunks) = threads::split(count.div_ceil(4), 2048, 64);
    // SAFETY: TypeScript has checked the sizes; every task writes its own pixels.
    unsafe {
        let (scale, shift) = (load(scale_shift), load(scale_shift.add(4)));
        threads::run(count as u64 * channels as u64 * 4, chunks, &|task| {
            let first = task as usize * size * 4;
            let len = (size * 4).min(count - first);
            let (x, y) = (x.add(first), y.add(first * channels));
            match channels {
                1 => grey(x, y, len, scale, shift),
                3 => colour(x, y, len, scale, shift),
                _ => all(x, y, len, scale, shift),
            }
        });
    }
}

/// Four bytes of a vector, from byte `4 PART` on, as scaled floats.
#[inline(always)]
fn part<const PART: usize>(bytes: v128, scale: v128, shift: v128) -> v128 {
    let half = if PART < 2 {
        u16x8_extend_low_u8x16(bytes)
    } else {
        u16x8_extend_high_u8x16(bytes)
    };
    let word = if PART & 1 == 0 {
        u32x4_extend_low_u16x8(half)
    } else {
        u32x4_extend_high_u16x8(half)
    };
    madd(f32x4_convert_u32x4(word), scale, shift)
}

#[inline(never)]
unsafe fn grey(x: *const u32, y: *mut f32, count: usize, scale: v128, shift: v128) {
    let (scale, shift) = (
        i32x4_shuffle::<0, 0, 0, 0>(scale, scale),
        i32x4_shuffle::<0, 0, 0, 0>(shift, shift),
    );
    for i in (0..count).step_by(4) {
        // SAFETY: the last vector may read past the end; the store is cut.
        unsafe {
            let low = v128_and(v128_load(x.add(i) as *const v128), u32x4_splat(0xff));
            store_part(
                y.add(i),
                madd(f32x4_convert_u32x4(low), scale, shift),
                count - i,
            );
        }
    }
}

/// Four pixels make three vectors: drop every fourth byte, then widen; scales and shifts come in
/// three rotations.
#[inline(never)]
unsafe fn colour(x: *const u32, y: *mut f32, count: usize, scale: v128, shift: v128) {
    let turn = |v| {
        [
            i32x4_shuffle::<0, 1, 2, 0>(v, v),
            i32x4_shuffle::<1, 2, 0, 1>(v, v),
            i32x4_shuffle::<2, 0, 1, 2>(v, v),
        ]
    };
    let (scale, shift) = (turn(scale), turn(shift));
    for i in (0..count).step_by(4) {
        // SAFETY: the last vector may read past the end; the stores are cut.
        unsafe {
            let v = v128_load(x.add(i) as *const v128);
            let v = u8x16_shuffle::<0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0, 0, 0, 0>(v, v);
            let (to, left) = (y.add(i * 3), (count - i) * 3);
            store_part(to, part::<0>(v, scale[0], shift[0]), left);
            store_part(
                to.add(4),
                part::<1>(v, scale[1], shift[1]),
                left.saturating_sub(4),
            );
            store_part(
                to.add(8),
                part::<2>(v, scale[2], shift[2]),
                left.saturating_sub(8),
            );
        }
    }
}

#[inline(never)]
unsafe fn all(x: *const u32, y: *mut f32, count: usize, scale: v128, shift: v128) {
    for i in (0..count).step_by(4) {
        // SAFETY: the last vector may read past the end; the stores are cut.
        unsafe {
            let v = v128_load(x.add(i) as *const v128);
            let (to, left) = (y.add(i * 4), (count - i) * 4);
            store_part(to, part::<0>(v, scale, shift), left);
            store_part(
                to.add(4),
                part::<1>(v, scale, shift),
                left.saturating_sub(4),
            );
            store_part(
                to.add(8),
                part::<2>(v, scale, shift),
                left.saturating_sub(8),
            );
            store_part(
                to.add(12),
                part::<3>(v, scale, shift),
                left.saturating_sub(12),
            );
        }
    }
}
