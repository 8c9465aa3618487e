//! Who asks: the one place that reads tokens.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use bytes::Bytes;
use drive_core::access::{Action, Caller, Credential, may};
use drive_core::account::{AddressBlock, Role, UserName};
use drive_core::idempotency::IdempotencyKey;
use drive_core::ports::{CacheKey, PurposeOfRate, RateSubject};
use drive_core::rate::Rate;
use drive_core::session::{
    Door, Scope, Scopes, Token, TokenDigest, TokenKind, Truth, VERDICT_STALE, may_use_cached,
};
use drive_core::{AccountId, NodeId, Part, Problem, SessionId, UnixMillis};
use drive_db::Cause;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::app::Drive;
use crate::door;
use crate::refusal::Refusal;

/// The cookie over TLS: its prefix lets no other host, and no page without TLS, set it.
pub(crate) const COOKIE_SECURE: &str = "__Host-cairn";
const COOKIE_PLAIN: &str = "cairn";

/// The cookie that the page of the old dialect sets.
const COOKIE_OLD: &str = "token";

/// The parameter of a query in which old clients send a token.
const QUERY_OLD: &str = "token=";

/// What browsers say of where a request comes from.
const FETCH_SITE: &str = "sec-fetch-site";

/// What a session of the old dialect may do, at either door: the digits that open it are worth less than the password, so they
/// neither keep the account nor make tokens that outlive them.
const OLD_SCOPES: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Share];

/// Somebody, signed in or not.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    /// Nobody else reads what is said.
    pub(crate) secure: bool,
    /// What was shown.
    pub(crate) token: Option<Token>,
    /// A token was meant, whatever it is.
    meant: bool,
    writes: bool,
    pub(crate) key: Option<IdempotencyKey>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) visitor: Visitor,
    pub(crate) verdict: Verdict,
    pub(crate) token: TokenDigest,
}

/// Somebody who fetches bytes of their own: signed in as everywhere, or as old clients are who got a file's URL from a
/// list.
pub(crate) struct Fetcher(pub(crate) Signed);

/// Somebody who sends a file. With the database away it is accepted on the word of the cache, as reading is: the queue
/// will have it, and a session can't have been ended meanwhile.
pub(crate) struct Sender(pub(crate) Signed);

/// What a token stands for, as the cache holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    made_at: UnixMillis,
    pub(crate) account: AccountId,
    pub(crate) user_name: UserName,
    pub(crate) root: NodeId,
    role: Role,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum By {
    Session(SessionId),
    OldSession(SessionId),
    Api(i16),
}

impl Visitor {
    /// Somebody as API v1 knows them.
    pub(crate) fn of(parts: &Parts, drive: &Drive) -> Result<Self, Problem> {
        let (address, secure) = door::sender(parts, &drive.settings.trusted_proxies)?;
        let bearer = bearer(&parts.headers);
        let cookie = || cookie(&parts.headers, if secure { COOKIE_SECURE } else { COOKIE_PLAIN });
        let token = match bearer {
            Some(text) => Token::parse(text),
            // A cookie is a browser's: programs show their tokens themselves.
            None => cookie().and_then(Token::parse).filter(|token| token.kind() == TokenKind::Session),
        };
        let key = parts.headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default());
        Ok(Self {
            address,
            secure,
            token,
            meant: bearer.is_some(),
            writes: !parts.method.is_safe(),
            key: key.map(IdempotencyKey::new).transpose()?,
        })
    }

    /// Somebody as the old dialect knows them: by the token `sent` in a body or form, else by what the query, else
    /// `Authorization`, else the cookie of the old page has in its place. The first of these that is there counts,
    /// whatever it is.
    pub(crate) fn of_old(parts: &Parts, drive: &Drive, sent: Option<Token>) -> Result<Self, Problem> {
        let (address, secure) = door::sender(parts, &drive.settings.trusted_proxies)?;
        let named = || in_query(parts).or_else(|| bearer(&parts.headers));
        let (token, meant) = match (sent, named()) {
            (Some(token), _) => (Some(token), true),
            (None, Some(text)) => (Token::parse(text), true),
            (None, None) => (old_cookie(parts), false),
        };
        Ok(Self { address, secure, token, meant, writes: !parts.method.is_safe(), key: None })
    }

    /// Who it is: somebody that is signed in, whose request is counted.
    pub(crate) async fn signed(self, drive: &Drive) -> Result<Signed, Problem> {
        let rate = drive.settings.request_rate.as_ref();
        match self.clone().sign(drive).await {
            Ok(Some(signed)) => {
                signed.take(drive, PurposeOfRate::Request, rate).await?;
                Ok(signed)
            }
            refused => {
                // Who guesses tokens is counted by address.
                self.take(drive, PurposeOfRate::Request, rate).await?;
                Err(refused.err().unwrap_or(Problem::SignInNeeded))
            }
        }
    }

    /// Counts a request of this address.
    pub(crate) async fn take(
        &self,
        drive: &Drive,
        purpose: PurposeOfRate,
        rate: Option<&Rate>,
    ) -> Result<(), Problem> {
        take(drive, &RateSubject::Address(AddressBlock::of(self.address)), purpose, rate).await
    }

    /// Who it is, if anybody that is signed in.
    pub(crate) async fn sign(self, drive: &Drive) -> Result<Option<Signed>, Problem> {
        let Some(token) = &self.token else {
            return if self.meant { Err(Problem::SessionEnded) } else { Ok(None) };
        };
        let verdict = drive.verdict(token, self.writes).await?;
        let token = token.digest();
        Ok(Some(Signed { visitor: self, verdict, token }))
    }

    /// Why a visitor changes something.
    pub(crate) fn cause(&self, now: UnixMillis) -> Cause {
        Cause::visitor(Some(self.address), now)
    }
}

