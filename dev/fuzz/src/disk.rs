//! Files on disk.

use fdfs_format::binlog::Record;
use fdfs_format::journal::{BatchHeader, Entry, SegmentHeader};
use fdfs_format::pack;
use fdfs_format::{
    BinlogIndex, InitFlag, LineReader, Mark, Metadata, PathMark, SlotHeader, StatFile, complete_len, tracker,
};

/// Metadata as a client sends it or a file holds it.
pub fn metadata(bytes: &[u8]) {
    let metadata = Metadata::parse(bytes);
    let encoded = metadata.encode();
    assert_eq!(encoded.len(), metadata.encoded_len());
    assert!(encoded.len() <= bytes.len() * 2);
    let again = Metadata::parse(&encoded);
    assert_eq!(again, metadata);
    let half = bytes.len() / 2;
    let mut merged = Metadata::parse(&bytes[..half]);
    merged.merge(Metadata::parse(&bytes[half..]));
    assert_eq!(Metadata::parse(&merged.encode()), merged);
}

/// A replication log: in whatever pieces it comes, the lines are the same, and every byte is accounted for.
pub fn binlog(bytes: &[u8]) {
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let mut reader = LineReader::new(0);
    reader.feed(bytes, &mut whole);
    let piece = bytes.first().map_or(1, |first| usize::from(*first % 61) + 1);
    let mut slow = LineReader::new(0);
    for piece in bytes.chunks(piece) {
        slow.feed(piece, &mut pieces);
    }
    assert_eq!(whole, pieces);
    assert_eq!(reader.offset() + reader.incomplete_len(), bytes.len() as u64);
    let mut offset = 0;
    for line in &whole {
        assert_eq!(line.offset, offset);
        offset += line.len;
        if let Ok(record) = &line.record {
            // A line that was read is written again, unless numbers in it were spelled longer than need be.
            let text = record.encode().unwrap_or_else(|error| panic!("{record:?}: {error}"));
            assert_eq!(Record::parse(text.trim_end_matches('\n').as_bytes()).as_ref(), Ok(record));
        }
    }
    assert!(complete_len(bytes) <= bytes.len());
}

/// Every small state file of trackers and storages.
pub fn state_files(bytes: &[u8]) {
    if let Ok(mark) = Mark::decode(bytes) {
        assert_eq!(Mark::decode(&mark.encode()), Ok(mark));
    }
    if let Ok(stat) = StatFile::decode(bytes) {
        assert_eq!(StatFile::decode(&stat.encode()), Ok(stat));
    }
    if let Ok(flag) = InitFlag::decode(bytes) {
        assert_eq!(InitFlag::decode(&flag.encode()), Ok(flag));
    }
    if let Ok(index) = BinlogIndex::decode(bytes) {
        assert_eq!(BinlogIndex::decode(&index.encode()), Ok(index));
    }
    let _ = BinlogIndex::decode_old(bytes);
    if let Ok(mark) = PathMark::decode_file(bytes) {
        assert_eq!(PathMark::decode_file(&mark.encode_file()), Ok(mark));
    }
    if let Ok(header) = bytes.first_chunk().map_or(Err(None), |chunk| SlotHeader::decode(chunk).map_err(Some))
    {
        assert_eq!(SlotHeader::decode(&header.encode()), Ok(header));
    }
    if let Ok(groups) = tracker::groups::decode(bytes) {
        assert_eq!(tracker::groups::decode(&tracker::groups::encode(&groups)), Ok(groups));
    }
    if let Ok(servers) = tracker::servers::decode(bytes) {
        assert_eq!(tracker::servers::decode(&tracker::servers::encode(&servers)), Ok(servers));
    }
    if let Ok(rows) = tracker::sync_times::decode(bytes) {
        assert_eq!(tracker::sync_times::decode(&tracker::sync_times::encode(&rows)), Ok(rows));
    }
    for change in tracker::changelog::decode(bytes).into_iter().flatten() {
        assert_eq!(tracker::changelog::decode(&change.encode()), [Ok(change)]);
    }
    let _ = tracker::status::TrackerStatus::decode(bytes);
}

/// A segment of the journal, or a batch, or entries.
pub fn journal(bytes: &[u8]) {
    if let Ok(header) = SegmentHeader::decode(bytes) {
        assert_eq!(SegmentHeader::decode(&header.encode()).as_ref(), Ok(&header));
    }
    let _ = BatchHeader::decode(bytes);
    let _ = BatchHeader::verify(bytes);
    let mut rest = bytes;
    while let Ok(entry) = Entry::decode(&mut rest) {
        let mut out = Vec::new();
        entry.encode(&mut out);
        assert_eq!(Entry::decode(&mut &out[..]), Ok(entry));
    }
}

/// A pack, a hint, or records.
pub fn pack(bytes: &[u8]) {
    if let Ok(header) = pack::PackHeader::decode(bytes) {
        assert_eq!(pack::PackHeader::decode(&header.encode()), Ok(header));
    }
    if let Ok(header) = pack::HintHeader::decode(bytes) {
        assert_eq!(pack::HintHeader::decode(&header.encode()), Ok(header));
    }
    let mut out = Vec::new();
    if let Ok(file) = pack::HintFile::decode(bytes) {
        file.encode(&mut out);
        assert_eq!(pack::HintFile::decode(&out), Ok(file));
    }
    out.clear();
    if let Ok(gone) = pack::HintGone::decode(bytes) {
        gone.encode(&mut out);
        assert_eq!(pack::HintGone::decode(&out), Ok(gone));
    }
    // Chance makes no checksum: what looks like a record is given a right one.
    let mut made = bytes.to_vec();
    let _ = pack::Record::join(&mut made, false, true);
    let mut rest = &made[..];
    while let Ok(record) = pack::Record::decode(rest) {
        let (header, content, name) = (record.header, record.content, record.name);
        assert_eq!(record.victim().is_some(), header.kind == pack::Kind::Gone);
        out.clear();
        pack::Record::encode(header.sequence, header.kind, header.op, header.mtime, content, name, &mut out)
            .expect("what was read is not too long");
        pack::Record::join(&mut out, header.with_before, header.with_next).expect("it was just written");
        // Bytes that say nothing may differ, and the checksum with them.
        let again = pack::Record::decode(&out).expect("it was just written");
        assert_eq!((again.content, again.name), (content, name));
        rest = rest.get(header.padded_len()..).unwrap_or_default();
    }
}
