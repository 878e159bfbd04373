"""Stacks as the tests use them: made of a template's text, waited for, described."""

import json
import subprocess
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from region import wait_for


def name_of(test):
    """A stack name that no other test has."""
    return f"{test}-{uuid.uuid4().hex[:8]}"


class Stack:
    """A stack of a test; deleted at its end, whatever became of it."""

    def __init__(self, formation, name):
        self.formation, self.name, self.id = formation, name, None

    def create(self, template, wait="CREATE_COMPLETE", **more):
        self.id = self.formation.create_stack(StackName=self.name, TemplateBody=text(template), **arguments(more))["StackId"]
        return self.until(wait)

    def update(self, template=None, wait="UPDATE_COMPLETE", **more):
        body = {"UsePreviousTemplate": True} if template is None else {"TemplateBody": text(template)}
        self.formation.update_stack(StackName=self.name, **body, **arguments(more))
        return self.until(wait)

    def delete(self, wait="DELETE_COMPLETE", **more):
        self.formation.delete_stack(StackName=self.id or self.name, **more)
        return self.until(wait)

    def describe(self):
        return self.formation.describe_stacks(StackName=self.id or self.name)["Stacks"][0]

    def until(self, status, seconds=60):
        """Waits for the status; any other end is told with its events."""
        if status is None:
            return self
        deadline = time.monotonic() + seconds
        while True:
            now = self.describe()["StackStatus"]
            if now == status:
                return self
            if not now.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                events = "\n".join(" ".join(e) for e in self.events())
                raise AssertionError(f"{self.name} is {now}, not {status}:\n{events}")
            time.sleep(0.05)

    def outputs(self):
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe().get("Outputs", [])}

    def resources(self):
        """Physical ids by logical ids."""
        pages = self.formation.get_paginator("list_stack_resources").paginate(StackName=self.id or self.name)
        return {r["LogicalResourceId"]: r.get("PhysicalResourceId") for p in pages for r in p["StackResourceSummaries"]}

    def statuses(self):
        pages = self.formation.get_paginator("list_stack_resources").paginate(StackName=self.id or self.name)
        return {r["LogicalResourceId"]: r["ResourceStatus"] for p in pages for r in p["StackResourceSummaries"]}

    def events(self):
        """Logical id, status and reason, oldest first."""
        pages = self.formation.get_paginator("describe_stack_events").paginate(StackName=self.id or self.name)
        all = [e for p in pages for e in p["StackEvents"]]
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in reversed(all)]

    def clear(self):
        try:
            self.formation.update_termination_protection(StackName=self.id or self.name, EnableTerminationProtection=False)
            self.formation.delete_stack(StackName=self.id or self.name)
        except ClientError:
            return
        ended = ("DELETE_COMPLETE", "DELETE_FAILED")
        wait_for(f"end of {self.name}", lambda: self.status_or_gone() in ended, seconds=90)

    def status_or_gone(self):
        try:
            return self.describe()["StackStatus"]
        except ClientError:
            return "DELETE_COMPLETE"


def text(template):
    return template if isinstance(template, str) else json.dumps(template)


def arguments(more):
    """Parameters and tags as plain dictionaries; None for a parameter means its previous value."""
    parameters = more.pop("parameters", None)
    if parameters is not None:
        more["Parameters"] = [
            {"ParameterKey": k, "UsePreviousValue": True} if v is None else {"ParameterKey": k, "ParameterValue": v}
            for k, v in parameters.items()
        ]
    tags = more.pop("tags", None)
    if tags is not None:
        more["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
    return more


@pytest.fixture
def stack(client):
    """Makes stacks that are deleted after the test, the last first."""
    made = []

    def make(name=None):
        made.append(Stack(client("cloudformation"), name or name_of("stacks")))
        return made[-1]

    yield make
    for one in reversed(made):
        one.clear()


def refused(call, wanted, code="ValidationError", **arguments):
    with pytest.raises(ClientError) as e:
        call(**arguments)
    error = e.value.response["Error"]
    assert error["Code"] == code and wanted in error["Message"], error


def parameter(value, name=None, **more):
    """An SSM parameter, the quickest of all resources."""
    named = {"Name": name} if name else {}
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **named}, **more}


