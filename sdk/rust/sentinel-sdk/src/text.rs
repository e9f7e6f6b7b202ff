//! Text from bytes, and text under construction, looked at and copied in words of eight bytes. What
//! heads and summaries hold is short: byte by byte, checking and copying it takes longer than all
//! else that is done with it, and so do calls of functions that are not compiled in.
//!
//! The `unsafe` code that is written by hand is here and in `lent`.

use std::mem::ManuallyDrop;

use crate::scratch;

/// One in each byte of a word.
pub const EACH: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte of a word.
pub const HIGHEST: u64 = EACH << 7;

/// The text, if the bytes are UTF-8.
#[allow(unsafe_code)]
#[inline(always)]
pub fn utf8(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

/// Up to 32 bytes without a loop: in each of its rounds, a guest looks whether its time is up.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    let length = bytes.len();
    let word = |start: usize| bytes[start..].first_chunk().map_or(0, |&word| u64::from_ne_bytes(word));
    let half = |start: usize| bytes[start..].first_chunk().map_or(0, |&half| u32::from_ne_bytes(half));
    let seen = match length {
        33.. => return is_long_ascii(bytes),
        17.. => word(0) | word(8) | word(length - 16) | word(length - 8),
        8.. => word(0) | word(length - 8),
        4.. => u64::from(half(0) | half(length - 4)),
        1.. => u64::from(bytes[0] | bytes[length / 2] | bytes[length - 1]),
        0 => 0,
    };
    seen & HIGHEST == 0
}

#[inline(never)]
fn is_long_ascii(bytes: &[u8]) -> bool {
    judge(bytes, |word| word) & HIGHEST == 0
}

/// What `judge` says of words that hold all of the bytes, one upon the other. The last word may
/// overlap those before; a text that is shorter than a word is filled up with blanks, or with bytes
/// of its own.
#[inline(always)]
pub fn judge(bytes: &[u8], judge: impl Fn(u64) -> u64) -> u64 {
    if let Some(&last) = bytes.last_chunk() {
        let mut judged = judge(u64::from_ne_bytes(last));
        let mut rest = bytes;
        while let Some((&word, behind)) = rest.split_first_chunk() {
            judged |= judge(u64::from_ne_bytes(word));
            rest = behind;
        }
        return judged;
    }
    if let (Some(&first), Some(&last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return judge(halves(first, last));
    }
    judge(filled_up(bytes))
}

/// Whether the bytes are the same, as `==` says; for names, whose length nearly always differs. Up to
/// 32 bytes without a loop.
#[inline(always)]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    let length = left.len();
    if right.len() != length {
        return false;
    }
    let word = |start: usize| match (left[start..].first_chunk(), right[start..].first_chunk()) {
        (Some(&left), Some(&right)) => u64::from_ne_bytes(left) ^ u64::from_ne_bytes(right),
        _ => 0,
    };
    let half = |start: usize| match (left[start..].first_chunk(), right[start..].first_chunk()) {
        (Some(&left), Some(&right)) => u32::from_ne_bytes(left) ^ u32::from_ne_bytes(right),
        _ => 0,
    };
    let byte = |place: usize| left[place] ^ right[place];
    let difference = match length {
        33.. => return left == right,
        17.. => word(0) | word(8) | word(length - 16) | word(length - 8),
        8.. => word(0) | word(length - 8),
        4.. => u64::from(half(0) | half(length - 4)),
        1.. => u64::from(byte(0) | byte(length / 2) | byte(length - 1)),
        0 => 0,
    };
    difference == 0
}

fn halves(first: [u8; 4], last: [u8; 4]) -> u64 {
    u64::from(u32::from_ne_bytes(first)) << 32 | u64::from(u32::from_ne_bytes(last))
}

/// Up to three bytes.
fn filled_up(bytes: &[u8]) -> u64 {
    let blanks = EACH * u64::from(b' ');
    match *bytes {
        [] => blanks,
        [a] => blanks << 8 | u64::from(a),
        [a, b] => blanks << 16 | u64::from(a) << 8 | u64::from(b),
        [a, b, c, ..] => blanks << 24 | u64::from(a) << 16 | u64::from(b) << 8 | u64::from(c),
    }
}

/// Text under construction.
///
/// Short texts are written as whole words, so there is always room for one behind what is written.
#[derive(Clone, Debug)]
pub struct Buffer(Vec<u8>);

/// Bytes of a word.
const WORD: usize = 8;
/// Literals are shorter, all of a call together.
const LITERALS: usize = 1024;

// SAFETY of what follows: behind the address that `room` returns, there are the bytes that were
// asked for, and a word more. Bytes are counted once they are written. They are whole `str`s, and
// digits. No `str` is larger than half of all addresses, so sizes do not overflow.
#[allow(unsafe_code)]
impl Buffer {
    /// A buffer that need not grow for that many bytes.
    #[inline(always)]
    pub fn with_room(room: usize) -> Self {
        Self(scratch::take(room + WORD))
    }

