//! A listener's certificates, and which of them a client gets ("ELB User Guide, SSL certificates for your Application Load
//! Balancer: Certificate selection process").

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, SignatureScheme};
use world::Certificate;

use super::x509::{Facts, KeyKind, read};
use crate::clock::unix_seconds;

/// Certificates in a chain.
const CHAIN_MAX: usize = 10;

thread_local! {
    /// What was chosen last, for whoever began the handshake to take at once.
    static SHOWN: RefCell<Option<Shown>> = const { RefCell::new(None) };
}

/// The certificate that a client got.
#[derive(Clone, Debug)]
pub struct Shown {
    /// ARN.
    pub(super) id: Arc<str>,
    /// It is for the host that the client called.
    pub is_for_host: bool,
    /// The client took up a session, and got none.
    pub reused: bool,
}

impl Shown {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `chosen_cert_arn`: "This value is set to `session-reused` if the session is reused."
    pub fn name(&self) -> &str {
        if self.reused { "session-reused" } else { &self.id }
    }
}

/// The certificate that the handshake shows which has just begun on this thread.
pub fn take_shown() -> Option<Shown> {
    SHOWN.take()
}

#[derive(Debug)]
struct Known {
    id: Arc<str>,
    key: Arc<CertifiedKey>,
    facts: Facts,
}

/// The certificates of a listener.
#[derive(Debug)]
pub struct Certificates {
    /// The default one first.
    all: Vec<Known>,
    /// By host name, and by what follows the `*.` of one.
    exact: HashMap<String, Vec<usize>>,
    wildcard: HashMap<String, Vec<usize>>,
}

/// How near a name is to being that of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    None,
    Wildcard,
    Exact,
}

impl Certificates {
    /// Reads these of a load balancer's certificates; the reason when one of them cannot be used.
    pub fn new(ids: &[String], known: &[Certificate], provider: &CryptoProvider) -> Result<Self, String> {
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            let certificate = known.iter().find(|c| c.id == *id).ok_or_else(|| format!("it lacks the certificate {id}"))?;
            all.push(understand(certificate, provider)?);
        }
        if all.is_empty() {
            return Err("a listener with TLS has no certificate".into());
        }
        let (mut exact, mut wildcard) = (HashMap::<String, Vec<usize>>::new(), HashMap::<String, Vec<usize>>::new());
        for (index, certificate) in all.iter().enumerate() {
            for name in &certificate.facts.names {
                match name.strip_prefix("*.") {
                    Some(parent) => wildcard.entry(parent.into()).or_default().push(index),
                    None => exact.entry(name.clone()).or_default().push(index),
                }
            }
        }
        Ok(Self { all, exact, wildcard })
    }

    /// Whether one of them is for this host.
    pub fn matches(&self, host: &str) -> Match {
        if self.exact.contains_key(host) {
            Match::Exact
        } else if self.by_wildcard(host).is_some() {
            Match::Wildcard
        } else {
            Match::None
        }
    }

    /// An asterisk stands for one label (RFC 6125, 6.4.3).
    fn by_wildcard(&self, host: &str) -> Option<&Vec<usize>> {
        host.split_once('.').filter(|(label, _)| !label.is_empty()).and_then(|(_, parent)| self.wildcard.get(parent))
    }

    /// For this host the best of those that the client supports, which a client without a host gets the default one of.
    fn choose(&self, host: Option<&str>, offer: &Offer<'_>) -> (&Known, bool) {
        let now = i64::try_from(unix_seconds()).unwrap_or(i64::MAX);
        let candidates = host.map(|host| {
            let exact = self.exact.get(host).into_iter().flatten();
            exact.chain(self.by_wildcard(host).into_iter().flatten())
        });
        let supported = candidates.into_iter().flatten().map(|index| &self.all[*index]).filter(|c| offer.supports(c));
        // Of equals the one that was named first.
        let best = supported.min_by_key(|c| Reverse(rank(&c.facts, now)));
        (best.unwrap_or(&self.all[0]), best.is_some())
    }
}

/// What makes one certificate better than another, in the guide's order: ECDSA before RSA, not expired, the stronger hash,
/// the longer key, the longer validity.
fn rank(facts: &Facts, now: i64) -> (bool, bool, usize, usize, i64) {
    let is_valid = (facts.not_before..=facts.not_after).contains(&now);
    (facts.key == KeyKind::Ecdsa, is_valid, facts.hash_bits, facts.key_bits, facts.not_after - facts.not_before)
}

fn understand(certificate: &Certificate, provider: &CryptoProvider) -> Result<Known, String> {
    let id = &certificate.id;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| format!("the chain of the certificate {id} is no PEM: {e}"))?;
    let facts = chain.first().and_then(|leaf| read(leaf)).ok_or_else(|| format!("the certificate {id} is not understood"))?;
    if chain.len() > CHAIN_MAX {
        return Err(format!("the chain of the certificate {id} has more than {CHAIN_MAX} certificates"));
    }
    // What is wrong with a key is not told: the reader's words could hold parts of it.
    let key = PrivateKeyDer::from_pem_slice(certificate.key.0.as_bytes());
    let key = key.map_err(|_| format!("the private key of the certificate {id} is no PEM"))?;
    let key = CertifiedKey::from_der(chain, key, provider);
    let key =
        key.map_err(|_| format!("the private key of the certificate {id} is not its own, or of a kind that is not served"))?;
    Ok(Known { id: id.as_str().into(), key: Arc::new(key), facts })
}

