//! Writing to the terminal, a file or a pipe, without a panic when the reader went away.

use std::io::{self, Write};
use std::process::ExitCode;

/// Exit status of a program whose reader went away, as shells show it for SIGPIPE.
const EXIT_NO_READER: u8 = 141;

/// Exit status when the output cannot be written (a full disk).
const EXIT_NO_OUTPUT: u8 = 5;

/// The status to end with after `error` from writing standard output.
pub(crate) fn failed(error: &io::Error) -> ExitCode {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return ExitCode::from(EXIT_NO_READER);
    }
    let _ = writeln!(io::stderr(), "cannot write the output: {error}");
    ExitCode::from(EXIT_NO_OUTPUT)
}
