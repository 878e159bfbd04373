use std::collections::BTreeMap;

use base::{ImageId, InstanceId};
use serde::{Deserialize, Serialize};

use crate::Interface;

/// An instance as the host runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    /// Counts boots: it grows when the instance must start anew (start after stop, reboot). Observations carry it.
    pub generation: u64,
    pub power: Power,
    pub image: Image,
    /// Share of the machine's processor time, in thousandths of a core.
    pub cpu_millicores: u32,
    pub memory_bytes: u64,
    pub interface: Interface,
    /// Host name inside, such as `ip-10-0-1-23`.
    pub hostname: String,
    /// Decoded user data; run once, as root, at the first boot when it starts with `#!`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Vec<u8>>,
    pub metadata: Metadata,
    /// How long a graceful stop may take before the instance is killed.
    pub stop_grace_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    On,
    /// Stopped, its disk kept.
    Off,
}

/// Where an instance's root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Image {
    /// This machine's own `/usr` with a skeleton of our own.
    Host,
    /// An imported image. `location` is its directory's name under the host's image directory; what it is (a
    /// layer over `Host` or a root file system of its own, an entry point) stands in the directory itself.
    Imported { id: ImageId, location: String },
}

/// What the instance metadata service answers to this instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Path below `/latest/` without a leading slash (`meta-data/instance-id`) to text.
    pub entries: BTreeMap<String, String>,
    /// Requests without a session token are refused (`HttpTokens=required`).
    pub tokens_required: bool,
    /// Off: every request is refused (`HttpEndpoint=disabled`).
    pub enabled: bool,
    /// 1 to 64.
    pub hop_limit: u8,
}
