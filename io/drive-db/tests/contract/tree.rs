//! Folders and files: moved, copied, deleted, restored.

use drive_core::node::NodeKind;
use drive_core::tree::{DEPTH_MAX, OnConflict, PURGE_NODES_MAX};
use drive_core::{Missing, NodeId, Problem, TrashId};

use crate::kit::{Bed, DAY, HOUR, NOW, Person, at, by, bytes, later, name};

on_both! {
    folders_are_made_and_names_settled
    nodes_are_renamed_and_moved
    what_cannot_be_moved_stays
    a_folder_is_copied_with_all_in_it
    replacing_sends_the_old_one_to_the_trash
    deleting_and_restoring_are_inverse
    restoring_goes_to_the_root_when_the_folder_is_gone
    purging_gives_back_references_and_room
    a_large_entry_is_purged_in_parts
    emptying_the_trash_hides_it_at_once
    entries_are_due_after_their_time
    trees_have_a_depth
    others_see_nothing
    paths_and_children_are_found
}

const MISSING: Problem = Problem::NotFound(Missing::Node);

async fn purge(bed: &Bed, person: Person, entry: TrashId) -> usize {
    let mut parts = 0;
    loop {
        parts += 1;
        if bed.purge_part(person.id, entry, &by(person)).await.unwrap().last {
            return parts;
        }
    }
}

async fn folders_are_made_and_names_settled(bed: Bed) {
    let person = bed.account("lilei").await;
    let make = |text, on_conflict| bed.make(person, text, on_conflict);
    assert_eq!(make("文档", OnConflict::Fail).await, Ok("文档".to_owned()));
    assert_eq!(make("文档", OnConflict::Fail).await, Err(Problem::NameTaken));
    for number in 2..5 {
        assert_eq!(make("文档", OnConflict::KeepBoth).await, Ok(format!("文档 ({number})")));
    }
    // Upper and lower case are two names; so are such with a percent sign and such that it would stand for.
    for text in ["a", "A", "100%", "100x", "a_b", "a!b"] {
        assert_eq!(make(text, OnConflict::Fail).await, Ok(text.to_owned()));
        assert_eq!(make(text, OnConflict::KeepBoth).await, Ok(format!("{text} (2)")));
    }
    assert_eq!(bed.inside(person.root).await, "16|0");
    bed.is_well().await;
}

impl Bed {
    async fn make(&self, person: Person, text: &str, on_conflict: OnConflict) -> Result<String, Problem> {
        let made = self.create_folder(person.id, person.root, &name(text), on_conflict, &by(person)).await;
        made.map(|node| node.name.as_str().to_owned())
    }

    async fn rename(&self, person: Person, node: NodeId, text: &str) -> Result<String, Problem> {
        let new = name(text);
        let moved = self.relocate(person.id, node, None, Some(&new), OnConflict::Fail, &by(person)).await;
        moved.map(|node| node.name.as_str().to_owned())
    }

    async fn move_to(&self, person: Person, node: NodeId, folder: NodeId) -> Result<(), Problem> {
        let moved = self.relocate(person.id, node, Some(folder), None, OnConflict::Fail, &by(person)).await;
        moved.map(drop)
    }
}

async fn nodes_are_renamed_and_moved(bed: Bed) {
    let person = bed.account("lilei").await;
    let (a, b) = (bed.folder(person, person.root, "a").await, bed.folder(person, person.root, "b").await);
    let file = bed.file(person, a, "file.txt", 5).await;
    assert_eq!(bed.rename(person, file.id, "other.txt").await, Ok("other.txt".to_owned()));
    assert_eq!(bed.rename(person, file.id, "other.txt").await, Ok("other.txt".to_owned()));
    bed.move_to(person, file.id, b).await.unwrap();
    assert_eq!(
        (bed.names(person, a).await.len(), bed.names(person, b).await),
        (0, vec!["other.txt".to_owned()])
    );
    bed.file(person, a, "third.txt", 6).await;
    bed.move_to(person, a, b).await.unwrap();
    assert_eq!(bed.names(person, b).await, ["a", "other.txt"]);
    // Both at once, and what is moved keeps its id.
    let (to, new) = (person.root, name("last.txt"));
    let cause = at(person, NOW.0 + 9);
    let moved =
        bed.relocate(person.id, file.id, Some(to), Some(&new), OnConflict::Fail, &cause).await.unwrap();
    assert_eq!((moved.id, moved.parent, moved.modified_at), (file.id, Some(to), later(9)));
    assert_eq!(bed.node(person.id, file.id).await.unwrap(), moved);
    assert_eq!(bed.references(5).await, Some(1));
    bed.is_well().await;
}

