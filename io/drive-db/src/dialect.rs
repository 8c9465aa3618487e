//! What only the old dialect asks for. Its world is the files in the account's root folder, by name and MD5.

use drive_core::content::Md5Digest;
use drive_core::dialect::{OwnFile, instant, may_list, named_file};
use drive_core::node::{FileContent, Node, NodeName};
use drive_core::page::{Direction, RowsPage};
use drive_core::share::{Share, ShareKind, ShareToken};
use drive_core::tree::OnConflict;
use drive_core::{AccountId, DriveSecret, Missing, NodeId, Problem, UnixMillis};

use crate::cause::Cause;
use crate::contents::LinkedFile;
use crate::database::{Database, Tx};
use crate::engine::{Value, values};
use crate::error::Fault;
use crate::shares::{LISTED, LISTED_ROW, ListedShare, NewShare, SHARE, ShareRow, read_listed, read_share};
use crate::tree::{NODE, read_node};

/// Contents of one MD5 that are looked at: two are one too many.
const SAME_MD5_MAX: i64 = 8;

/// A file in the root folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFile {
    /// The node.
    pub node: Node,
    /// The alias of its content.
    pub md5: Md5Digest,
    /// Its owner shows it to everybody.
    pub listed: bool,
}

/// A picture link of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureLink {
    /// The link and its picture.
    pub row: ShareRow,
    /// The alias of the picture.
    pub md5: Md5Digest,
}

/// What the root folder's files are sorted by: the name, or how often the owner downloaded them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootOrder {
    /// By name.
    Name,
    /// By downloads.
    Downloads(Direction),
}

impl Tx<'_> {
    async fn root(&mut self, owner: AccountId) -> Result<NodeId, Fault> {
        let sql = "SELECT root_id FROM accounts WHERE id = ?";
        let root = self.get(sql, values![owner], |columns| columns.id()).await?;
        root.ok_or_else(|| Problem::NotFound(Missing::Account).into())
    }

    /// The file of a name in the root folder.
    async fn root_file(
        &mut self,
        root: NodeId,
        name: &NodeName,
    ) -> Result<Option<(NodeId, Md5Digest)>, Fault> {
        let sql = "SELECT n.id, c.md5 FROM nodes n JOIN contents c ON c.id = n.content_id \
             WHERE n.parent_id = ? AND n.name = ?";
        self.get(sql, values![root, name.as_str()], |columns| {
            Ok((columns.id()?, Md5Digest(columns.array()?)))
        })
        .await
    }
}

/// The statement that finds the oldest link, of one owner or of any, that leads everybody to a file of this MD5 and name.
pub(crate) fn listed_link_text(only_of: bool) -> String {
    let owner = if only_of { "AND s.owner_id = ?" } else { "" };
    format!(
        "SELECT {SHARE} FROM shares s JOIN nodes n ON n.id = s.node_id JOIN accounts a ON a.id = s.owner_id \
         WHERE s.md5 = ? AND n.name = ? AND {LISTED} {owner} ORDER BY s.id LIMIT 1"
    )
}

/// The statement that lists the root folder's files.
pub(crate) fn root_files_text(order: RootOrder) -> String {
    let order = match order {
        RootOrder::Name => "n.name_key, n.id",
        RootOrder::Downloads(Direction::Up) => "n.downloads, n.id",
        RootOrder::Downloads(Direction::Down) => "n.downloads DESC, n.id DESC",
    };
    format!(
        "SELECT {NODE}, c.md5, EXISTS (SELECT 1 FROM shares s WHERE s.node_id = n.id AND s.public = 1 \
         AND (s.expires_at IS NULL OR s.expires_at > ?)) \
         FROM nodes n JOIN contents c ON c.id = n.content_id \
         WHERE n.parent_id = ? AND n.kind = 1 ORDER BY {order} LIMIT ? OFFSET ?"
    )
}

impl Database {
    /// How many files are in the root folder.
    pub async fn count_root_files(&self, owner: AccountId) -> Result<u64, Problem> {
        self.read("count root files", |tx| {
            Box::pin(async move {
                let sql = "SELECT n.files FROM accounts a JOIN nodes n ON n.id = a.root_id WHERE a.id = ?";
                let files = tx.get(sql, values![owner], |columns| columns.count()).await?;
                files.ok_or_else(|| Problem::NotFound(Missing::Account).into())
            })
        })
        .await
    }

    /// Files of the root folder, `root`, by the rows. The folder is the caller's own, from its session.
    pub async fn root_files(
        &self,
        root: NodeId,
        order: RootOrder,
        page: RowsPage,
        now: UnixMillis,
    ) -> Result<Vec<RootFile>, Problem> {
        self.read("root files", |tx| {
            Box::pin(async move {
                tx.list(root_files_text(order), values![now, root, page.count, page.start], |columns| {
                    let node = read_node(columns)?;
                    Ok(RootFile { node, md5: Md5Digest(columns.array()?), listed: columns.yes()? })
                })
                .await
            })
        })
        .await
    }

    /// The file of a name in somebody's root folder, and its alias: for [`named_file`] and
    /// [`drive_core::dialect::may_save`].
    pub async fn root_file(
        &self,
        owner: AccountId,
        name: &NodeName,
    ) -> Result<Option<(NodeId, Md5Digest)>, Problem> {
        self.read("root file", |tx| {
            Box::pin(async move {
                let root = tx.root(owner).await?;
                tx.root_file(root, name).await
            })
        })
        .await
    }

