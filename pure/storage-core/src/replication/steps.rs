//! What is sent for a record, and what follows from the answer (storage internals: sender behaviour per record).
//!
//! Nothing is replayed: what is sent is the content of *now*. So each record may be sent again at any time, and a record
//! whose file is gone needs nothing, as the deletion follows in the log. Or its new name does, and then the peer
//! gives that to a file that lacks the change, for which the original has no remedy: see [`super::stale`].

use fdfs_format::binlog::{Change, Record};
use fdfs_proto::Status;

use super::need::Need;

/// The file of a record as it is here, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// There is none.
    Missing,
    /// It is there.
    There {
        /// Its size, bytes.
        size: u64,
    },
}

/// One message to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// QUERY_FILE_INFO 22: has it the file, and of which size?
    Ask,
    /// SYNC_CREATE_FILE 16 without content: it has the file.
    Confirm,
    /// All of the file: SYNC_CREATE_FILE 16, which leaves a file of the same size alone, or with `update`
    /// SYNC_UPDATE_FILE 18, which replaces it.
    Copy {
        /// Which of the two.
        update: bool,
    },
    /// SYNC_APPEND_FILE 25: this part, bytes.
    Append {
        /// Where it begins.
        start: u64,
        /// How long it is.
        len: u64,
    },
    /// SYNC_MODIFY_FILE 35: this part, bytes.
    Modify {
        /// Where it begins.
        start: u64,
        /// How long it is.
        len: u64,
    },
    /// SYNC_TRUNCATE_FILE 37, bytes.
    Truncate {
        /// Size before.
        old: u64,
        /// Size after.
        new: u64,
    },
    /// SYNC_DELETE_FILE 17.
    Delete,
    /// The same, for the old name of a file that went away under its new one.
    DeleteOld,
    /// SYNC_RENAME_FILE 40.
    Rename,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Send(Step),
    /// The record is done.
    Done(Done),
    /// The peer refused this record; others may fare better.
    Refused(Status),
    /// The peer can take nothing at present.
    PeerUnable(Status),
    /// The peer's answers lead in a circle; see [`super::exchange`].
    Nowhere,
}

/// How a record was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The peer took it.
    Taken,
    /// The peer had the file: it may have those that follow, too.
    Existed,
    /// There was nothing to send.
    Nothing,
    /// There was nothing to send, as the file is gone.
    Missing,
}

impl Done {
    /// Whether the peer has shown that it takes changes.
    pub fn is_proof(self) -> bool {
        matches!(self, Self::Taken | Self::Existed)
    }
}

/// The peer's answer to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// Size of the peer's file, bytes; only [`Step::Ask`] is answered with one.
    pub size: Option<u64>,
}

/// The first step for a record. `need` is [`Need::Perhaps`] when the peer may well have the file.
pub fn first(record: &Record, local: Local, need: Need) -> Next {
    let Local::There { size } = local else {
        return match record.change {
            Change::Delete { .. } => Next::Send(Step::Delete),
            // Nothing else tells the peer that the old name is gone.
            Change::Rename { .. } => Next::Send(Step::DeleteOld),
            _ => Next::Done(Done::Missing),
        };
    };
    // If it was cut later on, the record of that follows; what is left of the part must be right.
    let left = |start: u64, len: u64| size.checked_sub(start).map(|left| left.min(len));
    Next::Send(match record.change {
        Change::Create { .. } if need == Need::Perhaps => Step::Ask,
        Change::Create { .. } => Step::Copy { update: false },
        Change::Update { .. } => Step::Copy { update: true },
        Change::Append { offset: start, len, .. } => match left(start, len) {
            Some(0) if len > 0 => return Next::Done(Done::Nothing),
            Some(_) if need == Need::Perhaps => Step::Ask,
            Some(len) => Step::Append { start, len },
            None => return Next::Done(Done::Nothing),
        },
        Change::Modify { offset: start, len, .. } => match left(start, len) {
            Some(0) if len > 0 => return Next::Done(Done::Nothing),
            Some(len) => Step::Modify { start, len },
            None => return Next::Done(Done::Nothing),
        },
        Change::Truncate { old_size, new_size, .. } => Step::Truncate { old: old_size, new: new_size },
        // It was made again since.
        Change::Delete { .. } => return Next::Done(Done::Nothing),
        // The peer may lack what the link leads to, and then would never get the link: it gets the content.
        Change::Link { .. } => Step::Copy { update: false },
        Change::Rename { .. } => Step::Rename,
    })
}