impl Signed {
    pub(crate) fn account(&self) -> AccountId {
        self.verdict.account
    }

    fn caller(&self) -> Caller {
        let by = match self.verdict.by {
            By::Session(_) => Credential::Session,
            By::OldSession(_) => Credential::ApiToken(Scopes::of(&OLD_SCOPES)),
            By::Api(scopes) => Credential::ApiToken(Scopes::from_db(scopes).unwrap_or_default()),
        };
        Caller::SignedIn { account: self.verdict.account, role: self.verdict.role, by }
    }

    /// May this be done in one's own drive?
    pub(crate) fn may(&self, action: impl FnOnce(AccountId) -> Action) -> Result<AccountId, Problem> {
        may(&self.caller(), action(self.verdict.account))
    }

    /// Counts a request of this account.
    pub(crate) async fn take(
        &self,
        drive: &Drive,
        purpose: PurposeOfRate,
        rate: Option<&Rate>,
    ) -> Result<(), Problem> {
        take(drive, &RateSubject::Account(self.account()), purpose, rate).await
    }

    /// The session it is signed in by; none for programs.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.verdict.by {
            By::Session(session) | By::OldSession(session) => Some(session),
            By::Api(_) => None,
        }
    }

    /// Why somebody changes something.
    pub(crate) fn cause(&self, now: UnixMillis) -> Cause {
        Cause::account(self.verdict.account, Some(self.visitor.address), now)
    }
}

impl FromRequestParts<Arc<Drive>> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, drive: &Arc<Drive>) -> Result<Self, Refusal> {
        let visitor = Self::of(parts, drive)?;
        visitor.take(drive, PurposeOfRate::Request, drive.settings.request_rate.as_ref()).await?;
        Ok(visitor)
    }
}

impl FromRequestParts<Arc<Drive>> for Signed {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, drive: &Arc<Drive>) -> Result<Self, Refusal> {
        Ok(Visitor::of(parts, drive)?.signed(drive).await?)
    }
}

impl FromRequestParts<Arc<Drive>> for Sender {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, drive: &Arc<Drive>) -> Result<Self, Refusal> {
        let mut visitor = Visitor::of(parts, drive)?;
        visitor.writes = drive.queue.is_none();
        Ok(Self(visitor.signed(drive).await?))
    }
}

impl FromRequestParts<Arc<Drive>> for Fetcher {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, drive: &Arc<Drive>) -> Result<Self, Refusal> {
        let visitor = Visitor::of(parts, drive)?;
        let old = || in_query(parts).and_then(Token::parse).or_else(|| old_cookie(parts));
        let old = if visitor.meant || visitor.writes { None } else { old() };
        let Some(old) = old.filter(|token| token.kind() == TokenKind::Session) else {
            return Ok(Self(visitor.signed(drive).await?));
        };
        // A browser may have both; one of them may have ended.
        if visitor.token.is_some()
            && let Ok(signed) = visitor.clone().signed(drive).await
        {
            return Ok(Self(signed));
        }
        Ok(Self(Visitor { token: Some(old), ..visitor }.signed(drive).await?))
    }
}

