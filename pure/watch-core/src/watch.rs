//! Which findings are news.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use doctor_core::{Language, Severity, Subject, Unseen, What, words};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Troubles that are known at the same time; more are not told.
pub const TROUBLES_MAX: usize = 10_000;

/// What is told, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What is less bad is no trouble.
    pub threshold: Severity,
    /// So many looks in a row have to agree before anything is told; at least 1.
    pub looks: u32,
    /// Seconds after which an error that remains is told again; 0 = never.
    pub repeat_s: i64,
}

/// A finding as it is told: the words are made when it is found, because nobody can make them any more when it is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// What it is about.
    pub subject: Subject,
    /// How bad it is.
    pub severity: Severity,
    /// Its kind, in a word for programs.
    pub code: String,
    /// Its fields, for programs.
    pub fields: Map<String, Value>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub todo: String,
}

impl Sight {
    /// A finding in the words of a language.
    pub fn new(what: &What, language: Language) -> Self {
        let (words, todo) = words::of(what, language);
        Self {
            subject: what.subject(),
            severity: what.severity(),
            code: what.code().to_owned(),
            fields: what.fields(),
            what: words,
            todo,
        }
    }
}

/// What one look found.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// All that was found.
    pub sights: Vec<Sight>,
    /// What could not be looked at.
    pub unseen: Unseen,
}

/// What became of a trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is new.
    Opened,
    /// It is worse than was told.
    Worse,
    /// It is less bad than was told.
    Better,
    /// It is gone.
    Resolved,
    /// It is still there.
    Remains,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What became of it.
    pub kind: Kind,
    /// The trouble as it was last seen.
    pub sight: Sight,
    /// How bad it was said to be before.
    pub was: Option<Severity>,
    /// When it was first seen, Unix seconds.
    pub since: i64,
    /// When this was noticed.
    pub at: i64,
}

/// A trouble that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// As it was last seen while it was as bad as was told.
    sight: Sight,
    /// When it was first seen.
    since: i64,
    /// What was last told of it; nothing before it has been seen often enough.
    told: Option<Told>,
    /// Looks in a row that agree on something that has not been told: that it is there, that it is gone, or how bad it is.
    agreed: u32,
    /// On what they agree.
    on: Option<Severity>,
}

/// What was told of a trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    severity: Severity,
    at: i64,
}

/// The troubles that are known.
#[derive(Debug, Clone)]
pub struct Watch {
    rules: Rules,
    troubles: BTreeMap<Subject, Trouble>,
    left_out: usize,
}

impl Watch {
    /// A watcher that knows of these troubles already.
    pub fn new(rules: Rules, troubles: Vec<Trouble>) -> Self {
        let known = troubles.into_iter().map(|trouble| (trouble.sight.subject.clone(), trouble));
        Self { rules, troubles: known.collect(), left_out: 0 }
    }

    /// All that is known, to be kept.
    pub fn troubles(&self) -> impl Iterator<Item = &Trouble> {
        self.troubles.values()
    }

    /// How many troubles were told and have not ended.
    pub fn open(&self) -> usize {
        self.troubles.values().filter(|trouble| trouble.told.is_some()).count()
    }

    /// How many findings of the last look did not fit.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Takes in what a look found, at this time in Unix seconds; what is to be told goes to `out`, in the order of subjects.
    pub fn step(&mut self, now: i64, looked: Looked, out: &mut Vec<Change>) {
        let mut sights: BTreeMap<Subject, Sight> = BTreeMap::new();
        for sight in looked.sights.into_iter().filter(|sight| sight.severity >= self.rules.threshold) {
            match sights.entry(sight.subject.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(sight);
                }
                Entry::Occupied(mut entry) if entry.get().severity < sight.severity => {
                    entry.insert(sight);
                }
                Entry::Occupied(_) => {}
            }
        }
        let rules = self.rules;
        self.troubles.retain(|subject, trouble| {
            let seen = match sights.remove(subject) {
                Some(sight) => Some(sight),
                // It was not looked for, so it is as it was.
                None if looked.unseen.hides(subject) => return true,
                None => None,
            };
            trouble.step(rules, now, seen, out)
        });
        self.left_out = 0;
        for (subject, sight) in sights {
            if self.troubles.len() >= TROUBLES_MAX {
                self.left_out += 1;
                continue;
            }
            let mut trouble = Trouble::new(now, sight.clone());
            trouble.step(rules, now, Some(sight), out);
            self.troubles.insert(subject, trouble);
        }
        // Those that are new come behind those that were known.
        out.sort_by(|one, other| (one.at, &one.sight.subject).cmp(&(other.at, &other.sight.subject)));
    }
}

impl Trouble {
    fn new(now: i64, sight: Sight) -> Self {
        Self { sight, since: now, told: None, agreed: 0, on: None }
    }

