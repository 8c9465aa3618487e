//! What was recorded from the original FastDFS 6.16.1: see `fixtures/README.md`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::binary::workspace;

/// One recorded session of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// One tracker, two storages, plain files.
    Plain,
    /// Two trackers, two groups of two storages, trunk files, storage ids.
    Trunk,
    /// A second storage joins late, then loses a path and rebuilds it.
    LateJoin,
}

impl Recording {
    /// All of them.
    pub const ALL: [Recording; 3] = [Recording::Plain, Recording::Trunk, Recording::LateJoin];

    /// Its folder.
    #[must_use]
    pub fn folder(self) -> PathBuf {
        let name = match self {
            Recording::Plain => "plain-2-storages",
            Recording::Trunk => "trunk-2-trackers-4-storages",
            Recording::LateJoin => "late-join-disk-recovery",
        };
        workspace().join("fixtures/fastdfs-6.16.1").join(name)
    }

    /// Every message on the tracker and storage ports, in order.
    ///
    /// # Errors
    /// When the file is missing or a line is not understood.
    pub fn messages(self) -> Result<Vec<Message>> {
        let path = self.folder().join("wire.jsonl");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let line = |(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{} line {}", path.display(), number + 1))
        };
        text.lines().enumerate().map(line).collect()
    }

    /// Unpacks the data folders of all its servers: `storage3/data/…`, `tracker2/data/…`.
    ///
    /// # Errors
    /// When `tar` fails.
    pub fn stores(self) -> Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("cairn-stores-").tempdir()?;
        let archive = self.folder().join("stores.tar.gz");
        let status = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder.path()).status();
        ensure!(status.context("run tar")?.success(), "unpack {}", archive.display());
        Ok(folder)
    }
}

/// One recorded message.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// Number of its TCP connection.
    pub stream: u32,
    /// Role of the listening side.
    pub server: Role,
    /// Which way it went.
    pub kind: Kind,
    /// Command byte of its header.
    pub cmd: u8,
    /// Status byte of its header.
    pub status: u8,
    /// Length of its body, as its header says.
    pub len: u64,
    /// The body, unless it was longer than 8 KiB.
    #[serde(default, deserialize_with = "hex")]
    pub body: Option<Vec<u8>>,
    /// The first 256 bytes of a longer body.
    #[serde(default, deserialize_with = "hex")]
    pub body_head: Option<Vec<u8>>,
}

/// Which of the two servers listened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Port 22122.
    Tracker,
    /// Port 23000.
    Storage,
}

/// Direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From the side that connected.
    Request,
    /// From the side that listened.
    Response,
}

fn hex<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.as_bytes();
    if digits.len() % 2 != 0 {
        return Err(serde::de::Error::custom("odd number of hex digits"));
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.map(Some).ok_or_else(|| serde::de::Error::custom("not hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_line_is_read() {
        let counts = Recording::ALL.map(|recording| recording.messages().unwrap().len());
        assert_eq!(counts, [515, 2945, 381]);
    }

    #[test]
    fn the_first_message_asks_a_tracker_for_ones_own_address() {
        let first = &Recording::Plain.messages().unwrap()[0];
        assert_eq!((first.server, first.kind, first.cmd, first.len), (Role::Tracker, Kind::Request, 60, 21));
        assert_eq!(&first.body.as_ref().unwrap()[..6], b"group1");
    }

    #[test]
    fn stores_unpack_into_one_folder_per_server() {
        let stores = Recording::Plain.stores().unwrap();
        assert!(stores.path().join("storage3/data/.data_init_flag").is_file());
    }
}
