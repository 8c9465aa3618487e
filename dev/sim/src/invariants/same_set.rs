//! All members of a group serve, and hold the same files, acknowledged or not, once all is healed.

use std::collections::BTreeSet;

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
        for node in group {
            let running = world.storage(*node).and_then(|storage| storage.running.as_ref());
            let names: BTreeSet<_> = running.into_iter().flat_map(|running| running.store.names()).collect();
            sets.push((world.env.ips[*node], names));
        }
        for pair in sets.windows(2) {
            let [(one, mine), (other, theirs)] = pair else { continue };
            if let Some(name) = mine.symmetric_difference(theirs).next() {
                let (on, off) = if mine.contains(*name) { (one, other) } else { (other, one) };
                return Err(format!("{name} is on {on} and not on {off}"));
            }
        }
    }
    Ok(())
}
