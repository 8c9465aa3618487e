//! Names in zip archives.

use std::collections::BTreeSet;

use super::kind::NodeKind;
use super::name::NodeName;
use super::numbering::keep_both;
use crate::problem::Problem;

/// A name that every system can unpack, and no unpacker takes for a path: what Windows does not allow is replaced by
/// `_`. Unlike other names, because an archive leaves the drive. Two that become the same in a folder are numbered;
/// `used` has the names that were given out for this folder so far.
pub fn portable(name: &NodeName, kind: NodeKind, used: &mut BTreeSet<NodeName>) -> Result<NodeName, Problem> {
    let replaced: String = name
        .as_str()
        .chars()
        .map(|c| if matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') { '_' } else { c })
        .collect();
    let trimmed = replaced.trim_end_matches(['.', ' ']);
    // Nothing but dots is left of `...`, which Windows takes for a way up.
    let text = if trimmed.is_empty() { "_" } else { trimmed };
    let text = if is_device(text) { format!("_{text}") } else { text.to_owned() };
    let found = keep_both(&NodeName::new(&text)?, kind, used)?;
    used.insert(found.clone());
    Ok(found)
}

/// A name of a device in Windows, with any extension.
fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or(text).trim_end().to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device)
            .is_some_and(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()))
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_archives_are_safe_everywhere_and_unique() {
        let mut used = BTreeSet::new();
        for (name, expected) in [
            ("报告.pdf", "报告.pdf"),
            ("..\\..\\evil.exe", ".._.._evil.exe"),
            ("C:evil", "C_evil"),
            ("a*b.txt", "a_b.txt"),
            ("a?b.txt", "a_b (2).txt"),
            ("a_b.txt", "a_b (3).txt"),
            ("...", "_"),
            ("ends. .", "ends"),
            ("nul.txt", "_nul.txt"),
            ("COM1", "_COM1"),
            ("COM10", "COM10"),
            ("console", "console"),
        ] {
            let name = NodeName::new(name).unwrap();
            assert_eq!(portable(&name, NodeKind::File, &mut used).unwrap().as_str(), expected);
        }
    }
}
