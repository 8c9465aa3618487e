//! One tracker leads, and every storage and tracker obeys that one, once all is healed.
//!
//! While the network is broken two may lead: trackers elect without a quorum.

use std::collections::BTreeSet;

use crate::scenario::{Node, World};

pub(super) fn obeyed(world: &mut World) -> Result<(), String> {
    let mut obeyed = BTreeSet::new();
    let mut leading = Vec::new();
    for (node, ip) in world.env.ips.iter().enumerate() {
        if world.env.history.retired.contains(&node) {
            continue;
        }
        let leader = match &mut world.nodes[node] {
            Node::Tracker(tracker) => {
                let leader = tracker.view().and_then(|view| view.leader(*ip).ok());
                if leader.is_some_and(|leader| leader.ip == *ip) {
                    leading.push(*ip);
                }
                leader
            }
            Node::Storage(storage) => storage.view().and_then(|view| view.leader),
            Node::Client(_) => continue,
        };
        let Some(leader) = leader else { return Err(format!("{ip} obeys nobody")) };
        obeyed.insert(leader.ip);
    }
    if leading.len() != 1 || obeyed.len() != 1 {
        return Err(format!("{leading:?} lead and {obeyed:?} are obeyed"));
    }
    Ok(())
}
