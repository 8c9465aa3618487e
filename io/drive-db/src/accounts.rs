//! Accounts: made, looked up, changed, listed.

use std::collections::BTreeSet;

use drive_core::account::{
    Account, AccountState, Decree, Email, Epochs, NickName, PasswordHash, Phone, Registration, Role,
    UserName, Verifiers, decree, first_administrator, found_by,
};
use drive_core::audit::AuditEvent;
use drive_core::node::{NodeKind, SearchKey};
use drive_core::page::{Cursor, SearchQuery};
use drive_core::quota::Quota;
use drive_core::{AccountId, ByteCount, Missing, NodeId, Problem};

use crate::cause::{Cause, Made};
use crate::database::{Database, Tx};
use crate::engine::{Columns, Connection, Sql, Value, marks, padded, parts, rows_of, values, whens};
use crate::error::Fault;
use crate::page::{Page, by_text, text_cursor};

/// The name of root folders. Nobody sees it.
pub(crate) const ROOT_NAME: &str = "drive";

const COLUMNS: &str = "id, user_name, nick_name, email, phone, text_hash, dialect_hash, role, state, \
     session_epoch, token_epoch, quota, used, reserved, nodes, root_id, created_at";

fn read(columns: &mut Columns<'_>) -> Result<Account, Fault> {
    Ok(Account {
        id: columns.id()?,
        user_name: columns.parsed(|text| UserName::parse(text).ok())?,
        nick_name: columns.parsed(|text| NickName::new(text).ok())?,
        email: columns.opt_parsed(|text| Email::new(text).ok())?,
        phone: columns.opt_parsed(|text| Phone::new(text).ok())?,
        verifiers: Verifiers {
            text: columns.opt_text()?.map(PasswordHash),
            dialect: columns.opt_text()?.map(PasswordHash),
        },
        role: columns.made(Role::from_db)?,
        state: columns.made(AccountState::from_db)?,
        epochs: Epochs { sessions: columns.small()?, api_tokens: columns.small()? },
        quota: read_quota(columns)?,
        root: columns.id()?,
        created_at: columns.at()?,
    })
}

pub(crate) fn read_quota(columns: &mut Columns<'_>) -> Result<Quota, Fault> {
    Ok(Quota {
        limit: columns.opt_size()?,
        used: columns.size()?,
        reserved: columns.size()?,
        nodes: columns.count()?,
    })
}

/// What is changed in the row of an account that is locked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) id: AccountId,
    pub(crate) root: NodeId,
    pub(crate) quota: Quota,
}

/// What an account says of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// How its owner is called.
    pub nick_name: NickName,
    /// If it was given.
    pub email: Option<Email>,
    /// If it was given.
    pub phone: Option<Phone>,
}

