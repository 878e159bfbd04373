//! Rules for every text: its length, its ends of lines, and no paths of anyone's machine.

use super::Finding;
use super::tree::File;

/// Files stay under this many lines; a longer one is split by resource.
const LINES_MAX: usize = 500;
/// Names that say nothing of what a file is about.
const EMPTY_NAMES: [&str; 5] = ["common", "helper", "manager", "misc", "util"];
/// Beginnings of paths that exist only on a developer's machine. Split, so that this file passes its own rule.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/work", "/main"), concat!("/work", "/shared"), concat!("/root", "/."), concat!("/home", "/user")];

pub fn check(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if file.is_rust() && !file.is_generated() && lines >= LINES_MAX {
        findings.push(Finding::of(file, format!("has {lines} lines; split it by resource before it has {LINES_MAX}")));
    }
    let stem = file.name().split('.').next().unwrap_or_default();
    if EMPTY_NAMES.iter().any(|name| stem == *name || stem == format!("{name}s")) {
        findings.push(Finding::of(file, "has a name that says nothing: name it after what it is about"));
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::of(file, "does not end with a line end"));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::at(file, number, "has blanks at the end of the line"));
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(*path)) {
            findings.push(Finding::at(file, number, format!("names a path of somebody's machine: {path}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::File;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&File { path: path.into(), text: text.into() }, &mut findings);
        findings.into_iter().map(|f| format!("{}: {}", f.place, f.what)).collect()
    }

    #[test]
    fn finds_what_breaks_a_rule() {
        for (path, text, wanted) in [
            ("a.md", "good \n", "a.md:1: has blanks"),
            ("a.md", "no end", "does not end"),
            ("x/utils.rs", "//! x\n", "says nothing"),
            ("a.sh", &format!("cd {}\n", concat!("/work", "/main")), "somebody's machine"),
            ("a.rs", &"// x\n".repeat(500), "has 500 lines"),
        ] {
            let got = findings(path, text);
            assert!(got.len() == 1 && got[0].contains(wanted), "{path}: {got:?}");
        }
    }

    #[test]
    fn lets_the_rest_be() {
        for (path, text) in [("a.md", ""), ("a.rs", "//! x\n"), ("front/shapes/src/ec2.rs", &"// x\n".repeat(900))] {
            assert_eq!(findings(path, text), Vec::<String>::new(), "{path}");
        }
    }
}
