//! The queue in Redis Streams.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{Append, Delivery, Lane, Later, Queue, QueueDepth, QueueError, SetAside};
use redis::{Script, ScriptInvocation, cmd, pipe};
use redis_link::{Link, RedisConfig, RedisError, WrongConfig};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::reason::cut;

/// The group of consumers, and its one consumer: whose an entry is, is said by its ticket and its lease.
const GROUP: &str = "appliers";
const CONSUMER: &str = "drive";

/// How long one look for new entries waits at most: after that entries whose leases are over are looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How many entries that are handed out one claim looks through, for those whose leases are over. With more, those
/// behind are found by a later claim.
const LOOK_THROUGH: usize = 50_000;

/// Appends all or none: lane, those set aside; most entries of both; then the entries. Answers whether they fit.
const APPEND: &str = "
if redis.call('XLEN', KEYS[1]) + redis.call('XLEN', KEYS[2]) + #ARGV - 1 > tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV do redis.call('XADD', KEYS[1], '*', 'entry', ARGV[i]) end
return 1
";

/// Hands out entries whose leases are over, then new ones: lane; group, consumer, lease, how many, how many rounds of
/// looking. Answers with ids, attempts and entries, and the last id that was ever handed out.
const CLAIM: &str = "
local key, group, consumer, lease = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local wanted, rounds = tonumber(ARGV[4]), tonumber(ARGV[5])
redis.pcall('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM')
local claimed, cursor = {}, '0-0'
while wanted > 0 and rounds > 0 do
    local found = redis.call('XAUTOCLAIM', key, group, consumer, lease, cursor, 'COUNT', wanted)
    cursor, rounds = found[1], rounds - 1
    for _, row in ipairs(found[2]) do
        local pending = redis.call('XPENDING', key, group, row[1], row[1], 1)
        claimed[#claimed + 1] = {row[1], pending[1][4], row[2][2]}
        wanted = wanted - 1
    end
    if cursor == '0-0' then break end
end
if wanted > 0 then
    local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', wanted, 'STREAMS', key, '>')
    for _, row in ipairs(read and read[1][2] or {}) do claimed[#claimed + 1] = {row[1], 1, row[2][2]} end
end
local last = '0-0'
for _, info in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local fields = {}
    for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
    if fields['name'] == group then last = fields['last-delivered-id'] end
end
return {claimed, last}
";

/// Takes entries out: lane; group, ids.
const ACKNOWLEDGE: &str = "
for i = 2, #ARGV do
    redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[i])
    redis.call('XDEL', KEYS[1], ARGV[i])
end
return 1
";

/// Lets leases end earlier: lane; group, consumer, for how long they count as held, ids. Does not count as handing out.
const GIVE_BACK: &str = "
for i = 4, #ARGV do
    redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'JUSTID')
end
return 1
";

/// Moves an entry to those set aside: lane, those set aside; group, id, reason.
const SET_ASIDE: &str = "
local rows = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if #rows == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', 'entry', rows[1][2][2], 'reason', ARGV[3])
redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
";

/// Moves one back: lane, those set aside; id.
const RETRY: &str = "
local rows = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])
if #rows == 0 then return 0 end
redis.call('XADD', KEYS[1], '*', 'entry', rows[1][2][2])
redis.call('XDEL', KEYS[2], ARGV[1])
return 1
";

/// Whether the server is asked how it keeps what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Appends are refused unless it has `appendonly yes`, `appendfsync always`, and a `maxmemory-policy` that leaves
    /// keys without an end alone.
    Checked,
    /// The operator knows: a server that does not answer `CONFIG`, or weaker promises that are good enough.
    Assumed,
}

/// Where the queue is, and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisQueueConfig {
    /// Where. Not a Redis that is a cache, too: its `maxmemory-policy` would evict the queue.
    pub redis: RedisConfig,
    /// Entries of a lane at most, those set aside included. An entry has up to 16 KiB, mostly 1; they are in memory.
    pub lane_entries_max: u64,
    /// How long entries that were handed out are one consumer's.
    pub lease: Duration,
    /// Replicas that have an entry when its append is answered: not on disk, but a master that is lost does not take
    /// it along.
    pub replicas: u32,
    /// Whether the server is asked how it keeps what it was told.
    pub persistence: Persistence,
}

/// The queue in Redis Streams: one stream for each lane, another for those set aside, one group of consumers. Every
/// change is one script. Bounded by refusing, not by trimming, which would drop what nobody has read.
#[derive(Debug)]
pub struct RedisQueue {
    link: Link,
    /// For appends that wait for replicas: what else comes through their connection waits along.
    appends: Link,
    /// One for each lane: a command that waits holds up all others of its connection. One waits at a time.
    waits: [Mutex<Link>; Lane::ALL.len()],
    config: RedisQueueConfig,
    /// The server keeps what it is told; asked again after each error, as another one may have taken its place.
    is_durable: AtomicBool,
    append: Script,
    claim: Script,
    acknowledge: Script,
    give_back: Script,
    set_aside: Script,
    retry: Script,
}

