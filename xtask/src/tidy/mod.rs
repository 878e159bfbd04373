//! `cargo xtask tidy`: the rules of the house that a machine can check. Each rule says what is wrong in one line,
//! with the file and the line; nothing is changed.

mod arrows;
mod manifests;
mod rust;
mod text;
mod tree;

use std::path::Path;

use tree::File;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// `path:line`, or a path alone.
    pub place: String,
    pub what: String,
}

impl Finding {
    fn at(file: &File, line: usize, what: impl Into<String>) -> Self {
        Self { place: format!("{}:{line}", file.path), what: what.into() }
    }

    fn of(file: &File, what: impl Into<String>) -> Self {
        Self { place: file.path.clone(), what: what.into() }
    }
}

/// Checks the whole tree at `root`.
pub fn run(root: &Path) -> Result<(), String> {
    let files = tree::read(root)?;
    let mut findings = arrows::check(root)?;
    for file in &files {
        text::check(file, &mut findings);
        rust::check(file, &mut findings);
        manifests::check(file, &mut findings);
    }
    if findings.is_empty() {
        return Ok(());
    }
    for Finding { place, what } in &findings {
        println!("{place}: {what}");
    }
    Err(format!("{} findings", findings.len()))
}
