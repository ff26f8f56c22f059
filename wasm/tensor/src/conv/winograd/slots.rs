//! Scratch for tasks: as many slots as threads, so that a slot stays in its thread's cache.
use crate::{memory, threads};
use core::sync::atomic::{AtomicU64, Ordering::*};

/// Slots of `size` floats from `at` on, and which of them are taken.
pub struct Slots {
    at: usize,
    size: usize,
    count: usize,
    taken: AtomicU64,
}

impl Slots {
    /// Slots for `tasks` tasks on the threads there are now, or will be.
    pub fn count(tasks: usize) -> usize {
        let threads = (threads::threads_joined() + 1).max(memory::rehearsed_threads());
        threads.min(tasks).clamp(1, 64)
    }

    /// # Safety
    /// `at` has room for `count` slots.
    pub unsafe fn new(at: *mut f32, size: usize, count: usize) -> Slots {
        let (at, taken) = (at as usize, AtomicU64::new(0));
        Slots {
            at,
            size,
            count,
            taken,
        }
    }

    /// Calls `f` with a slot that nobody else has. A thread that has joined since the slots were
    /// made may have to wait until another has finished its task.
    pub fn with(&self, f: impl FnOnce(*mut f32)) {
        let slot = loop {
            let taken = self.taken.load(Relaxed);
            let slot = (!taken).trailing_zeros() as usize;
            if slot >= self.count {
                // One that trapped gives its slot back to nobody.
                threads::unless_trapped();
                core::hint::spin_loop();
            } else if self.taken.fetch_or(1 << slot, Acquire) & 1 << slot == 0 {
                break slot;
            }
        };
        f((self.at as *mut f32).wrapping_add(slot * self.size));
        self.taken.fetch_and(!(1 << slot), Release);
    }
}
