//! One request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_fileid::FileId;
use http_core::cors::Cors;
use http_core::date::DateText;
use http_core::elsewhere::{NotHere, location, not_here};
use http_core::multipart::Boundary;
use http_core::token::Access;
use http_core::{Answer, Body, FileFacts, FileRequest, FileTarget, Method, Status, Target, answer_file};
use net::ConnError;

use crate::door::{Asked, Door, Found};
use crate::run::Gateway;
use crate::source::{self, Source};

/// Unix seconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The `Date` of an answer.
pub(crate) fn date() -> DateText {
    DateText::new(now())
}

/// The words of an answer that is nothing else.
pub(crate) fn text(answer: &Answer<'_>) -> &'static str {
    match answer.body() {
        Body::Text(text) => text,
        _ => "",
    }
}

/// An answer whose content, if any, is its words.
pub(crate) async fn words(door: &mut impl Door, answer: &Answer<'_>) -> Result<(), ConnError> {
    door.bytes(answer, text(answer).as_bytes()).await
}

/// Answers a request.
///
/// # Errors
/// [`ConnError`]; the connection is to be closed.
pub(crate) async fn answer(
    gateway: &Gateway,
    door: &mut impl Door,
    asked: &Asked<'_>,
) -> Result<(), ConnError> {
    let rules = &gateway.rules;
    let cors = rules.files.origins.decide(asked.fields);
    let plain = |status| Answer::plain(status, asked.method, cors);
    // Before anything is looked for: a question about what is possible names no file that has to be there.
    match asked.method {
        Method::Get | Method::Head => {}
        Method::Options => return words(door, &Answer::options(asked.fields, cors)).await,
        Method::Other(_) => return words(door, &plain(Status::METHOD_NOT_ALLOWED)).await,
    }
    let target = match Target::parse(asked.target) {
        Ok(target) => target,
        Err(error) => return words(door, &plain(error.status())).await,
    };
    let file = match FileTarget::parse(&target.path, gateway.only_group.is_none()) {
        Ok(file) => file,
        Err(error) => return words(door, &plain(error.status())).await,
    };
    let now = now();
    let link_left = match rules
        .tokens
        .as_ref()
        .map(|tokens| tokens.check(file.text, &target.parameters, asked.fields, now))
    {
        None => None,
        Some(Access::Granted { left }) => left,
        Some(Access::Missing) => return words(door, &plain(Status::BAD_REQUEST)).await,
        Some(Access::Refused) => return refused(gateway, door, asked, cors).await,
    };
    let Some(group) = file.group.or(gateway.only_group) else {
        return words(door, &plain(Status::NOT_FOUND)).await;
    };
    let id = FileId { group, name: file.name };
    let (source, facts) = match find(gateway, asked, &target, &id).await {
        Ok(Place::File(source, facts)) => (Some(source), Some(facts)),
        Ok(Place::Nowhere) => (None, None),
        Ok(Place::At(place)) => return words(door, &Answer::redirect(place, asked.method, cors)).await,
        Err(status) => return words(door, &plain(status)).await,
    };
    let picture = match (&gateway.pictures, &source) {
        (Some(pictures), Some(_)) => match pictures.wanted(&target.parameters, asked.fields, rules) {
            Ok(wanted) => wanted.map(|wanted| (pictures, wanted)),
            Err(status) => return words(door, &plain(status)).await,
        },
        _ => None,
    };
    let mut request = FileRequest {
        method: asked.method,
        version: asked.version,
        fields: asked.fields,
        parameters: &target.parameters,
        name: &id.name,
        link_left,
        boundary: Boundary::new(rand::random()),
        now,
        may_compress: false,
        derived: false,
    };
    let (Some(mut source), Some(facts)) = (source, facts) else {
        return words(door, &answer_file(&request, None, &rules.files)).await;
    };
    if let Some((pictures, wanted)) = picture {
        request.derived = true;
        let answer = answer_file(&request, Some(&facts), &rules.files);
        if answer.status != Status::OK {
            return words(door, &answer).await;
        }
        match pictures.resized(&id, &mut source, facts, &wanted).await {
            Ok(Some(made)) => {
                let answer = answer.made(made.bytes.len() as u64, made.media);
                let content = if answer.body() == Body::Whole { &made.bytes[..] } else { &[] };
                return door.bytes(&answer, content).await;
            }
            // It is not what can be resized: it goes out as it is.
            Ok(None) => request.derived = false,
            Err(failed) => {
                if failed.is_unread_here() {
                    gateway.local(&id.group).into_iter().for_each(|local| (local.suspect)(&id.name));
                }
                let status = failed.status();
                if status >= Status::INTERNAL_ERROR {
                    tracing::warn!(%id, error = %failed, "a picture can't be resized");
                } else {
                    tracing::debug!(%id, error = %failed, "this can't be resized");
                }
                return words(door, &plain(status)).await;
            }
        }
    }
    let place = match asked.fields.accept_encoding.is_absent() {
        true => None,
        false => Arc::clone(&gateway.compressions).try_acquire_owned().ok(),
    };
    request.may_compress = place.is_some();
    let answer = answer_file(&request, Some(&facts), &rules.files);
    let place = match (answer.body(), place) {
        // Who takes nothing else has to come again.
        (Body::Compressed(_), None) => {
            return words(door, &plain(Status::SERVICE_UNAVAILABLE)).await;
        }
        (Body::Compressed(_), place) => place,
        _ => None,
    };
    send(gateway, door, &id, &answer, Found { source, facts, place }, plain).await
}

/// Sends a file, from another member if the own copy turns out to be unreadable. `plain` is for saying that it can't be sent.
async fn send<'a>(
    gateway: &Gateway,
    door: &mut impl Door,
    id: &FileId,
    answer: &Answer<'_>,
    found: Found,
    plain: impl Fn(Status) -> Answer<'a>,
) -> Result<(), ConnError> {
    let facts = found.facts;
    let mut broken = match door.file(answer, found).await {
        Ok(()) => return Ok(()),
        Err(broken) => broken,
    };
    if broken.is_unread_here() {
        gateway.local(&id.group).into_iter().for_each(|local| (local.suspect)(&id.name));
        // Another member has the same file, if nothing of this one has gone out.
        if let (Some(_), Some(cluster)) = (broken.unsent(), &gateway.cluster)
            && let Ok(Some((source, its))) = source::there(cluster, id, false).await
            && its.size == facts.size
        {
            tracing::warn!(%id, error = %broken, "a file can't be read here, another member sends it");
            match door.file(answer, Found { source, facts, place: None }).await {
                Ok(()) => return Ok(()),
                Err(again) => broken = again,
            }
        }
    }
    match broken.unsent() {
        Some(status) => {
            if status != Status::NOT_FOUND {
                tracing::warn!(%id, error = %broken, "a file could not be sent");
            }
            words(door, &plain(status)).await
        }
        None => Err(broken.into_conn(id)),
    }
}

