//! Contents: bytes that are stored once, counted, and collected when nobody refers to them.

mod identity;
pub mod possession;
mod reference;
mod serving;

pub use identity::{ContentIdentity, Md5Digest, NotHex, Sha256Digest};
pub use reference::{
    COLLECT_GRACE, Content, DROP_GRACE, ReferenceDelta, Stored, add_up, count_references, delete_blob_at,
    may_collect, store,
};
pub use serving::{Serving, serving};
