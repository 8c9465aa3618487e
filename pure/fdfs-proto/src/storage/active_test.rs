//! Is anybody there? ACTIVE_TEST 111; and, of a storage of ours, its figures, or whether another member has its changes.
//!
//! The request has no body, and the original looks at no other byte of it: it answers with an empty body whatever the
//! status byte says. With [`FIGURES`] there, a storage of ours answers with lines of text, so it can be asked without
//! knowing whose it is. With [`ALL_SENT`] it answers, to a member that has said who it is, when that has all changes that were made
//! here, or `EAGAIN` when that takes too long; the original answers at once, as its changes are not waited for. Source: wire protocol, "ACTIVE_TEST"; docs/protocol.md.

/// Status byte of a request for figures.
pub const FIGURES: u8 = 0xCA;

/// Status byte of the question whether who asks has been sent all changes that were made there.
pub const ALL_SENT: u8 = 0xCB;

/// Longest name of a figure.
const NAME_LEN_MAX: usize = 64;

/// Figures in one answer at most.
const FIGURES_MAX: usize = 1024;

/// The figures in an answer: name and value of each, in order. Lines that are none are left out, as later versions may
/// have others; an answer without a body has none.
pub fn figures(body: &[u8]) -> Vec<(String, u64)> {
    let figure = |line: &[u8]| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        let is_name =
            !name.is_empty() && name.len() <= NAME_LEN_MAX && name.bytes().all(|b| b.is_ascii_graphic());
        Some((name.to_owned(), value.parse().ok()?)).filter(|_| is_name)
    };
    body.split(|&byte| byte == b'\n').filter_map(figure).take(FIGURES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::figures;

    #[test]
    fn figures_are_read_line_by_line_and_what_is_none_is_left_out() {
        let read =
            figures(b"copies_wanted 2\nscrub_files_total 18446744073709551615\nname text\n\xff 1\n 3\n\n");
        let expected = [("copies_wanted".to_owned(), 2), ("scrub_files_total".to_owned(), u64::MAX)];
        assert_eq!(read, expected);
        assert_eq!(figures(b""), []);
    }
}
