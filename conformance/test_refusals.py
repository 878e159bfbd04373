"""Bad input gets AWS's own errors, and changes nothing."""

import http.client
import socket

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from region import wait_for


def code(e):
    return e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    "service, call, wrong_key, wrong_secret",
    [
        ("sts", "get_caller_identity", ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)),
        ("ec2", "describe_vpcs", ("AuthFailure", 401), ("AuthFailure", 401)),
        ("ssm", "describe_parameters", ("UnrecognizedClientException", 400), ("InvalidSignatureException", 400)),
    ],
)
def test_signatures_are_checked(region, service, call, wrong_key, wrong_secret):
    arguments = {**region.client_arguments(), "config": Config(retries={"max_attempts": 0})}
    for change, wanted in (({"aws_access_key_id": "AKIAUNKNOWN"}, wrong_key), ({"aws_secret_access_key": "wrong"}, wrong_secret)):
        with pytest.raises(ClientError) as e:
            getattr(boto3.client(service, **{**arguments, **change}), call)()
        assert code(e) == wanted


def test_the_root_user_is_who_it_says(client):
    me = client("sts").get_caller_identity()
    assert me["Arn"] == f"arn:aws:iam::{me['Account']}:root"


def test_oversized_and_broken_requests(region):
    for body, wanted in ((b"x" * (1024 * 1024 + 1), 413), (b"\xff\xfe&=%zz", 403), (b"", 403)):
        connection = http.client.HTTPConnection("127.0.0.1", region.port, timeout=10)
        connection.request("POST", "/", body=body)
        assert connection.getresponse().status == wanted
        connection.close()
    with socket.create_connection(("127.0.0.1", region.port), timeout=10) as s:
        s.sendall(b"\x00\x01 nonsense\r\n\r\n")
        assert s.recv(1000)[:12] in (b"HTTP/1.1 400", b"")
    assert region.status()["region"] == region.endpoint()["region"], "the region lives on"


NOT_FOUND = [
    ("ec2", "describe_instances", {"InstanceIds": ["i-00000000000000000"]}, "InvalidInstanceID.NotFound"),
    ("ec2", "describe_instances", {"InstanceIds": ["nonsense"]}, "InvalidInstanceID.Malformed"),
    ("ec2", "describe_vpcs", {"VpcIds": ["vpc-00000000000000000"]}, "InvalidVpcID.NotFound"),
    ("ec2", "create_subnet", {"VpcId": "vpc-00000000000000000", "CidrBlock": "10.0.0.0/24"}, "InvalidVpcID.NotFound"),
    ("ec2", "run_instances", {"ImageId": "ami-00000000000000000", "MinCount": 1, "MaxCount": 1}, "InvalidAMIID.NotFound"),
    ("elbv2", "describe_load_balancers", {"Names": ["none"]}, "LoadBalancerNotFound"),
    ("elbv2", "describe_load_balancers", {"LoadBalancerArns": ["none"]}, "ValidationError"),
    ("elbv2", "delete_load_balancer", {"LoadBalancerArn": "none"}, "ValidationError"),
    ("elbv2", "describe_target_groups", {"Names": ["none"]}, "TargetGroupNotFound"),
    ("autoscaling", "set_desired_capacity", {"AutoScalingGroupName": "none", "DesiredCapacity": 1}, "ValidationError"),
    ("cloudformation", "describe_stacks", {"StackName": "none"}, "ValidationError"),
    ("iam", "get_role", {"RoleName": "none"}, "NoSuchEntity"),
    ("ssm", "get_parameter", {"Name": "/none"}, "ParameterNotFound"),
]


@pytest.mark.parametrize("service, call, arguments, wanted", NOT_FOUND)
def test_what_is_not_there(client, service, call, arguments, wanted):
    with pytest.raises(ClientError) as e:
        getattr(client(service), call)(**arguments)
    assert e.value.response["Error"]["Code"] == wanted


TEMPLATES = [
    ("Resources:\n  A:\n    Type: AWS::Foo::Bar\n", "Unrecognized resource types: [AWS::Foo::Bar]"),
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties: {CidrBlock: 10.0.0.0/16, Color: red}\n", "Color"),
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties: {CidrBlock: !Ref Nobody}\n", "Unresolved resource dependencies [Nobody]"),
    (
        "Resources:\n  A: {Type: AWS::EC2::InternetGateway, DependsOn: B}\n  B: {Type: AWS::EC2::InternetGateway, DependsOn: A}\n",
        "Circular dependency between resources: [A, B]",
    ),
    ("Parameters:\n  P: {Type: String}\nResources:\n  A: {Type: AWS::EC2::InternetGateway}\n", "Parameters: [P] must have values"),
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlock: !Foo x\n", "Foo"),
    ("Resources: [\n", "format error"),
]


@pytest.mark.parametrize("template, wanted", TEMPLATES)
def test_bad_templates_are_refused_before_anything_is_made(client, template, wanted):
    formation = client("cloudformation")
    with pytest.raises(ClientError) as e:
        formation.create_stack(StackName="bad", TemplateBody=template)
    assert e.value.response["Error"]["Code"] == "ValidationError"
    assert wanted in e.value.response["Error"]["Message"], e.value.response["Error"]["Message"]
    with pytest.raises(ClientError):
        formation.describe_stacks(StackName="bad")


def test_a_failed_creation_leaves_nothing_behind(client):
    template = """
Resources:
  Net: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.77.0.0/16}}
  Good: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Net, CidrBlock: 10.77.1.0/24}}
  Bad: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Net, CidrBlock: 10.99.1.0/24}, DependsOn: Good}
"""
    formation, ec2 = client("cloudformation"), client("ec2")
    formation.create_stack(StackName="fails", TemplateBody=template)
    # botocore's stack_rollback_complete waits for the rollback of an update.
    wait_for("the rollback", lambda: formation.describe_stacks(StackName="fails")["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")
    events = formation.describe_stack_events(StackName="fails")["StackEvents"]
    assert any(e["LogicalResourceId"] == "Bad" and "InvalidSubnet.Range" in e.get("ResourceStatusReason", "") for e in events)
    assert not ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.77.0.0/16"]}])["Vpcs"]
    formation.delete_stack(StackName="fails")