/// Counts a request. Without the cache none is counted.
async fn take(
    drive: &Drive,
    subject: &RateSubject,
    purpose: PurposeOfRate,
    rate: Option<&Rate>,
) -> Result<(), Problem> {
    let Some(rate) = rate else { return Ok(()) };
    match drive.cache.take(subject, purpose, rate, drive.now()).await {
        Ok(admission) => admission.ok(),
        Err(error) => {
            tracing::warn!(%error, "a request was not counted");
            Ok(())
        }
    }
}

impl Drive {
    /// What a token stands for: from the cache as long as that may count, else from the database.
    async fn verdict(&self, token: &Token, writes: bool) -> Result<Verdict, Problem> {
        let now = self.now();
        let key = CacheKey::Token(token.digest());
        let cached: Option<Verdict> = match self.cache.get(&key).await {
            Ok(value) => value.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            Err(error) => {
                tracing::warn!(%error, "a token was not looked up in the cache");
                None
            }
        };
        let counts = |truth| {
            let cached = cached.as_ref()?;
            may_use_cached(cached.made_at, now, truth, writes).then(|| cached.clone())
        };
        if let Some(verdict) = counts(Truth::There) {
            return Ok(verdict);
        }
        match self.ask(token, now).await {
            Ok(verdict) => {
                let bytes = serde_json::to_vec(&verdict).map(Bytes::from);
                let bytes = bytes.map_err(|_| Problem::Contradiction("a verdict can't be written"))?;
                if let Err(error) = self.cache.put(&key, bytes, VERDICT_STALE).await {
                    tracing::warn!(%error, "a token was not kept in the cache");
                }
                Ok(verdict)
            }
            Err(Problem::Unavailable(Part::Database)) => {
                counts(Truth::Away).ok_or(Problem::Unavailable(Part::Database))
            }
            Err(problem) => {
                // Otherwise it would count again when the database is away.
                if matches!(problem, Problem::SessionEnded | Problem::AccountFrozen) && cached.is_some() {
                    self.forget_token(token.digest()).await;
                }
                Err(problem)
            }
        }
    }

    async fn ask(&self, token: &Token, now: UnixMillis) -> Result<Verdict, Problem> {
        let (account, by, holder) = match token.kind() {
            TokenKind::Session => {
                let found = self.database.session_by_token(token.digest()).await?;
                let (session, holder) = found.ok_or(Problem::SessionEnded)?;
                let alive = session.check(&holder.standing, now)?;
                if alive.touch {
                    self.database.touch_session(session.id, now).await?;
                }
                let by = match session.door {
                    Door::V1 => By::Session(session.id),
                    Door::Dialect => By::OldSession(session.id),
                };
                (session.account, by, holder)
            }
            TokenKind::Api => {
                let found = self.database.api_token_by_token(token.digest()).await?;
                let (api_token, holder) = found.ok_or(Problem::SessionEnded)?;
                api_token.check(&holder.standing, now)?;
                (api_token.account, By::Api(api_token.scopes.to_db()), holder)
            }
        };
        let role = holder.standing.role;
        Ok(Verdict { made_at: now, account, user_name: holder.user_name, root: holder.root, role, by })
    }

    /// A token has ended: this process forgets it at once, others within a second.
    pub(crate) async fn forget_token(&self, token: TokenDigest) {
        if let Err(error) = self.cache.remove(&[CacheKey::Token(token)]).await {
            tracing::warn!(%error, "a token could not be forgotten");
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    // Blanks at the end of a field do not arrive: an empty token is meant, and is none.
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn in_query(parts: &Parts) -> Option<&str> {
    let mut parameters = parts.uri.query()?.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix(QUERY_OLD))
}

/// The token in the old page's cookie. The page sets it for scripts of its origin, and without `SameSite`: what other
/// pages send does not count, as far as the browser tells.
fn old_cookie(parts: &Parts) -> Option<Token> {
    let from = parts.headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    let own = matches!(from, None | Some(b"same-origin" | b"none"));
    let token = cookie(&parts.headers, COOKIE_OLD).filter(|_| own).and_then(Token::parse);
    token.filter(|token| token.kind() == TokenKind::Session)
}

/// A cookie's value.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// `Set-Cookie` for a session, or, with no token, for its end.
pub(crate) fn set_cookie(token: Option<&Token>, secure: bool) -> Result<HeaderValue, Problem> {
    let (name, only) = if secure { (COOKIE_SECURE, "; Secure") } else { (COOKIE_PLAIN, "") };
    let seconds = drive_core::session::Door::V1.lifetime().absolute.as_secs();
    let (value, age) = token.map_or_else(|| (String::new(), 0), |token| (token.to_text(), seconds));
    let line = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{only}");
    HeaderValue::try_from(line).map_err(|_| Problem::Contradiction("a cookie can't be sent"))
}
