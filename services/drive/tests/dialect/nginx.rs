//! Both doors over FastCGI: a real nginx with the configuration that is shipped.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drive::{FastCgi, Limits, router, serve_fastcgi};
use drive_core::ports::PIECE_BYTES_MAX;
use drive_db::Database;
use fastcgi::Doors;
use futures_util::stream;
use net::{Listener, StopSource, Workers};
use reqwest::{Body, Client, Method, StatusCode};
use serde_json::json;
use testkit::nginx::Nginx;
use testkit::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::kit::{INDEX, PASSWORD, World, settings};
use crate::old::{Old, form, md5};
use crate::upload::dropped;

/// An nginx in front of a drive with two doors, in the places of two processes.
struct Front {
    nginx: Nginx,
    doors: [SocketAddr; 2],
    _stop: StopSource,
}

impl Front {
    /// With a change of what is shipped.
    fn start(world: &World, change: impl FnOnce(String) -> String) -> Self {
        let (source, stop) = StopSource::new();
        let doors = [(); 2].map(|()| {
            let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let address = listener.addr();
            let front = FastCgi {
                doors: Doors { ports: vec![listener], local: Vec::new() },
                web_servers: vec![Ipv4Addr::LOCALHOST.into()],
            };
            let router = router(Arc::clone(&world.drive)).unwrap();
            let workers = Arc::new(Workers::here());
            tokio::spawn(serve_fastcgi(
                router,
                workers,
                front,
                Limits::default(),
                Arc::default(),
                stop.clone(),
            ));
            address
        });
        let shipped = include_str!("../../../../deploy/nginx/drive-fastcgi.conf");
        let [first, second] = doors.map(|door| door.to_string());
        let conf = shipped.replace("192.0.2.31:9000", &first).replace("192.0.2.32:9000", &second);
        assert!(!conf.contains("192.0.2."));
        Self { nginx: Nginx::start(&change(conf)).unwrap(), doors, _stop: source }
    }
}

