//! What the drive is made of.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use disk_cache::DiskCache;
use drive_core::account::{PasswordCost, RegistrationPolicy, Typed};
use drive_core::cluster::History;
use drive_core::dialect::PictureCodes;
use drive_core::ports::{BlobStore, Cache, Cluster, Queue};
use drive_core::rate::Rate;
use drive_core::share::SharePolicy;
use drive_core::{DriveSecret, Problem, UnixMillis};
use drive_db::{Cause, Database, Difference};

use crate::counted_blobs::{BlobCounts, CountedBlobs};
use crate::counts::Counts;
use crate::examined::Remembered;
use crate::health::Seen;
use crate::listed::Listed;
use crate::page::Page;
use crate::passwords::{HASHES_AT_ONCE, Passwords};
use crate::places::Places;
use crate::records::Waiting;
use crate::take::Uploads;
use crate::thumbnails::Thumbnails;
use crate::totals::Known;
use crate::zip::{ZIPS_AT_ONCE, ZIPS_OF_ONE};

/// What an administrator configures.
#[derive(Debug, Clone)]
pub struct Settings {
    /// May everybody make an account?
    pub registration: RegistrationPolicy,
    /// What argon2id is made to cost.
    pub password_cost: PasswordCost,
    /// Passwords that are hashed at the same time: each takes its memory and a core.
    pub hashes_at_once: usize,
    /// Addresses of proxies in front, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins other than the drive's own, as `https://host`, whose pages may send requests with a cookie.
    pub trusted_origins: Vec<String>,
    /// Requests of an account, or of an address that is not signed in. None: as many as they come.
    pub request_rate: Option<Rate>,
    /// New accounts from an address.
    pub registration_rate: Option<Rate>,
    /// Challenges of an account, to prove that it has a content (decision 10): each asks for other bytes, so many
    /// tries find those who have most of it.
    pub proof_rate: Option<Rate>,
    /// What links may be.
    pub shares: SharePolicy,
    /// How long lines of the audit log are kept. None: for ever.
    pub audit_kept: Option<Duration>,
    /// Which picture links of the old dialect get an extraction code.
    pub picture_codes: PictureCodes,
    /// How many minutes ahead of UTC the old dialect writes its times, which name no zone.
    pub time_offset_minutes: i32,
    /// Memory that this process may have, bytes. None: it is not known, and there is enough.
    pub memory: Option<u64>,
}

/// How long lines of the audit log are kept, unless it is configured otherwise.
const AUDIT_KEPT: Duration = Duration::from_secs(365 * 24 * 3600);

impl Default for Settings {
    fn default() -> Self {
        Self {
            registration: RegistrationPolicy::Closed,
            password_cost: PasswordCost::LEAST,
            hashes_at_once: HASHES_AT_ONCE,
            trusted_proxies: Vec::new(),
            trusted_origins: Vec::new(),
            request_rate: Rate::new(100, Duration::from_secs(1), 500),
            registration_rate: Rate::new(20, Duration::from_secs(3600), 20),
            proof_rate: Rate::new(60, Duration::from_secs(60), 100),
            shares: SharePolicy::default(),
            audit_kept: Some(AUDIT_KEPT),
            picture_codes: PictureCodes::default(),
            time_offset_minutes: 0,
            memory: None,
        }
    }
}

/// What the drive is put together from.
pub struct Parts {
    /// Keeps everything but bytes.
    pub database: Database,
    /// Keeps bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// The servers that do. None: they are nobody's business here, as with S3.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// What is known for a while.
    pub cache: Arc<dyn Cache>,
    /// What is certain to be done, later. None: everything is written to the database at once.
    pub queue: Option<Arc<dyn Queue>>,
    /// The secret of the installation.
    pub secret: DriveSecret,
    /// What an administrator configures.
    pub settings: Settings,
    /// The web page.
    pub page: Page,
    /// Where small pictures are kept.
    pub thumbnails: DiskCache,
}

/// The drive: what all requests share.
pub struct Drive {
    pub(crate) database: Database,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) cluster: Option<Arc<dyn Cluster>>,
    /// How the cluster was, as this process saw it.
    pub(crate) past: Mutex<History>,
    /// What was wrong with it a moment ago.
    pub(crate) examined: Remembered,
    pub(crate) totals: Known,
    pub(crate) listed: Listed,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) queue: Option<Arc<dyn Queue>>,
    /// Requests that wait for what comes of their records.
    pub(crate) waiting: Waiting,
    pub(crate) secret: DriveSecret,
    pub(crate) settings: Settings,
    pub(crate) page: Page,
    pub(crate) thumbnails: Thumbnails,
    pub(crate) passwords: Passwords,
    /// Places of files that are being taken.
    pub(crate) uploads: Uploads,
    /// Places of archives that are being sent.
    pub(crate) zips: Places,
    pub(crate) counts: Counts,
    pub(crate) blob_counts: Arc<BlobCounts>,
    /// How the parts were when they were asked last.
    pub(crate) seen: Mutex<Option<Seen>>,
}

impl Drive {
    /// Puts a drive together.
    ///
    /// # Errors
    /// When the password cost is not allowed, or a password can't be hashed.
    pub async fn new(parts: Parts) -> Result<Arc<Self>, Problem> {
        let Parts { database, blobs, cluster, cache, queue, secret, settings, page, thumbnails } = parts;
        if !settings.password_cost.is_allowed() {
            return Err(Problem::FieldInvalid("password_cost"));
        }
        let passwords = Passwords::new(settings.password_cost, settings.hashes_at_once).await?;
        let blob_counts = Arc::new(BlobCounts::default());
        let thumbnails = Thumbnails::new(thumbnails, settings.memory);
        let blobs = Arc::new(CountedBlobs { inner: blobs, counts: Arc::clone(&blob_counts) });
        Ok(Arc::new(Self {
            database,
            blobs,
            cluster,
            past: Mutex::default(),
            examined: Remembered::default(),
            totals: Known::default(),
            listed: Listed::default(),
            cache,
            queue,
            waiting: Waiting::default(),
            secret,
            settings,
            page,
            thumbnails,
            passwords,
            uploads: Uploads::new(),
            zips: Places::new(ZIPS_AT_ONCE, ZIPS_OF_ONE),
            counts: Counts::default(),
            blob_counts,
            seen: Mutex::default(),
        }))
    }

    /// Makes the first administrator, if there is none, with a password that is asked for only then. Whether one was
    /// made: another process may have been faster.
    pub async fn first_start<E: From<Problem>>(
        &self,
        password: impl FnOnce() -> Result<String, E>,
    ) -> Result<bool, E> {
        if self.database.has_administrator().await? {
            return Ok(false);
        }
        let password = password()?;
        let typed = Typed::new(&password).map_err(Problem::from)?;
        let hash = self.passwords.hash(typed.text_secret()).await?;
        let made = self.database.make_first_administrator(&hash, &Cause::system(self.now())).await?;
        Ok(made.is_some())
    }

    /// What the database has that contradicts itself: nothing, unless there is a bug.
    pub async fn check(&self) -> Result<Vec<Difference>, Problem> {
        self.database.check().await
    }

    /// The time by this machine's clock.
    pub(crate) fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
