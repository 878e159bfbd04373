//! `AWS::ElasticLoadBalancingV2::TrustStore` and `TrustStoreRevocation`. `Ref` gives the trust store's ARN; that of a
//! revocation is the ARN with the ids of its files.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::{Value as Json, json};

use super::{retag, served_trust_store, tags_of};
use crate::error::Error;
use crate::trust_store::{self, Place};

const NAME_CHARS_MAX: usize = 32;

fn text(properties: &Json, name: &str) -> Option<String> {
    properties[name].as_str().map(Into::into)
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Coded("TrustStoreNotFound" | "RevocationIdNotFound", _))
}

/// A bundle that was never said is as one that is not there.
fn bundle(properties: &Json) -> Place {
    Place {
        bucket: text(properties, "CaCertificatesBundleS3Bucket").unwrap_or_default(),
        key: text(properties, "CaCertificatesBundleS3Key").unwrap_or_default(),
        version: text(properties, "CaCertificatesBundleS3ObjectVersion"),
    }
}

pub(super) struct Store;

impl StackResource for Store {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::TrustStore"
    }

    fn schema(&self) -> &'static str {
        include_str!("trust_store.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let name = text(request.properties, "Name").unwrap_or_else(|| request.physical_name(cx, NAME_CHARS_MAX));
        Ok(trust_store::create(tx, cx, &name, &bundle(request.properties), tags_of(request)?)?)
    }

    fn progress(&self, state: &State, _: &Cx, arn: &str, _: &ResourceRequest) -> Progress {
        served_trust_store(state, arn)
    }

    fn shares_fate(&self) -> bool {
        true
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, arn: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        trust_store::find(tx, arn)?;
        let names = ["CaCertificatesBundleS3Bucket", "CaCertificatesBundleS3Key", "CaCertificatesBundleS3ObjectVersion"];
        if names.iter().any(|name| old[*name] != request.properties[*name]) {
            trust_store::modify(tx, cx, arn, &bundle(request.properties))?;
        }
        Ok(retag(tx, arn, old, request)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, arn: &str) -> Result<Progress, Fault> {
        match trust_store::delete(tx, arn) {
            Err(error) if !is_missing(&error) => Err(error.into()),
            _ => Ok(Progress::Ready),
        }
    }

    fn attribute(&self, state: &State, _: &Cx, arn: &str, name: &str) -> Result<Json, Fault> {
        let store = trust_store::find(state, arn)?;
        match name {
            "NumberOfCaCertificates" => Ok(json!(store.authority_count)),
            "Status" => Ok(json!("ACTIVE")),
            "TrustStoreArn" => Ok(json!(store.arn)),
            other => Err(Error::Validation(format!("{} has no attribute {other}", self.type_name())).into()),
        }
    }
}

pub(super) struct Revocation;

/// The trust store and the ids that a physical id names.
fn parts(id: &str) -> (&str, Vec<i64>) {
    let (arn, ids) = id.split_once('|').unwrap_or((id, ""));
    (arn, ids.split(',').filter_map(|id| id.parse().ok()).collect())
}

impl StackResource for Revocation {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::TrustStoreRevocation"
    }

    fn schema(&self) -> &'static str {
        include_str!("trust_store_revocation.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = request.properties;
        let arn = text(properties, "TrustStoreArn").unwrap_or_default();
        trust_store::find(tx, &arn)?;
        let mut ids: Vec<String> = Vec::new();
        for content in properties["RevocationContents"].as_array().into_iter().flatten() {
            let place = Place {
                bucket: text(content, "S3Bucket").unwrap_or_default(),
                key: text(content, "S3Key").unwrap_or_default(),
                version: text(content, "S3ObjectVersion"),
            };
            ids.push(trust_store::add_revocation(tx, cx, &arn, &place)?.id.to_string());
        }
        Ok(format!("{arn}|{}", ids.join(",")))
    }

    fn progress(&self, state: &State, _: &Cx, id: &str, _: &ResourceRequest) -> Progress {
        served_trust_store(state, parts(id).0)
    }

    fn shares_fate(&self) -> bool {
        true
    }

    /// Every property makes a new one.
    fn update(&self, _: &mut Tx, _: &Cx, _: &str, _: &Json, _: &ResourceRequest) -> Result<(), Fault> {
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        let (arn, ids) = parts(id);
        for id in ids {
            match trust_store::remove_revocations(tx, arn, &[id]) {
                Err(error) if !is_missing(&error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, id: &str, name: &str) -> Result<Json, Fault> {
        let (arn, ids) = parts(id);
        let store = trust_store::find(state, arn)?;
        let shape = |r: &trust_store::Revocation| {
            json!({
                "TrustStoreArn": arn,
                "RevocationId": r.id.to_string(),
                "RevocationType": "CRL",
                "NumberOfRevokedEntries": r.entries,
            })
        };
        match name {
            "RevocationId" => Ok(json!(ids.first().copied().unwrap_or_default())),
            "TrustStoreRevocations" => {
                Ok(store.revocations.iter().filter(|r| ids.contains(&r.id)).map(shape).collect::<Vec<_>>().into())
            }
            other => Err(Error::Validation(format!("{} has no attribute {other}", self.type_name())).into()),
        }
    }
}
