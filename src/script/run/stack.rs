//! Stacks for coroutines: cheap to take and give back, guarded, and small in memory however deep one went.
//!
//! Stacks are carved from arenas of [`ARENA_STACKS`]. Only pages that were touched cost memory. A guard lies
//! below each; where the kernel can (Linux 6.13), guards need no mapping of their own, so that tens of
//! thousands of stacks stay far from the kernel's limit of 65,530 mappings.

#![expect(unsafe_code, reason = "stacks are mapped and handed to corosensei; each block says why it is sound")]

use std::{
    cell::{Cell, RefCell},
    io,
    num::NonZeroUsize,
    ptr,
    rc::Rc,
};

use corosensei::stack::{Stack, StackPointer, valgrind::ValgrindStackRegistration};

/// Address space of one stack with its guard. Calls that come near the end are ended by [`super::ambient`];
/// what is left is Rhai's own recursion over nested values (sizing, copying, dropping), which takes up to 500
/// bytes a level, and at most twice [`ITEMS_MAX`](crate::script::ITEMS_MAX) levels: an array and a map in turn.
pub(super) const STACK_BYTES: usize = 64 << 20;
const GUARD_BYTES: usize = 64 << 10;
const ARENA_STACKS: usize = 32;
const PAGE_BYTES: usize = 4 << 10;
/// The arena starts in the middle of what one page of page tables covers, so that the top of a stack and the
/// guard of the next one above it share that page.
const ARENA_OFFSET: usize = 1 << 20;
/// Stacks start this many different ways below the end of their slot. If all started alike, the caches for data
/// and for addresses would put them into the same few places.
const COLOURS: usize = 251;
/// What a stack keeps of its touched pages while it is idle.
const KEPT_BYTES: usize = 32 << 10;
/// What a call of the system's needs of the stack below a local of its caller: the rest of the caller's frame, a
/// return address, and the 128 bytes that code may use below its stack pointer.
const HEADROOM_BYTES: usize = 192;
/// `MADV_GUARD_INSTALL` of Linux 6.13: a guard without a mapping of its own.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// The idle stacks of one worker, most recently used last.
#[derive(Clone, Default)]
pub(super) struct StackPool(Rc<Pool>);

#[derive(Default)]
struct Pool {
    idle: RefCell<Vec<Slot>>,
    arenas: RefCell<Vec<Arena>>,
}

/// Where a stack lies.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The lowest address, which is its guard's.
    low: NonZeroUsize,
    /// Where it starts; it grows downwards from here.
    base: NonZeroUsize,
}

struct Arena {
    start: *mut libc::c_void,
    /// The lowest address of the first stack.
    first: *mut libc::c_void,
    /// Tells valgrind that the stack pointer may jump here; nothing on real hardware.
    _registered: Vec<ValgrindStackRegistration>,
}

impl Arena {
    const BYTES: usize = STACK_BYTES * ARENA_STACKS + 2 * ARENA_OFFSET;

