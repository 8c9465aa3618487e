//! The directives that choose and repeat lines: `#@set`, `#@if … #@else … #@endif`, `#@for … #@endfor`.
//!
//! ```text
//! #@set ROLE = main
//! #@if %{ROLE} in [main, spare]          also %{LOCAL_IP} (addresses and networks) and %{LOCAL_HOST}
//! #@for i from 0 to 3 step 1             {$i} below is replaced
//! store_path{$i} = /disk{$i}
//! #@endfor
//! #@endif
//! ```
//!
//! Source: the original's `ini_file_reader.c` (iniProccessSet, iniCalcCondition, iniProccessFor) and its manual. All lines are
//! chosen before the first is read as a key, so a `#@function REPLACE_VARS` sees the variables of the whole file. Unlike the
//! original, blocks may stand inside each other.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::function::replace_variables;
use super::{TEXT_BYTES_MAX, ThisHost};
use crate::allow_hosts::Network;
use crate::error::{DirectiveError, Oddity, Reason};

/// Blocks inside each other.
pub(super) const BLOCK_DEPTH_MAX: usize = 8;
/// Longest value of a variable, bytes.
pub(super) const VARIABLE_BYTES_MAX: usize = 512;
/// What one turn of a `#@for` counts against the limit of text, so that empty loops end too.
const TURN_COST: usize = 64;
/// Longest name of a `#@for` variable, bytes.
const FOR_NAME_MAX: usize = 64;

/// The variables set so far.
pub(super) type Variables = BTreeMap<String, String>;

/// A fault and its line.
type At<E> = (u32, E);

