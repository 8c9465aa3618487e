//! What the status of a peer and the mark kept about it allow (storage internals: the pusher).

use fdfs_conf::service::TimeOfDay;
use fdfs_format::Mark;
use fdfs_proto::StorageStatus;

/// What is to be done about a peer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It has left the group: the mark is put away.
    End,
    /// Nothing, until its status is another one.
    Wait,
    /// A tracker has to say who fills it with the old files.
    Ask,
    /// Tell the trackers that its old files are on their way, and send them.
    Fill,
    /// Send what is in the log.
    Push,
    /// It has all old files: tell the trackers.
    Finished,
}

/// What is to be done about a peer of this status; `mark` is what is known of its place in the log.
pub fn duty(status: StorageStatus, mark: Option<&Mark>) -> Duty {
    use StorageStatus as S;
    let Some(mark) = mark else {
        return match status {
            S::Deleted | S::IpChanged | S::None => Duty::End,
            S::WaitSync | S::Syncing | S::Active => Duty::Ask,
            S::Init | S::Offline | S::Online | S::Recovery => Duty::Wait,
        };
    };
    let (filling, filled) =
        (mark.need_sync_old && !mark.sync_old_done, mark.need_sync_old && mark.sync_old_done);
    match status {
        S::Deleted | S::IpChanged | S::None => Duty::End,
        S::Init | S::Offline | S::Online | S::Recovery => Duty::Wait,
        S::WaitSync if filling => Duty::Fill,
        // It waits for old files although they were sent, or were not this storage's to send: it may have begun a new
        // life, with an empty disk, and this storage may be its source now.
        S::WaitSync => Duty::Ask,
        S::Syncing if filling => Duty::Push,
        S::Syncing if filled => Duty::Finished,
        S::Syncing => Duty::Wait,
        S::Active => Duty::Push,
    }
}

/// Whether replication is to run at this time of the day. Both ends are included, to the minute; an end before the
/// start is on the next day.
pub fn in_window(start: TimeOfDay, end: TimeOfDay, now: TimeOfDay) -> bool {
    let minute = |time: TimeOfDay| (time.hour, time.minute);
    let (start, end, now) = (minute(start), minute(end), minute(now));
    if start <= end { start <= now && now <= end } else { start <= now || now <= end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StorageStatus as S;

    const OTHERS: Mark = Mark {
        binlog_index: 0,
        binlog_offset: 0,
        need_sync_old: false,
        sync_old_done: false,
        until_timestamp: 0,
        scan_row_count: 0,
        sync_row_count: 0,
    };
    const FILLING: Mark = Mark { need_sync_old: true, ..OTHERS };
    const FILLED: Mark = Mark { sync_old_done: true, ..FILLING };

    #[test]
    fn every_status_has_its_duty() {
        use Duty::{Ask, End, Fill, Finished, Push, Wait};
        // Without a mark, with one of another's copy, while filling, when filled.
        let table = [
            (S::Init, [Wait, Wait, Wait, Wait]),
            (S::WaitSync, [Ask, Ask, Fill, Ask]),
            (S::Syncing, [Ask, Wait, Push, Finished]),
            (S::IpChanged, [End, End, End, End]),
            (S::Deleted, [End, End, End, End]),
            (S::Offline, [Wait, Wait, Wait, Wait]),
            (S::Online, [Wait, Wait, Wait, Wait]),
            (S::Active, [Ask, Push, Push, Push]),
            (S::Recovery, [Wait, Wait, Wait, Wait]),
            (S::None, [End, End, End, End]),
        ];
        assert_eq!(table.len(), S::ALL.len());
        for (status, expected) in table {
            let marks = [None, Some(&OTHERS), Some(&FILLING), Some(&FILLED)];
            assert_eq!(marks.map(|mark| duty(status, mark)), expected, "{status:?}");
        }
    }

    #[test]
    fn the_window_of_the_day_includes_both_ends_and_may_cross_midnight() {
        let t = TimeOfDay::new;
        let day = |now| in_window(t(8, 0), t(18, 30), now);
        assert_eq!([t(7, 59), t(8, 0), t(18, 30), t(18, 31)].map(day), [false, true, true, false]);
        let night = |now| in_window(t(22, 0), t(6, 0), now);
        assert_eq!(
            [t(21, 59), t(22, 0), t(0, 0), t(6, 0), t(6, 1)].map(night),
            [false, true, true, true, false]
        );
        let late = TimeOfDay { second: 59, ..t(23, 59) };
        assert!(in_window(t(0, 0), t(23, 59), late), "the default is always");
    }
}
