//! Plans on small trees: a model that loads for the rules what a repository would.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::content::ReferenceDelta;
use crate::ids::{AccountId, ContentId, NodeId, TrashId};
use crate::node::{FileContent, Node, NodeKind, NodeName};
use crate::problem::{Missing, Problem};
use crate::quota::Usage;
use crate::size::ByteCount;
use crate::time::UnixMillis;

const NOW: UnixMillis = UnixMillis(1_000);

/// Nodes by name. In these trees each name is unique, and `root` is node 1 of account 1.
struct Tree(BTreeMap<NodeId, Node>);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn account(number: i64) -> AccountId {
    AccountId::new(number).unwrap()
}

fn trash_id() -> TrashId {
    TrashId::new(5).unwrap()
}

impl Tree {
    /// `"a/b/c.txt"` makes folders as needed; what has an extension is a file of 10 bytes with a content of its own.
    fn of(paths: &[&str]) -> Self {
        let mut tree = Self(BTreeMap::new());
        let root = tree.insert("root", None, false);
        for path in paths {
            let mut parent = root;
            for part in path.split('/') {
                let there =
                    tree.0.values().find(|node| node.parent == Some(parent) && node.name == name(part));
                parent = match there.map(|node| node.id) {
                    Some(id) => id,
                    None => tree.insert(part, Some(parent), part.contains('.')),
                };
            }
        }
        tree
    }

    fn insert(&mut self, text: &str, parent: Option<NodeId>, file: bool) -> NodeId {
        let number = self.0.len() as i64 + 1;
        let id = NodeId::new(number).unwrap();
        let size = ByteCount::new(10).unwrap();
        let content = file.then(|| FileContent { id: ContentId::new(number).unwrap(), size });
        let name = name(text);
        let owner = account(1);
        self.0.insert(
            id,
            Node {
                id,
                owner,
                parent,
                name,
                content,
                created_at: NOW,
                modified_at: NOW,
                downloads: 0,
                trash: None,
            },
        );
        id
    }

    fn get(&self, text: &str) -> &Node {
        self.0.values().find(|node| node.name.as_str() == text).unwrap()
    }

    fn change(&mut self, text: &str, change: impl FnOnce(&mut Node)) {
        let id = self.get(text).id;
        change(self.0.get_mut(&id).unwrap());
    }

    fn id(&self, text: &str) -> NodeId {
        self.get(text).id
    }

    fn ancestors(&self, text: &str) -> Vec<NodeId> {
        std::iter::successors(self.get(text).parent, |id| self.0[id].parent).collect()
    }

    /// Nodes below, folders before what is in them.
    fn below(&self, text: &str) -> Vec<Node> {
        let mut found = vec![self.get(text).clone()];
        let mut at = 0;
        while let Some(folder) = found.get(at).map(|node| node.id) {
            found.extend(self.0.values().filter(|node| node.parent == Some(folder)).cloned());
            at += 1;
        }
        found.split_off(1)
    }

    fn height(&self, text: &str) -> usize {
        let depth = |node: &Node| self.ancestors(node.name.as_str()).len();
        let own = self.ancestors(text).len();
        self.below(text).iter().map(|node| depth(node) - own).max().unwrap_or(0)
    }

    fn neighbours(&self, folder: &str, wanted: &str) -> Neighbours {
        let folder = self.id(folder);
        let inside = || self.0.values().filter(move |node| node.parent == Some(folder));
        Neighbours {
            same_name: inside().find(|node| node.name == name(wanted)).map(|node| (node.id, node.kind())),
            family: inside().map(|node| node.name.clone()).collect::<BTreeSet<_>>(),
        }
    }

