//! A set of bytes, and where others lie close together.

const BLOCK: usize = 64;

pub struct ByteSet {
    members: [bool; 256],
    /// At the lower four bits of each byte that is not in the set, the bit that its next three give
    /// the number of. So a byte may be taken for one that differs in its upper bit.
    others: [u8; 16],
}

impl ByteSet {
    pub fn new(contains: impl Fn(u8) -> bool) -> Self {
        let members = std::array::from_fn(|byte| contains(byte as u8));
        let mut others = [0; 16];
        for byte in (0..256).filter(|&byte| !members[byte]) {
            others[byte & 15] |= 1 << (byte >> 4 & 7);
        }
        Self { members, others }
    }

    pub fn contains(&self, byte: u8) -> bool {
        self.members[usize::from(byte)]
    }

    /// Where the first `length` bytes, but at most 16, may follow each other of which none is in the
    /// set, at `start` or after. Where less than a block is left to look at, that is the answer.
    ///
    /// It looks at whole blocks, one as far behind the other whatever they hold, so that the
    /// processor works on several at once.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub fn find_run_of_others(&self, bytes: &[u8], mut start: usize, length: usize) -> usize {
        let length = length.min(16) as u32;
        let second = 1.min(length - 1);
        let third = 2.min(length - 1 - second);
        let fourth = 4.min(length - 1 - second - third);
        let fifth = length - 1 - second - third - fourth;
        while let Some(block) = bytes.get(start..).and_then(|rest| rest.first_chunk()) {
            let mut run = self.others(block);
            // Each line leaves the places where as many more follow.
            run &= run >> second;
            run &= run >> third;
            run &= run >> fourth;
            run &= run >> fifth;
            if run != 0 {
                return start + run.trailing_zeros() as usize;
            }
            start += BLOCK + 1 - length as usize;
        }
        start
    }

    /// A bit for each byte that may not be in the set.
    #[cfg(target_arch = "wasm32")]
    #[target_feature(enable = "simd128")]
    #[inline]
    fn others(&self, block: &[u8; BLOCK]) -> u64 {
        use std::arch::wasm32::*;

        let word = |bytes: &[u8], at| u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
        let load = |bytes: &[u8], at| u64x2(word(bytes, at), word(bytes, at + 8));
        let columns = load(&self.others, 0);
        let bits = u64x2_splat(0x8040_2010_0804_0201);
        let members = |at| {
            let bytes = load(block, at);
            let column = u8x16_swizzle(columns, v128_and(bytes, u8x16_splat(15)));
            let other = v128_and(column, u8x16_swizzle(bits, u8x16_shr(bytes, 4)));
            u64::from(u8x16_bitmask(u8x16_eq(other, u8x16_splat(0)))) << at
        };
        !(members(0) | members(16) | members(32) | members(48))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn others(&self, block: &[u8; BLOCK]) -> u64 {
        let is_other = |byte: u8| self.others[usize::from(byte & 15)] >> (byte >> 4 & 7) & 1;
        (0..BLOCK).map(|at| u64::from(is_other(block[at])) << at).sum()
    }
}
