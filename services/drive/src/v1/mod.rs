//! API v1: resources in JSON under `/api/v1`.
//!
//! Lists come in pages: `rows`, and `next`, the cursor of the next page, if there is one. Ids are texts. Errors are
//! problem+json.

mod about;
mod accounts;
mod admin;
pub(crate) mod cluster;
mod files;
mod instant;
mod nodes;
mod overview;
mod public;
mod queue;
mod records;
mod refusals;
mod sessions;
mod shares;
mod thumbnails;
mod tokens;
mod trash;
mod uploads;
mod views;
mod zip;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Drive;
use crate::described;

/// All of them, below [`described::BASE`]. A path and its methods are those of the handlers' descriptions.
pub(crate) fn routes() -> OpenApiRouter<Arc<Drive>> {
    OpenApiRouter::new()
        .routes(routes!(described::get))
        .routes(routes!(about::get))
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::me, accounts::change))
        .routes(routes!(accounts::change_password))
        .routes(routes!(accounts::allow_old_clients, accounts::refuse_old_clients))
        .routes(routes!(accounts::usage))
        .routes(routes!(sessions::sign_in, sessions::sign_out))
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::end))
        .routes(routes!(nodes::get, nodes::relocate, nodes::trash))
        .routes(routes!(nodes::list, nodes::create_folder))
        .routes(routes!(nodes::path))
        .routes(routes!(nodes::copy))
        .routes(routes!(files::fetch))
        .routes(routes!(thumbnails::own))
        .routes(routes!(files::post))
        .routes(routes!(files::put))
        .routes(routes!(instant::begin))
        .routes(routes!(instant::prove))
        .routes(routes!(zip::folder))
        .routes(routes!(zip::several))
        .merge(uploads::routes())
        .routes(routes!(nodes::search))
        .routes(routes!(nodes::recent))
        .routes(routes!(trash::list, trash::empty))
        .routes(routes!(trash::purge))
        .routes(routes!(trash::restore))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::end))
        .routes(routes!(shares::make))
        .routes(routes!(shares::list))
        .routes(routes!(shares::get, shares::change, shares::remove))
        .routes(routes!(shares::revoke))
        .routes(routes!(records::get))
        .routes(routes!(public::ranking))
        .routes(routes!(public::listed))
        .routes(routes!(public::look))
        .routes(routes!(public::show_code))
        .routes(routes!(public::save))
        .routes(routes!(public::list))
        .routes(routes!(public::fetch))
        .routes(routes!(thumbnails::shared))
        .routes(routes!(zip::shared))
        .routes(routes!(zip::shared_folder))
        .routes(routes!(admin::accounts))
        .routes(routes!(admin::account, admin::change))
        .routes(routes!(admin::set_password))
        .routes(routes!(admin::end_sessions))
        .routes(routes!(admin::revoke_share))
        .routes(routes!(admin::audit))
        .routes(routes!(overview::get))
        .routes(routes!(cluster::now))
        .routes(routes!(cluster::past))
        .routes(routes!(cluster::findings))
        .routes(routes!(queue::depth))
        .routes(routes!(queue::list))
        .routes(routes!(queue::retry))
        .routes(routes!(queue::drop_one))
}
