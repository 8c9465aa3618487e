//! The description of API v1 (OpenAPI 3.1): what the handlers' attributes say, and what follows from their form.
//!
//! A handler and its description are declared by one call (`routes!`), and the types of bodies and queries describe
//! themselves. Of its refusals a handler names only those of its own ([`refused`]); those that come of a session, a
//! body, a query or a key are added here, as they are given by one place for all handlers.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use drive_core::account::{
    EMAIL_BYTES_MAX, NICK_NAME_CHARS_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PHONE_CHARS_MAX,
    USER_NAME_CHARS_MAX, USER_NAME_CHARS_MIN,
};
use drive_core::idempotency::IDEMPOTENCY_KEY_CHARS_MAX;
use drive_core::node::NAME_BYTES_MAX;
use drive_core::page::{CURSOR_CHARS_MAX, Direction, NodeOrder, SEARCH_CHARS_MAX, ShareOrder};
use drive_core::share::{CODE_CHARS_MAX, CODE_CHARS_MIN, SHARE_DOWNLOADS_MAX, ShareKind};
use drive_core::tree::OnConflict;
use drive_core::{ByteCount, Problem};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_core::RequestFields;
use http_core::condition::{Current, Outcome, evaluate};
use http_core::validator::EntityTag;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, ArrayBuilder, ArrayItems, KnownFormat, ObjectBuilder, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response as Answered,
    SecurityRequirement, ServerBuilder,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::app::Drive;
use crate::refusal::{PROBLEM_JSON, ProblemView, Refused};
use crate::thumbnails::THUMBNAIL_EDGES;
use crate::v1::cluster::FindingLanguage;
use crate::{v1, who};

/// The extension of an operation with its own refusals. It is in no document.
pub(crate) const REFUSALS: &str = "x-refusals";

/// The security scheme of tokens.
pub(crate) const BEARER: &str = "token";
/// That of browsers.
pub(crate) const COOKIE: &str = "session";

/// Where the API is.
pub(crate) const BASE: &str = "/api/v1";

/// Nodes that one archive may be asked for at most.
pub(crate) const ZIP_NODES_ASKED_MAX: usize = 1000;

/// What an operation refuses with besides what follows from its form, as [`complete`] reads it.
pub(crate) fn refused(groups: &[&[Refused]]) -> Vec<(u16, &'static str)> {
    groups.iter().copied().flatten().map(|Refused(status, code)| (status.as_u16(), *code)).collect()
}

macro_rules! described {
    ($(#[doc = $doc:literal] $name:ident($of:ty) as $title:literal: $schema:expr;)+) => {$(
        #[doc = $doc]
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) $of);

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.description(Some($doc.trim())).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                $title.into()
            }
        }
    )+
        /// Queries and fields of requests do not bring the types of their values along.
        fn components() -> ComponentsBuilder {
            ComponentsBuilder::new()$(.schema_from::<$name>())+
        }
    };
}

