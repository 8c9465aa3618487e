//! The tutorial (`docs/tutorial.md`), done as a reader does it.
//!
//! Its commands are typed into one shell, in their order; each succeeds, and prints what the page shows. How a page is written
//! is in `e2e::page`.
//!
//! The page names addresses that people use by hand. Tests run side by side, so here each is replaced by one of the test's own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use e2e::page::{is_like, steps};
use e2e::shell::Reader;
use testkit::address::Loopback;
use testkit::wait;

/// The last numbers of the addresses on the page: the entry, two trackers, four storages, the drive.
const FIRST: u8 = 10;
const ADDRESSES: u8 = 8;

/// The text with the test's addresses in the place of the page's.
fn readdress(text: &str, addresses: &[Loopback]) -> String {
    let mut pieces = text.split("127.0.0.");
    let mut told = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = piece.split_at(digits);
        told.push_str("127.0.0.");
        if number.is_empty() {
            told.push_str(rest);
            continue;
        }
        let index = number.parse::<u8>().unwrap().checked_sub(FIRST).map(usize::from);
        let claim = index.and_then(|index| addresses.get(index));
        let claim = claim.unwrap_or_else(|| panic!("127.0.0.{number} is none of the tutorial's addresses"));
        told.push_str(&claim.ip().octets()[3].to_string());
        told.push_str(rest);
    }
    told
}

/// The disk of whoever follows the page has room. That of the machine with the tests may well be nearly full, of which doctor warns.
fn with_any_disk(text: &str) -> String {
    text.replace(
        "cairn doctor -c client.conf --wait 60",
        "cairn doctor -c client.conf --wait 60 || [ $? -eq 1 ]",
    )
    .replace("errors: 0, warnings: 0", "…\nerrors: 0, warnings: …")
}

#[test]
fn every_block_of_the_tutorial_does_what_the_page_says() {
    let steps = steps("docs/tutorial.md");
    assert!(steps.len() > 10, "{steps:?}");
    let addresses = Loopback::claim_row(ADDRESSES).unwrap();
    let reader = Reader::new();
    let mut shell = reader.shell();
    for step in &steps {
        let typed = with_any_disk(&readdress(&step.typed, &addresses));
        let printed = shell.typed(&typed);
        let printed = printed.unwrap_or_else(|error| panic!("docs/tutorial.md:{}: {error}", step.line));
        let shown = step.printed.as_deref().map(|shown| with_any_disk(&readdress(shown, &addresses)));
        let fits = shown.as_ref().is_none_or(|shown| is_like(&printed, shown));
        assert!(
            fits,
            "docs/tutorial.md:{}: the page shows\n{}\nand it is\n{printed}",
            step.line,
            shown.unwrap()
        );
    }
    // The page has stopped what it started; nginx says so before it is gone.
    wait::until("nothing runs any more", wait::STOP, || reader.running().is_empty().then_some(())).unwrap();
}
