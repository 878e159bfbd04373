//! Launch configurations.

use base::Fault;
use ec2::{BlockDevice, Ebs, InterfaceData, LaunchData, MetadataOptions, Monitoring, ProfileName};
use kernel::{Cx, Tx};
use shapes::autoscaling as s;

use super::cut;
use crate::error::Error;
use crate::launch_configuration::{self, LaunchConfiguration};

pub(crate) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateLaunchConfigurationType) -> Result<(), Fault> {
    let name = input.launch_configuration_name.clone();
    launch_configuration::create_configuration(tx, cx, &name, data(input)?)?;
    Ok(())
}

/// What instances are launched as; what this region does not have is refused.
pub(crate) fn data(input: s::CreateLaunchConfigurationType) -> Result<LaunchData, Error> {
    let named = |text: &Option<String>| text.as_deref().is_some_and(|t| !t.is_empty());
    let refused = [
        ("InstanceId", named(&input.instance_id)),
        ("SpotPrice", named(&input.spot_price)),
        ("KernelId", named(&input.kernel_id)),
        ("RamdiskId", named(&input.ramdisk_id)),
        ("ClassicLinkVPCId", named(&input.classic_link_vpc_id)),
        ("ClassicLinkVPCSecurityGroups", !input.classic_link_vpc_security_groups.is_empty()),
        ("PlacementTenancy", input.placement_tenancy.as_deref().is_some_and(|t| !["", "default"].contains(&t))),
    ];
    if let Some((parameter, _)) = refused.iter().find(|(_, given)| *given) {
        return Err(Error::Unsupported(format!("{parameter} of a launch configuration")));
    }
    let (ids, names): (Vec<String>, Vec<String>) = input.security_groups.into_iter().partition(|g| g.starts_with("sg-"));
    let profile = |name: String| match name.starts_with("arn:") {
        true => ProfileName { arn: Some(name), name: None },
        false => ProfileName { arn: None, name: Some(name) },
    };
    let mut data = LaunchData {
        image_id: input.image_id,
        instance_type: input.instance_type,
        key_name: input.key_name.filter(|k| !k.is_empty()),
        user_data: input.user_data.filter(|u| !u.is_empty()),
        security_group_ids: ids.into_iter().map(Into::into).collect(),
        security_groups: names,
        // "Configure monitoring for Auto Scaling instances": a launch configuration has detailed monitoring unless it says no.
        monitoring: Some(Monitoring { enabled: input.instance_monitoring.and_then(|m| m.enabled).unwrap_or(true) }),
        iam_instance_profile: input.iam_instance_profile.filter(|p| !p.is_empty()).map(profile),
        ebs_optimized: input.ebs_optimized,
        block_device_mappings: input.block_device_mappings.into_iter().map(device).collect::<Result<_, _>>()?,
        metadata_options: input.metadata_options.map(|m| MetadataOptions {
            http_tokens: m.http_tokens,
            http_put_response_hop_limit: m.http_put_response_hop_limit,
            http_endpoint: m.http_endpoint,
            ..Default::default()
        }),
        ..Default::default()
    };
    if let Some(public) = input.associate_public_ip_address {
        let groups = std::mem::take(&mut data.security_group_ids);
        let interface =
            InterfaceData { device_index: Some(0), groups, associate_public_ip_address: Some(public), ..Default::default() };
        data.network_interfaces = vec![interface];
    }
    Ok(data)
}

fn device(mapping: s::BlockDeviceMapping) -> Result<BlockDevice, Error> {
    if mapping.virtual_name.is_some() || mapping.no_device == Some(true) {
        return Err(Error::Unsupported(format!("The block device {} without a volume", mapping.device_name)));
    }
    let ebs = mapping.ebs.map(|e| match e.snapshot_id {
        Some(snapshot) => Err(Error::Unsupported(format!("A volume of the snapshot {snapshot}"))),
        None => Ok(Ebs {
            delete_on_termination: e.delete_on_termination,
            encrypted: e.encrypted,
            iops: e.iops,
            throughput: e.throughput,
            volume_size: e.volume_size,
            volume_type: e.volume_type,
        }),
    });
    Ok(BlockDevice { device_name: Some(mapping.device_name), ebs: ebs.transpose()?, ..Default::default() })
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::LaunchConfigurationNameType) -> Result<(), Fault> {
    launch_configuration::delete_configuration(tx, &input.launch_configuration_name)?;
    Ok(())
}

pub(crate) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::LaunchConfigurationNamesType,
) -> Result<s::LaunchConfigurationsType, Fault> {
    let names = &input.launch_configuration_names;
    let kept = tx.rows::<LaunchConfiguration>().filter(|c| names.is_empty() || names.contains(&c.name) || names.contains(&c.arn));
    let page = cut(kept, |c| c.name.clone(), input.next_token.as_deref(), input.max_records)?;
    Ok(s::LaunchConfigurationsType {
        launch_configurations: page.items.into_iter().map(answer).collect(),
        next_token: page.next_token,
    })
}

fn answer(configuration: &LaunchConfiguration) -> s::LaunchConfiguration {
    let data = &configuration.data;
    let interface = data.network_interfaces.first();
    let groups = data.security_group_ids.iter().chain(interface.iter().flat_map(|i| &i.groups)).map(|g| g.to_string());
    s::LaunchConfiguration {
        launch_configuration_name: configuration.name.clone(),
        launch_configuration_arn: Some(configuration.arn.clone()),
        image_id: data.image_id.clone().unwrap_or_default(),
        instance_type: data.instance_type.clone().unwrap_or_default(),
        key_name: Some(data.key_name.clone().unwrap_or_default()),
        user_data: Some(data.user_data.clone().unwrap_or_default()),
        security_groups: groups.chain(data.security_groups.iter().cloned()).collect(),
        instance_monitoring: data.monitoring.as_ref().map(|m| s::InstanceMonitoring { enabled: Some(m.enabled) }),
        iam_instance_profile: data.iam_instance_profile.as_ref().and_then(|p| p.name.clone().or(p.arn.clone())),
        ebs_optimized: Some(data.ebs_optimized.unwrap_or_default()),
        associate_public_ip_address: interface.and_then(|i| i.associate_public_ip_address),
        block_device_mappings: data.block_device_mappings.iter().map(device_answer).collect(),
        metadata_options: data.metadata_options.as_ref().map(|m| s::InstanceMetadataOptions {
            http_tokens: m.http_tokens.clone(),
            http_put_response_hop_limit: m.http_put_response_hop_limit,
            http_endpoint: m.http_endpoint.clone(),
        }),
        created_time: configuration.created_at,
        ..Default::default()
    }
}

fn device_answer(device: &BlockDevice) -> s::BlockDeviceMapping {
    s::BlockDeviceMapping {
        device_name: device.device_name.clone().unwrap_or_default(),
        ebs: device.ebs.as_ref().map(|e| s::Ebs {
            volume_size: e.volume_size,
            volume_type: e.volume_type.clone(),
            delete_on_termination: e.delete_on_termination,
            iops: e.iops,
            encrypted: e.encrypted,
            throughput: e.throughput,
            ..Default::default()
        }),
        ..Default::default()
    }
}
