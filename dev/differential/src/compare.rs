//! Two replies, compared field by field.
//!
//! What has to differ is made equal first, each in its way: addresses of the two clusters, the times and random bits in
//! names, ports of connections. Everything else differs when it differs.

use fdfs_fileid::{FileName, Source};
use fdfs_proto::limits::GROUP_LEN;

use crate::layout::{Field, Kind, Shape};
use crate::wire::{Pair, Reply};

/// Two clocks read at the same moment, with a slow disk between them.
const SECONDS_APART_MAX: u64 = 60;
/// The same disk, looked at in two moments: MiB.
const DISK_APART_MAX: u64 = 2048;
/// More of a text than this is not shown.
const SHOWN_MAX: usize = 160;

/// One cluster's own addresses, which stand in its replies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) tracker: String,
    pub(crate) storage: String,
}

impl Place {
    /// A text with the cluster's own addresses put as names.
    pub(crate) fn neutral(&self, text: &str) -> String {
        let tracker = whole(text, &self.tracker, "<tracker>");
        whole(&tracker, &self.storage, "<storage>")
    }
}

/// Puts a word in the place of an address that is not the beginning of another one.
fn whole(text: &str, address: &str, word: &str) -> String {
    let mut parts = text.split(address);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let goes_on = part.starts_with(|next: char| next.is_ascii_digit())
            || out.ends_with(|last: char| last.is_ascii_digit() || last == '.');
        out.push_str(if goes_on { address } else { word });
        out.push_str(part);
    }
    out
}

/// One field that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) field: String,
    pub(crate) ours: String,
    pub(crate) original: String,
}

impl Difference {
    pub(crate) fn new(field: &str, ours: impl Into<String>, original: impl Into<String>) -> Difference {
        Difference { field: field.to_owned(), ours: ours.into(), original: original.into() }
    }
}

/// Everything that differs between two replies of a shape.
pub(crate) fn compare(shape: &Shape, places: &Pair<Place>, replies: &Pair<Reply>) -> Vec<Difference> {
    let (Reply::Got { status: ours, body: our_body }, Reply::Got { status: original, body }) =
        (&replies.ours, &replies.original)
    else {
        let words = replies.map(in_words);
        return if words.ours == words.original {
            Vec::new()
        } else {
            vec![Difference::new("status", words.ours, words.original)]
        };
    };
    if ours != original {
        return vec![Difference::new("status", ours.to_string(), original.to_string())];
    }
    if *ours != 0 {
        return lengths(our_body, body);
    }
    match shape {
        Shape::Nothing => lengths(our_body, body),
        Shape::Unread => Vec::new(),
        Shape::Bytes => content(our_body, body),
        Shape::Text => text(places, our_body, body),
        Shape::Name => names(places, our_body, body),
        Shape::Records { head, row } => records(head, row, places, our_body, body),
    }
}

fn in_words(reply: &Reply) -> String {
    match reply {
        Reply::Got { status, .. } => status.to_string(),
        Reply::Closed => "closed".to_owned(),
        Reply::Silent => "silent".to_owned(),
        Reply::Garbage(_) => "garbage".to_owned(),
    }
}

fn lengths(ours: &[u8], original: &[u8]) -> Vec<Difference> {
    if ours.len() == original.len() {
        return Vec::new();
    }
    // How long an echo is says nothing; that there is one does.
    let word = |body: &[u8]| if body.is_empty() { "no body" } else { "a body" };
    match (word(ours), word(original)) {
        (ours, original) if ours == original => Vec::new(),
        (ours, original) => vec![Difference::new("body", ours, original)],
    }
}

fn content(ours: &[u8], original: &[u8]) -> Vec<Difference> {
    if ours == original {
        return Vec::new();
    }
    if ours.len() != original.len() {
        return vec![Difference::new("length", ours.len().to_string(), original.len().to_string())];
    }
    vec![Difference::new("content", shown(ours), shown(original))]
}

fn shown(bytes: &[u8]) -> String {
    let mut text: String = bytes.escape_ascii().to_string();
    text.truncate(SHOWN_MAX);
    text
}

fn text(places: &Pair<Place>, ours: &[u8], original: &[u8]) -> Vec<Difference> {
    let ours = places.ours.neutral(&String::from_utf8_lossy(ours));
    let original = places.original.neutral(&String::from_utf8_lossy(original));
    let (mut left, mut right) = (ours.lines(), original.lines());
    let mut found = Vec::new();
    loop {
        match (left.next(), right.next()) {
            (None, None) => return found,
            (a, b) if a == b => {}
            (a, b) => {
                // A line of settings is named by its key.
                let key = a.or(b).and_then(|line| line.split_once('=')).map_or("line", |(key, _)| key.trim());
                found.push(Difference::new(key, a.unwrap_or("nothing"), b.unwrap_or("nothing")));
            }
        }
    }
}

