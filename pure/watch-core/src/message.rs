//! What people read: a title and a text, in their language.

use std::collections::BTreeMap;

use doctor_core::{Language, Severity, words};

use crate::outbox::Batch;
use crate::watch::{Change, Kind};

/// Longest entry of one change, in bytes: a reason that a server gives may be of any length.
const ENTRY_LEN_MAX: usize = 1500;
/// Room that is kept for the line that says how much was left out.
const REST_LEN: usize = 160;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What the cluster is called.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// When it is sent, Unix seconds.
    pub at: i64,
    /// What it says; nothing to say makes it a test.
    pub batch: Option<Batch>,
}

impl Message {
    /// One line.
    pub fn title(&self) -> String {
        let name = &self.name;
        let Some(batch) = &self.batch else {
            return match self.language {
                Language::English => format!("{name}: a test"),
                Language::Chinese => format!("{name}：测试消息"),
            };
        };
        let count = |kind| batch.changes.iter().filter(|change| change.kind == kind).count();
        let kinds = [Kind::Opened, Kind::Worse, Kind::Remains, Kind::Better, Kind::Resolved];
        let counts = kinds.into_iter().map(|kind| (kind, count(kind))).filter(|(_, count)| *count > 0);
        match self.language {
            Language::English => {
                let said: Vec<String> =
                    counts.map(|(kind, count)| format!("{count} {}", english(kind))).collect();
                format!("{name}: {}", said.join(", "))
            }
            Language::Chinese => {
                let said: Vec<String> =
                    counts.map(|(kind, count)| format!("{} {count}", chinese(kind))).collect();
                format!("{name}：{}", said.join("，"))
            }
        }
    }

    /// All else, in so many bytes at most. Has no newline at its end.
    pub fn text(&self, len_max: usize) -> String {
        let Some(batch) = &self.batch else {
            let text = match self.language {
                Language::English => "What `cairn watch` finds will be told here.",
                Language::Chinese => "cairn watch 发现的问题会发到这里。",
            };
            return cut(text, len_max);
        };
        let mut text = String::new();
        let mut left = batch.changes.len();
        for change in &batch.changes {
            let entry = cut(&self.entry(change), ENTRY_LEN_MAX);
            if text.len() + entry.len() + 1 + REST_LEN > len_max {
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&entry);
            left -= 1;
        }
        let left = batch.left_out.saturating_add(left as u64);
        if left > 0 {
            let rest = match self.language {
                Language::English => format!("… and {left} more, which do not fit here; see `cairn doctor`."),
                Language::Chinese => format!("……另有 {left} 条放不下，请用 cairn doctor 查看。"),
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&rest);
        }
        cut(&text, len_max)
    }

    fn entry(&self, change: &Change) -> String {
        let Change { kind, sight, was, since, at } = change;
        let word = |severity: Severity| words::severity(severity, self.language);
        let lasted = span(at.saturating_sub(*since), self.language);
        let now = word(sight.severity);
        let head = match (self.language, kind, was) {
            (_, Kind::Opened, _) => now.to_owned(),
            (Language::English, Kind::Worse | Kind::Better, Some(was)) => {
                format!("{now}, was {}", word(*was))
            }
            (Language::Chinese, Kind::Worse | Kind::Better, Some(was)) => {
                format!("{now}，原为{}", word(*was))
            }
            (_, Kind::Worse | Kind::Better, None) => now.to_owned(),
            (Language::English, Kind::Remains, _) => format!("{now}, for {lasted} now"),
            (Language::Chinese, Kind::Remains, _) => format!("{now}，已持续{lasted}"),
            (Language::English, Kind::Resolved, _) => {
                return format!("[resolved after {lasted}] {}", sight.what);
            }
            (Language::Chinese, Kind::Resolved, _) => {
                return format!("[已恢复，历时{lasted}] {}", sight.what);
            }
        };
        format!("[{head}] {}\n  → {}", sight.what, sight.todo)
    }
}

fn english(kind: Kind) -> &'static str {
    match kind {
        Kind::Opened => "new",
        Kind::Worse => "worse",
        Kind::Better => "better",
        Kind::Resolved => "resolved",
        Kind::Remains => "not resolved yet",
    }
}

fn chinese(kind: Kind) -> &'static str {
    match kind {
        Kind::Opened => "新增",
        Kind::Worse => "加重",
        Kind::Better => "减轻",
        Kind::Resolved => "恢复",
        Kind::Remains => "仍未恢复",
    }
}

