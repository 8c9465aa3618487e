//! Links: made, changed, ended, looked up for the gate, counted, listed.

use drive_core::account::{AccountState, UserName};
use drive_core::audit::AuditEvent;
use drive_core::content::Md5Digest;
use drive_core::node::{Node, NodeKind, NodeName};
use drive_core::page::{Cursor, Direction, ShareOrder};
use drive_core::ports::BOARD_ENTRIES_MAX;
use drive_core::queue::EntryKey;
use drive_core::ranking::RankEntry;
use drive_core::share::{
    Behind, Pass, Seen, Share, ShareCode, ShareKind, ShareToken, VisitorMark, WantedCode,
    check_downloads_limit, count_download, may_share,
};
use drive_core::tree::{OnConflict, copy};
use drive_core::{AccountId, DriveSecret, Missing, NodeId, Problem, ShareId, UnixMillis};

use crate::cause::{Cause, Made};
use crate::database::{Database, Tx};
use crate::engine::{Columns, Value, marks, padded, values};
use crate::error::Fault;
use crate::page::{Page, by_number, number_cursor};
use crate::tree::{NODE, Place, read_node};

/// The columns of a link, as `s`.
pub(crate) const SHARE: &str = "s.id, s.kind, s.owner_id, s.node_id, s.token, s.code, s.code_digest, s.version, \
     s.expires_at, s.downloads_left, s.listed, s.revoked, s.views, s.downloads, s.created_at";

pub(crate) fn read_share(columns: &mut Columns<'_>) -> Result<Share, Fault> {
    let (id, kind) = (columns.id()?, columns.made(ShareKind::from_db)?);
    let (owner, node) = (columns.id()?, columns.id()?);
    let token = columns.parsed(ShareToken::parse)?;
    let code = match (columns.int()?, columns.opt_array()?) {
        (0, None) => ShareCode::None,
        (1, None) => ShareCode::Generated,
        (2, Some(digest)) => ShareCode::Chosen(digest),
        _ => return Err(Problem::Contradiction("a link with a code of no kind").into()),
    };
    Ok(Share {
        id,
        kind,
        owner,
        node,
        token,
        code,
        version: columns.small()?,
        expires_at: columns.opt_at()?,
        downloads_left: columns.opt_int()?.map(|left| u32::try_from(left).unwrap_or(0)),
        listed: columns.yes()?,
        revoked: columns.yes()?,
        views: columns.count()?,
        downloads: columns.count()?,
        created_at: columns.at()?,
    })
}

/// As the database holds a code.
const fn code_to_db(code: &ShareCode) -> (i16, Option<&[u8; 32]>) {
    match code {
        ShareCode::None => (0, None),
        ShareCode::Generated => (1, None),
        ShareCode::Chosen(digest) => (2, Some(digest)),
    }
}

/// Is it in public lists as long as it has not ended?
fn is_public(share: &Share) -> bool {
    share.is_listed(UnixMillis(i64::MIN))
}

/// What makes a link show in lists: it is public, has not ended, its node is there, its owner active.
pub(crate) const LISTED: &str = "s.public = 1 AND (s.expires_at IS NULL OR s.expires_at > ?) \
     AND n.trash_id IS NULL AND a.state = 0";

/// A link to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShare {
    /// Whose.
    pub owner: AccountId,
    /// What it leads to.
    pub node: NodeId,
    /// What it is for.
    pub kind: ShareKind,
    /// What is in its URL.
    pub token: ShareToken,
    /// Which code it is to have.
    pub code: WantedCode,
    /// When it ends ([`drive_core::share::SharePolicy::expiry`]).
    pub expires_at: Option<UnixMillis>,
    /// How many downloads it allows.
    pub downloads_left: Option<u32>,
    /// For everybody to see.
    pub listed: bool,
}

/// What is to be changed about a link; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShareChange {
    /// Another code. Visitors have to show it again.
    pub code: Option<WantedCode>,
    /// Another end, or none.
    pub expires_at: Option<Option<UnixMillis>>,
    /// Another number of downloads that are left, or any number.
    pub downloads_left: Option<Option<u32>>,
    /// For everybody to see, or not any more.
    pub listed: Option<bool>,
    /// Visitors have to show the code again; a generated one is another from now on.
    pub renew: bool,
}

