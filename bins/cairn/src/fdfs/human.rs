//! Sizes, durations and times as the original prints them (wire protocol: command-line tools).

pub(crate) use doctor_core::human::{bytes, megabytes, seconds};
use fdfs_proto::tracker::leader::Connections;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-11-22 12:31:09` in this zone. What no calendar holds is shown as the number of seconds.
pub(crate) fn time(unix_s: i64, zone: &TimeZone) -> String {
    match Timestamp::from_second(unix_s) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => unix_s.to_string(),
    }
}

/// `{alloc: 64, current: 2, max: 3}`
pub(super) fn connections(counts: &Connections) -> String {
    let Connections { alloc_count, current_count, max_count } = counts;
    format!("{{alloc: {alloc_count}, current: {current_count}, max: {max_count}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_zone() {
        assert_eq!(time(1_751_328_000, &TimeZone::UTC), "2025-07-01 00:00:00");
        let shanghai = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(time(1_751_328_000, &shanghai), "2025-07-01 08:00:00");
        assert_eq!(time(0, &TimeZone::UTC), "1970-01-01 00:00:00");
        assert_eq!(time(i64::MAX, &TimeZone::UTC), "9223372036854775807");
    }
}