// Limits have names, which attributes do not take.
described! {
    /// An id as it is in URLs and bodies.
    IdText(String) as "Id": text().pattern(Some("^[1-9][0-9]{0,18}$"));
    /// The id of a folder or file, or `root` for one's root folder.
    NodeText(String) as "NodeRef": text().pattern(Some("^(root|[1-9][0-9]{0,18})$"));
    /// The token in a link's URL.
    ShareTokenText(String) as "ShareToken": text().pattern(Some("^[0-9a-f]{32}$"));
    /// Names a record that was accepted and not applied yet.
    RecordKeyText(String) as "RecordKey": text().pattern(Some("^[0-9A-Fa-f]{32}$"));
    /// The name of a folder or file: at most 255 bytes of one line, without slashes.
    NameText(String) as "NodeName": text().min_length(Some(1)).max_length(Some(NAME_BYTES_MAX));
    /// A user name: letters and digits of any language, and `.`, `-`, `_` after the first of them.
    UserNameText(String) as "UserName":
        text().min_length(Some(USER_NAME_CHARS_MIN)).max_length(Some(USER_NAME_CHARS_MAX));
    /// How somebody, or a token, is called.
    NickNameText(String) as "NickName": text().min_length(Some(1)).max_length(Some(NICK_NAME_CHARS_MAX));
    /// An e-mail address.
    EmailText(String) as "Email":
        text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Email))).max_length(Some(EMAIL_BYTES_MAX));
    /// A phone number.
    PhoneText(String) as "Phone":
        text().pattern(Some(r"^\+?[0-9 ()-]{3,}$")).max_length(Some(PHONE_CHARS_MAX));
    /// A password.
    PasswordText(String) as "Password": secret().max_length(Some(PASSWORD_BYTES_MAX));
    /// A password that is to be one from now on.
    NewPasswordText(String) as "ChosenPassword":
        secret().min_length(Some(PASSWORD_CHARS_MIN)).max_length(Some(PASSWORD_BYTES_MAX));
    /// A code that the owner of a link chose.
    CodeText(String) as "ChosenCode": text()
        .pattern(Some("^[0-9A-Za-z]*$"))
        .min_length(Some(CODE_CHARS_MIN))
        .max_length(Some(CODE_CHARS_MAX));
    /// Terms that a name has all of, with blanks between.
    SearchText(String) as "SearchTerms": text().min_length(Some(1)).max_length(Some(SEARCH_CHARS_MAX));
    /// `next` of the page before.
    CursorText(String) as "Cursor": text().max_length(Some(CURSOR_CHARS_MAX));
    /// Rows of a page at most. More than 1000 are as 1000.
    PageRows(u32) as "PageRows": number(u32::MAX);
    /// Where a part of the ranking begins.
    RankStart(u32) as "RankStart": number(u32::MAX).minimum(Some(0));
    /// Pixels of the longer side of a small picture at most.
    ThumbnailEdge(u32) as "ThumbnailEdge": number(THUMBNAIL_EDGES[4]).enum_values(Some(THUMBNAIL_EDGES));
    /// Downloads that a link allows.
    Downloads(u32) as "Downloads": number(SHARE_DOWNLOADS_MAX);
    /// A number of bytes.
    ByteNumber(u64) as "Bytes": ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .maximum(Some(ByteCount::MAX.get() as usize));
    /// SHA-256 in hex digits.
    Sha256Text(String) as "Sha256": text().pattern(Some("^[0-9A-Fa-f]{64}$"));
    /// The version of tus that is spoken.
    TusVersion(String) as "TusVersion": text().enum_values(Some(["1.0.0"]));
    /// That a length is not known yet.
    TusDeferred(String) as "TusDeferred": text().enum_values(Some(["1"]));
    /// What a client says of the bytes of one request: an algorithm, and the digest in Base64.
    TusChecksum(String) as "TusChecksum": text().pattern(Some("^(sha256|sha1|md5) [0-9A-Za-z+/]+={0,2}$"));
    /// A method that a client can't send.
    TusMethod(String) as "TusMethod": text().enum_values(Some(["PATCH", "DELETE"]));
    /// Ids of folders and files. The same one twice is there once.
    NodesAsked(Vec<String>) as "NodeRefs": ArrayBuilder::new()
        .items(Ref::from_schema_name(NodeText::name()))
        .min_items(Some(1))
        .max_items(Some(ZIP_NODES_ASKED_MAX));
    /// What a client tells its requests apart by: visible ASCII.
    KeyText(String) as "IdempotencyKey":
        text().pattern(Some("^[!-~]+$")).max_length(Some(IDEMPOTENCY_KEY_CHARS_MAX));
    /// The bytes of a file.
    FileBytes(String) as "FileBytes": text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}

fn secret() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
}

fn number(most: u32) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int32);
    let of = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).format(Some(format));
    of.minimum(Some(1)).maximum(Some(most))
}

/// A field of requests that are done once.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct Once {
    /// Tells a request that is sent again from a new one: the same key gives the first answer, for a day.
    #[param(rename = "Idempotency-Key", value_type = Option<KeyText>)]
    key: Option<String>,
}

