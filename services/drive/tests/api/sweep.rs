//! What the drive does by itself while its store of bytes does not answer, or not for everything.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use drive::end_over;
use drive_core::ports::{BlobError, BlobKey, BlobStore, ByteSource, Later, PartialBlob};
use drive_core::{AccountId, ByteCount, Part, Problem, UnixMillis, UploadId};
use net::StopSource;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use testkit::wait;

use crate::kit::{Client, World, settings, until};

/// A store in memory, of which some, or all, may be away.
#[derive(Default)]
struct Store {
    blobs: Mutex<HashMap<String, BytesMut>>,
    /// What does not answer.
    away: Mutex<HashSet<String>>,
    all_away: Mutex<bool>,
    made: AtomicU64,
    /// Blobs that were to be sealed, discarded or deleted.
    asked: AtomicU64,
    /// Held by a test, it holds what is answered to who asks for one of these.
    answers: tokio::sync::Mutex<()>,
    /// The same to who appends.
    pieces: tokio::sync::Mutex<()>,
}

impl Store {
    fn blobs(&self) -> MutexGuard<'_, HashMap<String, BytesMut>> {
        self.blobs.lock().unwrap()
    }

    fn make(&self, bytes: BytesMut) -> String {
        let name = format!("blob-{}", self.made.fetch_add(1, SeqCst));
        self.blobs().insert(name.clone(), bytes);
        name
    }

    /// Whether what was asked for is done.
    async fn does(&self, name: &str) -> Result<(), BlobError> {
        self.asked.fetch_add(1, SeqCst);
        drop(self.answers.lock().await);
        if *self.all_away.lock().unwrap() || self.away.lock().unwrap().contains(name) {
            return Err(BlobError::Unavailable("away, by a test".to_owned()));
        }
        Ok(())
    }

    fn set_away(&self, away: bool) {
        *self.all_away.lock().unwrap() = away;
    }

    /// How many were asked for since it was asked last.
    fn asked(&self) -> u64 {
        self.asked.swap(0, SeqCst)
    }
}

struct InMemory(Option<Bytes>);

impl ByteSource for InMemory {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async { Ok(self.0.take().filter(|bytes| !bytes.is_empty())) })
    }
}

impl BlobStore for Store {
    fn put<'a>(
        &'a self,
        _length: ByteCount,
        source: &'a mut dyn ByteSource,
    ) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move {
            let mut all = BytesMut::new();
            while let Some(bytes) = source.next().await? {
                all.extend_from_slice(&bytes);
            }
            Ok(BlobKey::new(&self.make(all)).unwrap())
        })
    }

    fn append<'a>(
        &'a self,
        to: Option<&'a PartialBlob>,
        piece: Bytes,
    ) -> Later<'a, Result<PartialBlob, BlobError>> {
        Box::pin(async move {
            let state = to.map_or_else(|| self.make(BytesMut::new()), |to| to.state.clone());
            let length = {
                let mut blobs = self.blobs();
                let bytes = blobs.get_mut(&state).ok_or(BlobError::Missing)?;
                bytes.extend_from_slice(&piece);
                ByteCount::new(bytes.len() as u64).unwrap()
            };
            drop(self.pieces.lock().await);
            Ok(PartialBlob { state, length })
        })
    }

    fn seal<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move {
            self.does(&partial.state).await?;
            Ok(BlobKey::new(&partial.state).unwrap())
        })
    }

    fn take_back<'a>(
        &'a self,
        before: Option<&'a PartialBlob>,
        after: &'a PartialBlob,
    ) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            // It grows in its place.
            if before.is_none() {
                self.blobs().remove(&after.state);
            }
            Ok(())
        })
    }

    fn discard<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            self.does(&partial.state).await?;
            self.blobs().remove(&partial.state);
            Ok(())
        })
    }

    fn read<'a>(
        &'a self,
        key: &'a BlobKey,
        offset: ByteCount,
        length: ByteCount,
    ) -> Later<'a, Result<Box<dyn ByteSource>, BlobError>> {
        Box::pin(async move {
            let (from, length) = (offset.get() as usize, length.get() as usize);
            let bytes = self.blobs().get(key.as_str()).ok_or(BlobError::Missing)?.clone().freeze();
            Ok(Box::new(InMemory(Some(bytes.slice(from..from + length)))) as Box<dyn ByteSource>)
        })
    }

    fn delete<'a>(&'a self, key: &'a BlobKey) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            self.does(key.as_str()).await?;
            self.blobs().remove(key.as_str());
            Ok(())
        })
    }

    fn check(&self) -> Later<'_, Result<(), BlobError>> {
        Box::pin(async { Ok(()) })
    }
}

