//! The registry: every key of every file, declared once.
//!
//! A row says the key's name, type, default, meaning, whether it is FastDFS's or our own, and whether it does anything. From the
//! rows come the structs of typed values (the first stage of loading), the default files, the reference page, and the
//! suggestions for mistyped keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{ConfError, Oddity, Reason, Warning};
use crate::ini::{Ini, Item, Place, WARNINGS_MAX};
use crate::suggest::nearest;
use crate::value::FromConf;

/// How a value is written, for parsing and for the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`/`yes`/`on`/`1`, `false`/`no`/`off`/`0`.
    Bool,
    /// A whole number.
    Number {
        /// What is counted.
        unit: Unit,
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// What happens outside.
        fit: Fit,
    },
    /// Bytes, with K, M, G or T.
    Size {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
        /// What happens outside.
        fit: Fit,
    },
    /// `HH:MM` or `HH:MM:SS`.
    Time,
    /// Words or a text, described here.
    Text(&'static str),
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    One,
    Seconds,
    Milliseconds,
    Days,
}

/// What happens to a number outside its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It stops the start.
    Strict,
    /// Below the least, the default is used, as FastDFS does; above the largest, it stops the start.
    DefaultBelow,
    /// The nearest limit is used, as FastDFS does.
    Clamp,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// FastDFS's.
    Fastdfs,
    /// Our own; FastDFS would ignore it.
    Cairn,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its line says.
    Used,
    /// Nothing, silently: shipped files set it.
    Ignored {
        /// Why nothing is lost.
        why: &'static str,
    },
    /// Nothing, with a warning: FastDFS itself no longer reads it, or it asks for something there is not.
    Retired {
        /// What to do instead.
        instead: &'static str,
    },
}

/// How often and under which names a key can occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Once; the last one counts.
    Once,
    /// Any number of times.
    Repeated,
    /// `#` in the name stands for a number.
    Numbered,
    /// The name ends in `*`, which stands for anything.
    Family,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As in the file.
    pub name: &'static str,
    /// Heading it belongs under.
    pub group: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// The value when the key is absent, as one would write it; `None`: no value, or required.
    pub default: Option<&'static str>,
    /// Shown instead when absence means something other than a value.
    pub absent: &'static str,
    /// What the default file sets; `None`: the default file shows the default in a comment.
    pub sample: Option<&'static str>,
    /// One line.
    pub doc: &'static str,
    /// Whose it is.
    pub origin: Origin,
    /// What it does.
    pub effect: Effect,
    /// How often.
    pub shape: Shape,
}

impl Key {
    const fn new(kind: Kind) -> Key {
        Key {
            name: "",
            group: "",
            kind,
            default: None,
            absent: "",
            sample: None,
            doc: "",
            origin: Origin::Fastdfs,
            effect: Effect::Used,
            shape: Shape::Once,
        }
    }

    pub(crate) const fn default(mut self, text: &'static str) -> Key {
        self.default = Some(text);
        self
    }

    /// What absence means, where that is not a value.
    pub(crate) const fn absent(mut self, meaning: &'static str) -> Key {
        self.absent = meaning;
        self
    }

    pub(crate) const fn sample(mut self, text: &'static str) -> Key {
        self.sample = Some(text);
        self
    }

    pub(crate) const fn doc(mut self, line: &'static str) -> Key {
        self.doc = line;
        self
    }

    pub(crate) const fn ours(mut self) -> Key {
        self.origin = Origin::Cairn;
        self
    }

    pub(crate) const fn named(mut self, name: &'static str) -> Key {
        self.name = name;
        self
    }

    /// For keys that are not read: how many names the row stands for.
    pub(crate) const fn shaped(mut self, shape: Shape) -> Key {
        self.shape = shape;
        self
    }

    /// Completes a row inside the registry: the field's name unless it has its own, heading, shape.
    pub(crate) const fn row(mut self, field: &'static str, group: &'static str, shape: Shape) -> Key {
        if self.name.is_empty() {
            self.name = field;
        }
        self.group = group;
        self.shape = shape;
        self
    }

    /// Whether this row is the one for a key in a file. Names are matched exactly, as FastDFS does.
    pub fn matches(&self, name: &str) -> bool {
        match self.shape {
            Shape::Once | Shape::Repeated => self.name == name,
            Shape::Numbered => self.number_in(name).is_some(),
            Shape::Family => name.starts_with(self.name.trim_end_matches('*')),
        }
    }

