//! The web page at `/`.

use reqwest::{Method, Response, StatusCode};

use crate::kit::{INDEX, World};

async fn ask(world: &World, method: Method, path: &str, fields: &[(&str, &str)]) -> Response {
    let http = reqwest::Client::new();
    let mut request = http.request(method, format!("http://{}{path}", world.address));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn get(world: &World, path: &str) -> Response {
    ask(world, Method::GET, path, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_that_could_be_a_view_is_the_document_and_no_other_is() {
    let world = World::new().await;
    for path in ["/", "/folders/7", "/s/0123456789abcdef0123456789abcdef", "/admin/", "/?code=7", "/v1.2/x"] {
        let answer = get(&world, path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("vary", "accept-encoding"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}: {name}");
        }
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let wanted = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                      img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; \
                      worker-src 'self'; frame-src 'self' blob:; manifest-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
        assert_eq!(policy, wanted, "{path}");
        assert_eq!(answer.text().await.unwrap(), INDEX, "{path}");
    }
    for path in [
        "/api",
        "/api/",
        "/api/v2/me",
        "/api/v1/nowhere",
        "/metrics",
        "/healthz/x",
        "/problems/x",
        "/nothing.js",
        "/assets/index-C0ffee42.js.br",
        "/index.html.gz",
        "/assets/..%2findex.html",
        "//index.html/x.y",
    ] {
        let answer = get(&world, path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    for (method, path, status) in
        [(Method::POST, "/", 405), (Method::DELETE, "/folders/7", 405), (Method::POST, "/nothing.js", 404)]
    {
        assert_eq!(ask(&world, method, path, &[]).await.status().as_u16(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_named_by_its_content_is_fetched_once() {
    let world = World::new().await;
    for (path, media_type, kept) in [
        (
            "/assets/index-C0ffee42.js",
            "text/javascript; charset=utf-8",
            "public, max-age=31536000, immutable",
        ),
        ("/assets/hash-Deadbeef.wasm", "application/wasm", "public, max-age=31536000, immutable"),
        ("/favicon.svg", "image/svg+xml", "no-cache"),
    ] {
        let answer = get(&world, path).await;
        assert_eq!(answer.headers()["content-type"], media_type, "{path}");
        assert_eq!(answer.headers()["cache-control"], kept, "{path}");
        // The policy of a worker is that of its script.
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("wasm-unsafe-eval"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_browser_gets_the_form_it_takes_with_a_tag_of_that_form() {
    let world = World::new().await;
    let script = "/assets/index-C0ffee42.js";
    let mut tags = Vec::new();
    for (path, accepts, coding, text) in [
        ("/", "gzip, deflate, br, zstd", Some("br"), "the page, by brotli"),
        ("/", "gzip", Some("gzip"), "the page, by gzip"),
        ("/", "br;q=0, gzip", Some("gzip"), "the page, by gzip"),
        ("/", "zstd", None, INDEX),
        ("/", "identity", None, INDEX),
        (script, "gzip, br", Some("br"), "run, by brotli"),
        (script, "gzip", None, "run()"),
        ("/favicon.svg", "br", None, "<svg/>"),
    ] {
        let answer = ask(&world, Method::GET, path, &[("accept-encoding", accepts)]).await;
        let got = answer.headers().get("content-encoding").map(|coding| coding.to_str().unwrap());
        assert_eq!(got, coding, "{path} {accepts}");
        assert_eq!(answer.headers()["content-length"], text.len().to_string(), "{path} {accepts}");
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"'), "{tag}");
        assert_eq!(answer.headers().contains_key("vary"), path != "/favicon.svg", "{path}");
        assert_eq!(answer.text().await.unwrap(), text, "{path} {accepts}");

        let fields = [("accept-encoding", accepts), ("if-none-match", &tag)];
        let again = ask(&world, Method::GET, path, &fields).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path} {accepts}");
        assert_eq!(again.headers()["etag"], tag.as_str());
        assert_eq!(again.bytes().await.unwrap().len(), 0);
        let head = ask(&world, Method::HEAD, path, &[("accept-encoding", accepts)]).await;
        assert_eq!(head.headers()["content-length"], text.len().to_string(), "{path} {accepts}");
        assert_eq!(head.bytes().await.unwrap().len(), 0);
        tags.push((text, tag));
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 6, "{tags:?}");
    let other = [("if-none-match", "\"another\"")];
    assert_eq!(ask(&world, Method::GET, "/", &other).await.status(), StatusCode::OK);
}
