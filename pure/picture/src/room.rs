//! How many pictures are made at a time, and how much memory each may take.

use crate::{INPUT_BYTES_MAX, INPUT_COPIES, MEMORY_BYTES_MAX};

/// Most that a picture takes, its file among it, bytes.
const MOST: u64 = MEMORY_BYTES_MAX + (1 + INPUT_COPIES as u64) * INPUT_BYTES_MAX as u64;

/// Room for pictures: half of the memory, and half of the processors. The other halves answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Pictures that are made at the same time, at least one.
    pub at_once: usize,
    /// What each may take, its file among it, bytes. Nothing: any picture has room.
    pub each: Option<u64>,
}

impl Room {
    /// On a machine with so many processors, for a process that may have so much memory, if that is known.
    pub fn new(memory: Option<u64>, processors: usize) -> Self {
        let by_processors = (processors / 2).max(1);
        let half = memory.unwrap_or(u64::MAX) / 2;
        let by_memory = usize::try_from(half / MOST).unwrap_or(usize::MAX).max(1);
        Self { at_once: by_processors.min(by_memory), each: Some(half).filter(|half| *half < MOST) }
    }

    /// What is left for making a picture, beside its file of so many bytes. Nothing: the file alone is too long.
    pub fn beside(&self, file: u64) -> Option<u64> {
        self.each.unwrap_or(u64::MAX).checked_sub(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_machines_make_one_at_a_time_and_not_every_one() {
        for (memory, processors, at_once, each) in [
            (256 << 20, 2, 1, Some(128 << 20)),
            (256 << 20, 64, 1, Some(128 << 20)),
            (1 << 30, 4, 1, Some(512 << 20)),
            (2 << 30, 1, 1, None),
            (4 << 30, 8, 2, None),
            (16 << 30, 4, 2, None),
            (64 << 30, 32, 16, None),
        ] {
            assert_eq!(Room::new(Some(memory), processors), Room { at_once, each }, "{memory} {processors}");
        }
        assert_eq!(Room::new(None, 8), Room { at_once: 4, each: None });
    }

    #[test]
    fn a_file_has_its_part_of_the_room() {
        let room = Room::new(Some(256 << 20), 2);
        assert_eq!(room.beside(28 << 20), Some(100 << 20));
        assert_eq!(room.beside(200 << 20), None);
        assert_eq!(Room::new(None, 2).beside(100), Some(u64::MAX - 100));
    }
}
