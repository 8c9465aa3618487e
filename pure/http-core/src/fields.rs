//! The header fields of a request that decide anything, picked out in one pass.
//!
//! They come from [`crate::head`] or from any other door (HTTP/2 has its own decoder), so the decisions behind are the
//! same for all.

use crate::head::trim_blanks;

/// Fields that are lists and may stand in several lines: all lines of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines<'a> {
    first: Option<&'a [u8]>,
    /// Almost always empty, and then without an allocation.
    more: Vec<&'a [u8]>,
}

impl<'a> Lines<'a> {
    /// One line.
    pub fn one(line: &'a [u8]) -> Self {
        Self { first: Some(line), more: Vec::new() }
    }

    fn push(&mut self, line: &'a [u8]) {
        match self.first {
            None => self.first = Some(line),
            Some(_) => self.more.push(line),
        }
    }

    /// True when the field was not sent.
    pub fn is_absent(&self) -> bool {
        self.first.is_none()
    }

    /// The lines in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.first.iter().chain(&self.more).copied()
    }

    /// The elements of the list, blanks around them and empty ones dropped. For lists whose elements hold no commas.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.iter()
            .flat_map(|line| line.split(|byte| *byte == b','))
            .map(trim_blanks)
            .filter(|part| !part.is_empty())
    }
}

/// A field that must not be repeated was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} is given twice")]
pub struct Repeated {
    /// The field's name, in lower case.
    pub name: &'static str,
}

/// What of a request's header fields counts. Values are as sent, blanks around them dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named like the fields")]
pub struct RequestFields<'a> {
    pub host: Option<&'a [u8]>,
    pub range: Option<&'a [u8]>,
    pub if_range: Option<&'a [u8]>,
    pub if_match: Lines<'a>,
    pub if_none_match: Lines<'a>,
    pub if_modified_since: Option<&'a [u8]>,
    pub if_unmodified_since: Option<&'a [u8]>,
    pub accept_encoding: Lines<'a>,
    pub origin: Option<&'a [u8]>,
    pub access_control_request_method: Option<&'a [u8]>,
    pub connection: Lines<'a>,
    pub content_length: Option<&'a [u8]>,
    pub transfer_encoding: Option<&'a [u8]>,
    pub expect: Option<&'a [u8]>,
    /// For the access log.
    pub referer: Option<&'a [u8]>,
    /// For the access log.
    pub user_agent: Option<&'a [u8]>,
    /// The trace that the request is a part of (W3C Trace Context, §3.2).
    pub traceparent: Option<&'a [u8]>,
    /// The field that `anti_steal_bypass_header_name` names.
    pub bypass: Option<&'a [u8]>,
}

impl<'a> RequestFields<'a> {
    /// Picks the fields out of names (in any case) and values. `bypass_name` is the field that replaces a token, if
    /// any. A field that says one thing must stand there once: two `Range` or `Host` lines are read differently by
    /// different programs, and that difference is what request smuggling lives on.
    pub fn collect(
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        bypass_name: Option<&str>,
    ) -> Result<Self, Repeated> {
        let mut picked = Self::default();
        for (name, value) in fields {
            let value = trim_blanks(value);
            if bypass_name.is_some_and(|bypass| name.eq_ignore_ascii_case(bypass)) {
                once(&mut picked.bypass, value, "the header that replaces a token")?;
            }
            picked.pick(name, value)?;
        }
        Ok(picked)
    }

    fn pick(&mut self, name: &str, value: &'a [u8]) -> Result<(), Repeated> {
        // The length alone rules out most names.
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is("host") => once(&mut self.host, value, "host"),
            5 if is("range") => once(&mut self.range, value, "range"),
            6 if is("origin") => once(&mut self.origin, value, "origin"),
            6 if is("expect") => once(&mut self.expect, value, "expect"),
            7 if is("referer") => {
                self.referer.get_or_insert(value);
                Ok(())
            }
            8 if is("if-range") => once(&mut self.if_range, value, "if-range"),
            8 if is("if-match") => {
                self.if_match.push(value);
                Ok(())
            }
            10 if is("connection") => {
                self.connection.push(value);
                Ok(())
            }
            10 if is("user-agent") => {
                self.user_agent.get_or_insert(value);
                Ok(())
            }
            11 if is("traceparent") => {
                self.traceparent.get_or_insert(value);
                Ok(())
            }
            13 if is("if-none-match") => {
                self.if_none_match.push(value);
                Ok(())
            }
            14 if is("content-length") => once(&mut self.content_length, value, "content-length"),
            15 if is("accept-encoding") => {
                self.accept_encoding.push(value);
                Ok(())
            }
            17 if is("if-modified-since") => once(&mut self.if_modified_since, value, "if-modified-since"),
            17 if is("transfer-encoding") => once(&mut self.transfer_encoding, value, "transfer-encoding"),
            19 if is("if-unmodified-since") => {
                once(&mut self.if_unmodified_since, value, "if-unmodified-since")
            }
            29 if is("access-control-request-method") => {
                once(&mut self.access_control_request_method, value, "access-control-request-method")
            }
            _ => Ok(()),
        }
    }
}

fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8], name: &'static str) -> Result<(), Repeated> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Repeated { name }),
    }
}