    /// The text as a whole.
    #[inline(always)]
    pub fn into_string(self) -> String {
        unsafe { String::from_utf8_unchecked(self.0) }
    }

    /// Add texts; made for literals.
    #[inline(always)]
    pub fn push<const COUNT: usize>(&mut self, texts: [&str; COUNT]) {
        let size = size_of(texts);
        unsafe {
            fill(self.room(size), texts);
            self.advance(size);
        }
    }

    /// Add a text between others, which are literals, unless `judge` sets a highest bit for one of
    /// its words. Returns whether it did not.
    #[inline(always)]
    pub fn push_between<const COUNT: usize>(
        &mut self,
        before: [&str; COUNT],
        text: &str,
        after: &str,
        judge: impl Fn(u64) -> u64,
    ) -> bool {
        let literals = size_of(before).saturating_add(after.len());
        if literals > LITERALS || after.len() > WORD {
            return false;
        }
        unsafe {
            let to = fill(self.room(literals + text.len()), before);
            let end = copy_before(to, text.as_bytes(), few(after.as_bytes()), judge);
            if end.is_null() {
                return false;
            }
            self.0.set_len(end.offset_from(self.0.as_ptr()) as usize + after.len());
        }
        true
    }

    /// Add a number in decimal digits, and a byte of ASCII, behind texts, which are literals.
    #[inline(always)]
    pub fn push_number(&mut self, before: [&str; 3], value: u64, after: u8) {
        let literals = size_of(before);
        if value >= 10_000_000 || literals > LITERALS {
            // An array would be written into memory, also for a number that is smaller.
            let [first, second, third] = before;
            self.0 = with_large_number(std::mem::take(&mut self.0), first, second, third, value, after);
            return;
        }
        // The first of the eight digits is a zero: there is room for what stands behind them.
        let digits = eight_digits(value as u32);
        // The last one stays, also if it is a zero.
        let left_out = (digits | (1 << 56)).trailing_zeros() & !7;
        let text = (digits | (EACH * u64::from(b'0'))) >> left_out;
        let size = WORD - (left_out / 8) as usize;
        unsafe {
            let to = fill(self.room(literals + WORD), before);
            put_word(to, text | u64::from(after) << (64 - left_out));
            self.advance(literals + size + 1);
        }
    }

    /// Put `end` in the place of the last byte if that is `last`, or else behind it; both are ASCII.
    #[inline(always)]
    pub fn end_with(&mut self, last: u8, end: &str) {
        if self.0.last() == Some(&last) {
            self.0.pop();
        }
        self.push([end]);
    }

    /// Where there are that many bytes to be written, and a word more.
    #[inline(always)]
    fn room(&mut self, size: usize) -> *mut u8 {
        let size = size.saturating_add(WORD);
        if size > self.0.capacity() - self.0.len() {
            // Handing the bytes over lets the compiler keep their address in registers.
            self.0 = grown(std::mem::take(&mut self.0), size);
        }
        unsafe { self.0.as_mut_ptr().add(self.0.len()) }
    }

    /// So many bytes have been written.
    #[inline(always)]
    unsafe fn advance(&mut self, size: usize) {
        self.0.set_len(self.0.len() + size);
    }
}

/// Add bytes to others, behind at most eight that stand before them, and judge them as `judge`
/// does.
#[allow(unsafe_code)]
#[inline(always)]
pub fn append<const SIZE: usize>(
    out: &mut Vec<u8>,
    before: [u8; SIZE],
    bytes: &[u8],
    judge: impl Fn(u64) -> u64,
) -> u64 {
    const { assert!(SIZE <= WORD) };
    // No slice is larger than half of all addresses.
    let size = SIZE + bytes.len();
    if size + WORD > out.capacity() - out.len() {
        replace(out, |bytes| grown(bytes, size + WORD));
    }
    // SAFETY: there is room for the bytes and a word, and what is counted has been written.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        if SIZE > 0 {
            put_word(to, few(&before));
        }
        let judged = copy(to.add(SIZE), bytes, judge);
        out.set_len(out.len() + size);
        judged
    }
}

/// Have a function that is not compiled in change a buffer. It gets the buffer by value, and what it
/// returns is put back part by part: a reference to the buffer, or to the place for the result, would
/// keep all that the buffer is a part of in memory, and not in registers.
#[allow(unsafe_code)]
#[inline(always)]
pub fn replace(out: &mut Vec<u8>, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let mut changed = ManuallyDrop::new(change(std::mem::take(out)));
    // SAFETY: the parts of one vector, which is not dropped.
    *out = unsafe { Vec::from_raw_parts(changed.as_mut_ptr(), changed.len(), changed.capacity()) };
}

#[inline(always)]
fn size_of<const COUNT: usize>(texts: [&str; COUNT]) -> usize {
    texts.iter().fold(0_usize, |size, text| size.saturating_add(text.len()))
}

