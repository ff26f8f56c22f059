//! Memory: tensors for TypeScript, and one workspace for the scratch of all kernels.
//!
//! Scratch is taken on the main thread before a parallel section, so workers never meet the
//! allocator's lock, and the workspace is kept: after a plan was built memory is flat.
//!
//! TypeScript finds out what a kernel needs by a rehearsal: between [`rehearse`] and
//! [`workspace_reserve`] a kernel goes as far as its request for scratch, and no job runs.
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::alloc::{alloc as system_alloc, alloc_zeroed, dealloc as system_dealloc, Layout};
use wasm_bindgen::prelude::*;

/// Alignment of everything handed out: a cache line.
const ALIGN: usize = 64;

/// Readable bytes behind every buffer, so that a last vector may be loaded whole.
const SLACK: usize = 64;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// Address and size of the workspace. Only the main thread touches them.
static WORKSPACE: AtomicUsize = AtomicUsize::new(0);
static WORKSPACE_BYTES: AtomicUsize = AtomicUsize::new(0);

// The main thread's too: bytes that could not be had, or that a rehearsal asked for; and the
// threads that a rehearsal counts on, 0 while there is none.
static WANTED: AtomicU64 = AtomicU64::new(0);
static REHEARSED_THREADS: AtomicUsize = AtomicUsize::new(0);

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(SLACK)?, ALIGN).ok()
}

/// Zero-filled memory, 64-byte aligned and readable 64 bytes past its end; null when there is
/// none left.
#[wasm_bindgen]
pub fn alloc(bytes: usize) -> *mut u8 {
    let Some(layout) = layout(bytes) else {
        return core::ptr::null_mut();
    };
    // SAFETY: the layout's size is at least SLACK, hence not zero.
    let ptr = unsafe { alloc_zeroed(layout) };
    if !ptr.is_null() {
        LIVE.fetch_add(bytes, Relaxed);
    }
    ptr
}

/// Gives back what `alloc(bytes)` returned; null is ignored.
#[wasm_bindgen]
pub fn dealloc(ptr: *mut u8, bytes: usize) {
    if let (false, Some(layout)) = (ptr.is_null(), layout(bytes)) {
        // SAFETY: the caller hands back an address of `alloc` with the same size.
        unsafe { system_dealloc(ptr, layout) };
        LIVE.fetch_sub(bytes, Relaxed);
    }
}

/// Bytes given out by `alloc` and not yet given back.
#[wasm_bindgen]
pub fn live_bytes() -> usize {
    LIVE.load(Relaxed)
}

/// Bytes the kernels' workspace holds; it grows to the largest need met so far.
#[wasm_bindgen]
pub fn workspace_bytes() -> usize {
    WORKSPACE_BYTES.load(Relaxed)
}

/// Begins a rehearsal for so many threads, this one included: kernels that take scratch may be
/// called with their arguments, touch no tensor, and only say what they need.
#[wasm_bindgen]
pub fn rehearse(threads: usize) {
    WANTED.store(0, Relaxed);
    REHEARSED_THREADS.store(threads.max(1), Relaxed);
}

/// Ends a rehearsal and takes the workspace it asked for. The bytes wanted if that many cannot be
/// had, else 0.
#[wasm_bindgen]
pub fn workspace_reserve() -> f64 {
    REHEARSED_THREADS.store(0, Relaxed);
    let wanted = WANTED.swap(0, Relaxed);
    if reserve(wanted).is_some() {
        0.0
    } else {
        wanted as f64
    }
}

/// Bytes that the last kernel asked for in vain, in which case it did nothing, or 0.
#[wasm_bindgen]
pub fn workspace_short() -> f64 {
    WANTED.swap(0, Relaxed) as f64
}

/// The threads a rehearsal counts on; 0: this is none.
pub fn rehearsed_threads() -> usize {
    REHEARSED_THREADS.load(Relaxed)
}

/// The product of sizes, in 64 bits; what does not fit is more than can be had anyway.
pub fn floats<const N: usize>(sizes: [usize; N]) -> u64 {
    sizes
        .iter()
        .fold(1, |p, &size| p.saturating_mul(size as u64))
}

/// Scratch of `sizes` floats each, every piece aligned and with slack behind it. The content is
/// whatever the last kernel left. A second call takes the same memory again: an export calls it
/// once, on the main thread, before it goes parallel and before it writes anything.
///
/// `None` where there is not as much, or in a rehearsal: the export then returns at once.
pub fn workspace<const N: usize>(sizes: [u64; N]) -> Option<[*mut f32; N]> {
    let mut offsets = [0; N];
    let mut total = 0u64;
    for (offset, size) in offsets.iter_mut().zip(sizes) {
        *offset = total as usize;
        // No sum of a few such sizes overflows, and none of them could be had.
        let bytes = size.min(1 << 40) * 4;
        total += bytes.next_multiple_of(ALIGN as u64) + SLACK as u64;
    }
    let base = if rehearsed_threads() > 0 {
        None
    } else {
        reserve(total)
    };
    if base.is_none() {
        WANTED.fetch_max(total, Relaxed);
    }
    base.map(|base| offsets.map(|offset| (base + offset) as *mut f32))
}

/// A workspace of at least so many bytes: its address, or `None` if they cannot be had.
fn reserve(bytes: u64) -> Option<usize> {
    let held = WORKSPACE_BYTES.load(Relaxed);
    if bytes <= held as u64 {
        return Some(WORKSPACE.load(Relaxed));
    }
    if let (true, Some(old)) = (held > 0, layout(held)) {
        // SAFETY: the workspace was allocated below with this layout; no kernel is running.
        unsafe { system_dealloc(WORKSPACE.load(Relaxed) as *mut u8, old) };
        WORKSPACE_BYTES.store(0, Relaxed);
    }
    // Some room to grow, so that slightly larger needs do not each move the workspace.
    let wanted = (bytes + bytes / 8).next_multiple_of(65536);
    let found = take(wanted).or_else(|| take(bytes));
    if found.is_none() && held > 0 {
        take(held as u64); // free a moment ago: plans built before still count on it
    }
    found
}

fn take(bytes: u64) -> Option<usize> {
    let size = usize::try_from(bytes).ok()?;
    // SAFETY: a layout's size is at least SLACK, hence not zero.
    let base = unsafe { system_alloc(layout(size)?) };
    if base.is_null() {
        return None;
    }
    WORKSPACE.store(base as usize, Relaxed);
    WORKSPACE_BYTES.store(size, Relaxed);
    Some(base as usize)
}
