"""VPCs and what is in them, as a user of EC2 drives them."""

import pytest

from calls import dry, refused

UNKNOWN = "00000000000000000"


@pytest.fixture
def vpc(ec2):
    """An empty VPC that must be empty again at the end."""
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "net"}]}])
    yield vpc["Vpc"]["VpcId"]
    ec2.delete_vpc(VpcId=vpc["Vpc"]["VpcId"])


def of(vpc):
    return [{"Name": "vpc-id", "Values": [vpc]}]


def test_a_vpc_comes_with_its_parts(ec2, vpc):
    ec2.get_waiter("vpc_exists").wait(VpcIds=[vpc])
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc])
    found = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["net"]}])["Vpcs"][0]
    assert found["VpcId"] == vpc and found["CidrBlock"] == "10.42.0.0/16" and not found["IsDefault"]
    group = ec2.describe_security_groups(Filters=of(vpc))["SecurityGroups"][0]
    assert group["GroupName"] == "default" and group["Description"] == "default VPC security group"
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    table = ec2.describe_route_tables(Filters=of(vpc))["RouteTables"][0]
    assert table["Associations"][0]["Main"]
    assert [(r["DestinationCidrBlock"], r["GatewayId"], r["Origin"]) for r in table["Routes"]] == [("10.42.0.0/16", "local", "CreateRouteTable")]
    acl = ec2.describe_network_acls(Filters=of(vpc))["NetworkAcls"][0]
    assert acl["IsDefault"] and len(acl["Entries"]) == 4
    get = lambda name: ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)
    assert get("enableDnsSupport")["EnableDnsSupport"]["Value"] and not get("enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert get("enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    refused("CannotDelete", ec2.delete_security_group, "cannot be deleted by a user", GroupId=group["GroupId"])
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=table["RouteTableId"])


@pytest.mark.parametrize("cidr, code", [
    ("10.0.0.0/8", "InvalidVpc.Range"), ("10.0.0.0/29", "InvalidVpc.Range"),
    ("10.0.0.0", "InvalidParameterValue"), ("nonsense", "InvalidParameterValue"), ("300.0.0.0/16", "InvalidParameterValue"),
])
def test_wrong_blocks(ec2, cidr, code):
    refused(code, ec2.create_vpc, cidr, CidrBlock=cidr)


def test_subnets(ec2, vpc):
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])["AvailabilityZones"]]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.1.0/24", AvailabilityZone=zones[1])["Subnet"]
    assert made["AvailabilityZone"] == zones[1] and made["AvailableIpAddressCount"] == 251 and not made["MapPublicIpOnLaunch"]
    subnet = made["SubnetId"]
    ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet])
    refused("InvalidSubnet.Conflict", ec2.create_subnet, "10.42.1.128/25", VpcId=vpc, CidrBlock="10.42.1.128/25")
    refused("InvalidSubnet.Range", ec2.create_subnet, "10.43.0.0/24", VpcId=vpc, CidrBlock="10.43.0.0/24")
    refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc, CidrBlock="10.42.2.0/29")
    refused("InvalidParameterValue", ec2.create_subnet, "nowhere-1a", VpcId=vpc, CidrBlock="10.42.2.0/24", AvailabilityZone="nowhere-1a")
    refused("InvalidVpcID.NotFound", ec2.create_subnet, f"The vpc ID 'vpc-{UNKNOWN}' does not exist", VpcId="vpc-" + UNKNOWN, CidrBlock="10.0.0.0/24")
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]
    others = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.42.{n}.0/24")["Subnet"]["SubnetId"] for n in range(10, 17)]
    pages = list(ec2.get_paginator("describe_subnets").paginate(Filters=of(vpc), PaginationConfig={"PageSize": 5}))
    assert [len(p["Subnets"]) for p in pages] == [5, 3]
    assert len({s["SubnetId"] for p in pages for s in p["Subnets"]}) == 8
    refused("DependencyViolation", ec2.delete_vpc, f"The vpc '{vpc}' has dependencies and cannot be deleted.", VpcId=vpc)
    dry(ec2.delete_subnet, SubnetId=subnet)
    for s in [subnet, *others]:
        ec2.delete_subnet(SubnetId=s)
    refused("InvalidSubnetID.NotFound", ec2.delete_subnet, f"The subnet ID '{subnet}' does not exist", SubnetId=subnet)


