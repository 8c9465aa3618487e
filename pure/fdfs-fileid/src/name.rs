//! The logical file name: `M00/00/1B/…`, what clients see after the group.

use crate::ext::EXT_PART_LEN;
use crate::stamp::STAMP_TEXT_LEN;
use crate::trunk::TRUNK_TEXT_LEN;
use crate::{NameError, Stamp, TrunkPart};
use std::fmt;
use std::str::FromStr;

/// Longest logical name a client may use.
pub const FILE_NAME_LEN_MAX: usize = 127;

/// What a metadata file's name has that its master's has not.
pub const METADATA_SUFFIX: &str = "-m";

/// `HH/HH/`.
pub(crate) const DIRS_LEN: usize = 6;

/// `Mxx/HH/HH/`, which a logical name must exceed.
const NAME_PREFIX_LEN: usize = 10;

/// True name of an ordinary file: directories, stamp, ext part.
pub(crate) const NORMAL_TRUE_LEN: usize = DIRS_LEN + STAMP_TEXT_LEN + EXT_PART_LEN;

/// True name of a file in a trunk slot.
pub(crate) const TRUNK_TRUE_LEN: usize = NORMAL_TRUE_LEN + TRUNK_TEXT_LEN;

/// Digits in the name of a trunk container: at least six, at most those of a `u32`.
const CONTAINER_DIGITS: std::ops::RangeInclusive<usize> = 6..=10;

/// Which of a storage's store paths holds a file: 0 for `store_path0` and `M00`, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StorePathIndex(pub u8);

impl fmt::Display for StorePathIndex {
    /// As in a file name: `M0A`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "M{:02X}", self.0)
    }
}

/// What a name says about the file behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Written once; size and checksum are in the name.
    Normal,
    /// Can grow and shrink; ask the storage for size and checksum.
    Appender,
    /// Named after a master; size and checksum in the name are the master's, ask the storage.
    Slave,
    /// Kept in a slot of a trunk file; size and checksum are in the name.
    Trunk,
}

/// A logical file name, checked: `M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt`, or the older form that
/// begins with the directories and means store path 0.
///
/// Visible ASCII, 11 to 127 characters (a metadata name may have its `-m` on top), two directories of two
/// upper-case hex digits, one more component. The store path index is kept in upper case whichever way it came:
/// the original reads both, and one file should have one name.
///
/// Source: wire protocol, "Recognising and validating"; storage internals, "Names".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    text: Box<str>,
}

