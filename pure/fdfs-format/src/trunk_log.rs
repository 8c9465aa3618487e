//! The trunk binlog, `data/trunk/binlog`, and its snapshot, `data/storage_trunk.dat`: which space of the trunk files is
//! free.
//!
//! Source: storage internals, "Trunk binlog and snapshot".

use std::fmt;

/// Name of the log below `data/`.
pub const TRUNK_BINLOG_FILE: &str = "trunk/binlog";

/// Name of the snapshot below `data/`.
pub const TRUNK_SNAPSHOT_FILE: &str = "storage_trunk.dat";

/// Longest line, bytes, newline included, that the original reads.
pub const TRUNK_LINE_LEN_MAX: usize = 128;

/// Columns of a line, and of one written before version 5.01, which has neither time nor letter.
const COLUMNS: usize = 8;
const OLD_COLUMNS: usize = 6;

/// Space in a trunk file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkBlock {
    /// The store path of the trunk file.
    pub path: u8,
    /// Its first directory.
    pub dir_high: u8,
    /// Its second directory.
    pub dir_low: u8,
    /// Number of the trunk file.
    pub file_id: u32,
    /// Where the space begins in it, bytes.
    pub offset: u32,
    /// How much it is, bytes, room for a slot's header included.
    pub size: u32,
}

/// What a line says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrunkOp {
    /// It is free.
    Add,
    /// It is free no more.
    Delete,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrunkLine {
    /// Unix seconds; 0 in a line written before version 5.01.
    pub time: u64,
    /// What happened.
    pub op: TrunkOp,
    /// To what.
    pub block: TrunkBlock,
}

/// Why a line is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrunkLineError {
    /// Neither eight columns nor six.
    #[error("a line of the trunk binlog has 8 columns")]
    Columns,
    /// A column is no number, or too large a one.
    #[error("a column of a trunk binlog line is no number of its size")]
    Number,
    /// The letter is neither `A` nor `D`.
    #[error("the letter of a trunk binlog line is neither A nor D")]
    Op,
    /// Longer than [`TRUNK_LINE_LEN_MAX`].
    #[error("a line of the trunk binlog is too long")]
    TooLong,
    /// The block is empty or reaches beyond 32 bits.
    #[error("a trunk binlog line speaks of space that no trunk file has")]
    Block,
}

impl TrunkLine {
    /// Reads a line, with or without its newline. One of six columns is an `A` of the time 0.
    ///
    /// # Errors
    /// [`TrunkLineError`].
    pub fn parse(line: &[u8]) -> Result<Self, TrunkLineError> {
        if line.len() > TRUNK_LINE_LEN_MAX {
            return Err(TrunkLineError::TooLong);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| TrunkLineError::Number)?;
        let count = text.split(' ').count();
        let mut columns = text.split(' ');
        let (time, op) = match count {
            COLUMNS => {
                let time = number(columns.next())?;
                let op = match columns.next() {
                    Some("A") => TrunkOp::Add,
                    Some("D") => TrunkOp::Delete,
                    _ => return Err(TrunkLineError::Op),
                };
                (time, op)
            }
            OLD_COLUMNS => (0, TrunkOp::Add),
            _ => return Err(TrunkLineError::Columns),
        };
        let block = TrunkBlock {
            path: number(columns.next())?,
            dir_high: number(columns.next())?,
            dir_low: number(columns.next())?,
            file_id: number(columns.next())?,
            offset: number(columns.next())?,
            size: number(columns.next())?,
        };
        let is_real = block.size > 0 && block.offset.checked_add(block.size).is_some();
        if is_real { Ok(Self { time, op, block }) } else { Err(TrunkLineError::Block) }
    }
}

fn number<T: std::str::FromStr>(column: Option<&str>) -> Result<T, TrunkLineError> {
    let digits = column.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or(TrunkLineError::Number)
}

impl fmt::Display for TrunkLine {
    /// Without the newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            TrunkOp::Add => 'A',
            TrunkOp::Delete => 'D',
        };
        let TrunkBlock { path, dir_high, dir_low, file_id, offset, size } = self.block;
        write!(f, "{} {op} {path} {dir_high} {dir_low} {file_id} {offset} {size}", self.time)
    }
}

/// What is in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrunkSnapshot {
    /// Up to where in the trunk binlog it is complete, bytes.
    pub binlog_offset: u64,
    /// The free blocks, with the times at which they became so.
    pub lines: Vec<TrunkLine>,
    /// Lines that could not be read.
    pub bad: u64,
}

