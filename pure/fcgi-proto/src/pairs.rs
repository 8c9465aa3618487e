//! Names with values (FastCGI 1.0, section 3.4).

use bytes::{Buf, BufMut, Bytes};

/// Why bytes are no list of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PairsError {
    /// A length is cut off, or leads beyond the end.
    #[error("a variable is cut off")]
    CutOff,
    /// There are more than may be.
    #[error("more than {limit} variables")]
    TooMany {
        /// How many may be.
        limit: usize,
    },
}

/// The variables of a request, in the order they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(Bytes, Bytes)>);

impl Params {
    /// Reads pairs up to the end of `bytes`, which they share.
    ///
    /// # Errors
    /// [`PairsError`].
    pub fn decode(mut bytes: Bytes, limit: usize) -> Result<Self, PairsError> {
        let mut pairs = Vec::new();
        while !bytes.is_empty() {
            if pairs.len() == limit {
                return Err(PairsError::TooMany { limit });
            }
            let (name_len, value_len) = (take_len(&mut bytes)?, take_len(&mut bytes)?);
            pairs.push((take(&mut bytes, name_len)?, take(&mut bytes, value_len)?));
        }
        Ok(Self(pairs))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The value of a variable. One that is set twice has its last value: that is how web servers are configured, with a
    /// line of one's own behind those that are included.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().rfind(|(known, _)| known == name.as_bytes()).map(|(_, value)| value)
    }
}

/// A length: one byte below 128, otherwise four with the highest bit set.
fn take_len(bytes: &mut Bytes) -> Result<usize, PairsError> {
    let first = *bytes.first().ok_or(PairsError::CutOff)?;
    if first < 0x80 {
        bytes.advance(1);
        return Ok(usize::from(first));
    }
    let raw = bytes.try_get_u32().map_err(|_| PairsError::CutOff)?;
    usize::try_from(raw & 0x7fff_ffff).map_err(|_| PairsError::CutOff)
}

fn take(bytes: &mut Bytes, len: usize) -> Result<Bytes, PairsError> {
    if len > bytes.len() {
        return Err(PairsError::CutOff);
    }
    Ok(bytes.split_to(len))
}

/// Writes one pair. Lengths beyond 2³¹ - 1 can't be written: neither part is that long.
pub fn push_pair(name: &[u8], value: &[u8], out: &mut impl BufMut) {
    for part in [name, value] {
        match u8::try_from(part.len()) {
            Ok(len) if len < 0x80 => out.put_u8(len),
            _ => out.put_u32(u32::try_from(part.len()).unwrap_or(u32::MAX) | 0x8000_0000),
        }
    }
    out.put_slice(name);
    out.put_slice(value);
}