    /// Whether it is still known after a look that saw it so, or did not see it.
    fn step(&mut self, rules: Rules, now: i64, seen: Option<Sight>, out: &mut Vec<Change>) -> bool {
        let severity = seen.as_ref().map(|sight| sight.severity);
        let Some(told) = self.told else {
            // Not told yet, and gone: it never was.
            let Some(sight) = seen else { return false };
            self.sight = sight;
            self.agreed = self.agreed.saturating_add(1);
            if self.agreed >= rules.looks {
                self.tell(now, Kind::Opened, None, out);
            }
            return true;
        };
        if severity == Some(told.severity) {
            if let Some(sight) = seen {
                self.sight = sight;
            }
            (self.agreed, self.on) = (0, None);
            let remains = told.severity == Severity::Error
                && rules.repeat_s > 0
                && now.saturating_sub(told.at) >= rules.repeat_s;
            if remains {
                self.tell(now, Kind::Remains, None, out);
            }
            return true;
        }
        self.agreed = if self.on == severity { self.agreed.saturating_add(1) } else { 1 };
        self.on = severity;
        if self.agreed < rules.looks {
            return true;
        }
        match seen {
            None => {
                self.tell(now, Kind::Resolved, None, out);
                false
            }
            Some(sight) => {
                let kind = if sight.severity > told.severity { Kind::Worse } else { Kind::Better };
                self.sight = sight;
                self.tell(now, kind, Some(told.severity), out);
                true
            }
        }
    }

