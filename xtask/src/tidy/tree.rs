//! The files of the project: everything in the working tree but what is built or belongs to git.

use std::fs;
use std::path::{Path, PathBuf};

/// Endings of the texts that are looked at, and names of those without one.
const ENDINGS: [&str; 11] = ["css", "html", "idl", "js", "md", "py", "rs", "sh", "toml", "txt", "yaml"];
const NAMES: [&str; 4] = ["Dockerfile", "Makefile", "rc.local", "run"];
const SKIPPED: [&str; 5] = [".git", ".pytest_cache", "__pycache__", "node_modules", "target"];

pub struct File {
    /// From the root of the workspace, with slashes.
    pub path: String,
    pub text: String,
}

impl File {
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Written by `cargo xtask shapes`, or an interface description: as long as AWS's interfaces are.
    pub fn is_generated(&self) -> bool {
        self.path.starts_with("front/shapes/src/") || self.path.ends_with(".idl")
    }
}

/// Reads all of them, in order of their paths.
pub fn read(root: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    directories.push(path);
                }
            } else if is_text(&path, &name) {
                files.push(file(root, &path)?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_text(path: &Path, name: &str) -> bool {
    NAMES.contains(&name) || path.extension().is_some_and(|e| ENDINGS.iter().any(|ending| e == *ending))
}

fn file(root: &Path, path: &PathBuf) -> Result<File, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let relative = path.strip_prefix(root).unwrap_or(path);
    Ok(File { path: relative.to_string_lossy().replace('\\', "/"), text })
}
