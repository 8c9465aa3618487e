//! The port over objects: what is the same for every store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drive_core::ByteCount;
use drive_core::ports::{BlobError, BlobKey, BlobStore, ByteSource, Later, PIECE_BYTES_MAX, PartialBlob};

use crate::exact::Exact;
use crate::extents::{EXTENTS_TEXT_BYTES_MAX, Extent, Extents, State, lines, push_line};
use crate::objects::{Grown, Objects, REMOVED_AT_ONCE};

/// Bytes of an index at most: about 400,000 extents.
const INDEX_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Blobs made of extents.
pub(crate) struct Blobs<O> {
    objects: Arc<O>,
}

impl<O: Objects> Blobs<O> {
    pub(crate) fn new(objects: O) -> Blobs<O> {
        Blobs { objects: Arc::new(objects) }
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, BlobError>>) -> Result<T, BlobError> {
        within(self.objects.deadline(), work).await
    }

    /// Moves all extents but the last into an index, if they do not fit a key. Gives the name of the index before.
    async fn fold(&self, extents: &mut Extents) -> Result<Option<String>, BlobError> {
        if extents.text().len() <= EXTENTS_TEXT_BYTES_MAX {
            return Ok(None);
        }
        let mut text = match &extents.index {
            Some(index) => self.objects.load(&index.name).await?.to_vec(),
            None => Vec::new(),
        };
        let moved = extents.tail.len().saturating_sub(1);
        let mut length = extents.index.as_ref().map_or(0, |index| index.length);
        for extent in extents.tail.drain(..moved) {
            push_line(&mut text, &extent);
            length += extent.length;
        }
        if text.len() > INDEX_BYTES_MAX {
            return Err(BlobError::Refused("the blob has too many parts".to_owned()));
        }
        let name = self.objects.write(text).await?;
        let before = extents.index.replace(Extent { name, length });
        Ok(before.map(|index| index.name))
    }

    async fn grow(&self, to: Option<State>, piece: Bytes) -> Result<PartialBlob, BlobError> {
        let last = to.as_ref().and_then(|to| Some((to.extents.tail.last()?, to.place.as_str())));
        let (grown, place) = self.objects.grow(last, piece).await?;
        let (mut extents, no_more) = match to {
            Some(to) => (to.extents, to.stale),
            None => (Extents { index: None, tail: Vec::new() }, Vec::new()),
        };
        let mut stale = Vec::new();
        match grown {
            Grown::Behind(extent) => extents.tail.push(extent),
            Grown::Instead(extent) => {
                let before = extents.tail.pop().map(|before| before.name);
                stale.extend(before.filter(|name| *name != extent.name));
                extents.tail.push(extent);
            }
        }
        stale.extend(self.fold(&mut extents).await?);
        if !O::REMOVES_STALE {
            stale.clear();
        }
        let partial = State { extents, place, stale }.partial()?;
        // The caller has kept the state that made these stale, so no repeated call needs them.
        self.drop_stale(&no_more).await;
        Ok(partial)
    }

    /// Removes what nobody needs. What can't be removed now stays as an orphan.
    async fn drop_stale(&self, names: &[String]) {
        if !names.is_empty()
            && let Err(error) = self.objects.remove(names).await
        {
            tracing::warn!(%error, ?names, "objects that are not needed any more stay in the blob store");
        }
    }

    /// Removes all extents, `more`, and at last the index, which may have the name `settled` instead: until then the same
    /// call can be made again.
    async fn remove_all(
        &self,
        extents: Extents,
        more: Vec<String>,
        settled: Option<String>,
    ) -> Result<(), BlobError> {
        let indexes: Vec<_> = extents.index.map(|index| index.name).into_iter().chain(settled).collect();
        let mut names = more;
        names.extend(extents.tail.into_iter().map(|extent| extent.name));
        for index in &indexes {
            match self.within(self.objects.load(index)).await {
                Ok(text) => {
                    names.extend(lines(&text)?.into_iter().map(|extent| extent.name));
                    break;
                }
                Err(BlobError::Missing) => {}
                Err(error) => return Err(error),
            }
        }
        names.extend(indexes);
        for some in names.chunks(REMOVED_AT_ONCE) {
            self.within(self.objects.remove(some)).await?;
        }
        Ok(())
    }

    /// The parts of the extents in which these bytes lie.
    async fn parts(&self, extents: Extents, offset: u64, length: u64) -> Result<VecDeque<Part>, BlobError> {
        let mut at = 0;
        let mut all = Vec::new();
        match &extents.index {
            Some(index) if offset < index.length => all = lines(&self.objects.load(&index.name).await?)?,
            Some(index) => at = index.length,
            None => {}
        }
        all.extend(extents.tail);
        let end = offset.saturating_add(length);
        let mut parts = VecDeque::new();
        for extent in all {
            let (from, to) = (at.max(offset), at.saturating_add(extent.length).min(end));
            let next = at.saturating_add(extent.length);
            if from < to {
                parts.push_back(Part { offset: from - at, length: to - from, extent });
            }
            at = next;
        }
        Ok(parts)
    }
}

