use std::cell::{RefCell, RefMut};
use std::net::Ipv4Addr;
use std::sync::Arc;

use base::{Caller, Fault, Rng, Scope, Time, uuid};
use world::EndpointNetworks;

use crate::objects::{ObjectError, Objects};
use crate::randomness::Secrets;

/// Choices of the machine's owner that services need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What one vCPU of an instance type means here, in thousandths of a core (`host.vcpu_cores`).
    pub vcpu_millicores: u32,
    /// Where clients reach the API, such as `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// Period of the region's own metrics in seconds: 60, as AWS's, or less for those who cannot wait. It divides a minute.
    pub metric_period_s: u32,
    /// The first of the loopback addresses at which load balancers answer.
    pub first_front: Ipv4Addr,
    /// Where subscribers' endpoints may be beside the Internet and this machine's loopback.
    pub endpoint_networks: EndpointNetworks,
    /// Most targets of one target group, and of one application load balancer ("Quotas for your Application Load Balancers":
    /// 1,000 each, more on request). Quotas of network load balancers follow it.
    pub targets_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vcpu_millicores: 250,
            metric_period_s: 60,
            endpoint: "http://127.0.0.1:4566".into(),
            first_front: Ipv4Addr::new(127, 64, 0, 1),
            endpoint_networks: EndpointNetworks::default(),
            targets_max: 1_000,
        }
    }
}

/// What a transaction is stamped with: the moment, the caller, the request's id and its own randomness.
pub struct Cx {
    pub now: Time,
    pub caller: Caller,
    pub request_id: String,
    pub scope: Arc<Scope>,
    pub settings: Arc<Settings>,
    rng: RefCell<Rng>,
    secrets: Option<Arc<dyn Secrets>>,
    objects: Option<Arc<dyn Objects>>,
}

impl Cx {
    pub(crate) fn new(
        now: Time,
        caller: Caller,
        request_id: String,
        scope: Arc<Scope>,
        settings: Arc<Settings>,
        (rng, secrets): (Rng, Option<Arc<dyn Secrets>>),
        objects: Option<Arc<dyn Objects>>,
    ) -> Self {
        Self { now, caller, request_id, scope, settings, rng: RefCell::new(rng), secrets, objects }
    }

    /// The transaction's randomness; do not hold it across calls. Never for secrets: who sees some of it can foresee the rest.
    pub fn rng(&self) -> RefMut<'_, Rng> {
        self.rng.borrow_mut()
    }

    /// `digits` lower-case hexadecimal digits that nobody can foresee, four bits of chance in each. In a simulation they are of
    /// its seed. An internal failure when the machine has no randomness.
    pub fn secret_hex(&self, digits: usize) -> Result<String, Fault> {
        let Some(secrets) = &self.secrets else { return Ok(self.rng().hex(digits)) };
        let mut bytes = vec![0; digits.div_ceil(2)];
        fill(secrets.as_ref(), &mut bytes)?;
        let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        text.truncate(digits);
        Ok(text)
    }

    /// The bytes of an object of S3, `bytes_max` at most.
    pub fn read_object(&self, bucket: &str, key: &str, bytes_max: usize) -> Result<Vec<u8>, ObjectError> {
        self.objects.as_ref().ok_or(ObjectError::NoBucket)?.read(bucket, key, bytes_max)
    }

    /// A version 4 UUID that nobody can foresee; otherwise as [`Cx::secret_hex`].
    pub fn secret_uuid(&self) -> Result<String, Fault> {
        let Some(secrets) = &self.secrets else { return Ok(self.rng().uuid()) };
        let mut bytes = [0; 16];
        fill(secrets.as_ref(), &mut bytes)?;
        Ok(uuid(u128::from_be_bytes(bytes)))
    }
}

fn fill(secrets: &dyn Secrets, bytes: &mut [u8]) -> Result<(), Fault> {
    secrets.fill(bytes).map_err(|_| {
        tracing::error!("the machine has no randomness for a secret");
        Fault::internal()
    })
}
