//! Memory: tensors for TypeScript, and one workspace for the scratch of all kernels.
//!
//! Scratch is taken on the main thread before a parallel section, so workers never meet the
//! allocator's lock, and the workspace is kept: after the first step memory is flat.
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
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

/// Scratch of `sizes` floats each, every piece aligned and with slack behind it. The content is
/// whatever the last kernel left. A second call takes the same memory again: an export calls it
/// once, on the main thread, before it goes parallel.
///
/// Without memory left this traps, which JavaScript sees as a `RuntimeError` and, since no
/// parallel section has begun, leaves the pool in order.
pub fn workspace<const N: usize>(sizes: [usize; N]) -> [*mut f32; N] {
    let mut offsets = [0; N];
    let mut total = 0u64;
    for (offset, size) in offsets.iter_mut().zip(sizes) {
        *offset = total as usize;
        total += (size as u64 * 4).next_multiple_of(ALIGN as u64) + SLACK as u64;
    }
    let base = reserve(total);
    offsets.map(|offset| (base + offset) as *mut f32)
}

fn reserve(bytes: u64) -> usize {
    let held = WORKSPACE_BYTES.load(Relaxed);
    if bytes <= held as u64 {
        return WORKSPACE.load(Relaxed);
    }
    if let (true, Some(old)) = (held > 0, layout(held)) {
        // SAFETY: the workspace was allocated below with this layout; no kernel is running.
        unsafe { system_dealloc(WORKSPACE.load(Relaxed) as *mut u8, old) };
        WORKSPACE_BYTES.store(0, Relaxed);
    }
    // Some room to grow, so that slightly larger needs do not each move the workspace.
    let wanted = (bytes + bytes / 8).next_multiple_of(65536);
    for size in [wanted, bytes] {
        let Some(layout) = usize::try_from(size).ok().and_then(layout) else {
            continue;
        };
        // SAFETY: the size is not zero.
        let base = unsafe { system_alloc(layout) };
        if !base.is_null() {
            WORKSPACE.store(base as usize, Relaxed);
            WORKSPACE_BYTES.store(size as usize, Relaxed);
            return base as usize;
        }
    }
    core::arch::wasm32::unreachable()
}
