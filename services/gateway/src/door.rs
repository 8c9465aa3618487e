//! What requests look like to those who answer them, whichever way they came.

use std::future::Future;
use std::net::IpAddr;

use http_core::{Answer, FileFacts, Method, RequestFields, Version};
use net::ConnError;
use tokio::sync::OwnedSemaphorePermit;

use crate::source::{Broken, Source};

/// A request.
pub(crate) struct Asked<'a> {
    pub(crate) method: Method<'a>,
    /// As sent.
    pub(crate) target: &'a str,
    pub(crate) version: Version,
    pub(crate) fields: &'a RequestFields<'a>,
    pub(crate) peer: IpAddr,
}

/// A file that is there, to be sent as an answer says.
pub(crate) struct Found {
    pub(crate) source: Source,
    pub(crate) facts: FileFacts,
    /// The right to compress it, given back when that is done.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// Where one answer goes out: HTTP/1 by our own hand, or framed by a library. Each request is answered once; only an
/// answer of which nothing went out ([`Broken::unsent`]) may be followed by another.
pub(crate) trait Door: Send {
    /// An answer whose content, if any, is this.
    fn bytes(
        &mut self,
        answer: &Answer<'_>,
        content: &[u8],
    ) -> impl Future<Output = Result<(), ConnError>> + Send;

    /// An answer about a file.
    fn file(&mut self, answer: &Answer<'_>, found: Found) -> impl Future<Output = Result<(), Broken>> + Send;
}
