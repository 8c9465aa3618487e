//! A file whose upload was acknowledged, and whose deletion nobody asked for, can be read from every member of its group
//! once all is healed, at whatever durability: no world takes more away than its level survives.

use crate::history::Deletion;
use crate::scenario::World;
use crate::storage::store::Content;

pub(super) fn readable(world: &mut World) -> Result<(), String> {
    for (id, file) in &world.env.history.files {
        if file.deletion != Deletion::None || file.excused {
            continue;
        }
        for storage in world.members_of(id.group) {
            let Some(running) = &storage.running else { continue };
            let ip = world.env.ips[storage.place.me];
            match running.store.read(&storage.disk, &id.name) {
                Content::Whole(content)
                    if content == file.content || file.perhaps.as_ref() == Some(&content) => {}
                Content::Whole(_) => return Err(format!("{id} is another file on {ip}")),
                Content::Damaged => return Err(format!("{id} is damaged on {ip}")),
                Content::Missing => return Err(format!("{id} was acknowledged and is not on {ip}")),
            }
        }
    }
    Ok(())
}
