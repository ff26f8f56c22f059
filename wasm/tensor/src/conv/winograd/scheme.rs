//! One-dimensional Winograd transforms, over vectors of channels.
//!
//! A scheme computes M outputs of a correlation with three taps from P = M + 2 products. With
//! interpolation points `p` and `M(x) = prod (x - p)`, its matrices are: Bᵀ, whose row for p holds
//! the coefficients of `M(x) / (x - p)` (of `M(x)` for infinity); G, whose row for p is
//! `(1, p, p²) / M'(p)` (`(0, 0, 1)` for infinity); A, whose row for p is `(1, p, p², ..)`. Points
//! come in pairs ±p, so that even and odd parts are computed once for both.
use crate::simd::*;

/// The five transforms; in two dimensions each is applied to the columns and then to the rows.
pub trait Scheme<const M: usize, const P: usize> {
    /// `Bᵀ d`: a line of the input.
    fn input(d: [v128; P]) -> [v128; P];
    /// `G g`: a line of the filter.
    fn filter(g: [v128; 3]) -> [v128; P];
    /// `Aᵀ m`: a line of outputs.
    fn output(m: [v128; P]) -> [v128; M];
    /// `A y`: a line of the outputs' gradients.
    fn gradient(y: [v128; M]) -> [v128; P];
    /// `Gᵀ m`: a line of the filter's gradient.
    fn weights(m: [v128; P]) -> [v128; 3];
}

#[inline(always)]
fn add(a: v128, b: v128) -> v128 {
    f32x4_add(a, b)
}

#[inline(always)]
fn sub(a: v128, b: v128) -> v128 {
    f32x4_sub(a, b)
}

#[inline(always)]
fn mul(a: f32, b: v128) -> v128 {
    f32x4_mul(f32x4_splat(a), b)
}

/// `c + a b`.
#[inline(always)]
fn plus(c: v128, a: f32, b: v128) -> v128 {
    madd(f32x4_splat(a), b, c)
}

/// `c - a b`.
#[inline(always)]
fn minus(c: v128, a: f32, b: v128) -> v128 {
    nmadd(f32x4_splat(a), b, c)
}

/// F(4, 3) at 0, ±5/8, ±3/2 and infinity. The usual 0, ±1, ±2 round two to three times as much:
/// products of the points' powers spread the sums' magnitudes. B and A are exact in `f32`.
pub struct F4;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
const A3: f32 = A2 * A;
const B3: f32 = B2 * B;
/// `1 / M'(p)` for p = 0, ±A, ±B.
const N0: f32 = (1.0 / (0.390625 * 2.25f64)) as f32;
const NA: f32 = (1.0 / (2.0 * 0.390625 * (0.390625 - 2.25f64))) as f32;
const NB: f32 = (1.0 / (2.0 * 2.25 * (2.25 - 0.390625f64))) as f32;

impl Scheme<4, 6> for F4 {
    #[inline(always)]
    fn input(d: [v128; 6]) -> [v128; 6] {
        let (even_a, odd_a) = (minus(d[4], B2, d[2]), minus(d[3], B2, d[1]));
        let (even_b, odd_b) = (minus(d[4], A2, d[2]), minus(d[3], A2, d[1]));
        [
            plus(minus(d[4], A2 + B2, d[2]), A2 * B2, d[0]),
            plus(even_a, A, odd_a),
            minus(even_a, A, odd_a),
            plus(even_b, B, odd_b),
            minus(even_b, B, odd_b),
            plus(minus(d[5], A2 + B2, d[3]), A2 * B2, d[1]),
        ]
    }

    #[inline(always)]
    fn filter(g: [v128; 3]) -> [v128; 6] {
        let (even_a, even_b) = (
            plus(mul(NA, g[0]), NA * A2, g[2]),
            plus(mul(NB, g[0]), NB * B2, g[2]),
        );
        [
            mul(N0, g[0]),
            plus(even_a, NA * A, g[1]),
            minus(even_a, NA * A, g[1]),
            plus(even_b, NB * B, g[1]),
            minus(even_b, NB * B, g[1]),
            g[2],
        ]
    }

    #[inline(always)]
    fn output(m: [v128; 6]) -> [v128; 4] {
        let (even_a, odd_a) = (add(m[1], m[2]), sub(m[1], m[2]));
        let (even_b, odd_b) = (add(m[3], m[4]), sub(m[3], m[4]));
        [
            add(m[0], add(even_a, even_b)),
            plus(mul(A, odd_a), B, odd_b),
            plus(mul(A2, even_a), B2, even_b),
            plus(plus(m[5], A3, odd_a), B3, odd_b),
        ]
    }

    #[inline(always)]
    fn gradient(y: [v128; 4]) -> [v128; 6] {
        let (even_a, odd_a) = (plus(y[0], A2, y[2]), plus(mul(A, y[1]), A3, y[3]));
        let (even_b, odd_b) = (plus(y[0], B2, y[2]), plus(mul(B, y[1]), B3, y[3]));
        [
            y[0],
            add(even_a, odd_a),
            sub(even_a, odd_a),
            add(even_b, odd_b),
            sub(even_b, odd_b),
            y[3],
        ]
    }

    #[inline(always)]
    fn weights(m: [v128; 6]) -> [v128; 3] {
        let (even_a, odd_a) = (add(m[1], m[2]), sub(m[1], m[2]));
        let (even_b, odd_b) = (add(m[3], m[4]), sub(m[3], m[4]));
        [
            plus(plus(mul(N0, m[0]), NA, even_a), NB, even_b),
            plus(mul(NA * A, odd_a), NB * B, odd_b),
            plus(plus(m[5], NA * A2, even_a), NB * B2, even_b),
        ]
    }
}

/// F(2, 3) at 0, ±1 and infinity.
pub struct F2;

impl Scheme<2, 4> for F2 {
    #[inline(always)]
    fn input(d: [v128; 4]) -> [v128; 4] {
        [
            sub(d[0], d[2]),
            add(d[1], d[2]),
            sub(d[2], d[1]),
            sub(d[3], d[1]),
        ]
    }

    #[inline(always)]
    fn filter(g: [v128; 3]) -> [v128; 4] {
        let even = mul(0.5, add(g[0], g[2]));
        [g[0], plus(even, 0.5, g[1]), minus(even, 0.5, g[1]), g[2]]
    }

    #[inline(always)]
    fn output(m: [v128; 4]) -> [v128; 2] {
        [add(m[0], add(m[1], m[2])), add(m[3], sub(m[1], m[2]))]
    }

    #[inline(always)]
    fn gradient(y: [v128; 2]) -> [v128; 4] {
        [y[0], add(y[0], y[1]), sub(y[0], y[1]), y[1]]
    }

    #[inline(always)]
    fn weights(m: [v128; 4]) -> [v128; 3] {
        let even = mul(0.5, add(m[1], m[2]));
        [add(m[0], even), mul(0.5, sub(m[1], m[2])), add(m[3], even)]
    }
}
