//! Places: how many do something at the same time, of all and of one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drive_core::Problem;
use drive_core::ports::RateSubject;

/// When somebody who found all places taken may come again.
pub(crate) const COME_AGAIN: Duration = Duration::from_secs(1);

/// Places for something that takes its time. One account, or one visitor's address, has only some of them: whoever is slow, or
/// wants others to find none, takes no more.
pub(crate) struct Places {
    all: usize,
    of_one: usize,
    /// Those that are taken, by whom.
    taken: Arc<Mutex<BTreeMap<RateSubject, usize>>>,
}

/// A place, as long as it is held.
pub(crate) struct Held {
    whose: RateSubject,
    taken: Arc<Mutex<BTreeMap<RateSubject, usize>>>,
}

impl Places {
    pub(crate) fn new(all: usize, of_one: usize) -> Self {
        Self { all, of_one, taken: Arc::default() }
    }

    /// A place for somebody.
    ///
    /// # Errors
    /// [`Problem::RateLimited`] when all are taken, or as many as one may have.
    pub(crate) fn take(&self, whose: RateSubject) -> Result<Held, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&whose).copied().unwrap_or(0);
        if own >= self.of_one || taken.values().sum::<usize>() >= self.all {
            return Err(Problem::RateLimited { retry_after: COME_AGAIN });
        }
        taken.insert(whose, own + 1);
        Ok(Held { whose, taken: Arc::clone(&self.taken) })
    }

    /// Places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.whose) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.whose)),
        }
    }
}

#[cfg(test)]
mod tests {
    use drive_core::AccountId;
    use drive_core::account::AddressBlock;

    use super::*;

    #[test]
    fn one_has_some_of_the_places_and_all_have_no_more_than_there_are() {
        let account = |id| RateSubject::Account(AccountId::new(id).unwrap());
        let visitor = RateSubject::Address(AddressBlock::of([192, 0, 2, 1].into()));
        let refused = Some(Problem::RateLimited { retry_after: Duration::from_secs(1) });
        let places = Places::new(5, 2);
        let mut held = vec![places.take(account(1)).unwrap(), places.take(account(1)).unwrap()];
        assert_eq!(places.take(account(1)).err(), refused);
        held.extend([places.take(account(2)).unwrap(), places.take(visitor).unwrap()]);
        held.push(places.take(visitor).unwrap());
        assert_eq!((places.take(account(2)).err(), places.taken()), (refused.clone(), 5));
        drop(held.remove(0));
        assert_eq!(places.take(visitor).err(), refused);
        held.push(places.take(account(2)).unwrap());
        drop(held);
        assert_eq!(places.taken(), 0);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
