//! The state files as another tracker copies them: frozen while one connection holds them.

use std::sync::Arc;

use fdfs_format::tracker::{groups, servers, sync_times};
use fdfs_proto::limits::SYS_FILE_PART_LEN_MAX;
use fdfs_proto::tracker::sys_files::SysFile;
use parking_lot::Mutex;
use tracker_core::{ConnId, View};

/// The four files, encoded.
#[derive(Debug)]
pub(crate) struct Frozen([Vec<u8>; 4]);

impl Frozen {
    pub(crate) fn new(view: &View, changelog: Vec<u8>) -> Self {
        Self([
            groups::encode(&view.groups_table()),
            servers::encode(&view.servers_table()),
            sync_times::encode(&view.sync_times_table()),
            changelog,
        ])
    }

    /// Size of a file, and the part of it that begins at `offset`; none when that lies beyond its end.
    pub(crate) fn part(&self, file: SysFile, offset: u64) -> Option<(u64, &[u8])> {
        let Self([groups, servers, sync_times, changelog]) = self;
        let bytes = match file {
            SysFile::Groups => groups,
            SysFile::Servers => servers,
            SysFile::SyncTimestamps => sync_times,
            SysFile::Changelog => changelog,
        };
        let rest = bytes.get(usize::try_from(offset).ok()?..)?;
        Some((bytes.len() as u64, rest.get(..SYS_FILE_PART_LEN_MAX).unwrap_or(rest)))
    }
}

/// The frozen files, and who holds them. At most one set is in memory.
#[derive(Debug, Default)]
pub(crate) struct SysFiles(Mutex<Option<(ConnId, Arc<Frozen>)>>);

impl SysFiles {
    /// Hands the files to a connection; whoever had them before has them no longer.
    pub(crate) fn hand_to(&self, conn: ConnId, files: Frozen) {
        *self.0.lock() = Some((conn, Arc::new(files)));
    }

    /// The files, if this connection holds them.
    pub(crate) fn held_by(&self, conn: ConnId) -> Option<Arc<Frozen>> {
        self.0.lock().as_ref().filter(|(holder, _)| *holder == conn).map(|(_, files)| Arc::clone(files))
    }

    /// Takes them from this connection, if it holds them.
    pub(crate) fn release(&self, conn: ConnId) {
        let mut held = self.0.lock();
        if held.as_ref().is_some_and(|(holder, _)| *holder == conn) {
            *held = None;
        }
    }
}
