//! Which of the `HH/HH` directories under `data/` the next file goes to.
//!
//! Two ways, chosen by `file_distribute_path_mode` (storage internals: directory choice): in turn, a fixed
//! number of files per directory, or by a hash of the name. Neither can be recomputed from a file id later;
//! the id carries the result.

use fdfs_fileid::{Stamp, hashed_directories};

/// The most sub directories one level can have; two hex digits name them.
pub const SUBDIR_COUNT_MAX: u16 = 256;

/// The way directories are chosen, with its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directories {
    /// `file_distribute_path_mode = 0`.
    InTurn(DirectoryCursor),
    /// `file_distribute_path_mode = 1`.
    ByHash {
        /// Sub directories on each level, 1 to 256.
        subdir_count: u16,
    },
}

impl Directories {
    /// The directories for one more file. `first` is the stamp the file would have when its upload begins,
    /// with a random CRC: what the hash mode spreads by.
    pub fn choose(&mut self, first: &Stamp) -> (u8, u8) {
        match self {
            Self::InTurn(cursor) => cursor.advance(),
            Self::ByHash { subdir_count } => hashed_directories(first.to_text().as_bytes(), *subdir_count),
        }
    }

    /// What `storage_stat.dat` keeps; zeros in hash mode.
    pub fn position(&self) -> CursorPosition {
        match self {
            Self::InTurn(cursor) => cursor.position(),
            Self::ByHash { .. } => CursorPosition::default(),
        }
    }
}

/// Walks through the directories in turn: `rotate_count` files in each, then the next one.
///
/// One cursor serves all store paths. Its position survives restarts as the three `dist_*` values of
/// `storage_stat.dat`; losing them only starts the walk again at `00/00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryCursor {
    high: u16,
    low: u16,
    written: u32,
    rotate_count: u32,
    subdir_count: u16,
}

/// Where a [`DirectoryCursor`] stands, as it is kept on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorPosition {
    /// First level, `dist_path_index_high`.
    pub high: u16,
    /// Second level, `dist_path_index_low`.
    pub low: u16,
    /// Files given to this directory so far, `dist_write_file_count`.
    pub written: u32,
}

impl DirectoryCursor {
    /// A cursor at `position`. Values that cannot be (they come from a file that anybody may have edited,
    /// or from a store with more sub directories) are pulled back into range rather than refused: the walk
    /// has no meaning beyond spreading files.
    pub fn new(subdir_count: u16, rotate_count: u32, position: CursorPosition) -> Self {
        let subdir_count = subdir_count.clamp(1, SUBDIR_COUNT_MAX);
        let rotate_count = rotate_count.max(1);
        let inside = |index: u16| if index < subdir_count { index } else { 0 };
        Self {
            high: inside(position.high),
            low: inside(position.low),
            written: if position.written < rotate_count { position.written } else { 0 },
            rotate_count,
            subdir_count,
        }
    }

    /// The directories for one more file.
    pub fn advance(&mut self) -> (u8, u8) {
        let here = (self.high as u8, self.low as u8);
        self.written += 1;
        if self.written >= self.rotate_count {
            self.written = 0;
            self.low += 1;
            if self.low >= self.subdir_count {
                self.low = 0;
                self.high += 1;
                if self.high >= self.subdir_count {
                    self.high = 0;
                }
            }
        }
        here
    }

    /// Where it stands, to be kept in `storage_stat.dat`.
    pub fn position(&self) -> CursorPosition {
        CursorPosition { high: self.high, low: self.low, written: self.written }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(high: u16, low: u16, written: u32) -> CursorPosition {
        CursorPosition { high, low, written }
    }

    #[test]
    fn a_directory_takes_the_rotate_count_and_then_the_next_one_follows() {
        let mut cursor = DirectoryCursor::new(256, 3, CursorPosition::default());
        let given: Vec<_> = (0..7).map(|_| cursor.advance()).collect();
        assert_eq!(given, [(0, 0), (0, 0), (0, 0), (0, 1), (0, 1), (0, 1), (0, 2)]);
    }

    #[test]
    fn the_low_level_carries_into_the_high_one_and_the_high_one_wraps() {
        let mut cursor = DirectoryCursor::new(2, 1, CursorPosition::default());
        let given: Vec<_> = (0..5).map(|_| cursor.advance()).collect();
        assert_eq!(given, [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0)]);
    }

    #[test]
    fn the_last_directory_of_a_full_tree_is_ff_ff() {
        let mut cursor = DirectoryCursor::new(256, 1, at(255, 255, 0));
        assert_eq!(cursor.advance(), (255, 255));
        assert_eq!(cursor.position(), at(0, 0, 0));
    }

    #[test]
    fn a_cursor_goes_on_where_its_kept_position_left_off() {
        let mut before = DirectoryCursor::new(256, 100, at(3, 7, 98));
        before.advance();
        let mut after = DirectoryCursor::new(256, 100, before.position());
        assert_eq!(after.position(), at(3, 7, 99));
        assert_eq!(after.advance(), (3, 7));
        assert_eq!(after.advance(), (3, 8));
    }

    #[test]
    fn a_kept_position_outside_the_tree_starts_over() {
        let cursor = DirectoryCursor::new(16, 100, at(16, 300, 100));
        assert_eq!(cursor.position(), at(0, 0, 0));
    }

    #[test]
    fn a_subdir_count_or_rotate_count_of_zero_is_taken_as_one() {
        let mut cursor = DirectoryCursor::new(0, 0, CursorPosition::default());
        assert_eq!([cursor.advance(), cursor.advance()], [(0, 0), (0, 0)]);
    }

    #[test]
    fn the_hash_mode_looks_at_the_stamp_and_stays_inside_the_tree() {
        let stamp = Stamp::from_text(b"wKgAxGhjJQCAKlw9AAAADg4Qul0").unwrap();
        let mut tree = Directories::ByHash { subdir_count: 256 };
        assert_eq!(tree.choose(&stamp), tree.choose(&stamp));
        assert_eq!(tree.position(), CursorPosition::default());
        for subdir_count in [1, 2, 16, 255] {
            let (high, low) = Directories::ByHash { subdir_count }.choose(&stamp);
            assert!(u16::from(high) < subdir_count && u16::from(low) < subdir_count);
        }
    }

    #[test]
    fn the_turn_mode_does_not_look_at_the_stamp() {
        let stamp = Stamp::from_text(b"wKgAxGhjJQCAKlw9AAAADg4Qul0").unwrap();
        let mut tree = Directories::InTurn(DirectoryCursor::new(256, 2, at(1, 2, 0)));
        assert_eq!([tree.choose(&stamp), tree.choose(&stamp), tree.choose(&stamp)], [(1, 2), (1, 2), (1, 3)]);
        assert_eq!(tree.position(), at(1, 3, 1));
    }
}
