//! Attempts at passwords and codes, counted in the cache before they are checked.

use std::time::Duration;

use bytes::Bytes;
use drive_core::account::{Attempts, Track};
use drive_core::ports::{CacheError, CacheKey};
use drive_core::{Problem, UnixMillis};

use crate::app::Drive;

/// How often a count is begun anew when another was in its way.
const SWAPS_MAX: u32 = 16;

/// What those are told who come in such numbers that counting does not get through.
const CROWDED: Problem = Problem::TooManyAttempts { retry_after: Duration::from_secs(1) };

impl Drive {
    /// Counts an attempt on all of its tracks, or on none: then it has to wait. Without the cache attempts are not
    /// counted, as after a miss.
    pub(crate) async fn count_attempt(&self, tracks: &[Track], now: UnixMillis) -> Result<(), Problem> {
        for (done, track) in tracks.iter().enumerate() {
            let throttle = track.throttle();
            if let Err(problem) = self.change(track, |attempts| attempts.count(&throttle, now)).await {
                for counted in tracks.get(..done).unwrap_or_default() {
                    self.change(counted, |attempts| Ok(attempts.forgive_one())).await.ok();
                }
                return Err(problem);
            }
        }
        Ok(())
    }

    /// The attempt was right: what it stood for begins anew; of an address only this attempt is taken back.
    pub(crate) async fn forgive_attempt(&self, tracks: &[Track]) {
        for track in tracks {
            match track {
                Track::Address(_) | Track::ShareAddress(..) => {
                    // Whoever is in the way counts attempts of their own: one more of these is no harm.
                    self.change(track, |attempts| Ok(attempts.forgive_one())).await.ok();
                }
                Track::Account(_) | Track::Share(_) => {
                    let key = CacheKey::Attempts(track.clone());
                    if let Err(error) = self.cache.remove(&[key]).await {
                        tracing::warn!(%error, "attempts could not be forgotten");
                    }
                }
            }
        }
    }

    async fn change(
        &self,
        track: &Track,
        change: impl Fn(Attempts) -> Result<Attempts, Problem>,
    ) -> Result<(), Problem> {
        let key = CacheKey::Attempts(track.clone());
        let ttl = track.throttle().forget_after;
        for _ in 0..SWAPS_MAX {
            let there = match self.cache.get(&key).await {
                Ok(there) => there,
                Err(error) => return went_on(&error),
            };
            let before = there.as_deref().and_then(Attempts::from_bytes).unwrap_or_default();
            let after = Bytes::copy_from_slice(&change(before)?.to_bytes());
            match self.cache.swap(&key, there.as_deref(), after, ttl).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return went_on(&error),
            }
        }
        Err(CROWDED)
    }
}

fn went_on(error: &CacheError) -> Result<(), Problem> {
    tracing::warn!(%error, "an attempt was not counted");
    Ok(())
}
