//! All routes, and what stands around them.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use drive_core::Problem;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;

use crate::app::Drive;
use crate::refusal::{METHOD_UNKNOWN, PATH_UNKNOWN};
use crate::{described, dialect, door, health};

/// Where the drive says whether its parts are there.
pub(crate) const HEALTH: &str = "/healthz";

/// The drive as a service for requests that have a [`Peer`](crate::Peer), whichever door they came through.
///
/// # Errors
/// When a trusted origin of the settings is none.
pub fn router(drive: Arc<Drive>) -> Result<Router, Problem> {
    let mut own = CsrfLayer::new();
    for origin in &drive.settings.trusted_origins {
        own = own.add_trusted_origin(origin).map_err(|_| Problem::FieldInvalid("trusted_origins"))?;
    }
    Ok(Router::new()
        .nest(described::BASE, described::routes().0)
        .route(HEALTH, get(health::health))
        .fallback(dialect::answer)
        .method_not_allowed_fallback(not_so)
        .layer(own.with_rejection_response(door::foreign))
        .layer(CatchPanicLayer::custom(door::broken))
        .layer(from_fn_with_state(Arc::clone(&drive), door::dress))
        .with_state(drive))
}

/// There is nothing of that name.
pub(crate) fn nowhere() -> Response {
    PATH_UNKNOWN.because("there is nothing at this path").into_response()
}

async fn not_so() -> Response {
    METHOD_UNKNOWN.because("this path has other methods").into_response()
}
