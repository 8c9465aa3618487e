//! The servers that keep the bytes, for who looks after them.

use doctor_core::What;

use super::Later;
use crate::cluster::ClusterSeen;

/// A cluster of servers that can be looked at.
pub trait Cluster: Send + Sync {
    /// Looks at all of it. Servers that do not answer are told with the others, within a few seconds: it never fails.
    fn look(&self) -> Later<'_, ClusterSeen>;

    /// What is wrong with it. Asks every server, so that it takes longer than a look where some do not answer; it never fails.
    fn examine(&self) -> Later<'_, Vec<What>>;
}
