//! The description of the API: served, complete, and true, as Schemathesis finds with requests of its own making.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::described::{DOCUMENT, operations};
use crate::kit::{Client, World};

#[tokio::test]
async fn it_is_served_to_everybody_and_not_twice_to_who_has_it() {
    let world = World::new().await;
    let visitor = world.visitor();
    let reply = visitor.get("/openapi.json").await.expect(StatusCode::OK);
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.body, *DOCUMENT);
    let tag = reply.headers["etag"].to_str().unwrap();
    visitor.with("if-none-match", tag).get("/openapi.json").await.expect(StatusCode::NOT_MODIFIED);
    visitor.with("if-none-match", "\"another\"").get("/openapi.json").await.expect(StatusCode::OK);
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == drive::openapi_json().unwrap(), "run: cargo xtask gen");
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_is() {
    let mut names = BTreeSet::new();
    for (_, _, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap();
        let camel =
            name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(char::is_alphanumeric);
        assert!(camel, "{name}");
        assert!(names.insert(name), "{name} twice");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        assert!(operation["summary"].is_string(), "{name}");
        assert!(operation.get("x-refusals").is_none(), "{name}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
    }
}

#[test]
fn no_route_is_declared_without_its_description() {
    let routes = include_str!("../../src/v1/mod.rs");
    assert!(!routes.contains(".route("), "`routes!` declares both");
}

#[test]
fn no_handler_answers_in_words_of_axum() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/v1")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let taken = text.lines().filter(|line| line.starts_with("use axum::extract::"));
        let foreign = ["Path", "Query", "Json"];
        let found: Vec<_> = taken.filter(|line| foreign.iter().any(|name| line.contains(name))).collect();
        assert!(found.is_empty(), "{}: {found:?}: use crate::fields", path.display());
    }
}

/// The program of the Python environment that `cargo xtask test` makes.
fn program(name: &str) -> PathBuf {
    let path = testkit::python::interpreter().unwrap().with_file_name(name);
    assert!(path.is_file(), "no {}: `cargo xtask test` installs it", path.display());
    path
}

#[test]
fn it_is_openapi_3_1() {
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    std::fs::write(file.path(), drive::openapi_json().unwrap()).unwrap();
    let output = std::process::Command::new(program("openapi-spec-validator"))
        .args(["--schema", "3.1"])
        .arg(file.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What ends the session that the requests are sent with: each is sent with one of its own.
const ENDING: [&str; 4] = ["signOut", "endSession", "endAllSessions", "changePassword"];

/// The same requests each time.
const SEED: &str = "20261127";

/// How long a run may take. Usual is a minute.
const PATIENCE: Duration = Duration::from_secs(240);

/// What stands in the paths of operations that would find nothing otherwise: operation, parameter, value.
type Known<'a> = &'a [(&'a str, &'a str, &'a str)];

/// Runs Schemathesis with somebody's token.
async fn schemathesis(world: &World, client: &Client, choice: &[String], known: Known<'_>) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let folder = tempfile::tempdir().unwrap();
    let mut settings = std::fs::read_to_string(here.join("schemathesis.toml")).unwrap();
    for (operation, parameter, value) in known {
        writeln!(settings, "[[operations]]\ninclude-operation-id = \"{operation}\"").unwrap();
        writeln!(settings, "parameters.\"path.{parameter}\" = \"{value}\"").unwrap();
    }
    let file = folder.path().join("schemathesis.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = tokio::process::Command::new(program("schemathesis"));
    command
        .current_dir(folder.path())
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", &here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("--config-file")
        .arg(file)
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", world.address))
        .arg("--header")
        .arg(format!("Authorization: {}", client.authorization()))
        .args(["--checks", "all", "--seed", SEED, "--max-examples", "10", "--workers", "1"])
        .args(["--continue-on-failure", "--no-color"])
        .args(choice)
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}\n{complaints}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_true_whatever_is_asked() {
    let world = World::storing().await;
    let admin = world.admin().await;
    let folder = admin.folder("root", "plans").await;
    let file = admin.file("notes.txt", b"something to read").await;
    let mut shares = Vec::new();
    for node in [&folder, &folder, &file] {
        let made = admin.post(&format!("/nodes/{node}/shares"), json!({"listed": true})).await;
        shares.push(made.expect(StatusCode::CREATED));
    }
    let (spare, of_folder, of_file) =
        (shares[0].text("/id"), shares[1].text("/token"), shares[2].text("/token"));
    let mut entries = Vec::new();
    for name in ["old", "older"] {
        let node = admin.folder("root", name).await;
        entries.push(admin.delete(&format!("/nodes/{node}")).await.expect(StatusCode::OK).text("/trash"));
    }
    // The administrator must not decree anything about itself.
    let victim = world.user("victim").await.get("/me").await.text("/id");
    let mut uploads = Vec::new();
    let tus = admin.with("tus-resumable", "1.0.0").with("upload-metadata", "filename YQ==");
    for _ in 0..2 {
        let (status, headers, _) = tus.with("upload-length", "9").raw(Method::POST, "/uploads", "").await;
        assert_eq!(status, StatusCode::CREATED);
        let place = headers["location"].to_str().unwrap();
        uploads.push(place.strip_prefix("/api/v1/uploads/").unwrap().to_owned());
    }
    let known = [
        ("changeAccount", "account", victim.as_str()),
        ("setPassword", "account", &victim),
        ("endSessionsOf", "account", &victim),
        ("restoreTrashed", "entry", &entries[0]),
        ("purgeTrashed", "entry", &entries[1]),
        ("revokeShareOf", "share", &spare),
        ("showCode", "token", &of_file),
        ("saveShared", "token", &of_file),
        ("listSharedChildren", "token", &of_folder),
        ("getSharedArchive", "token", &of_folder),
        ("getUpload", "upload", &uploads[0]),
        ("getUploadOffset", "upload", &uploads[0]),
        ("continueUpload", "upload", &uploads[0]),
        ("endUpload", "upload", &uploads[1]),
    ];
    let without = ENDING.map(|operation| format!("--exclude-operation-id={operation}"));
    schemathesis(&world, &admin, &without, &known).await;
    for operation in ENDING {
        let user = world.user(&operation.to_lowercase()).await;
        schemathesis(&world, &user, &[format!("--include-operation-id={operation}")], &[]).await;
    }
}
