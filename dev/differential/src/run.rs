//! The run: several streams side by side, each with its own connections, files and random numbers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fdfs_proto::{Peer, StorageCommand, TrackerCommand};

use crate::chance::Chance;
use crate::compare::{Difference, Place, compare};
use crate::layout::{self, Shape};
use crate::members_stream::{self, MembersStream, Sender, Step, View};
use crate::peer_stream::PeerStream;
use crate::request::{Body, Request};
use crate::storage_stream::{GROUP, StorageStream};
use crate::tally::Tally;
use crate::tracker_stream;
use crate::wire::{Link, Pair, Reply, exchange};

/// A request with more content than this may be refused before all of it has come; whether the connection is in step
/// then is a matter of time.
const IN_STEP_MAX: usize = 4096;
/// How long the two may take to become alike.
const SETTLE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// The two clusters, and what came out so far.
pub(crate) struct Field {
    trackers: Pair<SocketAddr>,
    storages: Pair<SocketAddr>,
    places: Pair<Place>,
    pub(crate) tally: Tally,
    /// Requests with these bytes in their bodies are shown with their answers.
    trace: Option<String>,
    failed: AtomicBool,
}

impl Field {
    /// Asks both trackers for the one storage of the group.
    pub(crate) fn new(trackers: Pair<SocketAddr>, trace: Option<String>) -> Result<Field> {
        let ours = storage_of(trackers.ours).context("our tracker")?;
        let original = storage_of(trackers.original).context("the original's tracker")?;
        let storages = Pair::new(ours, original);
        let place = |tracker: SocketAddr, storage: SocketAddr| Place {
            tracker: tracker.ip().to_string(),
            storage: storage.ip().to_string(),
        };
        let places =
            Pair::new(place(trackers.ours, storages.ours), place(trackers.original, storages.original));
        Ok(Field {
            trackers,
            storages,
            places,
            tally: Tally::default(),
            trace,
            failed: AtomicBool::new(false),
        })
    }

    fn links(&self, peer: Peer, from: Option<Ipv4Addr>) -> Pair<Link> {
        let addresses = match peer {
            Peer::Tracker => &self.trackers,
            Peer::Storage => &self.storages,
        };
        addresses.map(|address| Link::new(*address, from))
    }

    /// One request to both, everything that differs, and whether the connections go on.
    fn ask(&self, links: &mut Pair<Link>, request: &Request) -> Result<Pair<Reply>> {
        let words = || format!("{} {} [{}]", request.command, request.name(), request.case);
        let replies = exchange(links, &request.bytes(), request.ends()).with_context(words)?;
        let refused = !replies.ours.is_ok() || !replies.original.is_ok();
        self.tally.sent(request, &replies.map(Reply::is_ok));
        let mut found = compare(&request.shape, &self.places, &replies);
        let same_end = found.iter().all(|difference| difference.field != "status");
        if refused && same_end && !request.ends() && request.bodies.ours.len() <= IN_STEP_MAX {
            let after = Pair::new(links.ours.after(), links.original.after());
            if after.ours != after.original {
                found.push(Difference::new("connection after", after.ours, after.original));
            }
            if after.ours != "open" || after.original != "open" {
                links.ours.close();
                links.original.close();
            }
        } else if refused || request.ends() {
            links.ours.close();
            links.original.close();
        }
        self.undo(links, request, &replies)?;
        self.trace(request, &replies);
        self.tally.differ(request, found);
        Ok(replies)
    }

    fn trace(&self, request: &Request, replies: &Pair<Reply>) {
        let Some(wanted) = &self.trace else { return };
        let has = |body: &[u8]| body.windows(wanted.len()).any(|part| part == wanted.as_bytes());
        let body = |reply: &Reply| reply.body().is_some_and(has);
        let all = match request.peer {
            Peer::Tracker => wanted == "tracker",
            Peer::Storage => wanted == "storage",
        };
        if all
            || has(&request.bodies.ours)
            || has(&request.bodies.original)
            || body(&replies.ours)
            || body(&replies.original)
        {
            let bodies = request.bodies.map(|body| body[..body.len().min(500)].escape_ascii().to_string());
            let answers = replies.map(|reply| match reply {
                Reply::Got { status, body } => {
                    format!("{status} {}", body[..body.len().min(500)].escape_ascii())
                }
                other => format!("{other:?}"),
            });
            eprintln!(
                "{} {} [{}]\n  ours:     {}\n    {}\n  original: {}\n    {}",
                request.command,
                request.name(),
                request.case,
                bodies.ours,
                answers.ours,
                bodies.original,
                answers.original
            );
        }
    }

