//! `fdfs_crc32`: the checksum of a local file, as it stands in file ids.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{Call, Trouble};

const BUFFER_BYTES: usize = 512 * 1024;

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let path = call.path(0)?;
    match of_file(&path) {
        Ok(crc) => Ok(writeln!(call.out, "{crc:x}")?),
        Err(error) => Err(call.local_failure("cannot read", &path, &error)),
    }
}

fn of_file(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
