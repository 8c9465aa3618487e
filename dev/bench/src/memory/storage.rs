//! A storage on a small machine, and another one that joins it on a machine as small.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use md5::{Digest, Md5};
use testkit::cluster::{Cluster, Plan};
use testkit::{probe, wait};

use super::content::Content;
use super::{Arguments, Bounded, mib};
use crate::lines::Lines;
use crate::load::{self, Job, Until};
use crate::store::{content_seed, random_bytes};
use crate::wire::{self, FileRef, HEADER_LEN, Head};

const SMALL: u64 = 4096;
const CONNECTIONS: usize = 16;
/// Connections that rest.
const IDLE: usize = 1000;
/// How long a phase may take.
const TIME: Duration = Duration::from_secs(600);
/// How long nothing may move.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a server is watched after it was started with data.
const STARTED_FOR: Duration = Duration::from_secs(3);

/// Carries it out; the part of the report.
pub(super) fn measure(binary: &Path, folder: &Path, arguments: &Arguments) -> Result<String> {
    let (large, memory) = (arguments.large << 20, arguments.storage << 20);
    let count = arguments.files as usize;
    let mut first = Bounded::new(binary, memory, &folder.join("first"))?;
    let mut second = Bounded::new(binary, memory, &folder.join("second"))?;
    let mut cluster = Plan::new()
        .binary(&first.program)
        .within(folder)
        .status()
        .groups(&[("group1", 2)])
        .storage_key("subdir_count_per_path", 256)
        .storage_key("max_connections", 2048)
        .storage_key("heart_beat_interval", 1)
        .storage_key("stat_report_interval", 1)
        .storage_key("sync_binlog_buff_interval", 1)
        .storage_key("scrub_interval", 0)
        .prepare()?;
    cluster.trackers[0].start(binary)?;
    let tracker = cluster.tracker();
    wait::until("the tracker", wait::READY, || probe::answers(tracker).then_some(()))?;
    cluster.storages[0].start(&first.program)?;
    watch(&mut first, &cluster, 0)?;
    cluster.wait_ready()?;
    first.note("first start", Ok(()))?;
    let storage = cluster.storages[0].address();

    let mut files = Vec::with_capacity(count);
    first.step(&format!("{count} files of 4 KiB on {CONNECTIONS} connections"), || {
        let request = wire::upload_request(0, &random_bytes(SMALL, content_seed()));
        let job = Job::Upload { request: &request, made: &mut files };
        phase(storage, job, count)
    })?;
    let mut content = Content::new(3);
    let step = format!("a file of {} MiB", mib(large));
    let large_file = first.step(&step, || send(storage, &mut content, large))?;
    let sent = content.digest();
    first.step("it and the others fetched again", || {
        ensure!(fetch(storage, &large_file)? == sent, "what came back is not what was sent");
        phase(storage, Job::Download { files: &files, size: SMALL }, count)
    })?;
    let idle = first.step(&format!("{IDLE} connections that rest"), || {
        (0..IDLE).map(|_| wire::connect_ready(storage)).collect::<Result<Vec<_>>>()
    })?;

    cluster.storages[1].start(&second.program)?;
    watch(&mut second, &cluster, 1)?;
    let filled = fill(&cluster, arguments.files);
    first.note("a second member joined and was filled", filled)?;
    second.note("a new member, which is filled", Ok(()))?;
    first.step("more files, which the second member gets", || {
        let request = wire::upload_request(0, &random_bytes(SMALL, content_seed().wrapping_add(1)));
        let job = Job::Upload { request: &request, made: &mut files };
        phase(storage, job, count)?;
        arrived(&cluster, u64::from(arguments.files) * 2 + 1)
    })?;
    second.note("those files come from the other member", Ok(()))?;
    drop(idle);
    first.step("half of them deleted", || phase(storage, Job::Delete { files: &files[..count] }, count))?;

    for (index, steps, name) in [(0, &mut first, "first"), (1, &mut second, "second")] {
        cluster.storages[index].stop()?;
        if index == 0 {
            checked(&cluster, steps)?;
        }
        for (what, is_killed) in [("start with this data", false), ("start after kill -9", true)] {
            if is_killed {
                cluster.storages[index].kill()?;
            } else {
                // The second time it begins the scrub, and as fast as it goes.
                cluster.storages[index].configure("scrub_interval", 1)?;
                cluster.storages[index].configure("scrub_bytes_per_second", 0)?;
            }
            let program = steps.program.clone();
            cluster.storages[index].start(&program)?;
            watch(steps, &cluster, index)?;
            cluster.wait_ready()?;
            // What begins at a start, begins some time after it.
            std::thread::sleep(STARTED_FOR);
            steps.note(what, Ok(()))?;
        }
        let scrubbed = scrubbed(cluster.storages[index].status());
        steps.note("a round of the scrub", scrubbed).with_context(|| format!("the {name} member"))?;
    }
    let other = cluster.storages[1].address();
    second.step("the large file fetched from it", || {
        ensure!(fetch(other, &large_file)? == sent, "what came back is not what was sent");
        Ok(())
    })?;
    let last = first.step("the large file deleted", || {
        let job = Job::Delete { files: std::slice::from_ref(&large_file) };
        phase(storage, job, 1)
    });
    last?;
    cluster.stop()?;
    let memory = mib(memory);
    let of_first = first.table(&format!("A storage in {memory} MiB"))?;
    Ok(of_first + "\n" + &second.table(&format!("The other member of its group, in {memory} MiB"))?)
}

