//! Slave names: files named after another file.

use crate::name::METADATA_SUFFIX;
use crate::{ExtName, FILE_NAME_LEN_MAX, FileName, NameError, SlavePrefix};

/// Shortest name a slave can be derived from.
const MASTER_LEN_MIN: usize = 34;

/// The name of a slave: the master's without its extension, the prefix, and the slave's own extension if any, which may
/// come with its dot.
///
/// Refused: a master shorter than 34 characters, a result of 128 and more, a result ending in `-m` (it would be
/// some file's metadata), and a result so short that readers would take it for an ordinary file and trust the
/// master's size in it. The original lets all but the first, and of the third all but one case, pass.
///
/// Source: wire protocol, "Slave names".
pub fn slave_name(master: &FileName, prefix: &SlavePrefix, ext: &ExtName) -> Result<FileName, NameError> {
    if master.as_str().len() < MASTER_LEN_MIN {
        return Err(NameError::MasterTooShort);
    }
    let mut text = String::with_capacity(FILE_NAME_LEN_MAX);
    text.push_str(master.without_extension());
    text.push_str(prefix.as_str());
    if !ext.is_empty() && !ext.as_str().starts_with('.') {
        text.push('.');
    }
    text.push_str(ext.as_str());
    if text.ends_with(METADATA_SUFFIX) {
        return Err(NameError::Metadata);
    }
    let slave = FileName::parse(text.as_bytes())?;
    if slave.has_slave_length() { Ok(slave) } else { Err(NameError::SlaveTooShort) }
}
