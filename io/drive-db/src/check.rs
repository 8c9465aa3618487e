//! The checker: recomputes what is kept beside the rows it follows from, and reports what differs.
//!
//! It reads one snapshot and mends nothing: a difference is a bug, or somebody changed the database, and an
//! administrator should see it before anything hides it.

use std::collections::HashMap;

use drive_core::Problem;
use drive_core::node::SearchKey;

use crate::accounts::{FOUND_BY_COLUMNS, read_found_by};
use crate::database::{Database, Tx};
use crate::engine::values;
use crate::error::Fault;

/// Differences that are reported at most, of each kind.
const DIFFERENCES_MAX: i64 = 100;

/// Rows that are read at once.
const ROWS_AT_ONCE: i64 = 10_000;

/// Something that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What is the matter, in a few words.
    pub what: &'static str,
    /// The id of the row.
    pub id: i64,
    /// What the row says, where it is a number.
    pub kept: Option<i64>,
    /// What it should say.
    pub found: Option<i64>,
}

/// A query whose rows are differences: id, what is kept, what is found.
struct Rule {
    what: &'static str,
    sql: &'static str,
}

/// Each finds rows that break one promise. All sums are numbers: servers would sum into decimals.
const RULES: &[Rule] = &[
    Rule {
        what: "references of a content",
        sql: "SELECT c.id, c.refs, COALESCE(n.found, 0) FROM contents c \
              LEFT JOIN (SELECT content_id, COUNT(*) AS found FROM nodes GROUP BY content_id) n ON n.content_id = c.id \
              WHERE c.refs <> COALESCE(n.found, 0)",
    },
    Rule {
        what: "a content that is used and noted as unused, or the other way round",
        sql: "SELECT id, refs, unused_since FROM contents WHERE (refs = 0) <> (unused_since IS NOT NULL)",
    },
    Rule {
        what: "a blob that is in use and dropped",
        sql: "SELECT c.id, d.id, NULL FROM contents c JOIN dropped_blobs d ON d.blob_key = c.blob_key",
    },
    Rule {
        what: "bytes of an account",
        sql: "SELECT a.id, a.used, COALESCE(n.found, 0) FROM accounts a \
              LEFT JOIN (SELECT owner_id, CAST(SUM(size) AS SIGNED) AS found FROM nodes GROUP BY owner_id) n \
              ON n.owner_id = a.id WHERE a.used <> COALESCE(n.found, 0)",
    },
    Rule {
        what: "nodes of an account",
        sql: "SELECT a.id, a.nodes, COALESCE(n.found, 0) FROM accounts a \
              LEFT JOIN (SELECT owner_id, COUNT(*) AS found FROM nodes GROUP BY owner_id) n \
              ON n.owner_id = a.id WHERE a.nodes <> COALESCE(n.found, 0)",
    },
    Rule {
        what: "room that an account has reserved",
        sql: "SELECT a.id, a.reserved, COALESCE(u.found, 0) + COALESCE(r.found, 0) FROM accounts a \
              LEFT JOIN (SELECT owner_id, CAST(SUM(reserved) AS SIGNED) AS found FROM uploads GROUP BY owner_id) u \
              ON u.owner_id = a.id \
              LEFT JOIN (SELECT account_id, CAST(SUM(bytes) AS SIGNED) AS found FROM reservations \
              GROUP BY account_id) r ON r.account_id = a.id \
              WHERE a.reserved <> COALESCE(u.found, 0) + COALESCE(r.found, 0)",
    },
    Rule {
        what: "folders in a folder",
        sql: "SELECT f.id, f.folders, COALESCE(c.found, 0) FROM nodes f \
              LEFT JOIN (SELECT parent_id, COUNT(*) AS found FROM nodes WHERE kind = 0 GROUP BY parent_id) c \
              ON c.parent_id = f.id WHERE f.trash_id IS NULL AND f.folders <> COALESCE(c.found, 0)",
    },
    Rule {
        what: "files in a folder",
        sql: "SELECT f.id, f.files, COALESCE(c.found, 0) FROM nodes f \
              LEFT JOIN (SELECT parent_id, COUNT(*) AS found FROM nodes WHERE kind = 1 GROUP BY parent_id) c \
              ON c.parent_id = f.id WHERE f.trash_id IS NULL AND f.files <> COALESCE(c.found, 0)",
    },
    Rule {
        what: "a node in what is no folder, or in a folder of somebody else",
        sql: "SELECT n.id, n.parent_id, NULL FROM nodes n JOIN nodes p ON p.id = n.parent_id \
              WHERE p.kind <> 0 OR p.owner_id <> n.owner_id",
    },
    Rule {
        what: "a node that is not in the trash with its folder",
        sql: "SELECT n.id, n.trash_id, p.trash_id FROM nodes n JOIN nodes p ON p.id = n.parent_id \
              WHERE COALESCE(n.trash_id, 0) <> COALESCE(p.trash_id, 0)",
    },
    Rule {
        what: "a node in no folder that is no root",
        sql: "SELECT n.id, n.owner_id, NULL FROM nodes n JOIN accounts a ON a.id = n.owner_id \
              WHERE n.parent_id IS NULL AND n.trash_id IS NULL AND a.root_id <> n.id",
    },
    Rule {
        what: "an account without its root",
        sql: "SELECT a.id, a.root_id, NULL FROM accounts a LEFT JOIN nodes n \
              ON n.id = a.root_id AND n.owner_id = a.id AND n.kind = 0 AND n.parent_id IS NULL \
              AND n.trash_id IS NULL WHERE n.id IS NULL",
    },
    Rule {
        what: "a node in an entry of the trash that is not there",
        sql: "SELECT n.id, n.trash_id, NULL FROM nodes n LEFT JOIN trash t ON t.id = n.trash_id \
              WHERE n.trash_id IS NOT NULL AND t.id IS NULL",
    },
    Rule {
        what: "an entry of the trash without its node",
        sql: "SELECT t.id, t.node_id, n.trash_id FROM trash t LEFT JOIN nodes n ON n.id = t.node_id \
              WHERE n.id IS NULL OR n.trash_id IS NULL OR n.trash_id <> t.id \
              OR (n.parent_id IS NOT NULL AND t.purging = 0) OR n.owner_id <> t.owner_id",
    },
    Rule {
        what: "the size of a file",
        sql: "SELECT n.id, n.size, c.size FROM nodes n JOIN contents c ON c.id = n.content_id \
              WHERE n.size <> c.size",
    },
    Rule {
        what: "a file without content, or a folder with one",
        sql: "SELECT id, kind, content_id FROM nodes WHERE (kind = 1) <> (content_id IS NOT NULL)",
    },
    Rule {
        what: "a link in public lists, or not",
        // One that has ended may be out of them already.
        sql: "SELECT id, public, NULL FROM shares \
              WHERE public <> CASE WHEN kind = 0 AND listed = 1 AND revoked = 0 AND code = 0 THEN 1 ELSE 0 END \
              AND (public = 1 OR expires_at IS NULL)",
    },
    Rule {
        // An earlier version beside this one makes links without.
        what: "the digest that a link is found by",
        sql: "SELECT s.id, n.id, c.id FROM shares s JOIN nodes n ON n.id = s.node_id \
              LEFT JOIN contents c ON c.id = n.content_id \
              WHERE s.md5 IS NOT NULL AND (c.md5 IS NULL OR s.md5 <> c.md5)",
    },
    Rule {
        what: "a link to a node of somebody else",
        sql: "SELECT s.id, s.owner_id, n.owner_id FROM shares s JOIN nodes n ON n.id = s.node_id \
              WHERE s.owner_id <> n.owner_id",
    },
    Rule {
        what: "an upload that has come further than it reserved",
        sql: "SELECT id, reserved, done_bytes FROM uploads WHERE state <> 2 AND reserved < done_bytes",
    },
];

