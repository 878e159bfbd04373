//! Security policies as the API names them; what they are is said in the world's words.

use shapes::elbv2 as s;
use world::{SECURITY_POLICIES, SecurityPolicy};

use crate::error::Error;

fn unknown(name: &str) -> Error {
    if let Some(why) = world::refused_policy(name) {
        let instead = crate::tls::POLICY_DEFAULT;
        return Error::Unsupported(format!("SSL policy '{name}' is not supported in this region, for {why}: use '{instead}'"));
    }
    Error::Coded("SSLPolicyNotFound", format!("SSL policy '{name}' not found"))
}

/// Whether listeners may have the policy.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    world::security_policy(name).map(|_| ()).ok_or_else(|| unknown(name))
}

/// Those of these names, or all.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static SecurityPolicy>, Error> {
    if names.is_empty() {
        return Ok(SECURITY_POLICIES.iter().collect());
    }
    names.iter().map(|name| world::security_policy(name).ok_or_else(|| unknown(name))).collect()
}

pub(crate) fn to_shape(policy: &SecurityPolicy) -> s::SslPolicy {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_string()).collect();
    let cipher = |(name, priority): (&&str, i64)| s::Cipher { name: Some((*name).to_string()), priority: Some(priority) };
    s::SslPolicy {
        ssl_protocols: texts(&policy.protocols()),
        ciphers: policy.ciphers.iter().zip(1..).map(cipher).collect(),
        name: Some(policy.name.into()),
        supported_load_balancer_types: texts(&["application", "network"]),
    }
}
