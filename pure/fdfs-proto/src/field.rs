//! Reading and writing the primitive fields of a body.

use crate::{DecodeError, Why};

/// The value of a fixed text field: what stands before the first NUL, or the whole field.
///
/// Bytes behind the NUL may be left-overs of the sender's memory and mean nothing.
pub(crate) fn before_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Appends `text`, cut or filled up with NULs to exactly `width` bytes.
pub(crate) fn put_padded(out: &mut Vec<u8>, text: &[u8], width: usize) {
    let text = text.get(..width).unwrap_or(text);
    out.extend_from_slice(text);
    out.resize(out.len() + (width - text.len()), 0);
}

/// Appends a length, size or count as eight bytes. Values beyond the signed range cannot be said on the
/// wire; they become the largest that can.
pub(crate) fn put_int8(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.min(i64::MAX as u64).to_be_bytes());
}

/// Walks over a body and never past its end.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, body: &'a [u8]) -> Reader<'a> {
        Reader { what, body, at: 0 }
    }

    /// An error at the field that ends here.
    pub(crate) fn fail(&self, why: Why) -> DecodeError {
        DecodeError::new(self.what, self.at, why)
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.body.len().saturating_sub(self.at)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(len).ok_or_else(|| self.fail(Why::Short))?;
        let taken = self.body.get(self.at..end).ok_or_else(|| self.fail(Why::Short))?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Eight bytes that count something: negative is an error.
    pub(crate) fn int8(&mut self) -> Result<u64, DecodeError> {
        let value = i64::from_be_bytes(self.array()?);
        u64::try_from(value).map_err(|_| self.fail(Why::Negative))
    }

    /// Eight bytes that give the length of a file name: 1..=`max`.
    pub(crate) fn name_len(&mut self, min: usize, max: usize) -> Result<usize, DecodeError> {
        let len = self.int8()?;
        usize::try_from(len).ok().filter(|len| (min..=max).contains(len)).ok_or_else(|| self.fail(Why::Range))
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = self.body.get(self.at..).unwrap_or_default();
        self.at = self.body.len();
        rest
    }

    /// All of the body must have been read.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.fail(Why::Trailing)) }
    }
}