async fn what_cannot_be_moved_stays(bed: Bed) {
    let person = bed.account("lilei").await;
    let a = bed.folder(person, person.root, "a").await;
    let b = bed.folder(person, a, "b").await;
    let file = bed.file(person, a, "b.txt", 5).await.id;
    assert_eq!(bed.move_to(person, a, b).await, Err(Problem::IntoItself));
    assert_eq!(bed.move_to(person, a, a).await, Err(Problem::IntoItself));
    assert_eq!(bed.move_to(person, person.root, a).await, Err(Problem::RootStays));
    assert_eq!(bed.move_to(person, b, file).await, Err(Problem::NotAFolder));
    assert_eq!(bed.rename(person, b, "b.txt").await, Err(Problem::NameTaken));
    assert_eq!(bed.trash(person.id, person.root, &by(person)).await, Err(Problem::RootStays));
    let replaced = bed
        .relocate(person.id, b, Some(person.root), Some(&name("a")), OnConflict::Replace, &by(person))
        .await;
    assert_eq!(replaced.err(), Some(Problem::ReplacesItsOwnFolder));
    bed.is_well().await;
}

async fn a_folder_is_copied_with_all_in_it(bed: Bed) {
    let person = bed.account("lilei").await;
    let a = bed.folder(person, person.root, "a").await;
    let inner = bed.folder(person, a, "inner").await;
    bed.file(person, a, "one", 5).await;
    bed.file(person, inner, "two", 5).await;
    bed.file(person, inner, "three", 7).await;
    let copy = |target: NodeId, text: &str, on_conflict| {
        let new = name(text);
        let (bed, cause) = (&bed, by(person));
        async move { bed.copy(person.id, a, target, &new, on_conflict, &cause).await }
    };
    let made = copy(person.root, "a", OnConflict::KeepBoth).await.unwrap();
    assert_eq!(made.name.as_str(), "a (2)");
    assert_eq!(bed.names(person, made.id).await, ["inner", "one"]);
    assert_eq!(copy(inner, "x", OnConflict::Fail).await.err(), Some(Problem::IntoItself));
    assert_eq!(copy(person.root, "a", OnConflict::Replace).await.err(), Some(Problem::NameTaken));
    assert_eq!((bed.references(5).await, bed.references(7).await), (Some(4), Some(2)));
    let usage = bed.usage(person.id).await.unwrap();
    assert_eq!((usage.used, usage.nodes), (bytes(34), 11));
    let below = bed.below(person.id, made.id).await.unwrap();
    assert_eq!(below.len(), 4);
    bed.set_quota(person.id, Some(bytes(40)), &by(person)).await.unwrap();
    assert_eq!(copy(person.root, "full", OnConflict::Fail).await.err(), Some(Problem::QuotaExceeded));
    bed.is_well().await;
}

async fn replacing_sends_the_old_one_to_the_trash(bed: Bed) {
    let person = bed.account("lilei").await;
    let old = bed.file(person, person.root, "a.txt", 5).await;
    let mut file = bed.stored(person, person.root, "a.txt", 6);
    file.on_conflict = OnConflict::Replace;
    let new = bed.store_file(&file, &by(person)).await.unwrap();
    assert_eq!(new.name.as_str(), "a.txt");
    let trash = bed.list_trash(person.id, None, 10).await.unwrap().rows;
    assert_eq!((trash.len(), trash[0].node.id), (1, old.id));
    assert_eq!(bed.inside(person.root).await, "0|1");
    bed.folder(person, person.root, "folder").await;
    file = bed.stored(person, person.root, "folder", 6);
    file.on_conflict = OnConflict::Replace;
    assert_eq!(bed.store_file(&file, &by(person)).await.err(), Some(Problem::KindDiffers));
    // A name that the old one left is free for it again: numbered.
    let restored = bed.restore(person.id, trash[0].entry.id, None, &by(person)).await.unwrap();
    assert_eq!(restored.name.as_str(), "a (2).txt");
    bed.is_well().await;
}

