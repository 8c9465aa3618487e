//! One tracker, addressed directly.

use crate::call::{self, Call, StoreTarget, StoreTargets};
use crate::client::Shared;
use crate::connection::Peer;
use crate::error::{Kind, Result};
use crate::pool;
use fdfs_conf::ServerAddr;
use fdfs_fileid::{FileId, GroupName};
use fdfs_proto::StorageId;
use fdfs_proto::tracker::list_groups::GroupStat;
use fdfs_proto::tracker::list_storages::StorageStat;
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::tracker::storage_cluster_stat::{Ask as StorageFilter, Got as StorageClusterStat};
use fdfs_proto::tracker::storage_volume_stat::{Ask as VolumeFilter, Got as StorageVolumeStat};
use fdfs_proto::tracker::tracker_cluster_stat::{Ask as TrackerFilter, TrackerStat};
use std::sync::Arc;

/// Pages of storage ids read at most: far more than a table of that length needs.
const IDS_PAGES_MAX: u32 = 1024;

/// One tracker, addressed directly. Made by [`Client::tracker`](crate::Client::tracker).
///
/// [`Client`](crate::Client) has the same questions, asked of whichever tracker answers.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use fdfs_client::{Client, ClientConfig, ServerAddr};
///
/// let client = Client::new(ClientConfig::new([]));
/// let tracker = client.tracker(ServerAddr::parse("127.0.0.1", 22122)?);
/// for group in tracker.list_groups().await? {
///     println!("{}: {} MiB free", group.group, group.free_mb);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tracker {
    shared: Arc<Shared>,
    peer: Peer,
}

impl Tracker {
    pub(crate) fn new(shared: Arc<Shared>, address: &ServerAddr) -> Tracker {
        Tracker { shared, peer: Peer::tracker(address) }
    }

    /// The tracker's address.
    pub fn address(&self) -> &ServerAddr {
        &self.peer.address
    }