/// A link, and what the gate has to know ([`drive_core::share::admit`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareView {
    /// The link.
    pub share: Share,
    /// Whose it is.
    pub owner_name: UserName,
    /// What it leads to.
    pub top: Node,
    /// What was asked for: `top`, or a node below it. None when there is no such node, or it is not below.
    pub asked: Option<Node>,
    /// For the gate.
    pub behind: Behind,
}

/// Which of one's own links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShareFilter {
    /// Of this kind; none: of any.
    pub kind: Option<ShareKind>,
    /// To this node; none: to any.
    pub node: Option<NodeId>,
}

/// A link of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRow {
    /// The link.
    pub share: Share,
    /// What it leads to, in the trash or not.
    pub node: Node,
}

/// A link that everybody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedShare {
    /// The link.
    pub share: Share,
    /// Whose it is.
    pub owner_name: UserName,
    /// What it leads to.
    pub node: Node,
    /// The alias of its content; none of a folder.
    pub md5: Option<Md5Digest>,
}

/// How many links everybody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListedCount {
    /// To files.
    pub files: u64,
    /// To folders.
    pub folders: u64,
    /// How many were read for it: those that nobody sees because of where they lead to, or of whose they are, too.
    pub read: u64,
}

impl ListedCount {
    /// To either.
    pub const fn all(self) -> u64 {
        self.files + self.folders
    }
}

/// What is to be saved of what a link leads to, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveShared {
    /// Who saves.
    pub saver: AccountId,
    /// The link.
    pub token: ShareToken,
    /// What of it; none: all.
    pub node: Option<NodeId>,
    /// Into which folder of the saver's.
    pub folder: NodeId,
    /// Under which name; none: its own.
    pub name: Option<NodeName>,
    /// If that is taken.
    pub on_conflict: OnConflict,
    /// Who the saver is to the link.
    pub visitor: VisitorMark,
}

/// The gate, asked in the transaction: [`drive_core::share::admit`] with what the visitor shows.
pub type Gate<'g> = &'g (dyn Fn(&Share, &Behind, Seen) -> Result<Pass, Problem> + Sync);

const HOUR_MS: i64 = 3_600_000;

