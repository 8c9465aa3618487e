//! The queue in NATS JetStream.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{ContextBuilder, PublishError};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, RawMessageErrorKind, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{AckKind, Context, ErrorCode, Message};
use async_nats::{Client, ConnectOptions, Request, ServerAddr};
use bytes::Bytes;
use drive_core::ports::{Append, Delivery, Lane, Later, Queue, QueueDepth, QueueError, SetAside};
use futures_util::future::{FutureExt, try_join_all};
use futures_util::stream::StreamExt;
use redis_link::Secret;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::reason::{join, split};

/// The one consumer of a lane.
const CONSUMER: &str = "appliers";

/// How long the server knows that it has an entry, so that one that is appended again after an answer that got lost is
/// there once. It holds the ids of all entries of this time in memory.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(30);

/// How long the server may say nothing while it hands out what is there, before it is asked whether it is.
const QUIET: Duration = Duration::from_millis(250);

/// Bytes of a prefix at most.
const PREFIX_BYTES_MAX: usize = 32;

/// Calls under way at most, before more wait in front of the client.
const CALLS_MAX: usize = 4096;

/// Who the drive is to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsLogin {
    /// Whoever may connect.
    Nobody,
    /// A user and a password.
    User(String, Secret),
    /// A token.
    Token(Secret),
    /// The text of a file of credentials: a JWT and its key.
    Credentials(Secret),
}

/// Where the queue is, and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsQueueConfig {
    /// Some or all of the servers, as `host:port` or `nats://host:port`.
    pub servers: Vec<String>,
    /// Who the drive is.
    pub login: NatsLogin,
    /// Through TLS only, with the certificates that the system trusts.
    pub tls: bool,
    /// What all names begin with: 1 to 32 of `a-z`, `A-Z`, `0-9`, `-`, `_`.
    pub prefix: String,
    /// Entries of a lane at most, and as many set aside.
    pub lane_entries_max: u32,
    /// Bytes of a lane at most, and as many set aside.
    pub lane_bytes_max: u32,
    /// How long entries that were handed out are one consumer's.
    pub lease: Duration,
    /// How long a call may take.
    pub deadline: Duration,
    /// Servers that keep each entry: 1, 3 or 5. More than half of them have it when its append is answered.
    pub replicas: u8,
}

/// A configuration that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongNatsConfig {
    /// The prefix.
    #[error("the prefix {0:?} is not 1 to {PREFIX_BYTES_MAX} letters, digits, '-' or '_'")]
    Prefix(String),
    /// A server, or none.
    #[error("the servers: {0}")]
    Servers(String),
    /// The login.
    #[error("the login: {0}")]
    Login(String),
}

/// The queue in JetStream: for each lane a stream with work-queue retention, which refuses what does not fit, one
/// durable consumer, and another stream for those set aside. An entry is tried for ever: setting aside is the applier's
/// decision, and a limit of the server (`max_deliver`) would leave the entry where nobody looks.
pub struct NatsQueue {
    client: Client,
    context: Context,
    config: NatsQueueConfig,
    /// What was found or made on the server; none before, and after each error.
    lanes: [Mutex<Option<Streams>>; Lane::ALL.len()],
}

/// The handles of a lane.
#[derive(Clone)]
struct Streams {
    work: Stream,
    aside: Stream,
    consumer: PullConsumer,
}

/// Names of a lane.
struct Names {
    work: String,
    aside: String,
    work_subject: String,
    aside_subject: String,
}