pub(super) struct Expander<'a> {
    pub(super) host: Option<&'a ThisHost>,
    pub(super) variables: &'a mut Variables,
    /// What may still be written: each line costs its length and one, so does each turn of a loop.
    pub(super) bytes_left: &'a mut usize,
    /// The lines chosen.
    pub(super) lines: Vec<(u32, String)>,
    pub(super) oddities: Vec<At<Oddity>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag<'t> {
    If(&'t str),
    Else,
    EndIf,
    For(&'t str),
    EndFor,
    Set(&'t str),
}

/// The directive on a line. The names are matched exactly, as the original does.
fn tag(line: &str) -> Option<Tag<'_>> {
    let directive = line.trim_matches([' ', '\t', '\r']).strip_prefix("#@")?;
    match directive {
        "else" => return Some(Tag::Else),
        "endif" => return Some(Tag::EndIf),
        "endfor" => return Some(Tag::EndFor),
        "if" => return Some(Tag::If("")),
        "for" => return Some(Tag::For("")),
        "set" => return Some(Tag::Set("")),
        _ => {}
    }
    let (name, rest) = directive.split_once(' ')?;
    match name {
        "if" => Some(Tag::If(rest)),
        "for" => Some(Tag::For(rest)),
        "set" => Some(Tag::Set(rest)),
        _ => None,
    }
}

impl Expander<'_> {
    pub(super) fn expand(&mut self, text: &str) -> Result<(), At<Reason>> {
        let lines: Vec<(u32, &str)> = (1..).zip(text.split('\n')).collect();
        self.block(&lines, 0)
    }

    fn block(&mut self, mut lines: &[(u32, &str)], depth: usize) -> Result<(), At<Reason>> {
        while let Some((&(number, line), rest)) = lines.split_first() {
            let fault = |error: DirectiveError| (number, Reason::from(error));
            lines = rest;
            match tag(line) {
                None => {
                    self.spend(line.len()).map_err(|reason| (number, reason))?;
                    self.lines.push((number, line.to_owned()));
                }
                Some(Tag::Set(assignment)) => self.set(number, assignment).map_err(fault)?,
                Some(Tag::If(condition)) => {
                    let (body, after) = split_block(rest, IF).map_err(fault)?;
                    let deeper = deeper(depth).map_err(fault)?;
                    let chosen = self.holds(condition, number).map_err(fault)?;
                    let (then, otherwise) = split_else(body);
                    self.block(if chosen { then } else { otherwise }, deeper)?;
                    lines = after;
                }
                Some(Tag::For(range)) => {
                    let (body, after) = split_block(rest, FOR).map_err(fault)?;
                    let deeper = deeper(depth).map_err(fault)?;
                    let range = Range::parse(range).map_err(fault)?;
                    self.turns(&range, body, deeper, number)?;
                    lines = after;
                }
                Some(Tag::Else) => {
                    return Err(fault(DirectiveError::Unopened { directive: "#@if", end: "#@else" }));
                }
                Some(Tag::EndIf) => {
                    return Err(fault(DirectiveError::Unopened { directive: "#@if", end: "#@endif" }));
                }
                Some(Tag::EndFor) => {
                    return Err(fault(DirectiveError::Unopened { directive: "#@for", end: "#@endfor" }));
                }
            }
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Reason> {
        *self.bytes_left =
            self.bytes_left.checked_sub(bytes + 1).ok_or(Reason::TooMuchText { limit: TEXT_BYTES_MAX })?;
        Ok(())
    }

    fn turns(
        &mut self,
        range: &Range<'_>,
        body: &[(u32, &str)],
        depth: usize,
        number: u32,
    ) -> Result<(), At<Reason>> {
        let mark = format!("{{${}}}", range.name);
        let mut n = range.from;
        while n <= range.to {
            // Writing out the turn costs time even where nothing of it is kept.
            let cost: usize = body.iter().map(|(_, line)| line.len()).sum();
            self.spend(cost + TURN_COST).map_err(|reason| (number, reason))?;
            let digits = n.to_string();
            let written: Vec<(u32, String)> =
                body.iter().map(|(number, line)| (*number, line.replace(&mark, &digits))).collect();
            let turn: Vec<(u32, &str)> =
                written.iter().map(|(number, line)| (*number, line.as_str())).collect();
            self.block(&turn, depth)?;
            let Some(next) = n.checked_add(range.step) else { break };
            n = next;
        }
        Ok(())
    }

    fn set(&mut self, number: u32, assignment: &str) -> Result<(), DirectiveError> {
        let (name, value) = assignment.split_once('=').ok_or(DirectiveError::Set)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return Err(DirectiveError::Set);
        }
        let value = match value.strip_prefix("$(").and_then(|command| command.strip_suffix(')')) {
            Some(command) => {
                self.oddities.push((number, Oddity::CommandNotRun { command: command.to_owned() }));
                String::new()
            }
            None => {
                let mut oddities = Vec::new();
                let value = replace_variables(value, self.variables, VARIABLE_BYTES_MAX, &mut oddities)?;
                self.oddities.extend(oddities.into_iter().map(|oddity| (number, oddity)));
                value
            }
        };
        self.variables.insert(name.to_owned(), value);
        Ok(())
    }

    /// `%{NAME} in [value, value]`
    fn holds(&mut self, condition: &str, number: u32) -> Result<bool, DirectiveError> {
        let condition = condition.trim();
        let (name, list) = condition
            .strip_prefix("%{")
            .and_then(|rest| rest.split_once('}'))
            .and_then(|(name, rest)| {
                let list = rest.trim_start().strip_prefix("in")?.trim_start();
                Some((name, list.strip_prefix('[')?.strip_suffix(']')?))
            })
            .filter(|(name, _)| !name.is_empty())
            .ok_or(DirectiveError::If)?;
        let mut values = list.split(',').map(str::trim);
        match name {
            "LOCAL_HOST" => {
                let host = self.host.ok_or(DirectiveError::HostUnknown { what: "name" })?;
                Ok(values.any(|value| value == host.name))
            }
            "LOCAL_IP" => {
                let host = self.host.ok_or(DirectiveError::HostUnknown { what: "addresses" })?;
                for value in values {
                    if matches_address(value, &host.addresses)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            name => match self.variables.get(name) {
                Some(set) => Ok(values.any(|value| value == set)),
                None => {
                    self.oddities.push((number, Oddity::NoSuchVariable { name: name.to_owned() }));
                    Ok(false)
                }
            },
        }
    }
}

fn matches_address(value: &str, addresses: &[IpAddr]) -> Result<bool, DirectiveError> {
    if value.contains('/') {
        let network =
            Network::parse(value).map_err(|_| DirectiveError::NotANetwork { got: value.to_owned() })?;
        return Ok(addresses.iter().any(|ip| network.contains(ip.to_canonical())));
    }
    Ok(value.parse::<IpAddr>().is_ok_and(|value| addresses.contains(&value)))
}

fn deeper(depth: usize) -> Result<usize, DirectiveError> {
    if depth == BLOCK_DEPTH_MAX {
        return Err(DirectiveError::TooDeep { limit: BLOCK_DEPTH_MAX });
    }
    Ok(depth + 1)
}

#[derive(Clone, Copy)]
struct Pair {
    directive: &'static str,
    end: &'static str,
    opens: fn(&Tag<'_>) -> bool,
    closes: fn(&Tag<'_>) -> bool,
}

const IF: Pair = Pair {
    directive: "#@if",
    end: "#@endif",
    opens: |tag| matches!(tag, Tag::If(_)),
    closes: |tag| matches!(tag, Tag::EndIf),
};
const FOR: Pair = Pair {
    directive: "#@for",
    end: "#@endfor",
    opens: |tag| matches!(tag, Tag::For(_)),
    closes: |tag| matches!(tag, Tag::EndFor),
};

type Lines<'l, 't> = &'l [(u32, &'t str)];

/// The lines up to the end that belongs to a block already opened, and those after it.
fn split_block<'l, 't>(
    lines: Lines<'l, 't>,
    pair: Pair,
) -> Result<(Lines<'l, 't>, Lines<'l, 't>), DirectiveError> {
    let mut inner = 0usize;
    for (index, (_, line)) in lines.iter().enumerate() {
        match tag(line) {
            Some(tag) if (pair.opens)(&tag) => inner += 1,
            Some(tag) if (pair.closes)(&tag) => match inner.checked_sub(1) {
                Some(left) => inner = left,
                None => return Ok((&lines[..index], &lines[index + 1..])),
            },
            _ => {}
        }
    }
    Err(DirectiveError::Unclosed { directive: pair.directive, end: pair.end })
}

/// Cuts the body of an `#@if` at its own `#@else`.
fn split_else<'l, 't>(body: Lines<'l, 't>) -> (Lines<'l, 't>, Lines<'l, 't>) {
    let mut inner = 0usize;
    for (index, (_, line)) in body.iter().enumerate() {
        match tag(line) {
            Some(Tag::If(_)) => inner += 1,
            Some(Tag::EndIf) => inner = inner.saturating_sub(1),
            Some(Tag::Else) if inner == 0 => return (&body[..index], &body[index + 1..]),
            _ => {}
        }
    }
    (body, &[])
}

/// `NAME from 0 to 9 step 1`; the step may be left out.
struct Range<'t> {
    name: &'t str,
    from: u32,
    to: u32,
    step: u32,
}

impl<'t> Range<'t> {
    fn parse(text: &'t str) -> Result<Range<'t>, DirectiveError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, from, to, step) = match *words.as_slice() {
            [name, "from", from, "to", to] => (name, from, to, "1"),
            [name, "from", from, "to", to, "step", step] => (name, from, to, step),
            _ => return Err(DirectiveError::For),
        };
        let number = |digits: &str| digits.parse::<u32>().map_err(|_| DirectiveError::For);
        let range = Range { name, from: number(from)?, to: number(to)?, step: number(step)? };
        if range.name.len() > FOR_NAME_MAX {
            return Err(DirectiveError::For);
        }
        if range.step == 0 {
            return Err(DirectiveError::ForStandsStill);
        }
        if range.to < range.from {
            return Err(DirectiveError::ForRunsBackwards { from: range.from, to: range.to });
        }
        Ok(range)
    }
}
