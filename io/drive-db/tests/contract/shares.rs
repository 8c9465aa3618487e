//! Links: made, changed, counted, ended.

use drive_core::account::{AccountState, Decree};
use drive_core::queue::EntryKey;
use drive_core::share::{Behind, Pass, SHARE_DOWNLOADS_MAX, Seen, Share, ShareCode, ShareKind, WantedCode};
use drive_core::tree::OnConflict;
use drive_core::{Missing, NodeId, Problem, ShareId, UnixMillis};
use drive_db::{Gate, ListedCount, SaveShared, ShareChange};

use crate::kit::{Bed, HOUR, NOW, Person, at, by, bytes, later, secret, system, visitor};

on_both! {
    a_link_is_made_and_found_by_its_token
    links_have_terms_and_their_owner_changes_them
    the_gate_is_told_what_is_behind_a_link
    downloads_count_once_per_visitor_and_hour
    what_a_link_leads_to_is_saved_once_the_gate_agrees
    ended_links_stay_ended
    what_everybody_sees_is_listed_by_age_and_by_downloads
    pictures_are_pictures
}

const MISSING: Problem = Problem::NotFound(Missing::Share);

async fn a_link_is_made_and_found_by_its_token(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let node = bed.file(person, person.root, "a.txt", 5).await;
    let mut new = bed.link(person, node.id);
    new.code = WantedCode::Chosen("ab12".to_owned());
    (new.expires_at, new.downloads_left) = (Some(later(5)), Some(3));
    let made = bed.make_share(&new, &secret(), &by(person)).await.unwrap();
    assert!(made.code.matches(&secret(), made.id, made.version, "AB12"));
    let view = bed.share_by_token(&new.token, None).await.unwrap().unwrap();
    assert_eq!((&view.share, &view.top, view.owner_name.as_str()), (&made, &node, "lilei"));
    assert_eq!(view.behind, Behind { owner: AccountState::Active, node_there: true, inside: true });
    assert_eq!(bed.share(person.id, made.id).await.unwrap().share, made);
    assert_eq!(bed.share(other.id, made.id).await.err(), Some(MISSING));
    assert_eq!(bed.share_by_token(&bed.link(person, node.id).token, None).await.unwrap(), None);
    let theirs = bed.make_share(&bed.link(other, node.id), &secret(), &by(other)).await;
    assert_eq!(theirs.err(), Some(Problem::NotFound(Missing::Node)));
    let root = bed.make_share(&bed.link(person, person.root), &secret(), &by(person)).await;
    assert_eq!(root.err(), Some(Problem::RootStays));
    bed.is_well().await;
}

async fn links_have_terms_and_their_owner_changes_them(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let node = bed.file(person, person.root, "a.txt", 5).await.id;
    let mut new = bed.link(person, node);
    new.downloads_left = Some(0);
    let refused = bed.make_share(&new, &secret(), &by(person)).await;
    assert!(matches!(refused, Err(Problem::ShareTermsInvalid(_))));
    (new.downloads_left, new.listed) = (Some(SHARE_DOWNLOADS_MAX), true);
    let share = bed.make_share(&new, &secret(), &by(person)).await.unwrap().id;
    let change = |change: ShareChange, who: Person| {
        let bed = &bed;
        async move { bed.change_share(who.id, share, &change, &secret(), &by(who)).await }
    };
    assert_eq!(change(ShareChange::default(), other).await.err(), Some(MISSING));
    let code = ShareChange { code: Some(WantedCode::Generated), ..ShareChange::default() };
    let changed = change(code, person).await.unwrap();
    assert_eq!((changed.code, changed.version), (ShareCode::Generated, 2));
    assert_eq!(
        bed.count_listed(NOW).await.map(ListedCount::all),
        Ok(0),
        "what wants a code is not for everybody"
    );
    let terms = ShareChange {
        expires_at: Some(Some(later(9))),
        downloads_left: Some(None),
        listed: Some(true),
        code: Some(WantedCode::None),
        renew: false,
    };
    let changed = change(terms, person).await.unwrap();
    assert_eq!((changed.expires_at, changed.downloads_left, changed.version), (Some(later(9)), None, 3));
    assert_eq!(bed.count_listed(NOW).await.map(ListedCount::all), Ok(1));
    let renewed = change(ShareChange { renew: true, ..ShareChange::default() }, person).await.unwrap();
    assert_eq!(renewed.version, 4);
    assert_eq!(bed.share(person.id, share).await.unwrap().share, renewed);
    bed.revoke_share(None, share, &system()).await.unwrap();
    assert_eq!(change(ShareChange::default(), person).await.err(), Some(Problem::ShareRevoked));
    bed.is_well().await;
}

