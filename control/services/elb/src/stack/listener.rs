use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;

use super::{attribute_changes, attributes, retag, served_listener, shape::FromJson, tags_of};
use crate::attribute;
use crate::listener::{self, Given};

/// `AWS::ElasticLoadBalancingV2::Listener`.
pub(super) struct Type;

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::Listener"
    }

    fn schema(&self) -> &'static str {
        include_str!("listener.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let input = s::CreateListenerInput::from_json(request.properties);
        listener::refuse_existing(tx, &input.load_balancer_arn, input.port)?;
        let arn = listener::create(tx, cx, &input.load_balancer_arn, Given::of_create(&input), tags_of(request)?)?;
        let wanted = attribute_changes(&[], &attributes(request.properties, "ListenerAttributes"), |_| None);
        listener::set_attributes(tx, &arn, &wanted)?;
        Ok(arn.to_string())
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        served_listener(state, physical_id)
    }

    fn shares_fate(&self) -> bool {
        true
    }

    /// What the template no longer names goes back to its default.
    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let input = s::CreateListenerInput::from_json(request.properties);
        listener::set(tx, cx, physical_id, Given::of_create(&input))?;
        let names = "ListenerAttributes";
        let (was, is) = (attributes(old, names), attributes(request.properties, names));
        let row = listener::find(tx, physical_id)?;
        let default = |name: &str| attribute::default_of_listener(row.protocol, name).map(str::to_string);
        let changes = attribute_changes(&was, &is, default);
        listener::set_attributes(tx, physical_id, &changes)?;
        Ok(retag(tx, physical_id, old, request)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        listener::delete(tx, &physical_id.into())?;
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, physical_id: &str, _: &str) -> Result<Json, Fault> {
        Ok(json!(physical_id))
    }
}
