//! Lists by cursor.

use drive_core::node::Node;
use drive_core::page::{Cursor, Direction, List, NodeOrder, SearchQuery, ShareOrder};
use drive_core::queue::{Counter, Entry, Event};
use drive_core::share::ShareKind;
use drive_core::{NodeId, Problem};
use drive_db::ShareFilter;

use crate::kit::{Bed, NOW, Person, at, by, entry_key, secret};

on_both! {
    a_folder_is_listed_in_every_order_and_any_pages
    pages_neither_repeat_nor_hide_what_stays
    a_cursor_of_another_list_is_refused
    a_search_finds_names_by_their_parts
    searches_have_pages
    recent_files_are_listed_in_any_pages
    links_are_listed_in_every_order
    links_to_one_node_are_those_of_its_owner
}

/// Folders and files whose names, sizes, times and downloads sort differently.
async fn mixed(bed: &Bed, person: Person) -> NodeId {
    let folder = bed.folder(person, person.root, "mixed").await;
    for (name, seed, time) in
        [("b", 9, 5), ("a", 9, 3), ("C", 200, 1), ("文", 1, 4), ("Ä", 3, 3), ("10%", 7, 9)]
    {
        let mut file = bed.stored(person, folder, name, seed);
        file.identity.size = crate::kit::bytes(u64::from(seed));
        bed.store_file(&file, &at(person, NOW.0 + time)).await.unwrap();
    }
    for (name, time) in [("z", 7), ("y", 8), ("Z", 2)] {
        let name = crate::kit::name(name);
        bed.create_folder(person.id, folder, &name, Default::default(), &at(person, NOW.0 + time))
            .await
            .unwrap();
    }
    let children = bed.below(person.id, folder).await.unwrap();
    let mut batch = Vec::new();
    for (number, node) in children.iter().enumerate() {
        for turn in 0..(number % 3) {
            let key = entry_key((10 * number + turn) as u8);
            batch.push(Entry { key, at: NOW, event: Event::Count(Counter::NodeDownloads(node.id)) });
        }
    }
    bed.apply(&batch, NOW).await.unwrap();
    folder
}

async fn pages(
    bed: &Bed,
    person: Person,
    folder: NodeId,
    order: NodeOrder,
    direction: Direction,
    limit: u32,
) -> Vec<Node> {
    let (mut nodes, mut after): (Vec<Node>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = bed.list_folder(person.id, folder, order, direction, after.as_ref(), limit).await.unwrap();
        assert!(page.rows.len() <= limit as usize);
        nodes.extend(page.rows);
        // As text, as clients have it.
        let list = List::Nodes(order, direction);
        after = page.next.map(|next| Cursor::parse(&next.to_text(list), list).unwrap());
        if after.is_none() {
            return nodes;
        }
    }
}

async fn a_folder_is_listed_in_every_order_and_any_pages(bed: Bed) {
    let person = bed.account("lilei").await;
    let folder = mixed(&bed, person).await;
    for order in [NodeOrder::Name, NodeOrder::Size, NodeOrder::Modified, NodeOrder::Downloads] {
        let up = pages(&bed, person, folder, order, Direction::Up, 1000).await;
        assert_eq!(up.len(), 9);
        let key = |node: &Node| match order {
            NodeOrder::Name => (drive_core::node::SearchKey::of(node.name.as_str()).as_str().to_owned(), 0),
            NodeOrder::Size => (String::new(), node.content.map_or(0, |content| content.size.to_db())),
            NodeOrder::Modified => (String::new(), node.modified_at.0),
            NodeOrder::Downloads => (String::new(), node.downloads as i64),
        };
        let mut expected = up.clone();
        expected.sort_by_key(|node| (node.kind(), key(node), node.id));
        assert_eq!(up, expected, "{order:?}");
        // Folders first in either direction; among themselves the other way round.
        let down = pages(&bed, person, folder, order, Direction::Down, 1000).await;
        expected.sort_by_key(|node| (key(node), node.id));
        expected.reverse();
        expected.sort_by_key(Node::kind);
        assert_eq!(down, expected, "{order:?}");
        for limit in 1..=9 {
            for (direction, whole) in [(Direction::Up, &up), (Direction::Down, &down)] {
                assert_eq!(
                    &pages(&bed, person, folder, order, direction, limit).await,
                    whole,
                    "{order:?} {limit}"
                );
            }
        }
    }
    let empty = bed.folder(person, folder, "empty").await;
    assert_eq!(pages(&bed, person, empty, NodeOrder::Name, Direction::Up, 5).await, []);
}

