//! The gate, as a table over everything that may be in the way.

use super::*;
use crate::account::AddressBlock;
use crate::ids::{AccountId, NodeId, ShareId};
use crate::share::{ShareKind, ShareToken, WantedCode};

const NOW: UnixMillis = UnixMillis(1_000_000);
const HOUR: i64 = 3_600_000;

fn secret() -> DriveSecret {
    DriveSecret::new([7; 32])
}

fn id(number: i64) -> ShareId {
    ShareId::new(number).unwrap()
}

fn mark(last: u8) -> VisitorMark {
    VisitorMark::of_visitor(&secret(), id(1), AddressBlock::of([192, 0, 2, last].into()), "browser")
}

fn share(code: ShareCode) -> Share {
    Share {
        id: id(1),
        kind: ShareKind::Link,
        owner: AccountId::new(1).unwrap(),
        node: NodeId::new(1).unwrap(),
        token: ShareToken::new([0; 16]),
        code,
        version: 3,
        expires_at: Some(UnixMillis(NOW.0 + 1)),
        downloads_left: Some(2),
        listed: false,
        revoked: false,
        views: 0,
        downloads: 40,
        created_at: UnixMillis(0),
    }
}

fn chosen(code: &str) -> ShareCode {
    WantedCode::Chosen(code.to_owned()).keep(&secret(), id(1)).unwrap()
}

const BEHIND: Behind = Behind { owner: AccountState::Active, node_there: true, inside: true };

/// Every way of asking: each route is one of these.
const WISHES: [Wish; 7] = [
    Wish::Look,
    Wish::Download(Seen::No),
    Wish::Download(Seen::ThisHour),
    Wish::Download(Seen::HourBefore),
    Wish::Save(Seen::No),
    Wish::Save(Seen::ThisHour),
    Wish::Save(Seen::HourBefore),
];

fn ask(share: &Share, behind: &Behind, shown: Shown<'_>, wish: Wish) -> Result<Pass, Problem> {
    admit(share, behind, shown, &mark(7), wish, &secret(), NOW)
}

#[test]
fn what_is_in_the_way_is_in_the_way_of_every_wish() {
    let coded = || share(chosen("ab12"));
    let old = Grant::new(&coded(), &mark(7), UnixMillis(NOW.0 - HOUR)).to_text(&secret());
    let of_earlier_code = Grant::new(&Share { version: 2, ..coded() }, &mark(7), NOW).to_text(&secret());
    let of_another_link = Grant::new(&Share { id: id(2), ..coded() }, &mark(7), NOW).to_text(&secret());
    let of_another_visitor = Grant::new(&coded(), &mark(8), NOW).to_text(&secret());
    let forged = Grant::new(&coded(), &mark(7), NOW).to_text(&DriveSecret::new([8; 32]));
    let right = Shown::Code("ab12");
    for (what, share, behind, shown, expected) in [
        ("no code", coded(), BEHIND, Shown::Nothing, Problem::CodeNeeded),
        ("an empty code", coded(), BEHIND, Shown::Code(""), Problem::CodeNeeded),
        ("a wrong code", coded(), BEHIND, Shown::Code("ab13"), Problem::CodeWrong),
        ("an old grant", coded(), BEHIND, Shown::Grant(&old), Problem::CodeNeeded),
        ("a grant of an earlier code", coded(), BEHIND, Shown::Grant(&of_earlier_code), Problem::CodeNeeded),
        ("a grant of another link", coded(), BEHIND, Shown::Grant(&of_another_link), Problem::CodeNeeded),
        (
            "a grant of another visitor",
            coded(),
            BEHIND,
            Shown::Grant(&of_another_visitor),
            Problem::CodeNeeded,
        ),
        ("a forged grant", coded(), BEHIND, Shown::Grant(&forged), Problem::CodeNeeded),
        ("no grant", coded(), BEHIND, Shown::Grant(""), Problem::CodeNeeded),
        ("expired", Share { expires_at: Some(NOW), ..coded() }, BEHIND, right, Problem::ShareExpired),
        ("revoked", Share { revoked: true, ..coded() }, BEHIND, right, Problem::ShareRevoked),
        (
            "the owner is frozen",
            coded(),
            Behind { owner: AccountState::Frozen, ..BEHIND },
            right,
            Problem::ShareUnavailable,
        ),
        (
            "the node is gone",
            coded(),
            Behind { node_there: false, ..BEHIND },
            right,
            Problem::ShareUnavailable,
        ),
        ("something outside", coded(), Behind { inside: false, ..BEHIND }, right, Problem::ShareUnavailable),
        (
            "something outside, no code",
            share(ShareCode::None),
            Behind { inside: false, ..BEHIND },
            Shown::Nothing,
            Problem::ShareUnavailable,
        ),
    ] {
        for wish in WISHES {
            assert_eq!(ask(&share, &behind, shown, wish), Err(expected.clone()), "{what}, {wish:?}");
        }
    }
}

