//! `cairn unpack`: hands a store back to FastDFS. Every packed file becomes a file of its own.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use store::Durability;
use store::unpack::unpack;

use super::bar::bar;
use super::store_owner::become_owner;
use crate::conf;
use crate::messages::{Language, Say};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The storage.conf of a storage that is stopped
    conf: PathBuf,
    /// The result as JSON, without a progress bar
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, language: Language) -> anyhow::Result<ExitCode> {
    let (conf, _) = conf::storage(&args.conf)?;
    // The packs are removed at the end, so what takes their place must be on disk.
    let settings = store::StoreSettings { durability: Durability::Disk, ..storage::store_settings(&conf) };
    // What is unpacked here, FastDFS has to read and delete.
    become_owner(&conf.run_by, &settings.paths)?;
    let bar = bar(args.json);
    bar.set_message("files");
    let done = unpack(&settings, conf.subdir_count_per_path, &mut |done| {
        bar.set_length(done.total);
        bar.set_position(done.files);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let done = done.context("unpack the store, whose storage must be stopped")?;
    let packs_again = conf.packs.max_file > 0;
    if args.json {
        let result = json!({ "files": done.files, "bytes": done.bytes, "packs_again": packs_again });
        writeln!(io::stdout(), "{result}")?;
    } else {
        let say = Say::Unpacked { done: &done, conf: packs_again.then_some(&args.conf) };
        writeln!(io::stderr(), "{}", say.in_language(language))?;
    }
    Ok(ExitCode::SUCCESS)
}
