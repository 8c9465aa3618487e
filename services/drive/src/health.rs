//! Whether the drive can do its work: for whoever watches it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use drive_core::ports::Lane;
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

/// What the drive is made of, and whether it answers.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    database: Part,
    bytes: Part,
    cache: Part,
    /// None when there is no queue.
    queue: Option<Part>,
}

async fn part<E>(check: impl Future<Output = Result<(), E>>) -> Part {
    match timeout(PATIENCE, check).await {
        Ok(Ok(())) => Part::Ok,
        Ok(Err(_)) | Err(_) => Part::Away,
    }
}

/// 200 when all parts answer, else 503. The drive goes on without some of them: a load balancer that takes a process
/// away for that takes them all away.
pub(crate) async fn health(State(drive): State<Arc<Drive>>) -> (StatusCode, Json<Health>) {
    let database = async { drive.database.has_administrator().await.map(drop) };
    let queue = async {
        match &drive.queue {
            Some(queue) => Some(part(async { queue.depth(Lane::Records).await.map(drop) }).await),
            None => None,
        }
    };
    let (database, bytes, cache, queue) =
        tokio::join!(part(database), part(drive.blobs.check()), part(drive.cache.check()), queue);
    let all = [Some(database), Some(bytes), Some(cache), queue].into_iter().flatten();
    let status = match all.into_iter().all(|part| part == Part::Ok) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Health { database, bytes, cache, queue }))
}