    /// `md5`: makes a file in the root folder of a content that the user has under another name (W-06).
    ///
    /// # Errors
    /// [`Problem::AlreadyOwned`], [`Problem::ContentUnknown`].
    pub async fn instant_by_md5(
        &self,
        owner: AccountId,
        md5: &Md5Digest,
        name: &NodeName,
        cause: &Cause,
    ) -> Result<Node, Problem> {
        self.write("instant by md5", |tx| {
            Box::pin(async move {
                let mut owner = tx.lock_owner(owner).await?;
                let sql = "SELECT c.id, c.size FROM contents c WHERE c.md5 = ? \
                     AND EXISTS (SELECT 1 FROM nodes n WHERE n.content_id = c.id AND n.owner_id = ?) LIMIT ?";
                let mut own = tx
                    .list(sql, values![md5, owner.id, SAME_MD5_MAX], |columns| {
                        let content = FileContent { id: columns.id()?, size: columns.size()? };
                        Ok(OwnFile { name_in_root: None, content, md5: *md5 })
                    })
                    .await?;
                if let Some((_, its)) = tx.root_file(owner.root, name).await?
                    && its == *md5
                    && let Some(content) = own.first().map(|file| file.content)
                {
                    own.push(OwnFile { name_in_root: Some(name.clone()), content, md5: its });
                }
                let content = instant(&own, *md5, name)?;
                let file = LinkedFile {
                    owner: owner.id,
                    parent: owner.root,
                    name: name.clone(),
                    on_conflict: OnConflict::KeepBoth,
                    content,
                };
                tx.link_content(&mut owner, &file, cause).await
            })
        })
        .await
    }

    /// `dealfile?cmd=share`: shows a file of the root folder to everybody. `new.node` is what [`named_file`] gave.
    ///
    /// # Errors
    /// [`Problem::AlreadyShared`].
    pub async fn list_file(
        &self,
        new: &NewShare,
        secret: &DriveSecret,
        cause: &Cause,
    ) -> Result<Share, Problem> {
        self.write("list file", |tx| {
            Box::pin(async move {
                tx.lock_owner(new.owner).await?;
                let sql = format!("SELECT {SHARE} FROM shares s WHERE s.node_id = ? AND s.public = 1");
                let links = tx.list(sql, values![new.node], read_share).await?;
                may_list(&links, cause.at)?;
                tx.make_share(new, secret, cause).await
            })
        })
        .await
    }

    /// `dealsharefile`: which link MD5 and name mean, of those that everybody sees. To `cancel`, the caller's own; to
    /// `save` and to count a download, that of any owner, the oldest: the content is the same.
    pub async fn listed_link(
        &self,
        md5: &Md5Digest,
        name: &NodeName,
        only_of: Option<AccountId>,
        now: UnixMillis,
    ) -> Result<Share, Problem> {
        self.read("listed link", |tx| {
            Box::pin(async move {
                let mut values = values![md5, name.as_str(), now].to_vec();
                values.extend(only_of.map(Value::from));
                let found = tx.get(listed_link_text(only_of.is_some()), &values, read_share).await?;
                found.ok_or_else(|| Problem::NotFound(Missing::Share).into())
            })
        })
        .await
    }

    /// The file that MD5 and name mean, of somebody's own ([`named_file`]).
    pub async fn named_file(
        &self,
        owner: AccountId,
        md5: &Md5Digest,
        name: &NodeName,
    ) -> Result<NodeId, Problem> {
        named_file(self.root_file(owner, name).await?, *md5)
    }

    /// Files that everybody sees, the newest first, by the rows.
    pub async fn shared_files(&self, page: RowsPage, now: UnixMillis) -> Result<Vec<ListedShare>, Problem> {
        self.read("shared files", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {LISTED_ROW} WHERE {LISTED} AND n.kind = 1 \
                     ORDER BY s.created_at DESC, s.id DESC LIMIT ? OFFSET ?"
                );
                tx.list(sql, values![now, page.count, page.start], read_listed).await
            })
        })
        .await
    }

    /// Picture links of one's own that were not taken back and whose picture is there, the newest first, by the rows;
    /// and how many there are.
    pub async fn pictures(
        &self,
        owner: AccountId,
        page: RowsPage,
    ) -> Result<(Vec<PictureLink>, u64), Problem> {
        self.read("pictures", |tx| {
            Box::pin(async move {
                let kind = ShareKind::Picture.to_db();
                let tables = "FROM shares s JOIN nodes n ON n.id = s.node_id AND n.trash_id IS NULL \
                     JOIN contents c ON c.id = n.content_id WHERE s.owner_id = ? AND s.kind = ? AND s.revoked = 0";
                let sql = format!(
                    "SELECT {SHARE}, {NODE}, c.md5 {tables} ORDER BY s.created_at DESC, s.id DESC LIMIT ? OFFSET ?"
                );
                let rows = tx.list(sql, values![owner, kind, page.count, page.start], |columns| {
                    let row = ShareRow { share: read_share(columns)?, node: read_node(columns)? };
                    Ok(PictureLink { row, md5: Md5Digest(columns.array()?) })
                });
                let rows = rows.await?;
                let total = tx.number(format!("SELECT COUNT(*) {tables}"), values![owner, kind]).await?;
                Ok((rows, u64::try_from(total).unwrap_or(0)))
            })
        })
        .await
    }

    /// `dealsharefile?cmd=cancel`, `sharepic?cmd=cancel`: takes back a link of one's own by its token.
    pub async fn revoke_by_token(
        &self,
        owner: AccountId,
        token: &ShareToken,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("revoke by token", |tx| {
            Box::pin(async move {
                let sql =
                    format!("SELECT {SHARE} FROM shares s WHERE s.token = ? AND s.owner_id = ? FOR UPDATE");
                let found = tx.get(sql, values![token.as_str(), owner], read_share).await?;
                let share = found.ok_or(Problem::NotFound(Missing::Share))?;
                tx.end_share(share, cause).await
            })
        })
        .await
    }
}
