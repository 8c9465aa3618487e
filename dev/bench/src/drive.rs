//! Every interface of the drive, of API v1 and of the old dialect, through every door.

mod dialect;
mod goals;
mod site;
mod v1;
pub(crate) mod web;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::binary::CAIRN_BIN;

use self::site::{Door, Setup, Site};
use self::web::{Job, Measured};
use self::world::World;
use crate::document;
use crate::machine::Machine;

/// How long the disk's syncs are counted.
const SYNCING: Duration = Duration::from_secs(1);
/// Things that a second of a measurement may use up.
const ITEMS_A_SECOND: f64 = 1000.0;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Seconds for each interface, set-up and door
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Connections that ask without a pause
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Only interfaces whose name or path has this text
    #[arg(long)]
    only: Option<String>,
    /// Only this set-up
    #[arg(long)]
    setup: Option<Setup>,
    /// Only this door
    #[arg(long)]
    door: Option<Door>,
    /// Only the goals of the project
    #[arg(long)]
    goals: bool,
    /// The server program
    #[arg(long)]
    binary: PathBuf,
    /// Where the servers keep their data; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Arguments {
    fn setups(&self) -> Vec<Setup> {
        Setup::ALL.into_iter().filter(|one| self.setup.is_none_or(|only| only == *one)).collect()
    }

    fn doors(&self) -> Vec<Door> {
        Door::ALL.into_iter().filter(|one| self.door.is_none_or(|only| only == *one)).collect()
    }

    fn wants(&self, texts: &[&str]) -> bool {
        self.only.as_deref().is_none_or(|only| texts.iter().any(|text| text.contains(only)))
    }

    /// All there is: that is what the document shows.
    fn is_whole(&self) -> bool {
        self.only.is_none() && self.setup.is_none() && self.door.is_none() && !self.goals
    }
}

/// Prepares what is measured.
type Make = dyn for<'w> Fn(&'w World) -> Result<Job<'w>>;

/// An interface, of either API.
struct Interface {
    name: String,
    target: String,
    queue: bool,
    make: Box<Make>,
}

fn interfaces(arguments: &Arguments) -> Vec<Interface> {
    let of_v1 = v1::CASES.iter().map(|case| Interface {
        name: if case.what.is_empty() { case.id.to_owned() } else { format!("{}, {}", case.id, case.what) },
        target: case.target.to_owned(),
        queue: case.queue,
        make: Box::new(|world| (case.job)(world)),
    });
    let of_old = dialect::CASES.iter().map(|case| Interface {
        name: format!("{:?}", case.operation),
        target: case.path.to_owned(),
        queue: case.queue,
        make: Box::new(|world| dialect::job(world, case)),
    });
    of_v1.chain(of_old).filter(|one| arguments.wants(&[&one.name, &one.target])).collect()
}

/// What a set-up came to: for each interface what each door did.
struct Part {
    name: &'static str,
    rows: Vec<(String, String, Vec<Measured>)>,
}

/// Carries out the measurement and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
        .context("raise the limit of open files")?;
    let binary = arguments.binary.canonicalize().context("the server program")?;
    let scratch = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    let folder = tempfile::Builder::new().prefix("drive-").tempdir_in(scratch.canonicalize()?)?;
    choose(&binary)?;
    let mut text = format!(
        "{}. The disk of the drive's folder: {:.0} syncs of 4 KiB a second, one after the other. {} connections, {} s for \
         each figure; requests a second, and milliseconds that half of them and 99 of 100 took no longer than.\n",
        Machine::here(),
        syncs(folder.path())?,
        arguments.connections,
        arguments.seconds,
    );
    show(&text)?;
    let cluster = site::cluster(&binary, &folder.path().join("cluster"))?;
    let mut failed = BTreeMap::new();
    if arguments.setups().contains(&Setup::Sqlite) && (arguments.goals || arguments.is_whole()) {
        let site = Site::new(&cluster, folder.path(), Setup::Sqlite, true)?;
        let world = self::world(&site, arguments)?;
        let table = goals::table(&goals::measure(&site, folder.path(), &world, arguments)?);
        show(&format!("\n{table}"))?;
        write!(text, "\n### Goals\n\n{table}")?;
    }
    for setup in arguments.setups().into_iter().filter(|_| !arguments.goals) {
        for queue in [true, false] {
            let place = folder.path().join(format!("{setup:?}-{queue}"));
            fs::create_dir_all(&place)?;
            let part = part(&cluster, &place, setup, queue, arguments)?;
            for (name, _, doors) in &part.rows {
                for (door, measured) in arguments.doors().iter().zip(doors) {
                    if !measured.failures.is_empty() {
                        let words = format!("{name}, {}, {}", part.name, door.name());
                        failed.insert(words, measured.failures.clone());
                    }
                }
            }
            write!(text, "\n{}", table(&part, &arguments.doors())?)?;
        }
    }
    if arguments.is_whole() {
        document::put("drive", &text)?;
    }
    ensure!(failed.is_empty(), "these had failures: {failed:#?}");
    Ok(())
}

