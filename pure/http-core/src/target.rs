//! Request targets: from the bytes of a request line to a group, a file name and parameters.

use std::borrow::Cow;

use fdfs_fileid::{FileName, GroupName, NameError};

use crate::head::decimal;
use crate::status::Status;

/// Longest request target, bytes. FastDFS's module stops at 510, which a download name in Chinese exceeds.
pub const URL_BYTES_MAX: usize = 4096;

/// Parameters of a request at most, as in FastDFS's module.
pub const PARAMETERS_MAX: usize = 32;

/// Why a target was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum TargetError {
    #[error("the URL is longer than {limit} bytes", limit = URL_BYTES_MAX)]
    TooLong,
    #[error("neither a path nor an http URL")]
    Form,
    #[error("a character that may not stand in a URL")]
    Character,
    #[error("a % without two hex digits")]
    Escape,
    #[error("the path holds a control character or is not UTF-8")]
    PathText,
    #[error("the path holds an empty segment, . or ..")]
    Segment,
    #[error("more than {limit} parameters", limit = PARAMETERS_MAX)]
    TooManyParameters,
    #[error("no group in the path")]
    NoGroup,
    #[error(transparent)]
    Name(NameError),
    #[error("the name does not say who made the file, and when")]
    NoStamp,
}

impl TargetError {
    /// The status that says so: 400, where FastDFS's module has it too, or 404 for names that it serves and should not.
    pub fn status(self) -> Status {
        match self {
            TargetError::TooLong => Status::URI_TOO_LONG,
            TargetError::Name(NameError::Metadata) => Status::NOT_FOUND,
            _ => Status::BAD_REQUEST,
        }
    }
}

/// A request target, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// Percent-decoded, begins with a slash, without empty segments, `.`, `..` and control characters.
    pub path: Cow<'a, str>,
    /// What stands behind the question mark.
    pub parameters: Parameters<'a>,
    /// Path and parameters as sent, to pass on.
    pub raw: &'a str,
}

impl<'a> Target<'a> {
    /// Takes a target apart: `/path?a=b`, or with `http://host` in front, as proxies are asked.
    pub fn parse(target: &'a str) -> Result<Self, TargetError> {
        if target.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' || byte >= 0x80) {
            return Err(TargetError::Character);
        }
        let raw = origin_form(target).ok_or(TargetError::Form)?;
        let (path, query) = raw.split_once('?').unwrap_or((raw, ""));
        Ok(Self { path: decode_path(path)?, parameters: Parameters::parse(query)?, raw })
    }
}

fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let slash = rest.find('/')?;
    Some(&rest[slash..])
}

fn decode_path(path: &str) -> Result<Cow<'_, str>, TargetError> {
    let decoded = match percent_decode(path.as_bytes(), false)? {
        None => Cow::Borrowed(path),
        Some(bytes) => Cow::Owned(String::from_utf8(bytes).map_err(|_| TargetError::PathText)?),
    };
    if decoded.chars().any(char::is_control) {
        return Err(TargetError::PathText);
    }
    // An escaped slash separates too, as behind nginx: so `..%2F` is no way around this.
    let bad = |segment: &str| matches!(segment, "" | "." | "..");
    if decoded.len() > 1 && decoded[1..].split('/').any(bad) {
        return Err(TargetError::Segment);
    }
    Ok(decoded)
}

