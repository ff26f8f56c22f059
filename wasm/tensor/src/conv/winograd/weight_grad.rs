//! The gradient of the weights: for every point a product of transformed inputs and transformed
//! gradients whose k runs over the tiles.
//!
//! Tiles are taken in waves; a task multiplies a block of input and output channels for all points,
//! and adds the transformed sums to dw before the next wave: 9 numbers instead of 36.
use super::plane::Plane;
use super::product::{product, Panels, Rows, Sums};
use super::scheme::Scheme;
use super::slots::Slots;
use super::tile::{collect, spread, Points};
use super::GAP;
use crate::memory::floats;
use crate::{memory, threads};
use core::ops::Range;

/// Floats of transformed tiles made at a time, and most tiles: bounds the workspace.
const WAVE: usize = 4 << 20;
const TILES: usize = 128;

/// Input channels of a block.
const ROWS: usize = 16;

/// Everything a task needs.
struct Pass<'a> {
    plane: &'a Plane,
    tiles: Range<usize>,
    /// Room for tiles in a panel.
    depth: usize,
    /// Transformed x and dy, `[points][panels of 16 channels][tiles][16]`; floats between points.
    inputs: *mut f32,
    input_point: usize,
    grads: *mut f32,
    grad_point: usize,
    /// Output channels of a block; floats between points in a slot.
    columns: usize,
    sum_point: usize,
}

/// `dw`, `[3, 3, cin, cout]`, from x and the gradient of y.
///
/// # Safety
/// The operands have these shapes.
pub unsafe fn weight_grad<S: Scheme<M, P>, const M: usize, const P: usize>(
    x: *const f32,
    dy: *const f32,
    dw: *mut f32,
    plane: &Plane,
) {
    let (cin, cout, tiles) = (plane.cin, plane.cout, plane.tiles(M));
    let (rows, width) = (cin.next_multiple_of(16), cout.next_multiple_of(16));
    let fit = (WAVE / (P * P * (rows + width))).clamp(16, TILES);
    let (depth, waves) = threads::split(tiles, 1, tiles.div_ceil(fit));
    let (input_point, grad_point) = (rows * depth + GAP, width * depth + GAP);
    let columns = if rows * width < 128 * 128 { 32 } else { 64 };
    let sum_point = ROWS * columns + GAP;
    let across = cout.div_ceil(columns);
    let tasks = cin.div_ceil(ROWS) * across;
    let slots = Slots::count(tasks);
    let (points, most) = (P * P, cin.max(cout));
    let sizes = [
        floats([points, input_point]),
        floats([points, grad_point]),
        floats([slots, points, sum_point]),
        most as u64,
    ];
    let Some([inputs, grads, sums, zeros]) = memory::workspace(sizes) else {
        return;
    };
    // SAFETY: the workspace is as large as asked for; tasks write tiles and blocks of their own.
    unsafe {
        core::ptr::write_bytes(zeros, 0, most + 4);
        let slots = Slots::new(sums, points * sum_point, slots);
        for i in 0..waves {
            let pass = Pass {
                plane,
                tiles: i * depth..tiles.min((i + 1) * depth),
                depth,
                inputs,
                input_point,
                grads,
                grad_point,
                columns,
                sum_point,
            };
            let count = pass.tiles.len();
            let (size, chunks) = threads::split(count, 1, 32);
            let work = floats([count, points, cin + cout, 8]);
            threads::run(work, chunks, &|task| {
                let first = task as usize * size;
                pass.spread::<S, M, P>(x, dy, first..count.min(first + size), zeros);
            });
            threads::run(plane.work(count, points), tasks, &|task| {
                let (row, column) = (task as usize / across, task as usize % across);
                let at = (row * ROWS, column * columns);
                slots.with(|sums| pass.block::<S, M, P>(at, sums, dw, i > 0));
            });
        }
    }
}

impl Pass<'_> {
    /// Transforms some tiles of x and dy.
    unsafe fn spread<S: Scheme<M, P>, const M: usize, const P: usize>(
        &self,
        x: *const f32,
        dy: *const f32,
        tiles: Range<usize>,
        zeros: *const f32,
    ) {
        let Plane { cin, cout, .. } = *self.plane;
        let (input, output) = (self.plane.inputs(M), self.plane.outputs(M));
        let panel = 16 * self.depth;
        for i in tiles {
            let tile = self.tiles.start + i;
            // SAFETY: the tile has room; its pixels are inside their planes, or zeros.
            unsafe {
                let point = self.input_point;
                let pixels = input.pixels::<P>(x, tile, zeros);
                let to = self.inputs.add(i * 16);
                spread(&pixels, cin, to, Points { point, panel }, S::input);
                let point = self.grad_point;
                let pixels = output.pixels::<M>(dy, tile, zeros);
                let to = self.grads.add(i * 16);
                spread(&pixels, cout, to, Points { point, panel }, S::gradient);
            }
        }
    }

    /// A block of dw, from input channel `row` and output channel `column` on.
    unsafe fn block<S: Scheme<M, P>, const M: usize, const P: usize>(
        &self,
        (row, column): (usize, usize),
        sums: *mut f32,
        dw: *mut f32,
        add: bool,
    ) {
        let Plane { cin, cout, .. } = *self.plane;
        let (m, n) = (ROWS.min(cin - row), self.columns.min(cout - column));
        // SAFETY: the slot is large enough, and the block inside dw.
        unsafe {
            for p in 0..P * P {
                let a = Rows {
                    at: (self.inputs).add(p * self.input_point + row * self.depth),
                    row: 1,
                    group: 16 * self.depth,
                    step: 16,
                };
                let b = Panels {
                    at: (self.grads).add(p * self.grad_point + column * self.depth),
                    depth: self.depth,
                };
                let c = Sums {
                    at: sums.add(p * self.sum_point),
                    row: self.columns,
                };
                let size = (m, n.next_multiple_of(4), self.tiles.len());
                product(a, b, c, size, false);
            }
            for i in 0..m {
                let tap = |y: usize, x: usize| ((y * 3 + x) * cin + row + i) * cout + column;
                let taps: [[*mut f32; 3]; 3] =
                    core::array::from_fn(|y| core::array::from_fn(|x| dw.add(tap(y, x))));
                let from = sums.add(i * self.columns);
                if add {
                    collect::<P, 3, true>(from, self.sum_point, n, &taps, S::weights);
                } else {
                    collect::<P, 3, false>(from, self.sum_point, n, &taps, S::weights);
                }
            }
        }
    }
}
