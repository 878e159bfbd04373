//! Instances as AWS shows them. Pure views of rows.

use base::{ReservationId, Scope};
use kernel::{Cx, State};
use shapes::ec2 as s;

use super::catalogue::{Architecture, InstanceType};
use super::instance::{Instance, InstanceState};
use super::launch_data::MetadataOptions;
use crate::network::{NetworkInterface, SecurityGroup};
use crate::tags;

/// Instances of a reservation in the order of their launch.
pub(crate) fn reservation_of<'a>(state: &'a State, reservation: &ReservationId) -> Vec<&'a Instance> {
    let mut instances: Vec<&Instance> = state.rows_where::<Instance>("reservation", reservation).collect();
    instances.sort_by_key(|i| i.launch_index);
    instances
}

/// A reservation with these of its instances; none must be of another one.
pub(crate) fn reservation_answer(state: &State, cx: &Cx, instances: &[&Instance]) -> s::Reservation {
    let first = instances.first();
    s::Reservation {
        reservation_id: first.map(|i| i.reservation.to_string()),
        owner_id: Some(cx.scope.account.clone()),
        requester_id: first.and_then(|i| i.requester.clone()),
        groups: Vec::new(),
        instances: instances.iter().map(|i| instance_answer(state, &cx.scope, i)).collect(),
    }
}

pub(crate) fn state_answer(state: InstanceState) -> s::InstanceState {
    s::InstanceState { code: Some(state.code()), name: Some(state.as_str().into()) }
}

/// One instance. What belongs to its network is left out once it has ended, as at AWS.
pub(crate) fn instance_answer(state: &State, scope: &Scope, instance: &Instance) -> s::Instance {
    let instance_type = InstanceType::find(&instance.instance_type);
    let ended = instance.state() == InstanceState::Terminated;
    let interface = state.get::<NetworkInterface>(&instance.interface).filter(|_| !ended);
    let dns_name = instance.private_dns_name(&scope.region);
    let some = |text: &str| Some(text.to_string());
    s::Instance {
        architecture: some(instance_type.map_or(Architecture::of_this_machine(), |t| t.family.architecture).as_str()),
        block_device_mappings: if ended { Vec::new() } else { vec![root_device(instance)] },
        client_token: Some(instance.client_token.as_ref().map(|t| t.token.clone()).unwrap_or_default()),
        ebs_optimized: Some(instance.ebs_optimized),
        ena_support: Some(true),
        hypervisor: some("xen"),
        iam_instance_profile: instance
            .profile
            .as_ref()
            .filter(|_| !ended)
            .map(|p| s::IamInstanceProfile { arn: Some(p.arn.clone()), id: Some(p.id.clone()) }),
        network_interfaces: interface.map(|i| interface_answer(state, scope, instance, i)).into_iter().collect(),
        root_device_name: Some(instance.root.device.clone()),
        root_device_type: some("ebs"),
        security_groups: interface.map(|i| groups(state, i)).unwrap_or_default(),
        source_dest_check: interface.map(|i| i.source_dest_check),
        state_reason: instance.state_reason().map(|(code, message)| s::StateReason { code: some(code), message: Some(message) }),
        tags: tags::shapes(state, &instance.id),
        virtualization_type: some("hvm"),
        cpu_options: instance_type.map(cpu_options),
        capacity_reservation_specification: Some(s::CapacityReservationSpecificationResponse {
            capacity_reservation_preference: some("open"),
            ..Default::default()
        }),
        hibernation_options: Some(s::HibernationOptions { configured: Some(false) }),
        metadata_options: Some(metadata_options(&instance.metadata_options, ended)),
        enclave_options: Some(s::EnclaveOptions { enabled: Some(false) }),
        platform_details: some("Linux/UNIX"),
        usage_operation: some("RunInstances"),
        usage_operation_update_time: Some(instance.launched_at),
        private_dns_name_options: Some(s::PrivateDnsNameOptionsResponse {
            hostname_type: some("ip-name"),
            enable_resource_name_dns_a_record: Some(false),
            enable_resource_name_dns_aaaa_record: Some(false),
        })
        .filter(|_| !ended),
        maintenance_options: Some(s::InstanceMaintenanceOptions { auto_recovery: some("default"), ..Default::default() }),
        instance_id: Some(instance.id.to_string()),
        image_id: Some(instance.image.to_string()),
        state: Some(state_answer(instance.state())),
        private_dns_name: Some(if ended { String::new() } else { dns_name }),
        public_dns_name: Some(String::new()),
        state_transition_reason: Some(instance.transition_reason()),
        key_name: instance.key_name.clone(),
        ami_launch_index: Some(i64::from(instance.launch_index)),
        instance_type: Some(instance.instance_type.clone()),
        launch_time: Some(instance.launched_at),
        placement: Some(s::Placement {
            availability_zone: Some(instance.zone.clone()),
            group_name: Some(String::new()),
            tenancy: some("default"),
            ..Default::default()
        }),
        monitoring: Some(s::Monitoring { state: some(instance.monitoring_state()), ..Default::default() }),
        subnet_id: interface.map(|i| i.subnet.to_string()),
        vpc_id: interface.map(|i| i.vpc.to_string()),
        private_ip_address: interface.map(|i| i.address.to_string()),
        ..Default::default()
    }
}

