//! One request of an old client, and who sends it.

use std::sync::Arc;

use drive_core::access::Action;
use drive_core::dialect::{Fields, check_user, time_text};
use drive_core::ports::PurposeOfRate;
use drive_core::{AccountId, Problem, UnixMillis};
use http::request::Parts;

use crate::app::Drive;
use crate::gate::Guest;
use crate::who::{Signed, Visitor};

/// A request whose body has been read.
pub(super) struct Call {
    pub(super) drive: Arc<Drive>,
    pub(super) parts: Parts,
    pub(super) fields: Fields,
}

impl Call {
    /// Who asks for what everybody may have. The request is counted.
    pub(super) async fn visitor(&self) -> Result<Visitor, Problem> {
        let visitor = Visitor::of_old(&self.parts, &self.drive, None)?;
        let rate = self.drive.settings.request_rate.as_ref();
        visitor.take(&self.drive, PurposeOfRate::Request, rate).await?;
        Ok(visitor)
    }

    /// Who asks for what is theirs, if they may do it. The request is counted.
    pub(super) async fn signed(&self, action: impl FnOnce(AccountId) -> Action) -> Result<Signed, Problem> {
        let visitor = Visitor::of_old(&self.parts, &self.drive, self.fields.token()?)?;
        let signed = visitor.signed(&self.drive).await?;
        check_user(&self.fields.user()?, &signed.verdict.user_name)?;
        signed.may(action)?;
        Ok(signed)
    }

    /// Who asks, as links know them: as when the same client fetches bytes, so that both are one visitor.
    pub(super) async fn guest(&self) -> Result<Guest, Problem> {
        let visitor = Visitor::of(&self.parts, &self.drive)?;
        Guest::of(visitor, &self.parts, &self.drive).await
    }
}

impl Drive {
    /// A time as old clients are told it.
    pub(super) fn old_time(&self, at: UnixMillis) -> String {
        time_text(at, self.settings.time_offset_minutes)
    }

    /// When links end for which nobody can say it: never, or as late as they may.
    pub(super) fn latest_end(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.settings.shares.lifetime_max.map(|longest| now.plus(longest))
    }
}
