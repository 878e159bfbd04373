//! The network half: its API, what the world is told of it, and its CloudFormation types.

use base::Fault;
use kernel::Wanted;
use shapes::ec2 as s;
use shapes::ec2::ops;
use world::{Network, Observation, Slot, SlotKind, Want};

use crate::region::Region;

fn code<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    outcome.unwrap_err().code.into_owned()
}

fn text<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    outcome.unwrap_err().to_string()
}

fn filter(name: &str, value: &str) -> Vec<s::Filter> {
    vec![s::Filter { name: Some(name.into()), values: vec![value.into()] }]
}

fn network_slot(vpc: &str) -> Slot {
    Slot::new(SlotKind::Network, vpc)
}

/// The network that the world shall have for a VPC.
fn wanted_network(region: &Region, vpc: &str) -> Option<Network> {
    match region.state().get::<Wanted>(&network_slot(vpc))?.want.clone()? {
        Want::Network(network) => Some(network),
        other => panic!("{other:?}"),
    }
}

/// The world has built (or removed) a VPC's network as it was wished last.
fn built(region: &mut Region, vpc: &str) {
    let slot = network_slot(vpc);
    let version = region.state().get::<Wanted>(&slot).unwrap().version;
    region.observe(&Observation::Applied { slot, version });
}

fn create_vpc(region: &mut Region, cidr: &str) -> Result<String, Fault> {
    let input = s::CreateVpcRequest { cidr_block: Some(cidr.into()), ..Default::default() };
    region.call::<ops::CreateVpc>(input).map(|answer| answer.vpc.unwrap().vpc_id.unwrap())
}

fn create_subnet(region: &mut Region, vpc: &str, cidr: &str, zone: Option<&str>) -> Result<s::Subnet, Fault> {
    let input = s::CreateSubnetRequest {
        vpc_id: vpc.into(),
        cidr_block: Some(cidr.into()),
        availability_zone: zone.map(Into::into),
        ..Default::default()
    };
    region.call::<ops::CreateSubnet>(input).map(|answer| answer.subnet.unwrap())
}

fn create_group(region: &mut Region, vpc: &str, name: &str) -> Result<String, Fault> {
    let input = s::CreateSecurityGroupRequest {
        vpc_id: Some(vpc.into()),
        group_name: name.into(),
        description: "a group".into(),
        ..Default::default()
    };
    region.call::<ops::CreateSecurityGroup>(input).map(|answer| answer.group_id.unwrap())
}

fn delete_vpc(region: &mut Region, vpc: &str) -> Result<(), Fault> {
    region.call::<ops::DeleteVpc>(s::DeleteVpcRequest { vpc_id: vpc.into(), dry_run: None })
}

fn describe_group(region: &mut Region, group: &str) -> s::SecurityGroup {
    let input = s::DescribeSecurityGroupsRequest { group_ids: vec![group.into()], ..Default::default() };
    region.call::<ops::DescribeSecurityGroups>(input).unwrap().security_groups.pop().unwrap()
}

fn tcp(port: i64, cidr: &str) -> s::IpPermission {
    s::IpPermission {
        ip_protocol: Some("tcp".into()),
        from_port: Some(port),
        to_port: Some(port),
        ip_ranges: vec![s::IpRange { cidr_ip: Some(cidr.into()), description: None }],
        ..Default::default()
    }
}

fn authorize(region: &mut Region, group: &str, permissions: Vec<s::IpPermission>) -> Result<Vec<s::SecurityGroupRule>, Fault> {
    let input = s::AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group.into()),
        ip_permissions: permissions,
        ..Default::default()
    };
    region.call::<ops::AuthorizeSecurityGroupIngress>(input).map(|answer| answer.security_group_rules)
}

/// Runs one instance in a subnet with a group.
fn run_instance(region: &mut Region, subnet: &str, group: &str) -> String {
    let input = s::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.micro".into()),
        min_count: 1,
        max_count: 1,
        subnet_id: Some(subnet.into()),
        security_group_ids: vec![group.into()],
        ..Default::default()
    };
    region.call::<ops::RunInstances>(input).unwrap().instances.pop().unwrap().instance_id.unwrap()
}

/// Asks for the end of an instance.
fn terminate_instance(region: &mut Region, id: &str) {
    let input = s::TerminateInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
    region.call::<ops::TerminateInstances>(input).unwrap();
}

