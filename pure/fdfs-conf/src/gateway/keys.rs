//! The keys of mod_fastdfs.conf and http.conf, and the way from them to a checked [`GatewayConf`].

use std::path::PathBuf;
use std::time::Duration;

use fdfs_fileid::GroupName;

use super::{
    AnswersConf, CorsOrigins, GatewayAccessLogConf, GatewayConf, GatewayLimitsConf, GatewayListenConf,
    LocalGroup, PictureSize, PicturesConf, ResponseModeConf, TlsConf, TokenConf, TokenFailStatus, UploadConf,
};
use crate::addr::parse_bind;
use crate::client::AntiStealConf;
use crate::error::{ConfError, Oddity, Reason, Warning};
use crate::files::{GATEWAY_CONF, OTHERS_OF_GATEWAY};
use crate::ini::{Ini, Loader, ThisHost};
use crate::registry::Fit::{DefaultBelow, Strict};
use crate::registry::{
    Given, Key, Many, Maybe, Numbered, One, Reader, SectionSpec, check_names, conf_keys, flag, ignored,
    number, seconds, size, text,
};
use crate::service::{
    IGNORED_LOG_KEYS, LOG_FILE_KEYS, LogLevel, RawLogFile, RawStatus, filled, folder, path_of,
};
use crate::storage::{STORE_PATHS_MAX, tracker_servers};
use crate::storage_ids::load_storage_ids;
use crate::value::{FromConf, Size};

/// `[groupN]` sections at most: the groups that one host can sensibly serve.
pub const LOCAL_GROUPS_MAX: u32 = 64;
/// Least and largest `max_head_size`, bytes.
const HEAD_SIZE_MIN: u64 = 1 << 10;
const HEAD_SIZE_MAX: u64 = 1 << 20;
/// Longest extension in a file name.
const EXTENSION_LEN_MAX: usize = 6;
/// Origins in `cors_origins` at most.
const ORIGINS_MAX: usize = 64;
/// Sizes in `picture_sizes` at most.
const PICTURE_SIZES_MAX: usize = 64;
/// Longest side of a resized picture, pixels.
const PICTURE_SIDE_MAX: u32 = 4096;
/// Least `picture_cache_size`, bytes.
const PICTURE_CACHE_MIN: u64 = 1 << 20;
/// Shortest `upload_key`: 16 hex digits are 64 bits.
const UPLOAD_KEY_LEN_MIN: usize = 16;

