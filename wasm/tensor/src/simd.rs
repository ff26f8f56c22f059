//! Small helpers over 128-bit vectors of four `f32`.
//!
//! A tail of fewer than four elements is loaded whole (see the crate's rule on reading past the
//! end) and stored in part.
pub use core::arch::wasm32::*;

/// Four floats at `p`, which need not be aligned.
#[inline(always)]
pub unsafe fn load(p: *const f32) -> v128 {
    // SAFETY: the caller's address is readable for 16 bytes.
    unsafe { v128_load(p as *const v128) }
}

#[inline(always)]
pub unsafe fn store(p: *mut f32, v: v128) {
    // SAFETY: the caller's address is writable for 16 bytes.
    unsafe { v128_store(p as *mut v128, v) }
}

/// Stores the first `count` lanes; four or more mean all.
#[inline(always)]
pub unsafe fn store_part(p: *mut f32, v: v128, count: usize) {
    // SAFETY: the caller's address is writable for `count` floats.
    unsafe {
        match count {
            0 => {}
            1 => v128_store32_lane::<0>(v, p as *mut u32),
            2 => v128_store64_lane::<0>(v, p as *mut u64),
            3 => {
                v128_store64_lane::<0>(v, p as *mut u64);
                v128_store32_lane::<2>(v, p.add(2) as *mut u32);
            }
            _ => v128_store(p as *mut v128, v),
        }
    }
}

/// Lanes below `count` all ones, the others zero.
#[inline(always)]
pub fn first_lanes(count: usize) -> v128 {
    i32x4_lt(i32x4(0, 1, 2, 3), i32x4_splat(count as i32))
}

/// `a b + c` with one rounding where the CPU has fused multiply-add.
#[inline(always)]
pub fn madd(a: v128, b: v128, c: v128) -> v128 {
    f32x4_relaxed_madd(a, b, c)
}

/// `c - a b`.
#[inline(always)]
pub fn nmadd(a: v128, b: v128, c: v128) -> v128 {
    f32x4_relaxed_nmadd(a, b, c)
}

/// `mask ? a : b` for masks whose lanes are all ones or all zero.
#[inline(always)]
pub fn select(mask: v128, a: v128, b: v128) -> v128 {
    i32x4_relaxed_laneselect(a, b, mask)
}

/// Minimum with a number `c`; NaN in `x` passes. Two instructions, where the exact minimum takes
/// eight. (`f32x4_pmin` would be one, but LLVM 22 takes its operands in either order, and NaN then
/// passes or not.)
#[inline(always)]
pub fn at_most(x: v128, c: v128) -> v128 {
    select(f32x4_gt(x, c), c, x)
}

/// Maximum with a number `c`; NaN in `x` passes.
#[inline(always)]
pub fn at_least(x: v128, c: v128) -> v128 {
    select(f32x4_lt(x, c), c, x)
}

pub const ZERO: v128 = f32x4(0.0, 0.0, 0.0, 0.0);

/// Sum of the lanes, always in the same order.
#[inline(always)]
pub fn horizontal_sum(v: v128) -> f32 {
    let pairs = f32x4_add(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
    f32x4_extract_lane::<0>(pairs) + f32x4_extract_lane::<1>(pairs)
}

/// Largest lane; NaN if any lane is.
#[inline(always)]
pub fn horizontal_max(v: v128) -> f32 {
    let pairs = f32x4_max(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
    f32x4_extract_lane::<0>(f32x4_max(pairs, i32x4_shuffle::<1, 0, 3, 2>(pairs, pairs)))
}