def resources(**all):
    return {"Resources": all}


NET = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.71.0.0/16"}}
# Outside of its VPC: the creation of this subnet fails.
BAD = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Net"}, "CidrBlock": "10.99.1.0/24"}}


def value(client, name):
    """An SSM parameter's value, or None."""
    found = client("ssm").get_parameters(Names=[name])["Parameters"]
    return found[0]["Value"] if found else None


def waiting(timeout=60, count=1):
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    wait = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": str(timeout), "Count": count},
    }
    return {**resources(Handle=handle, Wait=wait), "Outputs": {"Data": {"Value": {"Fn::GetAtt": ["Wait", "Data"]}}, "Url": {"Value": {"Ref": "Handle"}}}}


def signalling(signal, before=""):
    """A wait condition and an instance that signals it from its user data, with the machine's own curl."""
    data = f"#!/bin/sh\n{before}curl -sS -X PUT -H Content-Type: --data-binary '{json.dumps(signal)}' -w '%{{http_code}}' '${{Handle}}'\n"
    launch = {"SubnetId": {"Ref": "Subnet"}, "ImageId": "ami-host", "InstanceType": "t3.nano", "UserData": {"Fn::Base64": {"Fn::Sub": data}}}
    template = waiting()
    template["Resources"] |= {
        "Net": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.77.0.0/16"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Net"}, "CidrBlock": "10.77.1.0/24"}},
        "Server": {"Type": "AWS::EC2::Instance", "Properties": launch},
    }
    template["Resources"]["Wait"]["DependsOn"] = "Server"
    return template


def put(url, body):
    """As users do it: curl -T or curl -X PUT."""
    done = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "-H", "Content-Type:", "--data-binary", body, url],
        capture_output=True, text=True, timeout=20,
    )
    return int(done.stdout)


def tags_of_stack(s):
    return [{"Name": "tag:aws:cloudformation:stack-name", "Values": [s.name]}]


def instances_of(s, client):
    found = client("ec2").describe_instances(Filters=tags_of_stack(s) + [{"Name": "instance-state-name", "Values": ["pending", "running"]}])
    return [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]]


TIER = """
Resources:
  Net: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.76.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Net, CidrBlock: 10.76.1.0/24, AvailabilityZone: !Select [0, !GetAZs '']}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Net, CidrBlock: 10.76.2.0/24, AvailabilityZone: !Select [1, !GetAZs '']}}
  Gate: {Type: AWS::EC2::InternetGateway}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Net, InternetGatewayId: !Ref Gate}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !Ref Net, GroupDescription: g}}
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    DependsOn: Attached
    Properties: {Subnets: [!Ref A, !Ref B], SecurityGroups: [!Ref Group]}
  Targets: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {VpcId: !Ref Net, Port: 80, Protocol: HTTP}}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: 80
      Protocol: HTTP
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]
  Launch:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {ImageId: ami-host, InstanceType: t3.nano, SecurityGroupIds: [!Ref Group]}}
  Scaling:
    Type: AWS::AutoScaling::AutoScalingGroup
    DependsOn: Listener
    Properties:
      MinSize: 2
      MaxSize: 2
      VPCZoneIdentifier: [!Ref A, !Ref B]
      TargetGroupARNs: [!Ref Targets]
      LaunchTemplate: {LaunchTemplateId: !Ref Launch, Version: !GetAtt Launch.LatestVersionNumber}
  One: {Type: AWS::SSM::Parameter, DependsOn: Scaling, Properties: {Type: String, Value: !Ref Scaling}}
"""
