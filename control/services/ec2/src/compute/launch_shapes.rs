//! Launch data in the shapes of `RunInstances` and of launch templates. What this region does not have is refused
//! here by name, so that nothing is silently lost.

use shapes::ec2 as s;

use super::launch_data::{
    BlockDevice, CapacityReservation, ConnectionTracking, CreditSpecification, Ebs, InterfaceData, LaunchData,
    MaintenanceOptions, MetadataOptions, Monitoring, PlacementData, PrivateDnsNameOptions, ProfileName, ShutdownBehavior, Tag,
    TagSpecification,
};
use crate::error::{Error, refuse};

macro_rules! block_devices {
    ($list:expr) => {
        $list
            .into_iter()
            .map(|d| BlockDevice {
                device_name: d.device_name,
                ebs: d.ebs.map(|e| Ebs {
                    delete_on_termination: e.delete_on_termination,
                    encrypted: e.encrypted,
                    iops: e.iops,
                    throughput: e.throughput,
                    volume_size: e.volume_size,
                    volume_type: e.volume_type,
                }),
                no_device: d.no_device,
                virtual_name: d.virtual_name,
            })
            .collect()
    };
}

macro_rules! interfaces {
    ($list:expr) => {
        $list
            .into_iter()
            .map(|i| {
                refuse(&[
                    ("NetworkInterfaceId", i.network_interface_id.is_some()),
                    ("Ipv6AddressCount", i.ipv6_address_count.is_some_and(|n| n > 0)),
                    ("Ipv6Addresses", !i.ipv6_addresses.is_empty()),
                    ("SecondaryPrivateIpAddressCount", i.secondary_private_ip_address_count.is_some_and(|n| n > 0)),
                    ("PrivateIpAddresses", !i.private_ip_addresses.is_empty()),
                    ("Ipv4Prefixes", !i.ipv4_prefixes.is_empty()),
                    ("Ipv6Prefixes", !i.ipv6_prefixes.is_empty()),
                    ("InterfaceType", i.interface_type.as_deref().is_some_and(|t| t != "interface")),
                ])?;
                Ok(InterfaceData {
                    device_index: i.device_index,
                    subnet_id: i.subnet_id.map(Into::into),
                    groups: i.groups.into_iter().map(Into::into).collect(),
                    private_ip_address: i.private_ip_address.as_deref().map(address).transpose()?,
                    description: i.description,
                    associate_public_ip_address: i.associate_public_ip_address,
                    delete_on_termination: i.delete_on_termination,
                    connection_tracking_specification: i.connection_tracking_specification.map(|c| ConnectionTracking {
                        tcp_established_timeout: c.tcp_established_timeout,
                        udp_stream_timeout: c.udp_stream_timeout,
                        udp_timeout: c.udp_timeout,
                    }),
                })
            })
            .collect::<Result<Vec<_>, Error>>()?
    };
}

macro_rules! metadata_options {
    ($options:expr) => {
        $options.map(|o| MetadataOptions {
            http_tokens: o.http_tokens,
            http_put_response_hop_limit: o.http_put_response_hop_limit,
            http_endpoint: o.http_endpoint,
            http_protocol_ipv6: o.http_protocol_ipv6,
            instance_metadata_tags: o.instance_metadata_tags,
        })
    };
}

macro_rules! tag_specifications {
    ($list:expr) => {
        $list
            .into_iter()
            .map(|s| TagSpecification { resource_type: s.resource_type.unwrap_or_default(), tags: from_tags(s.tags) })
            .collect()
    };
}

macro_rules! placement {
    ($placement:expr) => {
        match $placement {
            None => None,
            Some(p) => {
                refuse(&[
                    ("Placement.AvailabilityZoneId", p.availability_zone_id.is_some_and(|z| !z.is_empty())),
                    ("Placement.GroupName", p.group_name.is_some() || p.group_id.is_some()),
                    ("Placement.HostId", p.host_id.is_some() || p.host_resource_group_arn.is_some()),
                ])?;
                Some(PlacementData { availability_zone: p.availability_zone, tenancy: p.tenancy })
            }
        }
    };
}

