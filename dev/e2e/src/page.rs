//! Pages of the documentation whose commands are run by tests.
//!
//! Their conventions: a ```sh block is commands. A ```text block is what the ```sh block before it prints; in it `…` stands for
//! anything within a line, a line that is `…` for any number of lines, and blanks for any number of blanks; empty lines at
//! the end do not count. What a ```sh block without one prints is not shown. Blocks of no kind are pictures and files, no commands.
//! A page in another language has the same commands, which print the same; the comments behind them are in its language.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

use std::fs;

use crate::confs;

/// What is typed, and what it prints if the page says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where the block begins, for messages.
    pub line: usize,
    /// The heading above it, as it is written.
    pub heading: String,
    /// The commands.
    pub typed: String,
    /// What the page shows of their output.
    pub printed: Option<String>,
}

/// The commands of a page, in their order.
#[must_use]
pub fn steps(page: &str) -> Vec<Step> {
    steps_of(page, &fs::read_to_string(confs::project(page)).unwrap())
}

fn steps_of(page: &str, text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut heading = String::new();
    let mut block: Option<(usize, &str, String)> = None;
    for (index, line) in text.lines().enumerate() {
        block = match (block, line.strip_prefix("```")) {
            (None, None) => {
                if line.starts_with('#') {
                    line.trim_start_matches('#').trim().clone_into(&mut heading);
                }
                None
            }
            (None, Some(kind)) => Some((index + 1, kind, String::new())),
            (Some((at, kind, inside)), None) => Some((at, kind, inside + line + "\n")),
            (Some((at, kind, inside)), Some(end)) => {
                assert_eq!(end, "", "{page}:{}", index + 1);
                match kind {
                    "sh" => {
                        steps.push(Step { line: at, heading: heading.clone(), typed: inside, printed: None })
                    }
                    "text" => {
                        let last = steps.last_mut().filter(|last| last.printed.is_none());
                        last.unwrap_or_else(|| panic!("{page}:{at}: printed by what?")).printed =
                            Some(inside);
                    }
                    kind => {
                        assert_eq!(kind, "", "{page}:{at}");
                        let command = inside.lines().find(|line| is_command(line));
                        assert_eq!(command, None, "{page}:{at}: commands are in sh blocks");
                    }
                }
                None
            }
        };
    }
    assert!(block.is_none(), "{page}: a block has no end");
    steps
}

/// Does a line look as if it were to be typed?
fn is_command(line: &str) -> bool {
    const PROGRAMS: [&str; 9] =
        ["$", "cairn", "cargo", "curl", "docker", "kubectl", "npm", "sudo", "systemctl"];
    let word = line.split(' ').next().unwrap_or_default();
    PROGRAMS.contains(&word) || word.starts_with("fdfs_")
}

/// A command without the comment behind it, and without the blanks before that.
fn without_comments(typed: &str) -> String {
    let command = |line: &str| {
        let comment = line.starts_with('#').then_some(0).or_else(|| line.find(" #"));
        line[..comment.unwrap_or(line.len())].trim_end().to_owned()
    };
    typed.lines().map(command).collect::<Vec<_>>().join("\n")
}

/// Fails unless both pages have the same commands, which print the same.
pub fn same_steps(page: &str, other: &str) {
    let (steps, others) = (steps(page), steps(other));
    for (step, counterpart) in steps.iter().zip(&others) {
        let places = format!("{page}:{} and {other}:{}", step.line, counterpart.line);
        assert_eq!(without_comments(&step.typed), without_comments(&counterpart.typed), "{places}");
        assert_eq!(step.printed, counterpart.printed, "{places}");
    }
    assert_eq!(steps.len(), others.len());
}

/// Is this what the page shows?
#[must_use]
pub fn is_like(printed: &str, shown: &str) -> bool {
    let printed: Vec<&str> = printed.trim_end().lines().collect();
    let shown: Vec<&str> = shown.lines().collect();
    lines_are_like(&printed, &shown)
}

fn lines_are_like(printed: &[&str], shown: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skipped| lines_are_like(&printed[skipped..], rest)),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| line_is_like(first, line) && lines_are_like(others, rest)),
    }
}

fn line_is_like(printed: &str, shown: &str) -> bool {
    let even = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (printed, shown) = (even(printed), even(shown));
    let mut pieces = shown.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return rest.is_empty() };
    for piece in between {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_their_heading_and_what_they_print() {
        let text = "# A\n```\na picture\n```\n## B\n```sh\nls\n```\nso:\n```text\none\n```\n```sh\n# no heading\n```\n";
        let steps = steps_of("page", text);
        assert_eq!(steps.len(), 2);
        assert_eq!((steps[0].line, steps[0].heading.as_str(), steps[0].typed.as_str()), (6, "B", "ls\n"));
        assert_eq!(steps[0].printed.as_deref(), Some("one\n"));
        assert_eq!((steps[1].heading.as_str(), &steps[1].printed), ("B", &None));
    }

    #[test]
    #[should_panic(expected = "page:2: commands are in sh blocks")]
    fn commands_in_a_block_of_no_kind_are_refused() {
        steps_of("page", "# A\n```\n# a file\ncairn doctor\n```\n");
    }

    #[test]
    fn comments_are_no_part_of_a_command() {
        assert_eq!(without_comments("# first\na b  # c\nd#e\n"), "\na b\nd#e");
    }

    #[test]
    fn what_is_printed_is_compared_with_room_for_what_differs() {
        assert!(is_like("a 1 b\nx\ny\nend\n", "a …  b\n…\nend\n"));
        assert!(is_like("end\n\n", "…\nend\n"));
        assert!(!is_like("a 1 c\n", "a … b\n"));
        assert!(!is_like("a\nb\n", "a\n"));
        assert!(!is_like("a\n", "a\nb\n"));
        assert!(!is_like("ab\n", "ab…b\n"));
    }
}
