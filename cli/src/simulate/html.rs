//! A prediction as one HTML page that needs nothing from outside. Every text that is not the page's own is escaped.

use base::Time;
use rehearsal::{Point, Prediction, prices};

use super::Run;
use super::chart::{Chart, Line, escape};
use super::terminal::{facts, held_by_maximum, number, span, waits};

const STYLE: &str = include_str!("report.css");
/// Most lines of a table of events; the JSON has all.
const EVENTS_MAX: usize = 500;
/// Labels of the time axis.
const LABELS: u32 = 6;

pub fn page(runs: &[Run], load: &str) -> String {
    let names = runs.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(" and ");
    let title = escape(&format!("{names} under {load}"));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    if let Some(first) = runs.first() {
        let p = &first.prediction;
        page += &format!("<p>{} from {}, in {}.</p>\n", span(p.length.as_secs()), p.from.iso8601_s(), escape(&p.region));
    }
    page += &summary(runs);
    page += &charts(runs);
    for run in runs {
        if runs.len() > 1 {
            page += &format!("<h2>{}</h2>\n", escape(&run.name));
        }
        page += &slow(&run.prediction);
        page += &alarms(&run.prediction);
        page += &activities(&run.prediction);
    }
    page += &format!(
        "<footer>Predicted by the code of Allod's control plane in virtual time. Prices are AWS's list prices of {}, on demand, without \
         traffic and disks.</footer>\n</main>\n</body>\n</html>\n",
        prices::DATE
    );
    page
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let cells = |tag: &str, cells: &[String]| cells.iter().map(|c| format!("<{tag}>{}</{tag}>", escape(c))).collect::<String>();
    let head: Vec<String> = head.iter().map(|h| (*h).to_string()).collect();
    let rows: String = rows.map(|row| format!("<tr>{}</tr>\n", cells("td", &row))).collect();
    format!(
        "<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n",
        cells("th", &head)
    )
}

fn summary(runs: &[Run]) -> String {
    let all: Vec<_> = runs.iter().map(|r| facts(&r.prediction)).collect();
    let names: Vec<&str> = std::iter::once("").chain(runs.iter().map(|r| r.name.as_str())).collect();
    let count = all.first().map_or(0, Vec::len);
    let row = |i: usize| std::iter::once(all[0][i].0.to_string()).chain(all.iter().map(|f| f[i].1.clone())).collect();
    table(&names, (0..count).map(row))
}

fn charts(runs: &[Run]) -> String {
    let Some(first) = runs.first().map(|r| &r.prediction) else { return String::new() };
    let (bands, labels) = (bands(first), labels(first));
    let draw = |title: &str, unit: &str, lines: Vec<Line>, most: Option<f64>| {
        Chart { title, unit, lines, bands: &bands, labels: &labels, most }.svg()
    };
    // The second run's lines are dashed.
    let of = |classes: [&'static str; 2], name: &str, steps: bool, value: fn(&Point) -> f64| -> Vec<Line> {
        let line = |(index, run): (usize, &Run)| Line {
            class: classes[index.min(1)],
            name: if index == 0 { name.to_string() } else { format!("{name}, second") },
            values: run.prediction.points.iter().map(value).collect(),
            steps,
        };
        runs.iter().enumerate().map(line).collect()
    };
    let mut load = of(["l1", "l1 other"], "capacity", false, |x| x.capacity);
    load.extend(of(["l2", "l2 other"], "load", false, |x| x.load).into_iter().take(1));
    let mut size = of(["l1", "l1 other"], "in service", true, |x| x.in_service as f64);
    size.extend(of(["l3", "l3 other"], "desired", true, |x| f64::from(x.desired)));
    let mut cpu = of(["l1", "l1 other"], "CPU", false, |x| x.cpu * 100.0);
    if let Some(target) = first.cpu_target {
        cpu.push(Line { class: "goal", name: "target".into(), values: vec![target * 100.0; 2], steps: false });
    }
    let mut latency = of(["l2", "l2 other"], "p99", false, |x| x.p99_ms);
    latency.extend(of(["l1", "l1 other"], "p50", false, |x| x.p50_ms));
    let failed = of(["bad", "bad other"], "failed", false, |x| x.failed);
    let charts = [
        draw("Load and capacity", "requests a second", load, None),
        draw("Instances", "count", size, None),
        draw("Processor use", "percent", cpu, Some(100.0)),
        draw("Response time", "milliseconds", latency, None),
        draw("Failed requests", "a minute", failed, None),
    ];
    let note = if bands.is_empty() { "" } else { "<p class=\"note\">Shaded: an alarm was on.</p>\n" };
    format!("<section class=\"charts\">\n{}</section>\n{note}", charts.concat())
}

