//! `cairn up` on a small machine: what somebody does with a drive.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::up::Up;
use testkit::wait;

use super::client::Client;
use super::content::{Content, PIECE};
use super::{Arguments, Bounded, mib, pictures};

/// Small files that come at the same time, and their size.
const AT_ONCE: u32 = 100;
const SMALL: usize = 4096;
/// People who sign in at the same time.
const CROWD: usize = 16;
const PASSWORD: &str = "correct horse battery";
/// Connections that fill the large folder.
const CONNECTIONS: usize = 8;
/// An account may ask 100 times a second in the long run: this is a little less.
const PACE: Duration = Duration::from_micros(10_500);
/// Rows of a page.
const PAGE: usize = 1000;
/// How long the trash may take to be emptied.
const EMPTY_TIME: Duration = Duration::from_secs(120);
/// How long a server is watched after it was started with data.
const STARTED_FOR: Duration = Duration::from_secs(3);
const TUS: &str = "Tus-Resumable: 1.0.0\r\n";

/// Carries it out; the part of the report.
pub(super) fn measure(binary: &Path, folder: &Path, arguments: &Arguments) -> Result<String> {
    let (large, files) = (arguments.large << 20, arguments.files);
    let mut steps = Bounded::new(binary, arguments.up << 20, &folder.join("up"))?;
    let program = steps.program.clone();
    let mut up = Up::start_as(&program, &["--open-registration"], &folder.join("up"))?;
    steps.watch(up.server.pid());
    let drive = up.drive();
    let mut admin = steps.step("first start", || {
        wait::until("the drive", wait::READY, || std::net::TcpStream::connect(drive).ok())?;
        Ok(Client::new(drive))
    })?;
    let password = up.password()?;
    admin = steps.step("sign-in", || {
        drop(admin);
        Client::signed_in(drive, "admin", &password)
    })?;
    steps.step("16 accounts made, one after the other", || accounts(drive))?;
    steps.step("4 sign-ins at the same time", || sign_ins(drive, 0..4))?;
    steps.step("16 sign-ins at the same time", || sign_ins(drive, 0..CROWD))?;
    steps.step(&format!("{AT_ONCE} uploads of 4 KiB at the same time"), || at_once(&admin))?;

    let gib = |bytes: u64| format!("{} MiB", mib(bytes));
    let mut content = Content::new(1);
    let whole = steps.step(&format!("a file of {} by PUT", gib(large)), || {
        let path = "/nodes/root/files/whole.bin";
        admin.send_content("PUT", path, "", &mut content, large, 201)?.json()
    })?;
    let sent = content.digest();
    let mut content = Content::new(2);
    let pieces = steps.step(&format!("another in pieces of {} (tus)", gib(PIECE)), || {
        by_pieces(&mut admin, &mut content, large)
    })?;
    let sent_in_pieces = content.digest();
    steps.step("both fetched again", || {
        for (id, sent) in [(text(&whole, "/id")?, sent), (&pieces, sent_in_pieces)] {
            let came = admin.fetch(&format!("/nodes/{id}/content"))?;
            ensure!(came == (large, sent), "what came back is not what was sent");
        }
        Ok(())
    })?;

    let many = folder_of(&mut admin, "many")?;
    steps.step(&format!("{files} files into one folder"), || fill(&admin, &many, files))?;
    steps.step(&format!("its list, in pages of {PAGE}"), || {
        let rows = listed(&mut admin, &many)?;
        ensure!(rows == files as usize, "{rows} rows");
        Ok(())
    })?;
    let other = folder_of(&mut admin, "other")?;
    steps.step("the folder moved", || {
        admin.send("PATCH", &format!("/nodes/{many}"), &json!({"parent": other}), 200)
    })?;
    steps.step("the folder as an archive", || admin.fetch(&format!("/nodes/{many}/zip")))?;
    steps.step("4 such archives at the same time", || {
        let archive = || admin.another().fetch(&format!("/nodes/{many}/zip")).map(drop);
        together(4, |_| archive())
    })?;
    steps.step("a search that finds all of them", || admin.get("/search?q=file&limit=100"))?;
    for (what, progressive) in [("baseline", false), ("progressive", true)] {
        let photograph = pictures::photograph(progressive)?;
        let step = format!("thumbnail of a JPEG of 24 megapixels, {what}, {}", gib(photograph.len() as u64));
        let made = steps.step(&step, || thumbnail(&mut admin, what, &photograph))?;
        if let (false, Some(row)) = (made, steps.rows.last_mut()) {
            row.step += ": none, it would take too much";
        }
    }
    let link = admin.send(
        "POST",
        &format!("/nodes/{}/shares", text(&whole, "/id")?),
        &json!({"expires_at": null}),
        201,
    )?;
    steps.step("the large file through a link", || {
        let (token, id) = (text(&link, "/token")?, text(&whole, "/id")?);
        let came = Client::new(drive).fetch(&format!("/public/shares/{token}/nodes/{id}/content"))?;
        ensure!(came == (large, sent), "what came back is not what was sent");
        Ok(())
    })?;
    steps.step("the folder into the trash", || {
        admin.ask("DELETE", &format!("/nodes/{many}"), "", b"", 200).map(drop)
    })?;
    steps.step("the trash emptied", || {
        admin.ask("DELETE", "/trash", "", b"", 202)?;
        wait::until("an empty trash", EMPTY_TIME, || {
            let rows = admin.get("/trash?limit=10").ok()?;
            rows["rows"].as_array()?.is_empty().then_some(())
        })
    })?;
    let status = up.server.terminate()?;
    ensure!(status.success(), "it ended with {status}");
    for (what, is_killed) in [("start with this data", false), ("start after kill -9", true)] {
        if is_killed {
            up.server.kill()?;
        }
        up.restart()?;
        steps.watch(up.server.pid());
        steps.step(what, || {
            // What begins at a start, begins some time after it.
            std::thread::sleep(STARTED_FOR);
            let came = admin.another().fetch(&format!("/nodes/{pieces}/content"))?;
            ensure!(came == (large, sent_in_pieces), "what came back is not what was sent");
            Ok(())
        })?;
    }
    let status = up.server.terminate()?;
    ensure!(status.success(), "it ended with {status}");
    let heading = format!("`cairn up` in {} MiB", arguments.up);
    steps.table(&heading)
}

