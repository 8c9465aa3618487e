//! What can be wrong with a file of keys and values.

/// Why a state file was refused. Line numbers count from 1.
///
/// Keys that are not known are no error anywhere: other versions write other keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The bytes are not UTF-8.
    #[error("not a text file")]
    NotText,
    /// A section that must be there is not.
    #[error("section [{section}] is missing")]
    MissingSection {
        /// Its name.
        section: String,
    },
    /// A key that must be there is not; what happens to a file that was emptied by a crash.
    #[error("{key} is missing in section [{section}]")]
    MissingKey {
        /// The section, empty for keys before any section.
        section: String,
        /// The key.
        key: &'static str,
    },
    /// The text after the `=` is not what the key takes.
    #[error("line {line}: wrong value of {key}")]
    Value {
        /// The line.
        line: u32,
        /// The key.
        key: &'static str,
    },
    /// A line of columns has too few of them, or one that is not what it should be.
    #[error("line {line}: wrong {column}")]
    Column {
        /// The line.
        line: u32,
        /// What the column should hold.
        column: &'static str,
    },
}
