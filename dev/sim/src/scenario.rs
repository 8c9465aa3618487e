//! What a seed does: how large the world is, what goes wrong when, and how it is left in peace at the end.
//!
//! ```text
//! 0 s          the trackers and the first storage of each group start
//! 2..120 s     the others join; clients begin
//! 20..300 s    chaos: crashes, power cuts, partitions, broken connections, full disks, rot, lost disks, storages that leave
//! 300 s        everything heals and runs; clients stop
//! then         until the cluster is at rest and a while longer, at most 400 s
//! ```

use std::net::IpAddr;

use fdfs_fileid::{FileName, GroupName};
use storage_core::replication::copies::CopiesRule;

use crate::client::Client;
use crate::history::Deletion;
use crate::invariants;
use crate::storage::{Place, Storage, id_of};
use crate::tracker::Tracker;
use crate::trunk;
use crate::world::{Env, Event, Next, NodeId};
use crate::{Fault, Outcome};

/// True time at which chaos ends, milliseconds.
const PEACE_MS: u64 = 300_000;

/// True time at which the cluster must be at rest, milliseconds.
const END_MS: u64 = 700_000;

/// How often it is looked whether a storage may leave, milliseconds.
const RETIRE_LOOK_MS: u64 = 2_000;

/// How often it is looked whether it is.
const LOOK_MS: u64 = 10_000;

/// How long it is watched once it is at rest: what was wrong may come late.
const WATCH_MS: u64 = 30_000;

/// What an acknowledgement means (the levels of `durability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It survives a crash of the process. In these worlds no power is cut.
    Process,
    /// It survives a power cut.
    Disk,
    /// Another member has it, too, if another one serves.
    Copies,
}

/// Something goes wrong, or right again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chaos {
    Start(NodeId),
    Kill(NodeId),
    PowerCut(NodeId),
    /// The power goes in the worst moment: soon after something was written and before it is synced.
    CutWhenBusy(NodeId),
    Partition(NodeId, NodeId),
    Heal,
    Drop(NodeId, NodeId),
    Fill(NodeId),
    Empty(NodeId),
    Rot(NodeId),
    /// The disk of the store path dies, and an empty one takes its place.
    LoseDisk(NodeId),
    /// The same in the worst moment: while the others lack something that it has.
    LoseDiskWhenBusy(NodeId),
    /// An administrator takes a storage out of its group, once the others have all that it has.
    Retire(NodeId),
    /// The administrator deletes it at every tracker.
    Remove(NodeId),
    Peace,
}

pub(crate) enum Node {
    Tracker(Box<Tracker>),
    Storage(Box<Storage>),
    Client(Client),
}

pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) nodes: Vec<Node>,
    pub(crate) trackers: Vec<NodeId>,
    /// By group.
    pub(crate) groups: Vec<Vec<NodeId>>,
}

impl World {
    pub(crate) fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut size = crate::chance::Chance::new(seed ^ 0x5EED);
        let tracker_count = if size.one_in(5) { 1 } else { 2 };
        let group_count = size.between(1, 2) as usize;
        let sizes: Vec<usize> = (0..group_count).map(|_| size.between(2, 3) as usize).collect();
        let durability = *size
            .pick(&[Durability::Process, Durability::Disk, Durability::Disk, Durability::Copies])
            .unwrap_or(&Durability::Disk);
        let copies = CopiesRule {
            others: usize::from(durability == Durability::Copies),
            accept_missing: size.one_in(2),
        };
        let client_count = size.between(1, 3) as u8;

