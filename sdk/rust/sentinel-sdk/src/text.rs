//! Text from bytes, and text under construction, looked at and copied in words of eight bytes. What
//! heads and summaries hold is short: byte by byte, checking and copying it takes longer than all
//! else that is done with it, and so do calls of functions that are not compiled in.
//!
//! The `unsafe` code that is written by hand is here and in `lent`.

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
    judge(few(bytes))
}

/// Whether the bytes are the same, as `==` says; for names, whose length nearly always differs.
#[inline(always)]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && same_words(left, right)
}

#[inline(never)]
fn same_words(mut left: &[u8], mut right: &[u8]) -> bool {
    let mut difference = 0;
    if let (Some(&first), Some(&second)) = (left.last_chunk(), right.last_chunk()) {
        difference = u64::from_ne_bytes(first) ^ u64::from_ne_bytes(second);
        while let (Some((&first, left_rest)), Some((&second, right_rest))) =
            (left.split_first_chunk(), right.split_first_chunk())
        {
            difference |= u64::from_ne_bytes(first) ^ u64::from_ne_bytes(second);
            (left, right) = (left_rest, right_rest);
        }
        return difference == 0;
    }
    for (first, second) in left.iter().zip(right) {
        difference |= u64::from(first ^ second);
    }
    difference == 0
}

fn halves(first: [u8; 4], last: [u8; 4]) -> u64 {
    u64::from(u32::from_ne_bytes(first)) << 32 | u64::from(u32::from_ne_bytes(last))
}

/// Up to three bytes.
fn few(bytes: &[u8]) -> u64 {
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

// SAFETY of what follows: behind the address that `room` returns, there are the bytes that were
// asked for, and a word more. Bytes are counted once they are written. They are whole `str`s, and
// digits.
#[allow(unsafe_code)]
impl Buffer {
    /// A buffer that need not grow for that many bytes.
    #[inline(always)]
    pub fn with_room(room: usize) -> Self {
        Self(Vec::with_capacity(room + WORD))
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
        let size = size_of(before).saturating_add(size_of([text, after]));
        unsafe {
            let to = fill(self.room(size), before);
            let is_fine = copy(to, text.as_bytes(), judge) & HIGHEST == 0;
            if is_fine {
                fill(to.add(text.len()), [after]);
                self.advance(size);
            }
            is_fine
        }
    }

    /// Add a number in decimal digits between texts, which are literals.
    #[inline(always)]
    pub fn push_number_between(&mut self, before: [&str; 3], value: u64, after: &str) {
        if value >= 100_000_000 {
            // An array would be written into memory, also for a number that is smaller.
            let [first, second, third] = before;
            self.0 = with_large_number(std::mem::take(&mut self.0), first, second, third, value, after);
            return;
        }
        let digits = eight_digits(value as u32);
        // The last one stays, also if it is a zero.
        let left_out = (digits | (1 << 56)).trailing_zeros() / 8;
        let word = (digits | (EACH * u64::from(b'0'))) >> (8 * left_out);
        let size = size_of(before).saturating_add(WORD).saturating_add(after.len());
        unsafe {
            let to = fill(self.room(size), before);
            put_word(to, word);
            fill(to.add(WORD - left_out as usize), [after]);
            self.advance(size - left_out as usize);
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

/// Add bytes to others, and judge them as `judge` does.
#[allow(unsafe_code)]
#[inline(always)]
pub fn append(out: &mut Vec<u8>, bytes: &[u8], judge: impl Fn(u64) -> u64) -> u64 {
    let size = bytes.len().saturating_add(WORD);
    if size > out.capacity() - out.len() {
        *out = grown(std::mem::take(out), size);
    }
    // SAFETY: there is room for the bytes and a word, and what is counted has been written.
    unsafe {
        let judged = copy(out.as_mut_ptr().add(out.len()), bytes, judge);
        out.set_len(out.len() + bytes.len());
        judged
    }
}

#[inline(always)]
fn size_of<const COUNT: usize>(texts: [&str; COUNT]) -> usize {
    texts.iter().fold(0, |size, text| size.saturating_add(text.len()))
}

/// Write texts one after the other; returns where they end. Of literals, the words are computed
/// while compiling.
///
/// # Safety
/// There is room for them, and for a word behind them.
#[allow(unsafe_code)]
#[inline(always)]
unsafe fn fill<const COUNT: usize>(mut to: *mut u8, texts: [&str; COUNT]) -> *mut u8 {
    for text in texts {
        let bytes = text.as_bytes();
        match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(&first), Some(&last)) if bytes.len() <= 2 * WORD => {
                put_word(to, u64::from_le_bytes(first));
                put_word(to.add(bytes.len() - WORD), u64::from_le_bytes(last));
            }
            (None, _) => put_word(to, bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))),
            _ => to.copy_from_nonoverlapping(text.as_ptr(), text.len()),
        }
        to = to.add(text.len());
    }
    to
}

#[allow(unsafe_code)]
#[inline(always)]
unsafe fn put_word(to: *mut u8, word: u64) {
    to.cast::<[u8; WORD]>().write(word.to_le_bytes());
}

#[cold]
#[inline(never)]
fn with_large_number(mut bytes: Vec<u8>, first: &str, second: &str, third: &str, value: u64, after: &str) -> Vec<u8> {
    for text in [first, second, third, &value.to_string(), after] {
        bytes.extend_from_slice(text.as_bytes());
    }
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
