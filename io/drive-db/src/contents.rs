//! Contents: stored once, counted, collected.

use std::sync::atomic::{AtomicBool, Ordering};

use drive_core::content::{
    COLLECT_GRACE, Content, ContentIdentity, Md5Digest, Sha256Digest, Stored, delete_blob_at, may_collect,
    store,
};
use drive_core::node::{FileContent, Node, NodeName};
use drive_core::ports::BlobKey;
use drive_core::tree::OnConflict;
use drive_core::{AccountId, ContentId, NodeId, Problem, UnixMillis};

use crate::accounts::Owner;
use crate::cause::{Cause, Made};
use crate::database::{Database, Tx};
use crate::engine::{Columns, Value, marks, padded, parts, rows_of, values};
use crate::error::Fault;
use crate::tree::{NewChild, Place};

/// The columns of a content, as `c`.
pub(crate) const CONTENT: &str = "c.id, c.sha256, c.size, c.md5, c.blob_key, c.refs, c.unused_since";

pub(crate) fn read_content(columns: &mut Columns<'_>) -> Result<Content, Fault> {
    Ok(Content {
        id: columns.id()?,
        identity: ContentIdentity { sha256: Sha256Digest(columns.array()?), size: columns.size()? },
        md5: Md5Digest(columns.array()?),
        blob: columns.parsed(BlobKey::new)?,
        references: columns.count()?,
        unused_since: columns.opt_at()?,
    })
}

/// The statement that finds a content by its identity.
pub(crate) fn by_identity_text() -> String {
    format!("SELECT {CONTENT} FROM contents c WHERE c.sha256 = ? AND c.size = ?")
}

/// The statement that finds contents that have been unused for long.
pub(crate) fn unused_text() -> String {
    format!(
        "SELECT {CONTENT} FROM contents c WHERE c.unused_since <= ? ORDER BY c.unused_since, c.id LIMIT ? FOR UPDATE"
    )
}

/// Bytes that are in the blob store, to become a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Whose.
    pub owner: AccountId,
    /// In which folder.
    pub parent: NodeId,
    /// Under which name.
    pub name: NodeName,
    /// If that is taken.
    pub on_conflict: OnConflict,
    /// What the bytes are.
    pub identity: ContentIdentity,
    /// Their alias.
    pub md5: Md5Digest,
    /// Where they are.
    pub blob: BlobKey,
}

/// A content that is there, to become a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedFile {
    /// Whose.
    pub owner: AccountId,
    /// In which folder.
    pub parent: NodeId,
    /// Under which name.
    pub name: NodeName,
    /// If that is taken.
    pub on_conflict: OnConflict,
    /// The content: one's own, or proved to be had.
    pub content: FileContent,
}

/// A blob that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedBlob {
    /// Names the line.
    pub id: i64,
    /// The blob.
    pub blob: BlobKey,
}

