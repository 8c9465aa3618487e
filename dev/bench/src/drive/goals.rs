//! What the drive has to reach on two cores, and whether it does.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use bytes::Bytes;
use drive_core::UnixMillis;
use drive_core::account::{NickName, PasswordCost, PasswordHash, Registration, Role, UserName, Verifiers};
use drive_core::ports::{Append, Queue};
use drive_core::queue::{BATCH_ENTRIES, BATCH_LEASE, Entry, EntryKey, Event, decode, encode};
use drive_db::{Database, Settings};
use drive_queue::{EmbeddedQueue, EmbeddedQueueConfig};

use super::site::{Door, Site};
use super::web::{self, Measured};
use super::world::World;
use super::{Arguments, dialect, v1};
use crate::tally::Spread;

/// Rounds of each; the median counts.
const ROUNDS: usize = 3;
/// What writes comes on so many times the connections: SQLite commits up to 64 steps at once, and with no more than
/// that all wait for each commit, and a core with them.
const WRITING_CONNECTIONS: usize = 2;
/// Connections that rest beside those that ask, from the first figure to the last but one.
const IDLE: usize = 10_000;
/// What may be lost beside them.
const IDLE_LOSS: f64 = 0.1;
/// Registrations that go through the queue, and how many callers wait for theirs at a time.
const REGISTRATIONS: u64 = 30_000;
const REGISTERING: u64 = 256;
/// How long the applier waits for the first entry.
const CLAIM_WAIT: Duration = Duration::from_millis(100);
const QUEUE_DEADLINE: Duration = Duration::from_secs(60);
const LANE_BYTES: u64 = 256 << 20;
/// Hashes whose cost is taken.
const HASHES: u32 = 20;

/// A goal.
pub(crate) struct Row {
    what: String,
    goal: Option<f64>,
    got: f64,
    more: String,
}

/// Measures all of them, on SQLite, without nginx.
pub(crate) fn measure(site: &Site, folder: &Path, world: &World, arguments: &Arguments) -> Result<Vec<Row>> {
    let of_v1 = |id: &str| v1::CASES.iter().find(|case| case.id == id).context("no such case");
    let of_old = |path: &str| dialect::CASES.iter().find(|case| case.path == path).context("no such case");
    let time = Duration::from_secs_f64(arguments.seconds);
    let address = site.door(Door::Http);
    let run = |job: web::Job<'_>| web::run(address, job, time);
    let rounds = |measure: &dyn Fn() -> Result<Measured>| -> Result<Vec<Measured>> {
        let rounds = (0..ROUNDS).map(|_| measure()).collect::<Result<Vec<_>>>()?;
        let failed = rounds.iter().find(|one| !one.failures.is_empty());
        ensure!(failed.is_none(), "{:?}", failed.map(|one| &one.failures));
        Ok(rounds)
    };
    let list = of_v1("listChildren")?;
    let by_list = || rounds(&|| run((list.job)(world)?));
    let mut rows = Vec::new();
    let memory = || -> Result<u64> {
        let server = site.drive.server.as_ref().context("the drive does not run")?;
        server.own_bytes().context("its memory can't be read")
    };
    let alone_before = row("", 0.0, &by_list()?).got;
    let before = memory()?;
    let one = &world.readers[0];
    let idle = web::idle(address, &one.ask("GET", &format!("/nodes/{}/children", one.ten)), IDLE)?;
    let each = memory()?.saturating_sub(before) as f64 / idle.len() as f64;
    let beside = row("list of 10 files with a token's check", 15_000.0, &by_list()?);
    let beside_idle = beside.got;
    rows.push(beside);
    let instant = of_v1("beginInstantFile")?;
    let wide =
        |job: web::Job<'_>| run(web::Job { connections: WRITING_CONNECTIONS * job.connections, ..job });
    let by_instant = rounds(&|| wide((instant.job)(world)?))?;
    rows.push(row("instant upload, API v1, twice the connections", 10_000.0, &by_instant));
    let md5 = of_old("/api/md5")?;
    let by_md5 = rounds(&|| wide(dialect::job(world, md5)?))?;
    rows.push(row("instant upload, old dialect, twice the connections", 10_000.0, &by_md5));
    rows.push(Row {
        what: "registration records through queue and database".to_owned(),
        goal: Some(8_000.0),
        got: registrations(folder)?,
        more: format!("{REGISTRATIONS} of them, {REGISTERING} at a time"),
    });
    let put = of_v1("putFile")?;
    let by_put = rounds(&|| wide((put.job)(world)?))?;
    rows.push(row("upload of 4 KiB, API v1, twice the connections", 5_000.0, &by_put));
    let sign_in = of_v1("signIn")?;
    let hash = hash_cost()?;
    let by_sign_in = rounds(&|| run((sign_in.job)(world)?))?;
    rows.push(Row {
        goal: None,
        more: format!("a hash takes {:.1} ms of one core", hash.as_secs_f64() * 1000.0),
        ..row("sign-ins", 0.0, &by_sign_in)
    });
    web::still_open(&idle)?;
    drop(idle);
    // These machines change their speed within minutes: what is compared stands between the two.
    let alone = f64::midpoint(alone_before, row("", 0.0, &by_list()?).got).max(1.0);
    rows.push(Row {
        what: "the list again, beside the 10,000 idle connections".to_owned(),
        goal: Some(alone * (1.0 - IDLE_LOSS)),
        got: beside_idle,
        more: format!(
            "{:+.1} % of {alone:.0}/s without them; {:.1} KiB of memory for each",
            (beside_idle / alone - 1.0) * 100.0,
            each / 1024.0
        ),
    });
    Ok(rows)
}

