//! A drive on a free port, and a small client.

#![allow(dead_code, reason = "each test uses some of it")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use disk_cache::DiskCache;
use drive::{Drive, Limits, Page, Parts, Settings, router, serve, work};
use drive_blobs::{FdfsSettings, STORAGE_CONNECTIONS, cluster_of, on_fastdfs};
use drive_core::account::RegistrationPolicy;
use drive_core::ports::{
    BlobError, BlobKey, BlobStore, ByteSource, Cluster as LookedAt, Later, PartialBlob, Queue,
};
use drive_core::{ByteCount, DriveSecret, Problem};
use drive_db::Database;
use drive_queue::{EmbeddedQueue, EmbeddedQueueConfig};
use fdfs_client::{Client as Cluster, ClientConfig, ServerAddr};
use net::{Listener, Stop, StopSource, Workers};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::cluster::{Cluster as Servers, Plan};
use testkit::wait;
use tokio::sync::Mutex;

use crate::backends::{self, Held};
use crate::described;

/// The first administrator's name.
pub(crate) const ADMIN: &str = "admin";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A drive that runs until this is dropped.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) admin_password: String,
    pub(crate) drive: Arc<Drive>,
    pub(crate) servers: Option<Servers>,
    pub(crate) queue: Option<Arc<dyn Queue>>,
    readable: Arc<AtomicU64>,
    stored: Arc<AtomicU64>,
    appended: Arc<AtomicU64>,
    /// Held by a test, it holds what the store answers to who stores a blob.
    pub(crate) answers: Arc<Mutex<()>>,
    of_database: drive_db::Settings,
    stop: Stop,
    _stop: StopSource,
    pub(crate) folder: TempDir,
    // Last, so that the drive is gone before its servers are.
    _held: Held,
}

/// A store of bytes whose cluster is away.
pub(crate) fn away() -> Arc<dyn BlobStore> {
    let nobody = ServerAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
    let settings = FdfsSettings { group: None, deadline: Duration::from_secs(2) };
    on_fastdfs(Cluster::new(ClientConfig::new([nobody])), settings)
}

/// A FastDFS cluster, of the program that this workspace builds.
async fn cluster() -> (Servers, Arc<dyn BlobStore>, Arc<dyn LookedAt>) {
    let servers = tokio::task::spawn_blocking(|| Plan::new().start().unwrap()).await.unwrap();
    let addresses = servers.trackers.iter().map(|node| node.address());
    let addresses = addresses.map(|address| ServerAddr::new(address.ip(), address.port()));
    let settings = FdfsSettings { group: None, deadline: Duration::from_secs(10) };
    let config = ClientConfig::new(addresses);
    let client = Cluster::new(ClientConfig { max_connections_per_server: STORAGE_CONNECTIONS, ..config });
    (servers, on_fastdfs(client.clone(), settings), cluster_of(client))
}