conf_keys! {
    /// mod_fastdfs.conf, as typed.
    struct RawGateway, table GATEWAY_KEYS;

    "Service" {
        bind_addr: Maybe<String> = text("ip or ip,ip").absent("all addresses").ours()
            .doc("Address to listen on; one IPv4 and one IPv6 address may be given with a comma between them.");
        port: One<u16> = number(1, 65535, Strict).default("8888").ours()
            .doc("Port to listen on for HTTP.");
        tls_cert: Maybe<String> = text("file").absent("no HTTPS").ours()
            .doc("Certificate for HTTPS with those that vouch for it, PEM; needs tls_key.");
        tls_key: Maybe<String> = text("file").absent("no HTTPS").ours()
            .doc("Private key of the certificate, PEM.");
        tls_port: One<u16> = number(1, 65535, Strict).default("8443").ours()
            .doc("Port to listen on for HTTPS, when there is a certificate.");
        base_path: Maybe<String> = text("folder").absent("none").sample("/var/lib/cairn/gateway")
            .doc("Folder for logs, resized pictures and uploads on their way; also store_path0, where group_name is given and store_path0 is not.");
        log_level: One<LogLevel> = text("emerg, alert, crit, error, warn, notice, info or debug").default("info")
            .doc("Least severe message to log.");
        log_filename: Maybe<String> = text("file").absent("standard error")
            .doc("A log file.");
        if_alias_prefix: Maybe<String> = text("prefix,prefix").absent("all interfaces")
            .doc("Read, and needs nothing: where a file is, the trackers say.");
    }
    "Limits" {
        max_connections: One<u32> = number(1, i32::MAX as i64, Strict).default("16384").ours()
            .doc("Connections served at the same time.");
        max_head_size: One<Size> = size(HEAD_SIZE_MIN, HEAD_SIZE_MAX, Strict).default("16KB").ours()
            .doc("Largest head of a request: its line and header fields.");
        head_timeout: One<Duration> = seconds(1, Strict).default("15").ours()
            .doc("Longest time that the head of a request may take to arrive.");
        keepalive_timeout: One<Duration> = seconds(1, Strict).default("75").ours()
            .doc("Longest rest of a connection between two requests.");
        send_timeout: One<Duration> = seconds(1, Strict).default("60").ours()
            .doc("Longest time in which a client takes nothing of an answer.");
    }
    "The cluster" {
        tracker_server: Many<String> = text("host[:port]").absent("none: only files on this host are served").sample("127.0.0.1:22122")
            .doc("A tracker, repeatable up to 16 times: host:port, two addresses as inner,outer:port, IPv6 as [address]:port.");
        connect_timeout: One<Duration> = seconds(1, DefaultBelow).default("10").sample("2")
            .doc("Longest wait for a connection to a tracker or storage to come up.");
        network_timeout: One<Duration> = seconds(1, DefaultBelow).default("30")
            .doc("Longest silence of a tracker or storage.");
        load_fdfs_parameters_from_tracker: One<bool> = flag().default("false").sample("true")
            .doc("Ask a tracker whether storage ids are in use, for the ids, and for storage_sync_file_max_delay; the next three keys do not count then.");
        storage_sync_file_max_delay: One<Duration> = seconds(1, DefaultBelow).default("86400")
            .doc("After this long every member of a group is taken to hold a file.");
        use_storage_id: One<bool> = flag().default("false")
            .doc("The cluster knows storages by number, as in tracker.conf.");
        storage_ids_filename: Maybe<String> = text("file").absent("required with use_storage_id").sample("storage_ids.conf")
            .doc("The file with the numbers; a relative name starts in this file's folder.");
        response_mode: One<ResponseModeConf> = text("proxy or redirect").default("proxy")
            .doc("How a client gets a file that another host has: proxy = it is fetched and passed on, redirect = the client is sent there.");
    }
    "Files on this host" {
        url_have_group_name: One<bool> = flag().default("false").sample("true")
            .doc("URLs begin with the group, /group1/M00/..., and all groups are served; without: /M00/..., which is group_name's.");
        group_name: Maybe<String> = text("1 to 16 letters and digits").absent("no files on this host, unless group_count says so")
            .doc("The group whose files are on this host.");
        storage_server_port: One<u16> = number(1, 65535, DefaultBelow).default("23000")
            .doc("Read, and needs nothing: what is not on the store paths here comes from where the trackers say.");
        store_path_count: One<u32> = number(1, STORE_PATHS_MAX as i64, Strict).default("1")
            .doc("Number of store paths, as in storage.conf.");
        store_path: Numbered<String> = text("folder").named("store_path#").absent("base_path for store_path0, others required")
            .doc("Folder of a store path, numbered from 0, as in storage.conf and in the same order.");
        group_count: One<u32> = number(0, LOCAL_GROUPS_MAX as i64, Strict).default("0")
            .doc("Number of [groupN] sections; 0 = the four keys above say what is here.");
    }
    "Answers" {
        cache_control: One<String> = text("header value").default("public, max-age=31536000, immutable").ours()
            .doc("Cache-Control of files that never change, which is all but appenders and slaves.");
        cors_origins: One<CorsOrigins> = text("*, or origin,origin").default("").ours()
            .doc("Origins whose pages may read files, such as https://example.org; * = all, empty = none.");
        flv_support: One<bool> = flag().default("false")
            .doc("Send FLV films from byte start= on.");
        flv_extension: One<String> = text("1 to 6 letters and digits").default("flv")
            .doc("Extension of such films; its case counts.");
    }
    "Pictures" {
        pictures: One<bool> = flag().default("false").ours()
            .doc("Resize pictures for URLs with w=, h=, fit= or fm=. Without, such parameters mean nothing.");
        picture_sizes: One<PictureSizes> = text("WxH,WxH").default("").sample("100x100,320x,1200x1200").ours()
            .doc("Sizes that anybody may ask for; 320x = 320 wide and as high as it comes out. Other sizes are for requests with the header of anti_steal_bypass_header_name.");
        picture_cache_path: Maybe<String> = text("folder").absent("pictures in base_path").ours()
            .doc("Folder for resized pictures; nothing else may be in it.");
        picture_cache_size: One<Size> = size(PICTURE_CACHE_MIN, i64::MAX as u64, Strict).default("1GB").ours()
            .doc("Most that resized pictures take on disk; those not asked for longest go first.");
    }
    "Uploads" {
        upload_key: Maybe<String> = text("16 characters or more").absent("no uploads over HTTP").ours()
            .doc("Who sends this key, as Authorization: Bearer KEY, may store files with POST /upload.");
        upload_max_size: One<Size> = size(1, i64::MAX as u64, Strict).default("100MB").ours()
            .doc("Largest file that is taken.");
    }
    "Anti-steal tokens" {
        token_fail_status: One<TokenFailStatus> = text("403 or 200").default("403").ours()
            .doc("Status of the answer to a wrong or expired token; 200 is FastDFS's, and needs http.anti_steal.token_check_fail.");
        anti_steal_bypass_header_name: Maybe<String> = text("header name").absent("none")
            .doc("A request with this header needs no token, if its value is the next key's.");
        anti_steal_bypass_header_value: Maybe<String> = text("text").absent("required with anti_steal_bypass_header_name")
            .doc("That value.");
    }
}

