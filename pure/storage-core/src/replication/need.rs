//! Which records of the log a peer needs, and where it begins (storage internals: which records are sent; mark
//! creation and the full copy of a new member).

use fdfs_format::Mark;
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::StorageId;
use fdfs_proto::tracker::sync_source::SyncSource;

/// How long before the end of another's copy the own records begin that are sent to a new member, seconds.
///
/// Those before come from the member that fills it, which sends what it had received by then. What was on its way to that
/// member at that moment would be sent by nobody (storage internals: holes, D8). A day is the longest delay of
/// replication that trackers reckon with unless told otherwise (`storage_sync_file_max_delay`). Records of that day
/// are mostly there already, so the peer is asked before content is sent.
pub const OLD_DATA_OVERLAP_S: i64 = 86_400;

/// Whether a peer needs a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It does not.
    No,
    /// It does.
    Yes,
    /// It most likely has it: worth a question before content is sent.
    Perhaps,
}

/// Whether the peer of this mark needs the record.
///
/// What clients did here goes to everybody. What peers brought goes to the member that is filled from here, as far as the
/// copy reaches. The original stops with it at the first end of the log; here a record of that time that arrives later
/// still goes out, as nobody else sends it. So do appends, modifications and truncations by peers, which the original
/// never sends: those that arrive here after the content was sent for the file's creation are not in it (storage
/// internals: holes, D8). Most are, so the peer is asked about appends first.
pub fn need(record: &Record, mark: &Mark) -> Need {
    let old = record.timestamp <= mark.until_timestamp;
    match record.origin {
        Origin::Client if !mark.need_sync_old && old => Need::Perhaps,
        Origin::Client => Need::Yes,
        Origin::Peer if !(mark.need_sync_old && old) => Need::No,
        Origin::Peer => match record.change {
            Change::Create { .. }
            | Change::Delete { .. }
            | Change::Update { .. }
            | Change::Link { .. }
            | Change::Rename { .. }
            | Change::Modify { .. }
            | Change::Truncate { .. } => Need::Yes,
            Change::Append { .. } => Need::Perhaps,
        },
    }
}

/// What is known about a peer before a tracker is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept<'a> {
    /// Nothing: it is new.
    Nothing,
    /// There was a mark, and it can't be read any more.
    Broken,
    /// A mark.
    Mark(&'a Mark),
}

/// Where to begin with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Where the mark says.
    Kept,
    /// With this mark. Records before the first one of `skip_to` (Unix second) or later need not be read.
    New {
        /// The mark, at the beginning of the log.
        mark: Mark,
        /// From when on records count.
        skip_to: Option<i64>,
    },
}

