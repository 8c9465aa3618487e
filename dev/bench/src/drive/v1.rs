//! The operations of API v1, by the names that its description gives them.

use std::cell::RefCell;

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::web::{Job, request, write_request};
use super::world::{
    Due, FILE_BYTES, FIRST_PASSWORD, HASHERS, JSON, PASSWORD, Person, World, bearer, form, sha256, sign_in,
    texts, v1,
};

/// Archives that the drive sends to one address at the same time: more are sent away.
const ZIPS: usize = 8;
/// API tokens that an account may have, and a few less.
const TOKENS_EACH: usize = 40;
/// Uploads under way that an account may have, and a few less.
const UPLOADS_EACH: usize = 40;
/// Challenges in a row that an account gets, for each of the doors.
const PROOFS_EACH: usize = 8;
/// Sessions, or accounts, that are made for one measurement: each costs a hash or two.
const SESSIONS: usize = 48;
const ACCOUNTS: usize = 16;
const TUS: &str = "Tus-Resumable: 1.0.0\r\n";
const OCTETS: &str = "Content-Type: application/offset+octet-stream\r\n";

/// 640 by 480 pixels.
const PICTURE: &[u8] = include_bytes!("../../../../fixtures/media/picture-640x480.png");

/// What is measured, and is the queue in its way?
pub(crate) struct Case {
    /// Its name in the description, and for some more than one of it: what is different.
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) target: &'static str,
    pub(crate) queue: bool,
    pub(crate) job: for<'w> fn(&'w World) -> Result<Job<'w>>,
}

const fn case(id: &'static str, target: &'static str, job: for<'w> fn(&'w World) -> Result<Job<'w>>) -> Case {
    Case { id, what: "", target, queue: false, job }
}

impl Case {
    const fn queued(self) -> Case {
        Case { queue: true, ..self }
    }

    const fn with(self, what: &'static str) -> Case {
        Case { what, ..self }
    }
}

const OK: Due = Due::Status(200);
const MADE: Due = Due::Status(201);
const EMPTY: Due = Due::Status(204);

/// Readers ask the same again and again.
fn read(world: &World, path: impl Fn(&Person) -> String) -> Result<Job<'_>> {
    Ok(world.all(&world.readers, |one| one.ask("GET", &path(one)), OK))
}

/// Anybody, who is not signed in.
fn public(world: &World, path: impl Fn(&Person) -> String) -> Result<Job<'_>> {
    Ok(world.all(&world.readers, |one| request("GET", &v1(&path(one)), "", b""), OK))
}

/// The administrator asks the same again and again.
fn admin<'w>(
    world: &'w World,
    method: &str,
    path: impl Fn(&Person) -> String,
    body: Option<Value>,
    due: Due,
) -> Job<'w> {
    let ask = |one: &Person| match &body {
        None => world.admin.ask(method, &path(one)),
        Some(body) => world.admin.send(method, &path(one), body),
    };
    world.all(&world.victims, ask, due)
}

/// Writers send JSON with a new name.
fn named<'w>(
    world: &'w World,
    method: &'static str,
    path: impl Fn(&Person) -> String,
    fields: impl Fn(&Person) -> String,
    due: Due,
) -> Result<Job<'w>> {
    let known: Vec<_> =
        world.writers.iter().map(|one| (path(one), fields(one), bearer(&one.token) + JSON)).collect();
    let connections = world.connections;
    let check = due.into_check();
    let next = move |connection: usize, out: &mut Vec<u8>| {
        let (path, fields, head) = &known[connection % known.len()];
        let body = format!("{{\"name\":\"{}\"{fields}}}", world.name());
        write_request(out, method, &v1(path), head, body.as_bytes());
        true
    };
    Ok(Job { connections, next: Box::new(next), check })
}

/// Each of these things is used up by one request of its owner.
fn gone<'w>(
    world: &'w World,
    things: Vec<(&Person, String)>,
    method: &str,
    path: impl Fn(&str) -> String,
    due: Due,
) -> Result<Job<'w>> {
    Ok(world.once(things.iter().map(|(one, id)| one.ask(method, &path(id))).collect(), due))
}

