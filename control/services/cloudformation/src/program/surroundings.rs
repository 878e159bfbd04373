//! What a template's functions see: the stack's parameters and resources, the region, other stacks' exports.

use std::cell::RefCell;
use std::collections::BTreeSet;

use base::Scope;
use kernel::{Cx, State, Tx};
use serde_json::{Value as Json, json};
use template::{Environment, ParameterLookup, Template};

use crate::export::Export;
use crate::state::{Member, Stack, StackStatus, Wish};

/// What AWS shows in a change set for a value that only its execution will tell.
pub(super) const KNOWN_AFTER_APPLY: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

pub(super) struct Surroundings<'a> {
    tx: &'a Tx<'a>,
    cx: &'a Cx,
    stack: &'a Stack,
    wish: &'a Wish,
    template: &'a Template,
    /// When planning: resources that are new or will be replaced, whose values nobody knows yet.
    unknown: Option<BTreeSet<String>>,
    imports: RefCell<BTreeSet<String>>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(tx: &'a Tx<'a>, cx: &'a Cx, stack: &'a Stack, wish: &'a Wish, template: &'a Template) -> Self {
        Self { tx, cx, stack, wish, template, unknown: None, imports: RefCell::default() }
    }

    /// Surroundings for planning, in which resources may be unknown.
    pub(super) fn planning(mut self) -> Self {
        self.unknown = Some(BTreeSet::new());
        self
    }

    pub(super) fn forget(&mut self, logical: &str) {
        if let Some(unknown) = &mut self.unknown {
            unknown.insert(logical.into());
        }
    }

    pub(super) fn scope(&self) -> &'a Scope {
        &self.cx.scope
    }

    /// The exports that were asked for.
    pub(super) fn into_imports(self) -> BTreeSet<String> {
        self.imports.into_inner()
    }

    /// Whether a resource is new or will be replaced, so that its values are known after the update only.
    pub(super) fn is_unknown(&self, logical: &str) -> bool {
        self.unknown.as_ref().is_some_and(|u| u.contains(logical))
    }

    /// The stack's resource, with its physical id.
    fn member(&self, logical: &str) -> Result<(&'a Member, &'a str), String> {
        let member = self.tx.get::<Member>(&Member::key_of(&self.stack.id, logical));
        let found = member.and_then(|m| Some((m, m.physical.as_ref()?.id.as_str())));
        found.ok_or_else(|| format!("Resource {logical} does not exist yet"))
    }
}

impl Environment for Surroundings<'_> {
    fn parameter(&self, name: &str) -> Option<Json> {
        let kind = &self.template.parameter(name)?.kind;
        let value = self.wish.parameters.get(name)?;
        Some(kind.value_of(value.resolved.as_deref().unwrap_or(&value.given)))
    }

    fn pseudo(&self, name: &str) -> Option<Json> {
        match name {
            "AWS::StackName" => Some(json!(self.stack.name)),
            "AWS::StackId" => Some(json!(self.stack.id)),
            "AWS::NotificationARNs" => Some(json!([])),
            _ => pseudo(self.cx, name),
        }
    }

    fn physical_id(&self, logical: &str) -> Result<Json, String> {
        if self.is_unknown(logical) {
            return Ok(json!(KNOWN_AFTER_APPLY));
        }
        self.member(logical).map(|(_, id)| json!(id))
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Result<Json, String> {
        if self.is_unknown(logical) {
            return Ok(json!(KNOWN_AFTER_APPLY));
        }
        let (member, id) = self.member(logical)?;
        let resource = self.tx.registry().stack_resource(&member.type_name);
        let resource = resource.ok_or_else(|| format!("Unrecognized resource type {}", member.type_name))?;
        resource.attribute(self.tx, self.cx, id, attribute).map_err(|fault| fault.message)
    }

    fn zones(&self, region: &str) -> Result<Vec<String>, String> {
        zones(self.cx, region)
    }

    /// What goes with its stack is not there any more: the stack was let go because nobody used it.
    fn import(&self, name: &str) -> Result<String, String> {
        self.imports.borrow_mut().insert(name.into());
        let goes = |e: &&Export| self.tx.get::<Stack>(&e.stack).is_some_and(|s| s.status == StackStatus::DeleteInProgress);
        let export = self.tx.get::<Export>(&name.to_string()).filter(|e| !goes(e));
        export.map(|e| e.value.clone()).ok_or_else(|| format!("No export named {name} found."))
    }
}

/// The pseudo parameters that are the same for every stack.
pub(super) fn pseudo(cx: &Cx, name: &str) -> Option<Json> {
    let scope = &cx.scope;
    Some(match name {
        "AWS::Region" => json!(scope.region),
        "AWS::AccountId" => json!(scope.account),
        "AWS::Partition" => json!(scope.partition),
        "AWS::URLSuffix" => json!("amazonaws.com"),
        _ => return None,
    })
}

fn zones(cx: &Cx, region: &str) -> Result<Vec<String>, String> {
    if region.is_empty() || region == cx.scope.region {
        return Ok(cx.scope.zones.clone());
    }
    Err(format!("Template error: Fn::GetAZs knows the zones of {} only, not of {region}", cx.scope.region))
}

/// What parameters can name.
pub(super) struct Account<'a> {
    pub(super) state: &'a State,
    pub(super) cx: &'a Cx,
}

impl ParameterLookup for Account<'_> {
    fn ssm(&self, name: &str) -> Option<String> {
        ssm::resolve(self.state, &self.cx.scope, name)
    }

    fn exists(&self, aws_type: &str, id: &str) -> bool {
        use ec2::network::{SecurityGroup, Subnet, Vpc};
        let state = self.state;
        match aws_type {
            "AWS::EC2::VPC::Id" => state.get::<Vpc>(&id.into()).is_some(),
            "AWS::EC2::Subnet::Id" => state.get::<Subnet>(&id.into()).is_some(),
            "AWS::EC2::SecurityGroup::Id" => state.get::<SecurityGroup>(&id.into()).is_some(),
            "AWS::EC2::SecurityGroup::GroupName" => state.rows::<SecurityGroup>().any(|g| g.name == id),
            "AWS::EC2::Instance::Id" => state.get::<ec2::Instance>(&id.into()).is_some(),
            "AWS::EC2::Image::Id" => ec2::compute::find_image(state, id).is_ok(),
            "AWS::EC2::KeyPair::KeyName" => state.rows::<ec2::compute::KeyPair>().any(|k| k.name == id),
            "AWS::EC2::AvailabilityZone::Name" => self.cx.scope.zones.iter().any(|z| z == id),
            "AWS::EC2::Volume::Id" => state.rows::<ec2::Instance>().any(|i| i.root.id == id),
            _ => false,
        }
    }
}
