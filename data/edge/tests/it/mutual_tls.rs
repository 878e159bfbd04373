//! Clients' certificates: passed on, or verified.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls::version;
use world::{ClientCertificates, TargetHealth, TrustStore};

use crate::origin::Origin;
use crate::rig::Rig;
use crate::secure::{Authority, SecureClient, secure, start_secure};

const NAME: &str = "web-1.eu-central-1.elb.localhost";

#[test]
fn passthrough_tells_targets_of_any_certificate() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    let (authority, stranger) = (Authority::new(), Authority::new());
    start_secure(&mut rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Passthrough);
    let own = stranger.issue("client", &[]);
    for tls in [&version::TLS12, &version::TLS13] {
        let config = Arc::new(authority.client_with(&[tls], Some(&own)));
        for _ in 0..2 {
            let mut client = SecureClient::connect(rig.door(), NAME, &config).unwrap();
            assert_eq!(client.get(NAME, "X-Amzn-Mtls-Clientcert: another\r\n").unwrap().0, 200);
            let got = origin.got().pop().unwrap();
            let told = got.header("X-Amzn-Mtls-Clientcert").unwrap();
            let decoded = told.replace("%20", " ").replace("%0A", "\n");
            assert_eq!(decoded, own.chain.replace("\r\n", "\n"), "URL-encoded PEM");
            assert!(!got.head.contains("another"));
        }
    }
    let mut client = SecureClient::connect(rig.door(), NAME, &Arc::new(authority.client())).unwrap();
    assert_eq!(client.get(NAME, "").unwrap().0, 200, "a client needs none");
    assert!(origin.got().pop().unwrap().header("X-Amzn-Mtls-Clientcert").is_none());
}

/// A verifying listener with this trust store; gives how clients with these certificates fare.
fn verify(rig: &mut Rig, authority: &Authority, revoked: Option<u8>, ignore_expiry: bool) {
    let revocations = revoked.map(|serial| {
        let params = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 1, 1),
            next_update: rcgen::date_time_ymd(2060, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from_slice(&[0x0a, serial]),
                revocation_time: rcgen::date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&authority.0).unwrap().pem().unwrap()
    });
    let mut balancer = rig.balancer(&[0]);
    let clients = ClientCertificates::Verify { trust_store: "store".into(), ignore_expiry, advertise_names: true };
    secure(&mut balancer, vec![authority.issue("own", &[NAME])], clients);
    balancer.trust_stores =
        vec![TrustStore { id: "store".into(), authorities: authority.pem(), revocations: revocations.into_iter().collect() }];
    rig.apply(balancer);
}

#[test]
fn verify_lets_in_whom_the_trust_store_vouches_for() {
    let mut rig = Rig::start();
    let origin = Origin::named(rig.target_at(0), "zero");
    let (authority, stranger) = (Authority::new(), Authority::new());
    verify(&mut rig, &authority, Some(9), false);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let good = authority.issue_for("good", &[], (2023, 2060), 7);
    let revoked = authority.issue_for("revoked", &[], (2023, 2060), 9);
    let expired = authority.issue_for("expired", &[], (2010, 2011), 8);
    let foreign = stranger.issue("foreign", &[]);
    let door = rig.door();
    let fares = |tls, own| {
        let config = Arc::new(authority.client_with(&[tls], own));
        let told = SecureClient::connect(door, NAME, &config).and_then(|mut client| client.get(NAME, ""));
        told.is_ok_and(|(status, _, _)| status == 200)
    };
    for tls in [&version::TLS12, &version::TLS13] {
        assert!(fares(tls, Some(&good)));
        for bad in [None, Some(&revoked), Some(&expired), Some(&foreign)] {
            assert!(!fares(tls, bad), "{:?}", bad.map(|c| &c.id));
        }
    }
    assert_eq!(origin.got().len(), 2, "nobody else has reached the target");
    let got = origin.got().pop().unwrap();
    let header = |name: &str| got.header(&format!("X-Amzn-Mtls-Clientcert-{name}")).map(str::to_string);
    assert_eq!(header("Serial-Number").as_deref(), Some("0A07"));
    assert_eq!(header("Subject").as_deref(), Some("CN=good,O=Allod\\, tests"));
    assert_eq!(header("Issuer").as_deref(), Some("CN=authority"));
    assert_eq!(header("Validity").as_deref(), Some("NotBefore=2023-01-01T00:00:00Z;NotAfter=2060-01-01T00:00:00Z"));
    assert!(header("Leaf").unwrap().starts_with("-----BEGIN%20CERTIFICATE-----%0A"));
    assert!(got.header("X-Amzn-Mtls-Clientcert").is_none());
    verify(&mut rig, &authority, Some(9), true);
    for tls in [&version::TLS12, &version::TLS13] {
        assert!(fares(tls, Some(&expired)), "expiry is ignored");
        for bad in [None, Some(&revoked), Some(&foreign)] {
            assert!(!fares(tls, bad), "nothing else is: {:?}", bad.map(|c| &c.id));
        }
    }
}

#[test]
fn a_session_is_not_taken_up_where_certificates_are_asked_for() {
    let mut rig = Rig::start();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue("own", &[NAME])], ClientCertificates::Off);
    let config = Arc::new(authority.client());
    assert_eq!(SecureClient::connect(rig.door(), NAME, &config).unwrap().get(NAME, "").unwrap().0, 200);
    // The ticket from before does not help past the new demand.
    verify(&mut rig, &authority, None, false);
    let told = SecureClient::connect(rig.door(), NAME, &config).and_then(|mut client| client.get(NAME, ""));
    assert!(told.is_err(), "{told:?}");
}
