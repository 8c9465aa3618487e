//! What every process tells, and what is told of every node.

use std::fs;
use std::time::Duration;

use crate::metric::Metric;
use crate::node::Node;
use crate::samples::Samples;

crate::metrics! {
    /// What every process tells of itself. Names without `cairn_` are those that everything that reads metrics knows.
    pub table EVERY_PROCESS;
    BUILD = Metric::info("cairn_build").labels(&["version"]).doc("The version of the program.");
    CPU = Metric::counter("process_cpu").seconds().doc("Processor time, in the program and in the system for it.");
    RESIDENT = Metric::gauge("process_resident_memory").bytes().doc("Memory in use.");
    VIRTUAL = Metric::gauge("process_virtual_memory").bytes().doc("Address space, used or not.");
    OPEN_FDS = Metric::gauge("process_open_fds").doc("Open descriptors: files and connections.");
    MAX_FDS = Metric::gauge("process_max_fds").doc("Descriptors that may be open.");
    THREADS = Metric::gauge("process_threads").doc("Threads.");
    STARTED = Metric::gauge("process_start_time").seconds().doc("When the process started, Unix seconds.");
}

crate::metrics! {
    /// What is told of every node.
    pub table NODE_STATES;
    READY = Metric::gauge("cairn_ready").labels(&["role"]).doc("1 when the server can do its work, as /readyz says it.");
    UNREADY = Metric::gauge("cairn_unready").labels(&["role", "reason"]).doc("1 for each reason why a server can't do its work; see the reasons below.");
}

/// Fields of `/proc/self/stat`, counted from the state, which stands behind the name in brackets.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const THREAD_COUNT: usize = 17;
const START_TICKS: usize = 19;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

/// Tells what the system knows of this process. What it does not say is left out.
pub(crate) fn sample(out: &mut Samples) {
    out.info(&BUILD, &[env!("CARGO_PKG_VERSION")]);
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    if let Ok(text) = fs::read_to_string("/proc/self/stat") {
        let fields: Vec<u64> = stat_fields(&text);
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let seconds = |ticks: u64| ticks as f64 / ticks_per_second as f64;
        out.real(&CPU, &[], seconds(field(USER_TICKS) + field(SYSTEM_TICKS)));
        out.int(&RESIDENT, &[], field(RESIDENT_PAGES) * rustix::param::page_size() as u64);
        out.int(&VIRTUAL, &[], field(VIRTUAL_BYTES));
        out.int(&THREADS, &[], field(THREAD_COUNT));
        if let Some(boot) = boot_time() {
            out.real(&STARTED, &[], boot.as_secs_f64() + seconds(field(START_TICKS)));
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder itself.
        out.int(&OPEN_FDS, &[], open.count().saturating_sub(1) as u64);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(limit) = limit.current {
        out.int(&MAX_FDS, &[], limit);
    }
}

/// The numbers behind the name, which may hold blanks and brackets; what is no number is 0.
fn stat_fields(text: &str) -> Vec<u64> {
    let behind = text.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.split_ascii_whitespace().map(|field| field.parse().unwrap_or_default()).collect()
}

/// When the system started, after 1970.
fn boot_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok().map(Duration::from_secs)
}

/// Tells whether a node is ready, and why not.
pub(crate) fn sample_node(node: &dyn Node, out: &mut Samples) {
    let reasons = node.unready();
    out.is(&READY, &[node.role()], reasons.is_empty());
    for ground in node.grounds() {
        let said = reasons.iter().any(|reason| reason.ground.code == ground.code);
        out.is(&UNREADY, &[node.role(), ground.code], said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_numbers() {
        let fields = stat_fields("7 (a) (b c) S 1 2 3 -4 5");
        assert_eq!(fields, [0, 1, 2, 3, 0, 5]);
    }

    #[test]
    fn this_process_has_started_and_uses_memory() {
        let text = fs::read_to_string("/proc/self/stat").unwrap();
        let fields = stat_fields(&text);
        assert!(fields[RESIDENT_PAGES] > 0 && fields[THREAD_COUNT] > 0 && fields[START_TICKS] > 0, "{text}");
        assert!(fields[VIRTUAL_BYTES] > fields[RESIDENT_PAGES] * rustix::param::page_size() as u64);
        assert!(boot_time().unwrap() > Duration::from_secs(1_000_000_000));
    }
}
