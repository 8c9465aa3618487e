//! A database that is open, and how steps run on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use drive_core::{Part, Problem};
use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::engine::{Columns, Connections, DirectOptions, Engine, Grouped, Held, Pool, Row, Sql, Value};
use crate::error::{Fault, OpenError};
use crate::ids::Ids;
use crate::schema;
use crate::settings::{CONNECTIONS_MAX, Deadlines, Place, Policy, Settings, URLS_MAX};

/// Statements that a connection keeps prepared at most.
const PREPARED_MAX: usize = 256;

/// How the connection to SQLite is set up that writes. It does not sync what it commits ([`Grouped`] does), only what a
/// checkpoint needs. What undoes a step is in memory, and 32 MiB of pages. A page is written to the log whole for each row
/// of an index that changes somewhere in it, so pages are small; a database that is there keeps those it has. A
/// checkpoint comes every 16,384 pages (32 MiB): nearly all writes are to the same few hundred, and each goes to the file
/// once for all that was written to it. So many bytes of the log are kept after it.
const WRITES: &str = "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
     PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 16384; PRAGMA journal_size_limit = 67108864; \
     PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768;";
/// How those are set up that read on the thread of whoever asks.
const READS: &str = "PRAGMA query_only = ON;";
/// Such connections that read. A step holds one while others of its thread have their turn, so there are more than
/// threads.
const DIRECT_READERS: usize = 16;

/// How often a step is done again because another was in its way.
const TRIES: u32 = 30;
/// How often because its connection broke.
const RECONNECTS: u32 = 4;
/// The longest pause before a step is done again; the first is a part of it.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// A step that takes longer is in the log.
const SLOW: Duration = Duration::from_secs(1);

/// The drive's database. Its methods are in the modules of what they are about; each is one transaction.
///
/// A dropped future leaves nothing half done: its transaction is undone, unless it was already committing.
pub struct Database {
    connections: Connections,
    ids: Ids,
    deadlines: Deadlines,
    policy: Policy,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

/// What runs within a step.
pub(crate) struct Tx<'d> {
    held: Held<'d>,
    ids: &'d Ids,
    /// Ids that this try has asked for.
    wanted: usize,
    policy: &'d Policy,
}

/// A step on its way.
pub(crate) type Running<'t, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 't>>;

