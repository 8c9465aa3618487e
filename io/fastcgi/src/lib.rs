//! FastCGI as a door for any service of HTTP requests: a web server in front (`fastcgi_pass` of nginx) connects to a port
//! or a local socket, and what it passes on becomes `http::Request`s, what is answered goes back.
//!
//! A service is a function from a request to a future of a response, the shape that `hyper` and `tower` use, too: the same
//! one can be served over HTTP.
//!
//! **Will never know**: what is asked for, who may ask, what an answer means.
//!
//! **Invariants**
//! - Content passes through. Of a request's at most [`PIECES_MAX`] pieces of [`READ_LEN`] bytes wait for the service; then
//!   nothing more is read, and the web server has to wait. Of an answer's at most [`OUT_MAX`] bytes and a record wait to be
//!   taken; then the service is not asked for more.
//! - A web server that goes away, or says that an answer is not wanted any more, ends the work for it: the future of the
//!   response, or its content, is dropped. As long as a service does not take content that is there, it can be told only by
//!   what is written to it.
//! - Every wait for the web server has a deadline ([`Limits`], [`net::ConnLimits::network_timeout`]). How long a service
//!   takes is its own business, and that of the web server, which loses patience by going away.
//! - An answer that breaks off is never closed as if it were complete.
//! - Whoever can connect is believed who the client is: [`net::ConnLimits::allow`] and the permissions of a local socket say
//!   who can.
//!
//! When [`net::ConnLimits::max_connections`] are open, another one is closed as soon as it is accepted: nginx goes on to the
//! next server of its upstream. A connection has one request at a time, so this bounds requests, too.
//!
//! nginx sends no more of a request's content once the head of the answer has come: a service that wants all of the content
//! reads it before it answers. One that does not may answer at once.
//!
//! **Begin reading** at [`serve()`], then `connection.rs`.

mod answer;
mod body;
mod connection;
mod limits;
mod serve;

pub use answer::{BrokenAnswer, OUT_MAX};
pub use body::{Body, BodyError, PIECES_MAX};
pub use connection::{Broken, READ_LEN, serve_stream};
pub use fcgi_proto::Client;
pub use limits::Limits;
pub use serve::{Doors, serve};
