//! Sessions: sign-ins.

use drive_core::account::{AccountState, Epochs, Role, UserName, Verifiers};
use drive_core::audit::{AuditEvent, AuditRecord};
use drive_core::session::{Door, SESSIONS_MAX, Session, Standing, TokenDigest, Turn, TurnPlan};
use drive_core::{AccountId, Missing, NodeId, Problem, SessionId, UnixMillis};

use crate::cause::{Cause, Made};
use crate::database::{Database, Tx};
use crate::engine::{Columns, Value, marks, padded, values};
use crate::error::Fault;

const COLUMNS: &str = "s.id, s.account_id, s.token, s.door, s.epoch, s.created_at, s.used_at";

fn read(columns: &mut Columns<'_>) -> Result<Session, Fault> {
    Ok(Session {
        id: columns.id()?,
        account: columns.id()?,
        token: TokenDigest(columns.array()?),
        door: columns.made(Door::from_db)?,
        epoch: columns.small()?,
        created_at: columns.at()?,
        used_at: columns.at()?,
    })
}

/// The columns of an account, as `a`, that a token stands for.
pub(crate) const HOLDER: &str = "a.role, a.state, a.session_epoch, a.token_epoch, a.user_name, a.root_id";

pub(crate) fn read_holder(columns: &mut Columns<'_>) -> Result<Holder, Fault> {
    let (role, state) = (columns.made(Role::from_db)?, columns.made(AccountState::from_db)?);
    let epochs = Epochs { sessions: columns.small()?, api_tokens: columns.small()? };
    Ok(Holder {
        standing: Standing { role, state, epochs },
        user_name: columns.parsed(|text| UserName::parse(text).ok())?,
        root: columns.id()?,
    })
}

/// The statement that finds a session by its token.
pub(crate) fn by_token_text() -> String {
    format!(
        "SELECT {COLUMNS}, {HOLDER} FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.token = ?"
    )
}

/// The account that a token stands for, as far as every request needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What the token is checked against.
    pub standing: Standing,
    /// The account's name.
    pub user_name: UserName,
    /// Its root folder.
    pub root: NodeId,
}

/// A change of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChange {
    /// Whose.
    pub account: AccountId,
    /// The verifiers that the old password was checked against.
    pub seen: Verifiers,
    /// Those of the new one.
    pub verifiers: Verifiers,
    /// The token of the session that takes the place of the one that asked, which ends as all others do.
    pub token: TokenDigest,
    /// At which door.
    pub door: Door,
    /// The owner wants API tokens to go on.
    pub keep_api_tokens: bool,
}

impl Tx<'_> {
    /// Makes a session of an account that is locked; beyond [`SESSIONS_MAX`] the one that was used longest ago ends.
    async fn make_session(
        &mut self,
        account: AccountId,
        token: TokenDigest,
        door: Door,
        epochs: Epochs,
        at: UnixMillis,
    ) -> Result<Session, Fault> {
        let sql = "SELECT id FROM sessions WHERE account_id = ? ORDER BY used_at DESC, id DESC";
        let there = self.list(sql, values![account], |columns| columns.int()).await?;
        let over = there.get(SESSIONS_MAX - 1..).unwrap_or(&[]);
        for part in padded(over) {
            let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
            self.run(format!("DELETE FROM sessions WHERE id IN ({})", marks(values.len())), &values).await?;
        }
        let session = Session {
            id: self.id()?,
            account,
            token,
            door,
            epoch: epochs.sessions,
            created_at: at,
            used_at: at,
        };
        let sql = "INSERT INTO sessions (id, account_id, token, door, epoch, created_at, used_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)";
        let values = values![session.id, account, &token.0, door.to_db(), session.epoch, at, at];
        self.change(sql, &values).await?;
        Ok(session)
    }

    /// Does what a turn says to an account that is locked, but for making a session.
    async fn turn(&mut self, account: AccountId, before: Epochs, turn: Turn) -> Result<TurnPlan, Fault> {
        let plan = turn.plan(before);
        if plan.epochs != before {
            let sql = "UPDATE accounts SET session_epoch = ?, token_epoch = ? WHERE id = ?";
            self.change(sql, values![plan.epochs.sessions, plan.epochs.api_tokens, account]).await?;
        }
        if plan.epochs.sessions != before.sessions {
            self.run("DELETE FROM sessions WHERE account_id = ?", values![account]).await?;
        }
        if plan.epochs.api_tokens != before.api_tokens {
            self.run("DELETE FROM api_tokens WHERE account_id = ?", values![account]).await?;
        }
        Ok(plan)
    }
}

