//! Conditions of a request (RFC 9110 §13), in the order of its §13.2.2. There is nothing to evaluate them against before
//! the file is known to be there, so they take its tag and time.

use crate::date::parse_date;
use crate::fields::RequestFields;
use crate::validator::EntityTag;

/// The version of a file that would be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// Its tag.
    pub tag: EntityTag,
    /// Its time, Unix seconds.
    pub modified: i64,
    /// The content is settled by the id, so the time is as good as a strong tag.
    pub never_changes: bool,
}

/// What the conditions of a GET or HEAD come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answer the request; whether its `Range` counts is in `range`.
    Go {
        /// False when `If-Range` names another version: the whole file is wanted then.
        range: bool,
    },
    /// 304: the client has this version.
    NotModified,
    /// 412: the client wanted another version.
    Failed,
}

/// Evaluates the conditions. A date that is none counts as not sent.
pub fn evaluate(fields: &RequestFields<'_>, current: &Current) -> Outcome {
    let date = |field: Option<&[u8]>| field.and_then(parse_date);
    if !fields.if_match.is_absent() {
        if !current.tag.is_in(&fields.if_match, EntityTag::matches_strongly) {
            return Outcome::Failed;
        }
    } else if date(fields.if_unmodified_since).is_some_and(|since| current.modified > since) {
        return Outcome::Failed;
    }
    if !fields.if_none_match.is_absent() {
        if current.tag.is_in(&fields.if_none_match, EntityTag::matches_weakly) {
            return Outcome::NotModified;
        }
    } else if date(fields.if_modified_since).is_some_and(|since| current.modified <= since) {
        return Outcome::NotModified;
    }
    let range = fields.if_range.is_none_or(|validator| same_version(validator, current));
    Outcome::Go { range }
}

/// `If-Range`: a tag or a date, compared strongly, as the parts of two versions must not be put together. The time of a
/// file that can change is no strong validator: it can change twice within a second.
fn same_version(validator: &[u8], current: &Current) -> bool {
    if validator.starts_with(b"\"") || validator.starts_with(b"W/") {
        return current.tag.matches_strongly(validator);
    }
    current.never_changes && parse_date(validator) == Some(current.modified)
}
