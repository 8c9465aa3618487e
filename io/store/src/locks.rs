//! One change at a time for each file.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use fdfs_fileid::FileName;
use tokio::sync::{Mutex, MutexGuard};

/// More than the changes that are ever under way at one time, so that files seldom share a lock.
const STRIPES: usize = 4096;

/// Locks by name. Names share stripes, so nobody may hold two.
#[derive(Debug)]
pub(crate) struct NameLocks {
    stripes: Vec<Mutex<()>>,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl NameLocks {
    pub(crate) fn new() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            hasher: BuildHasherDefault::default(),
        }
    }

    fn stripe(&self, name: &FileName) -> usize {
        (self.hasher.hash_one(name.true_name()) % STRIPES as u64) as usize
    }

    pub(crate) async fn lock(&self, name: &FileName) -> MutexGuard<'_, ()> {
        self.stripes[self.stripe(name)].lock().await
    }
}
