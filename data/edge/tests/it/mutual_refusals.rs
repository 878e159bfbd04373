//! Clients' certificates that are refused, and what connection logs tell of them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

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
