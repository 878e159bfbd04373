//! Certificates, keys and lists made by another library, as this one reads them.
#![allow(clippy::unwrap_used)]

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use x509::{Certificate, KeyAlgorithm, KeyError, PairError, PemError, PrivateKey, ServerPair, certificates, revocation_lists};

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![name.to_string(), format!("*.{name}")]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2027, 2, 3);
    parameters
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut parameters = parameters(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (parameters, KeyPair::generate().unwrap())
}

fn read(pem: &str) -> Certificate {
    let mut all = certificates(pem.as_bytes(), 1).unwrap();
    all.pop().unwrap()
}

#[test]
fn says_what_a_certificate_says() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut parameters = parameters("example.com");
    parameters.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0xff, 0x01]));
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = read(&parameters.self_signed(&key).unwrap().pem());
    assert_eq!(certificate.subject, "CN=example.com");
    assert_eq!(certificate.common_name.as_deref(), Some("example.com"));
    assert_eq!(certificate.names, ["example.com", "*.example.com"]);
    assert_eq!(certificate.serial, "0a:ff:01");
    assert_eq!(certificate.not_before.iso8601_s(), "2026-01-01T00:00:00Z");
    assert_eq!(certificate.not_after.iso8601_s(), "2027-02-03T00:00:00Z");
    assert_eq!(certificate.key, Some(KeyAlgorithm::EcP384));
    assert_eq!(certificate.signature_algorithm, "SHA384WITHECDSA");
    assert_eq!(certificate.key_usages, ["DIGITAL_SIGNATURE"]);
    assert_eq!(certificate.extended_key_usages, [("TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1".to_string())]);
    assert!(!certificate.is_authority && certificate.is_self_issued());
    assert_eq!(read(&certificate.to_pem()), certificate);
}

#[test]
fn keys_belong_to_their_own_certificate_only() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_RSA_SHA256] {
        let (own, other) = (KeyPair::generate_for(algorithm).unwrap(), KeyPair::generate_for(algorithm).unwrap());
        let certificate = read(&parameters("example.com").self_signed(&own).unwrap().pem());
        let key = PrivateKey::from_pem(own.serialize_pem().as_bytes()).unwrap();
        assert!(key.is_of(&certificate));
        assert_eq!(PrivateKey::from_pem(key.to_pem().as_bytes()).unwrap(), key);
        assert!(!PrivateKey::from_pem(other.serialize_pem().as_bytes()).unwrap().is_of(&certificate));
        assert_eq!(format!("{key:?}"), "PrivateKey");
    }
}

#[test]
fn the_older_forms_of_keys_are_read_and_the_rest_is_told() {
    let sec1 = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
        -----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFKkbGMC9bpxMUVIfwIbdCEP23fd7AMq5hNiOUFXVQAUoAoGCCqGSM49\n\
        AwEHoUQDQgAE7xnYcvB8XnXmkCrMFwUBzOMMq3ZfhMTbjJFg3LzC1V8fDvcdlTdl\nPs4MhkDhrMzNsQKWhXvCKmkXbPyRsWKKAQ==\n-----END EC PRIVATE KEY-----\n";
    // The point in it is not the key's: it must not be believed.
    assert_eq!(PrivateKey::from_pem(sec1.as_bytes()), Err(KeyError::Unsupported));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nYQ==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(PrivateKey::from_pem(encrypted.as_bytes()), Err(KeyError::Encrypted));
    let certificate = parameters("example.com").self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    for text in ["", "key", certificate.as_str()] {
        assert_eq!(PrivateKey::from_pem(text.as_bytes()), Err(KeyError::NotAKey), "{text}");
    }
}

