//! The loop: looks, changes, messages.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use cluster_probe::Target;
use daemon::limits;
use daemon::service_manager::ServiceManager;
use daemon::signals::Signals;
use fdfs_conf::WatchConf;
use notify::SendError;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use watch_core::kept::Kept;
use watch_core::{Batch, Looked, Message, Outbox, Rules, Sight, Watch};

use super::channels::Named;
use super::kept::KeptFile;
use super::{language_of, now, severity_of};
use crate::cmd::doctor::{self, Seen};

/// How long a look may take. Each question has a deadline of its own; this is for a cluster that answers none of many.
const LOOK_WAIT: Duration = Duration::from_secs(600);
/// How often a service manager hears from us.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How long messages that are on their way are waited for at the end.
const END_WAIT: Duration = Duration::from_secs(5);

/// Looks and tells until a signal.
pub(super) async fn watch(conf: &WatchConf, channels: Vec<Named>) -> anyhow::Result<()> {
    // Caught before anybody hears that it is ready.
    let stop = Signals::install().context("catch signals")?.stop_wished(|| {});
    tokio::pin!(stop);
    limits::set_file_modes();
    let manager = ServiceManager::of_environment().context("NOTIFY_SOCKET")?;
    let mut watcher = Watcher::new(conf, channels)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        every_s = conf.interval.as_secs(),
        open = watcher.watch.open(),
        channels = ?watcher.channels.iter().map(|one| &one.name).collect::<Vec<_>>(),
        "watching"
    );
    manager.ready(&format!("looks every {} s", conf.interval.as_secs()));
    let mut looks = interval(conf.interval);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beats = interval(BEAT_EVERY);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looking: Option<JoinHandle<anyhow::Result<Seen>>> = None;
    loop {
        let due = watcher.send();
        let wake = sleep_until(due.unwrap_or_else(|| Instant::now() + LOOK_WAIT));
        tokio::select! {
            () = &mut stop => break,
            _ = looks.tick(), if looking.is_none() => looking = Some(tokio::spawn(look(conf.clone()))),
            seen = finished(&mut looking), if looking.is_some() => {
                looking = None;
                match seen {
                    Ok(seen) => watcher.seen(seen),
                    Err(error) => tracing::error!(error = format!("{error:#}"), "this look failed"),
                }
            }
            Some(sent) = watcher.sends.join_next(), if !watcher.sends.is_empty() => watcher.sent(sent),
            () = wake, if due.is_some() => {}
            _ = beats.tick(), if manager.watchdog().is_some() => manager.alive(),
        }
    }
    manager.stopping();
    tracing::info!("stopping");
    if let Some(looking) = looking {
        looking.abort();
    }
    watcher.end().await;
    Ok(())
}

async fn look(conf: WatchConf) -> anyhow::Result<Seen> {
    let named = conf.tracker_servers.iter().flat_map(|servers| servers.iter());
    let trackers = named.map(|address| Target { address: address.clone(), named: true }).collect();
    timeout(LOOK_WAIT, doctor::look(&conf.confs, trackers)).await.context("it took too long")
}

/// The end of a look that goes on.
async fn finished(looking: &mut Option<JoinHandle<anyhow::Result<Seen>>>) -> anyhow::Result<Seen> {
    match looking {
        Some(looking) => looking.await.context("look")?,
        None => std::future::pending().await,
    }
}

/// Which channel, and how it went.
type Sent = (usize, Result<(), SendError>);

struct Watcher<'a> {
    conf: &'a WatchConf,
    watch: Watch,
    channels: Vec<Named>,
    /// One for each channel.
    outboxes: Vec<Outbox>,
    /// At most one for each channel.
    sends: JoinSet<Sent>,
    began: Instant,
    file: KeptFile,
}

