//! A running `cairn up` to try commands on.

#![allow(clippy::unwrap_used, dead_code, reason = "a test, and not every test uses all of it")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::address::Loopback;
use testkit::process::Server;
use testkit::wait;

/// A data folder and an address for `up`.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) address: Loopback,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), address: Loopback::claim().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn conf(&self) -> String {
        self.data().join("client.conf").display().to_string()
    }

    /// Starts `up` and waits until it says that it is.
    pub(crate) fn up(&self) -> Server {
        let printed = self.folder.path().join("printed");
        let _ = fs::remove_file(&printed);
        let (data, ip) = (self.data().display().to_string(), self.address.ip().to_string());
        let args = ["up", "--data", &data, "--listen", &ip];
        let mut server = Server::start("up", env!("CARGO_BIN_EXE_cairn").as_ref(), args, &printed).unwrap();
        wait::until("up", wait::READY, || {
            assert!(server.is_running(), "{}", server.output());
            server.output().contains("Ctrl-C").then_some(())
        })
        .unwrap();
        server
    }

    /// Runs `cairn` in the folder above the data.
    pub(crate) fn cairn(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(args)
            .env_remove("LANG")
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        told(&output)
    }
}

pub(crate) fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