impl Tx<'_> {
    /// The content of an identity, locked: it stays to the end of the step.
    pub(crate) async fn lock_content(
        &mut self,
        identity: &ContentIdentity,
    ) -> Result<Option<Content>, Fault> {
        let sql = format!("SELECT {CONTENT} FROM contents c WHERE c.sha256 = ? AND c.size = ? FOR UPDATE");
        self.get(sql, values![&identity.sha256, identity.size], read_content).await
    }

    /// Makes a content of bytes that were stored, with one reference, or counts one more of the content that they are.
    /// Two that find none at once both insert; the unique index lets one through, and the other begins anew (W-22).
    pub(crate) async fn store_content(
        &mut self,
        identity: &ContentIdentity,
        md5: &Md5Digest,
        blob: &BlobKey,
        now: UnixMillis,
    ) -> Result<FileContent, Fault> {
        let existing = self.lock_content(identity).await?;
        let id = match store(existing.as_ref(), blob) {
            Stored::New => {
                let id: ContentId = self.id()?;
                let sql = "INSERT INTO contents (id, sha256, size, md5, blob_key, refs, unused_since) \
                     VALUES (?, ?, ?, ?, ?, 1, NULL)";
                self.change(sql, values![id, &identity.sha256, identity.size, md5, blob]).await?;
                id
            }
            Stored::There { content, drop } => {
                if !self.refer(content).await? {
                    return Err(Fault::Again("a content went meanwhile".to_owned()));
                }
                if let Some(blob) = drop {
                    self.drop_blobs(&[blob], now).await?;
                }
                content
            }
        };
        Ok(FileContent { id, size: identity.size })
    }

    async fn make_stored(&mut self, file: &StoredFile, cause: &Cause) -> Result<Node, Fault> {
        let mut owner = self.lock_owner(file.owner).await?;
        let folder = self.place(owner.id, file.parent).await?;
        let content = self.store_content(&file.identity, &file.md5, &file.blob, cause.at).await?;
        let new = NewChild {
            name: &file.name,
            on_conflict: file.on_conflict,
            content: Some(content),
            past_limit: false,
        };
        let node = self.make_node(&mut owner, &folder, new, cause).await?;
        self.answer(cause, Made::Node(node.id)).await?;
        Ok(node)
    }

    /// Counts one reference more to a content; whether that is there. Most that get one have some: the index of those
    /// without is not written then.
    async fn refer(&mut self, content: ContentId) -> Result<bool, Fault> {
        let used = "UPDATE contents SET refs = refs + 1 WHERE id = ? AND unused_since IS NULL";
        if self.run(used, values![content]).await? == 1 {
            return Ok(true);
        }
        let unused = "UPDATE contents SET refs = refs + 1, unused_since = NULL WHERE id = ?";
        Ok(self.run(unused, values![content]).await? == 1)
    }

    /// Writes blobs down as dropped.
    pub(crate) async fn drop_blobs(&mut self, blobs: &[BlobKey], now: UnixMillis) -> Result<(), Fault> {
        let at = delete_blob_at(now);
        for part in parts(blobs) {
            let first = self.ids(part.len())?;
            let values: Vec<Value<'_>> =
                (first..).zip(part).flat_map(|(id, blob)| values![id, blob, at]).collect();
            let rows = rows_of(3, part.len());
            self.run(format!("INSERT INTO dropped_blobs (id, blob_key, delete_at) VALUES {rows}"), &values)
                .await?;
        }
        Ok(())
    }

    /// Makes a file of a content that is there, for an account that is locked.
    pub(crate) async fn link_content(
        &mut self,
        owner: &mut Owner,
        file: &LinkedFile,
        cause: &Cause,
    ) -> Result<Node, Fault> {
        let folder: Place = self.place(owner.id, file.parent).await?;
        if !self.refer(file.content.id).await? {
            return Err(Problem::ContentUnknown.into());
        }
        let new = NewChild {
            name: &file.name,
            on_conflict: file.on_conflict,
            content: Some(file.content),
            past_limit: false,
        };
        self.make_node(owner, &folder, new, cause).await
    }
}

impl Database {
    /// The content of an identity, whoever has it. Nobody may be told of it who has not proved to have it
    /// ([`drive_core::content::possession`]).
    pub async fn content_by_identity(&self, identity: &ContentIdentity) -> Result<Option<Content>, Problem> {
        self.read("content by identity", |tx| {
            Box::pin(async move {
                tx.get(by_identity_text(), values![&identity.sha256, identity.size], read_content).await
            })
        })
        .await
    }

