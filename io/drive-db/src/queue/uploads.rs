//! Upload records of a batch: what they need is loaded at once, decided one by one, and written at once.
//!
//! A record whose name is taken, in its folder or by another of the batch, waits until the others are written, and is
//! then done by itself, in the order of the batch: what conflicts come to is one code with everything else.

use std::collections::{BTreeMap, BTreeSet};

use drive_core::content::{Content, ContentIdentity, Sha256Digest, Stored, add_up, store};
use drive_core::node::{FileContent, Node, NodeKind, NodeName};
use drive_core::ports::BlobKey;
use drive_core::queue::{EntryKey, Outcome, UploadRecord};
use drive_core::quota::Usage;
use drive_core::tree::{Neighbours, NewNode, NewParent, OnConflict, Target, create, restore_to};
use drive_core::{AccountId, ContentId, Missing, NodeId, Problem, UnixMillis};

use crate::accounts::{Owner, read_quota};
use crate::cause::Cause;
use crate::contents::{CONTENT, read_content};
use crate::database::Tx;
use crate::engine::{Value, marks, padded, parts, rows_of, values};
use crate::error::Fault;
use crate::tree::{NODE, NewChild, NewRow, read_node};

/// A record, its key, and when it happened.
pub(super) type Upload<'b> = (EntryKey, UnixMillis, &'b UploadRecord);

/// Names that are looked for in one statement at most. A power of two: each has a condition of its own.
const NAMES_AT_ONCE: usize = 64;

/// What the records of a batch need to know.
struct Loaded {
    owners: BTreeMap<AccountId, Owner>,
    folders: BTreeMap<NodeId, Node>,
    ancestors: BTreeMap<NodeId, Vec<NodeId>>,
    contents: BTreeMap<ContentIdentity, Content>,
    taken: BTreeSet<(NodeId, NodeName)>,
}

/// What they come to.
#[derive(Default)]
struct Plan {
    contents: Vec<Content>,
    references: Vec<(ContentId, i64)>,
    dropped: Vec<BlobKey>,
    nodes: Vec<NewRow>,
    /// The records of `nodes`.
    keys: Vec<EntryKey>,
}