/// The router of API v1 with the document that describes it.
pub(crate) fn routes() -> (Router<Arc<Drive>>, OpenApi) {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "The token of a session that was handed as one, or an API token, which does what its scopes say.",
    ));
    let cookie = ApiKeyValue::with_description(
        who::COOKIE_SECURE,
        "The session of a browser. Without TLS its name has no prefix.",
    );
    let components = components()
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()))
        .security_scheme(COOKIE, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
        .schema_from::<ProblemView>()
        .schema_from::<NodeOrder>()
        .schema_from::<ShareOrder>()
        .schema_from::<Direction>()
        .schema_from::<ShareKind>()
        .schema_from::<OnConflict>()
        .schema_from::<FindingLanguage>();
    let api = OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Cairn Drive").version("1").description(Some(
            "Accounts, folders and files, the trash, links. Lists come in pages: `rows`, and `next`, the cursor of \
             the next page. What is not done is answered by a problem (RFC 9457), whose `code` never changes.",
        )))
        .servers(Some([ServerBuilder::new().url(BASE).build()]))
        .components(Some(components.build()))
        .security(Some([BEARER, COOKIE].map(|scheme| SecurityRequirement::new(scheme, [""; 0]))))
        .build();
    let (router, mut api) = OpenApiRouter::with_openapi(api).merge(v1::routes()).split_for_parts();
    for item in api.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            complete(&method, operation);
        }
    }
    name_rows(&mut api);
    close_choices(&mut api);
    (router, api)
}

/// Gives the rows of pages, which the generic type brings as they are, names of their own.
fn name_rows(api: &mut OpenApi) {
    let Some(components) = &mut api.components else { return };
    let mut rows = Vec::new();
    for (name, schema) in &mut components.schemas {
        let (Some(row), RefOr::T(Schema::Object(page))) = (name.strip_prefix("Page_"), schema) else {
            continue;
        };
        let Some(RefOr::T(Schema::Array(list))) = page.properties.get_mut("rows") else { continue };
        let named = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(row).into()));
        if let ArrayItems::RefOrSchema(schema) = std::mem::replace(&mut list.items, named) {
            rows.push((row.to_owned(), *schema));
        }
    }
    components.schemas.extend(rows);
}

/// A choice with a value of its own is an object with that field and no other, which derived schemas do not say.
fn close_choices(api: &mut OpenApi) {
    const CHOICES: [&str; 3] = ["AccountChange", "Actor", "CodeWish"];
    let Some(components) = &mut api.components else { return };
    for choice in CHOICES {
        let Some(RefOr::T(Schema::OneOf(choices))) = components.schemas.get_mut(choice) else { continue };
        for item in &mut choices.items {
            if let RefOr::T(Schema::Object(object)) = item
                && !object.properties.is_empty()
            {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
    }
}

/// The operations of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
        (Method::HEAD, &mut item.head),
        (Method::OPTIONS, &mut item.options),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Adds to an operation the answers that it does not give itself.
fn complete(method: &Method, operation: &mut Operation) {
    let own = operation.extensions.as_mut().and_then(|extensions| extensions.remove(REFUSALS));
    operation.extensions = operation.extensions.take().filter(|extensions| !extensions.is_empty());
    let own: Vec<(u16, String)> =
        own.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    let of_form = of_form(method, operation).into_iter();
    let mut refusals: Vec<(u16, String)> =
        of_form.map(|refused| (refused.0.as_u16(), refused.1.to_owned())).chain(own).collect();
    refusals.sort();
    refusals.dedup();
    for together in refusals.chunk_by(|one, other| one.0 == other.0) {
        let Some((number, _)) = together.first() else { continue };
        let Ok(status) = StatusCode::from_u16(*number) else { continue };
        let codes = together.iter().map(|(_, code)| code.as_str());
        let declared = operation.responses.responses.entry(number.to_string());
        let answer =
            declared.or_insert_with(|| Answered::new(status.canonical_reason().unwrap_or_default()).into());
        if let RefOr::T(answer) = answer {
            // The answer to HEAD has its fields only.
            if *method != Method::HEAD {
                answer.content.insert(PROBLEM_JSON.to_owned(), problem_of(codes).into());
            }
            fields_of(status, answer);
        }
    }
}

/// What follows from an operation's form: who may ask, what comes with the request.
fn of_form(method: &Method, operation: &Operation) -> Vec<Refused> {
    use crate::refusal::{
        BODY_BROKE, BODY_INVALID, BODY_LATE, BODY_TOO_LARGE, CROSS_ORIGIN, NOT_JSON, PATH_INVALID,
        QUERY_INVALID,
    };
    const ALWAYS: [Refused; 2] = [
        Refused::of(&Problem::Unavailable(drive_core::Part::Database)),
        Refused::of(&Problem::Contradiction("")),
    ];
    const SIGNED: [Refused; 3] = [
        Refused::of(&Problem::SignInNeeded),
        Refused::of(&Problem::SessionEnded),
        Refused::of(&Problem::AccountFrozen),
    ];
    const RATE: Refused = Refused::of(&Problem::RateLimited { retry_after: std::time::Duration::ZERO });
    const KEYED: [Refused; 3] = [
        Refused::of(&Problem::FieldInvalid("idempotency-key")),
        Refused::of(&Problem::IdempotencyKeyReused),
        Refused::of(&Problem::IdempotencyInProgress),
    ];
    // Who asks is of no matter: nothing is looked up.
    if operation.security.as_deref() == Some(&[SecurityRequirement::default()]) {
        return Vec::new();
    }
    let mut refusals = ALWAYS.to_vec();
    refusals.push(RATE);
    // Those that say nothing of it want somebody who is signed in.
    if operation.security.is_none() {
        refusals.extend(SIGNED);
    }
    if !method.is_safe() {
        refusals.push(CROSS_ORIGIN);
    }
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        match parameter.parameter_in {
            ParameterIn::Path => refusals.push(PATH_INVALID),
            ParameterIn::Header if parameter.name.eq_ignore_ascii_case("idempotency-key") => {
                refusals.extend(KEYED)
            }
            ParameterIn::Header | ParameterIn::Cookie => {}
            _ => refusals.push(QUERY_INVALID),
        }
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        refusals.extend([BODY_BROKE, BODY_LATE]);
        if body.content.contains_key("application/json") {
            refusals.extend([BODY_INVALID, BODY_TOO_LARGE, NOT_JSON]);
        }
    }
    refusals
}

/// A problem with one of these codes.
fn problem_of<'c>(codes: impl Iterator<Item = &'c str>) -> Content {
    let code = ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(codes));
    let narrowed = ObjectBuilder::new().property("code", code);
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(narrowed);
    Content::new(Some(schema))
}

