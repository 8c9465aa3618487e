//! Links: every route to what one leads to comes through here.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use drive_core::account::{AddressBlock, Track};
use drive_core::ports::{PurposeOfRate, RateSubject};
use drive_core::queue::Counter;
use drive_core::rate::{Admission, Rate};
use drive_core::share::{
    GRANT_LIFETIME, PICTURE_SEEN, Pass, Seen, Share, ShareKind, ShareToken, Shown, VisitorMark, Wish, admit,
};
use drive_core::{Missing, NodeId, Problem, UnixMillis};
use drive_db::ShareView;
use http::HeaderValue;
use http::header::USER_AGENT;
use http::request::Parts;

use crate::app::Drive;
use crate::records::new_key;
use crate::refusal::Refusal;
use crate::who::{Signed, Visitor, cookie};

/// The cookie with a grant, of the link's path.
const GRANT_COOKIE: &str = "cairn-share";

/// The field with a grant: for programs.
const GRANT_FIELD: &str = "share-grant";

/// Bytes of a browser's name that tell it from others.
const AGENT_BYTES_MAX: usize = 256;

/// Somebody at a link.
pub(crate) struct Guest {
    pub(crate) visitor: Visitor,
    pub(crate) signed: Option<Signed>,
    agent: String,
    grant: Option<String>,
}

/// Somebody who passed.
pub(crate) struct Admitted {
    pub(crate) view: ShareView,
    pub(crate) pass: Pass,
    pub(crate) mark: VisitorMark,
}

/// What is asked of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Look,
    Download,
}

impl FromRequestParts<Arc<Drive>> for Guest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, drive: &Arc<Drive>) -> Result<Self, Refusal> {
        let visitor = Visitor::from_request_parts(parts, drive).await?;
        Ok(Self::of(visitor, parts, drive).await?)
    }
}

impl Guest {
    /// A visitor, with what it shows to links.
    pub(crate) async fn of(visitor: Visitor, parts: &Parts, drive: &Drive) -> Result<Self, Problem> {
        // A session that has ended is none: links are for everybody.
        let signed = match visitor.clone().sign(drive).await {
            Ok(signed) => signed,
            Err(Problem::SessionEnded | Problem::AccountFrozen) => None,
            Err(problem) => return Err(problem),
        };
        let agent = parts.headers.get(USER_AGENT).map_or(&[][..], |value| value.as_bytes());
        let agent = String::from_utf8_lossy(agent.get(..AGENT_BYTES_MAX).unwrap_or(agent)).into_owned();
        let field = parts.headers.get(GRANT_FIELD).and_then(|value| value.to_str().ok());
        let grant = field.or_else(|| cookie(&parts.headers, GRANT_COOKIE)).map(str::to_owned);
        Ok(Self { visitor, signed, agent, grant })
    }

    /// Who it is to a link.
    pub(crate) fn mark(&self, drive: &Drive, share: &Share) -> VisitorMark {
        match &self.signed {
            Some(signed) => VisitorMark::of_account(&drive.secret, share.id, signed.account()),
            None => {
                let block = AddressBlock::of(self.visitor.address);
                VisitorMark::of_visitor(&drive.secret, share.id, block, &self.agent)
            }
        }
    }

    /// What it shows unless it shows a code.
    pub(crate) fn shown(&self) -> Shown<'_> {
        self.grant.as_deref().map_or(Shown::Nothing, Shown::Grant)
    }

    /// `Set-Cookie` for a grant: for the link's bytes and pages.
    pub(crate) fn grant_cookie(&self, share: &ShareToken, grant: &str) -> Result<HeaderValue, Problem> {
        let (only, text) = (if self.visitor.secure { "; Secure" } else { "" }, share.as_str());
        let line = format!(
            "{GRANT_COOKIE}={grant}; Path=/api/v1/public/shares/{text}; Max-Age={}; HttpOnly; SameSite=Lax{only}",
            GRANT_LIFETIME.as_secs()
        );
        HeaderValue::try_from(line).map_err(|_| Problem::Contradiction("a cookie can't be sent"))
    }

    fn tracks(&self, share: &Share) -> [Track; 2] {
        [Track::ShareAddress(share.id, AddressBlock::of(self.visitor.address)), Track::Share(share.id)]
    }
}

