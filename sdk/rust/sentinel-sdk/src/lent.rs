//! How the hooks of heads are exported, and who owns which memory (wit/ABI.md, section 2).
//!
//! Arguments that fit lie in an area that the gateway may write to without asking. All others lie
//! in blocks of `cabi_realloc`, which are ours to free. An answer lies in a buffer that the next one
//! uses again, so that no hook needs a post-return, which would be a call more for each.

#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::ops::Deref;

const AREA: usize = 4096;
/// A buffer that is longer is not used again: a guest's memory is scarce.
const LARGE: usize = 64 * 1024;

struct Area(UnsafeCell<[u8; AREA]>);

// SAFETY: nothing but the gateway accesses it by this name, before a hook is called.
unsafe impl Sync for Area {}

static LENT: Area = Area(UnsafeCell::new([0; AREA]));

/// The canonical ABI's return area.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Returned {
    start: *const u8,
    length: usize,
}

#[cfg(test)]
impl Returned {
    /// # Safety
    ///
    /// The answer is lent still.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: as demanded.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

thread_local! {
    static ANSWER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static RETURNED: Cell<Returned> = const { Cell::new(Returned { start: std::ptr::null(), length: 0 }) };
}

/// Where the area begins.
pub(crate) fn area() -> *mut u8 {
    LENT.0.get().cast()
}

/// `sentinel_argument_area`: the address, and above it the length.
pub fn argument_area() -> i64 {
    ((AREA as i64) << 32) | area() as usize as i64
}

/// The list of bytes of a hook's argument.
pub struct Argument {
    start: *mut u8,
    length: usize,
}

impl Argument {
    /// # Safety
    ///
    /// The bytes are the caller's: they lie in the area or in a block of the global allocator that
    /// has that length, and nothing else refers to them.
    pub unsafe fn new(start: *mut u8, length: usize) -> Self {
        Self { start, length }
    }
}

impl Deref for Argument {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: as `new` demands.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Argument {
    fn drop(&mut self) {
        let is_lent = (self.start as usize).wrapping_sub(area() as usize) < AREA;
        // An empty list owns nothing.
        if self.length > 0 && !is_lent {
            // SAFETY: as `new` demands, it is a block.
            drop(unsafe { Vec::from_raw_parts(self.start, self.length, self.length) });
        }
    }
}

/// An empty buffer for an answer, with room for so many bytes: that of the last one, which the
/// gateway has copied since.
#[inline(always)]
pub fn answer(room: usize) -> Vec<u8> {
    let mut last = ANSWER.take();
    if last.capacity() < room || last.capacity() > LARGE {
        return Vec::with_capacity(room);
    }
    last.clear();
    last
}

/// Lend an answer to the gateway, until the next one.
pub fn lend(answer: Vec<u8>) -> *const Returned {
    let returned = Returned { start: answer.as_ptr(), length: answer.len() };
    ANSWER.set(answer);
    RETURNED.with(|area| {
        area.set(returned);
        area.as_ptr().cast_const()
    })
}

/// Before a hook: static constructors, which the linker else runs in each call.
pub fn begin() {
    #[cfg(target_arch = "wasm32")]
    wit_bindgen::rt::run_ctors_once();
}

/// Export a hook of a head under its name.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_head {
    ($name:literal, $hook:expr) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            unsafe extern "C" fn hook(head: *mut u8, length: usize) -> *const $crate::__private::Returned {
                use $crate::__private::{begin, lend, Argument};
                begin();
                let head = unsafe { Argument::new(head, length) };
                lend($hook(&head))
            }
        };
    };
}

/// The same for one that gets a context, too.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_head_and_context {
    ($name:literal, $hook:expr) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            unsafe extern "C" fn hook(
                head: *mut u8,
                head_length: usize,
                context: *mut u8,
                context_length: usize,
            ) -> *const $crate::__private::Returned {
                use $crate::__private::{begin, lend, Argument};
                begin();
                let head = unsafe { Argument::new(head, head_length) };
                let context = unsafe { Argument::new(context, context_length) };
                lend($hook(&head, &context))
            }
        };
    };
}

/// The same for one that answers nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_summary {
    ($name:literal, $hook:expr) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            unsafe extern "C" fn hook(
                summary: *mut u8,
                summary_length: usize,
                context: *mut u8,
                context_length: usize,
            ) {
                use $crate::__private::{begin, Argument};
                begin();
                let summary = unsafe { Argument::new(summary, summary_length) };
                let context = unsafe { Argument::new(context, context_length) };
                $hook(&summary, &context);
            }
        };
    };
}

/// Export the place for their arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_argument_area {
    () => {
        const _: () = {
            #[unsafe(export_name = "sentinel_argument_area")]
            extern "C" fn argument_area() -> i64 {
                $crate::__private::argument_area()
            }
        };
    };
}