async fn pages_neither_repeat_nor_hide_what_stays(bed: Bed) {
    let person = bed.account("lilei").await;
    for text in ["a", "b", "c", "d", "e"] {
        bed.folder(person, person.root, text).await;
    }
    let list = |after: Option<Cursor>| {
        let bed = &bed;
        async move {
            let page = bed
                .list_folder(person.id, person.root, NodeOrder::Name, Direction::Up, after.as_ref(), 2)
                .await
                .unwrap();
            (page.rows.iter().map(|node| node.name.as_str().to_owned()).collect::<Vec<_>>(), page.next)
        }
    };
    let (first, next) = list(None).await;
    assert_eq!(first, ["a", "b"]);
    // What the page ended with goes, and others come before it and behind it.
    let b = bed.child(person.id, person.root, &crate::kit::name("b")).await.unwrap().unwrap();
    bed.trash(person.id, b.id, &by(person)).await.unwrap();
    bed.folder(person, person.root, "aa").await;
    bed.folder(person, person.root, "bb").await;
    let (second, next) = list(next).await;
    assert_eq!(second, ["bb", "c"]);
    let (third, next) = list(next).await;
    assert_eq!((third, next), (vec!["d".to_owned(), "e".to_owned()], None));
}

async fn a_cursor_of_another_list_is_refused(bed: Bed) {
    let person = bed.account("lilei").await;
    for text in ["a", "b"] {
        bed.folder(person, person.root, text).await;
    }
    let list = |order, after: Option<Cursor>| {
        let bed = &bed;
        async move { bed.list_folder(person.id, person.root, order, Direction::Up, after.as_ref(), 1).await }
    };
    let by_name = list(NodeOrder::Name, None).await.unwrap().next;
    let by_size = list(NodeOrder::Size, None).await.unwrap().next;
    assert_eq!(list(NodeOrder::Size, by_name.clone()).await.err(), Some(Problem::CursorInvalid));
    assert_eq!(list(NodeOrder::Name, by_size.clone()).await.err(), Some(Problem::CursorInvalid));
    assert_eq!(bed.list_trash(person.id, by_name.as_ref(), 1).await.err(), Some(Problem::CursorInvalid));
    assert_eq!(bed.list_accounts(by_size.as_ref(), 1).await.err(), Some(Problem::CursorInvalid));
}

async fn find(bed: &Bed, person: Person, text: &str) -> Vec<String> {
    let query = SearchQuery::new(text).unwrap();
    let page = bed.search(person.id, &query, None, 100).await.unwrap();
    page.rows.iter().map(|found| found.node.name.as_str().to_owned()).collect()
}

async fn a_search_finds_names_by_their_parts(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let folder = bed.folder(person, person.root, "报告 2024").await;
    for (number, text) in
        ["Final Report.PDF", "报告 最终版.docx", "100%.txt", "100x.txt", "a_b", "axb", "STRASSE"]
            .iter()
            .enumerate()
    {
        bed.file(person, folder, text, number as u8).await;
    }
    bed.file(other, other.root, "Final Report.PDF", 1).await;
    let gone = bed.folder(person, folder, "report in the trash").await;
    bed.trash(person.id, gone, &by(person)).await.unwrap();
    for (query, expected) in [
        ("report", &["Final Report.PDF"][..]),
        ("ＲＥＰＯＲＴ final", &["Final Report.PDF"]),
        ("报告", &["报告 2024", "报告 最终版.docx"]),
        ("100%", &["100%.txt"]),
        ("a_b", &["a_b"]),
        ("straße", &["STRASSE"]),
        ("drive", &[]),
        ("nothing like it", &[]),
    ] {
        assert_eq!(find(&bed, person, query).await, expected, "{query}");
    }
    let query = SearchQuery::new("最终版").unwrap();
    let found = bed.search(person.id, &query, None, 1).await.unwrap().rows;
    assert_eq!(found[0].folder.as_ref().map(|name| name.as_str()), Some("报告 2024"));
    let query = SearchQuery::new("2024").unwrap();
    let found = bed.search(person.id, &query, None, 1).await.unwrap().rows;
    assert_eq!(found[0].folder, None, "in the root");
}

