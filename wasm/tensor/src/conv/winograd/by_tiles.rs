//! Convolution of many tiles. The filters are transformed first; then every task takes some tiles
//! through all three steps, in a slot that stays in the second-level cache.
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

/// Floats of a task's inputs and products: with the filters of a point some 700 KB.
const SLOT: usize = 160 << 10;

/// Input channels of a task that transforms filters.
const CHANNELS: usize = 64;

/// How the tiles are cut into tasks: by the shape alone.
struct Cut {
    tiles: usize,
    /// Tiles of a task.
    size: usize,
    tasks: usize,
    /// Floats between tiles, and between points, of inputs and of products.
    input_row: usize,
    input_point: usize,
    output_row: usize,
    output_point: usize,
}

impl Cut {
    fn new(plane: &Plane, m: usize, points: usize) -> Cut {
        let tiles = plane.tiles(m);
        let input_row = plane.cin.next_multiple_of(4);
        let output_row = plane.cout.next_multiple_of(4);
        let fit = SLOT / (points * (input_row + output_row));
        let even = tiles.div_ceil(16).next_multiple_of(4);
        let (size, tasks) = threads::split(tiles, fit.min(even).clamp(8, 96) / 4 * 4, tiles);
        Cut {
            tiles,
            size,
            tasks,
            input_row,
            input_point: size * input_row + GAP,
            output_row,
            output_point: size * output_row + GAP,
        }
    }
}

/// Everything a task needs.
struct Pass<'a> {
    x: *const f32,
    y: *mut f32,
    plane: &'a Plane,
    cut: Cut,
    /// Transformed filters, `[points][panels][cin][16]`, and the floats between points.
    filters: *mut f32,
    filter_point: usize,
    zeros: *mut f32,
    then: Option<Epilogue>,
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
    let cut = Cut::new(plane, M, P * P);
    let (cin, cout) = (plane.cin, plane.cout);
    let filter_point = cin * cout.next_multiple_of(16) + GAP;
    let slots = Slots::count(cut.tasks);
    let nowhere = cout.next_multiple_of(16);
    let points = cut.input_point as u64 + cut.output_point as u64;
    let slot = (P * P) as u64 * points + nowhere as u64;
    let filters_size = floats([P * P, filter_point]);
    let sizes = [filters_size, slots as u64 * slot, cin as u64];
    let Some([transformed, scratch, zeros]) = memory::workspace(sizes) else {
        return;
    };
    let slot = slot as usize;
    // SAFETY: the workspace is as large as asked for; tasks write panels and tiles of their own.
    unsafe {
        core::ptr::write_bytes(zeros, 0, cin + 4);
        let (panels, chunks) = (cout.div_ceil(16), cin.div_ceil(CHANNELS));
        let work = floats([cin, cout, P * P, 8]);
        threads::run(work, panels * chunks, &|task| {
            let (panel, first) = (task as usize / chunks, task as usize % chunks * CHANNELS);
            let channels = first..cin.min(first + CHANNELS);
            let to = transformed.add((panel * cin + first) * 16);
            filters.panel::<S, M, P>(panel, channels, to, filter_point);
        });
        let (slots, tasks) = (Slots::new(scratch, slot, slots), cut.tasks);
        let pass = Pass {
            x,
            y,
            plane,
            cut,
            filters: transformed,
            filter_point,
            zeros,
            then: then.part(0),
        };
        threads::run(plane.work(pass.cut.tiles, P * P), tasks, &|task| {
            let first = task as usize * pass.cut.size;
            let tiles = first..pass.cut.tiles.min(first + pass.cut.size);
            slots.with(|slot| pass.tiles::<S, M, P>(tiles, slot));
        });
    }
}

impl Pass<'_> {
    /// Some tiles: inputs, products, outputs.
    unsafe fn tiles<S: Scheme<M, P>, const M: usize, const P: usize>(
        &self,
        tiles: Range<usize>,
        slot: *mut f32,
    ) {
        let (plane, cut) = (self.plane, &self.cut);
        let (input, output) = (plane.inputs(M), plane.outputs(M));
        let products = slot.wrapping_add(P * P * cut.input_point);
        let nowhere = products.wrapping_add(P * P * cut.output_point);
        let points = Points {
            point: cut.input_point,
            panel: 16,
        };
        // SAFETY: the slot is large enough; pixels are inside their planes, or zeros, or nowhere.
        unsafe {
            for (i, tile) in tiles.clone().enumerate() {
                let pixels = input.pixels::<P>(self.x, tile, self.zeros);
                let to = slot.add(i * cut.input_row);
                spread(&pixels, plane.cin, to, points, S::input);
            }
            for p in 0..P * P {
                let a = Rows {
                    at: slot.add(p * cut.input_point),
                    row: cut.input_row,
                    group: 16 * cut.input_row,
                    step: 1,
                };
                let b = Panels {
                    at: self.filters.add(p * self.filter_point),
                    depth: plane.cin,
                };
                let c = Sums {
                    at: products.add(p * cut.output_point),
                    row: cut.output_row,
                };
                product(a, b, c, (tiles.len(), cut.output_row, plane.cin), false);
            }
            for (i, tile) in tiles.enumerate() {
                let pixels = output.pixels_mut::<M>(self.y, tile, nowhere);
                let from = products.add(i * cut.output_row);
                collect::<P, M, false>(from, cut.output_point, plane.cout, &pixels, S::output);
                if let Some(then) = &self.then {
                    let mut inside = [0; 16];
                    let mut count = 0;
                    for pixel in pixels.into_iter().flatten().filter(|&p| p != nowhere) {
                        inside[count] = pixel as usize;
                        count += 1;
                    }
                    then.pixels(&inside[..count], (0, plane.cout));
                }
            }
        }
    }
}
