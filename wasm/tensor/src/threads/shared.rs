//! Threads on shared memory with atomics.
use core::arch::wasm32::{memory_atomic_notify, memory_atomic_wait32};
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::*};
use wasm_bindgen::prelude::*;

/// Looks of the caller at the last tasks of others before it sleeps: some 0.2 ms. Tasks are of
/// that length, and a wake-up costs a good part of it.
const CALLER_SPIN: u32 = 600_000;

/// A word on a cache line of its own: spinning readers then do not slow writers of another.
#[repr(align(64))]
struct Line<T>(T);

/// Number of the current job; idle workers sleep on it.
static JOB: Line<AtomicI32> = Line(AtomicI32::new(0));

/// Job number in the upper half, unclaimed tasks in the lower: a task is claimed by one
/// compare-and-swap that takes the lower half down by one. Both halves must sit in one word. With
/// the task count in a word of its own, a worker that comes late out of job n can pair the old
/// index with the count of job n + 1, claim a task that does not exist and spoil the accounts.
static CLAIM: Line<AtomicU64> = Line(AtomicU64::new(0));

/// Tasks of the current job not yet finished; the caller sleeps on it.
static PENDING: Line<AtomicI32> = Line(AtomicI32::new(0));
static CALLER_SLEEPS: AtomicI32 = AtomicI32::new(0);
static SLEEPERS: AtomicI32 = AtomicI32::new(0);
static JOINED: AtomicUsize = AtomicUsize::new(0);

/// Not 0 once a task has trapped, on whichever thread: nothing in memory can be trusted any more.
static TRAPPED: AtomicI32 = AtomicI32::new(0);

/// The current job: a function pointer (an index into the table, which is the same in every
/// instance of the module) and the address of the closure.
static RUN: AtomicUsize = AtomicUsize::new(0);
static CLOSURE: AtomicUsize = AtomicUsize::new(0);

type Run = unsafe fn(usize, u32);

unsafe fn call<F: Fn(u32)>(closure: usize, i: u32) {
    // SAFETY: `closure` is the address of an F that its owner keeps alive until the job is over.
    unsafe { (*(closure as *const F))(i) }
}

/// See [`super::run`].
///
/// # Safety
/// As [`super::run`].
pub unsafe fn parallel_for<F: Fn(u32)>(count: u32, f: &F) {
    if count <= 1 || joined() == 0 {
        return (0..count).for_each(f);
    }
    let job = (JOB.0.load(Relaxed) as u32).wrapping_add(1);
    RUN.store(call::<F> as Run as usize, Relaxed);
    CLOSURE.store(f as *const F as usize, Relaxed);
    PENDING.0.store(count as i32, Relaxed);
    CLAIM.0.store((job as u64) << 32 | count as u64, SeqCst); // publishes the three above
    JOB.0.store(job as i32, SeqCst);
    if SLEEPERS.load(SeqCst) > 0 {
        // SAFETY: JOB is a valid, aligned address.
        unsafe { memory_atomic_notify(JOB.0.as_ptr(), count - 1) };
    }
    drain(job);
    wait_for_others();
    unless_trapped();
}

/// Traps if a task has trapped on another thread, so that the main thread learns of it.
pub fn unless_trapped() {
    if TRAPPED.load(Relaxed) != 0 {
        core::arch::wasm32::unreachable()
    }
}

/// For a worker whose task has trapped, called by what caught that: the task counts as done, so
/// that nobody waits for it. What is left of the job is skipped, and its caller traps.
#[wasm_bindgen]
pub fn threads_task_trapped() {
    TRAPPED.store(1, SeqCst);
    finish();
}

/// Sends all workers home for good, after a trap on the main thread or on theirs.
#[wasm_bindgen]
pub fn threads_close() {
    TRAPPED.store(1, SeqCst);
    JOB.0.fetch_add(1, SeqCst);
    // SAFETY: JOB is a valid, aligned address.
    unsafe { memory_atomic_notify(JOB.0.as_ptr(), u32::MAX) };
}

/// Counts a task of the current job as done; the last one wakes the caller.
fn finish() {
    if PENDING.0.fetch_sub(1, SeqCst) == 1 && CALLER_SLEEPS.load(SeqCst) != 0 {
        // SAFETY: PENDING is a valid, aligned address.
        unsafe { memory_atomic_notify(PENDING.0.as_ptr(), 1) };
    }
}

/// Returns when every task of the current job is finished.
fn wait_for_others() {
    let mut spins = 0;
    loop {
        let left = PENDING.0.load(Acquire);
        if left == 0 {
            return;
        }
        spins += 1;
        if spins > CALLER_SPIN {
            CALLER_SLEEPS.store(1, SeqCst);
            // SAFETY: PENDING is a valid, aligned address; Deno lets its main thread block here.
            unsafe { memory_atomic_wait32(PENDING.0.as_ptr(), left, -1) };
            CALLER_SLEEPS.store(0, SeqCst);
        }
    }
}

/// Claims and runs tasks of `job` until none is left or another job has begun.
fn drain(job: u32) {
    loop {
        let claim = CLAIM.0.load(Acquire);
        let left = claim as u32;
        if (claim >> 32) as u32 != job || left == 0 {
            return;
        }
        // Read before claiming. If the claim succeeds, the job was not over in between, so these
        // two belong to it.
        let (run, closure) = (RUN.load(Relaxed), CLOSURE.load(Relaxed));
        if CLAIM
            .0
            .compare_exchange_weak(claim, claim - 1, SeqCst, Relaxed)
            .is_err()
        {
            continue;
        }
        if TRAPPED.load(Relaxed) == 0 {
            // SAFETY: RUN holds a function stored as `Run` above.
            unsafe { core::mem::transmute::<usize, Run>(run)(closure, left - 1) };
        }
        finish();
    }
}

pub fn joined() -> usize {
    JOINED.load(Relaxed)
}

/// A worker's life: look for the next job `spin` times (3000 looks last about a microsecond),
/// then sleep until one comes; help; again. Returns once the threads were closed.
#[wasm_bindgen]
pub fn threads_worker(spin: u32) {
    let mut seen = JOB.0.load(Acquire);
    JOINED.fetch_add(1, SeqCst);
    while TRAPPED.load(SeqCst) == 0 {
        let mut spins = 0;
        let job = loop {
            let job = JOB.0.load(Acquire);
            if job != seen {
                break job;
            }
            spins += 1;
            if spins > spin {
                SLEEPERS.fetch_add(1, SeqCst);
                // SAFETY: JOB is a valid, aligned address.
                unsafe { memory_atomic_wait32(JOB.0.as_ptr(), seen, -1) };
                SLEEPERS.fetch_sub(1, SeqCst);
            }
        };
        seen = job;
        drain(job as u32);
    }
}
