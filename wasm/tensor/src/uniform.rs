//! Uniform random numbers by Threefry-2x32 with 20 rounds: a pure function of key and counter.
use crate::{simd::*, threads};
use wasm_bindgen::prelude::*;

const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];
const PARITY: u32 = 0x1bd1_1bda;

/// `y[i]` = the upper 24 bits of the first word for the counter `(counter[1] * each + i,
/// counter[0])`, times 2^-24. `each` is the number of elements of an example.
#[wasm_bindgen]
pub fn uniform(counter: *const u32, key: *const u32, y: *mut f32, count: usize, each: usize) {
    let (size, chunks) = threads::split(count.div_ceil(4), 1024, 64);
    // SAFETY: TypeScript has checked the sizes; every task writes its own elements.
    unsafe {
        let (step, example) = (*counter, *counter.add(1));
        let keys = [*key, *key.add(1), *key ^ *key.add(1) ^ PARITY];
        let start = example.wrapping_mul(each as u32);
        threads::run(count as u64 * 32, chunks, &|task| {
            let first = task as usize * size * 4;
            let len = (size * 4).min(count - first);
            run(
                y.add(first),
                len,
                start.wrapping_add(first as u32),
                step,
                keys,
            );
        });
    }
}

#[inline(never)]
unsafe fn run(y: *mut f32, count: usize, start: u32, step: u32, keys: [u32; 3]) {
    let lanes = u32x4(0, 1, 2, 3);
    let keys = [0, 1, 2].map(|k: usize| u32x4_splat(keys[k]));
    for i in (0..count).step_by(4) {
        let at = u32x4_add(u32x4_splat(start.wrapping_add(i as u32)), lanes);
        let word = first_word(at, u32x4_splat(step), keys);
        let number = f32x4_convert_u32x4(u32x4_shr(word, 8));
        let number = f32x4_mul(number, f32x4_splat(1.0 / 16_777_216.0));
        // SAFETY: the store is cut.
        unsafe { store_part(y.add(i), number, count - i) };
    }
}

#[inline(always)]
fn first_word(c0: v128, c1: v128, keys: [v128; 3]) -> v128 {
    let (mut x, mut y) = (u32x4_add(c0, keys[0]), u32x4_add(c1, keys[1]));
    for turn in 0..5 {
        for round in 0..4 {
            let by = ROTATIONS[(turn % 2) * 4 + round];
            x = u32x4_add(x, y);
            y = v128_xor(v128_or(u32x4_shl(y, by), u32x4_shr(y, 32 - by)), x);
        }
        let count = u32x4_splat(turn as u32 + 1);
        x = u32x4_add(x, keys[(turn + 1) % 3]);
        y = u32x4_add(u32x4_add(y, keys[(turn + 2) % 3]), count);
    }
    x
}
