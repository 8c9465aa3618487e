//! The files of the trunk server below `data/`: the trunk binlog, its snapshot, the number of the newest trunk file, the
//! marks. Everything here blocks.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use daemon::state_file;
use fdfs_format::trunk_log::{
    TRUNK_BINLOG_FILE, TRUNK_SNAPSHOT_FILE, TrunkBlock, TrunkLine, TrunkOp, TrunkSnapshot,
};
use fdfs_format::{INIT_FLAG_FILE, InitFlag};
use storage_core::trunk::{Replayed, replay};

/// Longest trunk binlog that is loaded, bytes: it is read as a whole.
const LOG_LEN_MAX: u64 = 1 << 30;

/// Number of the newest trunk file, below `data/`. The original keeps it in `.data_init_flag`, and asks a tracker, too.
const FILE_ID_FILE: &str = "trunk/cairn_file_id";

/// Slots that are to be given back, below `data/`, in the form of the trunk binlog. Our own.
const RETURNS_FILE: &str = "trunk/cairn_returns";

/// Where they are.
#[derive(Debug, Clone)]
pub(super) struct TrunkFiles {
    pub(super) data: PathBuf,
}

impl TrunkFiles {
    fn log(&self) -> PathBuf {
        self.data.join(TRUNK_BINLOG_FILE)
    }

    fn snapshot(&self) -> PathBuf {
        self.data.join(TRUNK_SNAPSHOT_FILE)
    }

    fn make_folder(&self) -> io::Result<()> {
        fs::create_dir_all(self.data.join("trunk"))
    }

    /// Length of the log.
    pub(super) fn log_len(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.log())?.len())
    }

    /// Adds lines; they are on disk when this returns. Gives the length of the log.
    pub(super) fn append(&self, lines: &[u8]) -> io::Result<u64> {
        self.make_folder()?;
        let mut file = File::options().append(true).create(true).open(self.log())?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(lines).and_then(|()| file.sync_data()) {
            // Half a line would spoil the one behind it.
            let _ = file.set_len(before);
            return Err(error);
        }
        if before == 0 {
            state_file::sync_parent(&self.log())?;
        }
        Ok(before + lines.len() as u64)
    }

    /// Whole lines from a place on, no more than `max` bytes of them.
    pub(super) fn lines_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let mut file = match File::open(self.log()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut lines = Vec::new();
        file.take(max as u64).read_to_end(&mut lines)?;
        lines.truncate(lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1));
        Ok(lines)
    }

    /// Empties the log and removes the snapshot.
    pub(super) fn truncate(&self) -> io::Result<()> {
        self.make_folder()?;
        self.remove_snapshot()?;
        File::options().write(true).create(true).truncate(true).open(self.log())?.sync_all()?;
        state_file::sync_parent(&self.log())
    }

    /// Removes the snapshot.
    pub(super) fn remove_snapshot(&self) -> io::Result<()> {
        match fs::remove_file(self.snapshot()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Saves a snapshot that is complete up to the end of the log.
    pub(super) fn save(&self, snapshot: &TrunkSnapshot) -> io::Result<()> {
        state_file::replace(&self.snapshot(), &snapshot.encode())
    }

    /// Reads the free space, and cuts off what a crash left behind the last whole line.
    pub(super) fn load(&self, paths: u16) -> io::Result<Replayed> {
        let log = match self.log_len() {
            Ok(len) if len > LOG_LEN_MAX => return Err(io::Error::other("the trunk binlog is too long")),
            Ok(_) => fs::read(self.log())?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let snapshot = match fs::read(self.snapshot()) {
            Ok(bytes) => Some(TrunkSnapshot::decode(&bytes).map_err(io::Error::other)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let replayed = replay(snapshot.as_ref(), &log, paths);
        if replayed.whole < log.len() as u64 {
            let file = File::options().write(true).open(self.log())?;
            file.set_len(replayed.whole)?;
            file.sync_all()?;
        }
        Ok(replayed)
    }

    /// Number of the newest trunk file, as far as it is known here.
    pub(super) fn file_id(&self) -> io::Result<u32> {
        let own = match fs::read_to_string(self.data.join(FILE_ID_FILE)) {
            Ok(text) => text.trim().parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let flag = fs::read(self.data.join(INIT_FLAG_FILE)).ok();
        let flag = flag.and_then(|bytes| InitFlag::decode(&bytes).ok());
        Ok(flag.map_or(own, |flag| own.max(flag.current_trunk_file_id)))
    }

    /// Brings the number of the newest trunk file to disk.
    pub(super) fn save_file_id(&self, id: u32) -> io::Result<()> {
        self.make_folder()?;
        state_file::replace(&self.data.join(FILE_ID_FILE), format!("{id}\n").as_bytes())
    }

    /// Slots that were to be given back when [`Self::save_returns`] was called last.
    pub(super) fn returns(&self) -> io::Result<Vec<TrunkBlock>> {
        let text = match fs::read(self.data.join(RETURNS_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut blocks = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match TrunkLine::parse(line) {
                Ok(line) => blocks.push(line.block),
                Err(error) => tracing::warn!(%error, "a slot that was to be given back stays unused"),
            }
        }
        Ok(blocks)
    }

    /// Keeps the slots that are to be given back.
    pub(super) fn save_returns(&self, blocks: &[TrunkBlock]) -> io::Result<()> {
        self.make_folder()?;
        let line = |block: &TrunkBlock| TrunkLine { time: 0, op: TrunkOp::Add, block: *block };
        let text: String = blocks.iter().map(|block| format!("{}\n", line(block))).collect();
        state_file::replace(&self.data.join(RETURNS_FILE), text.as_bytes())
    }

    fn mark(&self, peer: &str) -> PathBuf {
        self.data.join(format!("trunk/{peer}.mark"))
    }

    /// Up to where in the log a peer has it; 0 for one that has no mark.
    pub(super) fn read_mark(&self, peer: &str) -> u64 {
        let text = fs::read_to_string(self.mark(peer)).unwrap_or_default();
        let offset = text.lines().find_map(|line| line.trim().strip_prefix("binlog_offset"));
        let offset = offset.and_then(|rest| rest.trim_start().strip_prefix('='));
        // What is no mark only has everything sent again.
        offset.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
    }

    pub(super) fn save_mark(&self, peer: &str, offset: u64) -> io::Result<()> {
        state_file::replace(&self.mark(peer), format!("binlog_offset={offset}\n").as_bytes())
    }

    /// Removes all marks.
    pub(super) fn remove_marks(&self) -> io::Result<()> {
        let entries = match fs::read_dir(self.data.join("trunk")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "mark") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}