    fn map() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), Self::BYTES, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let aligned = (start as usize).next_multiple_of(2 * ARENA_OFFSET) + ARENA_OFFSET;
        let offset = (aligned - start as usize) % (2 * ARENA_OFFSET);
        // SAFETY: the offset is less than what BYTES has beyond the stacks.
        let first = unsafe { start.add(offset) };
        let mut arena = Self { start, first, _registered: Vec::new() };
        // A huge page under each stack would cost 2 MiB for a user that needs 8 KiB.
        #[cfg(target_os = "linux")]
        // SAFETY: the range is the mapping made above; the advice changes no content.
        unsafe {
            libc::madvise(start, Self::BYTES, libc::MADV_NOHUGEPAGE);
        }
        for index in 0..ARENA_STACKS {
            let low = arena.guard(index)?;
            arena._registered.push(ValgrindStackRegistration::new(low.cast(), STACK_BYTES));
        }
        Ok(arena)
    }

    /// Makes the low end of a stack fault when touched.
    fn guard(&self, index: usize) -> io::Result<*mut libc::c_void> {
        // SAFETY: `index` is below ARENA_STACKS, so the pointer stays within the mapping.
        let low = unsafe { self.first.add(index * STACK_BYTES) };
        // SAFETY: the guard's range lies within the mapping and nothing has used it yet.
        let installed =
            cfg!(target_os = "linux") && unsafe { libc::madvise(low, GUARD_BYTES, MADV_GUARD_INSTALL) } == 0;
        // SAFETY: as above.
        if !installed && unsafe { libc::mprotect(low, GUARD_BYTES, libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(low)
    }

    /// A stack of the arena; `number` is its number among all of the pool.
    fn slot(&self, index: usize, number: usize) -> Option<Slot> {
        let low = self.first as usize + index * STACK_BYTES;
        let colour = number % COLOURS * PAGE_BYTES;
        Some(Slot { low: NonZeroUsize::new(low)?, base: NonZeroUsize::new(low + STACK_BYTES - colour)? })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the pool is dropped when the last stack that holds it is gone: nothing runs on the arena.
        unsafe { libc::munmap(self.start, Self::BYTES) };
    }
}

impl StackPool {
    /// A stack, if the system gives one.
    ///
    /// # Errors
    /// The system refuses more address space or mappings.
    pub(super) fn take(&self) -> io::Result<PooledStack> {
        let idle = self.0.idle.borrow_mut().pop();
        let slot = match idle {
            Some(slot) => slot,
            None => {
                let arena = Arena::map()?;
                let mut idle = self.0.idle.borrow_mut();
                let before = self.0.arenas.borrow().len() * ARENA_STACKS;
                idle.extend((0..ARENA_STACKS).rev().filter_map(|index| arena.slot(index, before + index)));
                self.0.arenas.borrow_mut().push(arena);
                idle.pop().ok_or(io::ErrorKind::OutOfMemory)?
            }
        };
        Ok(PooledStack { slot, lowest: Rc::new(Cell::new(slot.base.get())), pool: self.0.clone() })
    }

    /// How many stacks exist, idle or not.
    #[cfg(test)]
    pub(super) fn stacks(&self) -> usize {
        self.0.arenas.borrow().len() * ARENA_STACKS
    }
}

/// A stack that returns to its pool when it is dropped.
pub(super) struct PooledStack {
    slot: Slot,
    /// The lowest address seen in use; kept by [`super::ambient`].
    lowest: Rc<Cell<usize>>,
    pool: Rc<Pool>,
}

impl PooledStack {
    /// Where the deepest use of the stack is noted.
    pub(super) fn lowest(&self) -> Rc<Cell<usize>> {
        self.lowest.clone()
    }

    /// For code that runs on the stack.
    pub(super) fn extent(&self) -> Extent {
        Extent { slot: self.slot, _pool: self.pool.clone() }
    }
}

impl Slot {
    /// The lowest address that may be used.
    fn floor(self) -> usize {
        self.low.get() + GUARD_BYTES
    }

    /// The lowest address that an idle stack keeps.
    fn kept(self) -> usize {
        (self.base.get() - KEPT_BYTES) & !(PAGE_BYTES - 1)
    }

    /// Gives back what lies below the part that is kept.
    ///
    /// # Safety
    /// Nothing uses the stack below that part.
    unsafe fn release(self) {
        let (floor, kept) = (self.floor(), self.kept());
        // SAFETY: the range lies above the stack's guard and below its base, and nobody uses it, says the caller.
        // Its pages read as zero when they are used again, which a fresh stack's do too.
        unsafe { libc::madvise(floor as *mut libc::c_void, kept - floor, libc::MADV_DONTNEED) };
    }
}

/// Where a stack lies, for code that runs on it.
pub(super) struct Extent {
    slot: Slot,
    /// The stack stays mapped.
    _pool: Rc<Pool>,
}

impl std::fmt::Debug for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Extent").field(&self.slot).finish()
    }
}

impl Extent {
    /// Where the stack starts.
    pub(super) fn base(&self) -> usize {
        self.slot.base.get()
    }

    /// Gives deep pages back if the stack was used down to `lowest`; returns the lowest address that may still
    /// hold memory. Does nothing but near the start of the stack itself.
    #[inline(never)]
    pub(super) fn trim(&self, lowest: usize) -> usize {
        let kept = self.slot.kept();
        let marker = 0_u8;
        let here = ptr::from_ref(&marker) as usize;
        let near_its_start = here < self.slot.base.get() && here > kept + KEPT_BYTES / 2;
        if lowest >= kept || !near_its_start {
            return lowest;
        }
        // SAFETY: this code runs on the stack, at `here`, in a frame of its own, for it is never inlined. Whatever is
        // in use lies above, but for the call that follows, which takes far less than the 16 KiB between `here` and
        // the part that is released.
        unsafe { self.slot.release() };
        kept
    }
}

impl Extent {
    /// Gives back what lies below the caller, who waits long; returns the lowest address that may hold memory
    /// then. Does nothing but on the stack itself.
    #[inline(never)]
    pub(super) fn settle(&self, lowest: usize) -> usize {
        let marker = 0_u8;
        let here = ptr::from_ref(&marker) as usize;
        let floor = self.slot.floor();
        let Some(kept) = here.checked_sub(HEADROOM_BYTES).map(|address| address & !(PAGE_BYTES - 1)) else {
            return lowest;
        };
        if kept <= floor || here >= self.slot.base.get() {
            return lowest;
        }
        // SAFETY: this code runs on the stack, at `here`, in a frame of its own, for it is never inlined. Whatever
        // is in use lies above, but for the system call that follows, which takes less than the headroom.
        unsafe { libc::madvise(floor as *mut libc::c_void, kept - floor, libc::MADV_DONTNEED) };
        lowest.max(kept)
    }
}

