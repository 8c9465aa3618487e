//! Who is there, and what they have, before anything is measured.

use std::cell::Cell;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use md5::Md5;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::drive::ADMIN_PASSWORD;

use super::web::{self, Answer, Job, request, write_request};

/// People who only read; nothing of theirs changes.
const READERS: usize = 8;
/// People who write.
const WRITERS: usize = 32;
/// People to whom an administrator does something.
const VICTIMS: usize = 4;
/// People who sign in.
const GUESTS: usize = 32;
/// Files in a folder, and in a reader's root folder.
const FILES: usize = 10;
/// Passwords that are hashed at the same time, two on two cores, and as many that wait: more would be sent away.
pub(crate) const HASHERS: usize = 4;
/// Connections for what is prepared.
const PREPARING: usize = 32;
/// Bytes of a file.
pub(crate) const FILE_BYTES: usize = 4096;
/// What old clients make of the password `123456`.
const DIGITS: &str = "e10adc3949ba59abbe56e057f20f883e";
/// A password as API v1 takes one.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// What old clients make [`DIGITS`] of.
pub(crate) const FIRST_PASSWORD: &str = "123456";
const BOUNDARY: &str = "------bench7MA4YWxkTrZu0gW";

/// Somebody who is signed in.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) token: String,
    /// What old clients have: in API v1 it does not keep the account.
    pub(crate) old_token: String,
    pub(crate) id: String,
    /// A folder with ten files.
    pub(crate) ten: String,
    /// The first of them.
    pub(crate) file: String,
    /// A file in the root folder, its name, and what it has.
    pub(crate) own: String,
    pub(crate) own_name: String,
    pub(crate) content: Vec<u8>,
    /// A link to the folder, its id, and one to the first file of the root.
    pub(crate) folder_share: (String, String),
    pub(crate) file_share: (String, String),
    /// A picture link.
    pub(crate) picture: String,
}

impl Person {
    pub(crate) fn md5(&self) -> String {
        hex(&Md5::digest(&self.content))
    }

    /// A request in this person's name.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Vec<u8> {
        request(method, &v1(path), &bearer(&self.token), b"")
    }

    /// The same with JSON.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Vec<u8> {
        request(method, &v1(path), &(bearer(&self.token) + JSON), body.to_string().as_bytes())
    }

    /// A request of an old client.
    pub(crate) fn old(&self, path: &str, mut body: Value) -> Vec<u8> {
        body["user"] = json!(self.name);
        body["token"] = json!(self.old_token);
        old(path, &body)
    }
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

