//! The grammar of FastDFS's `.conf` files.
//!
//! ```text
//! # a comment: only with the # as the first character of a line
//! key = value            blanks around both are dropped, the value runs to the end of the line
//! key = another          a key may be repeated: lists take all values, others the last
//! [section]              keys from here on belong to the section; [] leads back to no section
//! #include other.conf    reads another file here, starting and ending outside any section
//! #@set / #@if / #@for   see the module `directive`
//! #@function NAME        computes the value of the key on the next line
//! ```
//!
//! Source: dependencies, FastDFS .conf; the original's `ini_file_reader.c` (iniDoLoadItemsFromBuffer).
//!
//! Differences on purpose: lines end in LF or CRLF everywhere, a byte order mark is stepped over, a line that is none of the
//! above is warned about, a directive that cannot be followed stops the start, and commands and libraries are never run.

mod directive;
mod function;

use std::net::IpAddr;
use std::sync::Arc;

use crate::error::{ConfError, LoadError, Oddity, Reason, Warning};
use directive::{Expander, Variables};

/// Longest file, bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Files read for one configuration.
pub const FILES_MAX: usize = 64;
/// Files that include each other: the first one and those below it.
pub const INCLUDE_DEPTH_MAX: usize = 8;
/// Bytes of all files together, loops written out.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// Keys in one configuration, repetitions counted.
pub const KEYS_MAX: usize = 10_000;
/// Oddities reported for one configuration; what comes after them is left out.
pub const WARNINGS_MAX: usize = 200;
/// Longest value FastDFS keeps, bytes.
pub const FASTDFS_VALUE_MAX: usize = 255;

/// Gives the text of the file at a path. Paths are as configured, relative ones already led to the configuration's folder.
///
/// Bytes that are not UTF-8 (old comments) should be replaced, not refused: [`text_of`].
pub type Loader<'a> = dyn FnMut(&str) -> Result<String, LoadError> + 'a;

/// The text of a file's bytes; what is not UTF-8 becomes U+FFFD.
pub fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// What directives may ask about the machine (`LOCAL_IP`, `LOCAL_HOST`, `LOCAL_IP_GET`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThisHost {
    /// Its addresses without loopback, in the system's order.
    pub addresses: Vec<IpAddr>,
    /// Its host name.
    pub name: String,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as given or included.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

/// One `key = value` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The section; empty for none.
    pub section: Arc<str>,
    /// The key, never empty.
    pub key: String,
    /// The value, may be empty.
    pub value: String,
    /// Where.
    pub place: Place,
}

/// A parsed configuration: all lines of all its files, in order.
#[derive(Clone, Debug)]
pub struct Ini {
    file: Arc<str>,
    items: Vec<Item>,
    warnings: Vec<Warning>,
}

impl Ini {
    /// Reads the file at `path` and what it includes. Without `host`, a directive that asks about the machine is an error.
    pub fn load(path: &str, loader: &mut Loader<'_>, host: Option<&ThisHost>) -> Result<Ini, ConfError> {
        let mut reading = Reading::new(path, loader, host);
        let text = (reading.loader)(path).map_err(|error| reading.fault(None, error.into()))?;
        reading.file(&text)?;
        Ok(reading.ini)
    }

    /// Reads a text that stands alone, such as the parameters a tracker sends. An `#include` in it is an error.
    pub fn parse(name: &str, text: &str) -> Result<Ini, ConfError> {
        let mut no_files = |_: &str| Err(LoadError::NotFound);
        let mut reading = Reading::new(name, &mut no_files, None);
        reading.file(text)?;
        Ok(reading.ini)
    }

    /// The first file's name, as given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// All lines in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The value that counts for a key: its last one. The empty section is the one of no section.
    pub fn get(&self, section: &str, key: &str) -> Option<&Item> {
        self.items.iter().rev().find(|item| *item.section == *section && item.key == key)
    }

    /// All values of a key in order.
    pub fn all<'a>(&'a self, section: &'a str, key: &'a str) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| *item.section == *section && item.key == key)
    }

    /// What was odd about the lines.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// Leads a relative path to the folder of a file; absolute ones stay.
