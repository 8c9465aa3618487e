//! Builds what is measured and what measures, both in release.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::workspace::{Workspace, run};

/// `cargo xtask bench store …`, `scale …`, `http …`, `replication …`, `drive …` or `memory …`: see `dev/bench`.
pub(crate) fn bench(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    run(&mut workspace.cargo(["build", "--release", "--package", "bench"]))?;
    let mut command = Command::new(workspace.built("release", "bench"));
    command.args(arguments);
    if starts_own_server(arguments) {
        run(&mut workspace.cargo(["build", "--release", "--package", "cairn"]))?;
        command.arg("--binary").arg(workspace.built("release", "cairn"));
        if !given(arguments, "--dir") {
            // On the disk the build is on: a temporary folder may be memory, where syncing costs nothing.
            command.arg("--dir").arg(workspace.target.join("bench"));
        }
    }
    run(&mut command)
}

fn starts_own_server(arguments: &[OsString]) -> bool {
    const WITH_SERVER: [&str; 6] = ["store", "scale", "http", "replication", "drive", "memory"];
    arguments.first().is_some_and(|word| WITH_SERVER.iter().any(|known| word == known))
        && !["--tracker", "--binary", "--help", "-h"].into_iter().any(|flag| given(arguments, flag))
}

fn given(arguments: &[OsString], flag: &str) -> bool {
    arguments.iter().any(|word| word.to_string_lossy().starts_with(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_started_only_when_none_is_named() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(starts_own_server(&words("store --sizes 1K --against 127.0.0.1:22122")));
        assert!(starts_own_server(&words("scale --files 1000")));
        assert!(starts_own_server(&words("replication --seconds 5")));
        assert!(starts_own_server(&words("http")));
        assert!(starts_own_server(&words("drive --only listChildren")));
        assert!(starts_own_server(&words("memory --only storage")));
        assert!(!starts_own_server(&words("store --tracker=127.0.0.1:22122")));
        assert!(!starts_own_server(&words("store --help")));
        assert!(!starts_own_server(&[]));
    }
}