/// Parts of a name that two storages must make alike.
fn names(places: &Pair<Place>, ours: &[u8], original: &[u8]) -> Vec<Difference> {
    let parts = (name_parts(&places.ours, ours), name_parts(&places.original, original));
    let (Ok((our_parts, our_time)), Ok((parts, time))) = &parts else {
        let word =
            |part: &Result<_, String>| part.as_ref().map_or_else(Clone::clone, |_| "a name".to_owned());
        return vec![Difference::new("name", word(&parts.0), word(&parts.1))];
    };
    let mut found: Vec<Difference> = our_parts
        .iter()
        .zip(parts)
        .filter(|(a, b)| a != b)
        .map(|((field, ours), (_, original))| Difference::new(field, ours, original))
        .collect();
    if our_time.abs_diff(*time) > SECONDS_APART_MAX {
        found.push(Difference::new("name: time", our_time.to_string(), time.to_string()));
    }
    found
}

type NameParts = (Vec<(&'static str, String)>, u64);

fn name_parts(place: &Place, body: &[u8]) -> Result<NameParts, String> {
    let (group, name) = body.split_at_checked(GROUP_LEN).ok_or_else(|| shown(body))?;
    let name = FileName::parse(name).map_err(|error| format!("{}: {error}", shown(name)))?;
    let stamp = name.stamp().ok_or_else(|| name.to_string())?;
    let source = match stamp.source {
        Source::Ip(ip) => place.neutral(&ip.to_string()),
        Source::Id(id) => id.to_string(),
    };
    // Bits 32 to 54 are random, and so are the digits in front of the extension.
    const RANDOM: u64 = 0x7F_FFFF << 32;
    let tail = &name.base()[27..];
    let end = tail.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let parts = vec![
        ("name: group", shown(group)),
        ("name: store path", name.as_str().strip_suffix(name.true_name()).unwrap_or_default().to_owned()),
        ("name: source", source),
        ("name: size", format!("{:#x}", stamp.size.0 & !RANDOM)),
        ("name: random bits", (stamp.size.0 & RANDOM != 0).to_string()),
        ("name: crc", format!("{:#x}", stamp.crc32)),
        ("name: end", format!("{}{end}", "#".repeat(tail.len() - end.len()))),
    ];
    Ok((parts, u64::from(stamp.timestamp)))
}

fn records(
    head: &[Field],
    row: &[Field],
    places: &Pair<Place>,
    ours: &[u8],
    original: &[u8],
) -> Vec<Difference> {
    if ours.len() != original.len() {
        return vec![Difference::new("length", ours.len().to_string(), original.len().to_string())];
    }
    let mut found = Vec::new();
    let mut at = 0;
    let mut fields: Vec<&Field> = head.iter().collect();
    loop {
        for field in fields {
            let end = at + field.len;
            let (Some(a), Some(b)) = (ours.get(at..end), original.get(at..end)) else {
                // Less than a field: the store path behind the last storage, or nothing at all.
                let (a, b) = (ours.get(at..).unwrap_or_default(), original.get(at..).unwrap_or_default());
                found.extend((a != b).then(|| Difference::new("rest", shown(a), shown(b))));
                return found;
            };
            found.extend(one_field(field, places, a, b));
            at = end;
        }
        if row.is_empty() || at == ours.len() {
            return found;
        }
        fields = row.iter().collect();
    }
}

fn one_field(field: &Field, places: &Pair<Place>, ours: &[u8], original: &[u8]) -> Option<Difference> {
    let (a, b) = match field.kind {
        Kind::Number => (number(ours).to_string(), number(original).to_string()),
        Kind::Text => (places.ours.neutral(&until_nul(ours)), places.original.neutral(&until_nul(original))),
        Kind::Time => near(ours, original, SECONDS_APART_MAX)?,
        Kind::Disk => near(ours, original, DISK_APART_MAX)?,
        Kind::Free(_) => return None,
    };
    (a != b).then(|| Difference::new(field.name, a, b))
}

/// None when both are nothing, or both something and close to each other.
fn near(ours: &[u8], original: &[u8], apart: u64) -> Option<(String, String)> {
    let (a, b) = (number(ours), number(original));
    let alike = (a == 0) == (b == 0) && a.abs_diff(b) <= apart;
    (!alike).then(|| (a.to_string(), b.to_string()))
}

fn number(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte))
}