impl Tx<'_> {
    async fn own_share(&mut self, owner: AccountId, share: ShareId) -> Result<Share, Fault> {
        let sql = format!("SELECT {SHARE} FROM shares s WHERE s.id = ? AND s.owner_id = ? FOR UPDATE");
        let found = self.get(sql, values![share, owner], read_share).await?;
        found.ok_or_else(|| Problem::NotFound(Missing::Share).into())
    }

    pub(crate) async fn make_share(
        &mut self,
        new: &NewShare,
        secret: &DriveSecret,
        cause: &Cause,
    ) -> Result<Share, Fault> {
        self.lock_owner(new.owner).await?;
        let node = self.node(new.owner, new.node).await?;
        let sql = "SELECT COUNT(*) FROM shares WHERE owner_id = ?";
        let existing = self.number(sql, values![new.owner]).await?;
        may_share(new.kind, &node, usize::try_from(existing).unwrap_or(usize::MAX))?;
        check_downloads_limit(new.downloads_left)?;
        let id: ShareId = self.id()?;
        let share = Share {
            id,
            kind: new.kind,
            owner: new.owner,
            node: new.node,
            token: new.token.clone(),
            code: new.code.keep(secret, id)?,
            version: 1,
            expires_at: new.expires_at,
            downloads_left: new.downloads_left,
            listed: new.listed,
            revoked: false,
            views: 0,
            downloads: 0,
            created_at: cause.at,
        };
        let (code, digest) = code_to_db(&share.code);
        let md5 = match node.content {
            Some(content) => {
                let sql = "SELECT md5 FROM contents WHERE id = ?";
                self.get(sql, values![content.id], |columns| Ok(Md5Digest(columns.array()?))).await?
            }
            None => None,
        };
        let sql = "INSERT INTO shares (id, kind, owner_id, node_id, token, code, code_digest, version, expires_at, \
             downloads_left, listed, revoked, views, downloads, created_at, public, md5) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?)";
        let values = values![
            share.id,
            share.kind.to_db(),
            share.owner,
            share.node,
            share.token.as_str(),
            code,
            digest,
            share.version,
            share.expires_at,
            share.downloads_left,
            share.listed,
            share.created_at,
            is_public(&share),
            md5.as_ref(),
        ];
        self.change(sql, &values).await?;
        self.audit(cause, AuditEvent::ShareMade { share: share.id }).await?;
        self.answer(cause, Made::Share(share.id)).await?;
        Ok(share)
    }

    async fn write_share(&mut self, share: &Share) -> Result<(), Fault> {
        let (code, digest) = code_to_db(&share.code);
        let sql = "UPDATE shares SET code = ?, code_digest = ?, version = ?, expires_at = ?, downloads_left = ?, \
             listed = ?, revoked = ?, public = ? WHERE id = ?";
        let values = values![
            code,
            digest,
            share.version,
            share.expires_at,
            share.downloads_left,
            share.listed,
            share.revoked,
            is_public(share),
            share.id,
        ];
        self.change(sql, &values).await
    }

    pub(crate) async fn end_share(&mut self, mut share: Share, cause: &Cause) -> Result<(), Fault> {
        if !share.revoked {
            share.revoked = true;
            self.write_share(&share).await?;
            self.audit(cause, AuditEvent::ShareRevoked { share: share.id }).await?;
        }
        self.answer(cause, Made::Share(share.id)).await
    }

    async fn view(
        &mut self,
        token: &ShareToken,
        asked: Option<NodeId>,
        lock: bool,
    ) -> Result<Option<ShareView>, Fault> {
        // The link first and alone, when it is locked: a lock on a join would lock its owner's account, too.
        if lock {
            let sql = "SELECT id FROM shares WHERE token = ? FOR UPDATE";
            self.rows(sql, values![token.as_str()]).await?;
        }
        let found = self.get(share_text(), values![token.as_str()], |columns| {
            Ok((
                read_share(columns)?,
                columns.parsed(|text| UserName::parse(text).ok())?,
                columns.made(AccountState::from_db)?,
                read_node(columns)?,
            ))
        });
        let Some((share, owner_name, owner, top)) = found.await? else { return Ok(None) };
        let node_there = top.trash.is_none();
        let asked = match asked {
            Some(node) if node != top.id => self.inside(&top, node).await?,
            _ => Some(top.clone()).filter(|_| node_there),
        };
        let behind = Behind { owner, node_there, inside: asked.is_some() };
        Ok(Some(ShareView { share, owner_name, top, asked, behind }))
    }

    /// A node, if it is live and below another.
    async fn inside(&mut self, top: &Node, node: NodeId) -> Result<Option<Node>, Fault> {
        let node = match self.node(top.owner, node).await {
            Err(Fault::Problem(Problem::NotFound(_))) => return Ok(None),
            node => node?,
        };
        let (None, Some(parent)) = (node.trash, node.parent) else { return Ok(None) };
        Ok(self.ancestors(parent).await?.contains(&top.id).then_some(node))
    }

    async fn seen(&mut self, share: ShareId, visitor: &VisitorMark, now: UnixMillis) -> Result<Seen, Fault> {
        let this = EntryKey::of_download(share, visitor, now);
        let before = EntryKey::of_download(share, visitor, UnixMillis(now.0.saturating_sub(HOUR_MS)));
        let sql = "SELECT entry_key FROM entry_keys WHERE entry_key IN (?, ?)";
        let found = self.list(sql, values![&this.0, &before.0], |columns| columns.array::<16>()).await?;
        Ok(if found.contains(&this.0) {
            Seen::ThisHour
        } else if found.contains(&before.0) {
            Seen::HourBefore
        } else {
            Seen::No
        })
    }

    /// Counts a download of a link that is locked.
    async fn count_shared(
        &mut self,
        share: &Share,
        visitor: &VisitorMark,
        now: UnixMillis,
    ) -> Result<bool, Fault> {
        let key = EntryKey::of_download(share.id, visitor, now);
        let sql = "SELECT entry_key FROM entry_keys WHERE entry_key = ?";
        let already = self.one(sql, values![&key.0]).await?.is_some();
        let Some(counted) = count_download(share, already)? else { return Ok(false) };
        let downloads = i64::try_from(counted.downloads).unwrap_or(i64::MAX);
        let sql = "UPDATE shares SET downloads_left = ?, downloads = ? WHERE id = ?";
        self.change(sql, values![counted.downloads_left, downloads, share.id]).await?;
        let sql = "INSERT INTO entry_keys (entry_key, applied_at, outcome) VALUES (?, ?, NULL)";
        self.change(sql, values![&key.0, now]).await?;
        Ok(true)
    }
}

