//! The cache in Redis, for all processes of the drive.

use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{
    BOARD_ENTRIES_MAX, BOARD_SCORE_MAX, Board, Cache, CacheError, CacheKey, Later, Order, PurposeOfRate,
    RateSubject,
};
use drive_core::ranking::RankEntry;
use drive_core::rate::{Admission, Rate};
use drive_core::{ShareId, UnixMillis};
use redis::{Cmd, Script, cmd, pipe};
use redis_link::{Link, RedisConfig, RedisError, WrongConfig};

use crate::memory::{check_board, check_value};
use crate::ttl::{TTL_MAX, millis};

/// Entries of a new board in one command.
const BOARD_CHUNK: usize = 1000;
/// A new board that nobody put in its place is gone after this.
const NEW_BOARD_TTL: Duration = Duration::from_secs(60);
/// The member that makes a board without entries a board. It is below all others.
const MARK: &str = "";
const MARK_SCORE: i64 = -1;

/// Keeps a value in the place of another: key; whether one is expected, which one, the new one, milliseconds.
const SWAP: &str = "
local value = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
    if value ~= ARGV[2] then return 0 end
elseif value then
    return 0
end
if ARGV[4] == '0' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return 1
";

/// `Rate::admit`: key; now, interval, interval times burst, longest time to live. Answers -1, or how long to wait.
const TAKE: &str = "
local now, interval, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local busy_until = tonumber(redis.call('GET', KEYS[1]) or '') or now
local after = math.max(busy_until, now) + interval
local ahead = after - now
if ahead > room then return ahead - room end
local ttl = math.min(ahead, tonumber(ARGV[4]))
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', string.format('%.0f', ttl))
return -1
";

/// Adds to scores of a board that is there: key; most members, highest score, then score and member by turns.
const BOARD_ADD: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local members_max, score_max = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 3, #ARGV, 2 do
    local member = ARGV[i + 1]
    if redis.call('ZSCORE', KEYS[1], member) or redis.call('ZCARD', KEYS[1]) < members_max then
        if tonumber(redis.call('ZINCRBY', KEYS[1], ARGV[i], member)) > score_max then
            redis.call('ZADD', KEYS[1], ARGV[2], member)
        end
    end
end
return 1
";

/// Puts a new board in the place of what is there, if all of it is there (it may have been evicted between two parts):
/// new key, key; members, milliseconds.
const BOARD_REPLACE: &str = "
if redis.call('ZCARD', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('UNLINK', KEYS[2])
redis.call('RENAME', KEYS[1], KEYS[2])
return 1
";

/// A part of a board, or nothing when there is none: key; command, first place, last place.
const BOARD_PAGE: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
return redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'WITHSCORES')
";

/// The cache in Redis. What evicts it, and how much it may hold, is configured there (`maxmemory`, `maxmemory-policy`):
/// any policy will do, but not together with a queue.
#[derive(Debug)]
pub struct RedisCache {
    link: Link,
    prefix: String,
    swap: Script,
    take: Script,
    board_add: Script,
    board_replace: Script,
    board_page: Script,
}

impl RedisCache {
    /// The cache in this Redis. Connects at the first call.
    ///
    /// # Errors
    /// When the configuration can't be.
    pub fn new(config: &RedisConfig) -> Result<Self, WrongConfig> {
        Ok(Self {
            link: Link::new(config, Duration::ZERO)?,
            prefix: config.prefix.clone(),
            swap: Script::new(SWAP),
            take: Script::new(TAKE),
            board_add: Script::new(BOARD_ADD),
            board_replace: Script::new(BOARD_REPLACE),
            board_page: Script::new(BOARD_PAGE),
        })
    }

    fn key(&self, key: &CacheKey) -> String {
        format!("{}:{}", self.prefix, key.to_text())
    }

    /// With a hash tag: the new board and the old one share a slot.
    fn board_key(&self, board: Board) -> String {
        let name = match board {
            Board::Downloads => "downloads",
        };
        format!("{}:{{board:{name}}}", self.prefix)
    }

    async fn delete(&self, key: &str) -> Result<(), CacheError> {
        self.link.command(cmd("DEL").arg(key)).await.map_err(away)
    }

    async fn replace(&self, board: Board, entries: &[RankEntry], ttl_ms: u64) -> Result<(), CacheError> {
        let key = self.board_key(board);
        let new_key = format!("{key}:new:{:016x}", rand::random::<u64>());
        let new_ttl = millis(NEW_BOARD_TTL).unwrap_or(1);
        let mut commands = pipe();
        commands.add_command(zadd(&new_key, &[])).ignore();
        commands.cmd("PEXPIRE").arg(&new_key).arg(new_ttl).ignore();
        for chunk in entries.chunks(BOARD_CHUNK) {
            commands.add_command(zadd(&new_key, chunk)).ignore();
        }
        self.link.pipeline::<()>(&commands).await.map_err(away)?;
        let mut script = self.board_replace.prepare_invoke();
        script.key(&new_key).key(&key).arg(entries.len() + 1).arg(ttl_ms);
        let replaced: bool = self.link.script(&script).await.map_err(away)?;
        if replaced { Ok(()) } else { Err(CacheError("a board was evicted before it was whole".to_owned())) }
    }

    async fn page(
        &self,
        board: Board,
        command: &str,
        first: usize,
        last: usize,
    ) -> Result<Option<Vec<RankEntry>>, CacheError> {
        let mut script = self.board_page.prepare_invoke();
        script.key(self.board_key(board)).arg(command).arg(first).arg(last);
        let rows: Option<Vec<(String, f64)>> = self.link.script(&script).await.map_err(away)?;
        rows.map(|rows| rows.iter().filter(|(member, _)| member != MARK).map(entry).collect()).transpose()
    }
}

