//! Checking what the scrub has found out against the files as they are, and turning it into entries.

use fdfs_fileid::FileName;

use super::{State, in_slot, line};
use crate::StoreError;
use crate::fsck::name_key;
use crate::mutation::{Checked, Content, Mutation, Origin, Outcome, PackedChange, Standing};
use crate::trunk::Place;

/// Names that may go while a check of the records waits for what it found to be mended; after more, nothing that is
/// missing is restored before the next check.
pub(super) const GONE_MAX: usize = 1_000_000;

/// The name that goes with a mutation.
pub(super) fn goes(mutation: &Mutation) -> Option<&FileName> {
    match mutation {
        Mutation::Delete { name, .. } | Mutation::Move { name, .. } => Some(name),
        _ => None,
    }
}

/// The name of which there is one copy, or none at all, after a mutation.
pub(super) fn settles(mutation: &Mutation) -> Option<&FileName> {
    use crate::mutation::NewName;
    match mutation {
        Mutation::Delete { name, .. }
        | Mutation::Copy { name, content: Some(_), .. }
        | Mutation::Move { new: NewName::Fixed(name), .. }
        | Mutation::Create { name: NewName::Fixed(name) | NewName::Slot(name), .. } => Some(name),
        _ => None,
    }
}

impl State {
    /// A good copy takes the place of a bad one, or of none: only when that is still what is there. What is missing
    /// must not have been deleted since the records were looked at.
    pub(super) fn mend(
        &self,
        name: FileName,
        content: Content,
        bad: Option<Standing>,
        time: u32,
    ) -> Result<Checked, StoreError> {
        if self.standing(&name)? != bad {
            return Ok(Checked::nothing(Outcome::Changed));
        }
        let (true_name, key) = (name.true_name(), name_key(&name));
        let is_expected =
            |gone: &std::collections::HashSet<u64>| gone.len() < GONE_MAX && !gone.contains(&key);
        let may_come = self.files.quarantine.holds(true_name) || self.gone.as_ref().is_some_and(is_expected);
        if bad.is_none() && !may_come {
            return Ok(Checked::nothing(Outcome::Changed));
        }
        let origin = Origin::Peer(time);
        if bad == Some(Standing::Slot)
            && let Some(place) = Place::of(&name)
        {
            let file_len = u32::try_from(place.end()).map_err(|_| StoreError::Offset)?;
            let lines = line(time, origin.letter('C'), &name, format_args!(""));
            return Ok(in_slot(name, file_len, content, time, lines, Outcome::Done));
        }
        self.copy(name, Some(content), None, 'C', origin)
    }

    /// A bad copy goes, and nothing comes in its place. The binlog does not hear of it: the file is not deleted. That
    /// in a slot stays, since nobody is given what is not as its header says.
    pub(super) fn set_aside(&self, name: FileName, bad: Standing, time: u32) -> Result<Checked, StoreError> {
        if self.standing(&name)? != Some(bad) {
            return Ok(Checked::nothing(Outcome::Changed));
        }
        match bad {
            Standing::Plain(_) => {
                let plain = self.files.plain();
                rustix::fs::unlinkat(plain.data, name.true_name(), rustix::fs::AtFlags::empty())?;
                Ok(Checked::nothing(Outcome::Done))
            }
            Standing::Packed(_) => {
                let change = PackedChange { name, content: None, op: NO_LINE, time };
                Ok(Checked::packed(vec![change], Outcome::Done))
            }
            Standing::Slot => {
                self.files.trunk.verified.forget(name.true_name());
                Ok(Checked::nothing(Outcome::Done))
            }
        }
    }
}

/// The letter of a change that has no line in the binlog.
pub(super) const NO_LINE: char = '\0';
