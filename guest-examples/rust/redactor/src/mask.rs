//! Masking a body chunk by chunk. A masked byte becomes one byte of the mask, so lengths stay as
//! they are.

use crate::byte_set::ByteSet;
use crate::words::Words;

pub struct Mask {
    mask: u8,
    /// A run of at least so many digits is masked; 0 masks none.
    digits: usize,
    words: Words,
    /// The bytes in which neither a word nor a run of digits goes on.
    plain: ByteSet,
    /// The length of the shortest text that is masked.
    shortest: usize,
    /// Where the automaton stands after the bytes seen so far.
    state: usize,
    /// How many digits they end with.
    run: usize,
    /// Their end, held back because it may be the beginning of something to mask.
    held: Vec<u8>,
}

impl Mask {
    pub fn new(mask: &str, digits: usize, words: &[String]) -> Result<Self, String> {
        let &[mask @ b' '..=b'~'] = mask.as_bytes() else {
            return Err("mask: one printable character of ASCII is needed".into());
        };
        if digits > 64 {
            return Err("digits: 0 to 64".into());
        }
        let words = Words::new(words)?;
        let plain = ByteSet::new(|byte| !words.contain(byte) && (digits == 0 || !byte.is_ascii_digit()));
        let shortest = words.shortest().min(if digits > 0 { digits } else { usize::MAX });
        Ok(Self { mask, digits, words, plain, shortest, state: 0, run: 0, held: Vec::new() })
    }

    /// What to send for a chunk; `None` for the chunk as it is.
    pub fn feed(&mut self, chunk: &[u8], last: bool) -> Option<Vec<u8>> {
        let before = self.held.len();
        let mut out = (before > 0).then(|| [&self.held, chunk].concat());
        let (mut state, mut run) = (self.state, self.run);
        let mut index = 0;
        while index < chunk.len() {
            if run == 0 && state == 0 {
                index = self.skip(chunk, index);
            }
            while let Some(&byte) = chunk.get(index) {
                index += 1;
                if self.plain.contains(byte) {
                    (state, run) = (0, 0);
                    break;
                }
                state = self.words.next(state, byte);
                run = if byte.is_ascii_digit() { run + 1 } else { 0 };
                let length = self.words.found(state).max(self.digits_found(run));
                if length > 0 {
                    let end = before + index;
                    // What went out before was masked then.
                    let start = end.saturating_sub(length);
                    out.get_or_insert_with(|| chunk.to_vec())[start..end].fill(self.mask);
                }
            }
        }
        self.held.clear();
        if last {
            (self.state, self.run) = (0, 0);
            return out;
        }
        (self.state, self.run) = (state, run);
        let open = self.words.open(state).max(if run < self.digits { run } else { 0 });
        if open == 0 {
            return out;
        }
        let mut out = out.unwrap_or_else(|| chunk.to_vec());
        self.held = out.split_off(out.len().saturating_sub(open));
        Some(out)
    }

    /// Where the next text that is masked may begin, at `start` or after; nothing before it is part
    /// of one.
    ///
    /// Such a text has no plain byte. So none begins before the last plain byte of as many bytes as
    /// the shortest one has.
    fn skip(&self, chunk: &[u8], start: usize) -> usize {
        let mut start = self.plain.find_run_of_others(chunk, start, self.shortest);
        loop {
            let end = start.saturating_add(self.shortest).min(chunk.len());
            match chunk[start..end].iter().rposition(|&byte| self.plain.contains(byte)) {
                None => return start,
                Some(at) => start += at + 1,
            }
        }
    }

    /// How many bytes at the end of a run are to be masked now: all once it is long enough, then
    /// each that follows.
    fn digits_found(&self, run: usize) -> usize {
        match self.digits {
            0 => 0,
            digits if run == digits => digits,
            digits => usize::from(run > digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule by its definition: every occurrence, every long run, on the whole body.
    fn masked_whole(digits: usize, words: &[String], body: &[u8]) -> Vec<u8> {
        let mut out = body.to_vec();
        for word in words {
            for start in 0..body.len() {
                if body[start..].starts_with(word.as_bytes()) {
                    out[start..start + word.len()].fill(b'*');
                }
            }
        }
        let mut start = 0;
        for run in body.split_inclusive(|byte| !byte.is_ascii_digit()) {
            let length = run.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > 0 && length >= digits {
                out[start..start + length].fill(b'*');
            }
            start += run.len();
        }
        out
    }

    #[test]
    fn any_cut_gives_what_the_whole_body_gives() {
        let words: [&[&str]; 3] = [&["ab", "abab2", "b1", "c", "cab12a", "bb1"], &["abab", "bab2", "ab12a"], &[]];
        let mut seed = 7u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        for (words, digits) in words.iter().flat_map(|words| [0, 1, 3, 5].map(|digits| (words, digits))) {
            let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
            let mut mask = Mask::new("*", digits, &words).unwrap();
            for turn in 0..3000 {
                // Some have no more than a chance of a text to mask, and are longer than a block.
                let (longest, alphabet) = if turn % 4 > 0 { (48, b"aabbc1122.") } else { (400, b"ab12\xb1.....") };
                let body: Vec<u8> = (0..random(longest)).map(|_| alphabet[random(10) as usize]).collect();
                let (mut out, mut rest) = (Vec::new(), &body[..]);
                loop {
                    let (chunk, next) = rest.split_at((random(longest / 2) as usize).min(rest.len()));
                    rest = next;
                    let last = rest.is_empty();
                    out.extend(mask.feed(chunk, last).unwrap_or(chunk.to_vec()));
                    if last {
                        break;
                    }
                }
                assert_eq!(out, masked_whole(digits, &words, &body), "{}", String::from_utf8_lossy(&body));
            }
        }
    }
}