async fn the_gate_is_told_what_is_behind_a_link(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let a = bed.folder(person, person.root, "a").await;
    let b = bed.folder(person, a, "b").await;
    let inside = bed.file(person, b, "inside", 5).await.id;
    let outside = bed.file(person, person.root, "outside", 6).await.id;
    let theirs = bed.file(other, other.root, "theirs", 7).await.id;
    let new = bed.link(person, a);
    bed.make_share(&new, &secret(), &by(person)).await.unwrap();
    let view = |asked: Option<NodeId>| {
        let (bed, token) = (&bed, &new.token);
        async move { bed.share_by_token(token, asked).await.unwrap().unwrap() }
    };
    for (asked, found) in [
        (None, Some(a)),
        (Some(a), Some(a)),
        (Some(b), Some(b)),
        (Some(inside), Some(inside)),
        (Some(outside), None),
        (Some(theirs), None),
        (Some(person.root), None),
        (NodeId::new(99_999), None),
    ] {
        let view = view(asked).await;
        assert_eq!(view.asked.map(|node| node.id), found, "{asked:?}");
        assert_eq!((view.behind.inside, view.behind.node_there), (found.is_some(), true));
    }
    let entry = bed.trash(person.id, b, &by(person)).await.unwrap();
    assert!(!view(Some(inside)).await.behind.inside, "in the trash by itself");
    bed.restore(person.id, entry, None, &by(person)).await.unwrap();
    let entry = bed.trash(person.id, a, &by(person)).await.unwrap();
    let gone = view(None).await;
    assert_eq!((gone.behind.node_there, gone.behind.inside), (false, false));
    assert!(!view(Some(inside)).await.behind.inside);
    bed.restore(person.id, entry, None, &by(person)).await.unwrap();
    bed.decree(person.id, Decree::State(AccountState::Frozen), &system()).await.unwrap();
    assert_eq!(view(None).await.behind.owner, AccountState::Frozen);
}

async fn downloads_count_once_per_visitor_and_hour(bed: Bed) {
    let person = bed.account("lilei").await;
    let node = bed.file(person, person.root, "a.txt", 5).await.id;
    let mut new = bed.link(person, node);
    new.downloads_left = Some(3);
    let share = bed.make_share(&new, &secret(), &by(person)).await.unwrap().id;
    let begin = UnixMillis(NOW.hour() * HOUR);
    let count = |who: u8, millis: i64| bed.db.clone().count(share, who, UnixMillis(begin.0 + millis));
    assert_eq!(bed.seen(share, &visitor(1), begin).await, Ok(Seen::No));
    assert_eq!(count(1, 0).await, Ok(true));
    assert_eq!(count(1, HOUR - 1).await, Ok(false));
    assert_eq!(bed.seen(share, &visitor(1), UnixMillis(begin.0 + HOUR - 1)).await, Ok(Seen::ThisHour));
    assert_eq!(bed.seen(share, &visitor(1), UnixMillis(begin.0 + HOUR)).await, Ok(Seen::HourBefore));
    assert_eq!(bed.seen(share, &visitor(1), UnixMillis(begin.0 + 2 * HOUR)).await, Ok(Seen::No));
    assert_eq!(count(2, 5).await, Ok(true));
    assert_eq!(count(1, HOUR).await, Ok(true));
    assert_eq!(count(3, HOUR).await, Err(Problem::ShareUsedUp));
    assert_eq!(count(1, HOUR + 5).await, Ok(false), "who was counted goes on");
    let row = bed.share(person.id, share).await.unwrap().share;
    assert_eq!((row.downloads, row.downloads_left), (3, Some(0)));
    let nothing = bed.count_download(ShareId::new(99_999).unwrap(), &visitor(1), NOW).await;
    assert_eq!(nothing, Err(MISSING));
}

