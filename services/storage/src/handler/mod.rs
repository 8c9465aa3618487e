//! One file for each family of commands: decode, do, answer.

pub(crate) mod change;
pub(crate) mod download;
pub(crate) mod fetch_binlog;
pub(crate) mod info;
pub(crate) mod link;
pub(crate) mod metadata;
pub(crate) mod sync;
pub(crate) mod upload;

use fdfs_fileid::{FileName, GroupName};
use fdfs_proto::{frame, storage::named};

use crate::connection::Done;

/// The answer that names a file.
pub(crate) fn named(group: GroupName, name: &FileName) -> Done {
    let mut answer = Vec::with_capacity(96);
    frame::reply(&mut answer, |out| named::Got::new(group, name).encode(out));
    Done::answer(answer)
}