async fn deleting_and_restoring_are_inverse(bed: Bed) {
    let person = bed.account("lilei").await;
    let a = bed.folder(person, person.root, "a").await;
    let inner = bed.folder(person, a, "inner").await;
    let file = bed.file(person, inner, "file", 5).await.id;
    let before = bed.names(person, a).await;
    let usage = bed.usage(person.id).await.unwrap();
    let entry = bed.trash(person.id, a, &by(person)).await.unwrap();
    for node in [a, inner, file] {
        assert_eq!(bed.node(person.id, node).await, Err(MISSING));
        assert_eq!(bed.trash(person.id, node, &by(person)).await, Err(MISSING));
    }
    let list = bed.list_folder(person.id, inner, Default::default(), Default::default(), None, 10).await;
    assert_eq!(list.err(), Some(MISSING));
    assert_eq!(bed.file_of(person, file).await.err(), Some(MISSING));
    assert_eq!(bed.usage(person.id).await.unwrap(), usage, "the trash counts");
    assert_eq!(bed.references(5).await, Some(1));
    bed.is_well().await;
    let restored = bed.restore(person.id, entry, None, &by(person)).await.unwrap();
    assert_eq!((restored.id, restored.parent, restored.trash), (a, Some(person.root), None));
    assert_eq!(bed.names(person, a).await, before);
    assert!(bed.file_of(person, file).await.is_ok());
    assert_eq!(bed.list_trash(person.id, None, 10).await.unwrap().rows, []);
    let gone = bed.restore(person.id, entry, None, &by(person)).await;
    assert_eq!(gone.err(), Some(Problem::NotFound(Missing::TrashEntry)));
    bed.is_well().await;
}

impl Bed {
    async fn file_of(&self, person: Person, node: NodeId) -> Result<drive_db::FileRow, Problem> {
        self.db.file(person.id, node).await
    }
}

async fn restoring_goes_to_the_root_when_the_folder_is_gone(bed: Bed) {
    let person = bed.account("lilei").await;
    let a = bed.folder(person, person.root, "a").await;
    let (one, two, three) = (
        bed.file(person, a, "one", 5).await.id,
        bed.file(person, a, "two", 5).await.id,
        bed.folder(person, a, "three").await,
    );
    let mut entries = Vec::new();
    for node in [one, two, three, a] {
        entries.push(bed.trash(person.id, node, &by(person)).await.unwrap());
    }
    let restored = bed.restore(person.id, entries[0], None, &by(person)).await.unwrap();
    assert_eq!(restored.parent, Some(person.root), "its folder is in the trash");
    purge(&bed, person, entries[3]).await;
    let restored = bed.restore(person.id, entries[1], None, &by(person)).await.unwrap();
    assert_eq!(restored.parent, Some(person.root), "its folder is purged");
    let b = bed.folder(person, person.root, "b").await;
    let restored = bed.restore(person.id, entries[2], Some(b), &by(person)).await.unwrap();
    assert_eq!(restored.parent, Some(b));
    bed.is_well().await;
}

