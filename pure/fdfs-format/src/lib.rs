//! Bytes on disk: metadata, statistics, binlog lines, tracker state files.

pub mod journal;