fn row(what: &str, goal: f64, rounds: &[Measured]) -> Row {
    let median = |of: &dyn Fn(&Measured) -> f64| Spread::of(rounds.iter().map(of)).map_or(0.0, |s| s.median);
    let (p50, p99) = (median(&|one| one.figures.p50_us), median(&|one| one.figures.p99_us));
    Row {
        what: what.to_owned(),
        goal: Some(goal),
        got: median(&|one| one.figures.per_second),
        more: format!("p50 {:.1} ms, p99 {:.1} ms", p50 / 1000.0, p99 / 1000.0),
    }
}

/// As Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = "| goal | wanted /s | measured /s | | |\n|---|---:|---:|---|---|\n".to_owned();
    for Row { what, goal, got, more } in rows {
        let (wanted, met) = match goal {
            None => ("argon2".to_owned(), ""),
            Some(goal) => (format!("{goal:.0}"), if got >= goal { "met" } else { "not met" }),
        };
        let _ = writeln!(out, "| {what} | {wanted} | {got:.0} | {met} | {more} |");
    }
    out
}

/// What argon2id takes, as the drive's least cost asks for it.
fn hash_cost() -> Result<Duration> {
    let PasswordCost { memory_kib, passes, lanes } = PasswordCost::LEAST;
    let params = Params::new(memory_kib, passes, lanes, None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let begun = Instant::now();
    for _ in 0..HASHES {
        let hashed: Result<argon2::password_hash::phc::PasswordHash, _> = argon2.hash_password(b"123456");
        hashed.map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    Ok(begun.elapsed() / HASHES)
}

/// Registration records a second, from a caller who appends one to the embedded queue until it is a row in SQLite. The
/// password's hash, which everybody pays apart, is a constant.
fn registrations(folder: &Path) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = tempfile::Builder::new().prefix("registrations-").tempdir_in(folder)?;
    runtime.block_on(async {
        let queue = Arc::new(EmbeddedQueue::open(&EmbeddedQueueConfig {
            file: folder.path().join("queue.redb"),
            lane_bytes_max: LANE_BYTES,
            lease: BATCH_LEASE,
            deadline: QUEUE_DEADLINE,
        })?);
        let database = Database::open(Settings::sqlite(folder.path().join("drive.db"))).await?;
        let lane = registration(0)?.event.lane();
        let begun = Instant::now();
        let mut appending = tokio::task::JoinSet::new();
        for first in 0..REGISTERING {
            let queue = Arc::clone(&queue);
            appending.spawn(async move {
                for number in (first..REGISTRATIONS).step_by(REGISTERING as usize) {
                    let bytes = Bytes::from(encode(&registration(number)?)?);
                    queue.append(lane, &[Append { bytes }]).await?;
                }
                Ok::<_, anyhow::Error>(())
            });
        }
        let mut made = 0;
        while made < REGISTRATIONS {
            let claimed = queue.claim(lane, BATCH_ENTRIES, CLAIM_WAIT).await?;
            if claimed.is_empty() {
                continue;
            }
            let entries = claimed.iter().map(|one| decode(&one.bytes)).collect::<Result<Vec<_>, _>>()?;
            let outcomes = database.apply(&entries, UnixMillis(1_800_000_000_000)).await;
            made += outcomes.map_err(|problem| anyhow::anyhow!("{problem}"))?.len() as u64;
            let tickets: Vec<String> = claimed.into_iter().map(|one| one.ticket).collect();
            queue.acknowledge(lane, &tickets).await?;
        }
        let took = begun.elapsed();
        while let Some(appended) = appending.join_next().await {
            appended??;
        }
        queue.close().await?;
        Ok(REGISTRATIONS as f64 / took.as_secs_f64())
    })
}

fn registration(number: u64) -> Result<Entry> {
    let name = format!("r{number:09}");
    let at = UnixMillis(1_800_000_000_000);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_be_bytes());
    let hash =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let registration = Registration {
        user_name: UserName::new(&name).context("a user name")?,
        nick_name: NickName::new(&name).context("a nick name")?,
        email: None,
        phone: None,
        verifiers: Verifiers { text: Some(PasswordHash(hash.to_owned())), dialect: None },
        role: Role::User,
        at,
    };
    Ok(Entry { key: EntryKey(key), at, event: Event::Register(registration) })
}
