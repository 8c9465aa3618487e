//! What the cluster promises, one file for each promise.
//!
//! Some must hold at every instant, others once everything has healed and had time to settle.

mod acknowledged;
mod deleted;
mod names;
mod one_leader;
mod same_set;
mod transitions;
mod whole;

use crate::scenario::World;

type Check = fn(&mut World) -> Result<(), String>;

/// Name, and what is to hold.
type Row = (&'static str, Check);

const ALWAYS: [Row; 3] =
    [("names", names::unique), ("whole", whole::given_out), ("transitions", transitions::legal)];

const AT_REST: [Row; 4] = [
    ("one_leader", one_leader::obeyed),
    ("acknowledged", acknowledged::readable),
    ("deleted", deleted::gone),
    ("same_set", same_set::held),
];

/// What must hold at every instant.
pub(crate) fn always(world: &mut World) -> Result<(), String> {
    all(&ALWAYS, world)
}

/// What must hold once all is healed and settled.
pub(crate) fn at_rest(world: &mut World) -> Result<(), String> {
    all(&AT_REST, world)
}

fn all(rows: &[Row], world: &mut World) -> Result<(), String> {
    rows.iter().try_for_each(|(name, check)| check(world).map_err(|broken| format!("{name}: {broken}")))
}
