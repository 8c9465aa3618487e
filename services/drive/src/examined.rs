//! What is wrong with the cluster, found for whoever asks at the same time.

use std::sync::Arc;
use std::time::Duration;

use doctor_core::What;
use drive_core::UnixMillis;
use tokio::sync::Mutex;

use crate::app::Drive;

/// For how long what was found is what is wrong: pages of several administrators ask every server of the cluster once.
const EXAMINED_FOR: Duration = Duration::from_secs(5);

/// What was found the last time. Whoever comes while servers are being asked waits for what comes of it.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<Option<Examined>>);

/// What was found, and when.
#[derive(Clone)]
pub(crate) struct Examined {
    pub(crate) at: UnixMillis,
    pub(crate) found: Arc<[What]>,
}

impl Drive {
    /// What is wrong with the cluster. None with S3.
    pub(crate) async fn examined(&self) -> Option<Examined> {
        let cluster = self.cluster.as_ref()?;
        let mut remembered = self.examined.0.lock().await;
        let fresh = |one: &&Examined| {
            let age = u64::try_from(self.now().0.saturating_sub(one.at.0));
            age.is_ok_and(|age| Duration::from_millis(age) < EXAMINED_FOR)
        };
        if let Some(examined) = remembered.as_ref().filter(fresh) {
            return Some(examined.clone());
        }
        let found = cluster.examine().await.into();
        let examined = Examined { at: self.now(), found };
        *remembered = Some(examined.clone());
        Some(examined)
    }
}
