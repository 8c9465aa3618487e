//! New names for new files.

use crate::name::{NORMAL_TRUE_LEN, TRUNK_TRUE_LEN};
use crate::{ExtName, FileName, Stamp, StorePathIndex, TrunkPart};
use std::fmt::Write;

/// `Mxx/` before the true name.
const PATH_LEN: usize = 4;

/// The name of an ordinary file or an appender: `M00/00/1B/`, 27 characters of stamp, 7 of digits and extension.
///
/// `random_digits` fills the room that the extension leaves, with its lowest decimal digits.
pub fn build_name(
    path: StorePathIndex,
    dirs: (u8, u8),
    stamp: &Stamp,
    ext: &ExtName,
    random_digits: u32,
) -> FileName {
    let mut text = String::with_capacity(PATH_LEN + NORMAL_TRUE_LEN);
    push_folder(&mut text, path, dirs);
    text.push_str(&stamp.to_text());
    text.push_str(&ext.part(random_digits));
    FileName::built(text)
}

/// The name of a file in a trunk slot; `dirs` are those of the trunk file.
pub fn build_trunk_name(
    path: StorePathIndex,
    dirs: (u8, u8),
    stamp: &Stamp,
    slot: &TrunkPart,
    ext: &ExtName,
    random_digits: u32,
) -> FileName {
    let mut text = String::with_capacity(PATH_LEN + TRUNK_TRUE_LEN);
    push_folder(&mut text, path, dirs);
    text.push_str(&stamp.to_text());
    text.push_str(&slot.to_text());
    text.push_str(&ext.part(random_digits));
    FileName::built(text)
}

fn push_folder(text: &mut String, path: StorePathIndex, (high, low): (u8, u8)) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{path}/{high:02X}/{low:02X}/");
}
