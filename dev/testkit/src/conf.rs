//! Writes configuration files in FastDFS's grammar.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Keys and values in the order given; a key may stand more than once (`tracker_server`). One of a section is written
/// `[access-log] enabled`, and comes behind those of none.
#[derive(Debug, Clone, Default)]
pub struct Conf {
    lines: Vec<(String, String)>,
}

impl Conf {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Conf {
        Conf::default()
    }

    /// Sets a key, replacing every earlier value of it.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Conf {
        self.lines.retain(|(earlier, _)| earlier != key);
        self.add(key, value)
    }

    /// Adds a further value of a key.
    #[must_use]
    pub fn add(mut self, key: &str, value: impl ToString) -> Conf {
        self.lines.push((key.to_owned(), value.to_string()));
        self
    }

    /// Sets several keys.
    #[must_use]
    pub fn set_all(self, pairs: &[(String, String)]) -> Conf {
        pairs.iter().fold(self, |conf, (key, value)| conf.set(key, value))
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let (mut text, mut sections) = (String::new(), String::new());
        for (key, value) in &self.lines {
            // Writing to a String cannot fail.
            let _ = match key.split_once("] ") {
                None => writeln!(text, "{key} = {value}"),
                Some((section, key)) => writeln!(sections, "{section}]\n{key} = {value}"),
            };
        }
        text + &sections
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.text()).with_context(|| format!("write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_replaces_and_add_repeats() {
        let conf = Conf::new()
            .set("port", 1)
            .add("tracker_server", "a:1")
            .add("tracker_server", "b:1")
            .set("[log] enabled", "true")
            .set("port", 2);
        let text = "tracker_server = a:1\ntracker_server = b:1\nport = 2\n[log]\nenabled = true\n";
        assert_eq!(conf.text(), text);
    }
}
