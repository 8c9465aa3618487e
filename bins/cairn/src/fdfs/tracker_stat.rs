//! `fdfs_tracker_stat`: the trackers of the cluster, as their leader sees them.

use std::io::{self, Write};

use fdfs_proto::tracker::tracker_cluster_stat::{Ask, TrackerStat};
use jiff::tz::TimeZone;

use super::session::Session;
use super::stat_options::StatOptions;
use super::{Call, EXIT_FAILED, Trouble, human};

const BY_ACTIVE: u8 = 1;
const BY_LEADER: u8 = 2;

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let options = StatOptions::parse(&call.args, b"ANLFd")?;
    let ask = ask(&options);
    let session = Session::open(call, &options.conf)?;
    match session.wait(session.client.tracker_cluster_stat(ask)) {
        Ok(trackers) if trackers.is_empty() => Ok(()),
        Ok(trackers) => Ok(write(call.out, &trackers, options.has(b'd'), &TimeZone::system())?),
        Err(error) => {
            let _ = writeln!(call.err, "{error}");
            Err(Trouble::Said(EXIT_FAILED))
        }
    }
}

fn ask(options: &StatOptions) -> Ask {
    let mut ask = Ask::default();
    if let Some(active) = options.last_of(b'A', b'N') {
        ask.filter_by |= BY_ACTIVE;
        ask.is_active = active;
    }
    if let Some(leader) = options.last_of(b'L', b'F') {
        ask.filter_by |= BY_LEADER;
        ask.is_leader = leader;
    }
    ask
}

fn write(out: &mut dyn Write, trackers: &[TrackerStat], detail: bool, zone: &TimeZone) -> io::Result<()> {
    writeln!(out)?;
    for tracker in trackers {
        writeln!(
            out,
            "{}, is_leader: {}, is_active: {}, connections {}",
            tracker.host,
            u8::from(tracker.is_leader),
            u8::from(tracker.is_active),
            human::connections(&tracker.connections)
        )?;
        if detail {
            write!(out, "  version: {}, up_time: {}", tracker.version, human::time(tracker.up_time, zone))?;
            if !tracker.is_leader {
                write!(out, ", last_heartbeat_time: {}", human::time(tracker.last_heartbeat_time, zone))?;
            }
            writeln!(out, "\n")?;
        }
    }
    writeln!(out, "\ntracker server count: {}\n", trackers.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdfs_proto::tracker::leader::Connections;
    use fdfs_proto::{HostText, Version};

    fn trackers() -> [TrackerStat; 2] {
        let leader = TrackerStat {
            host: HostText::new(b"127.0.0.40:22122").unwrap(),
            is_leader: true,
            is_active: true,
            connections: Connections { alloc_count: 64, current_count: 2, max_count: 3 },
            version: Version::new(b"6.16.1").unwrap(),
            up_time: 1_751_328_000,
            last_heartbeat_time: 0,
        };
        let follower = TrackerStat {
            host: HostText::new(b"[::1]:22122").unwrap(),
            is_leader: false,
            last_heartbeat_time: 1_751_328_060,
            ..leader
        };
        [leader, follower]
    }

    fn text(detail: bool) -> String {
        let mut out = Vec::new();
        write(&mut out, &trackers(), detail, &TimeZone::UTC).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_for_each_tracker_between_empty_lines() {
        assert_eq!(
            text(false),
            "\n127.0.0.40:22122, is_leader: 1, is_active: 1, connections {alloc: 64, current: 2, max: 3}\n\
             [::1]:22122, is_leader: 0, is_active: 1, connections {alloc: 64, current: 2, max: 3}\n\
             \ntracker server count: 2\n\n"
        );
    }

    #[test]
    fn the_detail_of_a_leader_has_no_beat() {
        assert_eq!(
            text(true),
            "\n127.0.0.40:22122, is_leader: 1, is_active: 1, connections {alloc: 64, current: 2, max: 3}\n  \
             version: 6.16.1, up_time: 2025-07-01 00:00:00\n\n\
             [::1]:22122, is_leader: 0, is_active: 1, connections {alloc: 64, current: 2, max: 3}\n  \
             version: 6.16.1, up_time: 2025-07-01 00:00:00, last_heartbeat_time: 2025-07-01 00:01:00\n\n\
             \ntracker server count: 2\n\n"
        );
    }
}
