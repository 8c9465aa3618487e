//! People with accounts in the drive: API v1 by either door, and what they were told.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RANGE, USER_AGENT};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::classic::range;
use crate::content::{Content, Dice, hex};
use crate::tally::Tally;

/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// Files that one of them has at the same time.
const FILES_MAX: usize = 120;
/// Entries of the trash that one of them leaves there.
const TRASH_MAX: usize = 20;
/// Purged files that are looked for in the end.
const GONE_MAX: usize = 300;
const OCTETS: &str = "application/offset+octet-stream";

/// What somebody asks with.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) http: reqwest::Client,
    /// `http://`, an address, `/api/v1`.
    pub(crate) api: String,
    pub(crate) name: String,
    pub(crate) token: String,
}

/// An answer: its status and what came with it.
pub(crate) type Answer = (StatusCode, Vec<u8>);

impl Account {
    /// Signs in.
    pub(crate) async fn sign_in(
        http: &reqwest::Client,
        api: &str,
        name: &str,
        password: &str,
    ) -> Result<Account> {
        let body = json!({"user_name": name, "password": password, "hand": "token"}).to_string();
        let request = http.post(format!("{api}/session")).header(CONTENT_TYPE, "application/json").body(body);
        let (status, bytes) = send(request).await.map_err(anyhow::Error::msg)?;
        ensure!(status == StatusCode::CREATED, "{}", status.as_u16());
        let answer: Value = serde_json::from_slice(&bytes)?;
        let token = answer["token"].as_str().context("no token")?.to_owned();
        Ok(Account { http: http.clone(), api: api.to_owned(), name: name.to_owned(), token })
    }

    /// Signs in once more.
    pub(crate) async fn again(&self) -> Result<Account> {
        Account::sign_in(&self.http, &self.api, &self.name, PASSWORD).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.api))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
    }

    pub(crate) fn json(&self, method: Method, path: &str, body: &Value) -> RequestBuilder {
        self.request(method, path).header(CONTENT_TYPE, "application/json").body(body.to_string())
    }

    /// Asks once, and wants this status.
    pub(crate) async fn ask(&self, request: RequestBuilder, due: StatusCode) -> Result<Vec<u8>> {
        let (status, bytes) = send(request).await.map_err(anyhow::Error::msg)?;
        ensure!(status == due, "{status} {}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }

    /// Everything in the root folder, or what another list has.
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let request = self.request(Method::GET, &format!("{path}{joint}limit=100{cursor}"));
            let mut page: Value = serde_json::from_slice(&self.ask(request, StatusCode::OK).await?)?;
            match page["rows"].take() {
                Value::Array(more) => rows.extend(more),
                other => bail!("no rows: {other}"),
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }
}

/// Sends it: the answer, or why there is none that counts. Servers that can't do their work are no answer.
pub(crate) async fn send(request: RequestBuilder) -> Result<Answer, String> {
    let answer = request.send().await.map_err(|_| "no answer".to_owned())?;
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(|_| "half an answer".to_owned())?;
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let problem: Option<Value> = serde_json::from_slice(&bytes).ok();
        let code = problem.and_then(|problem| Some(problem["code"].as_str()?.to_owned())).unwrap_or_default();
        return Err(format!("{} {code}", status.as_u16()).trim_end().to_owned());
    }
    Ok((status, bytes.to_vec()))
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a folder.
    Tree,
    /// In this entry of the trash.
    Trash(String),
    /// What was to happen to it was not answered: in a folder, in the trash, or gone if it was in the trash before.
    Unknown,
}

/// A file that was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    pub(crate) node: String,
    pub(crate) content: Content,
    pub(crate) place: Place,
}

/// Everything that somebody was told.
#[derive(Debug)]
pub(crate) struct Belongings {
    pub(crate) account: Account,
    pub(crate) files: Vec<Owned>,
    /// Accepted under these keys, and to come.
    pub(crate) accepted: Vec<(String, Content)>,
    /// Removed for good: some of those.
    pub(crate) gone: Vec<String>,
}

pub(crate) struct Person {
    pub(crate) account: Account,
    pub(crate) tally: Arc<Tally>,
    pub(crate) dice: Dice,
    pub(crate) pause: Duration,
    /// Which contents others have, too: seeds.
    pub(crate) common: u64,
    pub(crate) files: Vec<Owned>,
    pub(crate) accepted: Vec<(String, Content)>,
    pub(crate) gone: Vec<String>,
    pub(crate) folders: Vec<String>,
    /// Links to files of theirs: the token and the file's place in no list, but itself.
    pub(crate) links: Vec<(String, Owned)>,
    pub(crate) serial: u64,
}

