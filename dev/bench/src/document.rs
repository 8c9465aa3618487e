//! The page that shows what was measured: each measurement has a place between two marks of its own.

use std::fs;

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
