//! What other members of the group bring: changes that were made there, done here with their own time and noted in the
//! binlog with a lower-case letter, so that they are not passed on (storage internals: receiver behaviour).
//!
//! Conditions on the file as it is now are checked by the writer, which makes one change of a file at a time. It also leaves
//! out what comes again, in an older form, of a file that was changed here since ([`Overtaken`]): as if it had that; and
//! what comes of a file that was deleted ([`Gone`]).
//!
//! [`Overtaken`]: storage_core::replication::receive::Overtaken
//! [`Gone`]: storage_core::replication::receive::Gone

use std::io;

use fdfs_fileid::{FileName, Kind};
use fdfs_format::pack::CONTENT_MAX;

use crate::mutation::{At, Content, Mutation, NewName, Origin, Outcome, Standing};
use crate::{Store, StoreError};

/// What is read of a file at a time, bytes.
const PART: usize = 256 * 1024;

/// What a whole file is a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichCopy {
    /// A file that was made; if there is one of the same content, that stays.
    Created,
    /// A file that was replaced (metadata), or that this storage turned out not to have as its peer has it.
    Updated,
}

impl WhichCopy {
    fn op(self) -> char {
        match self {
            Self::Created => 'C',
            Self::Updated => 'U',
        }
    }
}

/// What became of a copy. Either way the binlog has its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is here now.
    Stored,
    /// It was here already.
    Had,
}

/// Length, bytes, and CRC-32 of the content that a name speaks of; `None` for names that say nothing of it: those of
/// appenders, slaves, and metadata.
pub fn named_content(name: &FileName) -> Option<(u64, u32)> {
    if !matches!(name.kind(), Kind::Normal | Kind::Trunk) {
        return None;
    }
    let stamp = name.stamp()?;
    Some((stamp.size.size()?, stamp.crc32))
}

impl Store {
    /// Takes a whole file, over whatever has its name.
    ///
    /// A created file is here already when one of this size is and, where the name speaks of the content, its checksum
    /// is right: the file here is then read once, which is cheaper than writing it again, and a rotten one is replaced.
    /// An update of a file in a slot of a trunk file is taken in the same way.
    ///
    /// A packed file that is to have more than a pack takes is deleted first, as by its peer: the size of one that was
    /// packed changes only when it was deleted and another one made under its name.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for content that is not what its name says, [`StoreError::Busy`] when something else came
    /// to be under the name meanwhile: what was there stays.
    pub async fn receive_copy(
        &self,
        name: FileName,
        content: Content,
        which: WhichCopy,
        time: u32,
    ) -> Result<Received, StoreError> {
        let (len, crc32) = (content.len(), content.crc32());
        if named_content(&name).is_some_and(|named| named != (len, crc32)) {
            return Err(StoreError::Corrupt { name: name.as_str().into(), len, crc32 });
        }
        let content = self.packable(&name, content, time).await?;
        self.ready(name.path_index(), &content).await?;
        // A file beside the one in its slot would be deleted alone: the other one would come back.
        let same = if which == WhichCopy::Created || name.kind() == Kind::Trunk {
            self.same(&name, len).await?
        } else {
            None
        };
        let (path, origin) = (name.path_index(), Origin::Peer(time));
        let copy = Mutation::Copy { name, content: Some(content), same, op: which.op(), origin };
        match self.ask(path, copy).await? {
            Outcome::Had => Ok(Received::Had),
            _ => Ok(Received::Stored),
        }
    }

