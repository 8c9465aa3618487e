//! What administrators see of the queue: how much waits, and what could not be applied.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::access::Action;
use drive_core::page::page_rows;
use drive_core::ports::{Lane, Queue, QueueError, SetAside, TICKET_BYTES_MAX};
use drive_core::queue::{Entry, Event, decode};
use drive_core::{Part, Problem};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::{PageRows, refused};
use crate::fields::{Asked, Fields, Path};
use crate::refusal::Answer;
use crate::text::time;
use crate::v1::refusals::{ADMIN, FIELDS, QUEUE};
use crate::who::Signed;

/// A lane of the queue.
#[derive(Serialize, ToSchema)]
pub(crate) struct LaneView {
    /// `records` or `counts`.
    lane: &'static str,
    /// Entries that are not applied yet.
    waiting: u64,
    /// Entries that could not be applied.
    set_aside: u64,
}

/// The queue.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueueView {
    /// None without a queue.
    lanes: Vec<LaneView>,
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EntryKind {
    Account,
    File,
    Count,
}

/// An entry that could not be applied.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetAsideView {
    /// Names it.
    ticket: String,
    /// Why.
    reason: String,
    /// When it happened; none of what is no entry of this version.
    #[schema(required)]
    at: Option<String>,
    /// What it is about; none of what is no entry of this version.
    #[schema(required)]
    about: Option<EntryKind>,
    /// Whose name, or that of the file.
    #[schema(required)]
    name: Option<String>,
}

/// Entries that could not be applied, those that were set aside first in front.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetAsideList {
    rows: Vec<SetAsideView>,
}

impl From<SetAside> for SetAsideView {
    /// Passwords' hashes, and where bytes are, stay where they are.
    fn from(aside: SetAside) -> Self {
        let SetAside { ticket, reason, bytes } = aside;
        let (at, about, name) = match decode(&bytes) {
            Ok(Entry { at, event, .. }) => {
                let (about, name) = match event {
                    Event::Register(made) => (EntryKind::Account, Some(made.user_name.as_str().to_owned())),
                    Event::RecordUpload(record) => (EntryKind::File, Some(record.name.to_string())),
                    Event::Count(_) => (EntryKind::Count, None),
                };
                (Some(time(at)), Some(about), name)
            }
            Err(_) => (None, None, None),
        };
        Self { ticket, reason, at, about, name }
    }
}

/// Which of them.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsideQuery {
    /// The ticket of the last row of the page before.
    #[param(max_length = 255)]
    after: Option<String>,
    /// Rows at most.
    #[param(value_type = Option<PageRows>)]
    limit: Option<u32>,
}

/// An entry that was set aside.
#[derive(Deserialize, ToSchema)]
#[schema(as = QueueTicket)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    #[schema(max_length = 255)]
    ticket: String,
}

fn lane(text: &str) -> Result<Lane, Problem> {
    Lane::ALL.into_iter().find(|lane| lane.as_str() == text).ok_or(Problem::FieldInvalid("lane"))
}

fn ticket(text: String) -> Result<String, Problem> {
    if text.len() > TICKET_BYTES_MAX { Err(Problem::FieldInvalid("ticket")) } else { Ok(text) }
}

fn away(error: QueueError) -> Problem {
    tracing::warn!(%error, "the queue does not do what an administrator wants");
    Problem::Unavailable(Part::Queue)
}

/// The queue, for administrators.
fn queue(drive: &Drive, signed: &Signed) -> Result<Option<Arc<dyn Queue>>, Problem> {
    signed.may(|_| Action::Administer)?;
    Ok(drive.queue.clone())
}

/// How much there is in each lane; nothing without a queue.
pub(super) async fn lanes(queue: Option<&dyn Queue>) -> Result<Vec<LaneView>, Problem> {
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        let Some(queue) = queue else { break };
        let depth = queue.depth(lane).await.map_err(away)?;
        lanes.push(LaneView { lane: lane.as_str(), waiting: depth.waiting, set_aside: depth.set_aside });
    }
    Ok(lanes)
}

