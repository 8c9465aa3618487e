//! The names that a storage gives to new files.
//!
//! A name is a pure function of what is known about the file when it is complete, and of random bits that the
//! caller brings. That two files never get the same name is the store's to see to: it creates the name
//! exclusively and comes back with the next attempt when it is taken (wire protocol: "Base64 and the 20
//! bytes"; the original only remembers the names of the last three seconds).

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};

/// How many names are tried for one file before giving up with EBUSY.
pub const ATTEMPTS_MAX: u32 = 10;

/// Sizes from here on leave no room for random bits in the size word.
const LARGE_FILE: u64 = 1 << 32;

/// What a new name says about its file's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewFile {
    /// A file that stays as it is; the name carries its size.
    Normal {
        /// Content length in bytes.
        size: u64,
    },
    /// A file that may grow; the name carries no size.
    Appender,
}

/// A file that needs a name.
#[derive(Clone, Copy, Debug)]
pub struct Naming<'a> {
    /// Who stores it: this storage's address or id, as the cluster's `id_type_in_filename` says.
    pub source: Source,
    /// Unix seconds: the mtime of the complete file.
    pub timestamp: u32,
    /// Kind and size.
    pub file: NewFile,
    /// CRC-32 of the content (of the initial content for an appender).
    pub crc32: u32,
    /// The extension the client gave.
    pub ext: &'a ExtName,
    /// The store path it lies on.
    pub path: StorePathIndex,
    /// The directories it lies in.
    pub dirs: (u8, u8),
}

impl Naming<'_> {
    /// The name for attempt number `attempt` (from 0). `random` are two fresh random numbers; only as many
    /// bits as the name has room for are used.
    ///
    /// A file of 4 GiB or more has random digits at most, and with an extension of six characters not even
    /// those: from the second attempt on its time moves ahead by a second each, so that attempts always
    /// differ.
    pub fn name(&self, attempt: u32, random: [u32; 2]) -> FileName {
        let [size_random, digits] = random;
        build_name(self.path, self.dirs, &self.stamp(attempt, size_random), self.ext, digits)
    }

    /// The stamp inside that name. An appender that becomes a normal file gets its new name from this and
    /// [`FileName::regenerated`].
    pub fn stamp(&self, attempt: u32, size_random: u32) -> Stamp {
        let (size, timestamp) = match self.file {
            NewFile::Normal { size } if size >= LARGE_FILE => {
                (SizeWord::normal(size, size_random), self.timestamp.wrapping_add(attempt))
            }
            NewFile::Normal { size } => (SizeWord::normal(size, size_random), self.timestamp),
            NewFile::Appender => (SizeWord::appender(size_random), self.timestamp),
        };
        Stamp { source: self.source, timestamp, size, crc32: self.crc32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn ext(text: &str) -> ExtName {
        let mut field = [0; 6];
        field[..text.len()].copy_from_slice(text.as_bytes());
        ExtName::from_field(&field).unwrap()
    }

    #[test]
    fn a_normal_file_is_named_as_the_original_names_it() {
        let txt = ext("txt");
        let naming = Naming {
            source: Source::Ip(Ipv4Addr::new(192, 168, 0, 196)),
            timestamp: 1_751_328_000,
            file: NewFile::Normal { size: 14 },
            crc32: 0x0e10_ba5d,
            ext: &txt,
            path: StorePathIndex(0),
            dirs: (0x00, 0x1B),
        };
        assert_eq!(naming.name(0, [0x2a5c3d, 482]).as_str(), "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt");
    }

    #[test]
    fn an_appender_is_named_by_id_and_carries_no_size() {
        let log = ext("log");
        let naming = Naming {
            source: Source::Id(100_001),
            timestamp: 1_751_328_060,
            file: NewFile::Appender,
            crc32: 0x0e10_ba5d,
            ext: &log,
            path: StorePathIndex(1),
            dirs: (0x0A, 0xFF),
        };
        assert_eq!(naming.name(0, [0x13579b, 15]).as_str(), "M01/0A/FF/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log");
    }

    #[test]
    fn attempts_for_a_large_file_differ_even_without_random_bits() {
        let six = ext("sqlite");
        let naming = Naming {
            source: Source::Ip(Ipv4Addr::new(10, 1, 2, 3)),
            timestamp: 1_751_328_240,
            file: NewFile::Normal { size: 5_368_709_137 },
            crc32: 0xdead_beef,
            ext: &six,
            path: StorePathIndex(0),
            dirs: (0x7F, 0x00),
        };
        let first = naming.name(0, [1, 1]);
        assert_eq!(first.as_str(), "M00/7F/00/CgECA2hjJfAAAAABQAAAEd6tvu8.sqlite");
        let second = naming.name(1, [2, 2]);
        assert_ne!(first, second);
        assert_eq!(second.stamp().unwrap().timestamp, 1_751_328_241);
    }

    #[test]
    fn an_appender_that_becomes_a_normal_file_keeps_its_place_and_tail() {
        let old = FileName::parse(b"M01/0A/FF/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log").unwrap();
        let naming = Naming {
            source: Source::Id(100_001),
            timestamp: 1_751_328_120,
            file: NewFile::Normal { size: 42 },
            crc32: 0xaf9d_f79b,
            ext: &ExtName::NONE,
            path: old.path_index(),
            dirs: old.dirs(),
        };
        let new = old.regenerated(&naming.stamp(0, 0x00abcd)).unwrap();
        assert_eq!(new.as_str(), "M01/0A/FF/oYYBAGhjJXiAAKvNAAAAKq-d95s015.log");
    }
}
