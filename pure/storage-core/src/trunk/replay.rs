//! Free space from snapshot and trunk binlog.

use fdfs_format::trunk_log::{TrunkLine, TrunkOp, TrunkSnapshot};

use super::FreeSpace;

/// What a replay has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The free blocks.
    pub free: FreeSpace,
    /// Lines that could not be read, or that speak of a store path that is not there.
    pub bad: u64,
    /// Lines that do not fit what was free before them: `A` of what was free, `D` of what was not.
    pub odd: u64,
    /// How much of the log is whole lines, bytes; what comes after was torn by a crash, and has to be cut off.
    pub whole: u64,
}

/// Replays the log, from the place on up to which the snapshot is complete; all of it without snapshot, or when the log is
/// shorter than the snapshot says. Then, as with the original, the snapshot alone counts if there is one.
///
/// `paths` is the number of store paths. Nothing here is an error: what does not fit is left out of the free space.
pub fn replay(snapshot: Option<&TrunkSnapshot>, log: &[u8], paths: u16) -> Replayed {
    let mut state = Replayed::default();
    let mut from = 0;
    if let Some(snapshot) = snapshot {
        state.bad = snapshot.bad;
        snapshot.lines.iter().for_each(|line| state.line(line, paths));
        from = usize::try_from(snapshot.binlog_offset).unwrap_or(usize::MAX);
    }
    let whole = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    state.whole = whole as u64;
    for line in log.get(from..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
        match TrunkLine::parse(line) {
            Ok(line) => state.line(&line, paths),
            Err(_) => state.bad += 1,
        }
    }
    state
}

impl Replayed {
    fn line(&mut self, line: &TrunkLine, paths: u16) {
        if u16::from(line.block.path) >= paths {
            self.bad += 1;
            return;
        }
        match line.op {
            TrunkOp::Add => self.odd += u64::from(self.free.add(&line.block).is_err()),
            TrunkOp::Delete if self.free.remove(&line.block) => {}
            TrunkOp::Delete => {
                self.odd += 1;
                // Whatever of it seems to be free may be in use.
                for block in self.free.overlapping(&line.block) {
                    self.free.remove(&block);
                }
            }
        }
    }
}