/// The statement that finds a link by its token, with its owner and node.
pub(crate) fn share_text() -> String {
    format!(
        "SELECT {SHARE}, a.user_name, a.state, {NODE} FROM shares s \
         JOIN accounts a ON a.id = s.owner_id JOIN nodes n ON n.id = s.node_id WHERE s.token = ?"
    )
}

/// The statement of a list of one's own links.
pub(crate) fn own_shares_text(which: ShareFilter, order: ShareOrder, direction: Direction) -> String {
    let column = match order {
        ShareOrder::Created => "created_at",
        ShareOrder::Views => "views",
        ShareOrder::Downloads => "downloads",
    };
    let (compare, sort) = match direction {
        Direction::Up => (">", "ASC"),
        Direction::Down => ("<", "DESC"),
    };
    // A link and its node have one owner. Asked of the node, only the index of nodes is left to read by; that of owners would
    // read all of their links.
    let (owner, node) = match which.node {
        Some(_) => ("n", " AND s.node_id = ?"),
        None => ("s", ""),
    };
    let kind = if which.kind.is_some() { " AND s.kind = ?" } else { "" };
    format!(
        "SELECT {SHARE}, {NODE} FROM shares s JOIN nodes n ON n.id = s.node_id \
         WHERE {owner}.owner_id = ?{node}{kind} AND s.{column} {compare}= ? \
         AND (s.{column} {compare} ? OR s.id {compare} ?) ORDER BY s.{column} {sort}, s.id {sort} LIMIT ?"
    )
}

/// The statement of the ranking.
pub(crate) fn ranking_text() -> String {
    format!(
        "SELECT s.id, s.downloads FROM shares s JOIN nodes n ON n.id = s.node_id \
         JOIN accounts a ON a.id = s.owner_id WHERE {LISTED} ORDER BY s.downloads DESC, s.id LIMIT ?"
    )
}

impl Database {
    /// Makes a link.
    ///
    /// # Errors
    /// Those of [`may_share`], of the code, of the terms.
    pub async fn make_share(
        &self,
        new: &NewShare,
        secret: &DriveSecret,
        cause: &Cause,
    ) -> Result<Share, Problem> {
        self.write("make share", |tx| Box::pin(tx.make_share(new, secret, cause))).await
    }

    /// Changes the terms of a link of one's own.
    pub async fn change_share(
        &self,
        owner: AccountId,
        share: ShareId,
        change: &ShareChange,
        secret: &DriveSecret,
        cause: &Cause,
    ) -> Result<Share, Problem> {
        self.write("change share", |tx| {
            Box::pin(async move {
                let mut share = tx.own_share(owner, share).await?;
                if share.revoked {
                    return Err(Problem::ShareRevoked.into());
                }
                if let Some(code) = &change.code {
                    share.code = code.keep(secret, share.id)?;
                }
                if change.code.is_some() || change.renew {
                    share.version = share.version.wrapping_add(1);
                }
                if let Some(expires_at) = change.expires_at {
                    share.expires_at = expires_at;
                }
                if let Some(left) = change.downloads_left {
                    check_downloads_limit(left)?;
                    share.downloads_left = left;
                }
                share.listed = change.listed.unwrap_or(share.listed);
                tx.write_share(&share).await?;
                tx.audit(cause, AuditEvent::ShareChanged { share: share.id }).await?;
                tx.answer(cause, Made::Share(share.id)).await?;
                Ok(share)
            })
        })
        .await
    }

