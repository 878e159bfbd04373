//! The API of ACM, but for listings and tags.

use base::{Fault, Tags};
use kernel::{Cx, Tx};
use shapes::acm as s;
use world::{Slot, SlotKind};

use crate::certificate::{Certificate, Kind, Status, find};
use crate::error::Error;
use crate::import::{self, Import};
use crate::validation::ValidationMethod;
use crate::{request as requests, show, tags};

pub(crate) fn request(tx: &mut Tx, cx: &Cx, input: s::RequestCertificateRequest) -> Result<s::RequestCertificateResponse, Fault> {
    if let Some(authority) = &input.certificate_authority_arn {
        return Err(Error::InvalidParameter(format!("There is no private authority {authority} in this region.")).into());
    }
    if input.managed_by.is_some() {
        return Err(
            Error::InvalidParameter("Certificates that CloudFront manages are not supported in this region.".into()).into()
        );
    }
    if input.options.as_ref().is_some_and(|o| o.validation_method.is_some()) {
        return Err(Error::InvalidParameter("A validation method is given as ValidationMethod of the request.".into()).into());
    }
    let tags = tags::from_user(input.tags.clone())?;
    let arn = requests::request(tx, cx, input.into(), tags)?;
    Ok(s::RequestCertificateResponse { certificate_arn: Some(arn) })
}

pub(crate) fn import(tx: &mut Tx, cx: &Cx, input: s::ImportCertificateRequest) -> Result<s::ImportCertificateResponse, Fault> {
    let brought = Import { certificate: input.certificate, key: input.private_key, chain: input.certificate_chain };
    let tags = tags::from_user(input.tags)?;
    let arn = match input.certificate_arn {
        None => import::import(tx, cx, &brought, tags)?,
        Some(_) if !tags.is_empty() => return Err(Error::invalid("Tagging is not permitted on re-import.").into()),
        Some(arn) => {
            import::reimport(tx, cx, &arn, &brought)?;
            arn
        }
    };
    Ok(s::ImportCertificateResponse { certificate_arn: Some(arn) })
}

pub(crate) fn describe(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeCertificateRequest,
) -> Result<s::DescribeCertificateResponse, Fault> {
    let certificate = find(tx, &input.certificate_arn)?;
    let users = tx.registry().users(tx, &input.certificate_arn);
    Ok(s::DescribeCertificateResponse { certificate: Some(show::detail(&cx.scope, certificate, users, cx.now)) })
}

/// The certificate and those above it; never its key.
pub(crate) fn get(tx: &mut Tx, _: &Cx, input: s::GetCertificateRequest) -> Result<s::GetCertificateResponse, Fault> {
    let certificate = find(tx, &input.certificate_arn)?;
    let Some(contents) = &certificate.contents else { return Err(Error::InProgress(input.certificate_arn).into()) };
    // One that was imported alone is its own chain: Ansible's acm_certificate relies on what it has seen AWS answer.
    let chain = contents.chain.as_ref().unwrap_or(&contents.certificate);
    Ok(s::GetCertificateResponse { certificate: Some(contents.certificate.clone()), certificate_chain: Some(chain.clone()) })
}

pub(crate) fn delete(tx: &mut Tx, cx: &Cx, input: s::DeleteCertificateRequest) -> Result<(), Fault> {
    remove(tx, cx, &input.certificate_arn)?;
    Ok(())
}

/// Ends a certificate that nobody uses.
pub(crate) fn remove(tx: &mut Tx, cx: &Cx, arn: &str) -> Result<(), Error> {
    find(tx, arn)?;
    if !tx.registry().users(tx, arn).is_empty() {
        return Err(Error::InUse { arn: arn.into(), account: cx.scope.account.clone() });
    }
    tx.remove::<Certificate>(&arn.to_string());
    tx.want(Slot::new(SlotKind::Certificate, arn), None);
    Ok(())
}

pub(crate) fn update_options(tx: &mut Tx, _: &Cx, input: s::UpdateCertificateOptionsRequest) -> Result<(), Fault> {
    let certificate = find(tx, &input.certificate_arn)?;
    if certificate.kind == Kind::Imported {
        return Err(Error::InvalidState("The options of an imported certificate cannot be updated.".into()).into());
    }
    if input.options.export.as_deref() == Some("ENABLED") {
        return Err(Error::InvalidState("Exportable certificates are not supported in this region.".into()).into());
    }
    if input.options.validation_method.is_some() {
        return Err(Error::InvalidState("The validation method of a certificate cannot be changed in this region.".into()).into());
    }
    if let Some(preference) = input.options.certificate_transparency_logging_preference {
        set_transparency(tx, &input.certificate_arn, &preference);
    }
    Ok(())
}

pub(crate) fn set_transparency(tx: &mut Tx, arn: &str, preference: &str) {
    tx.update::<Certificate>(&arn.to_string(), |c| c.transparency = preference != "DISABLED");
}

/// AWS takes this for exported certificates only, and renews the others by itself. Here it takes those of the region's
/// authority, so that a user can try what a renewal does to his clients.
pub(crate) fn renew(tx: &mut Tx, cx: &Cx, input: s::RenewCertificateRequest) -> Result<(), Fault> {
    let certificate = find(tx, &input.certificate_arn)?;
    if certificate.kind == Kind::Imported {
        let text = format!("The certificate {} was imported: import another one in its place.", input.certificate_arn);
        return Err(Error::Invalid(text).into());
    }
    if certificate.contents.is_none() {
        return Err(Error::invalid(format!("The certificate {} is not issued.", input.certificate_arn)).into());
    }
    requests::renew(tx, cx, &input.certificate_arn);
    Ok(())
}

/// Keys of public certificates never leave ("Export a private certificate").
pub(crate) fn export(tx: &mut Tx, _: &Cx, input: s::ExportCertificateRequest) -> Result<s::ExportCertificateResponse, Fault> {
    find(tx, &input.certificate_arn)?;
    Err(Error::invalid(format!("Certificate ARN: {} is not a private certificate", input.certificate_arn)).into())
}

pub(crate) fn resend(tx: &mut Tx, cx: &Cx, input: s::ResendValidationEmailRequest) -> Result<(), Fault> {
    let certificate = find(tx, &input.certificate_arn)?;
    if certificate.validation != Some(ValidationMethod::Email) || certificate.status(cx.now) != Status::PendingValidation {
        let text = format!("The certificate {} does not wait for validation by mail.", input.certificate_arn);
        return Err(Error::InvalidState(text).into());
    }
    if !certificate.names.contains(&input.domain.to_ascii_lowercase()) {
        let text = format!("The domain {} is not one of the certificate's names.", input.domain);
        return Err(Error::ValidationOptions(text).into());
    }
    Ok(())
}

/// Tags of a certificate, all of them.
pub(crate) fn set_tags(tx: &mut Tx, arn: &str, tags: Tags) {
    tx.update::<Certificate>(&arn.to_string(), |c| c.tags = tags);
}