async fn purging_gives_back_references_and_room(bed: Bed) {
    let person = bed.account("lilei").await;
    let a = bed.folder(person, person.root, "a").await;
    let inner = bed.folder(person, a, "inner").await;
    bed.file(person, inner, "one", 5).await;
    bed.file(person, a, "two", 5).await;
    let shared = bed.file(person, a, "three", 7).await.id;
    bed.file(person, person.root, "four", 7).await;
    let share = bed.link(person, shared);
    bed.make_share(&share, &crate::kit::secret(), &by(person)).await.unwrap();
    let entry = bed.trash(person.id, a, &by(person)).await.unwrap();
    assert_eq!(purge(&bed, person, entry).await, 1);
    assert_eq!((bed.references(5).await, bed.references(7).await), (Some(0), Some(1)));
    let usage = bed.usage(person.id).await.unwrap();
    assert_eq!((usage.used, usage.nodes), (bytes(7), 2));
    assert_eq!(bed.share_by_token(&share.token, None).await.unwrap(), None);
    let again = bed.purge_part(person.id, entry, &by(person)).await;
    assert_eq!(again, Err(Problem::NotFound(Missing::TrashEntry)));
    bed.is_well().await;
}

async fn a_large_entry_is_purged_in_parts(bed: Bed) {
    let person = bed.account("lilei").await;
    let mut a = bed.folder(person, person.root, "0").await;
    bed.file(person, a, "file", 5).await;
    bed.folder(person, a, "folder").await;
    // Each holds the one before, twice.
    for number in 1..=10 {
        let next = bed.folder(person, person.root, &number.to_string()).await;
        bed.copy(person.id, a, next, &name("copy"), OnConflict::Fail, &by(person)).await.unwrap();
        bed.move_to(person, a, next).await.unwrap();
        a = next;
    }
    let nodes = bed.usage(person.id).await.unwrap().nodes as usize - 1;
    assert!(nodes > 2 * PURGE_NODES_MAX, "{nodes}");
    bed.is_well().await;
    let entry = bed.trash(person.id, a, &by(person)).await.unwrap();
    let first = bed.purge_part(person.id, entry, &by(person)).await.unwrap();
    assert_eq!((first.nodes, first.last), (PURGE_NODES_MAX, false));
    bed.is_well().await;
    let restored = bed.restore(person.id, entry, None, &by(person)).await;
    assert_eq!(restored.err(), Some(Problem::NotFound(Missing::TrashEntry)), "purging has begun");
    assert_eq!(bed.due_trash(NOW, 10).await.unwrap(), [(person.id, entry)]);
    purge(&bed, person, entry).await;
    assert_eq!(bed.usage(person.id).await.unwrap().nodes, 1);
    assert_eq!(bed.references(5).await, Some(0));
    bed.is_well().await;
}

async fn emptying_the_trash_hides_it_at_once(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    for owner in [person, other] {
        for text in ["a", "b"] {
            let node = bed.folder(owner, owner.root, text).await;
            bed.trash(owner.id, node, &by(owner)).await.unwrap();
        }
    }
    assert_eq!(bed.empty_trash(person.id, &by(person)).await, Ok(2));
    assert_eq!(bed.list_trash(person.id, None, 10).await.unwrap().rows, []);
    assert_eq!(bed.list_trash(other.id, None, 10).await.unwrap().rows.len(), 2);
    let due = bed.due_trash(NOW, 10).await.unwrap();
    assert_eq!(due.len(), 2);
    for (owner, entry) in due {
        assert!(bed.purge_part(owner, entry, &crate::kit::system()).await.unwrap().last);
    }
    assert_eq!(bed.usage(person.id).await.unwrap().nodes, 1);
    bed.is_well().await;
}

async fn entries_are_due_after_their_time(bed: Bed) {
    let person = bed.account("lilei").await;
    let mut entries = Vec::new();
    for (text, hours) in [("a", 0), ("b", 1)] {
        let node = bed.folder(person, person.root, text).await;
        entries.push(bed.trash(person.id, node, &at(person, NOW.0 + hours * HOUR)).await.unwrap());
    }
    let page = bed.list_trash(person.id, None, 1).await.unwrap();
    assert_eq!(page.rows[0].entry.id, entries[1], "the last deleted first");
    let page = bed.list_trash(person.id, page.next.as_ref(), 1).await.unwrap();
    assert_eq!((page.rows[0].entry.id, page.next), (entries[0], None));
    assert_eq!(bed.due_trash(later(30 * DAY - 1), 10).await.unwrap(), []);
    assert_eq!(bed.due_trash(later(30 * DAY), 10).await.unwrap(), [(person.id, entries[0])]);
    assert_eq!(bed.due_trash(later(31 * DAY), 1).await.unwrap().len(), 1);
}

