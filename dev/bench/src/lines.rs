//! Counts the lines of a binlog by their letter as it grows.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const STEP: usize = 1 << 20;

/// A binlog and what was counted of it. A measurement ends long before the next file of a log begins.
pub(crate) struct Lines {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    /// The column that the next byte belongs to.
    column: usize,
    counts: [u64; 256],
}

impl Lines {
    /// The log may come into being later.
    pub(crate) fn of(path: &Path) -> Lines {
        Lines { path: path.to_owned(), file: None, buffer: vec![0; STEP], column: 0, counts: [0; 256] }
    }

    /// How many lines with this letter there are now.
    pub(crate) fn count(&mut self, letter: u8) -> io::Result<u64> {
        self.read()?;
        Ok(self.counts[usize::from(letter)])
    }

    fn read(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match File::open(&self.path) {
                Ok(file) => self.file.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        loop {
            let len = file.read(&mut self.buffer)?;
            for &byte in &self.buffer[..len] {
                match byte {
                    b'\n' => self.column = 0,
                    b' ' => self.column += 1,
                    letter if self.column == 1 => self.counts[usize::from(letter)] += 1,
                    _ => {}
                }
            }
            if len < self.buffer.len() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_counted_by_letter_also_when_they_come_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("binlog.000");
        let mut lines = Lines::of(&path);
        assert_eq!(lines.count(b'C').unwrap(), 0);
        let mut log = File::create(&path).unwrap();
        log.write_all(b"1700000000 C M00/00/00/C C c.bin\n17000").unwrap();
        assert_eq!((lines.count(b'C').unwrap(), lines.count(b'c').unwrap()), (1, 0));
        log.write_all(b"00001 c M00/00/01/x\n1700000001 C M00/00/02/y\n").unwrap();
        assert_eq!((lines.count(b'C').unwrap(), lines.count(b'c').unwrap()), (2, 1));
    }
}