#[test]
fn a_chain_holds_by_names_and_signatures() {
    let ((root, root_key), (forged, forged_key)) = (authority("root.example"), authority("root.example"));
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&root, &root_key);
    let leaf = read(&parameters("leaf.example").signed_by(&key, &issuer).unwrap().pem());
    let root = read(&root.self_signed(&root_key).unwrap().pem());
    let forged = read(&forged.self_signed(&forged_key).unwrap().pem());
    assert!(leaf.is_signed_by(&root) && root.is_signed_by(&root) && root.is_authority);
    assert!(!leaf.is_signed_by(&forged), "the same name, another key");
    assert!(!leaf.is_signed_by(&leaf) && !root.is_signed_by(&leaf));
    let both = leaf.to_pem() + &root.to_pem();
    assert_eq!(certificates(both.as_bytes(), 2).unwrap(), [leaf, root]);
    assert!(certificates(both.as_bytes(), 1).is_err());
    assert!(certificates(key.serialize_pem().as_bytes(), 1).is_err(), "a key is no certificate");
}

#[test]
fn lists_of_the_revoked_are_counted() {
    let (root, root_key) = authority("root.example");
    let revoked = |serial: u8| RevokedCertParams {
        serial_number: SerialNumber::from_slice(&[serial]),
        revocation_time: date_time_ymd(2026, 2, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 3, 1),
        next_update: date_time_ymd(2026, 4, 1),
        crl_number: SerialNumber::from_slice(&[1]),
        issuing_distribution_point: None,
        revoked_certs: (1..=3).map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::from_params(&root, &root_key)).unwrap().pem().unwrap();
    let read = revocation_lists(list.as_bytes(), 1).unwrap();
    assert_eq!((read[0].entries, read[0].issuer.as_str()), (3, "CN=root.example"));
    assert_eq!(read[0].next_update.unwrap().iso8601_s(), "2026-04-01T00:00:00Z");
    assert_eq!(revocation_lists(read[0].to_pem().as_bytes(), 1).unwrap(), read);
    assert!(revocation_lists(b"-----BEGIN X509 CRL-----\nYQ==\n-----END X509 CRL-----\n", 1).is_err());
}

#[test]
fn a_pair_fits_together_or_tells_why_not() {
    let (root, root_key) = authority("root.example");
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let leaf = parameters("example.com").signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap().pem();
    let root = root.self_signed(&root_key).unwrap().pem();
    let (key, other) = (key.serialize_pem(), other.serialize_pem());
    let at = |year: i64| base::Time::from_unix_ms((year - 1970) * 365 * 86_400_000 + 200 * 86_400_000);
    let read = |certificate: &str, key: &str, chain: Option<&str>, year| {
        ServerPair::read(certificate.as_bytes(), key.as_bytes(), chain.map(str::as_bytes), at(year))
    };
    let pair = read(&leaf, &key, Some(&root), 2026).unwrap();
    assert_eq!((pair.certificate.to_pem(), pair.chain_pem()), (leaf.clone(), Some(root.clone())));
    assert_eq!(read(&leaf, &key, None, 2026).unwrap().chain_pem(), None);
    let both = format!("{leaf}{root}");
    for (certificate, key, chain, year, wanted) in [
        (leaf.as_str(), key.as_str(), None, 2027, PairError::Expired),
        (&leaf, &key, None, 2024, PairError::NotYetValid),
        (&leaf, &other, None, 2026, PairError::Mismatch),
        (&leaf, &leaf, None, 2026, PairError::Key(KeyError::NotAKey)),
        ("", &key, None, 2026, PairError::NoCertificate),
        (&key, &key, None, 2026, PairError::Certificate(PemError::NotUnderstood)),
        (&both, &key, None, 2026, PairError::ManyCertificates),
        (&leaf, &key, Some(""), 2026, PairError::EmptyChain),
        (&leaf, &key, Some(key.as_str()), 2026, PairError::Chain(PemError::NotUnderstood)),
        (&leaf, &key, Some(both.as_str()), 2026, PairError::ChainOrder(0)),
    ] {
        assert_eq!(read(certificate, key, chain, year).unwrap_err(), wanted, "{wanted:?}");
    }
}
