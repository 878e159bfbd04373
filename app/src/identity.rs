//! Who this instance is.

use std::net::SocketAddr;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::limits::IDENTITY_WAIT_MAX;
use crate::{log, metadata};

/// The instance's id and zone, and how they are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub instance_id: String,
    pub availability_zone: String,
    pub source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    InstanceMetadata,
    Environment,
    HostName,
}

/// Where to learn it from.
pub struct Sources {
    /// The metadata service, if it shall be asked.
    pub metadata: Option<SocketAddr>,
    /// What holds when the metadata service is silent.
    pub fallback: Identity,
}

impl Identity {
    /// What the environment says; the host name stands in for an id.
    pub fn without_metadata(instance_id: Option<String>, availability_zone: Option<String>) -> Self {
        let source = if instance_id.is_some() { Source::Environment } else { Source::HostName };
        let host_name = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            instance_id: instance_id.unwrap_or_else(host_name),
            availability_zone: availability_zone.unwrap_or_else(|| "unknown".into()),
            source,
        }
    }
}

/// The identity, or for a moment after the start: not yet.
pub struct Known(watch::Receiver<Progress>);

struct Progress {
    identity: Identity,
    settled: bool,
}

impl Known {
    /// The identity, for which it waits a little while it is still being learned.
    pub async fn get(&self) -> Identity {
        let mut progress = self.0.clone();
        // Too late or never settled: what is known so far is the answer.
        timeout(IDENTITY_WAIT_MAX, progress.wait_for(|p| p.settled)).await.ok();
        self.0.borrow().identity.clone()
    }
}

/// Starts to learn the identity in the background.
pub fn learn(sources: Sources) -> Known {
    let settled = sources.metadata.is_none();
    let (sender, receiver) = watch::channel(Progress { identity: sources.fallback, settled });
    tokio::spawn(async move {
        let asked = match sources.metadata {
            Some(service) => metadata::ask(service).await.map_err(|e| log(&e)).ok(),
            None => None,
        };
        sender.send_modify(|progress| {
            progress.identity = asked.unwrap_or_else(|| progress.identity.clone());
            progress.settled = true;
        });
        let Identity { instance_id, availability_zone, source } = sender.borrow().identity.clone();
        log(&format!("this is {instance_id} in zone {availability_zone}, says {}", source.in_words()));
    });
    Known(receiver)
}

impl Source {
    fn in_words(self) -> &'static str {
        match self {
            Source::InstanceMetadata => "the instance metadata service",
            Source::Environment => "the environment",
            Source::HostName => "the host name",
        }
    }
}
