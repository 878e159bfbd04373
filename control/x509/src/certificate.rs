//! A certificate and what it says.

use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use base::Time;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;

use crate::pem::{self, PemError};

const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// Kinds of keys, as AWS names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    Rsa1024,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    EcP256,
    EcP384,
    EcP521,
}

impl KeyAlgorithm {
    /// AWS's name in requests, such as `EC_prime256v1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa1024 => "RSA_1024",
            Self::Rsa2048 => "RSA_2048",
            Self::Rsa3072 => "RSA_3072",
            Self::Rsa4096 => "RSA_4096",
            Self::EcP256 => "EC_prime256v1",
            Self::EcP384 => "EC_secp384r1",
            Self::EcP521 => "EC_secp521r1",
        }
    }
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub der: Vec<u8>,
    /// As text, such as `CN=example.com, O=Example`.
    pub subject: String,
    pub common_name: Option<String>,
    pub issuer: String,
    pub issuer_common_name: Option<String>,
    /// Its DNS names; addresses and mail are left out.
    pub names: Vec<String>,
    /// In hexadecimal digits, two and two with colons between.
    pub serial: String,
    pub not_before: Time,
    pub not_after: Time,
    /// None for a kind of key that AWS does not know.
    pub key: Option<KeyAlgorithm>,
    /// Such as `SHA256WITHRSA`, or the object identifier of an algorithm without a name here.
    pub signature_algorithm: String,
    /// It may sign others (`basicConstraints`).
    pub is_authority: bool,
    /// AWS's names of its `keyUsage`; empty when it says nothing of that.
    pub key_usages: Vec<&'static str>,
    /// AWS's name and the object identifier of each `extendedKeyUsage`.
    pub extended_key_usages: Vec<(&'static str, String)>,
    /// As the certificate holds it: an RSA key, or the point of an elliptic curve.
    pub(crate) public_key: Vec<u8>,
    raw_subject: Vec<u8>,
    raw_issuer: Vec<u8>,
}

/// All certificates of a PEM text, `most` at most. Blocks of other kinds are an error.
pub fn certificates(text: &[u8], most: usize) -> Result<Vec<Certificate>, PemError> {
    let blocks = pem::blocks(text, most)?;
    let read = |block: pem::PemBlock| match LABELS.contains(&block.label.as_str()) {
        true => Certificate::read(&block.der).ok_or(PemError::NotUnderstood),
        false => Err(PemError::NotUnderstood),
    };
    blocks.into_iter().map(read).collect()
}

impl Certificate {
    /// Reads one from its bytes.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (rest, read) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let common =
            |name: &x509_parser::x509::X509Name| name.iter_common_name().next().and_then(|n| n.as_str().ok()).map(String::from);
        Some(Self {
            der: der.into(),
            subject: read.subject().to_string(),
            common_name: common(read.subject()),
            issuer: read.issuer().to_string(),
            issuer_common_name: common(read.issuer()),
            names: names(&read),
            serial: read.raw_serial_as_string(),
            not_before: time(read.validity().not_before),
            not_after: time(read.validity().not_after),
            key: key(&read),
            signature_algorithm: signature_algorithm(&read.signature_algorithm.algorithm.to_id_string()).into(),
            is_authority: read.is_ca(),
            key_usages: key_usages(&read),
            extended_key_usages: extended_key_usages(&read),
            public_key: read.public_key().subject_public_key.data.to_vec(),
            raw_subject: read.subject().as_raw().into(),
            raw_issuer: read.issuer().as_raw().into(),
        })
    }

    pub fn to_pem(&self) -> String {
        pem::write(LABELS[0], &self.der)
    }

    /// Whether it says that it signed itself.
    pub fn is_self_issued(&self) -> bool {
        self.raw_subject == self.raw_issuer
    }

    /// Whether the other one's key signed this one, and its subject is this one's issuer.
    pub fn is_signed_by(&self, other: &Certificate) -> bool {
        if self.raw_issuer != other.raw_subject {
            return false;
        }
        let Ok((_, read)) = X509Certificate::from_der(&self.der) else { return false };
        let Some(algorithm) = verification(&self.signature_algorithm, other.key) else { return false };
        let key = UnparsedPublicKey::new(algorithm, &other.public_key);
        key.verify(read.tbs_certificate.as_ref(), &read.signature_value.data).is_ok()
    }
}

fn time(time: ASN1Time) -> Time {
    Time::from_unix_ms(time.timestamp().saturating_mul(1_000))
}

