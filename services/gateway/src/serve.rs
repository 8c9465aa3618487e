//! One request.

use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_fileid::FileId;
use http_core::date::DateText;
use http_core::elsewhere::{NotHere, location, not_here};
use http_core::head::RequestHead;
use http_core::multipart::Boundary;
use http_core::token::Access;
use http_core::{Answer, Body, FileFacts, FileRequest, FileTarget, Method, Status, Target, answer_file};
use net::{Conn, ConnError};
use std::net::SocketAddr;

use crate::compress;
use crate::connection::After;
use crate::run::Gateway;
use crate::source::{self, Broken, Source};

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

/// Answers a request. `keep` says whether the connection may go on.
///
/// # Errors
/// [`ConnError`]; the connection is to be closed.
pub(crate) async fn answer(
    gateway: &Gateway,
    conn: &mut Conn,
    head: &RequestHead<'_>,
    keep: bool,
) -> Result<After, ConnError> {
    let rules = &gateway.rules;
    let cors = rules.files.origins.decide(&head.fields);
    let plain = |status| Answer::plain(status, head.method, cors);
    let mut reply = Reply { conn, head, keep };
    // Before anything is looked for: a question about what is possible names no file that has to be there.
    match head.method {
        Method::Get | Method::Head => {}
        Method::Options => return reply.words(&Answer::options(&head.fields, cors)).await,
        Method::Other(_) => return reply.words(&plain(Status::METHOD_NOT_ALLOWED)).await,
    }
    let target = match Target::parse(head.target) {
        Ok(target) => target,
        Err(error) => return reply.words(&plain(error.status())).await,
    };
    let file = match FileTarget::parse(&target.path, gateway.only_group.is_none()) {
        Ok(file) => file,
        Err(error) => return reply.words(&plain(error.status())).await,
    };
    let now = now();
    let link_left = match rules
        .tokens
        .as_ref()
        .map(|tokens| tokens.check(file.text, &target.parameters, &head.fields, now))
    {
        None => None,
        Some(Access::Granted { left }) => left,
        Some(Access::Missing) => return reply.words(&plain(Status::BAD_REQUEST)).await,
        Some(Access::Refused) => return refused(gateway, &mut reply, cors).await,
    };
    let Some(group) = file.group.or(gateway.only_group) else {
        return reply.words(&plain(Status::NOT_FOUND)).await;
    };
    let id = FileId { group, name: file.name };
    let request = FileRequest {
        method: head.method,
        version: head.version,
        fields: &head.fields,
        parameters: &target.parameters,
        name: &id.name,
        link_left,
        boundary: Boundary::new(rand::random()),
        now,
    };
    let found = match find(gateway, reply.conn, &target, &id).await {
        Ok(Found::File(source, facts)) => Some((source, facts)),
        Ok(Found::Nowhere) => None,
        Ok(Found::At(place)) => return reply.words(&Answer::redirect(place, head.method, cors)).await,
        Err(status) => return reply.words(&plain(status)).await,
    };
    let answer = answer_file(&request, found.as_ref().map(|(_, facts)| facts), &rules.files);
    let Some((mut source, facts)) = found else { return reply.words(&answer).await };
    let mut broken = match reply.file(&answer, &mut source, facts).await {
        Ok(after) => return Ok(after),
        Err(broken) => broken,
    };
    if broken.is_unread_here() {
        gateway.local.iter().for_each(|local| (local.suspect)(&id.name));
        // Another member has the same file, if nothing of this one has gone out.
        if let (Some(_), Some(cluster)) = (broken.unsent(), &gateway.cluster)
            && let Ok(Some((mut other, its))) = source::there(cluster, &id).await
            && its.size == facts.size
        {
            tracing::warn!(%id, error = %broken, "a file can't be read here, another member sends it");
            match reply.file(&answer, &mut other, facts).await {
                Ok(after) => return Ok(after),
                Err(again) => broken = again,
            }
        }
    }
    match broken.unsent() {
        Some(status) => {
            tracing::warn!(%id, error = %broken, "a file could not be sent");
            reply.words(&plain(status)).await
        }
        None => Err(reply.broken_off(&id, broken)),
    }
}

/// Where a file is.
enum Found<'a> {
    File(Source<'a>, FileFacts),
    /// The client is to ask there.
    At(String),
    Nowhere,
}