fn few(job: Job<'_>, connections: usize) -> Job<'_> {
    Job { connections: job.connections.min(connections), ..job }
}

/// Visitors of links, of whom none was there before: each is counted.
fn visitors<'w>(world: &'w World, path: impl Fn(&Person) -> String) -> Result<Job<'w>> {
    let paths: Vec<String> = world.readers.iter().map(|one| v1(&path(one))).collect();
    let make = move |_: &Person, out: &mut Vec<u8>| {
        let serial = world.serial();
        let path = &paths[serial as usize % paths.len()];
        write_request(out, "GET", path, &format!("User-Agent: visitor {serial}\r\n"), b"");
    };
    Ok(world.fresh(make, OK))
}

/// Uploads under way of which nothing has come, as many for each writer: those that another measurement has left, and new
/// ones.
fn uploads(world: &World) -> Result<Vec<(&Person, String)>> {
    let each = (world.items / world.writers.len()).clamp(1, UPLOADS_EACH);
    let before = untouched(world)?;
    let wanted =
        |one: &Person| each.saturating_sub(before.iter().filter(|(owner, _)| owner.id == one.id).count());
    let asks = world.writers.iter().flat_map(|one| {
        let ask = || request("POST", "/api/v1/uploads", &tus(one, &world.name()), b"");
        std::iter::repeat_with(ask).take(wanted(one))
    });
    world.each(asks.collect(), 201)?;
    untouched(world)
}

fn untouched(world: &World) -> Result<Vec<(&Person, String)>> {
    // In pages; each writer has few.
    let lists = world.writers.iter().map(|one| one.ask("GET", "/uploads?limit=100")).collect();
    let mut there = Vec::new();
    for (owner, list) in world.writers.iter().zip(world.each(lists, 200)?) {
        let list: Value = serde_json::from_slice(&list)?;
        for row in list["rows"].as_array().context("no rows")? {
            if row["offset"] == 0 {
                there.push((owner, row["id"].as_str().context("no id")?.to_owned()));
            }
        }
    }
    Ok(there)
}

/// A picture of each reader.
fn pictures(world: &World) -> Result<Vec<(&Person, String)>> {
    let puts = world.readers.iter().map(|one| {
        let path = v1(&format!("/nodes/root/files/{}.png", world.name()));
        request("PUT", &path, &bearer(&one.token), PICTURE)
    });
    let ids = texts(&world.each(puts.collect(), 201)?, "/id")?;
    Ok(world.readers.iter().zip(ids).collect())
}

fn tus(person: &Person, name: &str) -> String {
    use base64::Engine;
    let name = base64::engine::general_purpose::STANDARD.encode(name);
    format!(
        "{}{TUS}Upload-Length: {FILE_BYTES}\r\nUpload-Metadata: filename {name}\r\n",
        bearer(&person.token)
    )
}

/// API tokens: none of before.
fn no_tokens(world: &World) -> Result<()> {
    let lists = world.writers.iter().map(|one| one.ask("GET", "/tokens")).collect();
    let mut asks = Vec::new();
    for (owner, list) in world.writers.iter().zip(world.each(lists, 200)?) {
        let list: Value = serde_json::from_slice(&list)?;
        for row in list["rows"].as_array().context("no rows")? {
            asks.push(owner.ask("DELETE", &format!("/tokens/{}", row["id"].as_str().context("no id")?)));
        }
    }
    world.each(asks, 204).map(drop)
}

fn new_tokens(world: &World) -> Vec<(&Person, Vec<u8>)> {
    let wish = json!({"label": "bench", "scopes": ["read"]});
    let count = world.items.min(world.writers.len() * TOKENS_EACH);
    let people = world.writers.iter().cycle().take(count);
    people.map(|one| (one, one.send("POST", "/tokens", &wish))).collect()
}

