//! What is given out under a name is the file that was stored under it, byte for byte.

use crate::scenario::World;

pub(super) fn given_out(world: &mut World) -> Result<(), String> {
    match world.env.history.wrong_downloads.first() {
        Some(wrong) => Err(wrong.clone()),
        None => Ok(()),
    }
}