/// Write texts one after the other; returns where they end. Of literals, the words are computed
/// while compiling, of up to two words all together.
///
/// # Safety
/// There is room for them, and for a word behind them.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn fill<const COUNT: usize>(mut to: *mut u8, texts: [&str; COUNT]) -> *mut u8 {
    let size = size_of(texts);
    if COUNT <= 3 && size <= 2 * WORD {
        // Not in a loop, which the compiler would keep.
        let text = |number: usize| texts.get(number).map_or(&[][..], |text| text.as_bytes());
        let at = |text, place| two_words(text).checked_shl(8 * place as u32).unwrap_or(0);
        let (first, second, third) = (text(0), text(1), text(2));
        let words = two_words(first) | at(second, first.len()) | at(third, first.len() + second.len());
        put_word(to, words as u64);
        if size > WORD {
            put_word(to.add(WORD), (words >> 64) as u64);
        }
        return to.add(size);
    }
    for text in texts {
        to.copy_from_nonoverlapping(text.as_ptr(), text.len());
        to = to.add(text.len());
    }
    to
}

/// Up to sixteen bytes, the first one in the lowest place.
#[inline(always)]
fn two_words(bytes: &[u8]) -> u128 {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(&first), Some(&last)) => {
            let last = u128::from(u64::from_le_bytes(last));
            u128::from(u64::from_le_bytes(first)) | last << (8 * (bytes.len() - WORD))
        }
        _ => few(bytes).into(),
    }
}

/// Up to eight bytes, the first one in the lowest place.
#[inline(always)]
fn few(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_word(to: *mut u8, word: u64) {
    to.cast::<[u8; WORD]>().write(word.to_le_bytes());
}

#[cold]
#[inline(never)]
fn with_large_number(mut bytes: Vec<u8>, first: &str, second: &str, third: &str, value: u64, after: u8) -> Vec<u8> {
    for text in [first, second, third, &value.to_string()] {
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.push(after);
    bytes
}

#[cold]
#[inline(never)]
fn grown(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    bytes.reserve(size);
    bytes
}

/// A number below 100,000,000 as eight digits, the first in the lowest byte: split in halves, each
/// of which is split again, all at a time.
fn eight_digits(value: u32) -> u64 {
    let fours = u64::from(value / 10_000) | (u64::from(value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - 10 * tens) << 8)
}

/// Copy a text, and judge it as `judge` does.
///
/// # Safety
/// There is room for it, and for a word behind it.
#[allow(unsafe_code)]
#[inline(never)]
unsafe fn copy(to: *mut u8, from: &[u8], judge: impl Fn(u64) -> u64) -> u64 {
    copy_words(to, from, judge)
}

/// Copy a text before a last word. Returns where the text ends, or null if `judge` sets a highest
/// bit.
///
/// # Safety
/// As for `copy`.
#[allow(unsafe_code)]
#[inline(never)]
unsafe fn copy_before(to: *mut u8, from: &[u8], last: u64, judge: impl Fn(u64) -> u64) -> *mut u8 {
    let judged = copy_words(to, from, judge);
    let end = to.add(from.len());
    put_word(end, last);
    if judged & HIGHEST == 0 {
        end
    } else {
        std::ptr::null_mut()
    }
}

/// # Safety
/// As for `copy`.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn copy_words(to: *mut u8, from: &[u8], judge: impl Fn(u64) -> u64) -> u64 {
    let length = from.len();
    if length >= WORD {
        if length > 4 * WORD {
            return copy_long(to, from, judge);
        }
        let judged = copy_word(to, from, 0, &judge) | copy_word(to, from, length - WORD, &judge);
        if length <= 2 * WORD {
            return judged;
        }
        return judged | copy_word(to, from, WORD, &judge) | copy_word(to, from, length - 2 * WORD, &judge);
    }
    let byte = |place: usize| u64::from(from[place]) << (8 * place);
    let half = |start: usize| u64::from(from.as_ptr().add(start).cast::<u32>().read_unaligned().to_le()) << (8 * start);
    let word = match length {
        4.. => half(0) | half(length - 4),
        1.. => byte(0) | byte(length / 2) | byte(length - 1),
        0 => 0,
    };
    put_word(to, word);
    judge(word | (EACH * u64::from(b' ')) << (8 * length))
}

/// The same for more than a word.
#[allow(unsafe_code)]
#[inline(never)]
unsafe fn copy_long(to: *mut u8, from: &[u8], judge: impl Fn(u64) -> u64) -> u64 {
    let last = from.len() - WORD;
    let mut judged = copy_word(to, from, last, &judge);
    for start in (0..last).step_by(WORD) {
        judged |= copy_word(to, from, start, &judge);
    }
    judged
}

/// Copy the word that begins at `start`, and judge it.
///
/// # Safety
/// `from` has it, and there is room for it.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn copy_word(to: *mut u8, from: &[u8], start: usize, judge: impl Fn(u64) -> u64) -> u64 {
    let word = from.as_ptr().add(start).cast::<[u8; WORD]>().read();
    to.add(start).cast::<[u8; WORD]>().write(word);
    judge(u64::from_ne_bytes(word))
}
