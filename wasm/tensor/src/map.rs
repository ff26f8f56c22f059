//! Fused pointwise chains: an interpreter that works on blocks of elements.
//!
//! A program loads, computes and stores over *registers*, each a block of [`BLOCK`] floats in the
//! first-level cache. Decoding an instruction then costs nothing beside the work, and an
//! intermediate never reaches memory. A register is an address: a contiguous load points it at the
//! tensor itself, a broadcast at a block made once, and only what must be gathered is copied.
mod load;
mod ops;

use crate::{memory, threads};
use load::{Load, Source};
use wasm_bindgen::prelude::*;

/// Elements of a block: 1 KiB, so that some twenty registers fit the first-level cache.
pub const BLOCK: usize = 256;

/// Most dimensions of an iteration space.
pub const MAX_RANK: usize = 8;

/// Words of an instruction: code, destination, three arguments.
const OP_WORDS: usize = 5;

/// A program as TypeScript lays it out: `[n, r, L, K, S, R]`, r dimensions, L loads `[ptr, dst,
/// kind, r strides]`, K operations `[code, dst, a, b, c]`, S stores `[ptr, src]`.
struct Program {
    elements: usize,
    dims: *const u32,
    rank: usize,
    loads: *const u32,
    load_count: usize,
    ops: *const u32,
    op_count: usize,
    stores: *const u32,
    store_count: usize,
    registers: usize,
}

impl Program {
    unsafe fn read(words: *const u32) -> Program {
        // SAFETY: the program is as long as its header says.
        unsafe {
            let at = |i: usize| *words.add(i) as usize;
            let rank = at(1).min(MAX_RANK);
            let dims = words.add(6);
            let loads = dims.add(rank);
            let ops = loads.add(at(2) * (3 + rank));
            Program {
                elements: at(0),
                dims,
                rank,
                loads,
                load_count: at(2),
                ops,
                op_count: at(3),
                stores: ops.add(at(3) * OP_WORDS),
                store_count: at(4),
                registers: at(5),
            }
        }
    }

    unsafe fn load(&self, i: usize) -> Load {
        // SAFETY: i < load_count, and dims has `rank` words.
        unsafe { Load::read(self.loads.add(i * (3 + self.rank)), self.dims, self.rank) }
    }

    unsafe fn op(&self, i: usize) -> [u32; OP_WORDS] {
        // SAFETY: i < op_count.
        unsafe { *(self.ops.add(i * OP_WORDS) as *const [u32; OP_WORDS]) }
    }

    unsafe fn store(&self, i: usize) -> [u32; 2] {
        // SAFETY: i < store_count.
        unsafe { *(self.stores.add(i * 2) as *const [u32; 2]) }
    }

    /// Whether a load's register is also stored, beside something else that may lie over the load.
    unsafe fn stores_load(&self, register: usize) -> bool {
        // SAFETY: i < store_count.
        let stored = |i| unsafe { self.store(i)[1] as usize == register };
        self.store_count > 1 && (0..self.store_count).any(stored)
    }

    /// The tensor that the last operation may write at once: the only destination of its result,
    /// when everything else that is stored was computed too. (A load may lie in the same memory,
    /// and must be stored before it is overwritten.)
    unsafe fn direct(&self) -> *mut f32 {
        // SAFETY: indices are below their counts.
        unsafe {
            let stores = || (0..self.store_count).map(|i| self.store(i));
            let computed = |register: u32| {
                let writer = (0..self.op_count)
                    .rev()
                    .find(|&i| self.op(i)[1] == register);
                writer.is_some_and(|i| self.op(i)[0] != ops::CONST)
            };
            if self.op_count == 0 || !stores().all(|[_, from]| computed(from)) {
                return core::ptr::null_mut();
            }
            let last = self.op(self.op_count - 1)[1];
            let mut to = stores().filter(|&[_, from]| from == last);
            match (to.next(), to.next()) {
                (Some([to, _]), None) => to as *mut f32,
                _ => core::ptr::null_mut(),
            }
        }
    }

    /// What an element costs, in simple operations.
    unsafe fn cost(&self) -> u64 {
        let ops = (0..self.op_count).map(|i| {
            // SAFETY: i < op_count.
            ops::cost(unsafe { self.op(i)[0] })
        });
        ops.sum::<u64>() + (self.load_count + self.store_count) as u64
    }
}

