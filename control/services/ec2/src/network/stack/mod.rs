//! The CloudFormation types of the network half ("AWS CloudFormation Template Reference Guide", Amazon EC2). Each reads
//! its properties and calls the same transitions as the API; it owns no rows.

mod internet_gateway;
mod route;
mod route_table;
mod security_group;
mod security_group_rule;
mod subnet;
mod vpc;

use base::{Fault, Tags, VpcId};
use kernel::{Progress, Registry, ResourceRequest, State, Tx, Wanted};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use shapes::ec2 as s;
use world::Want;

use super::interface::{InterfaceOwner, NetworkInterface};
use super::reconcile::plan_network;
use super::vpc::{refusal, slot};
use crate::compute::{Instance, InstanceState};
use crate::error::Error;
use crate::tags;

pub(super) fn register(registry: &mut Registry) {
    registry.resource(vpc::VpcType);
    registry.resource(subnet::SubnetType);
    registry.resource(internet_gateway::GatewayType);
    registry.resource(internet_gateway::AttachmentType);
    registry.resource(route_table::TableType);
    registry.resource(route_table::AssociationType);
    registry.resource(route::RouteType);
    registry.resource(security_group::GroupType);
    registry.resource(security_group_rule::IngressType);
    registry.resource(security_group_rule::EgressType);
}

/// The properties of a resource; the template's schema has checked them already.
fn read<T: DeserializeOwned>(properties: &Json) -> Result<T, Fault> {
    let read = T::deserialize(properties);
    read.map_err(|e| Fault::validation(format!("Properties validation failed: {e}")))
}

/// A tag of a template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// The part of the properties that many types have.
#[derive(Debug, Default, Deserialize)]
struct Tagged {
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
}

/// A resource's own tags, which win over those of its stack, and the stack's.
fn tags_of(request: &ResourceRequest) -> Result<Tags, Fault> {
    let mut all = request.tags.clone();
    all.extend(own_tags(request.properties)?);
    Ok(all)
}

fn own_tags(properties: &Json) -> Result<Tags, Fault> {
    let Tagged { tags } = read(properties)?;
    let shape = |tag: Tag| s::Tag { key: Some(tag.key), value: Some(tag.value) };
    Ok(tags::from_user(tags.into_iter().map(shape).collect())?)
}

/// Gives a resource the tags it is declared with now, without those that only the old declaration had. Tags that came
/// another way stay.
fn update_tags(tx: &mut Tx, id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
    let stale: Vec<_> = own_tags(old)?.into_keys().map(|key| (key, None)).collect();
    tags::remove(tx, id, &stale);
    Ok(tags::add(tx, id, tags_of(request)?)?)
}

/// Whether the world has a VPC's network just as the rows say.
fn network_progress(state: &State, vpc: &VpcId) -> Progress {
    if let Some(reason) = refusal(state, vpc) {
        return Progress::Failed(reason);
    }
    let built = state.get::<Wanted>(&slot(vpc)).is_some_and(|wanted| wanted.applied && is_planned(state, vpc, &wanted.want));
    if built { Progress::Ready } else { Progress::Pending }
}

fn is_planned(state: &State, vpc: &VpcId, want: &Option<Want>) -> bool {
    match (want, plan_network(state, vpc)) {
        (Some(Want::Network(wanted)), Some(planned)) => *wanted == planned,
        _ => false,
    }
}

/// What to say of a resource that network interfaces keep: wait when all of them are on their way out.
fn unless_leaving<'a>(
    state: &State,
    interfaces: impl Iterator<Item = &'a NetworkInterface>,
    refused: Error,
) -> Result<Progress, Fault> {
    let mut held = false;
    for interface in interfaces {
        if !is_leaving(state, interface) {
            return Err(refused.into());
        }
        held = true;
    }
    if held { Ok(Progress::Pending) } else { Err(refused.into()) }
}

fn is_leaving(state: &State, interface: &NetworkInterface) -> bool {
    match &interface.owner {
        InterfaceOwner::Service { .. } => interface.leaving,
        InterfaceOwner::Instance(id) => {
            let ended = |i: &Instance| matches!(i.state(), InstanceState::ShuttingDown | InstanceState::Terminated);
            state.get::<Instance>(id).is_none_or(ended)
        }
    }
}

/// The schema lists each type's attributes, so this is asked for none other.
fn no_attribute(type_name: &str, name: &str) -> Fault {
    Fault::validation(format!("Attribute {name} does not exist for resource type {type_name}"))
}
