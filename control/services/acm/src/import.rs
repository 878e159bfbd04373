//! Certificates that users bring ("Import certificates into AWS Certificate Manager").

use base::{Fault, Tags, Time};
use kernel::{Cx, Tx};
use world::PrivateKey;
use x509::{KeyError, PairError, ServerPair};

use crate::certificate::{Certificate, Contents, Kind, find};
use crate::error::Error;
use crate::request::add;

/// Sizes in bytes (ImportCertificate).
const CERTIFICATE_BYTES_MAX: usize = 32_768;
const KEY_BYTES_MAX: usize = 5_120;
const CHAIN_BYTES_MAX: usize = 2_097_152;
/// Most names that an imported certificate may have.
const NAMES_MAX: usize = 1_000;

/// What a user brings. PEM.
pub(crate) struct Import {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) chain: Option<Vec<u8>>,
}

/// Takes a new certificate in; returns its ARN.
pub(crate) fn import(tx: &mut Tx, cx: &Cx, import: &Import, tags: Tags) -> Result<String, Fault> {
    let read = read(import, cx.now)?;
    let certificate = Certificate {
        arn: String::new(),
        kind: Kind::Imported,
        domain: read.names.first().cloned().unwrap_or_default(),
        names: read.names,
        algorithm: read.algorithm.into(),
        created_at: cx.now,
        tags,
        transparency: false,
        validation: None,
        validation_domains: std::collections::BTreeMap::new(),
        token: None,
        contents: Some(read.contents),
        issued_at: Some(cx.now),
        order: None,
        orders: 0,
        not_before_retry: None,
        timed_out: false,
        renewal: None,
    };
    add(tx, cx, certificate)
}

/// Puts another certificate in the place of one that was imported; whoever uses it goes over to the new one ("Reimport a
/// certificate").
pub(crate) fn reimport(tx: &mut Tx, cx: &Cx, arn: &str, import: &Import) -> Result<(), Fault> {
    let old = find(tx, arn)?;
    if old.kind != Kind::Imported {
        return Err(Error::invalid(format!("The certificate {arn} was not imported: it cannot be imported again.")).into());
    }
    let read = read(import, cx.now)?;
    if old.algorithm != read.algorithm {
        return Err(Error::invalid("The key type and size of a certificate that is imported again cannot change.").into());
    }
    if !old.names.is_empty() && !old.names.iter().any(|name| read.names.contains(name)) {
        return Err(Error::invalid("A certificate that is imported again must keep at least one of its domain names.").into());
    }
    if let Some(contents) = &old.contents {
        let lost = |before: &[String], after: &[String]| before.iter().any(|usage| !after.contains(usage));
        let names = |usages: &[(String, String)]| usages.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>();
        if lost(&contents.key_usages, &read.contents.key_usages)
            || lost(&names(&contents.extended_key_usages), &names(&read.contents.extended_key_usages))
        {
            return Err(Error::invalid("A certificate that is imported again must keep its key usages.").into());
        }
    }
    tx.update::<Certificate>(&arn.to_string(), |c| {
        c.domain = read.names.first().cloned().unwrap_or_default();
        c.names = read.names;
        c.contents = Some(read.contents);
        c.issued_at = Some(cx.now);
    });
    Ok(())
}

struct Read {
    names: Vec<String>,
    algorithm: &'static str,
    contents: Contents,
}

fn read(import: &Import, now: Time) -> Result<Read, Error> {
    check_size("certificate", import.certificate.len(), CERTIFICATE_BYTES_MAX)?;
    check_size("privateKey", import.key.len(), KEY_BYTES_MAX)?;
    check_size("certificateChain", import.chain.as_ref().map_or(1, Vec::len), CHAIN_BYTES_MAX)?;
    let pair = ServerPair::read(&import.certificate, &import.key, import.chain.as_deref(), now);
    let pair = pair.map_err(|e| Error::Invalid(words(e)))?;
    let algorithm = pair.certificate.key.map_or("", x509::KeyAlgorithm::name);
    Ok(Read { names: names(&pair.certificate)?, algorithm, contents: contents(&pair) })
}

/// What is wrong with what a user brings, as ImportCertificate says it.
fn words(error: PairError) -> String {
    match error {
        PairError::Certificate(e) => format!("The certificate is not in a valid PEM format: {e}."),
        PairError::NoCertificate => "The certificate is not in a valid PEM format: there is none in it.".into(),
        PairError::ManyCertificates => {
            "The certificate field contains more than one certificate. You can specify only one certificate in this field.".into()
        }
        PairError::Algorithm => "The key algorithm of the certificate is not supported in this region.".into(),
        PairError::Expired => "The certificate has expired.".into(),
        PairError::NotYetValid => "The certificate is not valid yet.".into(),
        PairError::Key(KeyError::Encrypted) => {
            "The private key is encrypted. You must provide an unencrypted private key.".into()
        }
        PairError::Key(KeyError::NotAKey) => "The private key is not in a valid PEM format.".into(),
        PairError::Key(KeyError::Unsupported) => "The private key is not supported.".into(),
        PairError::Mismatch => "The provided private key does not match the certificate.".into(),
        PairError::NotSelfSigned => "Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate or certificate chain.".into(),
        PairError::Chain(e) => format!("The certificate chain is not in a valid PEM format: {e}."),
        PairError::EmptyChain => "The certificate chain is not in a valid PEM format: there is no certificate in it.".into(),
        PairError::ChainOrder(at) => format!(
            "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, followed by any intermediaries in order. The index within the chain of the invalid certificate is: {at}"
        ),
    }
}

fn check_size(field: &str, bytes: usize, max: usize) -> Result<(), Error> {
    if (1..=max).contains(&bytes) {
        return Ok(());
    }
    let bound = if bytes == 0 { "greater than or equal to 1".into() } else { format!("less than or equal to {max}") };
    let text =
        format!("1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must have length {bound}");
    Err(Error::Invalid(text))
}

/// The DNS names, the common name first where it is one of them.
fn names(certificate: &x509::Certificate) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = Vec::new();
    let common = certificate.common_name.iter().filter(|name| certificate.names.is_empty() || certificate.names.contains(name));
    for name in common.chain(&certificate.names) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    match names.len() {
        0..=NAMES_MAX => Ok(names),
        count => Err(Error::invalid(format!("A certificate can have at most {NAMES_MAX} names, but this one has {count}."))),
    }
}

fn contents(pair: &ServerPair) -> Contents {
    let certificate = &pair.certificate;
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_string()).collect();
    Contents {
        certificate: certificate.to_pem(),
        chain: pair.chain_pem(),
        key: PrivateKey(pair.key.to_pem()),
        serial: certificate.serial.clone(),
        subject: certificate.subject.clone(),
        issuer: certificate.issuer_common_name.clone().unwrap_or_else(|| certificate.issuer.clone()),
        signature_algorithm: certificate.signature_algorithm.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        key_usages: texts(&certificate.key_usages),
        extended_key_usages: certificate.extended_key_usages.iter().map(|(name, id)| ((*name).into(), id.clone())).collect(),
    }
}
