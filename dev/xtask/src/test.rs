//! All rings of tests, from fast to real.

use anyhow::Result;

use crate::steps::{Counts, Steps, run_tests, say};
use crate::workspace::{Workspace, run};
use crate::{book, check, dist, install, web};

/// Tells the end-to-end tests which program to start, so that each does not ask cargo.
const CAIRN_BIN: &str = "CAIRN_BIN";
/// Tells them where the archive, the package and the image are.
const CAIRN_DIST: &str = "CAIRN_DIST";

/// `cargo xtask test`
pub(crate) fn run_all(mut workspace: Workspace) -> Result<()> {
    // While it is compiled to be run: linting by itself would compile every dependency once more.
    workspace.lints = true;
    let workspace = &workspace;
    let mut steps = Steps::default();
    steps.plain("what tests need", || install::all(workspace));
    steps.plain("the page", || web::build(workspace));
    let built = check::run_static(workspace, &mut steps, "build, with lints", || {
        run(&mut workspace.cargo(["build", "--quiet", "--workspace", "--all-targets"]))
    });
    steps.plain("the book", || book::build(workspace));
    if built {
        // Without optimisation: it is looked at and run, not handed out.
        let dist = dist::Options { profile: "dev".into(), out: dist::usual_place(workspace, "dev") };
        steps.plain("archive, package and image", || dist::dist(workspace, &dist));
        steps.step("tests", || all_tests(workspace));
        steps.step("examples in the documentation", || {
            run_tests(&mut workspace.cargo(["test", "--quiet", "--workspace", "--doc"]))
        });
        steps.plain("the page: logic", || web::test_logic(workspace));
        steps.plain("the page: in a browser", || {
            web::test_in_browser(workspace, &workspace.built("debug", "cairn"))
        });
    }
    steps.finish()
}

fn all_tests(workspace: &Workspace) -> Result<Counts> {
    let mut command = if install::has_nextest(workspace) {
        workspace.cargo(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"])
    } else {
        say("no cargo-nextest here; cargo test does the same, a little slower");
        workspace.cargo(["test", "--quiet", "--workspace", "--no-fail-fast", "--all-targets"])
    };
    command.env(CAIRN_BIN, workspace.built("debug", "cairn"));
    run_tests(command.env(CAIRN_DIST, dist::usual_place(workspace, "dev")))
}