impl<O: Objects> BlobStore for Blobs<O> {
    fn put<'a>(
        &'a self,
        length: ByteCount,
        source: &'a mut dyn ByteSource,
    ) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move {
            let tail = self.objects.put(length.get(), Exact::new(source, length.get())).await?;
            let mut extents = Extents { index: None, tail };
            self.within(self.fold(&mut extents)).await?;
            extents.key()
        })
    }

    fn append<'a>(
        &'a self,
        to: Option<&'a PartialBlob>,
        piece: Bytes,
    ) -> Later<'a, Result<PartialBlob, BlobError>> {
        Box::pin(async move {
            if !(1..=PIECE_BYTES_MAX).contains(&piece.len()) {
                return Err(BlobError::Refused(format!("a piece of {} bytes", piece.len())));
            }
            let to = to.map(State::parse).transpose()?;
            self.within(self.grow(to, piece)).await
        })
    }

    fn seal<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move {
            let State { extents, stale, .. } = State::parse(partial)?;
            self.within(async {
                let key = self.objects.settle(extents).await?.key()?;
                self.drop_stale(&stale).await;
                Ok(key)
            })
            .await
        })
    }

    fn take_back<'a>(
        &'a self,
        before: Option<&'a PartialBlob>,
        after: &'a PartialBlob,
    ) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let before = before.map(State::parse).transpose()?;
            let kept: Vec<_> = before.iter().flat_map(State::names).collect();
            let after = State::parse(after)?;
            // What is new has a name that nobody else was told.
            let new: Vec<_> = after.names().filter(|name| !kept.contains(name)).map(str::to_owned).collect();
            for some in new.chunks(REMOVED_AT_ONCE) {
                self.within(self.objects.remove(some)).await?;
            }
            Ok(())
        })
    }

    fn discard<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let State { extents, mut stale, .. } = State::parse(partial)?;
            // It may have been sealed, wholly or in part, and nobody kept the key.
            let settled = |extent: &Extent| O::settled(&extent.name);
            stale.extend(extents.tail.last().and_then(settled));
            let index = extents.index.as_ref().and_then(settled);
            self.remove_all(extents, stale, index).await
        })
    }

    fn read<'a>(
        &'a self,
        key: &'a BlobKey,
        offset: ByteCount,
        length: ByteCount,
    ) -> Later<'a, Result<Box<dyn ByteSource>, BlobError>> {
        Box::pin(async move {
            let extents = Extents::parse(key.as_str())?;
            if offset.plus(length).is_none_or(|end| end.get() > extents.length()) {
                return Err(BlobError::Refused("the blob has not so many bytes".to_owned()));
            }
            let deadline = self.objects.deadline();
            within(deadline, async {
                if let (0, Some(last)) = (length.get(), extents.tail.last()) {
                    self.objects.probe(last).await?;
                }
                let parts = self.parts(extents, offset.get(), length.get()).await?;
                let objects = Arc::clone(&self.objects);
                let mut row = Row { objects, parts, open: None, first: None, deadline };
                row.first = row.advance().await?;
                Ok(Box::new(row) as Box<dyn ByteSource>)
            })
            .await
        })
    }

    fn delete<'a>(&'a self, key: &'a BlobKey) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move { self.remove_all(Extents::parse(key.as_str())?, Vec::new(), None).await })
    }

    fn check(&self) -> Later<'_, Result<(), BlobError>> {
        Box::pin(self.within(self.objects.check()))
    }
}

/// Some bytes of an extent.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    extent: Extent,
    offset: u64,
    length: u64,
}

/// Parts, one after the other.
struct Row<O> {
    objects: Arc<O>,
    parts: VecDeque<Part>,
    open: Option<Box<dyn ByteSource>>,
    /// What was read to see that there is something.
    first: Option<Bytes>,
    deadline: Duration,
}

impl<O: Objects> Row<O> {
    async fn advance(&mut self) -> Result<Option<Bytes>, BlobError> {
        loop {
            if let Some(open) = &mut self.open
                && let Some(piece) = open.next().await?
            {
                return Ok(Some(piece));
            }
            let Some(Part { extent, offset, length }) = self.parts.pop_front() else { return Ok(None) };
            self.open = Some(self.objects.open(extent, offset, length)?);
        }
    }
}

impl<O: Objects> ByteSource for Row<O> {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async {
            match self.first.take() {
                Some(first) => Ok(Some(first)),
                None => within(self.deadline, self.advance()).await,
            }
        })
    }
}

/// The outcome, if there is one in time.
pub(crate) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, BlobError>>,
) -> Result<T, BlobError> {
    match tokio::time::timeout(deadline, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(BlobError::Unavailable(format!("no answer within {deadline:?}"))),
    }
}
