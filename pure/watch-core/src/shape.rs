//! The bodies that webhooks of various services want, and what their answers mean.
//!
//! Chat services get plain text: what a server says may hold anything, and nothing of it must become a link or a heading.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doctor_core::Language;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::message::Message;
use crate::watch::Change;

/// Longest text that DingTalk takes (`text.content`), less what the JSON around it needs.
const DINGTALK_LEN_MAX: usize = 18_000;
/// Longest text that WeCom takes (`text.content`).
const WECOM_LEN_MAX: usize = 2048;
/// Longest text that Feishu takes: 20 KB for the whole body.
const FEISHU_LEN_MAX: usize = 16_000;
/// Longest text in the JSON of our own, which has all changes besides.
const JSON_LEN_MAX: usize = 64_000;
/// The version of our own JSON.
const JSON_VERSION: u32 = 1;
/// As much of an answer's words is passed on.
const WORDS_LEN_MAX: usize = 200;

/// Whose webhook it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// JSON of our own, for programs.
    Json,
    /// A custom robot of DingTalk.
    DingTalk,
    /// A group robot of WeCom.
    WeCom,
    /// A custom bot of Feishu or Lark.
    Feishu,
}

/// What is posted.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What is added to the address.
    pub query: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Value,
}

/// Why a message has not arrived, as far as the answer tells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum Refusal {
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("it answered {code}: {words}")]
    Code { code: i64, words: String },
    #[error("its answer does not say whether it has taken the message")]
    Unclear,
}

impl Shape {
    /// The message as this service wants it; `now_ms` is Unix time in milliseconds, for the signature.
    pub fn request(self, message: &Message, secret: Option<&str>, now_ms: u64) -> Request {
        let text = |len_max: usize| {
            let title = message.title();
            let left = len_max.saturating_sub(title.len() + 1);
            format!("{title}\n{}", message.text(left))
        };
        let mut query = Vec::new();
        let body = match self {
            Self::Json => json_body(message),
            Self::DingTalk => {
                if let Some(secret) = secret {
                    let sign = hmac(secret, &format!("{now_ms}\n{secret}"));
                    query = vec![("timestamp", now_ms.to_string()), ("sign", sign)];
                }
                json!({"msgtype": "text", "text": {"content": text(DINGTALK_LEN_MAX)}})
            }
            Self::WeCom => json!({"msgtype": "text", "text": {"content": text(WECOM_LEN_MAX)}}),
            Self::Feishu => {
                let mut body = json!({"msg_type": "text", "content": {"text": text(FEISHU_LEN_MAX)}});
                if let Some(secret) = secret {
                    let now_s = (now_ms / 1000).to_string();
                    // Time and secret are the key, and nothing is signed with it.
                    body["sign"] = hmac(&format!("{now_s}\n{secret}"), "").into();
                    body["timestamp"] = now_s.into();
                }
                body
            }
        };
        Request { query, body }
    }

    /// Whether an answer means that the message has arrived. Chat services answer 200 and say in the body that they did not
    /// take it.
    ///
    /// # Errors
    /// When it has not.
    pub fn judge(self, status: u16, body: &[u8]) -> Result<(), Refusal> {
        if !(200..300).contains(&status) {
            return Err(Refusal::Status(status));
        }
        let (codes, words): (&[&str], &[&str]) = match self {
            Self::Json => return Ok(()),
            Self::DingTalk | Self::WeCom => (&["errcode"], &["errmsg"]),
            // An older form is still answered by some.
            Self::Feishu => (&["code", "StatusCode"], &["msg", "StatusMessage"]),
        };
        let answer: Value = serde_json::from_slice(body).map_err(|_| Refusal::Unclear)?;
        let code = codes.iter().find_map(|name| answer.get(name)?.as_i64()).ok_or(Refusal::Unclear)?;
        if code == 0 {
            return Ok(());
        }
        let words = words.iter().find_map(|name| answer.get(name)?.as_str()).unwrap_or_default();
        // A stranger's words go to a log: one line, and not a long one.
        let words = words.chars().filter(|c| !c.is_control()).take(WORDS_LEN_MAX).collect();
        Err(Refusal::Code { code, words })
    }
}

fn json_body(message: &Message) -> Value {
    let changes = message.batch.as_ref().map_or(&[] as &[Change], |batch| &batch.changes);
    let each = |change: &Change| {
        json!({
            "change": change.kind,
            "severity": change.sight.severity,
            "was": change.was,
            "code": change.sight.code,
            "subject": change.sight.subject.to_string(),
            "fields": change.sight.fields,
            "what": change.sight.what,
            "todo": change.sight.todo,
            "since": change.since,
            "at": change.at,
        })
    };
    json!({
        "version": JSON_VERSION,
        "name": message.name,
        "at": message.at,
        "test": message.batch.is_none(),
        "language": match message.language {
            Language::English => "en",
            Language::Chinese => "zh",
        },
        "title": message.title(),
        "text": message.text(JSON_LEN_MAX),
        "changes": changes.iter().map(each).collect::<Vec<_>>(),
        "left_out": message.batch.as_ref().map_or(0, |batch| batch.left_out),
    })
}