/// What is refused is closed at once; what is accepted and says nothing, after [`fastcgi::Limits::head_timeout`].
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_dialect_is_the_same_behind_nginx() {
    let world = World::storing().await;
    let front = Front::start(&world, |conf| conf);
    let visitor = Old::at(format!("http://{}", front.nginx.address()));
    assert_eq!(visitor.register("lilei").await, 0);
    assert_eq!(visitor.register("lilei").await, 2);
    let (lilei, other) = (visitor.signed_in("lilei").await, visitor.new_user("other").await);
    let content = pattern(9_000_000);
    assert_eq!(lilei.file("/api/md5", &content, "图.png").await, 1);
    assert_eq!(lilei.upload("图.png", &content).await, 0);
    assert_eq!(lilei.file("/api/md5", &content, "图.png").await, 5);
    for target in ["/api/myfiles?cmd=normal", "/api/myfiles&cmd=normal"] {
        assert_eq!(lilei.names(target).await, ["图.png"], "{target}");
    }
    let url = lilei.page("/api/myfiles?cmd=normal", 0, 1).await.texts("url").remove(0);
    let (status, bytes) = lilei.browser().fetch(&url).await;
    assert!(status == StatusCode::OK && bytes == content);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", &content, "图.png").await, 0);
    assert_eq!(visitor.ask(Method::GET, "/api/sharefiles?cmd=count", Vec::new()).await.body["total"], 1);
    assert_eq!(other.file("/api/dealsharefile?cmd=save", &content, "图.png").await, 0);
    assert_eq!(other.file("/api/dealsharefile?cmd=save", &content, "图.png").await, 5);
    assert_eq!(visitor.page("/api/sharefiles?cmd=pvdesc", 0, 9).await.texts("filename"), ["图.png"]);
    let shared = lilei.call("/api/sharepic?cmd=share", json!({"md5": md5(&content), "filename": "图.png"}));
    let link = shared.await.body["urlmd5"].clone();
    let seen = visitor.post("/api/sharepic?cmd=browse", json!({"urlmd5": link})).await;
    assert_eq!((seen.code(), &seen.body["pv"]), (0, &json!(1)));
    let (status, bytes) = visitor.fetch(seen.body["url"].as_str().unwrap()).await;
    assert!(status == StatusCode::OK && bytes == content);
    let nobody = Old { token: String::new(), ..lilei.clone() };
    assert_eq!(nobody.file("/api/dealfile?cmd=del", &content, "图.png").await, 4);
    // Answered before all of it came.
    assert_eq!(nobody.form(&[("file", Some("a"), &content), ("user", None, b"lilei")]).await, 4);
    let evil = lilei.browser().with("origin", "https://evil.example");
    let refused = evil.send(Method::POST, "/api/dealfile?cmd=del", b"{}".to_vec()).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let own = lilei.browser().with("origin", &visitor.base);
    assert_eq!(own.post("/api/myfiles?cmd=count", json!({"user": "lilei"})).await.code(), 0);
    assert_eq!(lilei.file("/api/dealfile?cmd=del", &content, "图.png").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn api_v1_is_the_same_behind_nginx() {
    let world = World::storing().await;
    let front = Front::start(&world, |conf| conf);
    let alice = world.user("alice").await.through(front.nginx.address());
    let content = pattern(20_000_000);
    let pieces: Vec<_> =
        content.chunks(100_000).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    // With its length, and without.
    for (name, body) in
        [("said", Body::from(content.clone())), ("unsaid", Body::wrap_stream(stream::iter(pieces)))]
    {
        let made = alice.upload(Method::PUT, &format!("/nodes/root/files/{name}"), body).await;
        let file = made.expect(StatusCode::CREATED).text("/id");
        assert!(alice.bytes(&file).await == content, "{name}");
        let path = format!("/nodes/{file}/content");
        let (status, headers, part) =
            alice.with("range", "bytes=10000000-10999999").raw(Method::GET, &path, "").await;
        assert_eq!(status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(headers["content-range"], "bytes 10000000-10999999/20000000");
        assert!(part == content[10_000_000..11_000_000], "{name}");
        let (_, headers, _) = alice.raw(Method::GET, &path, "").await;
        let tag = headers["etag"].to_str().unwrap();
        let (status, _, bytes) = alice.with("if-none-match", tag).raw(Method::GET, &path, "").await;
        assert_eq!((status, bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    }
    alice.get("/nodes/99999").await.problem(404, "node-not-found");
    let page = reqwest::get(format!("http://{}/s/some/view", front.nginx.address())).await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.text().await.unwrap(), INDEX);
    assert_eq!(alice.names("root").await, ["said", "unsaid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_client_is_and_whether_anybody_listens_is_what_nginx_says() {
    let world = World::new().await;
    let front = Front::start(&world, |conf| {
        let encrypted = conf.replace("$https if_not_empty;", "on;");
        assert_ne!(encrypted, conf);
        encrypted
    });
    let address = IpAddr::from([127, 0, 0, 77]);
    let client = Client::builder().local_address(address).build().unwrap();
    let sign_in = async |password: &str| {
        let request = client.post(format!("http://{}/api/v1/session", front.nginx.address()));
        let request = request.header("x-forwarded-for", "203.0.113.9");
        let fields = json!({"user_name": "alice", "password": password});
        request.header("content-type", "application/json").body(fields.to_string()).send().await.unwrap()
    };
    world.user("alice").await;
    assert_eq!(sign_in("something else").await.status(), StatusCode::UNAUTHORIZED);
    let signed = sign_in(PASSWORD).await;
    let cookie = signed.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-cairn=") && cookie.contains("; Secure"), "{cookie}");
    let audit = world.admin().await.get("/admin/audit").await.expect(StatusCode::OK);
    let told = audit.body.to_string();
    assert!(told.contains("127.0.0.77") && !told.contains("203.0.113.9"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_web_server_gets_at_the_fastcgi_port() {
    let world = World::new().await;
    let front = Front::start(&world, |conf| conf);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 77], 0))).unwrap();
    let mut stranger = socket.connect(front.doors[0]).await.unwrap();
    let mut byte = [0];
    let read = tokio::time::timeout(REFUSED_WITHIN, stranger.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    // By way of nginx it does.
    let visitor = Old::at(format!("http://{}", front.nginx.address()));
    assert_eq!(visitor.register("lilei").await, 0);
}

/// nginx ends a request whose client is gone, and FastCGI the work for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_no_blob_that_nobody_knows() {
    let mut place = None;
    let world = World::storing_with(settings(), |of_database| place = Some(of_database.clone())).await;
    let front = Front::start(&world, |conf| conf);
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let database = Database::open(place.unwrap()).await.unwrap();
    // Too large for a pack of the storage: a file of its own, which can be seen.
    let content = vec![b'x'; 300_000];
    let mut body = form(&[("file", Some("a"), &content), ("user", None, b"lilei")]);
    body.truncate(body.len() - 20);
    let head = format!(
        "POST /api/upload HTTP/1.1\r\nhost: drive\r\ncookie: token={}\r\ncontent-length: 400000\r\n\
         content-type: multipart/form-data; boundary=x-x\r\n\r\n",
        lilei.token
    );
    let mut stream = TcpStream::connect(front.nginx.address()).await.unwrap();
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    let store = world.servers.as_ref().unwrap().storages[0].store_paths[0].join("data");
    let stored = move || wait::until("a file", wait::STOP, || has_file(&store, 300_000).then_some(()));
    tokio::task::spawn_blocking(stored).await.unwrap().unwrap();
    assert_eq!(dropped(&database).await, 0);
    drop(stream);
    let written_down = async {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        while dropped(&database).await == 0 {
            again.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written_down).await.unwrap();
    assert!(lilei.names("/api/myfiles?cmd=normal").await.is_empty());
}

/// Of API v1, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_large_file_whose_client_goes_away_is_taken_out_of_the_store() {
    let world = World::storing().await;
    let front = Front::start(&world, |conf| conf);
    let alice = world.user("alice").await;
    let head = format!(
        "PUT /api/v1/nodes/root/files/a HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\n\
         transfer-encoding: chunked\r\n\r\n500000\r\n",
        alice.authorization()
    );
    let mut stream = TcpStream::connect(front.nginx.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&pattern(0x50_0000)).await.unwrap();
    let store = world.servers.as_ref().unwrap().storages[0].store_paths[0].join("data");
    let look = |wanted: bool| {
        let store = store.clone();
        let look = move || (has_file(&store, PIECE_BYTES_MAX as u64) == wanted).then_some(());
        tokio::task::spawn_blocking(move || wait::until("the file", wait::STOP, look))
    };
    look(true).await.unwrap().unwrap();
    drop(stream);
    look(false).await.unwrap().unwrap();
    assert!(alice.names("root").await.is_empty());
}

/// Is there a file of so many bytes?
fn has_file(folder: &Path, bytes: u64) -> bool {
    let entries = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
    entries.into_iter().any(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => has_file(&entry.path(), bytes),
        about => about.is_ok_and(|about| about.len() == bytes),
    })
}