/// Replaces `%XX` (and in parameters `+` by a blank); none when there is nothing to replace.
fn percent_decode(text: &[u8], plus_is_blank: bool) -> Result<Option<Vec<u8>>, TargetError> {
    let special = |byte: &u8| *byte == b'%' || *byte == b'+' && plus_is_blank;
    let Some(first) = text.iter().position(special) else { return Ok(None) };
    let (plain, mut rest) = text.split_at(first);
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(plain);
    loop {
        rest = match rest {
            [] => return Ok(Some(out)),
            [b'%', high, low, rest @ ..] => {
                let digit = |byte: u8| (byte as char).to_digit(16).ok_or(TargetError::Escape);
                out.push((digit(*high)? << 4 | digit(*low)?) as u8);
                rest
            }
            [b'%', ..] => return Err(TargetError::Escape),
            [b'+', rest @ ..] if plus_is_blank => {
                out.push(b' ');
                rest
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
        };
    }
}

/// Decodes the value of a parameter. A wrong escape stays as it was written: old clients forget to escape `%`.
pub fn decode_value(raw: &str) -> Cow<'_, str> {
    match percent_decode(raw.as_bytes(), true) {
        Ok(Some(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        },
        Ok(None) | Err(_) => Cow::Borrowed(raw),
    }
}

/// The parameters that mean something, as sent; [`decode_value`] reads those that are text. Of one given twice the
/// first counts, one without `=` or without a name is nothing: both as in FastDFS's module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// Anti-steal token.
    pub token: Option<&'a str>,
    /// When the token was made, Unix seconds.
    pub ts: Option<&'a str>,
    /// Name to save the file under.
    pub filename: Option<&'a str>,
    /// The same by another name, which nginx configurations know.
    pub attname: Option<&'a str>,
    /// `inline` shows a file that has a `filename` instead of saving it. Ours.
    pub disposition: Option<&'a str>,
    /// Set by FastDFS's module when it passes a request on.
    pub redirect: Option<&'a str>,
    /// First byte of a part of an FLV film.
    pub start: Option<&'a str>,
    /// The byte after the last of that part.
    pub end: Option<&'a str>,
    /// Width of a picture.
    pub w: Option<&'a str>,
    /// Height of a picture.
    pub h: Option<&'a str>,
    /// How a picture is fitted into both.
    pub fit: Option<&'a str>,
    /// The format it is wanted in.
    pub fm: Option<&'a str>,
    /// The group that an upload is for.
    pub group: Option<&'a str>,
    /// The extension that an uploaded file gets.
    pub ext: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// Reads what stands behind the question mark.
    pub fn parse(query: &'a str) -> Result<Self, TargetError> {
        let mut parameters = Self::default();
        if query.is_empty() {
            return Ok(parameters);
        }
        for (count, pair) in query.split('&').enumerate() {
            if count == PARAMETERS_MAX {
                return Err(TargetError::TooManyParameters);
            }
            let Some((name, value)) = pair.split_once('=') else { continue };
            let slot = match name {
                "token" => &mut parameters.token,
                "ts" => &mut parameters.ts,
                "filename" => &mut parameters.filename,
                "attname" => &mut parameters.attname,
                "disposition" => &mut parameters.disposition,
                "redirect" => &mut parameters.redirect,
                "start" => &mut parameters.start,
                "end" => &mut parameters.end,
                "w" => &mut parameters.w,
                "h" => &mut parameters.h,
                "fit" => &mut parameters.fit,
                "fm" => &mut parameters.fm,
                "group" => &mut parameters.group,
                "ext" => &mut parameters.ext,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        Ok(parameters)
    }

    /// A parameter as a number; none when it is absent or no number.
    pub(crate) fn number(value: Option<&str>) -> Option<u64> {
        decimal(value?.as_bytes())
    }
}

/// The file that a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTarget<'p> {
    /// The group in the path; none when paths have none.
    pub group: Option<GroupName>,
    /// The name within the group.
    pub name: FileName,
    /// The name as it stood in the path, decoded: what a token is made of.
    pub text: &'p str,
}

impl<'p> FileTarget<'p> {
    /// Reads a decoded path: `/group1/M00/00/00/…`, or `/M00/00/00/…` where `url_have_group_name` is off.
    ///
    /// Refused besides names of the wrong form: metadata files, trunk containers, the storage's own files, and names too
    /// short to say who made the file and when, which lead nowhere.
    pub fn parse(path: &'p str, have_group: bool) -> Result<Self, TargetError> {
        let path = path.strip_prefix('/').ok_or(TargetError::Form)?;
        let (group, text) = if have_group {
            let (group, text) = path.split_once('/').ok_or(TargetError::NoGroup)?;
            (Some(GroupName::parse(group.as_bytes()).map_err(TargetError::Name)?), text)
        } else {
            (None, path)
        };
        let name = FileName::parse(text.as_bytes()).map_err(TargetError::Name)?;
        name.check_client().map_err(TargetError::Name)?;
        if name.stamp().is_none() {
            return Err(TargetError::NoStamp);
        }
        Ok(Self { group, name, text })
    }
}
