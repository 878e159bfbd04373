//! Names of endpoints to addresses that may be called. What this returns is what is connected to: no name is looked up again
//! in between, so one whose address changes gains nothing.

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use world::EndpointNetworks;

/// The system's resolver, without the addresses that must not be called.
#[derive(Debug)]
pub(crate) struct GuardedResolver {
    system: DefaultResolver,
    networks: EndpointNetworks,
}

impl GuardedResolver {
    pub(crate) fn new(networks: EndpointNetworks) -> Self {
        Self { system: DefaultResolver::default(), networks }
    }
}

impl Resolver for GuardedResolver {
    /// Fails with the [`world::RefusedAddress`] of the first address when none may be called.
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.system.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        let mut first_refusal = None;
        for address in found.iter() {
            match self.networks.check(address.ip()) {
                Ok(()) => allowed.push(*address),
                Err(refused) => {
                    first_refusal.get_or_insert(refused);
                }
            }
        }
        match first_refusal {
            Some(refused) if allowed.is_empty() => Err(ureq::Error::Other(Box::new(refused))),
            _ => Ok(allowed),
        }
    }
}
