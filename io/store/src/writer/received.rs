//! Checking whole files that peers bring, and their changes of files that are packed here.

use std::io;

use bytes::Bytes;
use fdfs_fileid::{FileName, Kind};
use fdfs_format::pack::CONTENT_MAX;

use super::{State, in_slot, line, offset_of};
use crate::StoreError;
use crate::mutation::{
    At, Checked, Content, Origin, Outcome, OwnedChange, OwnedEntry, PackedChange, Standing,
};
use crate::plain::{is_link, is_regular, seen, set_mtime};
use crate::trunk;

impl State {
    /// What stands under a name.
    pub(super) fn standing(&self, name: &FileName) -> Result<Option<Standing>, StoreError> {
        if let Some((pack, location)) = self.packs.find(name.true_name()) {
            return Ok(Some(Standing::Packed(pack.sequence(&location))));
        }
        let Some(stat) = self.files.plain().stat(name.true_name())? else {
            return Ok(trunk::is_in_slot(&self.files, name)?.then_some(Standing::Slot));
        };
        if is_regular(&stat) || is_link(&stat) {
            Ok(Some(Standing::Plain(seen(&stat))))
        } else {
            Err(StoreError::NotRegular)
        }
    }

    /// Whether a new file goes into a pack. What will be changed later is better off in a file of its own, and metadata
    /// is kept as its file is: whichever of them is here first says how, and metadata without its file is a plain one.
    pub(super) fn packs_new(&self, name: &FileName, len: usize, origin: Origin) -> Result<bool, StoreError> {
        let grows =
            name.kind() == Kind::Appender || name.stamp().is_some_and(|stamp| stamp.size.is_appender());
        let received = matches!(origin, Origin::Peer(_));
        if received && let Some(master) = name.metadata_master() {
            return Ok(self.packs.contains(master.true_name()) && len <= CONTENT_MAX);
        }
        if grows || self.pack_max.is_none_or(|max| len > max) {
            return Ok(false);
        }
        // The metadata of a file made here comes after it.
        Ok(!received || self.files.plain().stat(name.metadata_name().true_name())?.is_none())
    }

    /// A whole file, over whatever is there. It is kept as what was there before it.
    pub(super) fn copy(
        &self,
        name: FileName,
        content: Option<Content>,
        same: Option<Standing>,
        op: char,
        origin: Origin,
    ) -> Result<Checked, StoreError> {
        let (time, op) = (origin.time(), origin.letter(op));
        let found = self.standing(&name)?;
        let lines = line(time, op, &name, format_args!(""));
        let Some(content) = content.filter(|_| same.is_none() || same != found) else {
            let entry = OwnedEntry { change: OwnedChange::Note { name }, mtime: 0, lines };
            return Ok(Checked::plain(vec![entry], Outcome::Had));
        };
        if found.is_none()
            && let Some(file_len) = self.slot_for(&name, &content)?
        {
            return Ok(in_slot(name, file_len, content, time, lines, Outcome::Done));
        }
        let pack = match (found, name.metadata_master()) {
            (Some(Standing::Packed(_)), _) => true,
            // Before a damaged file in a slot, the one beside is found.
            (Some(Standing::Plain(_) | Standing::Slot), _) => false,
            (None, Some(master)) => self.packs.contains(master.true_name()),
            (None, None) => match &content {
                Content::Bytes(content) => self.packs_new(&name, content.len(), origin)?,
                Content::Staged(_) => false,
            },
        };
        let mut staged = None;
        let change = match content {
            Content::Bytes(content) if pack && content.len() <= CONTENT_MAX => {
                let change = PackedChange { name, content: Some(content), op, time };
                return Ok(Checked::packed(vec![change], Outcome::Done));
            }
            // It was not packed when its content was got ready. A file of its own would never be seen behind that.
            _ if pack => return Err(StoreError::Busy),
            Content::Bytes(content) => match found {
                Some(Standing::Plain(_)) => OwnedChange::Replace { name, content: content.into() },
                _ => OwnedChange::Create { name, content },
            },
            Content::Staged(content) => {
                set_mtime(content.file(), time)?;
                let temp = content.number();
                staged = Some(content);
                OwnedChange::Adopt { name, temp }
            }
        };
        let entry = OwnedEntry { change, mtime: time, lines };
        Ok(Checked { staged, ..Checked::plain(vec![entry], Outcome::Done) })
    }

    /// Bytes into a packed file, which is written anew as a whole; so says its line, too.
    pub(super) fn write_packed(
        &self,
        name: FileName,
        at: At,
        content: Content,
        origin: Origin,
    ) -> Result<Checked, StoreError> {
        let mut whole = self.packed_content(&name)?;
        let offset = offset_of(at, whole.len() as u64, content.len())?;
        // Too much for this: the peer sends the whole file instead.
        let Content::Bytes(content) = content else { return Err(StoreError::NotFound) };
        let start = usize::try_from(offset).map_err(|_| StoreError::NotFound)?;
        let end = start + content.len();
        if end > CONTENT_MAX {
            return Err(StoreError::NotFound);
        }
        whole.resize(whole.len().max(end), 0);
        whole.get_mut(start..end).unwrap_or_default().copy_from_slice(&content);
        Ok(rewritten(name, whole.into(), origin, Outcome::At(offset)))
    }

    /// Another size for a packed file, in the same way.
    pub(super) fn truncate_packed(
        &self,
        name: FileName,
        size: u64,
        wanted: Option<u64>,
        origin: Origin,
    ) -> Result<Checked, StoreError> {
        let mut whole = self.packed_content(&name)?;
        let old = whole.len() as u64;
        if wanted.is_some_and(|wanted| wanted != old) {
            return Err(StoreError::Differs);
        }
        let size = usize::try_from(size).ok().filter(|&size| size <= CONTENT_MAX);
        whole.resize(size.ok_or(StoreError::NotFound)?, 0);
        Ok(rewritten(name, whole.into(), origin, Outcome::At(old)))
    }

    fn packed_content(&self, name: &FileName) -> Result<Vec<u8>, StoreError> {
        self.packs.read(name.true_name())?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
    }
}

fn rewritten(name: FileName, content: Bytes, origin: Origin, outcome: Outcome) -> Checked {
    let change = PackedChange { name, content: Some(content), op: origin.letter('U'), time: origin.time() };
    Checked::packed(vec![change], outcome)
}