pub(crate) fn beside(file: &str, path: &str) -> String {
    match file.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

struct Reading<'a, 'l> {
    loader: &'a mut Loader<'l>,
    host: Option<&'a ThisHost>,
    variables: Variables,
    /// Files being read, outermost first.
    open: Vec<Arc<str>>,
    files: usize,
    bytes_left: usize,
    ini: Ini,
}

impl<'a, 'l> Reading<'a, 'l> {
    fn new(path: &str, loader: &'a mut Loader<'l>, host: Option<&'a ThisHost>) -> Self {
        let file: Arc<str> = path.into();
        Reading {
            loader,
            host,
            variables: Variables::default(),
            open: vec![file.clone()],
            files: 1,
            bytes_left: TEXT_BYTES_MAX,
            ini: Ini { file, items: Vec::new(), warnings: Vec::new() },
        }
    }

    fn current(&self) -> Arc<str> {
        self.open.last().unwrap_or(&self.ini.file).clone()
    }

    fn fault(&self, line: Option<u32>, reason: Reason) -> ConfError {
        ConfError { file: self.current().to_string(), line, key: String::new(), reason: Box::new(reason) }
    }

    fn warn(&mut self, line: u32, key: &str, oddity: Oddity) {
        let warning =
            Warning { file: self.current().to_string(), line: Some(line), key: key.to_owned(), oddity };
        // A file in a loop repeats its oddities.
        if self.ini.warnings.len() < WARNINGS_MAX && !self.ini.warnings.contains(&warning) {
            self.ini.warnings.push(warning);
        }
    }

    /// Reads the text of the file that is last in `open`.
    fn file(&mut self, text: &str) -> Result<(), ConfError> {
        if text.len() > FILE_BYTES_MAX {
            return Err(self.fault(None, Reason::FileTooLong { limit: FILE_BYTES_MAX }));
        }
        if let Some(position) = text.find('\0') {
            let line = text[..position].matches('\n').count() + 1;
            return Err(self.fault(u32::try_from(line).ok(), Reason::Nul));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut expander = Expander {
            host: self.host,
            variables: &mut self.variables,
            bytes_left: &mut self.bytes_left,
            lines: Vec::new(),
            oddities: Vec::new(),
        };
        let expanded = expander.expand(text);
        let (lines, oddities) = (expander.lines, expander.oddities);
        expanded.map_err(|(line, reason)| self.fault(Some(line), reason))?;
        for (line, oddity) in oddities {
            self.warn(line, "", oddity);
        }
        self.lines(&lines)
    }

    fn lines(&mut self, lines: &[(u32, String)]) -> Result<(), ConfError> {
        let mut section: Arc<str> = "".into();
        let mut function: Option<&str> = None;
        for (number, line) in lines {
            let number = *number;
            let line = line.trim_matches(BLANKS);
            let called = function.take();
            if let Some(comment) = line.strip_prefix('#') {
                if called.is_some() {
                    self.warn(number, "", Oddity::FunctionWithoutKey);
                }
                if let Some(path) = word_after(comment, "include") {
                    self.include(number, path)?;
                    section = "".into();
                } else if let Some(name) = word_after(comment, "@function") {
                    function = Some(name);
                } else if word_after(comment, "@add_annotation").is_some() {
                    let reason = crate::error::DirectiveError::AddAnnotation.into();
                    return Err(self.fault(Some(number), reason));
                }
            } else if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name.trim_matches(BLANKS).into();
            } else if let Some((key, value)) = line.split_once('=') {
                let (key, value) = (key.trim_matches(BLANKS), value.trim_matches(BLANKS));
                self.item(&section, key, value, number, called)?;
                continue;
            } else if !line.is_empty() {
                self.warn(number, "", Oddity::NotUnderstood { line: excerpt(line) });
            }
            if called.is_some() && !line.starts_with('#') {
                self.warn(number, "", Oddity::FunctionWithoutKey);
            }
        }
        Ok(())
    }

    fn item(
        &mut self,
        section: &Arc<str>,
        key: &str,
        value: &str,
        line: u32,
        function: Option<&str>,
    ) -> Result<(), ConfError> {
        if key.is_empty() {
            self.warn(line, "", Oddity::NotUnderstood { line: excerpt(&format!("= {value}")) });
            return Ok(());
        }
        let mut oddities = Vec::new();
        let values = match function {
            None => vec![value.to_owned()],
            Some(name) => function::call(name, value, &self.variables, self.host, &mut oddities)
                .map_err(|error| ConfError { key: key.to_owned(), ..self.fault(Some(line), error.into()) })?,
        };
        for oddity in oddities {
            self.warn(line, key, oddity);
        }
        for value in values {
            if value.len() > FASTDFS_VALUE_MAX {
                self.warn(line, key, Oddity::LongForFastdfs { limit: FASTDFS_VALUE_MAX });
            }
            if self.ini.items.len() == KEYS_MAX {
                return Err(self.fault(Some(line), Reason::TooManyKeys { limit: KEYS_MAX }));
            }
            let place = Place { file: self.current(), line };
            self.ini.items.push(Item { section: section.clone(), key: key.to_owned(), value, place });
        }
        Ok(())
    }

    fn include(&mut self, line: u32, path: &str) -> Result<(), ConfError> {
        let path = path.strip_prefix("file://").unwrap_or(path);
        let shown = path.to_owned();
        if path.contains("://") {
            return Err(self.fault(Some(line), Reason::IncludesUrl { path: shown }));
        }
        if self.open.len() == INCLUDE_DEPTH_MAX {
            let limit = INCLUDE_DEPTH_MAX;
            return Err(self.fault(Some(line), Reason::IncludedTooDeep { path: shown, limit }));
        }
        if self.files == FILES_MAX {
            return Err(self.fault(Some(line), Reason::TooManyFiles { path: shown, limit: FILES_MAX }));
        }
        self.files += 1;

        // FastDFS leads a relative path to the folder of the first file, whichever file includes it. A file further down was
        // perhaps written with its own folder in mind: that is tried next.
        let mut candidates =
            vec![plain(&beside(&self.ini.file, path)), plain(&beside(&self.current(), path))];
        candidates.dedup();
        let mut failure = LoadError::NotFound;
        for candidate in candidates {
            if self.open.iter().any(|open| plain(open) == candidate) {
                return Err(self.fault(Some(line), Reason::IncludesItself { path: shown }));
            }
            match (self.loader)(&candidate) {
                Ok(text) => {
                    self.open.push(candidate.into());
                    self.file(&text)?;
                    self.open.pop();
                    return Ok(());
                }
                Err(LoadError::NotFound) => {}
                Err(error) => {
                    failure = error;
                    break;
                }
            }
        }
        Err(self.fault(Some(line), Reason::Include { path: shown, error: failure }))
    }
}

/// What follows a word, if the text starts with it (in any case) and a blank.
fn word_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    let rest = rest.strip_prefix([' ', '\t'])?;
    head.eq_ignore_ascii_case(word).then(|| rest.trim_matches(BLANKS))
}

/// A path without `.` parts and doubled slashes, so that two spellings of one file compare equal. `..` stays: only the
/// system knows where it leads, and the depth limit stops what this overlooks.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

/// The beginning of a line for a message.
fn excerpt(line: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = line.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if line.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}
