//! Files over HTTP, beside an nginx that has the same bytes as static files, loaded by `wrk` in turn.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::cluster::{Cluster, Plan};
use testkit::nginx::Nginx;

use crate::document::Told;
use crate::machine::Machine;
use crate::store::{content_seed, random_bytes, size};
use crate::tally::Spread;

/// How long an idle connection may take to get its one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to load with.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Sizes of the files
    #[arg(long, value_parser = size, value_delimiter = ',', default_value = "4K,1M")]
    sizes: Vec<u64>,
    /// Connections that ask without a pause
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Rounds, each with both servers
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds that each is asked in a round
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Connections that have asked once and are kept open; 0 to leave that out
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// The server program
    #[arg(long)]
    binary: PathBuf,
    /// Puts what is printed into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Where the servers keep their data; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What `wrk` says.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: f64,
    /// The slowest of a hundred, milliseconds.
    p99: f64,
}

/// Carries out the measurement and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut out = Told::new();
    writeln!(out, "machine: {}", Machine::here())?;
    writeln!(
        out,
        "peer: {}, whose files are static ones; asked by {} on {} connections, {} rounds of {} s",
        version("nginx", "-v")?,
        version("wrk", "-v")?,
        arguments.connections,
        arguments.rounds,
        arguments.seconds
    )?;
    raise_open_files()?;
    let mut plan = Plan::new().binary(&arguments.binary).storage_key("log_level", "warn");
    plan = plan.http(&[("max_connections", "20000"), ("keepalive_timeout", "3600"), ("log_level", "warn")]);
    if let Some(dir) = &arguments.dir {
        fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        plan = plan.within(dir);
    }
    let cluster = plan.start()?;
    let root = cluster.folder().join("static");
    let nginx = Nginx::start(&format!(
        "sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=1000;\n\
         server {{ listen 80; root {}; }}",
        root.display()
    ))?;
    let (ours, theirs) = (cluster.storages[0].http(), nginx.address());
    let mut ids = Vec::new();
    for size in &arguments.sizes {
        ids.push((*size, upload(&cluster, arguments, &root, *size)?));
    }
    for (size, id) in &ids {
        let mut pairs = Vec::new();
        for _ in 0..arguments.rounds {
            pairs.push((wrk(ours, id, arguments)?, wrk(theirs, id, arguments)?));
        }
        compare(&mut out, *size, ("nginx", &pairs))?;
    }
    if arguments.idle > 0 {
        beside_idle(&mut out, arguments, &cluster, &ids)?;
    }
    if arguments.write {
        out.put("http")?;
    }
    Ok(())
}

/// The same beside connections that rest.
fn beside_idle(
    out: &mut impl Write,
    arguments: &Arguments,
    cluster: &Cluster,
    ids: &[(u64, String)],
) -> Result<()> {
    let ours = cluster.storages[0].http();
    let memory = || -> Result<u64> {
        let server = cluster.storages[0].server.as_ref().context("the storage does not run")?;
        server.own_bytes().context("its memory can't be read")
    };
    let (size, id) = ids.first().context("no sizes")?;
    let alone = (0..arguments.rounds).map(|_| wrk(ours, id, arguments)).collect::<Result<Vec<_>>>()?;
    let before = memory()?;
    let idle = idle(ours, id, arguments.idle)?;
    let each = memory()?.saturating_sub(before) as f64 / idle.len() as f64;
    let beside = (0..arguments.rounds).map(|_| wrk(ours, id, arguments)).collect::<Result<Vec<_>>>()?;
    writeln!(out, "{} idle connections: {each:.0} bytes of memory each", idle.len())?;
    let pairs: Vec<_> = beside.into_iter().zip(alone).collect();
    compare(out, *size, ("without them", &pairs))
}

/// What a program says of itself: the first line, up to a bracket.
fn version(program: &str, flag: &str) -> Result<String> {
    let output = Command::new(program).arg(flag).output().with_context(|| format!("run {program}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().next().unwrap_or_default();
    let line = line.split(['[', '(']).next().unwrap_or_default().trim();
    Ok(line.strip_prefix("nginx version: ").unwrap_or(line).to_owned())
}

fn compare(out: &mut impl Write, size: u64, (other, pairs): (&str, &[(Rate, Rate)])) -> Result<()> {
    let median =
        |of: &dyn Fn(&(Rate, Rate)) -> f64| Spread::of(pairs.iter().map(of)).map_or(0.0, |s| s.median);
    let ratio = Spread::of(pairs.iter().map(|(ours, theirs)| ours.per_second / theirs.per_second));
    let ratio = ratio.context("no rounds")?;
    writeln!(
        out,
        "{size:>8} bytes: {:>8.0}/s p99 {:.2} ms  {other} {:>8.0}/s p99 {:.2} ms  ratio {:.2} ({:.2}–{:.2})",
        median(&|pair| pair.0.per_second),
        median(&|pair| pair.0.p99),
        median(&|pair| pair.1.per_second),
        median(&|pair| pair.1.p99),
        ratio.median,
        ratio.min,
        ratio.max
    )?;
    Ok(())
}

/// Stores a file, and puts the same bytes where nginx looks for its id.
fn upload(cluster: &Cluster, arguments: &Arguments, root: &Path, size: u64) -> Result<String> {
    let local = cluster.folder().join(format!("{size}.bin"));
    fs::write(&local, random_bytes(size, content_seed()))?;
    let mut command = Command::new(&arguments.binary);
    command.arg("fdfs_upload_file").arg(cluster.client_conf()).arg(&local);
    let output = command.output().context("run fdfs_upload_file")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = String::from_utf8(output.stdout)?.trim_end().to_owned();
    let place = root.join(&id);
    fs::create_dir_all(place.parent().context("an id has folders")?)?;
    fs::copy(&local, place)?;
    Ok(id)
}

fn wrk(server: SocketAddr, id: &str, arguments: &Arguments) -> Result<Rate> {
    let output = Command::new("wrk")
        .args(["-t1", "--latency"])
        .arg(format!("-c{}", arguments.connections))
        .arg(format!("-d{}s", arguments.seconds))
        .arg(format!("http://{server}/{id}"))
        .output()
        .context("run wrk: is Debian's package wrk installed?")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && !text.contains("Non-2xx"), "wrk: {text}");
    let word = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let per_second = word("Requests/sec:").with_context(|| format!("wrk: {text}"))?.parse()?;
    let p99 = milliseconds(word("99%").with_context(|| format!("wrk: {text}"))?)?;
    Ok(Rate { per_second, p99 })
}

/// `1.18ms`, `640.00us` or `1.20s`.
fn milliseconds(text: &str) -> Result<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    let unit = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = unit.with_context(|| format!("no time: {text}"))?;
    Ok(number.parse::<f64>()? * factor)
}

/// Connections that have got one answer each and now rest.
fn idle(server: SocketAddr, id: &str, count: usize) -> Result<Vec<TcpStream>> {
    let request = format!("HEAD /{id} HTTP/1.1\r\nHost: bench\r\n\r\n");
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = [0; 1024];
        let len = stream.read(&mut answer)?;
        ensure!(answer[..len].starts_with(b"HTTP/1.1 200"), "an idle connection got no answer");
        open.push(stream);
    }
    Ok(open)
}

fn raise_open_files() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
        .context("raise the limit of open files")
}