/// What follows from the answer to `step`; `local` is looked at again. `stale` tells of a rename that the peer's file may
/// lack changes made under the old name.
pub fn after(step: Step, record: &Record, answer: Answer, local: Local, stale: bool) -> Next {
    let Local::There { size } = local else {
        // Gone meanwhile: the deletion follows. That of a deletion is what was to be.
        return match (step, answer.status) {
            (Step::Delete | Step::DeleteOld, Status::OK | Status::ENOENT) => Next::Done(Done::Taken),
            (Step::Delete | Step::DeleteOld, status) => refusal(status),
            _ => Next::Done(Done::Missing),
        };
    };
    match (step, answer.status) {
        (Step::Ask, Status::OK) => {
            let same = answer.size == Some(size);
            match record.change {
                Change::Append { .. } if same => Next::Done(Done::Taken),
                // It has what was there before.
                Change::Append { offset, len, .. } if answer.size == Some(offset) && offset < size => {
                    Next::Send(Step::Append { start: offset, len: len.min(size - offset) })
                }
                _ if same => Next::Send(Step::Confirm),
                _ => Next::Send(Step::Copy { update: true }),
            }
        }
        (Step::Ask, Status::ENOENT) => {
            let update = !matches!(record.change, Change::Create { .. });
            Next::Send(Step::Copy { update })
        }
        (Step::Confirm, Status::OK | Status::EEXIST) => Next::Done(Done::Existed),
        // After a break the new name may be there from the last attempt, without the content that was to follow.
        (Step::Rename, Status::OK | Status::EEXIST) if stale => Next::Send(Step::Copy { update: true }),
        (Step::Copy { .. } | Step::Rename, Status::EEXIST) => Next::Done(Done::Existed),
        (Step::Append { .. } | Step::Modify { .. }, Status::EEXIST) => Next::Done(Done::Taken),
        (Step::Append { .. } | Step::Modify { .. } | Step::Truncate { .. }, Status::ENOENT) => {
            Next::Send(Step::Copy { update: true })
        }
        // Its size is not the one before. It may have been cut already; but it may also have missed changes that were not
        // sent because they had been cut off here, which the original never notices. That the size is right by now
        // proves nothing: what was appended since may be missing behind the cut.
        (Step::Truncate { .. }, Status::EEXIST) => Next::Send(Step::Copy { update: true }),
        (Step::Rename, Status::ENOENT) => Next::Send(Step::Copy { update: false }),
        (Step::Delete | Step::DeleteOld, Status::ENOENT) | (_, Status::OK) => Next::Done(Done::Taken),
        (_, status) => refusal(status),
    }
}

/// Whether the peer has no room: it can take what makes some.
pub fn is_want_of_room(status: Status) -> bool {
    matches!(status, Status::ENOSPC | Status::EDQUOT)
}

