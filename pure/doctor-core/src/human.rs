//! Sizes and durations for people, as FastDFS's tools print them (wire protocol: command-line tools).

const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];

/// `0  B`, `9.5 GB`, `98 GB`: one decimal below ten, none from there on, rounded half up.
pub fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}  B");
    }
    let mut unit_bytes = 1024u128;
    let mut unit = 0;
    let bytes = u128::from(bytes);
    while bytes >= unit_bytes * 1024 && unit + 1 < UNITS.len() {
        unit_bytes *= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    let tenths = (bytes * 10 + unit_bytes / 2) / unit_bytes;
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", (bytes + unit_bytes / 2) / unit_bytes)
    }
}

/// The same for a number of MiB, the unit of a tracker's figures.
pub fn megabytes(mb: u64) -> String {
    bytes(mb.saturating_mul(1 << 20))
}

/// `1 day 2 hours 5 seconds`; nothing or less is `0 second`.
pub fn seconds(seconds: i64) -> String {
    if seconds <= 0 {
        return "0 second".to_owned();
    }
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_look_like_those_of_the_original() {
        let gib = 1u64 << 30;
        for (size, text) in [
            (0, "0  B"),
            (1023, "1023  B"),
            (1024, "1.0 KB"),
            (1536, "1.5 KB"),
            (10 * 1024, "10 KB"),
            (9 * gib + gib / 2, "9.5 GB"),
            (9 * gib + gib * 94 / 100, "9.9 GB"),
            (9 * gib + gib * 95 / 100 + 1, "10 GB"),
            (98 * gib, "98 GB"),
            (98 * gib + gib / 2, "99 GB"),
            (252 * gib, "252 GB"),
            (3 << 40, "3.0 TB"),
            (u64::MAX, "16 EB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn megabytes_are_the_unit_of_a_tracker() {
        assert_eq!(megabytes(2560), "2.5 GB");
        assert_eq!(megabytes(0), "0  B");
    }

    #[test]
    fn durations_skip_what_is_zero() {
        assert_eq!(seconds(86_400 + 7200 + 5), "1 day 2 hours 5 seconds");
        assert_eq!(seconds(60), "1 minute");
        assert_eq!(seconds(1), "1 second");
        assert_eq!(seconds(0), "0 second");
        assert_eq!(seconds(-7), "0 second");
    }
}
