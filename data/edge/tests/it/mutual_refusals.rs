//! Clients' certificates that are refused, and what connection logs tell of them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use world::{Certificate, ClientCertificates, LoadBalancer, TargetHealth, TrustStore};

use crate::logs::{place, written};
use crate::origin::Origin;
use crate::rig::Rig;
use crate::secure::{Authority, SecureClient, chain, key, secure, start_secure};

const NAME: &str = "web-1.eu-central-1.elb.localhost";
const TLS: [(&str, &SupportedProtocolVersion); 2] = [("TLSv1.2", &version::TLS12), ("TLSv1.3", &version::TLS13)];

/// A listener that verifies clients by this authority, and logs their connections.
fn start(rig: &mut Rig, authority: &Authority, clients: ClientCertificates) -> LoadBalancer {
    start_secure(rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    let mut balancer = rig.balancer(&[0]);
    secure(&mut balancer, vec![authority.issue("own", &[NAME])], clients);
    balancer.trust_stores = vec![TrustStore { id: "store".into(), authorities: authority.pem(), revocations: Vec::new() }];
    balancer.connection_log = place("log");
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Healthy);
    balancer
}

fn verify() -> ClientCertificates {
    ClientCertificates::Verify { trust_store: "store".into(), ignore_expiry: false, advertise_names: false }
}

fn is_let_in(rig: &Rig, config: ClientConfig) -> bool {
    let told = SecureClient::connect(rig.door(), NAME, &Arc::new(config)).and_then(|mut client| client.get(NAME, ""));
    told.is_ok_and(|(status, _, _)| status == 200)
}

/// A client with somebody else's certificate, without its key.
fn thief(authority: &Authority, tls: &'static SupportedProtocolVersion, victim: &Certificate, own: &Certificate) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(&[tls]).unwrap();
    let stolen = CertifiedKey::new(chain(victim), any_supported_type(&key(own)).unwrap());
    builder.with_root_certificates(roots).with_client_cert_resolver(Arc::new(SingleCertAndKey::from(stolen)))
}

#[test]
fn a_refused_handshake_is_logged_with_what_is_known_of_it() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let (authority, stranger) = (Authority::new(), Authority::new());
    let balancer = start(&mut rig, &authority, verify());
    let mut expected = Vec::new();
    for (name, tls) in TLS {
        let expired = authority.issue_for(&format!("expired {name}"), &[], (2010, 2011), 0xb1);
        let foreign = stranger.issue_for(&format!("foreign {name}"), &[], (2010, 2060), 0xb2);
        let victim = authority.issue_for(&format!("victim {name}"), &[], (2010, 2060), 0xb3);
        for (id, config, until, serial, code) in [
            ("expired", authority.client_with(&[tls], Some(&expired)), 2011, "0AB1", "ClientCertExpired"),
            ("foreign", authority.client_with(&[tls], Some(&foreign)), 2060, "0AB2", "ClientCertUntrusted"),
            ("victim", thief(&authority, tls, &victim, &foreign), 2060, "0AB3", "ClientCertUntrusted"),
        ] {
            assert!(!is_let_in(&rig, config), "{id} {name}");
            let subject = format!("CN={id} {name},O=Allod\\x5C, tests");
            let validity = format!("NotBefore=2010-01-01T00:00:00Z;NotAfter={until}-01-01T00:00:00Z");
            expected.push((name, subject, validity, serial, code));
        }
        // Whoever shows nothing comes after those that do, and takes over nothing of them.
        assert!(!is_let_in(&rig, authority.client_with(&[tls], None)));
        expected.push((name, "-".into(), "-".into(), "-", "UnmappedConnectionError"));
    }
    let lines = written(&mut rig, balancer, "log", expected.len());
    assert_eq!(lines.len(), expected.len());
    for (name, subject, validity, serial, code) in expected {
        let line = lines.iter().find(|line| line[4] == name && line[7] == subject);
        let line = line.unwrap_or_else(|| panic!("{name} {subject} of {lines:?}"));
        assert_eq!(line.len(), 15, "{line:?}");
        let cipher = if name == "TLSv1.3" { "TLS_AES_128_GCM_SHA256" } else { "ECDHE-ECDSA-AES128-GCM-SHA256" };
        // In TLS 1.2 the certificate comes before the client's part of the key exchange, and the proof of its key behind it.
        let has_exchanged = name == "TLSv1.3" || line[7].starts_with("CN=victim");
        let key_exchange = if has_exchanged { "X25519" } else { "-" };
        assert_eq!((line[5].as_str(), line[6].as_str(), line[12].as_str()), (cipher, "-", key_exchange), "{line:?}");
        assert_eq!(line[8..11], [validity, serial.into(), format!("Failed:{code}")], "{line:?}");
    }
}

