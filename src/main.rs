//! The `loadr` command.

#![expect(unsafe_code, reason = "an allocator hands out memory; `Mimalloc` says why it is sound")]

use std::{
    alloc::{GlobalAlloc, Layout},
    ffi::c_void,
};

use libmimalloc_sys as mi;

/// Scripts allocate a handful of small values for every request; glibc's allocator spends twice as long on them.
#[global_allocator]
static ALLOCATOR: Mimalloc = Mimalloc;

/// mimalloc, asked for aligned memory only where that is more than it gives anyway: asking costs as much again as
/// allocating.
struct Mimalloc;

/// Every block that is at least as long has this alignment, in bytes: mimalloc's `MI_MAX_ALIGN_SIZE`.
const ALIGNED: usize = 16;

impl Mimalloc {
    fn is_plain(size: usize, align: usize) -> bool {
        align <= ALIGNED && align <= size
    }
}

// SAFETY: each method is mimalloc's of the same meaning, all on one heap. Blocks are aligned as their layout asks:
// those that `is_plain` lets through because mimalloc aligns blocks of 8 bytes and more to 8, of 16 and more to 16.
unsafe impl GlobalAlloc for Mimalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if Self::is_plain(layout.size(), layout.align()) {
            unsafe { mi::mi_malloc(layout.size()) }
        } else {
            unsafe { mi::mi_malloc_aligned(layout.size(), layout.align()) }
        };
        block.cast()
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = if Self::is_plain(layout.size(), layout.align()) {
            unsafe { mi::mi_zalloc(layout.size()) }
        } else {
            unsafe { mi::mi_zalloc_aligned(layout.size(), layout.align()) }
        };
        block.cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        unsafe { mi::mi_free(block.cast::<c_void>()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let block = if Self::is_plain(size, layout.align()) {
            unsafe { mi::mi_realloc(block.cast(), size) }
        } else {
            unsafe { mi::mi_realloc_aligned(block.cast(), size, layout.align()) }
        };
        block.cast()
    }
}

fn main() -> std::process::ExitCode {
    loadr::cli::main(std::env::args_os())
}
