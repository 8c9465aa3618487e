//! The options the three stat tools share: `-c conf`, `-h`, and pairs of letters of which the last counts.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Trouble, options};

const DEFAULT_CONF: &str = "/etc/fdfs/client.conf";

/// A stat tool's command line.
#[derive(Debug)]
pub(super) struct StatOptions {
    /// The configuration.
    pub conf: PathBuf,
    letters: Vec<u8>,
}

impl StatOptions {
    /// Takes the arguments apart; `-h` and letters the tool does not have end with the usage.
    pub(super) fn parse(args: &[OsString], letters: &[u8]) -> Result<Self, Trouble> {
        let mut allowed = letters.to_vec();
        allowed.push(b'h');
        let parsed = options::parse(args, &allowed, b"c").map_err(|_| Trouble::Usage(1))?;
        let mut found = Self { conf: PathBuf::from(DEFAULT_CONF), letters: Vec::new() };
        for (letter, value) in parsed.given {
            match (letter, value) {
                (b'h', _) => return Err(Trouble::Usage(0)),
                (b'c', Some(conf)) => found.conf = PathBuf::from(conf),
                (letter, _) => found.letters.push(letter),
            }
        }
        Ok(found)
    }

    /// Whether a letter was given.
    pub(super) fn has(&self, letter: u8) -> bool {
        self.letters.contains(&letter)
    }

    /// Which of two opposite letters came last: true for `yes`, false for `no`, nothing for neither.
    pub(super) fn last_of(&self, yes: u8, no: u8) -> Option<bool> {
        self.last_of_any(&[yes], &[no])
    }

    /// The same where a side has several letters.
    pub(super) fn last_of_any(&self, yes: &[u8], no: &[u8]) -> Option<bool> {
        let mut last_first = self.letters.iter().rev();
        last_first
            .find(|letter| yes.contains(letter) || no.contains(letter))
            .map(|letter| yes.contains(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<StatOptions, Trouble> {
        StatOptions::parse(&words.iter().map(OsString::from).collect::<Vec<_>>(), b"ANd")
    }

    #[test]
    fn of_two_opposites_the_last_counts() {
        assert_eq!(parse(&["-A", "-N"]).unwrap().last_of(b'A', b'N'), Some(false));
        assert_eq!(parse(&["-NA"]).unwrap().last_of(b'A', b'N'), Some(true));
        assert_eq!(parse(&["-d"]).unwrap().last_of(b'A', b'N'), None);
    }

    #[test]
    fn help_is_no_failure_and_an_unknown_letter_is() {
        assert!(matches!(parse(&["-h"]), Err(Trouble::Usage(0))));
        assert!(matches!(parse(&["-x"]), Err(Trouble::Usage(1))));
    }

    #[test]
    fn the_configuration_is_the_usual_one_unless_named() {
        assert_eq!(parse(&[]).unwrap().conf, PathBuf::from("/etc/fdfs/client.conf"));
        assert_eq!(parse(&["-c", "x.conf"]).unwrap().conf, PathBuf::from("x.conf"));
    }
}