/// What a look gives, once it gives something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looks = async {
        loop {
            match look().await {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let found = tokio::time::timeout(wait::READY, looks).await;
    found.unwrap_or_else(|_| panic!("{what}: not within {:?}", wait::READY))
}

/// What tests begin with: everybody may register, no rates.
pub(crate) fn settings() -> Settings {
    Settings {
        registration: RegistrationPolicy::Open,
        request_rate: None,
        registration_rate: None,
        ..Settings::default()
    }
}

/// Bytes of small pictures that are kept at most.
const THUMBNAILS_MAX: u64 = 16 << 20;

/// The document of the page that all drives of tests have.
pub(crate) const INDEX: &str = "<!doctype html><title>the page</title>";

/// A page as a build leaves one.
fn page() -> Page {
    let files = [
        ("index.html", INDEX),
        ("index.html.br", "the page, by brotli"),
        ("index.html.gz", "the page, by gzip"),
        ("favicon.svg", "<svg/>"),
        ("assets/index-C0ffee42.js", "run()"),
        ("assets/index-C0ffee42.js.br", "run, by brotli"),
        ("assets/hash-Deadbeef.wasm", "wasm"),
    ];
    Page::of(files.map(|(name, text)| (name.to_owned(), Bytes::from_static(text.as_bytes()))))
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    /// With a FastDFS cluster, of the program that this workspace builds, for the bytes.
    pub(crate) async fn storing() -> Self {
        Self::storing_with(settings(), |_| {}).await
    }

    pub(crate) async fn storing_with(
        settings: Settings,
        place: impl FnOnce(&mut drive_db::Settings),
    ) -> Self {
        let (servers, inner, looked_at) = cluster().await;
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let stored: Arc<AtomicU64> = Arc::default();
        let answers: Arc<Mutex<()>> = Arc::default();
        let appended: Arc<AtomicU64> = Arc::default();
        let (kept, held) = (Arc::clone(&stored), Arc::clone(&answers));
        let of_pieces = Arc::clone(&appended);
        let left_too = Arc::clone(&left);
        let blobs =
            Arc::new(Brittle { inner, left: left_too, stored: kept, appended: of_pieces, answers: held });
        Self {
            servers: Some(servers),
            readable: left,
            stored,
            appended,
            answers,
            ..Self::made(TempDir::new().unwrap(), blobs, Some(looked_at), None, settings, place).await
        }
    }

    /// So many bytes are still read from the store, then it breaks: it gives nothing and deletes nothing.
    pub(crate) fn readable(&self, bytes: u64) {
        self.readable.store(bytes, Ordering::SeqCst);
    }

    /// Blobs that are in the store.
    pub(crate) fn stored(&self) -> u64 {
        self.stored.load(Ordering::SeqCst)
    }

    /// Bytes that were appended to blobs under construction.
    pub(crate) fn appended(&self) -> u64 {
        self.appended.load(Ordering::SeqCst)
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::on(away(), settings, |_| {}).await
    }

    /// With a cluster, a queue, and what the drive does by itself.
    pub(crate) async fn working(place: impl FnOnce(&mut drive_db::Settings)) -> Self {
        Self::queueing(place, true).await
    }

    /// The same, but that it does nothing by itself.
    pub(crate) async fn resting() -> Self {
        Self::queueing(|_| {}, false).await
    }

    async fn queueing(place: impl FnOnce(&mut drive_db::Settings), works: bool) -> Self {
        let (servers, blobs, looked_at) = cluster().await;
        let folder = TempDir::new().unwrap();
        let queue = EmbeddedQueue::open(&EmbeddedQueueConfig {
            file: folder.path().join("queue"),
            lane_bytes_max: 1 << 20,
            lease: Duration::from_secs(60),
            deadline: Duration::from_secs(10),
        });
        let queue: Arc<dyn Queue> = Arc::new(queue.unwrap());
        let cluster = Some(looked_at);
        let made = Self::made(folder, blobs, cluster, Some(Arc::clone(&queue)), settings(), place).await;
        if works {
            tokio::spawn(work(Arc::clone(&made.drive), made.stop.clone()));
        }
        Self { servers: Some(servers), queue: Some(queue), ..made }
    }

    /// With a cluster that is looked at, and a store that is away.
    pub(crate) async fn looking_at(cluster: Arc<dyn LookedAt>) -> Self {
        Self::made(TempDir::new().unwrap(), away(), Some(cluster), None, settings(), |_| {}).await
    }

    pub(crate) async fn on(
        blobs: Arc<dyn BlobStore>,
        settings: Settings,
        place: impl FnOnce(&mut drive_db::Settings),
    ) -> Self {
        Self::made(TempDir::new().unwrap(), blobs, None, None, settings, place).await
    }

    async fn made(
        folder: TempDir,
        blobs: Arc<dyn BlobStore>,
        cluster: Option<Arc<dyn LookedAt>>,
        queue: Option<Arc<dyn Queue>>,
        settings: Settings,
        place: impl FnOnce(&mut drive_db::Settings),
    ) -> Self {
        let place_of = folder.path().to_owned();
        let made = tokio::task::spawn_blocking(move || backends::make(&place_of));
        let (mut of_database, cache, held) = made.await.unwrap();
        place(&mut of_database);
        let drive = Drive::new(Parts {
            database: Database::open(of_database.clone()).await.unwrap(),
            blobs,
            cluster,
            cache,
            queue,
            secret: DriveSecret::new([7; 32]),
            settings,
            page: page(),
            thumbnails: DiskCache::open(&folder.path().join("thumbnails"), THUMBNAILS_MAX).unwrap(),
        });
        let drive = drive.await.unwrap();
        let admin_password = drive::random_password();
        assert!(drive.first_start(|| Ok::<_, Problem>(admin_password.clone())).await.unwrap());
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.addr();
        let (source, stop) = StopSource::new();
        let workers = Arc::new(Workers::here());
        let router = router(Arc::clone(&drive)).unwrap();
        tokio::spawn(serve(router, workers, vec![listener], Limits::default(), Arc::default(), stop.clone()));
        Self {
            address,
            admin_password,
            drive,
            servers: None,
            queue: None,
            readable: Arc::default(),
            stored: Arc::default(),
            appended: Arc::default(),
            answers: Arc::default(),
            of_database,
            stop,
            _stop: source,
            folder,
            _held: held,
        }
    }

    /// The drive's database, opened once more: to bring about what takes a day.
    pub(crate) async fn database(&self) -> Database {
        Database::open(self.of_database.clone()).await.unwrap()
    }

    /// Somebody who is not signed in.
    pub(crate) fn visitor(&self) -> Client {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Client { http, base: format!("http://{}", self.address), headers: HeaderMap::new() }
    }

    /// A new account, signed in with a token.
    pub(crate) async fn user(&self, name: &str) -> Client {
        let visitor = self.visitor();
        let fields = json!({"user_name": name, "password": PASSWORD});
        visitor.post("/accounts", fields).await.expect(StatusCode::CREATED);
        visitor.signed_in(name, PASSWORD).await
    }

    /// The first administrator.
    pub(crate) async fn admin(&self) -> Client {
        self.visitor().signed_in(ADMIN, &self.admin_password).await
    }
}

/// A client with the headers it always sends.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name = HeaderName::try_from(name).unwrap();
        client.headers.insert(name, HeaderValue::try_from(value).unwrap());
        client
    }

    /// The same by way of another address.
    pub(crate) fn through(&self, address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), ..self.clone() }
    }

    /// What it shows.
    pub(crate) fn authorization(&self) -> &str {
        self.headers["authorization"].to_str().unwrap()
    }

    pub(crate) async fn signed_in(&self, name: &str, password: &str) -> Self {
        let fields = json!({"user_name": name, "password": password, "hand": "token"});
        let reply = self.post("/session", fields).await.expect(StatusCode::CREATED);
        self.with("authorization", &format!("Bearer {}", reply.text("/token")))
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.http.request(method.clone(), format!("{}/api/v1{path}", self.base));
        request = request.headers(self.headers.clone());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        described::check(&method, path, status, &headers, &bytes);
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Reply { status, headers, body }
    }

    /// Sends bytes as they are; the answer's bytes come back as they are.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = self.http.request(method.clone(), format!("{}/api/v1{path}", self.base));
        let response = request.headers(self.headers.clone()).body(body).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        described::check(&method, path, status, &headers, &bytes);
        (status, headers, bytes)
    }

    /// Sends bytes; the answer is JSON.
    pub(crate) async fn upload(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        let (status, headers, bytes) = self.raw(method, path, body).await;
        Reply { status, headers, body: serde_json::from_slice(&bytes).unwrap() }
    }

    /// Makes a file in the root folder: its id.
    pub(crate) async fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = format!("/nodes/root/files/{name}");
        self.upload(Method::PUT, &path, bytes.to_vec()).await.expect(StatusCode::CREATED).text("/id")
    }

    /// The bytes of a file.
    pub(crate) async fn bytes(&self, file: &str) -> Vec<u8> {
        let (status, _, bytes) = self.raw(Method::GET, &format!("/nodes/{file}/content"), "").await;
        assert_eq!(status, StatusCode::OK);
        bytes
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    /// Makes a folder: its id.
    pub(crate) async fn folder(&self, parent: &str, name: &str) -> String {
        let made = self.post(&format!("/nodes/{parent}/children"), json!({"name": name})).await;
        made.expect(StatusCode::CREATED).text("/id")
    }

    /// The names in a folder.
    pub(crate) async fn names(&self, folder: &str) -> Vec<String> {
        self.get(&format!("/nodes/{folder}/children")).await.expect(StatusCode::OK).names()
    }
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// It is this problem, worded as problem+json.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["type"], format!("/problems/{code}"));
        assert_eq!(self.body["status"], status);
        self
    }

    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let rows = self.body["rows"].as_array().unwrap();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Bytes that tell where they stand.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A store that can be made to break while it is read, or altogether, and whose blobs are counted.