/// The fields that a refusal has by its status.
fn fields_of(status: StatusCode, answer: &mut Answered) {
    let text = SchemaType::new(Type::String);
    let (name, schema, about) = match status {
        StatusCode::UNAUTHORIZED => ("WWW-Authenticate", ObjectBuilder::new().schema_type(text), "`Bearer`"),
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).minimum(Some(1));
            ("Retry-After", seconds, "Seconds to wait.")
        }
        _ => return,
    };
    let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build();
    answer.headers.insert(name.to_owned(), header.into());
}

/// Every operation: the path of its route, its method, and its id.
pub(crate) fn operation_ids() -> Vec<(String, Method, String)> {
    let mut found = Vec::new();
    for (path, mut item) in routes().1.paths.paths {
        for (method, operation) in operations(&mut item) {
            let id = operation.operation_id.clone().unwrap_or_default();
            found.push((format!("{BASE}{path}"), method, id));
        }
    }
    found
}

/// The document as it is served.
struct Document {
    text: Bytes,
    tag: EntityTag,
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let text = routes().1.to_json().unwrap_or_default();
    let digest = Sha256::digest(text.as_bytes());
    let tag = digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
    Document { text: text.into(), tag: EntityTag::of_digest(tag) }
});

/// The document that describes API v1, for people to read.
///
/// # Errors
/// When it can't be written as JSON.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    routes().1.to_pretty_json().map(|text| text + "\n")
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getDescription", tag = "description",
    security(()),
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object,
         headers(("ETag" = String))),
        (status = 304, description = "It is what it was."),
    ),
)]
pub(crate) async fn get(headers: HeaderMap) -> Response {
    let Document { text, tag } = &*DOCUMENT;
    let lines = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    // It has no time: only its tag counts.
    let current = Current { tag: *tag, modified: i64::MAX, never_changes: false };
    let known = RequestFields::collect(lines, None)
        .is_ok_and(|fields| evaluate(&fields, &current) == Outcome::NotModified);
    let mut quoted = Vec::new();
    tag.push_to(&mut quoted);
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(CONTENT_TYPE, "application/json")], text.clone()).into_response(),
    };
    let fields = response.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_bytes(&quoted) {
        fields.insert(ETAG, tag);
    }
    response
}
