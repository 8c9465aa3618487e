//! What everybody may know of this drive before signing in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use drive_core::account::{Registrar, may_register};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Drive;

/// A drive, as those see it who are not signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = About)]
pub(crate) struct AboutView {
    /// Of the program.
    version: &'static str,
    /// Everybody may make an account. Otherwise administrators make them.
    open_registration: bool,
}

/// What a page has to know before anybody signs in.
#[utoipa::path(
    get, path = "/about", operation_id = "getAbout", tag = "description",
    security(()),
    responses((status = 200, description = "It.", body = AboutView)),
)]
pub(crate) async fn get(State(drive): State<Arc<Drive>>) -> Json<AboutView> {
    Json(AboutView {
        version: env!("CARGO_PKG_VERSION"),
        open_registration: may_register(drive.settings.registration, Registrar::Visitor).is_ok(),
    })
}
