use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;

use super::{attribute_changes, attributes, retag, served, shape::FromJson, tags_of};
use crate::attribute;
use crate::load_balancer;
use crate::operations::load_balancers as api;
use crate::wanted_load_balancer::{NewLoadBalancer, is_dualstack, places};

/// `AWS::ElasticLoadBalancingV2::LoadBalancer`.
pub(super) struct Type;

/// What is kept beside the settings that a load balancer is made with.
fn set_rest(tx: &mut Tx, cx: &Cx, arn: &str, properties: &Json) -> Result<(), Fault> {
    match properties["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"].as_str() {
        Some(wanted) => load_balancer::set_private_link(tx, arn, wanted)?,
        None => load_balancer::update(tx, arn, |b| b.private_link_unfiltered = false)?,
    }
    let units = properties["MinimumLoadBalancerCapacity"]["CapacityUnits"].as_i64();
    if load_balancer::find(tx, arn)?.capacity.map(|c| c.units) != units {
        load_balancer::set_capacity(tx, cx, arn, units)?;
    }
    Ok(())
}

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::LoadBalancer"
    }

    fn schema(&self) -> &'static str {
        include_str!("load_balancer.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let mut input = s::CreateLoadBalancerInput::from_json(request.properties);
        if input.name.is_empty() {
            // A stack may be called so, a load balancer may not.
            let name = request.physical_name(cx, 32);
            let mut rest = name.as_str();
            while let Some(behind) = rest.strip_prefix("internal-").or_else(|| rest.strip_prefix('-')) {
                rest = behind;
            }
            input.name = rest.into();
        }
        load_balancer::refuse_existing(tx, &input.name)?;
        let arn = load_balancer::create(tx, cx, NewLoadBalancer::of(input, tags_of(request)?)?)?;
        let wanted = attribute_changes(&[], &attributes(request.properties, "LoadBalancerAttributes"), |_| None);
        load_balancer::set_attributes(tx, cx, &arn, &wanted)?;
        set_rest(tx, cx, &arn, request.properties)?;
        Ok(arn.to_string())
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        let balancer = load_balancer::find(state, physical_id);
        balancer.map_or_else(|e| Progress::Failed(e.to_string()), |balancer| served(state, balancer))
    }

    fn shares_fate(&self) -> bool {
        true
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let new = s::CreateLoadBalancerInput::from_json(request.properties);
        let dualstack = is_dualstack(new.ip_address_type.as_deref())?;
        let (kind, scheme) = load_balancer::find(tx, physical_id).map(|b| (b.kind, b.scheme))?;
        let wanted = places(kind, scheme, new.subnets, new.subnet_mappings)?;
        load_balancer::set_subnets(tx, cx, physical_id, &wanted)?;
        load_balancer::set_security_groups(tx, cx, physical_id, &new.security_groups)?;
        load_balancer::update(tx, physical_id, |b| b.dualstack = dualstack)?;
        let default = |name: &str| attribute::default_of_load_balancer(kind, name).map(str::to_string);
        let names = "LoadBalancerAttributes";
        let changes = attribute_changes(&attributes(old, names), &attributes(request.properties, names), default);
        load_balancer::set_attributes(tx, cx, physical_id, &changes)?;
        set_rest(tx, cx, physical_id, request.properties)?;
        Ok(retag(tx, physical_id, old, request)?)
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        load_balancer::delete(tx, cx, physical_id)?;
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let balancer = load_balancer::find(state, physical_id)?;
        Ok(match name {
            "DNSName" => json!(balancer.dns_name),
            "LoadBalancerName" => json!(balancer.name),
            "LoadBalancerFullName" => json!(balancer.full_name()),
            "CanonicalHostedZoneID" => json!(api::CANONICAL_HOSTED_ZONE),
            "SecurityGroups" => json!(balancer.groups),
            _ => json!(balancer.arn),
        })
    }
}
