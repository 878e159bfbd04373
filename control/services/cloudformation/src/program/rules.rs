//! What a template's rules see: parameters and the account, before there is a stack.

use std::collections::BTreeMap;

use ec2::network::{SecurityGroup, Subnet, Vpc};
use kernel::{Cx, State};
use serde_json::Value as Json;
use template::{Environment, ParameterValue, Template};

use crate::error::Error;

/// Refuses parameters that a rule of the template forbids.
pub(super) fn check(state: &State, cx: &Cx, template: &Template, values: &BTreeMap<String, ParameterValue>) -> Result<(), Error> {
    let asked = Asked { state, cx, template, values };
    let broken = template::broken_rules(template, &asked).map_err(|e| Error::Template(e.to_string()))?;
    if broken.is_empty() { Ok(()) } else { Err(Error::Invalid(broken.join("\n"))) }
}

struct Asked<'a> {
    state: &'a State,
    cx: &'a Cx,
    template: &'a Template,
    values: &'a BTreeMap<String, ParameterValue>,
}

/// Rules are checked to refer to no resource; whoever asks for one all the same gets no answer.
fn no_resource<T>(name: &str) -> Result<T, String> {
    Err(format!("Template format error: Rules cannot refer to {name}"))
}

impl Environment for Asked<'_> {
    fn parameter(&self, name: &str) -> Option<Json> {
        Some(self.values.get(name)?.reference(&self.template.parameter(name)?.kind))
    }

    fn pseudo(&self, name: &str) -> Option<Json> {
        super::surroundings::pseudo(self.cx, name)
    }

    fn physical_id(&self, logical: &str) -> Result<Json, String> {
        no_resource(logical)
    }

    fn attribute(&self, logical: &str, _: &str) -> Result<Json, String> {
        no_resource(logical)
    }

    fn zones(&self, region: &str) -> Result<Vec<String>, String> {
        no_resource(region)
    }

    fn import(&self, name: &str) -> Result<String, String> {
        no_resource(name)
    }

    fn all(&self, aws_type: &str) -> Result<Vec<String>, String> {
        let state = self.state;
        Ok(match aws_type {
            "AWS::EC2::VPC::Id" => state.rows::<Vpc>().map(|v| v.id.to_string()).collect(),
            "AWS::EC2::Subnet::Id" => state.rows::<Subnet>().map(|s| s.id.to_string()).collect(),
            "AWS::EC2::SecurityGroup::Id" => state.rows::<SecurityGroup>().map(|g| g.id.to_string()).collect(),
            "AWS::EC2::Instance::Id" => state.rows::<ec2::Instance>().map(|i| i.id.to_string()).collect(),
            "AWS::EC2::KeyPair::KeyName" => state.rows::<ec2::compute::KeyPair>().map(|k| k.name.clone()).collect(),
            "AWS::EC2::AvailabilityZone::Name" => self.cx.scope.zones.clone(),
            other => return Err(format!("Template error: Fn::RefAll cannot list {other} in this region")),
        })
    }

    fn value_of(&self, aws_type: &str, id: &str, attribute: &str) -> Result<String, String> {
        let none = || format!("Template error: {id} has no attribute {attribute} for Fn::ValueOf");
        if let Some(key) = attribute.strip_prefix("Tags.") {
            // What a thing is not tagged with has the empty value.
            return Ok(ec2::tags::of(self.state, id).get(key).cloned().unwrap_or_default());
        }
        let vpc = || self.state.get::<Vpc>(&id.into()).ok_or_else(none);
        let subnet = || self.state.get::<Subnet>(&id.into()).ok_or_else(none);
        match (aws_type, attribute) {
            ("AWS::EC2::VPC::Id", "DefaultNetworkAcl") => Ok(vpc()?.default_network_acl.to_string()),
            ("AWS::EC2::VPC::Id", "DefaultSecurityGroup") => Ok(vpc()?.default_security_group.to_string()),
            ("AWS::EC2::Subnet::Id", "AvailabilityZone") => Ok(subnet()?.zone.clone()),
            ("AWS::EC2::Subnet::Id", "VpcId") => Ok(subnet()?.vpc.to_string()),
            _ => Err(none()),
        }
    }
}