conf_keys! {
    /// http.conf, as typed.
    struct RawHttp, table HTTP_KEYS;

    "http.conf" {
        disabled: One<bool> = flag().named("http.disabled").default("false")
            .doc("The other http.* keys do not count: no tokens, the built-in media types.");
        mime_types_filename: Maybe<String> = text("file").named("http.mime_types_filename").absent("the built-in table")
            .doc("Media types in Apache's form: a type and its extensions on each line. A relative name starts in this file's folder.");
        default_content_type: One<String> = text("media type").named("http.default_content_type").default("application/octet-stream")
            .doc("Media type of files with an unknown extension.");
        multi_range: One<bool> = flag().named("http.multi_range.enabled").default("true")
            .doc("Answer requests for several ranges of a file.");
        check_token: One<bool> = flag().named("http.anti_steal.check_token").default("false")
            .doc("URLs of files need a token.");
        secret_key: Maybe<String> = text("text").named("http.anti_steal.secret_key").absent("required with check_token")
            .doc("The secret the tokens are made with; the same on all hosts.");
        token_ttl: One<Duration> = seconds(1, Strict).named("http.anti_steal.token_ttl").default("600").sample("900")
            .doc("How long a token is good.");
        token_check_fail: Maybe<String> = text("file").named("http.anti_steal.token_check_fail").absent("none")
            .doc("File sent with the answer to a wrong or expired token.");
    }
}

/// Keys that need nothing done.
pub(crate) const IGNORED_GATEWAY_KEYS: &[Key] = &[
    ignored("http.need_find_content_type", "the media type is always looked up"),
    ignored("http.server_port", "FastDFS does not use it either; see port"),
];

conf_keys! {
    /// `[groupN]`, as typed.
    struct RawGroup, table GROUP_KEYS;

    "Group" {
        group_name: Maybe<String> = text("1 to 16 letters and digits").absent("required").sample("group1")
            .doc("The group.");
        storage_server_port: One<u16> = number(1, 65535, DefaultBelow).default("23000")
            .doc("Read, and needs nothing: what is not on the store paths here comes from where the trackers say.");
        store_path_count: One<u32> = number(1, STORE_PATHS_MAX as i64, Strict).default("1")
            .doc("Number of its store paths.");
        store_path: Numbered<String> = text("folder").named("store_path#").absent("required").sample("/var/lib/cairn/store0")
            .doc("Folder of a store path, numbered from 0.");
    }
}

conf_keys! {
    /// `[access-log]` without its rotation, as typed.
    struct RawAccessLog, table ACCESS_LOG_KEYS;

    "Access log" {
        enabled: One<bool> = flag().default("false").ours()
            .doc("Write one line per request, in nginx's combined form with the time it took, in seconds, at the end.");
    }
}

/// `[access-log]`: the log of requests.
pub(crate) const GATEWAY_ACCESS_LOG: SectionSpec = SectionSpec {
    name: "access-log",
    doc: "The log of requests, logs/gateway_access.log, and when it begins a new file.",
    keys: &[ACCESS_LOG_KEYS, LOG_FILE_KEYS, IGNORED_LOG_KEYS],
};

/// `[group1]`, `[group2]`, …: the groups on this host.
pub(crate) const GROUP_SECTION: SectionSpec = SectionSpec {
    name: "group#",
    doc: "A group with files on this host, one section each from [group1] to [groupN] with group_count = N. The number is not the group's name.",
    keys: &[GROUP_KEYS],
};

