//! The API of network interfaces, which instances and services make, and of network ACLs, which come with VPCs.

use base::{Fault, Scope, SecurityGroupId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use crate::describe::{Asked, Described, describe};
use crate::error::unless_dry;
use crate::kind::Kind;
use crate::network::interface::{InterfaceOwner, NetworkInterface};
use crate::network::network_acl::{self, ENTRIES, NetworkAcl};
use crate::network::security_group::SecurityGroup;
use crate::network::subnet::Subnet;
use crate::network::zone;
use crate::tags;

fn flag(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

impl NetworkInterface {
    fn attachment_id(&self) -> String {
        let prefix = match self.owner {
            InterfaceOwner::Instance(_) => "eni-attach-",
            InterfaceOwner::Service { .. } => "ela-attach-",
        };
        self.id.replacen(Kind::NetworkInterface.prefix(), prefix, 1)
    }

    /// Who has what the interface is attached to: this account, or a service's own.
    fn instance_owner<'a>(&'a self, scope: &'a Scope) -> &'a str {
        self.requester().unwrap_or(&scope.account)
    }

    fn requester(&self) -> Option<&str> {
        match &self.owner {
            InterfaceOwner::Instance(_) => None,
            InterfaceOwner::Service { requester } => Some(requester),
        }
    }

    /// The first interface of an instance is 0; services attach theirs as 1.
    fn device_index(&self) -> i64 {
        i64::from(self.requester().is_some())
    }

    fn deletes_on_termination(&self) -> bool {
        self.requester().is_none()
    }

    fn attachment_values(&self, scope: &Scope, about: &str, add: &mut dyn FnMut(&str)) {
        match (about, &self.owner) {
            ("attach-time", _) => add(&self.created_at.iso8601_ms()),
            ("attachment-id", _) => add(&self.attachment_id()),
            ("delete-on-termination", _) => add(flag(self.deletes_on_termination())),
            ("device-index", _) => add(&self.device_index().to_string()),
            ("instance-id", InterfaceOwner::Instance(id)) => add(id),
            ("instance-owner-id", _) => add(self.instance_owner(scope)),
            ("status", _) => add("attached"),
            _ => {}
        }
    }
}

impl Described for NetworkInterface {
    const KIND: Kind = Kind::NetworkInterface;
    const FILTERS: &'static [&'static str] = &[
        "addresses.primary",
        "addresses.private-ip-address",
        "attachment.attach-time",
        "attachment.attachment-id",
        "attachment.delete-on-termination",
        "attachment.device-index",
        "attachment.instance-id",
        "attachment.instance-owner-id",
        "attachment.status",
        "availability-zone",
        "availability-zone-id",
        "description",
        "group-id",
        "group-name",
        "interface-type",
        "mac-address",
        "network-interface-id",
        "owner-id",
        "private-dns-name",
        "private-ip-address",
        "requester-id",
        "requester-managed",
        "source-dest-check",
        "status",
        "subnet-id",
        "vpc-id",
    ];

    fn values(&self, state: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        if let Some(about) = name.strip_prefix("attachment.") {
            return self.attachment_values(scope, about, add);
        }
        match name {
            "addresses.primary" => add("true"),
            "addresses.private-ip-address" | "private-ip-address" => add(&self.address.to_string()),
            "availability-zone" => add(&self.zone),
            "availability-zone-id" => add(&zone::id(scope, &self.zone)),
            "description" => add(&self.description),
            "group-id" => self.groups.iter().for_each(|id| add(id)),
            "group-name" => self.groups.iter().filter_map(|id| state.get::<SecurityGroup>(id)).for_each(|g| add(&g.name)),
            "interface-type" => add("interface"),
            "mac-address" => add(&self.mac),
            "network-interface-id" => add(&self.id),
            "owner-id" => add(&scope.account),
            "private-dns-name" => add(&self.private_dns_name(&scope.region)),
            "requester-id" => self.requester().into_iter().for_each(add),
            "requester-managed" => add(flag(self.requester().is_some())),
            "source-dest-check" => add(flag(self.source_dest_check)),
            "status" => add("in-use"),
            "subnet-id" => add(&self.subnet),
            "vpc-id" => add(&self.vpc),
            _ => {}
        }
    }
}

pub(super) fn describe_interfaces(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeNetworkInterfacesRequest,
) -> Result<s::DescribeNetworkInterfacesResult, Fault> {
    let asked = Asked {
        ids: input.network_interface_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let page = describe::<NetworkInterface>(tx, cx, asked)?;
    let network_interfaces = page.items.into_iter().map(|i| interface_shape(tx, &cx.scope, i)).collect();
    unless_dry(input.dry_run, s::DescribeNetworkInterfacesResult { network_interfaces, next_token: page.next_token })
}

fn interface_shape(state: &State, scope: &Scope, interface: &NetworkInterface) -> s::NetworkInterface {
    let dns_name = interface.private_dns_name(&scope.region);
    let address = interface.address.to_string();
    let group = |id: &SecurityGroupId| s::GroupIdentifier {
        group_id: Some(id.to_string()),
        group_name: state.get::<SecurityGroup>(id).map(|g| g.name.clone()),
    };
    s::NetworkInterface {
        attachment: Some(attachment_shape(scope, interface)),
        availability_zone: Some(interface.zone.clone()),
        availability_zone_id: Some(zone::id(scope, &interface.zone)),
        description: Some(interface.description.clone()),
        groups: interface.groups.iter().map(group).collect(),
        interface_type: Some("interface".into()),
        mac_address: Some(interface.mac.clone()),
        network_interface_id: Some(interface.id.to_string()),
        owner_id: Some(scope.account.clone()),
        private_dns_name: Some(dns_name.clone()),
        private_ip_address: Some(address.clone()),
        private_ip_addresses: vec![s::NetworkInterfacePrivateIpAddress {
            association: None,
            primary: Some(true),
            private_dns_name: Some(dns_name),
            private_ip_address: Some(address),
        }],
        requester_id: interface.requester().map(Into::into),
        requester_managed: Some(interface.requester().is_some()),
        source_dest_check: Some(interface.source_dest_check),
        status: Some("in-use".into()),
        subnet_id: Some(interface.subnet.to_string()),
        tag_set: tags::shapes(state, &interface.id),
        vpc_id: Some(interface.vpc.to_string()),
        ..Default::default()
    }
}

fn attachment_shape(scope: &Scope, interface: &NetworkInterface) -> s::NetworkInterfaceAttachment {
    let instance = match &interface.owner {
        InterfaceOwner::Instance(id) => Some(id),
        InterfaceOwner::Service { .. } => None,
    };
    s::NetworkInterfaceAttachment {
        attach_time: Some(interface.created_at),
        attachment_id: Some(interface.attachment_id()),
        delete_on_termination: Some(interface.deletes_on_termination()),
        device_index: Some(interface.device_index()),
        network_card_index: Some(0),
        instance_id: instance.map(|id| id.to_string()),
        instance_owner_id: Some(interface.instance_owner(scope).into()),
        status: Some("attached".into()),
        ..Default::default()
    }
}

pub(super) fn describe_acls(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeNetworkAclsRequest,
) -> Result<s::DescribeNetworkAclsResult, Fault> {
    let asked = Asked {
        ids: input.network_acl_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let page = describe::<NetworkAcl>(tx, cx, asked)?;
    let network_acls = page.items.into_iter().map(|acl| acl_shape(tx, cx, acl)).collect();
    unless_dry(input.dry_run, s::DescribeNetworkAclsResult { network_acls, next_token: page.next_token })
}

fn acl_shape(state: &State, cx: &Cx, acl: &NetworkAcl) -> s::NetworkAcl {
    let association = |subnet: &Subnet| s::NetworkAclAssociation {
        network_acl_association_id: Some(subnet.acl_association()),
        network_acl_id: Some(acl.id.to_string()),
        subnet_id: Some(subnet.id.to_string()),
    };
    let entry = |entry: &network_acl::Entry| s::NetworkAclEntry {
        cidr_block: Some("0.0.0.0/0".into()),
        egress: Some(entry.egress),
        protocol: Some("-1".into()),
        rule_action: Some(entry.action.into()),
        rule_number: Some(entry.number),
        ..Default::default()
    };
    s::NetworkAcl {
        associations: network_acl::subnets(state, acl).map(association).collect(),
        entries: ENTRIES.iter().map(entry).collect(),
        is_default: Some(true),
        network_acl_id: Some(acl.id.to_string()),
        tags: tags::shapes(state, &acl.id),
        vpc_id: Some(acl.vpc.to_string()),
        owner_id: Some(cx.scope.account.clone()),
    }
}
