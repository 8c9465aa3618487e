//! Folders and files: names, kinds, rows.

mod key;
mod kind;
mod name;
mod numbering;
mod portable;

pub(crate) use key::fold;
pub use key::{SEARCH_KEY_BYTES_MAX, SearchKey};
pub use kind::{FileContent, Node, NodeKind};
pub use name::{EXTENSION_CHARS_MAX, NAME_BYTES_MAX, NameFault, NodeName};
pub use numbering::{NUMBER_MAX, family, keep_both};
pub use portable::portable;