#[test]
fn a_vpc_is_pending_until_the_world_has_built_it_and_goes_with_what_came_with_it() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.1.2.3/16").unwrap();
    let show = |region: &mut Region| {
        let input = s::DescribeVpcsRequest { vpc_ids: vec![vpc.clone()], ..Default::default() };
        region.call::<ops::DescribeVpcs>(input).map(|answer| answer.vpcs.into_iter().next().unwrap())
    };
    let shown = show(&mut region).unwrap();
    assert_eq!((shown.state.as_deref(), shown.cidr_block.as_deref()), (Some("pending"), Some("10.1.0.0/16")));
    assert_eq!(wanted_network(&region, &vpc).unwrap().cidrs, ["10.1.0.0/16"]);
    built(&mut region, &vpc);
    assert_eq!(show(&mut region).unwrap().state.as_deref(), Some("available"));
    let filters = filter("vpc-id", &vpc);
    let tables = s::DescribeRouteTablesRequest { filters: filters.clone(), ..Default::default() };
    let table = region.call::<ops::DescribeRouteTables>(tables).unwrap().route_tables.pop().unwrap();
    assert_eq!((table.associations[0].main, table.routes[0].gateway_id.as_deref()), (Some(true), Some("local")));
    let acls = s::DescribeNetworkAclsRequest { filters, ..Default::default() };
    assert_eq!(region.call::<ops::DescribeNetworkAcls>(acls).unwrap().network_acls[0].entries.len(), 4);
    delete_vpc(&mut region, &vpc).unwrap();
    assert_eq!(wanted_network(&region, &vpc), None);
    assert_eq!(text(show(&mut region)), format!("InvalidVpcID.NotFound: The vpc ID '{vpc}' does not exist"));
    assert_eq!(region.state().rows_where::<ec2::RouteTable>("vpc", &vpc).count(), 0);
    assert_eq!(region.state().rows_where::<ec2::SecurityGroup>("vpc", &vpc).count(), 0);
}

#[test]
fn blocks_are_checked_as_aws_checks_them() {
    let mut region = Region::new();
    for (cidr, expected) in [
        ("10.0.0.0/8", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
        ("127.0.0.0/16", "InvalidVpc.Range"),
        ("10.0.0.0", "InvalidParameterValue"),
        ("", "InvalidParameterValue"),
    ] {
        assert_eq!(code(create_vpc(&mut region, cidr)), expected, "{cidr}");
    }
    assert_eq!(code(region.call::<ops::CreateVpc>(Default::default())), "MissingParameter");
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let first = create_subnet(&mut region, &vpc, "10.0.1.0/24", Some("eu-central-1b")).unwrap();
    assert_eq!(first.available_ip_address_count, Some(251));
    assert_eq!(first.availability_zone_id.as_deref(), Some("euc1-az2"));
    for (cidr, expected) in [
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.2.0/29", "InvalidSubnet.Range"),
        ("10.0.1.128/25", "InvalidSubnet.Conflict"),
        ("10.0.0.0/16", "InvalidSubnet.Conflict"),
        ("nonsense", "InvalidParameterValue"),
    ] {
        assert_eq!(code(create_subnet(&mut region, &vpc, cidr, None)), expected, "{cidr}");
    }
    let strange = create_subnet(&mut region, &vpc, "10.0.3.0/24", Some("us-east-1a"));
    assert_eq!(code(strange), "InvalidParameterValue");
    assert_eq!(code(create_subnet(&mut region, "vpc-0123", "10.0.3.0/24", None)), "InvalidVpcID.NotFound");
    let second = create_subnet(&mut region, &vpc, "10.0.3.0/24", None).unwrap();
    assert_eq!(second.availability_zone.as_deref(), Some("eu-central-1a"), "a zone without a subnet comes first");
    assert_eq!(wanted_network(&region, &vpc).unwrap().subnets.len(), 2);
}

#[test]
fn what_is_used_does_not_go() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let subnet = create_subnet(&mut region, &vpc, "10.0.1.0/24", None).unwrap().subnet_id.unwrap();
    let group = create_group(&mut region, &vpc, "web").unwrap();
    let instance = run_instance(&mut region, &subnet, &group);
    let interfaces =
        s::DescribeNetworkInterfacesRequest { filters: filter("attachment.instance-id", &instance), ..Default::default() };
    let shown = region.call::<ops::DescribeNetworkInterfaces>(interfaces).unwrap().network_interfaces.pop().unwrap();
    assert_eq!((shown.status.as_deref(), shown.private_ip_address.as_deref()), (Some("in-use"), Some("10.0.1.4")));
    assert_eq!(shown.groups[0].group_name.as_deref(), Some("web"));
    let delete_group = s::DeleteSecurityGroupRequest { group_id: Some(group.clone()), ..Default::default() };
    let delete_subnet = s::DeleteSubnetRequest { subnet_id: subnet, dry_run: None };
    let used = text(region.call::<ops::DeleteSecurityGroup>(delete_group.clone()));
    assert_eq!(used, format!("DependencyViolation: resource {group} has a dependent object"));
    assert_eq!(code(region.call::<ops::DeleteSubnet>(delete_subnet.clone())), "DependencyViolation");
    assert_eq!(code(delete_vpc(&mut region, &vpc)), "DependencyViolation");
    terminate_instance(&mut region, &instance);
    region.apply(&instance);
    region.call::<ops::DeleteSecurityGroup>(delete_group).unwrap();
    region.call::<ops::DeleteSubnet>(delete_subnet).unwrap();
    delete_vpc(&mut region, &vpc).unwrap();
}

