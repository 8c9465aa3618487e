//! The servers that keep the bytes, for administrators: how they are, and how they were.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use doctor_core::{Finding, Language, Severity, words};
use drive_core::UnixMillis;
use drive_core::cluster::{
    ClusterSeen, GroupSample, GroupSeen, LagReason, MemberSeen, MemberState, SAMPLE_EVERY, Sample,
    ServerFault, TrackerSeen, lag,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Drive;
use crate::described::refused;
use crate::examined::Examined;
use crate::fields::Asked;
use crate::refusal::Answer;
use crate::text::time;
use crate::v1::admin::administers;
use crate::v1::refusals::ADMIN;
use crate::who::Signed;

/// What keeps the bytes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StoreKind {
    Fastdfs,
    S3,
}

/// The servers that keep the bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = Cluster)]
pub(crate) struct ClusterView {
    kind: StoreKind,
    /// None with S3.
    trackers: Vec<TrackerView>,
    /// Null when no tracker tells; none with S3.
    #[schema(required)]
    groups: Option<Vec<GroupView>>,
}

/// A tracker.
#[derive(Serialize, ToSchema)]
#[schema(as = Tracker)]
struct TrackerView {
    /// As it is configured.
    address: String,
    answers: bool,
    /// Why it does not answer.
    #[schema(required)]
    fault: Option<ServerFault>,
    /// It leads the others, as those say that answer.
    leads: bool,
}

/// A group of storages that have the same files.
#[derive(Serialize, ToSchema)]
#[schema(as = StorageGroup)]
struct GroupView {
    name: String,
    /// Of the member with the least room.
    total_bytes: u64,
    free_bytes: u64,
    /// What of it stays free.
    reserved_bytes: u64,
    /// Null when the tracker did not say in time.
    #[schema(required)]
    members: Option<Vec<MemberView>>,
}

/// A storage. What it did is counted since its start.
#[derive(Serialize, ToSchema)]
#[schema(as = StorageMember)]
struct MemberView {
    id: String,
    address: String,
    state: MemberState,
    version: String,
    /// When it started.
    #[schema(format = DateTime, required)]
    since: Option<String>,
    total_bytes: u64,
    free_bytes: u64,
    uploads: u64,
    downloads: u64,
    deletes: u64,
    bytes_in: u64,
    bytes_out: u64,
    connections: u32,
    /// Connections that it had at once at most.
    connections_max: u32,
    /// Seconds since it was last heard.
    #[schema(required)]
    heartbeat_age_s: Option<u64>,
    /// How far it is behind the newest change on the others; null when that is not known.
    #[schema(required)]
    lag_s: Option<u64>,
    lag_reason: LagReason,
}

impl From<TrackerSeen> for TrackerView {
    fn from(seen: TrackerSeen) -> Self {
        Self { answers: seen.fault.is_none(), address: seen.address, fault: seen.fault, leads: seen.leads }
    }
}

impl GroupView {
    fn of(group: GroupSeen, now: UnixMillis) -> Self {
        Self {
            name: group.name,
            total_bytes: group.total_bytes,
            free_bytes: group.free_bytes,
            reserved_bytes: group.reserved_bytes,
            members: group.members.map(|members| {
                let all = members.iter().enumerate();
                all.filter_map(|(place, _)| MemberView::of(&members, place, now)).collect()
            }),
        }
    }
}

impl MemberView {
    fn of(members: &[MemberSeen], place: usize, now: UnixMillis) -> Option<Self> {
        let member = members.get(place)?;
        let lag = lag(members, place);
        // Clocks differ.
        let age = |heard: UnixMillis| u64::try_from(now.0.saturating_sub(heard.0) / 1000).unwrap_or(0);
        Some(Self {
            id: member.id.clone(),
            address: member.address.clone(),
            state: member.state,
            version: member.version.clone(),
            since: member.since.map(time),
            total_bytes: member.total_bytes,
            free_bytes: member.free_bytes,
            uploads: member.counters.uploads,
            downloads: member.counters.downloads,
            deletes: member.counters.deletes,
            bytes_in: member.counters.bytes_in,
            bytes_out: member.counters.bytes_out,
            connections: member.connections,
            connections_max: member.connections_max,
            heartbeat_age_s: member.heard_at.map(age),
            lag_s: lag.seconds,
            lag_reason: lag.reason,
        })
    }
}

