//! Examples of other crates, which this one does not use, so that it measures what is built as users build it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use bench::{Result, fail};

use crate::Settings;

/// Builds an example in release and gives its program.
pub fn example(settings: &Settings, package: &str, name: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--package", package, "--example", name]);
    let built = cargo.current_dir(&settings.root).stdin(Stdio::null()).output()?;
    if built.status.success() {
        return Ok(settings.root.join("target/release/examples").join(name));
    }
    let error = String::from_utf8_lossy(&built.stderr);
    fail(error.lines().next().unwrap_or("cargo says nothing").to_string())
}
