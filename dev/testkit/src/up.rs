//! `cairn up`: the whole installation in one process.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::address::{Loopback, STORAGE_PORT, TRACKER_PORT};
use crate::drive::DRIVE_PORT;
use crate::process::Server;
use crate::{binary, logs, probe, wait};

/// A running `cairn up` with a data folder of its own.
#[derive(Debug)]
pub struct Up {
    /// The process; killed when dropped.
    pub server: Server,
    program: PathBuf,
    options: Vec<String>,
    loopback: Loopback,
    // Last, so that the server is gone before its folder is.
    folder: TempDir,
}

impl Up {
    /// Starts it and waits until its tracker has its storage to offer.
    ///
    /// # Errors
    /// When it ends, or is not ready within [`wait::READY`].
    pub fn start() -> Result<Up> {
        Up::start_as(binary::cairn()?, &[], &std::env::temp_dir())
    }

    /// As [`Up::start`]: this program, with these options too, its folder within this one.
    ///
    /// # Errors
    /// See [`Up::start`].
    pub fn start_as(program: &Path, options: &[&str], within: &Path) -> Result<Up> {
        let folder = tempfile::Builder::new().prefix("cairn-up-").tempdir_in(within)?;
        let loopback = Loopback::claim()?;
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let server = spawn(program, &options, folder.path(), &loopback)?;
        let mut up = Up { server, program: program.to_owned(), options, loopback, folder };
        up.wait_ready()?;
        Ok(up)
    }

    /// Starts it again on the same folder, after it was killed or stopped.
    ///
    /// # Errors
    /// See [`Up::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.server = spawn(&self.program, &self.options, self.folder.path(), &self.loopback)?;
        self.wait_ready()
    }

    /// Its tracker.
    #[must_use]
    pub fn tracker(&self) -> SocketAddr {
        self.loopback.port(TRACKER_PORT)
    }

    /// Its storage.
    #[must_use]
    pub fn storage(&self) -> SocketAddr {
        self.loopback.port(STORAGE_PORT)
    }

    /// Its drive.
    #[must_use]
    pub fn drive(&self) -> SocketAddr {
        self.loopback.port(DRIVE_PORT)
    }

    /// The password of its administrator, which its first start made up.
    ///
    /// # Errors
    /// When there is none within [`wait::READY`].
    pub fn password(&self) -> Result<String> {
        let file = self.data().join("drive/data/first-password");
        wait::until("the password of the administrator", wait::READY, || {
            std::fs::read_to_string(&file).ok()?.strip_suffix('\n').map(str::to_owned)
        })
    }

    /// The folder given as `--data`.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The `client.conf` it writes for the tools.
    #[must_use]
    pub fn client_conf(&self) -> PathBuf {
        self.data().join("client.conf")
    }

    /// Fails when it logged a WARN or ERROR line without one of the `expected` texts in it.
    ///
    /// # Errors
    /// Shows file and lines.
    pub fn check_logs(&self, expected: &[&str]) -> Result<()> {
        logs::check_folder(self.folder.path(), expected)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let tracker = self.tracker();
        let Up { server, .. } = self;
        let alive = wait::until("a ready `cairn up`", wait::READY, || {
            if probe::offers_storage(tracker) {
                return Some(true);
            }
            (!server.is_running()).then_some(false)
        })?;
        ensure!(alive, "`cairn up` ended at its start:\n{}", server.output());
        Ok(())
    }
}

fn spawn(program: &Path, options: &[String], folder: &Path, loopback: &Loopback) -> Result<Server> {
    let ip = loopback.ip().to_string();
    let data = folder.join("data");
    let arguments = ["up".as_ref(), "--data".as_ref(), data.as_os_str(), "--listen".as_ref(), ip.as_ref()];
    let options = options.iter().map(AsRef::<OsStr>::as_ref);
    Server::start("up", program, arguments.into_iter().chain(options), &folder.join("up.output.log"))
}
