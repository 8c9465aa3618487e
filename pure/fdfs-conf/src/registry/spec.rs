//! Files and sections as sets of keys, and what is odd about the keys a file has.

use std::sync::Arc;

use super::{Effect, Key, Reader, Shape, number_in};
use crate::error::Oddity;
use crate::suggest::nearest;

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
    /// Between the brackets; `#` stands for a number.
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
        self.sections.iter().find(|section| section.name == name || number_in(section.name, name).is_some())
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
