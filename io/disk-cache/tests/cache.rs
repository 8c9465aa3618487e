//! What a cache keeps, what it lets go, and what it leaves alone.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use disk_cache::{BLOCK_BYTES, DiskCache, Key, LOCK_NAME, OpenError, SHARE, Usage};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};

/// What becomes of a file.
type Change = Box<dyn Fn(&mut Vec<u8>)>;

/// Sixteen of one block.
const ROOM: u64 = 16 * BLOCK_BYTES;

fn key(number: u8) -> Key {
    Key([number; 32])
}

fn path_of(folder: &Path, number: u8) -> PathBuf {
    let two = format!("{number:02x}");
    folder.join(&two).join(&two).join(format!("{}.blob", two.repeat(32)))
}

/// The files in a folder, all of them, with their sizes.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(self::files(&entry.path()));
        } else {
            files.push((entry.path(), entry.metadata().unwrap().len()));
        }
    }
    files
}

/// What blobs take on disk, in whole blocks, those that are being written too.
fn taken(folder: &Path) -> u64 {
    let files = files(folder).into_iter().filter(|(path, _)| !path.ends_with(LOCK_NAME));
    files.map(|(_, size)| size.next_multiple_of(BLOCK_BYTES)).sum()
}

#[test]
fn what_was_put_is_there_until_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    assert_eq!(cache.get(&key(1)), None);
    assert!(cache.put(&key(1), b"one").unwrap());
    assert!(cache.put(&key(2), b"").unwrap());
    assert_eq!(cache.get(&key(1)).as_deref(), Some(&b"one"[..]));
    assert_eq!(cache.get(&key(2)).as_deref(), Some(&b""[..]));
    assert!(cache.put(&key(1), &[7; 5000]).unwrap());
    assert_eq!(cache.get(&key(1)), Some(vec![7; 5000]));
    assert_eq!(cache.usage(), Usage { entries: 2, bytes: 3 * BLOCK_BYTES });
    assert_eq!(fs::metadata(path_of(folder.path(), 1)).unwrap().len(), 16 + 5000);
}

#[test]
fn what_was_used_least_recently_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    for number in 0..16 {
        assert!(cache.put(&key(number), &[number]).unwrap());
    }
    // Used, replaced: both are newer than 2 and 3.
    assert!(cache.get(&key(0)).is_some());
    assert!(cache.put(&key(1), b"anew").unwrap());
    // A missing one uses nothing. What takes two blocks pushes two out.
    assert_eq!(cache.get(&key(99)), None);
    assert!(cache.put(&key(16), &[1; 5000]).unwrap());
    let gone: Vec<u8> = (0..17).filter(|number| cache.get(&key(*number)).is_none()).collect();
    // Room for the replacement was made while the earlier one was there: 2 went for it.
    assert_eq!(gone, [2, 3]);
    assert!(!path_of(folder.path(), 2).exists() && !path_of(folder.path(), 3).exists());
    assert_eq!(taken(folder.path()), ROOM);
}

#[test]
fn what_takes_more_than_its_share_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    let most = (ROOM / SHARE - 16) as usize;
    assert!(cache.put(&key(1), &vec![1; most]).unwrap());
    assert!(!cache.put(&key(2), &vec![1; most + 1]).unwrap());
    assert_eq!(cache.get(&key(2)), None);
    assert_eq!(cache.usage(), Usage { entries: 1, bytes: ROOM / SHARE });
    // A cache without room keeps nothing and fails at nothing.
    let folder = tempfile::tempdir().unwrap();
    let none = DiskCache::open(folder.path(), 0).unwrap();
    assert!(!none.put(&key(1), b"").unwrap());
}

#[test]
fn a_torn_or_changed_file_is_a_miss_and_goes() {
    let good = b"0123456789";
    let change = |at: usize| move |file: &mut Vec<u8>| file[at] ^= 1;
    let changes: [(&str, Change); 8] = [
        ("empty", Box::new(|file| file.clear())),
        ("half a head", Box::new(|file| file.truncate(9))),
        ("cut", Box::new(|file| file.truncate(20))),
        ("longer", Box::new(|file| file.push(0))),
        ("much longer", Box::new(|file| file.resize(100_000, 0))),
        ("mark", Box::new(change(0))),
        ("length", Box::new(change(8))),
        ("content", Box::new(change(25))),
    ];
    for (name, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(folder.path(), ROOM).unwrap();
        assert!(cache.put(&key(1), good).unwrap());
        let path = path_of(folder.path(), 1);
        let mut file = fs::read(&path).unwrap();
        change(&mut file);
        fs::write(&path, file).unwrap();
        assert_eq!(cache.get(&key(1)), None, "{name}");
        assert!(!path.exists(), "{name}");
        assert_eq!(cache.usage(), Usage { entries: 0, bytes: 0 }, "{name}");
        assert!(cache.put(&key(1), good).unwrap(), "{name}");
        assert_eq!(cache.get(&key(1)).as_deref(), Some(&good[..]), "{name}");
    }
}

