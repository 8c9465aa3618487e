//! All members of a group serve, and hold the same files with the same content, acknowledged or not, once all is healed.

use std::collections::BTreeMap;

use crate::scenario::{Node, World};

pub(super) fn held(world: &mut World) -> Result<(), String> {
    for node in world.trackers.clone() {
        if let Node::Tracker(tracker) = &mut world.nodes[node]
            && let Some(waiting) = tracker.not_active().first()
        {
            return Err(format!("{waiting} at tracker {}", world.env.ips[node]));
        }
    }
    for group in &world.groups {
        let mut sets = Vec::new();
        for node in group.iter().filter(|node| !world.env.history.retired.contains(node)) {
            let Some(storage) = world.storage(*node) else { continue };
            let Some(running) = &storage.running else { continue };
            let held = running.store.names().map(|name| (name, running.store.bytes(&storage.disk, name)));
            sets.push((world.env.ips[*node], held.collect::<BTreeMap<_, _>>()));
        }
        for pair in sets.windows(2) {
            let [(one, mine), (other, theirs)] = pair else { continue };
            for name in mine.keys().chain(theirs.keys()) {
                match (mine.get(name), theirs.get(name)) {
                    (Some(a), Some(b)) if a == b => {}
                    (Some(_), Some(_)) => {
                        return Err(format!("{name} is not the same on {one} and on {other}"));
                    }
                    (Some(_), None) => return Err(format!("{name} is on {one} and not on {other}")),
                    _ => return Err(format!("{name} is on {other} and not on {one}")),
                }
            }
        }
    }
    Ok(())
}
