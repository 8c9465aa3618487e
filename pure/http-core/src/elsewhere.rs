//! Files that are not on this host (HTTP access: "where is it").

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::target::Parameters;

/// `response_mode`: how a client gets a file that another host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// This host fetches it and passes it on.
    Proxy,
    /// The client is told where it is.
    Redirect,
}

/// What becomes of a request for a file that is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHere {
    /// 404: whoever asked has asked us as the host that should have it.
    NotFound,
    /// Members of the group are asked, as trackers name them.
    PassOn,
    /// 302 to a member.
    Redirect,
}

/// Decides about a file that is not here. `from_member` says that the request came from a member of the cluster, by its
/// address: only then the parameter `redirect` means that it was passed on already and must not go round in circles.
/// Coming from anybody else it means nothing.
pub fn not_here(parameters: &Parameters<'_>, from_member: bool, mode: ResponseMode) -> NotHere {
    match mode {
        _ if from_member && parameters.redirect.is_some() => NotHere::NotFound,
        ResponseMode::Proxy => NotHere::PassOn,
        ResponseMode::Redirect => NotHere::Redirect,
    }
}

/// Where to send a client: the same path and parameters ([`crate::Target::raw`]) at a member's HTTP address, marked like
/// FastDFS's module marks it.
pub fn location(member: SocketAddr, raw: &str) -> String {
    let mut location = String::from("http://");
    // Writing to a String cannot fail. An IPv6 address is written in brackets.
    let _ = match (member.port(), member) {
        (80, SocketAddr::V4(v4)) => write!(location, "{}", v4.ip()),
        (80, SocketAddr::V6(v6)) => write!(location, "[{}]", v6.ip()),
        _ => write!(location, "{member}"),
    };
    for byte in raw.bytes() {
        if byte.is_ascii_graphic() {
            location.push(byte as char);
        } else {
            let _ = write!(location, "%{byte:02X}");
        }
    }
    location.push_str(if raw.contains('?') { "&redirect=1" } else { "?redirect=1" });
    location
}
