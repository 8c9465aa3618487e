//! A name leads to one file for ever: none is given twice.

use crate::scenario::World;

pub(super) fn unique(world: &mut World) -> Result<(), String> {
    match world.env.history.names_twice.first() {
        Some(name) => Err(format!("{name} was given to two files")),
        None => Ok(()),
    }
}