    fn with<T>(&self, node: &str, run: impl FnOnce(&Moving<'_>) -> T) -> T {
        let ancestors = self.ancestors(node);
        let (height, nodes) = (self.height(node), 1 + self.below(node).len() as u64);
        run(&Moving { node: self.get(node), ancestors: &ancestors, height, nodes })
    }

    fn relocate(
        &self,
        node: &str,
        to: &str,
        wanted: &str,
        how: OnConflict,
    ) -> Result<Option<RelocatePlan>, Problem> {
        let above = self.ancestors(to);
        let target = Target { folder: self.get(to), ancestors: &above };
        self.with(node, |moving| relocate(moving, &target, &name(wanted), &self.neighbours(to, wanted), how))
    }

    fn copy(&self, node: &str, to: &str, wanted: &str, how: OnConflict) -> Result<CopyPlan, Problem> {
        let above = self.ancestors(to);
        let target = Target { folder: self.get(to), ancestors: &above };
        let neighbours = self.neighbours(to, wanted);
        self.with(node, |moving| copy(moving, &self.below(node), &target, &name(wanted), &neighbours, how))
    }

    fn create(&self, to: &str, wanted: &str, kind: NodeKind, how: OnConflict) -> Result<CreatePlan, Problem> {
        let above = self.ancestors(to);
        let target = Target { folder: self.get(to), ancestors: &above };
        create(&target, &name(wanted), kind, &self.neighbours(to, wanted), how)
    }
}

/// A chain of folders `d1/d2/…`, as deep as `depth`.
fn chain(depth: usize) -> String {
    (1..=depth).map(|number| format!("d{number}")).collect::<Vec<_>>().join("/")
}

#[test]
fn a_node_is_made_in_a_live_folder_under_a_settled_name() {
    let mut tree = Tree::of(&["docs/a.txt", "old/b.txt"]);
    let plan = tree.create("docs", "a.txt", NodeKind::File, OnConflict::KeepBoth).unwrap();
    assert_eq!(plan, CreatePlan { parent: tree.id("docs"), name: name("a (2).txt"), replaced: None });
    let plan = tree.create("docs", "a.txt", NodeKind::File, OnConflict::Replace).unwrap();
    assert_eq!(plan.replaced, Some(tree.id("a.txt")));
    let made = tree.create("a.txt", "x", NodeKind::Folder, OnConflict::Fail);
    assert_eq!(made, Err(Problem::NotAFolder));
    tree.change("old", |node| node.trash = Some(trash_id()));
    let made = tree.create("old", "x", NodeKind::Folder, OnConflict::Fail);
    assert_eq!(made, Err(Problem::NotFound(Missing::Node)));
}

#[test]
fn folders_end_at_the_greatest_depth() {
    let tree = Tree::of(&[&chain(100)]);
    assert!(tree.create("d99", "x", NodeKind::Folder, OnConflict::Fail).is_ok());
    assert_eq!(tree.create("d100", "x", NodeKind::File, OnConflict::Fail), Err(Problem::TooDeep));
}

#[test]
fn a_node_is_renamed_and_moved() {
    let tree = Tree::of(&["a/x.txt", "b/c"]);
    for (node, to, wanted, parent, result) in [
        ("x.txt", "a", "y.txt", "a", "y.txt"),
        ("x.txt", "a", "X.txt", "a", "X.txt"),
        ("x.txt", "b", "x.txt", "b", "x.txt"),
        ("a", "c", "a", "c", "a"),
        ("b", "a", "z", "a", "z"),
        ("c", "root", "c", "root", "c"),
    ] {
        let plan =
            RelocatePlan { node: tree.id(node), parent: tree.id(parent), name: name(result), replaced: None };
        assert_eq!(tree.relocate(node, to, wanted, OnConflict::Fail), Ok(Some(plan)), "{node} {to} {wanted}");
    }
}

#[test]
fn a_node_that_is_there_already_stays() {
    let tree = Tree::of(&["a/x.txt"]);
    for how in [OnConflict::Fail, OnConflict::KeepBoth, OnConflict::Replace] {
        assert_eq!(tree.relocate("x.txt", "a", "x.txt", how), Ok(None));
    }
}

#[test]
fn moves_that_make_no_tree_are_refused() {
    let tree = Tree::of(&["a/b/c/f.txt", "other.txt"]);
    for (node, to, expected) in [
        ("a", "a", Problem::IntoItself),
        ("a", "b", Problem::IntoItself),
        ("a", "c", Problem::IntoItself),
        ("b", "other.txt", Problem::NotAFolder),
        ("root", "a", Problem::RootStays),
    ] {
        let name = tree.get(node).name.as_str().to_owned();
        assert_eq!(tree.relocate(node, to, &name, OnConflict::Fail), Err(expected.clone()), "{node} {to}");
        assert_eq!(tree.copy(node, to, &name, OnConflict::Fail), Err(expected), "copy {node} {to}");
    }
}

#[test]
fn a_folder_does_not_move_below_the_greatest_depth() {
    let tree = Tree::of(&[&chain(98), "a/b", "g/h/i"]);
    assert!(tree.relocate("a", "d98", "a", OnConflict::Fail).is_ok());
    assert_eq!(tree.relocate("g", "d98", "g", OnConflict::Fail), Err(Problem::TooDeep));
    assert_eq!(tree.copy("g", "d98", "g", OnConflict::Fail), Err(Problem::TooDeep));
}

#[test]
fn what_is_replaced_goes_to_the_trash_unless_the_node_is_in_it() {
    let tree = Tree::of(&["a/b/c.txt", "d/e.txt"]);
    let plan = tree.relocate("c.txt", "d", "e.txt", OnConflict::Replace).unwrap().unwrap();
    assert_eq!(plan.replaced, Some(tree.id("e.txt")));
    // `b` under the name `a`, in the place of `a`, which it is in.
    let own_folder = Err(Problem::ReplacesItsOwnFolder);
    assert_eq!(tree.relocate("b", "root", "a", OnConflict::Replace), own_folder);
    assert_eq!(tree.copy("b", "root", "a", OnConflict::Replace), Err(Problem::ReplacesItsOwnFolder));
    assert_eq!(tree.copy("d", "root", "d", OnConflict::Replace), Err(Problem::NameTaken));
}

#[test]
fn nobody_moves_into_the_drive_of_another_or_out_of_the_trash() {
    let mut tree = Tree::of(&["a/x.txt", "b", "gone.txt"]);
    tree.change("b", |node| node.owner = account(2));
    tree.change("gone.txt", |node| {
        node.trash = Some(trash_id());
        node.parent = None;
    });
    let missing = Err(Problem::NotFound(Missing::Node));
    assert_eq!(tree.relocate("x.txt", "b", "x.txt", OnConflict::Fail), missing);
    assert_eq!(tree.relocate("gone.txt", "a", "gone.txt", OnConflict::Fail), missing);
}

#[test]
fn a_copy_is_new_nodes_with_the_same_contents() {
    let mut tree = Tree::of(&["a/b/x.txt", "a/y.txt", "c"]);
    let shared = tree.get("x.txt").content;
    tree.change("y.txt", |node| node.content = shared);
    let plan = tree.copy("a", "root", "a", OnConflict::KeepBoth).unwrap();
    let new = |parent, text, content| NewNode { parent, name: name(text), content };
    assert_eq!(
        plan.nodes,
        [
            new(NewParent::There(tree.id("root")), "a (2)", None),
            new(NewParent::New(0), "b", None),
            new(NewParent::New(0), "y.txt", shared),
            new(NewParent::New(1), "x.txt", shared),
        ]
    );
    assert_eq!(plan.usage, Usage { bytes: ByteCount::new(20).unwrap(), nodes: 4 });
    assert_eq!(plan.references, [ReferenceDelta { content: shared.unwrap().id, change: 2 }]);
}

#[test]
fn a_copy_may_go_to_the_drive_of_another() {
    let mut tree = Tree::of(&["a/x.txt", "b"]);
    tree.change("b", |node| node.owner = account(2));
    assert_eq!(tree.copy("x.txt", "b", "x.txt", OnConflict::Fail).unwrap().nodes.len(), 1);
}

#[test]
fn a_copy_is_bounded_and_whole() {
    let tree = Tree::of(&["a/b/x.txt", "c"]);
    let above = tree.ancestors("c");
    let target = Target { folder: tree.get("c"), ancestors: &above };
    let run = |below: &[Node]| {
        tree.with("a", |moving| {
            copy(moving, below, &target, &name("a"), &Neighbours::default(), OnConflict::Fail)
        })
    };
    let mut many = vec![tree.get("b").clone(); 9_999];
    assert_eq!(run(&many).unwrap().nodes.len(), 10_000);
    many.push(tree.get("b").clone());
    assert_eq!(run(&many), Err(Problem::TooManyNodes));
    let without_folder = [tree.get("x.txt").clone()];
    assert!(matches!(run(&without_folder), Err(Problem::Contradiction(_))));
}

#[test]
fn deleting_takes_a_node_out_of_its_folder() {
    let tree = Tree::of(&["a/b/x.txt"]);
    let retention = std::time::Duration::from_secs(60);
    let plan = TrashPlan { node: tree.id("b"), from: tree.id("a"), purge_at: UnixMillis(61_000) };
    assert_eq!(tree.with("b", |moving| trash(moving, retention, NOW)), Ok(plan));
    assert_eq!(tree.with("root", |moving| trash(moving, retention, NOW)), Err(Problem::RootStays));
    let many = |nodes| tree.with("b", |moving| trash(&Moving { nodes, ..*moving }, retention, NOW));
    assert_eq!(many(10_000), Ok(plan));
    assert_eq!(many(10_001), Err(Problem::TooManyNodes));
}

fn entry(tree: &Tree, node: &str, from: &str) -> TrashEntry {
    TrashEntry {
        id: trash_id(),
        owner: account(1),
        node: tree.id(node),
        from: tree.id(from),
        deleted_at: NOW,
        purge_at: UnixMillis(2_000),
        purging: false,
    }
}

#[test]
fn what_was_deleted_goes_back_or_to_the_root() {
    let mut tree = Tree::of(&["a/x.txt", "b", "c"]);
    let root = tree.id("root");
    let to = |former: Option<&Node>| restore_to(former, account(1), root);
    assert_eq!(to(Some(tree.get("a"))), RestoreTo::Back(tree.id("a")));
    assert_eq!(to(None), RestoreTo::Root(root));
    tree.change("b", |node| node.trash = Some(trash_id()));
    tree.change("c", |node| node.owner = account(2));
    for text in ["b", "c", "x.txt"] {
        assert_eq!(restore_to(Some(tree.get(text)), account(1), root), RestoreTo::Root(root), "{text}");
    }
}

#[test]
fn a_restored_node_keeps_its_name_or_is_numbered() {
    let tree = Tree::of(&["a/x.txt", "b/c"]);
    let run = |entry: &TrashEntry, to: &str, height| {
        let above = tree.ancestors(to);
        let target = Target { folder: tree.get(to), ancestors: &above };
        restore(entry, tree.get("x.txt"), height, &target, &tree.neighbours(to, "x.txt"))
    };
    let entry = entry(&tree, "x.txt", "a");
    let plan = |to, text| Ok(RestorePlan { node: entry.node, parent: tree.id(to), name: name(text) });
    assert_eq!(run(&entry, "b", 0), plan("b", "x.txt"));
    assert_eq!(run(&entry, "a", 0), plan("a", "x (2).txt"));
    assert_eq!(run(&entry, "b", 99), Err(Problem::TooDeep));
    let missing = Err(Problem::NotFound(Missing::TrashEntry));
    assert_eq!(run(&TrashEntry { purging: true, ..entry.clone() }, "b", 0), missing);
    assert_eq!(run(&TrashEntry { owner: account(2), ..entry.clone() }, "b", 0), missing);
}

#[test]
fn an_entry_is_due_when_its_time_is_over_or_purging_has_begun() {
    let tree = Tree::of(&["a/x.txt"]);
    let entry = entry(&tree, "x.txt", "a");
    assert!(!is_due(&entry, UnixMillis(1_999)));
    assert!(is_due(&entry, UnixMillis(2_000)));
    assert!(is_due(&TrashEntry { purging: true, ..entry }, NOW));
}

#[test]
fn purging_gives_back_references_and_room_part_by_part() {
    let mut tree = Tree::of(&["a/b/x.txt", "a/y.txt"]);
    for text in ["a", "b", "x.txt", "y.txt"] {
        tree.change(text, |node| node.trash = Some(trash_id()));
    }
    let entry = entry(&tree, "a", "root");
    let part = |texts: &[&str]| texts.iter().map(|text| tree.get(text).clone()).collect::<Vec<_>>();
    let content = |text: &str| tree.get(text).content.unwrap().id;
    let first = purge(&entry, &part(&["x.txt", "y.txt"])).unwrap();
    let mut references =
        [content("x.txt"), content("y.txt")].map(|content| ReferenceDelta { content, change: -1 });
    references.sort_by_key(|delta| delta.content);
    assert_eq!(
        first,
        PurgePlan {
            nodes: vec![tree.id("x.txt"), tree.id("y.txt")],
            references: references.to_vec(),
            usage: Usage { bytes: ByteCount::new(20).unwrap(), nodes: 2 },
            last: false,
        }
    );
    let rest = purge(&entry, &part(&["b", "a"])).unwrap();
    assert_eq!((rest.usage.nodes, rest.references.len(), rest.last), (2, 0, true));
    assert!(matches!(purge(&entry, &part(&["root"])), Err(Problem::Contradiction(_))));
    let many = vec![tree.get("b").clone(); 1_001];
    assert_eq!(purge(&entry, &many).unwrap().nodes.len(), 1_000);
}