/// HMAC-SHA256 in Base64.
fn hmac(key: &str, text: &str) -> String {
    // A key of any length will do, so there is no other case; an empty text is refused by who checks it.
    let Ok(mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()) else { return String::new() };
    STANDARD.encode(mac.chain_update(text.as_bytes()).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::message;
    use crate::watch::tests::offline;
    use crate::watch::{Kind, Sight};

    const NOW_MS: u64 = 1_700_000_000_123;
    const DINGTALK_SIGN: &str = "IqXBU/aLfwMA3S/tDcfRmHx5vWHw9Y1aOgFLBr1Ti9w=";
    const FEISHU_SIGN: &str = "VIS10b0EBvzzSdFnuk4tznEmK5wHaruvf/WnViv2yR4=";

    fn opened() -> Message {
        let sight = offline("group1/a");
        message(Language::English, vec![Change { kind: Kind::Opened, sight, was: None, since: 5, at: 7 }])
    }

    #[test]
    fn programs_get_every_change_with_its_fields() {
        let Request { query, body } = Shape::Json.request(&opened(), None, NOW_MS);
        assert_eq!(query, []);
        assert_eq!(body["title"], "north: 1 new");
        let wanted = json!({
            "change": "opened",
            "severity": "error",
            "was": null,
            "code": "storage_offline",
            "subject": "storage group1/a",
            "fields": {"storage": "group1/a", "address": "10.0.0.1:23000", "answers": false},
            "what": "storage group1/a is offline",
            "todo": "start it; if it will never come back, remove it with fdfs_monitor CONF delete GROUP ID",
            "since": 5,
            "at": 7,
        });
        assert_eq!(body["changes"], json!([wanted]));
        assert_eq!(
            (&body["test"], &body["left_out"], &body["language"]),
            (&json!(false), &json!(0), &json!("en"))
        );
    }

    #[test]
    fn chat_services_get_title_and_text_where_each_wants_them() {
        let wanted = format!("north: 1 new\n{}", opened().text(1000));
        let table = [
            (Shape::DingTalk, "/text/content", "/msgtype"),
            (Shape::WeCom, "/text/content", "/msgtype"),
            (Shape::Feishu, "/content/text", "/msg_type"),
        ];
        for (shape, place, kind) in table {
            let Request { query, body } = shape.request(&opened(), None, NOW_MS);
            assert_eq!(query, []);
            assert_eq!(body.pointer(place), Some(&json!(wanted)), "{shape:?}");
            assert_eq!(body.pointer(kind), Some(&json!("text")), "{shape:?}");
            assert!(body.get("sign").is_none());
        }
    }

    // The wanted signatures were computed by another program: Python's hmac.
    #[test]
    fn dingtalk_is_signed_in_the_address_and_feishu_in_the_body() {
        let Request { query, .. } = Shape::DingTalk.request(&opened(), Some("SECabc"), NOW_MS);
        let wanted = [("timestamp", "1700000000123"), ("sign", DINGTALK_SIGN)];
        assert_eq!(query, wanted.map(|(name, value)| (name, value.to_owned())));
        let Request { query, body } = Shape::Feishu.request(&opened(), Some("abc"), NOW_MS);
        assert_eq!(query, []);
        assert_eq!((&body["timestamp"], &body["sign"]), (&json!("1700000000"), &json!(FEISHU_SIGN)));
    }

    #[test]
    fn no_text_is_longer_than_its_service_takes() {
        let sight = Sight { what: "é".repeat(900), ..offline("a") };
        let change = Change { kind: Kind::Opened, sight, was: None, since: 0, at: 0 };
        let message = message(Language::Chinese, vec![change; 400]);
        let table = [
            (Shape::DingTalk, "/text/content", 18_000),
            (Shape::WeCom, "/text/content", 2048),
            (Shape::Feishu, "/content/text", 16_000),
            (Shape::Json, "/text", 64_000),
        ];
        for (shape, place, len_max) in table {
            let body = shape.request(&message, None, NOW_MS).body;
            let len = body.pointer(place).unwrap().as_str().unwrap().len();
            assert!(len <= len_max && len > len_max / 4, "{shape:?} {len}");
        }
    }

    #[test]
    fn a_200_that_says_no_is_a_failure() {
        let code = |code, words: &str| Err(Refusal::Code { code, words: words.to_owned() });
        let table = [
            (Shape::Json, 200, "", Ok(())),
            (Shape::Json, 204, "", Ok(())),
            (Shape::Json, 302, "", Err(Refusal::Status(302))),
            (Shape::Json, 500, "{}", Err(Refusal::Status(500))),
            (Shape::DingTalk, 200, r#"{"errcode":0,"errmsg":"ok"}"#, Ok(())),
            (
                Shape::DingTalk,
                200,
                r#"{"errcode":310000,"errmsg":"sign\nnot match"}"#,
                code(310_000, "signnot match"),
            ),
            (Shape::WeCom, 200, r#"{"errcode":93000,"errmsg":"invalid key"}"#, code(93_000, "invalid key")),
            (Shape::WeCom, 200, "<html>", Err(Refusal::Unclear)),
            (Shape::WeCom, 200, "{}", Err(Refusal::Unclear)),
            (Shape::WeCom, 502, "", Err(Refusal::Status(502))),
            (Shape::Feishu, 200, r#"{"code":0,"msg":"success","data":{}}"#, Ok(())),
            (Shape::Feishu, 200, r#"{"StatusCode":0,"StatusMessage":"success"}"#, Ok(())),
            (
                Shape::Feishu,
                200,
                r#"{"code":19021,"msg":"sign match fail"}"#,
                code(19_021, "sign match fail"),
            ),
        ];
        for (shape, status, body, wanted) in table {
            assert_eq!(shape.judge(status, body.as_bytes()), wanted, "{shape:?} {status} {body}");
        }
    }
}