fn names(read: &X509Certificate) -> Vec<String> {
    let Ok(Some(names)) = read.subject_alternative_name() else { return Vec::new() };
    let dns = |name: &GeneralName| match name {
        GeneralName::DNSName(name) => Some((*name).to_string()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(dns).collect()
}

fn key(read: &X509Certificate) -> Option<KeyAlgorithm> {
    let info = read.public_key();
    match info.parsed().ok()? {
        PublicKey::RSA(key) => match key.key_size() {
            1024 => Some(KeyAlgorithm::Rsa1024),
            2048 => Some(KeyAlgorithm::Rsa2048),
            3072 => Some(KeyAlgorithm::Rsa3072),
            4096 => Some(KeyAlgorithm::Rsa4096),
            _ => None,
        },
        PublicKey::EC(_) => match info.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string().as_str() {
            "1.2.840.10045.3.1.7" => Some(KeyAlgorithm::EcP256),
            "1.3.132.0.34" => Some(KeyAlgorithm::EcP384),
            "1.3.132.0.35" => Some(KeyAlgorithm::EcP521),
            _ => None,
        },
        _ => None,
    }
}

fn signature_algorithm(id: &str) -> &str {
    match id {
        "1.2.840.113549.1.1.5" => "SHA1WITHRSA",
        "1.2.840.113549.1.1.11" => "SHA256WITHRSA",
        "1.2.840.113549.1.1.12" => "SHA384WITHRSA",
        "1.2.840.113549.1.1.13" => "SHA512WITHRSA",
        "1.2.840.10045.4.3.2" => "SHA256WITHECDSA",
        "1.2.840.10045.4.3.3" => "SHA384WITHECDSA",
        "1.2.840.10045.4.3.4" => "SHA512WITHECDSA",
        other => other,
    }
}

fn verification(signature: &str, key: Option<KeyAlgorithm>) -> Option<&'static dyn VerificationAlgorithm> {
    use KeyAlgorithm as K;
    let algorithm: &'static dyn VerificationAlgorithm = match (signature, key?) {
        ("SHA256WITHRSA", K::Rsa2048 | K::Rsa3072 | K::Rsa4096) => &RSA_PKCS1_2048_8192_SHA256,
        ("SHA384WITHRSA", K::Rsa2048 | K::Rsa3072 | K::Rsa4096) => &RSA_PKCS1_2048_8192_SHA384,
        ("SHA512WITHRSA", K::Rsa2048 | K::Rsa3072 | K::Rsa4096) => &RSA_PKCS1_2048_8192_SHA512,
        // Old roots still sign themselves so.
        ("SHA1WITHRSA", K::Rsa2048 | K::Rsa3072 | K::Rsa4096) => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        ("SHA256WITHECDSA", K::EcP256) => &ECDSA_P256_SHA256_ASN1,
        ("SHA384WITHECDSA", K::EcP256) => &ECDSA_P256_SHA384_ASN1,
        ("SHA256WITHECDSA", K::EcP384) => &ECDSA_P384_SHA256_ASN1,
        ("SHA384WITHECDSA", K::EcP384) => &ECDSA_P384_SHA384_ASN1,
        ("SHA512WITHECDSA", K::EcP521) => &ECDSA_P521_SHA512_ASN1,
        _ => return None,
    };
    Some(algorithm)
}

fn key_usages(read: &X509Certificate) -> Vec<&'static str> {
    let Ok(Some(usage)) = read.key_usage() else { return Vec::new() };
    let usage = usage.value;
    let all = [
        ("DIGITAL_SIGNATURE", usage.digital_signature()),
        ("NON_REPUDIATION", usage.non_repudiation()),
        ("KEY_ENCIPHERMENT", usage.key_encipherment()),
        ("DATA_ENCIPHERMENT", usage.data_encipherment()),
        ("KEY_AGREEMENT", usage.key_agreement()),
        ("CERTIFICATE_SIGNING", usage.key_cert_sign()),
        ("CRL_SIGNING", usage.crl_sign()),
        ("ENCIPHER_ONLY", usage.encipher_only()),
        ("DECIPHER_ONLY", usage.decipher_only()),
    ];
    all.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
}

fn extended_key_usages(read: &X509Certificate) -> Vec<(&'static str, String)> {
    let usage = read.extensions().iter().find_map(|e| match e.parsed_extension() {
        ParsedExtension::ExtendedKeyUsage(usage) => Some(usage),
        _ => None,
    });
    let Some(usage) = usage else { return Vec::new() };
    let all = [
        ("ANY", usage.any, "2.5.29.37.0"),
        ("TLS_WEB_SERVER_AUTHENTICATION", usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        ("TLS_WEB_CLIENT_AUTHENTICATION", usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        ("CODE_SIGNING", usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        ("EMAIL_PROTECTION", usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        ("TIME_STAMPING", usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        ("OCSP_SIGNING", usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let known = all.into_iter().filter(|(_, is_set, _)| *is_set).map(|(name, _, id)| (name, id.to_string()));
    known.chain(usage.other.iter().map(|id| ("CUSTOM", id.to_id_string()))).collect()
}