/// What a client says it understands.
struct Offer<'a> {
    schemes: &'a [SignatureScheme],
    suites: &'a [CipherSuite],
}

impl Offer<'_> {
    fn supports(&self, certificate: &Known) -> bool {
        let offers = |wanted: fn(CipherSuite) -> bool| self.suites.iter().copied().any(wanted);
        let has_suite = match certificate.facts.key {
            KeyKind::Ecdsa => offers(|s| is_tls13(s) || is_ecdsa(s)),
            KeyKind::Rsa => offers(|s| is_tls13(s) || !is_ecdsa(s)),
            KeyKind::Other => offers(is_tls13),
        };
        has_suite && certificate.key.key.choose_scheme(self.schemes).is_some()
    }
}

fn is_tls13(suite: CipherSuite) -> bool {
    let tls13 = [
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    tls13.contains(&suite)
}

fn is_ecdsa(suite: CipherSuite) -> bool {
    let ecdsa = [
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    ecdsa.contains(&suite)
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().map(str::to_ascii_lowercase);
        let offer = Offer { schemes: hello.signature_schemes(), suites: hello.cipher_suites() };
        let (chosen, is_for_host) = self.choose(host.as_deref(), &offer);
        SHOWN.set(Some(Shown { id: chosen.id.clone(), is_for_host, reused: false }));
        Some(chosen.key.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::{CipherSuite, SignatureScheme};
    use world::{Certificate, PrivateKey};

    use super::{Certificates, Match, Offer};

    fn certificate(id: &str, names: &[&str], bits: usize, years: (i32, i32)) -> Certificate {
        let kind = if bits == 384 { &PKCS_ECDSA_P384_SHA384 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(kind).unwrap();
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let chain = params.self_signed(&key).unwrap().pem();
        Certificate { id: id.into(), chain, key: PrivateKey(key.serialize_pem()) }
    }

    fn chosen(certificates: &Certificates, host: Option<&str>, schemes: &[SignatureScheme]) -> usize {
        let offer = Offer { schemes, suites: &[CipherSuite::TLS13_AES_128_GCM_SHA256] };
        let key = certificates.choose(host, &offer).0.key.clone();
        certificates.all.iter().position(|known| std::sync::Arc::ptr_eq(&known.key, &key)).unwrap()
    }

    #[test]
    fn the_selection_process_of_the_guide() {
        let known = [
            certificate("default", &["default.example"], 256, (2020, 2060)),
            certificate("expired", &["a.example"], 384, (2010, 2011)),
            certificate("good", &["a.example", "*.b.example"], 256, (2020, 2060)),
            certificate("better", &["a.example"], 384, (2020, 2060)),
        ];
        let ids: Vec<String> = known.iter().map(|c| c.id.clone()).collect();
        let certificates = Certificates::new(&ids, &known, &default_provider()).unwrap();
        let both = [SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ECDSA_NISTP384_SHA384];
        let cases: [(Option<&str>, &[SignatureScheme], usize); 8] = [
            (None, &both, 0),
            (Some("unknown.example"), &both, 0),
            (Some("a.example"), &both, 3),
            (Some("a.example"), &both[..1], 2),
            (Some("x.b.example"), &both, 2),
            (Some("x.y.b.example"), &both, 0),
            (Some("b.example"), &both, 0),
            (Some(".b.example"), &both, 0),
        ];
        for (host, schemes, expected) in cases {
            assert_eq!(chosen(&certificates, host, schemes), expected, "{host:?}");
        }
        assert_eq!(certificates.matches("x.b.example"), Match::Wildcard);
        assert_eq!(certificates.matches("a.example"), Match::Exact);
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_a_word_of_the_key() {
        let good = certificate("good", &["a.example"], 256, (2020, 2060));
        let other = certificate("other", &["a.example"], 256, (2020, 2060));
        let swapped = Certificate { key: other.key.clone(), ..good.clone() };
        let broken = Certificate { key: PrivateKey(good.key.0.replace("-----BEGIN", "BEGIN")), ..good.clone() };
        let no_chain = Certificate { chain: "nonsense".into(), ..good.clone() };
        for bad in [swapped, broken, no_chain] {
            let reason = Certificates::new(&["good".into()], std::slice::from_ref(&bad), &default_provider()).unwrap_err();
            let secret = bad.key.0.lines().nth(1).unwrap();
            assert!(reason.contains("good") && !reason.contains(secret), "{reason}");
        }
        assert!(Certificates::new(&["gone".into()], &[good], &default_provider()).is_err());
    }
}