// SAFETY: base and limit enclose mapped memory that this value alone uses until it is dropped, some 60 MiB at
// least; its lowest GUARD_BYTES fault when touched; both ends are aligned to pages. The arena
// stays mapped as long as the pool, which this value holds.
unsafe impl Stack for PooledStack {
    fn base(&self) -> StackPointer {
        self.slot.base
    }

    fn limit(&self) -> StackPointer {
        self.slot.low
    }
}

impl Drop for PooledStack {
    fn drop(&mut self) {
        if self.lowest.get() < self.slot.kept() {
            // SAFETY: nothing runs on the stack any more.
            unsafe { self.slot.release() };
        }
        self.pool.idle.borrow_mut().push(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use corosensei::{Coroutine, CoroutineResult, Yielder};

    use super::*;

    #[test]
    fn stacks_are_used_again_and_work() {
        let pool = StackPool::default();
        for round in 0..1_000_u64 {
            let stack = pool.take().expect("address space for a few stacks");
            let mut coroutine = Coroutine::with_stack(stack, move |yielder, first: u64| {
                let second = yielder.suspend(first + 1);
                second + round
            });
            assert!(matches!(coroutine.resume(1), CoroutineResult::Yield(2)));
            assert!(matches!(coroutine.resume(5), CoroutineResult::Return(sum) if sum == 5 + round));
        }
        assert_eq!(pool.stacks(), ARENA_STACKS);
    }

    #[test]
    fn a_deep_stack_gives_its_pages_back_and_they_are_zero() {
        let pool = StackPool::default();
        let stack = pool.take().expect("address space for a stack");
        let deep = (stack.slot.base.get() - 512 * 1024) & !7;
        stack.lowest().set(deep);
        let word = deep as *mut u64;
        // SAFETY: the address lies within the stack, which nothing runs on.
        unsafe { word.write_volatile(7) };
        drop(stack);
        let again = pool.take().expect("the same stack");
        // SAFETY: as above.
        assert_eq!(unsafe { word.read_volatile() }, 0);
        drop(again);
    }

    #[test]
    fn a_stack_gives_its_own_deep_pages_back_near_its_start_only() {
        let pool = StackPool::default();
        let stack = pool.take().expect("address space for a stack");
        let (start, extent) = (stack.slot.base.get(), stack.extent());
        let deep = (start - 512 * 1024) & !7;
        let word = deep as *mut u64;
        // SAFETY: the address lies within the stack, and what runs on it does not come so deep.
        let read = move || unsafe { word.read_volatile() };
        // SAFETY: as above.
        unsafe { word.write_volatile(7) };
        assert_eq!((extent.trim(deep), read()), (deep, 7), "not on the stack");
        let mut coroutine = Coroutine::with_stack(stack, move |_: &Yielder<(), ()>, ()| {
            let far = trim_from_afar(&extent, deep);
            let kept = read();
            (far, kept, extent.trim(deep) > deep)
        });
        let CoroutineResult::Return(seen) = coroutine.resume(()) else { panic!("not done") };
        assert_eq!((seen, read()), ((deep, 7, true), 0));
    }

    #[test]
    fn a_stack_that_waits_keeps_what_is_above_the_one_who_waits() {
        let pool = StackPool::default();
        let stack = pool.take().expect("address space for a stack");
        let (start, extent) = (stack.slot.base.get(), stack.extent());
        let word = ((start - 3 * PAGE_BYTES) & !7) as *mut u64;
        // SAFETY: the address lies within the stack, and what runs on it does not come so deep.
        let read = move || unsafe { word.read_volatile() };
        // SAFETY: as above.
        unsafe { word.write_volatile(7) };
        assert_eq!((extent.settle(word as usize), read()), (word as usize, 7), "not on the stack");
        let mut coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<u64, u64>, first| {
            let local = std::hint::black_box([first; 16]);
            let kept = extent.settle(word as usize);
            let second = yielder.suspend(read());
            assert!(kept > word as usize && kept < ptr::from_ref(&local) as usize);
            local.iter().sum::<u64>() + second
        });
        assert!(matches!(coroutine.resume(5), CoroutineResult::Yield(0)));
        assert!(matches!(coroutine.resume(3), CoroutineResult::Return(83)));
    }

    #[inline(never)]
    fn trim_from_afar(extent: &Extent, deep: usize) -> usize {
        let between = std::hint::black_box([0_u8; 2 * KEPT_BYTES]);
        let lowest = extent.trim(deep);
        std::hint::black_box(&between);
        lowest
    }

    #[test]
    fn fifty_thousand_stacks_stay_below_the_limit_of_mappings() {
        let pool = StackPool::default();
        let stacks: Vec<_> = (0..50_000).map(|_| pool.take().expect("address space")).collect();
        assert!(pool.stacks() >= stacks.len());
    }
}
