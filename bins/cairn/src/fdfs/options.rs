//! Single-letter options as the original's tools take them: anywhere on the line, several behind one
//! dash, a value attached or following.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A parsed command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// The letters in order, with their values.
    pub given: Vec<(u8, Option<OsString>)>,
    /// What is not an option.
    pub rest: Vec<OsString>,
}

/// A letter the tool does not have, or one whose value is missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAnOption(pub u8);

/// Splits `args`. `letters` are the plain options, `with_value` those that take one.
pub(super) fn parse(args: &[OsString], letters: &[u8], with_value: &[u8]) -> Result<Options, NotAnOption> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        let Some(cluster) = bytes.strip_prefix(b"-").filter(|cluster| !cluster.is_empty()) else {
            options.rest.push(arg.clone());
            continue;
        };
        if cluster == b"-" {
            options.rest.extend(args.cloned());
            break;
        }
        for (at, letter) in cluster.iter().copied().enumerate() {
            if with_value.contains(&letter) {
                let attached = cluster.get(at + 1..).filter(|value| !value.is_empty());
                let value = match attached {
                    Some(value) => OsString::from_vec(value.to_vec()),
                    None => args.next().cloned().ok_or(NotAnOption(letter))?,
                };
                options.given.push((letter, Some(value)));
                break;
            }
            if !letters.contains(&letter) {
                return Err(NotAnOption(letter));
            }
            options.given.push((letter, None));
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn options_stand_anywhere_and_share_a_dash() {
        let options = parse(&args(&["conf", "-ns", "id"]), b"ns", b"").unwrap();
        assert_eq!(options.given, [(b'n', None), (b's', None)]);
        assert_eq!(options.rest, args(&["conf", "id"]));
    }

    #[test]
    fn a_value_is_attached_or_follows() {
        for words in [&["-cmy.conf", "-A"][..], &["-c", "my.conf", "-A"], &["-A", "-c", "my.conf"]] {
            let mut options = parse(&args(words), b"A", b"c").unwrap();
            options.given.sort();
            assert_eq!(options.given, [(b'A', None), (b'c', Some("my.conf".into()))]);
        }
    }

    #[test]
    fn unknown_letters_and_missing_values_are_refused() {
        assert_eq!(parse(&args(&["-x"]), b"A", b"c"), Err(NotAnOption(b'x')));
        assert_eq!(parse(&args(&["-c"]), b"A", b"c"), Err(NotAnOption(b'c')));
    }

    #[test]
    fn after_two_dashes_everything_is_an_argument() {
        let options = parse(&args(&["-A", "--", "-x", "y"]), b"A", b"").unwrap();
        assert_eq!(options.rest, args(&["-x", "y"]));
    }

    #[test]
    fn a_lone_dash_is_an_argument() {
        assert_eq!(parse(&args(&["-"]), b"", b"").unwrap().rest, args(&["-"]));
    }
}