impl Person {
    pub(crate) fn new(
        account: Account,
        tally: Arc<Tally>,
        dice: Dice,
        pause: Duration,
        common: u64,
    ) -> Person {
        Person {
            account,
            tally,
            dice,
            pause,
            common,
            files: Vec::new(),
            accepted: Vec::new(),
            gone: Vec::new(),
            folders: Vec::new(),
            links: Vec::new(),
            serial: 0,
        }
    }

    /// Works until the end: what they were told.
    pub(crate) async fn work(mut self) -> Belongings {
        let mut pace = tokio::time::interval(self.pause);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.tally.is_over() {
            pace.tick().await;
            match self.dice.below(1000) {
                0..220 => self.put().await,
                220..222 => self.resumable(2 << 20, 4 << 20).await,
                222..235 => self.resumable(1, 200 * 1024).await,
                235..460 => self.read().await,
                460..530 => self.list("/nodes/root/children", "list").await,
                530..570 => self.list("/recent", "list").await,
                570..600 => self.list("/search?q=file", "search").await,
                600..630 => self.list("/trash", "list").await,
                630..690 => self.relocate().await,
                690..740 => self.instant().await,
                740..830 => self.trash().await,
                830..870 => self.restore().await,
                870..910 => self.share().await,
                910..980 => self.visit().await,
                980..990 => self.new_folder().await,
                990..995 => self.sign_in().await,
                _ => self.usage().await,
            }
            if self.in_tree().len() > FILES_MAX {
                self.trash().await;
            }
            if self.in_trash().len() > TRASH_MAX {
                self.purge().await;
            }
        }
        Belongings { account: self.account, files: self.files, accepted: self.accepted, gone: self.gone }
    }

    fn name(&mut self) -> String {
        self.serial += 1;
        format!("file {:06}.bin", self.serial)
    }

    fn in_tree(&self) -> Vec<usize> {
        self.places(|place| *place == Place::Tree)
    }

    fn in_trash(&self) -> Vec<usize> {
        self.places(|place| matches!(place, Place::Trash(_)))
    }

    fn places(&self, wanted: impl Fn(&Place) -> bool) -> Vec<usize> {
        (0..self.files.len())
            .filter(|at| self.files.get(*at).is_some_and(|file| wanted(&file.place)))
            .collect()
    }

    fn some(&mut self) -> Option<(usize, Owned)> {
        let all = self.in_tree();
        let at = *self.dice.one(&all)?;
        Some((at, self.files.get(at)?.clone()))
    }

    fn folder(&mut self) -> String {
        match self.dice.below(2) {
            0 => self.dice.one(&self.folders).cloned().unwrap_or_else(|| "root".to_owned()),
            _ => "root".to_owned(),
        }
    }

    /// Counts a request whose answer has to have one of these statuses.
    async fn ask(&self, kind: &'static str, request: RequestBuilder, due: &[StatusCode]) -> Option<Answer> {
        let asked = async {
            let (status, bytes) = send(request).await?;
            if due.contains(&status) { Ok((status, bytes)) } else { Err(format!("{}", status.as_u16())) }
        };
        self.tally.count(kind, asked).await.ok()
    }

    /// Small, and every third with bytes that others send, too.
    async fn put(&mut self) {
        let mut content = Content { seed: self.dice.next(), len: self.dice.size(1, 40 * 1024) };
        if self.dice.below(3) == 0 {
            content = common(self.common, self.dice.below(200) as u64);
        }
        let (name, folder) = (self.name(), self.folder());
        let path = format!("/nodes/{folder}/files/{}", name.replace(' ', "%20"));
        let mut request = self.account.request(Method::PUT, &path).body(content.bytes());
        if self.dice.below(3) == 0 {
            request = request.header("idempotency-key", format!("{}-{}", self.account.name, self.serial));
        }
        let due = [StatusCode::CREATED, StatusCode::ACCEPTED];
        if let Some(answer) = self.ask("upload (drive)", request, &due).await {
            self.made(answer, content);
        }
    }

    /// A new file, or one to come.
    fn made(&mut self, (status, body): Answer, content: Content) {
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status == StatusCode::ACCEPTED {
            match body["key"].as_str() {
                Some(key) => self.accepted.push((key.to_owned(), content)),
                None => self.tally.wrong(format!("202 without a key: {body}")),
            }
            return;
        }
        match body["id"].as_str() {
            Some(node) => self.files.push(Owned { node: node.to_owned(), content, place: Place::Tree }),
            None => self.tally.wrong(format!("201 without an id: {body}")),
        }
    }