#[test]
fn a_gateway_serves_one_vpc_and_its_routes_become_black_holes() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let gateway = region.call::<ops::CreateInternetGateway>(Default::default()).unwrap();
    let gateway = gateway.internet_gateway.unwrap().internet_gateway_id.unwrap();
    let table = s::CreateRouteTableRequest { vpc_id: vpc.clone(), client_token: Some("once".into()), ..Default::default() };
    let made = region.call::<ops::CreateRouteTable>(table.clone()).unwrap().route_table.unwrap();
    let again = region.call::<ops::CreateRouteTable>(table).unwrap().route_table.unwrap();
    assert_eq!(made, again, "the same token makes no other table");
    let table = made.route_table_id.unwrap();
    let route = s::CreateRouteRequest {
        route_table_id: table.clone(),
        destination_cidr_block: Some("0.0.0.0/0".into()),
        gateway_id: Some(gateway.clone()),
        ..Default::default()
    };
    assert_eq!(code(region.call::<ops::CreateRoute>(route.clone())), "InvalidParameterValue", "it is not attached");
    let attach = s::AttachInternetGatewayRequest { internet_gateway_id: gateway.clone(), vpc_id: vpc.clone(), dry_run: None };
    region.call::<ops::AttachInternetGateway>(attach.clone()).unwrap();
    assert_eq!(code(region.call::<ops::AttachInternetGateway>(attach)), "Resource.AlreadyAssociated");
    region.call::<ops::CreateRoute>(route.clone()).unwrap();
    assert_eq!(code(region.call::<ops::CreateRoute>(route)), "RouteAlreadyExists");
    let state = |region: &mut Region| {
        let input = s::DescribeRouteTablesRequest { route_table_ids: vec![table.clone()], ..Default::default() };
        let shown = region.call::<ops::DescribeRouteTables>(input).unwrap().route_tables.pop().unwrap();
        shown.routes[1].state.clone().unwrap()
    };
    assert_eq!(state(&mut region), "active");
    let detach = s::DetachInternetGatewayRequest { internet_gateway_id: gateway.clone(), vpc_id: vpc, dry_run: None };
    let delete = s::DeleteInternetGatewayRequest { internet_gateway_id: gateway, dry_run: None };
    assert_eq!(code(region.call::<ops::DeleteInternetGateway>(delete.clone())), "DependencyViolation");
    region.call::<ops::DetachInternetGateway>(detach.clone()).unwrap();
    assert_eq!(code(region.call::<ops::DetachInternetGateway>(detach)), "Gateway.NotAttached");
    assert_eq!(state(&mut region), "blackhole");
    region.call::<ops::DeleteInternetGateway>(delete).unwrap();
    let gone = s::DeleteRouteRequest {
        route_table_id: table.clone(),
        destination_cidr_block: Some("0.0.0.0/0".into()),
        ..Default::default()
    };
    region.call::<ops::DeleteRoute>(gone.clone()).unwrap();
    assert_eq!(code(region.call::<ops::DeleteRoute>(gone)), "InvalidRoute.NotFound");
    region.call::<ops::DeleteRouteTable>(s::DeleteRouteTableRequest { route_table_id: table, dry_run: None }).unwrap();
}

