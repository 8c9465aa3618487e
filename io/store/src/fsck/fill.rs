//! Reading as much of a file as there is room for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Fills `bytes` from `at`; it is shorter afterwards when the file ends before, and empty after an error.
pub(super) fn fill(file: &File, bytes: &mut Vec<u8>, at: u64) -> io::Result<()> {
    let mut len = 0;
    while let Some(room) = bytes.get_mut(len..).filter(|room| !room.is_empty()) {
        match file.read_at(room, at + len as u64) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                bytes.clear();
                return Err(error);
            }
        }
    }
    bytes.truncate(len);
    Ok(())
}
