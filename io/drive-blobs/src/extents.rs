//! What a blob is made of, as the text of its key.
//!
//! ```text
//! key     [ "*" index "," ] extent *( "," extent )
//! extent  name "@" length                 length: lower-case hexadecimal
//! index   name "@" length                 length: of all bytes it stands for
//! state   key "|" place "|" [ name *( "," name ) ]
//! ```
//!
//! An index is an object with one extent a line. It takes in extents that the key has no room for, so a blob may
//! have any number of them, and its key as many as make an index rare.

use std::fmt::Write as _;

use drive_core::ByteCount;
use drive_core::ports::{BLOB_KEY_BYTES_MAX, BlobError, BlobKey, PARTIAL_STATE_BYTES_MAX, PartialBlob};

/// Bytes of extents as text at most: a key, less what sealing may add to two names.
pub(crate) const EXTENTS_TEXT_BYTES_MAX: usize = BLOB_KEY_BYTES_MAX - 8;

/// The characters that part names.
const MARKS: [char; 4] = ['*', '@', ',', '|'];

/// Bytes that lie together in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extent {
    /// What the store calls them.
    pub(crate) name: String,
    /// How many belong to the blob; the store may have more behind them.
    pub(crate) length: u64,
}

/// A blob, sealed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extents {
    /// The object that has the first extents as text, and the bytes that those have.
    pub(crate) index: Option<Extent>,
    /// The extents behind those. There is always one.
    pub(crate) tail: Vec<Extent>,
}

/// A blob under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) extents: Extents,
    /// Where the last extent grows; means something to the store alone.
    pub(crate) place: String,
    /// Objects that `extents` no longer has and the state before it had.
    pub(crate) stale: Vec<String>,
}

impl Extents {
    pub(crate) fn parse(text: &str) -> Result<Extents, BlobError> {
        let mut items = text.split(',').peekable();
        let first = items.next_if(|item| item.starts_with('*'));
        let index = first.and_then(|item| item.strip_prefix('*')).map(extent).transpose()?;
        let tail = items.map(extent).collect::<Result<Vec<_>, _>>()?;
        let extents = Extents { index, tail };
        if extents.tail.is_empty() || extents.checked_length().is_none() {
            return Err(foreign());
        }
        Ok(extents)
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(index) = &self.index {
            text.push('*');
            push(&mut text, index);
            text.push(',');
        }
        for (at, extent) in self.tail.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            push(&mut text, extent);
        }
        text
    }

    pub(crate) fn key(&self) -> Result<BlobKey, BlobError> {
        BlobKey::new(&self.text()).ok_or_else(|| refused("its names are too long for a key"))
    }

    /// All its bytes.
    pub(crate) fn length(&self) -> u64 {
        self.checked_length().unwrap_or(u64::MAX)
    }

    fn checked_length(&self) -> Option<u64> {
        let all = self.index.iter().chain(&self.tail);
        let sum = all.map(|extent| extent.length).try_fold(0_u64, u64::checked_add)?;
        ByteCount::new(sum).map(ByteCount::get)
    }
}

impl State {
    pub(crate) fn parse(partial: &PartialBlob) -> Result<State, BlobError> {
        let mut parts = partial.state.split('|');
        let (Some(key), Some(place), Some(stale), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(foreign());
        };
        let stale = stale.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let extents = Extents::parse(key)?;
        if extents.length() != partial.length.get() {
            return Err(foreign());
        }
        Ok(State { extents, place: place.to_owned(), stale })
    }

    /// The objects that it names. An index names more.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let extents = self.extents.index.iter().chain(&self.extents.tail);
        extents.map(|extent| extent.name.as_str()).chain(self.stale.iter().map(String::as_str))
    }

    pub(crate) fn partial(&self) -> Result<PartialBlob, BlobError> {
        let state = format!("{}|{}|{}", self.extents.text(), self.place, self.stale.join(","));
        let length = self.extents.checked_length().and_then(ByteCount::new);
        match length {
            Some(length) if state.len() <= PARTIAL_STATE_BYTES_MAX => Ok(PartialBlob { state, length }),
            _ => Err(refused("it is too long, or its names are")),
        }
    }
}

