//! `AWS::AutoScaling::ScalingPolicy`. `Ref` gives the policy's ARN.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, Row, StackResource, State, Tx};
use serde_json::Value as Json;
use shapes::autoscaling as s;

use super::policy_properties::Properties;
use crate::error::Error;
use crate::policy::{self, Wish};

const NAME_CHARS_MAX: usize = 255;

pub(super) struct ScalingPolicy;

fn wish(request: &ResourceRequest, name: &str) -> Result<Wish, Error> {
    let properties: Properties = serde_json::from_value(request.properties.clone())
        .map_err(|e| Error::Invalid(format!("Properties validation failed: {e}")))?;
    let shape: s::PutScalingPolicyType = properties.into();
    Wish::of(s::PutScalingPolicyType { policy_name: name.into(), ..shape })
}

impl StackResource for ScalingPolicy {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::ScalingPolicy"
    }

    fn schema(&self) -> &'static str {
        include_str!("policy.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let name = request.physical_name(cx, NAME_CHARS_MAX);
        Ok(policy::put(tx, cx, wish(request, &name)?)?.arn)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let name = policy::find(tx, None, physical_id)?.name.clone();
        policy::put(tx, cx, wish(request, &name)?)?;
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        if let Ok(found) = policy::find(tx, None, physical_id) {
            let key = found.key();
            policy::delete(tx, cx, &key);
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        match name {
            "Arn" => Ok(physical_id.into()),
            "PolicyName" => Ok(policy::find(state, None, physical_id)?.name.clone().into()),
            other => Err(Error::Invalid(format!("A scaling policy has no attribute {other}")).into()),
        }
    }
}
