//! The memory limit of one execution: a constant plus a multiple of its input. Exceeding it panics.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Allowance independent of the input: tables, buffers of decompressors.
const BASE: usize = 24 << 20;
/// Allowance per byte of input.
const EACH: usize = 1024;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grow(by: usize) {
    let live = LIVE.fetch_add(by, Relaxed) + by;
    if live > MOST.load(Relaxed) {
        MOST.store(usize::MAX, Relaxed);
        panic!("{live} bytes are held");
    }
}

// SAFETY: the system's allocator does the work; this one only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size.saturating_sub(layout.size()));
        LIVE.fetch_sub(layout.size().saturating_sub(size), Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `run` with the memory that an input of this many bytes may use.
pub fn bounded<T>(bytes: usize, run: impl FnOnce() -> T) -> T {
    MOST.store(LIVE.load(Relaxed) + BASE + EACH * bytes, Relaxed);
    let result = run();
    MOST.store(usize::MAX, Relaxed);
    result
}
