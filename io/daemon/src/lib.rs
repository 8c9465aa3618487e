//! What every server process needs: pid file, running in the background, signals, limits, another
//! user, logs.
//!
//! Begin with [`pid_file`] (who runs here), then [`detach`] (how a start from a shell learns that the
//! server is up, or why not) and [`log`] (lines in the shape FastDFS's operators know).
//!
//! Will never know: trackers, storages, sockets, where a setting comes from.

pub mod control;
pub mod detach;
pub mod limits;
pub mod log;
pub mod memory;
pub mod pid_file;
pub mod port;
pub mod process;
pub mod run_as;
pub mod service_manager;
pub mod signals;
pub mod state_file;
