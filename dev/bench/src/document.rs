//! The page that shows what was measured: each measurement has a place between two marks of its own.

use std::fs;
use std::io::{self, Stdout, Write};

use anyhow::{Context, Result};
use testkit::binary::workspace;

const DOCUMENT: &str = "docs/performance.md";

/// Puts what a measurement found in the place of what it found the last time.
pub(crate) fn put(measurement: &str, text: &str) -> Result<()> {
    let path = workspace().join(DOCUMENT);
    let before = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let after = between(&before, measurement, text);
    let after = after.with_context(|| format!("{} has not both marks of {measurement}", path.display()))?;
    fs::write(&path, after).with_context(|| format!("write {}", path.display()))
}

/// What a measurement prints, line by line, and keeps for the page.
pub(crate) struct Told {
    shown: Stdout,
    kept: Vec<u8>,
}

impl Told {
    pub(crate) fn new() -> Told {
        Told { shown: io::stdout(), kept: Vec::new() }
    }

    /// Printed, and not kept: how it goes on the way.
    pub(crate) fn aside(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.shown, "{line}")
    }

    /// Puts all of it on the page.
    pub(crate) fn put(self, measurement: &str) -> Result<()> {
        let text = String::from_utf8(self.kept).context("not all of it is text")?;
        put(measurement, &format!("```\n{}\n```\n", text.trim_end()))
    }
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.shown.write(bytes)?;
        self.kept.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shown.flush()
    }
}

fn between(document: &str, measurement: &str, text: &str) -> Option<String> {
    let mark = |which: &str| format!("<!-- cargo xtask bench {measurement}: {which} -->\n");
    let (begin, end) = (mark("begin"), mark("end"));
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}\n{text}\n{end}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_aside_is_not_kept() {
        let mut told = Told::new();
        told.write_all(b"a figure\n").unwrap();
        told.aside("on the way").unwrap();
        told.write_all(b"another\n").unwrap();
        assert_eq!(told.kept, b"a figure\nanother\n");
    }

    #[test]
    fn what_is_between_the_marks_of_a_measurement_is_replaced() {
        let marked = |text: &str| {
            format!("<!-- cargo xtask bench a: begin -->\n{text}<!-- cargo xtask bench a: end -->\n")
        };
        let other = marked("other\n").replace("bench a", "bench b");
        let document = format!("head\n{other}{}tail\n", marked("old\n"));
        let expected = format!("head\n{other}{}tail\n", marked("\nnew\n\n"));
        assert_eq!(between(&document, "a", "new\n"), Some(expected));
        assert_eq!(between("head\n", "a", "new\n"), None);
    }
}
