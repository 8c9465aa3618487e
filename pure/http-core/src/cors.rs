//! Pages of other origins (CORS, the Fetch standard).

use crate::fields::RequestFields;

/// How long a browser may remember the answer to a preflight, seconds.
pub const PREFLIGHT_MAX_AGE_S: u32 = 86_400;

/// What a page may send besides what it always may.
pub(crate) const ALLOWED_FIELDS: &str =
    "Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since";

/// What a page may read besides what it always may.
pub(crate) const EXPOSED_FIELDS: &str =
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag";

/// Which origins' pages may read files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// None but the server's own.
    #[default]
    Own,
    /// All.
    All,
    /// These, as browsers write them: `https://example.org`, with a port that is not the scheme's own.
    Listed(Vec<String>),
}

/// What the answer says to the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cors<'a> {
    /// The value of `Access-Control-Allow-Origin`. It comes from the configuration, never from the request.
    pub allow_origin: Option<&'a str>,
    /// The answer differs with the request's `Origin`.
    pub vary: bool,
}

impl Origins {
    /// Decides for one request.
    pub fn decide(&self, fields: &RequestFields<'_>) -> Cors<'_> {
        match self {
            Origins::Own => Cors { allow_origin: None, vary: false },
            // Also without an origin: a cache may keep this answer for a page that has one.
            Origins::All => Cors { allow_origin: Some("*"), vary: false },
            Origins::Listed(origins) => {
                let listed = fields
                    .origin
                    .and_then(|origin| origins.iter().find(|listed| listed.as_bytes() == origin));
                Cors { allow_origin: listed.map(String::as_str), vary: true }
            }
        }
    }
}
