//! Entries of the durable queue are applied: a batch in one transaction, with their keys and outcomes.

mod uploads;

use std::collections::BTreeMap;

use drive_core::account::Registration;
use drive_core::audit::{Actor, AuditEvent, AuditRecord};
use drive_core::queue::{Counter, Entry, EntryKey, Event, KEYS_KEPT, Outcome, Work, coalesce};
use drive_core::{AccountId, ByteCount, Problem, UnixMillis};

use crate::database::{Database, Tx};
use crate::engine::{Columns, Sql, Value, marks, padded, parts, rows_of, values};
use crate::error::Fault;

/// Columns of a line of `entry_keys`.
const KEY_COLUMNS: usize = 3;

impl Tx<'_> {
    /// The outcomes of those of these keys that were applied.
    async fn applied(&mut self, keys: &[EntryKey]) -> Result<BTreeMap<EntryKey, Option<Outcome>>, Fault> {
        let mut applied = BTreeMap::new();
        for part in padded(keys) {
            let sql = format!(
                "SELECT entry_key, outcome FROM entry_keys WHERE entry_key IN ({})",
                marks(part.len())
            );
            let values: Vec<Value<'_>> = part.iter().map(|key| Value::from(&key.0)).collect();
            applied.extend(self.list(sql, &values, read_applied).await?);
        }
        Ok(applied)
    }

    async fn write_keys(
        &mut self,
        keys: &[EntryKey],
        outcomes: &BTreeMap<EntryKey, Outcome>,
        now: UnixMillis,
    ) -> Result<(), Fault> {
        let texts = keys.iter().map(|key| outcomes.get(key).map(serde_json::to_string).transpose());
        let texts: Vec<Option<String>> =
            texts.collect::<Result<_, _>>().map_err(|error| Fault::Broken(error.to_string()))?;
        let lines: Vec<_> = keys.iter().zip(&texts).collect();
        for part in parts(&lines) {
            let sql = format!(
                "INSERT INTO entry_keys (entry_key, applied_at, outcome) VALUES {}",
                rows_of(KEY_COLUMNS, part.len())
            );
            let values: Vec<Value<'_>> =
                part.iter().flat_map(|(key, text)| values![&key.0, now, text.as_ref()]).collect();
            self.run(sql, &values).await?;
        }
        Ok(())
    }

    /// Locks rows of a table in the order of their ids: how many there are.
    async fn lock_rows(&mut self, table: &'static str, ids: &[i64]) -> Result<usize, Fault> {
        let mut rows = 0;
        for part in padded(ids) {
            let sql =
                format!("SELECT id FROM {table} WHERE id IN ({}) ORDER BY id FOR UPDATE", marks(part.len()));
            let values: Vec<Value<'_>> = part.into_iter().map(Value::Int).collect();
            rows += self.rows(sql, &values).await?.len();
        }
        Ok(rows)
    }

    /// Adds to counters of one kind: those that get the same in one statement.
    async fn add(
        &mut self,
        table: &'static str,
        column: &'static str,
        counts: &[(i64, u64)],
    ) -> Result<(), Fault> {
        let ids: Vec<i64> = counts.iter().map(|(id, _)| *id).collect();
        self.lock_rows(table, &ids).await?;
        let mut by_count: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        for (id, count) in counts {
            by_count.entry(*count).or_default().push(*id);
        }
        for (count, ids) in by_count {
            for part in parts(&ids) {
                let sql: Sql =
                    format!("UPDATE {table} SET {column} = {column} + ? WHERE id IN ({})", marks(part.len()))
                        .into();
                let mut values = vec![Value::Int(i64::try_from(count).unwrap_or(i64::MAX))];
                values.extend(part.iter().copied().map(Value::Int));
                self.run(sql, &values).await?;
            }
        }
        Ok(())
    }

    async fn add_counts(&mut self, counts: &BTreeMap<Counter, u64>) -> Result<(), Fault> {
        let (mut views, mut downloads, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for (counter, count) in counts {
            match counter {
                Counter::ShareViews(share) => views.push((share.get(), *count)),
                Counter::ShareDownloads(share) => downloads.push((share.get(), *count)),
                Counter::NodeDownloads(node) => nodes.push((node.get(), *count)),
            }
        }
        self.add("nodes", "downloads", &nodes).await?;
        let mut shares: Vec<i64> = views.iter().chain(&downloads).map(|(id, _)| *id).collect();
        shares.sort_unstable();
        self.lock_rows("shares", &shares).await?;
        self.add("shares", "views", &views).await?;
        self.add("shares", "downloads", &downloads).await
    }

    async fn do_work(&mut self, work: &Work, now: UnixMillis) -> Result<BTreeMap<EntryKey, Outcome>, Fault> {
        self.add_counts(&work.counts).await?;
        let (mut registrations, mut uploads) = (Vec::new(), Vec::new());
        for Entry { key, at, event } in &work.records {
            match event {
                Event::Register(registration) => registrations.push((*key, registration)),
                Event::RecordUpload(record) => uploads.push((*key, *at, record)),
                Event::Count(_) => {}
            }
        }
        let mut outcomes = BTreeMap::new();
        if !registrations.is_empty() {
            self.do_registrations(&registrations, &mut outcomes).await?;
        }
        if !uploads.is_empty() {
            self.do_uploads(&uploads, &mut outcomes, now).await?;
        }
        self.write_keys(&work.keys, &outcomes, now).await?;
        Ok(outcomes)
    }

    async fn do_registrations(
        &mut self,
        registrations: &[(EntryKey, &Registration)],
        outcomes: &mut BTreeMap<EntryKey, Outcome>,
    ) -> Result<(), Fault> {
        let list: Vec<&Registration> = registrations.iter().map(|(_, registration)| *registration).collect();
        let made = self.register(&list).await?;
        let mut records = Vec::with_capacity(list.len());
        for ((key, registration), outcome) in registrations.iter().zip(made) {
            let outcome = match outcome {
                Ok(account) => {
                    let event = AuditEvent::AccountMade { account };
                    let (at, actor) = (registration.at, Actor::Visitor);
                    records.push(AuditRecord { at, actor, address: None, event });
                    Outcome::Registered(account)
                }
                Err(problem) => Outcome::Refused(problem.code().to_owned()),
            };
            outcomes.insert(*key, outcome);
        }
        self.audit_records(&records).await
    }

    /// Gives back the room that is reserved for an entry, if it is.
    async fn release_reservation(&mut self, key: EntryKey) -> Result<(), Fault> {
        let sql = "SELECT account_id, bytes FROM reservations WHERE entry_key = ?";
        let found =
            self.get(sql, values![&key.0], |columns| Ok((columns.id::<AccountId>()?, columns.size()?)));
        let Some((account, bytes)) = found.await? else { return Ok(()) };
        let owner = self.lock_owner(account).await?;
        if self.run("DELETE FROM reservations WHERE entry_key = ?", values![&key.0]).await? == 1 {
            self.write_quota(account, owner.quota.release(bytes)?).await?;
        }
        Ok(())
    }
}

