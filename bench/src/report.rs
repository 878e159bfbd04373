use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::{Result, fail};

/// What a measure has to be, in its unit.
#[derive(Clone, Copy)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Measured for information.
    None,
}

impl Limit {
    fn holds(self, value: f64) -> Option<bool> {
        match self {
            Limit::AtMost(limit) => Some(value <= limit),
            Limit::AtLeast(limit) => Some(value >= limit),
            Limit::None => None,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Limit::AtMost(limit) => format!("at most {} {unit}", rounded(limit)),
            Limit::AtLeast(limit) => format!("at least {} {unit}", rounded(limit)),
            Limit::None => "-".into(),
        }
    }
}

/// Samples of one measure.
pub struct Measured {
    pub unit: &'static str,
    pub limit: Limit,
    pub samples: Vec<f64>,
}

impl Measured {
    pub fn new(unit: &'static str, limit: Limit, samples: Vec<f64>) -> Self {
        Self { unit, limit, samples }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// The median; of an even number the lower of the two in the middle.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Every measure with its outcome, in order, and the facts of the machine.
pub struct Report {
    facts: Vec<(&'static str, String)>,
    rows: Vec<(String, Result<Measured>)>,
}

impl Report {
    pub fn new(facts: Vec<(&'static str, String)>) -> Self {
        Self { facts, rows: Vec::new() }
    }

    /// Takes a measure and says so on stderr, so that a long run shows where it is.
    pub fn add(&mut self, name: impl Into<String>, outcome: Result<Measured>) {
        let name = name.into();
        match &outcome {
            Ok(m) => eprintln!("{name}: {} {}", rounded(m.median()), m.unit),
            Err(e) => eprintln!("{name}: not measured: {e}"),
        }
        self.rows.push((name, outcome));
    }

    /// Whether everything could be measured.
    pub fn is_complete(&self) -> bool {
        self.rows.iter().all(|(_, outcome)| outcome.is_ok())
    }

    /// A table in Markdown.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.facts {
            let _ = writeln!(text, "- {name}: {value}");
        }
        text.push_str("\n| measure | median | lowest to highest | samples | wanted | |\n|---|---:|---:|---:|---|---|\n");
        for (name, outcome) in &self.rows {
            let _ = match outcome {
                Ok(m) => writeln!(text, "| {name} | {} |", cells(m).join(" | ")),
                Err(e) => writeln!(text, "| {name} | - | - | 0 | - | not measured: {e} |"),
            };
        }
        text
    }

    pub fn json(&self) -> Json {
        let facts: serde_json::Map<String, Json> = self.facts.iter().map(|(k, v)| ((*k).into(), json!(v))).collect();
        let rows = self.rows.iter().map(|(name, outcome)| match outcome {
            Ok(m) => json!({
                "name": name,
                "unit": m.unit,
                "median": m.median(),
                "samples": m.samples,
                "wanted": m.limit.text(m.unit),
                "holds": m.limit.holds(m.median()),
            }),
            Err(e) => json!({"name": name, "error": e.to_string()}),
        });
        json!({"machine": facts, "measures": rows.collect::<Vec<_>>()})
    }
}

fn cells(m: &Measured) -> [String; 5] {
    let (sorted, median) = (m.sorted(), m.median());
    let range = match (sorted.first(), sorted.last()) {
        (Some(first), Some(last)) if sorted.len() > 1 => format!("{} to {}", rounded(*first), rounded(*last)),
        _ => "-".into(),
    };
    let verdict = match m.limit.holds(median) {
        Some(true) => "holds",
        Some(false) => "**missed**",
        None => "",
    };
    [format!("{} {}", rounded(median), m.unit), range, sorted.len().to_string(), m.limit.text(m.unit), verdict.into()]
}

/// Three digits are all that a measurement of this kind is worth.
fn rounded(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The value that this share of the samples does not exceed.
pub fn percentile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of samples")]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Milliseconds, with their fraction.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Asks again and again, `every` so often, until there is something; fails after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, every: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return fail(format!("not within {} s: {what}", limit.as_secs()));
        }
        thread::sleep(every);
    }
}

#[cfg(test)]
mod tests {
    use super::{Limit, Measured, Report, percentile};
    use crate::fail;

    #[test]
    fn a_percentile_is_one_of_the_samples() {
        let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        for (share, expected) in [(0.0, 1.0), (0.5, 100.0), (0.99, 198.0), (1.0, 200.0)] {
            assert_eq!(percentile(&samples, share), expected, "{share}");
        }
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_report_tells_medians_and_what_was_missed() {
        let mut report = Report::new(vec![("cores", "2".into())]);
        report.add("boot", Ok(Measured::new("ms", Limit::AtMost(10.0), vec![30.0, 4.0, 5.0])));
        report.add("reads", Ok(Measured::new("/s", Limit::AtLeast(5_000.0), vec![4_321.0])));
        report.add("simulated", fail("no program"));
        let table = report.table();
        for line in [
            "- cores: 2",
            "| boot | 5.00 ms | 4.00 to 30.0 | 3 | at most 10.0 ms | holds |",
            "| reads | 4321 /s | - | 1 | at least 5000 /s | **missed** |",
            "| simulated | - | - | 0 | - | not measured: no program |",
        ] {
            assert!(table.contains(line), "{line:?} is not in {table}");
        }
        assert!(!report.is_complete());
        assert_eq!(report.json()["measures"][0]["holds"], true);
        assert_eq!(report.json()["measures"][2]["error"], "no program");
    }
}