impl GatewayConf {
    /// Reads and checks the mod_fastdfs.conf at `path`, with everything it includes and its storage ids.
    pub fn load(path: &str, loader: &mut Loader<'_>) -> Result<(GatewayConf, Vec<Warning>), ConfError> {
        GatewayConf::load_on(path, loader, None)
    }

    /// As [`GatewayConf::load`], for files whose directives ask about the machine.
    pub fn load_on(
        path: &str,
        loader: &mut Loader<'_>,
        host: Option<&ThisHost>,
    ) -> Result<(GatewayConf, Vec<Warning>), ConfError> {
        let ini = Ini::load(path, loader, host)?;
        let mut reader = Reader::new(&ini);
        check_names(&mut reader, &GATEWAY_CONF, OTHERS_OF_GATEWAY);
        let raw = RawGateway::read(&mut reader)?;
        let http = RawHttp::read(&mut reader)?;
        let ids_wanted = raw.use_storage_id.value && !raw.load_fdfs_parameters_from_tracker.value;
        let storage_ids = if ids_wanted {
            Some(load_storage_ids(&ini, &raw.use_storage_id, raw.storage_ids_filename.as_ref(), loader)?)
        } else {
            None
        };
        let trackers = if raw.tracker_server.is_empty() && !raw.load_fdfs_parameters_from_tracker.value {
            None
        } else {
            Some(tracker_servers(&mut reader, &raw.tracker_server)?)
        };
        let conf = GatewayConf {
            listen: raw.listen(&reader)?,
            limits: GatewayLimitsConf {
                max_connections: raw.max_connections.value,
                max_head_size: raw.max_head_size.value.to_u32(),
                head_timeout: raw.head_timeout.value,
                keepalive_timeout: raw.keepalive_timeout.value,
                send_timeout: raw.send_timeout.value,
            },
            connect_timeout: raw.connect_timeout.value,
            network_timeout: raw.network_timeout.value,
            tracker_servers: trackers,
            load_fdfs_parameters_from_tracker: raw.load_fdfs_parameters_from_tracker.value,
            storage_sync_file_max_delay: raw.storage_sync_file_max_delay.value,
            storage_ids,
            url_have_group_name: raw.url_have_group_name.value,
            groups: raw.groups(&mut reader)?,
            response_mode: raw.response_mode.value,
            if_alias_prefix: list(raw.if_alias_prefix.as_ref().map_or("", |given| &given.value)),
            log_level: raw.log_level.value,
            status_listen: RawStatus::read(&mut reader)?.status_listen.value.0,
            log_filename: path_of(&ini, raw.log_filename.as_ref()),
            access_log: raw.access_log(&mut reader)?,
            pictures: raw.pictures(&mut reader)?,
            upload: raw.upload(&mut reader)?,
            base_path: path_of(&ini, raw.base_path.as_ref()),
            answers: raw.answers(&reader, &http)?,
            tokens: raw.tokens(&mut reader, http)?,
        };
        Ok((conf, reader.into_warnings()))
    }
}

impl RawGateway {
    fn listen(&self, reader: &Reader<'_>) -> Result<GatewayListenConf, ConfError> {
        let ini = reader.ini;
        let bind = match &self.bind_addr {
            None => Vec::new(),
            Some(given) => parse_bind(&given.value).map_err(|reason| given.fault(ini, reason))?,
        };
        let tls = match (path_of(ini, self.tls_cert.as_ref()), path_of(ini, self.tls_key.as_ref())) {
            (None, None) => None,
            (Some(cert), Some(key)) => {
                if self.tls_port.value == self.port.value {
                    let reason = Reason::MustBe { value: "another port", other: "port is the same" };
                    return Err(self.tls_port.fault(ini, reason));
                }
                Some(TlsConf { port: self.tls_port.value, cert, key })
            }
            (Some(_), None) => {
                return Err(needed(ini, self.tls_cert.as_ref(), "tls_key", "tls_cert is given"));
            }
            (None, Some(_)) => {
                return Err(needed(ini, self.tls_key.as_ref(), "tls_cert", "tls_key is given"));
            }
        };
        Ok(GatewayListenConf { bind, port: self.port.value, tls })
    }