impl NatsQueue {
    /// The queue on these servers; the runtime is the caller's. Connects in the background, for ever.
    ///
    /// # Errors
    /// When the configuration can't be.
    pub async fn new(config: NatsQueueConfig) -> Result<Self, WrongNatsConfig> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
        if !(1..=PREFIX_BYTES_MAX).contains(&config.prefix.len()) || !config.prefix.bytes().all(fits) {
            return Err(WrongNatsConfig::Prefix(config.prefix));
        }
        let wrong = |error: std::io::Error| WrongNatsConfig::Servers(error.to_string());
        let servers: Vec<ServerAddr> =
            config.servers.iter().map(|server| server.parse().map_err(wrong)).collect::<Result<_, _>>()?;
        let options = match &config.login {
            NatsLogin::Nobody => ConnectOptions::new(),
            NatsLogin::User(user, password) => {
                ConnectOptions::with_user_and_password(user.clone(), password.0.clone())
            }
            NatsLogin::Token(token) => ConnectOptions::with_token(token.0.clone()),
            NatsLogin::Credentials(text) => ConnectOptions::with_credentials(&text.0)
                .map_err(|error| WrongNatsConfig::Login(error.to_string()))?,
        };
        let client = options
            .require_tls(config.tls)
            .retry_on_initial_connect()
            .connection_timeout(config.deadline)
            .request_timeout(Some(config.deadline))
            .client_capacity(CALLS_MAX)
            .connect(servers)
            .await
            .map_err(|error| WrongNatsConfig::Servers(error.to_string()))?;
        let context = ContextBuilder::new().timeout(config.deadline).ack_timeout(config.deadline);
        let context = context.max_ack_inflight(CALLS_MAX).build(client.clone());
        Ok(Self { client, context, config, lanes: Default::default() })
    }

    fn names(&self, lane: Lane) -> Names {
        let (prefix, lane) = (&self.config.prefix, lane.as_str());
        Names {
            work: format!("{prefix}_{lane}"),
            aside: format!("{prefix}_{lane}_aside"),
            work_subject: format!("{prefix}.{lane}.work"),
            aside_subject: format!("{prefix}.{lane}.aside"),
        }
    }

    /// Does something with a lane's streams within the deadline, and looks for them anew after an error.
    async fn with<T>(
        &self,
        lane: Lane,
        wait: Duration,
        act: impl AsyncFnOnce(&Streams) -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let patience = self.config.deadline.saturating_add(wait);
        let result = timeout(patience, async { act(&self.streams(lane).await?).await }).await;
        let result = result.unwrap_or_else(|_| Err(away(format!("no answer within {patience:?}"))));
        if matches!(result, Err(QueueError::Unavailable(_))) {
            *self.lanes[lane as usize].lock().await = None;
        }
        result
    }

    async fn streams(&self, lane: Lane) -> Result<Streams, QueueError> {
        let mut known = self.lanes[lane as usize].lock().await;
        if let Some(streams) = &*known {
            return Ok(streams.clone());
        }
        let Names { work, aside, work_subject, aside_subject } = self.names(lane);
        let config = |name: &str, subject, retention| Config {
            name: name.to_owned(),
            subjects: vec![subject],
            retention,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            max_messages: self.config.lane_entries_max.into(),
            max_bytes: self.config.lane_bytes_max.into(),
            num_replicas: self.config.replicas.into(),
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        let make = async |config: Config| {
            let name = config.name.clone();
            self.context.create_or_update_stream(config).await.map_err(away)?;
            self.context.get_stream(name).await.map_err(away)
        };
        let work = make(config(&work, work_subject, RetentionPolicy::WorkQueue)).await?;
        let aside = make(config(&aside, aside_subject, RetentionPolicy::Limits)).await?;
        let consumer = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.config.lease,
            max_deliver: -1,
            max_ack_pending: -1,
            ..pull::Config::default()
        };
        let consumer = work.create_consumer(consumer).await.map_err(away)?;
        Ok(known.insert(Streams { work, aside, consumer }).clone())
    }

    async fn publish(&self, subject: &str, id: &str, payload: Bytes) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        let sent = self.context.publish_with_headers(subject.to_owned(), headers, payload).await;
        sent.map_err(refused)?.await.map_err(refused)?;
        Ok(())
    }

    /// What is there now, and if that is nothing, the first that comes before `end`, with what is there then.
    async fn claim_now(
        &self,
        consumer: &PullConsumer,
        count: usize,
        end: Instant,
    ) -> Result<Vec<Delivery>, QueueError> {
        let mut deliveries = self.fetch(consumer, count).await?;
        let left = end.saturating_duration_since(Instant::now());
        if !deliveries.is_empty() || left.is_zero() {
            return Ok(deliveries);
        }
        let mut first = consumer.batch().max_messages(1).expires(left).messages().await.map_err(away)?;
        match timeout(left + self.config.deadline, first.next()).await {
            Ok(None) => {}
            Ok(Some(message)) => {
                deliveries.push(delivery(&message.map_err(away)?)?);
                // What was handed out is handed on, whatever becomes of the rest.
                if count > 1
                    && let Ok(more) = self.fetch(consumer, count - 1).await
                {
                    deliveries.extend(more);
                }
            }
            Err(_) => return Err(away("no word of the end of waiting")),
        }
        Ok(deliveries)
    }

    /// Up to `count` of what is there.
    async fn fetch(&self, consumer: &PullConsumer, count: usize) -> Result<Vec<Delivery>, QueueError> {
        let mut messages = consumer.fetch().max_messages(count).messages().await.map_err(away)?;
        let mut deliveries = Vec::new();
        let ended = loop {
            match timeout(QUIET, messages.next()).await {
                Ok(Some(message)) => match message.map_err(away).and_then(|message| delivery(&message)) {
                    Ok(delivery) => deliveries.push(delivery),
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(()),
                // After it was killed a server may count entries that are gone, and wait for them without a word. One
                // that answers and has sent nothing has nothing.
                Err(_) => break consumer.get_info().await.map(|_| ()).map_err(away),
            }
        };
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            deliveries.extend(delivery(&message));
        }
        // What was handed out is handed on, whatever became of the rest.
        if deliveries.is_empty() { ended.map(|()| deliveries) } else { Ok(deliveries) }
    }

    /// Tells the server what became of deliveries, and waits until it has understood.
    async fn answer(&self, lane: Lane, tickets: &[String], kind: AckKind) -> Result<(), QueueError> {
        let payload = Bytes::from(kind);
        let start = format!("$JS.ACK.{}.{CONSUMER}.", self.names(lane).work);
        let subjects = tickets.iter().filter_map(|ticket| parse(ticket, &start));
        let answers = subjects.map(|(_, subject)| {
            self.client.send_request(subject.to_owned(), Request::new().payload(payload.clone()))
        });
        try_join_all(answers).await.map_err(away)?;
        Ok(())
    }
}

