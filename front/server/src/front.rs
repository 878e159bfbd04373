//! What the edge says of itself, in `run/edge-front.json`: which process it is, and where users reach each listener.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value as Json, json};

use crate::http::Region;

/// The report as it was when it was read; empty when there is none.
pub(crate) struct Front(Json);

impl Front {
    pub(crate) fn read(region: &Region) -> Self {
        let report = fs::read(region.paths.edge_front_report()).unwrap_or_default();
        Self(serde_json::from_slice(&report).unwrap_or_default())
    }

    /// Process, version, and whether it is of another binary than one that was started now would be.
    pub(crate) fn edge(&self) -> Json {
        let Some(pid) = self.0["pid"].as_u64().filter(|pid| *pid > 0) else { return Json::Null };
        json!({"pid": pid, "version": self.0["version"], "outdated": is_outdated(pid)})
    }

    /// Where users really reach a listener: on another port where its own could not be had.
    pub(crate) fn url(&self, listener: &str) -> Option<String> {
        let of_it = self.listeners().find(|l| l["listener"] == listener)?;
        of_it["url"].as_str().map(str::to_string)
    }

    /// Zones of a load balancer that have too few healthy targets for users to be sent there.
    pub(crate) fn failed_zones(&self, load_balancer: &str) -> Vec<String> {
        let of_it = self.listeners().find(|l| l["load_balancer"] == load_balancer);
        let zones = of_it.and_then(|l| l["failed_zones"].as_array()).into_iter().flatten();
        zones.filter_map(|zone| zone.as_str().map(str::to_string)).collect()
    }

    fn listeners(&self) -> impl Iterator<Item = &Json> {
        self.0["listeners"].as_array().into_iter().flatten()
    }
}

/// A process that is gone is not: the next one comes by itself.
fn is_outdated(pid: u64) -> bool {
    let identity = |file: fs::Metadata| (file.dev(), file.ino());
    let running = fs::metadata(format!("/proc/{pid}/exe")).map(identity);
    let installed = crate::binary().and_then(fs::metadata).map(identity);
    matches!((running, installed), (Ok(running), Ok(installed)) if running != installed)
}
