//! What the metrics of a node are at one moment, and the text of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry;

use crate::latency::{BOUNDS_MICROS, Counted, Latency};
use crate::metric::{Kind, Metric, Unit};

/// Labels of one sample.
type Labels = Vec<(&'static str, String)>;

/// What the metrics of a node are at one moment.
#[derive(Debug, Default)]
pub struct Samples {
    of: BTreeMap<&'static str, Vec<(Labels, Value)>>,
}

#[derive(Debug)]
enum Value {
    Int(u64),
    Real(f64),
    Latency(Counted),
    /// Of an info.
    None,
}

impl Samples {
    fn push(&mut self, metric: &Metric, labels: &[&str], value: Value) {
        // A bug in a node, which every test that asks it finds.
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let labels =
            metric.labels.iter().copied().zip(labels.iter().map(|value| (*value).to_owned())).collect();
        self.of.entry(metric.name).or_default().push((labels, value));
    }

    /// A whole number.
    pub fn int(&mut self, metric: &Metric, labels: &[&str], value: u64) {
        self.push(metric, labels, Value::Int(value));
    }

    /// Any number.
    pub fn real(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        self.push(metric, labels, Value::Real(value));
    }

    /// A time.
    pub fn seconds(&mut self, metric: &Metric, labels: &[&str], value: Duration) {
        self.real(metric, labels, value.as_secs_f64());
    }

    /// 1 for yes, 0 for no.
    pub fn is(&mut self, metric: &Metric, labels: &[&str], value: bool) {
        self.int(metric, labels, value.into());
    }

    /// What the labels of an info say.
    pub fn info(&mut self, metric: &Metric, labels: &[&str]) {
        self.push(metric, labels, Value::None);
    }

    /// What was counted, unless that is nothing.
    pub fn latency(&mut self, metric: &Metric, labels: &[&str], latency: &Latency) {
        let counted = latency.counted();
        if counted.count() > 0 {
            self.push(metric, labels, Value::Latency(counted));
        }
    }

    /// Writes the samples of a table, in its order.
    pub(crate) fn encode(&self, table: &[Metric], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        debug_assert!(
            self.of.keys().all(|told| table.iter().any(|metric| metric.name == *told)),
            "something is told that is not in the table: {:?}",
            self.of.keys()
        );
        for metric in table {
            let unit = metric.unit.map(|unit| match unit {
                Unit::Bytes => registry::Unit::Bytes,
                Unit::Seconds => registry::Unit::Seconds,
            });
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.doc, unit.as_ref(), kind)?;
            for (labels, value) in self.of.get(metric.name).into_iter().flatten() {
                sample(&mut family, metric.kind, labels, value)?;
            }
        }
        Ok(())
    }
}

fn sample(family: &mut MetricEncoder<'_>, kind: Kind, labels: &Labels, value: &Value) -> fmt::Result {
    if kind == Kind::Info {
        return family.encode_info(labels);
    }
    // Without labels there must be no braces.
    let mut one = match labels.is_empty() {
        true => return encode_value(family, kind, value),
        false => family.encode_family(labels)?,
    };
    encode_value(&mut one, kind, value)
}

fn encode_value(encoder: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Int(number)) => encoder.encode_counter::<NoLabelSet, u64, f64>(number, None),
        (Kind::Counter, Value::Real(number)) => encoder.encode_counter::<NoLabelSet, f64, f64>(number, None),
        (Kind::Gauge, Value::Int(number)) => encoder.encode_gauge(number),
        (Kind::Gauge, Value::Real(number)) => encoder.encode_gauge(number),
        (Kind::Histogram, Value::Latency(counted)) => {
            let bounds = BOUNDS_MICROS.iter().map(|micros| seconds(*micros)).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counted.buckets).collect();
            encoder.encode_histogram::<NoLabelSet>(seconds(counted.micros), counted.count(), &buckets, None)
        }
        // A bug in a node, which every test that asks it finds.
        _ => Err(fmt::Error),
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