impl RedisQueue {
    /// The queue in this Redis. Connects at the first call.
    ///
    /// # Errors
    /// When the configuration can't be.
    pub fn new(config: RedisQueueConfig) -> Result<Self, WrongConfig> {
        let wait = || Link::new(&config.redis, LOOK_AGAIN * 2).map(Mutex::new);
        Ok(Self {
            link: Link::new(&config.redis, Duration::ZERO)?,
            appends: Link::new(&config.redis, Duration::ZERO)?,
            waits: [wait()?, wait()?],
            is_durable: AtomicBool::new(config.persistence == Persistence::Assumed),
            append: Script::new(APPEND),
            claim: Script::new(CLAIM),
            acknowledge: Script::new(ACKNOWLEDGE),
            give_back: Script::new(GIVE_BACK),
            set_aside: Script::new(SET_ASIDE),
            retry: Script::new(RETRY),
            config,
        })
    }

    /// The lane and those set aside, in one slot of a Cluster.
    fn keys(&self, lane: Lane) -> (String, String) {
        let (prefix, lane) = (&self.config.redis.prefix, lane.as_str());
        (format!("{prefix}:{{queue:{lane}}}:work"), format!("{prefix}:{{queue:{lane}}}:aside"))
    }

    async fn check_persistence(&self) -> Result<(), QueueError> {
        if self.is_durable.load(Ordering::Relaxed) {
            return Ok(());
        }
        for (setting, fits) in [
            ("appendonly", (|value| value == "yes") as fn(&str) -> bool),
            ("appendfsync", |value| value == "always"),
            ("maxmemory-policy", |value| !value.starts_with("allkeys")),
        ] {
            let mut command = cmd("CONFIG");
            command.arg("GET").arg(setting);
            let answer: Vec<String> = self.link.command(&command).await.map_err(away)?;
            let value = answer.get(1).map_or("", String::as_str);
            if !fits(value) {
                return Err(QueueError::Unavailable(format!(
                    "the server would lose entries: {setting} {value}"
                )));
            }
        }
        self.is_durable.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn append_now(&self, script: &ScriptInvocation<'_>) -> Result<(), QueueError> {
        self.check_persistence().await?;
        let fits = match self.config.replicas {
            0 => self.link.script(script).await,
            replicas => self.appends.script_on_replicas(script, replicas).await,
        };
        match fits {
            Ok(true) => Ok(()),
            Ok(false) => Err(QueueError::Full),
            Err(error) => {
                self.is_durable.store(self.config.persistence == Persistence::Assumed, Ordering::Relaxed);
                Err(away(error))
            }
        }
    }

    /// What can be handed out now, and the id behind which new entries come.
    async fn claim_now(&self, lane: Lane, count: usize) -> Result<(Vec<Delivery>, String), QueueError> {
        let mut script = self.claim.prepare_invoke();
        script.key(self.keys(lane).0).arg(GROUP).arg(CONSUMER).arg(millis(self.config.lease));
        // Each round looks through ten times as many as are wanted.
        script.arg(count).arg(LOOK_THROUGH.div_ceil(count.max(1) * 10));
        type Rows = Vec<(String, u64, Vec<u8>)>;
        let (rows, last): (Rows, String) = self.link.script(&script).await.map_err(away)?;
        let delivery = |(ticket, attempt, bytes): (String, u64, Vec<u8>)| Delivery {
            ticket,
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            bytes: bytes.into(),
        };
        Ok((rows.into_iter().map(delivery).collect(), last))
    }

    /// Until there are entries behind `last`, or it is time to look for leases.
    async fn wait_for_new(&self, lane: Lane, last: &str, end: Instant) -> Result<(), QueueError> {
        let end = end.min(Instant::now() + LOOK_AGAIN);
        let Ok(link) = timeout_at(end, self.waits[lane as usize].lock()).await else { return Ok(()) };
        let slice = end.saturating_duration_since(Instant::now());
        let mut command = cmd("XREAD");
        // 0 is for ever.
        command
            .arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(millis(slice))
            .arg("STREAMS")
            .arg(self.keys(lane).0)
            .arg(last);
        // Whoever waited before and went away is still waited for by the server.
        link.blocking::<redis::Value>(&command, slice + LOOK_AGAIN).await.map_err(away)?;
        Ok(())
    }
}

impl Queue for RedisQueue {
    fn append<'a>(&'a self, lane: Lane, entries: &'a [Append]) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let (work, aside) = self.keys(lane);
            let mut script = self.append.prepare_invoke();
            script.key(work).key(aside).arg(self.config.lane_entries_max);
            for entry in entries {
                script.arg(&entry.bytes[..]);
            }
            self.append_now(&script).await
        })
    }

    fn claim(
        &self,
        lane: Lane,
        count: usize,
        wait: Duration,
    ) -> Later<'_, Result<Vec<Delivery>, QueueError>> {
        Box::pin(async move {
            let end = Instant::now() + wait;
            loop {
                let (deliveries, last) = self.claim_now(lane, count).await?;
                if !deliveries.is_empty() || count == 0 || Instant::now() >= end {
                    return Ok(deliveries);
                }
                self.wait_for_new(lane, &last, end).await?;
            }
        })
    }

    fn acknowledge<'a>(&'a self, lane: Lane, tickets: &'a [String]) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let mut script = self.acknowledge.prepare_invoke();
            script.key(self.keys(lane).0).arg(GROUP);
            for ticket in tickets.iter().filter(|ticket| is_id(ticket)) {
                script.arg(ticket);
            }
            self.link.script(&script).await.map_err(away)
        })
    }

    fn give_back<'a>(
        &'a self,
        lane: Lane,
        tickets: &'a [String],
        after: Duration,
    ) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let mut script = self.give_back.prepare_invoke();
            let held = self.config.lease.saturating_sub(after);
            script.key(self.keys(lane).0).arg(GROUP).arg(CONSUMER).arg(held.as_millis() as u64);
            for ticket in tickets.iter().filter(|ticket| is_id(ticket)) {
                script.arg(ticket);
            }
            self.link.script(&script).await.map_err(away)
        })
    }

    fn set_aside<'a>(
        &'a self,
        lane: Lane,
        ticket: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            if !is_id(ticket) {
                return Ok(());
            }
            let (work, aside) = self.keys(lane);
            let mut script = self.set_aside.prepare_invoke();
            script.key(work).key(aside).arg(GROUP).arg(ticket).arg(cut(reason));
            self.link.script(&script).await.map_err(away)
        })
    }

    fn list_set_aside<'a>(
        &'a self,
        lane: Lane,
        after: Option<&'a str>,
        count: usize,
    ) -> Later<'a, Result<Vec<SetAside>, QueueError>> {
        Box::pin(async move {
            let first = match after {
                None => "-".to_owned(),
                Some(id) if is_id(id) => format!("({id}"),
                Some(_) => return Ok(Vec::new()),
            };
            let mut command = cmd("XRANGE");
            command.arg(self.keys(lane).1).arg(first).arg("+").arg("COUNT").arg(count);
            type Rows = Vec<(String, (String, Vec<u8>, String, String))>;
            let rows: Rows = self.link.command(&command).await.map_err(away)?;
            let row =
                |(ticket, (_, entry, _, reason))| SetAside { ticket, reason, bytes: Bytes::from(entry) };
            Ok(rows.into_iter().map(row).collect())
        })
    }

    fn retry_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            if !is_id(ticket) {
                return Ok(());
            }
            let (work, aside) = self.keys(lane);
            let mut script = self.retry.prepare_invoke();
            script.key(work).key(aside).arg(ticket);
            self.link.script(&script).await.map_err(away)
        })
    }

    fn drop_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>> {
        Box::pin(async move {
            if !is_id(ticket) {
                return Ok(());
            }
            let mut command = cmd("XDEL");
            command.arg(self.keys(lane).1).arg(ticket);
            self.link.command(&command).await.map_err(away)
        })
    }

    fn depth(&self, lane: Lane) -> Later<'_, Result<QueueDepth, QueueError>> {
        Box::pin(async move {
            let (work, aside) = self.keys(lane);
            let mut lengths = pipe();
            lengths.cmd("XLEN").arg(work).cmd("XLEN").arg(aside);
            let (waiting, set_aside) = self.link.pipeline(&lengths).await.map_err(away)?;
            Ok(QueueDepth { waiting, set_aside })
        })
    }
}

/// Milliseconds, one at least.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Is this the id of an entry of a stream: two numbers?
fn is_id(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(time, number)| [time, number].iter().all(|part| part.parse::<u64>().is_ok()))
}

fn away(error: RedisError) -> QueueError {
    match error {
        RedisError::OutOfMemory => QueueError::Full,
        error => QueueError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn an_id_is_two_numbers() {
        for (text, is) in [
            ("1700000000000-0", true),
            ("0-18446744073709551615", true),
            ("", false),
            ("-", false),
            ("+", false),
            ("5", false),
            ("5-*", false),
            ("(5-1", false),
            ("0-18446744073709551616", false),
        ] {
            assert_eq!(is_id(text), is, "{text}");
        }
    }
}