impl Tx<'_> {
    async fn folders_in_circles(&mut self) -> Result<Vec<Difference>, Fault> {
        let mut parents: HashMap<i64, Option<i64>> = HashMap::new();
        let mut after = 0;
        loop {
            let sql = "SELECT id, parent_id FROM nodes WHERE kind = 0 AND id > ? ORDER BY id LIMIT ?";
            let rows = self
                .list(sql, values![after, ROWS_AT_ONCE], |columns| Ok((columns.int()?, columns.opt_int()?)));
            let rows = rows.await?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            parents.extend(rows);
        }
        Ok(in_circles(&parents))
    }

    async fn wrongly_found(&mut self) -> Result<Vec<Difference>, Fault> {
        let (mut wrong, mut after) = (Vec::new(), 0);
        loop {
            let sql = format!(
                "SELECT {FOUND_BY_COLUMNS}, found_by FROM accounts \
                 WHERE id > ? AND found_by IS NOT NULL ORDER BY id LIMIT ?"
            );
            let rows = self.list(sql, values![after, ROWS_AT_ONCE], |columns| {
                let (id, found_by) = read_found_by(columns)?;
                Ok((id, columns.text()? == found_by))
            });
            let rows = rows.await?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            let differs = rows.iter().filter(|(_, right)| !right);
            wrong.extend(differs.map(|(id, _)| difference("what an account is found by", *id)));
        }
        wrong.truncate(DIFFERENCES_MAX as usize);
        Ok(wrong)
    }

    async fn wrong_keys(&mut self) -> Result<Vec<Difference>, Fault> {
        let (mut wrong, mut after) = (Vec::new(), 0);
        loop {
            let sql = "SELECT id, name, name_key FROM nodes WHERE id > ? ORDER BY id LIMIT ?";
            let rows = self.list(sql, values![after, ROWS_AT_ONCE], |columns| {
                Ok((columns.int()?, columns.text()?, columns.text()?))
            });
            let rows = rows.await?;
            let Some((last, ..)) = rows.last() else { break };
            after = *last;
            let differs = rows.iter().filter(|(_, name, key)| SearchKey::of(name).as_str() != key);
            wrong.extend(differs.map(|(id, ..)| difference("the search key of a name", *id)));
        }
        wrong.truncate(DIFFERENCES_MAX as usize);
        Ok(wrong)
    }
}

