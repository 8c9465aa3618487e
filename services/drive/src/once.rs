//! Requests that come again because their answer was lost: `Idempotency-Key`.

use drive_core::Problem;
use drive_core::idempotency::Fingerprint;
use drive_db::{Cause, Made, RequestTurn};

use crate::app::Drive;
use crate::who::Signed;

impl Drive {
    /// Does the work of a request once, if it has a key; `again` makes the answer of what the first one made.
    pub(crate) async fn once<T, W, A>(
        &self,
        signed: &Signed,
        fingerprint: Fingerprint,
        work: impl FnOnce(Cause) -> W,
        again: impl FnOnce(Made) -> A,
    ) -> Result<T, Problem>
    where
        W: Future<Output = Result<T, Problem>>,
        A: Future<Output = Result<T, Problem>>,
    {
        let now = self.now();
        let cause = signed.cause(now);
        let Some(key) = &signed.visitor.key else { return work(cause).await };
        let begun = match self.database.begin_request(signed.account(), key, fingerprint, now).await? {
            RequestTurn::Done(made) => return again(made).await,
            RequestTurn::Do(begun) => begun,
        };
        let outcome = work(cause.of_request(Some(begun.clone()))).await;
        // What may have been done after all is not forgotten: the same key then tells.
        if outcome.as_ref().is_err_and(|problem| !matches!(problem, Problem::Unavailable(_))) {
            self.database.forget_request(&begun).await?;
        }
        outcome
    }
}
