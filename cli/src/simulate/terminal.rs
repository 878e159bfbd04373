//! A prediction for the terminal: a small picture, and tables.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use rehearsal::{Point, Prediction, prices};

use super::Run;
use crate::output::out;

/// Columns of the picture.
const WIDTH: usize = 72;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Most spans and alarm changes that are printed; the JSON has all.
const LINES_MAX: usize = 12;

pub fn print(runs: &[Run], load: &str) {
    for run in runs {
        let p = &run.prediction;
        out!("{} under {load}: {} from {}\n", run.name, span(p.length.as_secs()), p.from.iso8601_s());
        picture(p);
        slow(p);
        alarms(p);
        out!("");
    }
    table(runs);
    let dated = runs.iter().any(|r| r.prediction.bill.instances_usd.is_some());
    if dated {
        out!("\nCosts are at AWS's list prices of {}, on demand, without traffic and disks.", prices::DATE);
    } else {
        out!("\nNo list price is known for these instances in this region: --hourly-price USD gives one.");
    }
}

fn picture(p: &Prediction) {
    let target = p.cpu_target.map(|t| format!(", target {:.0} %", t * 100.0)).unwrap_or_default();
    let line = |name: &str, of: fn(&Point) -> f64, text: &dyn Fn(f64) -> String, more: &str| {
        let columns = columns(&p.points, of);
        let most = columns.iter().copied().fold(0.0, f64::max);
        let bars: String = columns.iter().map(|v| block(*v, most)).collect();
        out!("{name:>12} {bars} {}{more}", text(most));
    };
    line("load", |x| x.load, &|v| format!("{} a second", number(v)), "");
    line("in service", |x| x.in_service as f64, &|v| format!("{v:.0} instances"), "");
    line("CPU", |x| x.cpu, &|v| format!("{:.0} %", v * 100.0), &target);
    line("p99", |x| x.p99_ms, &|v| format!("{} ms", number(v)), "");
    line("failed", |x| x.failed, &|v| format!("{} a minute", number(v)), "");
}

/// The highest value of each column of the picture.
fn columns(points: &[Point], of: fn(&Point) -> f64) -> Vec<f64> {
    let width = WIDTH.min(points.len()).max(1);
    let bounds = |column: usize| column * points.len() / width;
    (0..width).map(|c| points[bounds(c)..bounds(c + 1)].iter().map(of).fold(0.0, f64::max)).collect()
}

fn block(value: f64, most: f64) -> char {
    if most <= 0.0 || value <= 0.0 {
        return BLOCKS[0];
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 8")]
    let step = (value / most * 8.0).ceil() as usize;
    BLOCKS[step.clamp(1, 8)]
}

fn slow(p: &Prediction) {
    if let Some(text) = held_by_maximum(p) {
        out!("\n{text}");
    }
    if p.slow.is_empty() {
        return;
    }
    out!("\nToo slow: the load was more than the instances in service could do");
    let mut table = plain(&["FROM", "UNTIL", "WORST USE", "FAILED", "WAITED FOR"]);
    for s in p.slow.iter().take(LINES_MAX) {
        table.add_row([
            s.from.iso8601_s(),
            s.until.iso8601_s(),
            if s.worst > 99.0 { "no capacity".into() } else { format!("{:.0} %", s.worst * 100.0) },
            number(s.failed),
            waits(s),
        ]);
    }
    out!("{table}");
    more(p.slow.len());
}

/// Says that the maximum size is what limits a run, where it does.
pub fn held_by_maximum(p: &Prediction) -> Option<String> {
    let held = p.held_by_maximum().as_secs();
    let target = p.cpu_target.filter(|_| held > 0)? * 100.0;
    Some(format!(
        "At its maximum size and above its target of {} % for {}: the maximum is what limits it",
        number(target),
        span(held)
    ))
}

pub fn waits(s: &rehearsal::Slow) -> String {
    let each = s.waited_for.iter().map(|(cause, time)| format!("{} {}", cause.as_str(), span(time.as_secs())));
    each.collect::<Vec<_>>().join(", ")
}

fn alarms(p: &Prediction) {
    if p.alarms.is_empty() {
        return;
    }
    out!("");
    let mut table = plain(&["AT", "ALARM", "STATE"]);
    for a in p.alarms.iter().take(LINES_MAX) {
        table.add_row([a.at.iso8601_s(), a.alarm.clone(), a.state.as_str().into()]);
    }
    out!("{table}");
    more(p.alarms.len());
}

fn more(all: usize) {
    if all > LINES_MAX {
        out!("  and {} more", all - LINES_MAX);
    }
}

fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    table
}