/// A client with so many authorities between it and this one, all of which it shows.
fn below(authority: &Authority, between: usize) -> Certificate {
    let (mut shown, mut issuer) = (String::new(), None::<Authority>);
    for number in 0..between {
        let next = issuer.as_ref().unwrap_or(authority).below(&format!("between {number}"));
        shown.insert_str(0, &next.pem());
        issuer = Some(next);
    }
    let mut certificate = issuer.as_ref().unwrap_or(authority).issue(&format!("below {between}"), &[]);
    certificate.chain.push_str(&shown);
    certificate
}

/// Each of these clients is let in, or refused for the reason with this end; the log tells either.
fn check(clients: ClientCertificates, cases: impl FnOnce(&Authority) -> Vec<(Certificate, Option<&'static str>)>) {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    let balancer = start(&mut rig, &authority, clients);
    let cases = cases(&authority);
    for (_, tls) in TLS {
        for (certificate, reason) in &cases {
            assert_eq!(is_let_in(&rig, authority.client_with(&[tls], Some(certificate))), reason.is_none(), "{}", certificate.id);
        }
    }
    let lines = written(&mut rig, balancer, "log", cases.len() * TLS.len());
    for (name, _) in TLS {
        for (certificate, reason) in &cases {
            let subject = format!("CN={},", certificate.id);
            let line = lines.iter().find(|line| line[4] == name && line[7].starts_with(&subject)).unwrap();
            let status = reason.map_or("Success".into(), |reason| format!("Failed:ClientCert{reason}"));
            assert_eq!(line[10], status, "{line:?}");
        }
    }
}

#[test]
fn a_client_shows_up_to_four_certificates_where_they_are_verified() {
    check(verify(), |authority| {
        let deep = Some("MaxChainDepthExceeded");
        [(0, None), (3, None), (4, deep), (8, deep)].map(|(between, reason)| (below(authority, between), reason)).into()
    });
    check(ClientCertificates::Passthrough, |authority| vec![(below(authority, 8), None)]);
}

#[test]
fn a_clients_certificates_are_of_limited_size() {
    for clients in [verify(), ClientCertificates::Passthrough] {
        check(clients, |authority| {
            let names: Vec<String> = (0..380).map(|number| format!("{number:030}.example")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (fits, mut exceeds) = (authority.issue("fits", &names), authority.issue("exceeds", &names));
            exceeds.chain.push_str(&below(authority, 3).chain);
            // Four certificates are not too many.
            exceeds.chain.truncate(exceeds.chain.rfind("-----BEGIN").unwrap());
            assert_eq!(chain(&exceeds).len(), 4);
            vec![(fits, None), (exceeds, Some("MaxSizeExceeded"))]
        });
    }
}

#[test]
fn a_clients_key_is_of_a_kind_that_aws_serves() {
    for clients in [verify(), ClientCertificates::Passthrough] {
        check(clients, |authority| {
            [
                ("rsa", &PKCS_RSA_SHA256, None),
                ("p521", &PKCS_ECDSA_P521_SHA512, None),
                ("ed25519", &PKCS_ED25519, Some("TypeUnsupported")),
            ]
            .map(|(id, kind, reason)| {
                let key = KeyPair::generate_for(kind).unwrap();
                (authority.issue_to(&key, id, &[], (2020, 2060), 1), reason)
            })
            .into()
        });
    }
}