impl std::fmt::Debug for NatsQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsQueue").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Queue for NatsQueue {
    fn append<'a>(&'a self, lane: Lane, entries: &'a [Append]) -> Later<'a, Result<(), QueueError>> {
        Box::pin(self.with(lane, Duration::ZERO, async move |_| {
            let subject = self.names(lane).work_subject;
            let all = entries.iter().map(|entry| {
                let subject = &subject;
                async move { self.publish(subject, &digest(&entry.bytes), entry.bytes.clone()).await }
            });
            try_join_all(all).await?;
            Ok(())
        }))
    }

    fn claim(
        &self,
        lane: Lane,
        count: usize,
        wait: Duration,
    ) -> Later<'_, Result<Vec<Delivery>, QueueError>> {
        Box::pin(async move {
            if count == 0 {
                return Ok(Vec::new());
            }
            let end = Instant::now() + wait;
            self.with(lane, wait, async |streams| self.claim_now(&streams.consumer, count, end).await).await
        })
    }

    fn acknowledge<'a>(&'a self, lane: Lane, tickets: &'a [String]) -> Later<'a, Result<(), QueueError>> {
        Box::pin(
            self.with(lane, Duration::ZERO, async move |_| self.answer(lane, tickets, AckKind::Ack).await),
        )
    }

    fn give_back<'a>(
        &'a self,
        lane: Lane,
        tickets: &'a [String],
        after: Duration,
    ) -> Later<'a, Result<(), QueueError>> {
        let after = Some(after).filter(|after| !after.is_zero());
        Box::pin(
            self.with(lane, Duration::ZERO, async move |_| {
                self.answer(lane, tickets, AckKind::Nak(after)).await
            }),
        )
    }

    fn set_aside<'a>(
        &'a self,
        lane: Lane,
        ticket: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<(), QueueError>> {
        Box::pin(self.with(lane, Duration::ZERO, async move |streams| {
            let names = self.names(lane);
            let start = format!("$JS.ACK.{}.{CONSUMER}.", names.work);
            let Some((place, _)) = parse(ticket, &start) else { return Ok(()) };
            let Some(entry) = message_at(&streams.work, place).await? else { return Ok(()) };
            // The same id when it comes again, after an answer that got lost.
            let id = format!("{place}-{}", digest(&entry));
            self.publish(&names.aside_subject, &id, join(reason, &entry).into()).await?;
            self.answer(lane, &[ticket.to_owned()], AckKind::Ack).await
        }))
    }

    fn list_set_aside<'a>(
        &'a self,
        lane: Lane,
        after: Option<&'a str>,
        count: usize,
    ) -> Later<'a, Result<Vec<SetAside>, QueueError>> {
        Box::pin(self.with(lane, Duration::ZERO, async move |streams| {
            let mut place: u64 = match after.map(str::parse) {
                None => 0,
                Some(Ok(place)) => place,
                Some(Err(_)) => return Ok(Vec::new()),
            };
            let subject = self.names(lane).aside_subject;
            let mut list = Vec::new();
            while list.len() < count {
                let next = place.saturating_add(1);
                match streams.aside.get_first_raw_message_by_subject(&subject, next).await {
                    Ok(message) => {
                        place = message.sequence;
                        let (reason, entry) = split(&message.payload).ok_or_else(no_row)?;
                        let bytes = Bytes::copy_from_slice(entry);
                        list.push(SetAside { ticket: place.to_string(), reason: reason.to_owned(), bytes });
                    }
                    Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => break,
                    Err(error) => return Err(away(error)),
                }
            }
            Ok(list)
        }))
    }

    fn retry_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>> {
        Box::pin(self.with(lane, Duration::ZERO, async move |streams| {
            let Ok(place) = ticket.parse() else { return Ok(()) };
            let Some(row) = message_at(&streams.aside, place).await? else { return Ok(()) };
            let (_, entry) = split(&row).ok_or_else(no_row)?;
            // Not the id it had at first: the server may still know that one, and leave this out.
            let id = format!("again-{place}-{}", digest(entry));
            self.publish(&self.names(lane).work_subject, &id, Bytes::copy_from_slice(entry)).await?;
            delete(&streams.aside, place).await
        }))
    }

    fn drop_set_aside<'a>(&'a self, lane: Lane, ticket: &'a str) -> Later<'a, Result<(), QueueError>> {
        Box::pin(self.with(lane, Duration::ZERO, async move |streams| match ticket.parse() {
            Ok(place) => delete(&streams.aside, place).await,
            Err(_) => Ok(()),
        }))
    }

    fn depth(&self, lane: Lane) -> Later<'_, Result<QueueDepth, QueueError>> {
        Box::pin(self.with(lane, Duration::ZERO, async move |streams| {
            let count = async |stream: &Stream| Ok(stream.get_info().await.map_err(away)?.state.messages);
            Ok(QueueDepth { waiting: count(&streams.work).await?, set_aside: count(&streams.aside).await? })
        }))
    }
}