    /// Takes a link back: one's own, or, with no owner given, anybody's, which is for administrators.
    pub async fn revoke_share(
        &self,
        owner: Option<AccountId>,
        share: ShareId,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("revoke share", |tx| {
            Box::pin(async move {
                let share = match owner {
                    Some(owner) => tx.own_share(owner, share).await?,
                    None => {
                        let sql = format!("SELECT {SHARE} FROM shares s WHERE s.id = ? FOR UPDATE");
                        let found = tx.get(sql, values![share], read_share).await?;
                        found.ok_or(Problem::NotFound(Missing::Share))?
                    }
                };
                tx.end_share(share, cause).await
            })
        })
        .await
    }

    /// Removes a link of one's own, taken back or not: its URL leads nowhere, and it is in no list.
    pub async fn remove_share(&self, owner: AccountId, share: ShareId, cause: &Cause) -> Result<(), Problem> {
        self.write("remove share", |tx| {
            Box::pin(async move {
                let share = tx.own_share(owner, share).await?;
                tx.change("DELETE FROM shares WHERE id = ?", values![share.id]).await?;
                if !share.revoked {
                    tx.audit(cause, AuditEvent::ShareRevoked { share: share.id }).await?;
                }
                tx.answer(cause, Made::Done).await
            })
        })
        .await
    }