/// Challenges for contents of others, each new to whoever asks, with their proofs.
fn proofs(world: &World) -> Result<Vec<Vec<u8>>> {
    let count = world.items.min(world.writers.len() * PROOFS_EACH);
    let contents: Vec<_> = (0..count).map(|_| world.content()).collect();
    let puts = world.victims.iter().cycle().zip(&contents).map(|(one, content)| {
        let path = v1(&format!("/nodes/root/files/{}", world.name()));
        request("PUT", &path, &bearer(&one.token), content)
    });
    world.each(puts.collect(), 201)?;
    let pairs: Vec<_> = world.writers.iter().cycle().zip(&contents).collect();
    let asks = pairs.iter().map(|(one, content)| {
        let file = json!({"name": world.name(), "sha256": sha256(content), "size": FILE_BYTES});
        one.send("POST", "/nodes/root/instant", &file)
    });
    let mut proofs = Vec::new();
    for ((one, content), challenge) in pairs.iter().zip(world.each(asks.collect(), 202)?) {
        let challenge: Value = serde_json::from_slice(&challenge)?;
        let nonce = challenge["nonce"].as_str().context("no nonce")?;
        let nonce: Vec<u8> = (0..nonce.len() / 2)
            .map(|at| u8::from_str_radix(&nonce[2 * at..2 * at + 2], 16))
            .collect::<Result<_, _>>()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&nonce)?;
        for range in challenge["ranges"].as_array().context("no ranges")? {
            let at = |name: &str| range[name].as_u64().context("no range").map(|at| at as usize);
            let (offset, length) = (at("offset")?, at("length")?);
            mac.update(content.get(offset..offset + length).context("a range of no bytes")?);
        }
        let proof: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let body = json!({"name": world.name(), "challenge": challenge["challenge"], "proof": proof});
        proofs.push(one.send("POST", "/nodes/root/instant/proof", &body));
    }
    Ok(proofs)
}

/// Passwords are changed again and again: each change makes another session.
fn passwords(world: &World) -> Result<Job<'_>> {
    let names: Vec<String> = (0..HASHERS).map(|_| format!("p{:09}", world.serial())).collect();
    let people = world.people(&names)?;
    let states = RefCell::new(people.into_iter().map(|one| (one.token, FIRST_PASSWORD)).collect::<Vec<_>>());
    let states = std::rc::Rc::new(states);
    let told = std::rc::Rc::clone(&states);
    let next = move |connection: usize, out: &mut Vec<u8>| {
        let (token, old) = &states.borrow()[connection];
        let body = json!({"old": old, "new": PASSWORD, "hand": "token"}).to_string();
        write_request(out, "PUT", "/api/v1/me/password", &(bearer(token) + JSON), body.as_bytes());
        true
    };
    let check = move |connection: usize, answer: &super::web::Answer<'_>| {
        let token = texts(&[answer.body.to_vec()], "/token");
        let Ok(token) = token else { return false };
        told.borrow_mut()[connection] = (token.concat(), PASSWORD);
        answer.status == 200
    };
    Ok(Job { connections: HASHERS, next: Box::new(next), check: Box::new(check) })
}