#[test]
fn a_blob_under_the_name_of_another_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    assert!(cache.put(&key(1), b"one").unwrap() && cache.put(&key(2), b"two").unwrap());
    fs::copy(path_of(folder.path(), 1), path_of(folder.path(), 2)).unwrap();
    assert_eq!(cache.get(&key(2)), None);
    assert_eq!(cache.get(&key(1)).as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_cache_that_somebody_deletes_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/cache");
    let cache = DiskCache::open(&path, ROOM).unwrap();
    for number in 0..16 {
        assert!(cache.put(&key(number), b"x").unwrap());
    }
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(cache.get(&key(3)), None);
    assert_eq!(cache.usage().entries, 15);
    // Making room where nothing is any more is no error.
    for number in 20..36 {
        assert!(cache.put(&key(number), b"y").unwrap());
    }
    assert!((20..36).all(|number| cache.get(&key(number)).as_deref() == Some(b"y")));
    assert_eq!(cache.usage(), Usage { entries: 16, bytes: ROOM });
}

#[test]
fn an_error_is_one_put_s_and_room_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    assert!(cache.put(&key(1), b"one").unwrap());
    // A file where a folder is needed: nothing below it can be written, whoever runs this.
    fs::write(folder.path().join("07"), b"").unwrap();
    for _ in 0..40 {
        cache.put(&key(7), b"seven").unwrap_err();
    }
    // A folder where the blob goes: it is written, and can't get its name.
    fs::create_dir_all(path_of(folder.path(), 8).join("x")).unwrap();
    for _ in 0..40 {
        cache.put(&key(8), b"eight").unwrap_err();
    }
    assert_eq!((cache.get(&key(7)), cache.get(&key(8))), (None, None));
    assert_eq!(cache.get(&key(1)).as_deref(), Some(&b"one"[..]));
    assert_eq!(cache.usage(), Usage { entries: 1, bytes: BLOCK_BYTES });
    // The lock, the one blob, the file in the way: nothing half is left.
    assert_eq!(files(folder.path()).len(), 3);
    assert!(cache.put(&key(9), b"nine").unwrap());
}

#[test]
fn what_can_t_be_removed_is_in_the_way_of_one_put_only() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    for number in 0..16 {
        assert!(cache.put(&key(number), b"x").unwrap());
    }
    let path = path_of(folder.path(), 0);
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("x")).unwrap();
    cache.put(&key(20), b"y").unwrap_err();
    for number in 20..35 {
        assert!(cache.put(&key(number), b"y").unwrap());
    }
    assert_eq!(cache.usage(), Usage { entries: 16, bytes: ROOM });
    cache.put(&key(35), b"y").unwrap_err();
    assert!(cache.put(&key(35), b"y").unwrap());
}

#[test]
fn a_folder_that_can_t_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(DiskCache::open(&file.join("cache"), ROOM), Err(OpenError::Io { .. })));
    assert!(matches!(DiskCache::open(&file, ROOM), Err(OpenError::Io { .. })));
}

#[test]
fn a_second_cache_on_the_same_folder_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = DiskCache::open(folder.path(), ROOM).unwrap();
    assert!(first.put(&key(1), b"one").unwrap());
    match DiskCache::open(folder.path(), ROOM) {
        Err(error @ OpenError::Taken { .. }) => {
            let text = error.to_string();
            assert_eq!(
                text,
                format!(
                    "cache folder {}: another process uses it: give each a folder of its own",
                    folder.path().display()
                )
            );
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    let next = DiskCache::open(folder.path(), ROOM).unwrap();
    assert_eq!(next.get(&key(1)).as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_restart_keeps_the_newest_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), 2 * ROOM).unwrap();
    for number in 0..32 {
        assert!(cache.put(&key(number), &[number; 100]).unwrap());
    }
    drop(cache);
    // When they were written: the highest number first.
    for number in 0..32 {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - u64::from(number));
        File::open(path_of(folder.path(), number)).unwrap().set_modified(time).unwrap();
    }
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    assert_eq!(cache.usage(), Usage { entries: 16, bytes: ROOM });
    assert_eq!(taken(folder.path()), ROOM);
    // The order goes on: 15 is the oldest now.
    assert!(cache.put(&key(40), b"new").unwrap());
    for number in 0..32 {
        assert_eq!(cache.get(&key(number)), (number < 15).then(|| vec![number; 100]), "{number}");
    }
}

#[test]
fn a_restart_with_less_room_removes_what_is_beyond_a_share() {
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), 2 * ROOM).unwrap();
    assert!(cache.put(&key(1), &[1; 9000]).unwrap() && cache.put(&key(2), b"two").unwrap());
    drop(cache);
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    assert_eq!((cache.get(&key(1)), cache.get(&key(2)).as_deref()), (None, Some(&b"two"[..])));
    assert!(!path_of(folder.path(), 1).exists());
}

