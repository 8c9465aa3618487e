//! HTTP requests.

use http_core::mime::MimeTypes;
use http_core::range::{RangeAnswer, parse_range};
use http_core::{FileTarget, Target, parse_head};

/// Bytes as a request head, and what is in it: its target, its range of a file of the size that the first bytes say.
pub fn http(bytes: &[u8]) {
    const LIMIT: usize = 8192;
    let Some((size, rest)) = bytes.split_first_chunk() else { return };
    let size = u64::from_le_bytes(*size);
    range(rest, size);
    if let Ok(text) = std::str::from_utf8(rest) {
        target(text);
        let _ = MimeTypes::parse(text);
    }
    let Ok(Some(head)) = parse_head(rest, LIMIT, Some("x-pass")) else { return };
    assert!(head.len <= rest.len().min(LIMIT));
    // A head is the same however much comes behind it.
    assert_eq!(parse_head(&rest[..head.len], LIMIT, Some("x-pass")), Ok(Some(head.clone())));
    target(head.target);
    if let Some(field) = head.fields.range {
        range(field, size);
    }
}

fn target(text: &str) {
    let Ok(target) = Target::parse(text) else { return };
    assert!(target.path.starts_with('/') && !target.path.contains("//") && !target.path.contains('\0'));
    assert!(!target.path.split('/').any(|segment| segment == ".."));
    if let Ok(file) = FileTarget::parse(&target.path, true) {
        assert!(target.path.ends_with(file.text));
    }
}

fn range(field: &[u8], size: u64) {
    let RangeAnswer::Parts(ranges) = parse_range(field, size, true) else { return };
    let parts = ranges.as_slice();
    assert!(!parts.is_empty());
    for (at, part) in parts.iter().enumerate() {
        assert!(part.first <= part.last && part.last < size);
        assert!(parts[at + 1..].iter().all(|other| other.first > part.last || part.first > other.last));
    }
}
