//! Operations of a pointwise program, each a loop over one block. Every loop is a function of its
//! own, called once per block, so that V8 soon runs it optimised.
use crate::{math, simd::*};

/// The code of a constant, which the machine handles itself.
pub const CONST: u32 = 1;

/// Minimum and maximum with a constant that is a number: NaN needs care on one side only. Not codes
/// of programs: the machine puts them in.
const MIN_CONST: u32 = 106;
const MAX_CONST: u32 = 107;

/// The cheaper code for an operation whose second argument is constant.
pub fn with_constant(code: u32, value: f32) -> u32 {
    match code {
        6 if !value.is_nan() => MIN_CONST,
        7 if !value.is_nan() => MAX_CONST,
        code => code,
    }
}

/// What an operation costs per element, in simple operations.
pub fn cost(code: u32) -> u64 {
    match code {
        10..=16 | 29 | 30 => 8,
        25 => 24,
        _ => 1,
    }
}

/// Runs operation `code` on the first `len` elements (rounded up to whole vectors).
///
/// # Safety
/// The operands and `to` are blocks, or readable for `len` elements and one vector.
#[inline(always)]
pub unsafe fn run(code: u32, to: *mut f32, [a, b, c]: [*const f32; 3], len: usize) {
    // SAFETY: passed on to the caller.
    unsafe {
        match code {
            2 => binary(to, a, b, len, |x, y| f32x4_add(x, y)),
            3 => binary(to, a, b, len, |x, y| f32x4_sub(x, y)),
            4 => binary(to, a, b, len, |x, y| f32x4_mul(x, y)),
            5 => binary(to, a, b, len, |x, y| f32x4_div(x, y)),
            6 => binary(to, a, b, len, |x, y| f32x4_min(x, y)),
            7 => binary(to, a, b, len, |x, y| f32x4_max(x, y)),
            MIN_CONST => binary(to, a, b, len, at_most),
            MAX_CONST => binary(to, a, b, len, at_least),
            8 => unary(to, a, len, |x| f32x4_neg(x)),
            9 => unary(to, a, len, |x| f32x4_abs(x)),
            10 => unary(to, a, len, math::exp),
            11 => unary(to, a, len, math::log),
            12 => unary(to, a, len, |x| f32x4_sqrt(x)),
            13 => unary(to, a, len, |x| reciprocal(f32x4_sqrt(x))),
            14 => unary(to, a, len, math::tanh),
            15 => unary(to, a, len, math::sigmoid),
            16 => unary(to, a, len, math::erf),
            17 => unary(to, a, len, |x| f32x4_floor(x)),
            18 => unary(to, a, len, |x| f32x4_ceil(x)),
            19 => unary(to, a, len, |x| f32x4_nearest(x)),
            20 => unary(to, a, len, sign),
            21 => binary(to, a, b, len, |x, y| truth(f32x4_gt(x, y))),
            22 => binary(to, a, b, len, |x, y| truth(f32x4_ge(x, y))),
            23 => binary(to, a, b, len, |x, y| truth(f32x4_eq(x, y))),
            24 => ternary(to, [a, b, c], len, choose),
            25 => binary(to, a, b, len, math::pow),
            26 => unary(to, a, len, |x| f32x4_convert_i32x4(x)),
            27 => unary(to, a, len, |x| f32x4_convert_u32x4(x)),
            28 => unary(to, a, len, reciprocal),
            29 => unary(to, a, len, math::sin),
            30 => unary(to, a, len, math::cos),
            31 => binary(to, a, b, len, gate),
            32 => ternary(to, [a, b, c], len, madd),
            _ => fill(to, len, f32::NAN), // no such operation: visible in the result
        }
    }
}

#[inline(always)]
fn reciprocal(x: v128) -> v128 {
    f32x4_div(f32x4_splat(1.0), x)
}

/// A mask as 1.0 or 0.0.
#[inline(always)]
fn truth(mask: v128) -> v128 {
    v128_and(mask, f32x4_splat(1.0))
}

/// -1, 1, or 0: also for NaN, as in PyTorch.
#[inline(always)]
fn sign(x: v128) -> v128 {
    let below = v128_and(f32x4_lt(x, ZERO), f32x4_splat(-1.0));
    v128_or(truth(f32x4_gt(x, ZERO)), below)
}

/// `b > 0 or NaN ? a : 0`.
#[inline(always)]
fn gate(a: v128, b: v128) -> v128 {
    v128_andnot(a, f32x4_le(b, ZERO))
}

/// `a != 0 ? b : c`; NaN counts as true.
#[inline(always)]
fn choose(a: v128, b: v128, c: v128) -> v128 {
    select(f32x4_ne(a, ZERO), b, c)
}

/// Vectors per turn of a loop: the counting then costs little beside the work.
const UNROLL: usize = 4;

/// Calls `f` for the offset of every vector of `len` elements.
#[inline(always)]
fn each_vector(len: usize, f: impl Fn(usize)) {
    let whole = len / (4 * UNROLL) * (4 * UNROLL);
    for i in (0..whole).step_by(4 * UNROLL) {
        for j in 0..UNROLL {
            f(i + 4 * j);
        }
    }
    for i in (whole..len).step_by(4) {
        f(i);
    }
}

#[inline(never)]
unsafe fn unary(to: *mut f32, a: *const f32, len: usize, f: impl Fn(v128) -> v128) {
    // SAFETY: see `run`.
    each_vector(len, |i| unsafe { store(to.add(i), f(load(a.add(i)))) });
}

#[inline(never)]
unsafe fn binary(
    to: *mut f32,
    a: *const f32,
    b: *const f32,
    len: usize,
    f: impl Fn(v128, v128) -> v128,
) {
    // SAFETY: see `run`.
    each_vector(len, |i| unsafe {
        store(to.add(i), f(load(a.add(i)), load(b.add(i))))
    });
}

#[inline(never)]
unsafe fn ternary(
    to: *mut f32,
    [a, b, c]: [*const f32; 3],
    len: usize,
    f: impl Fn(v128, v128, v128) -> v128,
) {
    // SAFETY: see `run`.
    each_vector(len, |i| unsafe {
        let result = f(load(a.add(i)), load(b.add(i)), load(c.add(i)));
        store(to.add(i), result);
    });
}

/// # Safety
/// `to` has room for `len` floats.
#[inline(never)]
pub unsafe fn fill(to: *mut f32, len: usize, value: f32) {
    for i in (0..len).step_by(4) {
        // SAFETY: the last store is cut to what is left.
        unsafe { store_part(to.add(i), f32x4_splat(value), len - i) };
    }
}

/// Stores a block: `to[start .. start + len] = from[.. len]`.
///
/// # Safety
/// Both are inside their memory.
#[inline(never)]
pub unsafe fn copy(from: *const f32, to: *mut f32, start: usize, len: usize) {
    let (to, whole) = (to.wrapping_add(start), len / 4 * 4);
    // SAFETY: the last store is cut to what is left.
    unsafe {
        each_vector(whole, |i| store(to.add(i), load(from.add(i))));
        store_part(to.add(whole), load(from.add(whole)), len - whole);
    }
}
