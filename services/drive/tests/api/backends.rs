//! The same tests on other back ends: this program once more, told by a variable what a drive is made of.
//!
//! Each test by itself runs on SQLite and a cache in memory.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use drive_cache::{MemoryCache, MemoryCacheConfig, RedisCache};
use drive_core::ports::Cache;
use redis_link::{RedisConfig, ServerAddress, Servers};
use testkit::mariadb::MariaDb;
use testkit::redis::Redis;

/// The variable that names them: `mariadb`, `redis`, or both.
const VARIABLE: &str = "CAIRN_TEST_BACKENDS";

/// Tests that take hold of a SQLite file, or are about no back end.
const NOT_ELSEWHERE: [&str; 9] = [
    "backends::",
    "openapi::",
    "while_the_database_takes_nothing",
    "while_the_database_gives_nothing",
    "whose_hash_is_not_made_anew",
    "a_file_that_sqlite_takes",
    "a_record_that_the_database_never_takes",
    "a_file_whose_bytes_are_here_is_made",
    "of_a_file_that_was_not_made",
];

fn is_on(name: &str) -> bool {
    std::env::var(VARIABLE).is_ok_and(|names| names.split(',').any(|one| one == name))
}

/// What keeps servers running as long as a test needs them.
#[derive(Default)]
pub(crate) struct Held {
    _database: Option<Arc<MariaDb>>,
    _cache: Option<Arc<Redis>>,
}

/// An empty database, and a cache that nobody else uses.
pub(crate) fn make(folder: &Path) -> (drive_db::Settings, Arc<dyn Cache>, Held) {
    let mut held = Held::default();
    let database = if is_on("mariadb") {
        let server = MariaDb::shared().unwrap();
        let name = server.database().unwrap();
        let settings = drive_db::Settings::mysql([server.url(&name)]);
        held._database = Some(server);
        settings
    } else {
        drive_db::Settings::sqlite(folder.join("drive.db"))
    };
    let cache: Arc<dyn Cache> = if is_on("redis") {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = Redis::shared().unwrap();
        let address = server.address();
        let config = RedisConfig {
            servers: Servers::Single(ServerAddress { host: address.ip().to_string(), port: address.port() }),
            user: None,
            password: None,
            database: 0,
            tls: false,
            prefix: format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            deadline: Duration::from_secs(2),
        };
        held._cache = Some(server);
        Arc::new(RedisCache::new(&config).unwrap())
    } else {
        Arc::new(MemoryCache::new(MemoryCacheConfig { shelf_bytes: 1 << 20 }))
    };
    (database, cache, held)
}

/// Runs the tests of this program whose names have one of these texts, all if there is none.
fn run_on(backends: &str, names: &[&str]) {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.env(VARIABLE, backends).args(["--test-threads", "2"]).args(names);
    for name in NOT_ELSEWHERE {
        again.args(["--skip", name]);
    }
    let output = again.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    // That none was left out by mistake.
    let passed = printed.lines().filter(|line| line.ends_with(" ... ok")).count();
    assert!(passed >= 15, "{printed}");
}

#[test]
fn the_contract_holds_on_mariadb_and_redis() {
    run_on("mariadb,redis", &[]);
}

/// What asks the database and the cache about each other: who is signed in, attempts, links, rates.
#[test]
fn the_contract_holds_on_mariadb_and_a_cache_in_memory() {
    run_on("mariadb", &["accounts::", "shares::", "shared::", "pictures::", "tokens::"]);
}

#[test]
fn the_contract_holds_on_sqlite_and_redis() {
    run_on("redis", &["accounts::", "shares::", "shared::", "pictures::", "tokens::"]);
}