macro_rules! dns_options {
    ($options:expr) => {
        $options.map(|o| PrivateDnsNameOptions {
            hostname_type: o.hostname_type,
            enable_resource_name_dns_a_record: o.enable_resource_name_dns_a_record,
            enable_resource_name_dns_aaaa_record: o.enable_resource_name_dns_aaaa_record,
        })
    };
}

/// From the members of `RunInstances`, without its subnet, counts and template.
pub(crate) fn of_run(r: s::RunInstancesRequest) -> Result<LaunchData, Error> {
    refuse(&[
        ("KernelId", r.kernel_id.is_some()),
        ("RamdiskId", r.ramdisk_id.is_some()),
        ("Ipv6AddressCount", r.ipv6_address_count.is_some_and(|n| n > 0)),
        ("Ipv6Addresses", !r.ipv6_addresses.is_empty()),
        ("ElasticGpuSpecification", !r.elastic_gpu_specification.is_empty()),
        ("ElasticInferenceAccelerators", !r.elastic_inference_accelerators.is_empty()),
        ("InstanceMarketOptions", r.instance_market_options.is_some()),
        ("CpuOptions", r.cpu_options.is_some()),
        (
            "CapacityReservationTarget",
            r.capacity_reservation_specification.as_ref().is_some_and(|c| c.capacity_reservation_target.is_some()),
        ),
        ("LicenseSpecifications", !r.license_specifications.is_empty()),
        ("HibernationOptions", r.hibernation_options.is_some_and(|h| h.configured == Some(true))),
        ("EnclaveOptions", r.enclave_options.is_some_and(|e| e.enabled == Some(true))),
        ("EnablePrimaryIpv6", r.enable_primary_ipv6 == Some(true)),
        ("SecondaryInterfaces", !r.secondary_interfaces.is_empty()),
    ])?;
    Ok(LaunchData {
        image_id: r.image_id,
        instance_type: r.instance_type,
        key_name: r.key_name,
        monitoring: r.monitoring.map(|m| Monitoring { enabled: m.enabled }),
        placement: placement!(r.placement),
        disable_api_termination: r.disable_api_termination,
        disable_api_stop: r.disable_api_stop,
        instance_initiated_shutdown_behavior: r.instance_initiated_shutdown_behavior.as_deref().map(shutdown).transpose()?,
        user_data: r.user_data.filter(|u| !u.is_empty()),
        tag_specifications: tag_specifications!(r.tag_specifications),
        security_group_ids: r.security_group_ids.into_iter().map(Into::into).collect(),
        security_groups: r.security_groups,
        iam_instance_profile: r.iam_instance_profile.map(|p| ProfileName { arn: p.arn, name: p.name }),
        ebs_optimized: r.ebs_optimized,
        block_device_mappings: block_devices!(r.block_device_mappings),
        network_interfaces: interfaces!(r.network_interfaces),
        metadata_options: metadata_options!(r.metadata_options),
        credit_specification: r.credit_specification.map(|c| CreditSpecification { cpu_credits: Some(c.cpu_credits) }),
        private_dns_name_options: dns_options!(r.private_dns_name_options),
        maintenance_options: r.maintenance_options.map(|m| MaintenanceOptions { auto_recovery: m.auto_recovery }),
        capacity_reservation_specification: r
            .capacity_reservation_specification
            .map(|c| CapacityReservation { capacity_reservation_preference: c.capacity_reservation_preference }),
    })
}

