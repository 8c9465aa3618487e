//! What is remembered of changes that were made, for those that members send again or late: as the log tells it at a start,
//! and then as the writer of the store path makes them. It alone decides by it, as the change before is then made and noted.

use std::collections::BTreeMap;
use std::sync::Arc;

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_format::binlog::{Origin, Record};
use parking_lot::Mutex;
use storage_core::replication::receive::{Brought, Gone, GoneLog, Overtaken, Was};

use crate::StoreError;
use crate::binlog::Binlog;

/// How much of the log is read at a start, bytes.
const LOG_LEN: u64 = 32 << 20;

/// What is remembered of one store path.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Files that were deleted, on any store path of the storage: so many are remembered in all.
    gone: Arc<Mutex<Gone>>,
    /// What peers may send again of files that were changed here since.
    overtaken: Mutex<Overtaken>,
}

/// What the end of the log says.
#[derive(Debug, Default)]
pub(crate) struct AsLogged {
    gone: Arc<Mutex<Gone>>,
    overtaken: BTreeMap<StorePathIndex, Overtaken>,
    /// When the newest change was made by a client of this storage, Unix seconds; 0 if there was none.
    pub(crate) newest: u32,
}

impl AsLogged {
    pub(crate) fn read(binlog: &Binlog) -> Result<Self, StoreError> {
        let (mut found, mut gone) = (Self::default(), GoneLog::default());
        // The first line may be cut; then it is none.
        binlog.lines_from(binlog.place_before_end(LOG_LEN), |line| {
            let Ok(record) = Record::parse(line.strip_suffix(b"\n").unwrap_or(line)) else { return };
            if record.origin == Origin::Client {
                found.newest = found.newest.max(u32::try_from(record.timestamp).unwrap_or_default());
            }
            gone.note(&record);
            found.overtaken.entry(record.change.name().path_index()).or_default().note(&record);
        })?;
        found.gone = Arc::new(Mutex::new(gone.gone));
        Ok(found)
    }

    /// What a store path begins with.
    pub(crate) fn take(&mut self, path: StorePathIndex) -> Memory {
        let overtaken = self.overtaken.remove(&path).unwrap_or_default();
        Memory { gone: Arc::clone(&self.gone), overtaken: Mutex::new(overtaken) }
    }
}

impl Memory {
    /// A change of `name` was made, with these lines in the log.
    pub(crate) fn note(&self, name: &FileName, lines: &str, was: Was) {
        // The same for most files, without reading their lines.
        if !Overtaken::is_about(name) && lines.split(' ').nth(1) == Some("C") {
            return self.gone.lock().remove(name);
        }
        for record in lines.lines().filter_map(|line| Record::parse(line.as_bytes()).ok()) {
            self.gone.lock().note(&record.change, was);
            self.overtaken.lock().note(&record);
        }
    }

    /// Whether a file was deleted and is not here again.
    pub(crate) fn is_gone(&self, name: &FileName) -> bool {
        self.gone.lock().holds(name)
    }

    /// Whether a file that comes was deleted before ([`Gone::came_too_late`]).
    pub(crate) fn came_too_late(&self, name: &FileName) -> bool {
        self.gone.lock().came_too_late(name)
    }

    /// Whether a change that comes was here before one that was made here ([`Overtaken::holds`]).
    pub(crate) fn is_overtaken(&self, name: &FileName, time: u32, what: Brought) -> bool {
        self.overtaken.lock().holds(name, time, what)
    }

    /// Whether a file is missing because it was deleted, or renamed, here ([`Overtaken::went`]).
    pub(crate) fn went(&self, name: &FileName) -> bool {
        self.overtaken.lock().went(name)
    }
}

#[cfg(test)]
mod tests {
    use fdfs_fileid::{ExtName, SizeWord, Source, Stamp, build_name};
    use storage_core::replication::receive::GONE_MAX;

    use super::*;
    use crate::{Content, Durability, NewName, Packing, Received, Store, StoreSettings, WhichCopy};

    fn name(number: usize) -> FileName {
        FileName::parse(format!("M00/00/00/{number:027}.a").as_bytes()).unwrap()
    }

    #[test]
    fn d16_after_a_start_a_deletion_whose_file_had_not_come_is_known_from_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let binlog = Binlog::open(dir.path()).unwrap();
        binlog.append(format!("1700000009 d {}\n", name(0)).as_bytes());
        for number in 1..=GONE_MAX + 1 {
            let name = name(number);
            binlog.append(format!("1700000005 C {name}\n1700000006 D {name}\n").as_bytes());
        }
        let mut logged = AsLogged::read(&binlog).unwrap();
        assert_eq!(logged.newest, 1_700_000_006);
        let memory = logged.take(StorePathIndex(0));
        assert!(memory.is_gone(&name(0)));
        assert!(!memory.is_gone(&name(1)));
        assert!(memory.is_gone(&name(2)) && memory.is_gone(&name(GONE_MAX + 1)));
    }

    /// The name that a file of this content would have.
    fn named(content: &[u8], random: u32) -> FileName {
        let size = SizeWord::normal(content.len() as u64, random);
        let crc32 = crc32fast::hash(content);
        let stamp = Stamp { source: Source::Id(100_001), timestamp: 1_751_328_000, size, crc32 };
        build_name(StorePathIndex(0), (0, 1), &stamp, &ExtName::NONE, random)
    }

    #[tokio::test]
    async fn d16_a_deletion_of_what_has_not_come_outlives_any_number_of_others() {
        for file_len_max in [None, Some(1024)] {
            let dir = tempfile::tempdir().unwrap();
            let settings = StoreSettings {
                binlog_dir: dir.path().join("data/sync"),
                paths: vec![dir.path().to_owned()],
                durability: Durability::Fastdfs,
                inline_max: 1024,
                journal_len: 4 << 20,
                packing: Packing { file_len_max, pack_len: 1 << 20, ..Packing::OFF },
                commit_wait: std::time::Duration::ZERO,
            };
            let (store, _) = Store::open(&settings).unwrap();
            let (late, ordinary) = (named(b"late", 1), named(b"ordinary", 2));
            let content = |content: &'static [u8]| Content::Bytes(content.into());
            assert!(store.receive_delete(late.clone(), 10).await.is_err());
            let fixed = NewName::Fixed(ordinary.clone());
            store.create(StorePathIndex(0), fixed, content(b"ordinary"), 10).await.unwrap();
            store.delete(ordinary.clone(), 10).await.unwrap();
            assert!(store.is_gone(&late) && store.is_gone(&ordinary));
            let memory = &store.path_of(&late).unwrap().memory;
            for number in 0..GONE_MAX {
                memory.note(&name(number), &format!("10 D {}\n", name(number)), Was::Here);
            }
            assert!(!store.is_gone(&ordinary), "so many are remembered");
            let received = store.receive_copy(late.clone(), content(b"late"), WhichCopy::Created, 11).await;
            assert_eq!(received.unwrap(), Received::Had);
            assert!(store.open_file(&late).await.is_err());
        }
    }
}