/// The servers that keep the bytes, as the trackers see them now. A tracker that does not answer is told with the others.
#[utoipa::path(
    get, path = "/admin/cluster", operation_id = "getCluster", tag = "admin",
    responses((status = 200, description = "How they are.", body = ClusterView)),
    extensions(("x-refusals" = json!(refused(&[ADMIN])))),
)]
pub(crate) async fn now(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<ClusterView>> {
    administers(&signed)?;
    let Some(cluster) = &drive.cluster else {
        return Ok(Json(ClusterView { kind: StoreKind::S3, trackers: Vec::new(), groups: Some(Vec::new()) }));
    };
    let ClusterSeen { trackers, groups } = cluster.look().await;
    let now = drive.now();
    Ok(Json(ClusterView {
        kind: StoreKind::Fastdfs,
        trackers: trackers.into_iter().map(TrackerView::from).collect(),
        groups: groups.map(|groups| groups.into_iter().map(|group| GroupView::of(group, now)).collect()),
    }))
}

/// How the groups were.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterHistory)]
pub(crate) struct HistoryView {
    /// Seconds between two samples, about.
    every_s: u64,
    /// The oldest first; none with S3.
    samples: Vec<SampleView>,
}

/// All groups at one time.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterSample)]
struct SampleView {
    #[schema(format = DateTime)]
    at: String,
    /// Null when no tracker told.
    #[schema(required)]
    groups: Option<Vec<GroupSampleView>>,
}

/// A group at one time. What happens in a second is worked out between two reports of each member to its trackers.
#[derive(Serialize, ToSchema)]
#[schema(as = GroupSample)]
struct GroupSampleView {
    name: String,
    bytes_in_per_s: f64,
    bytes_out_per_s: f64,
    uploads_per_s: f64,
    downloads_per_s: f64,
    /// Of the member with the least room.
    free_bytes: u64,
    /// Of the member that is furthest behind.
    #[schema(required)]
    lag_s: Option<u64>,
}

impl From<&Sample> for SampleView {
    fn from(sample: &Sample) -> Self {
        let groups = sample.groups.as_ref();
        Self {
            at: time(sample.at),
            groups: groups.map(|groups| groups.iter().map(GroupSampleView::from).collect()),
        }
    }
}

impl From<&GroupSample> for GroupSampleView {
    fn from(group: &GroupSample) -> Self {
        Self {
            name: group.name.clone(),
            bytes_in_per_s: group.rates.bytes_in,
            bytes_out_per_s: group.rates.bytes_out,
            uploads_per_s: group.rates.uploads,
            downloads_per_s: group.rates.downloads,
            free_bytes: group.free_bytes,
            lag_s: group.lag_s,
        }
    }
}

/// The groups over the last hour, as the process that answers saw them since its start.
#[utoipa::path(
    get, path = "/admin/cluster/history", operation_id = "getClusterHistory", tag = "admin",
    responses((status = 200, description = "How they were.", body = HistoryView)),
    extensions(("x-refusals" = json!(refused(&[ADMIN])))),
)]
pub(crate) async fn past(State(drive): State<Arc<Drive>>, signed: Signed) -> Answer<Json<HistoryView>> {
    administers(&signed)?;
    let past = drive.past.lock().unwrap_or_else(PoisonError::into_inner);
    let samples = past.samples().map(SampleView::from).collect();
    Ok(Json(HistoryView { every_s: SAMPLE_EVERY.as_secs(), samples }))
}

/// What findings are written in.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
pub(crate) enum FindingLanguage {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Chinese.
    #[serde(rename = "zh-CN")]
    Chinese,
}

/// In which words.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingsQuery {
    #[serde(default)]
    language: FindingLanguage,
}

/// What is wrong with the cluster.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterFindings)]
pub(crate) struct FindingsView {
    kind: StoreKind,
    /// When the servers were asked.
    #[schema(format = DateTime)]
    at: String,
    /// The worst first; none with S3.
    findings: Vec<FindingView>,
}

/// How bad a finding is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FindingSeverity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// It works, and will not for long or not for everybody.
    Warning,
    /// Something does not work.
    Error,
}

/// Something that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
struct FindingView {
    severity: FindingSeverity,
    /// The kind; `docs/operations/doctor.md` lists them.
    code: String,
    /// What is wrong.
    what: String,
    /// What to do about it.
    todo: String,
}

impl FindingView {
    fn of(finding: &Finding, language: Language) -> Self {
        let (what, todo) = words::of(&finding.what, language);
        let severity = match finding.severity {
            Severity::Note => FindingSeverity::Note,
            Severity::Warning => FindingSeverity::Warning,
            Severity::Error => FindingSeverity::Error,
        };
        Self { severity, code: finding.what.code().to_owned(), what, todo }
    }
}

/// What is wrong with the cluster, and what to do about it: what `cairn doctor` says of it. Every tracker and storage is asked; the answer
/// may be some seconds old.
#[utoipa::path(
    get, path = "/admin/cluster/findings", operation_id = "getClusterFindings", tag = "admin",
    params(FindingsQuery),
    responses((status = 200, description = "What was found.", body = FindingsView)),
    extensions(("x-refusals" = json!(refused(&[ADMIN])))),
)]
pub(crate) async fn findings(
    State(drive): State<Arc<Drive>>,
    signed: Signed,
    Asked(query): Asked<FindingsQuery>,
) -> Answer<Json<FindingsView>> {
    administers(&signed)?;
    let language = match query.language {
        FindingLanguage::English => Language::English,
        FindingLanguage::Chinese => Language::Chinese,
    };
    let Some(Examined { at, found }) = drive.examined().await else {
        let at = time(drive.now());
        return Ok(Json(FindingsView { kind: StoreKind::S3, at, findings: Vec::new() }));
    };
    let mut findings: Vec<Finding> = found.iter().cloned().map(Finding::from).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let findings = findings.iter().map(|finding| FindingView::of(finding, language)).collect();
    Ok(Json(FindingsView { kind: StoreKind::Fastdfs, at: time(at), findings }))
}