/// Whether a status is about the record or about the peer as a whole. Where that is in doubt it is about the record: if
/// the peer takes no other either, none is given up (see [`super::window`]).
fn refusal(status: Status) -> Next {
    match status {
        Status::ENOSPC
        | Status::EDQUOT
        | Status::EROFS
        | Status::ENOMEM
        | Status::ENFILE
        | Status::EMFILE
        | Status::ENOBUFS => Next::PeerUnable(status),
        _ => Next::Refused(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Local::Missing;

    const NAME: &str = "M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
    const THERE: Local = Local::There { size: 100 };

    fn record(op: char, extra: &str) -> Record {
        Record::parse(format!("1700000000 {op} {NAME}{extra}").as_bytes()).unwrap()
    }

    fn other() -> String {
        format!(" {NAME}x")
    }

    /// What follows when the peer's file lacks nothing.
    fn after(step: Step, record: &Record, answer: Answer, local: Local) -> Next {
        super::after(step, record, answer, local, false)
    }

    fn copy(update: bool) -> Next {
        Next::Send(Step::Copy { update })
    }

    #[test]
    fn each_record_begins_with_its_own_message() {
        let begin = |op, extra: &str| first(&record(op, extra), THERE, Need::Yes);
        for op in ['C', 'c'] {
            assert_eq!(begin(op, ""), copy(false));
        }
        for op in ['U', 'u'] {
            assert_eq!(begin(op, ""), copy(true));
        }
        assert_eq!(begin('A', " 60 40"), Next::Send(Step::Append { start: 60, len: 40 }));
        assert_eq!(begin('M', " 10 5"), Next::Send(Step::Modify { start: 10, len: 5 }));
        assert_eq!(begin('T', " 500 100"), Next::Send(Step::Truncate { old: 500, new: 100 }));
        assert_eq!(begin('L', &other()), copy(false));
        assert_eq!(begin('R', &other()), Next::Send(Step::Rename));
        assert_eq!(begin('r', &other()), Next::Send(Step::Rename));
    }

    #[test]
    fn of_a_missing_file_only_the_deletion_is_sent() {
        for (op, extra) in [('C', ""), ('c', ""), ('U', ""), ('A', " 0 1"), ('M', " 0 1"), ('T', " 1 0")] {
            assert_eq!(first(&record(op, extra), Missing, Need::Yes), Next::Done(Done::Missing), "{op}");
        }
        assert_eq!(first(&record('L', &other()), Missing, Need::Yes), Next::Done(Done::Missing));
        for op in ['R', 'r'] {
            let next = first(&record(op, &other()), Missing, Need::Yes);
            assert_eq!(next, Next::Send(Step::DeleteOld), "the old name goes");
        }
        for op in ['D', 'd'] {
            assert_eq!(first(&record(op, ""), Missing, Need::Yes), Next::Send(Step::Delete));
            assert_eq!(first(&record(op, ""), THERE, Need::Yes), Next::Done(Done::Nothing), "made again");
        }
    }

    #[test]
    fn of_a_part_that_was_cut_later_what_is_left_is_sent_and_the_rest_left_to_the_truncation_that_follows() {
        let rows =
            [(" 60 40", Some((60, 40))), (" 60 41", Some((60, 40))), (" 100 1", None), (" 101 0", None)];
        let far = [(" 18446744073709551615 1", None), (" 100 0", Some((100, 0)))];
        for (extra, expected) in rows.into_iter().chain(far) {
            let append = expected.map(|(start, len)| Next::Send(Step::Append { start, len }));
            let modify = expected.map(|(start, len)| Next::Send(Step::Modify { start, len }));
            let nothing = Next::Done(Done::Nothing);
            assert_eq!(first(&record('A', extra), THERE, Need::Yes), append.unwrap_or(nothing), "{extra}");
            assert_eq!(first(&record('M', extra), THERE, Need::Yes), modify.unwrap_or(nothing), "{extra}");
        }
    }

    #[test]
    fn a_new_name_is_followed_by_the_content_when_the_peers_file_may_lack_changes() {
        let rename = record('R', &other());
        for status in [Status::OK, Status::EEXIST] {
            let answer = Answer { status, size: None };
            assert_eq!(super::after(Step::Rename, &rename, answer, THERE, true), copy(true));
        }
        let missing = Answer { status: Status::ENOENT, size: None };
        assert_eq!(super::after(Step::Rename, &rename, missing, THERE, true), copy(false));
    }

    #[test]
    fn a_file_that_may_be_there_is_asked_for_before_its_content_is_sent() {
        let create = record('C', "");
        assert_eq!(first(&create, THERE, Need::Perhaps), Next::Send(Step::Ask));
        let asked = |status, size| after(Step::Ask, &create, Answer { status, size }, THERE);
        assert_eq!(asked(Status::OK, Some(100)), Next::Send(Step::Confirm));
        assert_eq!(asked(Status::OK, Some(99)), copy(true));
        assert_eq!(asked(Status::ENOENT, None), copy(false));
        assert_eq!(asked(Status::EIO, None), Next::Refused(Status::EIO));
        assert_eq!(
            first(&record('U', ""), THERE, Need::Perhaps),
            copy(true),
            "the size says nothing of metadata"
        );
    }

    #[test]
    fn d8_of_an_append_that_may_be_there_only_what_is_missing_is_sent() {
        let append = record('a', " 60 40");
        assert_eq!(first(&append, THERE, Need::Perhaps), Next::Send(Step::Ask));
        let asked = |status, size| after(Step::Ask, &append, Answer { status, size }, THERE);
        assert_eq!(asked(Status::OK, Some(100)), Next::Done(Done::Taken));
        assert_eq!(asked(Status::OK, Some(60)), Next::Send(Step::Append { start: 60, len: 40 }));
        for size in [59, 61, 99, 101] {
            assert_eq!(asked(Status::OK, Some(size)), copy(true), "{size}");
        }
        assert_eq!(asked(Status::ENOENT, None), copy(true));
        // Cut since: what is left of it, or nothing.
        let short = Local::There { size: 80 };
        let answer = Answer { status: Status::OK, size: Some(60) };
        let rest = Next::Send(Step::Append { start: 60, len: 20 });
        assert_eq!(super::after(Step::Ask, &append, answer, short, false), rest);
        let none = Next::Done(Done::Nothing);
        assert_eq!(first(&append, Local::There { size: 60 }, Need::Perhaps), none);
    }

    #[test]
    fn answers_lead_where_the_rules_say() {
        let (part, cut) = (Step::Append { start: 0, len: 9 }, Step::Truncate { old: 9, new: 0 });
        let modify = Step::Modify { start: 0, len: 9 };
        let taken = Next::Done(Done::Taken);
        let existed = Next::Done(Done::Existed);
        let rows: &[(Step, char, &str, Status, Next)] = &[
            (Step::Confirm, 'C', "", Status::EEXIST, existed),
            (Step::Copy { update: false }, 'C', "", Status::OK, taken),
            (Step::Copy { update: false }, 'C', "", Status::EEXIST, existed),
            (Step::Copy { update: true }, 'U', "", Status::EEXIST, existed),
            (Step::Copy { update: false }, 'C', "", Status::EINVAL, Next::Refused(Status::EINVAL)),
            (part, 'A', " 0 9", Status::OK, taken),
            (part, 'A', " 0 9", Status::EEXIST, taken),
            (part, 'A', " 0 9", Status::ENOENT, copy(true)),
            (part, 'A', " 0 9", Status::EIO, Next::Refused(Status::EIO)),
            (modify, 'M', " 0 9", Status::OK, taken),
            (modify, 'M', " 0 9", Status::EEXIST, taken),
            (modify, 'M', " 0 9", Status::ENOENT, copy(true)),
            (cut, 'T', " 9 0", Status::OK, taken),
            (cut, 'T', " 9 0", Status::EEXIST, copy(true)),
            (Step::Rename, 'R', "x", Status::OK, taken),
            (Step::Rename, 'R', "x", Status::EEXIST, existed),
            (Step::Rename, 'R', "x", Status::ENOENT, copy(false)),
        ];
        for (step, op, extra, status, expected) in rows {
            let extra = if *extra == "x" { other() } else { (*extra).to_owned() };
            let answer = Answer { status: *status, size: None };
            assert_eq!(after(*step, &record(*op, &extra), answer, THERE), *expected, "{op} {status:?}");
        }
    }

    #[test]
    fn d17_a_truncation_of_a_file_the_peer_lacks_sends_it_instead_of_waiting_for_ever() {
        let answer = Answer { status: Status::ENOENT, size: None };
        assert_eq!(after(Step::Truncate { old: 9, new: 0 }, &record('T', " 9 0"), answer, THERE), copy(true));
    }

    #[test]
    fn a_deletion_of_what_is_not_there_is_done() {
        for status in [Status::OK, Status::ENOENT] {
            let answer = Answer { status, size: None };
            assert_eq!(after(Step::Delete, &record('D', ""), answer, Missing), Next::Done(Done::Taken));
        }
        let failed = Answer { status: Status::EIO, size: None };
        assert_eq!(after(Step::Delete, &record('D', ""), failed, Missing), Next::Refused(Status::EIO));
    }

    #[test]
    fn a_file_that_goes_while_it_is_sent_needs_nothing_more() {
        let answer = Answer { status: Status::ENOENT, size: None };
        let next = after(Step::Append { start: 0, len: 9 }, &record('A', " 0 9"), answer, Missing);
        assert_eq!(next, Next::Done(Done::Missing));
    }

    #[test]
    fn a_full_disk_is_the_peers_trouble_and_not_the_records() {
        for status in [Status::ENOSPC, Status::EDQUOT, Status::EROFS, Status::ENOMEM] {
            let answer = Answer { status, size: None };
            let next = after(Step::Copy { update: false }, &record('C', ""), answer, THERE);
            assert_eq!(next, Next::PeerUnable(status));
        }
    }
}
