//! What is printed in the end, and whether it is good.

use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::{Course, Figures};
use crate::killer::Killed;
use crate::site::DIFFERENCES;
use crate::tally::{NOBODY, Seen};
use crate::verify::Verdict;

/// Reasons that are told of each kind of request.
const REASONS_TOLD: usize = 4;
/// Members that Prometheus has to see.
const MEMBERS: u64 = 8;

/// Everything that is known in the end.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) seed: u64,
    /// How long there was load.
    pub(crate) whole: Duration,
    pub(crate) seen: Seen,
    pub(crate) killed: Killed,
    pub(crate) figures: Figures,
    pub(crate) verdict: Verdict,
}

impl Report {
    /// What is not as it has to be; nothing when all is well.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let Report { seen, verdict, .. } = self;
        if seen.wrong_count > 0 {
            faults.push(format!("{} acknowledged things are lost or wrong", seen.wrong_count));
        }
        for (name, said) in &verdict.fsck {
            if let Some(said) = said {
                faults.push(format!("fsck of {name}: {said}"));
            }
        }
        faults.extend(
            verdict.differences.iter().map(|difference| format!("the drive's checker: {difference}")),
        );
        if verdict.queue_set_aside > 0 {
            faults.push(format!("the queue has set {} entries aside", verdict.queue_set_aside));
        }
        let given_up = self.figures.given_up();
        if given_up > 0 {
            faults.push(format!("replication has given {given_up} changes up"));
        }
        if verdict.scraped < MEMBERS {
            faults.push(format!("Prometheus sees {} of {MEMBERS} members", verdict.scraped));
        }
        for (name, memory, descriptors, _) in self.figures.courses(self.whole) {
            if memory.flat == Some(false) {
                faults.push(format!("the memory of {name} grows"));
            }
            if descriptors.flat == Some(false) {
                faults.push(format!("the descriptors of {name} grow"));
            }
        }
        faults
    }

    /// The report.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Report { seen, killed, verdict, figures, .. } = self;
        let (answered, failed) =
            seen.rows.values().fold((0, 0), |sum, row| (sum.0 + row.answered, sum.1 + row.failed));
        let kills: u64 = killed.by_name.values().map(|(count, _)| count).sum();
        writeln!(
            text,
            "{}. {:.0} minutes, seed {}. From the files in `deploy/` but for: {DIFFERENCES}.\n",
            self.machine,
            self.whole.as_secs_f64() / 60.0,
            self.seed,
        )?;
        writeln!(text, "| | |\n|---|---|")?;
        let seconds = self.whole.as_secs_f64().max(1.0);
        let all = answered + failed;
        writeln!(text, "| requests | {all}, {:.0} a second |", all as f64 / seconds)?;
        let share = failed as f64 * 100.0 / (all as f64).max(1.0);
        writeln!(text, "| failures that users saw | {failed} ({share:.2} %) |")?;
        let well = seen.by_away.get(NOBODY).map_or(0, |(_, failed)| *failed);
        writeln!(text, "| of those while every member served | {well} |")?;
        writeln!(text, "| acknowledged and lost, or something else | {} |", seen.wrong_count)?;
        writeln!(
            text,
            "| reads of what was changed in place that were older than the change | {} |",
            seen.stale
        )?;
        writeln!(text, "| members killed | {kills} |")?;
        writeln!(
            text,
            "| a member of a group was behind the other by at most | {:.0} bytes of binlog; {:.0} while all served, the oldest change \
             waiting {:.0} s |",
            figures.lag_bytes_max, figures.lag_bytes_max_when_well, figures.lag_seconds_max,
        )?;
        writeln!(text, "| most entries waiting in the queue | {:.0} |", figures.waiting_max)?;
        writeln!(text, "| nothing under way any more after | {:.0} s |", verdict.drained.as_secs_f64())?;
        writeln!(
            text,
            "| compared in the end, on one member of each group and on the other | {} |",
            verdict.compared
        )?;
        let clean = verdict.fsck.iter().filter(|(_, said)| said.is_none()).count();
        writeln!(text, "| `cairn fsck` | {clean} of {} storages clean |", verdict.fsck.len())?;
        let checker =
            if verdict.differences.is_empty() { "clean".to_owned() } else { verdict.differences.join("; ") };
        writeln!(text, "| the drive's checker: references, quotas, folders, trash | {checker} |")?;
        writeln!(
            text,
            "| set aside by the queue, by replication | {}, {} |",
            verdict.queue_set_aside,
            figures.given_up()
        )?;
        let alerts: Vec<_> =
            verdict.alerts.iter().map(|(name, times)| format!("{name} of {times}")).collect();
        let alerts = if alerts.is_empty() { "none".to_owned() } else { alerts.join(", ") };
        writeln!(text, "| Prometheus: members up, alerts in the end | {}, {alerts} |", verdict.scraped)?;
        writeln!(text, "| on disk in the end | {:.1} GB |", verdict.disk as f64 / 1e9)?;
        self.write_requests(text)?;
        self.write_kills(text)?;
        self.write_courses(text)?;
        for wrong in &seen.wrong {
            writeln!(text, "\nWrong: {wrong}")?;
        }
        match self.faults() {
            faults if faults.is_empty() => writeln!(text, "\nEverything is as it has to be."),
            faults => writeln!(text, "\nNot as it has to be:\n\n- {}", faults.join("\n- ")),
        }
    }

    fn write_requests(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n| request | answered | failed | longest, s | why |\n|---|--:|--:|--:|---|")?;
        for (kind, row) in &self.seen.rows {
            let mut reasons: Vec<_> = row.reasons.iter().collect();
            reasons.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
            let told: Vec<String> = reasons
                .iter()
                .take(REASONS_TOLD)
                .map(|(reason, count)| format!("{reason}: {count}"))
                .collect();
            writeln!(
                text,
                "| {kind} | {} | {} | {:.1} | {} |",
                row.answered,
                row.failed,
                row.longest.as_secs_f64(),
                told.join("; ")
            )?;
        }
        Ok(())
    }

    fn write_kills(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n| while this was away or coming back | answered | failed |\n|---|--:|--:|")?;
        for (kind, (answered, failed)) in &self.seen.by_away {
            writeln!(text, "| {kind} | {answered} | {failed} |")?;
        }
        writeln!(text, "\n| killed | times | longest until all served again, s |\n|---|--:|--:|")?;
        for (name, (times, longest)) in &self.killed.by_name {
            writeln!(text, "| {name} | {times} | {:.1} |", longest.as_secs_f64())?;
        }
        Ok(())
    }

    fn write_courses(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\nResident memory in MB and open descriptors, looked at every ten seconds across all lives of a member; *flat*: the \
             median of the last quarter of the time is at most a fourth and a little (16 MiB, 32) above that of the second; in less than 20 minutes that is not \
             told.\n\n\
             | member | lives | memory: first | median | last | most | second and last quarter | descriptors: first | median | \
             last | most | flat |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
        )?;
        let mb = |bytes: u64| format!("{:.0}", bytes as f64 / 1e6);
        for (name, memory, descriptors, lives) in self.figures.courses(self.whole) {
            let Course { first, median, last, most, quarters, .. } = memory;
            let quarters = quarters.map(|(second, last)| format!("{}, {}", mb(second), mb(last)));
            let flat = match (memory.flat, descriptors.flat) {
                (Some(true), Some(true)) => "yes",
                (None, _) | (_, None) => "too short",
                _ => "**no**",
            };
            writeln!(
                text,
                "| {name} | {lives} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {flat} |",
                mb(first),
                mb(median),
                mb(last),
                mb(most),
                quarters.unwrap_or_default(),
                descriptors.first,
                descriptors.median,
                descriptors.last,
                descriptors.most,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Sample;
    use crate::tally::Row;

    fn good() -> Report {
        let mut seen = Seen::default();
        let reasons = [("503 database-away".to_owned(), 2), ("no answer".to_owned(), 1)].into();
        let row = Row { answered: 97, failed: 3, longest: Duration::from_millis(1500), reasons };
        seen.rows.insert("upload", row);
        seen.by_away.insert(NOBODY, (90, 0));
        seen.by_away.insert("MariaDB", (7, 3));
        let mut killed = Killed::default();
        killed.by_name.insert("MariaDB", (1, Duration::from_secs(6)));
        let mut figures = Figures::default();
        let sample = |at: u64| Sample {
            at: Duration::from_secs(at * 60),
            pid: 7,
            memory: 50_000_000,
            descriptors: 40,
        };
        figures.samples.insert("drive1".to_owned(), (0..=20).map(sample).collect());
        let verdict =
            Verdict { scraped: 8, fsck: vec![("group1-storage1".to_owned(), None)], ..Verdict::default() };
        let whole = Duration::from_secs(20 * 60);
        Report { machine: "2 cores".to_owned(), seed: 1, whole, seen, killed, figures, verdict }
    }

    #[test]
    fn failures_that_users_saw_are_told_and_are_no_fault() {
        let report = good();
        assert_eq!(report.faults(), Vec::<String>::new());
        let text = report.text();
        for line in [
            "| requests | 100, 0 a second |",
            "| failures that users saw | 3 (3.00 %) |",
            "| of those while every member served | 0 |",
            "| acknowledged and lost, or something else | 0 |",
            "| upload | 97 | 3 | 1.5 | 503 database-away: 2; no answer: 1 |",
            "| MariaDB | 7 | 3 |",
            "| MariaDB | 1 | 6.0 |",
            "| drive1 | 1 | 50 | 50 | 50 | 50 | 50, 50 | 40 | 40 | 40 | 40 | yes |",
            "Everything is as it has to be.",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn whatever_is_lost_unclean_set_aside_or_growing_is_a_fault() {
        type Change = fn(&mut Report);
        let changes: [(&str, Change); 7] = [
            ("lost", |report| report.seen.wrong_count = 1),
            ("fsck of group1-storage1: bad", |report| {
                report.verdict.fsck = vec![("group1-storage1".to_owned(), Some("bad".to_owned()))];
            }),
            ("checker", |report| report.verdict.differences.push("references".to_owned())),
            ("the queue", |report| report.verdict.queue_set_aside = 1),
            ("replication", |report| report.figures.given_up = [(7, 1)].into()),
            ("Prometheus", |report| report.verdict.scraped = 7),
            ("the descriptors of drive1 grow", |report| {
                for sample in report.figures.samples.values_mut().flatten() {
                    sample.descriptors = 10 * sample.at.as_secs();
                }
            }),
        ];
        for (words, change) in changes {
            let mut report = good();
            change(&mut report);
            let faults = report.faults();
            assert!(faults.len() == 1 && faults[0].contains(words), "{words}: {faults:?}");
            assert!(report.text().contains("Not as it has to be:"), "{words}");
        }
    }
}
