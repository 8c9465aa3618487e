//! Signing in, at either door: attempts are counted, one password is compared, a session is made.

use drive_core::Problem;
use drive_core::account::{
    Account, AddressBlock, Check, DialectPassword, Track, Typed, UserName, Verifiers, check_dialect,
    check_typed,
};
use drive_core::audit::{Actor, AuditEvent, AuditRecord};
use drive_core::session::{Door, Session, Token, TokenKind};

use crate::app::Drive;
use crate::passwords::Compared;
use crate::who::Visitor;

/// The password, as a door gets it.
pub(crate) enum Shown<'a> {
    /// What was typed.
    Typed(&'a Typed),
    /// What an old client made of it.
    Digits(&'a DialectPassword),
}

impl Shown<'_> {
    fn door(&self) -> Door {
        match self {
            Self::Typed(_) => Door::V1,
            Self::Digits(_) => Door::Dialect,
        }
    }

    fn check<'v>(&self, verifiers: Option<&'v Verifiers>) -> Check<'v> {
        match self {
            Self::Typed(typed) => check_typed(verifiers, typed),
            Self::Digits(digits) => check_dialect(verifiers, digits),
        }
    }
}

impl Drive {
    /// Signs somebody in, and counts how that ended. The session that the visitor had ends. A name of none costs what one that nobody has costs.
    pub(crate) async fn sign_in(
        &self,
        visitor: &Visitor,
        name: Option<&UserName>,
        shown: Shown<'_>,
    ) -> Result<(Session, Token), Problem> {
        let signed = self.try_sign_in(visitor, name, shown).await;
        self.counts.sign_in(signed.as_ref().err());
        signed
    }

    async fn try_sign_in(
        &self,
        visitor: &Visitor,
        name: Option<&UserName>,
        shown: Shown<'_>,
    ) -> Result<(Session, Token), Problem> {
        let (now, door) = (self.now(), shown.door());
        let mut tracks = vec![Track::Address(AddressBlock::of(visitor.address))];
        tracks.extend(name.map(|name| Track::Account(name.key().to_owned())));
        self.count_attempt(&tracks, now).await?;
        let account = match name {
            Some(name) => self.database.account_by_name(name).await?,
            None => None,
        };
        let check = shown.check(account.as_ref().map(|account| &account.verifiers));
        let compared = self.passwords.compare(&check).await?;
        let (Some(account), Compared::Same { cheap }) = (&account, compared) else {
            let record = AuditRecord {
                at: now,
                actor: Actor::Visitor,
                address: Some(visitor.address),
                event: AuditEvent::SignInFailed { account: account.map(|account| account.id), door },
            };
            self.database.write_audit(&record).await?;
            return Err(Problem::SignInFailed);
        };
        self.forgive_attempt(&tracks).await;
        let token = Token::new(TokenKind::Session, rand::random());
        let before = visitor.token.as_ref().filter(|token| token.kind() == TokenKind::Session);
        let before = before.map(Token::digest);
        let cause = visitor.cause(now);
        let session = self
            .database
            .sign_in(account.id, &account.verifiers, token.digest(), door, before, &cause)
            .await?;
        if let Some(before) = before {
            self.forget_token(before).await;
        }
        // The session is made, and the one before it has ended: the hash can be made anew another time.
        if let Err(problem) = self.renew(account, &check, door, cheap).await {
            tracing::warn!(%problem, account = %account.id, "the hash of a password is not made anew");
        }
        Ok((session, token))
    }

    /// Makes verifiers anew that are missing or cost too little, as the password is known at this moment.
    async fn renew(
        &self,
        account: &Account,
        check: &Check<'_>,
        door: Door,
        cheap: bool,
    ) -> Result<(), Problem> {
        let secret = match &check.then_text {
            Some(secret) => secret,
            None if cheap => &check.secret,
            None => return Ok(()),
        };
        let hash = Some(self.passwords.hash(secret.clone()).await?);
        let Verifiers { text, dialect } = account.verifiers.clone();
        let renewed = match door {
            Door::V1 => Verifiers { text: hash, dialect },
            Door::Dialect => Verifiers { text, dialect: hash },
        };
        self.database.renew_verifiers(account.id, &account.verifiers, &renewed).await
    }
}
