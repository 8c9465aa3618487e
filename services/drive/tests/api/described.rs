//! Every answer that a test gets is one that the description promises: its status, its media type, its code.

use std::sync::LazyLock;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

/// The description.
pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&drive::openapi_json().unwrap()).unwrap());

/// All operations: method, path, what is said of it.
pub(crate) fn operations() -> impl Iterator<Item = (Method, &'static str, &'static Value)> {
    paths().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            (method.to_uppercase().parse().unwrap(), path.as_str(), operation)
        })
    })
}

fn paths() -> impl Iterator<Item = (&'static String, &'static Value)> {
    DOCUMENT["paths"].as_object().unwrap().iter()
}

/// Fails if the description does not promise this answer. What it does not describe is not looked at.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(item) = item(path) else { return };
    let method = method.as_str().to_lowercase();
    // Whoever has not got a HEAD of its own answers it as GET, without the content.
    let own = item.get(&method);
    let Some(operation) = own.or_else(|| item.get("get").filter(|_| method == "head")) else { return };
    let answers = operation["responses"].as_object().unwrap();
    let answer = answers.get(status.as_str());
    let answer = answer.unwrap_or_else(|| panic!("{method} {path}: {status} is not described"));
    // The code is in the content.
    if method == "head" {
        return;
    }
    let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap().split(';').next().unwrap());
    let content = answer["content"].as_object();
    match (kind, content) {
        (None, _) => {}
        (Some(kind), Some(content)) => {
            check_content(content, kind, body, &format!("{method} {path}: {status}"))
        }
        (Some(kind), None) => panic!("{method} {path}: {status} has no content, but {kind}"),
    }
}

#[track_caller]
fn check_content(content: &Map<String, Value>, kind: &str, body: &[u8], about: &str) {
    let described = content.get(kind).or_else(|| content.get("*/*"));
    let described = described.unwrap_or_else(|| panic!("{about}: {kind} is not described"));
    if kind == "application/problem+json" {
        let problem: Value = serde_json::from_slice(body).unwrap();
        let codes = &described["schema"]["allOf"][1]["properties"]["code"]["enum"];
        assert!(
            codes.as_array().unwrap().contains(&problem["code"]),
            "{about}: {problem} is none of {codes}"
        );
    }
}

/// The item whose path has this shape; one without parameters before one with them.
fn item(path: &str) -> Option<&'static Value> {
    let same = |shape: &str| {
        shape.split('/').count() == path.split('/').count()
            && shape
                .split('/')
                .zip(path.split('/'))
                .all(|(shape, part)| shape.starts_with('{') || shape == part)
    };
    let mut found: Vec<_> = paths().filter(|(shape, _)| same(shape)).collect();
    found.sort_by_key(|(shape, _)| shape.matches('{').count());
    found.first().map(|(_, item)| *item)
}
