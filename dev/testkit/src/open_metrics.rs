//! OpenMetrics text, read strictly: what a collector could stumble over is an error.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

/// The labels of a sample.
pub type Labels = BTreeMap<String, String>;

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// With the ending of its kind: `…_total`, `…_bucket`.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The number.
    pub value: f64,
}

/// Numbers that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// `counter`, `gauge`, `histogram`, `info`.
    pub kind: String,
    /// What it means.
    pub help: String,
    /// `bytes`, `seconds`, or nothing.
    pub unit: String,
    /// In the order of the text.
    pub samples: Vec<Sample>,
}

/// All families of a text, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposition(pub BTreeMap<String, Family>);

impl Exposition {
    /// Reads a text.
    ///
    /// # Errors
    /// The first line that breaks a rule, and which.
    pub fn parse(text: &str) -> Result<Exposition> {
        let body = text.strip_suffix("# EOF\n").context("does not end with # EOF")?;
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut now: Option<String> = None;
        for line in body.lines() {
            (|| {
                if let Some(said) = line.strip_prefix("# ") {
                    describe(said, &mut families, &mut now)
                } else {
                    let name = now.as_ref().context("a sample before its family")?;
                    let family = families.get_mut(name).context("no family")?;
                    let sample = sample(line)?;
                    check_name(name, &family.kind, &sample)?;
                    family.samples.push(sample);
                    Ok(())
                }
            })()
            .with_context(|| line.to_owned())?;
        }
        for (name, family) in &families {
            check(name, family).with_context(|| name.clone())?;
        }
        Ok(Exposition(families))
    }

    /// The value of the sample that has this name and these labels, and no others.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Labels =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let samples = self.0.values().flat_map(|family| &family.samples);
        samples
            .into_iter()
            .find(|sample| sample.name == name && sample.labels == labels)
            .map(|sample| sample.value)
    }

    /// The sum of all samples with this name, and these labels among theirs.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|own| own == value))
        };
        self.0.values().flat_map(|family| &family.samples).filter(has).map(|sample| sample.value).sum()
    }
}

/// A line that says what a family is. Those of one family stand together, and before its samples.
fn describe(said: &str, families: &mut BTreeMap<String, Family>, now: &mut Option<String>) -> Result<()> {
    let (what, rest) = said.split_once(' ').context("says nothing")?;
    let (name, text) = rest.split_once(' ').context("says nothing")?;
    ensure!(is_name(name), "no name");
    if now.as_deref() != Some(name) {
        let new =
            Family { kind: String::new(), help: String::new(), unit: String::new(), samples: Vec::new() };
        ensure!(families.insert(name.to_owned(), new).is_none(), "the family was there before");
        *now = Some(name.to_owned());
    }
    let family = families.get_mut(name).context("no family")?;
    ensure!(family.samples.is_empty(), "said behind its samples");
    let place = match what {
        "TYPE" => &mut family.kind,
        "HELP" => &mut family.help,
        "UNIT" => &mut family.unit,
        _ => bail!("neither TYPE nor HELP nor UNIT"),
    };
    ensure!(place.is_empty(), "said twice");
    *place = text.to_owned();
    Ok(())
}

fn is_name(text: &str) -> bool {
    let may = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(may)
}

/// `name{label="value",…} number`
fn sample(line: &str) -> Result<Sample> {
    let end = line.find(['{', ' ']).context("no value")?;
    let (name, mut rest) = line.split_at(end);
    ensure!(is_name(name), "no name");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, behind) = rest.split_once("=\"").context("no label")?;
            ensure!(is_name(label), "no name of a label: {label}");
            let (value, behind) = label_value(behind)?;
            ensure!(labels.insert(label.to_owned(), value).is_none(), "a label twice");
            match behind.split_at_checked(1) {
                Some((",", behind)) => rest = behind,
                Some(("}", behind)) => {
                    rest = behind;
                    break;
                }
                _ => bail!("neither , nor }} behind a label"),
            }
        }
        ensure!(!labels.is_empty(), "braces without labels");
    }
    let number = rest.strip_prefix(' ').context("no blank before the value")?;
    ensure!(!number.contains(' ') && !number.is_empty(), "more than a value");
    let value: f64 = number.parse().context("no number")?;
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// Up to the quote that ends it; the rest behind that.
fn label_value(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                _ => bail!("no such escape"),
            },
            c => value.push(c),
        }
    }
    bail!("a label does not end")
}

