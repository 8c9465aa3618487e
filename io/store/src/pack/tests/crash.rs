//! Power cuts: whatever was being done, and whatever of it had reached the disk, what was acknowledged is there
//! afterwards, and what was deleted is not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::dice::Dice;
use super::faults::Faults;
use super::platter::{Image, Platter};
use super::world::{Change, Files, World, apply, delete, folder, packs_dir, put};
use crate::pack::Disk;
use crate::pack::compact::{neighbours, rewrite};
use crate::pack::disk::Step;

/// A pack takes a few records.
const PACK_LEN: u64 = 700;

/// So many ways to lose what was not synced are tried after each step.
const EVERY: usize = 64;

/// Changes that were begun after so many steps and acknowledged after so many.
struct Acknowledged {
    begun: usize,
    done: usize,
    changes: Vec<Change>,
    /// They are one change.
    joined: bool,
}

/// A world whose steps are written down.
struct Recorder {
    _folder: tempfile::TempDir,
    base: Image,
    world: World,
    faults: Faults,
    steps: Arc<Mutex<Vec<Step>>>,
    acknowledged: Vec<Acknowledged>,
    files: Files,
}

impl Recorder {
    fn new() -> Self {
        let folder = folder();
        // The key is there before anything else is.
        drop(World::open(folder.path(), PACK_LEN, Disk::default()).unwrap());
        let base = Image::of(&packs_dir(folder.path()));
        let steps = Arc::new(Mutex::new(Vec::new()));
        let faults = Faults::default();
        let disk = Disk { fault: faults.disk().fault, ..recording(&steps) };
        let world = World::open(folder.path(), PACK_LEN, disk).unwrap();
        Self { _folder: folder, base, world, faults, steps, acknowledged: Vec::new(), files: Files::new() }
    }

    fn batch(&mut self, changes: &[Change]) {
        self.record(changes, false);
    }

    /// All of the changes, or none.
    fn one_change(&mut self, changes: &[Change]) {
        self.record(changes, true);
    }

    fn record(&mut self, changes: &[Change], joined: bool) {
        let begun = self.steps.lock().len();
        self.world.commit(changes, joined).unwrap();
        apply(&mut self.files, changes);
        self.acknowledged.push(Acknowledged {
            begun,
            done: self.steps.lock().len(),
            changes: changes.to_vec(),
            joined,
        });
    }

    /// Fills packs up to, but not including, this number; every file is called after it and a letter.
    fn fill(&mut self, upto: u64) {
        for count in 0.. {
            let number = self.world.numbers().last().copied().unwrap_or(1);
            if number >= upto {
                return;
            }
            self.batch(&[put(&format!("{number}/{count}"), &"x".repeat(60 + count % 50))]);
        }
    }

    /// What was there, after all of it, of a pack that [`Recorder::fill`] filled.
    fn names_of(&self, number: u64) -> Vec<String> {
        let prefix = format!("{number}/");
        self.files.keys().filter(|name| name.starts_with(&prefix)).cloned().collect()
    }

    /// Cuts the power after each step, in every way there is or in `most` ways; how many different images there were.
    fn cut_everywhere(&self, seed: u64, most: usize) -> usize {
        let steps = self.steps.lock().clone();
        let all = self.acknowledged.iter().flat_map(|one| &one.changes);
        let names: BTreeSet<String> = all.map(|(name, _)| name.clone()).collect();
        let (mut dice, mut platter) = (Dice(seed), Platter::new(&self.base));
        let (mut files, mut next) = (Files::new(), 0);
        let mut seen = HashSet::new();
        for done in 0..=steps.len() {
            while let Some(one) = self.acknowledged.get(next).filter(|one| one.done <= done) {
                apply(&mut files, &one.changes);
                next += 1;
            }
            let under_way = self.acknowledged.get(next).filter(|one| one.begun < done);
            let maybe: BTreeMap<_, _> =
                under_way.map(|one| one.changes.iter().cloned().collect()).unwrap_or_default();
            let joined = under_way.is_some_and(|one| one.joined);
            let expected = Expected { names: &names, files: &files, maybe: &maybe, joined };
            for image in platter.images(&mut dice, most) {
                if seen.insert((next, under_way.is_some(), image.digest())) {
                    let twice = seen.len() % 60 == 0;
                    expected.check(&image, &mut dice, twice).unwrap_or_else(|why| {
                        let last: Vec<_> = steps[..done].iter().rev().take(12).map(brief).collect();
                        panic!(
                            "{why}\nseed {seed}, after {done} steps, last first: {last:#?}\n{}",
                            image.names()
                        )
                    });
                }
            }
            if let Some(step) = steps.get(done) {
                platter.step(step);
            }
        }
        seen.len()
    }
}

