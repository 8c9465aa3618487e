//! Where a file is read, and where it is changed.
//!
//! The tracker does not know which files exist. It reads source and time from the name and concludes who
//! must have it (wire protocol: QUERY_FETCH and QUERY_UPDATE).

use fdfs_conf::tracker::DownloadServer;
use fdfs_fileid::{FileName, Kind, Source};
use fdfs_proto::StorageId;

use crate::ids::id_of_addr;
use crate::placement::pick_server;
use crate::status::is_tombstone;
use crate::{Group, Member, PlacementConfig, Refusal};

/// What a name says about where its file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Who took the upload; none when the name does not say.
    source: Option<Source>,
    /// Unix seconds of the upload.
    made: i64,
    /// Who that is by now, when it has another address than the name says.
    moved_to: Option<StorageId>,
    /// Never changes after the upload: whoever has it, has all of it.
    settled: bool,
}

impl Origin {
    /// Reads a name. One without readable stamp is taken for an old file of an unknown source.
    pub fn of(name: &FileName) -> Self {
        let settled = matches!(name.kind(), Kind::Normal | Kind::Trunk);
        match name.stamp() {
            Some(stamp) => {
                let (source, made) = (Some(stamp.source), i64::from(stamp.timestamp));
                Self { source, moved_to: None, made, settled }
            }
            None => Self { source: None, moved_to: None, made: 0, settled },
        }
    }

    /// The same, as far as its group knows more of the source.
    fn within(self, group: &Group) -> Self {
        let moved_to = match self.source {
            Some(Source::Ip(addr)) if !group.moved.is_empty() => {
                id_of_addr(addr.into()).and_then(|id| group.now_called(&id)).map(|member| member.id)
            }
            _ => None,
        };
        Self { moved_to, ..self }
    }

    fn is_source(&self, member: &Member) -> bool {
        match self.source {
            Some(Source::Ip(addr)) => self.moved_to == Some(member.id) || member.addrs.contains(addr.into()),
            Some(source @ Source::Id(id)) => match member.id.as_str().parse::<u32>() {
                Ok(number) => number == id,
                // Without ids it is an address that reads as one.
                Err(_) => member.addrs.contains(source.address().into()),
            },
            None => false,
        }
    }

    /// Whether a readable storage must have the file, if anybody has.
    fn is_at(&self, config: &PlacementConfig, now: i64, group: &Group, member: &Member) -> bool {
        if self.is_source(member) || self.made < now.saturating_sub(config.sync_max_delay_s) {
            return true;
        }
        let synced = self.synced(group, member);
        synced > self.made
            || synced.saturating_add(1) >= self.made && now.saturating_sub(self.made) > config.sync_max_time_s
    }

    /// Up to which second a storage has the files of this one's source. The least over all sources, which the original
    /// takes, says less: one that has nothing new for long holds it back, and one that a report does not name lets it go
    /// too far.
    fn synced(&self, group: &Group, member: &Member) -> i64 {
        let from = |source: &Member| group.synced.get(&(source.id, member.id)).copied();
        let of_source = |source: &Member| match from(source) {
            // Nothing of a source that is there has arrived. One that has left may have done so under another id.
            None if !is_tombstone(source.status) => Some(0),
            until => until,
        };
        let sources = group.members.values().filter(|source| self.is_source(source));
        let known = sources.filter_map(of_source).min();
        known.or_else(|| group.members.values().filter_map(from).min()).map_or(0, i64::from)
    }
}

/// The one storage a download is sent to. Takes a turn among those that must have the file.
pub fn fetch_one(
    config: &PlacementConfig,
    now: i64,
    group: &Group,
    origin: Origin,
) -> Result<StorageId, Refusal> {
    let origin = origin.within(group);
    let readable: Vec<&Member> = group.readable().collect();
    if readable.is_empty() {
        return Err(Refusal::NothingReadable);
    }
    if (!origin.settled || config.choice.download_server == DownloadServer::Source)
        && let Some(source) = readable.iter().find(|member| origin.is_source(member))
    {
        return Ok(source.id);
    }
    if origin.settled {
        let has_it =
            |place: usize| readable.get(place).is_some_and(|member| origin.is_at(config, now, group, member));
        let place = group.read_turn.take_first(readable.len(), has_it);
        if let Some(member) = place.and_then(|place| readable.get(place)) {
            return Ok(member.id);
        }
    }
    stand_in(config, group).ok_or(Refusal::NothingReadable)
}

/// All storages a download may be sent to, by id; at least one.
pub fn fetch_all(
    config: &PlacementConfig,
    now: i64,
    group: &Group,
    origin: Origin,
) -> Result<Vec<StorageId>, Refusal> {
    let origin = origin.within(group);
    let has_it = |member: &&Member| {
        if origin.settled { origin.is_at(config, now, group, member) } else { origin.is_source(member) }
    };
    let found: Vec<StorageId> = group.readable().filter(has_it).map(|member| member.id).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    stand_in(config, group).map(|id| vec![id]).ok_or(Refusal::NothingReadable)
}

/// The storage that changes a file: its source, or any while that is away.
pub fn update(config: &PlacementConfig, group: &Group, origin: Origin) -> Result<StorageId, Refusal> {
    let origin = origin.within(group);
    let source = group.writable().find(|member| origin.is_source(member)).map(|member| member.id);
    source.map_or_else(|| pick_server(config, group), Ok)
}

/// The storage that stands for the group, when it can be read.
fn stand_in(config: &PlacementConfig, group: &Group) -> Option<StorageId> {
    let server = group.store_server(config.server_in_force())?;
    server.is_readable().then_some(server.id)
}
