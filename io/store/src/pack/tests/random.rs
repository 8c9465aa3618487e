//! Chance against a map: whatever is done in whatever order, with starts in between, the packs hold what the map
//! holds.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::dice::Dice;
use super::faults::Faults;
use super::world::{Change, Files, World, apply, delete, folder};
use crate::pack::compact::{choose, neighbours, rewrite};
use crate::pack::disk::Step;

const PACK_LEN: u64 = 1500;
const STEPS: usize = 1200;
const NAMES: usize = 24;

struct Run {
    dice: Dice,
    world: World,
    faults: Faults,
    files: Files,
    step: usize,
}

impl Run {
    fn changes(&mut self) -> Vec<Change> {
        let mut changes = BTreeMap::new();
        for number in 0..1 + self.dice.below(4) {
            let name = format!("00/{:02}", self.dice.below(NAMES));
            let content = format!("{} {number} {}", self.step, "z".repeat(self.dice.below(150))).into_bytes();
            changes.insert(name, self.dice.percent(60).then_some(content));
        }
        changes.into_iter().collect()
    }

    fn batch(&mut self) {
        let changes = self.changes();
        if self.dice.percent(4) {
            let nth = self.dice.below(3);
            self.faults.set(move |count, step| count >= nth && matches!(step, Step::SyncFile(path) | Step::Write(path, ..) if path.extension().is_some_and(|extension| extension == "pack")));
            let result = self.world.batch(&changes);
            // Deleting what is not there needs no disk.
            assert!(
                result.is_err()
                    || !self.faults.clear()
                    || changes
                        .iter()
                        .all(|(name, content)| content.is_none() && !self.files.contains_key(name))
            );
            self.faults.clear();
            if result.is_err() {
                return self.check();
            }
        } else {
            self.world.batch(&changes).unwrap();
        }
        apply(&mut self.files, &changes);
    }

    fn check(&self) {
        let names: Vec<_> = (0..NAMES).map(|number| format!("00/{number:02}")).collect();
        assert_eq!(self.world.files(&names), self.files, "step {}", self.step);
        assert_eq!(self.world.packs.usage().files, self.files.len() as u64, "step {}", self.step);
    }
}

fn reopen(run: &mut Run, root: &std::path::Path) {
    run.world = World::open(root, PACK_LEN, run.faults.disk()).unwrap();
    run.check();
}

fn run(seed: u64) {
    let folder = folder();
    let faults = Faults::default();
    let world = World::open(folder.path(), PACK_LEN, faults.disk()).unwrap();
    let run = RefCell::new(Run { dice: Dice(seed), world, faults, files: Files::new(), step: 0 });
    for step in 0..STEPS {
        run.borrow_mut().step = step;
        let roll = run.borrow_mut().dice.below(100);
        match roll {
            0..60 => run.borrow_mut().batch(),
            60..75 => drop(run.borrow().world.seal_next()),
            // A pack that can't be sealed stays as it is until the next start.
            75 => drop(run.borrow().world.waiting.try_recv()),
            76..92 => rewrite_some(&run),
            92..96 => {
                let packs = run.borrow().world.packs.clone();
                if let Some(group) = choose(&packs, 40) {
                    rewrite(&packs, &group, 0, || false).unwrap();
                }
            }
            96 => {
                let run = &mut *run.borrow_mut();
                run.world.close();
                reopen(run, folder.path());
            }
            97 => reopen(&mut run.borrow_mut(), folder.path()),
            _ => run.borrow().check(),
        }
    }
    let run = &mut *run.borrow_mut();
    run.check();
    reopen(run, folder.path());
    let all: Vec<_> = run.files.keys().map(|name| delete(name)).collect();
    run.world.batch(&all).unwrap();
    run.files.clear();
    run.world.close();
    for _ in 0..3 {
        run.world.rewrite_all();
    }
    run.check();
    assert_eq!(run.world.numbers(), [], "nothing is kept for what is gone");
    reopen(run, folder.path());
}

/// Rewrites some neighbours; now and then changes are made while it is done, and now and then it is given up.
fn rewrite_some(run: &RefCell<Run>) {
    let packs = run.borrow().world.packs.clone();
    let runs = neighbours(&packs);
    if runs.is_empty() {
        return;
    }
    let (group, busy) = {
        let dice = &mut run.borrow_mut().dice;
        let of = &runs[dice.below(runs.len())];
        let from = dice.below(of.len());
        let to = from + 1 + dice.below((of.len() - from).min(5));
        (of[from..to].to_vec(), dice.percent(40))
    };
    let stop = || {
        let run = &mut *run.borrow_mut();
        if busy && run.dice.percent(50) {
            run.batch();
        }
        busy && run.dice.percent(3)
    };
    rewrite(&packs, &group, 0, stop).unwrap();
    run.borrow().check();
}

#[test]
fn packs_hold_what_a_map_holds() {
    for seed in 0..8 {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