impl<'a> Watcher<'a> {
    fn new(conf: &'a WatchConf, channels: Vec<Named>) -> anyhow::Result<Self> {
        let (file, mut kept) = KeptFile::take(&conf.base_path)?;
        let rules = Rules {
            threshold: severity_of(conf),
            looks: conf.looks,
            repeat_s: conf
                .repeat_interval
                .map_or(0, |repeat| i64::try_from(repeat.as_secs()).unwrap_or(i64::MAX)),
        };
        let outboxes =
            channels.iter().map(|one| kept.outboxes.remove(&one.name).unwrap_or_default()).collect();
        for (channel, outbox) in kept.outboxes.iter().filter(|(_, outbox)| outbox.waiting() > 0) {
            tracing::warn!(
                channel,
                changes = outbox.waiting(),
                "there is no such channel any more: not told"
            );
        }
        Ok(Self {
            conf,
            watch: Watch::new(rules, kept.troubles),
            channels,
            outboxes,
            sends: JoinSet::new(),
            began: Instant::now(),
            file,
        })
    }

    /// Takes in what a look has seen.
    fn seen(&mut self, seen: Seen) {
        let language = language_of(self.conf);
        let sights = seen.found.iter().map(|what| Sight::new(what, language)).collect();
        let mut changes = Vec::new();
        tracing::debug!(
            findings = seen.found.len(),
            trackers = seen.checked.trackers,
            storages = seen.checked.storages,
            "looked"
        );
        self.watch.step(now().0, Looked { sights, unseen: seen.unseen }, &mut changes);
        if self.watch.left_out() > 0 {
            tracing::error!(findings = self.watch.left_out(), "more is wrong than can be told");
        }
        for change in &changes {
            tracing::info!(
                change = ?change.kind,
                severity = change.sight.severity.word(),
                code = change.sight.code,
                what = change.sight.what,
                "news"
            );
        }
        if !changes.is_empty() {
            for (channel, outbox) in self.channels.iter().zip(&mut self.outboxes) {
                let lost = outbox.push(&changes);
                if lost > 0 {
                    tracing::error!(
                        channel = channel.name,
                        changes = lost,
                        "too much waits: the oldest are not told"
                    );
                }
            }
        }
        self.keep();
    }

    /// Begins to send what is due; when something else will be.
    fn send(&mut self) -> Option<Instant> {
        let elapsed = self.began.elapsed();
        for (number, outbox) in self.outboxes.iter_mut().enumerate() {
            let Some(batch) = outbox.begin(elapsed) else { continue };
            let Some(channel) = self.channels.get(number).map(|one| one.channel.clone()) else { continue };
            let message = message(self.conf, batch);
            self.sends.spawn(async move { (number, channel.send(&message, now().1).await) });
        }
        let due = self.outboxes.iter().filter_map(Outbox::deadline).min();
        due.map(|due| self.began + due)
    }

    fn sent(&mut self, sent: Result<Sent, tokio::task::JoinError>) {
        let (number, result) = match sent {
            Ok(sent) => sent,
            // A task of ours never panics; one that did has its message still waiting after a restart.
            Err(error) => return tracing::error!(%error, "sending a message"),
        };
        let (Some(channel), Some(outbox)) = (self.channels.get(number), self.outboxes.get_mut(number)) else {
            return;
        };
        let (name, host) = (channel.name.as_str(), channel.channel.host());
        match result {
            Ok(()) => {
                outbox.sent();
                tracing::info!(channel = name, host, "told");
            }
            Err(error) => {
                let wait = outbox.failed(self.began.elapsed());
                tracing::warn!(channel = name, host, %error, again_in_s = wait.as_secs(), "not told");
            }
        }
        self.keep();
    }

    fn keep(&mut self) {
        let names = self.channels.iter().map(|one| one.name.clone());
        let outboxes: BTreeMap<String, Outbox> = names.zip(self.outboxes.iter().cloned()).collect();
        self.file.keep(&Kept::new(self.watch.troubles().cloned().collect(), outboxes));
    }

    /// Lets what is on its way arrive; what does not is sent again after the next start.
    async fn end(mut self) {
        let arrive = async {
            while let Some(sent) = self.sends.join_next().await {
                self.sent(sent);
            }
        };
        if timeout(END_WAIT, arrive).await.is_err() {
            tracing::warn!("messages are still on their way: they are sent again after the next start");
        }
    }
}

fn message(conf: &WatchConf, batch: Batch) -> Message {
    Message { name: conf.name.clone(), language: language_of(conf), at: now().0, batch: Some(batch) }
}