/// Names of samples are those that the kind of their family has.
fn check_name(family: &str, kind: &str, sample: &Sample) -> Result<()> {
    let ending = sample.name.strip_prefix(family).context("the sample of another family")?;
    let may = match kind {
        "gauge" => ending.is_empty(),
        "counter" => ending == "_total" && sample.value >= 0.0,
        "info" => ending == "_info" && sample.value == 1.0,
        "histogram" => {
            let has_bound = sample.labels.contains_key("le");
            (ending == "_bucket") == has_bound && ["_bucket", "_sum", "_count"].contains(&ending)
        }
        other => bail!("an unknown type: {other}"),
    };
    ensure!(may, "not as a {kind} has it");
    Ok(())
}

fn check(name: &str, family: &Family) -> Result<()> {
    ensure!(!family.kind.is_empty() && !family.help.is_empty(), "without TYPE or HELP");
    ensure!(
        family.unit.is_empty() || name.ends_with(&format!("_{}", family.unit)),
        "does not end with its unit"
    );
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        ensure!(seen.insert((&sample.name, &sample.labels)), "twice: {sample:?}");
    }
    if family.kind == "histogram" {
        check_histogram(name, family)?;
    }
    Ok(())
}

/// Buckets count what is not above their bound, and the last one counts everything.
fn check_histogram(name: &str, family: &Family) -> Result<()> {
    let mut rows: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in family.samples.iter().filter(|sample| sample.name == format!("{name}_bucket")) {
        let mut labels = sample.labels.clone();
        let bound = match labels.remove("le").as_deref() {
            Some("+Inf") => f64::INFINITY,
            Some(bound) => bound.parse().context("no bound")?,
            None => bail!("a bucket without bound"),
        };
        rows.entry(labels).or_default().push((bound, sample.value));
    }
    let of = |ending: &str, labels: &Labels| {
        let name = format!("{name}_{ending}");
        family.samples.iter().find(|sample| sample.name == name && sample.labels == *labels)
    };
    for (labels, buckets) in &rows {
        ensure!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "buckets: {buckets:?}");
        let last = buckets.last().context("no bucket")?;
        let count = of("count", labels).context("no count")?;
        ensure!(last.0.is_infinite() && last.1 == count.value, "the last bucket is not the count");
        of("sum", labels).context("no sum")?;
    }
    let counts = family.samples.iter().filter(|sample| sample.name == format!("{name}_count"));
    ensure!(counts.count() == rows.len(), "a count without buckets");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
# HELP a_seconds Time.
# TYPE a_seconds histogram
# UNIT a_seconds seconds
a_seconds_sum{of=\"x\"} 0.5
a_seconds_count{of=\"x\"} 2
a_seconds_bucket{of=\"x\",le=\"0.1\"} 1
a_seconds_bucket{of=\"x\",le=\"+Inf\"} 2
# HELP b Turns.
# TYPE b counter
b_total{side=\"left \\\"old\\\"\"} 7
b_total{side=\"right\"} 1
# EOF
";

    #[test]
    fn numbers_are_found_by_name_and_labels() {
        let read = Exposition::parse(GOOD).unwrap();
        assert_eq!(read.value("b_total", &[("side", "left \"old\"")]), Some(7.0));
        assert_eq!(read.value("b_total", &[]), None);
        assert_eq!(read.sum("b_total", &[]), 8.0);
        assert_eq!(read.sum("a_seconds_bucket", &[("of", "x"), ("le", "0.1")]), 1.0);
    }

    #[test]
    fn what_breaks_a_rule_is_found() {
        for (from, to, fault) in [
            ("# EOF\n", "", "EOF"),
            ("# TYPE b counter\n", "", "unknown type"),
            ("b_total{side=\"right\"} 1", "b{side=\"right\"} 1", "as a counter"),
            ("b_total{side=\"right\"} 1", "b_total{side=\"right\"} -1", "as a counter"),
            ("{side=\"right\"}", "{side=\"left \\\"old\\\"\"}", "twice"),
            ("# HELP b Turns.", "# HELP a_seconds Turns.", "behind its samples"),
            ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes", "unit"),
            ("le=\"0.1\"} 1", "le=\"0.1\"} 3", "buckets"),
            ("a_seconds_count{of=\"x\"} 2", "a_seconds_count{of=\"x\"} 3", "count"),
            ("{side=\"right\"} 1", "{side=\"right\"}1", "blank"),
            ("{side=\"right\"} 1", "{} 1", "label"),
            ("{side=\"right\"} 1", "{side=\"ri\\ght\"} 1", "escape"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = format!("{:#}", Exposition::parse(&GOOD.replace(from, to)).unwrap_err());
            assert!(error.contains(fault), "{from} -> {to}: {error}");
        }
    }
}
