//! The files and what each may hold.

use crate::client::{CLIENT_KEYS, IGNORED_CLIENT_KEYS};
use crate::drive::{CACHE_SECTION, DATABASE_SECTION, DRIVE_KEYS, QUEUE_SECTION, S3_SECTION};
use crate::gateway::{GATEWAY_ACCESS_LOG, GATEWAY_KEYS, GROUP_SECTION, HTTP_KEYS, IGNORED_GATEWAY_KEYS};
use crate::registry::FileSpec;
use crate::service::{
    ERROR_LOG, IGNORED_LOG_KEYS, IGNORED_SERVICE_KEYS, LOG_FILE_KEYS, OLD_SERVICE_KEYS, SERVICE_KEYS,
    STATUS_KEYS,
};
use crate::storage::{ACCESS_LOG, IGNORED_STORAGE_KEYS, OLD_STORAGE_KEYS, STORAGE_KEYS};
use crate::tracker::TRACKER_KEYS;
use crate::watch::{EMAIL_SECTION, WATCH_KEYS, WEBHOOK_SECTION};

/// tracker.conf
pub const TRACKER_CONF: FileSpec = FileSpec {
    name: "tracker.conf",
    doc: "The tracker: who belongs to the cluster, and where files go.",
    keys: &[
        TRACKER_KEYS,
        SERVICE_KEYS,
        STATUS_KEYS,
        LOG_FILE_KEYS,
        IGNORED_SERVICE_KEYS,
        IGNORED_LOG_KEYS,
        OLD_SERVICE_KEYS,
    ],
    sections: &[ERROR_LOG],
    shared: false,
};

/// storage.conf
pub const STORAGE_CONF: FileSpec = FileSpec {
    name: "storage.conf",
    doc: "The storage: where files are kept, and how sure they are.",
    keys: &[
        STORAGE_KEYS,
        SERVICE_KEYS,
        STATUS_KEYS,
        LOG_FILE_KEYS,
        IGNORED_STORAGE_KEYS,
        IGNORED_SERVICE_KEYS,
        IGNORED_LOG_KEYS,
        OLD_STORAGE_KEYS,
        OLD_SERVICE_KEYS,
    ],
    sections: &[ERROR_LOG, ACCESS_LOG],
    shared: false,
};

/// client.conf
pub const CLIENT_CONF: FileSpec = FileSpec {
    name: "client.conf",
    doc: "Clients and tools: which cluster to talk to.",
    keys: &[CLIENT_KEYS, IGNORED_CLIENT_KEYS],
    sections: &[],
    shared: true,
};

/// mod_fastdfs.conf, with the http.conf that it includes
pub const GATEWAY_CONF: FileSpec = FileSpec {
    name: "mod_fastdfs.conf",
    doc: "HTTP access: where files are read, and how they are answered. The http.* keys may stand here or in an http.conf that is included.",
    keys: &[GATEWAY_KEYS, HTTP_KEYS, STATUS_KEYS, IGNORED_GATEWAY_KEYS],
    sections: &[GROUP_SECTION, GATEWAY_ACCESS_LOG],
    shared: false,
};

/// drive.conf
pub const DRIVE_CONF: FileSpec = FileSpec {
    name: "drive.conf",
    doc: "The cloud drive: who may use it, and where it keeps what. A file of Cairn's own.",
    keys: &[DRIVE_KEYS, LOG_FILE_KEYS, STATUS_KEYS],
    sections: &[DATABASE_SECTION, CACHE_SECTION, QUEUE_SECTION, S3_SECTION, ERROR_LOG],
    shared: false,
};

/// watch.conf
pub const WATCH_CONF: FileSpec = FileSpec {
    name: "watch.conf",
    doc: "The watcher: what cairn watch looks at, and whom it tells. A file of Cairn's own.",
    keys: &[WATCH_KEYS],
    sections: &[WEBHOOK_SECTION, EMAIL_SECTION],
    shared: false,
};

/// All files, in the order of the reference page.
pub const FILES: [&FileSpec; 6] =
    [&TRACKER_CONF, &STORAGE_CONF, &CLIENT_CONF, &GATEWAY_CONF, &DRIVE_CONF, &WATCH_CONF];

pub(crate) const OTHERS_OF_TRACKER: &[&FileSpec] =
    &[&STORAGE_CONF, &CLIENT_CONF, &GATEWAY_CONF, &DRIVE_CONF, &WATCH_CONF];
pub(crate) const OTHERS_OF_STORAGE: &[&FileSpec] =
    &[&TRACKER_CONF, &CLIENT_CONF, &GATEWAY_CONF, &DRIVE_CONF, &WATCH_CONF];
pub(crate) const OTHERS_OF_CLIENT: &[&FileSpec] =
    &[&TRACKER_CONF, &STORAGE_CONF, &GATEWAY_CONF, &DRIVE_CONF, &WATCH_CONF];
pub(crate) const OTHERS_OF_GATEWAY: &[&FileSpec] =
    &[&TRACKER_CONF, &STORAGE_CONF, &CLIENT_CONF, &DRIVE_CONF, &WATCH_CONF];
pub(crate) const OTHERS_OF_DRIVE: &[&FileSpec] =
    &[&TRACKER_CONF, &STORAGE_CONF, &CLIENT_CONF, &GATEWAY_CONF, &WATCH_CONF];
pub(crate) const OTHERS_OF_WATCH: &[&FileSpec] =
    &[&TRACKER_CONF, &STORAGE_CONF, &CLIENT_CONF, &GATEWAY_CONF, &DRIVE_CONF];
