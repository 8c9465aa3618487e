//! Where an upload goes: which group, which storage, which store path.
//!
//! Source: wire protocol, "which group", "which server", "which path".

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use fdfs_conf::tracker::{ReservedSpace, SHARE_WHOLE, StoreLookup, StorePathChoice, StoreServer};
use fdfs_fileid::{GroupName, StorePathIndex};
use fdfs_proto::StorageId;

use crate::turn::circle;
use crate::{Group, PathSpace, PlacementConfig, Refusal, Turn};

/// Whether `space` leaves room beside the reserve.
pub fn leaves_room(reserved: ReservedSpace, space: PathSpace) -> bool {
    match reserved {
        ReservedSpace::Megabytes(mb) => space.free_mb > mb,
        ReservedSpace::Share(share) => {
            u128::from(space.free_mb) * u128::from(SHARE_WHOLE)
                > u128::from(space.total_mb) * u128::from(share)
        }
    }
}

/// The same question for one of `paths` store paths: a reserve in megabytes is shared among them.
pub fn leaves_room_on_path(reserved: ReservedSpace, space: PathSpace, paths: u32) -> bool {
    match reserved {
        ReservedSpace::Megabytes(mb) => space.free_mb > mb / u64::from(paths.max(1)),
        share @ ReservedSpace::Share(_) => leaves_room(share, space),
    }
}

/// `space` with the free space inside trunk files counted in.
fn with_trunk(space: PathSpace, trunk_free_mb: u64) -> PathSpace {
    PathSpace { free_mb: space.free_mb.saturating_add(trunk_free_mb), ..space }
}

/// Whether a group has room, on its disks or, with trunk files, inside those.
pub fn has_room(config: &PlacementConfig, group: &Group) -> bool {
    let reserved = config.choice.reserved_storage_space;
    leaves_room(reserved, group.space)
        || config.use_trunk && leaves_room(reserved, with_trunk(group.space, group.trunk_free_mb))
}

/// Picks the group for an upload that names none. When groups take turns, `turn` is the number of the group that
/// is tried first, and the turn goes to the one after the picked one, by name.
pub(crate) fn pick_group(
    config: &PlacementConfig,
    groups: &BTreeMap<GroupName, Arc<Group>>,
    turn: &Turn,
) -> Result<GroupName, Refusal> {
    if let StoreLookup::Group(name) = config.choice.store_lookup {
        let group = groups.get(&name).ok_or(Refusal::UnknownGroup)?;
        return check_group(config, group);
    }
    let picked = if config.choice.store_lookup == StoreLookup::LoadBalance {
        first_with_room(config, groups, roomiest_group(config, groups)).map(|group| group.name)
    } else {
        turn.take(|number| {
            let start = groups.values().find(|group| group.number == number).map(|group| group.name);
            let name = first_with_room(config, groups, start)?.name;
            let mut after = groups.range((Excluded(name), Unbounded)).chain(groups);
            after.next().map(|(_, next)| (name, next.number))
        })
    };
    picked.ok_or_else(|| {
        let nobody = groups.values().all(|group| group.writable().next().is_none());
        if nobody { Refusal::NothingWritable } else { Refusal::NoSpace }
    })
}

/// The first group, in a circle by name from `start` on, that can take an upload: one with room on its disks, or
/// else, with trunk files, inside those.
fn first_with_room<'a>(
    config: &PlacementConfig,
    groups: &'a BTreeMap<GroupName, Arc<Group>>,
    start: Option<GroupName>,
) -> Option<&'a Group> {
    let ring = || {
        let from_start = groups.values().filter(move |group| start.is_none_or(|start| group.name >= start));
        let before = groups.values().filter(move |group| start.is_some_and(|start| group.name < start));
        from_start.chain(before).map(Arc::as_ref).filter(|group| group.writable().next().is_some())
    };
    let reserved = config.choice.reserved_storage_space;
    let on_disk = ring().find(|group| leaves_room(reserved, group.space));
    match on_disk {
        None if config.use_trunk => ring().find(|group| has_room(config, group)),
        found => found,
    }
}

/// Whether a named group can take an upload.
pub(crate) fn check_group(config: &PlacementConfig, group: &Group) -> Result<GroupName, Refusal> {
    if group.writable().next().is_none() {
        return Err(Refusal::NothingWritable);
    }
    if !has_room(config, group) {
        return Err(Refusal::NoSpace);
    }
    Ok(group.name)
}

/// Where load balancing begins: at the group with most free space that can take an upload, or, when that is
/// full and there are trunk files, the one with most free space inside those.
fn roomiest_group(config: &PlacementConfig, groups: &BTreeMap<GroupName, Arc<Group>>) -> Option<GroupName> {
    fn most<'a>(
        groups: impl Iterator<Item = &'a Arc<Group>>,
        free: fn(&Group) -> u64,
    ) -> Option<&'a Arc<Group>> {
        groups.reduce(|best, group| if free(group) > free(best) { group } else { best })
    }
    let open = || groups.values().filter(|group| group.writable().next().is_some());
    let by_disk = most(open(), |group| group.space.free_mb);
    let full = by_disk.is_some_and(|group| !leaves_room(config.choice.reserved_storage_space, group.space));
    let best = if full && config.use_trunk { most(open(), |group| group.trunk_free_mb) } else { by_disk };
    best.map(|group| group.name)
}

/// Picks the storage of a group, and takes a turn when storages take turns.
pub(crate) fn pick_server(config: &PlacementConfig, group: &Group) -> Result<StorageId, Refusal> {
    let choice = config.server_in_force();
    if choice != StoreServer::RoundRobin {
        return group.store_server(choice).map(|member| member.id).ok_or(Refusal::NothingWritable);
    }
    let count = group.writable().count();
    let place = group.write_turn.take_first(count, |_| true);
    place
        .and_then(|place| group.writable().nth(place))
        .map(|member| member.id)
        .ok_or(Refusal::NothingWritable)
}

/// Picks the store path of a storage, and takes a turn of its paths.
pub(crate) fn pick_path(
    config: &PlacementConfig,
    group: &Group,
    id: &StorageId,
) -> Result<StorePathIndex, Refusal> {
    let count = group.store_path_count;
    if count == 0 {
        return Err(Refusal::NoStorePath);
    }
    let reserved = config.choice.reserved_storage_space;
    let trunk_free_mb = group.trunk_free_mb;
    let member = group.members.get(id).ok_or(Refusal::NothingWritable)?;
    let space = |path: usize| member.paths.get(path).copied().unwrap_or_default();
    let picked = member.path_turn.take(|start| {
        let ring = || circle(start, count as usize);
        let on_disk = ring().find(|path| leaves_room_on_path(reserved, space(*path), count));
        let path = match on_disk {
            None if config.use_trunk => {
                let with_trunk = |path: usize| with_trunk(space(path), trunk_free_mb);
                ring().find(|path| leaves_room_on_path(reserved, with_trunk(*path), count))
            }
            found => found,
        }?;
        let next = match config.choice.store_path {
            StorePathChoice::RoundRobin => (path + 1) % count as usize,
            StorePathChoice::LoadBalance => path,
        };
        Some((path, next))
    });
    let path = picked.ok_or(Refusal::NoSpace)?;
    u8::try_from(path).map(StorePathIndex).map_err(|_| Refusal::NoStorePath)
}
