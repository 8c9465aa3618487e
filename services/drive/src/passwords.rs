//! Passwords are hashed and compared: argon2id on threads of its own, few at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drive_core::Problem;
use drive_core::account::{Check, PasswordCost, PasswordHash, Secret};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Passwords that are hashed at the same time, unless it is configured otherwise.
pub const HASHES_AT_ONCE: usize = 2;

/// Passwords that wait to be hashed, at most. One more is sent away.
pub const HASHES_WAITING_MAX: usize = 64;

/// When somebody who was sent away may come again.
const COME_AGAIN: Duration = Duration::from_secs(2);

const BROKEN: Problem = Problem::Contradiction("a password could not be hashed");

/// What came of comparing a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Not the password.
    Differs,
    /// The password.
    Same {
        /// Its hash costs less than it should by now.
        cheap: bool,
    },
}

/// Hashes and compares passwords.
pub(crate) struct Passwords {
    cost: PasswordCost,
    /// What an attempt for nobody is compared with.
    dummy: PasswordHash,
    at_once: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Passwords {
    pub(crate) async fn new(cost: PasswordCost, at_once: usize) -> Result<Self, Problem> {
        let hashed = spawn_blocking(move || hash(&rand::random::<[u8; 16]>(), cost)).await;
        Ok(Self {
            cost,
            dummy: hashed.map_err(|_| BROKEN)??,
            at_once: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Semaphore::new(HASHES_WAITING_MAX),
        })
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, secret: Secret) -> Result<PasswordHash, Problem> {
        let cost = self.cost;
        self.by_turn(move || hash(secret.as_bytes(), cost)).await
    }

    /// Compares. Costs one hash whatever there is to compare with.
    pub(crate) async fn compare(&self, check: &Check<'_>) -> Result<Compared, Problem> {
        let secret = check.secret.clone();
        let real = check.against.is_some();
        let against = check.against.unwrap_or(&self.dummy).clone();
        let cost = self.cost;
        let compared = self.by_turn(move || compare(secret.as_bytes(), &against, cost)).await?;
        Ok(if real { compared } else { Compared::Differs })
    }

    async fn by_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let full = |_| Problem::RateLimited { retry_after: COME_AGAIN };
        let waiting = self.waiting.try_acquire().map_err(full)?;
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| BROKEN)?;
        drop(waiting);
        // The turn goes along: a request that is given up does not let one more begin.
        let done = spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        done.await.map_err(|_| BROKEN)?
    }
}

fn hash(secret: &[u8], cost: PasswordCost) -> Result<PasswordHash, Problem> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(|_| BROKEN)?;
    let hashed: Phc =
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(secret).map_err(|_| BROKEN)?;
    Ok(PasswordHash(hashed.to_string()))
}

fn compare(secret: &[u8], against: &PasswordHash, wanted: PasswordCost) -> Result<Compared, Problem> {
    const UNREADABLE: Problem = Problem::Contradiction("the hash of a password can't be read");
    let against = Phc::new(&against.0).map_err(|_| UNREADABLE)?;
    let params = Params::try_from(&against).map_err(|_| UNREADABLE)?;
    let cost = PasswordCost { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() };
    match Argon2::default().verify_password(secret, &against) {
        Ok(()) => Ok(Compared::Same { cheap: cost.is_below(wanted) }),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Compared::Differs),
        Err(_) => Err(BROKEN),
    }
}

/// A password that nobody guesses: 144 random bits.
pub fn random_password() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>())
}