pub(crate) fn v1(path: &str) -> String {
    format!("/api/v1{path}")
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// A request of an old client that is not signed in.
pub(crate) fn old(path: &str, body: &Value) -> Vec<u8> {
    request("POST", path, JSON, body.to_string().as_bytes())
}

pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// People and things.
pub(crate) struct World {
    /// The drive itself: what is prepared does not go through nginx.
    pub(crate) drive: SocketAddr,
    pub(crate) connections: usize,
    /// Things that one measurement may use up.
    pub(crate) items: usize,
    pub(crate) admin: Person,
    pub(crate) readers: Vec<Person>,
    pub(crate) writers: Vec<Person>,
    pub(crate) victims: Vec<Person>,
    /// They sign in: an account has so many sessions, and the one that was used longest ago ends when there is one more.
    pub(crate) guests: Vec<Person>,
    /// Links that want the code `abcd12`.
    pub(crate) coded: Vec<String>,
    serial: Cell<u64>,
}

impl World {
    pub(crate) fn new(drive: SocketAddr, connections: usize, items: usize) -> Result<World> {
        let admin = json!({"user_name": "admin", "password": ADMIN_PASSWORD, "hand": "token"});
        let admin = request("POST", "/api/v1/session", JSON, admin.to_string().as_bytes());
        let admin = texts(&web::each(drive, vec![admin], 1, 201)?, "/token")?.remove(0);
        let mut world = World {
            drive,
            connections,
            items,
            admin: Person { token: admin, ..person("admin", String::new()) },
            readers: Vec::new(),
            writers: Vec::new(),
            victims: Vec::new(),
            guests: Vec::new(),
            coded: Vec::new(),
            serial: Cell::new(1),
        };
        let names = |what: &str, count: usize| (0..count).map(|i| format!("{what}{i}")).collect::<Vec<_>>();
        let all = [
            names("reader", READERS),
            names("writer", WRITERS),
            names("victim", VICTIMS),
            names("guest", GUESTS),
        ]
        .concat();
        let mut people = world.people(&all)?;
        world.furnish(&mut people)?;
        world.guests = people.split_off(READERS + WRITERS + VICTIMS);
        world.victims = people.split_off(READERS + WRITERS);
        world.writers = people.split_off(READERS);
        world.readers = people;
        world.trash_of_readers()?;
        let shares = (0..connections).map(|i| {
            let reader = &world.readers[i % READERS];
            let wish = json!({"code": {"chosen": "abcd12"}, "expires_at": null});
            reader.send("POST", &format!("/nodes/{}/shares", reader.file), &wish)
        });
        world.coded = texts(&world.each(shares.collect(), 201)?, "/token")?;
        Ok(world)
    }

    /// A number that nobody had.
    pub(crate) fn serial(&self) -> u64 {
        self.serial.replace(self.serial.get() + 1)
    }

    /// A name that nobody had.
    pub(crate) fn name(&self) -> String {
        format!("n{:09}.bin", self.serial())
    }

    /// Bytes that nobody had.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = vec![b'.'; FILE_BYTES];
        content[..20].copy_from_slice(format!("{:020}", self.serial()).as_bytes());
        content
    }

    /// Prepares something: the bodies of the answers.
    pub(crate) fn each(&self, requests: Vec<Vec<u8>>, status: u16) -> Result<Vec<Vec<u8>>> {
        web::each(self.drive, requests, PREPARING, status)
    }

    /// As many as one measurement may use up, each with somebody who writes.
    pub(crate) fn for_items<'w, T: 'w>(&'w self, make: impl Fn(&'w Person) -> T) -> Vec<T> {
        self.writers.iter().cycle().take(self.items).map(make).collect()
    }

    /// Signs in, in API v1: tokens and ids of sessions.
    pub(crate) fn sessions(&self, count: usize) -> Result<Vec<(String, String)>> {
        let asks = self.guests.iter().cycle().take(count).map(sign_in).collect();
        let answers = web::each(self.drive, asks, HASHERS, 201)?;
        Ok(texts(&answers, "/token")?.into_iter().zip(texts(&answers, "/session/id")?).collect())
    }

    /// Makes accounts of these names, and signs them in.
    pub(crate) fn people(&self, names: &[String]) -> Result<Vec<Person>> {
        let made = names
            .iter()
            .map(|name| old("/api/reg", &json!({"userName": name, "nickName": name, "firstPwd": DIGITS})));
        let answers = web::each(self.drive, made.collect(), HASHERS, 200)?;
        all_done(&answers).context("an account was not made")?;
        let signed = names.iter().map(|name| old_sign_in(name));
        let tokens = texts(&web::each(self.drive, signed.collect(), HASHERS, 200)?, "/token")?;
        let mut people: Vec<Person> =
            names.iter().zip(tokens).map(|(name, token)| person(name, token)).collect();
        let signed = people.iter().map(sign_in).collect();
        let tokens = texts(&web::each(self.drive, signed, HASHERS, 201)?, "/token")?;
        for (person, token) in people.iter_mut().zip(tokens) {
            person.token = token;
        }
        let me = people.iter().map(|person| person.ask("GET", "/me")).collect();
        for (person, id) in people.iter_mut().zip(texts(&self.each(me, 200)?, "/id")?) {
            person.id = id;
        }
        Ok(people)
    }

    /// Gives everybody ten files in a folder, ten in the root folder, and links.
    fn furnish(&self, people: &mut [Person]) -> Result<()> {
        let folder = json!({"name": "ten"});
        let folders =
            people.iter().map(|person| person.send("POST", "/nodes/root/children", &folder)).collect();
        for (person, id) in people.iter_mut().zip(texts(&self.each(folders, 201)?, "/id")?) {
            person.ten = id;
        }
        for number in 0..FILES {
            for in_root in [false, true] {
                let mut contents = Vec::new();
                let name = format!("picture {number}.png").replace(' ', "%20");
                let files = people.iter().map(|person| {
                    contents.push(self.content());
                    let folder = if in_root { "root" } else { &person.ten };
                    let path = v1(&format!("/nodes/{folder}/files/{name}"));
                    request("PUT", &path, &bearer(&person.token), contents.last().map_or(&[], Vec::as_slice))
                });
                let files = files.collect();
                let ids = texts(&self.each(files, 201)?, "/id")?;
                for ((person, id), content) in people.iter_mut().zip(ids).zip(contents) {
                    match (number, in_root) {
                        (0, false) => person.file = id,
                        (0, true) => {
                            (person.own, person.own_name) = (id, "picture 0.png".to_owned());
                            person.content = content;
                        }
                        _ => {}
                    }
                }
            }
        }
        let open = json!({"listed": true, "expires_at": null});
        let share = |node: &dyn Fn(&Person) -> String, people: &[Person]| {
            let asks =
                people.iter().map(|one| one.send("POST", &format!("/nodes/{}/shares", node(one)), &open));
            let answers = self.each(asks.collect(), 201)?;
            Ok::<_, anyhow::Error>((texts(&answers, "/token")?, texts(&answers, "/id")?))
        };
        let (folders, files) =
            (share(&|one| one.ten.clone(), people)?, share(&|one| one.own.clone(), people)?);
        let pictures = people.iter().map(|one| {
            one.old("/api/sharepic?cmd=share", json!({"md5": one.md5(), "filename": one.own_name}))
        });
        let pictures = texts(&self.each(pictures.collect(), 200)?, "/urlmd5")?;
        let folders = folders.0.into_iter().zip(folders.1);
        let files = files.0.into_iter().zip(files.1);
        for (((person, folder), file), picture) in people.iter_mut().zip(folders).zip(files).zip(pictures) {
            (person.folder_share, person.file_share, person.picture) = (folder, file, picture);
        }
        Ok(())
    }

    fn trash_of_readers(&self) -> Result<()> {
        let people = || self.readers.iter().cycle().take(READERS * FILES);
        let folders =
            people().map(|one| one.send("POST", "/nodes/root/children", &json!({"name": self.name()})));
        let ids = texts(&self.each(folders.collect(), 201)?, "/id")?;
        let gone = people().zip(ids).map(|(one, id)| one.ask("DELETE", &format!("/nodes/{id}")));
        self.each(gone.collect(), 200).map(drop)
    }

    /// Folders of people who write, as many as one measurement may use up, with whoever has them.
    pub(crate) fn folders(&self) -> Result<Vec<(&Person, String)>> {
        let owners = self.for_items(|one| one);
        let asks =
            owners.iter().map(|one| one.send("POST", "/nodes/root/children", &json!({"name": self.name()})));
        let ids = texts(&self.each(asks.collect(), 201)?, "/id")?;
        Ok(owners.into_iter().zip(ids).collect())
    }

    /// The same in the trash: entries.
    pub(crate) fn trashed(&self) -> Result<Vec<(&Person, String)>> {
        let folders = self.folders()?;
        let asks = folders.iter().map(|(one, id)| one.ask("DELETE", &format!("/nodes/{id}")));
        let entries = texts(&self.each(asks.collect(), 200)?, "/trash")?;
        Ok(folders.into_iter().map(|(one, _)| one).zip(entries).collect())
    }

    /// Links to files: ids, with whoever has them.
    pub(crate) fn shares(&self) -> Result<Vec<(&Person, String)>> {
        let owners = self.for_items(|one| one);
        let asks = owners.iter().map(|one| {
            one.send("POST", &format!("/nodes/{}/shares", one.file), &json!({"expires_at": null}))
        });
        let ids = texts(&self.each(asks.collect(), 201)?, "/id")?;
        Ok(owners.into_iter().zip(ids).collect())
    }

    /// Files in root folders with the owner's own content, made by instant upload: their names.
    pub(crate) fn named<'w>(&self, owners: Vec<&'w Person>) -> Result<Vec<(&'w Person, String)>> {
        let names: Vec<String> = owners.iter().map(|_| self.name()).collect();
        let asks = owners
            .iter()
            .zip(&names)
            .map(|(one, name)| one.old("/api/md5", json!({"md5": one.md5(), "filename": name})));
        let answers = self.each(asks.collect(), 200)?;
        all_done(&answers).context("instant upload was refused")?;
        Ok(owners.into_iter().zip(names).collect())
    }

    /// The same, shown to everybody.
    pub(crate) fn listed<'w>(&self, owners: Vec<&'w Person>) -> Result<Vec<(&'w Person, String)>> {
        let files = self.named(owners)?;
        let asks = files.iter().map(|(one, name)| {
            one.old("/api/dealfile?cmd=share", json!({"md5": one.md5(), "filename": name}))
        });
        let answers = self.each(asks.collect(), 200)?;
        all_done(&answers).context("a file was not shown")?;
        Ok(files)
    }

    /// Each connection sends one request again and again, the same as others of its person.
    pub(crate) fn same<'w>(&'w self, requests: Vec<Vec<u8>>, check: Due) -> Job<'w> {
        let next = move |connection: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(&requests[connection % requests.len()]);
            true
        };
        Job { connections: self.connections, next: Box::new(next), check: check.into_check() }
    }

    /// Everybody of a group sends one request again and again.
    pub(crate) fn all(&self, people: &[Person], make: impl Fn(&Person) -> Vec<u8>, check: Due) -> Job<'_> {
        self.same(people.iter().map(make).collect(), check)
    }

    /// People who write send requests that are made anew each time.
    pub(crate) fn fresh<'w>(&'w self, make: impl Fn(&'w Person, &mut Vec<u8>) + 'w, check: Due) -> Job<'w> {
        let next = move |connection: usize, out: &mut Vec<u8>| {
            make(&self.writers[connection % WRITERS], out);
            true
        };
        Job { connections: self.connections, next: Box::new(next), check: check.into_check() }
    }

    /// Each of these is sent once.
    pub(crate) fn once(&self, requests: Vec<Vec<u8>>, check: Due) -> Job<'_> {
        let mut rest = requests.into_iter();
        let next = move |_: usize, out: &mut Vec<u8>| match rest.next() {
            Some(request) => {
                *out = request;
                true
            }
            None => false,
        };
        Job { connections: self.connections, next: Box::new(next), check: check.into_check() }
    }
}