/// The lines of an index.
pub(crate) fn lines(text: &[u8]) -> Result<Vec<Extent>, BlobError> {
    let text = std::str::from_utf8(text).map_err(|_| BlobError::Damaged)?;
    text.lines().map(|line| extent(line).map_err(|_| BlobError::Damaged)).collect()
}

/// Adds a line to an index.
pub(crate) fn push_line(lines: &mut Vec<u8>, extent: &Extent) {
    let mut line = String::new();
    push(&mut line, extent);
    line.push('\n');
    lines.extend_from_slice(line.as_bytes());
}

fn push(text: &mut String, extent: &Extent) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{}@{:x}", extent.name, extent.length);
}

fn extent(text: &str) -> Result<Extent, BlobError> {
    let (name, length) = text.split_once('@').ok_or_else(foreign)?;
    let length = u64::from_str_radix(length, 16).map_err(|_| foreign())?;
    if name.is_empty() || name.contains(MARKS) {
        return Err(foreign());
    }
    Ok(Extent { name: name.to_owned(), length })
}

/// A key or state that no store of this kind has made: refused instead of missing, since what is missing counts as
/// deleted.
pub(crate) fn foreign() -> BlobError {
    refused("not a key of this store")
}

fn refused(why: &str) -> BlobError {
    BlobError::Refused(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, length: u64) -> Extent {
        Extent { name: name.to_owned(), length }
    }

    #[test]
    fn a_key_says_what_the_blob_is_made_of() {
        for (text, extents) in [
            ("a@0", Extents { index: None, tail: vec![of("a", 0)] }),
            (
                "g/M00/00/00/a.b@1f,b@2",
                Extents { index: None, tail: vec![of("g/M00/00/00/a.b", 31), of("b", 2)] },
            ),
            ("*i@10,b@2", Extents { index: Some(of("i", 16)), tail: vec![of("b", 2)] }),
        ] {
            assert_eq!(Extents::parse(text), Ok(extents.clone()), "{text}");
            assert_eq!(extents.text(), text);
        }
    }

    #[test]
    fn what_no_store_has_written_is_refused() {
        for text in [
            "",
            "a",
            "@1",
            "a@",
            "a@x",
            "a@-1",
            "a@1,",
            ",a@1",
            "*i@1",
            "a@1,*i@1",
            "a|b@1",
            "a@7fffffffffffffff,b@1",
        ] {
            assert_eq!(Extents::parse(text), Err(foreign()), "{text}");
        }
    }

    #[test]
    fn a_state_is_its_extents_its_place_and_what_they_replaced() {
        for (text, length, stale) in
            [("a@1|127.0.0.1:23000|", 1, vec![]), ("*i@2,a@1||x,y", 3, vec!["x", "y"])]
        {
            let partial = PartialBlob { state: text.to_owned(), length: ByteCount::new(length).unwrap() };
            let state = State::parse(&partial).unwrap();
            assert_eq!(state.stale, stale);
            assert_eq!(state.partial().unwrap(), partial);
        }
    }

    #[test]
    fn a_state_of_another_length_or_form_is_refused() {
        for (text, length) in [("a@1||", 2), ("a@1", 1), ("a@1|", 1), ("a@1|||", 1)] {
            let partial = PartialBlob { state: text.to_owned(), length: ByteCount::new(length).unwrap() };
            assert_eq!(State::parse(&partial), Err(foreign()), "{text}");
        }
    }

    #[test]
    fn an_index_has_an_extent_a_line() {
        let mut text = Vec::new();
        push_line(&mut text, &of("a", 10));
        push_line(&mut text, &of("b", 1));
        assert_eq!(text, b"a@a\nb@1\n");
        assert_eq!(lines(&text).unwrap(), [of("a", 10), of("b", 1)]);
        assert_eq!(lines(b"a@a\nb"), Err(BlobError::Damaged));
    }
}
