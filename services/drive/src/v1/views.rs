//! What the API shows of rows.

use drive_core::account::{Account, AccountState, Role};
use drive_core::content::serving;
use drive_core::node::{Node, NodeKind};
use drive_core::page::{Cursor, List};
use drive_core::quota::Quota;
use drive_core::session::{Door, Session};
use drive_core::{Problem, SessionId};
use drive_db::{Page, TrashRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::described::IdText;
use crate::text::time;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub(crate) struct PageView<T> {
    rows: Vec<T>,
    /// The cursor of the next page; none on the last.
    #[schema(required)]
    next: Option<String>,
}

impl<T> PageView<T> {
    pub(crate) fn of<R>(page: Page<R>, list: List, view: impl FnMut(R) -> T) -> Self {
        let next = page.next.map(|cursor| cursor.to_text(list));
        Self { rows: page.rows.into_iter().map(view).collect(), next }
    }
}

/// The place of a list that a query names.
pub(crate) fn cursor(text: Option<&str>, list: List) -> Result<Option<Cursor>, Problem> {
    text.map(|text| Cursor::parse(text, list)).transpose()
}

/// An account, as its owner and administrators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountView {
    #[schema(value_type = IdText)]
    id: String,
    user_name: String,
    nick_name: String,
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    phone: Option<String>,
    role: Role,
    state: AccountState,
    /// Its root folder.
    #[schema(value_type = IdText)]
    root: String,
    #[schema(format = DateTime)]
    created_at: String,
    usage: UsageView,
    /// Clients of the old dialect can sign in.
    old_clients: bool,
}

/// What an account stores and may store, bytes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageView {
    /// None: as much as there is room for.
    #[schema(required)]
    limit: Option<u64>,
    used: u64,
    /// Of uploads under way.
    reserved: u64,
    /// Folders and files, the root and the trash included.
    nodes: u64,
}

impl From<Quota> for UsageView {
    fn from(quota: Quota) -> Self {
        Self {
            limit: quota.limit.map(u64::from),
            used: quota.used.get(),
            reserved: quota.reserved.get(),
            nodes: quota.nodes,
        }
    }
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.to_string(),
            user_name: account.user_name.as_str().to_owned(),
            nick_name: account.nick_name.as_str().to_owned(),
            email: account.email.map(|email| email.as_str().to_owned()),
            phone: account.phone.map(|phone| phone.as_str().to_owned()),
            role: account.role,
            state: account.state,
            root: account.root.to_string(),
            created_at: time(account.created_at),
            usage: account.quota.into(),
            old_clients: account.verifiers.dialect.is_some(),
        }
    }
}

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    #[schema(value_type = IdText)]
    id: String,
    door: Door,
    #[schema(format = DateTime)]
    created_at: String,
    /// To within five minutes.
    #[schema(format = DateTime)]
    used_at: String,
    /// When it ends at the latest.
    #[schema(format = DateTime)]
    expires_at: String,
    /// The one that asks.
    present: bool,
}

impl SessionView {
    pub(crate) fn of(session: &Session, present: Option<SessionId>) -> Self {
        Self {
            id: session.id.to_string(),
            door: session.door,
            created_at: time(session.created_at),
            used_at: time(session.used_at),
            expires_at: time(session.created_at.plus(session.door.lifetime().absolute)),
            present: present == Some(session.id),
        }
    }
}

/// A folder or file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeView {
    #[schema(value_type = IdText)]
    id: String,
    kind: NodeKind,
    name: String,
    /// The folder it is in; none of the root folder and in the trash.
    #[schema(value_type = Option<IdText>, required)]
    parent: Option<String>,
    /// Bytes of a file.
    #[schema(required)]
    size: Option<u64>,
    /// Of a file, by its name.
    #[schema(required)]
    media_type: Option<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    modified_at: String,
    downloads: u64,
}

impl From<Node> for NodeView {
    fn from(node: Node) -> Self {
        Self {
            id: node.id.to_string(),
            kind: node.kind(),
            parent: node.parent.map(|parent| parent.to_string()),
            size: node.content.map(|content| content.size.get()),
            media_type: node.content.map(|_| serving(&node.name).media_type),
            name: String::from(node.name),
            created_at: time(node.created_at),
            modified_at: time(node.modified_at),
            downloads: node.downloads,
        }
    }
}

/// Something in the trash.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrashEntry)]
pub(crate) struct TrashView {
    #[schema(value_type = IdText)]
    id: String,
    node: NodeView,
    /// The folder it was in, which may be gone.
    #[schema(value_type = IdText)]
    from: String,
    #[schema(format = DateTime)]
    deleted_at: String,
    /// When it is removed for good.
    #[schema(format = DateTime)]
    purge_at: String,
}

impl From<TrashRow> for TrashView {
    fn from(row: TrashRow) -> Self {
        Self {
            id: row.entry.id.to_string(),
            node: row.node.into(),
            from: row.entry.from.to_string(),
            deleted_at: time(row.entry.deleted_at),
            purge_at: time(row.entry.purge_at),
        }
    }
}