async fn searches_have_pages(bed: Bed) {
    let person = bed.account("lilei").await;
    for number in 0..7 {
        let folder = bed.folder(person, person.root, &format!("f{number}")).await;
        for text in ["Photo.png", "photo.png"] {
            bed.file(person, folder, text, 1).await;
        }
    }
    let query = SearchQuery::new("photo").unwrap();
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = bed.search(person.id, &query, after.as_ref(), 3).await.unwrap();
        ids.extend(page.rows.iter().map(|found| found.node.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // All have one key, so they are in the order of their ids, each once.
    assert_eq!(ids.len(), 14);
    assert!(ids.is_sorted_by(|one, next| one < next));
}

async fn recent_files_are_listed_in_any_pages(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let folder = mixed(&bed, person).await;
    bed.file(other, other.root, "of another", 1).await;
    let late = bed.stored(person, person.root, "late", 50);
    bed.store_file(&late, &at(person, NOW.0 + 20)).await.unwrap();
    for limit in [1, 2, 3, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = bed.recent(person.id, after.as_ref(), limit).await.unwrap();
            assert!(page.rows.len() <= limit as usize);
            found.extend(page.rows);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let names: Vec<&str> = found.iter().map(|found| found.node.name.as_str()).collect();
        // Ä and a are of one time: the later id first.
        assert_eq!(names, ["late", "10%", "b", "文", "Ä", "a", "C"], "{limit}");
        let folders: Vec<_> =
            found.iter().map(|found| found.folder.as_ref().map(|name| name.as_str())).collect();
        assert_eq!(folders[..2], [None, Some("mixed")]);
    }
    let page = bed.recent(person.id, None, 3).await.unwrap();
    // What comes meanwhile stands before, what is changed is seen once more at most, and the rest stays.
    let newest = bed.stored(person, person.root, "newest", 51);
    bed.store_file(&newest, &at(person, NOW.0 + 30)).await.unwrap();
    let next = bed.recent(person.id, page.next.as_ref(), 2).await.unwrap();
    let names: Vec<&str> = next.rows.iter().map(|found| found.node.name.as_str()).collect();
    assert_eq!(names, ["文", "Ä"]);
    bed.trash(person.id, folder, &by(person)).await.unwrap();
    let rest = bed.recent(person.id, None, 9).await.unwrap().rows;
    let names: Vec<&str> = rest.iter().map(|found| found.node.name.as_str()).collect();
    assert_eq!(names, ["newest", "late"], "not what is in the trash");
    let cursor = Cursor { kind: None, key: drive_core::page::SortKey::Text("a".to_owned()), id: 1 };
    assert_eq!(bed.recent(person.id, Some(&cursor), 9).await, Err(Problem::CursorInvalid));
}

async fn links_are_listed_in_every_order(bed: Bed) {
    let person = bed.account("lilei").await;
    let node = bed.file(person, person.root, "a.png", 1).await.id;
    let mut ids = Vec::new();
    for number in 0..6 {
        let mut new = bed.link(person, node);
        new.kind = if number % 2 == 0 { ShareKind::Link } else { ShareKind::Picture };
        let cause = at(person, NOW.0 + (number * 7) % 5);
        ids.push(bed.make_share(&new, &secret(), &cause).await.unwrap().id);
    }
    let count = |number: u8, counter| Entry { key: entry_key(number), at: NOW, event: Event::Count(counter) };
    let batch = [
        count(1, Counter::ShareViews(ids[3])),
        count(2, Counter::ShareViews(ids[3])),
        count(3, Counter::ShareViews(ids[1])),
        count(4, Counter::ShareDownloads(ids[0])),
    ];
    bed.apply(&batch, NOW).await.unwrap();
    let all = ShareFilter::default();
    for order in [ShareOrder::Created, ShareOrder::Views, ShareOrder::Downloads] {
        for direction in [Direction::Up, Direction::Down] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page =
                    bed.list_shares(person.id, all, order, direction, after.as_ref(), 2).await.unwrap();
                found.extend(page.rows.into_iter().map(|row| row.share));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let mut expected = found.clone();
            expected.sort_by_key(|share| {
                let key = match order {
                    ShareOrder::Created => share.created_at.0,
                    ShareOrder::Views => share.views as i64,
                    ShareOrder::Downloads => share.downloads as i64,
                };
                (key, share.id)
            });
            if direction == Direction::Down {
                expected.reverse();
            }
            assert_eq!(found, expected, "{order:?} {direction:?}");
            assert_eq!(found.len(), 6);
        }
    }
    let pictures = ShareFilter { kind: Some(ShareKind::Picture), ..all };
    let pictures = bed.list_shares(person.id, pictures, ShareOrder::Created, Direction::Up, None, 10).await;
    assert_eq!(pictures.unwrap().rows.len(), 3);
}

async fn links_to_one_node_are_those_of_its_owner(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("hanmeimei").await);
    let node = bed.file(person, person.root, "a.png", 1).await.id;
    let beside = bed.file(person, person.root, "b.png", 2).await.id;
    let mut ids = Vec::new();
    for number in 0..5 {
        for node in [node, beside] {
            let mut new = bed.link(person, node);
            new.kind = if number == 3 { ShareKind::Picture } else { ShareKind::Link };
            ids.push(bed.make_share(&new, &secret(), &at(person, NOW.0 + number)).await.unwrap().id);
        }
    }
    let of = |node, kind| ShareFilter { kind, node: Some(node) };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (order, direction) = (ShareOrder::Created, Direction::Down);
        let page = bed.list_shares(person.id, of(node, None), order, direction, after.as_ref(), 2).await;
        let page = page.unwrap();
        found.extend(page.rows.iter().map(|row| row.share.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [ids[8], ids[6], ids[4], ids[2], ids[0]]);
    for (owner, which, count) in [
        (person, of(node, Some(ShareKind::Picture)), 1),
        (person, of(node, Some(ShareKind::Link)), 4),
        (person, of(person.root, None), 0),
        (other, of(node, None), 0),
    ] {
        let page = bed.list_shares(owner.id, which, ShareOrder::Views, Direction::Up, None, 10).await;
        assert_eq!(page.unwrap().rows.len(), count, "{which:?}");
    }
}