fn recording(steps: &Arc<Mutex<Vec<Step>>>) -> Disk {
    let steps = Arc::clone(steps);
    Disk { trace: Some(Arc::new(move |step| steps.lock().push(step))), ..Disk::default() }
}

fn brief(step: &Step) -> String {
    match step {
        Step::Write(path, at, bytes) => format!("Write({}, {at}, {} bytes)", path.display(), bytes.len()),
        other => format!("{other:?}"),
    }
}

/// The beginning of a content, for people.
fn text(content: Option<&Vec<u8>>) -> String {
    content
        .map_or("absent".into(), |content| String::from_utf8_lossy(&content[..content.len().min(24)]).into())
}

/// What may be found after a power cut.
struct Expected<'a> {
    names: &'a BTreeSet<String>,
    files: &'a Files,
    /// Changes that were under way.
    maybe: &'a BTreeMap<String, Option<Vec<u8>>>,
    joined: bool,
}

impl Expected<'_> {
    fn check(&self, image: &Image, dice: &mut Dice, twice: bool) -> Result<(), String> {
        let folder = folder();
        let root = folder.path();
        image.write(&packs_dir(root));
        let steps = Arc::new(Mutex::new(Vec::new()));
        let disk = if twice { recording(&steps) } else { Disk::default() };
        let found = self.found(root, disk)?;
        if twice {
            // The power goes again while the packs are being read.
            let mut platter = Platter::new(image);
            for step in steps.lock().iter() {
                platter.step(step);
                for image in platter.images(dice, 4) {
                    self.check(&image, dice, false)
                        .map_err(|why| format!("second cut at {}: {why}", brief(step)))?;
                }
            }
        }
        let again = self.found(root, Disk::default())?;
        if again != found {
            return Err("a second start finds something else".into());
        }
        go_on(root, self.names, found)
    }

    /// What is there, if it may be.
    fn found(&self, root: &Path, disk: Disk) -> Result<Files, String> {
        let world = World::open(root, PACK_LEN, disk).map_err(|error| format!("no start: {error}"))?;
        let found = world.files(self.names);
        for name in self.names {
            let (is, was) = (found.get(name), self.files.get(name));
            let maybe = self.maybe.get(name);
            if is != was && maybe.is_none_or(|maybe| is != maybe.as_ref()) {
                return Err(format!(
                    "{name} is {}, was {}, may have become {}",
                    text(is),
                    text(was),
                    maybe.map_or("nothing else".into(), |maybe| text(maybe.as_ref()))
                ));
            }
        }
        let is_done = |(name, content): (&String, &Option<Vec<u8>>)| found.get(name) == content.as_ref();
        let done = self.maybe.iter().map(is_done).filter(|done| *done).count();
        if self.joined && done > 0 && done < self.maybe.len() {
            return Err(format!("{done} parts of {:?} are done", self.maybe));
        }
        Ok(found)
    }
}

/// Changes can be made after a start, and rewriting everything brings nothing back and loses nothing.
fn go_on(root: &Path, names: &BTreeSet<String>, mut files: Files) -> Result<(), String> {
    let mut all = names.clone();
    let open = || World::open(root, PACK_LEN, Disk::default()).map_err(|error| format!("no start: {error}"));
    let check = |world: &World, files: &Files, all: &BTreeSet<String>, when: &str| {
        let found = world.files(all);
        if found == *files { Ok(()) } else { Err(format!("{when}: {found:?} instead of {files:?}")) }
    };
    let mut world = open()?;
    let mut changes = vec![put("later", "a file of the next life")];
    changes.extend(files.keys().step_by(2).map(|name| delete(name)));
    all.insert("later".into());
    world.batch(&changes).map_err(|error| format!("no change: {error}"))?;
    apply(&mut files, &changes);
    check(&world, &files, &all, "after changes")?;
    let mut world = open()?;
    check(&world, &files, &all, "after changes and a start")?;
    world.close();
    world.rewrite_all();
    check(&world, &files, &all, "after rewriting")?;
    let world = open()?;
    check(&world, &files, &all, "after rewriting and a start")?;
    world.rewrite_all();
    check(&open()?, &files, &all, "after rewriting twice and a start")
}

