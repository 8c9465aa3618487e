//! The shape most state files have: `key=value` lines, in sections or not, `#` before comments.
//!
//! Only machines write these files, so there is no quoting, no including and no unit; configuration files, which
//! people write, are read elsewhere.

use crate::FormatError;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// A text taken apart into sections; keys before the first section are in one without a name. Where a section or
/// a key comes twice, the last one counts.
pub(crate) struct Ini<'a> {
    sections: BTreeMap<&'a str, Section<'a>>,
}

/// One section.
#[derive(Default)]
pub(crate) struct Section<'a> {
    name: &'a str,
    items: BTreeMap<&'a str, Item<'a>>,
}

struct Item<'a> {
    line: u32,
    value: &'a str,
}

impl<'a> Ini<'a> {
    /// Takes a file apart. Lines that are neither sections nor `key=value` are skipped.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let text = std::str::from_utf8(bytes).map_err(|_| FormatError::NotText)?;
        let mut sections = BTreeMap::new();
        let mut section = Section::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.starts_with('#') {
                continue;
            }
            if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                let before =
                    std::mem::replace(&mut section, Section { name: name.trim(), ..Section::default() });
                sections.insert(before.name, before);
            } else if let Some((key, value)) = text.split_once('=') {
                section.items.insert(key.trim(), Item { line, value: value.trim() });
            }
        }
        sections.insert(section.name, section);
        Ok(Self { sections })
    }

    /// The keys outside any section.
    pub(crate) fn keys(bytes: &'a [u8]) -> Result<Section<'a>, FormatError> {
        Ok(Self::parse(bytes)?.sections.remove("").unwrap_or_default())
    }

    /// A section that must be there.
    pub(crate) fn section(&self, name: &str) -> Result<&Section<'a>, FormatError> {
        self.sections.get(name).ok_or_else(|| FormatError::MissingSection { section: name.to_owned() })
    }
}

impl<'a> Section<'a> {
    /// Every key with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.items.iter().map(|(key, item)| (*key, item.value))
    }

    fn item(&self, key: &str) -> Option<&Item<'a>> {
        self.items.get(key)
    }

    /// The text of a key, empty when it is missing.
    pub(crate) fn text(&self, key: &str) -> &'a str {
        self.item(key).map_or("", |item| item.value)
    }

    /// The value of a key as `read` sees it; none when the key is missing or empty.
    pub(crate) fn value<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, FormatError> {
        match self.item(key) {
            Some(item) if !item.value.is_empty() => {
                read(item.value).map(Some).ok_or(FormatError::Value { line: item.line, key })
            }
            _ => Ok(None),
        }
    }

    /// The value of a key that must be there and must not be empty.
    pub(crate) fn required<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FormatError> {
        self.value(key, read)?.ok_or_else(|| self.missing(key))
    }

    /// A number, 0 when the key is missing or empty.
    pub(crate) fn number<T: Number>(&self, key: &'static str) -> Result<T, FormatError> {
        Ok(self.value(key, T::read)?.unwrap_or_default())
    }

    /// Refuses a section without this key, whatever its value.
    pub(crate) fn check_has(&self, key: &'static str) -> Result<(), FormatError> {
        self.item(key).map(|_| ()).ok_or_else(|| self.missing(key))
    }

    fn missing(&self, key: &'static str) -> FormatError {
        FormatError::MissingKey { section: self.name.to_owned(), key }
    }
}

/// A number in a state file.
pub(crate) trait Number: Default {
    /// Reads decimal digits, with a minus if the number can have one.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! signed {
    ($($number:ty)*) => { $(impl Number for $number {
        fn read(text: &str) -> Option<Self> {
            text.parse().ok()
        }
    })* };
}
signed! { i32 i64 }

macro_rules! unsigned {
    ($($number:ty)*) => { $(impl Number for $number {
        /// A negative count is one that the original let wrap: nothing is known, so nothing is counted.
        fn read(text: &str) -> Option<Self> {
            text.parse().ok().or_else(|| text.parse::<i64>().ok().filter(|value| *value < 0).map(|_| 0))
        }
    })* };
}
unsigned! { u8 u16 u32 u64 }

/// Reads 0 or 1; what the original writes for no and yes. It takes any other number for yes.
pub(crate) fn flag(text: &str) -> Option<bool> {
    i64::read(text).map(|value| value != 0)
}

/// Appends `key=value` and a newline.
pub(crate) fn put(out: &mut String, key: &str, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{key}={value}");
}

/// Appends a tab, `key=value` and a newline: a line of a section.
pub(crate) fn put_inside(out: &mut String, key: &str, value: impl Display) {
    out.push('\t');
    put(out, key, value);
}

/// An absent value is written as nothing.
pub(crate) fn or_empty(value: &Option<impl Display>) -> impl Display {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}
