//! What a security policy means for a handshake: versions, cipher suites in the policy's order, groups for key exchange.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, version};
use world::{SecurityPolicy, refused_policy, security_policy};

/// The cipher suites that are served, with OpenSSL's names, which AWS uses too.
const NAMES: [(CipherSuite, &str); 7] = [
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
];

/// The policy of this name; the reason when it is not served.
pub fn find(name: &str) -> Result<&'static SecurityPolicy, String> {
    security_policy(name).ok_or_else(|| match refused_policy(name) {
        Some(why) => format!("the security policy {name} is not served: {why}"),
        None => format!("there is no security policy {name}"),
    })
}

/// How a suite is called in headers and logs.
pub fn cipher_name(suite: CipherSuite) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == suite).map_or("-", |(_, name)| name)
}

/// "The hybrid post-quantum policies support SecP256r1MLKEM768, SecP384r1MLKEM1024 and X25519MLKEM768"; the second is not
/// there yet.
pub fn provider(policy: &SecurityPolicy) -> Arc<CryptoProvider> {
    let classic: [&'static dyn SupportedKxGroup; 3] = [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    let hybrid: [&'static dyn SupportedKxGroup; 2] = [kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768];
    let hybrid = hybrid.into_iter().filter(|_| policy.post_quantum);
    let kx_groups = hybrid.chain(classic).collect();
    let cipher_suites = policy.ciphers.iter().filter_map(|name| suite(name)).collect();
    Arc::new(CryptoProvider { cipher_suites, kx_groups, ..default_provider() })
}

pub fn versions(policy: &SecurityPolicy) -> Vec<&'static SupportedProtocolVersion> {
    let both = [(policy.tls13, &version::TLS13), (policy.tls12, &version::TLS12)];
    both.into_iter().filter(|(has, _)| *has).map(|(_, version)| version).collect()
}

fn suite(name: &str) -> Option<SupportedCipherSuite> {
    let (wanted, _) = NAMES.iter().find(|(_, known)| *known == name)?;
    ALL_CIPHER_SUITES.iter().find(|suite| suite.suite() == *wanted).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use world::SECURITY_POLICIES;

    use super::{cipher_name, find, provider, versions};

    #[test]
    fn every_policy_offers_what_it_says_in_its_order() {
        for policy in &SECURITY_POLICIES {
            let offered: Vec<&str> = provider(policy).cipher_suites.iter().map(|s| cipher_name(s.suite())).collect();
            assert_eq!(offered, policy.ciphers, "{}", policy.name);
            assert_eq!(versions(policy).len(), policy.protocols().len());
        }
    }

    #[test]
    fn policies_of_old_versions_and_unknown_ones_are_refused_by_name() {
        let old = find("ELBSecurityPolicy-2016-08").unwrap_err();
        assert!(old.contains("ELBSecurityPolicy-2016-08") && old.contains("TLS 1.0"), "{old}");
        assert!(find("ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04").unwrap_err().contains("FIPS"));
        assert!(find("nonsense").unwrap_err().contains("no security policy"));
    }
}