/// Where to begin, after a tracker has said who fills the peer (`None`: nobody has to); `me` is this storage.
pub fn start(kept: Kept<'_>, source: Option<SyncSource>, me: &StorageId) -> Start {
    let filler = source.filter(|source| source.src_id.is_some());
    let mine = filler.filter(|source| source.src_id.as_ref() == Some(me));
    let mark = Mark {
        need_sync_old: mine.is_some(),
        until_timestamp: filler.map_or(0, |source| source.until_timestamp),
        ..Mark::default()
    };
    match kept {
        // A peer that begins a new life asks for another copy, up to another second.
        Kept::Mark(old)
            if mine.is_none() || old.need_sync_old && old.until_timestamp == mark.until_timestamp =>
        {
            Start::Kept
        }
        // How far an unreadable mark had come is not known: everything once more does no harm.
        Kept::Mark(_) | Kept::Broken => Start::New { mark, skip_to: None },
        Kept::Nothing => {
            let others = filler.filter(|_| mine.is_none());
            let skip_to = others.map(|source| source.until_timestamp.saturating_sub(OLD_DATA_OVERLAP_S));
            Start::New { mark, skip_to }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
    const UNTIL: i64 = 1_700_000_000;

    fn record(op: char, timestamp: i64) -> Record {
        let extra = match op.to_ascii_uppercase() {
            'A' | 'M' | 'T' => " 0 5".to_owned(),
            'L' | 'R' => format!(" {NAME}x"),
            _ => String::new(),
        };
        Record::parse(format!("{timestamp} {op} {NAME}{extra}").as_bytes()).unwrap()
    }

    fn mark(need_sync_old: bool, sync_old_done: bool) -> Mark {
        Mark { need_sync_old, sync_old_done, until_timestamp: UNTIL, ..Mark::default() }
    }

    #[test]
    fn what_clients_did_here_goes_to_everybody() {
        for op in "CADUMTLR".chars() {
            for (need_old, done) in [(true, false), (true, true), (false, false)] {
                assert_eq!(need(&record(op, UNTIL + 1), &mark(need_old, done)), Need::Yes, "{op}");
            }
            assert_eq!(need(&record(op, UNTIL), &mark(true, false)), Need::Yes, "{op}");
        }
    }

    #[test]
    fn what_peers_brought_goes_to_the_member_that_is_filled_from_here() {
        for op in "cdulramt".chars() {
            let expected = if op == 'a' { Need::Perhaps } else { Need::Yes };
            assert_eq!(need(&record(op, UNTIL), &mark(true, false)), expected, "{op}");
            assert_eq!(need(&record(op, UNTIL + 1), &mark(true, false)), Need::No, "{op}: later");
            assert_eq!(need(&record(op, UNTIL), &mark(false, false)), Need::No, "{op}: filled by another");
        }
    }

    #[test]
    fn d8_a_record_of_the_copy_that_arrives_after_it_is_still_sent() {
        for op in "cdulramt".chars() {
            assert_ne!(need(&record(op, UNTIL - 5), &mark(true, true)), Need::No, "{op}");
        }
    }

    #[test]
    fn d8_own_records_begin_well_before_the_end_of_anothers_copy_and_are_asked_about() {
        let me = StorageId::new(b"10.0.0.1").unwrap();
        let other = SyncSource { src_id: StorageId::new(b"10.0.0.2"), until_timestamp: UNTIL };
        let expected = mark(false, false);
        assert_eq!(
            start(Kept::Nothing, Some(other), &me),
            Start::New { mark: expected, skip_to: Some(UNTIL - 86_400) }
        );
        assert_eq!(need(&record('C', UNTIL), &expected), Need::Perhaps);
    }

    #[test]
    fn a_new_peer_gets_everything_from_its_source_and_when_it_needs_none() {
        let me = StorageId::new(b"10.0.0.1").unwrap();
        let mine = SyncSource { src_id: Some(me), until_timestamp: UNTIL };
        assert_eq!(
            start(Kept::Nothing, Some(mine), &me),
            Start::New { mark: mark(true, false), skip_to: None }
        );
        let none = Start::New { mark: Mark::default(), skip_to: None };
        assert_eq!(start(Kept::Nothing, None, &me), none);
        let nobody = SyncSource { src_id: None, until_timestamp: UNTIL };
        assert_eq!(start(Kept::Nothing, Some(nobody), &me), none);
    }

    #[test]
    fn d6_after_an_unreadable_mark_everything_is_sent_once_more() {
        let me = StorageId::new(b"10.0.0.1").unwrap();
        let other = SyncSource { src_id: StorageId::new(b"10.0.0.2"), until_timestamp: UNTIL };
        assert_eq!(
            start(Kept::Broken, Some(other), &me),
            Start::New { mark: mark(false, false), skip_to: None }
        );
    }

    #[test]
    fn a_peer_that_begins_anew_is_filled_anew_and_any_other_goes_on() {
        let me = StorageId::new(b"10.0.0.1").unwrap();
        let mine = |until_timestamp| SyncSource { src_id: Some(me), until_timestamp };
        let other = SyncSource { src_id: StorageId::new(b"10.0.0.2"), until_timestamp: UNTIL + 99 };
        let filled = mark(true, true);
        let plain = Mark::default();
        let anew =
            Start::New { mark: Mark { until_timestamp: UNTIL + 99, ..mark(true, false) }, skip_to: None };
        assert_eq!(start(Kept::Mark(&filled), Some(mine(UNTIL)), &me), Start::Kept);
        assert_eq!(start(Kept::Mark(&filled), Some(mine(UNTIL + 99)), &me), anew);
        assert_eq!(start(Kept::Mark(&plain), Some(mine(UNTIL + 99)), &me), anew);
        assert_eq!(start(Kept::Mark(&filled), Some(other), &me), Start::Kept);
        assert_eq!(start(Kept::Mark(&plain), None, &me), Start::Kept);
    }
}