impl Tx<'_> {
    /// Locks the row of an account: from here to the end nobody else changes its tree, its quota, its uploads, links
    /// or sessions. The first lock of a transaction; of several accounts in the order of their ids.
    pub(crate) async fn lock_owner(&mut self, account: AccountId) -> Result<Owner, Fault> {
        let sql = "SELECT quota, used, reserved, nodes, root_id FROM accounts WHERE id = ? FOR UPDATE";
        let owner = self.get(sql, values![account], |columns| {
            Ok(Owner { id: account, quota: read_quota(columns)?, root: columns.id()? })
        });
        owner.await?.ok_or_else(|| Problem::NotFound(Missing::Account).into())
    }

    /// Writes back the quota of an account that is locked.
    pub(crate) async fn write_quota(&mut self, account: AccountId, quota: Quota) -> Result<(), Fault> {
        let nodes = i64::try_from(quota.nodes).map_err(|_| Problem::TooManyNodes)?;
        let sql = "UPDATE accounts SET used = ?, reserved = ?, nodes = ? WHERE id = ?";
        self.change(sql, values![quota.used, quota.reserved, nodes, account]).await
    }

    /// Writes back the quotas of accounts that are locked.
    pub(crate) async fn write_quotas(&mut self, owners: &[Owner]) -> Result<(), Fault> {
        for part in parts(owners) {
            let each = whens(part.len());
            let sql = format!(
                "UPDATE accounts SET used = {each}, reserved = {each}, nodes = {each} WHERE id IN ({})",
                marks(part.len())
            );
            let used = part.iter().flat_map(|owner| values![owner.id, owner.quota.used]);
            let reserved = part.iter().flat_map(|owner| values![owner.id, owner.quota.reserved]);
            let nodes = |owner: &Owner| i64::try_from(owner.quota.nodes).unwrap_or(i64::MAX);
            let nodes = part.iter().flat_map(|owner| values![owner.id, nodes(owner)]);
            let ids = part.iter().map(|owner| Value::from(owner.id));
            self.run(sql, &used.chain(reserved).chain(nodes).chain(ids).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    pub(crate) async fn account(&mut self, account: AccountId) -> Result<Option<Account>, Fault> {
        self.get(format!("SELECT {COLUMNS} FROM accounts WHERE id = ?"), values![account], read).await
    }

    async fn lock_account(&mut self, account: AccountId) -> Result<Account, Fault> {
        let sql = format!("SELECT {COLUMNS} FROM accounts WHERE id = ? FOR UPDATE");
        let found = self.get(sql, values![account], read).await?;
        found.ok_or_else(|| Problem::NotFound(Missing::Account).into())
    }

    /// Makes accounts, each with its root folder. In the order of the list: of two with one name the first has it.
    pub(crate) async fn register(
        &mut self,
        registrations: &[&Registration],
    ) -> Result<Vec<Result<AccountId, Problem>>, Fault> {
        let mut taken = self.taken_names(registrations).await?;
        let new: Vec<bool> =
            registrations.iter().map(|one| taken.insert(one.user_name.key().to_owned())).collect();
        let count = new.iter().filter(|new| **new).count();
        let mut next_id = self.ids(2 * count)?;
        let mut outcomes = Vec::with_capacity(registrations.len());
        let mut made = Vec::with_capacity(count);
        for (registration, new) in registrations.iter().zip(new) {
            if !new {
                outcomes.push(Err(Problem::UserNameTaken));
                continue;
            }
            let ids = (AccountId::new(next_id), NodeId::new(next_id + 1));
            let (Some(account), Some(root)) = ids else {
                return Err(Fault::Broken("a counter below 1".to_owned()));
            };
            next_id += 2;
            outcomes.push(Ok(account));
            made.push((account, root, *registration));
        }
        self.insert_accounts(&made).await?;
        Ok(outcomes)
    }

    async fn taken_names(&mut self, registrations: &[&Registration]) -> Result<BTreeSet<String>, Fault> {
        let keys: Vec<&str> = registrations.iter().map(|one| one.user_name.key()).collect();
        let mut taken = BTreeSet::new();
        for part in padded(&keys) {
            let sql = format!("SELECT user_key FROM accounts WHERE user_key IN ({})", marks(part.len()));
            let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
            taken.extend(self.list(sql, &values, |columns| columns.text()).await?);
        }
        Ok(taken)
    }

    async fn insert_accounts(&mut self, made: &[(AccountId, NodeId, &Registration)]) -> Result<(), Fault> {
        let quota = self.policy().quota;
        let root_key = SearchKey::of(ROOT_NAME);
        for part in parts(made) {
            let mut values = Vec::with_capacity(19 * part.len());
            let found = |one: &Registration| found_by(&one.user_name, &one.nick_name, one.email.as_ref());
            let found: Vec<String> = part.iter().map(|(.., one)| found(one)).collect();
            for ((account, root, one), found) in part.iter().zip(&found) {
                values.extend(values![
                    *account,
                    one.user_name.as_str(),
                    one.user_name.key(),
                    one.nick_name.as_str(),
                    one.email.as_ref().map(Email::as_str),
                    one.phone.as_ref().map(Phone::as_str),
                    one.verifiers.text.as_ref().map(|hash| hash.0.as_str()),
                    one.verifiers.dialect.as_ref().map(|hash| hash.0.as_str()),
                    one.role.to_db(),
                    AccountState::Active.to_db(),
                    0_i64,
                    0_i64,
                    quota,
                    0_i64,
                    0_i64,
                    1_i64,
                    *root,
                    one.at,
                    found,
                ]);
            }
            let sql = format!(
                "INSERT INTO accounts (id, user_name, user_key, nick_name, email, phone, text_hash, dialect_hash, \
                 role, state, session_epoch, token_epoch, quota, used, reserved, nodes, root_id, created_at, found_by) \
                 VALUES {}",
                rows_of(19, part.len())
            );
            self.run(sql, &values).await?;
            let mut values = Vec::with_capacity(14 * part.len());
            for (account, root, one) in part {
                values.extend(values![
                    *root,
                    *account,
                    None::<i64>,
                    NodeKind::Folder.to_db(),
                    ROOT_NAME,
                    root_key.as_str(),
                    None::<i64>,
                    0_i64,
                    one.at,
                    one.at,
                    0_i64,
                    None::<i64>,
                    0_i64,
                    0_i64,
                ]);
            }
            self.run(crate::tree::insert_text(part.len()), &values).await?;
        }
        Ok(())
    }

    async fn administrators(&mut self) -> Result<u64, Fault> {
        let sql = "SELECT COUNT(*) FROM accounts WHERE role = ?";
        let count = self.number(sql, values![Role::Administrator.to_db()]).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Locks the rows of all administrators and counts the active ones.
    async fn lock_administrators(&mut self) -> Result<u64, Fault> {
        let sql = "SELECT state FROM accounts WHERE role = ? ORDER BY id FOR UPDATE";
        let states = self
            .list(sql, values![Role::Administrator.to_db()], |columns| columns.made(AccountState::from_db));
        Ok(states.await?.into_iter().filter(|state| *state == AccountState::Active).count() as u64)
    }
}

impl Database {
    /// Makes an account and its root folder.
    ///
    /// # Errors
    /// [`Problem::UserNameTaken`].
    pub async fn register(&self, registration: &Registration, cause: &Cause) -> Result<AccountId, Problem> {
        self.write("register", |tx| {
            Box::pin(async {
                let outcome = tx.register(&[registration]).await?.into_iter().next();
                let account = outcome.ok_or_else(|| Fault::Broken("no outcome".to_owned()))??;
                tx.audit(cause, AuditEvent::AccountMade { account }).await?;
                tx.answer(cause, Made::Account(account)).await?;
                Ok(account)
            })
        })
        .await
    }

    /// Is there an administrator?
    pub async fn has_administrator(&self) -> Result<bool, Problem> {
        self.read("has administrator", |tx| Box::pin(async { Ok(tx.administrators().await? > 0) })).await
    }

    /// Makes the first administrator, if there is none. Of several processes that start at once, one makes it.
    pub async fn make_first_administrator(
        &self,
        hash: &PasswordHash,
        cause: &Cause,
    ) -> Result<Option<AccountId>, Problem> {
        self.write("first administrator", |tx| {
            Box::pin(async {
                let count = tx.administrators().await?;
                let Some(registration) = first_administrator(count, hash.clone(), cause.at)? else {
                    return Ok(None);
                };
                let outcome = tx.register(&[&registration]).await?.into_iter().next();
                let account = match outcome.ok_or_else(|| Fault::Broken("no outcome".to_owned()))? {
                    Ok(account) => account,
                    // Another process made it between the two looks.
                    Err(Problem::UserNameTaken) if tx.administrators().await? > 0 => return Ok(None),
                    Err(problem) => return Err(problem.into()),
                };
                tx.audit(cause, AuditEvent::AccountMade { account }).await?;
                Ok(Some(account))
            })
        })
        .await
    }

    /// An account.
    pub async fn account(&self, account: AccountId) -> Result<Account, Problem> {
        let found = self.read("account", |tx| Box::pin(tx.account(account))).await?;
        found.ok_or(Problem::NotFound(Missing::Account))
    }

    /// The account of this name, if anybody has it: for signing in.
    pub async fn account_by_name(&self, name: &UserName) -> Result<Option<Account>, Problem> {
        self.read("account by name", |tx| {
            Box::pin(async {
                let sql = format!("SELECT {COLUMNS} FROM accounts WHERE user_key = ?");
                tx.get(sql, values![name.key()], read).await
            })
        })
        .await
    }

    /// Accounts by user name, behind a cursor.
    pub async fn list_accounts(&self, after: Option<&Cursor>, limit: u32) -> Result<Page<Account>, Problem> {
        let after = text_cursor(after)?;
        let rows = self.read("list accounts", |tx| {
            Box::pin(async move {
                let (key, id) = after.unwrap_or(("", 0));
                let sql = format!(
                    "SELECT {COLUMNS} FROM accounts WHERE user_key >= ? AND (user_key > ? OR id > ?) \
                     ORDER BY user_key, id LIMIT ?"
                );
                tx.list(sql, values![key, key, id, i64::from(limit) + 1], read).await
            })
        });
        Ok(Page::cut(rows.await?, limit, account_cursor))
    }

    /// Accounts that have all terms of a query, each somewhere in user name, nick name or e-mail address
    /// ([`found_by`]), by user name, behind a cursor of the same list.
    pub async fn search_accounts(
        &self,
        query: &SearchQuery,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Account>, Problem> {
        let after = text_cursor(after)?;
        let patterns: Vec<String> = query.like_patterns().collect();
        let rows = self.read_long("search accounts", |tx| {
            Box::pin(async {
                let (key, id) = after.unwrap_or(("", 0));
                let mut values = values![key, key, id].to_vec();
                values.extend(patterns.iter().map(Value::from));
                values.push(Value::Int(i64::from(limit) + 1));
                let found = tx.list(search_text(patterns.len()), &values, |columns| columns.id()).await?;
                tx.accounts(&found).await
            })
        });
        Ok(Page::cut(rows.await?, limit, account_cursor))
    }

    /// Changes what an account says of its owner.
    pub async fn change_profile(
        &self,
        account: AccountId,
        profile: &Profile,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("change profile", |tx| {
            Box::pin(async {
                let before = tx.lock_account(account).await?;
                let (email, phone) =
                    (profile.email.as_ref().map(Email::as_str), profile.phone.as_ref().map(Phone::as_str));
                let found = found_by(&before.user_name, &profile.nick_name, profile.email.as_ref());
                let values = values![profile.nick_name.as_str(), email, phone, &found, account];
                let sql =
                    "UPDATE accounts SET nick_name = ?, email = ?, phone = ?, found_by = ? WHERE id = ?";
                tx.change(sql, &values).await?;
                tx.answer(cause, Made::Account(account)).await
            })
        })
        .await
    }

    /// Writes verifiers that a sign-in made: of a password that was seen for the first time, or at a higher cost. No
    /// session ends. Nothing is done when they are not what the sign-in saw any more.
    pub async fn renew_verifiers(
        &self,
        account: AccountId,
        seen: &Verifiers,
        renewed: &Verifiers,
    ) -> Result<(), Problem> {
        self.write("renew verifiers", |tx| {
            Box::pin(async {
                if tx.lock_account(account).await?.verifiers == *seen {
                    tx.write_verifiers(account, renewed).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Lets old clients in, with this hash of their digits, or not any more. The password was compared with what is `seen`.
    ///
    /// # Errors
    /// [`Problem::SignInFailed`] when the password was changed meanwhile; [`Problem::NotAllowed`] when the account would have none
    /// at all.
    pub async fn allow_dialect(
        &self,
        account: AccountId,
        dialect: Option<&PasswordHash>,
        seen: &Verifiers,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("allow dialect", |tx| {
            Box::pin(async {
                let there = tx.lock_account(account).await?.verifiers;
                if dialect.is_some() && there != *seen {
                    return Err(Problem::SignInFailed.into());
                }
                let text = there.text;
                if text.is_none() && dialect.is_none() {
                    // It would have no password at all.
                    return Err(Problem::NotAllowed.into());
                }
                tx.write_verifiers(account, &Verifiers { text, dialect: dialect.cloned() }).await?;
                tx.audit(cause, AuditEvent::DialectAllowed { allowed: dialect.is_some() }).await?;
                tx.answer(cause, Made::Account(account)).await
            })
        })
        .await
    }

    /// Does what an administrator decrees: another role, frozen or not.
    ///
    /// # Errors
    /// [`Problem::LastAdministrator`].
    pub async fn decree(&self, account: AccountId, change: Decree, cause: &Cause) -> Result<(), Problem> {
        self.write("decree", |tx| {
            Box::pin(async {
                // Two of the last two administrators who take each other's role away: the second sees the first.
                let administrators = tx.lock_administrators().await?;
                let before = tx.lock_account(account).await?;
                let (role, state) = decree((before.role, before.state), change, administrators)?;
                let values = values![role.to_db(), state.to_db(), account];
                tx.change("UPDATE accounts SET role = ?, state = ? WHERE id = ?", &values).await?;
                let event = match change {
                    Decree::Role(role) => AuditEvent::RoleChanged { account, role },
                    Decree::State(state) => AuditEvent::StateChanged { account, state },
                };
                tx.audit(cause, event).await?;
                tx.answer(cause, Made::Account(account)).await
            })
        })
        .await
    }

    /// Sets what an account may store. Below what it stores is allowed: it can only remove then.
    pub async fn set_quota(
        &self,
        account: AccountId,
        limit: Option<ByteCount>,
        cause: &Cause,
    ) -> Result<(), Problem> {
        self.write("set quota", |tx| {
            Box::pin(async {
                tx.lock_owner(account).await?;
                tx.change("UPDATE accounts SET quota = ? WHERE id = ?", values![limit, account]).await?;
                tx.audit(cause, AuditEvent::QuotaChanged { account, limit }).await?;
                tx.answer(cause, Made::Account(account)).await
            })
        })
        .await
    }

    /// What an account stores and may store.
    pub async fn usage(&self, account: AccountId) -> Result<Quota, Problem> {
        let found = self.read("usage", |tx| {
            Box::pin(async move {
                let sql = "SELECT quota, used, reserved, nodes FROM accounts WHERE id = ?";
                tx.get(sql, values![account], read_quota).await
            })
        });
        found.await?.ok_or(Problem::NotFound(Missing::Account))
    }
}

fn account_cursor(account: &Account) -> Cursor {
    by_text(account.user_name.key(), account.id.get())
}

/// The statement of a search with so many terms: all that it compares is in the index that has the order, so that rows,
/// which are many times as long, are read of those only that are found.
pub(crate) fn search_text(terms: usize) -> String {
    format!(
        "SELECT id FROM accounts WHERE user_key >= ? AND (user_key > ? OR id > ?){} ORDER BY user_key, id LIMIT ?",
        " AND COALESCE(found_by, user_key) LIKE ? ESCAPE '!'".repeat(terms)
    )
}

/// The columns of which follows what an account is found by.
pub(crate) const FOUND_BY_COLUMNS: &str = "id, user_name, nick_name, email";

/// An id, and what that account is found by.
pub(crate) fn read_found_by(columns: &mut Columns<'_>) -> Result<(i64, String), Fault> {
    let id = columns.int()?;
    let user_name = columns.parsed(|text| UserName::parse(text).ok())?;
    let nick_name = columns.parsed(|text| NickName::new(text).ok())?;
    let email = columns.opt_parsed(|text| Email::new(text).ok())?;
    Ok((id, found_by(&user_name, &nick_name, email.as_ref())))
}

/// Accounts that are filled with what they are found by at once.
const FILLED_AT_ONCE: i64 = 500;

/// Writes what accounts are found by where it is missing.
pub(crate) async fn fill_found_by(connection: &mut Connection) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let sql = format!(
            "SELECT {FOUND_BY_COLUMNS} FROM accounts WHERE id > ? AND found_by IS NULL ORDER BY id LIMIT ?"
        );
        let rows = connection.rows(Sql::Owned(sql), &values![after, FILLED_AT_ONCE]).await?;
        let found = rows.iter().map(|row| read_found_by(&mut row.columns()));
        let found = found.collect::<Result<Vec<(i64, String)>, Fault>>()?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        after = *last;
        for part in parts(&found) {
            let each = whens(part.len());
            let sql = format!("UPDATE accounts SET found_by = {each} WHERE id IN ({})", marks(part.len()));
            let texts = part.iter().flat_map(|(id, text)| values![*id, text]);
            let ids = part.iter().map(|(id, _)| Value::Int(*id));
            connection.run(Sql::Owned(sql), &texts.chain(ids).collect::<Vec<_>>()).await?;
        }
    }
}

impl Tx<'_> {
    /// Accounts, in the order of their names. Those that are not there are left out.
    async fn accounts(&mut self, accounts: &[AccountId]) -> Result<Vec<Account>, Fault> {
        let mut found: Vec<Account> = Vec::with_capacity(accounts.len());
        for part in padded(accounts) {
            let sql = format!("SELECT {COLUMNS} FROM accounts WHERE id IN ({})", marks(part.len()));
            let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
            found.extend(self.list(sql, &values, read).await?);
        }
        found.sort_by(|one, other| (one.user_name.key(), one.id).cmp(&(other.user_name.key(), other.id)));
        Ok(found)
    }

    pub(crate) async fn write_verifiers(
        &mut self,
        account: AccountId,
        verifiers: &Verifiers,
    ) -> Result<(), Fault> {
        let text = verifiers.text.as_ref().map(|hash| hash.0.as_str());
        let dialect = verifiers.dialect.as_ref().map(|hash| hash.0.as_str());
        let sql = "UPDATE accounts SET text_hash = ?, dialect_hash = ? WHERE id = ?";
        self.change(sql, values![text, dialect, account]).await
    }

    /// Locks an account and reads what its sessions depend on.
    pub(crate) async fn lock_epochs(&mut self, account: AccountId) -> Result<(Epochs, AccountState), Fault> {
        let sql = "SELECT session_epoch, token_epoch, state FROM accounts WHERE id = ? FOR UPDATE";
        let found = self.get(sql, values![account], |columns| {
            let epochs = Epochs { sessions: columns.small()?, api_tokens: columns.small()? };
            Ok((epochs, columns.made(AccountState::from_db)?))
        });
        found.await?.ok_or_else(|| Problem::NotFound(Missing::Account).into())
    }
}
