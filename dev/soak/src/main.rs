//! The whole of Cairn at work: `cargo xtask soak --minutes 60`.
//!
//! Starts the cluster of `deploy/compose/cluster.yaml` as processes from its files: two trackers, two groups of two storages with
//! HTTP, nginx as the entry, two drives on MariaDB, Redis and NATS JetStream, Prometheus. Users of every kind work, within
//! bounds: this is no benchmark. Members of every kind are killed with SIGKILL and come back. Everybody remembers what they were
//! told, and in the end all of it is compared, on one member of each group and on the other.
//!
//! It ends with an error when anything acknowledged is lost or another, when a store or the database is not in accord with
//! itself, or when a process grows. Failures that users saw while something was away are told, and are no error.
//!
//! Begin reading at [`site`], then [`killer`], [`verify`] and [`report`].

mod classic;
mod content;
mod figures;
mod killer;
mod old;
mod page;
mod people;
mod report;
mod site;
mod tally;
mod verify;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use e2e::composition::ADMIN_PASSWORD;
use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::binary::{CAIRN_BIN, workspace};

use crate::classic::User;
use crate::content::Dice;
use crate::killer::Plan;
use crate::old::{OldShelf, OldUser};
use crate::page::Browser;
use crate::people::{Account, PASSWORD, Person};
use crate::report::Report;
use crate::site::{Part, Site};
use crate::tally::Tally;
use crate::verify::Told;

const DOCUMENT: &str = "docs/soak.md";
const BEGIN: &str = "<!-- cargo xtask soak: begin -->\n";
const END: &str = "<!-- cargo xtask soak: end -->\n";

/// Users of FastDFS, and how far their requests are from each other.
const USERS: u64 = 4;
const USER_PAUSE: Duration = Duration::from_millis(120);
/// People of the drive: one half comes through nginx over HTTP, the other by FastCGI.
const PEOPLE: u64 = 6;
const PERSON_PAUSE: Duration = Duration::from_millis(200);
/// Whoever still has the old client.
const OLD_PAUSE: Duration = Duration::from_millis(250);
/// The longest that one request of a user may take.
const REQUEST: Duration = Duration::from_secs(40);

