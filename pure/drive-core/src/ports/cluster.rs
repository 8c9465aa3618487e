//! The servers that keep the bytes, for who looks after them.

use super::Later;
use crate::cluster::ClusterSeen;

/// A cluster of servers that can be looked at.
pub trait Cluster: Send + Sync {
    /// Looks at all of it. Servers that do not answer are told with the others, within a few seconds: it never fails.
    fn look(&self) -> Later<'_, ClusterSeen>;
}
