//! `ModifyInstanceAttribute`, `DescribeInstanceAttribute` and `ModifyInstanceMetadataOptions`.

use std::sync::Arc;

use base::{Fault, InstanceId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::{Cx, Tx};
use shapes::ec2 as s;

use super::answers::{groups, metadata_options};
use super::catalogue::InstanceType;
use super::error::ComputeError;
use super::instance::{Instance, InstanceState};
use super::launch_data::{MetadataOptions, USER_DATA_BYTES_MAX};
use super::launch_shapes::shutdown;
use super::power::existing;
use crate::error::{Error, refuse, unless_dry};
use crate::network::{self, NetworkInterface, SourceDestCheck};

pub(crate) fn modify(tx: &mut Tx, cx: &Cx, input: s::ModifyInstanceAttributeRequest) -> Result<(), Fault> {
    refuse(&[
        ("Kernel", input.kernel.is_some()),
        ("Ramdisk", input.ramdisk.is_some()),
        ("EnclaveOptions", input.enclave_options.as_ref().is_some_and(|e| e.enabled == Some(true))),
        ("SriovNetSupport", input.sriov_net_support.is_some()),
        ("BlockDeviceMappings", !input.block_device_mappings.is_empty()),
    ])?;
    let dry_run = input.dry_run;
    let id = one(tx, &input.instance_id)?;
    let input = named_attribute(input)?;
    let Some(mut instance) = tx.get::<Instance>(&id).cloned() else { return Err(Error::Internal.into()) };
    if instance.is_ending() {
        return Err(ComputeError::WrongState { id, verb: "modified" }.into());
    }
    let flag = |value: &Option<s::AttributeBooleanValue>| value.as_ref().and_then(|v| v.value);
    instance.disable_api_stop = flag(&input.disable_api_stop).unwrap_or(instance.disable_api_stop);
    instance.disable_api_termination = flag(&input.disable_api_termination).unwrap_or(instance.disable_api_termination);
    if let Some(behavior) = input.instance_initiated_shutdown_behavior.and_then(|v| v.value) {
        instance.shutdown_behavior = shutdown(&behavior)?;
    }
    if let Some(name) = input.instance_type.and_then(|v| v.value) {
        change_type(&mut instance, &name)?;
    }
    if let Some(optimized) = flag(&input.ebs_optimized) {
        while_stopped(&instance)?;
        instance.ebs_optimized = optimized;
    }
    if let Some(bytes) = input.user_data.and_then(|v| v.value) {
        while_stopped(&instance)?;
        if bytes.len() > USER_DATA_BYTES_MAX {
            return Err(ComputeError::LongUserData.into());
        }
        instance.user_data = (!bytes.is_empty()).then(|| Arc::from(STANDARD.encode(bytes)));
    }
    let interface = instance.interface.clone();
    tx.put(instance);
    if let Some(check) = flag(&input.source_dest_check) {
        let check = if check { SourceDestCheck::On } else { SourceDestCheck::Off };
        network::set_source_dest_check(tx, &interface, check)?;
    }
    if !input.groups.is_empty() {
        network::set_interface_groups(tx, cx, &interface, input.groups.into_iter().map(Into::into).collect())?;
    }
    unless_dry(dry_run, ())
}

/// The older form names one attribute and its value in text.
fn named_attribute(mut input: s::ModifyInstanceAttributeRequest) -> Result<s::ModifyInstanceAttributeRequest, Error> {
    let Some(attribute) = input.attribute.take() else { return Ok(input) };
    let Some(value) = input.value.take() else {
        return Err(Error::Missing("The request must contain the parameter Value".into()));
    };
    let text = Some(s::AttributeValue { value: Some(value.clone()) });
    let flag = || match value.parse() {
        Ok(on) => Ok(Some(s::AttributeBooleanValue { value: Some(on) })),
        Err(_) => Err(Error::invalid("value", &value, "Expecting true or false.")),
    };
    match attribute.as_str() {
        "instanceType" => input.instance_type = text,
        "instanceInitiatedShutdownBehavior" => input.instance_initiated_shutdown_behavior = text,
        "disableApiTermination" => input.disable_api_termination = flag()?,
        "disableApiStop" => input.disable_api_stop = flag()?,
        "ebsOptimized" => input.ebs_optimized = flag()?,
        "sourceDestCheck" => input.source_dest_check = flag()?,
        "groupSet" => input.groups = vec![value],
        "userData" => {
            let bytes = super::user_data::decode(&value).ok_or(ComputeError::MalformedUserData)?;
            input.user_data = Some(s::SecureBlobAttributeValue { value: Some(bytes) });
        }
        other => return Err(Error::Unsupported(format!("The attribute '{other}' cannot be modified in this region."))),
    }
    Ok(input)
}

fn change_type(instance: &mut Instance, name: &str) -> Result<(), Error> {
    while_stopped(instance)?;
    let find = |name: &str| InstanceType::find(name).ok_or_else(|| ComputeError::NoInstanceType(name.into()));
    let (old, new) = (find(&instance.instance_type)?, find(name)?);
    if old.family.architecture != new.family.architecture {
        let (instance_type, image) = (new.family.architecture.as_str(), old.family.architecture.as_str());
        return Err(ComputeError::ArchitectureMismatch { instance_type, image }.into());
    }
    instance.instance_type = new.name.into();
    Ok(())
}

fn while_stopped(instance: &Instance) -> Result<(), Error> {
    match instance.state() {
        InstanceState::Stopped => Ok(()),
        _ => Err(ComputeError::NotStopped(instance.id.clone()).into()),
    }
}

fn one(tx: &Tx, id: &str) -> Result<InstanceId, Error> {
    existing(tx, &[id.to_string()])?.pop().ok_or(Error::Internal)
}

pub(crate) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeInstanceAttributeRequest) -> Result<s::InstanceAttribute, Fault> {
    let id = one(tx, &input.instance_id)?;
    let instance = tx.get::<Instance>(&id).ok_or(Error::Internal)?;
    let text = |value: &str| Some(s::AttributeValue { value: Some(value.into()) });
    let flag = |value: bool| Some(s::AttributeBooleanValue { value: Some(value) });
    let mut answer = s::InstanceAttribute { instance_id: Some(id.to_string()), ..Default::default() };
    match input.attribute.as_str() {
        "instanceType" => answer.instance_type = text(&instance.instance_type),
        "userData" => {
            answer.user_data = Some(s::AttributeValue { value: instance.user_data.as_deref().map(Into::into) });
        }
        "disableApiTermination" => answer.disable_api_termination = flag(instance.disable_api_termination),
        "disableApiStop" => answer.disable_api_stop = flag(instance.disable_api_stop),
        "instanceInitiatedShutdownBehavior" => {
            answer.instance_initiated_shutdown_behavior = text(instance.shutdown_behavior.as_str());
        }
        "rootDeviceName" => answer.root_device_name = text(&instance.root.device),
        "ebsOptimized" => answer.ebs_optimized = flag(instance.ebs_optimized),
        "enaSupport" => answer.ena_support = flag(true),
        "sourceDestCheck" => {
            answer.source_dest_check = flag(tx.get::<NetworkInterface>(&instance.interface).is_none_or(|i| i.source_dest_check));
        }
        "enclaveOptions" => answer.enclave_options = Some(s::EnclaveOptions { enabled: Some(false) }),
        "groupSet" => {
            answer.groups = tx.get::<NetworkInterface>(&instance.interface).map(|i| groups(tx, i)).unwrap_or_default();
        }
        "kernel" | "ramdisk" | "sriovNetSupport" | "productCodes" | "blockDeviceMapping" => {}
        other => return Err(Error::invalid("attribute", other, "").into()),
    }
    unless_dry(input.dry_run, answer)
}

pub(crate) fn modify_metadata_options(
    tx: &mut Tx,
    _: &Cx,
    input: s::ModifyInstanceMetadataOptionsRequest,
) -> Result<s::ModifyInstanceMetadataOptionsResult, Fault> {
    let id = one(tx, &input.instance_id)?;
    let change = MetadataOptions {
        http_tokens: input.http_tokens,
        http_put_response_hop_limit: input.http_put_response_hop_limit,
        http_endpoint: input.http_endpoint,
        http_protocol_ipv6: input.http_protocol_ipv6,
        instance_metadata_tags: input.instance_metadata_tags,
    };
    change.validate()?;
    let mut options = MetadataOptions::default();
    tx.update::<Instance>(&id, |i| {
        options = change.over(i.metadata_options.clone());
        i.metadata_options = options.clone();
    });
    let answer = s::ModifyInstanceMetadataOptionsResult {
        instance_id: Some(id.to_string()),
        instance_metadata_options: Some(metadata_options(&options, true)),
    };
    unless_dry(input.dry_run, answer)
}
