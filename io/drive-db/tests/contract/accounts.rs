//! Accounts: registration, profiles, quotas, decrees.

use drive_core::account::{AccountState, Decree, Email, NickName, Phone, Role, UserName, Verifiers};
use drive_core::audit::AuditEvent;
use drive_core::page::SearchQuery;
use drive_core::quota::Quota;
use drive_core::{Missing, Problem};
use drive_db::{Cause, Profile};

use crate::kit::{Bed, NOW, by, bytes, hash, registration, system};

on_both! {
    an_account_is_what_was_registered
    a_name_is_taken_in_any_case
    the_first_start_makes_one_administrator
    profiles_and_verifiers_change
    the_last_administrator_stays
    a_quota_that_is_set_holds
    accounts_are_listed_by_name_in_pages
    accounts_are_found_by_parts_of_their_names_and_addresses
}

async fn an_account_is_what_was_registered(bed: Bed) {
    let mut asked = registration("李雷");
    asked.email = Some(Email::new("li@example.cn").unwrap());
    asked.phone = Some(Phone::new("+86 138").unwrap());
    let id = bed.register(&asked, &system()).await.unwrap();
    let account = bed.db.account(id).await.unwrap();
    assert_eq!(account.user_name, asked.user_name);
    assert_eq!(account.nick_name, asked.nick_name);
    assert_eq!((&account.email, &account.phone), (&asked.email, &asked.phone));
    assert_eq!(account.verifiers, asked.verifiers);
    assert_eq!((account.role, account.state), (Role::User, AccountState::Active));
    let empty = Quota { limit: None, used: bytes(0), reserved: bytes(0), nodes: 1 };
    assert_eq!((account.quota, account.created_at), (empty, NOW));
    assert_eq!(bed.account_by_name(&asked.user_name).await.unwrap(), Some(account.clone()));
    let root = bed.node(id, account.root).await.unwrap();
    assert!(root.is_root());
    assert_eq!(bed.account_by_name(&UserName::parse("nobody").unwrap()).await.unwrap(), None);
    assert_eq!(bed.list_audit(None, 10).await.unwrap().rows.len(), 1);
    bed.is_well().await;
}

async fn a_name_is_taken_in_any_case(bed: Bed) {
    bed.register(&registration("LiLei"), &system()).await.unwrap();
    for name in ["lilei", "LILEI", "ＬｉＬｅｉ"] {
        assert_eq!(bed.register(&registration(name), &system()).await, Err(Problem::UserNameTaken), "{name}");
    }
    bed.register(&registration("lilei2"), &system()).await.unwrap();
    bed.is_well().await;
}

async fn the_first_start_makes_one_administrator(bed: Bed) {
    // Somebody registered first, and is not it.
    bed.register(&registration("early"), &system()).await.unwrap();
    let hash = hash("random");
    let cause = system();
    let start = || bed.make_first_administrator(&hash, &cause);
    let (a, b, c) = tokio::join!(start(), start(), start());
    let made = [a, b, c].into_iter().filter(|made| made.as_ref().unwrap().is_some()).count();
    assert_eq!(made, 1);
    let admin = bed.account_by_name(&UserName::parse("admin").unwrap()).await.unwrap().unwrap();
    assert_eq!((admin.role, admin.verifiers.text), (Role::Administrator, Some(hash)));
}

async fn profiles_and_verifiers_change(bed: Bed) {
    let person = bed.account("lilei").await;
    let profile = Profile {
        nick_name: NickName::new("Lì Léi 😀").unwrap(),
        email: Some(Email::new("a@b.cn").unwrap()),
        phone: None,
    };
    bed.change_profile(person.id, &profile, &by(person)).await.unwrap();
    let account = bed.db.account(person.id).await.unwrap();
    assert_eq!((account.nick_name, account.email), (profile.nick_name, profile.email));
    let seen = account.verifiers;
    let renewed = Verifiers { text: Some(hash("stronger")), dialect: None };
    bed.renew_verifiers(person.id, &Verifiers::default(), &Verifiers::default()).await.unwrap();
    assert_eq!(bed.db.account(person.id).await.unwrap().verifiers, seen, "not what was seen");
    bed.renew_verifiers(person.id, &seen, &renewed).await.unwrap();
    assert_eq!(bed.db.account(person.id).await.unwrap().verifiers, renewed);
    let late = bed.allow_dialect(person.id, Some(&hash("digits")), &seen, &by(person)).await;
    assert_eq!(late, Err(Problem::SignInFailed), "the password was changed meanwhile");
    bed.allow_dialect(person.id, Some(&hash("digits")), &renewed, &by(person)).await.unwrap();
    assert_eq!(bed.db.account(person.id).await.unwrap().verifiers.dialect, Some(hash("digits")));
    bed.allow_dialect(person.id, None, &Verifiers::default(), &by(person)).await.unwrap();
    assert_eq!(bed.db.account(person.id).await.unwrap().verifiers, renewed);
}

