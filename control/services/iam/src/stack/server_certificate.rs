use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use super::properties;
use crate::error::Error;
use crate::server_certificate::{self, Upload};

/// `AWS::IAM::ServerCertificate`. Its physical id is its name.
pub(super) struct ServerCertificateType;

impl StackResource for ServerCertificateType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::ServerCertificate"
    }

    fn schema(&self) -> &'static str {
        include_str!("server_certificate.schema")
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["PrivateKey"]
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let required = |name: &str| {
            let missing = || Error::Invalid(format!("Property {name} cannot be empty."));
            properties::text(request.properties, name).ok_or_else(missing)
        };
        let upload = Upload {
            name: properties::name_or(request, "ServerCertificateName", || request.physical_name(cx, 128)),
            path: properties::text(request.properties, "Path"),
            body: required("CertificateBody")?,
            key: required("PrivateKey")?,
            chain: properties::text(request.properties, "CertificateChain"),
            tags: properties::tags(request)?,
        };
        Ok(server_certificate::upload(tx, cx, upload)?.name)
    }

    /// Path and tags change in place, the ARN with the path.
    fn update(&self, tx: &mut Tx, cx: &Cx, name: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let path = properties::text(request.properties, "Path").unwrap_or_else(|| "/".into());
        server_certificate::rename(tx, cx, name, None, Some(path))?;
        let tags = properties::retagged(&server_certificate::find(tx, name)?.tags, old, request)?;
        server_certificate::change_tags(tx, name, |present| {
            *present = tags;
            Ok(())
        })?;
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, name: &str) -> Result<Progress, Fault> {
        match server_certificate::delete(tx, name) {
            Ok(()) | Err(Error::NoServerCertificate(_)) => Ok(Progress::Ready),
            Err(error) => Err(error.into()),
        }
    }

    fn attribute(&self, state: &State, _: &Cx, name: &str, attribute: &str) -> Result<Json, Fault> {
        let certificate = server_certificate::find(state, name)?;
        match attribute {
            "Arn" => Ok(certificate.arn.clone().into()),
            _ => Err(Error::NoAttribute(attribute.into()).into()),
        }
    }
}
