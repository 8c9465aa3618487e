//! A tool's client: `client.conf` read, trackers known, a runtime to wait in.

use std::path::Path;

use fdfs_client::{Client, ClientConfig, Error, ServerAddr};
use fdfs_conf::ClientConf;
use fdfs_fileid::FileId;
use tokio::runtime::Runtime;

use super::{Call, Trouble, errno_of, errno_text};
use crate::conf;

const EINVAL: u8 = 22;

/// What a tool talks to the cluster with.
pub(super) struct Session {
    pub client: Client,
    pub conf: ClientConf,
    runtime: Runtime,
}

/// Which stream a tool's failures go to: the original's tools differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Out,
    Err,
}

impl Session {
    /// Reads the configuration; says what is wrong with it on standard error.
    pub(super) fn open(call: &mut Call<'_>, conf_file: &Path) -> Result<Self, Trouble> {
        let conf = match conf::client(conf_file) {
            Ok(conf) => conf,
            Err(error) => {
                let _ = writeln!(call.err, "{error}");
                return Err(Trouble::Said(error.errno()));
            }
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
                let _ = writeln!(call.err, "cannot start: {error}");
                Trouble::Said(errno_of(&error))
            })?;
        let client = Client::new(ClientConfig::from_conf(conf.clone()));
        Ok(Self { client, conf, runtime })
    }

    /// Waits for an answer.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }
}

impl Call<'_> {
    /// A file id among the arguments. What is none is refused as a server would refuse it.
    pub(super) fn file_id(&mut self, at: usize, what: &str, to: To) -> Result<FileId, Trouble> {
        let text = self.text(at)?;
        FileId::parse(text.as_bytes()).map_err(|error| {
            let _ = self.say_failed(what, EINVAL, to);
            let _ = writeln!(self.err, "{text}: {error}");
            Trouble::Said(EINVAL)
        })
    }

    /// A server's address among the arguments.
    pub(super) fn address(
        &mut self,
        at: usize,
        what: &str,
        default_port: u16,
    ) -> Result<ServerAddr, Trouble> {
        let text = self.text(at)?;
        ServerAddr::parse(&text, default_port).map_err(|error| {
            let _ = writeln!(self.err, "{what} {text}: {error}");
            Trouble::Said(EINVAL)
        })
    }

    /// `<what> fail, error no: N, error info: TEXT` in the stream scripts read it from, and for people the
    /// whole story on standard error. The status is the error's number.
    pub(super) fn failed(&mut self, what: &str, error: &Error, to: To) -> Trouble {
        let number = error.errno();
        if let Err(broken) = self.say_failed(what, number, to) {
            return broken.into();
        }
        let _ = writeln!(self.err, "{error}");
        Trouble::Said(number)
    }

    /// The same where the original ends with 0: we end with 1.
    pub(super) fn failed_1(&mut self, what: &str, error: &Error, to: To) -> Trouble {
        match self.failed(what, error, to) {
            Trouble::Said(_) => Trouble::Said(super::EXIT_FAILED),
            other => other,
        }
    }

    /// The line for scripts.
    pub(super) fn say_failed(&mut self, what: &str, number: u8, to: To) -> std::io::Result<()> {
        let text = errno_text(number);
        let stream = match to {
            To::Out => &mut *self.out,
            To::Err => &mut *self.err,
        };
        writeln!(stream, "{what} fail, error no: {number}, error info: {text}")
    }
}
