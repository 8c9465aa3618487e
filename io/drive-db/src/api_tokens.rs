//! API tokens.

use drive_core::account::{NickName, Role};
use drive_core::audit::AuditEvent;
use drive_core::session::{ApiToken, Scopes, TokenDigest, may_make_api_token};
use drive_core::{AccountId, ApiTokenId, Missing, Problem, UnixMillis};

use crate::cause::Cause;
use crate::database::Database;
use crate::engine::{Columns, values};
use crate::error::Fault;
use crate::sessions::{HOLDER, Holder, read_holder};

const COLUMNS: &str = "t.id, t.account_id, t.token, t.label, t.scopes, t.epoch, t.expires_at";

fn read(columns: &mut Columns<'_>) -> Result<ApiToken, Fault> {
    Ok(ApiToken {
        id: columns.id()?,
        account: columns.id()?,
        token: TokenDigest(columns.array()?),
        label: columns.parsed(|text| NickName::new(text).ok())?,
        scopes: columns.made(Scopes::from_db)?,
        epoch: columns.small()?,
        expires_at: columns.opt_at()?,
    })
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiToken {
    /// Whose.
    pub account: AccountId,
    /// The digest of the token.
    pub token: TokenDigest,
    /// What its owner calls it.
    pub label: NickName,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends, if it does.
    pub expires_at: Option<UnixMillis>,
}

impl Database {
    /// Makes an API token.
    ///
    /// # Errors
    /// Those of [`may_make_api_token`].
    pub async fn make_api_token(&self, new: &NewApiToken, cause: &Cause) -> Result<ApiToken, Problem> {
        self.write("make api token", |tx| {
            Box::pin(async {
                let (epochs, _) = tx.lock_epochs(new.account).await?;
                let sql = "SELECT a.role, (SELECT COUNT(*) FROM api_tokens t WHERE t.account_id = a.id) \
                     FROM accounts a WHERE a.id = ?";
                let found = tx.get(sql, values![new.account], |columns| {
                    Ok((columns.made(Role::from_db)?, columns.count()?))
                });
                let (role, existing) = found.await?.ok_or(Problem::NotFound(Missing::Account))?;
                let existing = usize::try_from(existing).unwrap_or(usize::MAX);
                may_make_api_token(role, new.scopes, new.expires_at, existing, cause.at)?;
                let token = ApiToken {
                    id: tx.id()?,
                    account: new.account,
                    token: new.token,
                    label: new.label.clone(),
                    scopes: new.scopes,
                    epoch: epochs.api_tokens,
                    expires_at: new.expires_at,
                };
                let sql = "INSERT INTO api_tokens (id, account_id, token, label, scopes, epoch, expires_at) \
                     VALUES (?, ?, ?, ?, ?, ?, ?)";
                let values = values![
                    token.id,
                    token.account,
                    &token.token.0,
                    token.label.as_str(),
                    token.scopes.to_db(),
                    token.epoch,
                    token.expires_at,
                ];
                tx.change(sql, &values).await?;
                tx.audit(cause, AuditEvent::ApiTokenMade { token: token.id }).await?;
                Ok(token)
            })
        })
        .await
    }

    /// The API token with this digest, and whom it stands for: then [`ApiToken::check`] decides.
    pub async fn api_token_by_token(
        &self,
        token: TokenDigest,
    ) -> Result<Option<(ApiToken, Holder)>, Problem> {
        self.read("api token by token", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS}, {HOLDER} FROM api_tokens t JOIN accounts a ON a.id = t.account_id \
                     WHERE t.token = ?"
                );
                tx.get(sql, values![&token.0], |columns| Ok((read(columns)?, read_holder(columns)?))).await
            })
        })
        .await
    }

    /// The API tokens of an account, the oldest first.
    pub async fn api_tokens(&self, account: AccountId) -> Result<Vec<ApiToken>, Problem> {
        self.read("api tokens", |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {COLUMNS} FROM api_tokens t WHERE t.account_id = ? ORDER BY t.id");
                tx.list(sql, values![account], read).await
            })
        })
        .await
    }

    /// Ends an API token of an account.
    pub async fn end_api_token(
        &self,
        account: AccountId,
        token: ApiTokenId,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("end api token", |tx| {
            Box::pin(async move {
                let sql = "DELETE FROM api_tokens WHERE id = ? AND account_id = ?";
                if tx.run(sql, values![token, account]).await? == 0 {
                    return Err(Problem::NotFound(Missing::ApiToken).into());
                }
                tx.audit(cause, AuditEvent::ApiTokenEnded { token }).await
            })
        })
        .await
    }
}