        let mut ips: Vec<IpAddr> = (0..tracker_count).map(|n| IpAddr::from([10, 0, 0, n + 1])).collect();
        let trackers: Vec<NodeId> = (0..ips.len()).collect();
        let mut nodes: Vec<Node> =
            trackers.iter().map(|me| Node::Tracker(Box::new(Tracker::new(*me)))).collect();
        let mut groups = Vec::new();
        for (number, count) in (1..).zip(sizes) {
            let Ok(group) = GroupName::parse(format!("group{number}").as_bytes()) else { continue };
            let mut members = Vec::new();
            for n in 1..=count {
                let me = nodes.len();
                members.push(me);
                ips.push(IpAddr::from([10, 1, number, n as u8]));
                let place = Place { me, group, trackers: trackers.clone(), durability, copies };
                nodes.push(Node::Storage(Box::new(Storage::new(place))));
            }
            groups.push(members);
        }
        for n in 1..=client_count {
            ips.push(IpAddr::from([10, 9, 0, n]));
            nodes.push(Node::Client(Client::new(nodes.len(), trackers.clone(), PEACE_MS)));
        }
        let mut world = Self { env: Env::new(seed, fault, ips), nodes, trackers, groups };
        world.plan(durability);
        world
    }

    /// Decides what happens when.
    fn plan(&mut self, durability: Durability) {
        let env = &mut self.env;
        for node in 0..self.nodes.len() {
            let late = self.groups.iter().any(|group| group[1..].contains(&node));
            let at = match (&self.nodes[node], late) {
                (Node::Storage(_), true) => env.chance.between(2_000, 120_000),
                (Node::Storage(_), false) => env.chance.between(0, 2_000),
                (Node::Tracker(_) | Node::Client(_), _) => 0,
            };
            env.after(at, Event::Chaos(Chaos::Start(node)));
        }
        let storages: Vec<NodeId> = self.groups.concat();
        let servers: Vec<NodeId> = self.trackers.iter().chain(&storages).copied().collect();
        // Those that have joined by then.
        for _ in 0..env.chance.between(3, 18) {
            let at = env.chance.between(20_000, PEACE_MS);
            let lasts = env.chance.between(500, 60_000);
            let one = *env.chance.pick(&servers).unwrap_or(&0);
            let other = *env.chance.pick(&servers).unwrap_or(&0);
            let storage = *env.chance.pick(&storages).unwrap_or(&0);
            let (begin, end) = match env.chance.below(15) {
                14 if env.chance.one_in(3) => (Chaos::LoseDisk(storage), None),
                14 => (Chaos::LoseDiskWhenBusy(storage), None),
                13 => (Chaos::Retire(storage), None),
                11 | 12 => (Chaos::Kill(storage), Some(Chaos::Start(storage))),
                10 if durability != Durability::Process => {
                    (Chaos::CutWhenBusy(storage), Some(Chaos::Start(storage)))
                }
                0 | 1 if durability != Durability::Process => (Chaos::PowerCut(one), Some(Chaos::Start(one))),
                0..=2 => (Chaos::Kill(one), Some(Chaos::Start(one))),
                3..=5 if one != other => (Chaos::Partition(one, other), Some(Chaos::Heal)),
                6 if one != other => (Chaos::Drop(one, other), None),
                7 => (Chaos::Fill(storage), Some(Chaos::Empty(storage))),
                _ => (Chaos::Rot(storage), None),
            };
            // Who loses its disk then, and does not hear the one other member, or these not each other.
            if let Chaos::LoseDiskWhenBusy(node) = begin
                && let Some(group) = self.groups.iter().find(|group| group.contains(&node))
            {
                let others: Vec<NodeId> = group.iter().copied().filter(|other| *other != node).collect();
                let apart = Chaos::Partition(others[0], others.get(1).copied().unwrap_or(node));
                let before = env.chance.between(0, 10_000);
                env.after(at - before, Event::Chaos(apart));
                env.after(at + lasts, Event::Chaos(Chaos::Heal));
            }
            env.after(at, Event::Chaos(begin));
            if let Some(end) = end {
                env.after(at + lasts, Event::Chaos(end));
            }
        }
        env.after(PEACE_MS, Event::Chaos(Chaos::Peace));
    }

    /// Lets everything happen up to this true time, or until an invariant breaks.
    fn until(&mut self, end: u64) -> Result<(), String> {
        while let Some(next) = self.env.next(end) {
            match next {
                Next::Chaos(chaos) => self.chaos(chaos),
                Next::Node(node, what) => match &mut self.nodes[node] {
                    Node::Tracker(tracker) => tracker.happened(&mut self.env, what),
                    Node::Storage(storage) => storage.happened(&mut self.env, what),
                    Node::Client(client) => client.happened(&mut self.env, what),
                },
            }
            invariants::always(self)?;
        }
        Ok(())
    }

    fn chaos(&mut self, chaos: Chaos) {
        let peace = self.env.now > PEACE_MS;
        match chaos {
            // Only those that were to start once: chaos may hit a storage that has not joined yet.
            Chaos::Start(node) if self.env.up[node] || self.env.history.retired.contains(&node) => return,
            Chaos::Kill(node) | Chaos::PowerCut(node) | Chaos::CutWhenBusy(node)
                if !self.env.up[node] || peace =>
            {
                return;
            }
            Chaos::Partition(..) | Chaos::Fill(_) | Chaos::Rot(_) if peace => return,
            Chaos::CutWhenBusy(node) => {
                let busy = self
                    .storage(node)
                    .is_some_and(|storage| storage.disk.log.synced < storage.disk.log.len());
                let (delay, next) = match busy {
                    true => (self.env.chance.between(0, 30), Chaos::PowerCut(node)),
                    false => (10, chaos),
                };
                return self.env.after(delay, Event::Chaos(next));
            }
            Chaos::LoseDiskWhenBusy(_) if peace => return,
            Chaos::LoseDiskWhenBusy(node) => {
                let (delay, next) = match self.is_ahead(node) {
                    true => (self.env.chance.between(0, 60), Chaos::LoseDisk(node)),
                    false => (10, chaos),
                };
                return self.env.after(delay, Event::Chaos(next));
            }
            Chaos::LoseDisk(node) if peace || !self.may_lose(node) => return,
            Chaos::Retire(_) if peace => return,
            Chaos::Retire(node) if !self.may_retire(node) => {
                return self.env.after(RETIRE_LOOK_MS, Event::Chaos(chaos));
            }
            _ => {}
        }
        self.env.trace.note(self.env.now, "world", || format!("{chaos:?}"));
        match chaos {
            Chaos::Start(node) => self.env.start(node),
            Chaos::Kill(node) => self.stop(node, false),
            Chaos::PowerCut(node) => self.stop(node, true),
            Chaos::CutWhenBusy(_) | Chaos::LoseDiskWhenBusy(_) => {}
            Chaos::Partition(one, other) => self.env.partition(one, other),
            Chaos::Heal => self.env.heal(),
            Chaos::Drop(one, other) => self.env.drop_between(one, other),
            Chaos::Fill(node) => {
                if let Node::Storage(storage) = &mut self.nodes[node] {
                    storage.disk.capacity = storage.disk.log.len() + 100;
                }
            }
            Chaos::Empty(node) => {
                if let Node::Storage(storage) = &mut self.nodes[node] {
                    storage.disk.capacity = usize::MAX;
                }
            }
            Chaos::Rot(node) => self.rot(node),
            Chaos::LoseDisk(node) => {
                self.lose_disk(node);
                let lasts = self.env.chance.between(500, 60_000);
                self.env.after(lasts, Event::Chaos(Chaos::Start(node)));
            }
            Chaos::Retire(node) => {
                self.env.history.retired.insert(node);
                self.stop(node, false);
                self.env.after(1_000, Event::Chaos(Chaos::Remove(node)));
            }
            Chaos::Remove(node) => self.remove(node),
            Chaos::Peace => {
                self.env.heal();
                for node in 0..self.nodes.len() {
                    if let Node::Storage(storage) = &mut self.nodes[node] {
                        storage.disk.capacity = usize::MAX;
                    }
                    if !self.env.up[node] && !self.env.history.retired.contains(&node) {
                        self.env.start(node);
                    }
                }
            }
        }
    }

    fn stop(&mut self, node: NodeId, power: bool) {
        self.env.stop(node, power);
        match &mut self.nodes[node] {
            Node::Tracker(tracker) => tracker.stop(),
            Node::Storage(storage) => {
                storage.stop();
                if power {
                    storage.disk.log.power_cut(&mut self.env.chance);
                    storage.base.binlog.power_cut(&mut self.env.chance);
                }
            }
            Node::Client(_) => {}
        }
    }

    /// The other members of a group that were not taken out of it.
    fn others(&self, node: NodeId) -> Vec<NodeId> {
        let group = self.groups.iter().find(|group| group.contains(&node));
        let stays = |other: &NodeId| *other != node && !self.env.history.retired.contains(other);
        group.into_iter().flatten().copied().filter(stays).collect()
    }

    /// Whether a storage serves, as every tracker sees it.
    fn serves(&mut self, node: NodeId) -> bool {
        let Some(group) = self.storage(node).map(|storage| storage.place.group) else { return false };
        let Some(id) = id_of(self.env.ips[node]) else { return false };
        let up = self.env.up[node] && !self.env.history.recovering.contains(&node);
        up && self.trackers.clone().into_iter().all(|tracker| match &mut self.nodes[tracker] {
            Node::Tracker(tracker) => tracker.has_active(group, &id),
            _ => false,
        })
    }

    /// Flips a bit of a file that all other members have whole: nothing can save the only copy.
    fn rot(&mut self, node: NodeId) {
        let others = self.others(node);
        let Node::Storage(storage) = &self.nodes[node] else { return };
        let Some(running) = &storage.running else { return };
        let safe = |name: &&FileName| {
            !others.is_empty() && others.iter().all(|other| self.holds_whole(*other, name))
        };
        let names: Vec<_> = running.store.names().filter(safe).cloned().collect();
        let Some(name) = self.env.chance.pick(&names) else { return };
        let Some(place) = running.store.place(name).filter(|place| place.end <= storage.disk.log.synced)
        else {
            return;
        };
        if place.is_empty() {
            return;
        }
        let at = place.start + self.env.chance.below(place.len());
        if let Node::Storage(storage) = &mut self.nodes[node] {
            storage.disk.log.bytes[at] ^= 1 << self.env.chance.below(8);
        }
    }

    /// Whether the disk of a storage may be lost: another one has all that matters, on a disk without damage, and no other
    /// disk of the group is lost.
    fn may_lose(&mut self, node: NodeId) -> bool {
        let others = self.others(node);
        let whole = |storage: &Storage| {
            storage.running.as_ref().is_some_and(|it| it.store.damaged(&storage.disk).is_empty())
        };
        let none_lost = !others.iter().any(|other| self.env.history.recovering.contains(other));
        let all_whole = others.iter().all(|other| self.storage(*other).is_some_and(whole));
        none_lost && all_whole && self.serves(node) && others.into_iter().any(|other| self.serves(other))
    }

    /// Whether the others lack something that a storage has.
    fn is_ahead(&self, node: NodeId) -> bool {
        let ids: Vec<_> = self.others(node).iter().filter_map(|other| id_of(self.env.ips[*other])).collect();
        self.env.up[node] && self.storage(node).is_some_and(|storage| !storage.is_replicated(&ids))
    }

    /// The process dies with its disk. Files whose only copy that was may be lost, unless an acknowledgement has promised
    /// more.
    fn lose_disk(&mut self, node: NodeId) {
        let others = self.others(node);
        let Some(place) = self.storage(node).map(|storage| storage.place.clone()) else { return };
        let promised = |name: &FileName| {
            let alone = self.env.history.alone.contains(&(place.group, name.clone()));
            place.durability == Durability::Copies && !alone
        };
        let mut excused = Vec::new();
        for (id, file) in &self.env.history.files {
            let held =
                others.iter().any(|other| self.content(*other, &id.name) == Some(file.content.as_slice()));
            if id.group == place.group && file.deletion == Deletion::None && !held && !promised(&id.name) {
                excused.push(id.clone());
            }
        }
        self.stop(node, false);
        for id in excused {
            self.env.note(node, || format!("had the only copy of {id}"));
            if let Some(file) = self.env.history.files.get_mut(&id) {
                file.excused = true;
            }
        }
        self.env.history.recovering.insert(node);
        if let Node::Storage(storage) = &mut self.nodes[node] {
            storage.lose_disk();
        }
    }

    fn content(&self, node: NodeId, name: &FileName) -> Option<&[u8]> {
        let storage = self.storage(node)?;
        storage.running.as_ref()?.store.bytes(&storage.disk, name)
    }

    /// Whether a storage may be taken out of its group: two others serve, and all have everything that it has.
    fn may_retire(&mut self, node: NodeId) -> bool {
        let others = self.others(node);
        let ids: Vec<_> = others.iter().filter_map(|other| id_of(self.env.ips[*other])).collect();
        let complete = self.storage(node).is_some_and(|storage| storage.is_replicated(&ids));
        complete
            && others.len() >= 2
            && self.serves(node)
            && others.into_iter().all(|other| self.serves(other))
    }

    /// Deletes a storage at every tracker, again and again until all have heard it.
    fn remove(&mut self, node: NodeId) {
        let Some(group) = self.storage(node).map(|storage| storage.place.group) else { return };
        let Some(id) = id_of(self.env.ips[node]) else { return };
        let mut done = true;
        for tracker in &self.trackers {
            if let Node::Tracker(tracker) = &mut self.nodes[*tracker] {
                done &= tracker.remove(&mut self.env, group, id);
            }
        }
        if !done {
            self.env.after(RETIRE_LOOK_MS, Event::Chaos(Chaos::Remove(node)));
        }
    }

    pub(crate) fn storage(&self, node: NodeId) -> Option<&Storage> {
        match &self.nodes[node] {
            Node::Storage(storage) => Some(storage),
            _ => None,
        }
    }

    /// The storages of a group.
    pub(crate) fn members_of(&self, group: GroupName) -> impl Iterator<Item = &Storage> {
        let storages = self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage.as_ref()),
            _ => None,
        });
        storages.filter(move |storage| storage.place.group == group)
    }

    fn holds_whole(&self, node: NodeId, name: &fdfs_fileid::FileName) -> bool {
        let held = |storage: &Storage| {
            let running = storage.running.as_ref()?;
            let place = running.store.place(name)?;
            let whole = crate::storage::store::fits(name, &storage.disk.log.bytes[place.clone()]);
            Some(whole && place.end <= storage.disk.log.synced)
        };
        self.storage(node).and_then(held).unwrap_or(false)
    }
}

/// Plays one seed.
pub(crate) fn play(seed: u64, fault: Option<Fault>, trace: bool) -> Outcome {
    let mut world = World::new(seed, fault);
    world.env.trace.all = trace;
    let slots = trunk::play(seed, fault);
    let verdict = judge(&mut world).and(slots.clone().map(|_| ()));
    Outcome {
        seed,
        fault,
        failure: verdict.err(),
        uploads: world.env.history.uploads,
        changes: world.env.history.changes,
        deletions: world.env.history.deletions,
        rebuilt: world.env.history.rebuilt,
        retired: world.env.history.retired.len() as u64,
        slots: slots.unwrap_or_default(),
        trace: world.env.trace.lines.into(),
    }
}

fn judge(world: &mut World) -> Result<(), String> {
    world.until(PEACE_MS + 1)?;
    let mut rest_since = None;
    while world.env.now < END_MS {
        world.until(world.env.now + LOOK_MS)?;
        match invariants::at_rest(world) {
            Ok(()) => {
                let since = *rest_since.get_or_insert(world.env.now);
                if world.env.now >= since + WATCH_MS {
                    return Ok(());
                }
            }
            Err(_) => rest_since = None,
        }
    }
    invariants::at_rest(world)
}
