//! The network's CloudFormation types, asked as a stack asks them.

use base::{Fault, Tags};
use ec2::{InterfaceOwner, NewInterface};
use kernel::{Progress, ResourceRequest, Wanted};
use serde_json::{Value as Json, json};
use shapes::ec2 as s;
use shapes::ec2::ops;
use world::{Observation, Slot, SlotKind, Want};

use crate::region::Region;

/// Calls one method of a resource type in a transaction.
macro_rules! ask {
    ($region:expr, $type_name:expr, |$resource:ident, $tx:ident, $cx:ident| $call:expr) => {{
        let name = format!("AWS::EC2::{}", $type_name);
        $region.run(|$tx, $cx| {
            let $resource = $tx.registry().stack_resource(&name).unwrap();
            $call
        })
    }};
}

fn request<'a>(logical_id: &'a str, properties: &'a Json, tags: &'a Tags) -> ResourceRequest<'a> {
    ResourceRequest {
        stack_id: "arn:aws:cloudformation:eu-central-1:000000000000:stack/web/1",
        stack_name: "web",
        logical_id,
        properties,
        tags,
        old_tags: None,
        creation_policy: None,
        update_policy: None,
    }
}

fn stack_tags() -> Tags {
    [("aws:cloudformation:stack-name", "web"), ("Team", "stack")].map(|(k, v)| (k.to_string(), v.to_string())).into()
}

fn create(region: &mut Region, kind: &str, properties: Json) -> Result<String, Fault> {
    let tags = stack_tags();
    ask!(region, kind, |resource, tx, cx| resource.create(tx, cx, &request("Thing", &properties, &tags)))
}

fn update(region: &mut Region, kind: &str, id: &str, old: Json, new: Json) -> Result<(), Fault> {
    let tags = stack_tags();
    ask!(region, kind, |resource, tx, cx| resource.update(tx, cx, id, &old, &request("Thing", &new, &tags)))
}

fn progress(region: &mut Region, kind: &str, id: &str) -> Progress {
    let (tags, none) = (stack_tags(), json!({}));
    ask!(region, kind, |resource, tx, cx| Ok(resource.progress(tx, cx, id, &request("Thing", &none, &tags)))).unwrap()
}

fn delete(region: &mut Region, kind: &str, id: &str) -> Result<Progress, Fault> {
    ask!(region, kind, |resource, tx, cx| resource.delete(tx, cx, id))
}

fn attribute(region: &mut Region, kind: &str, id: &str, name: &str) -> Json {
    ask!(region, kind, |resource, tx, cx| resource.attribute(tx, cx, id, name)).unwrap()
}

fn slot(vpc: &str) -> Slot {
    Slot::new(SlotKind::Network, vpc)
}

/// The world answers the newest wish for a VPC's network.
fn answer(region: &mut Region, vpc: &str, refusal: Option<&str>) {
    let slot = slot(vpc);
    let version = region.state().get::<Wanted>(&slot).unwrap().version;
    region.observe(&match refusal {
        None => Observation::Applied { slot, version },
        Some(reason) => Observation::Refused { slot, version, reason: reason.into() },
    });
}

fn tag(region: &Region, resource: &str, key: &str) -> Option<String> {
    ec2::tags::of(region.state(), resource).get(key).cloned()
}

/// A VPC that stands, with a subnet.
fn vpc_and_subnet(region: &mut Region) -> (String, String) {
    let vpc = create(region, "VPC", json!({ "CidrBlock": "10.0.0.0/16" })).unwrap();
    let subnet = create(region, "Subnet", json!({ "VpcId": vpc, "CidrBlock": "10.0.1.0/24" })).unwrap();
    answer(region, &vpc, None);
    (vpc, subnet)
}

