//! Typed values out of a file: the first stage of loading.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Key, Kind, Shape};
use crate::error::{ConfError, Oddity, Reason, Warning};
use crate::ini::{Ini, Item, Place, WARNINGS_MAX};
use crate::value::FromConf;

/// A value and where it was given; `place` is `None` for a default.
#[derive(Clone, Debug)]
pub(crate) struct Given<T> {
    pub(crate) key: String,
    pub(crate) value: T,
    pub(crate) place: Option<Place>,
}

impl<T> Given<T> {
    /// An error about this value.
    pub(crate) fn fault(&self, ini: &Ini, reason: Reason) -> ConfError {
        fault(ini, &self.key, self.place.as_ref(), reason)
    }
}

fn fault(ini: &Ini, key: &str, place: Option<&Place>, reason: Reason) -> ConfError {
    ConfError {
        file: place.map_or(ini.file(), |place| &place.file).to_owned(),
        line: place.map(|place| place.line),
        key: key.to_owned(),
        reason: Box::new(reason),
    }
}

/// A field of a struct of typed values.
pub(crate) trait Slot: Sized {
    const SHAPE: Shape;
    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Result<Self, ConfError>;
}

/// A key with a default.
pub(crate) type One<T> = Given<T>;

impl<T: FromConf> Slot for Given<T> {
    const SHAPE: Shape = Shape::Once;

    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Result<Self, ConfError> {
        if let Some(given) = reader.last(key)? {
            return Ok(given);
        }
        let fault = |reason| fault(reader.ini, key.name, None, reason);
        let default = key.default.ok_or_else(|| fault(Reason::Missing))?;
        let value = T::from_conf(key, default, &mut Vec::new()).map_err(fault)?;
        Ok(Given { key: key.name.to_owned(), value, place: None })
    }
}

/// A key without a default.
pub(crate) type Maybe<T> = Option<Given<T>>;

impl<T: FromConf> Slot for Option<Given<T>> {
    const SHAPE: Shape = Shape::Once;

    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Result<Self, ConfError> {
        // An empty text is a value, an empty number is none.
        let number = matches!(key.kind, Kind::Number { .. } | Kind::Size { .. });
        match reader.ini.get(&reader.section, key.name) {
            Some(item) if number && item.value.is_empty() => {
                reader.warn(item, Oddity::EmptyNumber { used: key.absent.to_owned() });
                Ok(None)
            }
            _ => reader.last(key),
        }
    }
}

/// A key that may be repeated.
pub(crate) type Many<T> = Vec<Given<T>>;

impl<T: FromConf> Slot for Vec<Given<T>> {
    const SHAPE: Shape = Shape::Repeated;

    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Result<Self, ConfError> {
        let (ini, section) = (reader.ini, reader.section.clone());
        let items: Vec<&Item> = ini.all(&section, key.name).collect();
        items.into_iter().map(|item| reader.parse(key, item)).collect()
    }
}

/// A key with a number in its name.
pub(crate) type Numbered<T> = BTreeMap<u32, Given<T>>;

impl<T: FromConf> Slot for BTreeMap<u32, Given<T>> {
    const SHAPE: Shape = Shape::Numbered;

    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Result<Self, ConfError> {
        let mut numbered = BTreeMap::new();
        let (ini, section) = (reader.ini, reader.section.clone());
        for item in ini.items().iter().filter(|item| item.section == section) {
            let Some(number) = key.number_in(&item.key) else { continue };
            let given: Given<T> = reader.parse(key, item)?;
            if let Some(Given { place: Some(earlier), .. }) = numbered.insert(number, given) {
                reader.warn(item, Oddity::GivenAgain { earlier: earlier.line });
            }
        }
        Ok(numbered)
    }
}

/// Reads typed values out of one file.
pub(crate) struct Reader<'a> {
    pub(crate) ini: &'a Ini,
    warnings: Vec<Warning>,
    section: Arc<str>,
    fall_back: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(ini: &'a Ini) -> Self {
        Reader { ini, warnings: ini.warnings().to_vec(), section: "".into(), fall_back: false }
    }

    /// Runs `read` on the keys of a section. With `fall_back`, keys the section lacks are taken from no section.
    pub(crate) fn in_section<T>(
        &mut self,
        section: &str,
        fall_back: bool,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        (self.section, self.fall_back) = (section.into(), fall_back);
        let value = read(self);
        (self.section, self.fall_back) = ("".into(), false);
        value
    }

    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }

    pub(crate) fn warn(&mut self, item: &Item, oddity: Oddity) {
        self.warn_at(&item.key, Some(&item.place), oddity);
    }

    /// A warning about a value that has been read.
    pub(crate) fn warn_given<T>(&mut self, given: &Given<T>, oddity: Oddity) {
        self.warn_at(&given.key, given.place.as_ref(), oddity);
    }

    pub(crate) fn warn_at(&mut self, key: &str, place: Option<&Place>, oddity: Oddity) {
        let warning = Warning {
            file: place.map_or(self.ini.file(), |place| &place.file).to_owned(),
            line: place.map(|place| place.line),
            key: key.to_owned(),
            oddity,
        };
        // A value is looked at twice where two sections fall back on it.
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn last<T: FromConf>(&mut self, key: &Key) -> Result<Option<Given<T>>, ConfError> {
        let (ini, section) = (self.ini, self.section.clone());
        let mut items: Vec<&Item> = ini.all(&section, key.name).collect();
        if items.is_empty() && self.fall_back {
            items = ini.all("", key.name).collect();
        }
        let Some((last, earlier)) = items.split_last() else { return Ok(None) };
        if let Some(earlier) = earlier.last() {
            self.warn(last, Oddity::GivenAgain { earlier: earlier.place.line });
        }
        self.parse(key, last).map(Some)
    }

    fn parse<T: FromConf>(&mut self, key: &Key, item: &Item) -> Result<Given<T>, ConfError> {
        let mut oddities = Vec::new();
        let value = T::from_conf(key, &item.value, &mut oddities)
            .map_err(|reason| fault(self.ini, &item.key, Some(&item.place), reason))?;
        for oddity in oddities {
            self.warn(item, oddity);
        }
        Ok(Given { key: item.key.clone(), value, place: Some(item.place.clone()) })
    }
}