/// The program is what `testkit` starts: it asks the environment, which only a process that begins can set safely.
fn choose(binary: &Path) -> Result<()> {
    if std::env::var_os(CAIRN_BIN).is_some_and(|chosen| Path::new(&chosen) == binary) {
        return Ok(());
    }
    use std::os::unix::process::CommandExt;
    let mut again = std::process::Command::new(std::env::current_exe()?);
    let error = again.args(std::env::args_os().skip(1)).env(CAIRN_BIN, binary).exec();
    Err(error).context("begin again with the program in the environment")
}

fn world(site: &Site, arguments: &Arguments) -> Result<World> {
    let items = (arguments.seconds * ITEMS_A_SECOND).clamp(64.0, 5000.0) as usize;
    World::new(site.door(Door::Http), arguments.connections as usize, items)
}

fn part(
    cluster: &testkit::cluster::Cluster,
    folder: &Path,
    setup: Setup,
    queue: bool,
    arguments: &Arguments,
) -> Result<Part> {
    let mut part = Part { name: setup.name(queue), rows: Vec::new() };
    let interfaces: Vec<Interface> =
        interfaces(arguments).into_iter().filter(|one| queue || one.queue).collect();
    if interfaces.is_empty() {
        return Ok(part);
    }
    show(&format!("\n{}\n", part.name))?;
    let site = Site::new(cluster, folder, setup, queue)?;
    let world = self::world(&site, arguments)?;
    for interface in interfaces {
        let mut doors = Vec::new();
        for door in arguments.doors() {
            let context = || format!("{}, {}, {}", interface.name, part.name, door.name());
            let job = (interface.make)(&world).with_context(context)?;
            let time = Duration::from_secs_f64(arguments.seconds);
            let measured = web::run(site.door(door), job, time).with_context(context)?;
            let figures = &measured.figures;
            show(&format!(
                "{:<32} {:<15} {:>8.0}/s  p50 {:>8.2} ms  p99 {:>8.2} ms  generator {:.2} cores  {}\n",
                interface.name,
                door.name(),
                figures.per_second,
                figures.p50_us / 1000.0,
                figures.p99_us / 1000.0,
                figures.client_cores,
                measured
                    .failures
                    .iter()
                    .map(|(what, count)| format!("{count} × {what}; "))
                    .collect::<String>(),
            ))?;
            doors.push(measured);
        }
        part.rows.push((interface.name, interface.target, doors));
    }
    Ok(part)
}

fn table(part: &Part, doors: &[Door]) -> Result<String> {
    let mut out = String::new();
    if part.rows.is_empty() {
        return Ok(out);
    }
    writeln!(out, "### {}\n", part.name)?;
    write!(out, "| interface | |")?;
    for door in doors {
        write!(out, " {} /s | p50 | p99 |", door.name())?;
    }
    write!(out, "\n|---|---|")?;
    writeln!(out, "{}", "---:|---:|---:|".repeat(doors.len()))?;
    for (name, target, measured) in &part.rows {
        write!(out, "| {name} | `{target}` |")?;
        for one in measured {
            let figures = &one.figures;
            let (p50, p99) = (figures.p50_us / 1000.0, figures.p99_us / 1000.0);
            write!(out, " {:.0} | {p50:.2} | {p99:.2} |", figures.per_second)?;
        }
        writeln!(out)?;
    }
    Ok(out)
}

/// How often a second the disk is certain to have 4 KiB more.
fn syncs(folder: &Path) -> Result<f64> {
    let mut file = fs::File::create(folder.join("syncs"))?;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < SYNCING {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

fn show(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush().context("print")
}
