//! Entries of a lane are claimed, applied in one transaction, and acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use drive_core::Problem;
use drive_core::ports::{Delivery, Lane, Queue, QueueError, REASON_BYTES_MAX};
use drive_core::queue::{BATCH_ENTRIES, Entry, Failure, Verdict, decode, verdict};
use net::Stop;

use super::pause;
use crate::app::Drive;
use crate::counts::OfLane;

/// How long a claim waits for the first entry: a stop takes no longer.
const CLAIM_WAIT: Duration = Duration::from_secs(1);

/// How long an applier rests when the queue is away.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// Applies what is in a lane until `stop`.
pub(super) async fn run(drive: Arc<Drive>, queue: Arc<dyn Queue>, lane: Lane, mut stop: Stop) {
    let applier = Applier { drive, queue, lane };
    while !stop.stopping() {
        let claimed = applier.queue.claim(lane, BATCH_ENTRIES, CLAIM_WAIT).await;
        let done = match claimed {
            Ok(deliveries) if deliveries.is_empty() => continue,
            Ok(deliveries) => applier.batch(deliveries).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            // What was claimed comes back by itself.
            tracing::warn!(lane = lane.as_str(), %error, "the queue does not answer");
            if pause(&mut stop, AWAY_PAUSE).await {
                return;
            }
        }
    }
}

/// Entries that are applied one by one, and given back one after the other, until the rest is, too.
const GIVEN_BACK_MAX: u32 = 3;

struct Applier {
    drive: Arc<Drive>,
    queue: Arc<dyn Queue>,
    lane: Lane,
}

impl Applier {
    fn count(&self) -> &OfLane {
        self.drive.counts.lane(self.lane)
    }

    async fn batch(&self, deliveries: Vec<Delivery>) -> Result<(), QueueError> {
        let mut readable = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match decode(&delivery.bytes) {
                Ok(entry) => readable.push((delivery, entry)),
                Err(error) => {
                    self.fail(&[&delivery], Failure::Undecodable, &error.to_string()).await?;
                }
            }
        }
        match self.apply(&readable).await? {
            None | Some(Verdict::GiveBack(_) | Verdict::SetAside) => Ok(()),
            Some(Verdict::OneByOne) => {
                let mut rest = readable.iter();
                let mut given_back = 0;
                while let Some(one) = rest.next() {
                    match self.apply(std::slice::from_ref(one)).await? {
                        Some(Verdict::GiveBack(_)) => given_back += 1,
                        _ => given_back = 0,
                    }
                    // It is the database: each more would wait as long.
                    if given_back == GIVEN_BACK_MAX && rest.len() > 0 {
                        let tickets: Vec<String> =
                            rest.map(|(delivery, _)| delivery.ticket.clone()).collect();
                        return self.queue.give_back(self.lane, &tickets, AWAY_PAUSE).await;
                    }
                }
                Ok(())
            }
        }
    }

    /// Applies entries in one transaction; what was done about them if that failed.
    async fn apply(&self, part: &[(Delivery, Entry)]) -> Result<Option<Verdict>, QueueError> {
        if part.is_empty() {
            return Ok(None);
        }
        let entries: Vec<Entry> = part.iter().map(|(_, entry)| entry.clone()).collect();
        match self.drive.database.apply(&entries, self.drive.now()).await {
            Ok(outcomes) => {
                self.drive.waiting.tell(outcomes);
                self.count().applied.fetch_add(part.len() as u64, Relaxed);
                let tickets: Vec<String> = part.iter().map(|(delivery, _)| delivery.ticket.clone()).collect();
                self.queue.acknowledge(self.lane, &tickets).await?;
                Ok(None)
            }
            Err(problem) => {
                let failure = match problem {
                    Problem::Unavailable(_) => Failure::Unavailable,
                    _ => Failure::Broken,
                };
                let deliveries: Vec<&Delivery> = part.iter().map(|(delivery, _)| delivery).collect();
                self.fail(&deliveries, failure, &problem.to_string()).await.map(Some)
            }
        }
    }

    async fn fail(
        &self,
        deliveries: &[&Delivery],
        failure: Failure,
        reason: &str,
    ) -> Result<Verdict, QueueError> {
        let attempt = deliveries.iter().map(|delivery| delivery.attempt).max().unwrap_or(1);
        let verdict = verdict(failure, deliveries.len(), attempt);
        let (lane, entries) = (self.lane.as_str(), deliveries.len());
        match verdict {
            Verdict::OneByOne => tracing::warn!(lane, entries, reason, "entries are applied one by one"),
            Verdict::GiveBack(after) => {
                tracing::warn!(lane, entries, attempt, reason, ?after, "entries could not be applied yet");
                let tickets: Vec<String> =
                    deliveries.iter().map(|delivery| delivery.ticket.clone()).collect();
                self.queue.give_back(self.lane, &tickets, after).await?;
                self.count().given_back.fetch_add(entries as u64, Relaxed);
            }
            Verdict::SetAside => {
                tracing::error!(lane, entries, attempt, reason, "entries are set aside");
                let cut = reason.floor_char_boundary(REASON_BYTES_MAX);
                let reason = reason.get(..cut).unwrap_or_default();
                for delivery in deliveries {
                    self.queue.set_aside(self.lane, &delivery.ticket, reason).await?;
                    self.count().set_aside.fetch_add(1, Relaxed);
                }
            }
        }
        Ok(verdict)
    }
}