    fn groups(&self, reader: &mut Reader<'_>) -> Result<Vec<LocalGroup>, ConfError> {
        let ini = reader.ini;
        let count = self.group_count.value;
        warn_uncounted(reader, count);
        if count == 0 {
            let Some(given) = self.group_name.as_ref().filter(|given| !given.value.is_empty()) else {
                if !self.url_have_group_name.value {
                    let reason = Reason::NeededBy { other: "url_have_group_name is false" };
                    let fault = self.url_have_group_name.fault(ini, reason);
                    return Err(ConfError { key: "group_name".to_owned(), ..fault });
                }
                return Ok(Vec::new());
            };
            let first = self.base_path.as_ref().filter(|given| !given.value.is_empty());
            // Without any folder the group is only a name, and its files are fetched from its members.
            let store_paths = if first.is_none() && self.store_path.is_empty() {
                Vec::new()
            } else {
                store_paths(reader, &self.store_path_count, &self.store_path, first)?
            };
            return Ok(vec![LocalGroup {
                name: group_name(ini, given)?,
                storage_server_port: self.storage_server_port.value,
                store_paths,
            }]);
        }
        if !self.url_have_group_name.value {
            let reason = Reason::MustBe { value: "true", other: "group_count is not 0" };
            return Err(self.url_have_group_name.fault(ini, reason));
        }
        let mut groups: Vec<LocalGroup> = Vec::new();
        for number in 1..=count {
            let section = format!("group{number}");
            let raw = reader.in_section(&section, false, RawGroup::read)?;
            let Some(given) = &raw.group_name else {
                let fault = self.group_count.fault(ini, Reason::Missing);
                return Err(ConfError { key: format!("[{section}] group_name"), ..fault });
            };
            let group = LocalGroup {
                name: group_name(ini, given)?,
                storage_server_port: raw.storage_server_port.value,
                store_paths: store_paths(reader, &raw.store_path_count, &raw.store_path, None)?,
            };
            if groups.iter().any(|other| other.name == group.name) {
                return Err(given.fault(ini, Reason::SameGroup { got: given.value.clone() }));
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn access_log(&self, reader: &mut Reader<'_>) -> Result<Option<GatewayAccessLogConf>, ConfError> {
        let raw = reader.in_section(GATEWAY_ACCESS_LOG.name, false, RawAccessLog::read)?;
        let file = reader.in_section(GATEWAY_ACCESS_LOG.name, false, RawLogFile::read)?.check();
        if !raw.enabled.value {
            return Ok(None);
        }
        let folder = path_of(reader.ini, self.base_path.as_ref());
        let Some(folder) = folder else {
            let reason = Reason::NeededBy { other: "[access-log] enabled is true" };
            let fault = raw.enabled.fault(reader.ini, reason);
            return Err(ConfError { key: "base_path".to_owned(), ..fault });
        };
        Ok(Some(GatewayAccessLogConf { path: folder.join("logs").join("gateway_access.log"), file }))
    }

    fn pictures(&self, reader: &mut Reader<'_>) -> Result<Option<PicturesConf>, ConfError> {
        let ini = reader.ini;
        if !self.pictures.value {
            return Ok(None);
        }
        let given = path_of(ini, self.picture_cache_path.as_ref());
        let usual = || path_of(ini, self.base_path.as_ref()).map(|folder| folder.join("pictures"));
        let Some(cache_path) = given.or_else(usual) else {
            let reason = Reason::NeededBy { other: "pictures is true" };
            let fault = self.pictures.fault(ini, reason);
            return Err(ConfError { key: "picture_cache_path".to_owned(), ..fault });
        };
        Ok(Some(PicturesConf {
            sizes: self.picture_sizes.value.0.clone(),
            cache_path,
            cache_size: self.picture_cache_size.value.0,
        }))
    }

    fn upload(&self, reader: &mut Reader<'_>) -> Result<Option<UploadConf>, ConfError> {
        let Some(key) = self.upload_key.as_ref().filter(|key| !key.value.is_empty()) else { return Ok(None) };
        let visible = key.value.bytes().all(|byte| byte.is_ascii_graphic());
        if key.value.len() < UPLOAD_KEY_LEN_MIN || !visible {
            let allowed = "16 or more characters in visible ASCII";
            return Err(key.fault(reader.ini, Reason::NotAChoice { allowed, got: "another text".to_owned() }));
        }
        Ok(Some(UploadConf { key: key.value.clone(), max_size: self.upload_max_size.value.0 }))
    }

    fn answers(&self, reader: &Reader<'_>, http: &RawHttp) -> Result<AnswersConf, ConfError> {
        let ini = reader.ini;
        let cache = &self.cache_control;
        if cache.value.is_empty() || !cache.value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            let allowed = "the value of a header in visible ASCII";
            return Err(cache.fault(ini, Reason::NotAChoice { allowed, got: cache.value.clone() }));
        }
        let flv = &self.flv_extension;
        let letters = flv.value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !(1..=EXTENSION_LEN_MAX).contains(&flv.value.len()) || !letters {
            let allowed = "1 to 6 letters and digits";
            return Err(flv.fault(ini, Reason::NotAChoice { allowed, got: flv.value.clone() }));
        }
        let media = &http.default_content_type;
        if !is_media_type(&media.value) {
            let allowed = "a media type such as application/octet-stream";
            return Err(media.fault(ini, Reason::NotAChoice { allowed, got: media.value.clone() }));
        }
        let http_on = !http.disabled.value;
        Ok(AnswersConf {
            mime_types: path_of(ini, http.mime_types_filename.as_ref()).filter(|_| http_on),
            default_content_type: media.value.clone(),
            multi_range: http.multi_range.value,
            flv_extension: self.flv_support.value.then(|| flv.value.clone()),
            cache_control: cache.value.clone(),
            cors_origins: self.cors_origins.value.clone(),
        })
    }

    fn tokens(&self, reader: &mut Reader<'_>, http: RawHttp) -> Result<TokenConf, ConfError> {
        let ini = reader.ini;
        let check_token = http.check_token.value && !http.disabled.value;
        let secret_key = filled(http.secret_key);
        if check_token && secret_key.is_none() {
            let reason = Reason::NeededBy { other: "http.anti_steal.check_token is true" };
            let fault = http.check_token.fault(ini, reason);
            return Err(ConfError { key: "http.anti_steal.secret_key".to_owned(), ..fault });
        }
        let token_check_fail = path_of(ini, http.token_check_fail.as_ref());
        if check_token && token_check_fail.is_none() && self.token_fail_status.value == TokenFailStatus::Ok {
            let reason = Reason::NeededBy { other: "token_fail_status is 200" };
            let fault = self.token_fail_status.fault(ini, reason);
            return Err(ConfError { key: "http.anti_steal.token_check_fail".to_owned(), ..fault });
        }
        let filled = |given: &'_ Maybe<String>| {
            given.as_ref().map(|given| given.value.clone()).filter(|text| !text.is_empty())
        };
        let bypass =
            match (filled(&self.anti_steal_bypass_header_name), filled(&self.anti_steal_bypass_header_value))
            {
                (None, None) => None,
                (Some(name), Some(value)) => Some((name, value)),
                // FastDFS would let everybody in who sends the header empty.
                (Some(_), None) => {
                    let (key, other) =
                        ("anti_steal_bypass_header_value", "anti_steal_bypass_header_name is given");
                    return Err(needed(ini, self.anti_steal_bypass_header_name.as_ref(), key, other));
                }
                (None, Some(_)) => {
                    if let Some(given) = &self.anti_steal_bypass_header_value {
                        reader.warn_given(
                            given,
                            Oddity::NoEffect { why: "there is no anti_steal_bypass_header_name" },
                        );
                    }
                    None
                }
            };
        Ok(TokenConf {
            anti_steal: AntiStealConf {
                check_token,
                secret_key,
                token_ttl: http.token_ttl.value,
                token_check_fail,
            },
            fail_status: self.token_fail_status.value,
            bypass,
        })
    }
}

/// Warns about the sections that `group_count` does not count.
fn warn_uncounted(reader: &mut Reader<'_>, count: u32) {
    let ini = reader.ini;
    let mut told = "";
    for item in ini.items() {
        let number: Option<u32> = item.section.strip_prefix("group").and_then(|number| number.parse().ok());
        if number.is_some_and(|number| number == 0 || number > count) && *item.section != *told {
            told = &item.section;
            let why = "group_count counts fewer sections, and from 1";
            reader.warn_at(&format!("[{}]", item.section), Some(&item.place), Oddity::NoEffect { why });
        }
    }
}

/// The fault that `key` is missing, at the key that asks for it.
pub(crate) fn needed(ini: &Ini, given: Option<&Given<String>>, key: &str, other: &'static str) -> ConfError {
    let line = given.and_then(|given| given.place.as_ref());
    ConfError {
        file: line.map_or(ini.file(), |place| &place.file).to_owned(),
        line: line.map(|place| place.line),
        key: key.to_owned(),
        reason: Box::new(Reason::NeededBy { other }),
    }
}

pub(crate) fn group_name(ini: &Ini, given: &Given<String>) -> Result<GroupName, ConfError> {
    GroupName::parse(given.value.as_bytes())
        .map_err(|_| given.fault(ini, Reason::NotAGroupName { got: given.value.clone() }))
}

/// The store paths of a group; `first` stands for an absent store_path0.
fn store_paths(
    reader: &mut Reader<'_>,
    count: &One<u32>,
    given: &Numbered<String>,
    first: Option<&Given<String>>,
) -> Result<Vec<PathBuf>, ConfError> {
    let mut paths = Vec::new();
    for number in 0..count.value {
        let path = given.get(&number).or(first.filter(|_| number == 0));
        let Some(path) = path else {
            let fault = count.fault(reader.ini, Reason::Missing);
            return Err(ConfError { key: format!("store_path{number}"), ..fault });
        };
        let folder = folder(reader, path)?;
        if let Some(other) = paths.iter().position(|other| *other == folder) {
            return Err(path.fault(reader.ini, Reason::SameFolder { other: format!("store_path{other}") }));
        }
        paths.push(folder);
    }
    for path in given.range(count.value..).map(|(_, path)| path) {
        reader.warn_given(path, Oddity::PathNotCounted { count: count.value });
    }
    Ok(paths)
}

/// Texts with commas between them, without blanks around and empty ones.
pub(crate) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(allowed)
    };
    text.split_once('/').is_some_and(|(kind, subkind)| token(kind) && token(subkind))
}

