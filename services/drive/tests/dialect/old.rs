//! An old client.

use md5::{Digest, Md5};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::kit::World;

/// The MD5 of a text or of bytes, as old clients send it.
pub(crate) fn md5(bytes: impl AsRef<[u8]>) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What users type here.
pub(crate) const TYPED: &str = "123456";

/// An old client, of somebody or of nobody.
#[derive(Clone)]
pub(crate) struct Old {
    pub(crate) http: Client,
    pub(crate) base: String,
    pub(crate) headers: HeaderMap,
    pub(crate) user: String,
    pub(crate) token: String,
}

/// An answer: 200, JSON, as long as it says.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A part of a form: its name, the file's name if it is a file, and what is in it.
pub(crate) type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// A form, with the boundary `x-x`.
pub(crate) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("--x-x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"--x-x--\r\n");
    body
}

impl Old {
    pub(crate) fn at(base: String) -> Self {
        let http = Client::builder().build().unwrap();
        Self { http, base, headers: HeaderMap::new(), user: String::new(), token: String::new() }
    }

    /// Nobody.
    pub(crate) fn visitor(world: &World) -> Self {
        Self::at(format!("http://{}", world.address))
    }

    /// A new user, signed in.
    pub(crate) async fn new_user(&self, name: &str) -> Self {
        assert_eq!(self.register(name).await, 0, "{name}");
        self.signed_in(name).await
    }

    pub(crate) async fn register(&self, name: &str) -> u64 {
        let fields =
            json!({"userName": name, "nickName": name, "firstPwd": md5(TYPED), "phone": "", "email": ""});
        self.post("/api/reg", fields).await.code()
    }

    pub(crate) async fn signed_in(&self, name: &str) -> Self {
        let reply = self.post("/api/login", json!({"user": name, "pwd": md5(TYPED)})).await;
        assert_eq!(reply.code(), 0, "{reply:?}");
        let token = reply.body["token"].as_str().unwrap().to_owned();
        Self { user: name.to_owned(), token, ..self.clone() }
    }

    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name = HeaderName::try_from(name).unwrap();
        client.headers.insert(name, HeaderValue::try_from(value).unwrap());
        client
    }

    /// The browser with the old page's cookies, and nothing else to show.
    pub(crate) fn browser(&self) -> Self {
        let cookies = format!("userName={}; token={}", self.user, self.token);
        Self { token: String::new(), ..self.with("cookie", &cookies) }
    }

    pub(crate) async fn send(&self, method: Method, target: &str, body: Vec<u8>) -> Response {
        let request = self.http.request(method, format!("{}{target}", self.base));
        request.headers(self.headers.clone()).body(body).send().await.unwrap()
    }

    /// Sends bytes; the answer is one of the dialect.
    pub(crate) async fn ask(&self, method: Method, target: &str, body: Vec<u8>) -> Reply {
        let response = self.send(method, target, body).await;
        assert_eq!(response.status(), StatusCode::OK, "{target}");
        let headers = response.headers().clone();
        let bytes = response.bytes().await.unwrap();
        assert_eq!(headers["content-type"], "application/json", "{target}");
        assert_eq!(headers["content-length"], bytes.len().to_string(), "{target}");
        Reply { headers, body: serde_json::from_slice(&bytes).unwrap() }
    }

    /// Sends JSON as it is.
    pub(crate) async fn post(&self, target: &str, body: Value) -> Reply {
        self.ask(Method::POST, target, serde_json::to_vec(&body).unwrap()).await
    }

    /// Sends JSON with user and token.
    pub(crate) async fn call(&self, target: &str, mut fields: Value) -> Reply {
        fields["user"] = self.user.as_str().into();
        fields["token"] = self.token.as_str().into();
        self.post(target, fields).await
    }

    /// Asks about a file: the code.
    pub(crate) async fn file(&self, target: &str, content: &[u8], name: &str) -> u64 {
        self.call(target, json!({"md5": md5(content), "filename": name})).await.code()
    }

    /// Uploads with a form: the code.
    pub(crate) async fn form(&self, parts: &[Part<'_>]) -> u64 {
        let client = self.with("content-type", "multipart/form-data; boundary=x-x");
        client.ask(Method::POST, "/api/upload", form(parts)).await.code()
    }

    /// Uploads as the old page does: four fields in its order, the token in its cookie.
    pub(crate) async fn upload(&self, name: &str, content: &[u8]) -> u64 {
        let (md5, size) = (md5(content), content.len().to_string());
        let parts: [Part<'_>; 4] = [
            ("file", Some(name), content),
            ("user", None, self.user.as_bytes()),
            ("md5", None, md5.as_bytes()),
            ("size", None, size.as_bytes()),
        ];
        self.browser().form(&parts).await
    }

    /// A page of a list.
    pub(crate) async fn page(&self, target: &str, start: i64, count: i64) -> Reply {
        let reply = self.call(target, json!({"start": start, "count": count})).await;
        assert_eq!(reply.code(), 0, "{reply:?}");
        let rows = reply.body.get("files").map_or(0, |files| files.as_array().unwrap().len());
        assert_eq!(reply.body["count"], rows);
        // Old pages expect no field when there are no rows.
        assert_eq!(reply.body.get("files").is_some(), rows > 0);
        reply
    }

    /// The names in a list.
    pub(crate) async fn names(&self, target: &str) -> Vec<String> {
        self.page(target, 0, 100).await.texts("file_name")
    }

    /// What is at a URL of a list: status and bytes.
    pub(crate) async fn fetch(&self, url: &str) -> (StatusCode, Vec<u8>) {
        let response = self.send(Method::GET, url, Vec::new()).await;
        (response.status(), response.bytes().await.unwrap().to_vec())
    }
}

impl Reply {
    #[track_caller]
    pub(crate) fn code(&self) -> u64 {
        self.body["code"].as_u64().unwrap_or_else(|| panic!("{self:?}"))
    }

    pub(crate) fn rows(&self) -> Vec<Value> {
        self.body.get("files").map(|files| files.as_array().unwrap().clone()).unwrap_or_default()
    }

    /// A field of all rows.
    pub(crate) fn texts(&self, field: &str) -> Vec<String> {
        self.rows().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
    }
}