    pub(crate) async fn run<T>(&self, call: &Call<T>) -> Result<T> {
        let body = self.shared.pool.ask(&self.peer, &call.request).await?;
        (call.decode)(&body).map_err(|broken| self.peer.error(broken.kind(), call.request.operation))
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// The tracker cannot be reached, or does not answer.
    pub async fn active_test(&self) -> Result<()> {
        self.shared.pool.ask(&self.peer, &pool::active_test(self.peer.side)).await.map(|_| ())
    }

    /// Where to upload, into any group or a given one.
    ///
    /// # Errors
    /// ENOENT when there is no such group or no storage of it takes uploads, ENOSPC when all are full.
    pub async fn query_store(&self, group: Option<GroupName>) -> Result<StoreTarget> {
        self.run(&call::query_store(group)).await
    }

    /// Every storage one may upload to, of the group the tracker chooses or of a given one.
    ///
    /// # Errors
    /// As [`Tracker::query_store`].
    pub async fn query_store_all(&self, group: Option<GroupName>) -> Result<StoreTargets> {
        self.run(&call::query_store_all(group)).await
    }

    /// The storage to download a file from.
    ///
    /// # Errors
    /// ENOENT when the group is not known or none of its storages has the file and serves downloads.
    pub async fn query_fetch(&self, id: &FileId) -> Result<ServerAddr> {
        self.run(&call::query_fetch(id)).await
    }

    /// Every storage to download a file from.
    ///
    /// # Errors
    /// As [`Tracker::query_fetch`].
    pub async fn query_fetch_all(&self, id: &FileId) -> Result<Vec<ServerAddr>> {
        self.run(&call::query_fetch_all(id)).await
    }

    /// The storage on which to change or delete a file.
    ///
    /// # Errors
    /// ENOENT when the group is not known or none of its storages takes changes.
    pub async fn query_update(&self, id: &FileId) -> Result<ServerAddr> {
        self.run(&call::query_update(id)).await
    }

    /// The figures of all groups, by name.
    ///
    /// # Errors
    /// The tracker cannot be asked.
    pub async fn list_groups(&self) -> Result<Vec<GroupStat>> {
        self.run(&call::list_groups()).await
    }

    /// The figures of one group.
    ///
    /// # Errors
    /// ENOENT when it is not known.
    pub async fn group(&self, group: GroupName) -> Result<GroupStat> {
        self.run(&call::group_stat(group)).await
    }

    /// The figures of a group's storages, or of one of them.
    ///
    /// # Errors
    /// ENOENT when group or storage are not known.
    pub async fn list_storages(&self, group: GroupName, id: Option<StorageId>) -> Result<Vec<StorageStat>> {
        self.run(&call::list_storages(group, id)).await
    }

    /// Removes an empty group from this tracker only; [`Client::delete_group`](crate::Client::delete_group) does it on
    /// all.
    ///
    /// # Errors
    /// EBUSY when storages are known in it, ENOENT when it is not known.
    pub async fn delete_group(&self, group: GroupName) -> Result<()> {
        self.run(&call::delete_group(group)).await
    }

    /// Removes a storage from this tracker only; [`Client::delete_storage`](crate::Client::delete_storage) does it on
    /// all.
    ///
    /// # Errors
    /// EBUSY when it is in service, ENOENT when it is not known, EALREADY when it is deleted already.
    pub async fn delete_storage(&self, group: GroupName, id: StorageId) -> Result<()> {
        self.run(&call::delete_storage(group, id)).await
    }

    /// Names the trunk server of a group, or has the tracker name one; gives its id.
    ///
    /// # Errors
    /// EOPNOTSUPP when this tracker does not lead or trunk files are off, EALREADY when it is the trunk server
    /// already, EEXIST when another one is and is in service, ENONET when it is not in service itself.
    pub async fn set_trunk_server(&self, group: GroupName, id: Option<StorageId>) -> Result<StorageId> {
        self.run(&call::set_trunk_server(group, id)).await
    }

    /// The leading tracker, as far as this one knows.
    ///
    /// # Errors
    /// ENOENT when none leads, EINVAL from trackers before 6.15.5.
    pub async fn leader(&self) -> Result<ServerAddr> {
        self.run(&call::leader()).await
    }

    /// The figures of the trackers. Only the leading one has them.
    ///
    /// # Errors
    /// EOPNOTSUPP when this tracker does not lead.
    pub async fn tracker_cluster_stat(&self, filter: TrackerFilter) -> Result<Vec<TrackerStat>> {
        self.run(&call::tracker_cluster_stat(filter)).await
    }

    /// The state of the storages of all groups.
    ///
    /// # Errors
    /// EINVAL from trackers before 6.16.0, and when there are more than fit into a reply.
    pub async fn storage_cluster_stat(&self, filter: StorageFilter) -> Result<StorageClusterStat> {
        self.run(&call::storage_cluster_stat(filter)).await
    }

    /// The space of all groups.
    ///
    /// # Errors
    /// EINVAL from trackers before 6.16.0, and when there are more than fit into a reply.
    pub async fn storage_volume_stat(&self, filter: VolumeFilter) -> Result<StorageVolumeStat> {
        self.run(&call::storage_volume_stat(filter)).await
    }

    /// The settings that hold for the whole cluster.
    ///
    /// # Errors
    /// The tracker cannot be asked.
    pub async fn parameters(&self) -> Result<Parameters> {
        self.run(&call::parameters()).await
    }

    /// The table of storage ids, in the grammar of `storage_ids.conf`; empty when storage ids are not in use.
    ///
    /// # Errors
    /// The tracker cannot be asked, or its pages do not add up.
    pub async fn storage_ids(&self) -> Result<Vec<u8>> {
        let mut lines = Vec::new();
        let mut have = 0;
        for _ in 0..IDS_PAGES_MAX {
            let call = call::storage_ids(have);
            let page = self.run(&call).await?;
            lines.extend_from_slice(&page.lines);
            have = have.saturating_add(page.count);
            if have >= page.total {
                return Ok(lines);
            }
            if page.count == 0 {
                break;
            }
        }
        let kind = Kind::Protocol("the pages of the table of storage ids do not add up");
        Err(self.peer.error(kind, "get storage ids"))
    }
}
