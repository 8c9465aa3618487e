//! The drive at a glance, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::UnixMillis;
use drive_core::account::UserName;
use drive_core::totals::{Counted, Totals};
use drive_core::upload::Upload;
use drive_db::UNDER_WAY_COUNTED_MAX;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Drive;
use crate::described::{IdText, refused};
use crate::refusal::Answer;
use crate::text::time;
use crate::v1::admin::administers;
use crate::v1::queue::{LaneView, lanes};
use crate::v1::refusals::ADMIN;
use crate::who::Signed;

/// Uploads that are told one by one at most.
const UPLOADS_TOLD_MAX: u32 = 50;

/// The drive at a glance.
#[derive(Serialize, ToSchema)]
#[schema(as = Overview)]
pub(crate) struct OverviewView {
    /// Of the program.
    version: &'static str,
    /// Null while they are counted for the first time.
    #[schema(required)]
    totals: Option<TotalsView>,
    uploads: UnderWayView,
    /// Requests that bring files to the process that answers, now.
    receiving: u32,
    /// Of the queue, as in `/admin/queue`: none without one, null when it does not answer.
    #[schema(required)]
    lanes: Option<Vec<LaneView>>,
}

/// What there is in all. It is counted in parts while the drive goes on, at most every half minute, and where there is so much
/// that it takes long, more seldom: `counted_at` says when.
#[derive(Serialize, ToSchema)]
#[schema(as = Totals)]
struct TotalsView {
    #[schema(format = DateTime)]
    counted_at: String,
    accounts: u64,
    /// Of all accounts, the trash included.
    folders: u64,
    /// Of all accounts, the trash included.
    files: u64,
    /// Bytes of all files, as quotas count them.
    used_bytes: u64,
    /// Bytes that uploads under way have reserved.
    reserved_bytes: u64,
    /// Contents that differ: each is stored once, however many files have it.
    contents: u64,
    /// Bytes of these.
    stored_bytes: u64,
    /// Links of all kinds.
    links: u64,
    /// Links that were neither taken back, nor have they ended or been used up.
    links_open: u64,
}

/// Uploads under way: those that can be resumed. A file that comes in one request is not known before its end.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadsUnderWay)]
struct UnderWayView {
    /// How many; 10000: so many or more.
    #[schema(maximum = 10000)]
    count: u64,
    /// The last begun first, some of them.
    rows: Vec<UploadOfView>,
}

/// An upload of somebody. What the file is called is its owner's business.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadOf)]
struct UploadOfView {
    #[schema(value_type = IdText)]
    id: String,
    /// Whose.
    user_name: String,
    /// Bytes that are here.
    offset: u64,
    /// Bytes in all; null while that is not known.
    #[schema(required)]
    length: Option<u64>,
    /// Somebody sends. Otherwise it waits to be gone on with.
    sending: bool,
    /// When it is given up unless something comes.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<Counted> for TotalsView {
    fn from(counted: Counted) -> Self {
        let Totals { accounts, files, used, reserved, contents, stored, links, links_open, .. } =
            counted.totals;
        Self {
            counted_at: time(counted.at),
            accounts,
            folders: counted.totals.folders(),
            files,
            used_bytes: used.get(),
            reserved_bytes: reserved.get(),
            contents,
            stored_bytes: stored.get(),
            links,
            links_open,
        }
    }
}

impl UploadOfView {
    fn of(upload: &Upload, user_name: &UserName, now: UnixMillis) -> Self {
        Self {
            id: upload.id.to_string(),
            user_name: user_name.as_str().to_owned(),
            offset: upload.offset.get(),
            length: upload.length.map(u64::from),
            sending: upload.lease.is_some_and(|lease| now < lease.until),
            expires_at: time(upload.expires_at),
        }
    }
}

/// How much there is, what comes in, what waits.
#[utoipa::path(
    get, path = "/admin/overview", operation_id = "getOverview", tag = "admin",
    responses((status = 200, description = "The drive at a glance.", body = OverviewView)),
    extensions(("x-refusals" = json!(refused(&[ADMIN])))),
)]
pub(crate) async fn get(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<OverviewView>> {
    administers(&signed)?;
    let now = drive.now();
    let under_way = drive.database.uploads_under_way(UPLOADS_TOLD_MAX, now).await?;
    let rows = under_way.uploads.iter().map(|(upload, owner)| UploadOfView::of(upload, owner, now));
    let receiving = drive.uploads.taken();
    Ok(Json(OverviewView {
        version: env!("CARGO_PKG_VERSION"),
        uploads: UnderWayView {
            count: under_way.count.min(UNDER_WAY_COUNTED_MAX.into()),
            rows: rows.collect(),
        },
        receiving: u32::try_from(receiving).unwrap_or(u32::MAX),
        totals: drive.totals().await.map(TotalsView::from),
        lanes: lanes(drive.queue.as_deref()).await.ok(),
    }))
}