trait Count {
    async fn count(self, share: ShareId, who: u8, now: UnixMillis) -> Result<bool, Problem>;
}

impl Count for std::sync::Arc<drive_db::Database> {
    async fn count(self, share: ShareId, who: u8, now: UnixMillis) -> Result<bool, Problem> {
        self.count_download(share, &visitor(who), now).await
    }
}

fn open(_: &Share, behind: &Behind, _: Seen) -> Result<Pass, Problem> {
    if behind.inside { Ok(Pass { grant: None, count: true }) } else { Err(Problem::ShareUnavailable) }
}

async fn what_a_link_leads_to_is_saved_once_the_gate_agrees(bed: Bed) {
    let (person, saver) = (bed.account("lilei").await, bed.account("saver").await);
    let a = bed.folder(person, person.root, "a").await;
    let b = bed.folder(person, a, "b").await;
    bed.file(person, b, "one", 5).await;
    bed.file(person, a, "two", 6).await;
    let outside = bed.file(person, person.root, "three", 7).await.id;
    let mut new = bed.link(person, a);
    new.downloads_left = Some(2);
    let share = bed.make_share(&new, &secret(), &by(person)).await.unwrap();
    let save = |node: Option<NodeId>, number: u8| SaveShared {
        saver: saver.id,
        token: new.token.clone(),
        node,
        folder: saver.root,
        name: None,
        on_conflict: OnConflict::KeepBoth,
        visitor: visitor(number),
    };
    let refuse: Gate<'_> = &|_, _, _| Err(Problem::CodeWrong);
    let refused = bed.save_shared(&save(None, 1), refuse, &by(saver)).await;
    assert_eq!(refused.err(), Some(Problem::CodeWrong));
    let refused = bed.save_shared(&save(Some(outside), 1), &open, &by(saver)).await;
    assert_eq!(refused.err(), Some(Problem::ShareUnavailable));
    assert_eq!(bed.names(saver, saver.root).await, [""; 0]);
    let saved = bed.save_shared(&save(None, 1), &open, &by(saver)).await.unwrap();
    assert_eq!((saved.owner, saved.name.as_str()), (saver.id, "a"));
    assert_eq!(bed.names(saver, saved.id).await, ["b", "two"]);
    let saved = bed.save_shared(&save(Some(b), 2), &open, &by(saver)).await.unwrap();
    assert_eq!(saved.name.as_str(), "b");
    let refused = bed.save_shared(&save(None, 3), &open, &by(saver)).await;
    assert_eq!(refused.err(), Some(Problem::ShareUsedUp));
    assert_eq!((bed.references(5).await, bed.references(6).await), (Some(3), Some(2)));
    assert_eq!(bed.usage(saver.id).await.unwrap().used, bytes(16));
    assert_eq!(bed.share(person.id, share.id).await.unwrap().share.downloads, 2);
    bed.is_well().await;
}

async fn ended_links_stay_ended(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let node = bed.file(person, person.root, "a.txt", 5).await.id;
    let new = bed.link(person, node);
    let share = bed.make_share(&new, &secret(), &by(person)).await.unwrap().id;
    assert_eq!(bed.revoke_share(Some(other.id), share, &by(other)).await, Err(MISSING));
    assert_eq!(bed.revoke_by_token(other.id, &new.token, &by(other)).await, Err(MISSING));
    assert_eq!(bed.remove_share(other.id, share, &by(other)).await, Err(MISSING));
    bed.revoke_by_token(person.id, &new.token, &by(person)).await.unwrap();
    bed.revoke_share(Some(person.id), share, &by(person)).await.unwrap();
    assert!(bed.share_by_token(&new.token, None).await.unwrap().unwrap().share.revoked);
    bed.remove_share(person.id, share, &by(person)).await.unwrap();
    assert_eq!(bed.share_by_token(&new.token, None).await.unwrap(), None);
}

