use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;

use super::{Attribute, Tag, attribute_changes, properties, tags_of};
use crate::attribute;
use crate::load_balancer::{self, LoadBalancerState, NewLoadBalancer};
use crate::operations::load_balancers as api;
use crate::tags;

/// `AWS::ElasticLoadBalancingV2::LoadBalancer`.
pub(super) struct Type;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    name: Option<String>,
    scheme: Option<String>,
    r#type: Option<String>,
    ip_address_type: Option<String>,
    subnets: Vec<String>,
    subnet_mappings: Vec<SubnetMapping>,
    security_groups: Vec<String>,
    load_balancer_attributes: Vec<Attribute>,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SubnetMapping {
    subnet_id: String,
}

impl Properties {
    fn subnets(&self) -> Result<Vec<String>, Fault> {
        let mapping = |m: &SubnetMapping| s::SubnetMapping { subnet_id: Some(m.subnet_id.clone()), ..Default::default() };
        Ok(api::subnets(self.subnets.clone(), self.subnet_mappings.iter().map(mapping).collect())?)
    }
}

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::LoadBalancer"
    }

    fn schema(&self) -> &'static str {
        include_str!("load_balancer.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let wanted: Properties = properties(request.properties)?;
        api::check_type(wanted.r#type.as_deref())?;
        api::refuse_unsupported(wanted.ip_address_type.as_deref())?;
        let new = NewLoadBalancer {
            name: wanted.name.clone().unwrap_or_else(|| request.physical_name(cx, 32)),
            scheme: api::scheme(wanted.scheme.as_deref())?,
            subnets: wanted.subnets()?,
            groups: wanted.security_groups.clone(),
            tags: tags_of(request, &wanted.tags)?,
        };
        load_balancer::refuse_existing(tx, &new.name)?;
        let arn = load_balancer::create(tx, cx, new)?;
        let attributes = attribute_changes(&[], &wanted.load_balancer_attributes, |_| None);
        load_balancer::set_attributes(tx, &arn, &attributes)?;
        Ok(arn.to_string())
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        match load_balancer::find(state, physical_id).map(|b| b.state(state)) {
            Ok(LoadBalancerState::Active) => Progress::Ready,
            Ok(LoadBalancerState::Provisioning) => Progress::Pending,
            Ok(LoadBalancerState::Failed(reason)) => Progress::Failed(reason),
            Err(e) => Progress::Failed(e.to_string()),
        }
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let (old, new): (Properties, Properties) = (properties(old)?, properties(request.properties)?);
        api::refuse_unsupported(new.ip_address_type.as_deref())?;
        load_balancer::set_subnets(tx, cx, physical_id, &new.subnets()?)?;
        load_balancer::set_security_groups(tx, cx, physical_id, &new.security_groups)?;
        let default = |name: &str| attribute::default_of_load_balancer(name).map(str::to_string);
        let attributes = attribute_changes(&old.load_balancer_attributes, &new.load_balancer_attributes, default);
        load_balancer::set_attributes(tx, physical_id, &attributes)?;
        tags::set(tx, physical_id, tags_of(request, &new.tags)?);
        Ok(())
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