impl Tx<'_> {
    pub(super) async fn do_uploads(
        &mut self,
        uploads: &[Upload<'_>],
        outcomes: &mut BTreeMap<EntryKey, Outcome>,
        now: UnixMillis,
    ) -> Result<(), Fault> {
        let owners = self.lock_owners(uploads).await?;
        let mut loaded = self.load(uploads, owners).await?;
        let mut plan = Plan::default();
        let mut later = Vec::new();
        for upload in uploads {
            let (key, at, record) = *upload;
            match self.decide(&mut loaded, &mut plan, at, record) {
                Ok(true) => plan.keys.push(key),
                Ok(false) => later.push(*upload),
                Err(Fault::Problem(problem)) => refuse(&mut plan, outcomes, key, record, &problem)?,
                Err(fault) => return Err(fault),
            }
        }
        let owners: Vec<Owner> = loaded.owners.into_values().collect();
        self.write_plan(plan, &owners, outcomes, now).await?;
        for (key, at, record) in later {
            let outcome = match self.try_upload(record, at, now).await {
                Ok(node) => Outcome::Recorded(node),
                Err(Fault::Problem(problem)) => refusal(&problem)?,
                Err(fault) => return Err(fault),
            };
            outcomes.insert(key, outcome);
        }
        Ok(())
    }

    /// Locks the accounts, in the order of their ids, and gives back what is reserved for the records: each of them is
    /// decided now.
    async fn lock_owners(&mut self, uploads: &[Upload<'_>]) -> Result<BTreeMap<AccountId, Owner>, Fault> {
        let ids: BTreeSet<AccountId> = uploads.iter().map(|(_, _, record)| record.owner).collect();
        let mut owners = BTreeMap::new();
        for part in padded(&ids.into_iter().collect::<Vec<_>>()) {
            let sql = format!(
                "SELECT id, root_id, quota, used, reserved, nodes FROM accounts WHERE id IN ({}) \
                 ORDER BY id FOR UPDATE",
                marks(part.len())
            );
            let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
            let found = self.list(sql, &values, |columns| {
                Ok(Owner { id: columns.id()?, root: columns.id()?, quota: read_quota(columns)? })
            });
            owners.extend(found.await?.into_iter().map(|owner| (owner.id, owner)));
        }
        let keys = uploads.iter().filter(|(_, _, record)| record.reserved).map(|(key, ..)| key.0);
        for part in padded(&keys.collect::<Vec<_>>()) {
            let marks = marks(part.len());
            let values: Vec<Value<'_>> = part.iter().map(Value::from).collect();
            let sql = format!("SELECT account_id, bytes FROM reservations WHERE entry_key IN ({marks})");
            let found =
                self.list(sql, &values, |columns| Ok((columns.id::<AccountId>()?, columns.size()?))).await?;
            for (account, bytes) in &found {
                // The key of an entry is its owner's.
                let owner = owners.get_mut(account);
                let owner = owner.ok_or(Problem::Contradiction("room is reserved for another account"))?;
                owner.quota = owner.quota.release(*bytes)?;
            }
            if !found.is_empty() {
                self.run(format!("DELETE FROM reservations WHERE entry_key IN ({marks})"), &values).await?;
            }
        }
        Ok(owners)
    }

    async fn load(
        &mut self,
        uploads: &[Upload<'_>],
        owners: BTreeMap<AccountId, Owner>,
    ) -> Result<Loaded, Fault> {
        let roots = owners.values().map(|owner| owner.root);
        let wanted: BTreeSet<NodeId> =
            uploads.iter().map(|(_, _, record)| record.parent).chain(roots).collect();
        let mut folders = BTreeMap::new();
        for part in padded(&wanted.into_iter().collect::<Vec<_>>()) {
            let sql = format!("SELECT {NODE} FROM nodes n WHERE n.id IN ({})", marks(part.len()));
            let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
            folders.extend(self.list(sql, &values, read_node).await?.into_iter().map(|node| (node.id, node)));
        }
        let below: Vec<NodeId> =
            folders.values().filter_map(|folder| folder.parent.map(|_| folder.id)).collect();
        let mut loaded = Loaded {
            ancestors: self.ways_up(&below).await?,
            contents: self.lock_contents(uploads).await?,
            owners,
            folders,
            taken: BTreeSet::new(),
        };
        let names =
            uploads.iter().filter_map(|(_, _, record)| Some((loaded.folder(record)?, record.name.clone())));
        let names: BTreeSet<(NodeId, NodeName)> = names.collect();
        loaded.taken = self.taken(&names.into_iter().collect::<Vec<_>>()).await?;
        Ok(loaded)
    }

    /// The contents of these records that are there, locked in the order of their ids.
    async fn lock_contents(
        &mut self,
        uploads: &[Upload<'_>],
    ) -> Result<BTreeMap<ContentIdentity, Content>, Fault> {
        let digests: BTreeSet<Sha256Digest> =
            uploads.iter().map(|(_, _, record)| record.identity.sha256).collect();
        let mut contents = BTreeMap::new();
        for part in padded(&digests.into_iter().collect::<Vec<_>>()) {
            let sql = format!("SELECT {CONTENT} FROM contents c WHERE c.sha256 IN ({})", marks(part.len()));
            let values: Vec<Value<'_>> = part.iter().map(Value::from).collect();
            let found = self.list(sql, &values, read_content).await?;
            contents.extend(found.into_iter().map(|content| (content.identity, content)));
        }
        let ids: BTreeSet<i64> = contents.values().map(|content| content.id.get()).collect();
        if self.lock_rows("contents", &ids.iter().copied().collect::<Vec<_>>()).await? != ids.len() {
            return Err(Fault::Again("a content went meanwhile".to_owned()));
        }
        Ok(contents)
    }

    /// Those of these names that are taken.
    async fn taken(&mut self, names: &[(NodeId, NodeName)]) -> Result<BTreeSet<(NodeId, NodeName)>, Fault> {
        let mut taken = BTreeSet::new();
        for part in names.chunks(NAMES_AT_ONCE).flat_map(parts) {
            let each = vec!["(parent_id = ? AND name = ?)"; part.len()].join(" OR ");
            let sql = format!("SELECT parent_id, name FROM nodes WHERE {each}");
            let values: Vec<Value<'_>> =
                part.iter().flat_map(|(folder, name)| values![*folder, name.as_str()]).collect();
            let found = self.list(sql, &values, |columns| {
                Ok((columns.id()?, columns.parsed(|text| NodeName::new(text).ok())?))
            });
            taken.extend(found.await?);
        }
        Ok(taken)
    }

    /// Puts a record into the plan. False when its name is taken.
    fn decide(
        &mut self,
        loaded: &mut Loaded,
        plan: &mut Plan,
        at: UnixMillis,
        record: &UploadRecord,
    ) -> Result<bool, Fault> {
        let folder = loaded.folder(record).ok_or(Problem::NotFound(Missing::Account))?;
        let place = (folder, record.name.clone());
        if loaded.taken.contains(&place) {
            return Ok(false);
        }
        let node = loaded.folders.get(&folder).ok_or(Problem::Contradiction("an account without a root"))?;
        let ancestors = loaded.ancestors.get(&folder).map(Vec::as_slice).unwrap_or_default();
        let target = Target { folder: node, ancestors };
        let new = create(&target, &record.name, NodeKind::File, &Neighbours::default(), on_conflict(record))?;
        let owner = loaded.owners.get_mut(&record.owner).ok_or(Problem::NotFound(Missing::Account))?;
        let usage = Usage { bytes: record.identity.size, nodes: 1 };
        let quota =
            if record.reserved { owner.quota.grow(usage) } else { owner.quota.grow_past_limit(usage) };
        let quota = quota?;
        let content = match store(loaded.contents.get(&record.identity), &record.blob) {
            Stored::New => {
                let content = Content {
                    id: self.id()?,
                    identity: record.identity,
                    md5: record.md5,
                    blob: record.blob.clone(),
                    references: 1,
                    unused_since: None,
                };
                plan.contents.push(content.clone());
                let id = content.id;
                loaded.contents.insert(record.identity, content);
                id
            }
            Stored::There { content, drop } => {
                plan.references.push((content, 1));
                plan.dropped.extend(drop);
                content
            }
        };
        owner.quota = quota;
        loaded.taken.insert(place);
        let content = Some(FileContent { id: content, size: record.identity.size });
        let node = NewNode { parent: NewParent::There(new.parent), name: new.name, content };
        plan.nodes.push(NewRow { owner: record.owner, node, at });
        Ok(true)
    }

    async fn write_plan(
        &mut self,
        plan: Plan,
        owners: &[Owner],
        outcomes: &mut BTreeMap<EntryKey, Outcome>,
        now: UnixMillis,
    ) -> Result<(), Fault> {
        self.write_quotas(owners).await?;
        for part in parts(&plan.contents) {
            let sql = format!(
                "INSERT INTO contents (id, sha256, size, md5, blob_key, refs, unused_since) VALUES {}",
                rows_of(7, part.len())
            );
            let row = |content: &Content| content.references as i64;
            let values: Vec<Value<'_>> = part
                .iter()
                .flat_map(|content| {
                    let ContentIdentity { sha256, size } = &content.identity;
                    values![content.id, sha256, *size, &content.md5, &content.blob, row(content), None::<i64>]
                })
                .collect();
            self.run(sql, &values).await?;
        }
        self.count_references(&add_up(plan.references), now).await?;
        self.drop_blobs(&plan.dropped, now).await?;
        let nodes = self.insert_nodes(&plan.nodes).await?;
        outcomes.extend(plan.keys.into_iter().zip(nodes).map(|(key, node)| (key, Outcome::Recorded(node))));
        Ok(())
    }

    /// Does a record by itself, or undoes what it did so far and drops its blob.
    async fn try_upload(
        &mut self,
        record: &UploadRecord,
        at: UnixMillis,
        now: UnixMillis,
    ) -> Result<NodeId, Fault> {
        self.savepoint("SAVEPOINT record").await?;
        match self.do_upload(record, at).await {
            Ok(node) => {
                self.savepoint("RELEASE SAVEPOINT record").await?;
                Ok(node)
            }
            Err(Fault::Problem(problem)) => {
                self.savepoint("ROLLBACK TO SAVEPOINT record").await?;
                self.savepoint("RELEASE SAVEPOINT record").await?;
                self.drop_blobs(std::slice::from_ref(&record.blob), now).await?;
                Err(problem.into())
            }
            Err(fault) => Err(fault),
        }
    }

    async fn do_upload(&mut self, record: &UploadRecord, at: UnixMillis) -> Result<NodeId, Fault> {
        let mut owner = self.lock_owner(record.owner).await?;
        let sql = format!("SELECT {NODE} FROM nodes n WHERE n.id = ?");
        let former = self.get(sql, values![record.parent], read_node).await?;
        let folder = restore_to(former.as_ref(), owner.id, owner.root).folder();
        let folder = self.place(owner.id, folder).await?;
        let content = self.store_content(&record.identity, &record.md5, &record.blob, at).await?;
        let child = NewChild {
            name: &record.name,
            content: Some(content),
            on_conflict: on_conflict(record),
            past_limit: !record.reserved,
        };
        Ok(self.make_node(&mut owner, &folder, child, &Cause::account(record.owner, None, at)).await?.id)
    }
}

impl Loaded {
    /// The folder that a record goes to; none when there is no such account.
    fn folder(&self, record: &UploadRecord) -> Option<NodeId> {
        let owner = self.owners.get(&record.owner)?;
        Some(restore_to(self.folders.get(&record.parent), owner.id, owner.root).folder())
    }
}

/// What was accepted while nobody could look is kept beside what has its name.
const fn on_conflict(record: &UploadRecord) -> OnConflict {
    if record.reserved { record.on_conflict } else { OnConflict::KeepBoth }
}

fn refuse(
    plan: &mut Plan,
    outcomes: &mut BTreeMap<EntryKey, Outcome>,
    key: EntryKey,
    record: &UploadRecord,
    problem: &Problem,
) -> Result<(), Fault> {
    outcomes.insert(key, refusal(problem)?);
    plan.dropped.push(record.blob.clone());
    Ok(())
}

/// A refusal by a rule is an outcome; a contradiction is a failure of the whole batch.
fn refusal(problem: &Problem) -> Result<Outcome, Fault> {
    match problem {
        Problem::Contradiction(_) => Err(problem.clone().into()),
        problem => Ok(Outcome::Refused(problem.code().to_owned())),
    }
}
