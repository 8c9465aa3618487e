//! The task of one link: does what its machine says, and brings back what came of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fdfs_conf::ServerAddr;
use fdfs_proto::{Host, Status};
use storage_core::membership::TrackerIndex;
use storage_core::time::Mono;
use storage_core::tracker_link::{Action, Event, Failure, TrackerLink};
use tokio::sync::watch;
use tokio::time::sleep;

use super::wire::{self, Wire};
use super::{Shared, report};

/// An [`Event`] that owns its bytes.
enum Happened {
    Wake,
    Look,
    Connected(IpAddr),
    Failed(Failure),
    Replied(Status, Vec<u8>),
}

impl Happened {
    fn event(&self) -> Event<'_> {
        match self {
            Self::Wake => Event::Wake,
            Self::Look => Event::Look,
            Self::Connected(ip) => Event::Connected(*ip),
            Self::Failed(failure) => Event::Failed(*failure),
            Self::Replied(status, body) => Event::Replied { status: *status, body },
        }
    }
}

impl From<Failure> for Happened {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(super) struct Task {
    shared: Arc<Shared>,
    changed: watch::Receiver<u64>,
    /// Somebody wants to know how the cluster is now.
    look: watch::Receiver<()>,
    link: TrackerLink,
    index: TrackerIndex,
    tracker: ServerAddr,
    settings: wire::Settings,
    wire: Option<Wire>,
}

impl Task {
    pub(super) fn new(
        shared: Arc<Shared>,
        look: watch::Receiver<()>,
        link: TrackerLink,
        index: u8,
        tracker: ServerAddr,
        settings: wire::Settings,
    ) -> Self {
        let changed = shared.changed.subscribe();
        Self { shared, changed, look, link, index: TrackerIndex(index), tracker, settings, wire: None }
    }

    /// Until it is dropped, which is how it is stopped.
    pub(super) async fn run(mut self) {
        let mut happened = Happened::Wake;
        loop {
            // Seen before the step: what changes during or after it wakes the link once more.
            self.changed.borrow_and_update();
            let actions = self.shared.step(&mut self.link, happened.event());
            let mut outcome = None;
            for action in actions {
                match action {
                    Action::Persist => self.shared.persist().await,
                    Action::Report(notice) => report::notice(&self.tracker, &notice),
                    Action::Disconnect => self.wire = None,
                    Action::Connect => outcome = Some(self.connect().await),
                    Action::Send { command, body } => {
                        outcome = Some(match &mut self.wire {
                            Some(wire) => match wire.ask(command, &body, &self.settings).await {
                                Ok((status, body)) => Happened::Replied(status, body),
                                Err(failure) => failure.into(),
                            },
                            None => Failure::Closed.into(),
                        });
                    }
                }
            }
            happened = match outcome {
                Some(outcome) => outcome,
                None => self.rest().await,
            };
        }
    }

    async fn connect(&mut self) -> Happened {
        let found = match wire::resolve(&self.tracker, &self.settings).await {
            Ok(found) => found,
            Err(failure) => return failure.into(),
        };
        self.know_as(found.host);
        match Wire::connect(&found.addresses, &self.settings).await {
            Ok((wire, ip)) => {
                if !found.host.ips().any(|known| known == ip) {
                    self.know_as(Host::new(ip, found.host.port));
                }
                self.wire = Some(wire);
                Happened::Connected(ip)
            }
            Err(failure) => failure.into(),
        }
    }

    fn know_as(&self, host: Host) {
        self.shared.change(|membership| membership.tracker_found(self.index, host));
    }

    /// Waits for the next deadline, for another link, or for the tracker to hang up.
    async fn rest(&mut self) -> Happened {
        let deadline = self.link.deadline().map(|deadline| until(self.shared.now(), deadline));
        let sleep = async {
            match deadline {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let ended = async {
            match &self.wire {
                Some(wire) => wire.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => Happened::Wake,
            // The sender lives as long as this task.
            _ = self.changed.changed() => Happened::Wake,
            // So does the server's.
            _ = self.look.changed() => Happened::Look,
            failure = ended => failure.into(),
        }
    }
}

/// The pause until `deadline`; a little longer than needed, so that the millisecond has really passed.
fn until(now: Mono, deadline: Mono) -> Duration {
    Duration::from_millis(deadline.0.saturating_sub(now.0).saturating_add(1))
}
