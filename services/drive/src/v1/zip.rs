//! Folders and files as one archive.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use drive_core::access::Action;
use drive_core::account::AddressBlock;
use drive_core::node::{Node, NodeKind, NodeName};
use drive_core::ports::RateSubject;
use drive_core::zip::{Archive, Entry};
use drive_core::{AccountId, NodeId, Problem};
use http::Method;
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use crate::app::Drive;
use crate::described::{
    FileBytes, IdText, NameText, NodeText, NodesAsked, ShareTokenText, ZIP_NODES_ASKED_MAX, refused,
};
use crate::fields::{Fields, JSON_BYTES_MAX, Path, is_of, whole};
use crate::gate::{Guest, Wanted};
use crate::refusal::{Answer, BODY_INVALID, Refusal};
use crate::text::Id;
use crate::v1::nodes::named;
use crate::v1::public::Granted;
use crate::v1::refusals::{ARCHIVE, FIELDS, GATE, NAMED, NO_NODE, NOT_A_FOLDER, ROOT, SCOPED, USED_UP};
use crate::who::Signed;
use crate::zip::give_zip;

/// A folder and all below it, as an archive; of the root folder what is in it.
#[utoipa::path(
    get, path = "/nodes/{node}/zip", operation_id = "getFolderArchive", tag = "files",
    params(("node" = NodeText, Path, description = "A folder; `root` is one's root folder.")),
    responses(
        (status = 200, description = "The archive.", content_type = "application/zip", body = FileBytes,
         headers(("Content-Disposition" = String), ("Content-Length" = u64))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, NO_NODE, NOT_A_FOLDER, ARCHIVE])))),
)]
pub(crate) async fn folder(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Path(node): Path<String>,
    method: Method,
) -> Answer<Response> {
    let owner = signed.may(Action::Read)?;
    let top = drive.database.node(owner, named(&signed, &node)?).await?;
    let (entries, name) = drive.entries_of(owner, &top).await?;
    give_zip(&drive, RateSubject::Account(owner), entries, &name, &method).await
}

/// What is to be in an archive.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZipOf {
    #[schema(value_type = NodesAsked)]
    nodes: Vec<String>,
    /// The name of the archive.
    #[schema(value_type = Option<NameText>)]
    name: Option<String>,
}

/// The same, as a form of a page sends it: the browser saves the answer, and no script holds it.
#[derive(Deserialize, ToSchema)]
#[schema(as = ZipForm)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct ZipForm {
    /// The field is there once for each.
    #[schema(value_type = NodesAsked)]
    nodes: Vec<String>,
    /// The name of the archive.
    #[schema(value_type = Option<NameText>, nullable = false)]
    name: Option<String>,
}

/// The media type of forms without files.
const FORM: &str = "application/x-www-form-urlencoded";

impl ZipOf {
    /// What a form says.
    fn of_form(bytes: &[u8]) -> Result<Self, Refusal> {
        let (mut nodes, mut name) = (Vec::new(), None);
        for (field, text) in form_urlencoded::parse(bytes) {
            match &*field {
                // One more is refused with the others.
                "nodes" if nodes.len() <= ZIP_NODES_ASKED_MAX => nodes.push(text.into_owned()),
                "nodes" => {}
                "name" if name.is_none() => name = Some(text.into_owned()),
                _ => return Err(BODY_INVALID.because("the form has other fields, or a name twice")),
            }
        }
        Ok(Self { nodes, name })
    }
}

impl<S: Sync> FromRequest<S> for ZipOf {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_of(request.headers(), FORM) {
            return Ok(Fields::from_request(request, state).await?.value);
        }
        Self::of_form(&whole(request.into_body(), JSON_BYTES_MAX).await?)
    }
}

