//! Metrics as they are declared: name, type, unit, labels, meaning.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from the start of the process unless its meaning says otherwise.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many took how long.
    Histogram,
    /// Always 1: what there is to know is in its labels.
    Info,
}

impl Kind {
    /// As OpenMetrics calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    Bytes,
    Seconds,
}

impl Unit {
    /// As OpenMetrics calls it; names end so.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        }
    }
}

/// One row of a table of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Without unit and without the endings of its kind.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What is counted; `None`: things.
    pub unit: Option<Unit>,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// One line: what it means.
    pub doc: &'static str,
}

impl Metric {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, unit: None, labels: &[], doc: "" }
    }

    /// A counter.
    pub const fn counter(name: &'static str) -> Self {
        Self::new(name, Kind::Counter)
    }

    /// A gauge.
    pub const fn gauge(name: &'static str) -> Self {
        Self::new(name, Kind::Gauge)
    }

    /// A histogram of seconds.
    pub const fn latency(name: &'static str) -> Self {
        Self::new(name, Kind::Histogram).seconds()
    }

    /// An info.
    pub const fn info(name: &'static str) -> Self {
        Self::new(name, Kind::Info)
    }

    /// It counts bytes.
    pub const fn bytes(mut self) -> Self {
        self.unit = Some(Unit::Bytes);
        self
    }

    /// It counts seconds.
    pub const fn seconds(mut self) -> Self {
        self.unit = Some(Unit::Seconds);
        self
    }

    /// It has these labels.
    pub const fn labels(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    /// What it means, in one line.
    pub const fn doc(mut self, line: &'static str) -> Self {
        self.doc = line;
        self
    }

    /// The name of its family: with the unit.
    pub fn family(&self) -> String {
        match self.unit {
            Some(unit) => format!("{}_{}", self.name, unit.word()),
            None => self.name.to_owned(),
        }
    }

    /// The names under which it is asked for.
    pub fn series(&self) -> Vec<String> {
        let family = self.family();
        match self.kind {
            Kind::Gauge => vec![family],
            Kind::Counter => vec![format!("{family}_total")],
            Kind::Info => vec![format!("{family}_info")],
            Kind::Histogram => ["bucket", "sum", "count"].map(|part| format!("{family}_{part}")).to_vec(),
        }
    }
}

/// Declares a table of metrics, and a constant for each of its rows.
///
/// ```
/// use status::Metric;
///
/// status::metrics! {
///     /// What a mill tells.
///     pub table MILL;
///     TURNS = Metric::counter("mill_turns").doc("Turns of the wheel.");
///     WATER = Metric::gauge("mill_water").bytes().labels(&["side"]).doc("Water on either side.");
/// }
/// assert_eq!(MILL.len(), 2);
/// assert_eq!(WATER.series(), ["mill_water_bytes"]);
/// assert_eq!(TURNS.series(), ["mill_turns_total"]);
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$attr:meta])*
        $vis:vis table $table:ident;
        $( $name:ident = $metric:expr; )*
    ) => {
        $( const $name: $crate::Metric = $metric; )*

        $(#[$attr])*
        $vis const $table: &[$crate::Metric] = &[ $( $name, )* ];
    };
}