/// From a launch template's data in a request.
pub(crate) fn of_template(t: s::RequestLaunchTemplateData) -> Result<LaunchData, Error> {
    refuse(&[
        ("KernelId", t.kernel_id.is_some()),
        ("RamDiskId", t.ram_disk_id.is_some()),
        ("ElasticGpuSpecifications", !t.elastic_gpu_specifications.is_empty()),
        ("ElasticInferenceAccelerators", !t.elastic_inference_accelerators.is_empty()),
        ("InstanceMarketOptions", t.instance_market_options.is_some()),
        ("CpuOptions", t.cpu_options.is_some()),
        (
            "CapacityReservationTarget",
            t.capacity_reservation_specification.as_ref().is_some_and(|c| c.capacity_reservation_target.is_some()),
        ),
        ("LicenseSpecifications", !t.license_specifications.is_empty()),
        ("HibernationOptions", t.hibernation_options.is_some_and(|h| h.configured == Some(true))),
        ("EnclaveOptions", t.enclave_options.is_some_and(|e| e.enabled == Some(true))),
        ("InstanceRequirements", t.instance_requirements.is_some()),
        ("SecondaryInterfaces", !t.secondary_interfaces.is_empty()),
    ])?;
    Ok(LaunchData {
        image_id: t.image_id,
        instance_type: t.instance_type,
        key_name: t.key_name,
        monitoring: t.monitoring.map(|m| Monitoring { enabled: m.enabled.unwrap_or_default() }),
        placement: placement!(t.placement),
        disable_api_termination: t.disable_api_termination,
        disable_api_stop: t.disable_api_stop,
        instance_initiated_shutdown_behavior: t.instance_initiated_shutdown_behavior.as_deref().map(shutdown).transpose()?,
        user_data: t.user_data.filter(|u| !u.is_empty()),
        tag_specifications: tag_specifications!(t.tag_specifications),
        security_group_ids: t.security_group_ids.into_iter().map(Into::into).collect(),
        security_groups: t.security_groups,
        iam_instance_profile: t.iam_instance_profile.map(|p| ProfileName { arn: p.arn, name: p.name }),
        ebs_optimized: t.ebs_optimized,
        block_device_mappings: block_devices!(t.block_device_mappings),
        network_interfaces: interfaces!(t.network_interfaces),
        metadata_options: metadata_options!(t.metadata_options),
        credit_specification: t.credit_specification.map(|c| CreditSpecification { cpu_credits: Some(c.cpu_credits) }),
        private_dns_name_options: dns_options!(t.private_dns_name_options),
        maintenance_options: t.maintenance_options.map(|m| MaintenanceOptions { auto_recovery: m.auto_recovery }),
        capacity_reservation_specification: t
            .capacity_reservation_specification
            .map(|c| CapacityReservation { capacity_reservation_preference: c.capacity_reservation_preference }),
    })
}