/// `picture_sizes`, as typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct PictureSizes(Vec<PictureSize>);

impl FromConf for PictureSizes {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        let given = list(text);
        if given.len() > PICTURE_SIZES_MAX {
            return Err(Reason::TooMany { limit: PICTURE_SIZES_MAX });
        }
        let sizes = given.iter().map(|size| {
            picture_size(size).ok_or_else(|| Reason::NotAChoice {
                allowed: "sizes such as 320x240, 320x or x240, up to 4096 a side",
                got: size.clone(),
            })
        });
        Ok(PictureSizes(sizes.collect::<Result<_, _>>()?))
    }
}

fn picture_size(text: &str) -> Option<PictureSize> {
    let side = |digits: &str| match digits {
        "" => Some(None),
        digits => digits.parse().ok().filter(|side| (1..=PICTURE_SIDE_MAX).contains(side)).map(Some),
    };
    let (width, height) = text.split_once('x')?;
    let size = PictureSize { width: side(width)?, height: side(height)? };
    (size.width.is_some() || size.height.is_some()).then_some(size)
}

impl FromConf for ResponseModeConf {
    /// FastDFS takes every text but `redirect` for `proxy`; here a slip of the pen is told.
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text {
            "" | "proxy" => Ok(ResponseModeConf::Proxy),
            "redirect" => Ok(ResponseModeConf::Redirect),
            _ => Err(Reason::NotAChoice { allowed: "proxy or redirect", got: text.to_owned() }),
        }
    }
}

impl FromConf for TokenFailStatus {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text {
            "403" => Ok(TokenFailStatus::Forbidden),
            "200" => Ok(TokenFailStatus::Ok),
            _ => Err(Reason::NotAChoice { allowed: "403 or 200", got: text.to_owned() }),
        }
    }
}

impl FromConf for CorsOrigins {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        let origins = list(text);
        match origins.as_slice() {
            [] => return Ok(CorsOrigins::Own),
            [all] if all == "*" => return Ok(CorsOrigins::All),
            _ if origins.len() > ORIGINS_MAX => return Err(Reason::TooMany { limit: ORIGINS_MAX }),
            _ => {}
        }
        match origins.iter().find(|origin| !is_origin(origin)) {
            None => Ok(CorsOrigins::Listed(origins)),
            Some(bad) => {
                let allowed = "* or origins such as https://example.org, in lower case and without a path";
                Err(Reason::NotAChoice { allowed, got: bad.clone() })
            }
        }
    }
}

/// As a browser writes it: scheme, host, perhaps a port.
fn is_origin(text: &str) -> bool {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    visible && rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '*', '"']))
}
