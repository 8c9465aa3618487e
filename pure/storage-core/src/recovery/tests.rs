//! Which peers a lost store path is rebuilt from, and with which files.

use fdfs_fileid::StorePathIndex;
use fdfs_format::binlog::Record;
use fdfs_proto::{StorageId, StorageStatus as S};

use super::*;

const A: &str = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA123.txt";
const B: &str = "M00/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA124.txt";
const OTHER_PATH: &str = "M01/00/00/wKgBZ2hj0oCAFpMhAAAADg4QulA125.txt";

fn record(line: &str) -> Record {
    Record::parse(line.replace("$A", A).replace("$B", B).replace("$O", OTHER_PATH).as_bytes()).unwrap()
}

fn own(lines: &[&str]) -> OwnLog {
    let mut own = OwnLog::new(StorePathIndex(0));
    lines.iter().for_each(|line| own.note(&record(line)));
    own
}

#[test]
fn of_what_a_peer_lists_all_is_wanted_but_what_went_here_since() {
    // Own log, a line of the peer, what is asked for there and kept here.
    type Row = (&'static [&'static str], &'static str, Option<(&'static str, &'static str)>);
    let table: &[Row] = &[
        (&[], "10 C $A", Some((A, A))),
        (&[], "10 c $A", Some((A, A))),
        (&[], "10 U $A", Some((A, A))),
        (&[], "10 R $B $A", Some((B, B))),
        (&[], "10 L $B $A", Some((B, B))),
        (&[], "10 C $O", None),
        (&[], "10 D $A", None),
        (&[], "10 A $A 0 5", None),
        (&["10 C $A"], "10 C $A", Some((A, A))),
        (&["10 C $A", "20 D $A"], "10 C $A", None),
        (&["10 c $A", "20 d $A"], "10 C $A", None),
        (&["10 C $A", "10 D $A"], "10 C $A", None),
        // Made again: a slave, or metadata.
        (&["10 C $A", "20 D $A"], "30 C $A", Some((A, A))),
        (&["10 C $A", "20 D $A", "30 C $A"], "10 C $A", Some((A, A))),
        // Renamed here, and the peer does not know yet.
        (&["10 C $A", "20 R $B $A"], "10 C $A", Some((A, B))),
        (&["10 C $A", "20 R $B $A"], "20 R $B $A", Some((B, B))),
        (&["10 C $A", "20 R $B $A", "30 D $B"], "10 C $A", None),
        (&["10 C $A", "20 R $B $A", "30 D $B"], "20 r $B $A", None),
        (&["20 D $O"], "10 C $A", Some((A, A))),
    ];
    for (lines, line, expected) in table {
        let (own, line) = (own(lines), record(line));
        let wanted = own.wanted(&line).map(|wanted| (wanted.there.as_str(), wanted.here.as_str()));
        assert_eq!(wanted, *expected, "{lines:?}: {line:?}");
    }
}

#[test]
fn a_copy_lacks_a_change_that_is_later_than_it_or_made_it_another_size_in_the_same_second() {
    const LOG: &str = "M00/00/00/wKgBZ2hj0oCEAAAAAAAAAAAAAAA123.log";
    // Own log; versions that lack nothing, versions that do; whether it was changed here.
    type Row = (&'static [&'static str], &'static [(i64, u64)], &'static [(i64, u64)], bool);
    let table: &[Row] = &[
        (&["20 A $L 5 5"], &[(20, 10), (21, 3)], &[(19, 10), (20, 5)], true),
        (&["20 A $L 5 5", "22 m $L 0 1"], &[(22, 10)], &[(21, 10), (22, 9)], false),
        (&["20 A $L 5 5", "22 M $L 8 4"], &[(22, 12)], &[(21, 12), (22, 10)], true),
        (&["22 M $L 8 4"], &[(22, 12), (22, 13)], &[(21, 12)], true),
        (&["20 A $L 5 5", "22 T $L 10 2"], &[(22, 2)], &[(22, 10), (20, 10)], true),
        (&["20 A $L 5 5", "22 U $L"], &[(22, 7)], &[(20, 10)], true),
    ];
    for (lines, whole, lacking, here) in table {
        let lines: Vec<String> = lines.iter().map(|line| line.replace("$L", LOG)).collect();
        let own = own(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let (name, last) = own.changed().next().unwrap();
        assert_eq!((name.as_str(), last.made_here), (LOG, *here), "{lines:?}");
        let lacks = |&(mtime, size): &(i64, u64)| last.is_missing_in(Version { mtime, size });
        assert!(!whole.iter().any(lacks) && lacking.iter().all(lacks), "{lines:?}");
    }
    for end in ["30 D $L", "30 R $A $L"] {
        let lines = ["20 A $L 5 5", end].map(|line| line.replace("$L", LOG));
        assert_eq!(own(&[&lines[0], &lines[1]]).changed().count(), 0, "{end}");
    }
}

