//! A file whose deletion was acknowledged is on no member once all is healed, and stays away.

use crate::history::Deletion;
use crate::scenario::World;

pub(super) fn gone(world: &mut World) -> Result<(), String> {
    for (id, file) in &world.env.history.files {
        if file.deletion != Deletion::Acknowledged {
            continue;
        }
        for storage in world.members_of(id.group) {
            if storage.running.as_ref().is_some_and(|running| running.store.has(&id.name)) {
                let ip = world.env.ips[storage.place.me];
                return Err(format!("{id} was deleted and is on {ip}"));
            }
        }
    }
    Ok(())
}
