//! How content is given to browsers.
//!
//! What somebody uploaded must not run as a page of the drive. The media type is decided here by the name, never by
//! the uploader's word, and only types that can't carry scripts are shown in place; the rest is saved. `nosniff` and
//! a content security policy go with all of it.

use crate::node::NodeName;

/// How a browser gets a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serving {
    /// `Content-Type`.
    pub media_type: &'static str,
    /// Shown in place; otherwise saved.
    pub inline: bool,
    /// A picture that a picture link may show.
    pub picture: bool,
}

const SAVED: Serving = Serving { media_type: "application/octet-stream", inline: false, picture: false };

const fn picture(media_type: &'static str) -> Serving {
    Serving { media_type, inline: true, picture: true }
}

const fn shown(media_type: &'static str) -> Serving {
    Serving { media_type, inline: true, picture: false }
}

const fn saved(media_type: &'static str) -> Serving {
    Serving { media_type, ..SAVED }
}

/// How a file of this name is served. SVG and HTML carry scripts: they are saved, and are no pictures.
pub fn serving(name: &NodeName) -> Serving {
    let Some(extension) = name.extension() else { return SAVED };
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "jpe" => picture("image/jpeg"),
        "png" => picture("image/png"),
        "gif" => picture("image/gif"),
        "webp" => picture("image/webp"),
        "avif" => picture("image/avif"),
        "bmp" => picture("image/bmp"),
        "ico" => shown("image/x-icon"),
        "mp4" | "m4v" => shown("video/mp4"),
        "webm" => shown("video/webm"),
        "ogv" => shown("video/ogg"),
        "mp3" => shown("audio/mpeg"),
        "m4a" => shown("audio/mp4"),
        "ogg" | "oga" | "opus" => shown("audio/ogg"),
        "flac" => shown("audio/flac"),
        "wav" => shown("audio/wav"),
        "pdf" => shown("application/pdf"),
        // Whatever is text is shown as text, scripts and pages among it never as what they are.
        "txt" | "log" | "md" | "csv" | "json" | "toml" | "yaml" | "yml" | "ini" | "conf" | "rs" | "c"
        | "h" | "cpp" | "go" | "py" | "java" | "sh" | "sql" => shown("text/plain; charset=utf-8"),
        "svg" => saved("image/svg+xml"),
        "zip" => saved("application/zip"),
        _ => SAVED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_carries_no_scripts_is_shown_in_place() {
        for (name, media_type, inline, picture) in [
            ("a.JPG", "image/jpeg", true, true),
            ("图片.webp", "image/webp", true, true),
            ("a.pdf", "application/pdf", true, false),
            ("a.mp4", "video/mp4", true, false),
            ("a.md", "text/plain; charset=utf-8", true, false),
            ("a.svg", "image/svg+xml", false, false),
            ("a.html", "application/octet-stream", false, false),
            ("a.jpg.html", "application/octet-stream", false, false),
            ("a.xhtml", "application/octet-stream", false, false),
            ("a.xml", "application/octet-stream", false, false),
            ("a.js", "application/octet-stream", false, false),
            ("jpg", "application/octet-stream", false, false),
            (".jpg", "application/octet-stream", false, false),
        ] {
            assert_eq!(
                serving(&NodeName::new(name).unwrap()),
                Serving { media_type, inline, picture },
                "{name}"
            );
        }
    }
}