    /// The number that stands for `#`: canonical, at most three digits.
    fn number_in(&self, name: &str) -> Option<u32> {
        let (head, tail) = self.name.split_once('#')?;
        let digits = name.strip_prefix(head)?.strip_suffix(tail)?;
        let canonical = (1..=3).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'));
        digits.parse().ok().filter(|_| canonical)
    }
}

pub(crate) const fn flag() -> Key {
    Key::new(Kind::Bool)
}
pub(crate) const fn number(min: i64, max: i64, fit: Fit) -> Key {
    Key::new(Kind::Number { unit: Unit::One, min, max, fit })
}
/// Seconds; FastDFS counts them in 32 bits.
pub(crate) const fn seconds(min: i64, fit: Fit) -> Key {
    Key::new(Kind::Number { unit: Unit::Seconds, min, max: i32::MAX as i64, fit })
}
pub(crate) const fn milliseconds(min: i64, fit: Fit) -> Key {
    Key::new(Kind::Number { unit: Unit::Milliseconds, min, max: i32::MAX as i64, fit })
}
pub(crate) const fn days() -> Key {
    Key::new(Kind::Number { unit: Unit::Days, min: 0, max: i32::MAX as i64, fit: Fit::Clamp })
}
pub(crate) const fn size(min: u64, max: u64, fit: Fit) -> Key {
    Key::new(Kind::Size { min, max, fit })
}
pub(crate) const fn time() -> Key {
    Key::new(Kind::Time)
}
pub(crate) const fn text(shape: &'static str) -> Key {
    Key::new(Kind::Text(shape))
}
/// A key that is known and does nothing, silently.
pub(crate) const fn ignored(name: &'static str, why: &'static str) -> Key {
    Key { name, group: "Ignored", effect: Effect::Ignored { why }, ..Key::new(Kind::Text("anything")) }
}
/// A key that is known and does nothing, with a warning.
pub(crate) const fn retired(name: &'static str, instead: &'static str) -> Key {
    Key { name, group: "Retired", effect: Effect::Retired { instead }, ..Key::new(Kind::Text("anything")) }
}

/// Declares a table of rows and the struct of their values.
///
/// `field: Slot = row;` under a heading; the key is named like the field unless the row says `.named(…)`.
macro_rules! conf_keys {
    (
        $(#[$attr:meta])*
        struct $raw:ident, table $table:ident;
        $( $group:literal { $( $field:ident: $slot:ty = $row:expr; )* } )*
    ) => {
        $(#[$attr])*
        #[derive(Debug)]
        pub(crate) struct $raw {
            $( $( pub(crate) $field: $slot, )* )*
        }

        #[doc = concat!("The rows of [`", stringify!($raw), "`].")]
        pub(crate) const $table: &[$crate::registry::Key] = &[
            $( $( $row.row(stringify!($field), $group, <$slot as $crate::registry::Slot>::SHAPE), )* )*
        ];

        impl $raw {
            pub(crate) fn read(
                reader: &mut $crate::registry::Reader<'_>,
            ) -> Result<Self, $crate::error::ConfError> {
                Ok(Self {
                    $( $( $field: {
                        const KEY: $crate::registry::Key =
                            $row.row(stringify!($field), $group, <$slot as $crate::registry::Slot>::SHAPE);
                        <$slot as $crate::registry::Slot>::read(reader, &KEY)?
                    }, )* )*
                })
            }
        }
    };
}
pub(crate) use conf_keys;

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
        reader.last(key)
    }
}

/// A key that may be repeated.
pub(crate) type Many<T> = Vec<Given<T>>;

impl<T: FromConf> Slot for Vec<Given<T>> {
    const SHAPE: Shape = Shape::Repeated;

    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Result<Self, ConfError> {
        let items: Vec<&Item> = reader.ini.all("", key.name).collect();
        items.into_iter().map(|item| reader.parse(key, item)).collect()
    }
}

/// A key with a number in its name.
pub(crate) type Numbered<T> = BTreeMap<u32, Given<T>>;

impl<T: FromConf> Slot for BTreeMap<u32, Given<T>> {
    const SHAPE: Shape = Shape::Numbered;

