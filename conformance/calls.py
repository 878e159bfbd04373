"""What the API tests share: what is refused and how, which operations were called, and a small network to work in."""

import base64
import contextlib
import json
import os
import pathlib
import re

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from region import ROOT, wait_for

# Operations that have answered with success, for each service.
ANSWERED = {}


def record(client):
    """Notes every operation of this client that is answered with success."""

    def note(http_response, model, **_):
        if http_response.status_code < 300:
            ANSWERED.setdefault(model.service_model.service_name, set()).add(model.name)

    client.meta.events.register("after-call", note)
    return client


def implemented(service):
    """The operations that the project says it has."""
    for line in (ROOT / "front/models/implemented.txt").read_text().splitlines():
        name, *operations = line.split()
        if name == service:
            return set(operations)
    raise AssertionError(f"no service {service}")


def refused(code, call, *words, status=None, **arguments):
    """The call must fail with this code, and its message must hold these words."""
    with pytest.raises(ClientError) as e:
        call(**arguments)
    error, http = e.value.response["Error"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"], error
    assert status in (None, http), (http, error)
    assert http < 500, error


def dry(call, **arguments):
    refused("DryRunOperation", call, "Request would have succeeded, but DryRun flag is set.", status=412, DryRun=True, **arguments)


def script(*lines):
    """User data, as RunInstances takes it."""
    return "\n".join(("#!/bin/sh", *lines, ""))


def encoded(text):
    """User data, as launch templates take it."""
    return base64.b64encode(text.encode()).decode()


def console(ec2, instance_id):
    return ec2.get_console_output(InstanceId=instance_id, Latest=True).get("Output", "")


def init_pid(region, instance_id):
    """The process on this machine that is the instance's PID 1, or none."""
    for state in (region.data / "run").rglob("*"):
        if instance_id in str(state) and state.is_file():
            found = re.search(rb'"pid":\s*(\d+)', state.read_bytes())
            if found and os.path.exists(f"/proc/{found.group(1).decode()}"):
                return int(found.group(1))
    return None


def processes_in(pid_namespace):
    """How many processes live in a PID namespace."""
    count = 0
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            count += entry.name.isdigit() and os.readlink(entry / "ns/pid") == pid_namespace
    return count


def front_of(region, listener):
    """The address and port at which the edge serves a listener; none as long as it does not."""
    file = region.data / "run/edge-front.json"
    report = json.loads(file.read_text()) if file.exists() else {"listeners": []}
    fronts = [served for served in report["listeners"] if served["listener"] == listener]
    return fronts[0]["nodes"][0][1] if fronts else None


class Network:
    """A VPC with a public subnet in each of two zones, and groups for a load balancer and what is behind it."""

    def __init__(self, ec2, prefix, port=8080):
        self.ec2, self.port = ec2, port
        self.zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
        self.vpc = ec2.create_vpc(CidrBlock=f"{prefix}.0.0/16")["Vpc"]["VpcId"]
        ec2.get_waiter("vpc_available").wait(VpcIds=[self.vpc], WaiterConfig={"Delay": 1})
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        main = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "association.main", "Values": ["true"]}]
        self.main_table = ec2.describe_route_tables(Filters=main)["RouteTables"][0]["RouteTableId"]
        ec2.create_route(RouteTableId=self.main_table, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway)
        make = lambda i, zone: ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"{prefix}.{i}.0/24", AvailabilityZone=zone)
        self.subnets = [make(i, zone)["Subnet"]["SubnetId"] for i, zone in enumerate(self.zones)]
        self.front, self.app = (self.group(name) for name in ("front", "app"))
        self.open(self.front, 80, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
        self.pair = {"UserIdGroupPairs": [{"GroupId": self.front}]}
        self.open(self.app, port, self.pair)

    def group(self, name):
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]

    def permission(self, port, peer):
        return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}]

    def open(self, group, port, peer):
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=self.permission(port, peer))

    def close(self, group, port, peer):
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=self.permission(port, peer))

    def instances(self):
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}]
        pages = self.ec2.get_paginator("describe_instances").paginate(Filters=filters)
        return [i["InstanceId"] for p in pages for r in p["Reservations"] for i in r["Instances"]]

    def remove(self):
        """Ends what is left in the VPC and deletes it."""
        if left := self.instances():
            self.ec2.terminate_instances(InstanceIds=left)
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        idle = lambda: not self.ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]
        wait_for("no interface is left in the VPC", idle, 60)
        for subnet in self.ec2.describe_subnets(Filters=mine)["Subnets"]:
            self.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        groups = [g for g in self.ec2.describe_security_groups(Filters=mine)["SecurityGroups"] if g["GroupName"] != "default"]
        for group in groups:
            if group["IpPermissions"]:
                self.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
        for group in groups:
            self.ec2.delete_security_group(GroupId=group["GroupId"])
        self.ec2.detach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.ec2.delete_internet_gateway(InternetGatewayId=self.gateway)
        self.ec2.delete_vpc(VpcId=self.vpc)


def clients(region, max_attempts=0):
    """Makes boto3 clients of a region: clients(region)("ec2")."""
    config = Config(retries={"max_attempts": max_attempts})
    return lambda service: record(boto3.client(service, config=config, **region.client_arguments()))
