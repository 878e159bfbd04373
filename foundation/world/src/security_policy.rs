//! AWS's security policies of HTTPS and TLS listeners that this region speaks, by name ("Security policies for your
//! Application Load Balancer"). It says which versions and cipher suites there are, never how a handshake goes.
//!
//! A policy's list has the suites that are really offered: of AWS's own list those with forward secrecy and authenticated
//! encryption. Policies that allow TLS 1.0 or 1.1 do not exist here, nor those that promise a module validated by FIPS 140.

/// What a listener offers its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityPolicy {
    pub name: &'static str,
    pub tls12: bool,
    pub tls13: bool,
    /// Key exchange that combines ML-KEM with an elliptic curve is offered first (`PQ` in the name).
    pub post_quantum: bool,
    /// By OpenSSL's names, the preferred one first.
    pub ciphers: &'static [&'static str],
}

impl SecurityPolicy {
    /// By AWS's names.
    pub fn protocols(&self) -> Vec<&'static str> {
        let versions = [(self.tls12, "TLSv1.2"), (self.tls13, "TLSv1.3")];
        versions.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect()
    }
}

const CIPHERS: [&str; 7] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
];

const fn policy(name: &'static str, tls12: bool, tls13: bool) -> SecurityPolicy {
    let (of_13, of_12) = CIPHERS.split_at(3);
    let ciphers = match (tls12, tls13) {
        (true, true) => &CIPHERS,
        (true, false) => of_12,
        _ => of_13,
    };
    SecurityPolicy { name, tls12, tls13, post_quantum: false, ciphers }
}

const fn post_quantum(name: &'static str, tls12: bool) -> SecurityPolicy {
    SecurityPolicy { post_quantum: true, ..policy(name, tls12, true) }
}

/// All that there are, in the order in which `DescribeSSLPolicies` tells them.
pub const SECURITY_POLICIES: [SecurityPolicy; 15] = [
    post_quantum("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", true),
    policy("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", true, true),
    policy("ELBSecurityPolicy-TLS13-1-2-2021-06", true, true),
    policy("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", true, true),
    policy("ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", true, true),
    policy("ELBSecurityPolicy-TLS13-1-3-2021-06", false, true),
    post_quantum("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", true),
    post_quantum("ELBSecurityPolicy-TLS13-1-2-Ext1-PQ-2025-09", true),
    post_quantum("ELBSecurityPolicy-TLS13-1-2-Ext2-PQ-2025-09", true),
    post_quantum("ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", false),
    policy("ELBSecurityPolicy-FS-1-2-Res-2020-10", true, false),
    policy("ELBSecurityPolicy-FS-1-2-Res-2019-08", true, false),
    policy("ELBSecurityPolicy-FS-1-2-2019-08", true, false),
    policy("ELBSecurityPolicy-TLS-1-2-2017-01", true, false),
    policy("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", true, false),
];

/// AWS's policies that allow TLS 1.0 or 1.1.
const OUTDATED: [&str; 12] = [
    "ELBSecurityPolicy-2015-05",
    "ELBSecurityPolicy-2016-08",
    "ELBSecurityPolicy-FS-2018-06",
    "ELBSecurityPolicy-FS-1-1-2019-08",
    "ELBSecurityPolicy-TLS-1-1-2017-01",
    "ELBSecurityPolicy-TLS13-1-0-2021-06",
    "ELBSecurityPolicy-TLS13-1-1-2021-06",
    "ELBSecurityPolicy-TLS-1-0-2015-04",
    "ELBSecurityPolicy-TLS13-1-0-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-0-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-1-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-0-FIPS-PQ-2025-09",
];

/// Why a policy of AWS's is not served; none for those that are served and for names that AWS does not have either.
pub fn refused_policy(name: &str) -> Option<&'static str> {
    if OUTDATED.contains(&name) {
        return Some("it allows TLS 1.0 or 1.1");
    }
    let promises_fips = name.starts_with("ELBSecurityPolicy-") && name.contains("-FIPS-");
    promises_fips.then_some("it promises a cryptographic module validated by FIPS 140, which this region does not have")
}

/// The policy of this name, if this region speaks it.
pub fn security_policy(name: &str) -> Option<&'static SecurityPolicy> {
    SECURITY_POLICIES.iter().find(|policy| policy.name == name)
}

#[cfg(test)]
mod tests {
    use super::{SECURITY_POLICIES, refused_policy, security_policy};

    #[test]
    fn suites_belong_to_the_versions_of_their_policy() {
        for policy in &SECURITY_POLICIES {
            let has = |of_13: bool| policy.ciphers.iter().any(|c| c.starts_with("TLS_") == of_13);
            assert_eq!((policy.tls12, policy.tls13), (has(false), has(true)), "{}", policy.name);
            assert_eq!(security_policy(policy.name), Some(policy));
            assert_eq!(refused_policy(policy.name), None);
            assert_eq!(policy.post_quantum, policy.name.contains("-PQ-"));
        }
        assert!(refused_policy("ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04").is_some_and(|why| why.contains("FIPS 140")));
        assert_eq!(refused_policy("ELBSecurityPolicy-Nonsense"), None);
        assert!(refused_policy("ELBSecurityPolicy-2016-08").is_some_and(|why| why.contains("TLS 1.0")));
    }
}