    fn read(reader: &mut Reader<'_>, key: &'static Key) -> Result<Self, ConfError> {
        let mut numbered = BTreeMap::new();
        let ini = reader.ini;
        for item in ini.items().iter().filter(|item| item.section.is_empty()) {
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
    section: &'static str,
    fall_back: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(ini: &'a Ini) -> Self {
        Reader { ini, warnings: ini.warnings().to_vec(), section: "", fall_back: false }
    }

    /// Runs `read` on the keys of a section. With `fall_back`, keys the section lacks are taken from no section.
    pub(crate) fn in_section<T>(
        &mut self,
        section: &'static str,
        fall_back: bool,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        (self.section, self.fall_back) = (section, fall_back);
        let value = read(self);
        (self.section, self.fall_back) = ("", false);
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

    fn warn_at(&mut self, key: &str, place: Option<&Place>, oddity: Oddity) {
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
        let mut items: Vec<&Item> = self.ini.all(self.section, key.name).collect();
        if items.is_empty() && self.fall_back {
            items = self.ini.all("", key.name).collect();
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

/// A file and the keys it may hold.
#[derive(Clone, Copy, Debug)]
pub struct FileSpec {
    /// Its usual name.
    pub name: &'static str,
    /// What it is for, one line.
    pub doc: &'static str,
    /// The keys outside sections.
    pub keys: &'static [&'static [Key]],
    /// The sections and their keys.
    pub sections: &'static [SectionSpec],
    /// The file is also read by programs it was not written for: keys of other files are nothing odd.
    pub shared: bool,
}

/// A section and the keys it may hold.
#[derive(Clone, Copy, Debug)]
pub struct SectionSpec {
    /// Between the brackets.
    pub name: &'static str,
    /// What it is for, one line.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [&'static [Key]],
}

impl FileSpec {
    /// All rows for the keys outside sections.
    pub fn rows(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().copied().flatten()
    }

    fn find(&self, name: &str) -> Option<&'static Key> {
        self.rows().find(|key| key.matches(name))
    }

    fn section(&self, name: &str) -> Option<&'static SectionSpec> {
        self.sections.iter().find(|section| section.name == name)
    }
}

impl SectionSpec {
    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().copied().flatten()
    }
}

/// Warns about keys and sections the file does not know, or knows to be without effect.
pub(crate) fn check_names(reader: &mut Reader<'_>, spec: &FileSpec, others: &[&FileSpec]) {
    let mut told: Vec<Arc<str>> = Vec::new();
    for item in reader.ini.items() {
        let oddity = if item.section.is_empty() {
            global_oddity(spec, others, &item.key)
        } else if let Some(section) = spec.section(&item.section) {
            section_oddity(spec, section, &item.key)
        } else if spec.shared || told.contains(&item.section) {
            None
        } else {
            told.push(item.section.clone());
            let file = others.iter().find(|other| other.section(&item.section).is_some());
            Some(file.map_or(Oddity::UnknownSection, |other| Oddity::OtherFile { file: other.name }))
        };
        match oddity {
            Some(oddity @ (Oddity::UnknownSection | Oddity::OtherFile { .. }))
                if !item.section.is_empty() =>
            {
                reader.warn_at(&format!("[{}]", item.section), Some(&item.place), oddity);
            }
            Some(oddity) => reader.warn(item, oddity),
            None => {}
        }
    }
}

fn global_oddity(spec: &FileSpec, others: &[&FileSpec], name: &str) -> Option<Oddity> {
    if let Some(key) = spec.find(name) {
        return effect_oddity(key);
    }
    if let Some(section) = spec.sections.iter().find(|s| s.rows().any(|key| key.matches(name))) {
        return Some(Oddity::BelongsInSection { section: section.name });
    }
    if let Some(other) = others.iter().find(|other| other.find(name).is_some()) {
        return (!spec.shared).then_some(Oddity::OtherFile { file: other.name });
    }
    Some(unknown(name, spec.rows()))
}

fn section_oddity(spec: &FileSpec, section: &SectionSpec, name: &str) -> Option<Oddity> {
    if let Some(key) = section.rows().find(|key| key.matches(name)) {
        return effect_oddity(key);
    }
    if spec.find(name).is_some() {
        return Some(Oddity::BelongsAboveSections);
    }
    Some(unknown(name, section.rows()))
}

fn effect_oddity(key: &Key) -> Option<Oddity> {
    match key.effect {
        Effect::Retired { instead } => Some(Oddity::Retired { instead }),
        Effect::Used | Effect::Ignored { .. } => None,
    }
}

fn unknown(name: &str, keys: impl Iterator<Item = &'static Key>) -> Oddity {
    let known = keys.filter(|key| matches!(key.shape, Shape::Once | Shape::Repeated)).map(|key| key.name);
    match nearest(name, known) {
        Some(nearest) => Oddity::UnknownKeyLike { nearest },
        None => Oddity::UnknownKey,
    }
}
