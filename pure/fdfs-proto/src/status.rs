//! The status byte of a reply: a Linux errno.

use std::fmt;

/// The status byte of a reply. 0 is success, everything else a Linux errno, whatever system the peer runs on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Status(pub u8);

macro_rules! statuses {
    ($($code:literal $name:ident $message:literal;)*) => {
        impl Status {
            $(#[doc = concat!("Errno ", $code, ": ", $message, ".")] pub const $name: Status = Status($code);)*

            /// The symbol, for example `ENOENT`; `None` for numbers without one here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    0 => Some("OK"),
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What the C library says about this number; "Unknown error" for numbers not listed here.
            pub const fn message(self) -> &'static str {
                match self.0 {
                    0 => "Success",
                    $($code => $message,)*
                    _ => "Unknown error",
                }
            }
        }
    };
}

statuses! {
    1 EPERM "Operation not permitted";
    2 ENOENT "No such file or directory";
    4 EINTR "Interrupted system call";
    5 EIO "Input/output error";
    7 E2BIG "Argument list too long";
    9 EBADF "Bad file descriptor";
    11 EAGAIN "Resource temporarily unavailable";
    12 ENOMEM "Cannot allocate memory";
    13 EACCES "Permission denied";
    14 EFAULT "Bad address";
    16 EBUSY "Device or resource busy";
    17 EEXIST "File exists";
    18 EXDEV "Invalid cross-device link";
    20 ENOTDIR "Not a directory";
    21 EISDIR "Is a directory";
    22 EINVAL "Invalid argument";
    23 ENFILE "Too many open files in system";
    24 EMFILE "Too many open files";
    26 ETXTBSY "Text file busy";
    27 EFBIG "File too large";
    28 ENOSPC "No space left on device";
    30 EROFS "Read-only file system";
    31 EMLINK "Too many links";
    32 EPIPE "Broken pipe";
    33 EDOM "Numerical argument out of domain";
    34 ERANGE "Numerical result out of range";
    36 ENAMETOOLONG "File name too long";
    38 ENOSYS "Function not implemented";
    39 ENOTEMPTY "Directory not empty";
    40 ELOOP "Too many levels of symbolic links";
    61 ENODATA "No data available";
    64 ENONET "Machine is not on the network";
    71 EPROTO "Protocol error";
    74 EBADMSG "Bad message";
    75 EOVERFLOW "Value too large for defined data type";
    90 EMSGSIZE "Message too long";
    95 EOPNOTSUPP "Operation not supported";
    98 EADDRINUSE "Address already in use";
    99 EADDRNOTAVAIL "Cannot assign requested address";
    101 ENETUNREACH "Network is unreachable";
    103 ECONNABORTED "Software caused connection abort";
    104 ECONNRESET "Connection reset by peer";
    105 ENOBUFS "No buffer space available";
    107 ENOTCONN "Transport endpoint is not connected";
    110 ETIMEDOUT "Connection timed out";
    111 ECONNREFUSED "Connection refused";
    113 EHOSTUNREACH "No route to host";
    114 EALREADY "Operation already in progress";
    115 EINPROGRESS "Operation now in progress";
    116 ESTALE "Stale file handle";
    122 EDQUOT "Disk quota exceeded";
    125 ECANCELED "Operation canceled";
}

impl Status {
    /// Success.
    pub const OK: Status = Status(0);

    /// Whether the request was carried out.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// How a request with this status ended, for who counts them.
    pub const fn ending(self) -> Ending {
        match self {
            Self::OK => Ending::Done,
            Self::EPERM
            | Self::ENOENT
            | Self::E2BIG
            | Self::EACCES
            | Self::EEXIST
            | Self::ENOTDIR
            | Self::EISDIR
            | Self::EINVAL
            | Self::EFBIG
            | Self::EDOM
            | Self::ERANGE
            | Self::ENAMETOOLONG
            | Self::ENOSYS
            | Self::ENODATA
            | Self::EPROTO
            | Self::EBADMSG
            | Self::EOVERFLOW
            | Self::EMSGSIZE
            | Self::EOPNOTSUPP
            | Self::EALREADY => Ending::Refused,
            _ => Ending::Failed,
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it was asked for.
    Done,
    /// What was asked for is not there, or not allowed, or no request: an answer as good as any other.
    Refused,
    /// The server could not do it, now: no room, no disk, no peer in time.
    Failed,
}

impl Ending {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// Their words in metrics, in order.
    pub const WORDS: [&'static str; Self::COUNT] = ["done", "refused", "failed"];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message(), self.0)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Status({})", self.0),
        }
    }
}
