//! Another name when the wanted one is taken: `name (2).ext`.
//!
//! The number is always added, never counted on from one that is there: `Report (2019).pdf` becomes `Report (2019)
//! (2).pdf`, because a number in brackets may mean something.

use std::collections::BTreeSet;

use super::kind::NodeKind;
use super::name::{NAME_BYTES_MAX, NodeName};
use crate::problem::Problem;

/// The highest number that is tried. A folder with that many of one name has a program gone wild.
pub const NUMBER_MAX: u32 = 9_999;

/// Bytes of ` (9999)`.
const SUFFIX_BYTES_MAX: usize = 7;

/// Endings that belong together with the one before them: `.tar.gz`.
const OUTER: [&str; 6] = ["gz", "bz2", "xz", "zst", "lz", "z"];

/// What all numbered forms of a name begin with, so that one query finds those that are taken.
pub fn family(name: &NodeName, kind: NodeKind) -> &str {
    let (stem, extension) = split(name, kind);
    let room = NAME_BYTES_MAX - SUFFIX_BYTES_MAX - extension.len();
    stem[..stem.floor_char_boundary(room)].trim_end()
}

/// The name, or its first numbered form that is not among `taken`.
pub fn keep_both(name: &NodeName, kind: NodeKind, taken: &BTreeSet<NodeName>) -> Result<NodeName, Problem> {
    if !taken.contains(name) {
        return Ok(name.clone());
    }
    (2..=NUMBER_MAX)
        .map_while(|number| numbered(name, kind, number))
        .find(|candidate| !taken.contains(candidate))
        .ok_or(Problem::TooManyCopies)
}

/// The name with a number. None only if that were no name, which cannot be.
fn numbered(name: &NodeName, kind: NodeKind, number: u32) -> Option<NodeName> {
    let (stem, extension) = split(name, kind);
    let suffix = format!(" ({number})");
    let room = NAME_BYTES_MAX - suffix.len() - extension.len();
    let stem = stem[..stem.floor_char_boundary(room)].trim_end();
    NodeName::new(&format!("{stem}{suffix}{extension}")).ok()
}

/// Splits before the dot of the extension. Folders have none: `photos.2024` is a name.
fn split(name: &NodeName, kind: NodeKind) -> (&str, &str) {
    let text = name.as_str();
    let Some(extension) = name.extension().filter(|_| kind == NodeKind::File) else { return (text, "") };
    let mut at = text.len() - extension.len() - 1;
    let stem = &text[..at];
    if OUTER.iter().any(|outer| extension.eq_ignore_ascii_case(outer))
        && let Some(inner) = stem.len().checked_sub(4)
        && inner > 0
        && stem.is_char_boundary(inner)
        && stem[inner..].eq_ignore_ascii_case(".tar")
    {
        at = inner;
    }
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        NodeName::new(text).unwrap()
    }

    fn names(texts: &[&str]) -> BTreeSet<NodeName> {
        texts.iter().map(|text| name(text)).collect()
    }

    #[test]
    fn the_number_stands_before_the_extension() {
        for (taken, expected) in [
            ("a.txt", "a (2).txt"),
            ("a", "a (2)"),
            ("报告.文档", "报告 (2).文档"),
            ("my.report.v2.pdf", "my.report.v2 (2).pdf"),
            ("archive.tar.gz", "archive (2).tar.gz"),
            ("archive.TAR.Xz", "archive (2).TAR.Xz"),
            ("文.tar.gz", "文 (2).tar.gz"),
            (".tar.gz", ".tar (2).gz"),
            ("tar.gz", "tar (2).gz"),
            ("图.gz", "图 (2).gz"),
            (".bashrc", ".bashrc (2)"),
            ("Dr. Who", "Dr. Who (2)"),
            ("ends with a dot.", "ends with a dot. (2)"),
            ("long.extensionofseventeen", "long.extensionofseventeen (2)"),
            ("Report (2019).pdf", "Report (2019) (2).pdf"),
        ] {
            let found = keep_both(&name(taken), NodeKind::File, &names(&[taken]));
            assert_eq!(found, Ok(name(expected)), "{taken}");
        }
    }

    #[test]
    fn a_folder_has_no_extension() {
        let found = keep_both(&name("photos.2024"), NodeKind::Folder, &names(&["photos.2024"]));
        assert_eq!(found, Ok(name("photos.2024 (2)")));
    }

    #[test]
    fn the_first_free_number_is_taken() {
        let taken = names(&["a.txt", "a (2).txt", "a (4).txt"]);
        assert_eq!(keep_both(&name("a.txt"), NodeKind::File, &taken), Ok(name("a (3).txt")));
        assert_eq!(keep_both(&name("A.txt"), NodeKind::File, &taken), Ok(name("A.txt")));
    }

    #[test]
    fn a_long_name_gives_up_its_end_for_the_number() {
        let long = format!("{}.txt", "文".repeat(83)); // 253 bytes
        let found = keep_both(&name(&long), NodeKind::File, &names(&[&long])).unwrap();
        assert_eq!(found.as_str(), format!("{} (2).txt", "文".repeat(82)));
        let full = "b".repeat(255);
        let found = keep_both(&name(&full), NodeKind::Folder, &names(&[&full])).unwrap();
        assert_eq!(found.as_str(), format!("{} (2)", "b".repeat(251)));
    }

    #[test]
    fn all_numbered_forms_begin_with_the_family() {
        for text in ["a.txt", "archive.tar.gz", &format!("{}.txt", "文".repeat(83)), &"b".repeat(255), "x y"]
        {
            let name = name(text);
            for kind in [NodeKind::File, NodeKind::Folder] {
                for number in [2, 10, 999, NUMBER_MAX] {
                    let numbered = numbered(&name, kind, number).unwrap();
                    assert!(numbered.as_str().starts_with(family(&name, kind)), "{numbered}");
                }
            }
        }
    }

    #[test]
    fn numbers_end() {
        let wanted = name("a");
        let mut taken: BTreeSet<_> =
            (2..=NUMBER_MAX).filter_map(|number| numbered(&wanted, NodeKind::File, number)).collect();
        taken.insert(wanted.clone());
        assert_eq!(keep_both(&wanted, NodeKind::File, &taken), Err(Problem::TooManyCopies));
    }
}