#[test]
fn associations_move_between_tables() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let subnet = create_subnet(&mut region, &vpc, "10.0.1.0/24", None).unwrap().subnet_id.unwrap();
    let tables: Vec<String> = (0..2)
        .map(|_| {
            let input = s::CreateRouteTableRequest { vpc_id: vpc.clone(), ..Default::default() };
            region.call::<ops::CreateRouteTable>(input).unwrap().route_table.unwrap().route_table_id.unwrap()
        })
        .collect();
    let associate = |table: &str| s::AssociateRouteTableRequest {
        route_table_id: table.into(),
        subnet_id: Some(subnet.clone()),
        ..Default::default()
    };
    let first = region.call::<ops::AssociateRouteTable>(associate(&tables[0])).unwrap().association_id.unwrap();
    let same = region.call::<ops::AssociateRouteTable>(associate(&tables[0])).unwrap().association_id.unwrap();
    assert_eq!(first, same);
    assert_eq!(code(region.call::<ops::AssociateRouteTable>(associate(&tables[1]))), "Resource.AlreadyAssociated");
    let delete = s::DeleteRouteTableRequest { route_table_id: tables[0].clone(), dry_run: None };
    assert_eq!(code(region.call::<ops::DeleteRouteTable>(delete.clone())), "DependencyViolation");
    let replace =
        s::ReplaceRouteTableAssociationRequest { association_id: first, route_table_id: tables[1].clone(), dry_run: None };
    let second = region.call::<ops::ReplaceRouteTableAssociation>(replace.clone()).unwrap().new_association_id.unwrap();
    assert_eq!(code(region.call::<ops::ReplaceRouteTableAssociation>(replace)), "InvalidAssociationID.NotFound");
    region.call::<ops::DeleteRouteTable>(delete).unwrap();
    let end = s::DisassociateRouteTableRequest { association_id: second, dry_run: None };
    region.call::<ops::DisassociateRouteTable>(end).unwrap();
}

#[test]
fn an_empty_token_is_none_and_a_long_one_is_refused() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let mut make = |token: &str| {
        let input = s::CreateRouteTableRequest { vpc_id: vpc.clone(), client_token: Some(token.into()), ..Default::default() };
        region.call::<ops::CreateRouteTable>(input).map(|made| made.route_table.unwrap().route_table_id)
    };
    assert_ne!(make("").unwrap(), make("").unwrap());
    assert_eq!(make("token").unwrap(), make("token").unwrap());
    assert_eq!(code(make(&"x".repeat(65))), "InvalidParameterValue");
}

#[test]
fn rules_come_grouped_and_reach_the_world() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let (web, db) = (create_group(&mut region, &vpc, "web").unwrap(), create_group(&mut region, &vpc, "db").unwrap());
    let mut permission = tcp(80, "0.0.0.0/0");
    permission.ipv6_ranges.push(s::Ipv6Range { cidr_ipv6: Some("::/0".into()), description: Some("everyone".into()) });
    assert_eq!(authorize(&mut region, &web, vec![permission]).unwrap().len(), 2);
    let mut from_web = tcp(3306, "10.0.0.0/16");
    from_web.ip_ranges.clear();
    from_web.user_id_group_pairs = vec![s::UserIdGroupPair { group_id: Some(web.clone()), ..Default::default() }];
    authorize(&mut region, &db, vec![from_web]).unwrap();
    let shown = describe_group(&mut region, &web);
    assert_eq!((shown.ip_permissions.len(), shown.ip_permissions_egress.len()), (1, 1));
    assert_eq!((shown.ip_permissions[0].ip_ranges.len(), shown.ip_permissions[0].ipv6_ranges.len()), (1, 1));
    let network = wanted_network(&region, &vpc).unwrap();
    let of_db = network.security_groups.iter().find(|g| g.id == db.as_str()).unwrap();
    assert_eq!(of_db.ingress[0].peer, world::Peer::Group(web.as_str().into()));
    assert_eq!(of_db.ingress[0].traffic, world::Traffic::Tcp { from: 3306, to: 3306 });
    let delete = s::DeleteSecurityGroupRequest { group_id: Some(web), ..Default::default() };
    assert_eq!(code(region.call::<ops::DeleteSecurityGroup>(delete)), "DependencyViolation", "a rule names it");
}