fn until_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes[..end].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout;

    fn places() -> Pair<Place> {
        let place =
            |tracker: &str, storage: &str| Place { tracker: tracker.to_owned(), storage: storage.to_owned() };
        Pair::new(place("127.0.0.1", "127.0.0.2"), place("127.0.0.21", "192.168.0.196"))
    }

    fn got(status: u8, body: &[u8]) -> Reply {
        Reply::Got { status, body: body.to_vec() }
    }

    fn found(shape: &Shape, ours: Reply, original: Reply) -> Vec<Difference> {
        compare(shape, &places(), &Pair::new(ours, original))
    }

    #[test]
    fn a_changed_status_is_found_and_so_is_an_end_in_its_place() {
        assert_eq!(found(&Shape::Nothing, got(2, b""), got(2, b"")), []);
        assert_eq!(found(&Shape::Nothing, got(2, b""), got(22, b"")), [Difference::new("status", "2", "22")]);
        assert_eq!(
            found(&Shape::Nothing, Reply::Closed, got(22, b"")),
            [Difference::new("status", "closed", "22")]
        );
        assert_eq!(found(&Shape::Nothing, Reply::Closed, Reply::Closed), []);
    }

    #[test]
    fn a_body_where_none_belongs_is_found() {
        let echo = found(&Shape::Nothing, got(0, b""), got(0, b"echo"));
        assert_eq!(echo, [Difference::new("body", "no body", "a body")]);
    }

    #[test]
    fn names_may_differ_in_source_time_and_random_bits_and_in_nothing_else() {
        // The name of 14 bytes at 192.168.0.196, and the same file of 127.0.0.2, five seconds later, other digits.
        let name = |text: &str| got(0, &[b"group1\0\0\0\0\0\0\0\0\0\0", text.as_bytes()].concat());
        let original = || name("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt");
        assert_eq!(found(&Shape::Name, name("M00/03/02/fwAAAmhjJQWAESIzAAAADg4Qul0901.txt"), original()), []);
        let sizes = found(&Shape::Name, name("M00/03/02/fwAAAmhjJQWAESIzAAAADw4Qul0901.txt"), original());
        assert_eq!(sizes, [Difference::new("name: size", "0x800000000000000f", "0x800000000000000e")]);
        let ends = found(&Shape::Name, name("M00/03/02/fwAAAmhjJQWAESIzAAAADg4Qul09011.md"), original());
        assert_eq!(ends, [Difference::new("name: end", "####.md", "###.txt")]);
        let source = found(&Shape::Name, name("M00/03/02/fwAAA2hjJQWAESIzAAAADg4Qul0901.txt"), original());
        assert_eq!(source, [Difference::new("name: source", "127.0.0.3", "<storage>")]);
    }

    #[test]
    fn records_differ_in_the_field_that_differs() {
        let info = |size: u8, time: u8, address: &str| {
            let mut body = [[0, 0, 0, 0, 0, 0, 0, size], [0, 0, 0, 0, 0, 0, 1, time], [0; 8]].concat();
            body.extend_from_slice(address.as_bytes());
            body.resize(40, 0);
            got(0, &body)
        };
        let original = || info(7, 10, "192.168.0.196");
        assert_eq!(found(&layout::FILE_INFO, info(7, 20, "127.0.0.2"), original()), []);
        assert_eq!(
            found(&layout::FILE_INFO, info(8, 200, "127.0.0.9"), original()),
            [
                Difference::new("size", "8", "7"),
                Difference::new("time", "456", "266"),
                Difference::new("source address", "127.0.0.9", "<storage>"),
            ]
        );
    }

    #[test]
    fn an_address_that_begins_as_the_clusters_own_is_another() {
        let place = places().ours;
        assert_eq!(
            place.neutral("127.0.0.1:22122,127.0.0.11,127.0.0.2"),
            "<tracker>:22122,127.0.0.11,<storage>"
        );
    }

    #[test]
    fn texts_are_compared_by_line_and_named_by_their_key() {
        let ours = got(0, b"a=1\ntracker=127.0.0.1\nc=3\n");
        let original = got(0, b"a=1\ntracker=127.0.0.21\nc=4\n");
        assert_eq!(found(&Shape::Text, ours, original), [Difference::new("c", "c=3", "c=4")]);
    }
}
