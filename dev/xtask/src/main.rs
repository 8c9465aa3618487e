//! The one developer command: `cargo xtask …`.
//!
//! CI runs `cargo xtask test` and nothing a developer could not run. It will never know how the product works inside; it
//! builds, runs and inspects files. Each command is one module; [`steps`] shows them passing and failing.

mod advisories;
mod bench;
mod book;
mod check;
mod differential;
mod dist;
mod fuzz;
mod gen_docs;
mod install;
mod layers;
mod newcomer;
mod pages;
mod sim;
mod soak;
mod steps;
mod test;
mod text_rules;
mod up;
mod web;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, runs, tests and measures Cairn")]
enum Command {
    /// Build the page and the product (profile quick), and run `cairn up`; everything after `up` is passed on
    Up {
        /// Arguments of `cairn up`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Install what tests need, then run every ring of tests
    Test,
    /// Format, lints, layers, text rules, the page, generated files, licences, and the tests of pure/
    Check,
    /// Format and apply what the lints can mend by themselves
    Fix,
    /// Build the page into `web/dist`, which the binary embeds
    Web,
    /// Write the generated documents and default configuration files
    Gen {
        /// Only say which ones are out of date
        #[arg(long)]
        check: bool,
    },
    /// Build the documentation as a site, in `target/book`
    Book,
    /// Give random bytes to everything that reads bytes from outside
    Fuzz {
        /// One target; all of them without it
        target: Option<String>,
        /// How long each runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Play a whole cluster on virtual time: `sim --seed N`, `sim --help`
    Sim {
        /// Which seeds, and what is wrong with them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Use the whole cluster of `deploy/` for a while, and kill its members meanwhile: `soak --minutes 60`, `soak --help`
    Soak {
        /// How long, and what else
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Make what is handed out: an archive with the static binary, a Debian package, a container image
    Dist {
        /// A profile of cargo
        #[arg(long, default_value = "release")]
        profile: String,
        /// Where it goes; without it, into target/dist/PROFILE
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Time a newcomer's way: clone, build and start as the README says, and share a file in a browser
    Newcomer {
        /// The loopback address that it listens on
        #[arg(long, default_value = "127.0.0.1")]
        listen: std::net::IpAddr,
        /// A root with Rust, Node.js and a C compiler, to do it in by chroot: CONTRIBUTING.md says how to make one
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
    /// Measure: `bench store --help`
    Bench {
        /// What to measure and how
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Send the same random commands to ours and to the original: `differential --help`
    Differential {
        /// Where the original is, which seed
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let command = Command::parse();
    let done = Workspace::find().and_then(|workspace| match command {
        Command::Up { arguments } => up::up(&workspace, &arguments),
        Command::Test => test::run_all(workspace),
        Command::Check => check::check(&workspace),
        Command::Fix => check::fix(&workspace),
        Command::Web => web::build(&workspace),
        Command::Gen { check } => gen_docs::write(&workspace, check),
        Command::Book => book::build(&workspace),
        Command::Fuzz { target, seconds } => fuzz::fuzz(&workspace, target.as_deref(), seconds),
        Command::Sim { arguments } => sim::sim(&workspace, &arguments),
        Command::Soak { arguments } => soak::soak(&workspace, &arguments),
        Command::Dist { profile, out } => {
            let out = out.unwrap_or_else(|| dist::usual_place(&workspace, &profile));
            dist::dist(&workspace, &dist::Options { profile, out })
        }
        Command::Newcomer { listen, root } => newcomer::newcomer(&workspace, listen, root.as_deref()),
        Command::Bench { arguments } => bench::bench(&workspace, &arguments),
        Command::Differential { arguments } => differential::differential(&workspace, &arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