fn read_applied(columns: &mut Columns<'_>) -> Result<(EntryKey, Option<Outcome>), Fault> {
    let key = EntryKey(columns.array()?);
    let outcome = columns.opt_text()?.map(|text| serde_json::from_str(&text)).transpose();
    Ok((key, outcome.map_err(|error| Fault::Broken(format!("the outcome of an entry: {error}")))?))
}

impl Database {
    /// Applies a batch in one transaction: what was not applied before is done, with its key, once. The outcomes of all
    /// records of the batch, those that were applied before among them. Acknowledged is after this has answered.
    ///
    /// # Errors
    /// [`Problem::Unavailable`] is [`drive_core::queue::Failure::Unavailable`]; all others are `Broken`.
    pub async fn apply(
        &self,
        batch: &[Entry],
        now: UnixMillis,
    ) -> Result<BTreeMap<EntryKey, Outcome>, Problem> {
        self.write("apply", |tx| {
            Box::pin(async move {
                let keys: Vec<EntryKey> = batch.iter().map(|entry| entry.key).collect();
                let applied = tx.applied(&keys).await?;
                let work = coalesce(batch.to_vec(), &applied.keys().copied().collect());
                let mut outcomes = tx.do_work(&work, now).await?;
                outcomes.extend(applied.into_iter().filter_map(|(key, outcome)| Some((key, outcome?))));
                Ok(outcomes)
            })
        })
        .await
    }

    /// What came of an entry: none while it is not applied, and when its key is not kept any more.
    pub async fn outcome(&self, key: EntryKey) -> Result<Option<Outcome>, Problem> {
        self.read("outcome", |tx| {
            Box::pin(async move { Ok(tx.applied(&[key]).await?.remove(&key).flatten()) })
        })
        .await
    }

    /// Reserves room for the record of an upload, before its bytes are stored. Given back when the record is applied,
    /// by [`Database::unreserve`], or by the sweep when neither happens.
    pub async fn reserve(
        &self,
        owner: AccountId,
        key: EntryKey,
        bytes: ByteCount,
        now: UnixMillis,
    ) -> Result<(), Problem> {
        self.write("reserve", |tx| {
            Box::pin(async move {
                let owner = tx.lock_owner(owner).await?;
                if bytes > tx.policy().file_max {
                    return Err(Problem::FileTooLarge { limit: tx.policy().file_max }.into());
                }
                tx.write_quota(owner.id, owner.quota.reserve(bytes)?).await?;
                let sql =
                    "INSERT INTO reservations (entry_key, account_id, bytes, expires_at) VALUES (?, ?, ?, ?)";
                tx.change(sql, values![&key.0, owner.id, bytes, now.plus(KEYS_KEPT)]).await
            })
        })
        .await
    }

    /// Gives room back that was reserved for an entry which will not be.
    pub async fn unreserve(&self, key: EntryKey) -> Result<(), Problem> {
        self.write("unreserve", |tx| Box::pin(tx.release_reservation(key))).await
    }

    /// Gives back room that was reserved for entries nobody applied in time, a part. How many.
    pub async fn sweep_reservations(&self, now: UnixMillis, limit: u32) -> Result<u64, Problem> {
        self.write("sweep reservations", |tx| {
            Box::pin(async move {
                let sql = "SELECT entry_key FROM reservations WHERE expires_at <= ? \
                     ORDER BY expires_at, account_id LIMIT ?";
                let due = tx.list(sql, values![now, limit], |columns| Ok(EntryKey(columns.array()?))).await?;
                for key in &due {
                    tx.release_reservation(*key).await?;
                }
                Ok(due.len() as u64)
            })
        })
        .await
    }
}
