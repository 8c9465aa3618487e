//! Running figures: which of two trackers should rather lead, and whose state files are the better ones.

use std::cmp::Ordering;

use fdfs_proto::tracker::tracker_status;

use crate::Now;
use crate::limits::RUNNING_STEP_S;

/// How long a tracker has been running, how long it was away before, and whether it leads (wire protocol: running
/// figures). The greater ones are the better ones: a leader before all others, then whoever runs longest, then
/// whoever was away for the shortest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningFigures {
    /// It leads.
    pub is_leader: bool,
    /// Seconds since its start, a multiple of 300.
    pub running_time: i64,
    /// Seconds between the last sign of life of its last run and its start, a multiple of 300; 0 without such a run.
    pub restart_interval: i64,
}

impl RunningFigures {
    /// The figures of a tracker that started at `up_time` and whose last run's last sign of life was at
    /// `last_check`, both in unix seconds.
    pub fn new(now: Now, up_time: i64, last_check: Option<i64>, is_leader: bool) -> Self {
        let rounded = |seconds: i64| seconds - seconds.rem_euclid(RUNNING_STEP_S);
        Self {
            is_leader,
            running_time: rounded(now.wall.saturating_sub(up_time)),
            restart_interval: last_check.map_or(0, |last| rounded(up_time.saturating_sub(last))),
        }
    }
}

impl Ord for RunningFigures {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |figures: &Self| (figures.is_leader, figures.running_time);
        key(self).cmp(&key(other)).then(other.restart_interval.cmp(&self.restart_interval))
    }
}

impl PartialOrd for RunningFigures {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<tracker_status::Got> for RunningFigures {
    fn from(got: tracker_status::Got) -> Self {
        let tracker_status::Got { is_leader, running_time, restart_interval } = got;
        Self { is_leader, running_time, restart_interval }
    }
}

impl From<RunningFigures> for tracker_status::Got {
    fn from(figures: RunningFigures) -> Self {
        let RunningFigures { is_leader, running_time, restart_interval } = figures;
        Self { is_leader, running_time, restart_interval }
    }
}