#[test]
fn bad_rules_change_nothing() {
    let mut region = Region::new();
    let (vpc, other) = (create_vpc(&mut region, "10.0.0.0/16").unwrap(), create_vpc(&mut region, "10.1.0.0/16").unwrap());
    let (group, foreign) = (create_group(&mut region, &vpc, "web").unwrap(), create_group(&mut region, &other, "web").unwrap());
    assert_eq!(code(create_group(&mut region, &vpc, "web")), "InvalidGroup.Duplicate");
    assert_eq!(code(create_group(&mut region, &vpc, "default")), "InvalidGroup.Reserved");
    authorize(&mut region, &group, vec![tcp(80, "0.0.0.0/0")]).unwrap();
    let before = region.kernel.digest();
    let pair = |id: &str| vec![s::UserIdGroupPair { group_id: Some(id.into()), ..Default::default() }];
    let nobody = s::IpPermission { ip_ranges: vec![], ..tcp(81, "0.0.0.0/0") };
    for (expected, permissions) in [
        ("InvalidPermission.Duplicate", vec![tcp(443, "0.0.0.0/0"), tcp(80, "0.0.0.0/0")]),
        ("InvalidParameterValue", vec![tcp(443, "0.0.0.0/0"), tcp(443, "0.0.0.0/0")]),
        ("InvalidParameterValue", vec![tcp(443, "1.2.3.4")]),
        ("InvalidParameterValue", vec![tcp(70_000, "0.0.0.0/0")]),
        ("InvalidParameterValue", vec![s::IpPermission { from_port: None, ..tcp(80, "10.0.0.0/8") }]),
        ("InvalidPermission.Malformed", vec![s::IpPermission { ip_protocol: Some("quic".into()), ..tcp(80, "10.0.0.0/8") }]),
        ("MissingParameter", vec![]),
        ("MissingParameter", vec![nobody.clone()]),
        ("InvalidGroup.NotFound", vec![s::IpPermission { user_id_group_pairs: pair("sg-0123"), ..nobody.clone() }]),
        ("InvalidGroup.NotFound", vec![s::IpPermission { user_id_group_pairs: pair(&foreign), ..nobody }]),
    ] {
        assert_eq!(code(authorize(&mut region, &group, permissions)), expected);
        assert_eq!(region.kernel.digest(), before, "{expected}");
    }
}

