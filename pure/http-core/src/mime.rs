//! Media types by extension.

use std::collections::BTreeMap;

use fdfs_fileid::FileName;

/// Longest file of media types, bytes.
pub const MIME_BYTES_MAX: usize = 1 << 20;

/// The type of everything unknown, unless configured.
pub const DEFAULT_TYPE: &str = "application/octet-stream";

/// Types that are text without being called so.
const OTHER_TEXT: [&str; 3] = ["application/javascript", "application/ecmascript", "application/rss+xml"];

/// Types that become much smaller when they are compressed, beside text and what ends in `+xml` or `+json`.
const COMPRESSIBLE: [&str; 16] = [
    "application/javascript",
    "application/ecmascript",
    "application/json",
    "application/xml",
    "application/x-ndjson",
    "application/manifest+json",
    "application/wasm",
    "application/x-sh",
    "application/x-tar",
    "application/rtf",
    "application/sql",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "image/bmp",
    "image/x-icon",
];

/// What is wrong with a file of media types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum MimeError {
    #[error("longer than {limit} bytes", limit = MIME_BYTES_MAX)]
    TooLong,
    #[error("line {line}: \"{got}\" is no media type such as text/plain")]
    NotAType { line: usize, got: String },
    #[error(
        "line {line}: this is nginx's form (types {{ … }}); wanted is Apache's: type extension extension"
    )]
    Nginx { line: usize },
}

/// A media type as `Content-Type` says it, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// Such as `text/plain; charset=utf-8`.
    pub text: String,
    /// Worth compressing.
    pub compressible: bool,
}

impl MediaType {
    /// A type by its name; text is said to be UTF-8. None when it is no type.
    pub fn parse(name: &str) -> Option<Self> {
        let (kind, subkind) = name.split_once('/')?;
        let token = |part: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !part.is_empty() && part.bytes().all(allowed)
        };
        if !token(kind) || !token(subkind) {
            return None;
        }
        let text = name.to_ascii_lowercase();
        let is_text = text.starts_with("text/") || OTHER_TEXT.contains(&text.as_str());
        let compressible = is_text
            || text.ends_with("+xml")
            || text.ends_with("+json")
            || COMPRESSIBLE.contains(&text.as_str());
        let charset = if is_text { "; charset=utf-8" } else { "" };
        Some(Self { text: text + charset, compressible })
    }
}

/// Media types by extension.
#[derive(Debug, Clone)]
pub struct MimeTypes {
    types: Vec<MediaType>,
    /// Extensions in lower case to places in `types`.
    extensions: BTreeMap<Box<str>, usize>,
    /// The type of everything else.
    default: MediaType,
}

impl MimeTypes {
    /// The built-in table.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).unwrap_or_else(|_| Self::empty())
    }

    fn empty() -> Self {
        let default = MediaType { text: DEFAULT_TYPE.to_owned(), compressible: false };
        Self { types: Vec::new(), extensions: BTreeMap::new(), default }
    }

    /// Reads a `mime.types` of Apache's form: a type and its extensions on each line, `#` begins a comment. Of an
    /// extension given twice the last type counts.
    pub fn parse(text: &str) -> Result<Self, MimeError> {
        if text.len() > MIME_BYTES_MAX {
            return Err(MimeError::TooLong);
        }
        let mut types = Self::empty();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default();
            let mut words = content.split_ascii_whitespace();
            let Some(name) = words.next() else { continue };
            if name == "types" || name.starts_with("types{") {
                return Err(MimeError::Nginx { line });
            }
            let media = MediaType::parse(name)
                .ok_or_else(|| MimeError::NotAType { line, got: name.chars().take(40).collect() })?;
            let place = types.types.len();
            types.types.push(media);
            for extension in words {
                types.extensions.insert(extension.to_ascii_lowercase().into(), place);
            }
        }
        Ok(types)
    }

    /// The same table with another type for everything unknown; none when that is no type.
    pub fn with_default(mut self, name: &str) -> Option<Self> {
        self.default = MediaType::parse(name)?;
        Some(self)
    }

    /// The type of a file, by what follows the last dot of its name.
    pub fn of(&self, name: &FileName) -> &MediaType {
        self.of_extension(name.base().rsplit_once('.').map_or("", |(_, extension)| extension))
    }

    /// The type of files with this extension, in any case.
    pub fn of_extension(&self, extension: &str) -> &MediaType {
        let known = if extension.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.extensions.get(extension.to_ascii_lowercase().as_str())
        } else {
            self.extensions.get(extension)
        };
        known.and_then(|place| self.types.get(*place)).unwrap_or(&self.default)
    }
}

const BUILT_IN: &str = "\
text/html html htm shtml
text/css css
text/xml xml
text/plain txt log ini conf cfg text c h cpp hpp rs go py java php sh bat
text/csv csv
text/markdown md markdown
text/javascript js mjs
text/calendar ics
text/vcard vcf
text/vtt vtt
application/x-subrip srt
image/gif gif
image/jpeg jpeg jpg jpe jfif
image/png png
image/webp webp
image/avif avif
image/heic heic
image/heif heif
image/jxl jxl
image/svg+xml svg
image/tiff tif tiff
image/bmp bmp
image/x-icon ico
image/vnd.adobe.photoshop psd
font/woff woff
font/woff2 woff2
font/ttf ttf
font/otf otf
application/vnd.ms-fontobject eot
application/json json map
application/x-ndjson ndjson
application/manifest+json webmanifest
application/rss+xml rss
application/atom+xml atom
application/wasm wasm
application/pdf pdf
application/rtf rtf
application/postscript ps eps ai
application/epub+zip epub
application/msword doc
application/vnd.ms-excel xls
application/vnd.ms-powerpoint ppt
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.presentation odp
application/zip zip
application/gzip gz tgz
application/zstd zst
application/x-bzip2 bz2
application/x-xz xz
application/x-tar tar
application/x-7z-compressed 7z
application/vnd.rar rar
application/java-archive jar war ear
application/vnd.android.package-archive apk
application/x-apple-diskimage dmg
application/x-iso9660-image iso
application/vnd.debian.binary-package deb
application/x-rpm rpm
application/x-msdownload exe dll msi
application/x-shockwave-flash swf
application/x-bittorrent torrent
application/vnd.apple.mpegurl m3u8
application/dash+xml mpd
audio/mpeg mp3
audio/mp4 m4a
audio/aac aac
audio/ogg ogg oga
audio/opus opus
audio/flac flac
audio/wav wav
audio/webm weba
audio/midi mid midi
audio/amr amr
audio/x-ms-wma wma
video/mp4 mp4 m4v
video/webm webm
video/ogg ogv
video/mpeg mpeg mpg
video/mp2t ts
video/quicktime mov
video/x-matroska mkv
video/x-msvideo avi
video/x-ms-wmv wmv
video/x-ms-asf asf asx
video/x-flv flv
video/3gpp 3gp 3gpp
";
