//! Issuing one certificate.

use std::io;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base::Time;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SanType, SerialNumber,
};
use time::OffsetDateTime;
use world::{CertificateOrder, IssuedCertificate, KeyAlgorithm, PrivateKey};

use crate::root::Root;

/// Most names of one certificate.
const NAMES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 253;
/// Longest common name (X.520); a longer one is among the other names only.
const COMMON_NAME_BYTES_MAX: usize = 64;
const SERIAL_BYTES: usize = 16;

pub(crate) fn issue(root: &Root, order: &CertificateOrder) -> io::Result<IssuedCertificate> {
    let parameters = parameters(order)?;
    let key = match order.algorithm {
        // Its size is 2,048 bits.
        KeyAlgorithm::Rsa2048 => KeyPair::generate_for(&PKCS_RSA_SHA256),
        KeyAlgorithm::EcP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyAlgorithm::EcP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
    };
    let key = key.map_err(io::Error::other)?;
    let certificate = parameters.signed_by(&key, &root.issuer).map_err(io::Error::other)?;
    let serial = parameters.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
    Ok(IssuedCertificate {
        certificate: certificate.pem(),
        chain: root.certificate.clone(),
        key: PrivateKey(key.serialize_pem()),
        serial: serial.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        issuer: root.name.clone(),
        signature_algorithm: "SHA256WITHECDSA".into(),
    })
}

fn parameters(order: &CertificateOrder) -> io::Result<CertificateParams> {
    let mut parameters = CertificateParams::default();
    if !(1..=NAMES_MAX).contains(&order.names.len()) {
        return Err(io::Error::other(format!("a certificate has 1 to {NAMES_MAX} names")));
    }
    for name in &order.names {
        if !is_name(name) {
            return Err(io::Error::other(format!("{name:?} is no name that a certificate can be for")));
        }
        let name = name.as_str().try_into().map_err(io::Error::other)?;
        parameters.subject_alt_names.push(SanType::DnsName(name));
    }
    parameters.distinguished_name = DistinguishedName::new();
    if order.names[0].len() <= COMMON_NAME_BYTES_MAX {
        parameters.distinguished_name.push(DnType::CommonName, order.names[0].as_str());
    }
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if order.algorithm == KeyAlgorithm::Rsa2048 {
        parameters.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    parameters.not_before = moment(order.not_before)?;
    parameters.not_after = moment(order.not_after)?;
    if parameters.not_after <= parameters.not_before {
        return Err(io::Error::other("it would end before it began"));
    }
    parameters.serial_number = Some(SerialNumber::from_slice(&serial()?));
    Ok(parameters)
}

/// ASCII labels of letters, digits and hyphens; the first may be a star.
fn is_name(name: &str) -> bool {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        let is_known = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        is_known && (1..=63).contains(&label.len())
    };
    name.len() <= NAME_BYTES_MAX && bare.split('.').all(is_label)
}

fn moment(time: Time) -> io::Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.unix_ms().div_euclid(1_000)).map_err(io::Error::other)
}

/// A number that nobody can foresee (RFC 5280: positive, of 20 bytes at most).
fn serial() -> io::Result<[u8; SERIAL_BYTES]> {
    let mut serial = [0; SERIAL_BYTES];
    SystemRandom::new().fill(&mut serial).map_err(|_| io::Error::other("the machine has no randomness for a serial number"))?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}
