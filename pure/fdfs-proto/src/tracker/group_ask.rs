//! A body that is a group name and nothing else.

use crate::GroupField;
use crate::record::{Group16, record};

record! {
    /// Body of 90, 104, 107 and 108: the group, 16 bytes.
    #[derive(Hash)]
    pub struct GroupAsk as "group" {
        /// The group.
        group: GroupField => Group16,
    }
}

/// Body of 92, 93 and 94: a group and perhaps a storage id, unpadded.
pub(crate) mod with_id {
    use crate::field::{Reader, put_padded};
    use crate::limits::{GROUP_LEN, STORAGE_ID_LEN_MAX};
    use crate::record::{Group16, Kind};
    use crate::{DecodeError, GroupField, StorageId, Why};

    /// Group and id; `None` when nothing follows the group.
    pub(crate) fn decode(
        what: &'static str,
        body: &[u8],
    ) -> Result<(GroupField, Option<StorageId>), DecodeError> {
        let mut reader = Reader::new(what, body);
        let group = <Group16 as Kind<GroupField>>::read(&mut reader)?;
        let id = reader.rest();
        if id.is_empty() {
            return Ok((group, None));
        }
        if id.len() > STORAGE_ID_LEN_MAX {
            return Err(reader.fail(Why::Length));
        }
        // Some clients send the NUL along.
        let id = crate::field::before_nul(id);
        StorageId::new(id).map(|id| (group, Some(id))).ok_or_else(|| reader.fail(Why::Text))
    }

    pub(crate) fn encode(group: GroupField, id: Option<&StorageId>, out: &mut Vec<u8>) {
        put_padded(out, group.as_bytes(), GROUP_LEN);
        out.extend_from_slice(id.map_or(&[][..], StorageId::as_bytes));
    }
}
