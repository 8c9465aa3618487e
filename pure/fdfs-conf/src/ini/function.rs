//! `#@function NAME`: the value of the next key is computed.
//!
//! Source: the original's `ini_file_reader.c` (built-in annotations) and its manual. `SHELL_EXEC` and functions from libraries
//! are not available; FastDFS's own programs do not switch the former on either, and then use the value as written.

use std::net::IpAddr;

use super::ThisHost;
use super::directive::{VARIABLE_BYTES_MAX, Variables};
use crate::addr::IpClass;
use crate::error::{DirectiveError, Oddity};

/// The values of a key under a function: mostly one, `LOCAL_IP_GET` can give several.
pub(super) fn call(
    name: &str,
    value: &str,
    variables: &Variables,
    host: Option<&ThisHost>,
    oddities: &mut Vec<Oddity>,
) -> Result<Vec<String>, DirectiveError> {
    match name {
        "REPLACE_VARS" => Ok(vec![replace_variables(value, variables, VARIABLE_BYTES_MAX, oddities)?]),
        "LOCAL_IP_GET" => {
            let host = host.ok_or(DirectiveError::HostUnknown { what: "addresses" })?;
            let values = local_ips(value, &host.addresses);
            if values.is_empty() {
                oddities.push(Oddity::NoSuchAddress);
                return Ok(vec![String::new()]);
            }
            Ok(values)
        }
        _ => {
            oddities.push(Oddity::NoSuchFunction { name: name.to_owned() });
            Ok(vec![value.to_owned()])
        }
    }
}

/// `inner`, `private`: addresses of private networks; anything else: the others. With `[n]` only the n-th, from 0;
/// `[-1]` is the last.
fn local_ips(wish: &str, addresses: &[IpAddr]) -> Vec<String> {
    let (kind, index) = match wish.split_once('[') {
        Some((kind, index)) => (kind, index.strip_suffix(']').map(|n| n.trim().parse::<i32>())),
        None => (wish, None),
    };
    let kind = kind.trim();
    let private = kind.eq_ignore_ascii_case("inner") || kind.eq_ignore_ascii_case("private");
    let fitting = addresses.iter().filter(|ip| (IpClass::of(**ip) != IpClass::Outer) == private);
    let mut values: Vec<String> = fitting.map(IpAddr::to_string).collect();
    match index {
        None => values,
        Some(Ok(-1)) => values.pop().into_iter().collect(),
        Some(Ok(n)) => usize::try_from(n).ok().and_then(|n| values.into_iter().nth(n)).into_iter().collect(),
        Some(Err(_)) => Vec::new(),
    }
}

/// Replaces each `%{NAME}` by its variable; unknown ones stay as written.
pub(super) fn replace_variables(
    text: &str,
    variables: &Variables,
    limit: usize,
    oddities: &mut Vec<Oddity>,
) -> Result<String, DirectiveError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%{") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push_str("%{");
            rest = after;
            continue;
        };
        match variables.get(name.trim()) {
            Some(value) => out.push_str(value),
            None => {
                oddities.push(Oddity::NoSuchVariable { name: name.trim().to_owned() });
                out.push_str(&format!("%{{{name}}}"));
            }
        }
        rest = tail;
        if out.len() > limit {
            break;
        }
    }
    out.push_str(rest);
    if out.len() > limit {
        return Err(DirectiveError::VariableTooLong { limit });
    }
    Ok(out)
}