/// How long, in its two largest units at most: nobody needs the seconds of a day.
fn span(seconds: i64, language: Language) -> String {
    let seconds = seconds.max(0);
    let parts = [(seconds / 86_400, 0), (seconds / 3600 % 24, 1), (seconds / 60 % 60, 2), (seconds % 60, 3)];
    let from = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    let shown = parts.iter().skip(from).take(2).enumerate();
    let shown = shown.filter(|(place, (count, _))| *place == 0 || *count > 0).map(|(_, part)| *part);
    match language {
        Language::English => {
            let units = BTreeMap::from([(0, "d"), (1, "h"), (2, "min"), (3, "s")]);
            let said: Vec<String> =
                shown.map(|(count, unit)| format!("{count} {}", units.get(&unit).unwrap_or(&""))).collect();
            said.join(" ")
        }
        Language::Chinese => {
            let units = BTreeMap::from([(0, "天"), (1, "小时"), (2, "分钟"), (3, "秒")]);
            shown.map(|(count, unit)| format!(" {count} {}", units.get(&unit).unwrap_or(&""))).collect()
        }
    }
}

/// As much of a text as goes into so many bytes.
fn cut(text: &str, len_max: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= len_max {
        return text.to_owned();
    }
    let mut end = len_max.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::watch::tests::offline;

    fn change(kind: Kind, was: Option<Severity>) -> Change {
        Change { kind, sight: offline("group1/a"), was, since: 1000, at: 1000 + 3600 * 2 + 180 + 7 }
    }

    pub(crate) fn message(language: Language, changes: Vec<Change>) -> Message {
        let batch = Some(Batch { changes, left_out: 0 });
        Message { name: "north".to_owned(), language, at: 9000, batch }
    }

    #[test]
    fn each_change_has_its_words() {
        let table = [
            (Kind::Opened, None, "north: 1 new", "[error] storage group1/a is offline\n  → start it"),
            (
                Kind::Worse,
                Some(Severity::Warning),
                "north: 1 worse",
                "[error, was warning] storage group1/a is offline\n  → start it",
            ),
            (Kind::Better, Some(Severity::Error), "north: 1 better", "[error, was error] storage"),
            (
                Kind::Resolved,
                None,
                "north: 1 resolved",
                "[resolved after 2 h 3 min] storage group1/a is offline",
            ),
            (Kind::Remains, None, "north: 1 not resolved yet", "[error, for 2 h 3 min now] storage group1/a"),
        ];
        for (kind, was, title, begins) in table {
            let message = message(Language::English, vec![change(kind, was)]);
            assert_eq!(message.title(), title);
            assert!(message.text(10_000).starts_with(begins), "{}", message.text(10_000));
        }
        let resolved = message(Language::Chinese, vec![change(Kind::Resolved, None)]);
        assert_eq!(resolved.title(), "north：恢复 1");
        assert_eq!(resolved.text(10_000), "[已恢复，历时 2 小时 3 分钟] storage group1/a is offline");
        let worse = message(Language::Chinese, vec![change(Kind::Worse, Some(Severity::Warning))]);
        assert!(worse.text(10_000).starts_with("[错误，原为警告] "), "{}", worse.text(10_000));
    }

    #[test]
    fn all_changes_share_a_title_and_a_text() {
        let changes =
            vec![change(Kind::Opened, None), change(Kind::Resolved, None), change(Kind::Opened, None)];
        let message = message(Language::English, changes);
        assert_eq!(message.title(), "north: 2 new, 1 resolved");
        assert_eq!(message.text(10_000).lines().count(), 5);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut long = message(Language::English, vec![change(Kind::Resolved, None); 100]);
        let text = long.text(500);
        assert!(text.len() <= 500, "{}", text.len());
        assert!(text.ends_with("… and 94 more, which do not fit here; see `cairn doctor`."), "{text}");
        assert!(!long.text(100_000).contains("more"));
        long.batch.as_mut().unwrap().left_out = 7;
        assert!(long.text(100_000).ends_with("… and 7 more, which do not fit here; see `cairn doctor`."));
        for len_max in 0..300 {
            assert!(long.text(len_max).len() <= len_max.max("…".len()));
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let table =
            [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3601, "1 h"), (90_061, "1 d 1 h")];
        for (seconds, wanted) in table {
            assert_eq!(span(seconds, Language::English), wanted);
        }
        assert_eq!(span(61, Language::Chinese), " 1 分钟 1 秒");
    }

    #[test]
    fn a_test_says_that_it_is_one() {
        for (language, title) in
            [(Language::English, "north: a test"), (Language::Chinese, "north：测试消息")]
        {
            let message = Message { batch: None, ..message(language, Vec::new()) };
            assert_eq!(message.title(), title);
            assert!(message.text(1000).contains("cairn watch"));
        }
    }
}
