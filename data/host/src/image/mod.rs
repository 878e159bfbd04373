//! Imported images: a directory each, with `image.json` that says what it is and `rootfs/` that holds its files.

mod archive;
mod import;
mod layer;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use world::RunPaths;

pub use import::{ImportError, Imported, import};

use crate::failure::{During, Failure, Result};
use crate::naming;

/// What an image lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// This machine's `/usr` with the skeleton of `ami-host`; the image is a layer over it.
    Host,
    /// Nothing: the image is a whole root file system.
    None,
}

/// The contents of `image.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    pub base: Base,
    /// Program and arguments that init keeps running; empty when the image brings none.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default = "root_directory")]
    pub working_dir: PathBuf,
    /// `UID[:GID]` or names that the image's `/etc/passwd` knows; root when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

fn root_directory() -> PathBuf {
    "/".into()
}

/// What init keeps running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub user: Option<String>,
}

impl Service {
    pub fn name(&self) -> String {
        self.arguments.first().cloned().unwrap_or_default()
    }
}

impl Manifest {
    pub(crate) fn service(&self) -> Option<Service> {
        (!self.entrypoint.is_empty()).then(|| Service {
            arguments: self.entrypoint.clone(),
            environment: self.env.clone(),
            directory: self.working_dir.clone(),
            user: self.user.clone(),
        })
    }
}

/// Reads the manifest of the image in directory `location`, and gives the path of its files.
pub(crate) fn load(paths: &RunPaths, location: &str) -> Result<(Manifest, PathBuf)> {
    if !naming::is_plain(location) {
        return Err(Failure::new(format!("{location:?} is no location of an image")));
    }
    let directory = paths.images().join(location);
    let manifest = read(&directory.join("image.json")).during(format_args!("reading the image {location}"))?;
    Ok((manifest, directory.join("rootfs")))
}

fn read(path: &Path) -> std::io::Result<Manifest> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