#[test]
fn what_ought_to_be_here_is_what_was_made_and_did_not_go() {
    let lines = ["10 C $A", "11 C $O", "20 R $B $A", "21 A $B 0 1"];
    let kept = own(&lines);
    let expected: Vec<_> = lines
        .iter()
        .filter_map(|line| kept.expected(&record(line)).map(|name| name.as_str().to_owned()))
        .collect();
    assert_eq!(expected, [B]);
    let kept = own(&["10 C $A", "20 D $A"]);
    assert_eq!(kept.expected(&record("10 C $A")), None);
}

#[test]
fn every_readable_peer_that_serves_is_asked_and_without_one_the_others_are_waited_for() {
    let id = |text: &str| StorageId::new(text.as_bytes()).unwrap();
    let these = |ids: &[&str]| Sources::These(ids.iter().map(|text| id(text)).collect());
    // This storage's status, those of the peers b, c, … and whether they are readable.
    type Row<'a> = (Option<S>, &'a [(S, bool)], Sources);
    let table: &[Row<'_>] = &[
        (Some(S::Active), &[], Sources::Nobody),
        (Some(S::Active), &[(S::Active, true)], these(&["b"])),
        (Some(S::Recovery), &[(S::Active, true), (S::Active, true)], these(&["b", "c"])),
        (Some(S::Offline), &[(S::Active, true), (S::Offline, true)], these(&["b"])),
        (Some(S::Offline), &[(S::Offline, true), (S::Recovery, true)], Sources::Wait),
        (Some(S::Offline), &[(S::Active, false), (S::Online, true)], Sources::Wait),
        // Found by simulation: each waited for the other.
        (Some(S::Offline), &[(S::Syncing, true)], these(&["b"])),
        (Some(S::Offline), &[(S::WaitSync, true), (S::Offline, true)], these(&["b"])),
        (Some(S::Offline), &[(S::Active, false)], Sources::Nobody),
        (Some(S::Offline), &[(S::Deleted, true), (S::IpChanged, true)], Sources::Nobody),
        (Some(S::Init), &[(S::Active, true)], Sources::Nobody),
        (Some(S::Deleted), &[(S::Active, true)], Sources::Nobody),
        (Some(S::IpChanged), &[(S::Active, true)], Sources::Nobody),
        (None, &[(S::Active, true)], Sources::Unknown),
    ];
    for (own, peers, expected) in table {
        let mut members = Vec::new();
        members.extend(own.map(|status| Member { id: id("a"), status, readable: true }));
        members.extend(peers.iter().zip(["b", "c"]).map(|((status, readable), name)| Member {
            id: id(name),
            status: *status,
            readable: *readable,
        }));
        assert_eq!(sources(Some(&id("a")), &members), *expected, "{own:?} {peers:?}");
    }
    assert_eq!(sources(None, &[]), Sources::Unknown);
}

#[test]
fn d9_somebody_who_has_files_and_does_not_serve_may_have_what_the_others_lack() {
    let id = |text: &str| StorageId::new(text.as_bytes()).unwrap();
    // A peer's status and whether it is readable; whether that is somebody who is away.
    let table = [
        (S::Active, true, false),
        (S::Offline, true, true),
        (S::Online, true, true),
        (S::Recovery, true, false),
        (S::Syncing, true, false),
        (S::WaitSync, true, false),
        (S::Offline, false, false),
        (S::Deleted, true, false),
        (S::IpChanged, true, false),
        (S::Init, true, false),
    ];
    for (status, readable, away) in table {
        let me = Member { id: id("a"), status: S::Offline, readable: true };
        let members = [me, Member { id: id("b"), status, readable }];
        assert_eq!(holders_away(Some(&id("a")), &members), away, "{status:?} {readable}");
    }
}

#[test]
fn of_a_file_that_can_change_the_copy_that_was_changed_last_is_the_one() {
    let version = |mtime, size| Version { mtime, size };
    assert!(is_better(None, version(10, 5)));
    for (here, there, better) in [
        (version(10, 5), version(11, 3), true),
        (version(10, 5), version(9, 50), false),
        (version(10, 5), version(10, 6), true),
        (version(10, 5), version(10, 5), false),
    ] {
        assert_eq!(is_better(Some(here), there), better, "{here:?} {there:?}");
    }
    let can_differ = |text: &str| can_differ(&fdfs_fileid::FileName::parse(text.as_bytes()).unwrap());
    let appender = "M00/00/00/CgEBAmtJ0tCEJIrgAAAAAJfidFo3017347";
    assert!(can_differ(appender));
    assert!(!can_differ(A) && !can_differ(&format!("{A}-m")) && !can_differ(&format!("{appender}-m")));
}