/// The token that a text is.
pub(crate) fn token(text: &str) -> Result<ShareToken, Problem> {
    ShareToken::parse(text).ok_or(Problem::NotFound(Missing::Share))
}

impl Drive {
    /// A link and what it leads to. Nothing of it may be told before the gate was asked.
    pub(crate) async fn behind(&self, text: &str, asked: Option<NodeId>) -> Result<ShareView, Problem> {
        let found = self.database.share_by_token(&token(text)?, asked).await?;
        found.ok_or(Problem::NotFound(Missing::Share))
    }

    /// Asks the gate.
    pub(crate) async fn enter(
        &self,
        guest: &Guest,
        text: &str,
        asked: Option<NodeId>,
        wanted: Wanted,
    ) -> Result<Admitted, Problem> {
        let view = self.behind(text, asked).await?;
        let (now, mark) = (self.now(), guest.mark(self, &view.share));
        let wish = match wanted {
            // Showing its picture is what a picture link is for.
            Wanted::Download if view.share.kind == ShareKind::Picture => Wish::Look,
            Wanted::Look => Wish::Look,
            Wanted::Download => Wish::Download(self.seen(&view.share, &mark, now).await?),
        };
        let pass = admit(&view.share, &view.behind, guest.shown(), &mark, wish, &self.secret, now)?;
        Ok(Admitted { view, pass, mark })
    }

    /// Counts that a link was opened.
    pub(crate) async fn count_opened(&self, share: &Share, visitor: &VisitorMark) {
        if share.kind == ShareKind::Picture {
            // It is shown next, which is no other view.
            self.sees_it_anew(share, visitor).await;
        }
        self.count(new_key(), Counter::ShareViews(share.id)).await;
    }

    /// Counts that the picture of a picture link is shown, wherever, unless its visitor has seen it lately.
    pub(crate) async fn count_shown(&self, share: &Share, visitor: &VisitorMark) {
        if self.sees_it_anew(share, visitor).await {
            self.count(new_key(), Counter::ShareViews(share.id)).await;
        }
    }

    /// Has a visitor not seen the picture lately? Of several that ask at once, one is told so. Without the cache, nobody.
    async fn sees_it_anew(&self, share: &Share, visitor: &VisitorMark) -> bool {
        let Some(once) = Rate::new(1, PICTURE_SEEN, 1) else { return false };
        let subject = RateSubject::Visitor(share.id, *visitor);
        match self.cache.take(&subject, PurposeOfRate::Picture, &once, self.now()).await {
            Ok(admission) => admission == Admission::Admitted,
            Err(error) => {
                tracing::warn!(%error, "whether a picture was seen before is not known");
                false
            }
        }
    }

    async fn seen(&self, share: &Share, mark: &VisitorMark, now: UnixMillis) -> Result<Seen, Problem> {
        self.database.seen(share.id, mark, now).await
    }

    /// Asks the gate with a code, which is counted before it is compared.
    pub(crate) async fn try_code(&self, guest: &Guest, text: &str, code: &str) -> Result<Admitted, Problem> {
        let view = self.behind(text, None).await?;
        let (now, mark) = (self.now(), guest.mark(self, &view.share));
        let tracks = guest.tracks(&view.share);
        self.count_attempt(&tracks, now).await?;
        let shown = Shown::Code(code);
        let admitted = admit(&view.share, &view.behind, shown, &mark, Wish::Look, &self.secret, now);
        let pass = admitted?;
        // Only now: whatever else it was, with it nobody buys more guesses.
        self.forgive_attempt(&tracks).await;
        Ok(Admitted { pass, view, mark })
    }
}
