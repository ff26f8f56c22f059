//! Convolution with filters that, transformed, would be larger than all else. All inputs are
//! transformed first; then every task takes some output channels through all tiles, and transforms
//! their filters block by block in its slot.
use super::filters::Filters;
use super::plane::Plane;
use super::product::{product, Panels, Rows, Sums};
use super::scheme::Scheme;
use super::slots::Slots;
use super::tile::{collect, spread, Points};
use super::GAP;
use crate::gemm::epilogue::Epilogue;
use crate::memory::floats;
use crate::{memory, threads};
use core::ops::Range;

/// Most tiles at a time.
const TILES: usize = 128;

/// Most input channels of a block.
const BLOCK: usize = 64;

/// Everything a task needs.
struct Pass<'a> {
    filters: &'a Filters,
    y: *mut f32,
    plane: &'a Plane,
    tiles: Range<usize>,
    /// Transformed inputs; floats between their tiles and points.
    inputs: *mut f32,
    input_row: usize,
    input_point: usize,
    /// Output channels of a task; floats between points of filters and products in a slot.
    columns: usize,
    filter_point: usize,
    product_point: usize,
}

/// # Safety
/// The operands have the shapes that `plane` and `filters` say.
pub unsafe fn convolve<S: Scheme<M, P>, const M: usize, const P: usize>(
    x: *const f32,
    filters: &Filters,
    y: *mut f32,
    plane: &Plane,
    then: &Epilogue,
) {
    let (cin, cout, tiles) = (plane.cin, plane.cout, plane.tiles(M));
    let (wave, waves) = threads::split(tiles, 1, tiles.div_ceil(TILES));
    let input_row = cin.next_multiple_of(4) + GAP;
    let input_point = wave * input_row + GAP;
    // Two panels read the inputs half as often, where enough tasks are left.
    let columns = if cout < 512 { 16 } else { 32 };
    let filter_point = BLOCK * columns + GAP;
    let product_point = wave * columns + GAP;
    let tasks = cout.div_ceil(columns);
    let slots = Slots::count(tasks);
    let slot = P * P * (filter_point + product_point) + columns;
    let sizes = [
        floats([P * P, input_point]),
        floats([slots, slot]),
        cin as u64,
    ];
    let Some([inputs, scratch, zeros]) = memory::workspace(sizes) else {
        return;
    };
    // SAFETY: the workspace is as large as asked for; tasks write tiles and channels of their own.
    unsafe {
        core::ptr::write_bytes(zeros, 0, cin + 4);
        let slots = Slots::new(scratch, slot, slots);
        for i in 0..waves {
            let pass = Pass {
                filters,
                y,
                plane,
                tiles: i * wave..tiles.min((i + 1) * wave),
                inputs,
                input_row,
                input_point,
                columns,
                filter_point,
                product_point,
            };
            let count = pass.tiles.len();
            let (size, chunks) = threads::split(count, 1, 32);
            threads::run(floats([count, cin, P * P, 8]), chunks, &|task| {
                let first = task as usize * size;
                pass.inputs::<S, M, P>(x, first..count.min(first + size), zeros);
            });
            threads::run(plane.work(count, P * P), tasks, &|task| {
                slots.with(|slot| pass.channels::<S, M, P>(task as usize * columns, slot));
            });
        }
        then.everywhere(y, plane.n * plane.oh * plane.ow, cout);
    }
}

impl Pass<'_> {
    /// Transforms some of the tiles.
    unsafe fn inputs<S: Scheme<M, P>, const M: usize, const P: usize>(
        &self,
        x: *const f32,
        tiles: Range<usize>,
        zeros: *const f32,
    ) {
        let input = self.plane.inputs(M);
        let points = Points {
            point: self.input_point,
            panel: 16,
        };
        for tile in tiles {
            // SAFETY: the tile has room; its pixels are inside the plane, or zeros.
            unsafe {
                let pixels = input.pixels::<P>(x, self.tiles.start + tile, zeros);
                let to = self.inputs.add(tile * self.input_row);
                spread(&pixels, self.plane.cin, to, points, S::input);
            }
        }
    }

    /// Some output channels of all tiles, from `first` on.
    unsafe fn channels<S: Scheme<M, P>, const M: usize, const P: usize>(
        &self,
        first: usize,
        slot: *mut f32,
    ) {
        let Plane { cin, cout, .. } = *self.plane;
        let count = self.columns.min(cout - first);
        let products = slot.wrapping_add(P * P * self.filter_point);
        let nowhere = products.wrapping_add(P * P * self.product_point);
        let (output, blocks) = (self.plane.outputs(M), cin.div_ceil(BLOCK));
        // SAFETY: the slot is large enough; pixels are inside the plane or nowhere.
        unsafe {
            for block in 0..blocks {
                let inputs = block * cin / blocks..(block + 1) * cin / blocks;
                self.block::<S, M, P>(first, count, inputs, slot, products);
            }
            for (i, tile) in self.tiles.clone().enumerate() {
                let pixels = output.pixels_mut::<M>(self.y.add(first), tile, nowhere);
                let from = products.add(i * self.columns);
                collect::<P, M, false>(from, self.product_point, count, &pixels, S::output);
            }
        }
    }

    /// What a block of input channels adds to the products.
    unsafe fn block<S: Scheme<M, P>, const M: usize, const P: usize>(
        &self,
        first: usize,
        count: usize,
        inputs: Range<usize>,
        filters: *mut f32,
        products: *mut f32,
    ) {
        let depth = inputs.len();
        // SAFETY: the slot is large enough.
        unsafe {
            for panel in 0..count.div_ceil(16) {
                let to = filters.add(panel * depth * 16);
                let (at, point) = (first / 16 + panel, self.filter_point);
                self.filters.panel::<S, M, P>(at, inputs.clone(), to, point);
            }
            for p in 0..P * P {
                let a = Rows {
                    at: self.inputs.add(p * self.input_point + inputs.start),
                    row: self.input_row,
                    group: 16 * self.input_row,
                    step: 1,
                };
                let b = Panels {
                    at: filters.add(p * self.filter_point),
                    depth,
                };
                let c = Sums {
                    at: products.add(p * self.product_point),
                    row: self.columns,
                };
                let size = (self.tiles.len(), count.next_multiple_of(4), depth);
                product(a, b, c, size, inputs.start > 0);
            }
        }
    }
}