/// What an answer has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    /// This status.
    Status(u16),
    /// Of the old dialect: 200, and 0 in `code`.
    Done,
}

impl Due {
    pub(crate) fn into_check<'p>(self) -> web::Check<'p> {
        Box::new(move |_, answer: &Answer<'_>| match self {
            Due::Status(status) => answer.status == status,
            Due::Done => answer.status == 200 && is_done(answer.body),
        })
    }
}

/// Does a reply of the old dialect, whose first field is its code, say that it is done? Behind a chunk's length perhaps.
/// All of these answers of the old dialect say that it was done; else the first that does not.
fn all_done(answers: &[Vec<u8>]) -> Result<()> {
    match answers.iter().find(|answer| !is_done(answer)) {
        None => Ok(()),
        Some(answer) => anyhow::bail!("{}", String::from_utf8_lossy(answer)),
    }
}

fn is_done(body: &[u8]) -> bool {
    let start = body.iter().take(16).position(|byte| *byte == b'{').unwrap_or(0);
    let rest = body.get(start..).unwrap_or_default();
    rest.strip_prefix(b"{\"code\":0").is_some_and(|rest| rest.starts_with(b",") || rest.starts_with(b"}"))
}

fn person(name: &str, old_token: String) -> Person {
    let none = String::new;
    Person {
        name: name.to_owned(),
        token: none(),
        old_token,
        id: none(),
        ten: none(),
        file: none(),
        own: none(),
        own_name: none(),
        content: Vec::new(),
        folder_share: (none(), none()),
        file_share: (none(), none()),
        picture: none(),
    }
}

