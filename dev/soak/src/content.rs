//! Bytes that can be made again from a number, and numbers that a seed decides.

/// Numbers that a seed decides.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Another seed, other numbers; neighbours have nothing in common.
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Below this, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % end
    }

    /// One of these; none when there are none.
    pub(crate) fn one<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }

    /// From one size to another, small ones more often.
    pub(crate) fn size(&mut self, least: usize, most: usize) -> usize {
        let share = self.below(1000) * self.below(1000);
        least + (most - least) * share / 1_000_000
    }

    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            all.swap(end, self.below(end + 1));
        }
    }
}

/// What a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) seed: u64,
    pub(crate) len: usize,
}

impl Content {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut dice = Dice::new(self.seed);
        let mut bytes = Vec::with_capacity(self.len + 8);
        while bytes.len() < self.len {
            bytes.extend_from_slice(&dice.next().to_le_bytes());
        }
        bytes.truncate(self.len);
        bytes
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_content_is_the_same_each_time_and_another_for_another_seed() {
        let one = Content { seed: 7, len: 1001 };
        assert_eq!(one.bytes().len(), 1001);
        assert_eq!(one.bytes(), one.bytes());
        let firsts: BTreeSet<_> = (0..100).map(|seed| Content { seed, len: 16 }.bytes()).collect();
        assert_eq!(firsts.len(), 100);
    }

    #[test]
    fn dice_stay_within_their_bounds_and_lose_nothing_in_a_shuffle() {
        let mut dice = Dice::new(3);
        for _ in 0..1000 {
            assert!(dice.below(3) < 3);
            assert!((10..=20).contains(&dice.size(10, 20)));
        }
        let mut deck: Vec<u32> = (0..50).collect();
        dice.shuffle(&mut deck);
        assert_ne!(deck, (0..50).collect::<Vec<_>>());
        deck.sort_unstable();
        assert_eq!(deck, (0..50).collect::<Vec<_>>());
        assert_eq!(dice.one::<u32>(&[]), None);
    }
}