#[test]
fn rules_are_revoked_changed_and_described_by_id() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let group = create_group(&mut region, &vpc, "web").unwrap();
    let rule = authorize(&mut region, &group, vec![tcp(80, "0.0.0.0/0")]).unwrap().pop().unwrap();
    let id = rule.security_group_rule_id.clone().unwrap();
    let change = |cidr4: Option<&str>, group: Option<&str>| s::SecurityGroupRuleRequest {
        ip_protocol: Some("tcp".into()),
        from_port: Some(8080),
        to_port: Some(8081),
        cidr_ipv4: cidr4.map(Into::into),
        referenced_group_id: group.map(Into::into),
        description: Some("web".into()),
        ..Default::default()
    };
    let modify = |request| s::ModifySecurityGroupRulesRequest {
        group_id: group.clone(),
        security_group_rules: vec![s::SecurityGroupRuleUpdate {
            security_group_rule_id: id.clone(),
            security_group_rule: Some(request),
        }],
        dry_run: None,
    };
    let other_kind = modify(change(None, Some(&group)));
    assert_eq!(code(region.call::<ops::ModifySecurityGroupRules>(other_kind)), "InvalidParameterValue");
    region.call::<ops::ModifySecurityGroupRules>(modify(change(Some("10.0.0.0/8"), None))).unwrap();
    let describe = s::UpdateSecurityGroupRuleDescriptionsIngressRequest {
        group_id: Some(group.clone()),
        security_group_rule_descriptions: vec![s::SecurityGroupRuleDescription {
            security_group_rule_id: Some(id.clone()),
            description: Some("from inside".into()),
        }],
        ..Default::default()
    };
    region.call::<ops::UpdateSecurityGroupRuleDescriptionsIngress>(describe).unwrap();
    let asked = s::DescribeSecurityGroupRulesRequest { security_group_rule_ids: vec![id.clone()], ..Default::default() };
    let shown = region.call::<ops::DescribeSecurityGroupRules>(asked).unwrap().security_group_rules.pop().unwrap();
    assert_eq!((shown.from_port, shown.to_port, shown.is_egress), (Some(8080), Some(8081), Some(false)));
    assert_eq!((shown.cidr_ipv4.as_deref(), shown.description.as_deref()), (Some("10.0.0.0/8"), Some("from inside")));
    let unknown = s::RevokeSecurityGroupIngressRequest {
        group_id: Some(group.clone()),
        ip_permissions: vec![tcp(80, "0.0.0.0/0")],
        ..Default::default()
    };
    assert_eq!(code(region.call::<ops::RevokeSecurityGroupIngress>(unknown)), "InvalidPermission.NotFound");
    let by_id = s::RevokeSecurityGroupEgressRequest {
        group_id: group.clone(),
        security_group_rule_ids: vec![id.clone()],
        ..Default::default()
    };
    assert_eq!(code(region.call::<ops::RevokeSecurityGroupEgress>(by_id)), "InvalidSecurityGroupRuleId.NotFound");
    let by_id = s::RevokeSecurityGroupIngressRequest {
        group_id: Some(group.clone()),
        security_group_rule_ids: vec![id],
        ..Default::default()
    };
    let both = s::RevokeSecurityGroupIngressRequest { ip_permissions: vec![tcp(80, "0.0.0.0/0")], ..by_id.clone() };
    assert_eq!(code(region.call::<ops::RevokeSecurityGroupIngress>(both)), "InvalidParameterCombination");
    assert_eq!(region.call::<ops::RevokeSecurityGroupIngress>(by_id).unwrap().revoked_security_group_rules.len(), 1);
    assert!(describe_group(&mut region, &group).ip_permissions.is_empty());
}

#[test]
fn the_default_vpc_takes_names_and_the_old_parameters() {
    let mut region = Region::new();
    let create = s::CreateSecurityGroupRequest { group_name: "ssh".into(), description: "in".into(), ..Default::default() };
    let id = region.call::<ops::CreateSecurityGroup>(create).unwrap().group_id.unwrap();
    let input = s::AuthorizeSecurityGroupIngressRequest {
        group_name: Some("ssh".into()),
        ip_protocol: Some("tcp".into()),
        from_port: Some(22),
        to_port: Some(22),
        cidr_ip: Some("10.0.0.0/8".into()),
        ..Default::default()
    };
    region.call::<ops::AuthorizeSecurityGroupIngress>(input).unwrap();
    let revoke = s::RevokeSecurityGroupIngressRequest {
        group_name: Some("ssh".into()),
        ip_permissions: vec![tcp(22, "10.0.0.0/8"), tcp(23, "10.0.0.0/8")],
        ..Default::default()
    };
    let gone = region.call::<ops::RevokeSecurityGroupIngress>(revoke).unwrap();
    assert_eq!((gone.revoked_security_group_rules.len(), gone.unknown_ip_permissions.len()), (1, 1));
    let asked = s::DescribeSecurityGroupsRequest { group_names: vec!["ssh".into()], ..Default::default() };
    assert_eq!(region.call::<ops::DescribeSecurityGroups>(asked).unwrap().security_groups[0].group_id, Some(id));
}