    /// All streams, until so many commands have been sent.
    pub(crate) fn run(&self, seed: u64, commands: u64, streams: u64, members: &[Ipv4Addr]) -> Result<()> {
        let each = commands / streams;
        thread::scope(|scope| {
            let mut running = Vec::new();
            for number in 1..streams {
                let seed = seed.wrapping_mul(1000) + number;
                running.push(scope.spawn(move || self.guarded(|| self.files(seed, each))));
            }
            let rest = commands - each * (streams - 1);
            let own = seed.wrapping_mul(1000);
            running.push(scope.spawn(move || self.guarded(|| self.members(own, rest, members))));
            let mut ends = running.into_iter().map(|stream| stream.join());
            ends.try_for_each(|end| end.unwrap_or_else(|_| bail!("a stream panicked")))
        })
    }

    /// When one stream fails the others need not go on.
    fn guarded(&self, stream: impl FnOnce() -> Result<()>) -> Result<()> {
        let end = stream();
        if end.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        end
    }

    fn goes_on(&self) -> bool {
        !self.failed.load(Ordering::Relaxed)
    }

    /// One stream of files: clients, members of the group, and questions to the tracker about them.
    fn files(&self, seed: u64, commands: u64) -> Result<()> {
        let mut chance = Chance::new(seed);
        let (mut clients, mut peers) = (StorageStream::new(), PeerStream::new());
        let mut to_storage = self.links(Peer::Storage, None);
        let mut as_peer = self.links(Peer::Storage, None);
        let mut to_tracker = self.links(Peer::Tracker, None);
        for _ in 0..commands {
            if !self.goes_on() {
                break;
            }
            match chance.below(100) {
                0..=64 => {
                    let (request, change) = clients.next(&mut chance);
                    let replies = self.ask(&mut to_storage, &request)?;
                    clients.learn(change, &replies);
                }
                65..=79 => {
                    let (request, change) = peers.next(&mut chance);
                    let file = PeerStream::created(&request, &change);
                    let replies = self.ask(&mut as_peer, &request)?;
                    peers.learn(file, change, &replies);
                }
                _ => {
                    let request = tracker_stream::next(&mut chance, &clients.files, &self.places);
                    self.ask(&mut to_tracker, &request)?;
                }
            }
        }
        Ok(())
    }

    /// The stream of made-up members.
    fn members(&self, seed: u64, commands: u64, addresses: &[Ipv4Addr]) -> Result<()> {
        let mut chance = Chance::new(seed);
        let mut stream = MembersStream::new(addresses, self.places.clone());
        let mut as_client = self.links(Peer::Tracker, None);
        let mut views: Vec<Pair<View>> = addresses.iter().map(|_| Pair::default()).collect();
        let mut own: Vec<Pair<Link>> =
            addresses.iter().map(|ip| self.links(Peer::Tracker, Some(*ip))).collect();
        for _ in 0..commands {
            if !self.goes_on() {
                break;
            }
            match stream.next(&mut chance) {
                Step::Ask { by: Sender::Client, request } => {
                    self.ask(&mut as_client, &request)?;
                }
                Step::Ask { by: Sender::Member(index), request } => {
                    let replies = self.ask(&mut own[index], &request)?;
                    const WITH_LIST: [TrackerCommand; 3] =
                        [TrackerCommand::Beat, TrackerCommand::ReportDiskUsage, TrackerCommand::SyncReport];
                    if WITH_LIST.iter().any(|command| command.code() == request.command)
                        && let (Some(ours), Some(original)) = (replies.ours.body(), replies.original.body())
                    {
                        stream.members[index].active = true;
                        let view = &mut views[index];
                        let known = view.ours.learn(&self.places.ours, ours)
                            && view.original.learn(&self.places.original, original);
                        ensure!(known, "a list of changes that is none");
                        self.tally.differ(&request, View::differences(view));
                    }
                    if request.command == TrackerCommand::Join.code() {
                        let member = &mut stream.members[index];
                        member.joined = members_stream::has_joined(&replies);
                        member.known |= member.joined;
                        member.active &= !member.joined;
                    }
                    if !own[index].ours.is_open() {
                        stream.members[index].joined = false;
                        self.settle(&stream.members[index], &mut as_client)?;
                    }
                }
                Step::Leave(index) => {
                    own[index].ours.close();
                    own[index].original.close();
                    stream.members[index].joined = false;
                    self.settle(&stream.members[index], &mut as_client)?;
                }
            }
        }
        for (index, own) in own.iter_mut().enumerate() {
            for (by, request) in stream.last(index) {
                let links = if by == Sender::Client { &mut as_client } else { &mut *own };
                self.ask(links, &request)?;
            }
        }
        Ok(())
    }

