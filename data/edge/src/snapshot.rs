//! The configuration as the workers route by it: whole, immutable, and replaced at once.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use world::HttpAttributes;

use crate::flow;
use crate::http::forward::{AnswerHeaders, ListenerHeaders, PLAIN, split_port};
use crate::log::SiteLog;
use crate::metrics::ZoneCounters;
use crate::route::Route;
use crate::target::NodeFlags;
use crate::tls::Agreed;
use crate::tls::listener::Front;

/// Hashes what is looked up with every request.
pub type Quick = foldhash::fast::RandomState;

/// Everything a worker needs to know.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// By the address on which a connection came in.
    pub doors: HashMap<SocketAddr, Door, Quick>,
    /// By the address on which a datagram came in.
    pub datagrams: HashMap<SocketAddr, Arc<flow::Site>, Quick>,
    /// Numbers of the targets that may keep idle connections.
    pub targets: HashSet<u64, Quick>,
}

/// Who is served at an address.
#[derive(Debug, Default)]
pub struct Door {
    /// HTTP listeners.
    pub sites: Vec<Arc<Site>>,
    /// HTTPS listeners, in the order of those in `front`.
    pub secure: Vec<Arc<Site>>,
    /// How they speak TLS; none where there are none.
    pub front: Option<Arc<Front>>,
    /// The listener of a network load balancer, which shares its address with nobody.
    pub flow: Option<Arc<flow::Site>>,
}

impl Door {
    /// The idle timeout where no load balancer says another: AWS's default.
    pub const IDLE_MS: u64 = 60_000;

    /// How long its clients may be silent, in milliseconds.
    pub fn idle_timeout_ms(&self) -> u64 {
        self.sites.iter().chain(&self.secure).next().map_or(Self::IDLE_MS, |site| site.balancer.idle_timeout_ms)
    }

    /// The listeners that a connection of this kind may reach.
    pub fn sites(&self, tls: Option<&Agreed>) -> &[Arc<Site>] {
        if tls.is_some() { &self.secure } else { &self.sites }
    }

    /// Whether those who came by plain text, as all did, find nobody any more who speaks it.
    pub fn falls_silent(&self, later: &Door) -> bool {
        self.secure.is_empty() && !self.sites.is_empty() && later.speaks_tls_only()
    }

    pub fn speaks_tls_only(&self) -> bool {
        self.sites.is_empty() && !self.secure.is_empty()
    }

    /// What answers get here that are to no request: as the listener wants that alone may have been called.
    pub fn answer_headers(&self, tls: Option<&Agreed>) -> &AnswerHeaders {
        // Plain text where only TLS is spoken was for the one who speaks that.
        let called = if tls.is_none() && self.speaks_tls_only() { site_for(&self.secure, None) } else { self.site(tls, None) };
        called.map_or(&PLAIN, |site| &site.headers.answers)
    }

    /// The listener that serves this host. A connection whose client named a listener in its greeting reaches that one and no
    /// other, so that what was agreed there, clients' certificates too, holds for all its requests.
    pub fn site(&self, tls: Option<&Agreed>, host: Option<&str>) -> Option<&Arc<Site>> {
        let (Some(agreed), Some(front)) = (tls, &self.front) else { return site_for(&self.sites, host) };
        match &agreed.listener {
            Some(id) => front.find(id).and_then(|index| self.secure.get(index)),
            None => {
                let site = site_for(&self.secure, host)?;
                let index = self.secure.iter().position(|other| Arc::ptr_eq(other, site))?;
                front.is_open(index).then_some(site)
            }
        }
    }
}

/// A listener of a load balancer at one of its nodes.
#[derive(Debug)]
pub struct Site {
    pub balancer: Arc<Balancer>,
    pub route: Arc<Route>,
    /// Number of the node among the load balancer's.
    pub node: usize,
    /// Its listener speaks TLS.
    pub https: bool,
    pub headers: Arc<ListenerHeaders>,
    pub counters: Arc<ZoneCounters>,
    /// None when nothing is logged.
    pub log: Option<Arc<SiteLog>>,
    /// The same listener at the other nodes, where the address is one that all share.
    pub others: Vec<Arc<Site>>,
    /// Nodes to which nobody comes by such an address.
    pub left_out: Arc<NodeFlags>,
}

impl Site {
    /// The listener at the node that a connection is for. Who has asked DNS comes to all nodes alike, but for those in zones
    /// with too few healthy targets while there are others ("ELB User Guide, Target group health: DNS failover"): so do those
    /// who come by an address that all share.
    pub fn of_connection(self: &Arc<Self>, serial: u64) -> &Arc<Self> {
        if self.others.is_empty() {
            return self;
        }
        let all = || std::iter::once(self).chain(&self.others);
        let named = || all().filter(|site| !self.left_out.is_set(site.node));
        let nth = |count: usize| usize::try_from(serial).unwrap_or_default().checked_rem(count).unwrap_or_default();
        named().nth(nth(named().count())).or_else(|| all().nth(nth(all().count()))).unwrap_or(self)
    }

    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// What a load balancer's listeners have in common.
#[derive(Debug)]
pub struct Balancer {
    /// In lower case.
    pub dns_name: String,
    pub idle_timeout_ms: u64,
    pub client_keep_alive_ms: u64,
    pub preserve_host: bool,
    pub drop_invalid: bool,
    pub http: HttpAttributes,
}

/// The listener that serves this host among those which share an address; the only one serves every host.
pub fn site_for<'a>(sites: &'a [Arc<Site>], host: Option<&str>) -> Option<&'a Arc<Site>> {
    if let [only] = sites {
        return Some(only);
    }
    let (name, _) = split_port(host?);
    let name = name.strip_suffix('.').unwrap_or(name);
    sites.iter().find(|s| s.balancer.dns_name.eq_ignore_ascii_case(name))
}
