//! The classic tools, one file each, under the names scripts know.
//!
//! Arguments, output and exit status are the original's (wire protocol: command-line tools), with one
//! difference everywhere: where the original ends with 0 after a failure, we end with 1.

mod append_file;
mod appender_test;
mod crc32;
mod daemons;
mod delete_file;
mod download_file;
mod file_info;
pub(crate) mod human;
mod monitor;
mod options;
mod regenerate_filename;
mod registry;
mod session;
mod stat_options;
mod storage_stat;
mod test;
mod tracker_stat;
mod trial;
mod upload_appender;
mod upload_file;
mod volumn_stat;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) use registry::{TOOLS, Tool, UsageTo, reference};

/// Exit status where the original would say 0 although it failed.
const EXIT_FAILED: u8 = 1;

/// What a tool works with.
pub(crate) struct Call<'a> {
    /// The arguments behind the name.
    pub args: Vec<OsString>,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
}

/// Why a tool did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The arguments make no sense: print the usage and end with this status.
    Usage(u8),
    /// It has said why; end with this status.
    Said(u8),
    /// Standard output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Call<'_> {
    /// The argument at `at`; without it the usage is shown and the status is 1.
    fn arg(&self, at: usize) -> Result<&OsStr, Trouble> {
        self.args.get(at).map(OsString::as_os_str).ok_or(Trouble::Usage(1))
    }

    /// The same as a path.
    fn path(&self, at: usize) -> Result<PathBuf, Trouble> {
        self.arg(at).map(PathBuf::from)
    }

    /// The same as text. File ids and addresses are ASCII, so what is not text is no id.
    fn text(&self, at: usize) -> Result<String, Trouble> {
        self.arg(at).map(|word| word.to_string_lossy().into_owned())
    }

    /// Says on standard error what this machine refused, and with which status to end.
    fn local_failure(&mut self, what: &str, path: &Path, error: &io::Error) -> Trouble {
        let _ = writeln!(self.err, "{what} {}: {error}", path.display());
        Trouble::Said(errno_of(error))
    }
}

/// The tool with this name, whatever folder the name is in.
pub(crate) fn find(program: &OsStr) -> Option<&'static Tool> {
    let name = Path::new(program).file_name()?;
    TOOLS.iter().find(|tool| name == tool.name)
}

/// Runs a tool as a program.
pub(crate) fn start(tool: &Tool, program: &str, args: Vec<OsString>) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut err = io::stderr();
    let code = run(tool, program, args, &mut out, &mut err);
    match (code, out.flush()) {
        (Ok(code), Ok(())) => ExitCode::from(code),
        (Err(error), _) | (_, Err(error)) => crate::output::failed(&error),
    }
}

/// Runs a tool on given outputs; the exit status, or why standard output cannot be written.
pub(crate) fn run(
    tool: &Tool,
    program: &str,
    args: Vec<OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let trouble = match (tool.run)(&mut Call { args, out, err }) {
        Ok(()) => return Ok(0),
        Err(trouble) => trouble,
    };
    match trouble {
        Trouble::Said(code) => Ok(code),
        Trouble::Output(error) => Err(error),
        Trouble::Usage(code) => {
            let usage = format!("Usage: {program} {}\n", tool.arguments);
            match tool.usage_to {
                UsageTo::Stdout => out.write_all(usage.as_bytes())?,
                UsageTo::Stderr => err.write_all(usage.as_bytes())?,
            }
            Ok(code)
        }
    }
}

/// The system's number for an error, EIO when it has none.
fn errno_of(error: &io::Error) -> u8 {
    const EIO: u8 = 5;
    error.raw_os_error().and_then(|number| u8::try_from(number).ok()).unwrap_or(EIO)
}

/// The system's words for a number: `No such file or directory`.
fn errno_text(number: u8) -> String {
    let text = io::Error::from_raw_os_error(i32::from(number)).to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a tool by name; (status, standard output, standard error).
    pub(super) fn call(name: &str, args: &[&str]) -> (u8, String, String) {
        let tool = find(OsStr::new(name)).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = args.iter().map(OsString::from).collect();
        let code = run(tool, name, args, &mut out, &mut err).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_tool_is_found_by_its_name_in_any_folder() {
        assert_eq!(find(OsStr::new("/usr/bin/fdfs_crc32")).unwrap().name, "fdfs_crc32");
        assert!(find(OsStr::new("cairn")).is_none());
        assert!(find(OsStr::new("/")).is_none());
    }

    #[test]
    fn numbers_have_the_systems_words() {
        assert_eq!(errno_text(2), "No such file or directory");
        assert_eq!(errno_text(22), "Invalid argument");
        assert_eq!(errno_text(111), "Connection refused");
    }

    #[test]
    fn a_checksum_is_printed_in_hex_without_leading_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.txt");
        // CRC-32 0x0e10ba5d (wire protocol: worked examples).
        std::fs::write(&path, "hello fastdfs\n").unwrap();
        assert_eq!(call("fdfs_crc32", &[path.to_str().unwrap()]), (0, "e10ba5d\n".into(), String::new()));
    }

    #[test]
    fn a_checksum_of_nothing_is_the_errno() {
        let (code, out, err) = call("fdfs_crc32", &["/nowhere/at/all"]);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("/nowhere/at/all"), "{err}");
    }

    #[test]
    fn missing_arguments_show_the_usage_and_end_with_1() {
        let (code, out, err) = call("fdfs_crc32", &[]);
        assert_eq!((code, out.as_str(), err.as_str()), (1, "Usage: fdfs_crc32 FILE\n", ""));
    }
}