impl Cache for RedisCache {
    fn get<'a>(&'a self, key: &'a CacheKey) -> Later<'a, Result<Option<Bytes>, CacheError>> {
        Box::pin(async move {
            let value: Option<Vec<u8>> =
                self.link.command(cmd("GET").arg(self.key(key))).await.map_err(away)?;
            Ok(value.map(Bytes::from))
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a CacheKey,
        value: Bytes,
        ttl: Duration,
    ) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            check_value(&value)?;
            let key = self.key(key);
            match millis(ttl) {
                None => self.delete(&key).await,
                Some(ttl) => {
                    let mut set = cmd("SET");
                    set.arg(key).arg(&value[..]).arg("PX").arg(ttl);
                    self.link.command(&set).await.map_err(away)
                }
            }
        })
    }

    fn remove<'a>(&'a self, keys: &'a [CacheKey]) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            // Not in one command: in a Cluster they are in different places.
            let all = keys.iter().map(|key| async { self.delete(&self.key(key)).await });
            futures_util::future::try_join_all(all).await?;
            Ok(())
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a CacheKey,
        expected: Option<&'a [u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Later<'a, Result<bool, CacheError>> {
        Box::pin(async move {
            check_value(&new)?;
            let mut script = self.swap.prepare_invoke();
            script
                .key(self.key(key))
                .arg(u8::from(expected.is_some()))
                .arg(expected.unwrap_or_default())
                .arg(&new[..])
                .arg(millis(ttl).unwrap_or(0));
            self.link.script(&script).await.map_err(away)
        })
    }

    fn take<'a>(
        &'a self,
        subject: &'a RateSubject,
        purpose: PurposeOfRate,
        rate: &'a Rate,
        now: UnixMillis,
    ) -> Later<'a, Result<Admission, CacheError>> {
        Box::pin(async move {
            let mut script = self.take.prepare_invoke();
            script
                .key(format!("{}:{}", self.prefix, subject.to_text(purpose)))
                .arg(now.0)
                .arg(rate.interval_ms())
                .arg(u64::from(rate.interval_ms()) * u64::from(rate.burst()))
                .arg(millis(TTL_MAX).unwrap_or(1));
            let wait: i64 = self.link.script(&script).await.map_err(away)?;
            Ok(match u64::try_from(wait) {
                Ok(wait) => Admission::Refused { retry_after: Duration::from_millis(wait) },
                Err(_) => Admission::Admitted,
            })
        })
    }

    fn board_add<'a>(&'a self, board: Board, more: &'a [RankEntry]) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            let mut script = self.board_add.prepare_invoke();
            script.key(self.board_key(board)).arg(BOARD_ENTRIES_MAX + 1).arg(BOARD_SCORE_MAX);
            for entry in more {
                script.arg(entry.score.min(BOARD_SCORE_MAX)).arg(member(entry.share));
            }
            self.link.script(&script).await.map_err(away)
        })
    }

    fn board_remove<'a>(&'a self, board: Board, shares: &'a [ShareId]) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            if shares.is_empty() {
                return Ok(());
            }
            let mut command = cmd("ZREM");
            command.arg(self.board_key(board));
            for share in shares {
                command.arg(member(*share));
            }
            self.link.command(&command).await.map_err(away)
        })
    }

    fn board_replace<'a>(
        &'a self,
        board: Board,
        entries: &'a [RankEntry],
        ttl: Duration,
    ) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            check_board(entries)?;
            match millis(ttl) {
                None => self.delete(&self.board_key(board)).await,
                Some(ttl) => self.replace(board, entries, ttl).await,
            }
        })
    }

    fn board_page<'a>(
        &'a self,
        board: Board,
        order: Order,
        from: usize,
        count: usize,
    ) -> Later<'a, Result<Option<Vec<RankEntry>>, CacheError>> {
        Box::pin(async move {
            let from = from.min(BOARD_ENTRIES_MAX);
            let (command, first) = match order {
                Order::Highest => ("ZREVRANGE", from),
                // The mark is below.
                Order::Lowest => ("ZRANGE", from + 1),
            };
            let last = match count.min(BOARD_ENTRIES_MAX) {
                // Nothing lies between the second and the first; before the first is the last.
                0 => return self.page(board, command, 1, 0).await,
                count => first + count - 1,
            };
            self.page(board, command, first, last).await
        })
    }

    fn check(&self) -> Later<'_, Result<(), CacheError>> {
        Box::pin(async move { self.link.command(&cmd("PING")).await.map_err(away) })
    }
}

/// Puts entries onto a board; without entries, the mark.
fn zadd(key: &str, entries: &[RankEntry]) -> Cmd {
    let mut command = cmd("ZADD");
    command.arg(key);
    if entries.is_empty() {
        command.arg(MARK_SCORE).arg(MARK);
    }
    for entry in entries {
        command.arg(entry.score.min(BOARD_SCORE_MAX)).arg(member(entry.share));
    }
    command
}

/// Of equal scores Redis gives the greater member first from above: the smaller id has the greater member.
fn member(share: ShareId) -> String {
    format!("{:016x}", i64::MAX - share.get())
}

fn entry((member, score): &(String, f64)) -> Result<RankEntry, CacheError> {
    let share = i64::from_str_radix(member, 16).ok().and_then(|number| ShareId::new(i64::MAX - number));
    // Scores are whole numbers that it can tell apart.
    let whole = (0.0..=BOARD_SCORE_MAX as f64).contains(score);
    match share.filter(|_| whole) {
        Some(share) => Ok(RankEntry { share, score: *score as u64 }),
        None => Err(CacheError(format!("no entry of a board: {member:?} {score}"))),
    }
}

fn away(error: RedisError) -> CacheError {
    CacheError(error.to_string())
}
