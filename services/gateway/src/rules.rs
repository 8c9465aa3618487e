//! From the configuration to the rules of `http_core`, with the files that it names.

use std::path::Path;
use std::sync::Arc;

use fdfs_conf::GatewayConf;
use fdfs_conf::gateway::{CorsOrigins, TokenFailStatus};
use http_core::cors::{Cors, Origins};
use http_core::encoding::Coding;
use http_core::mime::{MediaType, MimeTypes};
use http_core::token::TokenRules;
use http_core::{FileRules, RequestFields, Status};

use crate::StartError;

/// Largest file that a configuration may name, bytes: it is held in memory.
const NAMED_FILE_LEN_MAX: u64 = 4 << 20;

/// What requests are decided by.
pub(crate) struct Rules {
    pub(crate) files: FileRules,
    /// Who may fetch files; none when everybody may.
    pub(crate) tokens: Option<TokenRules>,
    /// A header field, by name and value, of those who need no token and get pictures of any size.
    pub(crate) bypass: Option<(String, String)>,
    /// What is sent for a refused token.
    pub(crate) picture: Option<Picture>,
}

/// A file that is sent instead.
pub(crate) struct Picture {
    pub(crate) content: Arc<[u8]>,
    pub(crate) media: MediaType,
}

impl Rules {
    /// For answers to what is no request.
    pub(crate) fn no_cors(&self) -> Cors<'_> {
        self.files.origins.decide(&RequestFields::default())
    }

    /// The header field of those who are trusted.
    pub(crate) fn bypass_name(&self) -> Option<&str> {
        self.bypass.as_ref().map(|(name, _)| name.as_str())
    }
}

pub(crate) fn load(conf: &GatewayConf) -> Result<Rules, StartError> {
    let answers = &conf.answers;
    let types = match &answers.mime_types {
        None => MimeTypes::built_in(),
        Some(path) => {
            let text = read(path)?;
            MimeTypes::parse(&String::from_utf8_lossy(&text)).map_err(|error| bad(path, &error))?
        }
    };
    let default = &answers.default_content_type;
    let types = types
        .with_default(default)
        .ok_or(StartError::Unable("http.default_content_type is no media type"))?;
    let tokens = &conf.tokens;
    let picture = match tokens.anti_steal.token_check_fail.as_ref().filter(|_| tokens.anti_steal.check_token)
    {
        None => None,
        Some(path) => {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            let media = types.of_extension(extension).clone();
            Some(Picture { content: read(path)?.into(), media })
        }
    };
    Ok(Rules {
        files: FileRules {
            several_ranges: answers.multi_range,
            cache_control: answers.cache_control.clone(),
            origins: match &answers.cors_origins {
                CorsOrigins::Own => Origins::Own,
                CorsOrigins::All => Origins::All,
                CorsOrigins::Listed(origins) => Origins::Listed(origins.clone()),
            },
            codings: Coding::ALL.to_vec(),
            types,
            flv_extension: answers.flv_extension.clone(),
        },
        tokens: tokens.anti_steal.check_token.then(|| TokenRules {
            secret: tokens.anti_steal.secret_key.clone().unwrap_or_default(),
            ttl: u32::try_from(tokens.anti_steal.token_ttl.as_secs()).unwrap_or(u32::MAX),
            bypass: tokens.bypass.clone(),
            fail_status: match tokens.fail_status {
                TokenFailStatus::Forbidden => Status::FORBIDDEN,
                TokenFailStatus::Ok => Status::OK,
            },
        }),
        bypass: tokens.bypass.clone(),
        picture,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    let len = std::fs::metadata(path).map_err(|error| bad(path, &error))?.len();
    if len > NAMED_FILE_LEN_MAX {
        return Err(bad(path, &format_args!("it is longer than {NAMED_FILE_LEN_MAX} bytes")));
    }
    std::fs::read(path).map_err(|error| bad(path, &error))
}

fn bad(path: &Path, reason: &dyn std::fmt::Display) -> StartError {
    StartError::File { path: path.to_owned(), reason: reason.to_string() }
}
