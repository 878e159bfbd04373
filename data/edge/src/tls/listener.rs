//! A listener that speaks TLS, as workers use it: made once for a configuration and kept while that stays, so that a change
//! elsewhere costs nothing here. And which of several such listeners at one address a client calls.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use world::{Certificate, ClientCertificates, ListenerTls, LoadBalancer, Protocol, TrustStore};

use super::certificate::{Certificates, Match};
use super::clients::{Tell, verifier};
use super::policy;
use super::tickets::{TicketKeys, Tickets};

/// Certificates of a listener ("Quotas": 25 beside the default one; more on request).
const CERTIFICATES_MAX: usize = 1_000;
/// Tickets that a client of TLS 1.3 gets after a full handshake.
const TICKETS_GIVEN: usize = 1;

/// All that a listener's way of speaking TLS depends on.
#[derive(Clone, Debug, PartialEq)]
struct Wish {
    tls: ListenerTls,
    certificates: Vec<Certificate>,
    stores: Vec<TrustStore>,
    dns_name: String,
    alpn: Vec<String>,
    /// Its connections need no protocol to be agreed on above TLS.
    is_flow: bool,
}

/// A listener that speaks TLS.
#[derive(Debug)]
pub struct Listener {
    /// ARN.
    pub id: String,
    pub config: Arc<ServerConfig>,
    /// For clients that name protocols above TLS and none that is known here, where that does not end the connection ("Network
    /// Load Balancers, Server certificates: ALPN policies": "Otherwise, the load balancer does not use ALPN").
    pub silent: Option<Arc<ServerConfig>>,
    pub tell: Tell,
    /// In lower case.
    dns_name: String,
    certificates: Arc<Certificates>,
    wish: Wish,
}

impl Listener {
    /// Makes what `of` a load balancer's listeners needs to speak TLS, or takes `old` where nothing has changed; the reason
    /// when it cannot be.
    pub fn new(
        balancer: &LoadBalancer,
        of: &world::Listener,
        keys: &Arc<TicketKeys>,
        old: Option<&Arc<Listener>>,
    ) -> Result<Arc<Self>, String> {
        let told = |why: String| format!("the listener on port {} cannot speak TLS: {why}", of.port);
        let tls = of.tls.as_ref().ok_or_else(|| told("it has no security policy".into()))?;
        let is_named = |id: &String| tls.certificates.contains(id);
        let store = match &tls.clients {
            ClientCertificates::Verify { trust_store, .. } => Some(trust_store),
            ClientCertificates::Off | ClientCertificates::Passthrough => None,
        };
        let wish = Wish {
            tls: tls.clone(),
            certificates: balancer.certificates.iter().filter(|c| is_named(&c.id)).cloned().collect(),
            stores: balancer.trust_stores.iter().filter(|s| Some(&s.id) == store).cloned().collect(),
            dns_name: balancer.dns_name.to_ascii_lowercase(),
            alpn: protocols(balancer, of, tls),
            is_flow: of.protocol == Protocol::Tls,
        };
        match old {
            Some(old) if old.wish == wish => Ok(old.clone()),
            _ => Self::make(of.id.as_str(), wish, keys).map(Arc::new).map_err(told),
        }
    }

    fn make(id: &str, wish: Wish, keys: &Arc<TicketKeys>) -> Result<Self, String> {
        if wish.tls.certificates.len() > CERTIFICATES_MAX {
            return Err(format!("it has more than {CERTIFICATES_MAX} certificates"));
        }
        let policy = policy::find(&wish.tls.policy)?;
        let provider = policy::provider(policy);
        let certificates = Arc::new(Certificates::new(&wish.tls.certificates, &wish.certificates, &provider)?);
        let clients = verifier(&wish.tls.clients, &wish.stores, &provider)?;
        let asks = clients.is_some();
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&policy::versions(policy))
            .map_err(|e| format!("the security policy {}: {e}", policy.name))?;
        let builder = match clients {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(certificates.clone());
        // "The first cipher on the server's list that matches any one of the client's ciphers is selected."
        config.ignore_client_order = true;
        config.alpn_protocols = wish.alpn.iter().map(|name| name.clone().into_bytes()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        // A session that is taken up again would skip the look at the client's certificate, its revocation too.
        if asks {
            config.send_tls13_tickets = 0;
        } else {
            config.ticketer = Arc::new(Tickets { keys: keys.clone(), context: id.to_string() });
            config.send_tls13_tickets = TICKETS_GIVEN;
        }
        let silent = || {
            let mut silent = config.clone();
            silent.alpn_protocols.clear();
            Arc::new(silent)
        };
        Ok(Self {
            id: id.to_string(),
            silent: (wish.is_flow && !config.alpn_protocols.is_empty()).then(silent),
            config: Arc::new(config),
            tell: Tell::of(&wish.tls.clients),
            dns_name: wish.dns_name.clone(),
            certificates,
            wish,
        })
    }
}

/// What to agree on above TLS, the preferred protocol first.
fn protocols(balancer: &LoadBalancer, of: &world::Listener, tls: &ListenerTls) -> Vec<String> {
    match of.protocol {
        Protocol::Tls => tls.alpn.clone(),
        _ if balancer.http.http2 => vec!["h2".into(), "http/1.1".into()],
        _ => vec!["http/1.1".into()],
    }
}

/// The listeners with TLS at one address.
#[derive(Debug, Default)]
pub struct Front {
    listeners: Vec<Arc<Listener>>,
}

/// Whom a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// This listener, and no other for as long as the connection lasts.
    Bound(usize),
    /// It named nobody that is known here: this listener's certificate will do, and each request's host decides.
    Open(usize),
}

impl Called {
    pub fn index(self) -> usize {
        match self {
            Called::Bound(index) | Called::Open(index) => index,
        }
    }
}

impl Front {
    pub fn push(&mut self, listener: Arc<Listener>) {
        self.listeners.push(listener);
    }

    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&Arc<Listener>> {
        self.listeners.get(index)
    }

    /// Whether requests of a connection that is bound to nobody may go to this one: it asks for no certificates.
    pub fn is_open(&self, index: usize) -> bool {
        self.listeners.get(index).is_some_and(|listener| listener.tell == Tell::Nothing)
    }

    /// The listener with this ARN.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.listeners.iter().position(|listener| listener.id == id)
    }

    /// Who is called by this name: the load balancer that has it, else the one with a certificate for it.
    pub fn called(&self, server_name: Option<&str>) -> Option<Called> {
        if let [_] = self.listeners.as_slice() {
            return Some(Called::Bound(0));
        }
        let name = server_name.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        if let Some(name) = &name {
            if let Some(index) = self.listeners.iter().position(|l| l.dns_name == *name) {
                return Some(Called::Bound(index));
            }
            let nearness = |index: usize| (self.listeners[index].certificates.matches(name), std::cmp::Reverse(index));
            let nearest = (0..self.listeners.len()).max_by_key(|index| nearness(*index))?;
            if nearness(nearest).0 > Match::None {
                return Some(Called::Bound(nearest));
            }
        }
        let open = (0..self.listeners.len()).find(|index| self.is_open(*index));
        open.map(Called::Open).or((!self.is_empty()).then_some(Called::Bound(0)))
    }
}
