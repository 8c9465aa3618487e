//! Listening sockets in the file system, for peers on the same machine.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

/// A bound, listening local socket. Its file stays when this goes: a process that took over may listen there by then.
#[derive(Debug)]
pub struct LocalListener(UnixListener);

impl LocalListener {
    /// Binds and listens at `path`, which whoever may write to a file with the permissions `mode` can connect to. A socket
    /// that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::AddrInUse`] when somebody listens there, [`ErrorKind::AlreadyExists`] when something else than a socket
    /// is there, and what the system says.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(there) if !there.file_type().is_socket() => return Err(ErrorKind::AlreadyExists.into()),
            Ok(_) => match StdStream::connect(path) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
                Err(error) => return Err(error),
                Ok(_) => return Err(ErrorKind::AddrInUse.into()),
            },
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        Ok(Self(listener))
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.0.accept().await?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_taken_over_only_when_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("door");
        let first = LocalListener::bind(&path, 0o660).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(LocalListener::bind(&path, 0o660).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(first);
        let second = LocalListener::bind(&path, 0o666).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        drop(second);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert_eq!(LocalListener::bind(&path, 0o660).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