#[test]
fn only_files_with_our_names_in_our_places_are_touched() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (ones, twos) = ("01".repeat(32), "02".repeat(32));
    let leaf = root.join("01/01");
    fs::create_dir_all(&leaf).unwrap();
    fs::create_dir_all(root.join("zz/01")).unwrap();
    fs::create_dir_all(root.join("01/1")).unwrap();
    fs::create_dir_all(leaf.join(format!("{ones}.5.tmp"))).unwrap();
    let theirs = [
        root.join("notes.txt"),
        root.join(format!("{ones}.blob")),
        root.join(format!("{ones}.0.tmp")),
        root.join(format!("zz/01/{ones}.0.tmp")),
        root.join(format!("01/1/{ones}.0.tmp")),
        leaf.join("a.tmp"),
        leaf.join(format!("{ones}.tmp")),
        leaf.join(format!("{ones}.x.tmp")),
        leaf.join(format!("{ones}.0.tmp.txt")),
        leaf.join(format!("{}.0.tmp", &ones[..62])),
        leaf.join(format!("{}.blob", ones.replace('0', "A"))),
        leaf.join(format!("{ones}.jpg")),
        // A blob that somebody moved: not where it would be looked for.
        leaf.join(format!("{twos}.blob")),
    ];
    for path in &theirs {
        fs::write(path, vec![1; 3000]).unwrap();
    }
    std::os::unix::fs::symlink(root.join("notes.txt"), leaf.join(format!("{ones}.7.tmp"))).unwrap();
    let ours = [leaf.join(format!("{ones}.0.tmp")), leaf.join(format!("{twos}.12345.tmp"))];
    for path in &ours {
        fs::write(path, b"half").unwrap();
    }
    let cache = DiskCache::open(root, ROOM).unwrap();
    assert_eq!(cache.usage(), Usage { entries: 0, bytes: 0 });
    for number in 0..40 {
        assert!(cache.put(&key(number), b"x").unwrap());
    }
    assert!(theirs.iter().all(|path| fs::metadata(path).unwrap().len() == 3000));
    assert!(leaf.join(format!("{ones}.5.tmp")).is_dir());
    assert!(leaf.join(format!("{ones}.7.tmp")).is_symlink());
    assert!(ours.iter().all(|path| !path.exists()));
}

#[test]
fn many_threads_get_what_was_put_or_nothing() {
    const THREADS: u8 = 8;
    const ROUNDS: u32 = 400;
    const KEYS: u8 = 24;
    let folder = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(folder.path(), ROOM).unwrap();
    // A key's content says whose it is in every byte; its length differs from put to put.
    let hits: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let cache = &cache;
                scope.spawn(move || {
                    let mut hits = 0;
                    for round in 0..ROUNDS {
                        let number = (round as u8).wrapping_mul(7).wrapping_add(thread) % KEYS;
                        let length = 1 + (round as usize * 37 + thread as usize * 1013) % 8000;
                        cache.put(&key(number), &vec![number; length]).unwrap();
                        for other in [number, (number + 5) % KEYS] {
                            if let Some(content) = cache.get(&key(other)) {
                                assert!(!content.is_empty() && content.iter().all(|byte| *byte == other));
                                hits += 1;
                            }
                        }
                        assert!(cache.usage().bytes <= ROOM);
                    }
                    hits
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(hits > 0);
    // What the cache believes is what is there.
    assert_eq!(taken(folder.path()), cache.usage().bytes);
    let blobs = files(folder.path()).len() - 1;
    assert_eq!(blobs, cache.usage().entries);
    assert_eq!((0..KEYS).filter(|number| cache.get(&key(*number)).is_some()).count(), blobs);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_bound_holds_whatever_is_put_and_used(
        steps in prop::collection::vec((any::<bool>(), 0u8..30, 0usize..10_000), 1..120),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = DiskCache::open(folder.path(), ROOM).unwrap();
        let mut latest: HashMap<u8, Vec<u8>> = HashMap::new();
        for (count, (put, number, length)) in steps.into_iter().enumerate() {
            if put {
                let content = vec![count as u8; length];
                if cache.put(&key(number), &content).unwrap() {
                    latest.insert(number, content);
                    prop_assert!(cache.get(&key(number)).is_some());
                } else {
                    prop_assert!(length as u64 + 16 > ROOM / SHARE);
                }
            } else if let Some(found) = cache.get(&key(number)) {
                prop_assert!(latest.get(&number) == Some(&found));
            }
            prop_assert!(taken(folder.path()) <= ROOM);
            prop_assert!(taken(folder.path()) == cache.usage().bytes);
            if count % 40 == 39 {
                let usage = cache.usage();
                drop(cache);
                cache = DiskCache::open(folder.path(), ROOM).unwrap();
                prop_assert!(cache.usage() == usage);
            }
        }
    }
}
