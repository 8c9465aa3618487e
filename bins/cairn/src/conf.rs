//! Configuration files, read from disk.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fdfs_conf::ini::{Ini, text_of};
use fdfs_conf::{
    ClientConf, ConfError, DriveConf, GatewayConf, LoadError, Reason, StorageConf, TrackerConf, Warning,
    WatchConf,
};

const ENOENT: u8 = 2;
const EINVAL: u8 = 22;

/// Why a configuration cannot be used: file, line, key, reason.
#[derive(Debug)]
pub(crate) struct BadConf(ConfError);

impl BadConf {
    /// The number the classic tools end with.
    pub(crate) fn errno(&self) -> u8 {
        match *self.0.reason {
            Reason::Load(LoadError::NotFound) => ENOENT,
            _ => EINVAL,
        }
    }

    /// File, line, key and reason, each by itself.
    pub(crate) fn fault(&self) -> &ConfError {
        &self.0
    }
}

impl fmt::Display for BadConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BadConf {}

/// A `client.conf`. What is merely odd in it is passed over: a tool has better things to print.
pub(crate) fn client(path: &Path) -> Result<ClientConf, BadConf> {
    Ok(client_with_warnings(path)?.0)
}

/// A `client.conf`, with what is odd in it.
pub(crate) fn client_with_warnings(path: &Path) -> Result<(ClientConf, Vec<Warning>), BadConf> {
    ClientConf::load(&path.to_string_lossy(), &mut read).map_err(BadConf)
}

/// The lines of any configuration, before anybody knows what they mean.
pub(crate) fn ini(path: &Path) -> Result<Ini, BadConf> {
    Ini::load(&path.to_string_lossy(), &mut read, None).map_err(BadConf)
}

/// Only the base path of a server's configuration.
pub(crate) fn base_path(path: &Path) -> Result<PathBuf, BadConf> {
    const KEY: &str = "base_path";
    let ini = Ini::load(&path.to_string_lossy(), &mut read, None).map_err(BadConf)?;
    match ini.get("", KEY).map(|item| item.value.as_str()).filter(|value| !value.is_empty()) {
        Some(value) => Ok(PathBuf::from(value)),
        None => Err(BadConf(ConfError {
            file: ini.file().to_owned(),
            line: None,
            key: KEY.to_owned(),
            reason: Box::new(Reason::Missing),
        })),
    }
}

/// A `tracker.conf`, with what is odd in it.
pub(crate) fn tracker(path: &Path) -> Result<(TrackerConf, Vec<Warning>), BadConf> {
    TrackerConf::load(&path.to_string_lossy(), &mut read).map_err(BadConf)
}

/// A `storage.conf`, with what is odd in it.
pub(crate) fn storage(path: &Path) -> Result<(StorageConf, Vec<Warning>), BadConf> {
    StorageConf::load(&path.to_string_lossy(), &mut read).map_err(BadConf)
}

/// A `mod_fastdfs.conf`, with what is odd in it.
pub(crate) fn gateway(path: &Path) -> Result<(GatewayConf, Vec<Warning>), BadConf> {
    GatewayConf::load(&path.to_string_lossy(), &mut read).map_err(BadConf)
}

/// A `drive.conf`, with what is odd in it.
pub(crate) fn drive(path: &Path) -> Result<(DriveConf, Vec<Warning>), BadConf> {
    DriveConf::load(&path.to_string_lossy(), &mut read).map_err(BadConf)
}

/// A `watch.conf`, with what is odd in it.
pub(crate) fn watch(path: &Path) -> Result<(WatchConf, Vec<Warning>), BadConf> {
    WatchConf::load(&path.to_string_lossy(), &mut read).map_err(BadConf)
}

fn read(path: &str) -> Result<String, LoadError> {
    fs::read(path).map(text_of).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LoadError::NotFound,
        _ => LoadError::Unreadable(error.to_string()),
    })
}