impl TrunkSnapshot {
    /// Reads the file. A line that can't be read is counted and left out, like a last one without newline.
    ///
    /// # Errors
    /// [`TrunkLineError::Number`] when the first line is no number: then nothing tells where to go on in the log.
    pub fn decode(bytes: &[u8]) -> Result<Self, TrunkLineError> {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let first = lines.next().and_then(|line| line.strip_suffix(b"\n"));
        let first = first.and_then(|line| std::str::from_utf8(line).ok());
        let mut snapshot = Self { binlog_offset: number(first)?, ..Self::default() };
        for line in lines {
            match TrunkLine::parse(line) {
                Ok(parsed) if line.ends_with(b"\n") && parsed.op == TrunkOp::Add => {
                    snapshot.lines.push(parsed)
                }
                _ => snapshot.bad += 1,
            }
        }
        Ok(snapshot)
    }

    /// Writes the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.binlog_offset);
        for line in &self.lines {
            out.push_str(&line.to_string());
            out.push('\n');
        }
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{TrunkBlock, TrunkLine, TrunkLineError, TrunkOp, TrunkSnapshot};

    const BLOCK: TrunkBlock =
        TrunkBlock { path: 0, dir_high: 1, dir_low: 255, file_id: 7, offset: 3072, size: 4_191_232 };

    #[test]
    fn a_line_reads_back_as_written() {
        let text = "1795350772 A 0 1 255 7 3072 4191232";
        let line = TrunkLine { time: 1_795_350_772, op: TrunkOp::Add, block: BLOCK };
        assert_eq!(TrunkLine::parse(text.as_bytes()), Ok(line));
        assert_eq!(TrunkLine::parse(format!("{text}\n").as_bytes()), Ok(line));
        assert_eq!(line.to_string(), text);
        let gone = TrunkLine { op: TrunkOp::Delete, ..line };
        assert_eq!(TrunkLine::parse(gone.to_string().as_bytes()), Ok(gone));
    }

    #[test]
    fn a_line_from_before_version_5_01_is_free_space_of_no_time() {
        let line = TrunkLine { time: 0, op: TrunkOp::Add, block: BLOCK };
        assert_eq!(TrunkLine::parse(b"0 1 255 7 3072 4191232\n"), Ok(line));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        use TrunkLineError::{Block, Columns, Number, Op, TooLong};
        for (text, why) in [
            ("", Columns),
            ("1 A 0 0 0 1 0", Columns),
            ("1 A 0 0 0 1 0 256 9", Columns),
            ("1 C 0 0 0 1 0 256", Op),
            ("1 AD 0 0 0 1 0 256", Op),
            ("x A 0 0 0 1 0 256", Number),
            ("1 A 256 0 0 1 0 256", Number),
            ("1 A 0 0 0 1 -1 256", Number),
            ("1 A 0 0 0 1 +1 256", Number),
            ("1 A 0 0 0 4294967296 0 256", Number),
            ("1 A 0 0 0 1  256", Number),
            ("1 A 0 0 0 1 0 0", Block),
            ("1 A 0 0 0 1 4294967295 256", Block),
            (&"1".repeat(129), TooLong),
        ] {
            assert_eq!(TrunkLine::parse(text.as_bytes()), Err(why), "{text}");
        }
    }

    #[test]
    fn a_snapshot_keeps_its_bytes_and_counts_what_it_cannot_read() {
        let text = b"1017\n1795350772 A 0 1 255 7 3072 4191232\n1795350776 A 0 0 0 1 0 3072\n";
        let snapshot = TrunkSnapshot::decode(text).unwrap();
        assert_eq!((snapshot.binlog_offset, snapshot.lines.len(), snapshot.bad), (1017, 2, 0));
        assert_eq!(snapshot.encode(), text);
        let torn =
            TrunkSnapshot::decode(b"9\nnonsense\n1 D 0 0 0 1 0 256\n1 A 0 0 0 1 0 256\n1 A 0 0 0 1 0 51")
                .unwrap();
        assert_eq!((torn.lines.len(), torn.bad), (1, 3));
        assert_eq!(TrunkSnapshot::decode(b"1 A 0 0 0 1 0 256\n"), Err(TrunkLineError::Number));
        assert_eq!(TrunkSnapshot::decode(b""), Err(TrunkLineError::Number));
    }
}
