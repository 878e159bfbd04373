//! Rules for Rust's sources: heads of modules, what tests may not do, and that `control/` stays pure.

use super::Finding;
use super::tree::File;

/// Widest comment; rustfmt sees to the code.
const COLUMNS_MAX: usize = 130;
/// Longest pause between two looks of a test that polls.
const POLL_MS_MAX: u64 = 50;

/// What would make `control/` depend on a clock, a thread or the machine. `kernel` may: it writes the journal.
const IMPURE: [&str; 8] =
    ["Instant::now", "SystemTime::now", "std::thread", "thread::sleep", "tokio::", "TcpStream", "std::process", "std::env"];
const FILES: &str = "std::fs";
/// The places of `control/` that touch files: the ports of the journal and of the samples.
const PORTS: [&str; 2] = ["control/kernel/", "control/metrics/src/file_keep.rs"];

/// Said beside a sleep that is the subject of a test (a server that is slow), not a way to wait.
const ON_PURPOSE: &str = "// slow on purpose";

/// Marks of what is not finished. Split, so that this file passes its own rule.
const UNFINISHED: [&str; 3] = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ig", "nore")];

pub fn check(file: &File, findings: &mut Vec<Finding>) {
    if !file.is_rust() {
        return;
    }
    if ["lib.rs", "main.rs", "mod.rs"].contains(&file.name()) && !file.text.starts_with("//!") {
        findings.push(Finding::of(file, "has no head: say with //! what it owns and never does"));
    }
    if is_stray_test(&file.path) {
        findings.push(Finding::of(file, "is a test binary of its own: put it into tests/it"));
    }
    let pure = file.path.starts_with("control/") && file.path.contains("/src/");
    let (mut in_tests, mut for_tests) = (file.path.contains("/tests/") || file.path.ends_with("tests.rs"), false);
    for (number, line) in (1..).zip(file.text.lines()) {
        let code = line.trim_start();
        // A module of tests is a file's end; any other item for them ends somewhere before, and some modules are other files.
        in_tests |= for_tests && code.starts_with("mod ") && !code.ends_with(';');
        for_tests = code.starts_with("#[cfg(test)]") || (for_tests && code.starts_with("#["));
        let is_comment = code.starts_with("//");
        let columns = line.chars().count();
        if is_comment && columns > COLUMNS_MAX {
            findings.push(Finding::at(file, number, format!("the comment has {columns} columns, more than {COLUMNS_MAX}")));
        }
        if is_comment {
            continue;
        }
        if let Some(mark) = UNFINISHED.iter().find(|mark| code.contains(*mark)) {
            findings.push(Finding::at(file, number, format!("{mark} is unfinished work: finish it or leave it out")));
        }
        if in_tests && sleeps_long(code) {
            findings.push(Finding::at(
                file,
                number,
                format!("a test sleeps: poll with a deadline, every {POLL_MS_MAX} ms at most (or say `{ON_PURPOSE}`)"),
            ));
        }
        if pure && !in_tests {
            impurity(file, number, code, findings);
        }
        if is_unsafe(code) && !file.path.starts_with("data/") {
            findings.push(Finding::at(file, number, "unsafe code is for data/ only"));
        }
    }
}

fn is_stray_test(path: &str) -> bool {
    path.split_once("/tests/").is_some_and(|(crate_root, rest)| !crate_root.contains("/src") && !rest.contains('/'))
}

fn impurity(file: &File, number: usize, code: &str, findings: &mut Vec<Finding>) {
    let port = PORTS.iter().any(|port| file.path.starts_with(port));
    let found = IMPURE.iter().find(|word| code.contains(*word)).or_else(|| (code.contains(FILES) && !port).then_some(&FILES));
    if let Some(word) = found {
        findings.push(Finding::at(file, number, format!("{word} in control/: time, randomness and IO come in from outside")));
    }
    if code.contains(".await") {
        findings.push(Finding::at(file, number, ".await in control/: the state has one thread that never waits"));
    }
}

/// Whether the line sleeps for anything else than a short, plainly written time.
fn sleeps_long(code: &str) -> bool {
    // A thread's, or a task's of tokio.
    let Some((before, rest)) = code.split_once("::sleep(") else {
        return false;
    };
    let is_quoted = before.contains('"');
    if is_quoted || rest.contains(ON_PURPOSE) || rest.contains("from_micros(") {
        return false;
    }
    let number = rest.split_once("from_millis(").map(|(_, n)| n.split(')').next().unwrap_or_default());
    number.is_none_or(|n| n.replace('_', "").parse::<u64>().is_ok_and(|ms| ms > POLL_MS_MAX))
}

fn is_unsafe(code: &str) -> bool {
    ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"].iter().any(|word| code.contains(word)) && !code.contains('"')
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
            ("a/src/lib.rs", "mod x;\n".to_string(), "has no head"),
            ("a/tests/one.rs", String::new(), "put it into tests/it"),
            ("a/src/x.rs", format!("// {}\n", "x".repeat(130)), "133 columns"),
            ("a/src/x.rs", format!("    {}\n", concat!("todo", "!()")), "unfinished"),
            ("a/tests/it/x.rs", "thread::sleep(Duration::from_secs(1));\n".into(), "a test sleeps"),
            ("a/tests/it/x.rs", "thread::sleep(Duration::from_millis(500));\n".into(), "a test sleeps"),
            ("a/tests/it/x.rs", "thread::sleep(Duration::from_millis(2_100));\n".into(), "a test sleeps"),
            ("a/tests/it/x.rs", "tokio::time::sleep(Duration::from_secs(1)).await;\n".into(), "a test sleeps"),
            ("control/x/src/x.rs", "let now = Instant::now();\n".into(), "in control/"),
            ("control/x/src/x.rs", "use std::fs::File;\n".into(), "std::fs in control/"),
            ("control/x/src/x.rs", "#[cfg(test)]\nmod tests;\nuse std::fs::File;\n".into(), "std::fs in control/"),
            ("control/x/src/x.rs", "#[cfg(test)]\nfn y() {}\nuse std::fs::File;\n".into(), "std::fs in control/"),
            ("a/src/x/tests.rs", "thread::sleep(PAUSE);\n".into(), "a test sleeps"),
            ("front/x/src/x.rs", "unsafe { x() }\n".into(), "data/ only"),
        ] {
            let got = findings(path, &text);
            assert!(got.len() == 1 && got[0].contains(wanted), "{path} {text}: {got:?}");
        }
    }

    #[test]
    fn lets_the_rest_be() {
        for (path, text) in [
            ("a/src/lib.rs", "//! Head.\n"),
            ("a/tests/it/main.rs", "//! Head.\nthread::sleep(Duration::from_millis(5));\n"),
            ("a/src/x.rs", "thread::sleep(PAUSE);\n"),
            ("a/tests/it/x.rs", "thread::sleep(LONG); // slow on purpose\n"),
            ("control/kernel/src/x.rs", "use std::fs::File;\n"),
            ("control/x/src/x.rs", "#[cfg(test)]\nmod tests { use std::fs; }\n"),
            ("control/x/src/x.rs", "#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use std::fs;\n}\n"),
            ("a/src/x.rs", "#[cfg(test)]\nfn x() {}\nfn y() {\n    tokio::time::sleep(PAUSE).await;\n}\n"),
            ("control/x/src/x_tests.rs", "use std::fs;\n"),
            ("data/x/src/x.rs", "unsafe { x() }\n"),
        ] {
            assert_eq!(findings(path, text), Vec::<String>::new(), "{path} {text}");
        }
    }
}
