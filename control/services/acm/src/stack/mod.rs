//! `AWS::CertificateManager::Certificate`. `Ref` gives the certificate's ARN. The stack waits until it is issued.

use base::{Fault, Tags};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;
use shapes::acm as s;

use crate::certificate::{Certificate, Status, find};
use crate::error::Error;
use crate::operations;
use crate::request::{self, Request};
use crate::tags;

pub(crate) struct CertificateType;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    domain_name: String,
    #[serde(default)]
    subject_alternative_names: Vec<String>,
    validation_method: Option<String>,
    #[serde(default)]
    domain_validation_options: Vec<ValidationOption>,
    key_algorithm: Option<String>,
    certificate_transparency_logging_preference: Option<String>,
    certificate_export: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ValidationOption {
    domain_name: String,
    validation_domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

impl StackResource for CertificateType {
    fn type_name(&self) -> &'static str {
        "AWS::CertificateManager::Certificate"
    }

    fn schema(&self) -> &'static str {
        include_str!("certificate.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = read(request.properties)?;
        let tags = all_tags(request, &properties)?;
        let asked = Request {
            domain: properties.domain_name,
            others: properties.subject_alternative_names,
            validation: properties.validation_method,
            // A hosted zone is where CloudFormation would write the record; the region validates without.
            validation_domains: properties
                .domain_validation_options
                .into_iter()
                .filter_map(|o| Some((o.domain_name, o.validation_domain?)))
                .collect(),
            algorithm: properties.key_algorithm,
            transparency: properties.certificate_transparency_logging_preference,
            export: properties.certificate_export,
            token: None,
        };
        request::request(tx, cx, asked, tags)
    }

    fn progress(&self, state: &State, cx: &Cx, arn: &str, _: &ResourceRequest) -> Progress {
        match state.find::<Certificate, str>(arn).map(|c| c.status(cx.now)) {
            Some(Status::PendingValidation) => Progress::Pending,
            Some(Status::Issued | Status::Expired) => Progress::Ready,
            Some(Status::ValidationTimedOut) => Progress::Failed(format!("The certificate {arn} was not validated in time.")),
            None => Progress::Failed(format!("The certificate {arn} does not exist any more.")),
        }
    }

    fn update(&self, tx: &mut Tx, _: &Cx, arn: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let present = find(tx, arn)?;
        let (old, properties) = (read(old)?, read(request.properties)?);
        request::check_export(properties.certificate_export.as_deref())?;
        let mut all = request.kept_tags(&present.tags, |key| old.tags.iter().any(|tag| tag.key == key));
        all.extend(all_tags(request, &properties)?);
        tags::check_count(&all)?;
        operations::set_tags(tx, arn, all);
        let preference = properties.certificate_transparency_logging_preference.unwrap_or_default();
        operations::set_transparency(tx, arn, &preference);
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, arn: &str) -> Result<Progress, Fault> {
        match operations::remove(tx, cx, arn) {
            Ok(()) | Err(Error::NotFound(_)) => Ok(Progress::Ready),
            Err(error) => Err(error.into()),
        }
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Error::invalid(format!("{} has no attribute {name}.", self.type_name())).into())
    }
}

fn read(properties: &Json) -> Result<Properties, Fault> {
    Properties::deserialize(properties).map_err(|e| Error::invalid(format!("The properties are not understood: {e}.")).into())
}

/// The stack's tags, and over them the certificate's own.
fn all_tags(request: &ResourceRequest, properties: &Properties) -> Result<Tags, Error> {
    let own = properties.tags.iter().map(|tag| s::Tag { key: tag.key.clone(), value: Some(tag.value.clone()) });
    let mut all = request.tags.clone();
    all.extend(tags::from_user(own.collect())?);
    tags::check_count(&all)?;
    Ok(all)
}
