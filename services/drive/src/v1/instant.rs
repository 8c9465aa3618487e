//! Instant upload: content that the server has need not be sent by somebody who has it, too
//! ([`drive_core::content::possession`]).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use drive_core::access::Action;
use drive_core::content::possession::{ANSWER_AFTER, CHALLENGE_LIFETIME, Challenge, Proof};
use drive_core::content::{Content, ContentIdentity, Sha256Digest};
use drive_core::node::{FileContent, Node, NodeName};
use drive_core::ports::{BlobError, CacheKey, PurposeOfRate};
use drive_core::tree::OnConflict;
use drive_core::{ByteCount, Problem};
use drive_db::LinkedFile;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use utoipa::ToSchema;

use crate::app::Drive;
use crate::described::{ByteNumber, NameText, NodeText, Once, Sha256Text, refused};
use crate::fields::{Fields, Path};
use crate::refusal::Answer;
use crate::text::time;
use crate::v1::files::Place;
use crate::v1::nodes::{named, once};
use crate::v1::refusals::{FIELDS, MORE, PLACE, SCOPED, SIZE, UNKNOWN};
use crate::v1::views::NodeView;
use crate::who::Signed;

/// A file whose bytes need not be sent, perhaps.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstantFile {
    #[schema(value_type = NameText)]
    name: String,
    /// Of its bytes.
    #[schema(value_type = Sha256Text)]
    sha256: Sha256Digest,
    /// Its bytes.
    #[schema(value_type = ByteNumber)]
    size: ByteCount,
    #[serde(default)]
    on_conflict: OnConflict,
}

/// What has to be proved. It says nothing about whether there is such a content.
#[derive(Serialize, ToSchema)]
#[schema(as = Challenge)]
pub(crate) struct ChallengeView {
    /// To be sent back.
    challenge: String,
    /// The key of the proof, in hex digits.
    nonce: String,
    /// The bytes of the proof: HMAC-SHA-256 over all of them, one range after the other.
    ranges: Vec<RangeView>,
    /// Until when it can be answered, once.
    #[schema(format = DateTime)]
    ends_at: String,
}

/// Bytes of a file.
#[derive(Serialize, ToSchema)]
#[schema(as = ByteRange)]
pub(crate) struct RangeView {
    offset: u64,
    length: u64,
}

/// Asks whether a file's bytes need not be sent: makes the file of a content of one's own, or asks for a proof.
#[utoipa::path(
    post, path = "/nodes/{node}/instant", operation_id = "beginInstantFile", tag = "files",
    params(
        ("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."),
        Once,
    ),
    request_body = InstantFile,
    responses(
        (status = 201, description = "The file.", body = NodeView),
        (status = 202, description = "What has to be proved.", body = ChallengeView),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PLACE, MORE, SIZE])))),
)]
pub(crate) async fn begin(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(parent): Path<String>,
    Fields { value, fingerprint }: Fields<InstantFile>,
) -> Answer<Response> {
    let owner = signed.may(Action::Write)?;
    let parent = named(&signed, &parent)?;
    let name = NodeName::new(&value.name).map_err(Problem::from)?;
    let identity = ContentIdentity { sha256: value.sha256, size: value.size };
    if let Some(content) = drive.database.own_content(owner, &identity).await? {
        let file =
            LinkedFile { owner, parent, name, on_conflict: value.on_conflict, content: content.file() };
        let (drive, file) = (&drive, &file);
        let node =
            once(
                drive,
                &signed,
                fingerprint,
                |cause| async move { drive.database.link_file(file, &cause).await },
            );
        return Ok((StatusCode::CREATED, Json(NodeView::from(node.await?))).into_response());
    }
    let place = Place::of(&drive, owner, parent, value.on_conflict).await?;
    place.check_name(&drive, &signed, &name).await?;
    place.room.check(identity.size.get())?;
    signed.take(&drive, PurposeOfRate::Proof, drive.settings.proof_rate.as_ref()).await?;
    let challenge = Challenge::new(identity, rand::random(), drive.now());
    let ranges = challenge.ranges(&drive.secret).into_iter();
    let view = ChallengeView {
        challenge: challenge.to_text(&drive.secret, owner),
        nonce: Sha256Digest(*challenge.nonce()).to_string(),
        ranges: ranges.map(|range| RangeView { offset: range.offset, length: range.length }).collect(),
        ends_at: time(challenge.ends_at()),
    };
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

/// The answer to a challenge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProvedFile {
    #[schema(value_type = NameText)]
    name: String,
    /// As it was given.
    challenge: String,
    /// HMAC-SHA-256 in hex digits.
    proof: String,
    #[serde(default)]
    on_conflict: OnConflict,
}

