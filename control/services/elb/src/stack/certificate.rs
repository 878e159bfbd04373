use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;

use super::{served_listener, shape::FromJson};
use crate::{certificate, listener};

/// `AWS::ElasticLoadBalancingV2::ListenerCertificate`: certificates of a listener beside its default one. It has no identity
/// at AWS; here its id is the listener's ARN with the certificates behind it, called as the listener calls them.
pub(super) struct Type;

fn certificates(json: &Json) -> Vec<s::Certificate> {
    FromJson::from_json(&json["Certificates"])
}

/// The listener, and the certificates that the physical id names.
fn parts(physical_id: &str) -> (&str, Vec<String>) {
    let mut parts = physical_id.split('|');
    let listener = parts.next().unwrap_or_default();
    (listener, parts.map(String::from).collect())
}

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::ListenerCertificate"
    }

    fn schema(&self) -> &'static str {
        include_str!("certificate.schema")
    }

    fn create(&self, tx: &mut Tx, _: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let listener = String::from_json(&request.properties["ListenerArn"]);
        let arns = listener::add_certificates(tx, &listener, certificates(request.properties))?;
        let references: Vec<String> = arns.iter().map(|arn| certificate::reference(tx, arn)).collect();
        Ok(std::iter::once(listener).chain(references).collect::<Vec<_>>().join("|"))
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        served_listener(state, parts(physical_id).0)
    }

    fn shares_fate(&self) -> bool {
        true
    }

    /// Every change makes a new one.
    fn update(&self, _: &mut Tx, _: &Cx, _: &str, _: &Json, _: &ResourceRequest) -> Result<(), Fault> {
        Ok(())
    }

    /// Certificates that another resource of the kind names too go with this one, as at AWS; the listener's default one is not
    /// this resource's. A listener that is gone has none.
    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let (arn, references) = parts(physical_id);
        listener::forget_certificates(tx, arn, &references);
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, physical_id: &str, _: &str) -> Result<Json, Fault> {
        Ok(json!(physical_id))
    }
}
