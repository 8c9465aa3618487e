//! Signals, turned into one wish to stop and one wish for fresh log files.
//!
//! INT, TERM and QUIT ask for an orderly stop; HUP for a rotation; USR1 and USR2 do nothing, where the
//! kernel's default would end the process (the original ignores them too). PIPE is ignored by the Rust
//! runtime already.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit status of a process ended by a second Ctrl-C.
const EXIT_INTERRUPTED: i32 = 130;

/// The signals a server listens to. Install it once, early: from then on nothing of the above ends the
/// process by itself.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    hangup: Signal,
    _ignored: [Signal; 2],
}

/// A wish that came by signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Stop in order.
    Stop,
    /// Begin new log files.
    Rotate,
}

impl Signals {
    /// Starts listening. Needs a tokio runtime with I/O.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            _ignored: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
        })
    }

    /// The next wish.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.quit.recv() => Wish::Stop,
            _ = self.hangup.recv() => Wish::Rotate,
        }
    }

    /// Waits for the wish to stop, calling `rotate` for every HUP on the way.
    ///
    /// Afterwards the signals stay caught: TERM may come again (`stop` sends it every second) and
    /// changes nothing, a second Ctrl-C ends the process at once.
    pub async fn stop_wished(mut self, rotate: impl Fn()) {
        while self.next().await == Wish::Rotate {
            rotate();
        }
        let mut interrupt = self.interrupt;
        tokio::spawn(async move {
            interrupt.recv().await;
            std::process::exit(EXIT_INTERRUPTED);
        });
    }
}
