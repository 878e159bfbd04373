//! Which crate uses which: `cargo metadata` against `docs/dependencies.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use super::Finding;

const LIST: &str = "docs/dependencies.txt";
/// What everyone may use without its being listed.
const EVERYONES: &str = "base";

type Arrows = BTreeMap<String, BTreeSet<String>>;

pub fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let allowed = std::fs::read_to_string(root.join(LIST)).map_err(|e| format!("{LIST}: {e}"))?;
    Ok(compare(&parse(&allowed)?, &used(&metadata(root)?)))
}

fn metadata(root: &Path) -> Result<Json, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root);
    let output = command.output().map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

/// The arrows between crates of the workspace, of any kind of dependency.
fn used(metadata: &Json) -> Arrows {
    let list = |json: &Json| json.as_array().cloned().unwrap_or_default();
    let name = |json: &Json| json["name"].as_str().unwrap_or_default().to_string();
    let packages = list(&metadata["packages"]);
    let members: BTreeSet<String> = packages.iter().map(name).collect();
    let targets = |package: &Json| list(&package["dependencies"]).iter().map(name).filter(|n| members.contains(n)).collect();
    packages.iter().map(|package| (name(package), targets(package))).collect()
}

fn parse(text: &str) -> Result<Arrows, String> {
    let mut arrows = Arrows::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (from, to) = line.split_once("->").ok_or_else(|| format!("{LIST}:{number}: `crate -> crates` is expected"))?;
        let to = to.split_whitespace().map(str::to_string).collect();
        if arrows.insert(from.trim().into(), to).is_some() {
            return Err(format!("{LIST}:{number}: {} is there twice", from.trim()));
        }
    }
    Ok(arrows)
}

fn compare(allowed: &Arrows, used: &Arrows) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |what: String| findings.push(Finding { place: LIST.into(), what });
    let none = BTreeSet::new();
    for (from, targets) in used {
        let Some(listed) = allowed.get(from) else {
            find(format!("the crate {from} is not listed"));
            continue;
        };
        for to in targets.difference(listed).filter(|to| *to != EVERYONES) {
            find(format!("{from} may not use {to}"));
        }
        for to in listed.difference(targets) {
            find(format!("{from} -> {to} is allowed, but not used: take it out"));
        }
    }
    for (from, _) in allowed.iter().filter(|(from, _)| !used.contains_key(*from)) {
        find(format!("there is no crate {from}"));
    }
    for (from, targets) in allowed {
        if targets.contains(from) || used.get(from).unwrap_or(&none).contains(from) {
            find(format!("{from} uses itself"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{compare, parse};

    fn check(allowed: &str, used: &str) -> Vec<String> {
        let arrows = |text| parse(text).expect("well written");
        compare(&arrows(allowed), &arrows(used)).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn finds_arrows_that_are_not_allowed() {
        let list = "# a comment\n\nbase ->\na -> b\nb ->\n";
        assert_eq!(check(list, "base ->\na -> b base\nb -> base\n"), Vec::<String>::new());
        assert_eq!(check(list, "base ->\na -> b\nb -> a\n"), ["b may not use a"]);
        assert_eq!(check(list, "base ->\na ->\nb ->\n"), ["a -> b is allowed, but not used: take it out"]);
        assert_eq!(check(list, "base ->\na -> b\nb ->\nc ->\n"), ["the crate c is not listed"]);
        assert_eq!(check(list, "base ->\na -> b\n"), ["there is no crate b"]);
        assert!(parse("a b\n").is_err() && parse("a ->\na ->\n").is_err());
    }
}
