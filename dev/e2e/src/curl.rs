//! A real curl.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::http::Answer;

/// Asks with curl: the answer, and the version of HTTP that it came with (`1.1`, `2`).
///
/// # Errors
/// When curl gets no answer, or is not installed.
pub fn curl(arguments: &[&str]) -> Result<(Answer, String)> {
    let folder = tempfile::tempdir()?;
    let (head, content) = (folder.path().join("head"), folder.path().join("content"));
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60", "--write-out", "%{http_version} %{http_code}"])
        .arg("--dump-header")
        .arg(&head)
        .arg("--output")
        .arg(&content)
        .args(arguments)
        .output()
        .context("curl")?;
    ensure!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    let written = String::from_utf8(output.stdout)?;
    let (version, status) = written.split_once(' ').context("curl says nothing")?;
    // Of `100 Continue` there is a head too: the last one counts.
    let heads = std::fs::read_to_string(&head)?;
    let last = heads.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default();
    let mut fields = BTreeMap::new();
    for line in last.lines().skip(1) {
        let (name, value) = line.split_once(": ").with_context(|| format!("no field: {line:?}"))?;
        let twice = fields.insert(name.to_ascii_lowercase(), value.to_owned());
        ensure!(twice.is_none(), "{name} twice");
    }
    // What curl writes of a head that nothing follows is the head again.
    let nothing = arguments.contains(&"--head") || !content.exists();
    let content = if nothing { Vec::new() } else { std::fs::read(&content)? };
    Ok((Answer { status: status.parse()?, fields, content }, version.to_owned()))
}
