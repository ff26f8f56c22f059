//! Loads of a pointwise program: from an address pattern to blocks of elements.
use super::{ops, BLOCK, MAX_RANK};

/// Longest repeating pattern that is unrolled into scratch.
const MAX_PERIOD: usize = 4096;

/// How the elements of a load lie.
#[derive(Clone, Copy, PartialEq)]
enum Pattern {
    /// One after the other.
    Contiguous,
    /// The same one everywhere.
    Scalar,
    /// `len` contiguous elements, repeated: a bias over the pixels of an image.
    Periodic(usize),
    /// Anything else.
    Strided,
}

/// A load as the program has it, with dimensions of size 1 left out and joined where they run on.
pub struct Load {
    at: *const f32,
    register: usize,
    pattern: Pattern,
    rank: usize,
    dims: [usize; MAX_RANK],
    strides: [isize; MAX_RANK],
}

impl Load {
    /// # Safety
    /// `words` holds a load of `rank` strides, `dims` the sizes.
    pub unsafe fn read(words: *const u32, dims: *const u32, rank: usize) -> Load {
        // SAFETY: see above.
        unsafe {
            let mut load = Load {
                at: *words as *const f32,
                register: *words.add(1) as usize,
                pattern: Pattern::Contiguous,
                rank: 0,
                dims: [1; MAX_RANK],
                strides: [0; MAX_RANK],
            };
            match *words.add(2) {
                0 => {}
                1 => load.pattern = Pattern::Scalar,
                _ => {
                    for i in 0..rank {
                        let stride = *words.add(3 + i) as i32 as isize;
                        load.push(*dims.add(i) as usize, stride);
                    }
                    load.pattern = load.classify();
                }
            }
            load
        }
    }

    /// Appends an inner dimension, joining it with the last where the two run on.
    fn push(&mut self, size: usize, stride: isize) {
        if size == 1 {
            return;
        }
        if self.rank > 0 && self.strides[self.rank - 1] == stride * size as isize {
            self.dims[self.rank - 1] *= size;
            self.strides[self.rank - 1] = stride;
            return;
        }
        self.dims[self.rank] = size;
        self.strides[self.rank] = stride;
        self.rank += 1;
    }

    fn classify(&self) -> Pattern {
        match (self.rank, self.strides[0], self.strides[1]) {
            (0, ..) | (1, 0, _) => Pattern::Scalar,
            (1, 1, _) => Pattern::Contiguous,
            (2, 0, 1) if self.dims[1] <= MAX_PERIOD => Pattern::Periodic(self.dims[1]),
            _ => Pattern::Strided,
        }
    }

    /// Floats of scratch that last as long as the task.
    pub fn scratch_len(&self) -> usize {
        match self.pattern {
            Pattern::Scalar => BLOCK,
            Pattern::Periodic(len) => len + BLOCK,
            _ => 0,
        }
    }

    /// Floats of a [`Source`].
    pub fn state_len(&self) -> usize {
        Source::FLOATS
    }

    /// Makes what lasts in `scratch`.
    ///
    /// # Safety
    /// `scratch` has [`Load::scratch_len`] floats.
    pub unsafe fn source(self, scratch: *mut f32) -> Source {
        // SAFETY: see above; the load's elements are readable.
        unsafe {
            match self.pattern {
                Pattern::Scalar => ops::fill(scratch, BLOCK, *self.at),
                Pattern::Periodic(len) => {
                    core::ptr::copy_nonoverlapping(self.at, scratch, len);
                    for i in len..len + BLOCK {
                        *scratch.add(i) = *scratch.add(i - len);
                    }
                }
                _ => {}
            }
        }
        Source {
            register: self.register,
            copied: false,
            load: self,
            scratch,
        }
    }
}

/// A load that is ready to give blocks.
pub struct Source {
    pub register: usize,
    /// Copy what could be read in place: the program stores it as it is, and may overwrite it first.
    pub copied: bool,
    load: Load,
    scratch: *const f32,
}

impl Source {
    pub const FLOATS: usize = size_of::<Source>().div_ceil(4);

    /// Where elements `start .. start + len` can be read: in place, in lasting scratch, or gathered
    /// into `own`.
    ///
    /// # Safety
    /// The elements exist and `own` is a block.
    #[inline(always)]
    pub unsafe fn block(&self, start: usize, len: usize, own: *mut f32) -> *const f32 {
        match self.load.pattern {
            Pattern::Contiguous if self.copied => {
                // SAFETY: passed on to the caller.
                unsafe { ops::copy(self.load.at.wrapping_add(start), own, 0, len) };
                own
            }
            Pattern::Contiguous => self.load.at.wrapping_add(start),
            Pattern::Scalar => self.scratch,
            Pattern::Periodic(period) => self.scratch.wrapping_add(start % period),
            Pattern::Strided => {
                // SAFETY: passed on to the caller.
                unsafe { self.gather(start, len, own) };
                own
            }
        }
    }

    /// Walks runs of the innermost dimension.
    #[inline(never)]
    unsafe fn gather(&self, start: usize, len: usize, to: *mut f32) {
        let load = &self.load;
        let last = load.rank - 1; // a strided pattern has a dimension
        let mut index = [0usize; MAX_RANK];
        let (mut rest, mut offset) = (start, 0isize);
        for i in (0..load.rank).rev() {
            index[i] = rest % load.dims[i];
            rest /= load.dims[i];
            offset += index[i] as isize * load.strides[i];
        }
        let (size, stride) = (load.dims[last], load.strides[last]);
        let mut done = 0;
        loop {
            let count = (size - index[last]).min(len - done);
            // SAFETY: the run lies inside the tensor and the block.
            unsafe { run(load.at.wrapping_offset(offset), stride, count, to.add(done)) };
            done += count;
            if done == len {
                return;
            }
            offset -= index[last] as isize * stride;
            index[last] = 0;
            for i in (0..last).rev() {
                index[i] += 1;
                offset += load.strides[i];
                if index[i] < load.dims[i] {
                    break;
                }
                offset -= load.dims[i] as isize * load.strides[i];
                index[i] = 0;
            }
        }
    }
}

/// `count` elements `stride` apart.
#[inline(always)]
unsafe fn run(from: *const f32, stride: isize, count: usize, to: *mut f32) {
    // SAFETY: the caller's run.
    unsafe {
        match stride {
            0 => ops::fill(to, count, *from),
            1 if count >= 16 => core::ptr::copy_nonoverlapping(from, to, count),
            _ => {
                for i in 0..count {
                    *to.add(i) = *from.wrapping_offset(i as isize * stride);
                }
            }
        }
    }
}