impl Database {
    /// Opens a database, and brings its schema to this version.
    ///
    /// # Errors
    /// When the settings make no sense, nothing answers by the deadlines, or a later version has been here.
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let database = Self::connect(settings, true)?;
        database.migrate().await?;
        Ok(database)
    }

    /// Opens a database that is there and of this version, and changes nothing in it.
    ///
    /// # Errors
    /// As [`Database::open`], and when it is not there or an earlier version made it.
    pub async fn open_as_it_is(settings: Settings) -> Result<Self, OpenError> {
        let database = Self::connect(settings, false)?;
        let check = schema::check_version(&database.connections);
        let late = || OpenError::Away("it did not say its version in time".to_owned());
        tokio::time::timeout(database.deadlines.step, check).await.map_err(|_| late())??;
        Ok(database)
    }

    fn connect(settings: Settings, create: bool) -> Result<Self, OpenError> {
        let Settings { place, deadlines, policy } = settings;
        let connections = match &place {
            Place::Sqlite { file, readers } => {
                check_size(*readers)?;
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .busy_timeout(deadlines.lock)
                    .pragma("query_only", "ON")
                    .statement_cache_capacity(PREPARED_MAX)
                    .disable_statement_logging();
                let long_readers = Pool::sqlite(options, *readers, &deadlines);
                let direct = |first: &str, create| {
                    let (file, first) = (file.clone(), first.to_owned());
                    DirectOptions { file, first, prepared: PREPARED_MAX, create }
                };
                let readers = Pool::direct(direct(READS, false), DIRECT_READERS, &deadlines);
                let writer = Grouped::new(direct(WRITES, create), deadlines.lock);
                let writer = writer.map_err(|error| OpenError::Away(error.to_string()))?;
                Connections::Sqlite { writer, readers, long_readers }
            }
            Place::MySql { urls, connections } => {
                check_size(*connections)?;
                if !(1..=URLS_MAX).contains(&urls.len()) {
                    return Err(OpenError::Settings(format!("1 to {URLS_MAX} servers")));
                }
                let servers = urls.iter().map(|url| server(url)).collect::<Result<_, _>>()?;
                Connections::MySql(Pool::mysql(servers, *connections, &deadlines))
            }
        };
        Ok(Self { connections, ids: Ids::default(), deadlines, policy })
    }

    async fn migrate(&self) -> Result<(), OpenError> {
        let run = schema::migrate(&self.connections, self.deadlines.migrate);
        let late = || OpenError::Away("the schema was not there in time".to_owned());
        tokio::time::timeout(self.deadlines.migrate, run).await.map_err(|_| late())?
    }

    /// Which engine it is.
    pub const fn engine(&self) -> Engine {
        self.connections.engine()
    }

    /// What the administrator allows.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Does it answer, and may it be written to?
    pub async fn ping(&self) -> Result<(), Problem> {
        self.write("ping", |tx| {
            Box::pin(async {
                tx.one("SELECT next_id FROM id_blocks WHERE name = 'all'", &[]).await.map(drop)
            })
        })
        .await
    }

    /// Runs a step that writes: in one transaction, from its first statement again when another was in its way or the
    /// connection broke before the end. All of it, or nothing.
    pub(crate) async fn write<'d, T>(
        &'d self,
        what: &'static str,
        step: impl for<'t> FnMut(&'t mut Tx<'d>) -> Running<'t, T>,
    ) -> Result<T, Problem> {
        self.write_or_tell(what, &AtomicBool::new(false), step).await
    }

    /// The same; while it does not answer, `decided` tells whether the step came to its end: it may then have been done, or
    /// refused, and nobody knows which counts.
    pub(crate) async fn write_or_tell<'d, T>(
        &'d self,
        what: &'static str,
        decided: &AtomicBool,
        mut step: impl for<'t> FnMut(&'t mut Tx<'d>) -> Running<'t, T>,
    ) -> Result<T, Problem> {
        let tries = async {
            let (mut tries, mut reconnects) = (0, 0);
            loop {
                let fault = match self.write_once(decided, &mut step).await {
                    Ok(done) => return Ok(done),
                    Err(fault) => fault,
                };
                match fault {
                    Fault::Ids(count) => self.refill(count).await?,
                    Fault::Again(_) if tries < TRIES => {
                        tries += 1;
                        pause(tries).await;
                    }
                    Fault::Away(_) if reconnects < RECONNECTS => reconnects += 1,
                    fault => return Err(problem(what, fault)),
                }
            }
        };
        self.by_deadline(what, || self.connections.suspect_present(), tries).await
    }

    /// Runs a step that reads what an index finds: of SQLite on the thread of whoever asks.
    pub(crate) async fn read<'d, T>(
        &'d self,
        what: &'static str,
        mut step: impl for<'t> FnMut(&'t mut Tx<'d>) -> Running<'t, T>,
    ) -> Result<T, Problem> {
        let Some(readers) = self.connections.readers() else { return self.read_long(what, step).await };
        match self
            .by_deadline(what, || readers.suspect_present(), async {
                Ok(self.read_once(readers, &mut step).await)
            })
            .await?
        {
            Ok(done) => Ok(done),
            // Waits, and tries again, elsewhere.
            Err(Fault::Away(_) | Fault::Again(_)) => self.read_long(what, step).await,
            Err(fault) => Err(problem(what, fault)),
        }
    }

    /// Runs a step that reads and may take long.
    pub(crate) async fn read_long<'d, T>(
        &'d self,
        what: &'static str,
        mut step: impl for<'t> FnMut(&'t mut Tx<'d>) -> Running<'t, T>,
    ) -> Result<T, Problem> {
        let pool = self.connections.long_readers();
        let tries = async {
            let mut reconnects = 0;
            loop {
                match self.read_once(pool, &mut step).await {
                    Ok(done) => return Ok(done),
                    Err(Fault::Away(_) | Fault::Again(_)) if reconnects < RECONNECTS => reconnects += 1,
                    Err(fault) => return Err(problem(what, fault)),
                }
            }
        };
        self.by_deadline(what, || pool.suspect_present(), tries).await
    }

    /// Runs a step that reads all of a database as it is at one moment, however long that takes.
    pub(crate) async fn snapshot<'d, T>(
        &'d self,
        what: &'static str,
        mut step: impl for<'t> FnMut(&'t mut Tx<'d>) -> Running<'t, T>,
    ) -> Result<T, Problem> {
        let run = async {
            let mut tx = self.begin_snapshot().await?;
            let outcome = step(&mut tx).await;
            tx.end().await;
            outcome
        };
        run.await.map_err(|fault| problem(what, fault))
    }

    /// Begins to read all of the database as it is now. To be ended with [`Tx::end`].
    pub(crate) async fn begin_snapshot(&self) -> Result<Tx<'_>, Fault> {
        let mut tx = self.tx(Held::Pooled(self.connections.long_readers().take().await?));
        let begin: &[&'static str] = match self.engine() {
            Engine::Sqlite => &["BEGIN"],
            Engine::MySql => &[
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            ],
        };
        for sql in begin {
            tx.held.connection()?.plain(Sql::Borrowed(sql)).await?;
        }
        Ok(tx)
    }

    /// Begins to write: by the deadline for locks, and for whatever comes then there is none.
    pub(crate) async fn begin(&self) -> Result<Held<'_>, Fault> {
        self.connections.begin().await
    }

    async fn by_deadline<T>(
        &self,
        what: &'static str,
        late: impl FnOnce(),
        tries: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let begun = Instant::now();
        let outcome = tokio::time::timeout(self.deadlines.step, tries).await;
        let took = begun.elapsed();
        if took > SLOW {
            tracing::warn!(what, took_ms = took.as_millis() as u64, "a slow step of the database");
        }
        outcome.unwrap_or_else(|_| {
            late();
            tracing::error!(what, "the database did not answer in time");
            Err(Problem::Unavailable(Part::Database))
        })
    }

    const fn tx<'d>(&'d self, held: Held<'d>) -> Tx<'d> {
        Tx { held, ids: &self.ids, wanted: 0, policy: &self.policy }
    }

    async fn write_once<'d, T>(
        &'d self,
        decided: &AtomicBool,
        step: &mut impl for<'t> FnMut(&'t mut Tx<'d>) -> Running<'t, T>,
    ) -> Result<T, Fault> {
        let mut tx = self.tx(self.connections.begin().await?);
        let outcome = step(&mut tx).await;
        // As long as its end is waited for: the deadline may cut that short.
        decided.store(matches!(outcome, Ok(_) | Err(Fault::Problem(_))), Ordering::Relaxed);
        let ended = match outcome.as_ref().err() {
            None => tx.held.commit().await,
            Some(fault) => tx.held.roll_back(fault).await,
        };
        decided.store(matches!(ended, Err(Fault::Unknown(_))), Ordering::Relaxed);
        ended.and(outcome)
    }

    async fn read_once<'d, T>(
        &'d self,
        pool: &'d Pool,
        step: &mut impl for<'t> FnMut(&'t mut Tx<'d>) -> Running<'t, T>,
    ) -> Result<T, Fault> {
        let mut tx = self.tx(Held::Pooled(pool.take().await?));
        let outcome = step(&mut tx).await;
        tx.held.end(outcome.as_ref().err());
        outcome
    }

    async fn refill(&self, count: usize) -> Result<(), Problem> {
        let _turn = self.ids.turn().await;
        let mut reconnects = 0;
        while !self.ids.has(count) {
            match self.ids.refill(count, &self.connections).await {
                Ok(()) => {}
                Err(Fault::Away(_) | Fault::Again(_) | Fault::Unknown(_)) if reconnects < RECONNECTS => {
                    reconnects += 1;
                }
                Err(fault) => return Err(problem("ids", fault)),
            }
        }
        Ok(())
    }
}

