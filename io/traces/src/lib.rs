//! Requests as spans of OpenTelemetry, sent to a collector over OTLP (HTTP, protobuf), for who wants them.
//!
//! Whether, whereto and how many is said by the environment, in OpenTelemetry's own words
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>): without
//! `OTEL_EXPORTER_OTLP_ENDPOINT` there are none, and asking for one costs the look at a static. Spans wait in a bounded
//! queue for a thread that sends them; what finds no room is dropped: a server that answers is worth more than its
//! diary.
//!
//! A request that has an id of its caller (`traceparent`, W3C Trace Context) continues that trace. FastDFS's protocol has no
//! room for one, so what a drive asks of a storage is a span of the drive, and the storage's own begins a trace.
//!
//! Will never know: what a request does.

use std::collections::HashMap;
use std::env;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    FutureExt, Span, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Either of them names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// What a process is called where `OTEL_SERVICE_NAME` does not say it.
const SERVICE_NAME: &str = "cairn";
/// How long the end of a process waits for a collector to take the last spans.
const LAST_SPANS: Duration = Duration::from_secs(3);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// The environment asks for traces, and they can't be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces (OTEL_…): {0}")]
pub struct StartError(String);

/// Sends what waits, when it is dropped.
#[derive(Debug)]
pub struct Sending(SdkTracerProvider);

impl Drop for Sending {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_SPANS) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Sends spans from now on, if the environment asks for it. Once in a process, and not on a thread of a runtime.
///
/// # Errors
/// [`StartError`]: an endpoint that is none, or threads that can't be started.
pub fn init() -> Result<Option<Sending>, StartError> {
    let said = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
    let off = said("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"))
        || said("OTEL_TRACES_EXPORTER").is_some_and(|text| text == "none");
    if off || !ENDPOINTS.iter().any(|name| said(name).is_some()) {
        return Ok(None);
    }
    let exporter =
        SpanExporter::builder().with_http().build().map_err(|error| StartError(error.to_string()))?;
    let resource = match said("OTEL_SERVICE_NAME") {
        Some(_) => Resource::builder(),
        None => Resource::builder().with_service_name(SERVICE_NAME),
    };
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    if PROVIDER.set(provider.clone()).is_err() {
        return Err(StartError("they are sent already".to_owned()));
    }
    Ok(Some(Sending(provider)))
}

/// Whether spans are sent.
#[must_use]
pub(crate) fn are_sent() -> bool {
    PROVIDER.get().is_some()
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The word that metrics have for it: `done`, `5xx`.
    pub word: &'static str,
    /// The server could not do it.
    pub failed: bool,
}

/// A request from its beginning. Nothing, when no spans are sent.
#[derive(Debug)]
pub struct Request(Option<Context>);

impl Request {
    /// It begins. `traceparent` is what its caller says (W3C Trace Context, §3.2); what is none is left out.
    #[must_use]
    pub fn begin(role: &'static str, traceparent: Option<&str>) -> Self {
        Self(PROVIDER.get().map(|provider| {
            let parent = traceparent.map_or_else(Context::new, |text| {
                let fields = HashMap::from([("traceparent".to_owned(), text.to_owned())]);
                TraceContextPropagator::new().extract_with_context(&Context::new(), &fields)
            });
            let span = SpanBuilder::from_name("request").with_kind(SpanKind::Server);
            let span = provider.tracer(role).build_with_context(span, &parent);
            parent.with_span(span)
        }))
    }

    /// What is called within the work ([`call_ended`]) is part of this request.
    pub async fn within<W: Future>(&self, work: W) -> W::Output {
        match &self.0 {
            Some(context) => work.with_context(context.clone()).await,
            None => work.await,
        }
    }

    /// It has ended, and was one for this.
    pub fn end(&mut self, name: &str, end: End) {
        if let Some(context) = self.0.take() {
            let span = context.span();
            span.update_name(name.to_owned());
            span.set_attribute(KeyValue::new("result", end.word));
            if end.failed {
                span.set_status(Status::error(end.word));
            }
            span.end();
        }
    }
}

/// For work that goes on in a task of its own: it stays a part of the request that it was begun in.
pub fn carried<W: Future>(work: W) -> impl Future<Output = W::Output> {
    let within = are_sent().then(Context::current);
    async move {
        match within {
            Some(context) => work.with_context(context).await,
            None => work.await,
        }
    }
}

/// A request has ended that took so long.
pub fn request_ended(role: &'static str, name: &'static str, took: Duration, end: End) {
    if let Some(provider) = PROVIDER.get() {
        ended(
            provider,
            role,
            &Context::new(),
            SpanBuilder::from_name(name).with_kind(SpanKind::Server),
            took,
            end,
        );
    }
}

/// A call to somebody else has ended that took so long: a part of the request that it was made within, if it was.
pub fn call_ended(role: &'static str, name: &'static str, took: Duration, end: End) {
    let Some(provider) = PROVIDER.get() else { return };
    let within = Context::current();
    if within.has_active_span() {
        ended(provider, role, &within, SpanBuilder::from_name(name).with_kind(SpanKind::Client), took, end);
    }
}

fn ended(
    provider: &SdkTracerProvider,
    role: &'static str,
    parent: &Context,
    span: SpanBuilder,
    took: Duration,
    end: End,
) {
    let now = SystemTime::now();
    let span = span
        .with_start_time(now.checked_sub(took).unwrap_or(now))
        .with_attributes([KeyValue::new("result", end.word)]);
    let mut span = provider.tracer(role).build_with_context(span, parent);
    if end.failed {
        span.set_status(Status::error(end.word));
    }
    span.end_with_timestamp(now);
}
