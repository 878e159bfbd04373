//! Connections to targets: opened, lent to one exchange at a time, kept while idle.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::Worker;
use super::watch::{Role, Watch};
use crate::clock::now_ms;
use crate::metrics::{Open, ZoneCounters};
use crate::snapshot::Quick;
use crate::stream::Stream;
use crate::target::Target;
use crate::tls::outgoing::Speaks;

/// Idle connections that a worker keeps to one target.
const IDLE_MAX: usize = 256;
/// Longest idle life of a connection.
const IDLE_MS_MAX: u64 = 60_000;

/// A connection to a target. The watch goes before the socket.
#[derive(Debug)]
pub struct Upstream {
    pub watch: Watch,
    pub stream: Stream,
    /// It has carried an exchange before.
    pub reused: bool,
    idle_since: u64,
    _open: Open,
}

/// How sure one must be that a connection is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As far as the runtime has been told.
    Known,
    /// The kernel is asked as well: it may know of a close that the runtime has not seen yet.
    Asked,
}

/// Idle connections by target; those used last are used next, and those used first give way.
#[derive(Debug, Default)]
pub struct Pool {
    idle: RefCell<HashMap<u64, VecDeque<Upstream>, Quick>>,
}

impl Pool {
    /// A connection that is still open and has been idle for no longer than this.
    pub fn take(&self, target: u64, idle_ms_max: u64, freshness: Freshness) -> Option<Upstream> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.get_mut(&target)?;
        let oldest = now_ms().saturating_sub(idle_ms_max);
        while let Some(mut upstream) = kept.pop_back_if(|u| u.idle_since >= oldest) {
            if upstream.stream.is_quiet() && (freshness == Freshness::Known || upstream.is_quiet_in_kernel()) {
                return Some(upstream);
            }
        }
        None
    }

    pub fn give_back(&self, target: u64, mut upstream: Upstream) {
        upstream.reused = true;
        upstream.idle_since = now_ms();
        let mut idle = self.idle.borrow_mut();
        let kept = idle.entry(target).or_default();
        if kept.len() == IDLE_MAX {
            kept.pop_front();
        }
        kept.push_back(upstream);
    }

    /// Closes all idle connections of a target: one was found dead.
    pub fn forget(&self, target: u64) {
        self.idle.borrow_mut().remove(&target);
    }

    /// Keeps only the connections of targets that `keep` names.
    pub fn retain(&self, keep: impl Fn(u64) -> bool) {
        self.idle.borrow_mut().retain(|target, _| keep(*target));
    }

    /// Closes what has been idle for too long, or was closed by its target.
    pub fn sweep(&self) {
        let oldest = now_ms().saturating_sub(IDLE_MS_MAX);
        self.idle.borrow_mut().retain(|_, kept| {
            kept.retain_mut(|u| u.idle_since >= oldest && u.stream.is_quiet());
            !kept.is_empty()
        });
    }
}

impl Upstream {
    fn is_quiet_in_kernel(&self) -> bool {
        let mut byte = [0];
        matches!(recv(&self.stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT), Err(Errno::AGAIN))
    }
}

impl Worker {
    /// Opens a connection to a target, on behalf of a load balancer in one of its zones.
    pub async fn connect(&self, target: &Target, zone: &Arc<ZoneCounters>, within: Duration) -> io::Result<Upstream> {
        let connecting = self.connector.open(&target.from, target.address, target.secure.then_some(Speaks::Http1));
        let stream = tokio::time::timeout(within, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let watch = self.watches.watch(&stream, Role::Target(target.number));
        Ok(Upstream { watch, stream, reused: false, idle_since: 0, _open: Open::new(zone, self.index) })
    }
}
