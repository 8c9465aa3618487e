//! The table people read and the structure programs read.

use std::io::{self, Write};

use serde::Serialize;

use crate::machine::Machine;
use crate::store::Op;
use crate::tally::{Figures, Spread};

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    subjects: Vec<String>,
    rounds: u32,
    seconds: f64,
    pub(crate) cells: Vec<Cell>,
}

/// One operation, size and connection count.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) op: Op,
    size: u64,
    connections: usize,
    /// Per subject, in the order of the subjects: one entry per round.
    pub(crate) rounds: Vec<Vec<Figures>>,
}

impl Cell {
    pub(crate) fn new(op: Op, size: u64, connections: usize, subjects: usize) -> Cell {
        Cell { op, size, connections, rounds: vec![Vec::new(); subjects] }
    }

    /// Is it about files of this size on so many connections?
    pub(crate) fn is(&self, size: u64, connections: usize) -> bool {
        self.size == size && self.connections == connections
    }

    /// Spread of the per-round ratios between two subjects' rates.
    fn ratio(&self, subject: usize, reference: usize) -> Option<Spread> {
        let pairs = self.rounds[subject].iter().zip(&self.rounds[reference]);
        Spread::of(pairs.filter(|(_, r)| r.per_second > 0.0).map(|(s, r)| s.per_second / r.per_second))
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, rounds: u32, seconds: f64, subjects: Vec<String>) -> Report {
        Report { machine, subjects, rounds, seconds, cells: Vec::new() }
    }

    pub(crate) fn write_head(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "machine: {}", self.machine)?;
        writeln!(
            out,
            "{} rounds of {} s; figures are medians over the rounds, max is over all of them;",
            self.rounds, self.seconds
        )?;
        writeln!(out, "cores is what this generator itself used: near 1.0 it is the limit, not the server")?;
        let ratio = self
            .reference()
            .map_or(String::new(), |index| format!("  rate / {} (min–max of rounds)", self.subjects[index]));
        writeln!(
            out,
            "\n{:<9}{:>6}{:>6}  {:<22}{:>9}{:>9}{:>9}{:>9}{:>9}{:>7}{:>8}{ratio}",
            "op",
            "size",
            "conns",
            "server",
            "per s",
            "MiB/s",
            "p50 µs",
            "p99 µs",
            "max µs",
            "cores",
            "errors",
        )?;
        out.flush()
    }

    pub(crate) fn write_cell(&self, out: &mut dyn Write, cell: &Cell) -> io::Result<()> {
        for (index, (name, rounds)) in self.subjects.iter().zip(&cell.rounds).enumerate() {
            let median =
                |value: fn(&Figures) -> f64| Spread::of(rounds.iter().map(value)).map_or(0.0, |s| s.median);
            write!(
                out,
                "{:<9}{:>6}{:>6}  {:<22}{:>9.0}{:>9.1}{:>9.0}{:>9.0}{:>9.0}{:>7.2}{:>8}",
                format!("{:?}", cell.op).to_lowercase(),
                size_text(cell.size),
                cell.connections,
                name,
                median(|figures| figures.per_second),
                median(|figures| figures.mib_per_second),
                median(|figures| figures.p50_us),
                median(|figures| figures.p99_us),
                rounds.iter().map(|figures| figures.max_us).fold(0.0, f64::max),
                median(|figures| figures.client_cores),
                rounds.iter().map(|figures| figures.errors).sum::<u64>(),
            )?;
            let reference = self.reference().filter(|reference| *reference != index);
            match reference.and_then(|reference| cell.ratio(index, reference)) {
                Some(Spread { median, min, max }) => writeln!(out, "  {median:.2} ({min:.2}–{max:.2})")?,
                None => writeln!(out)?,
            }
        }
        out.flush()
    }

    /// With two subjects or more, the last is what the others are compared with.
    fn reference(&self) -> Option<usize> {
        self.subjects.len().checked_sub(1).filter(|last| *last > 0)
    }
}

fn size_text(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{}M", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}K", bytes >> 10),
        _ => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(per_second: f64) -> Figures {
        Figures {
            operations: 10,
            per_second,
            mib_per_second: 1.0,
            p50_us: 10.0,
            p99_us: 20.0,
            max_us: 30.0,
            errors: 0,
            client_cores: 0.5,
        }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let mut cell = Cell::new(Op::Upload, 1024, 16, 2);
        cell.rounds[0] = vec![figures(30.0), figures(20.0), figures(90.0)];
        cell.rounds[1] = vec![figures(10.0), figures(20.0), figures(45.0)];
        assert_eq!(cell.ratio(0, 1), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    }

    #[test]
    fn sizes_are_shown_in_their_largest_whole_unit() {
        assert_eq!(size_text(1024), "1K");
        assert_eq!(size_text(1_048_576), "1M");
        assert_eq!(size_text(1500), "1500");
    }
}
