//! What the numbers were measured on.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Cores, memory, kernel: without them a rate says nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    memory_mib: u64,
    kernel: String,
}

impl Machine {
    pub(crate) fn here() -> Machine {
        let uname = rustix::system::uname();
        let kernel = format!(
            "{} {} {}",
            uname.sysname().to_string_lossy(),
            uname.release().to_string_lossy(),
            uname.machine().to_string_lossy()
        );
        let memory_mib = field("/proc/meminfo", "MemTotal")
            .and_then(|value| value.trim_end_matches("kB").trim().parse::<u64>().ok())
            .map_or(0, |kib| kib / 1024);
        Machine {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned()),
            memory_mib,
            kernel,
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Machine { cores, cpu, memory_mib, kernel } = self;
        write!(f, "{cores} cores ({cpu}), {memory_mib} MiB, {kernel}")
    }
}

/// First value of a `key : value` file.
fn field(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Processor time this process has used so far.
pub(crate) fn own_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Processor time that a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    user: Duration,
    system: Duration,
}

impl Used {
    pub(crate) fn since(&self, before: &Used) -> Used {
        Used {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.user + self.system
    }
}

/// Processor time that another process has used so far; none once it has ended.
pub(crate) fn used_by(pid: u32) -> Option<Used> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = rustix::param::clock_ticks_per_second();
    let mut time = || Some(Duration::from_millis(fields.next()?.parse::<u64>().ok()? * 1000 / ticks));
    Some(Used { user: time()?, system: time()? })
}

/// Writes back everything dirty, so that no phase pays for the one before it.
pub(crate) fn settle() {
    rustix::fs::sync();
}