fn now() -> UnixMillis {
    UnixMillis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

/// A drive on such a store, in which nothing stays in the trash.
async fn world() -> (World, Arc<Store>) {
    let store = Arc::new(Store::default());
    let blobs = Arc::clone(&store) as Arc<dyn BlobStore>;
    let world = World::on(blobs, settings(), |settings| settings.policy.trash_retention = Duration::ZERO);
    (world.await, store)
}

/// Begins an upload of four bytes: where it is.
async fn begun(alice: &Client, name: &str) -> String {
    let name = STANDARD.encode(name);
    let asking = alice.with("tus-resumable", "1.0.0").with("upload-length", "4");
    let asking = asking.with("upload-metadata", &format!("filename {name}"));
    let (status, headers, _) = asking.raw(Method::POST, "/uploads", "").await;
    assert_eq!(status, StatusCode::CREATED);
    headers["location"].to_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned()
}

/// Brings first bytes of an upload.
async fn bring(alice: &Client, place: &str, bytes: &'static str) -> (StatusCode, HeaderMap, Vec<u8>) {
    let bringing = alice.with("tus-resumable", "1.0.0").with("upload-offset", "0");
    bringing.with("content-type", "application/offset+octet-stream").raw(Method::PATCH, place, bytes).await
}

async fn give_up(alice: &Client, place: &str) {
    let (status, ..) = alice.with("tus-resumable", "1.0.0").raw(Method::DELETE, place, "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

/// An upload with all its bytes that becomes no file, since the store is away: where it is.
async fn left(alice: &Client, name: &str) -> String {
    let place = begun(alice, name).await;
    assert_eq!(bring(alice, &place, "left").await.0, StatusCode::SERVICE_UNAVAILABLE);
    place
}

/// So many blobs that are due to be deleted.
async fn drop_blobs(world: &World, alice: &Client, count: u32) {
    for number in 0..count {
        let file = alice.file(&format!("{number}.txt"), format!("content {number}").as_bytes()).await;
        alice.delete(&format!("/nodes/{file}")).await.expect(StatusCode::OK);
    }
    world.drive.sweep_now().await.unwrap();
    // As if the time had passed for which they are kept.
    let (database, end_of_time) = (world.database().await, UnixMillis(i64::MAX));
    assert_eq!(database.collect_contents(end_of_time, 100).await.unwrap(), u64::from(count));
    let dropped = database.due_blobs(end_of_time, 100).await.unwrap();
    assert_eq!(dropped.len(), count as usize);
    database.put_off_blobs(&dropped, UnixMillis(0)).await.unwrap();
}

/// Blobs that are to be deleted by then.
async fn dropped(world: &World, by: UnixMillis) -> usize {
    world.database().await.due_blobs(by, 100).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_group_keeps_back_holds_up_nothing_else() {
    let (world, store) = world().await;
    let alice = world.user("alice").await;
    store.set_away(true);
    let (first, second) = (left(&alice, "first").await, left(&alice, "second").await);
    let file = alice.file("gone.txt", b"content").await;
    alice.delete(&format!("/nodes/{file}")).await.expect(StatusCode::OK);
    store.set_away(false);
    store.away.lock().unwrap().insert("blob-0".to_owned());

    let away = Err(Problem::Unavailable(Part::BlobStore));
    assert_eq!(world.drive.sweep_now().await, away);
    assert_eq!(alice.names("root").await, ["second"]);
    assert!(alice.get("/trash").await.names().is_empty());
    assert_eq!(alice.bytes(&alice.get(&second).await.text("/node")).await, b"left");

    store.away.lock().unwrap().clear();
    assert_eq!(world.drive.sweep_now().await, Ok(()));
    assert_eq!(alice.bytes(&alice.get(&first).await.text("/node")).await, b"left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_not_asked_for_each_of_many_blobs() {
    let (world, store) = world().await;
    let alice = world.user("alice").await;
    drop_blobs(&world, &alice, 12).await;
    store.set_away(true);
    let mut uploads = Vec::new();
    for number in 0..8 {
        uploads.push(left(&alice, &number.to_string()).await);
    }
    store.asked();
    let away = Err(Problem::Unavailable(Part::BlobStore));
    assert_eq!(world.drive.sweep_now().await, away);
    // Five uploads that were to be finished, five blobs that were to be deleted.
    assert_eq!(store.asked(), 10);
    // The others are not waited for either, for a while.
    let in_an_hour = UnixMillis(now().0 + 3_600_000);
    assert_eq!(dropped(&world, now()).await, 0);
    assert_eq!(dropped(&world, in_an_hour).await, 12);

    for upload in &uploads {
        give_up(&alice, upload).await;
    }
    store.asked();
    assert_eq!(world.drive.sweep_now().await, away);
    assert_eq!(store.asked(), 5);
    store.set_away(false);
    assert_eq!(world.drive.sweep_now().await, Ok(()));
    assert_eq!(alice.get("/usage").await.body["reserved"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_no_more_than_what_the_store_was_asked() {
    let (world, store) = world().await;
    let alice = world.user("alice").await;
    drop_blobs(&world, &alice, 20).await;
    store.set_away(true);
    store.asked();
    let answers = store.answers.lock().await;
    let (source, stop) = StopSource::new();
    let working = tokio::spawn(drive::work(Arc::clone(&world.drive), stop));
    until("a blob is to be deleted", async || (store.asked.load(SeqCst) > 0).then_some(())).await;
    source.stop();
    drop(answers);
    tokio::time::timeout(wait::STOP, working).await.unwrap().unwrap();
    assert_eq!(store.asked(), 1);
    assert_eq!(dropped(&world, now()).await, 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_piece_of_an_upload_that_was_lost_meanwhile_does_not_stay_in_the_store() {
    let (world, store) = world().await;
    let alice = world.user("alice").await;
    let me = AccountId::try_from(alice.get("/me").await.text("/id").parse::<i64>().unwrap()).unwrap();
    for (given_up, told) in [(true, StatusCode::NOT_FOUND), (false, StatusCode::LOCKED)] {
        let place = begun(&alice, "a").await;
        let upload = place.strip_prefix("/uploads/").unwrap().parse::<i64>().unwrap();
        let upload = UploadId::try_from(upload).unwrap();
        let pieces = store.pieces.lock().await;
        let (bringing, there) = (alice.clone(), place.clone());
        let brought = tokio::spawn(async move { bring(&bringing, &there, "lost").await.0 });
        until("a piece is in the store", async || (store.blobs().len() == 1).then_some(())).await;
        if given_up {
            give_up(&alice, &place).await;
        } else {
            // As if the writer had been asleep for two minutes, and another taken it over.
            let later = UnixMillis(now().0 + 120_000);
            let nothing = ByteCount::ZERO;
            world.database().await.take_upload(me, upload, 7, nothing, later).await.unwrap();
        }
        drop(pieces);
        assert_eq!(brought.await.unwrap(), told);
        assert!(store.blobs().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_whose_group_never_answers_keep_no_others_from_being_ended() {
    let (world, store) = world().await;
    let (_source, stop) = StopSource::new();
    let alice = world.user("alice").await;
    let brought = async |name: &str| {
        let place = begun(&alice, name).await;
        assert_eq!(bring(&alice, &place, "all").await.0, StatusCode::NO_CONTENT);
        place
    };
    for number in 0..6 {
        store.away.lock().unwrap().insert(format!("blob-{number}"));
        give_up(&alice, &brought(&number.to_string()).await).await;
    }
    brought("b").await;
    // Of the seven only three are looked for at once.
    let (in_two_days, limit) = (UnixMillis(now().0 + 2 * 86_400_000), 3);
    let away = Err(Problem::Unavailable(Part::BlobStore));
    assert_eq!(end_over(&world.drive, in_two_days, limit, &stop).await, away);
    assert!(!store.blobs().contains_key("blob-6"));
    assert_eq!(store.blobs().len(), 6);

    // All of them are tried, each in its turn.
    store.away.lock().unwrap().remove("blob-3");
    for _ in 0..2 {
        assert_eq!(end_over(&world.drive, in_two_days, limit, &stop).await, away);
    }
    assert!(!store.blobs().contains_key("blob-3"));
    assert_eq!(store.blobs().len(), 5);
}
