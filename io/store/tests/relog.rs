//! A storage that lost its base path: the log is made of what is on the store paths.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use store::{Content, Durability, NewName, Packing, Store, StoreSettings, log_is_lost};
use tempfile::TempDir;

const M00: StorePathIndex = StorePathIndex(0);
/// Long before the newest file of these tests, and just before it.
const OLD: u32 = 1_700_000_000;
const NOW: u32 = 1_700_172_800;

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        binlog_dir: dir.join("base"),
        paths: vec![dir.join("p0")],
        durability: Durability::Disk,
        inline_max: 64 * 1024,
        journal_len: 4 << 20,
        packing: Packing { file_len_max: Some(100), pack_len: 1 << 20, dead_percent: 50, rewrite_rate: 0 },
        commit_wait: Duration::ZERO,
    }
}

fn name(number: u32, time: u32, size: SizeWord) -> FileName {
    let stamp = Stamp { source: Source::Id(100_001), timestamp: time, size, crc32: number };
    build_name(M00, (0, 1), &stamp, &ExtName::from_field(b"txt\0\0\0").unwrap(), number)
}

/// A file that is packed if it is small.
async fn put(store: &Store, number: u32, len: usize, time: u32) -> FileName {
    let name = name(number, time, SizeWord::normal(len as u64, number));
    let content = Content::Bytes(vec![b'x'; len].into());
    store.create(M00, NewName::Fixed(name.clone()), content, time).await.unwrap();
    name
}

fn lines(dir: &Path) -> BTreeSet<String> {
    let log = fs::read_to_string(dir.join("base/binlog.000")).unwrap();
    log.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn d23_a_lost_log_is_made_of_the_files_that_are_there() {
    for crashed in [false, true] {
        let dir = TempDir::new().unwrap();
        let settings = settings(dir.path());
        assert!(!log_is_lost(&settings).unwrap(), "nothing is there yet");
        let store = Store::open(&settings).unwrap().0;
        let (packed, plain) = (put(&store, 1, 5, NOW).await, put(&store, 2, 1000, NOW).await);
        let (old_packed, old_plain) = (put(&store, 3, 5, OLD).await, put(&store, 4, 1000, OLD).await);
        let appender = name(5, NOW, SizeWord::appender(5));
        let content = Content::Bytes(b"grows"[..].into());
        store.create(M00, NewName::Fixed(appender.clone()), content, NOW).await.unwrap();
        store.set_metadata(packed.clone(), NOW, Box::new(|_| Some(b"k\x02v".to_vec()))).await.unwrap();
        for (number, len) in [(6, 5), (7, 1000)] {
            let gone = put(&store, number, len, NOW).await;
            store.delete(gone, NOW).await.unwrap();
        }
        if !crashed {
            store.close().unwrap();
        }
        drop(store);
        let trunk_file = dir.path().join("p0/data/00/00/000001");
        fs::create_dir_all(trunk_file.parent().unwrap()).unwrap();
        fs::write(trunk_file, b"").unwrap();
        fs::remove_dir_all(dir.path().join("base")).unwrap();
        assert!(log_is_lost(&settings).unwrap());
        let store = Store::open_without_log(&settings).unwrap().0;
        store.close().unwrap();
        assert!(!log_is_lost(&settings).unwrap());
        // What may be here alone goes to the peers; of what they may have newer, nothing does.
        let expected = [
            format!("{NOW} C {packed}"),
            format!("{NOW} C {plain}"),
            format!("{OLD} c {old_packed}"),
            format!("{OLD} c {old_plain}"),
            format!("{NOW} c {appender}"),
            format!("{NOW} c {}", packed.metadata_name()),
        ];
        let found = lines(dir.path());
        if crashed {
            // Changes that had not been left behind by the journal and the packs have their own lines, too.
            assert!(expected.iter().all(|line| found.contains(line)), "{found:?}");
        } else {
            assert_eq!(found, expected.into());
        }
    }
}