/// Runs a program over all its elements.
#[wasm_bindgen]
pub fn map(program: *const u32) {
    // SAFETY: TypeScript has laid out and checked the program.
    unsafe {
        let p = Program::read(program);
        let cost = p.cost();
        // Chunks of at least 16 blocks or 32 k operations.
        let blocks = p.elements.div_ceil(BLOCK);
        let (size, chunks) = threads::split(blocks, 16, 64);
        let (load_size, lasting) = (0..p.load_count).fold((0, 0), |(size, lasting), i| {
            let load = p.load(i);
            (size + load.state_len(), lasting + load.scratch_len())
        });
        let constants = p.op_count * BLOCK; // at most every operation is a constant
        let each = p.registers * 2 + load_size + lasting + constants + p.registers * BLOCK;
        let each = (each + 16).next_multiple_of(16);
        let Some([scratch]) = memory::workspace([memory::floats([each, chunks])]) else {
            return;
        };
        threads::run(p.elements as u64 * cost * 2, chunks, &|task| {
            let task = task as usize;
            let machine = Machine::new(&p, scratch.add(task * each));
            machine.run(task * size, blocks.min(task * size + size));
        });
    }
}

/// One task's state, all of it in scratch: registers by address and the blocks behind them.
struct Machine<'a> {
    program: &'a Program,
    /// The address of every register now, and its own block.
    now: *mut *const f32,
    own: *mut f32,
    sources: *mut Source,
    /// Blocks of constants, one per constant operation in order; the sources follow them.
    constants: *mut f32,
    /// Where the last operation writes instead of its register, or null.
    direct: *mut f32,
}

impl<'a> Machine<'a> {
    /// Lays out the scratch, and makes broadcasts and constants, which last for all blocks.
    unsafe fn new(program: &'a Program, scratch: *mut f32) -> Machine<'a> {
        // SAFETY: `map` has summed up the same sizes.
        unsafe {
            let own = scratch;
            let mut at = own.add(program.registers * BLOCK);
            let constants = at;
            for i in 0..program.op_count {
                if let [ops::CONST, _, value, ..] = program.op(i) {
                    ops::fill(at, BLOCK, f32::from_bits(value));
                    at = at.add(BLOCK);
                }
            }
            let sources = at as *mut Source;
            at = at.add(program.load_count * Source::FLOATS);
            for i in 0..program.load_count {
                let load = program.load(i);
                let len = load.scratch_len();
                let mut source = load.source(at);
                source.copied = program.stores_load(source.register);
                sources.add(i).write(source);
                at = at.add(len);
            }
            let now = at as *mut *const f32;
            Machine {
                program,
                now,
                own,
                sources,
                constants,
                direct: program.direct(),
            }
        }
    }

    unsafe fn run(&self, first: usize, end: usize) {
        for block in first..end {
            let start = block * BLOCK;
            // SAFETY: the block lies inside the tensors.
            unsafe { self.block(start, BLOCK.min(self.program.elements - start)) };
        }
    }

    unsafe fn block(&self, start: usize, len: usize) {
        let p = self.program;
        // SAFETY: register numbers are below `registers`, blocks inside their tensors.
        unsafe {
            for i in 0..p.load_count {
                let source = &*self.sources.add(i);
                let own = self.own.add(source.register * BLOCK);
                *self.now.add(source.register) = source.block(start, len, own);
            }
            let direct = if len.is_multiple_of(4) {
                self.direct
            } else {
                core::ptr::null_mut()
            };
            let mut constant = self.constants as *const f32;
            for i in 0..p.op_count {
                let [code, to, a, b, c] = p.op(i);
                let now = self.now.add(to as usize);
                if code == ops::CONST {
                    *now = constant;
                    constant = constant.add(BLOCK);
                    continue;
                }
                let own = match i + 1 == p.op_count && !direct.is_null() {
                    true => direct.add(start),
                    false => self.own.add(to as usize * BLOCK),
                };
                let register = |r: u32| *self.now.add((r as usize).min(p.registers - 1));
                let args = [register(a), register(b), register(c)];
                let code = if self.is_constant(args[1]) {
                    ops::with_constant(code, *args[1])
                } else {
                    code
                };
                ops::run(code, own, args, len);
                *now = own;
            }
            for i in 0..p.store_count {
                let [to, from] = p.store(i);
                let (to, from) = (to as *mut f32, *self.now.add(from as usize));
                if !core::ptr::eq(from, to.wrapping_add(start)) {
                    ops::copy(from, to, start, len);
                }
            }
        }
    }

    /// Whether a register holds a constant now.
    fn is_constant(&self, register: *const f32) -> bool {
        (self.constants as usize..self.sources as usize).contains(&(register as usize))
    }
}
