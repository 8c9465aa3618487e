//! Everything that can be known without starting a server.

use anyhow::{Result, ensure};

use crate::steps::{Steps, run_tests};
use crate::workspace::{Workspace, run};
use crate::{advisories, gen_docs, install, layers, pages, text_rules, web};

/// `cargo xtask check`
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    run_static(workspace, &mut steps, "lints", || {
        run(&mut workspace.cargo([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.step("tests of pure/", || {
        let pure = workspace
            .packages
            .iter()
            .filter(|package| workspace.relative(&package.manifest_path).starts_with("pure"));
        let mut command = workspace.cargo(["test", "--quiet"]);
        for package in pure {
            command.args(["--package", &package.name]);
        }
        run_tests(&mut command)
    });
    steps.finish()
}

/// The steps that read and run nothing of ours. True when `lints`, which is one of them, passed.
pub(crate) fn run_static(
    workspace: &Workspace,
    steps: &mut Steps,
    lints: &str,
    lint: impl FnOnce() -> Result<()>,
) -> bool {
    steps.plain("format", || run(&mut workspace.cargo(["fmt", "--all", "--check"])));
    steps.plain("layers, text rules and links", || tidy(workspace));
    let passed = steps.plain(lints, lint);
    steps.plain("format, lints and types of the page", || web::check(workspace));
    steps.plain("generated files", || gen_docs::check(workspace));
    steps.plain("licences, bans, sources", || {
        install::cargo_deny(workspace)?;
        run(&mut workspace.cargo(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]))
    });
    steps.plain("advisories", || advisories::check(workspace));
    passed
}

/// `cargo xtask fix`
pub(crate) fn fix(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
    ]))?;
    run(&mut workspace.cargo(["fmt", "--all"]))?;
    web::fix(workspace)
}

fn tidy(workspace: &Workspace) -> Result<()> {
    let mut faults = layers::faults(workspace);
    faults.extend(text_rules::faults(workspace)?);
    faults.extend(pages::faults(workspace)?);
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}
