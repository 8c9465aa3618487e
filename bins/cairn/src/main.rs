//! The cairn binary: every role and every tool.
//!
//! It chooses and wires, nothing else. Begin with [`cli`] (the commands) or [`fdfs`] (the classic tools,
//! chosen by the name the binary is called by).

mod cli;
mod cluster;
mod cmd;
mod conf;
mod drive_parts;
mod fdfs;
mod messages;
mod output;
mod server;
mod shell;
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod static_names;

use std::ffi::OsString;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    static_names::ask_only_files_and_name_servers();
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let program = if args.is_empty() { OsString::from("cairn") } else { args.remove(0) };
    if let Some(tool) = fdfs::find(&program) {
        return fdfs::start(tool, &program.to_string_lossy(), args);
    }
    if let Some(tool) = args.first().and_then(|word| fdfs::find(word)) {
        args.remove(0);
        return fdfs::start(tool, &format!("{} {}", program.to_string_lossy(), tool.name), args);
    }
    cli::start(&program, args)
}
