//! Dates as HTTP writes them (RFC 9110 §5.6.7). Times are Unix seconds.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// Characters of a date: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const DATE_LEN: usize = 29;

/// The last second of the year 9999, after which a date would not fit.
const LAST_SECOND: i64 = 253_402_300_799;

/// A date as text, in the one format that may be sent. Worth keeping for a second: `Date` stands in every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateText([u8; DATE_LEN]);

impl DateText {
    /// The date of a Unix second; one outside 1970 to 9999 is the nearest inside.
    pub fn new(seconds: i64) -> Self {
        let seconds = u64::try_from(seconds.clamp(0, LAST_SECOND)).unwrap_or(0);
        let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds));
        let mut text = [b' '; DATE_LEN];
        // A date inside these years is exactly as long.
        let _ = write!(&mut text[..], "{date}");
        Self(text)
    }

    /// The characters.
    pub fn as_bytes(&self) -> &[u8; DATE_LEN] {
        &self.0
    }
}

/// Reads a date in any of the three formats that a recipient must accept; none when it is no date, which the
/// conditions of RFC 9110 §13.1 take as if the field had not been sent.
pub fn parse_date(text: &[u8]) -> Option<i64> {
    let date: HttpDate = std::str::from_utf8(text).ok()?.trim_ascii().parse().ok()?;
    let since = SystemTime::from(date).duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}
