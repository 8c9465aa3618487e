//! What a file id promises about the content behind it.

use crate::error::Kind;
use fdfs_fileid::{FileName, Kind as FileKind, Stamp};

/// The size of a file whose name says it, bytes. Nothing for appenders (they change), slaves (they carry their master's
/// numbers) and names that only look normal.
pub fn named_size(name: &FileName) -> Option<u64> {
    Promise::of(name).map(|promise| promise.size)
}

/// Length of the names that carry their own size and CRC: with and without `Mxx/`, and one shorter from the time of
/// five-character extensions.
const NORMAL_LENGTHS: [usize; 3] = [44, 43, 40];

/// Size and CRC-32 of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) size: u64,
    pub(crate) crc32: u32,
}

impl Promise {
    /// What the name of a normal file or of one in a trunk slot says. Nothing for appenders (they change), slaves
    /// (they carry their master's numbers) and names that only look normal.
    pub(crate) fn of(name: &FileName) -> Option<Promise> {
        let Stamp { size, crc32, .. } = name.stamp()?;
        let trusted = match name.kind() {
            FileKind::Trunk => true,
            FileKind::Normal => NORMAL_LENGTHS.contains(&name.as_str().len()) && has_ext_part(name),
            FileKind::Appender | FileKind::Slave => false,
        };
        trusted.then(|| size.size().map(|size| Promise { size, crc32 })).flatten()
    }

    /// The error when the content is another.
    pub(crate) fn check(self, size: u64, crc32: u32) -> Result<(), Kind> {
        if (self.size, self.crc32) == (size, crc32) {
            return Ok(());
        }
        Err(Kind::Corrupt {
            expected_size: self.size,
            actual_size: size,
            expected_crc32: self.crc32,
            actual_crc32: crc32,
        })
    }
}

/// The name ends as generated names do, in random digits and an extension. The name of a slave can have the length
/// of a normal one (when its suffix is as long as the extension it replaced), but then its end looks otherwise.
fn has_ext_part(name: &FileName) -> bool {
    let base = name.base();
    let end = base.get(27..).unwrap_or_default();
    // `:` is a digit the original's generator can produce.
    let rest = end.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    rest.is_empty() || rest.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(name: &str) -> Option<(u64, u32)> {
        Promise::of(&name.parse().unwrap()).map(|promise| (promise.size, promise.crc32))
    }

    #[test]
    fn normal_and_trunk_names_promise_size_and_crc() {
        assert_eq!(promise("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt"), Some((14, 0x0e10_ba5d)));
        assert_eq!(
            promise("M00/00/00/ooYBAGhjJbSIcAABAAAPoMv0OSYAAAAAQAAEAAAABAA2731.gz"),
            Some((4000, 0xcbf4_3926))
        );
        assert_eq!(
            promise("M00/7F/00/CgECA2hjJfAAAAABQAAAEd6tvu89081726"),
            Some((5_368_709_137, 0xdead_beef))
        );
    }

    #[test]
    fn appenders_and_slaves_promise_nothing() {
        assert_eq!(promise("M01/0A/FF/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log"), None);
        assert_eq!(promise("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482_150x150.jpg"), None);
    }

    #[test]
    fn a_slave_with_the_length_of_a_normal_name_is_not_taken_for_one() {
        assert_eq!(promise("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482_big"), None);
        assert_eq!(promise("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482x"), None);
    }
}