fn place(p: &Prediction, at: Time) -> f64 {
    (at.ms_since(p.from) as f64 / p.length.as_millis().max(1) as f64).min(1.0)
}

/// When any alarm for more capacity was on; one for less is on most of a quiet day and would hide the others.
fn bands(p: &Prediction) -> Vec<(f64, f64)> {
    let mut begun: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    let mut all = Vec::new();
    for note in p.alarms.iter().filter(|a| !a.alarm.contains("AlarmLow")) {
        let at = place(p, note.at);
        if note.state.as_str() == "ALARM" {
            begun.insert(&note.alarm, at);
        } else if let Some(from) = begun.remove(note.alarm.as_str()) {
            all.push((from, at));
        }
    }
    all.extend(begun.into_values().map(|from| (from, 1.0)));
    all
}

fn labels(p: &Prediction) -> Vec<(f64, String)> {
    let whole_days = p.length.as_secs() > 2 * 86_400;
    let label = |i: u32| {
        let at = (p.from + p.length * i / LABELS).iso8601_s();
        let text = if whole_days { &at[5..10] } else { &at[11..16] };
        (f64::from(i) / f64::from(LABELS), text.to_string())
    };
    (0..LABELS).map(label).collect()
}

fn slow(p: &Prediction) -> String {
    let held = held_by_maximum(p).map_or_else(String::new, |text| format!("<p>{text}</p>\n"));
    if p.slow.is_empty() {
        let never = if held.is_empty() { "<p>Never: capacity was enough all the time.</p>\n" } else { "" };
        return format!("<h3>Too slow</h3>\n{never}{held}");
    }
    let row = |s: &rehearsal::Slow| {
        let worst = if s.worst > 99.0 { "no capacity".into() } else { format!("{:.0} %", s.worst * 100.0) };
        vec![s.from.iso8601_s(), s.until.iso8601_s(), worst, number(s.failed), waits(s)]
    };
    let head = ["From", "Until", "Worst use", "Requests failed", "Waited for"];
    format!("<h3>Too slow</h3>\n{held}{}", table(&head, p.slow.iter().take(EVENTS_MAX).map(row)))
}

fn alarms(p: &Prediction) -> String {
    let row = |a: &rehearsal::AlarmNote| vec![a.at.iso8601_s(), a.alarm.clone(), a.state.as_str().into(), a.reason.clone()];
    events("Alarms", p.alarms.len(), &["At", "Alarm", "State", "Reason"], p.alarms.iter().map(row))
}

fn activities(p: &Prediction) -> String {
    let row = |a: &rehearsal::ActivityNote| vec![a.at.iso8601_s(), a.group.clone(), a.description.clone(), a.cause.clone()];
    events("Activities", p.activities.len(), &["At", "Group", "What", "Why"], p.activities.iter().map(row))
}

fn events(title: &str, count: usize, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    if count == 0 {
        return String::new();
    }
    let rest =
        if count > EVENTS_MAX { format!("<p class=\"note\">The first {EVENTS_MAX} of them.</p>\n") } else { String::new() };
    format!("<details>\n<summary>{title}: {count}</summary>\n{}{rest}</details>\n", table(head, rows.take(EVENTS_MAX)))
}
