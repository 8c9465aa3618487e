//! A client of the old dialect, through nginx by FastCGI.

use std::sync::Arc;
use std::time::Duration;

use md5::Md5;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use sha2::Digest;

use crate::content::{Content, Dice, hex};
use crate::people::{PASSWORD, send};
use crate::tally::Tally;

const BOUNDARY: &str = "------soak7MA4YWxkTrZu0gW";
/// Files that it has at the same time.
const FILES_MAX: usize = 60;

/// Everything that it was told: the names in its root folder. What may be there or not is in neither list.
#[derive(Debug, Default)]
pub(crate) struct OldShelf {
    pub(crate) files: Vec<(String, Content)>,
    pub(crate) gone: Vec<String>,
}

pub(crate) struct OldUser {
    pub(crate) http: reqwest::Client,
    /// `http://` and the address of the entry by FastCGI.
    pub(crate) door: String,
    pub(crate) name: String,
    pub(crate) tally: Arc<Tally>,
    pub(crate) dice: Dice,
    pub(crate) pause: Duration,
    pub(crate) token: String,
    pub(crate) shelf: OldShelf,
    pub(crate) serial: u64,
}

impl OldUser {
    pub(crate) async fn work(mut self) -> OldShelf {
        let mut pace = tokio::time::interval(self.pause);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.tally.is_over() {
            pace.tick().await;
            if self.token.is_empty() {
                self.sign_in().await;
                continue;
            }
            let page = json!({"start": 0, "count": 10});
            match self.dice.below(100) {
                0..25 => self.upload().await,
                25..45 => drop(self.ask("old: list", "/api/myfiles?cmd=normal", page).await),
                45..55 => drop(self.ask("old: list", "/api/myfiles?cmd=pvdesc", page).await),
                55..65 => drop(self.ask("old: count", "/api/myfiles?cmd=count", json!({})).await),
                65..72 => drop(self.ask("old: list", "/api/sharefiles?cmd=normal", page).await),
                72..82 => self.instant().await,
                82..90 => self.share().await,
                90..98 => self.delete().await,
                _ => self.sign_in().await,
            }
            if self.shelf.files.len() > FILES_MAX {
                self.delete().await;
            }
        }
        self.shelf
    }

    /// One request of JSON; the answer when its code is 0, its code otherwise.
    async fn ask(&self, kind: &'static str, path: &str, mut body: Value) -> Result<Value, String> {
        if !self.token.is_empty() {
            body["user"] = json!(self.name);
            body["token"] = json!(self.token);
        }
        let request = self.http.post(format!("{}{path}", self.door));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        self.tally.count(kind, async { done(send(request).await?.1) }).await
    }

    async fn sign_in(&mut self) {
        let digest = hex(&Md5::digest(PASSWORD));
        let body = json!({"user": self.name, "pwd": digest});
        let request = self.http.post(format!("{}/api/login", self.door));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        let answer = self.tally.count("old: sign in", async { done(send(request).await?.1) }).await;
        if let Ok(answer) = answer
            && let Some(token) = answer["token"].as_str()
        {
            self.token = token.to_owned();
        }
    }

    async fn upload(&mut self) {
        let content = Content { seed: self.dice.next(), len: self.dice.size(1, 30 * 1024) };
        let bytes = content.bytes();
        self.serial += 1;
        let name = format!("old {:06}.bin", self.serial);
        let (user, digest, size) = (&self.name, hex(&Md5::digest(&bytes)), bytes.len());
        let part = |field: &str, value: &str| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n")
        };
        let mut form = part("user", user) + &part("md5", &digest) + &part("size", &size.to_string());
        form += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let mut body = form.into_bytes();
        body.extend_from_slice(&bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let request = self
            .http
            .post(format!("{}/api/upload", self.door))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body);
        if self.tally.count("old: upload", async { done(send(request).await?.1) }).await.is_ok() {
            self.shelf.files.push((name, content));
        }
    }

    async fn instant(&mut self) {
        let Some((_, content)) = self.dice.one(&self.shelf.files).cloned() else { return };
        self.serial += 1;
        let name = format!("old {:06}.bin", self.serial);
        let body = json!({"md5": hex(&Md5::digest(content.bytes())), "filename": name});
        if self.ask("old: instant upload", "/api/md5", body).await.is_ok() {
            self.shelf.files.push((name, content));
        }
    }

    async fn share(&mut self) {
        let Some((name, content)) = self.dice.one(&self.shelf.files).cloned() else { return };
        let body = json!({"md5": hex(&Md5::digest(content.bytes())), "filename": name});
        // 3: it is shared already.
        let request = async {
            match self.ask_code("/api/dealfile?cmd=share", body).await? {
                0 | 3 => Ok(()),
                other => Err(format!("code {other}")),
            }
        };
        let _ = self.tally.count("old: share", request).await;
    }

    async fn ask_code(&self, path: &str, mut body: Value) -> Result<i64, String> {
        body["user"] = json!(self.name);
        body["token"] = json!(self.token);
        let request = self.http.post(format!("{}{path}", self.door));
        let answer = send(request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await?;
        let answer: Value = serde_json::from_slice(&answer.1).map_err(|_| "no JSON".to_owned())?;
        answer["code"].as_i64().ok_or_else(|| "no code".to_owned())
    }

    /// The oldest. Whether it is there when no answer came nobody knows.
    async fn delete(&mut self) {
        if self.shelf.files.is_empty() {
            return;
        }
        let (name, content) = self.shelf.files.remove(0);
        let body = json!({"md5": hex(&Md5::digest(content.bytes())), "filename": name});
        if self.ask("old: delete", "/api/dealfile?cmd=del", body).await.is_ok() {
            self.shelf.gone.push(name);
        }
    }
}

/// The answer, if its code says that it is done.
fn done(bytes: Vec<u8>) -> Result<Value, String> {
    let answer: Value = serde_json::from_slice(&bytes).map_err(|_| "no JSON".to_owned())?;
    match answer["code"].as_i64() {
        Some(0) => Ok(answer),
        Some(code) => Err(format!("code {code}")),
        // Counts of shared files have none in one of the originals.
        None => Err("no code".to_owned()),
    }
}
