//! Every planted bug is found: an invariant that finds none proves nothing.

use std::thread;

use sim::{Fault, play};

/// Seeds within which each is found.
const SEEDS: u64 = 2_000;

fn is_found(fault: Fault) -> bool {
    (0..SEEDS).any(|seed| play(seed, Some(fault), false).failure.is_some())
}

#[test]
fn every_planted_bug_is_found() {
    let missed_of = |first: usize| {
        Fault::ALL.into_iter().skip(first).step_by(2).filter(|fault| !is_found(*fault)).collect::<Vec<_>>()
    };
    let missed = thread::scope(|scope| {
        let other = scope.spawn(|| missed_of(1));
        let mut missed = missed_of(0);
        missed.extend(other.join().unwrap_or(Fault::ALL.to_vec()));
        missed
    });
    assert!(missed.is_empty(), "{missed:?} found by none of {SEEDS} seeds");
}

#[test]
fn a_failure_says_how_to_play_it_again() {
    let found =
        (0..SEEDS).map(|seed| play(seed, Some(Fault::TwoLeaders), false)).find(|it| it.failure.is_some());
    let found = found.map(|outcome| (outcome.seed, outcome.report()));
    let (seed, report) = found.unwrap_or_default();
    assert!(
        report.ends_with(&format!("replay: cargo xtask sim --seed {seed} --fault TwoLeaders")),
        "{report}"
    );
    assert!(report.contains("one_leader: "), "{report}");
}