#[test]
fn d1_creating_deleting_and_replacing_survive_a_power_cut_at_every_step() {
    let mut recorder = Recorder::new();
    recorder.batch(&[put("a", "one")]);
    recorder.batch(&[put("b", &"b".repeat(600)), put("c", ""), put("d", &"d".repeat(700))]);
    recorder.one_change(&[delete("b"), delete("d")]);
    recorder.batch(&[put("c", "metadata"), put("b", &"again".repeat(99))]);
    recorder.batch(&[put("c", &"other metadata".repeat(50)), put("b", "b")]);
    recorder.batch(&[put("c", "other metadata")]);
    recorder.batch(&[put("d", &"D".repeat(1200)), delete("a")]);
    recorder.batch(&[put("e", &"e".repeat(250))]);
    recorder.one_change(&[delete("d"), delete("c")]);
    recorder.world.close();
    recorder.world.rewrite(&[1]);
    recorder.world.rewrite_all();
    assert!(recorder.cut_everywhere(1, EVERY) > 40);
}

#[test]
fn going_over_to_a_new_pack_survives_a_power_cut_at_every_step() {
    let mut recorder = Recorder::new();
    recorder.fill(2);
    recorder.batch(&[put("x", "before the first pack is sealed")]);
    recorder.world.seal_all();
    recorder.batch(&[delete("1/0"), put("y", "behind")]);
    recorder.fill(4);
    recorder.world.seal_next();
    recorder.batch(&[delete("1/1")]);
    recorder.world.close();
    assert!(recorder.cut_everywhere(2, EVERY) > 60);
}

#[test]
fn rewriting_a_pack_survives_a_power_cut_at_every_step() {
    let mut recorder = Recorder::new();
    recorder.fill(3);
    let (first, second) = (recorder.names_of(1), recorder.names_of(2));
    recorder.batch(&[delete(&first[0]), delete(&first[2]), put(&first[1], "other")]);
    recorder.world.seal_all();
    recorder.world.rewrite(&[1]);
    recorder.batch(&[delete(&first[3])]);
    recorder.batch(&[delete(&second[0])]);
    recorder.world.close();
    recorder.batch(&[put("z", "in the head")]);
    // Gone records about the first pack, which was rewritten before and after them, are in the third.
    recorder.world.rewrite(&[3]);
    recorder.world.rewrite(&[1]);
    recorder.world.rewrite(&[3]);
    recorder.world.rewrite(&[2]);
    recorder.world.rewrite(&[3]);
    assert!(recorder.cut_everywhere(3, EVERY) > 100);
}

#[test]
fn rewriting_neighbours_into_one_survives_a_power_cut_at_every_step() {
    let mut recorder = Recorder::new();
    recorder.fill(5);
    recorder.world.seal_all();
    let names: Vec<_> = (1..5).flat_map(|number| recorder.names_of(number)).collect();
    let going: Vec<_> = names.iter().step_by(2).map(|name| delete(name)).collect();
    recorder.batch(&going);
    recorder.world.rewrite(&[2]);
    // Nothing has changed since: one state of the packs follows another without a new sequence number.
    recorder.world.rewrite(&[2, 3]);
    recorder.world.rewrite(&[1, 2]);
    recorder.batch(&[delete(&names[1]), put("z", "new")]);
    recorder.world.close();
    recorder.world.rewrite(&[1, 4, 5]);
    assert!(recorder.cut_everywhere(4, EVERY) > 100);
}

#[test]
fn neighbours_made_one_without_a_hint_survive_a_power_cut_at_every_step() {
    let mut recorder = Recorder::new();
    recorder.fill(4);
    recorder.world.seal_all();
    let going: Vec<_> = recorder.names_of(2).iter().map(|name| delete(name)).collect();
    recorder.batch(&going);
    recorder
        .faults
        .set(|_, step| matches!(step, Step::Create(path) if path.extension().is_some_and(|is| is == "hint")));
    recorder.world.rewrite(&[1, 2, 3]);
    assert!(recorder.faults.clear());
    recorder.batch(&[put("z", "new")]);
    assert!(recorder.cut_everywhere(6, EVERY) > 40);
}

