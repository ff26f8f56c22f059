//! Threads: a parallel for over threads that share one linear memory.
//!
//! The caller works too and waits for *tasks*, not for workers: one that is still starting,
//! asleep or preempted is simply not needed. Tasks are claimed one at a time from a single word.
//! A job for spinning workers costs 0.1 us, waking a sleeping one 4 to 70 us, in which a core does
//! up to 3 MFLOP: hence [`PARALLEL_WORK`], below which a job stays on the caller.
use crate::memory;
use wasm_bindgen::prelude::*;

#[cfg(feature = "threads")]
mod shared;
#[cfg(feature = "threads")]
pub use shared::unless_trapped;
#[cfg(feature = "threads")]
use shared::{joined, parallel_for};

/// Without threads the same interface runs in place.
#[cfg(not(feature = "threads"))]
unsafe fn parallel_for<F: Fn(u32)>(count: u32, f: &F) {
    (0..count).for_each(f)
}
#[cfg(not(feature = "threads"))]
fn joined() -> usize {
    0
}
#[cfg(not(feature = "threads"))]
pub fn unless_trapped() {}

/// Floating-point operations (or what takes as long) from which a job goes to all threads.
pub const PARALLEL_WORK: u64 = 1_500_000;

/// Calls `f(0) .. f(count - 1)`, each once and in any order, in parallel if `work` is worth it,
/// and returns when all are done. For the main thread only, and not from inside `f`.
///
/// # Safety
/// `f` runs on several threads at once: what different tasks write must not overlap anything
/// another task touches. A trap in `f`, whoever meets it, becomes one of the caller.
pub unsafe fn run<F: Fn(u32)>(work: u64, count: usize, f: &F) {
    if memory::rehearsed_threads() > 0 {
    } else if work < PARALLEL_WORK {
        (0..count as u32).for_each(f)
    } else {
        // SAFETY: passed on to the caller.
        unsafe { parallel_for(count as u32, f) }
    }
}

/// Splits `total` things into chunks of at least `least`, but no more than `most` chunks: the
/// size of a chunk and their number. Depends on nothing else, least of all on the threads.
pub fn split(total: usize, least: usize, most: usize) -> (usize, usize) {
    let size = total.div_ceil(most.max(1)).max(least).max(1);
    (size, total.div_ceil(size))
}

/// Number of worker threads that have joined so far.
#[wasm_bindgen]
pub fn threads_joined() -> usize {
    joined()
}

/// Runs `jobs` jobs of 2, 3 .. `tasks` tasks in turn, in which task i adds 1 to `hits[i]`: the
/// stress test of the threads. `tasks` must be at least 2.
#[wasm_bindgen]
pub fn threads_count(jobs: u32, tasks: u32, hits: *mut u32) {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    for job in 0..jobs {
        // SAFETY: the counters are atomic, and `hits` has `tasks` of them.
        unsafe {
            parallel_for(2 + job % tasks.saturating_sub(1).max(1), &|i| {
                (*(hits as *const AtomicU32).add(i as usize)).fetch_add(1, Relaxed);
            });
        }
    }
}

/// A worker's life; without threads there is none.
#[cfg(not(feature = "threads"))]
#[wasm_bindgen]
pub fn threads_worker(_spin: u32) {}
#[cfg(not(feature = "threads"))]
#[wasm_bindgen]
pub fn threads_task_trapped() {}
#[cfg(not(feature = "threads"))]
#[wasm_bindgen]
pub fn threads_close() {}
