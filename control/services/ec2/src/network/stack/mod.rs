//! The CloudFormation types of the network half ("AWS CloudFormation Template Reference Guide", Amazon EC2). Each reads
//! its properties and calls the same transitions as the API; it owns no rows but which gateway a stack has attached to a VPC.

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
use serde_json::Value as Json;
use world::Want;

use super::interface::{InterfaceOwner, NetworkInterface};
use super::reconcile::plan_network;
use super::security_group_rule::Direction;
use super::vpc::{refusal, slot};
use crate::compute::{Instance, InstanceState, Tag};
use crate::error::Error;
use crate::stack::{all_tags, read, retag};

pub(super) fn register(registry: &mut Registry) {
    registry.table::<internet_gateway::Attached>();
    registry.resource(vpc::VpcType);
    registry.resource(subnet::SubnetType);
    registry.resource(internet_gateway::GatewayType);
    registry.resource(internet_gateway::AttachmentType);
    registry.resource(route_table::TableType);
    registry.resource(route_table::AssociationType);
    registry.resource(route::RouteType);
    registry.resource(security_group::GroupType);
    registry.resource(security_group_rule::RuleType(Direction::Ingress));
    registry.resource(security_group_rule::RuleType(Direction::Egress));
}

/// The part of the properties that many types have.
#[derive(Debug, Default, Deserialize)]
struct Tagged {
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
}

/// A resource's own tags, which win over those of its stack, and the stack's.
fn tags_of(request: &ResourceRequest) -> Result<Tags, Fault> {
    let Tagged { tags } = read(request.properties)?;
    Ok(all_tags(request, &tags)?)
}

fn update_tags(tx: &mut Tx, id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
    let (old, new): (Tagged, Tagged) = (read(old)?, read(request.properties)?);
    Ok(retag(tx, request, id, &old.tags, &new.tags)?)
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