#[test]
fn packs_of_which_all_is_gone_survive_a_power_cut_at_every_step() {
    let mut recorder = Recorder::new();
    recorder.fill(4);
    recorder.world.seal_all();
    let going: Vec<_> =
        (1..4).flat_map(|number| recorder.names_of(number)).map(|name| delete(&name)).collect();
    recorder.batch(&going[..going.len() - 1]);
    recorder.world.rewrite(&[1, 2]);
    recorder.world.rewrite(&[1]);
    recorder.world.close();
    recorder.world.rewrite(&[3]);
    recorder.world.rewrite(&[4]);
    recorder.batch(&going[going.len() - 1..]);
    recorder.world.close();
    recorder.world.rewrite_all();
    recorder.world.rewrite_all();
    assert_eq!(recorder.world.packs.usage().files, 0);
    assert!(recorder.cut_everywhere(5, EVERY) > 60);
}

#[test]
fn without_syncs_rewriting_does_not_lose_what_was_durable_before() {
    let folder = folder();
    let open = |root: &Path, disk| World::open_with(root, PACK_LEN, disk, false).unwrap();
    let mut world = open(folder.path(), Disk::default());
    world.batch(&[put("a", "one"), put("b", "two")]).unwrap();
    world.close();
    drop(world);
    let base = Image::of(&packs_dir(folder.path()));
    let steps = Arc::new(Mutex::new(Vec::new()));
    let mut world = open(folder.path(), recording(&steps));
    // Not synced: this may be lost, but then "a" is as it was.
    world.batch(&[put("a", "other")]).unwrap();
    world.rewrite(&[1]);
    let (mut platter, mut dice) = (Platter::new(&base), Dice(8));
    for step in steps.lock().iter() {
        platter.step(step);
        for image in platter.images(&mut dice, EVERY) {
            let folder = super::world::folder();
            image.write(&packs_dir(folder.path()));
            let found = open(folder.path(), Disk::default()).files(&["a".to_owned(), "b".to_owned()]);
            assert!(found.get("a").is_some_and(|a| a == b"one" || a == b"other"), "after {}", brief(step));
            assert_eq!(found["b"], b"two", "after {}", brief(step));
        }
    }
}

#[test]
fn chance_sequences_survive_power_cuts() {
    for seed in 100..103 {
        let mut dice = Dice(seed);
        let mut recorder = Recorder::new();
        for round in 0..24 {
            let name = |dice: &mut Dice| format!("n/{}", dice.below(9));
            let change = |dice: &mut Dice| {
                let content = format!("{round} {}", "y".repeat(dice.below(200)));
                (name(dice), dice.percent(65).then(|| content.into_bytes()))
            };
            match dice.below(10) {
                0..6 => {
                    let changes: BTreeMap<_, _> = (0..1 + dice.below(3)).map(|_| change(&mut dice)).collect();
                    recorder.batch(&changes.into_iter().collect::<Vec<_>>());
                }
                6 | 7 => drop(recorder.world.seal_next()),
                _ => {
                    let runs = neighbours(&recorder.world.packs);
                    if runs.is_empty() {
                        continue;
                    }
                    let run = &runs[dice.below(runs.len())];
                    let from = dice.below(run.len());
                    let to = from + 1 + dice.below(run.len() - from);
                    rewrite(&recorder.world.packs, &run[from..to], 0, || false).unwrap();
                }
            }
        }
        recorder.cut_everywhere(seed, 3);
    }
}

#[test]
fn with_syncs_most_records_go_where_zeros_were_written_before() {
    let (folder, steps) = (folder(), Arc::default());
    let mut world = World::open(folder.path(), 1 << 20, recording(&steps)).unwrap();
    for number in 0..800 {
        world.batch(&[put(&format!("some/{number}"), &"x".repeat(1000))]).unwrap();
    }
    let (mut written, mut grown, mut records) = (0, 0, 0);
    for step in steps.lock().iter() {
        let Step::Write(_, at, bytes) = step else { continue };
        let end = at + bytes.len() as u64;
        records += usize::from(*at > 0);
        grown += usize::from(*at > 0 && end > written);
        written = written.max(end);
    }
    assert_eq!((records, grown), (800, 4));
}
