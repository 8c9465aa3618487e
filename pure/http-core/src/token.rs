//! Anti-steal tokens: `?token=<32 hex>&ts=<Unix seconds>` (HTTP access, "Tokens").
//!
//! The token is the one of FastDFS's module, made of the name without its group, the secret and the time, so pages that
//! make links need no change. Stricter than the module on purpose: a time of 0 or a text that is no number never
//! expired there, and a time in the far future kept a link alive until then. Here a time may lie ahead by one time to live,
//! so no link works for longer than two.

use fdfs_fileid::token::{self, TOKEN_LEN};

use crate::fields::RequestFields;
use crate::status::Status;
use crate::target::Parameters;

/// Who may fetch files.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// The secret that links are made with.
    pub secret: String,
    /// How long a link works, seconds.
    pub ttl: u32,
    /// A header field, by name and value, that stands for a token. An empty value would let everybody in: it lets nobody.
    pub bypass: Option<(String, String)>,
    /// Status of the answer to a wrong or expired token: 403, or 200 as FastDFS's module has it when there is a file to
    /// send instead. Caches keep a 200, so this one is marked not to be kept.
    pub fail_status: Status,
}

impl std::fmt::Debug for TokenRules {
    /// Leaves the secrets out: rules get logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bypass = self.bypass.as_ref().map(|(name, _)| name);
        f.debug_struct("TokenRules")
            .field("ttl", &self.ttl)
            .field("bypass", &bypass)
            .field("fail_status", &self.fail_status)
            .finish_non_exhaustive()
    }
}

/// What comes of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The request may go on. `left` is how many seconds the link will still work; none when it needs no token.
    Granted {
        /// For `Cache-Control`: what is cached must not outlive the link.
        left: Option<u32>,
    },
    /// No token or no time came: 400, as in FastDFS's module.
    Missing,
    /// A wrong or expired token: the fail answer.
    Refused,
}

impl TokenRules {
    /// Checks a request for the file `name_text` ([`crate::FileTarget::text`]) at the time `now`, Unix seconds.
    pub fn check(
        &self,
        name_text: &str,
        parameters: &Parameters<'_>,
        fields: &RequestFields<'_>,
        now: i64,
    ) -> Access {
        if is_trusted(self.bypass.as_ref(), fields) {
            return Access::Granted { left: None };
        }
        let (Some(token), Some(ts)) = (parameters.token, parameters.ts) else { return Access::Missing };
        if token.is_empty() || ts.is_empty() {
            return Access::Missing;
        }
        let Some(ts) = Parameters::number(Some(ts)).and_then(|ts| i64::try_from(ts).ok()) else {
            return Access::Refused;
        };
        let ahead = ts.saturating_sub(now);
        if ts == 0 || ahead > i64::from(self.ttl) || token.len() != TOKEN_LEN {
            return Access::Refused;
        }
        match token::check(token, name_text, &self.secret, ts, now, self.ttl) {
            Ok(()) => {
                let left = ahead.saturating_add(i64::from(self.ttl)).max(0);
                Access::Granted { left: Some(u32::try_from(left).unwrap_or(u32::MAX)) }
            }
            Err(_) => Access::Refused,
        }
    }
}

/// Whether a request has the header field that stands for a token. An empty value lets nobody in.
pub fn is_trusted(bypass: Option<&(String, String)>, fields: &RequestFields<'_>) -> bool {
    match (bypass, fields.bypass) {
        (Some((_, wanted)), Some(sent)) => !wanted.is_empty() && equal(wanted.as_bytes(), sent),
        _ => false,
    }
}

/// Compares in a time that depends on the lengths alone.
fn equal(secret: &[u8], sent: &[u8]) -> bool {
    let difference = secret.iter().zip(sent).fold(0, |sum, (a, b)| sum | (a ^ b));
    secret.len() == sent.len() && std::hint::black_box(difference) == 0
}
