//! The trackers of the cluster and who leads them.
//!
//! The list is learnt from the storages: every JOIN names all trackers its storage knows. A tracker that is alone
//! in the list leads. Among several, [`Election`] asks the others for their running figures, lets the best of them
//! lead, follows it, and notices when it is gone or when there are two.
//!
//! **Begin reading** at [`RunningFigures`] (who is better), then [`Election`] (what is asked when), then [`Trackers`]
//! (what others may change with their requests).
//!
//! Source: wire protocol, "Tracker ↔ tracker" and JOIN; decision 5 says where this election is more careful than
//! the original's.

mod election;
mod figures;
mod trackers;

pub use election::{Election, ElectionTimes, Event};
pub use figures::RunningFigures;
pub use trackers::{FORGOTTEN_AFTER_MS, Follower, Leader, Learnt, Tracker, Trackers};
