//! The store: files on disk under their ids, the journal that makes them durable, fsck.