impl FileName {
    /// Checks and keeps a logical name.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        let master = bytes.strip_suffix(METADATA_SUFFIX.as_bytes()).unwrap_or(bytes);
        if bytes.len() <= NAME_PREFIX_LEN {
            return Err(NameError::TooShort);
        }
        if master.len() > FILE_NAME_LEN_MAX {
            return Err(NameError::TooLong);
        }
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(NameError::Character);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::Character)?;

        let true_name = match *bytes {
            [b'M', high, low, b'/', ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                text.get(4..).ok_or(NameError::TooShort)?
            }
            [b'M', ..] => return Err(NameError::StorePath),
            _ => text,
        };
        check_true_name(true_name)?;

        let mut text: Box<str> = text.into();
        if true_name.len() != bytes.len()
            && let Some(path) = text.get_mut(..4)
        {
            path.make_ascii_uppercase();
        }
        Ok(Self { text })
    }

    /// A name put together by this crate, which has made sure of its form.
    pub(crate) fn built(text: String) -> Self {
        debug_assert_eq!(Self::parse(text.as_bytes()).map(|name| name.text), Ok(text.as_str().into()));
        Self { text: text.into() }
    }

    /// The whole logical name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same with its store path: the first one for a name without `Mxx/`, so that a file has one name only.
    ///
    /// Refused: what would be too long.
    pub fn with_store_path(self) -> Result<Self, NameError> {
        if self.text.starts_with('M') {
            Ok(self)
        } else {
            Self::parse(format!("M00/{}", self.text).as_bytes())
        }
    }

    /// The store path the name points into; 0 for names without `Mxx/`.
    pub fn path_index(&self) -> StorePathIndex {
        match *self.text.as_bytes() {
            [b'M', high, low, ..] => StorePathIndex(hex_digit(high) << 4 | hex_digit(low)),
            _ => StorePathIndex(0),
        }
    }

    /// The part under `data/`: `00/1B/…`.
    pub fn true_name(&self) -> &str {
        if self.text.starts_with('M') { &self.text[4..] } else { &self.text }
    }

    /// The two directories under `data/`.
    pub fn dirs(&self) -> (u8, u8) {
        match *self.true_name().as_bytes() {
            [a, b, _, c, d, ..] => (hex_digit(a) << 4 | hex_digit(b), hex_digit(c) << 4 | hex_digit(d)),
            _ => (0, 0),
        }
    }

    /// The last component.
    pub fn base(&self) -> &str {
        &self.true_name()[DIRS_LEN..]
    }

    /// What precedes [`Self::base`]: `M00/00/1B/`.
    pub(crate) fn folder(&self) -> &str {
        &self.text[..self.text.len() - self.base().len()]
    }

    /// The 20 bytes in the name; none when the base name is too short for them or not base64.
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::from_text(self.base().as_bytes().get(..STAMP_TEXT_LEN)?)
    }

    /// Kind of the file, read in the original's order: the appender mark wins, then the length tells slaves.
    ///
    /// So the slave of an appender counts as an appender, here as there. A name without readable stamp is
    /// `Normal`. A metadata name looks like a slave: ask [`Self::is_metadata`] first.
    ///
    /// The original makes slaves that are as short as ordinary names, of masters with a long extension: `_50.png`
    /// where the master has `.tar.gz`. It takes them for ordinary files, here the end tells them, unless their prefix
    /// is of digits only.
    pub fn kind(&self) -> Kind {
        let Some(stamp) = self.stamp() else { return Kind::Normal };
        if stamp.size.is_appender() {
            Kind::Appender
        } else if self.has_slave_length() || !self.ends_as_generated() {
            Kind::Slave
        } else if stamp.size.is_trunk() && self.true_name().len() == TRUNK_TRUE_LEN {
            Kind::Trunk
        } else {
            Kind::Normal
        }
    }

    /// Whether a name of no more than a generated one's length ends as one does: in random digits, dot and extension,
    /// or in digits alone. Old versions had one digit less, or none.
    fn ends_as_generated(&self) -> bool {
        let base = self.base();
        let tail = match base.len().checked_sub(TRUNK_TRUE_LEN - DIRS_LEN) {
            Some(_) => base.get(STAMP_TEXT_LEN + TRUNK_TEXT_LEN..),
            None => base.get(STAMP_TEXT_LEN..),
        };
        let tail = tail.unwrap_or_default();
        let end = tail.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let has_digits = end.len() < tail.len();
        (end.is_empty() || end.starts_with('.')) && (!has_digits || tail.len() + 1 >= EXT_PART_LEN)
    }

    /// True when the length alone says that this is a slave, whatever its master was.
    pub(crate) fn has_slave_length(&self) -> bool {
        let len = self.true_name().len();
        len > TRUNK_TRUE_LEN
            || len > NORMAL_TRUE_LEN && self.stamp().is_some_and(|stamp| !stamp.size.is_trunk())
    }

    /// Where in which trunk file the content is; none unless [`Self::kind`] is [`Kind::Trunk`].
    pub fn trunk_part(&self) -> Option<TrunkPart> {
        if self.kind() != Kind::Trunk {
            return None;
        }
        TrunkPart::from_text(self.base().as_bytes().get(STAMP_TEXT_LEN..STAMP_TEXT_LEN + TRUNK_TEXT_LEN)?)
    }

    /// The last seven characters, random digits and extension: `482.txt`. None for a shorter base name.
    pub fn ext_part(&self) -> Option<[u8; EXT_PART_LEN]> {
        self.base().as_bytes().last_chunk().copied()
    }

    /// The extension without its dot, as slave names see it: what follows the first dot among the last seven
    /// characters; empty when there is none.
    pub fn extension(&self) -> &str {
        let base = self.base();
        let tail = &base[base.len().saturating_sub(EXT_PART_LEN)..];
        tail.split_once('.').map_or("", |(_, extension)| extension)
    }

    /// The name up to, not including, the dot of [`Self::extension`].
    pub(crate) fn without_extension(&self) -> &str {
        let tail_at = self.text.len() - self.base().len().min(EXT_PART_LEN);
        self.text[tail_at..].find('.').map_or(&self.text, |dot| &self.text[..tail_at + dot])
    }

    /// True for the name of a metadata file: it ends in `-m`.
    ///
    /// An upload with an extension like `x-m` also ends so, but has exactly the length of a generated name,
    /// which no metadata name has.
    pub fn is_metadata(&self) -> bool {
        let generated = match self.kind() {
            Kind::Trunk => true,
            Kind::Normal | Kind::Appender => {
                self.true_name().len() == NORMAL_TRUE_LEN && self.stamp().is_some()
            }
            Kind::Slave => false,
        };
        self.text.ends_with(METADATA_SUFFIX) && !generated
    }

    /// True for the name of a trunk container, such as `M00/00/00/000001`.
    pub fn is_trunk_container(&self) -> bool {
        let base = self.base();
        CONTAINER_DIGITS.contains(&base.len()) && base.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Refuses names that a client has no business with: metadata files (the metadata commands reach them),
    /// trunk containers, and the storage's own hidden files.
    pub fn check_client(&self) -> Result<(), NameError> {
        if self.is_metadata() {
            Err(NameError::Metadata)
        } else if self.is_trunk_container() {
            Err(NameError::TrunkContainer)
        } else if self.base().starts_with('.') {
            Err(NameError::Hidden)
        } else {
            Ok(())
        }
    }

    /// The name under which this file's metadata is kept, next to it.
    pub fn metadata_name(&self) -> FileName {
        let mut text = String::with_capacity(self.text.len() + METADATA_SUFFIX.len());
        text.push_str(&self.text);
        text.push_str(METADATA_SUFFIX);
        FileName { text: text.into() }
    }

    /// The name of the file whose metadata this name holds; none unless [`Self::is_metadata`].
    pub fn metadata_master(&self) -> Option<FileName> {
        if !self.is_metadata() {
            return None;
        }
        Self::parse(self.text.strip_suffix(METADATA_SUFFIX)?.as_bytes()).ok()
    }

    /// The name an appender gets when it becomes an ordinary file: a new stamp between the old directories and
    /// the old last seven characters.
    ///
    /// Source: wire protocol, "Regenerated appender names".
    pub fn regenerated(&self, stamp: &Stamp) -> Result<FileName, NameError> {
        let base = self.base();
        if base.len() < STAMP_TEXT_LEN + EXT_PART_LEN {
            return Err(NameError::MasterTooShort);
        }
        let ext_part = &base[base.len() - EXT_PART_LEN..];
        let text = format!("{}{}{}", self.folder(), stamp.to_text(), ext_part);
        Self::parse(text.as_bytes())
    }
}

/// Checks `HH/HH/base`, all of it visible ASCII.
fn check_true_name(name: &str) -> Result<(), NameError> {
    let upper_hex = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    match *name.as_bytes() {
        [a, b, b'/', c, d, b'/', ..] if [a, b, c, d].into_iter().all(upper_hex) => {}
        _ => return Err(NameError::Directories),
    }
    match &name[DIRS_LEN..] {
        "" => Err(NameError::TooShort),
        "." | ".." => Err(NameError::DotName),
        base if base.contains('/') => Err(NameError::ExtraSlash),
        _ => Ok(()),
    }
}

/// Value of a hex digit that has been checked to be one.
fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'F' => digit - b'A' + 10,
        b'a'..=b'f' => digit - b'a' + 10,
        _ => 0,
    }
}

impl FromStr for FileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text.as_bytes())
    }
}

impl AsRef<str> for FileName {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName({})", self.text)
    }
}