fn check_size(connections: usize) -> Result<(), OpenError> {
    if (1..=CONNECTIONS_MAX).contains(&connections) {
        return Ok(());
    }
    Err(OpenError::Settings(format!("1 to {CONNECTIONS_MAX} connections")))
}

fn server(url: &str) -> Result<MySqlConnectOptions, OpenError> {
    // The error would print the URL, and so the password.
    let wrong = || {
        OpenError::Settings("a URL of a server is not mysql://user:password@host:port/database".to_owned())
    };
    if !url.starts_with("mysql://") && !url.starts_with("mariadb://") {
        return Err(wrong());
    }
    let options: MySqlConnectOptions = url.parse().map_err(|_| wrong())?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    Ok(options.statement_cache_capacity(PREPARED_MAX).disable_statement_logging())
}

/// Waits a little before the next try, each time up to twice as long, not all callers equally long.
async fn pause(tries: u32) {
    let longest = Duration::from_millis(1).saturating_mul(1 << tries.min(6)).min(PAUSE_MAX);
    let part = f64::from(rand::random::<u16>()) / f64::from(u16::MAX);
    tokio::time::sleep(longest.mul_f64(part)).await;
}

/// What a caller is told.
fn problem(what: &'static str, fault: Fault) -> Problem {
    match fault {
        Fault::Problem(problem) => {
            if let Problem::Contradiction(contradiction) = problem {
                tracing::error!(what, contradiction, "the database contradicts itself");
            }
            problem
        }
        Fault::Again(text) | Fault::Away(text) | Fault::Unknown(text) => {
            tracing::error!(what, error = text, "the database does not do it");
            Problem::Unavailable(Part::Database)
        }
        Fault::Ids(count) => {
            tracing::error!(what, count, "ids ran out");
            Problem::Unavailable(Part::Database)
        }
        Fault::Broken(text) => {
            tracing::error!(what, error = text, "the database refuses a statement");
            Problem::Contradiction("the database refuses a statement")
        }
    }
}

