//! `Content-Disposition`: the name a file is saved under (RFC 6266, RFC 8187).

use crate::target::{Parameters, decode_value};

/// Longest name, bytes; a longer one is cut, as in FastDFS's module and in most file systems.
pub const SAVE_NAME_BYTES_MAX: usize = 255;

/// Writes the value for the parameters of a request and returns true; writes nothing when they ask for no name.
///
/// `filename` and `attname` mean the same, the first one wins. The file is to be saved, unless `disposition=inline`.
/// What a header could be broken with cannot get in: of the name, control characters, marks that turn the direction of
/// writing, and everything before the last slash are dropped, and the rest goes in quotes where it is harmless ASCII,
/// else percent-encoded UTF-8 beside an ASCII likeness for old clients.
pub fn push_disposition(parameters: &Parameters<'_>, out: &mut Vec<u8>) -> bool {
    let asked = [parameters.filename, parameters.attname].into_iter().flatten().find(|raw| !raw.is_empty());
    let Some(raw) = asked else { return false };
    let name = clean(&decode_value(raw));
    let inline = parameters.disposition.is_some_and(|way| way.eq_ignore_ascii_case("inline"));
    out.extend_from_slice(if inline { b"inline" } else { b"attachment" });
    if name.is_empty() {
        return true;
    }
    out.extend_from_slice(b"; filename=\"");
    out.extend(name.chars().map(|c| if is_plain(c) { c as u8 } else { b'_' }));
    out.push(b'"');
    if !name.chars().all(is_plain) {
        out.extend_from_slice(b"; filename*=UTF-8''");
        name.bytes().for_each(|byte| push_escaped(byte, out));
    }
    true
}

fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut kept = String::new();
    for c in last.chars().filter(|c| !c.is_control() && !turns_writing(*c)) {
        if kept.len() + c.len_utf8() > SAVE_NAME_BYTES_MAX {
            break;
        }
        kept.push(c);
    }
    kept
}

/// Invisible marks that make `gpj.exe` look like `exe.jpg`.
fn turns_writing(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Safe between quotes, for every client: `%` is not, as some decode it.
fn is_plain(c: char) -> bool {
    (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '"' | '\\' | '%')
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
        out.push(byte);
    } else {
        out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xF)]]);
    }
}
