//! Pages of the documentation: every relative link leads somewhere, every page of `docs/` is in the book's summary, and the
//! commands for developers that are named are there, and the other way round.
//!
//! Anchors are those that are made of headings where such pages are shown: lower case, blanks as hyphens, no punctuation, and
//! `-1` behind one that is there already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::workspace::Workspace;

/// The book's summary: its chapters.
pub(crate) const SUMMARY: &str = "docs/SUMMARY.md";
/// The page with the commands for developers.
const LIST_OF_COMMANDS: &str = "CONTRIBUTING.md";
/// Pages that are no part of the documentation, but of what is recorded or made from elsewhere.
const NOT_OURS: [&str; 2] = ["fixtures", "web"];

/// Every link that leads nowhere, and every page that nobody finds.
pub(crate) fn faults(workspace: &Workspace) -> Result<Vec<String>> {
    let files: BTreeSet<PathBuf> = workspace.files()?.into_iter().collect();
    let mut pages = BTreeMap::new();
    for path in files.iter().filter(|path| is_page(path)) {
        let text = std::fs::read_to_string(workspace.root.join(path))
            .with_context(|| format!("read {}", path.display()))?;
        pages.insert(path.clone(), text);
    }
    let known: Vec<String> =
        crate::Command::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut faults = faults_in(&files, &pages);
    faults.extend(commands(&known, &pages));
    Ok(faults)
}

/// Commands that are named and are not there, and those that are not in the list of them.
fn commands(known: &[String], pages: &BTreeMap<PathBuf, String>) -> Vec<String> {
    const NAME: &str = "cargo xtask ";
    let mut faults = Vec::new();
    let mut listed = BTreeSet::new();
    for (path, text) in pages {
        for (at, _) in text.match_indices(NAME) {
            let rest = &text[at + NAME.len()..];
            let word = &rest[..rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len())];
            if word.is_empty() {
                continue;
            }
            if !known.iter().any(|known| known == word) {
                faults.push(format!("{}: there is no {NAME}{word}", path.display()));
            }
            if path == Path::new(LIST_OF_COMMANDS) {
                listed.insert(word);
            }
        }
    }
    let missing = known.iter().filter(|known| !listed.contains(known.as_str()));
    faults.extend(missing.map(|known| format!("{LIST_OF_COMMANDS}: {NAME}{known} is not in it")));
    faults
}

fn is_page(path: &Path) -> bool {
    let page = path.extension().is_some_and(|extension| extension == "md");
    page && !NOT_OURS.iter().any(|folder| path.starts_with(folder))
}

fn faults_in(files: &BTreeSet<PathBuf>, pages: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let mut faults = Vec::new();
    let anchors: BTreeMap<&Path, BTreeSet<String>> =
        pages.iter().map(|(path, text)| (path.as_path(), anchors(text))).collect();
    for (path, text) in pages {
        for (line, target) in links(text) {
            if let Some(what) = wrong_with(path, &target, files, &anchors) {
                faults.push(format!("{}:{line}: the link to {target}: {what}", path.display()));
            }
        }
    }
    let summary = pages.get(Path::new(SUMMARY)).map(String::as_str).unwrap_or_default();
    let chapters = chapters(summary);
    for page in pages.keys().filter(|page| page.starts_with("docs") && *page != Path::new(SUMMARY)) {
        match chapters.iter().filter(|chapter| *chapter == page).count() {
            1 => {}
            0 => faults.push(format!("{}: not in {SUMMARY}", page.display())),
            _ => faults.push(format!("{}: twice in {SUMMARY}", page.display())),
        }
    }
    faults
}

/// The pages that are chapters, relative to the root, in their order.
pub(crate) fn chapters(summary: &str) -> Vec<PathBuf> {
    let folder = Path::new(SUMMARY).parent().unwrap_or(Path::new(""));
    links(summary).into_iter().filter_map(|(_, target)| joined(folder, &target)).collect()
}