struct Brittle {
    inner: Arc<dyn BlobStore>,
    left: Arc<AtomicU64>,
    stored: Arc<AtomicU64>,
    appended: Arc<AtomicU64>,
    answers: Arc<Mutex<()>>,
}

impl Brittle {
    fn counted(&self, made: Result<BlobKey, BlobError>) -> Result<BlobKey, BlobError> {
        made.inspect(|_| {
            self.stored.fetch_add(1, Ordering::SeqCst);
        })
    }
}

struct BrittleSource {
    inner: Box<dyn ByteSource>,
    left: Arc<AtomicU64>,
}

fn broken() -> BlobError {
    BlobError::Unavailable("broken by a test".to_owned())
}

impl ByteSource for BrittleSource {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async {
            let Some(bytes) = self.inner.next().await? else { return Ok(None) };
            let less = |left: u64| left.checked_sub(bytes.len() as u64);
            let took = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
            took.map(|_| Some(bytes)).map_err(|_| broken())
        })
    }
}

impl BlobStore for Brittle {
    fn put<'a>(
        &'a self,
        length: ByteCount,
        source: &'a mut dyn ByteSource,
    ) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move {
            let made = self.counted(self.inner.put(length, source).await);
            drop(self.answers.lock().await);
            made
        })
    }

    fn append<'a>(
        &'a self,
        to: Option<&'a PartialBlob>,
        piece: Bytes,
    ) -> Later<'a, Result<PartialBlob, BlobError>> {
        self.appended.fetch_add(piece.len() as u64, Ordering::SeqCst);
        self.inner.append(to, piece)
    }

    fn seal<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move { self.counted(self.inner.seal(partial).await) })
    }

    fn take_back<'a>(
        &'a self,
        before: Option<&'a PartialBlob>,
        after: &'a PartialBlob,
    ) -> Later<'a, Result<(), BlobError>> {
        self.inner.take_back(before, after)
    }

    fn discard<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<(), BlobError>> {
        self.inner.discard(partial)
    }

    fn read<'a>(
        &'a self,
        key: &'a BlobKey,
        offset: ByteCount,
        length: ByteCount,
    ) -> Later<'a, Result<Box<dyn ByteSource>, BlobError>> {
        Box::pin(async move {
            if self.left.load(Ordering::SeqCst) == 0 {
                return Err(broken());
            }
            let inner = self.inner.read(key, offset, length).await?;
            Ok(Box::new(BrittleSource { inner, left: Arc::clone(&self.left) }) as Box<dyn ByteSource>)
        })
    }

    fn delete<'a>(&'a self, key: &'a BlobKey) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            if self.left.load(Ordering::SeqCst) == 0 {
                return Err(broken());
            }
            self.inner.delete(key).await.inspect(|()| {
                self.stored.fetch_sub(1, Ordering::SeqCst);
            })
        })
    }

    fn check(&self) -> Later<'_, Result<(), BlobError>> {
        self.inner.check()
    }
}