    fn tell(&mut self, now: i64, kind: Kind, was: Option<Severity>, out: &mut Vec<Change>) {
        self.told = Some(Told { severity: self.sight.severity, at: now });
        (self.agreed, self.on) = (0, None);
        out.push(Change { kind, sight: self.sight.clone(), was, since: self.since, at: now });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    pub(crate) fn offline(name: &str) -> Sight {
        let storage = name.to_owned();
        Sight::new(
            &What::StorageOffline { storage, address: "10.0.0.1:23000".to_owned(), answers: false },
            Language::English,
        )
    }

    fn space(left: u64) -> Sight {
        let storage = "group1/a".to_owned();
        let what = match left {
            0 => What::SpaceOut { storage, free_mb: 1, reserved_mb: 1 },
            left => What::SpaceLow { storage, free_mb: 1 + left, reserved_mb: 1, total_mb: 100 },
        };
        Sight::new(&what, Language::English)
    }

    fn waits() -> Sight {
        let (storage, status) = ("group1/a".to_owned(), "SYNCING".to_owned());
        Sight::new(&What::StorageWaits { storage, status, source: None }, Language::English)
    }

    fn rules(looks: u32) -> Rules {
        Rules { threshold: Severity::Warning, looks, repeat_s: 6 * HOUR }
    }

    /// One look; what is told, in short.
    fn look(watch: &mut Watch, now: i64, sights: &[Sight]) -> Vec<String> {
        let mut out = Vec::new();
        watch.step(now, Looked { sights: sights.to_vec(), unseen: Unseen::default() }, &mut out);
        out.iter().map(short).collect()
    }

    fn short(change: &Change) -> String {
        format!("{:?} {}", change.kind, change.sight.code)
    }

    #[test]
    fn a_trouble_is_told_when_enough_looks_agree_and_again_when_it_is_gone() {
        type Row<'a> = (u32, &'a [bool], &'a [(usize, &'a str)]);
        let table: [Row<'_>; 6] = [
            // Looks that have to agree; whether each look sees it; what is told after which look.
            (1, &[true, true, false], &[(0, "Opened storage_offline"), (2, "Resolved storage_offline")]),
            (2, &[true, true, true], &[(1, "Opened storage_offline")]),
            (2, &[true, false, true, false, true, false], &[]),
            (
                2,
                &[true, true, false, true, false, false, false],
                &[(1, "Opened storage_offline"), (5, "Resolved storage_offline")],
            ),
            (3, &[true, true, false, true, true], &[]),
            (
                2,
                &[true, true, false, false, true, true],
                &[
                    (1, "Opened storage_offline"),
                    (3, "Resolved storage_offline"),
                    (5, "Opened storage_offline"),
                ],
            ),
        ];
        for (looks, seen, wanted) in table {
            let mut watch = Watch::new(rules(looks), Vec::new());
            let mut told = Vec::new();
            for (number, seen) in seen.iter().enumerate() {
                let sights = if *seen { vec![offline("group1/a")] } else { Vec::new() };
                let now = i64::try_from(number).unwrap();
                told.extend(look(&mut watch, now, &sights).into_iter().map(|change| (number, change)));
            }
            let told: Vec<(usize, &str)> = told.iter().map(|(at, change)| (*at, change.as_str())).collect();
            assert_eq!(told, wanted, "{looks} {seen:?}");
        }
    }

    #[test]
    fn worse_and_better_are_told_when_enough_looks_agree() {
        let mut watch = Watch::new(rules(2), Vec::new());
        let table = [
            (space(5), vec![]),
            (space(4), vec!["Opened space_low"]),
            (space(0), vec![]),
            (space(3), vec![]),
            (space(0), vec![]),
            (space(0), vec!["Worse space_out"]),
            (space(0), vec![]),
            (space(2), vec![]),
            (space(2), vec!["Better space_low"]),
        ];
        for (number, (sight, wanted)) in table.into_iter().enumerate() {
            assert_eq!(look(&mut watch, 0, &[sight]), wanted, "look {number}");
        }
    }

    #[test]
    fn a_worse_trouble_says_what_it_was_and_since_when_it_is_there() {
        let mut watch = Watch::new(rules(1), Vec::new());
        look(&mut watch, 100, &[waits()]);
        let mut out = Vec::new();
        let looked = Looked { sights: vec![offline("group1/a")], unseen: Unseen::default() };
        watch.step(160, looked, &mut out);
        let [change] = out.as_slice() else { panic!("{out:?}") };
        assert_eq!((change.kind, change.was), (Kind::Worse, Some(Severity::Warning)));
        assert_eq!((change.since, change.at), (100, 160));
    }

    #[test]
    fn between_offline_and_right_again_a_storage_may_wait_for_a_look() {
        let mut watch = Watch::new(rules(2), Vec::new());
        look(&mut watch, 0, &[offline("group1/a")]);
        assert_eq!(look(&mut watch, 1, &[offline("group1/a")]), ["Opened storage_offline"]);
        assert_eq!(look(&mut watch, 2, &[waits()]), [""; 0]);
        assert_eq!(look(&mut watch, 3, &[]), [""; 0]);
        let mut out = Vec::new();
        watch.step(4, Looked::default(), &mut out);
        assert_eq!(out.iter().map(short).collect::<Vec<_>>(), ["Resolved storage_offline"]);
        assert_eq!(watch.open(), 0);
    }

    #[test]
    fn what_is_less_bad_than_the_threshold_is_no_trouble() {
        let rules = Rules { threshold: Severity::Error, ..rules(1) };
        let mut watch = Watch::new(rules, Vec::new());
        assert_eq!(look(&mut watch, 0, &[space(5)]), [""; 0]);
        assert_eq!(look(&mut watch, 0, &[space(0)]), ["Opened space_out"]);
        assert_eq!(look(&mut watch, 0, &[space(5)]), ["Resolved space_out"]);
    }

    #[test]
    fn an_error_that_remains_is_told_again_and_a_warning_is_not() {
        let table =
            [(6 * HOUR, vec![6, 12]), (HOUR, vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), (0, vec![])];
        for (repeat_s, wanted) in table {
            let mut watch = Watch::new(Rules { repeat_s, ..rules(1) }, Vec::new());
            let mut hours = Vec::new();
            for hour in 0..13 {
                let told = look(&mut watch, hour * HOUR, &[offline("group1/a"), space(5)]);
                if told.iter().any(|change| change == "Remains storage_offline") {
                    hours.push(hour);
                }
                assert!(!told.iter().any(|change| change == "Remains space_low"));
            }
            assert_eq!(hours, wanted, "{repeat_s}");
        }
    }

    #[test]
    fn all_that_changed_in_a_look_comes_together_in_the_order_of_subjects() {
        let mut watch = Watch::new(rules(1), Vec::new());
        assert_eq!(
            look(&mut watch, 0, &[offline("b"), space(0)]),
            ["Opened space_out", "Opened storage_offline"]
        );
        assert_eq!(
            look(&mut watch, 1, &[offline("a"), space(0)]),
            ["Opened storage_offline", "Resolved storage_offline"]
        );
    }

    #[test]
    fn what_could_not_be_looked_at_is_as_it_was() {
        let mut watch = Watch::new(rules(2), Vec::new());
        for now in 0..2 {
            look(&mut watch, now, &[offline("group1/a"), space(0)]);
        }
        let blind = Unseen { cluster: true, ..Unseen::default() };
        for now in 2..9 {
            let mut out = Vec::new();
            watch.step(now, Looked { sights: Vec::new(), unseen: blind.clone() }, &mut out);
            assert_eq!(out, []);
        }
        assert_eq!(watch.open(), 2);
        look(&mut watch, 9, &[]);
        assert_eq!(look(&mut watch, 10, &[]).len(), 2);
    }

    #[test]
    fn a_watcher_that_starts_again_tells_nothing_again() {
        let mut first = Watch::new(rules(2), Vec::new());
        look(&mut first, 0, &[offline("group1/a"), space(0)]);
        look(&mut first, 1, &[offline("group1/a")]);
        let mut second = Watch::new(rules(2), first.troubles().cloned().collect());
        assert_eq!(look(&mut second, 2, &[offline("group1/a"), space(0)]), [""; 0]);
        assert_eq!(look(&mut second, 3, &[]), [""; 0]);
        assert_eq!(look(&mut second, 4, &[]), ["Resolved storage_offline"]);
    }

    #[test]
    fn troubles_are_bounded_and_what_did_not_fit_is_counted() {
        let sights: Vec<Sight> = (0..TROUBLES_MAX + 3).map(|number| offline(&number.to_string())).collect();
        let mut watch = Watch::new(rules(1), Vec::new());
        assert_eq!(look(&mut watch, 0, &sights).len(), TROUBLES_MAX);
        assert_eq!((watch.open(), watch.left_out()), (TROUBLES_MAX, 3));
    }
}
