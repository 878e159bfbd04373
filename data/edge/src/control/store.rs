//! The last configuration on disk, so that an edge that was killed comes back by itself: `run/edge-config.json`. It
//! also holds the health of targets, so that a healthy target need not wait for its first check again.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use world::{LoadBalancer, RegisteredTarget, RunPaths, TargetHealth, TargetKey};

use crate::files::{Readers, write_atomically};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stored {
    pub balancers: Vec<StoredBalancer>,
    #[serde(default)]
    pub targets: Vec<StoredTarget>,
    pub health: Vec<StoredHealth>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredBalancer {
    pub version: u64,
    pub balancer: LoadBalancer,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredTarget {
    pub version: u64,
    pub registered: RegisteredTarget,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredHealth {
    pub load_balancer: String,
    pub group: String,
    pub target: TargetKey,
    pub generation: u64,
    pub health: TargetHealth,
}

pub fn path(paths: &RunPaths) -> PathBuf {
    paths.run().join("edge-config.json")
}

pub fn save(paths: &RunPaths, stored: &Stored) -> io::Result<()> {
    write_atomically(&path(paths), &serde_json::to_vec(stored)?, Readers::Owner)
}

/// What was saved last; nothing when there is no file. One that cannot be read is reported and ignored: `serve` tells
/// everything anew.
pub fn load(paths: &RunPaths) -> Stored {
    let path = path(paths);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Stored::default(),
        Err(e) => {
            tracing::error!("{}: {e}", path.display());
            return Stored::default();
        }
    };
    serde_json::from_slice(&bytes).unwrap_or_else(|e| {
        tracing::error!("{} is not understood and ignored: {e}", path.display());
        Stored::default()
    })
}