/// All of them: those of the description, and those that it does not have yet.
pub(crate) const CASES: &[Case] = &[
    case("register", "POST /accounts", |w| {
        let make = |_: &Person, out: &mut Vec<u8>| {
            let body = format!("{{\"user_name\":\"v{:09}\",\"password\":\"{PASSWORD}\"}}", w.serial());
            write_request(out, "POST", "/api/v1/accounts", JSON, body.as_bytes());
        };
        Ok(few(w.fresh(make, MADE), HASHERS))
    })
    .queued(),
    case("signIn", "POST /session", |w| Ok(few(w.all(&w.guests, sign_in, MADE), HASHERS))),
    case("signOut", "DELETE /session", |w| {
        let sessions = w.sessions(SESSIONS)?;
        let ask = |(token, _): &(String, String)| request("DELETE", "/api/v1/session", &bearer(token), b"");
        Ok(w.once(sessions.iter().map(ask).collect(), EMPTY))
    }),
    case("listSessions", "GET /sessions", |w| read(w, |_| "/sessions".to_owned())),
    case("endSession", "DELETE /sessions/{session}", |w| {
        let sessions = w.sessions(SESSIONS)?;
        let mine = w.guests.iter().cycle().zip(sessions).map(|(one, (_, id))| (one, id)).collect();
        gone(w, mine, "DELETE", |id| format!("/sessions/{id}"), EMPTY)
    }),
    case("endAllSessions", "DELETE /sessions", |w| {
        let names: Vec<String> = (0..ACCOUNTS).map(|_| format!("e{:09}", w.serial())).collect();
        let people = w.people(&names)?;
        Ok(w.once(people.iter().map(|one| one.ask("DELETE", "/sessions")).collect(), EMPTY))
    }),
    case("getMe", "GET /me", |w| read(w, |_| "/me".to_owned())),
    case("changeMe", "PATCH /me", |w| {
        let body = json!({"nick_name": "Bench"});
        Ok(w.all(&w.writers, |one| one.send("PATCH", "/me", &body), OK))
    }),
    case("changePassword", "PUT /me/password", passwords),
    case("allowOldClients", "PUT /me/old-clients", |w| {
        let ask = |one: &Person| one.send("PUT", "/me/old-clients", &json!({"password": FIRST_PASSWORD}));
        Ok(few(w.all(&w.readers, ask, OK), HASHERS))
    }),
    case("refuseOldClients", "DELETE /me/old-clients", |w| {
        Ok(w.all(&w.readers, |one| one.ask("DELETE", "/me/old-clients"), OK))
    }),
    case("getUsage", "GET /usage", |w| read(w, |_| "/usage".to_owned())),
    case("getNode", "GET /nodes/{node}", |w| read(w, |one| format!("/nodes/{}", one.file))),
    case("listChildren", "GET /nodes/{node}/children", |w| {
        read(w, |one| format!("/nodes/{}/children", one.ten))
    })
    .with("10 files"),
    case("getPath", "GET /nodes/{node}/path", |w| read(w, |one| format!("/nodes/{}/path", one.file))),
    case("searchNodes", "GET /search", |w| read(w, |_| "/search?q=picture&limit=10".to_owned())),
    case("listRecent", "GET /recent", |w| read(w, |_| "/recent?limit=10".to_owned())).with("10 files"),
    case("getContent", "GET /nodes/{node}/content", |w| {
        read(w, |one| format!("/nodes/{}/content", one.file))
    })
    .with("4 KiB"),
    case("getThumbnail", "GET /nodes/{node}/thumbnail", |w| {
        let ask = |(one, id): &(&Person, String)| one.ask("GET", &format!("/nodes/{id}/thumbnail?edge=160"));
        Ok(w.same(pictures(w)?.iter().map(ask).collect(), OK))
    })
    .with("kept"),
    case("createFolder", "POST /nodes/{node}/children", |w| {
        named(w, "POST", |_| "/nodes/root/children".to_owned(), |_| String::new(), MADE)
    }),
    case("relocateNode", "PATCH /nodes/{node}", |w| {
        named(w, "PATCH", |one| format!("/nodes/{}", one.file), |_| String::new(), OK)
    }),
    case("copyNode", "POST /nodes/{node}/copies", |w| {
        let fields = |_: &Person| ",\"parent\":\"root\"".to_owned();
        named(w, "POST", |one| format!("/nodes/{}/copies", one.file), fields, MADE)
    }),
    case("trashNode", "DELETE /nodes/{node}", |w| {
        gone(w, w.folders()?, "DELETE", |id| format!("/nodes/{id}"), OK)
    }),
    case("putFile", "PUT /nodes/{node}/files/{name}", |w| {
        let make = |one: &Person, out: &mut Vec<u8>| {
            let path = format!("/api/v1/nodes/root/files/{}", w.name());
            write_request(out, "PUT", &path, &bearer(&one.token), &w.content());
        };
        Ok(w.fresh(make, MADE))
    })
    .with("4 KiB")
    .queued(),
    case("postFile", "POST /nodes/{node}/files", |w| {
        let make = |one: &Person, out: &mut Vec<u8>| {
            let (name, content) = (w.name(), w.content());
            form(out, "/api/v1/nodes/root/files", &bearer(&one.token), None, &name, &content);
        };
        Ok(w.fresh(make, MADE))
    })
    .with("4 KiB")
    .queued(),
    case("beginInstantFile", "POST /nodes/{node}/instant", |w| {
        let fields = |one: &Person| format!(",\"sha256\":\"{}\",\"size\":{FILE_BYTES}", sha256(&one.content));
        named(w, "POST", |_| "/nodes/root/instant".to_owned(), fields, MADE)
    })
    .with("own content"),
    case("proveInstantFile", "POST /nodes/{node}/instant/proof", |w| Ok(w.once(proofs(w)?, MADE)))
        .with("answers wait on purpose"),
    case("beginUpload", "POST /uploads", |w| {
        let make = |one: &Person, out: &mut Vec<u8>| {
            let fields = tus(one, &w.name()) + OCTETS;
            write_request(out, "POST", "/api/v1/uploads", &fields, &w.content());
        };
        Ok(w.fresh(make, MADE))
    })
    .with("with its 4 KiB"),
    case("listUploads", "GET /uploads", |w| read(w, |_| "/uploads".to_owned())),
    case("getUpload", "GET /uploads/{upload}", |w| {
        let there = uploads(w)?;
        let asks = there.iter().map(|(one, id)| one.ask("GET", &format!("/uploads/{id}"))).collect();
        Ok(w.same(asks, OK))
    }),
    case("getUploadOffset", "HEAD /uploads/{upload}", |w| {
        let there = uploads(w)?;
        let ask = |(one, id): &(&Person, String)| {
            request("HEAD", &v1(&format!("/uploads/{id}")), &(bearer(&one.token) + TUS), b"")
        };
        Ok(w.same(there.iter().map(ask).collect(), OK))
    }),
    case("continueUpload", "PATCH /uploads/{upload}", |w| {
        let fields = |one: &Person| format!("{}{TUS}{OCTETS}Upload-Offset: 0\r\n", bearer(&one.token));
        let ask = |(one, id): &(&Person, String)| {
            request("PATCH", &v1(&format!("/uploads/{id}")), &fields(one), &w.content())
        };
        Ok(w.once(uploads(w)?.iter().map(ask).collect(), EMPTY))
    })
    .with("4 KiB, to its end"),
    case("overrideMethod", "POST /uploads/{upload}", |w| {
        let ask = |(one, id): &(&Person, String)| {
            let fields = format!("{}{TUS}X-HTTP-Method-Override: DELETE\r\n", bearer(&one.token));
            request("POST", &v1(&format!("/uploads/{id}")), &fields, b"")
        };
        Ok(w.once(uploads(w)?.iter().map(ask).collect(), EMPTY))
    })
    .with("to end it"),
    case("endUpload", "DELETE /uploads/{upload}", |w| {
        let ask = |(one, id): &(&Person, String)| {
            request("DELETE", &v1(&format!("/uploads/{id}")), &(bearer(&one.token) + TUS), b"")
        };
        Ok(w.once(uploads(w)?.iter().map(ask).collect(), EMPTY))
    }),
    case("getUploadOptions", "OPTIONS /uploads", |w| {
        Ok(w.same(vec![request("OPTIONS", "/api/v1/uploads", TUS, b"")], EMPTY))
    }),
    case("getUploadOptionsOf", "OPTIONS /uploads/{upload}", |w| {
        Ok(w.same(vec![request("OPTIONS", "/api/v1/uploads/1", TUS, b"")], EMPTY))
    }),
    case("getFolderArchive", "GET /nodes/{node}/zip", |w| {
        Ok(few(read(w, |one| format!("/nodes/{}/zip", one.ten))?, ZIPS))
    })
    .with("10 files of 4 KiB"),
    case("getArchive", "POST /zip", |w| {
        let make = |one: &Person| one.send("POST", "/zip", &json!({"nodes": [one.ten]}));
        Ok(few(w.all(&w.readers, make, OK), ZIPS))
    })
    .with("10 files of 4 KiB"),
    case("listTrash", "GET /trash", |w| read(w, |_| "/trash".to_owned())).with("10 entries"),
    case("restoreTrashed", "POST /trash/{entry}/restore", |w| {
        let ask =
            |(one, id): &(&Person, String)| one.send("POST", &format!("/trash/{id}/restore"), &json!({}));
        Ok(w.once(w.trashed()?.iter().map(ask).collect(), OK))
    }),
    case("purgeTrashed", "DELETE /trash/{entry}", |w| {
        gone(w, w.trashed()?, "DELETE", |id| format!("/trash/{id}"), EMPTY)
    }),
    case("emptyTrash", "DELETE /trash", |w| {
        Ok(w.all(&w.readers, |one| one.ask("DELETE", "/trash"), Due::Status(202)))
    }),
    case("listTokens", "GET /tokens", |w| read(w, |_| "/tokens".to_owned())),
    case("createToken", "POST /tokens", |w| {
        no_tokens(w)?;
        Ok(w.once(new_tokens(w).into_iter().map(|(_, ask)| ask).collect(), MADE))
    }),
    case("endToken", "DELETE /tokens/{token}", |w| {
        no_tokens(w)?;
        let (owners, asks): (Vec<_>, Vec<_>) = new_tokens(w).into_iter().unzip();
        let ids = texts(&w.each(asks, 201)?, "/id")?;
        gone(w, owners.into_iter().zip(ids).collect(), "DELETE", |id| format!("/tokens/{id}"), EMPTY)
    }),
    case("createShare", "POST /nodes/{node}/shares", |w| {
        let make = |one: &Person| one.send("POST", &format!("/nodes/{}/shares", one.file), &json!({}));
        Ok(w.all(&w.writers, make, MADE))
    }),
    case("listShares", "GET /shares", |w| read(w, |_| "/shares?limit=10".to_owned())),
    case("getShare", "GET /shares/{share}", |w| read(w, |one| format!("/shares/{}", one.file_share.1))),
    case("changeShare", "PATCH /shares/{share}", |w| {
        let make = |one: &Person| {
            one.send("PATCH", &format!("/shares/{}", one.file_share.1), &json!({"listed": true}))
        };
        Ok(w.all(&w.writers, make, OK))
    }),
    case("revokeShare", "POST /shares/{share}/revoke", |w| {
        gone(w, w.shares()?, "POST", |id| format!("/shares/{id}/revoke"), EMPTY)
    }),
    case("removeShare", "DELETE /shares/{share}", |w| {
        gone(w, w.shares()?, "DELETE", |id| format!("/shares/{id}"), EMPTY)
    }),
    case("getRecord", "GET /records/{key}", |w| {
        public(w, |_| "/records/00112233445566778899aabbccddeeff".to_owned())
    }),
    case("getRanking", "GET /public/ranking", |w| public(w, |_| "/public/ranking?limit=10".to_owned())),
    case("listPublicShares", "GET /public/shares", |w| public(w, |_| "/public/shares?limit=10".to_owned())),
    case("lookAtShare", "GET /public/shares/{token}", |w| {
        public(w, |one| format!("/public/shares/{}", one.folder_share.0))
    })
    .with("counted")
    .queued(),
    case("showCode", "POST /public/shares/{token}/grant", |w| {
        let make = |token: &String| {
            let path = v1(&format!("/public/shares/{token}/grant"));
            request("POST", &path, JSON, br#"{"code":"abcd12"}"#)
        };
        Ok(w.same(w.coded.iter().map(make).collect(), OK))
    }),
    case("listSharedChildren", "GET /public/shares/{token}/nodes/{node}/children", |w| {
        public(w, |one| format!("/public/shares/{}/nodes/{}/children", one.folder_share.0, one.ten))
    })
    .with("10 files"),
    case("getSharedContent", "GET /public/shares/{token}/nodes/{node}/content", |w| {
        visitors(w, |one| format!("/public/shares/{}/nodes/{}/content", one.file_share.0, one.own))
    })
    .with("4 KiB, counted")
    .queued(),
    case("getSharedContent", "GET /public/shares/{token}/nodes/{node}/content", |w| {
        public(w, |one| format!("/public/shares/{}/nodes/{}/content", one.file_share.0, one.own))
    })
    .with("4 KiB, by one visitor"),
    case("getSharedThumbnail", "GET /public/shares/{token}/nodes/{node}/thumbnail", |w| {
        let pictures = pictures(w)?;
        let share =
            |(one, id): &(&Person, String)| one.send("POST", &format!("/nodes/{id}/shares"), &json!({}));
        let links = texts(&w.each(pictures.iter().map(share).collect(), 201)?, "/token")?;
        let asks = pictures.iter().zip(links).map(|((_, id), link)| {
            request("GET", &v1(&format!("/public/shares/{link}/nodes/{id}/thumbnail?edge=160")), "", b"")
        });
        Ok(w.same(asks.collect(), OK))
    })
    .with("kept"),
    case("saveShared", "POST /public/shares/{token}/save", |w| {
        let paths: Vec<String> =
            w.readers.iter().map(|one| format!("/public/shares/{}/save", one.file_share.0)).collect();
        let make = move |one: &Person, out: &mut Vec<u8>| {
            let serial = w.serial();
            let path = v1(&paths[serial as usize % paths.len()]);
            let body = format!("{{\"name\":\"s{serial:09}\",\"parent\":\"root\"}}");
            write_request(out, "POST", &path, &(bearer(&one.token) + JSON), body.as_bytes());
        };
        Ok(w.fresh(make, MADE))
    }),
    case("getSharedArchive", "GET /public/shares/{token}/zip", |w| {
        Ok(few(public(w, |one| format!("/public/shares/{}/zip", one.folder_share.0))?, ZIPS))
    })
    .with("10 files of 4 KiB"),
    case("getSharedFolderArchive", "GET /public/shares/{token}/nodes/{node}/zip", |w| {
        let path = |one: &Person| format!("/public/shares/{}/nodes/{}/zip", one.folder_share.0, one.ten);
        Ok(few(public(w, path)?, ZIPS))
    })
    .with("10 files of 4 KiB"),
    case("listAccounts", "GET /admin/accounts", |w| {
        Ok(admin(w, "GET", |_| "/admin/accounts?limit=10".to_owned(), None, OK))
    }),
    case("listAccounts", "GET /admin/accounts", |w| {
        Ok(admin(w, "GET", |_| "/admin/accounts?limit=10&q=v".to_owned(), None, OK))
    })
    .with("by a part of the name"),
    case("getAccount", "GET /admin/accounts/{account}", |w| {
        Ok(admin(w, "GET", |one| format!("/admin/accounts/{}", one.id), None, OK))
    }),
    case("changeAccount", "PATCH /admin/accounts/{account}", |w| {
        let body = Some(json!({"quota": null}));
        Ok(admin(w, "PATCH", |one| format!("/admin/accounts/{}", one.id), body, OK))
    }),
    case("setPassword", "PUT /admin/accounts/{account}/password", |w| {
        let body = Some(json!({"password": PASSWORD}));
        let path = |one: &Person| format!("/admin/accounts/{}/password", one.id);
        Ok(few(admin(w, "PUT", path, body, EMPTY), HASHERS))
    }),
    case("endSessionsOf", "DELETE /admin/accounts/{account}/sessions", |w| {
        Ok(admin(w, "DELETE", |one| format!("/admin/accounts/{}/sessions", one.id), None, EMPTY))
    }),
    case("listAudit", "GET /admin/audit", |w| {
        Ok(admin(w, "GET", |_| "/admin/audit?limit=10".to_owned(), None, OK))
    }),
    case("getOverview", "GET /admin/overview", |w| {
        Ok(admin(w, "GET", |_| "/admin/overview".to_owned(), None, OK))
    })
    .with("totals known"),
    case("getCluster", "GET /admin/cluster", |w| {
        Ok(admin(w, "GET", |_| "/admin/cluster".to_owned(), None, OK))
    }),
    case("getClusterHistory", "GET /admin/cluster/history", |w| {
        Ok(admin(w, "GET", |_| "/admin/cluster/history".to_owned(), None, OK))
    }),
    case("getClusterFindings", "GET /admin/cluster/findings", |w| {
        Ok(admin(w, "GET", |_| "/admin/cluster/findings?language=zh-CN".to_owned(), None, OK))
    })
    .with("found within 5 s"),
    case("getQueue", "GET /admin/queue", |w| Ok(admin(w, "GET", |_| "/admin/queue".to_owned(), None, OK))),
    case("listSetAside", "GET /admin/queue/{lane}", |w| {
        Ok(admin(w, "GET", |_| "/admin/queue/records".to_owned(), None, OK))
    }),
    case("retrySetAside", "POST /admin/queue/{lane}/retry", |w| {
        let body = Some(json!({"ticket": "0"}));
        Ok(admin(w, "POST", |_| "/admin/queue/records/retry".to_owned(), body, EMPTY))
    })
    .with("none"),
    case("dropSetAside", "POST /admin/queue/{lane}/drop", |w| {
        let body = Some(json!({"ticket": "0"}));
        Ok(admin(w, "POST", |_| "/admin/queue/records/drop".to_owned(), body, EMPTY))
    })
    .with("none"),
    case("revokeShareOf", "POST /admin/shares/{share}/revoke", |w| {
        let shares = w.shares()?;
        let ask = |(_, id): &(&Person, String)| w.admin.ask("POST", &format!("/admin/shares/{id}/revoke"));
        Ok(w.once(shares.iter().map(ask).collect(), EMPTY))
    }),
    case("getAbout", "GET /about", |w| public(w, |_| "/about".to_owned())),
    case("getDescription", "GET /openapi.json", |w| public(w, |_| "/openapi.json".to_owned())),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_of_the_description_is_measured_at_its_target() {
        let description: Value = serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let Some(id) = operation["operationId"].as_str() else { continue };
                described.insert((id.to_owned(), format!("{} {path}", method.to_uppercase())));
            }
        }
        let measured: BTreeSet<_> =
            CASES.iter().map(|case| (case.id.to_owned(), case.target.to_owned())).collect();
        let missing: Vec<_> = described.difference(&measured).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
