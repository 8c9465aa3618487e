//! Looking after a cluster: lists, figures, removals, leader and trunk server.

use crate::call::{self, Call};
use crate::client::Client;
use crate::error::{Error, Kind, Result, Side};
use crate::tracker::Tracker;
use fdfs_conf::ServerAddr;
use fdfs_fileid::GroupName;
use fdfs_proto::tracker::list_groups::GroupStat;
use fdfs_proto::tracker::list_storages::StorageStat;
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::tracker::storage_cluster_stat::{Ask as StorageFilter, Got as StorageClusterStat};
use fdfs_proto::tracker::storage_volume_stat::{Ask as VolumeFilter, Got as StorageVolumeStat};
use fdfs_proto::tracker::tracker_cluster_stat::{Ask as TrackerFilter, TrackerStat};
use fdfs_proto::{Status, StorageId, StorageStatus};

impl Client {
    /// The figures of all groups, by name.
    ///
    /// # Errors
    /// No tracker can be asked.
    pub async fn list_groups(&self) -> Result<Vec<GroupStat>> {
        self.ask_trackers(&call::list_groups()).await
    }

    /// The figures of one group.
    ///
    /// # Errors
    /// ENOENT when it is not known.
    pub async fn group(&self, group: GroupName) -> Result<GroupStat> {
        self.ask_trackers(&call::group_stat(group)).await
    }

    /// The figures of a group's storages, or of one of them.
    ///
    /// # Errors
    /// ENOENT when group or storage are not known.
    pub async fn list_storages(&self, group: GroupName, id: Option<StorageId>) -> Result<Vec<StorageStat>> {
        self.ask_trackers(&call::list_storages(group, id)).await
    }

    /// The settings that hold for the whole cluster.
    ///
    /// # Errors
    /// No tracker can be asked.
    pub async fn parameters(&self) -> Result<Parameters> {
        self.ask_trackers(&call::parameters()).await
    }

    /// The leading tracker.
    ///
    /// # Errors
    /// ENOENT when none leads, EINVAL from trackers before 6.15.5.
    pub async fn leader(&self) -> Result<ServerAddr> {
        self.ask_trackers(&call::leader()).await
    }

    /// The figures of the trackers, from the leading one.
    ///
    /// # Errors
    /// ENOENT when none leads.
    pub async fn tracker_cluster_stat(&self, filter: TrackerFilter) -> Result<Vec<TrackerStat>> {
        let leader = self.leader().await?;
        self.tracker(leader).tracker_cluster_stat(filter).await
    }

    /// The state of the storages of all groups.
    ///
    /// # Errors
    /// EINVAL from trackers before 6.16.0.
    pub async fn storage_cluster_stat(&self, filter: StorageFilter) -> Result<StorageClusterStat> {
        self.ask_trackers(&call::storage_cluster_stat(filter)).await
    }

    /// The space of all groups.
    ///
    /// # Errors
    /// EINVAL from trackers before 6.16.0.
    pub async fn storage_volume_stat(&self, filter: VolumeFilter) -> Result<StorageVolumeStat> {
        self.ask_trackers(&call::storage_volume_stat(filter)).await
    }

    /// Removes a storage that is not in service, on every tracker. One that does not know it is passed over.
    ///
    /// # Errors
    /// EBUSY, and nothing is removed, when a tracker sees it in service; ENOENT when no tracker knows it; whatever
    /// keeps a tracker from being asked, because it would go on giving the storage out.
    pub async fn delete_storage(&self, group: GroupName, id: StorageId) -> Result<()> {
        const OPERATION: &str = "delete storage";
        let mut knowing = Vec::new();
        let mut unknown = no_tracker(OPERATION);
        for tracker in self.trackers() {
            match tracker.list_storages(group, Some(id)).await {
                Ok(storages) => {
                    let in_service = |storage: &StorageStat| {
                        matches!(storage.who.status, StorageStatus::Online | StorageStatus::Active)
                    };
                    if storages.iter().any(in_service) {
                        let (kind, address) = (Kind::Status(Status::EBUSY), tracker.address());
                        return Err(Error::new(kind, Side::Tracker, Some(address), OPERATION));
                    }
                    knowing.push(tracker);
                }
                Err(error) if error.is_not_found() => unknown = error,
                Err(error) => return Err(error),
            }
        }
        if knowing.is_empty() {
            return Err(unknown);
        }
        on_all(&knowing, &call::delete_storage(group, id)).await
    }

    /// Removes an empty group, on every tracker. One that does not know it is passed over.
    ///
    /// # Errors
    /// EBUSY when storages are known in it, ENOENT when no tracker knows it.
    pub async fn delete_group(&self, group: GroupName) -> Result<()> {
        on_all(&self.trackers(), &call::delete_group(group)).await
    }

    /// Names the trunk server of a group, or has the leading tracker name one; gives its id.
    ///
    /// # Errors
    /// EOPNOTSUPP when trunk files are off; what [`Tracker::set_trunk_server`] gives on the leading tracker.
    pub async fn set_trunk_server(&self, group: GroupName, id: Option<StorageId>) -> Result<StorageId> {
        let mut last = no_tracker("set trunk server");
        for tracker in self.trackers() {
            match tracker.set_trunk_server(group, id).await {
                // This one does not lead, or is away: the next one.
                Err(error) if error.is_network() || error.status() == Some(Status::EOPNOTSUPP) => {
                    last = error
                }
                other => return other,
            }
        }
        Err(last)
    }
}

/// Makes a call on every tracker. Fine when one carried it out and the others do not know what it is about.
async fn on_all(trackers: &[Tracker], call: &Call<()>) -> Result<()> {
    let mut done = false;
    let mut unknown = no_tracker(call.request.operation);
    for tracker in trackers {
        match tracker.run(call).await {
            Ok(()) => done = true,
            // Another tracker has told it already.
            Err(error) if error.status() == Some(Status::EALREADY) => done = true,
            Err(error) if error.is_not_found() => unknown = error,
            Err(error) => return Err(error),
        }
    }
    if done { Ok(()) } else { Err(unknown) }
}

fn no_tracker(operation: &'static str) -> Error {
    Error::new(Kind::NoTracker, Side::Tracker, None, operation)
}