async fn what_everybody_sees_is_listed_by_age_and_by_downloads(bed: Bed) {
    let (person, frozen) = (bed.account("lilei").await, bed.account("frozen").await);
    let mut ids = Vec::new();
    for number in 0..9_u8 {
        let owner = if number == 8 { frozen } else { person };
        let node = bed.file(owner, owner.root, &format!("f{number}"), number + 1).await.id;
        let mut new = bed.link(owner, node);
        new.listed = number != 1;
        new.expires_at = (number == 2).then_some(later(100));
        new.code = if number == 3 { WantedCode::Generated } else { WantedCode::None };
        let share =
            bed.make_share(&new, &secret(), &at(owner, NOW.0 + i64::from(number % 3))).await.unwrap().id;
        ids.push(share);
        for who in 0..(number % 4) {
            bed.count_download(share, &visitor(who), NOW).await.unwrap();
        }
        match number {
            4 => bed.revoke_share(None, share, &system()).await.unwrap(),
            5 => drop(bed.trash(owner.id, node, &by(owner)).await.unwrap()),
            8 => bed.decree(owner.id, Decree::State(AccountState::Frozen), &system()).await.unwrap(),
            _ => {}
        }
    }
    let pick = |numbers: &[usize]| numbers.iter().map(|number| ids[*number]).collect::<Vec<_>>();
    // 0 (0 downloads), 2 (2), 6 (2), 7 (3).
    let ranking = bed.ranking(NOW).await.unwrap();
    assert_eq!(ranking.iter().map(|entry| entry.share).collect::<Vec<_>>(), pick(&[7, 2, 6, 0]));
    assert_eq!(ranking.iter().map(|entry| entry.score).collect::<Vec<_>>(), [3, 2, 2, 0]);
    assert_eq!(bed.count_listed(NOW).await.map(ListedCount::all), Ok(4));
    assert_eq!(bed.count_listed(later(100)).await.map(ListedCount::all), Ok(3));
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = bed.list_listed(after.as_ref(), 3, NOW).await.unwrap();
        listed.extend(page.rows.iter().map(|row| row.share.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, pick(&[2, 7, 6, 0]));
    let rows = bed.listed_shares(&pick(&[0, 5, 7, 1]), NOW).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.share.id).collect::<Vec<_>>(), pick(&[0, 7]));
    assert_eq!((rows[0].node.name.as_str(), rows[0].owner_name.as_str()), ("f0", "lilei"));
    assert!(rows[0].md5.is_some());
    let key = EntryKey::of_download(ids[7], &visitor(0), NOW);
    assert_eq!(bed.outcome(key).await, Ok(None));
    bed.is_well().await;
}

async fn pictures_are_pictures(bed: Bed) {
    let person = bed.account("lilei").await;
    let (picture, text) = (
        bed.file(person, person.root, "a.png", 5).await.id,
        bed.file(person, person.root, "a.txt", 6).await.id,
    );
    let link = |node| drive_db::NewShare { kind: ShareKind::Picture, ..bed.link(person, node) };
    let refused = bed.make_share(&link(text), &secret(), &by(person)).await;
    assert_eq!(refused.err(), Some(Problem::NotAPicture));
    bed.make_share(&link(picture), &secret(), &by(person)).await.unwrap();
    let page = drive_core::page::RowsPage::new(0, 10).unwrap();
    let (rows, total) = bed.pictures(person.id, page).await.unwrap();
    assert_eq!((rows.len(), total), (1, 1));
    assert_eq!(rows[0].row.node.id, picture);
}
