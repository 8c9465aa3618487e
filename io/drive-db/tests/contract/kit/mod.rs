//! A database for one test, and the things that most tests need in it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use drive_core::account::{NickName, PasswordHash, Registration, Role, UserName, Verifiers};
use drive_core::content::{ContentIdentity, Md5Digest, Sha256Digest};
use drive_core::node::{Node, NodeName};
use drive_core::ports::BlobKey;
use drive_core::queue::EntryKey;
use drive_core::share::{ShareKind, ShareToken, VisitorMark, WantedCode};
use drive_core::tree::OnConflict;
use drive_core::{AccountId, ByteCount, DriveSecret, NodeId, UnixMillis};
use drive_db::{Cause, Database, NewShare, Settings, StoredFile};
use tempfile::TempDir;
use testkit::mariadb::MariaDb;

/// The present in most tests.
pub(crate) const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// An hour and a day, in milliseconds.
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Where the database of a test is.
pub(crate) enum Ground {
    Sqlite(TempDir),
    MariaDb(Arc<MariaDb>, String),
}

/// A database of a test's own.
pub(crate) struct Bed {
    pub(crate) db: Arc<Database>,
    pub(crate) settings: Settings,
    pub(crate) ground: Ground,
    turn: AtomicI64,
}

impl Deref for Bed {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.db
    }
}

impl Bed {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::sqlite(folder.path().join("drive.db"));
        Self::open(settings, Ground::Sqlite(folder)).await
    }

    pub(crate) async fn mariadb() -> Self {
        let server = tokio::task::spawn_blocking(MariaDb::shared).await.unwrap().unwrap();
        let database = server.database().unwrap();
        let settings = Settings::mysql([server.url(&database)]);
        Self::open(settings, Ground::MariaDb(server, database)).await
    }

    async fn open(settings: Settings, ground: Ground) -> Self {
        let db = Arc::new(Database::open(settings.clone()).await.unwrap());
        Self { db, settings, ground, turn: AtomicI64::new(1) }
    }

    /// An empty database beside this one, of the same engine.
    pub(crate) async fn another(&self) -> Database {
        let settings = match &self.ground {
            Ground::Sqlite(folder) => Settings::sqlite(folder.path().join("another.db")),
            Ground::MariaDb(server, _) => Settings::mysql([server.url(&server.database().unwrap())]),
        };
        Database::open(settings).await.unwrap()
    }

    /// Another number each time.
    pub(crate) fn turn(&self) -> i64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs statements beside the repositories: what somebody does who changes the database by hand.
    pub(crate) async fn by_hand(&self, sql: &str) {
        use sqlx::{AssertSqlSafe, Connection, Executor};
        match &self.ground {
            Ground::Sqlite(folder) => {
                let url = format!("sqlite://{}", folder.path().join("drive.db").display());
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                connection.execute("PRAGMA foreign_keys = OFF").await.unwrap();
                connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
                connection.close().await.unwrap();
            }
            Ground::MariaDb(server, database) => {
                server.sql(&format!("USE {database}; SET foreign_key_checks = 0; {sql}")).unwrap();
            }
        }
    }

    /// How many folders and files are counted in a folder: `folders|files`.
    pub(crate) async fn inside(&self, folder: NodeId) -> String {
        self.look(&format!("SELECT folders, files FROM nodes WHERE id = {}", folder.get())).await.concat()
    }

    /// The rows of a query, as text: columns between bars.
    pub(crate) async fn look(&self, sql: &str) -> Vec<String> {
        use sqlx::{AssertSqlSafe, Connection, Executor, Row};
        match &self.ground {
            Ground::Sqlite(folder) => {
                let url = format!("sqlite://{}", folder.path().join("drive.db").display());
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                let rows = connection.fetch_all(AssertSqlSafe(sql.to_owned())).await.unwrap();
                let text = |row: &sqlx::sqlite::SqliteRow| {
                    let column = |at: usize| match row.try_get_unchecked::<Option<String>, _>(at) {
                        Ok(Some(text)) => text,
                        _ => "NULL".to_owned(),
                    };
                    (0..row.len()).map(column).collect::<Vec<_>>().join("|")
                };
                rows.iter().map(text).collect()
            }
            Ground::MariaDb(server, database) => {
                let out = server.sql(&format!("USE {database}; {sql}")).unwrap();
                out.lines().map(|line| line.replace('\t', "|")).collect()
            }
        }
    }

    /// A new account.
    pub(crate) async fn account(&self, name: &str) -> Person {
        let id = self.register(&registration(name), &system()).await.unwrap();
        Person { id, root: self.db.account(id).await.unwrap().root }
    }

    /// A new file with bytes of this seed: equal seeds are equal contents.
    pub(crate) async fn file(&self, owner: Person, folder: NodeId, name_: &str, seed: u8) -> Node {
        let file = self.stored(owner, folder, name_, seed);
        self.store_file(&file, &by(owner)).await.unwrap()
    }

    /// What `file` stores.
    pub(crate) fn stored(&self, owner: Person, folder: NodeId, name_: &str, seed: u8) -> StoredFile {
        StoredFile {
            owner: owner.id,
            parent: folder,
            name: name(name_),
            on_conflict: OnConflict::Fail,
            identity: identity(seed),
            md5: Md5Digest([seed; 16]),
            blob: blob(&format!("blob-{}", self.turn())),
        }
    }

    pub(crate) async fn folder(&self, owner: Person, parent: NodeId, name_: &str) -> NodeId {
        let made = self.create_folder(owner.id, parent, &name(name_), OnConflict::Fail, &by(owner)).await;
        made.unwrap().id
    }

    /// A link to a node.
    pub(crate) fn link(&self, owner: Person, node: NodeId) -> NewShare {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.turn().to_be_bytes());
        NewShare {
            owner: owner.id,
            node,
            kind: ShareKind::Link,
            token: ShareToken::new(token),
            code: WantedCode::None,
            expires_at: None,
            downloads_left: None,
            listed: false,
        }
    }

    /// The checker finds nothing.
    pub(crate) async fn is_well(&self) {
        assert_eq!(self.check().await.unwrap(), []);
    }

    /// References of the content with these bytes; none when there is none.
    pub(crate) async fn references(&self, seed: u8) -> Option<u64> {
        let content = self.content_by_identity(&identity(seed)).await.unwrap();
        content.map(|content| content.references)
    }

    /// Names in a folder, in the order of the list.
    pub(crate) async fn names(&self, owner: Person, folder: NodeId) -> Vec<String> {
        let page = self.list_folder(owner.id, folder, Default::default(), Default::default(), None, 1000);
        page.await.unwrap().rows.iter().map(|node| node.name.as_str().to_owned()).collect()
    }
}