/// What is said of a run, name by name.
pub fn facts(p: &Prediction) -> Vec<(&'static str, String)> {
    let (t, b) = (&p.totals, &p.bill);
    let usd = |usd: Option<f64>| usd.map_or("unknown".to_string(), |usd| format!("${usd:.2}"));
    let fleet = |f: &(usize, Option<f64>)| format!("{} ({} instances)", usd(f.1), f.0);
    let share = if t.requests > 0.0 { t.failed / t.requests * 100.0 } else { 0.0 };
    vec![
        ("Requests", number(t.requests)),
        ("Failed", format!("{} ({share:.3} %)", number(t.failed))),
        ("Latency p50", format!("{} ms", number(t.p50_ms))),
        ("Latency p99", format!("{} ms", number(t.p99_ms))),
        ("CPU, mean", format!("{:.1} %", t.cpu * 100.0)),
        ("In service", format!("{:.1} mean, {} to {}", t.instances_mean, t.instances_least, t.instances_most)),
        ("Launched, ended", format!("{}, {}", t.launches, t.terminations)),
        ("Too slow", span(p.slow.iter().map(|s| s.until.ms_since(s.from) / 1_000).sum())),
        ("Instance-hours", number(b.instance_hours)),
        ("Cost of instances", usd(b.instances_usd)),
        ("Cost of load balancers", usd(b.balancers_usd)),
        ("Fixed fleet of the peak", fleet(&b.peak_fleet)),
        ("Fixed fleet of the mean", fleet(&b.mean_fleet)),
    ]
}

fn table(runs: &[Run]) {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    if runs.len() > 1 {
        table.set_header(std::iter::once(String::new()).chain(runs.iter().map(|r| r.name.clone())));
    }
    let all: Vec<_> = runs.iter().map(|r| facts(&r.prediction)).collect();
    for (row, (name, _)) in all[0].iter().enumerate() {
        table.add_row(std::iter::once((*name).to_string()).chain(all.iter().map(|facts| facts[row].1.clone())));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    out!("{table}");
}

/// A number with as many digits as tell something, and its thousands apart.
pub fn number(value: f64) -> String {
    let text = match value {
        v if v >= 100.0 || v == v.round() => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits: Vec<&str> = (0..whole.len()).rev().map(|i| &whole[i..=i]).collect();
    let groups: Vec<String> = digits.chunks(3).map(|group| group.iter().rev().copied().collect()).rev().collect();
    groups.join(",") + rest
}

/// A length of time in words.
pub fn span(seconds: u64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h"), (seconds % 3_600 / 60, "min"), (seconds % 60, "s")];
    let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if said.is_empty() { "0 s".into() } else { said.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::{block, number, span};

    #[test]
    fn numbers_and_spans_read_well() {
        for (value, text) in [(0.0, "0"), (0.256, "0.26"), (7.25, "7.2"), (999.6, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(number(value), text);
        }
        assert_eq!((span(0), span(86_400), span(3_725)), ("0 s".into(), "1 d".into(), "1 h 2 min 5 s".into()));
        assert_eq!((block(0.0, 8.0), block(0.1, 8.0), block(8.0, 8.0), block(1.0, 0.0)), (' ', '▁', '█', ' '));
    }
}
