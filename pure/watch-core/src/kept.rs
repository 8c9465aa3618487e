//! What a watcher knows, as bytes: a restart goes on where it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outbox::Outbox;
use crate::watch::Trouble;

/// The form that is written.
const VERSION: u32 = 1;
/// Longest content that is read.
pub const LEN_MAX: usize = 64 << 20;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    version: u32,
    /// The troubles that are known.
    pub troubles: Vec<Trouble>,
    /// What each channel has not been told yet, by the channel's name.
    pub outboxes: BTreeMap<String, Outbox>,
}

/// Why bytes are not what was kept.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum KeptError {
    #[error("longer than {LEN_MAX} bytes")]
    TooLong,
    #[error("not what a watcher writes: {0}")]
    NotOurs(#[from] serde_json::Error),
    #[error("written by another version: {0}")]
    OtherVersion(u32),
}

impl Kept {
    /// What is to be kept.
    pub fn new(troubles: Vec<Trouble>, outboxes: BTreeMap<String, Outbox>) -> Self {
        Self { version: VERSION, troubles, outboxes }
    }

    /// As bytes.
    ///
    /// # Errors
    /// Never, as far as we know.
    pub fn to_bytes(&self) -> Result<Vec<u8>, KeptError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// What was kept in these bytes.
    ///
    /// # Errors
    /// When somebody else has written them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeptError> {
        if bytes.len() > LEN_MAX {
            return Err(KeptError::TooLong);
        }
        let kept: Self = serde_json::from_slice(bytes)?;
        if kept.version != VERSION {
            return Err(KeptError::OtherVersion(kept.version));
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tests::offline;
    use crate::watch::{Looked, Rules, Watch};
    use doctor_core::{Severity, Unseen};

    #[test]
    fn what_is_kept_comes_back_and_nothing_else_is_taken() {
        let rules = Rules { threshold: Severity::Warning, looks: 1, repeat_s: 0 };
        let mut watch = Watch::new(rules, Vec::new());
        let mut out = Vec::new();
        watch.step(7, Looked { sights: vec![offline("a")], unseen: Unseen::default() }, &mut out);
        let mut outbox = Outbox::default();
        outbox.push(&out);
        let kept = Kept::new(watch.troubles().cloned().collect(), BTreeMap::from([("email".into(), outbox)]));
        assert_eq!(Kept::from_bytes(&kept.to_bytes().unwrap()).unwrap(), kept);

        let other = br#"{"version":2,"troubles":[],"outboxes":{}}"#;
        assert!(matches!(Kept::from_bytes(other), Err(KeptError::OtherVersion(2))));
        for bytes in [b"" as &[u8], b"{}", b"[]", b"\xff", br#"{"version":1,"troubles":[{}],"outboxes":{}}"#]
        {
            assert!(matches!(Kept::from_bytes(bytes), Err(KeptError::NotOurs(_))));
        }
    }
}