    /// Waits until both trackers have noticed that a member's connection ended.
    fn settle(&self, member: &members_stream::Member, links: &mut Pair<Link>) -> Result<()> {
        let request = members_stream::status_of(member);
        let until = Instant::now() + Duration::from_secs(3);
        loop {
            let replies = exchange(links, &request.bytes(), false)?;
            // Online and active are what nobody is without a connection; whatever else a member was it stays.
            let serves = |reply: &Reply| matches!(reply.body(), Some([6 | 7, ..]));
            if replies.ours == replies.original && !serves(&replies.ours) {
                return Ok(());
            }
            if Instant::now() > until {
                self.tally.sent(&request, &replies.map(Reply::is_ok));
                self.tally.differ(&request, compare(&request.shape, &self.places, &replies));
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }

    /// What can be asked only once, when nobody else asks.
    pub(crate) fn finale(&self) -> Result<()> {
        let mut tracker = self.links(Peer::Tracker, None);
        let mut other = self.links(Peer::Tracker, None);
        let file = |index: u8, offset: i64| {
            let body = Body::new().byte(index).int8(offset).done();
            Request::tracker(TrackerCommand::SysFilesGet, format!("file {index} from {offset} on"), body)
                .shape(Shape::Unread)
        };
        let start = |case: &str| Request::tracker(TrackerCommand::SysFilesStart, case, Vec::new());
        self.ask(&mut tracker, &start(""))?;
        for index in 0..5 {
            self.ask(&mut tracker, &file(index, 0))?;
        }
        self.ask(&mut tracker, &file(0, -1))?;
        self.ask(&mut other, &start("while another copies"))?;
        self.ask(&mut tracker, &Request::tracker(TrackerCommand::SysFilesEnd, "", Vec::new()))?;
        self.ask(&mut other, &start("after another"))?;
        self.ask(&mut other, &Request::tracker(TrackerCommand::SysFilesEnd, "", Vec::new()))?;
        let leader = Request::tracker(TrackerCommand::ReselectLeader, "", Vec::new());
        self.ask(&mut tracker, &leader)?;
        let mut storage = self.links(Peer::Storage, None);
        for (case, group, path) in
            [("", GROUP, 0), ("of another group", b"group2", 0), ("of another path", GROUP, 1)]
        {
            let body = Pair::same(Body::new().group(group).byte(path).done());
            let request =
                Request::storage(StorageCommand::FetchOnePathBinlog, case, body).shape(Shape::Unread);
            let replies = self.ask(&mut storage, &request)?;
            let lines =
                replies.map(|reply| reply.body().map_or(0, |body| body.split(|b| *b == b'\n').count()));
            if lines.ours == 0 && lines.original > 1 {
                let (ours, original) = (lines.ours.to_string(), lines.original.to_string());
                self.tally.differ(&request, vec![Difference::new("lines", ours, original)]);
            }
            storage = self.links(Peer::Storage, None);
        }
        self.counters(&mut tracker)
    }

    /// What the storages counted of all that, as their trackers know it with the last beat.
    fn counters(&self, links: &mut Pair<Link>) -> Result<()> {
        let ask =
            Request::tracker(TrackerCommand::ListStorages, "at the end", Body::new().group(GROUP).done())
                .shape(Shape::Unread);
        let mut last = self.ask(links, &ask)?;
        let until = Instant::now() + SETTLE;
        let mut still = Instant::now();
        // Beats come in seconds; when nothing has changed for longer than two of them, everything is told.
        while Instant::now() < until && still.elapsed() < Duration::from_secs(12) {
            thread::sleep(Duration::from_millis(500));
            let now = exchange(links, &ask.bytes(), false)?;
            if counts(&now) != counts(&last) {
                still = Instant::now();
            }
            last = now;
        }
        let Some(counts) = counts(&last) else { bail!("no figures of the storages at the end") };
        let mut found = Vec::new();
        for (index, (name, commands)) in layout::COUNTED.iter().enumerate() {
            let (sent, done) = self.tally.of(commands);
            // Of what only one of the two did, the other has nothing to count.
            let more = |count: u64, of: u64| format!("{:+}", i128::from(count) - i128::from(of));
            let all = counts.map(|counts| more(counts[2 * index], sent));
            let good = Pair::new(
                more(counts.ours[2 * index + 1], done.ours),
                more(counts.original[2 * index + 1], done.original),
            );
            for (what, values) in [("tried", all), ("succeeded", good)] {
                if values.ours != values.original {
                    found.push(Difference::new(&format!("{name} that {what}"), values.ours, values.original));
                }
            }
        }
        self.tally.differ(&ask, found);
        Ok(())
    }

    /// What only one of the two has taken is deleted there, so that names mean the same.
    fn undo(&self, links: &mut Pair<Link>, request: &Request, replies: &Pair<Reply>) -> Result<()> {
        let makes = matches!(
            StorageCommand::from_u8(request.command),
            Some(
                StorageCommand::UploadFile
                    | StorageCommand::UploadAppender
                    | StorageCommand::UploadSlave
                    | StorageCommand::SyncCreate,
            )
        );
        // What came again was there before, perhaps under a name that only the original takes for it.
        let again = request.case.starts_with("again") || request.case.contains("NUL behind");
        if request.peer != Peer::Storage
            || !makes
            || (again && request.command == StorageCommand::SyncCreate.code())
        {
            return Ok(());
        }
        let (link, reply, body) = match (replies.ours.body(), replies.original.body()) {
            (Some(reply), None) => (&mut links.ours, reply, &request.bodies.ours),
            (None, Some(reply)) => (&mut links.original, reply, &request.bodies.original),
            _ => return Ok(()),
        };
        let file = if request.command == StorageCommand::SyncCreate.code() {
            let len = usize::from(body.get(7).copied().unwrap_or_default());
            let name = body.get(36..36 + len).unwrap_or_default();
            Body::new().group(GROUP).raw(name).done()
        } else {
            reply.to_vec()
        };
        let delete = Request::new(Peer::Storage, StorageCommand::DeleteFile.code(), "", Pair::same(file));
        link.send(&delete.bytes().ours, false)?;
        let deleted = link.receive().is_ok();
        link.close();
        let (ours, original) = (replies.ours.is_ok() && deleted, replies.original.is_ok() && deleted);
        self.tally.undone(&delete, &Pair::new(ours, original));
        Ok(())
    }
}

/// The counters in a reply to 92: of each kind, how many were tried and how many succeeded.
fn counts(replies: &Pair<Reply>) -> Option<Pair<Vec<u64>>> {
    let read = |reply: &Reply| -> Option<Vec<u64>> {
        let bytes = reply.body()?.get(layout::COUNTERS_AT..)?;
        let number = |chunk: &[u8]| chunk.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Some(bytes.chunks_exact(8).take(2 * layout::COUNTED.len()).map(number).collect())
    };
    Some(Pair::new(read(&replies.ours)?, read(&replies.original)?))
}

/// The storage that a tracker has for uploads.
fn storage_of(tracker: SocketAddr) -> Result<SocketAddr> {
    let mut link = Link::new(tracker, None);
    let ask = Request::tracker(TrackerCommand::QueryStoreGroupOne, "", Body::new().group(GROUP).done());
    link.send(&ask.bytes().ours, false)?;
    let reply = link.receive();
    let body = reply.body().with_context(|| format!("{tracker} has no storage of group1: {reply:?}"))?;
    ensure!(body.len() == 40, "{tracker} answers with addresses of another width");
    let text = body[16..31].split(|byte| *byte == 0).next().unwrap_or_default();
    let ip: IpAddr = std::str::from_utf8(text)?.parse()?;
    let port = body[31..39].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    Ok(SocketAddr::new(ip, u16::try_from(port)?))
}
