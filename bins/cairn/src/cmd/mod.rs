//! The commands of `cairn`, one file each.

pub(crate) mod install_tools;
pub(crate) mod reference;
