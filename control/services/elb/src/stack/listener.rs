use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;

use super::{Attribute, properties};
use crate::action;
use crate::attribute;
use crate::error::Error;
use crate::listener;

/// `AWS::ElasticLoadBalancingV2::Listener`.
pub(super) struct Type;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    load_balancer_arn: String,
    port: u16,
    protocol: Option<String>,
    default_actions: Vec<Action>,
    #[serde(default)]
    listener_attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Action {
    r#type: String,
    target_group_arn: Option<String>,
    forward_config: Option<Forward>,
    fixed_response_config: Option<FixedResponse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Forward {
    #[serde(default)]
    target_groups: Vec<Tuple>,
    target_group_stickiness_config: Option<Stickiness>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stickiness {
    enabled: Option<bool>,
    duration_seconds: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tuple {
    target_group_arn: String,
    weight: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FixedResponse {
    content_type: Option<String>,
    message_body: Option<String>,
    status_code: String,
}

impl Action {
    fn into_shape(self) -> s::Action {
        let tuple = |t: Tuple| s::TargetGroupTuple { target_group_arn: Some(t.target_group_arn), weight: t.weight };
        let forward = |f: Forward| s::ForwardActionConfig {
            target_groups: f.target_groups.into_iter().map(tuple).collect(),
            target_group_stickiness_config: f
                .target_group_stickiness_config
                .map(|c| s::TargetGroupStickinessConfig { enabled: c.enabled, duration_seconds: c.duration_seconds }),
        };
        let fixed = |f: FixedResponse| s::FixedResponseActionConfig {
            message_body: f.message_body,
            status_code: f.status_code,
            content_type: f.content_type,
        };
        s::Action {
            r#type: self.r#type,
            target_group_arn: self.target_group_arn,
            forward_config: self.forward_config.map(forward),
            fixed_response_config: self.fixed_response_config.map(fixed),
            ..Default::default()
        }
    }
}

impl Properties {
    fn of(json: &Json) -> Result<Self, Error> {
        let this: Self = properties(json)?;
        if this.protocol.as_deref() != Some("HTTP") {
            let protocol = this.protocol.as_deref().unwrap_or_default();
            return Err(Error::Unsupported(format!(
                "Listener protocol '{protocol}' is not supported in this region yet: use 'HTTP'"
            )));
        }
        let attributes: Vec<_> = this.listener_attributes.iter().map(|a| (a.key.clone(), a.value.clone())).collect();
        attribute::check_of_listener(&attributes)?;
        Ok(this)
    }

    fn action(self) -> Result<world::Action, Error> {
        action::of_shapes(self.default_actions.into_iter().map(Action::into_shape).collect())
    }
}

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::Listener"
    }

    fn schema(&self) -> &'static str {
        include_str!("listener.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let wanted = Properties::of(request.properties)?;
        let (balancer, port) = (wanted.load_balancer_arn.clone(), wanted.port);
        let arn = listener::create(tx, cx, &balancer, port, wanted.action()?, request.tags.clone())?;
        Ok(arn.to_string())
    }

    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let wanted = Properties::of(request.properties)?;
        let port = wanted.port;
        Ok(listener::modify(tx, physical_id, Some(port), Some(wanted.action()?))?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        listener::delete(tx, &physical_id.into())?;
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, physical_id: &str, _: &str) -> Result<Json, Fault> {
        Ok(json!(physical_id))
    }
}