fn root_device(instance: &Instance) -> s::InstanceBlockDeviceMapping {
    s::InstanceBlockDeviceMapping {
        device_name: Some(instance.root.device.clone()),
        ebs: Some(s::EbsInstanceBlockDevice {
            attach_time: Some(instance.launched_at),
            delete_on_termination: Some(instance.root.delete_on_termination),
            status: Some("attached".into()),
            volume_id: Some(instance.root.id.to_string()),
            ..Default::default()
        }),
    }
}

fn cpu_options(instance_type: &InstanceType) -> s::CpuOptions {
    let threads = instance_type.family.threads_per_core;
    s::CpuOptions {
        core_count: Some(i64::from((instance_type.vcpus / threads).max(1))),
        threads_per_core: Some(i64::from(threads)),
        ..Default::default()
    }
}

/// Metadata options with AWS's defaults filled in.
pub(crate) fn metadata_options(options: &MetadataOptions, pending: bool) -> s::InstanceMetadataOptionsResponse {
    let or = |text: &Option<String>, default: &str| Some(text.clone().unwrap_or_else(|| default.into()));
    s::InstanceMetadataOptionsResponse {
        state: Some(if pending { "pending" } else { "applied" }.into()),
        http_tokens: or(&options.http_tokens, "optional"),
        http_put_response_hop_limit: Some(i64::from(options.hop_limit())),
        http_endpoint: or(&options.http_endpoint, "enabled"),
        http_protocol_ipv6: or(&options.http_protocol_ipv6, "disabled"),
        instance_metadata_tags: or(&options.instance_metadata_tags, "disabled"),
    }
}

pub(crate) fn groups(state: &State, interface: &NetworkInterface) -> Vec<s::GroupIdentifier> {
    let name = |id| state.get::<SecurityGroup>(id).map(|g| g.name.clone());
    interface.groups.iter().map(|id| s::GroupIdentifier { group_id: Some(id.to_string()), group_name: name(id) }).collect()
}

fn interface_answer(
    state: &State,
    scope: &Scope,
    instance: &Instance,
    interface: &NetworkInterface,
) -> s::InstanceNetworkInterface {
    let name = instance.private_dns_name(&scope.region);
    let address = interface.address.to_string();
    s::InstanceNetworkInterface {
        attachment: Some(s::InstanceNetworkInterfaceAttachment {
            attach_time: Some(instance.launched_at),
            attachment_id: Some(interface.id.replacen("eni-", "eni-attach-", 1)),
            delete_on_termination: Some(true),
            device_index: Some(0),
            network_card_index: Some(0),
            status: Some("attached".into()),
            ..Default::default()
        }),
        description: Some(interface.description.clone()),
        groups: groups(state, interface),
        mac_address: Some(interface.mac.clone()),
        network_interface_id: Some(interface.id.to_string()),
        owner_id: Some(scope.account.clone()),
        private_dns_name: Some(name.clone()),
        private_ip_address: Some(address.clone()),
        private_ip_addresses: vec![s::InstancePrivateIpAddress {
            primary: Some(true),
            private_dns_name: Some(name),
            private_ip_address: Some(address),
            ..Default::default()
        }],
        source_dest_check: Some(interface.source_dest_check),
        status: Some("in-use".into()),
        subnet_id: Some(interface.subnet.to_string()),
        vpc_id: Some(interface.vpc.to_string()),
        interface_type: Some("interface".into()),
        ..Default::default()
    }
}
