//! Times as the old dialect writes them: `YYYY-MM-DD hh:mm:ss`, without a zone.

use crate::time::UnixMillis;

/// Minutes that a zone may be ahead of or behind UTC.
pub const OFFSET_MINUTES_MAX: i32 = 18 * 60;

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// Days of 400 years.
const DAYS_OF_ERA: i64 = 146_097;

/// A time in a zone so many minutes ahead of UTC, to which there is no more to be known here; more than
/// [`OFFSET_MINUTES_MAX`] counts as so many. Years have four digits: what lies beyond them is written as the first or
/// last second of those.
pub fn time_text(at: UnixMillis, offset_minutes: i32) -> String {
    const FIRST: i64 = -62_167_219_200; // 0000-01-01 00:00:00
    const LAST: i64 = 253_402_300_799; // 9999-12-31 23:59:59
    let offset = i64::from(offset_minutes.clamp(-OFFSET_MINUTES_MAX, OFFSET_MINUTES_MAX)) * 60;
    let seconds = at.0.div_euclid(1000).saturating_add(offset).clamp(FIRST, LAST);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The Gregorian date of a day counted from 1970. Years are counted from March, so that the day that some years have
/// more is their last.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (era, day) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    // Five months from March on have 153 days.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_the_course_s_tables() {
        for (seconds, offset_minutes, text) in [
            (0, 0, "1970-01-01 00:00:00"),
            (0, 480, "1970-01-01 08:00:00"),
            (-1, 0, "1969-12-31 23:59:59"),
            (951_782_400, 0, "2000-02-29 00:00:00"),
            (951_868_799, 0, "2000-02-29 23:59:59"),
            (951_868_800, 0, "2000-03-01 00:00:00"),
            (1_709_164_800, 0, "2024-02-29 00:00:00"),
            (4_107_456_000, 0, "2100-02-28 00:00:00"),
            (4_107_542_400, 0, "2100-03-01 00:00:00"),
            (1_735_660_800, 480, "2025-01-01 00:00:00"),
            (1_735_689_600, -300, "2024-12-31 19:00:00"),
            (253_402_300_800, 0, "9999-12-31 23:59:59"),
            (-99_999_999_999, 0, "0000-01-01 00:00:00"),
            (0, i32::MAX, "1970-01-01 18:00:00"),
        ] {
            assert_eq!(time_text(UnixMillis(seconds * 1000), offset_minutes), text, "{seconds}");
        }
        assert_eq!(time_text(UnixMillis(1999), 0), "1970-01-01 00:00:01");
        assert_eq!(time_text(UnixMillis(i64::MIN), 0), "0000-01-01 00:00:00");
    }
}