/// Looks at a member's process.
fn watch(steps: &mut Bounded, cluster: &Cluster, index: usize) -> Result<()> {
    let server = cluster.storages[index].server.as_ref().context("the storage does not run")?;
    steps.watch(server.pid());
    Ok(())
}

fn phase(storage: SocketAddr, job: Job<'_>, operations: usize) -> Result<()> {
    let tally = load::run(storage, CONNECTIONS.min(operations), job, Until { operations, time: TIME })?;
    ensure!(tally.errors() == 0, "{}", tally.errors_in_words());
    Ok(())
}

fn connect(storage: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&storage, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn send(storage: SocketAddr, content: &mut Content, large: u64) -> Result<FileRef> {
    let mut stream = connect(storage)?;
    stream.write_all(&wire::upload_head(0, large))?;
    content.send(large, |block| stream.write_all(block))?;
    let reply = wire::read_reply(&mut stream)?;
    FileRef::from_upload_reply(&reply).context("a reply that names no file")
}

/// MD5 of what it has.
fn fetch(storage: SocketAddr, file: &FileRef) -> Result<[u8; 16]> {
    let mut stream = connect(storage)?;
    let mut head = Head::empty();
    head.set_download(file);
    stream.write_all(head.bytes())?;
    let mut header = [0; HEADER_LEN];
    stream.read_exact(&mut header)?;
    let (mut left, status) = wire::reply_header(&header);
    ensure!(status == 0, "status {status}");
    let (mut piece, mut digest) = (vec![0; 256 << 10], Md5::new());
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = stream.read(&mut piece[..most])?;
        ensure!(got > 0, "the connection ended, {left} bytes are missing");
        digest.update(&piece[..got]);
        left -= got as u64;
    }
    Ok(digest.finalize().into())
}

fn fill(cluster: &Cluster, files: u32) -> Result<()> {
    arrived(cluster, u64::from(files) + 1)
}

/// Waits until the second member has so many files.
fn arrived(cluster: &Cluster, files: u64) -> Result<()> {
    let mut lines = Lines::of(&cluster.storages[1].base_path.join("data/sync/binlog.000"));
    let mut there = 0;
    wait::until("the files of the other member", TIME, || {
        there = lines.count(b'c').ok()?;
        (there >= files).then_some(())
    })
    .with_context(|| format!("{there} of {files} files arrived"))
}

/// `cairn fsck` of a member that does not run, within the same bound.
fn checked(cluster: &Cluster, steps: &mut Bounded) -> Result<()> {
    let mut fsck = Command::new(&steps.program).arg("fsck").arg(&cluster.storages[0].conf).spawn()?;
    steps.watch(fsck.id());
    // A process that has ended can't be asked any more: the last look counts.
    let status = wait::until("fsck", TIME, || fsck.try_wait().ok().flatten())?;
    ensure!(status.success(), "fsck: {status}");
    steps.ended("`cairn fsck`")
}

fn scrubbed(status: SocketAddr) -> Result<()> {
    wait::until("a round of the scrub", TIME, || {
        let mut stream = connect(status).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: storage\r\nConnection: close\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        let rounds = page.lines().find_map(|line| line.strip_prefix("cairn_storage_scrub_rounds_total "))?;
        rounds.split(' ').next()?.parse::<f64>().ok().filter(|rounds| *rounds >= 1.0)
    })
    .map(drop)
}
