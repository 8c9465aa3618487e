//! `/api/md5`: a file without its bytes, of what one has already.

use axum::response::Response;
use drive_core::access::Action;

use super::call::Call;
use super::reply::done;
use crate::refusal::Answer;

/// Makes a file of a content that the user has under another name.
pub(super) async fn upload(call: &Call) -> Answer<Response> {
    let signed = call.signed(Action::Write).await?;
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let cause = signed.cause(call.drive.now());
    call.drive.database.instant_by_md5(signed.account(), &md5, &name, &cause).await?;
    Ok(done())
}