async fn find<'a>(
    gateway: &'a Gateway,
    conn: &Conn,
    target: &Target<'_>,
    id: &'a FileId,
) -> Result<Found<'a>, Status> {
    let unread = match source::here(gateway, id).await {
        Ok(Some((source, facts))) => return Ok(Found::File(source, facts)),
        Ok(None) => None,
        Err(status) => Some(status),
    };
    let nowhere = || unread.map_or(Ok(Found::Nowhere), Err);
    let Some(cluster) = &gateway.cluster else { return nowhere() };
    let from_member = gateway.members.contains(conn.peer_ip());
    match not_here(&target.parameters, from_member, gateway.mode) {
        NotHere::NotFound => nowhere(),
        NotHere::PassOn => match source::there(cluster, id).await? {
            Some((source, facts)) => Ok(Found::File(source, facts)),
            None => nowhere(),
        },
        NotHere::Redirect => match cluster.query_fetch(id).await {
            Ok(storage) => {
                let ip = storage.ips().next().ok_or(Status::BAD_GATEWAY)?;
                Ok(Found::At(location(SocketAddr::new(ip, gateway.port), target.raw)))
            }
            Err(error) if error.is_not_found() => nowhere(),
            Err(error) => {
                tracing::warn!(%id, %error, "the trackers do not say where a file is");
                Err(source::status(&error))
            }
        },
    }
}

/// A token that is wrong or old.
async fn refused(
    gateway: &Gateway,
    reply: &mut Reply<'_, '_>,
    cors: http_core::cors::Cors<'_>,
) -> Result<After, ConnError> {
    let rules = &gateway.rules;
    let status = rules.tokens.as_ref().map_or(Status::FORBIDDEN, |tokens| tokens.fail_status);
    let picture = rules.picture.as_ref();
    let shown = picture.map(|picture| (picture.content.len() as u64, &picture.media));
    let answer = Answer::token_refused(status, shown, reply.head.method, cors);
    match (answer.body(), picture) {
        (Body::Whole, Some(picture)) => reply.bytes(&answer, &picture.content).await,
        _ => reply.words(&answer).await,
    }
}

/// Answering one request.
struct Reply<'c, 'h> {
    conn: &'c mut Conn,
    head: &'h RequestHead<'h>,
    keep: bool,
}

impl Reply<'_, '_> {
    fn head_of(&self, answer: &Answer<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        answer.write_http1(&mut out, &date(), self.head.version, self.keep);
        out
    }

    fn after(&self) -> After {
        if self.keep { After::Next } else { After::Close }
    }

    /// An answer whose content, if any, is its words.
    async fn words(&mut self, answer: &Answer<'_>) -> Result<After, ConnError> {
        self.bytes(answer, text(answer).as_bytes()).await
    }

    async fn bytes(&mut self, answer: &Answer<'_>, content: &[u8]) -> Result<After, ConnError> {
        let head = self.head_of(answer);
        self.conn.write_pair(&head, content).await?;
        Ok(self.after())
    }

    /// An answer about a file that is there.
    async fn file(
        &mut self,
        answer: &Answer<'_>,
        source: &mut Source<'_>,
        facts: FileFacts,
    ) -> Result<After, Broken> {
        let mut head = self.head_of(answer);
        match answer.body() {
            Body::Empty => self.conn.write(&head).await?,
            Body::Text(text) => self.conn.write_pair(&head, text.as_bytes()).await?,
            Body::Whole => source.send(self.conn, &head, 0, facts.size).await?,
            Body::Part { prefix, range } => {
                head.extend_from_slice(prefix);
                source.send(self.conn, &head, range.first, range.len()).await?;
            }
            Body::Several(ranges) => {
                let Some(multipart) = answer.multipart() else { return Ok(After::Close) };
                for range in ranges.as_slice() {
                    multipart.push_part_head(*range, &mut head);
                    source.send(self.conn, &head, range.first, range.len()).await.map_err(Broken::late)?;
                    head.clear();
                }
                multipart.push_end(&mut head);
                self.conn.write(&head).await?;
            }
            Body::Compressed(coding) => compress::send(self.conn, head, source, facts.size, coding).await?,
        }
        Ok(self.after())
    }

    /// The length was promised: only closing tells the client.
    fn broken_off(&self, id: &FileId, broken: Broken) -> ConnError {
        let peer = self.conn.peer();
        match broken {
            Broken::Conn(error) => error,
            Broken::Send(send_file::SendError::Conn(error)) => error,
            error => {
                tracing::warn!(%id, %peer, %error, "an answer broke off");
                ConnError::Truncated
            }
        }
    }
}
