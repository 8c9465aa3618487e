//! `.data_init_flag` on disk. Only what concerns the cluster is changed here, everything else in it stays
//! as it was.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fdfs_format::{FormatError, InitFlag};
use storage_core::membership::JoinRecord;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Pause before another attempt to write the file.
const RETRY: Duration = Duration::from_secs(5);

/// Why the storage cannot know whether it is new in its group.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file can't be read or written.
    #[error("cannot use {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file's content can't be understood.
    #[error("cannot read {}: {error}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: FormatError,
    },
}

/// The file and what it holds.
pub(super) struct RecordFile {
    path: PathBuf,
    /// What is on disk. Held while writing, so that an older record never replaces a newer one.
    kept: Mutex<InitFlag>,
}

impl RecordFile {
    /// Reads the file; one that is not there means a first start, and is written. Blocks.
    pub(super) fn open(path: PathBuf, now: i64) -> Result<(Self, JoinRecord), RecordError> {
        let flag = read_or_create(&path, now)?;
        let record = to_record(&flag);
        Ok((Self { path, kept: Mutex::new(flag) }, record))
    }

    /// Brings the newest record to disk. Does not return before it is there: a tracker must not be told
    /// what the next start would not know.
    pub(super) async fn save(&self, newest: impl Fn() -> JoinRecord) {
        let mut kept = self.kept.lock().await;
        let mut complained = false;
        loop {
            let flag = with_record(&kept, &newest());
            if flag == *kept {
                return;
            }
            let (path, bytes) = (self.path.clone(), flag.encode());
            match spawn_blocking(move || daemon::state_file::replace(&path, &bytes)).await {
                Ok(Ok(())) => {
                    *kept = flag;
                    return;
                }
                Ok(Err(error)) if !complained => {
                    tracing::error!(
                        path = %self.path.display(), %error,
                        "cannot save what the trackers decided, this storage does not go on until it can"
                    );
                    complained = true;
                }
                Ok(Err(_)) => {}
                // The runtime is shutting down.
                Err(_) => return,
            }
            sleep(RETRY).await;
        }
    }
}

/// Reads the file; one that is not there means a first start, and is written. Blocks.
pub(crate) fn read_or_create(path: &Path, now: i64) -> Result<InitFlag, RecordError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            InitFlag::decode(&bytes).map_err(|error| RecordError::Format { path: path.to_owned(), error })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let flag = InitFlag { storage_join_time: now, ..InitFlag::default() };
            write(path, &flag)?;
            Ok(flag)
        }
        Err(error) => Err(RecordError::Io { path: path.to_owned(), error }),
    }
}

/// Writes the file. Blocks.
pub(crate) fn write(path: &Path, flag: &InitFlag) -> Result<(), RecordError> {
    daemon::state_file::replace(path, &flag.encode())
        .map_err(|error| RecordError::Io { path: path.to_owned(), error })
}

fn to_record(flag: &InitFlag) -> JoinRecord {
    JoinRecord {
        join_time: flag.storage_join_time,
        source_settled: flag.sync_old_done,
        source: flag.sync_src_server,
        until: flag.sync_until_timestamp,
        last_ips: flag.last_ip_addr.clone(),
        last_port: Some(flag.last_server_port).filter(|port| *port != 0),
    }
}

fn with_record(kept: &InitFlag, record: &JoinRecord) -> InitFlag {
    InitFlag {
        storage_join_time: record.join_time,
        sync_old_done: record.source_settled,
        sync_src_server: record.source,
        sync_until_timestamp: record.until,
        last_ip_addr: record.last_ips.clone(),
        last_server_port: record.last_port.unwrap_or_default(),
        ..kept.clone()
    }
}
