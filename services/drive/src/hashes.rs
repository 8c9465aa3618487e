//! The digests of a content while its bytes come, in a form that another process goes on with.

use drive_core::content::{Md5Digest, Sha256Digest};
use md5::{Digest, Md5};
use sha2::Sha256;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

/// The first byte of a state: the libraries promise nothing about the form of theirs between their versions. To be
/// raised with either; the test below has bytes of this one.
const VERSION: u8 = 1;

/// Both digests of the bytes so far.
#[derive(Clone)]
pub(crate) struct Hashes {
    sha256: Sha256,
    md5: Md5,
}

impl Hashes {
    /// Of no bytes.
    pub(crate) fn new() -> Self {
        Self { sha256: Sha256::new(), md5: Md5::new() }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.update(bytes);
    }

    pub(crate) fn finish(self) -> (Sha256Digest, Md5Digest) {
        (Sha256Digest(self.sha256.finalize().into()), Md5Digest(self.md5.finalize().into()))
    }

    /// As an upload's row has it.
    pub(crate) fn to_state(&self) -> Vec<u8> {
        let mut state = vec![VERSION];
        state.extend_from_slice(&self.sha256.serialize());
        state.extend_from_slice(&self.md5.serialize());
        state
    }

    /// From an upload's row. None of another version: the bytes have to be read again.
    pub(crate) fn from_state(state: &[u8]) -> Option<Self> {
        let (version, rest) = state.split_first()?;
        let sha256_bytes = SerializedState::<Sha256>::default().len();
        let (sha256, md5) = rest.split_at_checked(sha256_bytes)?;
        if *version != VERSION {
            return None;
        }
        Some(Self {
            sha256: Sha256::deserialize(sha256.try_into().ok()?).ok()?,
            md5: Md5::deserialize(md5.try_into().ok()?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_go_on_in_another_process() {
        let content: Vec<u8> = (0..1000u32).map(|at| at as u8).collect();
        for cut in [0, 1, 63, 64, 65, 500, 1000] {
            let mut hashes = Hashes::new();
            hashes.update(&content[..cut]);
            let state = hashes.to_state();
            assert!(state.len() <= drive_db::HASH_STATE_BYTES_MAX);
            let mut hashes = Hashes::from_state(&state).unwrap();
            hashes.update(&content[cut..]);
            let (sha256, md5) = hashes.finish();
            // Python: hashlib over bytes(at % 256 for at in range(1000))
            assert_eq!(sha256.to_string(), SHA256, "{cut}");
            assert_eq!(md5.to_string(), MD5, "{cut}");
        }
    }

    /// What an upload's row had when this was version 1: 1000 bytes as above, 70 of them so far.
    const STATE: &str = "01dfa299fc7a2af48880d1b97ba2c6cd335f755602509a5b9d31cca944a784be5a010000000000000006404142434445\
         000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
         000000000000000000cad94491c9e401d9385bfc721ef55f620100000000000000064041424344450000000000000000\
         000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
         00";

    #[test]
    fn what_a_row_has_is_read_by_every_later_program() {
        let bytes: Vec<u8> = (0..STATE.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&STATE[at..at + 2], 16).unwrap())
            .collect();
        let content: Vec<u8> = (0..1000u32).map(|at| at as u8).collect();
        let mut hashes = Hashes::new();
        hashes.update(&content[..70]);
        assert_eq!(hashes.to_state(), bytes);
        let mut hashes = Hashes::from_state(&bytes).unwrap();
        hashes.update(&content[70..]);
        assert_eq!(hashes.finish().0.to_string(), SHA256);
    }

    const SHA256: &str = "a8af099bf2e878609558dbf69d8f88f4a31040a8cf84b549a0cfa912f12ffc3f";
    const MD5: &str = "cbecbdb0fdd5cec1e242493b6008cc79";

    #[test]
    fn what_is_no_state_is_none() {
        let state = Hashes::new().to_state();
        assert!(Hashes::from_state(&state).is_some());
        assert!(Hashes::from_state(&[]).is_none());
        assert!(Hashes::from_state(&state[1..]).is_none());
        assert!(Hashes::from_state(&[&state[..], &[0]].concat()).is_none());
        let mut other = state;
        other[0] = VERSION + 1;
        assert!(Hashes::from_state(&other).is_none());
    }
}
