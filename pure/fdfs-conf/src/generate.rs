//! What the registry writes: the default files and the reference page.

use std::fmt::{self, Write as _};

use crate::error::Bytes;
use crate::files::FILES;
use crate::registry::{Effect, FileSpec, Fit, Key, Kind, Origin, SectionSpec, Unit};

/// Heading of keys that are read only to say that what they ask for is not there.
pub(crate) const NOT_AVAILABLE: &str = "Not available";
/// Column at which comment lines of a default file are broken.
const COMMENT_WIDTH: usize = 100;

/// A file with every key that does something: set where the default would not do, otherwise in a comment that shows the default.
pub fn default_conf(file: &FileSpec) -> String {
    let mut text = String::new();
    comment(&mut text, file.doc);
    comment(&mut text, "A line such as #key = value shows the default; take the # away to change it.");
    for (group, keys) in groups(file).into_iter().filter(|(group, _)| *group != NOT_AVAILABLE) {
        let _ = write!(text, "\n\n# --- {group} ---\n");
        for key in keys {
            push_key(&mut text, key);
        }
    }
    for section in file.sections {
        text.push_str("\n\n");
        comment(&mut text, section.doc);
        // Sections that come in numbers are shown, not set: how many there are is said elsewhere.
        let numbered = section.name.contains('#');
        let mark = if numbered { "#" } else { "" };
        let _ = writeln!(text, "{mark}[{}]", section.name.replace('#', "1"));
        for key in own_rows(file, section) {
            let shown = Key { sample: None, default: key.default.or(key.sample), ..*key };
            push_key(&mut text, if numbered { &shown } else { key });
        }
    }
    text
}

/// A storage_ids.conf to begin with.
pub fn default_storage_ids() -> String {
    "\
# id  group  address[:port]  [rw=none|read|write|both]
#
# id: a number from 1 to 16777215. port: 23000 unless given.
# Two addresses of one storage, an inner and an outer one, have a comma between them; IPv6 is written in brackets:
# 100003  group2  10.0.0.3,203.0.113.3
# 100004  group2  [2001:db8::4]:23001  rw=read

100001  group1  192.168.0.101
100002  group1  192.168.0.102
"
    .to_owned()
}

/// The reference page of all files.
pub fn configuration_md() -> String {
    let mut page = String::from(INTRODUCTION);
    for file in FILES {
        let _ = write!(page, "\n## {}\n\n{}\n", file.name, file.doc);
        for (group, keys) in groups(file) {
            let _ = write!(page, "\n### {group}\n\n");
            push_table(&mut page, keys.into_iter());
        }
        for section in file.sections {
            let _ = write!(page, "\n### [{}]\n\n{}\n", section.name, section.doc);
            let mut own = own_rows(file, section).peekable();
            if own.peek().is_some() {
                page.push('\n');
                push_table(&mut page, own);
            }
        }
        push_without_effect(&mut page, file);
    }
    page.push_str(STORAGE_IDS_PAGE);
    page
}

const INTRODUCTION: &str = "\
# Configuration

Written by `cargo xtask gen` from the registry in `pure/fdfs-conf`; change it there.

The files of FastDFS are read as they are. Keys marked **Cairn** are our own: FastDFS would ignore them.
A wrong value stops the start and says where: `storage.conf:12: store_path_count: must be between 1 and 256, got 0`.
A key nobody knows is ignored with a warning that names the nearest known one.

## The grammar

| line | meaning |
|---|---|
| `key = value` | Blanks around both are dropped; the value runs to the end of the line. Of a key given twice the last one counts, unless it is called repeatable below. |
| `# text` | A comment. The `#` must be the first character of the line. |
| `[section]` | The keys below belong to the section. `[]` leads back. |
| `#include other.conf` | Reads another file here. A relative name starts in the folder of the first file. |
| `#@set NAME = value` | Sets a variable. |
| `#@if %{NAME} in [a, b]` … `#@else` … `#@endif` | Chooses lines. `%{LOCAL_IP}` stands for this host's addresses (networks such as `10.0.0.0/8` may be listed), `%{LOCAL_HOST}` for its name. |
| `#@for i from 0 to 3 step 1` … `#@endfor` | Repeats lines; `{$i}` in them is replaced. |
| `#@function REPLACE_VARS` | Replaces `%{NAME}` in the value on the next line. |
| `#@function LOCAL_IP_GET` | The next line's value is an address of this host: `inner`, `outer`, `inner[0]`, `outer[-1]`. |

Commands (`SHELL_EXEC`, `$(…)`) are never run, libraries (`#@add_annotation`) never loaded, URLs never fetched.

| value | is written |
|---|---|
| true, false | also yes/no, on/off, 1/0 |
| number | decimal digits |
| size | bytes, or with a unit: `256KB`, `64M`, `20G`, `1T` (1 KB = 1024 bytes) |
| time | `02:30` or `02:30:00` |
";

const STORAGE_IDS_PAGE: &str = "
## storage_ids.conf

One storage per line: `id group address[:port] [rw=none|read|write|both]`. Lines that begin with `#` are comments.

