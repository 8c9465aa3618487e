//! Steps of a run: each is announced, timed, and remembered for the closing summary.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::in_words;

/// How many tests ran, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// What ran so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    time: Duration,
    counts: Counts,
    error: Option<String>,
    /// Space left on the disk of temporary files when it was over, MiB: many a failure has no other sign of its cause.
    free_mib: Option<u64>,
}

/// Space left on the disk of temporary files, MiB; `None` when the system does not say.
fn free_mib() -> Option<u64> {
    let disk = rustix::fs::statvfs(std::env::temp_dir()).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

impl Steps {
    /// Runs one step; a failure is told at once, and the next steps run all the same, so that one run shows all
    /// that is wrong. True when it passed.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) -> bool {
        say(&format!("\n── {name}"));
        let start = Instant::now();
        let (counts, error) = match work() {
            Ok(counts) if counts.failed == 0 => (counts, None),
            Ok(counts) => (counts, Some(format!("{} failed", counts.failed))),
            Err(error) => (Counts::default(), Some(format!("{error:#}"))),
        };
        if let Some(error) = &error {
            say(error);
        }
        let passed = error.is_none();
        let (name, time, free_mib) = (name.to_owned(), start.elapsed(), free_mib());
        self.done.push(Step { name, time, counts, error, free_mib });
        passed
    }

    /// Runs a step that counts nothing.
    pub(crate) fn plain(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        self.step(name, || work().map(|()| Counts::default()))
    }

    /// Shows all steps again in short, and fails if one failed.
    pub(crate) fn finish(self) -> Result<()> {
        say("");
        let mut total = Counts::default();
        for Step { name, time, counts, error, free_mib } in &self.done {
            total.passed += counts.passed;
            total.failed += counts.failed;
            let tests = match counts {
                Counts { passed: 0, failed: 0 } => String::new(),
                Counts { passed, failed } => format!("  {passed} passed, {failed} failed"),
            };
            let mark = if error.is_none() { "ok    " } else { "FAILED" };
            let free = free_mib.map_or_else(String::new, |free| format!(" {free:>8} MiB free"));
            say(&format!("{mark} {:>7.1} s{free}  {name}{tests}", time.as_secs_f64()));
        }
        let failed: Vec<&str> =
            self.done.iter().filter(|step| step.error.is_some()).map(|step| step.name.as_str()).collect();
        if total != Counts::default() {
            say(&format!("\n{} passed, {} failed", total.passed, total.failed));
        }
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

/// Runs a test runner, passes its output on, and reads the counts from it.
///
/// # Errors
/// When it cannot be run, or fails without having counted a failed test (it did not compile, say).
pub(crate) fn run_tests(command: &mut Command) -> Result<Counts> {
    let words = in_words(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("run {words}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let counts = std::thread::scope(|scope| {
        let out = scope.spawn(|| pass_on(out));
        let err = scope.spawn(|| pass_on(err));
        [out, err].into_iter().filter_map(|thread| thread.join().ok()).fold(Counts::default(), Counts::plus)
    });
    let status = child.wait().with_context(|| format!("wait for {words}"))?;
    if !status.success() && counts.failed == 0 {
        bail!("`{words}` ended with {status}");
    }
    Ok(counts)
}

fn pass_on(stream: Option<impl Read>) -> Counts {
    let Some(stream) = stream else { return Counts::default() };
    let mut counts = Counts::default();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // Bytes, not text: a test may print anything.
    while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
        let _ = std::io::stdout().write_all(&line);
        counts = counts.plus(counts_in(&String::from_utf8_lossy(&line)).unwrap_or_default());
        line.clear();
    }
    counts
}

impl Counts {
    fn plus(self, other: Counts) -> Counts {
        Counts { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// Counts in the closing line of nextest or of `cargo test`.
fn counts_in(line: &str) -> Option<Counts> {
    // What a test has printed is shown by nextest farther to the right: that of a test program in it was counted already.
    let numbers = match line.strip_prefix("test result:") {
        Some(rest) => rest,
        None => {
            line.trim().strip_prefix("Summary")?.split_once("tests run:").or(line.split_once("test run:"))?.1
        }
    };
    let count = |word: &str| {
        let part = numbers.split([',', ';', '.']).find(|part| part.trim_end().contains(word))?;
        part.split_whitespace().find_map(|token| token.trim_start_matches('(').parse::<u64>().ok())
    };
    Some(Counts {
        passed: count("passed")?,
        failed: count("failed").unwrap_or(0) + count("timed out").unwrap_or(0),
    })
}

/// One line to standard output, in order with what the programs we run print.
pub(crate) fn say(line: &str) {
    // Nobody to tell when standard output is gone.
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_nextest() {
        let line =
            "     Summary [   4.212s] 36 tests run: 34 passed (1 slow), 1 failed, 1 timed out, 2 skipped\n";
        assert_eq!(counts_in(line), Some(Counts { passed: 34, failed: 2 }));
        let line = "     Summary [   0.012s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(counts_in(line), Some(Counts { passed: 1, failed: 0 }));
    }

    #[test]
    fn counts_are_read_from_cargo_test() {
        let line = "test result: FAILED. 11 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(counts_in(line), Some(Counts { passed: 11, failed: 2 }));
    }

    #[test]
    fn what_a_failed_test_has_printed_is_not_counted_again() {
        let line = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 1 filtered out; finished in 1s";
        assert_eq!(counts_in(line), None);
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(counts_in("3 passed, by the way"), None);
        assert_eq!(counts_in("Summary of the above: none"), None);
    }

    #[test]
    fn a_runner_that_fails_before_any_test_is_an_error() {
        let error = run_tests(Command::new("sh").args(["-c", "echo oops >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("ended with exit status: 3"), "{error}");
    }

    #[test]
    fn failing_steps_do_not_stop_the_next_ones_but_fail_the_run() {
        let mut steps = Steps::default();
        assert!(!steps.plain("first", || bail!("broken")));
        assert!(steps.step("second", || Ok(Counts { passed: 1, failed: 0 })));
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: first");
    }
}
