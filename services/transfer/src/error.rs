//! Why a transfer could not begin, or could not go on.

use crate::journal::JournalError;
use crate::manifest::ManifestError;
use std::io;
use std::path::PathBuf;

/// Why a transfer could not begin, or could not go on. What concerns one file only is a
/// [`Problem`](crate::Problem) instead.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The manifest of a put cannot be written to.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A manifest cannot be read.
    #[error("{from}: {error}")]
    Manifest {
        /// Its path or id.
        from: String,
        /// Why.
        error: ManifestError,
    },
    /// The cluster did not do it.
    #[error(transparent)]
    Cluster(#[from] fdfs_client::Error),
    /// A local file or folder cannot be used.
    #[error("{path}: {error}")]
    Local {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The folder of a put has nothing in it any more.
    #[error(
        "{folder} is empty, and {manifest} lists {files} files of it: is the disk mounted? If it is empty on purpose, \
         name another manifest with --manifest OTHER, or remove this one"
    )]
    EmptyFolder {
        /// The folder.
        folder: PathBuf,
        /// Its manifest.
        manifest: PathBuf,
        /// Files that it lists.
        files: usize,
    },
    /// Another get writes into the folder.
    #[error("{0} is in use by another run: wait for its end, or name another folder")]
    TargetBusy(PathBuf),
    /// The text is neither.
    #[error("{0}: neither a manifest file that exists nor a file id like group1/M00/00/00/…")]
    NoSource(String),
    /// The manifest has nothing there.
    #[error("{0} is not in the manifest: cairn ls lists what is")]
    NotInManifest(String),
    /// A helper of the transfer ended in a way it should not.
    #[error("internal error: {0}")]
    Internal(#[from] tokio::task::JoinError),
}