| part | meaning |
|---|---|
| id | A number from 1 to 16777215, each once. |
| group | 1 to 16 letters and digits. |
| address | An IP address or a host name; an inner and an outer one with a comma between them; IPv6 in brackets, `[a]` or `[a,b]`. |
| port | 23000 unless given. An address and a port together occur once. |
| rw | `read` (or `readonly`), `write` (or `writeonly`), `both` (or `all`, the default), `none`. |
";

/// The keys with an effect, by heading, in the order of the registry.
fn groups(file: &FileSpec) -> Vec<(&'static str, Vec<&'static Key>)> {
    let mut groups: Vec<(&str, Vec<&Key>)> = Vec::new();
    for key in file.rows().filter(|key| key.effect == Effect::Used) {
        match groups.iter_mut().find(|(group, _)| *group == key.group) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((key.group, vec![key])),
        }
    }
    groups
}

/// The keys of a section that the file does not have outside it: the others are overrides. Sections that come in numbers
/// override nothing, so all their keys are their own.
fn own_rows(file: &FileSpec, section: &SectionSpec) -> impl Iterator<Item = &'static Key> {
    let outside: Vec<&str> = file.rows().map(|key| key.name).collect();
    let numbered = section.name.contains('#');
    let own = move |key: &&Key| numbered || !outside.contains(&key.name);
    section.rows().filter(move |key| key.effect == Effect::Used && own(key))
}

fn push_key(text: &mut String, key: &Key) {
    text.push('\n');
    comment(text, key.doc);
    // The number of a numbered key starts at 0.
    let name = key.name.replace('#', "0");
    let _ = match (key.sample, key.default) {
        (Some(sample), _) => writeln!(text, "{name} = {sample}"),
        (None, Some(default)) => writeln!(text, "#{name} = {default}"),
        (None, None) => writeln!(text, "#{name} ="),
    };
}

fn comment(text: &mut String, sentence: &str) {
    let mut width = 0;
    for word in sentence.split(' ') {
        if width > 0 && width + word.len() + 1 > COMMENT_WIDTH {
            text.push('\n');
            width = 0;
        }
        text.push_str(if width == 0 { "# " } else { " " });
        text.push_str(word);
        width += word.len() + 1;
    }
    text.push('\n');
}

fn push_table(page: &mut String, keys: impl Iterator<Item = &'static Key>) {
    page.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    for key in keys {
        let mark = match key.origin {
            Origin::Fastdfs => "",
            Origin::Cairn => " **Cairn**",
        };
        let default = match key.default {
            Some("") => "empty".to_owned(),
            Some(text) => format!("`{text}`"),
            None => cell(key.absent),
        };
        let _ = writeln!(
            page,
            "| `{}`{mark} | {} | {default} | {} |",
            key.name,
            cell(&Written(key).to_string()),
            cell(key.doc)
        );
    }
}

fn push_without_effect(page: &mut String, file: &FileSpec) {
    let rows = |wanted: fn(&Key) -> Option<&'static str>| {
        file.rows().filter_map(move |key| Some((key.name, wanted(key)?))).collect::<Vec<_>>()
    };
    let ignored = rows(|key| match key.effect {
        Effect::Ignored { why } => Some(why),
        _ => None,
    });
    let retired = rows(|key| match key.effect {
        Effect::Retired { instead } => Some(instead),
        _ => None,
    });
    let headings = [
        ("Accepted without effect", "why nothing is lost", ignored),
        ("Accepted with a warning", "instead", retired),
    ];
    for (heading, column, rows) in headings {
        if rows.is_empty() {
            continue;
        }
        let _ = write!(page, "\n### {heading}\n\n| key | {column} |\n|---|---|\n");
        for (name, text) in rows {
            let _ = writeln!(page, "| `{name}` | {} |", cell(text));
        }
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// How a value is written, in words.
struct Written<'a>(&'a Key);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NO_LIMIT: i64 = i32::MAX as i64;
        match self.0.kind {
            Kind::Bool => f.write_str("true, false")?,
            Kind::Time => f.write_str("time")?,
            Kind::Text(shape) => f.write_str(shape)?,
            Kind::Number { unit, min, max, fit } => {
                f.write_str(match unit {
                    Unit::One => "number",
                    Unit::Seconds => "seconds",
                    Unit::Milliseconds => "milliseconds",
                    Unit::Days => "days",
                })?;
                match (min, max) {
                    (..0, _) => {}
                    (min, NO_LIMIT) => write!(f, " from {min}")?,
                    (min, max) => write!(f, " {min} to {max}")?,
                }
                write_fit(f, fit)?;
            }
            Kind::Size { min, max, fit } => {
                f.write_str("size")?;
                if min > 0 {
                    write!(f, " from {}", Bytes(min))?;
                }
                if max < NO_LIMIT as u64 || max.is_power_of_two() {
                    write!(f, " to {}", Bytes(max))?;
                }
                write_fit(f, fit)?;
            }
        }
        Ok(())
    }
}

fn write_fit(f: &mut fmt::Formatter<'_>, fit: Fit) -> fmt::Result {
    match fit {
        Fit::Strict => Ok(()),
        Fit::DefaultBelow => f.write_str("; less means the default"),
        Fit::Clamp => f.write_str("; outside, the nearest is used"),
    }
}