fn accounts(drive: SocketAddr) -> Result<()> {
    let mut visitor = Client::new(drive);
    for number in 0..CROWD {
        let fields = json!({"user_name": person(number), "password": PASSWORD});
        visitor.send("POST", "/accounts", &fields, 201)?;
    }
    Ok(())
}

fn sign_ins(drive: SocketAddr, people: std::ops::Range<usize>) -> Result<()> {
    together(people.len(), |number| {
        Client::signed_in(drive, &person(people.start + number), PASSWORD).map(drop)
    })
}

fn person(number: usize) -> String {
    format!("person{number}")
}

fn at_once(admin: &Client) -> Result<()> {
    together(AT_ONCE as usize, |number| {
        let (path, content) = (format!("/nodes/root/files/small{number}.bin"), small(u32::MAX, number));
        admin.another().ask("PUT", &path, "", &content, 201).map(drop)
    })
}

/// Bytes that no other file has.
fn small(kind: u32, number: usize) -> Vec<u8> {
    let mut content = vec![b'.'; SMALL];
    content[..12].copy_from_slice(&[&kind.to_be_bytes()[..], &(number as u64).to_be_bytes()].concat());
    content
}

/// Does something on so many threads at the same time.
fn together(threads: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let start = std::sync::Barrier::new(threads);
    std::thread::scope(|scope| {
        let begin = |number| {
            let (work, start) = (&work, &start);
            scope.spawn(move || {
                start.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..threads).map(begin).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })
}

/// An upload in pieces, each on its way for itself: the node's id.
fn by_pieces(admin: &mut Client, content: &mut Content, large: u64) -> Result<String> {
    // "pieces.bin" in base64, as tus wants it.
    let fields = format!("{TUS}Upload-Length: {large}\r\nUpload-Metadata: filename cGllY2VzLmJpbg==\r\n");
    let begun = admin.ask("POST", "/uploads", &fields, b"", 201)?;
    let place = begun.field("location").context("no place of the upload")?;
    let place = place.split_once("/api/v1").context("a place that is none")?.1.to_owned();
    for at in (0..large).step_by(usize::try_from(PIECE)?) {
        let fields = format!("{TUS}Content-Type: application/offset+octet-stream\r\nUpload-Offset: {at}\r\n");
        admin.send_content("PATCH", &place, &fields, content, PIECE, 204)?;
    }
    let found = admin.get("/search?q=pieces.bin&limit=10")?;
    Ok(text(&found, "/rows/0/id").or_else(|_| text(&found, "/rows/0/node/id"))?.to_owned())
}

fn folder_of(admin: &mut Client, name: &str) -> Result<String> {
    let made = admin.send("POST", "/nodes/root/children", &json!({"name": name}), 201)?;
    Ok(text(&made, "/id")?.to_owned())
}

fn fill(admin: &Client, folder: &str, files: u32) -> Result<()> {
    let (next, turn) = (AtomicU32::new(0), Mutex::new(Instant::now()));
    together(CONNECTIONS, |_| {
        let mut client = admin.another();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= files {
                return Ok(());
            }
            let mine = {
                let mut turn = turn.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
                *turn = Instant::now().max(*turn + PACE);
                *turn
            };
            std::thread::sleep(mine.saturating_duration_since(Instant::now()));
            let path = format!("/nodes/{folder}/files/file{number:05}.bin");
            client.ask("PUT", &path, "", &small(number, 0), 201)?;
        }
    })
}

fn listed(admin: &mut Client, folder: &str) -> Result<usize> {
    let (mut rows, mut cursor) = (0, String::new());
    loop {
        let page = admin.get(&format!("/nodes/{folder}/children?limit={PAGE}{cursor}"))?;
        rows += page["rows"].as_array().context("no rows")?.len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}

/// Is there one?
fn thumbnail(admin: &mut Client, name: &str, file: &[u8]) -> Result<bool> {
    let made = admin.ask("PUT", &format!("/nodes/root/files/{name}.jpg"), "", file, 201)?.json()?;
    let path = format!("/nodes/{}/thumbnail?edge=320", text(&made, "/id")?);
    let answer = admin.exchange("GET", &path, "", b"")?;
    ensure!([200, 404, 415, 422].contains(&answer.status), "GET {path}: {}", answer.status);
    Ok(answer.status == 200)
}

fn text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no {pointer} in {value}"))
}