async fn the_last_administrator_stays(bed: Bed) {
    let user = bed.account("lilei").await;
    let admin = bed.make_first_administrator(&hash("x"), &system()).await.unwrap().unwrap();
    let cause = Cause::account(admin, None, NOW);
    for change in [Decree::Role(Role::User), Decree::State(AccountState::Frozen)] {
        assert_eq!(bed.decree(admin, change, &cause).await, Err(Problem::LastAdministrator));
    }
    bed.decree(user.id, Decree::Role(Role::Administrator), &cause).await.unwrap();
    // Each takes the other's role at once: one of them stays.
    let (one, other) = tokio::join!(
        bed.decree(admin, Decree::Role(Role::User), &cause),
        bed.decree(user.id, Decree::State(AccountState::Frozen), &cause),
    );
    assert_ne!(one.is_ok(), other.is_ok());
    let nobody = drive_core::AccountId::new(999).unwrap();
    let missing = Err(Problem::NotFound(Missing::Account));
    assert_eq!(bed.decree(nobody, Decree::Role(Role::User), &cause).await, missing);
    let log = bed.list_audit(None, 1).await.unwrap().rows;
    let changed = |event: &AuditEvent| {
        matches!(event, AuditEvent::RoleChanged { .. } | AuditEvent::StateChanged { .. })
    };
    assert!(changed(&log[0].record.event), "{log:?}");
}

async fn a_quota_that_is_set_holds(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.file(person, person.root, "a", 100).await;
    bed.set_quota(person.id, Some(bytes(120)), &system()).await.unwrap();
    let usage = bed.usage(person.id).await.unwrap();
    assert_eq!(usage, Quota { limit: Some(bytes(120)), used: bytes(100), reserved: bytes(0), nodes: 2 });
    let file = bed.stored(person, person.root, "b", 21);
    assert_eq!(bed.store_file(&file, &by(person)).await.err(), Some(Problem::QuotaExceeded));
    // The content was not made either.
    assert_eq!(bed.references(21).await, None);
    bed.file(person, person.root, "c", 20).await;
    bed.set_quota(person.id, Some(bytes(1)), &system()).await.unwrap();
    let full = bed
        .create_folder(person.id, person.root, &crate::kit::name("d"), Default::default(), &by(person))
        .await;
    assert_eq!(full.err(), Some(Problem::QuotaExceeded));
    bed.is_well().await;
}

async fn accounts_are_listed_by_name_in_pages(bed: Bed) {
    for name in ["wang", "Anna", "李雷", "bob", "zoe"] {
        bed.account(name).await;
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = bed.list_accounts(after.as_ref(), 2).await.unwrap();
        names.extend(page.rows.iter().map(|account| account.user_name.as_str().to_owned()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["Anna", "bob", "wang", "zoe", "李雷"]);
}

/// User names that a query finds, in pages of two.
async fn found(bed: &Bed, query: &str) -> Vec<String> {
    let query = SearchQuery::new(query).unwrap();
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = bed.search_accounts(&query, after.as_ref(), 2).await.unwrap();
        assert!(page.rows.len() <= 2);
        names.extend(page.rows.iter().map(|account| account.user_name.as_str().to_owned()));
        after = page.next;
        if after.is_none() {
            return names;
        }
    }
}

async fn accounts_are_found_by_parts_of_their_names_and_addresses(bed: Bed) {
    for (user, nick, email) in [
        ("Wang.Wei", "王伟", Some("wei@one.cn")),
        ("anna", "Anna Müller", Some("Post@Two.CN")),
        ("bob", "Bob_100%", None),
        ("zoe", "ＺＯＥ", None),
        ("weilin", "林", Some("lin@two.cn")),
    ] {
        let mut one = registration(user);
        one.nick_name = NickName::new(nick).unwrap();
        one.email = email.map(|text| Email::new(text).unwrap());
        bed.register(&one, &system()).await.unwrap();
    }
    for (query, names) in [
        ("WEI", &["Wang.Wei", "weilin"][..]),
        ("ang.w", &["Wang.Wei"]),
        ("伟", &["Wang.Wei"]),
        ("müll", &["anna"]),
        ("MÜLLER post", &["anna"]),
        ("two.cn", &["anna", "weilin"]),
        ("cn", &["anna", "Wang.Wei", "weilin"]),
        ("two wei", &["weilin"]),
        // What LIKE would take for anything is only itself.
        ("%", &["bob"]),
        ("_", &["bob"]),
        // No term goes from one text into the next.
        ("bobbob", &[]),
        ("nobody", &[]),
        ("' OR 1=1", &[]),
    ] {
        assert_eq!(found(&bed, query).await, names, "{query}");
    }
    let anna = bed.account_by_name(&UserName::parse("anna").unwrap()).await.unwrap().unwrap();
    let profile = Profile { nick_name: NickName::new("Änne").unwrap(), email: None, phone: None };
    bed.change_profile(anna.id, &profile, &system()).await.unwrap();
    assert_eq!(found(&bed, "äNN").await, ["anna"]);
    assert_eq!(found(&bed, "müller").await, [""; 0]);
    bed.is_well().await;
}