/// Makes a file of a content that is proved to be had. No such content, a wrong proof and a content that went are one
/// answer, and none is given at once.
#[utoipa::path(
    post, path = "/nodes/{node}/instant/proof", operation_id = "proveInstantFile", tag = "files",
    params(
        ("node" = NodeText, Path, description = "A folder or file; `root` is one's root folder."),
        Once,
    ),
    request_body = ProvedFile,
    responses((status = 201, description = "The file.", body = NodeView)),
    extensions(("x-refusals" = json!(refused(&[SCOPED, PLACE, MORE, SIZE, FIELDS, UNKNOWN])))),
)]
pub(crate) async fn prove(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(parent): Path<String>,
    Fields { value, fingerprint }: Fields<ProvedFile>,
) -> Answer<(StatusCode, Json<NodeView>)> {
    let until = Instant::now() + ANSWER_AFTER;
    let owner = signed.may(Action::Write)?;
    let parent = named(&signed, &parent)?;
    let name = NodeName::new(&value.name).map_err(Problem::from)?;
    let (shared, signer) = (&drive, &signed);
    let outcome = once(&drive, &signed, fingerprint, |cause| async move {
        let content = shared.proved(signer, &value.challenge, &value.proof).await?;
        let file = LinkedFile { owner, parent, name, on_conflict: value.on_conflict, content };
        shared.database.link_file(&file, &cause).await
    });
    let outcome: Result<Node, Problem> = outcome.await;
    sleep_until(until).await;
    Ok((StatusCode::CREATED, Json(outcome?.into())))
}

impl Drive {
    /// The content that somebody proves to have.
    async fn proved(&self, signed: &Signed, challenge: &str, proof: &str) -> Result<FileContent, Problem> {
        let challenge = Challenge::open(challenge, &self.secret, signed.account(), self.now())?;
        self.use_up(&challenge).await?;
        let content = self.database.content_by_identity(&challenge.identity()).await?;
        let content = content.ok_or(Problem::ContentUnknown)?;
        match self.read_ranges(&challenge, &content).await {
            Ok(right) => right.check(proof)?,
            // That it can't be read would tell that it is there.
            Err(error) => {
                tracing::warn!(content = %content.id, %error, "a proof could not be compared");
                return Err(Problem::ContentUnknown);
            }
        }
        Ok(content.file())
    }

    /// A challenge is answered once. Without the cache it can be answered again until it ends.
    async fn use_up(&self, challenge: &Challenge) -> Result<(), Problem> {
        let key = CacheKey::Challenge(*challenge.nonce());
        match self.cache.swap(&key, None, Bytes::from_static(b"used"), CHALLENGE_LIFETIME).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Problem::ContentUnknown),
            Err(error) => {
                tracing::warn!(%error, "a challenge was not used up");
                Ok(())
            }
        }
    }

    async fn read_ranges(&self, challenge: &Challenge, content: &Content) -> Result<Proof, BlobError> {
        let mut proof = Proof::new(challenge.nonce());
        for range in challenge.ranges(&self.secret) {
            let bytes = |bytes| ByteCount::new(bytes).ok_or(BlobError::Missing);
            let (offset, length) = (bytes(range.offset)?, bytes(range.length)?);
            let mut source = self.blobs.read(&content.blob, offset, length).await?;
            while let Some(bytes) = source.next().await? {
                proof.update(&bytes);
            }
        }
        Ok(proof)
    }
}
