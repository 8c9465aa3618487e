//! The old dialect: what the clients of the course's picture bed speak, on the same drive as API v1.
//!
//! Nine paths, most with a `cmd`; JSON in, JSON with a `code` out, and HTTP 200 for every outcome. `drive_core::dialect`
//! has the fields, rules and words; here is what is asked of the drive between reading and answering.
//!
//! What stands around API v1 stands around this: a page of another origin is refused before it comes here, with 403.

mod accounts;
mod call;
mod instant;
mod my_files;
mod pictures;
mod reply;
mod shared;
mod upload;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use drive_core::Problem;
use drive_core::dialect::{Code, Fields, Operation, REQUEST_BYTES_MAX, Target, code, target};
use http::Method;
use http::request::Parts;

use crate::app::Drive;
use crate::counts::ToOldClient;
use crate::dialect::call::Call;
use crate::dialect::reply::plain;
use crate::fields::whole;
use crate::refusal::{Answer, Refusal};

/// Answers what no other route does: the old dialect's paths, in whichever way they name their `cmd`, and the page's.
pub(crate) async fn answer(State(drive): State<Arc<Drive>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let operation = match target(parts.uri.path(), parts.uri.query()) {
        Target::Operation(operation) => operation,
        Target::UnknownCommand => return plain(Code::Failed),
        Target::Elsewhere => return drive.page.answer(&parts),
    };
    let mut response = match perform(drive, operation, parts, body).await {
        Ok(response) => response,
        Err(Refusal::Problem(problem)) => {
            tracing::debug!(?operation, %problem, "not done");
            plain(code(operation, &problem))
        }
        Err(Refusal::Http(_, why, detail)) => {
            tracing::debug!(?operation, why, detail, "not a request");
            plain(Code::Failed)
        }
    };
    response.extensions_mut().insert(ToOldClient);
    response
}

async fn perform(drive: Arc<Drive>, operation: Operation, parts: Parts, body: Body) -> Answer<Response> {
    use Operation as Op;
    // Clients GET a count; other methods that are called safe may come from any page.
    if parts.method != Method::POST && !(parts.method == Method::GET && operation == Op::SharedCount) {
        return Err(Problem::FieldInvalid("method").into());
    }
    // A form is read as it comes, and a count asks nothing.
    let (fields, rest) = match operation {
        Op::Upload => (Fields::of_form([]), body),
        Op::SharedCount => (Fields::of_form([]), Body::empty()),
        _ => (Fields::parse(&whole(body, REQUEST_BYTES_MAX).await?)?, Body::empty()),
    };
    let call = Call { drive, parts, fields };
    match operation {
        Op::Register => accounts::register(&call).await,
        Op::Login => accounts::login(&call).await,
        Op::Md5 => instant::upload(&call).await,
        Op::Upload => upload::upload(call, rest).await,
        Op::MyFilesCount => my_files::count(&call).await,
        Op::MyFiles | Op::MyFilesLeastDownloaded | Op::MyFilesMostDownloaded => {
            my_files::list(&call, operation).await
        }
        Op::Share => my_files::share(&call).await,
        Op::Delete => my_files::delete(&call).await,
        Op::CountDownload => my_files::count_download(&call).await,
        Op::SharedCount => shared::count(&call).await,
        Op::Shared => shared::list(&call).await,
        Op::RankingMost | Op::RankingLeast => shared::ranking(&call, operation).await,
        Op::SharedCancel => shared::cancel(&call).await,
        Op::SharedSave => shared::save(&call).await,
        Op::SharedCountDownload => shared::count_download(&call).await,
        Op::PictureShare => pictures::share(&call).await,
        Op::PictureBrowse => pictures::browse(&call).await,
        Op::Pictures => pictures::list(&call).await,
        Op::PictureCancel => pictures::cancel(&call).await,
    }
}
