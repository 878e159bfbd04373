//! Rules for the crates' manifests: what the workspace says once is not said again.

use super::Finding;
use super::tree::File;

const INHERITED: [&str; 5] = [
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "publish.workspace = true",
];

pub fn check(file: &File, findings: &mut Vec<Finding>) {
    if file.name() != "Cargo.toml" || file.path == "Cargo.toml" {
        return;
    }
    for line in INHERITED {
        if !file.text.lines().any(|l| l == line) {
            findings.push(Finding::of(file, format!("lacks `{line}`")));
        }
    }
    // Those of data/ allow unsafe code, which cannot be said beside the workspace's lints.
    if !file.text.contains("[lints]\nworkspace = true") && !file.path.starts_with("data/") {
        findings.push(Finding::of(file, "lacks the workspace's lints"));
    }
    let mut section = "";
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.starts_with('[') {
            section = line;
        }
        let names_version = line.contains("version = \"") || (line.contains(" = \"") && !line.contains("path"));
        if section.ends_with("dependencies]") && names_version && !line.starts_with('#') {
            findings.push(Finding::at(file, number, "names a version: versions are in the root Cargo.toml"));
        }
    }
    let library = file.text.contains("[lib]");
    if library && !file.text.contains("doctest = false") {
        findings.push(Finding::of(file, "has a library with doctests: say `doctest = false`"));
    }
}
