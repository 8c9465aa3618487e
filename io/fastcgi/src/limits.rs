//! What bounds a connection, beside [`net::ConnLimits`].

use std::time::Duration;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What a request may bring along before its content.
    pub records: fcgi_proto::Limits,
    /// Until all variables of a request are there: from the beginning of the connection, or of the request.
    pub head_timeout: Duration,
    /// Until the next request begins. Longer than the web server keeps a connection, or it takes one that is just being
    /// closed: nginx keeps it for 60 s (`keepalive_timeout` of the upstream).
    pub idle_timeout: Duration,
    /// Until more of the content that a service waits for is there.
    pub content_timeout: Duration,
    /// What a web server is told that asks how many connections it may open.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            records: fcgi_proto::Limits::default(),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            // As nginx waits for the client (`client_body_timeout`), which is before it when requests are not buffered.
            content_timeout: Duration::from_secs(75),
            max_connections: 1024,
        }
    }
}