impl Database {
    /// Signs somebody in, whose password was right when the account had the verifiers `seen`. `present` is the session
    /// that the browser had, whosever it was: it ends.
    ///
    /// # Errors
    /// [`Problem::AccountFrozen`]; [`Problem::SignInFailed`] when the password has changed since.
    pub async fn sign_in(
        &self,
        account: AccountId,
        seen: &Verifiers,
        token: TokenDigest,
        door: Door,
        present: Option<TokenDigest>,
        cause: &Cause,
    ) -> Result<Session, Problem> {
        self.write("sign in", |tx| {
            Box::pin(async move {
                let (epochs, state) = tx.lock_epochs(account).await?;
                if state == AccountState::Frozen {
                    return Err(Problem::AccountFrozen.into());
                }
                let now = tx.account(account).await?.map(|account| account.verifiers);
                // Another hash of the same password counts as another: signing in again is all it costs.
                if now.as_ref() != Some(seen) {
                    return Err(Problem::SignInFailed.into());
                }
                let plan = tx.turn(account, epochs, Turn::SignIn).await?;
                if let Some(present) = present.filter(|_| plan.end_present) {
                    tx.run("DELETE FROM sessions WHERE token = ?", values![&present.0]).await?;
                }
                let session = tx.make_session(account, token, door, plan.epochs, cause.at).await?;
                // Whoever asked was nobody yet; from here on it is known who it was.
                let by = Cause::account(account, cause.address, cause.at);
                tx.audit(&by, AuditEvent::SignedIn { session: session.id, door }).await?;
                Ok(session)
            })
        })
        .await
    }

    /// The session with this token, and whom it stands for: then [`Session::check`] decides.
    pub async fn session_by_token(&self, token: TokenDigest) -> Result<Option<(Session, Holder)>, Problem> {
        self.read("session by token", |tx| {
            Box::pin(async move {
                tx.get(by_token_text(), values![&token.0], |columns| {
                    Ok((read(columns)?, read_holder(columns)?))
                })
                .await
            })
        })
        .await
    }

    /// Writes down that a session is used.
    pub async fn touch_session(&self, session: SessionId, now: UnixMillis) -> Result<(), Problem> {
        self.write("touch session", |tx| {
            Box::pin(async move {
                let sql = "UPDATE sessions SET used_at = ? WHERE id = ? AND used_at < ?";
                tx.run(sql, values![now, session, now]).await.map(drop)
            })
        })
        .await
    }

    /// The sessions of an account, the last used first. Those that ended by time may be among them.
    pub async fn sessions(&self, account: AccountId) -> Result<Vec<Session>, Problem> {
        self.read("sessions", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM sessions s WHERE s.account_id = ? ORDER BY s.used_at DESC, s.id DESC"
                );
                tx.list(sql, values![account], read).await
            })
        })
        .await
    }

    /// Ends a session of an account: the present one ([`Turn::SignOut`]) or another of its devices.
    pub async fn end_session(
        &self,
        account: AccountId,
        session: SessionId,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("end session", |tx| {
            Box::pin(async move {
                let sql = "DELETE FROM sessions WHERE id = ? AND account_id = ?";
                if tx.run(sql, values![session, account]).await? == 0 {
                    return Err(Problem::NotFound(Missing::Session).into());
                }
                tx.audit(cause, AuditEvent::SessionEnded { session }).await
            })
        })
        .await
    }

    /// Changes a password: all sessions end, API tokens too unless they are to be kept, and one session is made.
    ///
    /// # Errors
    /// [`Problem::SignInFailed`] when the verifiers are not those that the old password was checked against any more.
    pub async fn change_password(&self, change: &PasswordChange, cause: &Cause) -> Result<Session, Problem> {
        self.write("change password", |tx| {
            Box::pin(async {
                let account = change.account;
                let (epochs, _) = tx.lock_epochs(account).await?;
                let now = tx.account(account).await?.map(|account| account.verifiers);
                if now.as_ref() != Some(&change.seen) {
                    return Err(Problem::SignInFailed.into());
                }
                let turn = Turn::PasswordChange { keep_api_tokens: change.keep_api_tokens };
                let plan = tx.turn(account, epochs, turn).await?;
                tx.write_verifiers(account, &change.verifiers).await?;
                let session = tx.make_session(account, change.token, change.door, plan.epochs, cause.at);
                let session = session.await?;
                tx.audit(cause, AuditEvent::PasswordChanged { account }).await?;
                Ok(session)
            })
        })
        .await
    }

    /// Sets a password without the old one: what an administrator does for somebody who forgot it. Everything ends.
    pub async fn set_password(
        &self,
        account: AccountId,
        verifiers: &Verifiers,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("set password", |tx| {
            Box::pin(async move {
                let (epochs, _) = tx.lock_epochs(account).await?;
                tx.turn(account, epochs, Turn::EverythingOff).await?;
                tx.write_verifiers(account, verifiers).await?;
                tx.audit(cause, AuditEvent::PasswordChanged { account }).await?;
                tx.answer(cause, Made::Account(account)).await
            })
        })
        .await
    }

    /// Ends all sessions and API tokens of an account.
    pub async fn everything_off(&self, account: AccountId, cause: &Cause) -> Result<(), Problem> {
        self.write("everything off", |tx| {
            Box::pin(async move {
                let (epochs, _) = tx.lock_epochs(account).await?;
                tx.turn(account, epochs, Turn::EverythingOff).await?;
                tx.audit(cause, AuditEvent::EverythingOff { account, api_tokens: true }).await?;
                tx.answer(cause, Made::Account(account)).await
            })
        })
        .await
    }

    /// Writes a line of the audit log that belongs to no other step: a sign-in that failed, a link that slows down.
    pub async fn write_audit(&self, record: &AuditRecord) -> Result<(), Problem> {
        self.write("audit", |tx| Box::pin(tx.audit_record(record))).await
    }
}