/// Where a file is.
enum Place {
    File(Source, FileFacts),
    /// The client is to ask there.
    At(String),
    Nowhere,
}

async fn find(
    gateway: &Gateway,
    asked: &Asked<'_>,
    target: &Target<'_>,
    id: &FileId,
) -> Result<Place, Status> {
    let unread = match source::here(gateway, id).await {
        Ok(Some((source, facts))) => return Ok(Place::File(source, facts)),
        Ok(None) => None,
        Err(status) => Some(status),
    };
    let nowhere = || unread.map_or(Ok(Place::Nowhere), Err);
    let Some(cluster) = &gateway.cluster else { return nowhere() };
    let from_member = gateway.members.contains(asked.peer);
    match not_here(&target.parameters, from_member, gateway.mode) {
        NotHere::NotFound => nowhere(),
        NotHere::PassOn => {
            match source::there(cluster, id, unread.is_none() && is_simple(asked, target)).await? {
                Some((source, facts)) => Ok(Place::File(source, facts)),
                None => nowhere(),
            }
        }
        NotHere::Redirect => match cluster.query_fetch(id).await {
            Ok(storage) => {
                let ip = storage.ips().next().ok_or(Status::BAD_GATEWAY)?;
                Ok(Place::At(location(SocketAddr::new(ip, gateway.port), target.raw)))
            }
            Err(error) if error.is_not_found() => nowhere(),
            Err(error) => {
                tracing::warn!(%id, %error, "the trackers do not say where a file is");
                Err(source::status(&error))
            }
        },
    }
}

/// Whether the whole file is the answer, if it is there at all.
fn is_simple(asked: &Asked<'_>, target: &Target<'_>) -> bool {
    let (fields, parameters) = (asked.fields, &target.parameters);
    let conditions = [fields.range, fields.if_modified_since, fields.if_unmodified_since];
    // What a picture was made of may be gone since.
    let other = [parameters.start, parameters.w, parameters.h, parameters.fm];
    asked.method == Method::Get
        && conditions.iter().all(Option::is_none)
        && other.iter().all(Option::is_none)
        && fields.if_match.is_absent()
        && fields.if_none_match.is_absent()
}

/// A token that is wrong or old.
async fn refused(
    gateway: &Gateway,
    door: &mut impl Door,
    asked: &Asked<'_>,
    cors: Cors<'_>,
) -> Result<(), ConnError> {
    let rules = &gateway.rules;
    let status = rules.tokens.as_ref().map_or(Status::FORBIDDEN, |tokens| tokens.fail_status);
    let picture = rules.picture.as_ref();
    let shown = picture.map(|picture| (picture.content.len() as u64, &picture.media));
    let answer = Answer::token_refused(status, shown, asked.method, cors);
    match (answer.body(), picture) {
        (Body::Whole, Some(picture)) => door.bytes(&answer, &picture.content).await,
        _ => words(door, &answer).await,
    }
}
