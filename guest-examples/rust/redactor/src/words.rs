//! Finding words in a stream: the automaton of Aho and Corasick (1975), with a column for each byte
//! of a word.

use std::collections::VecDeque;

/// Keeps the table under 512 KiB.
const LONGEST: usize = 1024;

pub struct Words {
    /// The column of each byte; 0 is that of all bytes that are in no word.
    columns: [u8; 256],
    width: usize,
    next: Vec<u16>,
    found: Vec<u16>,
    open: Vec<u16>,
    shortest: usize,
}

impl Words {
    pub fn new(words: &[String]) -> Result<Self, String> {
        if words.iter().any(String::is_empty) {
            return Err("words: a word is empty".into());
        }
        if words.iter().map(String::len).sum::<usize>() > LONGEST {
            return Err(format!("words: at most {LONGEST} bytes together"));
        }
        let mut columns = [0; 256];
        let mut width = 1;
        for byte in words.iter().flat_map(|word| word.bytes()) {
            let column = &mut columns[usize::from(byte)];
            if *column == 0 {
                // Text has fewer than 255 different bytes: UTF-8 leaves 13 out.
                *column = width as u8;
                width += 1;
            }
        }
        let shortest = words.iter().map(String::len).min().unwrap_or(usize::MAX);
        let mut made = Self { columns, width, next: vec![0; width], found: vec![0], open: vec![0], shortest };
        let mut depth = vec![0];
        for word in words {
            made.insert(word, &mut depth);
        }
        made.close(&depth);
        Ok(made)
    }

    /// Whether the byte occurs in a word.
    pub fn contain(&self, byte: u8) -> bool {
        self.columns[usize::from(byte)] != 0
    }

    /// The length of the shortest word; more than a body can have if there is none.
    pub fn shortest(&self) -> usize {
        self.shortest
    }

    pub fn next(&self, state: usize, byte: u8) -> usize {
        self.next[state * self.width + usize::from(self.columns[usize::from(byte)])].into()
    }

    /// The length of the longest word that ends here, or 0.
    pub fn found(&self, state: usize) -> usize {
        self.found[state].into()
    }

    /// How many bytes before this place may be the beginning of a word and are in none yet.
    pub fn open(&self, state: usize) -> usize {
        self.open[state].into()
    }

    fn insert(&mut self, word: &str, depth: &mut Vec<u16>) {
        let mut state = 0;
        for byte in word.bytes() {
            let slot = state * self.width + usize::from(self.columns[usize::from(byte)]);
            if self.next[slot] == 0 {
                self.next[slot] = depth.len() as u16;
                self.next.resize(self.next.len() + self.width, 0);
                depth.push(depth[state] + 1);
            }
            state = self.next[slot].into();
        }
        self.found.resize(depth.len(), 0);
        self.found[state] = word.len() as u16;
    }

    /// Make an automaton of the tree: where a state has no child, go where its longest proper
    /// suffix goes.
    fn close(&mut self, depth: &[u16]) {
        let mut suffix = vec![0usize; depth.len()];
        self.open.resize(depth.len(), 0);
        let mut queue = VecDeque::from([0usize]);
        while let Some(state) = queue.pop_front() {
            let mut leaf = true;
            for column in 0..self.width {
                let slot = state * self.width + column;
                let by_suffix = if state == 0 { 0 } else { self.next[suffix[state] * self.width + column] };
                let child = usize::from(self.next[slot]);
                if child == 0 {
                    self.next[slot] = by_suffix;
                    continue;
                }
                leaf = false;
                suffix[child] = by_suffix.into();
                self.found[child] = self.found[child].max(self.found[suffix[child]]);
                queue.push_back(child);
            }
            let open = if leaf { self.open[suffix[state]] } else { depth[state] };
            // A word that ends here and covers all of it leaves nothing open.
            self.open[state] = if self.found[state] >= open { 0 } else { open };
        }
    }
}