async fn trees_have_a_depth(bed: Bed) {
    let person = bed.account("lilei").await;
    let mut last = person.root;
    for _ in 0..DEPTH_MAX {
        last = bed.folder(person, last, "x").await;
    }
    let made = bed.create_folder(person.id, last, &name("y"), OnConflict::Fail, &by(person)).await;
    assert_eq!(made.err(), Some(Problem::TooDeep));
    let a = bed.folder(person, person.root, "a").await;
    bed.folder(person, a, "b").await;
    let path = bed.path(person.id, last).await.unwrap();
    assert_eq!(path.len(), DEPTH_MAX + 1);
    // In the last folder but one there is room for one more level, and not for two.
    let second = path[DEPTH_MAX - 1].id;
    assert_eq!(bed.move_to(person, a, second).await, Err(Problem::TooDeep));
    bed.move_to(person, a, path[DEPTH_MAX - 2].id).await.unwrap();
    let copied = bed.copy(person.id, path[1].id, a, &name("z"), OnConflict::Fail, &by(person)).await;
    assert_eq!(copied.err(), Some(Problem::IntoItself));
    bed.is_well().await;
}

async fn others_see_nothing(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let a = bed.folder(person, person.root, "a").await;
    let file = bed.file(person, a, "file", 5).await.id;
    let list = |folder| bed.list_folder(other.id, folder, Default::default(), Default::default(), None, 10);
    assert_eq!(list(a).await.err(), Some(MISSING));
    assert_eq!(list(file).await.err(), Some(MISSING));
    assert_eq!(bed.node(other.id, a).await, Err(MISSING));
    assert_eq!(bed.path(other.id, a).await, Err(MISSING));
    assert_eq!(bed.file_of(other, file).await.err(), Some(MISSING));
    assert_eq!(bed.child(other.id, a, &name("file")).await, Ok(None));
    assert_eq!(bed.below(other.id, a).await, Err(MISSING));
    assert_eq!(bed.rename(other, a, "mine").await, Err(MISSING));
    assert_eq!(bed.move_to(other, a, other.root).await, Err(MISSING));
    assert_eq!(bed.trash(other.id, a, &by(other)).await, Err(MISSING));
    let copied = bed.copy(other.id, a, other.root, &name("a"), OnConflict::Fail, &by(other)).await;
    assert_eq!(copied.err(), Some(MISSING));
    let into = bed.store_file(&bed.stored(other, a, "x", 5), &by(other)).await;
    assert_eq!(into.err(), Some(MISSING));
    assert_eq!(bed.references(5).await, Some(1));
    let entry = bed.trash(person.id, a, &by(person)).await.unwrap();
    let missing = Some(Problem::NotFound(Missing::TrashEntry));
    assert_eq!(bed.restore(other.id, entry, None, &by(other)).await.err(), missing);
    assert_eq!(bed.purge_part(other.id, entry, &by(other)).await.err(), missing);
    bed.is_well().await;
}

async fn paths_and_children_are_found(bed: Bed) {
    let person = bed.account("lilei").await;
    let a = bed.folder(person, person.root, "a").await;
    let file = bed.file(person, a, "file", 5).await;
    let path = bed.path(person.id, file.id).await.unwrap();
    assert_eq!(path.iter().map(|node| node.id).collect::<Vec<_>>(), [person.root, a, file.id]);
    assert_eq!(bed.child(person.id, a, &name("file")).await.unwrap(), Some(file.clone()));
    assert_eq!(bed.child(person.id, a, &name("File")).await.unwrap(), None);
    let row = bed.file_of(person, file.id).await.unwrap();
    assert_eq!((row.content.identity, row.node), (crate::kit::identity(5), file));
    assert_eq!(bed.file_of(person, a).await.err(), Some(Problem::NotAFile));
    assert_eq!(bed.node(person.id, a).await.unwrap().kind(), NodeKind::Folder);
}