#[test]
fn who_may_pass_passes_and_is_counted_once_an_hour() {
    let passes = |count| Ok(Pass { grant: None, count });
    let used_up = Err(Problem::ShareUsedUp);
    for (wish, unlimited, two_left, none_left) in [
        (Wish::Look, passes(false), passes(false), passes(false)),
        (Wish::Download(Seen::No), passes(true), passes(true), used_up.clone()),
        (Wish::Download(Seen::HourBefore), passes(true), passes(true), passes(false)),
        (Wish::Download(Seen::ThisHour), passes(false), passes(false), passes(false)),
        (Wish::Save(Seen::No), passes(true), passes(true), used_up),
        (Wish::Save(Seen::HourBefore), passes(true), passes(true), passes(false)),
        (Wish::Save(Seen::ThisHour), passes(false), passes(false), passes(false)),
    ] {
        for (left, expected) in [(None, unlimited), (Some(2), two_left), (Some(0), none_left)] {
            let share = Share { downloads_left: left, ..share(ShareCode::None) };
            assert_eq!(ask(&share, &BEHIND, Shown::Nothing, wish), expected, "{wish:?} {left:?}");
        }
    }
}

#[test]
fn the_right_code_gives_a_grant_that_stands_for_it() {
    for code in [chosen("ab12"), ShareCode::Generated] {
        let share = share(code);
        let typed = code.show(&secret(), share.id, share.version).unwrap_or("AB12".to_owned());
        let pass = ask(&share, &BEHIND, Shown::Code(&typed), Wish::Look).unwrap();
        let grant = pass.grant.unwrap();
        assert_eq!(grant.ends_at(), UnixMillis(NOW.0 + HOUR));
        let text = grant.to_text(&secret());
        let again = ask(&share, &BEHIND, Shown::Grant(&text), Wish::Download(Seen::No));
        assert_eq!(again, Ok(Pass { grant: None, count: true }));
    }
}

#[test]
fn no_byte_of_a_grant_can_be_changed() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let share = share(chosen("ab12"));
    let bytes = URL_SAFE_NO_PAD.decode(Grant::new(&share, &mark(7), NOW).to_text(&secret())).unwrap();
    for index in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[index] ^= 1;
        let text = URL_SAFE_NO_PAD.encode(&forged);
        let asked = ask(&share, &BEHIND, Shown::Grant(&text), Wish::Look);
        assert_eq!(asked, Err(Problem::CodeNeeded), "{index}");
    }
    let long = "A".repeat(100_000);
    assert_eq!(ask(&share, &BEHIND, Shown::Grant(&long), Wish::Look), Err(Problem::CodeNeeded));
}

#[test]
fn that_downloads_are_used_up_is_told_to_those_who_know_the_code() {
    let share = Share { downloads_left: Some(0), ..share(chosen("ab12")) };
    let wish = Wish::Download(Seen::No);
    assert_eq!(ask(&share, &BEHIND, Shown::Nothing, wish), Err(Problem::CodeNeeded));
    assert_eq!(ask(&share, &BEHIND, Shown::Code("ab12"), wish), Err(Problem::ShareUsedUp));
}

#[test]
fn a_link_without_end_and_limit_stays_open() {
    let share = Share { expires_at: None, downloads_left: None, ..share(ShareCode::None) };
    let pass = admit(
        &share,
        &BEHIND,
        Shown::Nothing,
        &mark(7),
        Wish::Download(Seen::No),
        &secret(),
        UnixMillis(i64::MAX),
    );
    assert_eq!(pass, Ok(Pass { grant: None, count: true }));
}

#[test]
fn a_download_takes_one_of_those_left() {
    let counted = |downloads_left, downloads| Ok(Some(Counted { downloads_left, downloads }));
    for (left, already, expected) in [
        (Some(2), false, counted(Some(1), 41)),
        (Some(1), false, counted(Some(0), 41)),
        (None, false, counted(None, 41)),
        (Some(0), false, Err(Problem::ShareUsedUp)),
        (Some(0), true, Ok(None)),
        (Some(2), true, Ok(None)),
    ] {
        let share = Share { downloads_left: left, ..share(ShareCode::None) };
        assert_eq!(count_download(&share, already), expected, "{left:?} {already}");
    }
}

#[test]
fn a_mark_tells_the_same_visitor_of_the_same_link_again() {
    let address = AddressBlock::of([192, 0, 2, 7].into());
    let mark = |share, address, agent| VisitorMark::of_visitor(&secret(), id(share), address, agent);
    let account = |number| VisitorMark::of_account(&secret(), id(1), AccountId::new(number).unwrap());
    let one = mark(1, address, "browser");
    assert_eq!(one, mark(1, address, "browser"));
    let others = [
        mark(2, address, "browser"),
        mark(1, AddressBlock::of([192, 0, 2, 8].into()), "browser"),
        mark(1, address, "curl"),
        account(1),
        account(2),
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(one, *other, "{index}");
    }
    assert_ne!(account(1), account(2));
    assert_eq!(account(1), account(1));
}