    /// A content, by what a node refers to it: while somebody downloads what was deleted meanwhile, too.
    pub async fn content(&self, content: ContentId) -> Result<Option<Content>, Problem> {
        self.read("content", |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {CONTENT} FROM contents c WHERE c.id = ?");
                tx.get(sql, values![content], read_content).await
            })
        })
        .await
    }

    /// The content of an identity if one of somebody's own nodes, in the trash too, refers to it.
    pub async fn own_content(
        &self,
        owner: AccountId,
        identity: &ContentIdentity,
    ) -> Result<Option<Content>, Problem> {
        self.read("own content", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {CONTENT} FROM contents c WHERE c.sha256 = ? AND c.size = ? \
                     AND EXISTS (SELECT 1 FROM nodes n WHERE n.content_id = c.id AND n.owner_id = ?)"
                );
                tx.get(sql, values![&identity.sha256, identity.size, owner], read_content).await
            })
        })
        .await
    }

    /// Makes a file of bytes that are in the blob store, in one transaction. If their content is there already, it gets
    /// one reference more, and the blob is dropped.
    ///
    /// # Errors
    /// Those of [`drive_core::tree::create`] and of the quota. The blob is then the caller's to give up
    /// ([`Database::drop_blob`]).
    pub async fn store_file(&self, file: &StoredFile, cause: &Cause) -> Result<Node, Problem> {
        self.write("store file", |tx| Box::pin(tx.make_stored(file, cause))).await
    }

    /// As [`Database::store_file`], for whoever can keep the file in another way: none when the database is away, and has
    /// surely neither made it nor refused it.
    ///
    /// # Errors
    /// Those of [`Database::store_file`]. After [`Problem::Unavailable`] the file may be there.
    pub async fn try_store_file(&self, file: &StoredFile, cause: &Cause) -> Result<Option<Node>, Problem> {
        let decided = AtomicBool::new(false);
        match self.write_or_tell("store file", &decided, |tx| Box::pin(tx.make_stored(file, cause))).await {
            Err(Problem::Unavailable(_)) if !decided.load(Ordering::Relaxed) => Ok(None),
            stored => stored.map(Some),
        }
    }

    /// Makes a file of a content that is there: instant upload.
    ///
    /// # Errors
    /// [`Problem::ContentUnknown`] when it went meanwhile.
    pub async fn link_file(&self, file: &LinkedFile, cause: &Cause) -> Result<Node, Problem> {
        self.write("link file", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(file.owner).await?;
                let node = tx.link_content(&mut owner, file, cause).await?;
                tx.answer(cause, Made::Node(node.id)).await?;
                Ok(node)
            })
        })
        .await
    }

    /// Writes a blob down as dropped, which was stored and became nothing.
    pub async fn drop_blob(&self, blob: &BlobKey, now: UnixMillis) -> Result<(), Problem> {
        self.write("drop blob", |tx| {
            Box::pin(async move { tx.drop_blobs(std::slice::from_ref(blob), now).await })
        })
        .await
    }

    /// Removes up to `limit` contents that nobody has referred to for [`COLLECT_GRACE`], and writes their blobs down as
    /// dropped, in one transaction (W-21). How many.
    pub async fn collect_contents(&self, now: UnixMillis, limit: u32) -> Result<u64, Problem> {
        self.write("collect contents", |tx| {
            Box::pin(async move {
                let before =
                    now.0.saturating_sub(i64::try_from(COLLECT_GRACE.as_millis()).unwrap_or(i64::MAX));
                let found = tx.list(unused_text(), values![before, limit], read_content).await?;
                let due: Vec<Content> = found
                    .into_iter()
                    .filter(|content| may_collect(content.references, content.unused_since, now))
                    .collect();
                let ids: Vec<ContentId> = due.iter().map(|content| content.id).collect();
                let blobs: Vec<BlobKey> = due.into_iter().map(|content| content.blob).collect();
                let mut gone = 0;
                for part in padded(&ids) {
                    let sql =
                        format!("DELETE FROM contents WHERE refs = 0 AND id IN ({})", marks(part.len()));
                    let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
                    gone += tx.run(sql, &values).await?;
                }
                if gone != ids.len() as u64 {
                    return Err(Fault::Again("a content is used again".to_owned()));
                }
                tx.drop_blobs(&blobs, now).await?;
                Ok(gone)
            })
        })
        .await
    }

    /// Dropped blobs whose time has come, the oldest first.
    pub async fn due_blobs(&self, now: UnixMillis, limit: u32) -> Result<Vec<DroppedBlob>, Problem> {
        self.read("due blobs", |tx| {
            Box::pin(async move {
                let sql = "SELECT id, blob_key FROM dropped_blobs WHERE delete_at <= ? ORDER BY delete_at, id LIMIT ?";
                tx.list(sql, values![now, limit], |columns| {
                    Ok(DroppedBlob { id: columns.int()?, blob: columns.parsed(BlobKey::new)? })
                })
                .await
            })
        })
        .await
    }

    /// Dropped blobs that the store could not delete are due again at `until`: meanwhile others have their turn.
    pub async fn put_off_blobs(&self, dropped: &[DroppedBlob], until: UnixMillis) -> Result<(), Problem> {
        self.write("put off blobs", |tx| {
            Box::pin(async move {
                let ids: Vec<i64> = dropped.iter().map(|dropped| dropped.id).collect();
                for part in padded(&ids) {
                    let sql =
                        format!("UPDATE dropped_blobs SET delete_at = ? WHERE id IN ({})", marks(part.len()));
                    let mut values = vec![Value::from(until)];
                    values.extend(part.into_iter().map(Value::from));
                    tx.run(sql, &values).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Forgets dropped blobs that the store has deleted.
    pub async fn forget_blobs(&self, dropped: &[DroppedBlob]) -> Result<(), Problem> {
        self.write("forget blobs", |tx| {
            Box::pin(async move {
                let ids: Vec<i64> = dropped.iter().map(|dropped| dropped.id).collect();
                for part in padded(&ids) {
                    let sql = format!("DELETE FROM dropped_blobs WHERE id IN ({})", marks(part.len()));
                    let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
                    tx.run(sql, &values).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
