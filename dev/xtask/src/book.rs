//! The documentation as a site, in `target/book`.
//!
//! Pages link to each other, and to files beside `docs/`, as they lie in the project. So that these links lead somewhere in the
//! site as well, the sources of the book lie in the same way: its chapters, and all of the project that is no page and that
//! pages link to.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::steps::say;
use crate::workspace::{Workspace, run};
use crate::{install, pages};

/// What is not in the summary and belongs to the book: pictures, and what pages link to.
const BESIDE: [&str; 3] = ["docs", "deploy", "LICENSE"];

/// `cargo xtask book`
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let faults = pages::faults(workspace)?;
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    let mdbook = install::mdbook(workspace)?;
    let folder = workspace.target.join("book-sources");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    let sources = folder.join("src");
    let summary = read(workspace, Path::new(pages::SUMMARY))?;
    let chapters = pages::chapters(&summary);
    for file in workspace.files()? {
        let page = file.extension().is_some_and(|extension| extension == "md");
        let wanted = if page {
            chapters.contains(&file)
        } else {
            BESIDE.iter().any(|beside| file.starts_with(beside)) && !file.ends_with("book.toml")
        };
        if wanted {
            place(&workspace.root.join(&file), &sources.join(&file))?;
        }
    }
    write(&sources.join("SUMMARY.md"), &from_the_root(&summary))?;
    place(&workspace.root.join("docs/book.toml"), &folder.join("book.toml"))?;
    let site = workspace.target.join("book");
    run(std::process::Command::new(mdbook).arg("build").arg("--dest-dir").arg(&site).arg(&folder))?;
    let faults = dead_links(&site)?;
    ensure!(faults.is_empty(), "links of the site lead nowhere:\n{}", faults.join("\n"));
    say(&format!("the site: {}", site.join("index.html").display()));
    Ok(())
}

/// Links of the site's pages to files that are not there. To where in a page they lead is looked at in the sources.
fn dead_links(site: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut folders = vec![site.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "html") && !path.ends_with("404.html") {
                let text = std::fs::read_to_string(&path)?;
                let dead = |target: &&str| !folder.join(target).is_file();
                let found = targets(&text).into_iter().filter(dead);
                faults.extend(found.map(|target| format!("{}: {target}", path.display())));
            }
        }
    }
    Ok(faults)
}

/// The files that a page of the site links to, relative to its folder.
fn targets(html: &str) -> Vec<&str> {
    let attributes = ["href=\"", "src=\""];
    let values = attributes.iter().flat_map(|attribute| html.split(attribute).skip(1));
    let links = values.filter_map(|rest| rest.split('"').next());
    let files = links.filter(|link| !link.contains("://") && !link.starts_with("data:"));
    files.filter_map(|link| link.split('#').next()).filter(|file| !file.is_empty()).collect()
}

/// The summary with its links as they are from the root of the project.
fn from_the_root(summary: &str) -> String {
    let mut text = String::new();
    let mut rest = summary;
    while let Some(at) = rest.find("](") {
        let (before, behind) = rest.split_at(at + 2);
        text.push_str(before);
        rest = match behind.strip_prefix("../") {
            Some(behind) => behind,
            None => {
                // A chapter without a page stays one.
                if !behind.starts_with(')') {
                    text.push_str("docs/");
                }
                behind
            }
        };
    }
    text + rest
}

fn read(workspace: &Workspace, path: &Path) -> Result<String> {
    std::fs::read_to_string(workspace.root.join(path)).with_context(|| format!("read {}", path.display()))
}

fn place(from: &Path, to: &Path) -> Result<()> {
    make_parent(to)?;
    std::fs::copy(from, to).map(drop).with_context(|| format!("copy to {}", to.display()))
}

fn write(to: &Path, text: &str) -> Result<()> {
    make_parent(to)?;
    std::fs::write(to, text).with_context(|| format!("write {}", to.display()))
}

fn make_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_a_page_links_to_are_found() {
        let html = r##"<a href="b.html#c"><a href="#d"><img src="../e.png"><a href="https://f.org/">"##;
        assert_eq!(targets(html), ["b.html", "../e.png"]);
    }

    #[test]
    fn links_of_the_summary_lead_on_from_the_root() {
        let summary = "[A](../README.md)\n- [B](b.md)\n- [C]()\n  - [D](d/e.md)\n";
        assert_eq!(
            from_the_root(summary),
            "[A](README.md)\n- [B](docs/b.md)\n- [C]()\n  - [D](docs/d/e.md)\n"
        );
    }
}
