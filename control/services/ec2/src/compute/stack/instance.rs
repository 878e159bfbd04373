//! `AWS::EC2::Instance`. `Ref` gives the instance's id.

use std::net::Ipv4Addr;

use base::{Fault, InstanceId, SubnetId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use super::instance_update;
use super::launch_data::of_instance;
use crate::Kind;
use crate::compute::instance::{Cause, Instance, InstanceState, TemplateUse, Why};
use crate::compute::launch::{Request, refuse_two_places, run, template_data};
use crate::compute::launch_data::{LaunchData, Tag};
use crate::compute::launch_template::TemplateName;
use crate::compute::power;
use crate::error::Error;
use crate::network::{self, SourceDestCheck};
use crate::stack::{all_tags, no_attribute, read};

/// An instance that stops itself sooner than this after its launch did not come up.
const SETTLED_MS: u64 = 60_000;

pub(super) struct InstanceResource;

/// What is not launch data.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Properties {
    launch_template: Option<TemplateSpecification>,
    subnet_id: Option<SubnetId>,
    private_ip_address: Option<Ipv4Addr>,
    pub(super) source_dest_check: Option<bool>,
    pub(super) tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TemplateSpecification {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    version: Option<String>,
}

impl Properties {
    /// The launch template and version that the properties name, and its data.
    fn template(&self, state: &State) -> Result<(Option<TemplateUse>, LaunchData), Error> {
        let Some(template) = &self.launch_template else { return Ok((None, LaunchData::default())) };
        let name = TemplateName::of(template.launch_template_id.clone(), template.launch_template_name.clone())?;
        let (used, data) = template_data(state, &name, template.version.as_deref())?;
        Ok((Some(used), data))
    }
}

impl StackResource for InstanceResource {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::Instance"
    }

    fn schema(&self) -> &'static str {
        include_str!("instance.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let own = of_instance(request.properties)?;
        refuse_two_interfaces(&properties, &own)?;
        let (template, under) = properties.template(tx)?;
        let data = own.over(under);
        refuse_two_places(&data, properties.subnet_id.as_ref(), properties.private_ip_address)?;
        let launch = Request {
            data,
            template,
            subnet: properties.subnet_id,
            zone: None,
            address: properties.private_ip_address,
            least: 1,
            most: 1,
            tags: all_tags(request, &properties.tags)?,
            token: None,
            requester: None,
        };
        let id = run(tx, cx, launch)?.pop().ok_or(Error::Internal)?;
        if properties.source_dest_check == Some(false) {
            let interface = find(tx, &id)?.interface.clone();
            network::set_source_dest_check(tx, &interface, SourceDestCheck::Off)?;
        }
        Ok(id.into())
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        match state.get::<Instance>(&physical_id.into()) {
            Some(instance) => progress_of(instance),
            None => Progress::Failed(format!("The instance {physical_id} does not exist any more.")),
        }
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        Ok(instance_update::update(tx, cx, &physical_id.into(), old, request)?)
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let id = InstanceId::from(physical_id);
        let Some(instance) = tx.get::<Instance>(&id) else { return Ok(Progress::Ready) };
        if instance.state() == InstanceState::Terminated {
            return Ok(Progress::Ready);
        }
        power::check_termination(instance)?;
        tx.update::<Instance>(&id, |i| i.terminate(cx.now, Why::User));
        Ok(Progress::Pending)
    }

    /// Instances of this region have no public addresses: those attributes are empty, as AWS has them then.
    fn attribute(&self, state: &State, cx: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let instance = find(state, &physical_id.into())?;
        match name {
            "AvailabilityZone" => Ok(instance.zone.clone().into()),
            "InstanceId" => Ok(instance.id.to_string().into()),
            "PrivateDnsName" => Ok(instance.private_dns_name(&cx.scope.region).into()),
            "PrivateIp" => Ok(instance.address.to_string().into()),
            "PublicDnsName" | "PublicIp" => Ok("".into()),
            "State.Code" => Ok(instance.state().code().to_string().into()),
            "State.Name" => Ok(instance.state().as_str().into()),
            "VpcId" => Ok(instance.vpc.to_string().into()),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}

pub(super) fn find<'a>(state: &'a State, id: &InstanceId) -> Result<&'a Instance, Error> {
    state.get::<Instance>(id).ok_or_else(|| Error::NotFound(Kind::Instance, vec![id.to_string()]))
}

/// Ready when it runs. One that a user has stopped is as it was asked to be; one that could not start, ended or
/// stopped itself at once will not come up by waiting.
fn progress_of(instance: &Instance) -> Progress {
    let reason = || instance.state_reason().map_or_else(|| "it ended".to_string(), |(_, text)| text);
    let failed = |state: InstanceState| {
        Progress::Failed(format!(
            "Instance {} did not stabilize. Current state: {}. Reason: {}",
            instance.id,
            state.as_str(),
            reason()
        ))
    };
    match (instance.state(), &instance.cause) {
        (InstanceState::Running, _) => Progress::Ready,
        (InstanceState::Pending, _) => Progress::Pending,
        (state @ (InstanceState::ShuttingDown | InstanceState::Terminated), _) => failed(state),
        (state, Some(Cause { why: Why::Failed { .. }, .. })) => failed(state),
        (state, Some(Cause { why: Why::Itself, at })) if at.ms_since(instance.launched_at) < SETTLED_MS => failed(state),
        (InstanceState::Stopping | InstanceState::Stopped, _) => Progress::Ready,
    }
}

/// What the properties say about the launch, over their template.
pub(super) fn launch_data(state: &State, properties: &Properties, json: &Json) -> Result<LaunchData, Error> {
    let (_, under) = properties.template(state)?;
    Ok(of_instance(json)?.over(under))
}

/// AWS's rule for `RunInstances`.
fn refuse_two_interfaces(properties: &Properties, own: &LaunchData) -> Result<(), Error> {
    let groups = !own.security_group_ids.is_empty() || !own.security_groups.is_empty();
    let beside = groups || properties.subnet_id.is_some() || properties.private_ip_address.is_some();
    if own.network_interfaces.is_empty() || !beside {
        return Ok(());
    }
    let text = "Network interfaces and an instance-level subnet ID, security groups or private address may not be specified on the same request";
    Err(Error::InvalidCombination(text.into()))
}