/// Where an entry is that an administrator names.
struct NamedEntry {
    queue: Arc<dyn Queue>,
    lane: Lane,
    ticket: String,
}

/// An entry that an administrator names; none without a queue.
fn entry(drive: &Drive, signed: &Signed, text: &str, named: Named) -> Result<Option<NamedEntry>, Problem> {
    let queue = queue(drive, signed)?;
    let (lane, ticket) = (lane(text)?, ticket(named.ticket)?);
    Ok(queue.map(|queue| NamedEntry { queue, lane, ticket }))
}

/// How much there is in the queue.
#[utoipa::path(
    get, path = "/admin/queue", operation_id = "getQueue", tag = "admin",
    responses((status = 200, description = "Its lanes.", body = QueueView)),
    extensions(("x-refusals" = json!(refused(&[ADMIN, QUEUE])))),
)]
pub(crate) async fn depth(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<QueueView>> {
    let queue = queue(&drive, &signed)?;
    Ok(Json(QueueView { lanes: lanes(queue.as_deref()).await? }))
}

/// What could not be applied.
#[utoipa::path(
    get, path = "/admin/queue/{lane}", operation_id = "listSetAside", tag = "admin",
    params(("lane" = String, Path, description = "`records` or `counts`."), AsideQuery),
    responses((status = 200, description = "A page.", body = SetAsideList)),
    extensions(("x-refusals" = json!(refused(&[ADMIN, QUEUE, FIELDS])))),
)]
pub(crate) async fn list(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(text): Path<String>,
    Asked(query): Asked<AsideQuery>,
) -> Answer<Json<SetAsideList>> {
    let queue = queue(&drive, &signed)?;
    let (lane, after) = (lane(&text)?, query.after.map(ticket).transpose()?);
    let limit = page_rows(query.limit)? as usize;
    let rows = match queue {
        Some(queue) => queue.list_set_aside(lane, after.as_deref(), limit).await.map_err(away)?,
        None => Vec::new(),
    };
    Ok(Json(SetAsideList { rows: rows.into_iter().map(SetAsideView::from).collect() }))
}

/// Puts an entry back into the queue, after what was the matter with it has been mended.
#[utoipa::path(
    post, path = "/admin/queue/{lane}/retry", operation_id = "retrySetAside", tag = "admin",
    params(("lane" = String, Path, description = "`records` or `counts`.")),
    request_body = Named,
    responses((status = 204, description = "It is there, or it was not among them.")),
    extensions(("x-refusals" = json!(refused(&[ADMIN, QUEUE, FIELDS])))),
)]
pub(crate) async fn retry(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(text): Path<String>,
    fields: Fields<Named>,
) -> Answer<StatusCode> {
    if let Some(NamedEntry { queue, lane, ticket }) = entry(&drive, &signed, &text, fields.value)? {
        queue.retry_set_aside(lane, &ticket).await.map_err(away)?;
        tracing::info!(lane = lane.as_str(), ticket, "an administrator puts an entry back into the queue");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets an entry that could not be applied: what it stands for is lost.
#[utoipa::path(
    post, path = "/admin/queue/{lane}/drop", operation_id = "dropSetAside", tag = "admin",
    params(("lane" = String, Path, description = "`records` or `counts`.")),
    request_body = Named,
    responses((status = 204, description = "It is gone, or it was not among them.")),
    extensions(("x-refusals" = json!(refused(&[ADMIN, QUEUE, FIELDS])))),
)]
pub(crate) async fn drop_one(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(text): Path<String>,
    fields: Fields<Named>,
) -> Answer<StatusCode> {
    if let Some(NamedEntry { queue, lane, ticket }) = entry(&drive, &signed, &text, fields.value)? {
        queue.drop_set_aside(lane, &ticket).await.map_err(away)?;
        tracing::warn!(lane = lane.as_str(), ticket, "an administrator drops an entry of the queue");
    }
    Ok(StatusCode::NO_CONTENT)
}