#[test]
fn a_web_tiers_network_comes_and_goes_in_order() {
    let mut region = Region::new();
    let vpc = create(&mut region, "VPC", json!({ "CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": true })).unwrap();
    assert_eq!(progress(&mut region, "VPC", &vpc), Progress::Pending);
    answer(&mut region, &vpc, None);
    assert_eq!(progress(&mut region, "VPC", &vpc), Progress::Ready);
    let properties = json!({ "VpcId": vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "eu-central-1b" });
    let subnet = create(&mut region, "Subnet", properties).unwrap();
    assert_eq!(progress(&mut region, "Subnet", &subnet), Progress::Pending, "the world knows it not yet");
    answer(&mut region, &vpc, None);
    assert_eq!(progress(&mut region, "Subnet", &subnet), Progress::Ready);
    let gateway = create(&mut region, "InternetGateway", json!({})).unwrap();
    let attached = json!({ "VpcId": vpc, "InternetGatewayId": gateway });
    let attachment = create(&mut region, "VPCGatewayAttachment", attached).unwrap();
    let table = create(&mut region, "RouteTable", json!({ "VpcId": vpc })).unwrap();
    let route = json!({ "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway });
    let route = create(&mut region, "Route", route).unwrap();
    let association = json!({ "RouteTableId": table, "SubnetId": subnet });
    let association = create(&mut region, "SubnetRouteTableAssociation", association).unwrap();
    assert_eq!((attachment.as_str(), route.as_str()), (&*format!("IGW|{vpc}"), &*format!("{table}|0.0.0.0/0")));
    for (kind, id, name, expected) in [
        ("VPC", &vpc, "CidrBlock", json!("10.0.0.0/16")),
        ("VPC", &vpc, "VpcId", json!(vpc)),
        ("Subnet", &subnet, "AvailabilityZone", json!("eu-central-1b")),
        ("Subnet", &subnet, "AvailabilityZoneId", json!("euc1-az2")),
        ("InternetGateway", &gateway, "InternetGatewayId", json!(gateway)),
        ("VPCGatewayAttachment", &attachment, "AttachmentType", json!("IGW")),
        ("RouteTable", &table, "RouteTableId", json!(table)),
        ("Route", &route, "CidrBlock", json!("0.0.0.0/0")),
        ("SubnetRouteTableAssociation", &association, "Id", json!(association)),
    ] {
        assert_eq!(attribute(&mut region, kind, id, name), expected, "{kind}.{name}");
    }
    assert_eq!(delete(&mut region, "VPC", &vpc).unwrap_err().code, "DependencyViolation");
    for (kind, id) in [
        ("SubnetRouteTableAssociation", &association),
        ("Route", &route),
        ("RouteTable", &table),
        ("VPCGatewayAttachment", &attachment),
        ("InternetGateway", &gateway),
        ("Subnet", &subnet),
    ] {
        assert_eq!(delete(&mut region, kind, id), Ok(Progress::Ready), "{kind}");
        assert_eq!(delete(&mut region, kind, id), Ok(Progress::Ready), "{kind} is gone already");
    }
    assert_eq!(delete(&mut region, "VPC", &vpc), Ok(Progress::Pending));
    assert_eq!(delete(&mut region, "VPC", &vpc), Ok(Progress::Pending), "the world has its network still");
    answer(&mut region, &vpc, None);
    assert_eq!(delete(&mut region, "VPC", &vpc), Ok(Progress::Ready));
}

#[test]
fn a_network_that_cannot_be_built_fails_with_its_reason() {
    let mut region = Region::new();
    let vpc = create(&mut region, "VPC", json!({ "CidrBlock": "10.0.0.0/16" })).unwrap();
    answer(&mut region, &vpc, Some("the block is the host's own"));
    assert_eq!(progress(&mut region, "VPC", &vpc), Progress::Failed("the block is the host's own".into()));
    assert_eq!(create(&mut region, "VPC", json!({})).unwrap_err().code, "MissingParameter");
    let dedicated = json!({ "CidrBlock": "10.1.0.0/16", "InstanceTenancy": "dedicated" });
    assert_eq!(create(&mut region, "VPC", dedicated).unwrap_err().code, "UnsupportedOperation");
}

#[test]
fn own_tags_win_over_the_stacks_and_follow_updates() {
    let mut region = Region::new();
    let tags = |key: &str, value: &str| json!({ "CidrBlock": "10.0.0.0/16", "Tags": [{ "Key": key, "Value": value }] });
    let vpc = create(&mut region, "VPC", tags("Team", "own")).unwrap();
    assert_eq!(tag(&region, &vpc, "Team").as_deref(), Some("own"));
    assert_eq!(tag(&region, &vpc, "aws:cloudformation:stack-name").as_deref(), Some("web"));
    update(&mut region, "VPC", &vpc, tags("Team", "own"), tags("Name", "main")).unwrap();
    assert_eq!(tag(&region, &vpc, "Team").as_deref(), Some("stack"));
    assert_eq!(tag(&region, &vpc, "Name").as_deref(), Some("main"));
    let reserved = create(&mut region, "VPC", json!({ "CidrBlock": "10.1.0.0/16", "Tags": [{ "Key": "aws:x", "Value": "" }] }));
    assert_eq!(reserved.unwrap_err().code, "InvalidParameterValue");
}

#[test]
fn a_tag_that_the_stack_has_no_more_goes_and_a_users_own_stays() {
    let mut region = Region::new();
    let properties = json!({ "CidrBlock": "10.0.0.0/16", "Tags": [{ "Key": "Name", "Value": "main" }] });
    let vpc = create(&mut region, "VPC", properties.clone()).unwrap();
    let tags = vec![s::Tag { key: Some("User".into()), value: Some("me".into()) }];
    let input = s::CreateTagsRequest { resources: vec![vpc.clone()], tags, dry_run: None };
    region.call::<ops::CreateTags>(input).unwrap();
    let (old, none) = (stack_tags(), Tags::new());
    let asked = ResourceRequest { old_tags: Some(&old), ..request("Thing", &properties, &none) };
    ask!(region, "VPC", |resource, tx, cx| resource.update(tx, cx, &vpc, &properties, &asked)).unwrap();
    assert_eq!(tag(&region, &vpc, "Team"), None);
    assert_eq!((tag(&region, &vpc, "Name").as_deref(), tag(&region, &vpc, "User").as_deref()), (Some("main"), Some("me")));
}

/// The rules of a group as the world shall have them: what comes in, what goes out.
fn rules(region: &Region, vpc: &str, group: &str) -> (Vec<String>, Vec<String>) {
    let wanted = region.state().get::<Wanted>(&slot(vpc)).unwrap().want.clone();
    let Some(Want::Network(network)) = wanted else { panic!("{wanted:?}") };
    let group = network.security_groups.into_iter().find(|g| g.id == group).unwrap();
    let text = |rules: Vec<world::Rule>| rules.iter().map(|r| format!("{:?} {:?}", r.traffic, r.peer)).collect();
    (text(group.ingress), text(group.egress))
}

#[test]
fn a_group_has_the_rules_of_its_template_and_no_others() {
    let mut region = Region::new();
    let (vpc, _) = vpc_and_subnet(&mut region);
    let with = |ingress: Json, egress: Json| json!({ "GroupDescription": "web", "VpcId": vpc, "SecurityGroupIngress": ingress, "SecurityGroupEgress": egress });
    let tcp = |port: u16, text: &str| json!({ "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "0.0.0.0/0", "Description": text });
    let first = with(json!([tcp(80, "web")]), json!([]));
    let group = create(&mut region, "SecurityGroup", first.clone()).unwrap();
    assert!(group.starts_with("sg-"));
    let (ingress, egress) = rules(&region, &vpc, &group);
    assert_eq!((ingress.len(), egress.len()), (1, 1));
    assert!(ingress[0].contains("80") && egress[0].starts_with("All"), "{ingress:?} {egress:?}");
    let kept = region.state().rows_where::<ec2::SecurityGroupRule>("group", &group).next().cloned().unwrap();
    let second = with(json!([tcp(80, "the web"), tcp(443, "")]), json!([tcp(53, "names")]));
    update(&mut region, "SecurityGroup", &group, first.clone(), second.clone()).unwrap();
    let (ingress, egress) = rules(&region, &vpc, &group);
    assert_eq!((ingress.len(), egress.len()), (2, 1));
    assert!(egress[0].contains("53"), "the rule for everything is gone: {egress:?}");
    let rule = json!({ "GroupId": group, "IpProtocol": "-1", "SourceSecurityGroupId": group });
    let own = create(&mut region, "SecurityGroupIngress", rule).unwrap();
    assert!(own.starts_with("sgr-"));
    update(&mut region, "SecurityGroup", &group, second, first).unwrap();
    let (ingress, egress) = rules(&region, &vpc, &group);
    assert_eq!((ingress.len(), egress.len()), (2, 1), "a rule of its own stays");
    assert!(egress[0].starts_with("All"));
    let same = region.state().rows_where::<ec2::SecurityGroupRule>("group", &group).find(|r| r.traffic == kept.traffic);
    assert_eq!(same, Some(&kept), "what both declare is left alone");
    assert_eq!(delete(&mut region, "SecurityGroupIngress", &own), Ok(Progress::Ready));
    assert_eq!(rules(&region, &vpc, &group).0.len(), 1);
    assert_eq!(attribute(&mut region, "SecurityGroup", &group, "VpcId"), json!(vpc));
    assert_eq!(delete(&mut region, "SecurityGroup", &group), Ok(Progress::Ready));
}

#[test]
fn a_group_without_a_vpc_is_called_by_its_name() {
    let mut region = Region::new();
    let name = create(&mut region, "SecurityGroup", json!({ "GroupDescription": "web" })).unwrap();
    assert!(name.starts_with("web-Thing-"), "{name}");
    let id = attribute(&mut region, "SecurityGroup", &name, "GroupId");
    assert!(id.as_str().unwrap().starts_with("sg-"));
    let rule = json!({ "GroupName": name, "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIp": "10.0.0.0/8" });
    let rule = create(&mut region, "SecurityGroupIngress", rule).unwrap();
    assert_eq!(attribute(&mut region, "SecurityGroupIngress", &rule, "Id"), json!(rule));
    assert_eq!(delete(&mut region, "SecurityGroup", &name), Ok(Progress::Ready));
    assert_eq!(delete(&mut region, "SecurityGroupIngress", &rule), Ok(Progress::Ready), "it went with its group");
}

#[test]
fn what_an_ending_instance_holds_is_waited_for() {
    let mut region = Region::new();
    let (vpc, subnet) = vpc_and_subnet(&mut region);
    let group = create(&mut region, "SecurityGroup", json!({ "GroupDescription": "web", "VpcId": vpc })).unwrap();
    let run = s::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        min_count: 1,
        max_count: 1,
        instance_type: Some("t3.micro".into()),
        subnet_id: Some(subnet.clone()),
        security_group_ids: vec![group.clone()],
        ..Default::default()
    };
    let id = region.call::<ops::RunInstances>(run).unwrap().instances.pop().unwrap().instance_id.unwrap();
    for (kind, thing) in [("Subnet", &subnet), ("SecurityGroup", &group)] {
        assert_eq!(delete(&mut region, kind, thing).unwrap_err().code, "DependencyViolation", "{kind}");
    }
    let end = s::TerminateInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() };
    region.call::<ops::TerminateInstances>(end).unwrap();
    for (kind, thing) in [("Subnet", &subnet), ("SecurityGroup", &group)] {
        assert_eq!(delete(&mut region, kind, thing), Ok(Progress::Pending), "{kind}");
    }
    region.apply(&id);
    for (kind, thing) in [("Subnet", &subnet), ("SecurityGroup", &group)] {
        assert_eq!(delete(&mut region, kind, thing), Ok(Progress::Ready), "{kind}");
    }
}

#[test]
fn what_a_service_lets_go_of_is_waited_for() {
    let mut region = Region::new();
    let (_, subnet) = vpc_and_subnet(&mut region);
    let new = NewInterface {
        subnet: subnet.as_str().into(),
        groups: vec![],
        address: None,
        description: "ELB app/web/1".into(),
        owner: InterfaceOwner::Service { requester: "amazon-elb".into() },
    };
    let id = region.run(|tx, cx| Ok(ec2::create_interface(tx, cx, new)?)).unwrap();
    let asked = s::DescribeNetworkInterfacesRequest { network_interface_ids: vec![id.to_string()], ..Default::default() };
    let shown = region.call::<ops::DescribeNetworkInterfaces>(asked).unwrap().network_interfaces.pop().unwrap();
    assert_eq!((shown.requester_id.as_deref(), shown.requester_managed), (Some("amazon-elb"), Some(true)));
    assert_eq!(shown.attachment.unwrap().instance_owner_id.as_deref(), Some("amazon-elb"));
    assert_eq!(delete(&mut region, "Subnet", &subnet).unwrap_err().code, "DependencyViolation");
    region.run(|tx, cx| Ok(ec2::delete_interface(tx, cx, &id)?)).unwrap();
    assert_eq!(delete(&mut region, "Subnet", &subnet), Ok(Progress::Pending));
    let slot = Slot::new(SlotKind::Interface, id.as_str());
    let version = region.state().get::<Wanted>(&slot).unwrap().version;
    region.observe(&Observation::Applied { slot, version });
    assert_eq!(delete(&mut region, "Subnet", &subnet), Ok(Progress::Ready));
}

#[test]
fn an_attachment_lets_go_of_its_own_gateway_only() {
    let mut region = Region::new();
    let (vpc, _) = vpc_and_subnet(&mut region);
    let [own, users, next] = [0, 1, 2].map(|_| create(&mut region, "InternetGateway", json!({})).unwrap());
    let attached = |gateway: &str| json!({ "VpcId": vpc, "InternetGatewayId": gateway });
    let attachment = create(&mut region, "VPCGatewayAttachment", attached(&own)).unwrap();
    let detach = |region: &mut Region, id: &str| {
        let input = s::DetachInternetGatewayRequest { internet_gateway_id: id.into(), vpc_id: vpc.clone(), dry_run: None };
        region.call::<ops::DetachInternetGateway>(input).unwrap();
    };
    let attach = |region: &mut Region, id: &str| {
        let input = s::AttachInternetGatewayRequest { internet_gateway_id: id.into(), vpc_id: vpc.clone(), dry_run: None };
        region.call::<ops::AttachInternetGateway>(input).unwrap();
    };
    let has = |region: &Region| {
        let mut all = region.state().rows::<ec2::network::InternetGateway>();
        all.find(|g| g.vpc.as_deref() == Some(&vpc)).map(|g| g.id.to_string())
    };
    detach(&mut region, &own);
    attach(&mut region, &users);
    let taken = update(&mut region, "VPCGatewayAttachment", &attachment, attached(&own), attached(&next));
    assert!(taken.is_err());
    assert_eq!(delete(&mut region, "VPCGatewayAttachment", &attachment), Ok(Progress::Ready));
    assert_eq!(has(&region), Some(users.clone()));
    // Its own, whoever has attached that again.
    detach(&mut region, &users);
    let attachment = create(&mut region, "VPCGatewayAttachment", attached(&own)).unwrap();
    update(&mut region, "VPCGatewayAttachment", &attachment, attached(&own), attached(&next)).unwrap();
    detach(&mut region, &next);
    attach(&mut region, &next);
    assert_eq!(delete(&mut region, "VPCGatewayAttachment", &attachment), Ok(Progress::Ready));
    assert_eq!(has(&region), None);
}

#[test]
fn gateways_and_routes_change_in_place() {
    let mut region = Region::new();
    let (vpc, _) = vpc_and_subnet(&mut region);
    let gateways = [0, 1].map(|_| create(&mut region, "InternetGateway", json!({})).unwrap());
    let attached = |gateway: &str| json!({ "VpcId": vpc, "InternetGatewayId": gateway });
    let attachment = create(&mut region, "VPCGatewayAttachment", attached(&gateways[0])).unwrap();
    let table = create(&mut region, "RouteTable", json!({ "VpcId": vpc })).unwrap();
    let leads = |gateway: &str| json!({ "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway });
    let route = create(&mut region, "Route", leads(&gateways[0])).unwrap();
    let (old, new) = (&gateways[0], &gateways[1]);
    let foreign = update(&mut region, "Route", &route, leads(old), leads(new));
    assert_eq!(foreign.unwrap_err().code, "InvalidParameterValue", "it is attached nowhere");
    update(&mut region, "VPCGatewayAttachment", &attachment, attached(old), attached(new)).unwrap();
    update(&mut region, "Route", &route, leads(old), leads(new)).unwrap();
    let rows = region.state().get::<ec2::RouteTable>(&table.as_str().into()).unwrap().routes.clone();
    assert_eq!(rows.values().collect::<Vec<_>>(), [&ec2::network::Target::InternetGateway(new.as_str().into())]);
    assert_eq!(delete(&mut region, "InternetGateway", old), Ok(Progress::Ready));
}

#[test]
fn a_subnet_goes_over_to_another_table_in_place() {
    let mut region = Region::new();
    let (vpc, subnet) = vpc_and_subnet(&mut region);
    let tables = [(); 2].map(|()| create(&mut region, "RouteTable", json!({ "VpcId": vpc })).unwrap());
    let of = |table: &str| json!({ "RouteTableId": table, "SubnetId": subnet });
    let id = create(&mut region, "SubnetRouteTableAssociation", of(&tables[0])).unwrap();
    let schema = ask!(region, "SubnetRouteTableAssociation", |resource, _tx, _cx| Ok(resource.schema())).unwrap();
    let replaces = |name: &str| schema.lines().any(|line| line.trim_start().starts_with(name) && line.contains("replace"));
    assert!(replaces("SubnetId") && !replaces("RouteTableId"), "a subnet has one association: no second one can be made first");
    update(&mut region, "SubnetRouteTableAssociation", &id, of(&tables[0]), of(&tables[1])).unwrap();
    assert_eq!(attribute(&mut region, "SubnetRouteTableAssociation", &id, "Id"), json!(id));
    assert_eq!(delete(&mut region, "RouteTable", &tables[0]).unwrap(), Progress::Ready, "nobody uses it any more");
    assert_eq!(delete(&mut region, "RouteTable", &tables[1]).unwrap_err().code, "DependencyViolation");
    assert_eq!(delete(&mut region, "SubnetRouteTableAssociation", &id).unwrap(), Progress::Ready);
    assert_eq!(delete(&mut region, "RouteTable", &tables[1]).unwrap(), Progress::Ready);
}
