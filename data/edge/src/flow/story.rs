//! What the access log tells of a client's connection to a TLS listener ("User Guide for Network Load Balancers, Access logs"):
//! it is gathered while the connection lasts, and written when it has ended, also where it never came to be. Without a log
//! nothing is gathered.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::{FlowLog, Site};
use crate::log::flow::{Ended, note};
use crate::log::text::Moment;
use crate::tls::{Agreed, Greeting};
use crate::worker::Worker;

/// A connection from its first moment on.
pub struct Story {
    client: SocketAddr,
    at: SocketAddr,
    begun: Moment,
    since: Instant,
    pub greeting: Greeting,
    pub agreed: Option<Rc<Agreed>>,
    /// Of data within TLS.
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// That the client has sent.
    pub alert: Option<u8>,
    pub client_protocol: Option<String>,
    pub target_protocol: Option<String>,
}

impl Story {
    pub fn begin(client: SocketAddr, at: SocketAddr) -> Self {
        Self {
            client,
            at,
            begun: Moment::now(),
            since: Instant::now(),
            greeting: Greeting::default(),
            agreed: None,
            received_bytes: 0,
            sent_bytes: 0,
            alert: None,
            client_protocol: None,
            target_protocol: None,
        }
    }

    /// Tells it, at its end.
    pub fn tell(&self, worker: &Worker, site: &Site, log: &FlowLog) {
        let ended = Ended {
            listener: &log.listener,
            client: self.client,
            at: self.at,
            begun: self.begun,
            lasted: self.since.elapsed(),
            greeting: &self.greeting,
            agreed: self.agreed.as_deref(),
            received_bytes: self.received_bytes,
            sent_bytes: self.sent_bytes,
            alert: self.alert,
            client_protocol: self.client_protocol.as_deref(),
            target_protocol: self.target_protocol.as_deref(),
            has_policy: site.front.as_ref().and_then(|front| front.get(0)).is_some_and(|l| l.silent.is_some()),
        };
        note(&worker.log, &log.channel, &ended);
    }
}
