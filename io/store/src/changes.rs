//! Which files are changed while they are read to be regenerated. Size and time of a file don't tell: a change has the time
//! of its record, in whole seconds, and may leave the size alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

use parking_lot::Mutex;

/// The files of one store path whose changes somebody wants to know of.
#[derive(Default)]
pub(crate) struct Changes {
    /// How many names are watched, so that a change while there is none costs next to nothing.
    names: AtomicUsize,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    /// By true name.
    files: HashMap<Vec<u8>, File>,
    /// The newest mark. None is given twice, so that whoever has one of an earlier watch finds it outdated.
    newest: u64,
}

struct File {
    watches: usize,
    /// Another one after each change.
    mark: u64,
}

impl Watched {
    fn next(&mut self) -> u64 {
        self.newest += 1;
        self.newest
    }
}

/// As long as this lives, changes of one file are told.
pub(crate) struct Watch<'a> {
    changes: &'a Changes,
    name: Vec<u8>,
}

impl Changes {
    /// Begins to watch a true name.
    pub(crate) fn watch(&self, name: &[u8]) -> Watch<'_> {
        let mut watched = self.watched.lock();
        let mark = watched.next();
        let file = watched.files.entry(name.to_vec()).or_insert(File { watches: 0, mark });
        file.watches += 1;
        self.names.store(watched.files.len(), Ordering::Relaxed);
        drop(watched);
        // A change that is under way does not see this watch only if it was done before this: then what is read from here on
        // has all of it. See `add`.
        fence(Ordering::SeqCst);
        Watch { changes: self, name: name.to_vec() }
    }

    /// The mark of a true name; `None` when nobody watches it. The same before the content was read and when nothing is being
    /// changed: what was read is the content still.
    pub(crate) fn mark(&self, name: &[u8]) -> Option<u64> {
        self.watched.lock().files.get(name).map(|file| file.mark)
    }

    /// A change was done to a file, or perhaps a part of one.
    pub(crate) fn add(&self, name: &[u8]) {
        // The change before this, the look at the watches behind it. See `watch`.
        fence(Ordering::SeqCst);
        if self.names.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut watched = self.watched.lock();
        let mark = watched.next();
        if let Some(file) = watched.files.get_mut(name) {
            file.mark = mark;
        }
    }
}

impl Watch<'_> {
    /// See [`Changes::mark`].
    pub(crate) fn mark(&self) -> Option<u64> {
        self.changes.mark(&self.name)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut watched = self.changes.watched.lock();
        if let Some(file) = watched.files.get_mut(&self.name) {
            file.watches -= 1;
            if file.watches == 0 {
                watched.files.remove(&self.name);
            }
        }
        self.changes.names.store(watched.files.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Changes;

    #[test]
    fn changes_of_other_files_are_not_taken_for_changes_of_a_file_that_is_being_read() {
        let changes = Changes::default();
        let watch = changes.watch(b"00/00/file");
        let before = watch.mark();
        (0..10_000).for_each(|other| changes.add(format!("00/00/{other}").as_bytes()));
        assert_eq!(changes.mark(b"00/00/file"), before);
        changes.add(b"00/00/file");
        assert_ne!(changes.mark(b"00/00/file"), before);
    }

    #[test]
    fn a_file_is_watched_until_the_last_one_who_watches_it_is_gone() {
        let changes = Changes::default();
        let (first, second) = (changes.watch(b"00/00/file"), changes.watch(b"00/00/file"));
        let before = first.mark();
        drop(first);
        assert_eq!((second.mark(), before.is_some()), (before, true));
        drop(second);
        assert_eq!(changes.mark(b"00/00/file"), None);
    }

    #[test]
    fn a_mark_of_an_earlier_watch_is_outdated() {
        let changes = Changes::default();
        let before = changes.watch(b"00/00/file").mark();
        changes.add(b"00/00/file");
        assert_ne!(changes.watch(b"00/00/file").mark(), before);
    }
}