    /// A link of one's own.
    pub async fn share(&self, owner: AccountId, share: ShareId) -> Result<ShareRow, Problem> {
        let found = self.read("share", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {SHARE}, {NODE} FROM shares s JOIN nodes n ON n.id = s.node_id \
                     WHERE s.id = ? AND s.owner_id = ?"
                );
                tx.get(sql, values![share, owner], read_row).await
            })
        });
        found.await?.ok_or(Problem::NotFound(Missing::Share))
    }

    /// The link of a token and what it leads to, or what is asked for below that. Before anything of it is told, the
    /// gate is asked.
    pub async fn share_by_token(
        &self,
        token: &ShareToken,
        asked: Option<NodeId>,
    ) -> Result<Option<ShareView>, Problem> {
        self.read("share by token", |tx| Box::pin(tx.view(token, asked, false))).await
    }

    /// Was a download by this visitor counted already?
    pub async fn seen(
        &self,
        share: ShareId,
        visitor: &VisitorMark,
        now: UnixMillis,
    ) -> Result<Seen, Problem> {
        self.read("seen", |tx| Box::pin(tx.seen(share, visitor, now))).await
    }

    /// Counts a download, at its first byte: once per visitor and hour, never beyond the limit, however many come at
    /// once. False when it was counted before.
    ///
    /// # Errors
    /// [`Problem::ShareUsedUp`].
    pub async fn count_download(
        &self,
        share: ShareId,
        visitor: &VisitorMark,
        now: UnixMillis,
    ) -> Result<bool, Problem> {
        self.write("count download", |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {SHARE} FROM shares s WHERE s.id = ? FOR UPDATE");
                let share = tx.get(sql, values![share], read_share).await?;
                let share = share.ok_or(Problem::NotFound(Missing::Share))?;
                tx.count_shared(&share, visitor, now).await
            })
        })
        .await
    }

    /// Saves what a link leads to in somebody's drive. The gate is asked in the transaction, and the download is
    /// counted in it. The new node.
    pub async fn save_shared(
        &self,
        save: &SaveShared,
        gate: Gate<'_>,
        cause: &Cause,
    ) -> Result<Node, Problem> {
        self.write("save shared", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(save.saver).await?;
                let view = tx.view(&save.token, save.node, true).await?;
                let view = view.ok_or(Problem::NotFound(Missing::Share))?;
                let seen = tx.seen(view.share.id, &save.visitor, cause.at).await?;
                let pass = gate(&view.share, &view.behind, seen)?;
                let source = view.asked.ok_or(Problem::ShareUnavailable)?;
                let ancestors = match source.parent {
                    Some(parent) => tx.ancestors(parent).await?,
                    None => Vec::new(),
                };
                let source = Place { node: source, ancestors };
                let (below, height) = tx.nodes_below(&source.node).await?;
                let name = save.name.as_ref().unwrap_or(&source.node.name);
                let target = tx.place(owner.id, save.folder).await?;
                let kind = source.node.kind();
                let neighbours = tx.neighbours(save.folder, name, kind, save.on_conflict).await?;
                let moving = source.moving(height, 1 + below.len() as u64);
                let plan = copy(&moving, &below, &target.target(), name, &neighbours, save.on_conflict)?;
                if pass.count {
                    tx.count_shared(&view.share, &save.visitor, cause.at).await?;
                }
                let node = tx.do_copy(&mut owner, &plan, cause).await?;
                tx.audit(cause, AuditEvent::ShareSaved { share: view.share.id, node }).await?;
                tx.answer(cause, Made::Node(node)).await?;
                tx.node(owner.id, node).await
            })
        })
        .await
    }

    /// One's own links, all or some, behind a cursor of the same list.
    pub async fn list_shares(
        &self,
        owner: AccountId,
        which: ShareFilter,
        order: ShareOrder,
        direction: Direction,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<ShareRow>, Problem> {
        let after = number_cursor(after)?;
        let first = match direction {
            Direction::Up => (i64::MIN, i64::MIN),
            Direction::Down => (i64::MAX, i64::MAX),
        };
        let rows = self.read("list shares", |tx| {
            Box::pin(async move {
                let (key, id) = after.unwrap_or(first);
                let mut values = vec![Value::from(owner)];
                values.extend(which.node.map(Value::from));
                values.extend(which.kind.map(|kind| Value::from(kind.to_db())));
                values.extend(values![key, key, id, i64::from(limit) + 1]);
                tx.list(own_shares_text(which, order, direction), &values, read_row).await
            })
        });
        Ok(Page::cut(rows.await?, limit, |row| {
            let number = match order {
                ShareOrder::Created => row.share.created_at.0,
                ShareOrder::Views => i64::try_from(row.share.views).unwrap_or(i64::MAX),
                ShareOrder::Downloads => i64::try_from(row.share.downloads).unwrap_or(i64::MAX),
            };
            by_number(number, row.share.id.get())
        }))
    }

    /// What everybody shares with everybody, the newest first, behind a cursor.
    pub async fn list_listed(
        &self,
        after: Option<&Cursor>,
        limit: u32,
        now: UnixMillis,
    ) -> Result<Page<ListedShare>, Problem> {
        let after = number_cursor(after)?;
        let rows = self.read("list listed", |tx| {
            Box::pin(async move {
                let (at, id) = after.unwrap_or((i64::MAX, i64::MAX));
                let sql = format!(
                    "SELECT {LISTED_ROW} WHERE {LISTED} AND s.created_at <= ? \
                     AND (s.created_at < ? OR s.id < ?) ORDER BY s.created_at DESC, s.id DESC LIMIT ?"
                );
                let values = values![now, at, at, id, i64::from(limit) + 1];
                tx.list(sql, &values, read_listed).await
            })
        });
        let cursor = |row: &ListedShare| by_number(row.share.created_at.0, row.share.id.get());
        Ok(Page::cut(rows.await?, limit, cursor))
    }

    /// How many links everybody sees. Reads all that could be seen.
    pub async fn count_listed(&self, now: UnixMillis) -> Result<ListedCount, Problem> {
        self.read_long("count listed", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT n.kind, COUNT(*), COUNT(CASE WHEN {LISTED} THEN 1 END) FROM shares s \
                     JOIN nodes n ON n.id = s.node_id JOIN accounts a ON a.id = s.owner_id \
                     WHERE s.public = 1 GROUP BY n.kind"
                );
                let kinds = tx.list(sql, values![now], |columns| {
                    Ok((columns.made(NodeKind::from_db)?, columns.count()?, columns.count()?))
                });
                let mut count = ListedCount::default();
                for (kind, read, listed) in kinds.await? {
                    count.read += read;
                    match kind {
                        NodeKind::Folder => count.folders = listed,
                        NodeKind::File => count.files = listed,
                    }
                }
                Ok(count)
            })
        })
        .await
    }

    /// Takes links that have ended out of the lists, so that nobody who lists has to step over them. How many.
    pub async fn sweep_listed(&self, now: UnixMillis, limit: u32) -> Result<u64, Problem> {
        self.write("sweep listed", |tx| {
            Box::pin(async move {
                let sql = "SELECT id FROM shares WHERE public = 1 AND expires_at <= ? ORDER BY expires_at, id LIMIT ?";
                let mut ended = tx.list(sql, values![now, limit], |columns| columns.int()).await?;
                ended.sort_unstable();
                let mut gone = 0;
                for part in padded(&ended) {
                    let sql = format!(
                        "UPDATE shares SET public = 0 WHERE public = 1 AND expires_at <= ? AND id IN ({})",
                        marks(part.len())
                    );
                    let mut values = vec![Value::from(now)];
                    values.extend(part.into_iter().map(Value::Int));
                    gone += tx.run(sql, &values).await?;
                }
                Ok(gone)
            })
        })
        .await
    }

    /// The ranking: what everybody sees, by downloads; at most [`BOARD_ENTRIES_MAX`]. What a board is made of.
    pub async fn ranking(&self, now: UnixMillis) -> Result<Vec<RankEntry>, Problem> {
        self.read_long("ranking", |tx| {
            Box::pin(async move {
                tx.list(ranking_text(), values![now, BOARD_ENTRIES_MAX as i64], |columns| {
                    Ok(RankEntry { share: columns.id()?, score: columns.count()? })
                })
                .await
            })
        })
        .await
    }

    /// These links, those of them that everybody sees: the rows of a page of the ranking, in the order asked for.
    pub async fn listed_shares(
        &self,
        shares: &[ShareId],
        now: UnixMillis,
    ) -> Result<Vec<ListedShare>, Problem> {
        let mut rows = self
            .read("listed shares", |tx| {
                Box::pin(async move {
                    let mut rows = Vec::new();
                    for part in padded(shares) {
                        let sql =
                            format!("SELECT {LISTED_ROW} WHERE {LISTED} AND s.id IN ({})", marks(part.len()));
                        let mut values = vec![Value::from(now)];
                        values.extend(part.into_iter().map(Value::from));
                        rows.extend(tx.list(sql, &values, read_listed).await?);
                    }
                    Ok(rows)
                })
            })
            .await?;
        let place = |row: &ListedShare| shares.iter().position(|share| *share == row.share.id);
        rows.sort_by_cached_key(place);
        Ok(rows)
    }
}

/// The columns of a link that everybody sees, and the tables.
pub(crate) const LISTED_ROW: &str = "s.id, s.kind, s.owner_id, s.node_id, s.token, s.code, s.code_digest, s.version, \
     s.expires_at, s.downloads_left, s.listed, s.revoked, s.views, s.downloads, s.created_at, a.user_name, \
     n.id, n.owner_id, n.parent_id, n.kind, n.name, n.content_id, n.size, n.created_at, n.modified_at, n.downloads, \
     n.trash_id, c.md5 FROM shares s JOIN nodes n ON n.id = s.node_id JOIN accounts a ON a.id = s.owner_id \
     LEFT JOIN contents c ON c.id = n.content_id";

pub(crate) fn read_listed(columns: &mut Columns<'_>) -> Result<ListedShare, Fault> {
    Ok(ListedShare {
        share: read_share(columns)?,
        owner_name: columns.parsed(|text| UserName::parse(text).ok())?,
        node: read_node(columns)?,
        md5: columns.opt_array()?.map(Md5Digest),
    })
}

fn read_row(columns: &mut Columns<'_>) -> Result<ShareRow, Fault> {
    Ok(ShareRow { share: read_share(columns)?, node: read_node(columns)? })
}