fn wrong_with(
    page: &Path,
    target: &str,
    files: &BTreeSet<PathBuf>,
    anchors: &BTreeMap<&Path, BTreeSet<String>>,
) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        page.to_path_buf()
    } else {
        let folder = page.parent().unwrap_or(Path::new(""));
        match joined(folder, path) {
            Some(path) => path,
            None => return Some("it leaves the project".to_owned()),
        }
    };
    // A folder has no page of its own in the book.
    if !files.contains(&path) {
        return Some("there is no such file".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    match anchors.get(path.as_path()) {
        Some(known) if known.contains(anchor) => None,
        Some(_) => Some("there is no such heading".to_owned()),
        None => Some("only pages have headings".to_owned()),
    }
}

/// `folder/target` without `.` and `..`; none where it leads out of the project.
fn joined(folder: &Path, target: &str) -> Option<PathBuf> {
    let mut path = folder.to_path_buf();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Lines that are no code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        (!code && !fence).then_some((index + 1, line))
    })
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Every relative link: its line, and where it leads.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        for (open, close) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for (at, _) in line.match_indices(open) {
                let rest = &line[at + open.len()..];
                let Some(end) = rest.find(close) else { continue };
                let target = rest[..end].split(' ').next().unwrap_or_default();
                let elsewhere = target.contains("://") || target.starts_with("mailto:");
                if !target.is_empty() && !elsewhere {
                    links.push((number, target.to_owned()));
                }
            }
        }
    }
    links
}

/// The anchors of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c))
            .flat_map(char::to_lowercase)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = counts.entry(slug.clone()).or_default();
        anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pages: &[(&str, &str)]) -> Vec<String> {
        let pages: BTreeMap<PathBuf, String> =
            pages.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        let mut files: BTreeSet<PathBuf> = pages.keys().cloned().collect();
        files.insert("deploy/a.conf".into());
        faults_in(&files, &pages)
    }

    #[test]
    fn links_to_pages_files_and_headings_are_followed() {
        let page = "# A page\n[b](b.md#the-conf-key) [c](../deploy/a.conf) [d](#a-page-1) <https://x.org/y>\n\n# A page\n";
        let summary = "- [a](a.md)\n- [b](b.md)\n- [none]()\n";
        let faults = found(&[
            ("docs/a.md", page),
            ("docs/b.md", "# `b`\n## The `.conf` key\n"),
            ("docs/SUMMARY.md", summary),
        ]);
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let page = "[a](x.md)\n[b](README.md#no)\n[c](../x.md)\n<img src=\"x.png\">\n[d](docs)\n";
        assert_eq!(
            found(&[("README.md", page)]),
            [
                "README.md:1: the link to x.md: there is no such file",
                "README.md:2: the link to README.md#no: there is no such heading",
                "README.md:3: the link to ../x.md: it leaves the project",
                "README.md:4: the link to x.png: there is no such file",
                "README.md:5: the link to docs: there is no such file",
            ]
        );
    }

    #[test]
    fn a_command_that_is_not_there_or_not_in_the_list_is_found() {
        let pages =
            [("CONTRIBUTING.md", "`cargo xtask up` and cargo xtask …\n"), ("README.md", "cargo xtask fly\n")];
        let pages = pages.map(|(path, text)| (PathBuf::from(path), text.to_owned())).into();
        assert_eq!(
            commands(&["up".to_owned(), "test".to_owned()], &pages),
            ["README.md: there is no cargo xtask fly", "CONTRIBUTING.md: cargo xtask test is not in it",]
        );
    }

    #[test]
    fn what_is_code_is_no_link() {
        let page = "# A\n```sh\n[a](x.md)\n# no heading\n```\n`[b](y.md)` and [c](#no-heading)\n";
        assert_eq!(
            found(&[("README.md", page)]),
            ["README.md:6: the link to #no-heading: there is no such heading"]
        );
    }

    #[test]
    fn a_page_that_is_in_no_chapter_is_found() {
        let pages = [("docs/a.md", ""), ("docs/b.md", ""), ("docs/SUMMARY.md", "[a](a.md)\n[a](a.md)\n")];
        assert_eq!(
            found(&pages),
            ["docs/a.md: twice in docs/SUMMARY.md", "docs/b.md: not in docs/SUMMARY.md"]
        );
    }
}