    /// Content as it can be kept: what takes the place of a packed file, or is the metadata of one, is packed itself,
    /// however large, so that it is one change. A file that no pack takes makes its place free first.
    async fn packable(&self, name: &FileName, content: Content, time: u32) -> Result<Content, StoreError> {
        let packs = &self.path_of(name)?.packs;
        let master = name.metadata_master();
        let is_packed = |name: &FileName| packs.contains(name.true_name());
        if !is_packed(name) && !master.as_ref().is_some_and(is_packed) {
            return Ok(content);
        }
        if content.len() <= CONTENT_MAX as u64 {
            return Ok(match content {
                Content::Staged(staged) => Content::Bytes(staged.into_bytes().await?),
                content => content,
            });
        }
        if master.is_some() {
            let text = format!("{} bytes are too much for the metadata of a packed file", content.len());
            return Err(StoreError::Io(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        match self.receive_delete(name.clone(), time).await {
            Ok(()) | Err(StoreError::NotFound) => Ok(content),
            Err(error) => Err(error),
        }
    }

    /// Notes a file that a peer has seen to be here. It is not read: whatever the answer, the peer would not send it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn receive_claim(&self, name: FileName, which: WhichCopy, time: u32) -> Result<(), StoreError> {
        let (path, origin) = (name.path_index(), Origin::Peer(time));
        let copy = Mutation::Copy { name, content: None, same: None, op: which.op(), origin };
        self.ask(path, copy).await.map(drop)
    }

    /// Has peers take a file once more, as it is here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn send_again(&self, name: FileName, time: u32) -> Result<(), StoreError> {
        let (path, origin) = (name.path_index(), Origin::Here(time));
        let copy = Mutation::Copy { name, content: None, same: None, op: WhichCopy::Updated.op(), origin };
        self.ask(path, copy).await.map(drop)
    }

    /// The file of this name, if it has as many bytes and nothing speaks against it.
    async fn same(&self, name: &FileName, len: u64) -> Result<Option<Standing>, StoreError> {
        let stored = match self.open_file(name).await {
            Err(StoreError::NotFound | StoreError::NotRegular | StoreError::SetAside) => return Ok(None),
            stored => stored?,
        };
        if stored.len != len {
            return Ok(None);
        }
        if let Some((_, crc32)) = named_content(name) {
            match stored.crc32().await {
                Ok(found) if found == crc32 => {}
                Ok(_) => {
                    tracing::warn!(%name, "the file here was damaged, a peer's copy takes its place");
                    return Ok(None);
                }
                Err(error) => {
                    tracing::warn!(%name, %error, "the file here can't be read, a peer's copy takes its place");
                    return Ok(None);
                }
            }
        }
        Ok(Some(stored.standing()))
    }

    /// Takes bytes that were appended to a file which ended at `start` then.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the file has these bytes already; [`StoreError::NotFound`] when it is missing or is
    /// no beginning of what it should be, so that the whole of it is needed; [`StoreError::NotRegular`].
    ///
    /// The original goes by the size alone, and sends changes of one file at the same time: what was appended after a
    /// cut that comes later would be missing for ever (storage internals: holes, D4).
    pub async fn receive_append(
        &self,
        name: FileName,
        start: u64,
        content: Content,
        time: u32,
    ) -> Result<(), StoreError> {
        let (len, crc32) = (content.len(), content.crc32());
        match self.write(name.clone(), At::KnownEnd(start), content, Origin::Peer(time)).await {
            Err(StoreError::Exists) if !self.has_part(&name, start, len, crc32).await? => {
                Err(StoreError::NotFound)
            }
            done => done.map(drop),
        }
    }

    /// Whether a part of a file has this checksum.
    async fn has_part(
        &self,
        name: &FileName,
        mut start: u64,
        len: u64,
        crc32: u32,
    ) -> Result<bool, StoreError> {
        let stored = match self.open_file(name).await {
            Err(StoreError::NotFound) => return Ok(false),
            stored => stored?,
        };
        let mut crc = crc32fast::Hasher::new();
        let end = start.saturating_add(len);
        if stored.len < end {
            return Ok(false);
        }
        while start < end {
            let part = stored.read(start, PART.min(usize::try_from(end - start).unwrap_or(PART))).await?;
            crc.update(&part);
            start += part.len() as u64;
        }
        Ok(crc.finalize() == crc32)
    }

    /// Takes bytes that were written over part of a file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Offset`] when `offset` is behind the end; [`StoreError::NotRegular`].
    pub async fn receive_modify(
        &self,
        name: FileName,
        offset: u64,
        content: Content,
        time: u32,
    ) -> Result<(), StoreError> {
        self.write(name, At::Offset(offset), content, Origin::Peer(time)).await.map(drop)
    }

    /// Gives a file of `old` bytes another size.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Differs`] when it has not `old` bytes; [`StoreError::NotRegular`].
    pub async fn receive_truncate(
        &self,
        name: FileName,
        old: u64,
        size: u64,
        time: u32,
    ) -> Result<(), StoreError> {
        let path = name.path_index();
        let truncate = Mutation::Truncate { name, size, old: Some(old), origin: Origin::Peer(time) };
        self.ask(path, truncate).await.map(drop)
    }

    /// Deletes a file and its metadata, or a metadata file.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the deletion had come before, and the file was made again here since: it stays.
    /// [`StoreError::NotFound`]. The binlog has a line all the same, but for metadata: the file may not have come yet, and
    /// whoever remembers deletions finds it there after a start.
    pub async fn receive_delete(&self, name: FileName, time: u32) -> Result<(), StoreError> {
        match self.ask(name.path_index(), Mutation::Delete { name, origin: Origin::Peer(time) }).await? {
            Outcome::Missing => Err(StoreError::NotFound),
            Outcome::Had => Err(StoreError::Exists),
            _ => Ok(()),
        }
    }

    /// Gives a file another name on the same store path. Metadata moves along.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the new name is taken, or was deleted by a member whose word was faster;
    /// [`StoreError::NotFound`] when there is no such file, or it is not what its new name says, as not every change of it
    /// came in time: it goes, so that the whole comes under the new name.
    pub async fn receive_rename(&self, from: FileName, to: FileName, time: u32) -> Result<(), StoreError> {
        let path = from.path_index();
        if to.path_index() != path {
            return Err(StoreError::NotFound);
        }
        if let Some(named) = named_content(&to)
            && matches!(self.open_file(&to).await, Err(StoreError::NotFound))
        {
            let stored = self.open_file(&from).await?;
            if (stored.len, stored.crc32().await?) != named {
                tracing::info!(%from, %to, "a file lacks changes that were made before it got its new name");
                self.receive_delete(from, time).await?;
                return Err(StoreError::NotFound);
            }
        }
        let new = NewName::Fixed(to);
        let rename = Mutation::Move { name: from, new, seen: None, origin: Origin::Peer(time) };
        self.ask(path, rename).await.map(drop)
    }

    /// Makes one more name for a file, whose content has been copied for it.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken.
    pub async fn receive_link(
        &self,
        link: FileName,
        to: FileName,
        content: Content,
        time: u32,
    ) -> Result<(), StoreError> {
        let path = link.path_index();
        self.ready(path, &content).await?;
        let (name, origin) = (NewName::Fixed(link), Origin::Peer(time));
        self.ask(path, Mutation::Create { name, content, link_to: Some(to), origin }).await.map(drop)
    }
}
