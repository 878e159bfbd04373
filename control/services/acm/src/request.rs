//! Requests for certificates of the region's own authority, and their renewal.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Fault, Tags};
use kernel::{Cx, Tx};
use shapes::acm as s;
use world::KeyAlgorithm;

use crate::certificate::{CERTIFICATES_MAX, Certificate, Kind, Renewal, RenewalStatus};
use crate::domain;
use crate::error::Error;
use crate::validation::ValidationMethod;

/// How long a token stands for its request (RequestCertificate, `IdempotencyToken`).
const TOKEN: Duration = Duration::from_secs(3_600);
const DEFAULT_ALGORITHM: &str = "RSA_2048";

/// What a user asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) domain: String,
    pub(crate) others: Vec<String>,
    pub(crate) validation: Option<String>,
    /// Domain name, validation domain.
    pub(crate) validation_domains: Vec<(String, String)>,
    pub(crate) algorithm: Option<String>,
    pub(crate) transparency: Option<String>,
    pub(crate) export: Option<String>,
    pub(crate) token: Option<String>,
}

impl From<s::RequestCertificateRequest> for Request {
    fn from(input: s::RequestCertificateRequest) -> Self {
        let options = input.options.unwrap_or_default();
        Self {
            domain: input.domain_name,
            others: input.subject_alternative_names,
            validation: input.validation_method,
            validation_domains: input
                .domain_validation_options
                .into_iter()
                .map(|o| (o.domain_name, o.validation_domain))
                .collect(),
            algorithm: input.key_algorithm,
            transparency: options.certificate_transparency_logging_preference,
            export: options.export,
            token: input.idempotency_token,
        }
    }
}

/// The algorithm that the authority can make keys of (RequestCertificate, `KeyAlgorithm`: RSA 2048, ECDSA P 256 and P 384).
pub(crate) fn algorithm(name: &str) -> Option<KeyAlgorithm> {
    match name {
        "RSA_2048" => Some(KeyAlgorithm::Rsa2048),
        "EC_prime256v1" => Some(KeyAlgorithm::EcP256),
        "EC_secp384r1" => Some(KeyAlgorithm::EcP384),
        _ => None,
    }
}

/// Makes a certificate that waits to be issued, or finds the one that the token has made. Returns its ARN.
pub(crate) fn request(tx: &mut Tx, cx: &Cx, request: Request, tags: Tags) -> Result<String, Fault> {
    let names = domain::names(&request.domain, &request.others)?;
    let validation = ValidationMethod::parse(request.validation.as_deref())?;
    let validation_domains = validation_domains(&names, request.validation_domains)?;
    let algorithm_name = request.algorithm.unwrap_or_else(|| DEFAULT_ALGORITHM.into());
    if algorithm(&algorithm_name).is_none() {
        return Err(
            Error::invalid(format!("The key algorithm {algorithm_name} is not supported for requested certificates.")).into()
        );
    }
    check_export(request.export.as_deref())?;
    let new = Certificate {
        arn: String::new(),
        kind: Kind::Issued,
        domain: names[0].clone(),
        names,
        algorithm: algorithm_name,
        created_at: cx.now,
        tags,
        transparency: request.transparency.as_deref() != Some("DISABLED"),
        validation: Some(validation),
        validation_domains,
        token: request.token,
        contents: None,
        issued_at: None,
        order: None,
        orders: 0,
        not_before_retry: None,
        timed_out: false,
        renewal: None,
    };
    if let Some(old) = same(tx, cx, &new) {
        return Ok(old);
    }
    add(tx, cx, new)
}

/// Puts a new certificate and gives it an ARN.
pub(crate) fn add(tx: &mut Tx, cx: &Cx, mut certificate: Certificate) -> Result<String, Fault> {
    if tx.count::<Certificate>() >= CERTIFICATES_MAX {
        return Err(Error::TooManyCertificates.into());
    }
    let id = cx.rng().uuid();
    certificate.arn = cx.scope.arn("acm", format_args!("certificate/{id}"));
    let arn = certificate.arn.clone();
    tx.put(certificate);
    Ok(arn)
}

/// The certificate of an equal request with the same token within the last hour.
fn same(tx: &Tx, cx: &Cx, new: &Certificate) -> Option<String> {
    let token = new.token.as_deref()?;
    let is_same = |old: &&Certificate| {
        cx.now.ms_since(old.created_at) < u64::try_from(TOKEN.as_millis()).unwrap_or(u64::MAX)
            && (&old.names, &old.algorithm, old.validation, &old.validation_domains)
                == (&new.names, &new.algorithm, new.validation, &new.validation_domains)
    };
    tx.rows_where::<Certificate>("token", token).find(is_same).map(|old| old.arn.clone())
}

pub(crate) fn check_export(export: Option<&str>) -> Result<(), Error> {
    match export {
        Some("ENABLED") => Err(Error::InvalidParameter("Exportable certificates are not supported in this region.".into())),
        _ => Ok(()),
    }
}

fn validation_domains(names: &[String], given: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for (name, above) in given {
        let (name, above) = (name.to_ascii_lowercase(), above.to_ascii_lowercase());
        if !names.contains(&name) {
            return Err(Error::ValidationOptions(format!("The domain {name} is not one of the certificate's names.")));
        }
        if !domain::is_below(&name, &above) {
            let text = format!("The validation domain {above} must be the domain {name} itself, or one above it.");
            return Err(Error::ValidationOptions(text));
        }
        if all.insert(name.clone(), above).is_some() {
            return Err(Error::ValidationOptions(format!("The domain {name} is given more than once.")));
        }
    }
    Ok(all)
}

/// Has a certificate issued anew, with a new key. What is served stays until then.
pub(crate) fn renew(tx: &mut Tx, cx: &Cx, arn: &str) {
    tx.update::<Certificate>(&arn.to_string(), |c| {
        c.renewal = Some(Renewal { status: RenewalStatus::Pending, updated_at: cx.now });
        c.not_before_retry = None;
    });
}