/// Signs in with what was typed.
pub(crate) fn sign_in(person: &Person) -> Vec<u8> {
    let fields = json!({"user_name": person.name, "password": FIRST_PASSWORD, "hand": "token"});
    request("POST", "/api/v1/session", JSON, fields.to_string().as_bytes())
}

pub(crate) fn old_sign_in(name: &str) -> Vec<u8> {
    old("/api/login", &json!({"user": name, "pwd": DIGITS}))
}

/// Makes an account.
pub(crate) fn old_register(out: &mut Vec<u8>, name: &str) {
    let fields = json!({"userName": name, "nickName": name, "firstPwd": DIGITS});
    write_request(out, "POST", "/api/reg", JSON, fields.to_string().as_bytes());
}

/// A form with a file.
pub(crate) fn form(
    out: &mut Vec<u8>,
    path: &str,
    fields: &str,
    user: Option<&str>,
    name: &str,
    content: &[u8],
) {
    let mut body = Vec::with_capacity(content.len() + 512);
    if let Some(user) = user {
        let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n{user}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let part = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(part.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let fields = format!("{fields}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
    write_request(out, "POST", path, &fields, &body);
}

/// The text at a place in each of these bodies.
pub(crate) fn texts(bodies: &[Vec<u8>], pointer: &str) -> Result<Vec<String>> {
    let text = |body: &Vec<u8>| {
        let value: Value = serde_json::from_slice(body)?;
        let text = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        text.with_context(|| format!("no {pointer} in {value}"))
    };
    bodies.iter().map(text).collect()
}
