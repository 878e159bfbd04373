//! `allod simulate`: usage, errors with their place, and what it prints.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::Rig;

const WEB_TIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../stacks/web-tier.yaml");

fn file(rig: &Rig, name: &str, text: &str) -> PathBuf {
    let path = rig.data.with_file_name(name);
    fs::write(&path, text).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn it_needs_no_region_and_makes_none() {
    let rig = Rig::new();
    let said = rig.good(&["simulate", WEB_TIER, "--load", "constant:60", "--for", "30m"]);
    for expected in ["web-tier.yaml under constant:60: 30 min from 2026-01-01T00:00:00Z", "60 a second", "2 instances", "108,000"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!rig.data.exists());
}

#[test]
fn wrong_loads_and_numbers_exit_with_2() {
    let rig = Rig::new();
    let bad = file(&rig, "bad.csv", "time,value\n0,5\n60,many\n");
    for (arguments, expected) in [
        (&["simulate", WEB_TIER][..], "--load"),
        (&["simulate", WEB_TIER, "--load", "constant:many"], "--load constant:many: \"many\" is no number"),
        (&["simulate", WEB_TIER, "--load", "saw:1..2"], "saw is no pattern of load: there are constant:RPS"),
        (&["simulate", WEB_TIER, "--load", "/nowhere/trace.csv"], "/nowhere/trace.csv: No such file"),
        (&["simulate", WEB_TIER, "--load", text(&bad)], "bad.csv:3: \"many\" is no number"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--for", "soon"], "no length of time"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--for", "1s"], "between one minute and 92 days"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--from", "noon"], "a moment is expected"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--boot-ms", "9..1"], "LEAST..MOST"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--cpu-ms", "30"], "cannot be more than its service time"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--concurrency", "0"], "at least"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--metric-period", "7"], "10, 20, 30 or 60"),
        (&["simulate", WEB_TIER, "--load", "constant:1", "--parameter", "MaxSize"], "KEY=VALUE"),
    ] {
        let said = rig.bad(arguments, 2);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn a_refused_template_is_told_with_its_place() {
    let rig = Rig::new();
    let broken =
        file(&rig, "broken.yaml", "Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlok: 10.0.0.0/16\n");
    let said = rig.bad(&["simulate", text(&broken), "--load", "constant:1"], 1);
    assert!(said.contains("broken.yaml:5:"), "{said}");
    let said = rig.bad(&["simulate", "/nowhere/a.yaml", "--load", "constant:1"], 1);
    assert_eq!(said, "allod: /nowhere/a.yaml: No such file or directory (os error 2)\n");
    let said = rig.bad(&["simulate", WEB_TIER, "--load", "constant:1", "--parameter", "MaxSize=500"], 1);
    assert!(said.contains("MaxSize"), "{said}");
}

#[test]
fn json_has_every_minute_and_the_same_seed_gives_the_same_text() {
    let rig = Rig::new();
    let trace = file(&rig, "trace.csv", "time,requests per minute\n2026-03-01T08:00Z,3000\n2026-03-01T08:30Z,6000\n");
    let arguments = ["simulate", WEB_TIER, "--load", text(&trace), "--output", "json", "--seed", "7"];
    let said = rig.good(&arguments);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    let run = &json["runs"][0];
    assert_eq!((run["from"].as_str(), run["seconds"].as_u64()), (Some("2026-03-01T08:00:00Z"), Some(3_600)));
    assert_eq!(run["points"].as_array().unwrap().len(), 60);
    assert_eq!((run["points"][0]["load"].as_f64(), run["points"][59]["load"].as_f64()), (Some(50.0), Some(100.0)));
    assert_eq!(run["totals"]["requests"].as_f64(), Some(270_000.0));
    assert!(run["cost"]["instances_usd"].as_f64().unwrap() > 0.0);
    assert_eq!(said, rig.good(&arguments));
}

#[test]
fn two_runs_stand_side_by_side() {
    let rig = Rig::new();
    let first = ["simulate", WEB_TIER, "--load", "constant:300", "--for", "30m", "--parameter", "MaxSize=2"];
    let second = ["MaxSize=4", "MinSize=4", "DesiredCapacity=4"].map(|p| ["--compare-parameter", p]).concat();
    let said = rig.good(&[&first[..], &second].concat());
    assert!(said.contains("Too slow") && said.contains("2.0 mean, 2 to 2") && said.contains("4.0 mean, 4 to 4"), "{said}");
}

/// The names of a page's elements that were opened and never closed, or closed and never opened.
fn unbalanced(page: &str) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut wrong = Vec::new();
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
        if tag.starts_with('!') || tag.ends_with('/') || name == "meta" {
            continue;
        }
        if !tag.starts_with('/') {
            open.push(name);
        } else if open.pop() != Some(name) {
            wrong.push(name.to_string());
        }
    }
    wrong.extend(open.into_iter().map(str::to_string));
    wrong
}

#[test]
fn the_report_is_one_well_formed_page_without_anything_from_outside() {
    let rig = Rig::new();
    // A name from outside that would be markup if it were not escaped.
    let template = file(&rig, "a<b>&\"c.yaml", &fs::read_to_string(WEB_TIER).unwrap());
    let page = rig.data.with_file_name("report.html");
    let arguments = ["simulate", text(&template), "--load", "step:50..400,at=10m", "--for", "30m", "--report", text(&page)];
    assert!(rig.good(&arguments).contains("The charts are in"));
    let page = fs::read_to_string(&page).unwrap();
    assert_eq!(unbalanced(&page), Vec::<String>::new());
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("a&lt;b&gt;&amp;&quot;c.yaml"), "{page}");
    for outside in ["a<b>", "http://", "https://", "<script", "@import", "url(", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<svg ").count(), 5);
    assert!(page.contains("prefers-color-scheme: dark") && !page.contains("NaN") && !page.contains("inf"), "{page}");
    let said = rig.bad(&["simulate", WEB_TIER, "--load", "constant:1", "--for", "1m", "--report", "/nowhere/r.html"], 1);
    assert!(said.contains("/nowhere/r.html: No such file"), "{said}");
}
