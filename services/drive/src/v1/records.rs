//! What came of a record that was accepted and not applied at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use drive_core::Problem;
use drive_core::queue::{EntryKey, Outcome};
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Drive;
use crate::described::{IdText, RecordKeyText, refused};
use crate::fields::Path;
use crate::refusal::Answer;
use crate::v1::refusals::FIELDS;
use crate::who::Visitor;

/// A record, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordView {
    /// Names it: 32 hexadecimal digits, which nobody can guess.
    #[schema(value_type = RecordKeyText)]
    key: String,
    state: Progress,
    /// The account that was made.
    #[schema(value_type = Option<IdText>, required)]
    account: Option<String>,
    /// The file that was made.
    #[schema(value_type = Option<IdText>, required)]
    node: Option<String>,
    /// The code of the problem for which it was refused.
    #[schema(required)]
    problem: Option<String>,
}

/// How far a record is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Progress {
    /// It will be applied; or there never was one, or it was applied more than a week ago.
    Waiting,
    /// It was applied.
    Applied,
    /// It was refused.
    Refused,
}

impl RecordView {
    fn of(key: EntryKey, outcome: Option<Outcome>) -> Self {
        let mut view =
            Self { key: key.into(), state: Progress::Applied, account: None, node: None, problem: None };
        match outcome {
            None => view.state = Progress::Waiting,
            Some(Outcome::Registered(account)) => view.account = Some(account.to_string()),
            Some(Outcome::Recorded(node)) => view.node = Some(node.to_string()),
            Some(Outcome::Refused(code)) => (view.state, view.problem) = (Progress::Refused, Some(code)),
        }
        view
    }
}

/// The answer to a request whose record is certain and not applied yet.
pub(crate) fn accepted(key: EntryKey) -> Response {
    let view = RecordView::of(key, None);
    let place = format!("/api/v1/records/{}", view.key);
    (StatusCode::ACCEPTED, [(LOCATION, place)], Json(view)).into_response()
}

/// What came of a record.
#[utoipa::path(
    get, path = "/records/{key}", operation_id = "getRecord", tag = "records",
    params(("key" = RecordKeyText, Path, description = "A record.")),
    security(("token" = []), ("session" = []), ()),
    responses((status = 200, description = "How far it is.", body = RecordView)),
    extensions(("x-refusals" = json!(refused(&[FIELDS])))),
)]
pub(crate) async fn get(
    State(drive): State<Arc<Drive>>,
    _visitor: Visitor,
    Path(key): Path<String>,
) -> Answer<Json<RecordView>> {
    let key = EntryKey::try_from(key).map_err(|_| Problem::FieldInvalid("key"))?;
    Ok(Json(RecordView::of(key, drive.database.outcome(key).await?)))
}
