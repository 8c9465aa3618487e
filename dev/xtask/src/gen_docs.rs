//! Documents and default files that come out of registries, so they cannot lie.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use fdfs_conf::files::FILES;
use fdfs_conf::generate;
use fdfs_proto::{Body, Opcode, StorageCommand, TrackerCommand};

use crate::steps::say;
use crate::web;
use crate::workspace::{Workspace, run};

/// `cargo xtask gen`
pub(crate) fn write(workspace: &Workspace, only_check: bool) -> Result<()> {
    if only_check {
        return check(workspace);
    }
    for (path, text) in all(workspace)? {
        let full = workspace.root.join(&path);
        if std::fs::read_to_string(&full).is_ok_and(|present| present == text) {
            continue;
        }
        let folder = full.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        std::fs::write(&full, text).with_context(|| format!("write {}", full.display()))?;
        say(&format!("wrote {path}"));
    }
    Ok(())
}

/// Fails when a file differs from what would be written.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let differs = |(path, text): (String, String)| {
        let present = std::fs::read_to_string(workspace.root.join(&path)).unwrap_or_default();
        (present != text).then_some(path)
    };
    let stale: Vec<String> = all(workspace)?.into_iter().filter_map(differs).collect();
    ensure!(stale.is_empty(), "out of date: {}; run `cargo xtask gen`", stale.join(", "));
    Ok(())
}

/// Every generated file: its path below the root, and its text.
fn all(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let openapi = reference(workspace, "openapi")?;
    let types = web::types_of_api(workspace, &openapi)?;
    let mut files = vec![
        ("docs/configuration.md".to_owned(), generate::configuration_md()),
        ("docs/protocol.md".to_owned(), protocol_md()),
        ("docs/commands.md".to_owned(), reference(workspace, "commands")?),
        ("docs/metrics.md".to_owned(), reference(workspace, "metrics")?),
        ("docs/openapi.json".to_owned(), openapi),
        ("web/src/api/gen.ts".to_owned(), types),
        ("conf/storage_ids.conf".to_owned(), generate::default_storage_ids()),
    ];
    files.extend(FILES.iter().map(|file| (format!("conf/{}", file.name), generate::default_conf(file))));
    Ok(files)
}

/// The binary knows its commands and what it serves, so it is asked.
fn reference(workspace: &Workspace, document: &str) -> Result<String> {
    run(&mut workspace.cargo(["build", "--quiet", "--package", "cairn"]))?;
    let mut cairn = Command::new(workspace.built("debug", "cairn"));
    let output = cairn.args(["reference", document]).output().context("run cairn")?;
    ensure!(output.status.success(), "cairn reference: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).with_context(|| format!("the document {document}"))
}

fn protocol_md() -> String {
    let mut page = String::from(
        "\
# Protocol

Written by `cargo xtask gen` from the registry in `pure/fdfs-proto/src/opcode.rs`; change it there.

A message is a header of 10 bytes and a body. The header: length of the body (8 bytes, big endian), command, status. Every
reply has command 100. A reply with a status other than 0 has no body; the status is an errno. A request whose body is
longer than allowed is refused without being read.
",
    );
    let storage = StorageCommand::ALL.iter().map(|command| command.opcode());
    let tracker = TrackerCommand::ALL.iter().map(|command| command.opcode());
    push_commands(&mut page, "Tracker", tracker);
    push_commands(&mut page, "Storage", storage);
    page
}

fn push_commands(page: &mut String, heading: &str, commands: impl Iterator<Item = Opcode>) {
    // Writing to a String cannot fail.
    let _ = write!(page, "\n## {heading}\n\n| command | name | body | meaning |\n|---|---|---|---|\n");
    for Opcode { code, name, body, doc, .. } in commands {
        let body = match body {
            Body::Whole { len_max: 0 } => "empty".to_owned(),
            Body::Whole { len_max } => format!("up to {len_max} bytes"),
            Body::Streamed { head_len_max } => format!("head of up to {head_len_max} bytes, then content"),
        };
        let _ = writeln!(page, "| {code} | `{name}` | {body} | {doc} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_page_has_a_row_for_each_command() {
        let page = protocol_md();
        assert!(page.contains("| 111 | `active_test` | empty | Is anybody there? |"));
        assert!(
            page.contains("| 11 | `upload_file` | head of up to 15 bytes, then content | Stores a file. |")
        );
    }
}
