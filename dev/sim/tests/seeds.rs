//! A thousand worlds keep their promises, and the same seed is the same world.

use std::thread;

use sim::{Outcome, play};

const SEEDS: u64 = 1_200;

/// Seeds are played on two threads.
fn play_all(seeds: u64) -> Vec<Outcome> {
    let half = |first: u64| (first..seeds).step_by(2).map(|seed| play(seed, None, false)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut all = half(0);
        all.extend(other.join().unwrap_or_default());
        all
    })
}

#[test]
fn a_thousand_clusters_keep_their_promises_whatever_fails() {
    let outcomes = play_all(SEEDS);
    assert_eq!(outcomes.len() as u64, SEEDS);
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
    let seeds: Vec<u64> = failed.iter().map(|outcome| outcome.seed).collect();
    assert!(failed.is_empty(), "{}\n\nall that failed: {seeds:?}", failed[0].report());
    // Worlds in which nothing happens would prove nothing.
    let sum = |what: fn(&Outcome) -> u64| outcomes.iter().map(what).sum::<u64>();
    let (uploads, changes, deletions) = (sum(|it| it.uploads), sum(|it| it.changes), sum(|it| it.deletions));
    let (rebuilt, retired) = (sum(|it| it.rebuilt), sum(|it| it.retired));
    assert!(uploads > 20 * SEEDS && deletions > 8 * SEEDS, "{uploads} uploads, {deletions} deletions");
    assert!(changes > 4 * SEEDS, "{changes} changes");
    assert!(sum(|it| it.slots) > 20 * SEEDS, "{} slots", sum(|it| it.slots));
    assert!(rebuilt > SEEDS / 10 && retired > SEEDS / 50, "{rebuilt} rebuilt, {retired} retired");
}

#[test]
fn a_seed_plays_the_same_world_each_time() {
    for seed in [3, 14, 159] {
        let (first, again) = (play(seed, None, true), play(seed, None, true));
        assert!(first.trace.len() > 100, "seed {seed}");
        assert_eq!(first.trace, again.trace, "seed {seed}");
    }
}
