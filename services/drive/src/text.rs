//! Ids and times as the API writes them: ids as decimal texts, since JavaScript's numbers do not hold them all; times as
//! RFC 3339 in UTC.

use drive_core::{
    AccountId, ApiTokenId, Missing, NodeId, Problem, SessionId, ShareId, TrashId, UnixMillis, UploadId,
};
use jiff::Timestamp;

/// An id that comes in a URL or body.
pub(crate) trait Id: Sized + TryFrom<i64> {
    /// What is said to be not there when a text is no id.
    const MISSING: Missing;

    /// The id that a text is: digits, as they are written here.
    fn of(text: &str) -> Result<Self, Problem> {
        let number = text.parse::<i64>().ok().filter(|_| !text.starts_with(['0', '+']));
        number.and_then(|number| Self::try_from(number).ok()).ok_or(Problem::NotFound(Self::MISSING))
    }
}

impl Id for AccountId {
    const MISSING: Missing = Missing::Account;
}
impl Id for NodeId {
    const MISSING: Missing = Missing::Node;
}
impl Id for TrashId {
    const MISSING: Missing = Missing::TrashEntry;
}
impl Id for SessionId {
    const MISSING: Missing = Missing::Session;
}
impl Id for ShareId {
    const MISSING: Missing = Missing::Share;
}
impl Id for ApiTokenId {
    const MISSING: Missing = Missing::ApiToken;
}
impl Id for UploadId {
    const MISSING: Missing = Missing::Upload;
}

/// A time in RFC 3339, to the millisecond, so that times sort as texts. What lies beyond the year 9999 is its end.
pub(crate) fn time(at: UnixMillis) -> String {
    let clamped = at.0.clamp(Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
    format!("{:.3}", Timestamp::from_millisecond(clamped).unwrap_or(Timestamp::MAX))
}

/// The time that a text in RFC 3339 is.
pub(crate) fn parse_time(text: &str, field: &'static str) -> Result<UnixMillis, Problem> {
    let at: Timestamp = text.parse().map_err(|_| Problem::FieldInvalid(field))?;
    Ok(UnixMillis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_one_way() {
        for (text, id) in [
            ("1", Some(1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("0", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            ("", None),
            ("1 ", None),
            ("9223372036854775808", None),
        ] {
            assert_eq!(NodeId::of(text).ok().map(NodeId::get), id, "{text:?}");
        }
    }

    #[test]
    fn times_are_rfc_3339_whatever_they_are() {
        assert_eq!(time(UnixMillis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(UnixMillis(1_700_000_000_120)), "2023-11-14T22:13:20.120Z");
        assert_eq!(time(UnixMillis(-1)), "1969-12-31T23:59:59.999Z");
        assert!(time(UnixMillis(i64::MAX)).starts_with("9999-"));
        for (text, at) in [
            ("2023-11-14T22:13:20.123Z", Some(1_700_000_000_123)),
            ("2023-11-15T06:13:20.123+08:00", Some(1_700_000_000_123)),
            ("2023-11-14", None),
            ("tomorrow", None),
        ] {
            assert_eq!(parse_time(text, "at").ok().map(|at| at.0), at, "{text}");
        }
    }
}