def test_gateways_and_routes(ec2, vpc):
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.get_waiter("internet_gateway_exists").wait(InternetGatewayIds=[gateway])
    table = ec2.create_route_table(VpcId=vpc, ClientToken="table")["RouteTable"]["RouteTableId"]
    assert ec2.create_route_table(VpcId=vpc, ClientToken="table")["RouteTable"]["RouteTableId"] == table
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    refused("InvalidParameterValue", ec2.create_route, gateway, GatewayId=gateway, **route)
    refused("Gateway.NotAttached", ec2.detach_internet_gateway, gateway, InternetGatewayId=gateway, VpcId=vpc)
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, gateway, InternetGatewayId=gateway, VpcId=vpc)
    other = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    refused("InvalidParameterValue", ec2.attach_internet_gateway, "already has an internet gateway", InternetGatewayId=other, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=other)
    assert ec2.create_route(GatewayId=gateway, **route)["Return"]
    refused("RouteAlreadyExists", ec2.create_route, "0.0.0.0/0", GatewayId=gateway, **route)
    ec2.replace_route(GatewayId=gateway, **route)
    refused("InvalidParameterValue", ec2.replace_route, "no route", GatewayId=gateway, RouteTableId=table, DestinationCidrBlock="1.0.0.0/8")
    refused("InvalidGatewayID.NotFound", ec2.replace_route, GatewayId="igw-" + UNKNOWN, **route)
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=gateway)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.1.0/24")["Subnet"]["SubnetId"]
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=main(ec2, vpc), SubnetId=subnet)
    refused("DependencyViolation", ec2.delete_route_table, table, RouteTableId=table)
    replaced = ec2.replace_route_table_association(AssociationId=association, RouteTableId=main(ec2, vpc))
    assert replaced["AssociationState"]["State"] == "associated"
    ec2.disassociate_route_table(AssociationId=replaced["NewAssociationId"])
    refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=association)
    ec2.delete_route(**route)
    refused("InvalidRoute.NotFound", ec2.delete_route, "0.0.0.0/0", **route)
    ec2.delete_route_table(RouteTableId=table)
    refused("InvalidRouteTableID.NotFound", ec2.delete_route_table, table, RouteTableId=table)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    refused("InvalidInternetGatewayID.NotFound", ec2.describe_internet_gateways, gateway, InternetGatewayIds=[gateway])


def main(ec2, vpc):
    filters = [*of(vpc), {"Name": "association.main", "Values": ["true"]}]
    return ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"]


def tcp(port, **peer):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}


