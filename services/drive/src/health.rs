//! Whether the drive can do its work: for whoever watches it.

use std::fmt::Display;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use drive_core::ports::{Lane, Queue, QueueDepth, QueueError};
use http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;

use crate::app::Drive;

/// How long a part may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// A part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Ok,
    Away,
}

impl Part {
    fn of(trouble: Option<&String>) -> Self {
        if trouble.is_none() { Self::Ok } else { Self::Away }
    }
}

/// What the drive is made of, and whether it answers.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    database: Part,
    bytes: Part,
    cache: Part,
    /// None when there is no queue.
    queue: Option<Part>,
}

/// How the parts were when they were asked: what was the matter, if something was.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) database: Option<String>,
    pub(crate) bytes: Option<String>,
    pub(crate) cache: Option<String>,
    /// None when there is no queue.
    queue: Option<Result<[QueueDepth; Lane::ALL.len()], String>>,
}

impl Seen {
    /// Every part there is, and what is the matter with it.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, Option<&String>)> {
        let always = [("database", &self.database), ("bytes", &self.bytes), ("cache", &self.cache)];
        let queue = self.queue.as_ref().map(|queue| ("queue", queue.as_ref().err()));
        always.into_iter().map(|(part, trouble)| (part, trouble.as_ref())).chain(queue)
    }

    /// How much there is in a lane, if the queue said so.
    pub(crate) fn depth(&self, lane: Lane) -> Option<QueueDepth> {
        let [records, counts] = self.queue.as_ref()?.as_ref().ok()?;
        Some(match lane {
            Lane::Records => *records,
            Lane::Counts => *counts,
        })
    }
}

async fn asked<T, E: Display>(check: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(PATIENCE, check).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn depths(queue: &dyn Queue) -> Result<[QueueDepth; Lane::ALL.len()], QueueError> {
    Ok([queue.depth(Lane::Records).await?, queue.depth(Lane::Counts).await?])
}

impl Drive {
    /// Asks all parts whether they are there. What they say is kept, too, for who asks without waiting.
    pub(crate) async fn look_at_parts(&self) -> Seen {
        let queue = async {
            match &self.queue {
                Some(queue) => Some(asked(depths(&**queue)).await),
                None => None,
            }
        };
        let (database, bytes, cache, queue) = tokio::join!(
            // On the heap, like all that is long: the call itself has many states.
            asked(Box::pin(self.database.has_administrator())),
            asked(self.blobs.check()),
            asked(self.cache.check()),
            queue
        );
        let seen = Seen { database: database.err(), bytes: bytes.err(), cache: cache.err(), queue };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen.clone());
        seen
    }
}

/// 200 when all parts answer, else 503. The drive goes on without some of them: a load balancer that takes a process
/// away for that takes them all away.
pub(crate) async fn health(State(drive): State<Arc<Drive>>) -> (StatusCode, Json<Health>) {
    let seen = drive.look_at_parts().await;
    let status = match seen.parts().all(|(_, trouble)| trouble.is_none()) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let Seen { database, bytes, cache, queue } = &seen;
    let health = Health {
        database: Part::of(database.as_ref()),
        bytes: Part::of(bytes.as_ref()),
        cache: Part::of(cache.as_ref()),
        queue: queue.as_ref().map(|queue| Part::of(queue.as_ref().err())),
    };
    (status, Json(health))
}
