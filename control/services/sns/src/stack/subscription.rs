//! `AWS::SNS::Subscription`. `Ref` gives the subscription's ARN. As at AWS, it is created as soon as it is asked for; its
//! endpoint may confirm it later.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{attributes, no_attribute, read};
use crate::error::Error;
use crate::subscription;

/// Properties that are attributes of the same name.
const ATTRIBUTES: [&str; 7] = [
    "FilterPolicyScope",
    "FilterPolicy",
    "RawMessageDelivery",
    "DeliveryPolicy",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    topic_arn: String,
    protocol: String,
    endpoint: Option<String>,
    region: Option<String>,
}

pub(super) struct SubscriptionType;

impl StackResource for SubscriptionType {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::Subscription"
    }

    fn schema(&self) -> &'static str {
        include_str!("subscription.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        if properties.region.is_some_and(|region| region != cx.scope.region) {
            return Err(Error::parameter("Region Reason: there is only this region").into());
        }
        let endpoint = properties.endpoint.unwrap_or_default();
        let attributes = attributes(request.properties, &ATTRIBUTES);
        let made = subscription::subscribe(tx, cx, &properties.topic_arn, &properties.protocol, &endpoint, attributes)?;
        Ok(made.arn)
    }

    fn update(&self, tx: &mut Tx, _: &Cx, arn: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let protocol = subscription::find(tx, arn)?.protocol;
        let attributes = subscription::checked_attributes(protocol, attributes(request.properties, &ATTRIBUTES))?;
        Ok(subscription::replace_attributes(tx, arn, attributes)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, arn: &str) -> Result<Progress, Fault> {
        subscription::remove(tx, arn);
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, arn: &str, name: &str) -> Result<Json, Fault> {
        let subscription = subscription::find(state, arn)?;
        match name {
            "Arn" => Ok(subscription.arn.clone().into()),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}