/// An account of a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub(crate) id: AccountId,
    pub(crate) root: NodeId,
}

pub(crate) fn registration(name: &str) -> Registration {
    Registration {
        user_name: UserName::parse(name).unwrap(),
        nick_name: NickName::new(name).unwrap(),
        email: None,
        phone: None,
        verifiers: Verifiers { text: Some(hash("first")), dialect: None },
        role: Role::User,
        at: NOW,
    }
}

pub(crate) fn hash(text: &str) -> PasswordHash {
    PasswordHash(format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${text}"))
}

pub(crate) fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

pub(crate) fn blob(text: &str) -> BlobKey {
    BlobKey::new(text).unwrap()
}

pub(crate) fn bytes(number: u64) -> ByteCount {
    ByteCount::new(number).unwrap()
}

/// The content of a seed; it has as many bytes as its seed says.
pub(crate) fn identity(seed: u8) -> ContentIdentity {
    ContentIdentity { sha256: Sha256Digest([seed; 32]), size: bytes(seed.into()) }
}

pub(crate) fn by(person: Person) -> Cause {
    Cause::account(person.id, None, NOW)
}

pub(crate) fn at(person: Person, millis: i64) -> Cause {
    Cause::account(person.id, None, UnixMillis(millis))
}

pub(crate) fn system() -> Cause {
    Cause::system(NOW)
}

pub(crate) fn later(millis: i64) -> UnixMillis {
    UnixMillis(NOW.0 + millis)
}

pub(crate) fn secret() -> DriveSecret {
    DriveSecret::new([9; 32])
}

pub(crate) fn visitor(number: u8) -> VisitorMark {
    VisitorMark([number; 16])
}

pub(crate) fn entry_key(number: u8) -> EntryKey {
    EntryKey([number; 16])
}