/// Several folders, with all below them, and files, as an archive.
#[utoipa::path(
    post, path = "/zip", operation_id = "getArchive", tag = "files",
    request_body(content((ZipOf = "application/json"), (ZipForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "The archive.", content_type = "application/zip", body = FileBytes,
         headers(("Content-Disposition" = String), ("Content-Length" = u64))),
    ),
    extensions(("x-refusals" = json!(refused(&[SCOPED, FIELDS, NAMED, NO_NODE, ROOT, ARCHIVE])))),
)]
pub(crate) async fn several(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    method: Method,
    ZipOf { nodes, name }: ZipOf,
) -> Answer<Response> {
    let owner = signed.may(Action::Read)?;
    let name = NodeName::new(name.as_deref().unwrap_or("files.zip")).map_err(Problem::from)?;
    if !(1..=ZIP_NODES_ASKED_MAX).contains(&nodes.len()) {
        return Err(Problem::FieldInvalid("nodes").into());
    }
    let mut archive = Archive::default();
    let mut seen = BTreeSet::new();
    for text in &nodes {
        let node: NodeId = named(&signed, text)?;
        if !seen.insert(node) {
            continue;
        }
        let node = drive.database.node(owner, node).await?;
        if node.parent.is_none() {
            return Err(Problem::RootStays.into());
        }
        archive.add_top(&node)?;
        if node.kind() == NodeKind::Folder {
            archive.add_below(&drive.database.below(owner, node.id).await?)?;
        }
    }
    give_zip(&drive, RateSubject::Account(owner), archive.into_entries(), &name, &method).await
}

/// The folder that a link leads to, as an archive. Counted as a download at its first byte.
#[utoipa::path(
    get, path = "/public/shares/{token}/zip", operation_id = "getSharedArchive", tag = "public",
    params(("token" = ShareTokenText, Path, description = "What is in the link's URL."), Granted),
    security((), ("token" = []), ("session" = [])),
    responses(
        (status = 200, description = "The archive.", content_type = "application/zip", body = FileBytes,
         headers(("Content-Disposition" = String), ("Content-Length" = u64))),
    ),
    extensions(("x-refusals" = json!(refused(&[GATE, USED_UP, NOT_A_FOLDER, ARCHIVE])))),
)]
pub(crate) async fn shared(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path(text): Path<String>,
    method: Method,
) -> Answer<Response> {
    drive.give_shared(&guest, &text, None, &method).await
}

/// A folder in the one that a link leads to, as an archive. Counted as a download at its first byte.
#[utoipa::path(
    get, path = "/public/shares/{token}/nodes/{node}/zip", operation_id = "getSharedFolderArchive", tag = "public",
    params(
        ("token" = ShareTokenText, Path, description = "What is in the link's URL."),
        ("node" = IdText, Path, description = "A folder that is shared, or in one that is."),
        Granted,
    ),
    security((), ("token" = []), ("session" = [])),
    responses(
        (status = 200, description = "The archive.", content_type = "application/zip", body = FileBytes,
         headers(("Content-Disposition" = String), ("Content-Length" = u64))),
    ),
    extensions(("x-refusals" = json!(refused(&[GATE, NO_NODE, USED_UP, NOT_A_FOLDER, ARCHIVE])))),
)]
pub(crate) async fn shared_folder(
    State(drive): State<Arc<Drive>>,
    guest: Guest,
    Path((text, node)): Path<(String, String)>,
    method: Method,
) -> Answer<Response> {
    drive.give_shared(&guest, &text, Some(NodeId::of(&node)?), &method).await
}

impl Drive {
    async fn give_shared(
        self: &Arc<Self>,
        guest: &Guest,
        text: &str,
        asked: Option<NodeId>,
        method: &Method,
    ) -> Answer<Response> {
        let admitted = self.enter(guest, text, asked, Wanted::Download).await?;
        let view = &admitted.view;
        let folder = view.asked.as_ref().unwrap_or(&view.top);
        let (entries, name) = self.entries_of(view.share.owner, folder).await?;
        let whose = match &guest.signed {
            Some(signed) => RateSubject::Account(signed.account()),
            None => RateSubject::Address(AddressBlock::of(guest.visitor.address)),
        };
        let response = give_zip(self, whose, entries, &name, method).await?;
        if admitted.pass.count && *method == Method::GET {
            self.count_shared(&view.share, &admitted.mark).await?;
        }
        Ok(response)
    }

    /// A folder as an archive, and what that is called.
    async fn entries_of(&self, owner: AccountId, top: &Node) -> Result<(Vec<Entry>, NodeName), Problem> {
        if top.kind() != NodeKind::Folder {
            return Err(Problem::NotAFolder);
        }
        let below = self.database.below(owner, top.id).await?;
        // The name of a root folder is nobody's business.
        let (mut archive, name) = match top.parent {
            None => (Archive::inside(top.id), None),
            Some(_) => {
                let mut archive = Archive::default();
                archive.add_top(top)?;
                (archive, NodeName::new(&format!("{}.zip", top.name)).ok())
            }
        };
        archive.add_below(&below)?;
        let name = match name {
            Some(name) => name,
            // The root, or a name that is too long with more behind it.
            None => NodeName::new("files.zip")?,
        };
        Ok((archive.into_entries(), name))
    }
}
