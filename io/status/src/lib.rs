//! What a process tells of itself: numbers for Prometheus, whether it lives, and whether it can do its work.
//!
//! A server is a [`Node`]: it says which [`Metric`]s it has, what they are now, and why it can't do its work, if it can't.
//! An [`Endpoint`] asks the nodes of a process when somebody asks it, on a listener and a thread of its own: a server whose
//! connections are all taken, or whose threads all wait, still tells so.
//!
//! Nothing is global, so several nodes of one process do not mix. Nodes count with atomics ([`Requests`], [`Latency`]) and
//! tell the rest when they are asked. A metric is declared once, in a table ([`metrics!`]): what is not in its node's table
//! can't be told, and `docs/metrics.md` is made of the tables.
//!
//! Will never know: what the numbers mean, configuration files.
//!
//! Begin reading at `node.rs`, then `metric.rs`, then `endpoint.rs`.

mod endpoint;
mod latency;
mod metric;
mod node;
mod page;
mod process;
mod pulse;
mod requests;
mod samples;

pub use endpoint::{BindError, Bound, Endpoint};
pub use latency::Latency;
pub use metric::{Kind, Metric, Unit};
pub use node::{Ground, Node, Reason};
pub use process::{EVERY_PROCESS, NODE_STATES};
pub use pulse::Pulse;
pub use requests::{HttpClass, Requests};
pub use samples::Samples;
