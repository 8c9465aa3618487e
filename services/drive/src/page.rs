//! The drive's web page: what the build of `web/` left, as it was when this program was built.
//!
//! The page is one document with scripts; which of its views is shown is a path that only the scripts know. So every
//! path that could be a view is answered with the document, and what has a dot in its last part is a file or nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    REFERRER_POLICY, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_core::RequestFields;
use http_core::condition::{Current, Outcome, evaluate};
use http_core::encoding::{Coding, accepted};
use http_core::validator::EntityTag;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::refusal::METHOD_UNKNOWN;
use crate::router::nowhere;

/// What `npm run build` left; nothing when it did not run before this program was built.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Built;

/// The document.
const INDEX: &str = "index.html";

/// Files whose names have a digest of their contents: another content has another name.
const DIGESTED: &str = "assets/";

/// First parts of paths that are no views.
const NOT_VIEWS: [&str; 4] = ["api", "healthz", "metrics", "problems"];

/// What the page may do: run its own scripts, also compiled ones, show what it fetched itself, and nothing of others.
/// Its workers have the policy of their script, which is why all files have it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; \
     media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; frame-src 'self' blob:; \
     manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// What is shown where there is no page.
const MISSING: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Cairn Drive</title>\n\
     <h1>This program was built without the web page</h1>\n\
     <p>The drive itself works: its API is at <a href=\"/api/v1/openapi.json\">/api/v1</a>.</p>\n\
     <p>To have the page, start the drive from its sources with <code>cargo xtask up</code>, which builds both.</p>\n\
     <p lang=\"zh\">这个程序编译时没有包含网页。网盘本身可以使用，接口在 /api/v1。\
     在源码目录运行 <code>cargo xtask up</code> 会一并构建网页。</p>\n</html>\n";

/// The files of the page.
#[derive(Clone)]
pub struct Page {
    files: Arc<BTreeMap<String, File>>,
}

struct File {
    media_type: &'static str,
    plain: Form,
    /// The same, compressed; the preferred first.
    coded: Vec<(Coding, Form)>,
}

/// Bytes with their tag. Each form of a file has its own: a strong tag stands for bytes.
struct Form {
    bytes: Bytes,
    tag: EntityTag,
}

impl Form {
    fn of(bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes);
        let tag = digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
        Self { bytes, tag: EntityTag::of_digest(tag) }
    }
}

impl Page {
    /// What was there when this program was built, perhaps nothing.
    pub fn built_in() -> Self {
        static BUILT: LazyLock<Page> = LazyLock::new(|| {
            Page::of(Built::iter().filter_map(|name| {
                let bytes = match Built::get(&name)?.data {
                    std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                    std::borrow::Cow::Owned(bytes) => bytes.into(),
                };
                Some((name.into_owned(), bytes))
            }))
        });
        BUILT.clone()
    }

    /// Of files by their paths below the root: `index.html` is the document, `X.br` and `X.gz` are `X`, compressed.
    pub fn of(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let mut left: BTreeMap<String, Bytes> = files.into_iter().collect();
        let names: Vec<String> = left.keys().cloned().collect();
        let mut of_names: BTreeMap<String, Vec<(Coding, Form)>> = BTreeMap::new();
        for name in &names {
            for (coding, ending) in [(Coding::Brotli, "br"), (Coding::Gzip, "gz")] {
                if let Some(bytes) = left.remove(&format!("{name}.{ending}")) {
                    of_names.entry(name.clone()).or_default().push((coding, Form::of(bytes)));
                }
            }
        }
        let files = left.into_iter().map(|(name, bytes)| {
            let coded = of_names.remove(&name).unwrap_or_default();
            let file = File { media_type: media_type(&name), plain: Form::of(bytes), coded };
            (name, file)
        });
        Self { files: Arc::new(files.collect()) }
    }

    /// Whether there is a document.
    pub fn is_there(&self) -> bool {
        self.files.contains_key(INDEX)
    }

    /// Answers a request for a path that is nobody else's.
    pub(crate) fn answer(&self, parts: &Parts) -> Response {
        let path = parts.uri.path().trim_start_matches('/');
        let found = match self.files.get_key_value(path) {
            Some((name, file)) => Some((name.as_str(), file)),
            None if is_view(path) => {
                self.files.get_key_value(INDEX).map(|(name, file)| (name.as_str(), file))
            }
            None => None,
        };
        let missing = path.is_empty() && found.is_none();
        if found.is_none() && !missing {
            return nowhere();
        }
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            let mut refused = METHOD_UNKNOWN.because("the page is fetched by GET").into_response();
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match found {
            Some((name, file)) => file.answer(name, parts),
            None => {
                let head = [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
                (StatusCode::NOT_FOUND, head, MISSING).into_response()
            }
        }
    }
}

impl File {
    fn answer(&self, name: &str, parts: &Parts) -> Response {
        let lines = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        // A field that is there twice is as if it were not.
        let fields = RequestFields::collect(lines, None).unwrap_or_default();
        let offered: Vec<Coding> = self.coded.iter().map(|(coding, _)| *coding).collect();
        let coding = accepted(&fields.accept_encoding, &offered).coding;
        let coded = self.coded.iter().find(|(known, _)| Some(*known) == coding);
        let form = coded.map_or(&self.plain, |(_, form)| form);

        let mut head = HeaderMap::new();
        head.insert(
            CACHE_CONTROL,
            HeaderValue::from_static(match name.starts_with(DIGESTED) {
                true => "public, max-age=31536000, immutable",
                false => "no-cache",
            }),
        );
        head.insert(CONTENT_SECURITY_POLICY, POLICY);
        head.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        let mut tag = Vec::new();
        form.tag.push_to(&mut tag);
        if let Ok(tag) = HeaderValue::from_bytes(&tag) {
            head.insert(ETAG, tag);
        }
        if !self.coded.is_empty() {
            head.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        // It has no time: only its tag counts.
        let current = Current { tag: form.tag, modified: i64::MAX, never_changes: false };
        if evaluate(&fields, &current) == Outcome::NotModified {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        head.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        head.insert(CONTENT_LENGTH, form.bytes.len().into());
        if let Some((coding, _)) = coded {
            head.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        let body = match parts.method == Method::HEAD {
            true => Body::empty(),
            false => Body::from(form.bytes.clone()),
        };
        (StatusCode::OK, head, body).into_response()
    }
}

/// Could it be a view of the page?
fn is_view(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    !NOT_VIEWS.contains(&first) && !last.contains('.')
}

/// What a build leaves, by extension. The rest is bytes.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(page: &Page, method: Method, path: &str) -> Response {
        let (parts, ()) = http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        page.answer(&parts)
    }

    #[tokio::test]
    async fn a_program_without_the_page_says_so_and_says_what_to_run() {
        let page = Page::of([]);
        assert!(!page.is_there());
        let answer = ask(&page, Method::GET, "/");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let text = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        assert!(String::from_utf8_lossy(&text).contains("cargo xtask up"));
        for path in ["/folders/7", "/favicon.svg"] {
            let answer = ask(&page, Method::GET, path);
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json", "{path}");
        }
    }

    #[test]
    fn a_compressed_file_without_its_plain_one_is_a_file() {
        let page = Page::of([("a.gz".to_owned(), Bytes::from_static(b"x"))]);
        assert_eq!(ask(&page, Method::GET, "/a.gz").status(), StatusCode::OK);
        assert_eq!(ask(&page, Method::GET, "/a").status(), StatusCode::NOT_FOUND);
    }
}