/// A ticket is the place of the entry in its stream, and the subject at which the server wants to hear of it.
fn delivery(message: &Message) -> Result<Delivery, QueueError> {
    let info = message.info().map_err(away)?;
    let subject = message.reply.as_deref().unwrap_or_default();
    Ok(Delivery {
        ticket: format!("{}:{subject}", info.stream_sequence),
        attempt: u32::try_from(info.delivered).unwrap_or(u32::MAX),
        bytes: message.payload.clone(),
    })
}

/// The parts of a ticket; none for what was not made here.
fn parse<'a>(ticket: &'a str, start: &str) -> Option<(u64, &'a str)> {
    let (place, subject) = ticket.split_once(':')?;
    let numbers = subject.strip_prefix(start)?;
    let is_subject = numbers.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    Some((place.parse().ok()?, subject)).filter(|_| is_subject)
}

async fn message_at(stream: &Stream, place: u64) -> Result<Option<Bytes>, QueueError> {
    // None has this place, and the server refuses the question.
    if place == 0 {
        return Ok(None);
    }
    match stream.get_raw_message(place).await {
        Ok(message) => Ok(Some(message.payload)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(away(error)),
    }
}

async fn delete(stream: &Stream, place: u64) -> Result<(), QueueError> {
    if message_at(stream, place).await?.is_none() {
        return Ok(());
    }
    match stream.delete_message(place).await {
        Ok(_) => Ok(()),
        // Somebody else was first.
        Err(_) if message_at(stream, place).await?.is_none() => Ok(()),
        Err(error) => Err(away(error)),
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn no_row() -> QueueError {
    away("a message among those set aside is none")
}

fn away(error: impl ToString) -> QueueError {
    QueueError::Unavailable(error.to_string())
}

/// Why a message was not taken.
fn refused(error: PublishError) -> QueueError {
    let reason = std::error::Error::source(&error).and_then(|source| source.downcast_ref());
    match reason.map(async_nats::jetstream::Error::error_code) {
        Some(
            ErrorCode::STREAM_STORE_FAILED
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES,
        ) => QueueError::Full,
        _ => away(error),
    }
}
