//! Starting and stopping a drive as a server.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use drive_core::Problem;
use fastcgi::Doors;
use net::{DEEP_STACK_LEN, Listener, Stop, StopSource, Workers};
use status::{Node, Pulse};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::app::{Drive, Parts};
use crate::metrics::Status;
use crate::router::router;
use crate::run::{FastCgi, Limits, serve, serve_fastcgi};
use crate::work::work;

/// How long tasks may take to end once all connections are closed.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// How long what the drive does by itself may take to end when it stops. Whatever is cut off then, as by a crash, is done
/// again later; who manages services kills one that takes a minute.
const WORK_WAIT: Duration = Duration::from_secs(20);

/// Where a drive listens.
#[derive(Debug, Clone)]
pub struct Listen {
    /// For HTTP.
    pub http: Vec<SocketAddr>,
    /// For FastCGI.
    pub fastcgi: Vec<SocketAddr>,
    /// The web servers that FastCGI is for ([`FastCgi::web_servers`]).
    pub web_servers: Vec<IpAddr>,
    /// What bounds connections.
    pub limits: Limits,
}

/// Why a drive did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// One of its parts is not to be had.
    #[error(transparent)]
    Parts(Box<dyn Error + Send + Sync>),
    /// It can't be put together.
    #[error("the drive can't be set up: {0}")]
    Drive(#[from] Problem),
    /// Threads can't be started.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

/// A drive that runs on its own threads.
pub struct Running {
    addresses: Vec<SocketAddr>,
    node: Arc<dyn Node>,
    made_administrator: bool,
    stop: StopSource,
    thread: thread::JoinHandle<()>,
}

impl Running {
    /// What it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Itself, for who asks how it is. To be let go of before [`Running::stop`].
    pub fn node(&self) -> Arc<dyn Node> {
        Arc::clone(&self.node)
    }

    /// Whether this start has made the first administrator.
    pub fn made_administrator(&self) -> bool {
        self.made_administrator
    }

    /// Whether it has ended although nobody stopped it.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops: no new connections, answers and background work under way are finished. Blocks.
    pub fn stop(self) {
        self.stop.stop();
        if self.thread.join().is_err() {
            tracing::error!("a thread of the drive had panicked");
        }
    }
}

/// Listens, puts the drive together of what `parts` makes, and serves on threads of its own until [`Running::stop`].
/// The password of a first administrator comes from `first`, which is asked only if there is none yet.
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub fn start<F>(
    listen: &Listen,
    first: impl FnOnce() -> Result<String, Box<dyn Error + Send + Sync>>,
    parts: impl FnOnce() -> F,
) -> Result<Running, StartError>
where
    F: Future<Output = Result<Parts, Box<dyn Error + Send + Sync>>>,
{
    let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    let listeners = |addresses: &[SocketAddr]| {
        let _inside = runtime.enter();
        let bind = |&address| Listener::bind(address).map_err(|error| StartError::Listen { address, error });
        addresses.iter().map(bind).collect::<Result<Vec<_>, _>>()
    };
    let (ports, fastcgi) = (listeners(&listen.http)?, listeners(&listen.fastcgi)?);
    let (drive, made_administrator) = runtime.block_on(async {
        let drive = Drive::new(parts().await.map_err(StartError::Parts)?).await?;
        let made = drive.first_start(|| first().map_err(StartError::Parts)).await?;
        Ok::<_, StartError>((drive, made))
    })?;
    let addresses: Vec<_> = ports.iter().chain(&fastcgi).map(Listener::addr).collect();
    let (stop, stopping) = StopSource::new();
    let workers = Arc::new(Workers::start_with("drive-net", DEEP_STACK_LEN).map_err(StartError::Threads)?);
    // A router that can't be made is found before anything runs.
    let (router, limits) = (router(Arc::clone(&drive))?, listen.limits);
    let doors = Doors { ports: fastcgi, local: Vec::new() };
    let front = FastCgi { doors, web_servers: listen.web_servers.clone() };
    let (http_counters, fastcgi_counters) =
        (Arc::clone(&drive.counts.http), Arc::clone(&drive.counts.fastcgi));
    let behind = serve_fastcgi(
        router.clone(),
        Arc::clone(&workers),
        front,
        limits,
        fastcgi_counters,
        stopping.clone(),
    );
    let http = serve(router, workers, ports, limits, http_counters, stopping.clone());
    let served = async {
        tokio::join!(http, behind);
    };
    tracing::info!(?addresses, queue = drive.queue.is_some(), "drive started");
    let pulse = Arc::new(Pulse::default());
    let node = Arc::new(Status { drive: Arc::clone(&drive), pulse: Arc::clone(&pulse) });
    let beating = stopping.clone();
    runtime.spawn(async move { pulse.keep(beating).await });
    let run = move || run(runtime, served, drive, stopping);
    let thread = thread::Builder::new().name("drive".into()).spawn(run).map_err(StartError::Threads)?;
    Ok(Running { addresses, node, made_administrator, stop, thread })
}

fn run(runtime: Runtime, served: impl Future<Output = ()>, drive: Arc<Drive>, stopping: Stop) {
    let worked = in_time(work(drive, stopping.clone()), stopping);
    runtime.block_on(async { tokio::join!(served, worked) });
    runtime.shutdown_timeout(STOP_WAIT);
    tracing::info!("drive stopped");
}

/// Waits for background work: after `stop` not for long.
async fn in_time(work: impl Future<Output = ()>, mut stop: Stop) {
    let late = async {
        stop.wait().await;
        sleep(WORK_WAIT).await;
    };
    tokio::select! {
        biased;
        () = work => {}
        () = late => tracing::warn!("background work did not end in time and is cut off"),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_end_holds_up_a_stop_for_a_bounded_time() {
        let (source, stop) = StopSource::new();
        let waiting = in_time(pending(), stop);
        tokio::pin!(waiting);
        timeout(WORK_WAIT * 100, waiting.as_mut()).await.expect_err("it ended although nobody stopped it");
        source.stop();
        let stopped = Instant::now();
        waiting.await;
        assert_eq!(stopped.elapsed(), WORK_WAIT);
    }
}
