//! A certificate as the API shows it. Private keys are in none of its answers.

use base::{Scope, Time};
use shapes::acm as s;

use crate::certificate::{Certificate, Kind, Status};
use crate::validation;

/// `DescribeCertificate` and `ListCertificates` write `RSA-2048` where requests say `RSA_2048`.
fn algorithm(certificate: &Certificate) -> String {
    certificate.algorithm.replace('_', "-")
}

fn on(is_on: bool) -> Option<String> {
    Some(if is_on { "ENABLED" } else { "DISABLED" }.into())
}

fn eligibility(certificate: &Certificate, users: &[String]) -> String {
    let is_eligible = certificate.kind == Kind::Issued && certificate.contents.is_some() && !users.is_empty();
    if is_eligible { "ELIGIBLE" } else { "INELIGIBLE" }.into()
}

pub(crate) fn kind(certificate: &Certificate) -> &'static str {
    match certificate.kind {
        Kind::Imported => "IMPORTED",
        Kind::Issued => "AMAZON_ISSUED",
    }
}

pub(crate) fn origin(certificate: &Certificate) -> &'static str {
    match certificate.kind {
        Kind::Imported => "CUSTOMER_PROVIDED",
        Kind::Issued => "AWS_MANAGED",
    }
}

pub(crate) fn detail(scope: &Scope, certificate: &Certificate, users: Vec<String>, now: Time) -> s::CertificateDetail {
    let contents = certificate.contents.as_ref();
    let is_issued = certificate.kind == Kind::Issued;
    let validations = validation::show(scope, certificate, now);
    let renewal = certificate.renewal.as_ref().map(|renewal| s::RenewalSummary {
        renewal_status: renewal.status.as_str().into(),
        domain_validation_options: validations.clone(),
        renewal_status_reason: None,
        updated_at: renewal.updated_at,
    });
    s::CertificateDetail {
        certificate_arn: Some(certificate.arn.clone()),
        domain_name: Some(certificate.domain.clone()).filter(|d| !d.is_empty()),
        subject_alternative_names: certificate.names.clone(),
        domain_validation_options: validations,
        serial: contents.map(|c| c.serial.clone()),
        subject: Some(contents.map_or_else(|| format!("CN={}", certificate.domain), |c| c.subject.clone())),
        issuer: Some(contents.map_or_else(|| "Allod".into(), |c| c.issuer.clone())),
        created_at: Some(certificate.created_at),
        issued_at: certificate.issued_at.filter(|_| is_issued),
        imported_at: certificate.issued_at.filter(|_| !is_issued),
        status: Some(certificate.status(now).as_str().into()),
        not_before: contents.map(|c| c.not_before),
        not_after: contents.map(|c| c.not_after),
        key_algorithm: Some(algorithm(certificate)),
        signature_algorithm: Some(contents.map_or_else(|| "SHA256WITHECDSA".into(), |c| c.signature_algorithm.clone())),
        renewal_eligibility: Some(eligibility(certificate, &users)),
        in_use_by: users,
        failure_reason: None,
        r#type: Some(kind(certificate).into()),
        renewal_summary: renewal,
        key_usages: contents
            .map_or_else(Vec::new, |c| c.key_usages.iter().map(|name| s::KeyUsage { name: Some(name.clone()) }).collect()),
        extended_key_usages: contents.map_or_else(Vec::new, |c| {
            let shape = |(name, id): &(String, String)| s::ExtendedKeyUsage { name: Some(name.clone()), oid: Some(id.clone()) };
            c.extended_key_usages.iter().map(shape).collect()
        }),
        options: Some(options(certificate)),
        certificate_key_pair_origin: Some(origin(certificate).into()),
        ..Default::default()
    }
}

fn options(certificate: &Certificate) -> s::CertificateOptions {
    s::CertificateOptions {
        certificate_transparency_logging_preference: on(certificate.transparency),
        export: on(false),
        validation_method: None,
    }
}

/// How many names a summary has at most; the rest are told by `DescribeCertificate`.
const SUMMARY_NAMES_MAX: usize = 100;

pub(crate) fn summary(certificate: &Certificate, users: &[String], now: Time) -> s::CertificateSummary {
    let contents = certificate.contents.as_ref();
    let is_issued = certificate.kind == Kind::Issued;
    let status = certificate.status(now);
    s::CertificateSummary {
        certificate_arn: Some(certificate.arn.clone()),
        domain_name: Some(certificate.domain.clone()).filter(|d| !d.is_empty()),
        subject_alternative_name_summaries: certificate.names.iter().take(SUMMARY_NAMES_MAX).cloned().collect(),
        has_additional_subject_alternative_names: Some(certificate.names.len() > SUMMARY_NAMES_MAX),
        status: Some(status.as_str().into()),
        r#type: Some(kind(certificate).into()),
        key_algorithm: Some(algorithm(certificate)),
        key_usages: contents.map_or_else(Vec::new, |c| c.key_usages.clone()),
        extended_key_usages: contents
            .map_or_else(Vec::new, |c| c.extended_key_usages.iter().map(|(name, _)| name.clone()).collect()),
        export_option: on(false),
        in_use: Some(!users.is_empty()),
        exported: Some(false).filter(|_| status != Status::PendingValidation),
        renewal_eligibility: Some(eligibility(certificate, users)),
        not_before: contents.map(|c| c.not_before),
        not_after: contents.map(|c| c.not_after),
        created_at: Some(certificate.created_at),
        issued_at: certificate.issued_at.filter(|_| is_issued),
        imported_at: certificate.issued_at.filter(|_| !is_issued),
        certificate_key_pair_origin: Some(origin(certificate).into()),
        ..Default::default()
    }
}