ANYONE = {"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}]}


def test_security_groups(ec2, vpc):
    make = lambda name: ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    a, b = make("a"), make("b")
    ec2.get_waiter("security_group_exists").wait(GroupIds=[a, b])
    refused("InvalidGroup.Duplicate", ec2.create_security_group, f"'a' already exists for VPC '{vpc}'", GroupName="a", Description="d", VpcId=vpc)
    refused("InvalidGroup.Reserved", ec2.create_security_group, GroupName="default", Description="d", VpcId=vpc)
    refused("InvalidParameterValue", ec2.create_security_group, GroupName="sg-x", Description="d", VpcId=vpc)
    rules = ec2.authorize_security_group_ingress(GroupId=a, IpPermissions=[tcp(80, **ANYONE), tcp(81, UserIdGroupPairs=[{"GroupId": b}])])
    first, second = rules["SecurityGroupRules"]
    assert first["CidrIpv4"] == "0.0.0.0/0" and second["ReferencedGroupInfo"]["GroupId"] == b and not first["IsEgress"]
    duplicate = 'the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists'
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, duplicate, GroupId=a, IpPermissions=[tcp(80, **ANYONE)])
    refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=a, IpPermissions=[tcp(80, IpRanges=[{"CidrIp": "1.2.3"}])])
    refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=a, IpPermissions=[{**tcp(80, **ANYONE), "ToPort": 70000}])
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=a, IpPermissions=[tcp(99, **ANYONE)])
    refused("DependencyViolation", ec2.delete_security_group, f"resource {b} has a dependent object", GroupId=b)
    ec2.modify_security_group_rules(GroupId=a, SecurityGroupRules=[{
        "SecurityGroupRuleId": first["SecurityGroupRuleId"],
        "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8"},
    }])
    changed = ec2.describe_security_group_rules(SecurityGroupRuleIds=[first["SecurityGroupRuleId"]])["SecurityGroupRules"][0]
    assert (changed["FromPort"], changed["CidrIpv4"]) == (443, "10.0.0.0/8")
    described = [tcp(443, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "inside"}])]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=a, IpPermissions=described)
    ec2.authorize_security_group_egress(GroupId=a, IpPermissions=[tcp(25, **ANYONE)])
    ec2.update_security_group_rule_descriptions_egress(
        GroupId=a, IpPermissions=[tcp(25, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "mail"}])])
    ec2.revoke_security_group_egress(GroupId=a, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    group = ec2.describe_security_groups(GroupIds=[a])["SecurityGroups"][0]
    assert group["IpPermissionsEgress"] == [tcp(25, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "mail"}], Ipv6Ranges=[], PrefixListIds=[], UserIdGroupPairs=[])]
    assert any(r["IpRanges"] and r["IpRanges"][0].get("Description") == "inside" for r in group["IpPermissions"])
    by_port = ec2.describe_security_groups(Filters=[*of(vpc), {"Name": "ip-permission.to-port", "Values": ["443"]}])
    assert [g["GroupId"] for g in by_port["SecurityGroups"]] == [a]
    ec2.revoke_security_group_ingress(GroupId=a, SecurityGroupRuleIds=[second["SecurityGroupRuleId"]])
    many = [{"CidrIp": f"10.1.{n}.0/24"} for n in range(60)]
    refused("RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=a, IpPermissions=[tcp(1, IpRanges=many)])
    assert len(ec2.describe_security_groups(GroupIds=[a])["SecurityGroups"][0]["IpPermissions"]) == 1, "all or none"
    ec2.authorize_security_group_ingress(GroupId=b, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    for g in (b, a):
        ec2.delete_security_group(GroupId=g)
    refused("InvalidGroup.NotFound", ec2.delete_security_group, f"The security group '{a}' does not exist", GroupId=a)


MALFORMED = [
    ("describe_vpcs", "VpcIds", "InvalidVpcID.NotFound", "vpc-" + UNKNOWN),
    ("describe_subnets", "SubnetIds", "InvalidSubnetID.NotFound", "subnet-" + UNKNOWN),
    ("describe_security_groups", "GroupIds", "InvalidGroup.NotFound", "sg-" + UNKNOWN),
    ("describe_security_groups", "GroupIds", "InvalidGroupId.Malformed", "nonsense"),
    ("describe_route_tables", "RouteTableIds", "InvalidRouteTableID.NotFound", "rtb-" + UNKNOWN),
    ("describe_network_interfaces", "NetworkInterfaceIds", "InvalidNetworkInterfaceID.NotFound", "eni-" + UNKNOWN),
    ("describe_network_acls", "NetworkAclIds", "InvalidNetworkAclID.NotFound", "acl-" + UNKNOWN),
    ("describe_internet_gateways", "InternetGatewayIds", "InvalidInternetGatewayId.Malformed", "igw_"),
]


@pytest.mark.parametrize("call, parameter, code, wrong", MALFORMED)
def test_wrong_ids(ec2, call, parameter, code, wrong):
    refused(code, getattr(ec2, call), wrong, **{parameter: [wrong]})


def test_the_place(ec2, region):
    name = region.endpoint()["region"]
    assert [r["RegionName"] for r in ec2.describe_regions()["Regions"]] == [name]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert len(zones) >= 2 and all(z["RegionName"] == name and z["State"] == "available" for z in zones)
    refused("InvalidParameterValue", ec2.describe_availability_zones, "nowhere", ZoneNames=["nowhere"])
    attributes = {a["AttributeName"]: a for a in ec2.describe_account_attributes()["AccountAttributes"]}
    assert attributes["supported-platforms"]["AttributeValues"][0]["AttributeValue"] == "VPC"