impl Tx<'_> {
    pub(crate) async fn run<'v>(
        &mut self,
        sql: impl Into<Sql>,
        values: impl AsRef<[Value<'v>]>,
    ) -> Result<u64, Fault> {
        self.held.connection()?.run(sql.into(), values.as_ref()).await
    }

    /// Changes exactly one row.
    pub(crate) async fn change<'v>(
        &mut self,
        sql: impl Into<Sql>,
        values: impl AsRef<[Value<'v>]>,
    ) -> Result<(), Fault> {
        match self.run(sql, values).await? {
            1 => Ok(()),
            rows => Err(Fault::Broken(format!("{rows} rows changed where one should be"))),
        }
    }

    pub(crate) async fn rows<'v>(
        &mut self,
        sql: impl Into<Sql>,
        values: impl AsRef<[Value<'v>]>,
    ) -> Result<Vec<Row>, Fault> {
        self.held.connection()?.rows(sql.into(), values.as_ref()).await
    }

    /// The first row, if there is one.
    pub(crate) async fn one<'v>(
        &mut self,
        sql: impl Into<Sql>,
        values: impl AsRef<[Value<'v>]>,
    ) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// All rows, read by a function.
    pub(crate) async fn list<'v, T>(
        &mut self,
        sql: impl Into<Sql>,
        values: impl AsRef<[Value<'v>]>,
        read: impl Fn(&mut Columns<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        self.rows(sql, values).await?.iter().map(|row| read(&mut row.columns())).collect()
    }

    /// The first row, read by a function.
    pub(crate) async fn get<'v, T>(
        &mut self,
        sql: impl Into<Sql>,
        values: impl AsRef<[Value<'v>]>,
        read: impl Fn(&mut Columns<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.one(sql, values).await?.map(|row| read(&mut row.columns())).transpose()
    }

    /// The number that a query has as its only answer.
    pub(crate) async fn number<'v>(
        &mut self,
        sql: impl Into<Sql>,
        values: impl AsRef<[Value<'v>]>,
    ) -> Result<i64, Fault> {
        let row = self.one(sql, values).await?;
        row.ok_or_else(|| Fault::Broken("a query for a number has no row".to_owned()))?.number()
    }

    /// A new id.
    pub(crate) fn id<T: TryFrom<i64>>(&mut self) -> Result<T, Fault> {
        T::try_from(self.ids(1)?).map_err(|_| Fault::Broken("a counter below 1".to_owned()))
    }

    /// The first of so many new ids that follow each other.
    pub(crate) fn ids(&mut self, count: usize) -> Result<i64, Fault> {
        self.wanted = self.wanted.saturating_add(count);
        // When it is done again, all of them are wanted again.
        self.ids.take(count).ok_or(Fault::Ids(self.wanted))
    }

    pub(crate) const fn policy(&self) -> &Policy {
        self.policy
    }
}

impl Tx<'_> {
    /// Ends a snapshot.
    pub(crate) async fn end(mut self) {
        let left = match self.held.connection() {
            Ok(connection) => connection.roll_back().await,
            Err(fault) => Err(fault),
        };
        self.held.end(left.as_ref().err());
    }

    /// Runs one of the statements about savepoints.
    pub(crate) async fn savepoint(&mut self, sql: &'static str) -> Result<(), Fault> {
        self.held.connection()?.plain(Sql::Borrowed(sql)).await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use drive_core::account::{NickName, Registration, Role, UserName, Verifiers};
    use drive_core::content::{ContentIdentity, Md5Digest, Sha256Digest};
    use drive_core::node::NodeName;
    use drive_core::ports::BlobKey;
    use drive_core::tree::OnConflict;
    use drive_core::{ByteCount, UnixMillis};
    use tempfile::TempDir;

    use super::*;
    use crate::cause::Cause;
    use crate::contents::StoredFile;

    const AWAY: Problem = Problem::Unavailable(Part::Database);
    /// The deadline of a step that is to miss it.
    const SHORT: Duration = Duration::from_secs(1);

    /// A database with an account that has stored one file of seven bytes.
    struct Ground {
        database: Database,
        file: StoredFile,
        cause: Cause,
        _folder: TempDir,
    }

    impl Ground {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::open(Settings::sqlite(folder.path().join("drive.db"))).await.unwrap();
            let registration = Registration {
                user_name: UserName::parse("alice").unwrap(),
                nick_name: NickName::new("alice").unwrap(),
                email: None,
                phone: None,
                verifiers: Verifiers::default(),
                role: Role::User,
                at: UnixMillis(1),
            };
            let cause = Cause::system(UnixMillis(1));
            let owner = database.register(&registration, &cause).await.unwrap();
            let size = ByteCount::new(7).unwrap();
            let file = StoredFile {
                owner,
                parent: database.account(owner).await.unwrap().root,
                name: NodeName::new("first").unwrap(),
                on_conflict: OnConflict::Fail,
                identity: ContentIdentity { sha256: Sha256Digest([1; 32]), size },
                md5: Md5Digest([1; 16]),
                blob: BlobKey::new("first").unwrap(),
            };
            let ground = Self { database, file, cause, _folder: folder };
            assert_eq!(ground.store("first").await, Ok(true));
            ground
        }

        /// Whether a file of this name is made.
        async fn store(&self, name: &str) -> Result<bool, Problem> {
            let (name, blob) = (NodeName::new(name).unwrap(), BlobKey::new(name).unwrap());
            let file = StoredFile { name, blob, ..self.file.clone() };
            let stored = self.database.try_store_file(&file, &self.cause).await;
            stored.map(|node| node.is_some())
        }

        async fn used(&self) -> u64 {
            self.database.usage(self.file.owner).await.unwrap().used.get()
        }

        fn writer(&self) -> &Grouped {
            match &self.database.connections {
                Connections::Sqlite { writer, .. } => writer,
                Connections::MySql(_) => panic!("not SQLite"),
            }
        }
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_file_that_is_not_known_to_be_on_the_disk_may_be_there() {
        let ground = Ground::new().await;
        ground.writer().break_log();
        assert_eq!(ground.store("second").await, Err(AWAY));
        assert_eq!(ground.used().await, 14);
        // The log is brought to where it belongs instead, and then there is nothing to doubt.
        assert_eq!(ground.store("second").await, Err(Problem::NameTaken));
    }

    #[tokio::test]
    async fn a_file_that_is_refused_for_what_is_not_known_to_be_on_the_disk_is_not_one_that_was_not_decided()
    {
        let ground = Ground::new().await;
        ground.writer().break_log();
        assert_eq!(ground.store("first").await, Err(AWAY));
    }

    #[tokio::test]
    async fn a_file_whose_turn_never_comes_is_surely_not_there_and_one_whose_group_is_late_may_be() {
        let mut ground = Ground::new().await;
        // Only for what waits until it is over, whatever the disk does.
        let patient = std::mem::replace(&mut ground.database.deadlines.step, SHORT);
        {
            let before = ground.writer().begin().await.unwrap();
            assert_eq!(ground.store("second").await, Ok(false));
            let mut stored = pin!(ground.store("third"));
            assert!(poll(stored.as_mut()).is_pending());
            // Of the same group, which waits for it.
            let mut behind = pin!(ground.writer().begin());
            assert!(poll(behind.as_mut()).is_pending());
            drop(before);
            assert_eq!(stored.await, Err(AWAY));
            drop(behind.await.unwrap());
        }
        ground.database.deadlines.step = patient;
        assert_eq!(ground.store("fourth").await, Ok(true));
        assert_eq!(ground.used().await, 21);
    }
}
