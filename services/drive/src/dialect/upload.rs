//! `/api/upload`: the bytes of a file, in a form.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use drive_core::Problem;
use drive_core::access::Action;
use drive_core::dialect::{Fields, check_user};
use drive_core::node::NodeName;
use drive_core::session::Token;
use drive_core::tree::OnConflict;
use drive_db::StoredFile;
use futures_util::{Stream, StreamExt};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use multer::Field;
use tracing::Instrument;

use super::call::Call;
use super::reply::done;
use crate::app::Drive;
use crate::form::{FORM_FIELDS_MAX, arriving, drain, form, form_refusal, soon};
use crate::refusal::{Answer, Refusal};
use crate::take::{Room, Taken, give_up, take};
use crate::who::{Signed, Visitor};

/// Bytes of a field that is no file at most.
const FIELD_BYTES_MAX: usize = 1024;

/// A file that was stored and is nobody's yet.
struct Arrived {
    signed: Signed,
    name: NodeName,
    taken: Taken,
}

/// Takes a file. Goes on when the client goes away, so that no blob is left that nobody knows.
pub(super) async fn upload(call: Call, body: Body) -> Answer<Response> {
    let Call { drive, parts, .. } = call;
    let taking = async move {
        let mut arrived = None;
        let mut rest = arriving(body);
        let outcome = receive(&drive, &parts, &mut rest, &mut arrived).await;
        if outcome.is_err() {
            drain(&mut rest).await;
        }
        match (outcome, arrived) {
            (Ok(()), Some(arrived)) => Ok(keep(&drive, arrived).await?),
            (Ok(()), None) => Err(Problem::FieldMissing("file").into()),
            (Err(refusal), Some(arrived)) => {
                give_up(&drive, &arrived.taken.blob).await;
                Err(refusal)
            }
            (Err(refusal), None) => Err(refusal),
        }
    };
    let taken = tokio::spawn(traces::carried(taking.in_current_span())).await;
    taken.map_err(|_| Problem::Contradiction("a bug"))??;
    Ok(done())
}

/// Reads the form. The old page sends `file`, `user`, `md5`, `size`; any other order will do, but a token in the form
/// has to stand before the file: nothing is stored for nobody (W-04).
async fn receive(
    drive: &Arc<Drive>,
    parts: &Parts,
    bytes: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    arrived: &mut Option<Arrived>,
) -> Result<(), Refusal> {
    let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = media_type.and_then(|text| multer::parse_boundary(text).ok());
    let boundary = boundary.ok_or(Problem::FieldInvalid("body"))?;
    let mut form = form(bytes, boundary);
    let mut texts: Vec<(String, String)> = Vec::new();
    for _ in 0..FORM_FIELDS_MAX {
        let Some(field) = soon(form.next_field()).await? else {
            return check(&texts, arrived.as_ref());
        };
        let Some(name) = field.file_name() else {
            let name = field.name().unwrap_or_default().to_owned();
            texts.push((name, text(field).await?));
            continue;
        };
        if arrived.is_some() {
            return Err(Problem::FieldInvalid("file").into());
        }
        let name = NodeName::new(name).map_err(Problem::from)?;
        let signed = signed(drive, parts, &texts).await?;
        let _place = drive.uploads.take(signed.account(), None)?;
        let room = Room::of(drive, signed.account()).await?;
        let bytes = Box::pin(field.map(|bytes| bytes.map_err(form_refusal)));
        let taken = take(drive, bytes, None, room).await?;
        *arrived = Some(Arrived { signed, name, taken });
    }
    Err(Problem::FieldInvalid("body").into())
}

/// Who sends the file, by what is known when it begins.
async fn signed(drive: &Drive, parts: &Parts, texts: &[(String, String)]) -> Result<Signed, Problem> {
    let fields = Fields::of_form(texts.to_vec());
    let token: Option<Token> = fields.token()?;
    let signed = Visitor::of_old(parts, drive, token)?.signed(drive).await?;
    signed.may(Action::Write)?;
    if texts.iter().any(|(name, _)| name == "user") {
        check_user(&fields.user()?, &signed.verdict.user_name)?;
    }
    Ok(signed)
}

/// Is the file what the other fields say, wherever they stood?
fn check(texts: &[(String, String)], arrived: Option<&Arrived>) -> Result<(), Refusal> {
    let Some(Arrived { signed, taken, .. }) = arrived else { return Ok(()) };
    let fields = Fields::of_form(texts.to_vec());
    check_user(&fields.user()?, &signed.verdict.user_name)?;
    fields.claimed()?.check(taken.md5, taken.identity.size.get())?;
    Ok(())
}

async fn text(mut field: Field<'_>) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = soon(field.chunk()).await? {
        if bytes.len() + piece.len() > FIELD_BYTES_MAX {
            return Err(Problem::FieldInvalid("body").into());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(bytes).map_err(|_| Problem::FieldInvalid("body"))?)
}

/// Makes a file of what arrived. Sent twice it is there once; another one of its name stays beside it.
async fn keep(drive: &Drive, arrived: Arrived) -> Result<(), Problem> {
    let Arrived { signed, name, taken } = arrived;
    let (owner, cause) = (signed.account(), signed.cause(drive.now()));
    let mut file = StoredFile {
        owner,
        parent: signed.verdict.root,
        name,
        on_conflict: OnConflict::Fail,
        identity: taken.identity,
        md5: taken.md5,
        blob: taken.blob,
    };
    let mut outcome = drive.database.store_file(&file, &cause).await.map(drop);
    if outcome == Err(Problem::NameTaken) {
        outcome = match is_there(drive, &file).await {
            Ok(true) => {
                give_up(drive, &file.blob).await;
                return Ok(());
            }
            Ok(false) => {
                file.on_conflict = OnConflict::KeepBoth;
                drive.database.store_file(&file, &cause).await.map(drop)
            }
            Err(problem) => {
                give_up(drive, &file.blob).await;
                return Err(problem);
            }
        };
    }
    match &outcome {
        // It may have been kept after all.
        Ok(()) | Err(Problem::Unavailable(_)) => {}
        Err(_) => give_up(drive, &file.blob).await,
    }
    outcome
}

/// Is this content there under this name?
async fn is_there(drive: &Drive, file: &StoredFile) -> Result<bool, Problem> {
    let Some((node, _)) = drive.database.root_file(file.owner, &file.name).await? else { return Ok(false) };
    Ok(drive.database.file(file.owner, node).await?.content.identity == file.identity)
}
