//! Text from bytes, and text under construction, looked at and copied in words of eight bytes. What
//! heads and summaries hold is short: byte by byte, checking and copying it takes longer than all
//! else that is done with it, and so do calls of functions that are not compiled in.
//!
//! The only `unsafe` code that is written by hand is here.

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

#[inline(never)]
fn is_ascii(bytes: &[u8]) -> bool {
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
#[derive(Clone, Debug)]
pub struct Buffer {
    /// What is written, which is UTF-8, and room for more.
    bytes: Vec<u8>,
    used: usize,
}

impl Buffer {
    /// A buffer that need not grow for that many bytes.
    pub fn with_room(room: usize) -> Self {
        Self { bytes: vec![0; room], used: 0 }
    }

    /// The text as a whole.
    #[allow(unsafe_code)]
    pub fn into_string(mut self) -> String {
        self.bytes.truncate(self.used);
        // SAFETY: what is written came from `str`s, each as a whole, and is digits besides.
        unsafe { String::from_utf8_unchecked(self.bytes) }
    }

    /// Add texts; made for literals.
    #[inline(always)]
    pub fn push<const COUNT: usize>(&mut self, texts: [&str; COUNT]) {
        let size = texts.iter().map(|text| text.len()).sum();
        fill(self.room(size), texts);
        self.used += size;
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
        let start = before.iter().map(|text| text.len()).sum::<usize>();
        let size = start + text.len() + after.len();
        let to = fill(self.room(size), before);
        let (to, end) = to.split_at_mut(text.len());
        fill(end, [after]);
        let is_fine = copy(to, text.as_bytes(), judge) & HIGHEST == 0;
        if is_fine {
            self.used += size;
        }
        is_fine
    }

    /// Add a number in decimal digits.
    #[inline(always)]
    pub fn push_number(&mut self, value: u64) {
        let digits = count_digits(value);
        put_digits(self.room(digits), value);
        self.used += digits;
    }

    /// Take `end` away if the text ends in it.
    pub fn strip(&mut self, end: &str) {
        if self.bytes[..self.used].ends_with(end.as_bytes()) {
            self.used -= end.len();
        }
    }

    /// That many bytes behind what is written.
    #[inline(always)]
    fn room(&mut self, size: usize) -> &mut [u8] {
        if size > self.bytes.len() - self.used {
            // Handing the bytes over lets the compiler keep their address in registers.
            self.bytes = grown(std::mem::take(&mut self.bytes), self.used + size.max(self.used));
        }
        &mut self.bytes[self.used..][..size]
    }
}

/// Write texts one after the other; returns what is left of the room.
#[inline(always)]
fn fill<'a, const COUNT: usize>(mut to: &'a mut [u8], texts: [&str; COUNT]) -> &'a mut [u8] {
    for text in texts {
        let (at, rest) = to.split_at_mut(text.len());
        at.copy_from_slice(text.as_bytes());
        to = rest;
    }
    to
}

#[cold]
#[inline(never)]
fn grown(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    bytes.resize(size, 0);
    bytes
}

fn count_digits(value: u64) -> usize {
    let mut digits = 1;
    let mut limit = 10;
    while value >= limit && digits < 20 {
        digits += 1;
        limit = limit.wrapping_mul(10);
    }
    digits
}

#[inline(never)]
fn put_digits(to: &mut [u8], mut value: u64) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Copy a text to where there is as much room, and judge it.
#[inline(never)]
fn copy(mut to: &mut [u8], mut from: &[u8], judge: impl Fn(u64) -> u64) -> u64 {
    if let (Some(to_last), Some(&last)) = (to.last_chunk_mut(), from.last_chunk()) {
        *to_last = last;
        let mut judged = judge(u64::from_ne_bytes(last));
        while let (Some((to_word, to_rest)), Some((&word, rest))) =
            (to.split_first_chunk_mut(), from.split_first_chunk())
        {
            *to_word = word;
            judged |= judge(u64::from_ne_bytes(word));
            (to, from) = (to_rest, rest);
        }
        return judged;
    }
    if let (Some(&first), Some(&last)) = (from.first_chunk(), from.last_chunk()) {
        if let Some(to) = to.first_chunk_mut() {
            *to = first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = last;
        }
        return judge(halves(first, last));
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    judge(few(from))
}