/// What is done.
#[derive(Parser)]
#[command(
    name = "soak",
    about = "The whole of Cairn under a mixed load while its members are killed and come back"
)]
struct Arguments {
    /// How long there is load
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Seconds from one kill to the next, if everybody serves again by then
    #[arg(long, default_value_t = 20.0)]
    every: f64,
    /// Decides what is done and who is killed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kill only members whose names have this text: drive1, storage, MariaDB …
    #[arg(long, default_value = "")]
    only: String,
    /// Put the report into the documentation
    #[arg(long)]
    write: bool,
    /// Leave the browser out
    #[arg(long)]
    no_page: bool,
    /// Keep the folder with logs and data
    #[arg(long)]
    keep: bool,
    /// The server program
    #[arg(long)]
    binary: PathBuf,
    /// Where everything is kept; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Prints a line.
pub(crate) fn say(text: &str) {
    // Whoever reads has gone: the run goes on all the same.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let binary = arguments.binary.canonicalize().context("the server program")?;
    let scratch = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    // What testkit starts looks into the environment, which only a process that begins can set safely.
    if std::env::var_os(CAIRN_BIN).is_none_or(|chosen| Path::new(&chosen) != binary) {
        use std::os::unix::process::CommandExt;
        fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
        let folder = scratch.canonicalize()?;
        let mut again = std::process::Command::new(std::env::current_exe()?);
        again.args(std::env::args_os().skip(1)).env(CAIRN_BIN, binary).env("TMPDIR", &folder);
        return Err(again.exec()).context("begin again with the program in the environment");
    }
    let mut folder = tempfile::Builder::new().prefix("soak-").tempdir_in(scratch)?;
    folder.disable_cleanup(arguments.keep);
    if arguments.keep {
        say(&format!("kept: {}", folder.path().display()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(soak(&arguments, folder.path()))?;
    let text = report.text();
    say(&format!("\n{text}"));
    if arguments.write {
        document(&workspace().join(DOCUMENT), &text)?;
    }
    let faults = report.faults();
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

async fn soak(arguments: &Arguments, folder: &Path) -> Result<Report> {
    let whole = Duration::from_secs_f64(arguments.minutes * 60.0);
    let begun = Instant::now();
    let mut site = tokio::task::block_in_place(|| Site::start(folder))?;
    say(&format!("everything serves after {:.1} s", begun.elapsed().as_secs_f64()));
    let http = reqwest::Client::builder().timeout(REQUEST).no_proxy().build()?;
    let (entry, doors) = (site.http(), [site.http(), site.fastcgi()]);
    let apis = doors.clone().map(|door| format!("{door}/api/v1"));
    let tally = Arc::new(Tally::new());
    let admin = Account::sign_in(&http, &apis[0], "admin", ADMIN_PASSWORD).await?;
    let dice = |number: u64| Dice::new(arguments.seed.wrapping_mul(1000).wrapping_add(number));

    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let api = if number % 2 == 0 { &apis[0] } else { &apis[1] };
        let account = account(&admin, api, &format!("person{number}")).await?;
        let person =
            Person::new(account, Arc::clone(&tally), dice(100 + number), PERSON_PAUSE, arguments.seed);
        people.push(tokio::spawn(person.work()));
    }
    let old_account = account(&admin, &apis[0], "old-timer").await?;
    let allow = old_account.json(Method::PUT, "/me/old-clients", &json!({"password": PASSWORD}));
    old_account.ask(allow, StatusCode::OK).await.context("allow old clients")?;
    let old = OldUser {
        http: http.clone(),
        door: doors[1].clone(),
        name: "old-timer".to_owned(),
        tally: Arc::clone(&tally),
        dice: dice(200),
        pause: OLD_PAUSE,
        token: String::new(),
        shelf: OldShelf::default(),
        serial: 0,
    };
    let old = tokio::spawn(old.work());
    let page_account = account(&admin, &apis[0], "browser").await?;
    let page = (!arguments.no_page).then(|| {
        let (url, folder) = (doors[0].clone(), folder.to_path_buf());
        tokio::spawn(Browser { url, user: "browser".to_owned(), tally: Arc::clone(&tally), folder }.work())
    });
    let mut users = Vec::new();
    for number in 0..USERS {
        let user = User {
            client: site.client()?,
            http: http.clone(),
            entry: entry.clone(),
            tally: Arc::clone(&tally),
            dice: dice(300 + number),
            pause: USER_PAUSE,
            shelf: classic::Shelf::default(),
        };
        users.push(tokio::spawn(user.work()));
    }
    let figures = figures::collect(Arc::clone(&site.watched), Arc::clone(&tally));

    let every = Duration::from_secs_f64(arguments.every);
    let plan = Plan { seed: arguments.seed, every, whole, only: arguments.only.clone() };
    ensure!(
        Part::ALL.iter().any(|part| part.name().contains(&plan.only)),
        "no member has {} in its name",
        plan.only
    );
    let killed = tokio::task::block_in_place(|| killer::run(&mut site, &tally, &plan));
    tally.end();
    let killed = killed?;
    let mut told = Told {
        shelves: Vec::new(),
        people: Vec::new(),
        old: (old_account, old.await?),
        page: (page_account, Vec::new()),
    };
    for user in users {
        told.shelves.push(user.await?);
    }
    for person in people {
        told.people.push(person.await?);
    }
    if let Some(page) = page {
        told.page.1 = page.await?;
    }
    let figures = tokio::task::block_in_place(|| figures.join());
    let figures = figures.map_err(|_| anyhow::anyhow!("whoever looks at memory and descriptors panicked"))?;
    say("the load is over");
    let verdict = verify::run(site, &tally, told).await?;
    let tally = Arc::into_inner(tally).context("somebody still works")?;
    let seen = tally.into_seen();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let machine = format!("{cores} cores for the servers and the load together");
    Ok(Report { machine, seed: arguments.seed, whole, seen, killed, figures, verdict })
}

/// Makes an account, and signs in.
async fn account(admin: &Account, api: &str, name: &str) -> Result<Account> {
    let new = admin.json(Method::POST, "/accounts", &json!({"user_name": name, "password": PASSWORD}));
    admin.ask(new, StatusCode::CREATED).await.with_context(|| format!("an account for {name}"))?;
    Account::sign_in(&admin.http, api, name, PASSWORD).await
}

fn document(path: &Path, text: &str) -> Result<()> {
    let before = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let after = between(&before, text).with_context(|| format!("{} has not both marks", path.display()))?;
    fs::write(path, after).with_context(|| format!("write {}", path.display()))
}

fn between(document: &str, text: &str) -> Option<String> {
    let (head, rest) = document.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{text}\n{END}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_takes_the_place_of_the_one_before_and_nothing_else() {
        let before = format!("# Title\n\n{BEGIN}\nold\n{END}\nThe rest.\n");
        assert_eq!(between(&before, "new").unwrap(), format!("# Title\n\n{BEGIN}\nnew\n{END}\nThe rest.\n"));
        assert_eq!(between("no marks", "new"), None);
    }
}
