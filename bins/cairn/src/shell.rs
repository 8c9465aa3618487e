//! Words of commands that people copy into a shell.

use std::fmt;
use std::path::Path;

/// Shown as one word to a POSIX shell: as it is where that is safe, else in single quotes.
pub(crate) struct Word<'a>(pub(crate) &'a str);

/// A path that is not UTF-8 has no spelling here; it is shown with replacement characters.
pub(crate) fn path(path: &Path) -> String {
    Word(&path.to_string_lossy()).to_string()
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let safe = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
        if !self.0.is_empty() && self.0.chars().all(safe) {
            return f.write_str(self.0);
        }
        write!(f, "'{}'", self.0.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_and_is_quoted_only_where_it_must_be() {
        for (text, shown) in [
            ("target/release/cairn", "target/release/cairn"),
            ("/文件/client.conf", "/文件/client.conf"),
            ("my data/client.conf", "'my data/client.conf'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(path(Path::new(text)), shown);
        }
    }
}
