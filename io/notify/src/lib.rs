//! Messages to people, through webhooks and SMTP.
//!
//! A [`Channel`] is one way to them; [`Channel::send`] takes one message there, within [`SEND_WAIT`], or says why not.
//!
//! **Never knows**: what a message is about, whether it is sent again.
//!
//! **Invariants**: addresses of webhooks hold tokens, so no error, no `Debug` and no name of a channel shows more of them than the
//! host. Nothing follows a redirect. An answer is read up to [`ANSWER_LEN_MAX`].

mod email;
mod secret;
mod webhook;

use std::time::Duration;

pub use email::{Email, EmailSettings, Encryption, Login};
pub use secret::Secret;
use watch_core::Message;
use watch_core::shape::Refusal;
pub use webhook::{Webhook, WebhookSettings};

/// How long one attempt may take, all in all.
pub const SEND_WAIT: Duration = Duration::from_secs(20);
/// How long a connection may take to come up.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// As much of an answer is read.
pub const ANSWER_LEN_MAX: usize = 64 * 1024;

/// One way to people.
#[derive(Debug, Clone)]
pub enum Channel {
    /// A POST over HTTP.
    Webhook(Webhook),
    /// A mail.
    Email(Email),
}

/// Why a message has not arrived, as far as we know.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum SendError {
    #[error("no answer within {} s", SEND_WAIT.as_secs())]
    Late,
    #[error("{0}")]
    Http(String),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Smtp(String),
    #[error("the message cannot be written as a mail: {0}")]
    Unwritable(String),
}

/// Settings that no channel can be made of.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum SettingsError {
    #[error("the address must be http:// or https:// and a host")]
    Address,
    #[error("\"{address}\" is no address of a mailbox: {reason}")]
    Mailbox { address: String, reason: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl Channel {
    /// The server that it goes to, without anything secret.
    pub fn host(&self) -> &str {
        match self {
            Self::Webhook(webhook) => webhook.host(),
            Self::Email(email) => email.host(),
        }
    }

    /// Sends one message; `now_ms` is Unix time in milliseconds, for signatures.
    ///
    /// # Errors
    /// When it has not arrived, as far as we know.
    pub async fn send(&self, message: &Message, now_ms: u64) -> Result<(), SendError> {
        let sent = async {
            match self {
                Self::Webhook(webhook) => webhook.send(message, now_ms).await,
                Self::Email(email) => email.send(message).await,
            }
        };
        tokio::time::timeout(SEND_WAIT, sent).await.unwrap_or(Err(SendError::Late))
    }
}

/// An error with all that is behind it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        // Some show what is behind them, too.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text.replace(['\r', '\n'], " ")
}
