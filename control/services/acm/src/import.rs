//! Certificates that users bring ("Import certificates into AWS Certificate Manager").

use base::{Fault, Tags, Time};
use kernel::{Cx, Tx};
use world::PrivateKey;
use x509::KeyError;

use crate::certificate::{Certificate, Contents, Kind, find};
use crate::error::Error;
use crate::request::add;

/// Sizes in bytes, and how many certificates a chain may have (ImportCertificate).
const CERTIFICATE_BYTES_MAX: usize = 32_768;
const KEY_BYTES_MAX: usize = 5_120;
const CHAIN_BYTES_MAX: usize = 2_097_152;
const CHAIN_MAX: usize = 1_000;
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
    let certificate = own(&import.certificate)?;
    let algorithm = match certificate.key.filter(|_| x509::PrivateKey::can_be_of(certificate.key)) {
        Some(algorithm) => algorithm.name(),
        None => return Err(Error::invalid("The key algorithm of the certificate is not supported in this region.")),
    };
    if certificate.not_after <= now {
        return Err(Error::invalid("The certificate has expired."));
    }
    if certificate.not_before > now {
        return Err(Error::invalid("The certificate is not valid yet."));
    }
    let key = key(&import.key)?;
    if !key.is_of(&certificate) {
        return Err(Error::invalid("The provided private key does not match the certificate."));
    }
    let chain = chain(&certificate, import.chain.as_deref())?;
    let names = names(&certificate)?;
    Ok(Read { names, algorithm, contents: contents(&certificate, chain, &key) })
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

fn own(pem: &[u8]) -> Result<x509::Certificate, Error> {
    let mut all = match x509::certificates(pem, 1) {
        Ok(all) => all,
        Err(x509::PemError::TooMany) => {
            let text =
                "The certificate field contains more than one certificate. You can specify only one certificate in this field.";
            return Err(Error::invalid(text));
        }
        Err(e) => return Err(Error::invalid(format!("The certificate is not in a valid PEM format: {e}."))),
    };
    all.pop().ok_or_else(|| Error::invalid("The certificate is not in a valid PEM format: there is none in it."))
}

fn key(pem: &[u8]) -> Result<x509::PrivateKey, Error> {
    x509::PrivateKey::from_pem(pem).map_err(|e| {
        Error::invalid(match e {
            KeyError::Encrypted => "The private key is encrypted. You must provide an unencrypted private key.",
            KeyError::NotAKey => "The private key is not in a valid PEM format.",
            KeyError::Unsupported => "The private key is not supported.",
        })
    })
}

/// The certificates above, in the order in which each signs the one before it. A root may be left out.
fn chain(certificate: &x509::Certificate, pem: Option<&[u8]>) -> Result<Option<String>, Error> {
    let Some(pem) = pem else {
        if certificate.is_self_issued() && !certificate.is_signed_by(certificate) {
            let text = "Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate or certificate chain.";
            return Err(Error::invalid(text));
        }
        return Ok(None);
    };
    let all = x509::certificates(pem, CHAIN_MAX);
    let all = all.map_err(|e| Error::invalid(format!("The certificate chain is not in a valid PEM format: {e}.")))?;
    if all.is_empty() {
        return Err(Error::invalid("The certificate chain is not in a valid PEM format: there is no certificate in it."));
    }
    let below = std::iter::once(certificate).chain(&all);
    if let Some(at) = below.zip(&all).position(|(below, above)| !below.is_signed_by(above)) {
        return Err(Error::invalid(format!(
            "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, followed by any intermediaries in order. The index within the chain of the invalid certificate is: {at}"
        )));
    }
    Ok(Some(all.iter().map(x509::Certificate::to_pem).collect()))
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

fn contents(certificate: &x509::Certificate, chain: Option<String>, key: &x509::PrivateKey) -> Contents {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_string()).collect();
    Contents {
        certificate: certificate.to_pem(),
        chain,
        key: PrivateKey(key.to_pem()),
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