/// A launch template's data in an answer.
pub(crate) fn template_answer(data: LaunchData) -> s::ResponseLaunchTemplateData {
    s::ResponseLaunchTemplateData {
        ebs_optimized: data.ebs_optimized,
        iam_instance_profile: data
            .iam_instance_profile
            .map(|p| s::LaunchTemplateIamInstanceProfileSpecification { arn: p.arn, name: p.name }),
        block_device_mappings: data.block_device_mappings.into_iter().map(block_device_answer).collect(),
        network_interfaces: data.network_interfaces.into_iter().map(interface_answer).collect(),
        image_id: data.image_id,
        instance_type: data.instance_type,
        key_name: data.key_name,
        monitoring: data.monitoring.map(|m| s::LaunchTemplatesMonitoring { enabled: Some(m.enabled), ..Default::default() }),
        placement: data.placement.map(|p| s::LaunchTemplatePlacement {
            availability_zone: p.availability_zone,
            tenancy: p.tenancy,
            ..Default::default()
        }),
        disable_api_termination: data.disable_api_termination,
        disable_api_stop: data.disable_api_stop,
        instance_initiated_shutdown_behavior: data.instance_initiated_shutdown_behavior.map(|b| b.as_str().into()),
        user_data: data.user_data,
        tag_specifications: data
            .tag_specifications
            .into_iter()
            .map(|t| s::LaunchTemplateTagSpecification { resource_type: Some(t.resource_type), tags: to_tags(t.tags) })
            .collect(),
        security_group_ids: data.security_group_ids.into_iter().map(Into::into).collect(),
        security_groups: data.security_groups,
        credit_specification: data.credit_specification.map(|c| s::CreditSpecification { cpu_credits: c.cpu_credits }),
        metadata_options: data.metadata_options.map(|o| s::LaunchTemplateInstanceMetadataOptions {
            http_tokens: o.http_tokens,
            http_put_response_hop_limit: o.http_put_response_hop_limit,
            http_endpoint: o.http_endpoint,
            http_protocol_ipv6: o.http_protocol_ipv6,
            instance_metadata_tags: o.instance_metadata_tags,
            ..Default::default()
        }),
        private_dns_name_options: data.private_dns_name_options.map(|o| s::LaunchTemplatePrivateDnsNameOptions {
            hostname_type: o.hostname_type,
            enable_resource_name_dns_a_record: o.enable_resource_name_dns_a_record,
            enable_resource_name_dns_aaaa_record: o.enable_resource_name_dns_aaaa_record,
        }),
        maintenance_options: data
            .maintenance_options
            .map(|m| s::LaunchTemplateInstanceMaintenanceOptions { auto_recovery: m.auto_recovery }),
        capacity_reservation_specification: data.capacity_reservation_specification.map(|c| {
            s::LaunchTemplateCapacityReservationSpecificationResponse {
                capacity_reservation_preference: c.capacity_reservation_preference,
                ..Default::default()
            }
        }),
        ..Default::default()
    }
}

fn block_device_answer(device: BlockDevice) -> s::LaunchTemplateBlockDeviceMapping {
    s::LaunchTemplateBlockDeviceMapping {
        device_name: device.device_name,
        ebs: device.ebs.map(|e| s::LaunchTemplateEbsBlockDevice {
            delete_on_termination: e.delete_on_termination,
            encrypted: e.encrypted,
            iops: e.iops,
            throughput: e.throughput,
            volume_size: e.volume_size,
            volume_type: e.volume_type,
            ..Default::default()
        }),
        no_device: device.no_device,
        virtual_name: device.virtual_name,
    }
}

fn interface_answer(interface: InterfaceData) -> s::LaunchTemplateInstanceNetworkInterfaceSpecification {
    s::LaunchTemplateInstanceNetworkInterfaceSpecification {
        device_index: interface.device_index,
        subnet_id: interface.subnet_id.map(Into::into),
        groups: interface.groups.into_iter().map(Into::into).collect(),
        private_ip_address: interface.private_ip_address.map(|a| a.to_string()),
        description: interface.description,
        associate_public_ip_address: interface.associate_public_ip_address,
        delete_on_termination: interface.delete_on_termination,
        connection_tracking_specification: interface.connection_tracking_specification.map(|c| {
            s::ConnectionTrackingSpecification {
                tcp_established_timeout: c.tcp_established_timeout,
                udp_stream_timeout: c.udp_stream_timeout,
                udp_timeout: c.udp_timeout,
            }
        }),
        ..Default::default()
    }
}

pub(crate) fn shutdown(text: &str) -> Result<ShutdownBehavior, Error> {
    let hint = "It must be stop or terminate.";
    ShutdownBehavior::parse(text).ok_or_else(|| Error::invalid("InstanceInitiatedShutdownBehavior", text, hint))
}

pub(crate) fn address(text: &str) -> Result<std::net::Ipv4Addr, Error> {
    text.parse().map_err(|_| Error::invalid("PrivateIpAddress", text, "It must be an IPv4 address."))
}

fn from_tags(tags: Vec<s::Tag>) -> Vec<Tag> {
    tags.into_iter().map(|t| Tag { key: t.key.unwrap_or_default(), value: t.value.unwrap_or_default() }).collect()
}

fn to_tags(tags: Vec<Tag>) -> Vec<s::Tag> {
    tags.into_iter().map(|t| s::Tag { key: Some(t.key), value: Some(t.value) }).collect()
}