const fn difference(what: &'static str, id: i64) -> Difference {
    Difference { what, id, kept: None, found: None }
}

/// Folders from which no way leads to the top.
fn in_circles(parents: &HashMap<i64, Option<i64>>) -> Vec<Difference> {
    let mut leads_up: HashMap<i64, bool> = HashMap::new();
    for start in parents.keys() {
        let mut way = Vec::new();
        let mut at = Some(*start);
        let up = loop {
            let Some(id) = at else { break true };
            if let Some(known) = leads_up.get(&id) {
                break *known;
            }
            if way.len() > parents.len() {
                break false;
            }
            way.push(id);
            at = parents.get(&id).copied().flatten();
        };
        leads_up.extend(way.into_iter().map(|id| (id, up)));
    }
    let mut found: Vec<i64> = leads_up.into_iter().filter(|(_, up)| !up).map(|(id, _)| id).collect();
    found.sort_unstable();
    found.truncate(DIFFERENCES_MAX as usize);
    found.into_iter().map(|id| difference("a folder in a circle", id)).collect()
}

impl Database {
    /// Compares everything that is kept twice: reference counts, quotas, what folders count, who is in the trash with
    /// whom. Reads the whole database in one snapshot; the answer is empty when all is well.
    pub async fn check(&self) -> Result<Vec<Difference>, Problem> {
        self.snapshot("check", |tx| {
            Box::pin(async move {
                let mut differences = Vec::new();
                for rule in RULES {
                    let sql = format!("{} LIMIT {DIFFERENCES_MAX}", rule.sql);
                    let found = tx.list(sql, &[], |columns| {
                        let (id, kept, found) = (columns.int()?, columns.opt_int()?, columns.opt_int()?);
                        Ok(Difference { what: rule.what, id, kept, found })
                    });
                    differences.extend(found.await?);
                }
                differences.extend(tx.folders_in_circles().await?);
                differences.extend(tx.wrong_keys().await?);
                differences.extend(tx.wrongly_found().await?);
                Ok(differences)
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_lead_nowhere_are_in_circles() {
        let parents =
            [(1, None), (2, Some(1)), (3, Some(4)), (4, Some(5)), (5, Some(3)), (6, Some(4)), (7, Some(99))];
        let found: Vec<i64> = in_circles(&parents.into()).iter().map(|difference| difference.id).collect();
        assert_eq!(found, [3, 4, 5, 6]);
    }
}