#[test]
fn attributes_places_and_dry_runs() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let on = Some(s::AttributeBooleanValue { value: Some(true) });
    let modify = s::ModifyVpcAttributeRequest { vpc_id: vpc.clone(), enable_dns_hostnames: on.clone(), ..Default::default() };
    region.call::<ops::ModifyVpcAttribute>(modify).unwrap();
    let ask =
        |attribute: &str| s::DescribeVpcAttributeRequest { vpc_id: vpc.clone(), attribute: attribute.into(), dry_run: None };
    let shown = region.call::<ops::DescribeVpcAttribute>(ask("enableDnsHostnames")).unwrap();
    assert_eq!(shown.enable_dns_hostnames, on);
    assert_eq!(code(region.call::<ops::DescribeVpcAttribute>(ask("nonsense"))), "InvalidParameterValue");
    let subnet = create_subnet(&mut region, &vpc, "10.0.1.0/24", None).unwrap().subnet_id.unwrap();
    let modify = s::ModifySubnetAttributeRequest { subnet_id: subnet.clone(), map_public_ip_on_launch: on, ..Default::default() };
    region.call::<ops::ModifySubnetAttribute>(modify).unwrap();
    let nothing = s::ModifySubnetAttributeRequest { subnet_id: subnet.clone(), ..Default::default() };
    assert_eq!(code(region.call::<ops::ModifySubnetAttribute>(nothing)), "InvalidParameterCombination");
    let found = s::DescribeSubnetsRequest { filters: filter("map-public-ip-on-launch", "true"), ..Default::default() };
    let found = region.call::<ops::DescribeSubnets>(found).unwrap().subnets;
    assert_eq!(found.len(), 4, "one of each zone's default subnets, and this");
    let zones = s::DescribeAvailabilityZonesRequest { zone_ids: vec!["euc1-az3".into()], ..Default::default() };
    let zones = region.call::<ops::DescribeAvailabilityZones>(zones).unwrap().availability_zones;
    assert_eq!(zones[0].zone_name.as_deref(), Some("eu-central-1c"));
    let regions = region.call::<ops::DescribeRegions>(Default::default()).unwrap().regions;
    assert_eq!(regions[0].region_name.as_deref(), Some("eu-central-1"));
    let before = region.kernel.digest();
    let dry = s::DeleteSubnetRequest { subnet_id: subnet, dry_run: Some(true) };
    let outcome = region.call::<ops::DeleteSubnet>(dry).unwrap_err();
    assert_eq!((outcome.code.as_ref(), outcome.http), ("DryRunOperation", 412));
    assert_eq!(region.kernel.digest(), before);
}

#[test]
fn tags_are_given_found_and_taken() {
    let mut region = Region::new();
    let vpc = create_vpc(&mut region, "10.0.0.0/16").unwrap();
    let group = create_group(&mut region, &vpc, "web").unwrap();
    let tag = |key: &str, value: &str| s::Tag { key: Some(key.into()), value: Some(value.into()) };
    let give = |resources: &[&String], tags: Vec<s::Tag>| s::CreateTagsRequest {
        resources: resources.iter().map(|r| r.to_string()).collect(),
        tags,
        dry_run: None,
    };
    region.call::<ops::CreateTags>(give(&[&vpc, &group], vec![tag("Name", "web"), tag("Team", "a")])).unwrap();
    let unknown = give(&[&"subnet-0123".to_string()], vec![tag("Name", "x")]);
    assert_eq!(code(region.call::<ops::CreateTags>(unknown)), "InvalidSubnetID.NotFound");
    let reserved = give(&[&vpc], vec![tag("aws:x", "y")]);
    assert_eq!(code(region.call::<ops::CreateTags>(reserved)), "InvalidParameterValue");
    let tags = |region: &mut Region, filters: Vec<s::Filter>| {
        let asked = s::DescribeTagsRequest { filters, ..Default::default() };
        let tags = region.call::<ops::DescribeTags>(asked).unwrap().tags;
        tags.into_iter().map(|t| format!("{} {}", t.resource_type.unwrap(), t.key.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(tags(&mut region, filter("resource-id", &vpc)), ["vpc Name", "vpc Team"]);
    assert_eq!(tags(&mut region, filter("resource-id", "sg-*")), ["security-group Name", "security-group Team"]);
    let found = s::DescribeVpcsRequest { filters: filter("tag:Name", "w*"), ..Default::default() };
    assert_eq!(region.call::<ops::DescribeVpcs>(found).unwrap().vpcs[0].vpc_id.as_ref(), Some(&vpc));
    let take = s::DeleteTagsRequest { resources: vec![vpc.clone()], tags: vec![tag("Name", "other")], dry_run: None };
    region.call::<ops::DeleteTags>(take).unwrap();
    assert_eq!(tags(&mut region, filter("resource-id", &vpc)).len(), 2, "the value is another");
    region.call::<ops::DeleteTags>(s::DeleteTagsRequest { resources: vec![vpc.clone()], ..Default::default() }).unwrap();
    assert!(tags(&mut region, filter("resource-id", &vpc)).is_empty());
}
