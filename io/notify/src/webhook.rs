//! Messages by POST.

use std::fmt;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use url::Url;
use watch_core::Message;
use watch_core::shape::Shape;

use crate::secret::Secret;
use crate::{ANSWER_LEN_MAX, CONNECT_WAIT, SEND_WAIT, SendError, SettingsError, chain};

/// Where a webhook is.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// `https://…`, with its token.
    pub url: Secret,
    /// Whose it is.
    pub shape: Shape,
    /// What messages are signed with, if its service wants that.
    pub secret: Option<Secret>,
}

/// A webhook.
#[derive(Clone)]
pub struct Webhook {
    client: reqwest::Client,
    url: Url,
    shape: Shape,
    secret: Option<Secret>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.host())
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// A webhook of these settings; nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none, or TLS cannot be set up.
    pub fn new(settings: WebhookSettings) -> Result<Self, SettingsError> {
        let url = Url::parse(settings.url.expose().trim()).map_err(|_| SettingsError::Address)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(SettingsError::Address);
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("cairn/", env!("CARGO_PKG_VERSION")))
            // Where else it leads is nobody's business whom the token was not given for.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_WAIT)
            .timeout(SEND_WAIT)
            // A message comes once in a while: no connection is worth keeping.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| SettingsError::Tls(chain(&error)))?;
        Ok(Self { client, url, shape: settings.shape, secret: settings.secret })
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) async fn send(&self, message: &Message, now_ms: u64) -> Result<(), SendError> {
        // The address holds the token, and such errors would show it.
        let failed = |error: reqwest::Error| SendError::Http(chain(&error.without_url()));
        let request = self.shape.request(message, self.secret.as_ref().map(Secret::expose), now_ms);
        let mut url = self.url.clone();
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let post = self.client.post(url).header(CONTENT_TYPE, "application/json; charset=utf-8");
        let mut answer = post.body(request.body.to_string()).send().await.map_err(failed)?;
        let mut body = Vec::new();
        while body.len() < ANSWER_LEN_MAX
            && let Some(chunk) = answer.chunk().await.map_err(failed)?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(self.shape.judge(answer.status().as_u16(), &body)?)
    }
}
