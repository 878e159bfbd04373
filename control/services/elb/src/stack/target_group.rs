use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Attribute, Tag, attribute_changes, properties, tags_of};
use crate::attribute;
use crate::error::Error;
use crate::health_check::Change;
use crate::operations::target_groups as api;
use crate::tags;
use crate::target;
use crate::target_group::{self, NewTargetGroup, load_balancer_of};

/// `AWS::ElasticLoadBalancingV2::TargetGroup`.
pub(super) struct Type;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    health_check_enabled: Option<bool>,
    health_check_interval_seconds: Option<i64>,
    health_check_path: Option<String>,
    health_check_port: Option<String>,
    health_check_protocol: Option<String>,
    health_check_timeout_seconds: Option<i64>,
    healthy_threshold_count: Option<i64>,
    matcher: Option<Matcher>,
    name: Option<String>,
    port: Option<u16>,
    protocol: Option<String>,
    protocol_version: Option<String>,
    tags: Vec<Tag>,
    target_group_attributes: Vec<Attribute>,
    target_type: Option<String>,
    targets: Vec<Target>,
    unhealthy_threshold_count: Option<i64>,
    vpc_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Matcher {
    http_code: Option<String>,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    id: String,
    port: Option<u16>,
}

impl Properties {
    fn health_check(&self) -> Change {
        Change {
            enabled: self.health_check_enabled,
            protocol: self.health_check_protocol.clone(),
            port: self.health_check_port.clone(),
            path: self.health_check_path.clone(),
            interval_s: self.health_check_interval_seconds,
            timeout_s: self.health_check_timeout_seconds,
            healthy_threshold: self.healthy_threshold_count,
            unhealthy_threshold: self.unhealthy_threshold_count,
            matcher: self.matcher.as_ref().and_then(|m| m.http_code.clone()),
        }
    }

    fn targets(&self) -> Vec<(String, Option<u16>)> {
        self.targets.iter().map(|t| (t.id.clone(), t.port)).collect()
    }
}

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::TargetGroup"
    }

    fn schema(&self) -> &'static str {
        include_str!("target_group.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let wanted: Properties = properties(request.properties)?;
        let target_type = api::target_type(wanted.target_type.as_deref())?;
        crate::operations::only_http(wanted.protocol.as_deref())?;
        api::only_http1(wanted.protocol_version.as_deref())?;
        let missing = |what: &str| Error::Validation(format!("A {what} must be specified"));
        let new = NewTargetGroup {
            name: wanted.name.clone().unwrap_or_else(|| request.physical_name(cx, 32)),
            port: wanted.port.ok_or_else(|| missing("port"))?,
            vpc: wanted.vpc_id.clone().ok_or_else(|| missing("VPC ID"))?.into(),
            target_type,
            health_check: wanted.health_check(),
            tags: tags_of(request, &wanted.tags)?,
        };
        target_group::refuse_existing(tx, &new.name)?;
        let arn = target_group::create(tx, cx, new)?;
        target_group::set_attributes(tx, &arn, &attribute_changes(&[], &wanted.target_group_attributes, |_| None))?;
        target::register(tx, &arn, &wanted.targets())?;
        Ok(arn.to_string())
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let (old, new): (Properties, Properties) = (properties(old)?, properties(request.properties)?);
        // What the template no longer names goes back to its default.
        target_group::reset_health_check(tx, physical_id, new.health_check())?;
        let default = |name: &str| attribute::default_of_target_group(name).map(str::to_string);
        let attributes = attribute_changes(&old.target_group_attributes, &new.target_group_attributes, default);
        target_group::set_attributes(tx, physical_id, &attributes)?;
        let gone: Vec<_> = old.targets().into_iter().filter(|t| !new.targets().contains(t)).collect();
        target::deregister(tx, cx, physical_id, &gone)?;
        target::register(tx, physical_id, &new.targets())?;
        tags::set(tx, physical_id, tags_of(request, &new.tags)?);
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        target_group::delete(tx, physical_id)?;
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let group = target_group::find(state, physical_id)?;
        Ok(match name {
            "TargetGroupName" => json!(group.name),
            "TargetGroupFullName" => json!(group.full_name()),
            "LoadBalancerArns" => json!(load_balancer_of(state, &group.arn).into_iter().collect::<Vec<_>>()),
            _ => json!(group.arn),
        })
    }
}