    /// In pieces, as tus has it; after each that is not answered it asks how far it came.
    async fn resumable(&mut self, least: usize, most: usize) {
        let content = Content { seed: self.dice.next(), len: self.dice.size(least, most) };
        let bytes = content.bytes();
        let name = self.name();
        let name64 = base64::engine::general_purpose::STANDARD.encode(&name);
        let begin = self
            .account
            .request(Method::POST, "/uploads")
            .header("tus-resumable", "1.0.0")
            .header("upload-length", bytes.len())
            .header("upload-metadata", format!("filename {name64}"));
        let begun = async {
            let answer = begin.send().await.map_err(|_| "no answer".to_owned())?;
            let status = answer.status();
            let place =
                answer.headers().get("location").and_then(|value| value.to_str().ok().map(str::to_owned));
            match place.and_then(|place| Some(place.rsplit_once('/')?.1.to_owned())) {
                Some(id) if status == StatusCode::CREATED => Ok(id),
                _ => Err(format!("{}", status.as_u16())),
            }
        };
        let Ok(id) = self.tally.count("resumable upload: begin", begun).await else { return };
        let path = format!("/uploads/{id}");
        let piece = bytes.len().div_ceil(3).max(1);
        let mut offset = 0;
        for _ in 0..12 {
            let end = (offset + piece).min(bytes.len());
            let part = bytes.get(offset..end).unwrap_or_default().to_vec();
            let request = self
                .account
                .request(Method::PATCH, &path)
                .header("tus-resumable", "1.0.0")
                .header("upload-offset", offset)
                .header(CONTENT_TYPE, OCTETS)
                .body(part);
            if self.ask("resumable upload: a piece", request, &[StatusCode::NO_CONTENT]).await.is_some() {
                offset = end;
            } else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let request = self.account.request(Method::GET, &path);
                let asked = self.ask("resumable upload: how far", request, &[StatusCode::OK]).await;
                let Some((_, body)) = asked else { continue };
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                match body["offset"].as_u64().and_then(|offset| usize::try_from(offset).ok()) {
                    // What was acknowledged is there; more may have come.
                    Some(come) if (offset..=bytes.len()).contains(&come) => offset = come,
                    _ => {
                        self.tally.wrong(format!("{offset} bytes of an upload were acknowledged: {body}"));
                        return;
                    }
                }
            }
            if offset == bytes.len() {
                break;
            }
        }
        if offset < bytes.len() {
            return;
        }
        // The file it has become is said by the upload.
        let request = self.account.request(Method::GET, &path);
        let Some((_, body)) = self.ask("resumable upload: how far", request, &[StatusCode::OK]).await else {
            return;
        };
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(node) = body["node"].as_str() {
            self.files.push(Owned { node: node.to_owned(), content, place: Place::Tree });
        }
    }

    async fn read(&mut self) {
        let Some((_, file)) = self.some() else { return };
        let path = format!("/nodes/{}/content", file.node);
        let mut request = self.account.request(Method::GET, &path);
        let whole = file.content.bytes();
        let part = self.dice.below(4) == 0;
        let range =
            if part { range(whole.len(), self.dice.next(), self.dice.next()) } else { 0..whole.len() };
        let mut due = StatusCode::OK;
        if part {
            due = StatusCode::PARTIAL_CONTENT;
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let kind = if part { "range (drive)" } else { "download (drive)" };
        if let Some((_, bytes)) = self.ask(kind, request, &[due]).await
            && whole.get(range) != Some(&bytes[..])
        {
            self.tally
                .wrong(format!("node {} of {} came back as something else", file.node, self.account.name));
        }
    }

    async fn list(&mut self, path: &str, kind: &'static str) {
        let request = self.account.request(Method::GET, path);
        self.ask(kind, request, &[StatusCode::OK]).await;
    }

    async fn usage(&mut self) {
        self.list("/usage", "usage").await;
    }

    /// To another name, and perhaps another folder.
    async fn relocate(&mut self) {
        let Some((_, file)) = self.some() else { return };
        let (name, folder) = (self.name(), self.folder());
        let body = json!({"name": name, "parent": folder});
        let request = self.account.json(Method::PATCH, &format!("/nodes/{}", file.node), &body);
        // Without an answer it has one name or the other; what it has does not depend on that.
        self.ask("move", request, &[StatusCode::OK]).await;
    }

    /// Once more, without its bytes.
    async fn instant(&mut self) {
        let Some((_, file)) = self.some() else { return };
        let bytes = file.content.bytes();
        let body = json!({"name": self.name(), "sha256": hex(&Sha256::digest(&bytes)), "size": bytes.len()});
        let request = self.account.json(Method::POST, "/nodes/root/instant", &body);
        if let Some(answer) = self.ask("instant upload", request, &[StatusCode::CREATED]).await {
            self.made(answer, file.content);
        }
    }

    async fn trash(&mut self) {
        let Some((at, file)) = self.some() else { return };
        let request = self.account.request(Method::DELETE, &format!("/nodes/{}", file.node));
        let answer = self.ask("delete (drive)", request, &[StatusCode::OK]).await;
        let entry = answer.and_then(|(_, body)| {
            serde_json::from_slice::<Value>(&body).ok()?["trash"].as_str().map(str::to_owned)
        });
        if let Some(file) = self.files.get_mut(at) {
            file.place = entry.map_or(Place::Unknown, Place::Trash);
        }
    }

    fn some_trashed(&mut self) -> Option<(usize, String)> {
        let all = self.in_trash();
        let at = *self.dice.one(&all)?;
        match self.files.get(at).map(|file| &file.place) {
            Some(Place::Trash(entry)) => Some((at, entry.clone())),
            _ => None,
        }
    }

    async fn restore(&mut self) {
        let Some((at, entry)) = self.some_trashed() else { return };
        let request =
            self.account.json(Method::POST, &format!("/trash/{entry}/restore"), &json!({"parent": "root"}));
        let restored = self.ask("restore", request, &[StatusCode::OK]).await.is_some();
        if let Some(file) = self.files.get_mut(at) {
            file.place = if restored { Place::Tree } else { Place::Unknown };
        }
    }

    async fn purge(&mut self) {
        let Some((at, entry)) = self.some_trashed() else { return };
        let request = self.account.request(Method::DELETE, &format!("/trash/{entry}"));
        let due = [StatusCode::NO_CONTENT, StatusCode::ACCEPTED];
        if self.ask("purge", request, &due).await.is_some() {
            let file = self.files.remove(at);
            if self.gone.len() < GONE_MAX {
                self.gone.push(file.node);
            } else {
                let place = self.dice.below(GONE_MAX);
                if let Some(one) = self.gone.get_mut(place) {
                    *one = file.node;
                }
            }
        } else {
            // It may be gone, and then there is nothing to compare.
            self.files.remove(at);
        }
    }

    async fn share(&mut self) {
        let Some((_, file)) = self.some() else { return };
        let body = json!({"expires_at": null, "listed": self.dice.below(4) == 0});
        let request = self.account.json(Method::POST, &format!("/nodes/{}/shares", file.node), &body);
        let Some((_, body)) = self.ask("share", request, &[StatusCode::CREATED]).await else { return };
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(token) = body["token"].as_str() {
            self.links.push((token.to_owned(), file));
            if self.links.len() > 20 {
                self.links.remove(0);
            }
        }
    }

    /// A link of theirs, opened by somebody else.
    async fn visit(&mut self) {
        let Some((token, file)) = self.dice.one(&self.links).cloned() else { return };
        let path = format!("{}/public/shares/{token}/nodes/{}/content", self.account.api, file.node);
        let visitor = format!("visitor {}", self.dice.below(1_000_000));
        let request = self.account.http.get(path).header(USER_AGENT, visitor);
        // A link to what is in the trash leads nowhere.
        let due = [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::GONE];
        if let Some((StatusCode::OK, bytes)) = self.ask("download by a link", request, &due).await
            && bytes != file.content.bytes()
        {
            self.tally.wrong(format!("the link {token} led to something else"));
        }
    }

    async fn new_folder(&mut self) {
        if self.folders.len() >= 20 {
            return;
        }
        self.serial += 1;
        let body = json!({"name": format!("folder {}", self.serial)});
        let request = self.account.json(Method::POST, "/nodes/root/children", &body);
        if let Some((_, body)) = self.ask("new folder", request, &[StatusCode::CREATED]).await
            && let Ok(body) = serde_json::from_slice::<Value>(&body)
            && let Some(id) = body["id"].as_str()
        {
            self.folders.push(id.to_owned());
        }
    }

    /// Again, as on another device; the session before stays.
    async fn sign_in(&mut self) {
        let Account { http, api, name, .. } = &self.account;
        let signed =
            async { Account::sign_in(http, api, name, PASSWORD).await.map_err(|error| error.to_string()) };
        if let Ok(account) = self.tally.count("sign in", signed).await {
            self.account = account;
        }
    }
}

/// The content of this number that everybody sends.
fn common(seed: u64, number: u64) -> Content {
    Content { seed: seed.wrapping_add(number), len: 1000 + usize::try_from(number).unwrap_or(0) * 37 }
}
