"""Auto Scaling groups, as a user drives them: sizes, single instances, processes, target groups, and their healing."""

import collections
import os
import signal

import pytest

from calls import Network, encoded, init_pid, refused
from region import get, wait_for
from test_load_balancing import CHECK, DATA

PROCESSES = [
    "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh",
    "ReplaceUnhealthy", "ScheduledActions",
]


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.44")
    yield network
    network.remove()


@pytest.fixture(scope="module")
def template(ec2, network):
    data = {"ImageId": "ami-host", "InstanceType": "t3.nano", "SecurityGroupIds": [network.app], "UserData": encoded(DATA)}
    made = ec2.create_launch_template(LaunchTemplateName="group", LaunchTemplateData=data)["LaunchTemplate"]
    yield made["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])


class Group:
    def __init__(self, scaling, ec2, network, template, name, **more):
        self.scaling, self.ec2, self.name = scaling, ec2, name
        scaling.create_auto_scaling_group(**{
            "AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 6, "DesiredCapacity": 2,
            "VPCZoneIdentifier": ",".join(network.subnets),
            "LaunchTemplate": {"LaunchTemplateId": template, "Version": "$Latest"}, **more})

    def describe(self):
        return self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"][0]

    def members(self, lifecycle="InService"):
        return [i for i in self.describe()["Instances"] if i["LifecycleState"] == lifecycle]

    def ids(self):
        return {i["InstanceId"] for i in self.members()}

    def settle(self, count, seconds=60):
        """Waits until the group has exactly so many instances, all in service; gives their ids."""

        def settled():
            group = self.describe()
            fine = [i["LifecycleState"] == "InService" and i["HealthStatus"] == "Healthy" for i in group["Instances"]]
            return len(fine) == count and all(fine)

        wait_for(f"{count} in service of {self.name}", settled, seconds)
        return self.ids()

    def zones(self):
        return collections.Counter(i["AvailabilityZone"] for i in self.members())

    def set(self, desired):
        self.scaling.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=desired)

    def update(self, **change):
        self.scaling.update_auto_scaling_group(AutoScalingGroupName=self.name, **change)

    def suspend(self, *processes):
        self.scaling.suspend_processes(AutoScalingGroupName=self.name, ScalingProcesses=list(processes))

    def resume(self, *processes):
        self.scaling.resume_processes(AutoScalingGroupName=self.name, ScalingProcesses=list(processes))

    def activities(self, words=""):
        pages = self.scaling.get_paginator("describe_scaling_activities").paginate(AutoScalingGroupName=self.name)
        return [a for p in pages for a in p["Activities"] if words in a["Description"]]

    def remove(self):
        self.scaling.delete_auto_scaling_group(AutoScalingGroupName=self.name, ForceDelete=True)
        find = lambda: self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        wait_for("the group's end", lambda: not find(), 60)


@pytest.fixture
def group(scaling, ec2, network, template, request):
    group = Group(scaling, ec2, network, template, request.node.name.replace("_", "-"))
    yield group
    group.remove()


def test_sizes_and_single_instances(scaling, group):
    two = group.settle(2)
    assert sorted(group.zones().values()) == [1, 1]
    launch = group.activities("Launching a new EC2 instance: ")[0]
    assert launch["StatusCode"] == "Successful" and launch["Progress"] == 100
    assert "a user request created an AutoScalingGroup changing the desired capacity from 0 to 2." in launch["Cause"]
    assert "an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 2." in launch["Cause"]
    group.set(4)
    group.settle(4)
    assert sorted(group.zones().values()) == [2, 2]
    assert "a user request explicitly set group desired capacity changing the desired capacity from 2 to 4." in group.activities()[0]["Cause"]
    group.set(2)
    assert len(group.settle(2)) == 2 and sorted(group.zones().values()) == [1, 1]
    assert "shrinking the capacity from 4 to 2." in group.activities("Terminating EC2 instance: ")[0]["Cause"]
    one = sorted(group.ids())[0]
    end = lambda i, shrink: scaling.terminate_instance_in_auto_scaling_group(InstanceId=i, ShouldDecrementDesiredCapacity=shrink)
    activity = end(one, True)["Activity"]
    assert activity["Description"] == f"Terminating EC2 instance: {one}"
    assert f"instance {one} was taken out of service in response to a user request, shrinking the capacity from 2 to 1." in activity["Cause"]
    left = group.settle(1)
    assert one not in left and group.describe()["DesiredCapacity"] == 1
    end(list(left)[0], False)
    assert group.settle(1) != left
    group.update(MinSize=1)
    refused("ValidationError", end, "min size", i=list(group.ids())[0], shrink=True)
    refused("ValidationError", end, "No managed instance found for instance ID: i-00000000000000000", i="i-00000000000000000", shrink=True)
    refused("ValidationError", group.set, "New SetDesiredCapacity value 7 is above max value 6 for the AutoScalingGroup.", desired=7)
    refused("ValidationError", group.set, "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.", desired=0)
    refused("ValidationError", group.update, MinSize=3, MaxSize=2)
    assert two


def test_detach_attach_and_protection(scaling, ec2, group):
    ids = group.settle(2)
    one, other = sorted(ids)
    name = {"AutoScalingGroupName": group.name}
    detached = scaling.detach_instances(InstanceIds=[one], ShouldDecrementDesiredCapacity=True, **name)["Activities"][0]
    assert detached["Description"] == f"Detaching EC2 instance: {one}"
    assert group.settle(1) == {other}
    assert ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
    refused("ValidationError", scaling.detach_instances, one, InstanceIds=[one], ShouldDecrementDesiredCapacity=True, **name)
    scaling.attach_instances(InstanceIds=[one], **name)
    assert group.settle(2) == ids and group.describe()["DesiredCapacity"] == 2
    refused("ValidationError", scaling.attach_instances, "already part", InstanceIds=[one], **name)
    scaling.set_instance_protection(InstanceIds=[one], ProtectedFromScaleIn=True, **name)
    group.set(1)
    assert group.settle(1) == {one}, "the protected one stays"
    details = scaling.describe_auto_scaling_instances(InstanceIds=[one])["AutoScalingInstances"][0]
    assert details["ProtectedFromScaleIn"] and details["HealthStatus"] == "HEALTHY"
    scaling.set_instance_health(InstanceId=one, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    wait_for("its replacement", lambda: group.ids() and one not in group.ids(), 60)
    assert "in response to a user health-check" in group.activities(f"Terminating EC2 instance: {one}")[0]["Cause"]
    refused("ValidationError", scaling.set_instance_health, InstanceId=list(group.ids())[0], HealthStatus="Fine")


def test_processes(scaling, ec2, network, region, group):
    """Each process stops doing what it does while it is suspended, and does it when it is resumed."""
    ids = group.settle(2)
    name = {"AutoScalingGroupName": group.name}
    group.suspend()
    assert sorted(p["ProcessName"] for p in group.describe()["SuspendedProcesses"]) == sorted(PROCESSES)
    group.resume()
    assert not group.describe()["SuspendedProcesses"]
    refused("ValidationError", scaling.suspend_processes, ScalingProcesses=["Sleep"], **name)

    group.suspend("Launch")
    group.set(3)
    victim = sorted(ids)[0]
    scaling.terminate_instance_in_auto_scaling_group(InstanceId=victim, ShouldDecrementDesiredCapacity=False)
    assert group.settle(1) == ids - {victim}, "none is launched"
    group.resume("Launch")
    group.settle(3)

    group.suspend("Terminate")
    group.set(1)
    group.set(2)
    victim = sorted(group.ids())[0]
    scaling.set_instance_health(InstanceId=victim, HealthStatus="Unhealthy")
    assert len(group.ids()) == 3 and victim in group.ids(), "none is ended"
    scaling.set_instance_health(InstanceId=victim, HealthStatus="Healthy")
    group.resume("Terminate")
    group.settle(2)

    group.suspend("ReplaceUnhealthy")
    victim = sorted(group.ids())[0]
    os.kill(init_pid(region, victim), signal.SIGKILL)
    wait_for("it is known to be unhealthy", lambda: any(i["HealthStatus"] == "Unhealthy" for i in group.members()))
    assert victim in group.ids()
    group.resume("ReplaceUnhealthy")
    wait_for("its replacement", lambda: victim not in group.ids() and len(group.ids()) == 2, 60)
    group.settle(2)

    group.suspend("HealthCheck")
    victim = sorted(group.ids())[0]
    ec2.stop_instances(InstanceIds=[victim])
    stopped = lambda: ec2.describe_instances(InstanceIds=[victim])["Reservations"][0]["Instances"][0]["State"]["Name"] == "stopped"
    wait_for("the stop", stopped)
    assert all(i["HealthStatus"] == "Healthy" for i in group.members())
    group.resume("HealthCheck")
    wait_for("its replacement", lambda: victim not in group.ids() and len(group.ids()) == 2, 60)
    cause = group.activities(f"Terminating EC2 instance: {victim}")[0]["Cause"]
    assert "in response to an EC2 health check indicating it has been terminated or stopped." in cause


def test_zones_change(network, group):
    group.settle(2)
    group.update(VPCZoneIdentifier=network.subnets[0])
    wait_for("all in one zone", lambda: group.zones() == {network.zones[0]: 2}, 60)
    group.settle(2)
    group.update(VPCZoneIdentifier=",".join(network.subnets))
    wait_for("balance", lambda: sorted(group.zones().values()) == [1, 1], 60)
    assert any("to balance instances in zones" in a["Cause"] for a in group.activities())


def test_a_killed_instance_is_replaced_in_its_zone(region, group):
    group.settle(2)
    victim = sorted(group.members(), key=lambda i: i["AvailabilityZone"])[0]
    os.kill(init_pid(region, victim["InstanceId"]), signal.SIGKILL)
    wait_for("its replacement", lambda: victim["InstanceId"] not in group.ids() and len(group.ids()) == 2, 60)
    assert sorted(group.zones().values()) == [1, 1]
    launch = group.activities("Launching a new EC2 instance: ")[0]
    assert "an instance was launched in response to an unhealthy instance needing to be replaced." in launch["Cause"]
    ended = group.activities(f"Terminating EC2 instance: {victim['InstanceId']}")[0]
    assert "was taken out of service in response to an EC2 health check" in ended["Cause"]


def test_a_failing_application_is_replaced_after_its_grace(client, region, scaling, ec2, network, template):
    elb = client("elbv2")
    make = lambda name: elb.create_target_group(Name=name, Protocol="HTTP", Port=8080, VpcId=network.vpc, **CHECK)["TargetGroups"][0]["TargetGroupArn"]
    target, second = make("asg"), make("asg-2")
    for t in (target, second):
        elb.modify_target_group_attributes(TargetGroupArn=t, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}])
    balancer = elb.create_load_balancer(Name="asg", Subnets=network.subnets, SecurityGroups=[network.front])["LoadBalancers"][0]
    forward = lambda port, arn: elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port, DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}])
    forward(80, target), forward(81, second)
    group = Group(scaling, ec2, network, template, "healing", TargetGroupARNs=[target], HealthCheckType="ELB", HealthCheckGracePeriod=5)
    name = {"AutoScalingGroupName": "healing"}
    health = lambda t: {
        h["Target"]["Id"]: h["TargetHealth"]["State"] for h in elb.describe_target_health(TargetGroupArn=t)["TargetHealthDescriptions"]}
    healthy = lambda t, count: list(health(t).values()) == ["healthy"] * count
    try:
        group.settle(2)
        wait_for("both healthy", lambda: healthy(target, 2), 60)
        ids = group.ids()
        front = next(b for b in region.status()["load_balancers"] if b["name"] == "asg")["zones"][0]["front"]
        assert get(front, "/become?500", balancer["DNSName"])[0] == 200
        wait_for("a replacement", lambda: len(group.ids() - ids) == 1 and len(group.ids()) == 2, 90)
        sick = list(ids - group.ids())[0]
        cause = group.activities(f"Terminating EC2 instance: {sick}")[0]["Cause"]
        assert "an instance was taken out of service in response to an ELB system health check failure." in cause
        wait_for("both healthy again", lambda: healthy(target, 2), 60)

        scaling.attach_load_balancer_target_groups(TargetGroupARNs=[second], **name)
        wait_for("registered with the second", lambda: healthy(second, 2), 60)
        states = scaling.describe_load_balancer_target_groups(**name)["LoadBalancerTargetGroups"]
        assert {s["LoadBalancerTargetGroupARN"] for s in states} == {target, second}
        scaling.detach_load_balancer_target_groups(TargetGroupARNs=[second], **name)
        wait_for("out of the second", lambda: not health(second), 30)
        sources = [{"Identifier": second, "Type": "elbv2"}]
        scaling.attach_traffic_sources(TrafficSources=sources, **name)
        wait_for("registered again", lambda: len(health(second)) == 2, 30)
        assert len(scaling.describe_traffic_sources(**name)["TrafficSources"]) == 2
        scaling.detach_traffic_sources(TrafficSources=sources, **name)
        wait_for("out again", lambda: not health(second), 30)
        none = target[:-16] + "0" * 16
        refused("ValidationError", scaling.attach_load_balancer_target_groups, none, TargetGroupARNs=[none], **name)

        group.suspend("AddToLoadBalancer")
        group.set(3)
        new = group.settle(3)
        assert set(health(target)) == new - (new - set(health(target))) and len(health(target)) == 2, "the third is not registered"
        group.resume("AddToLoadBalancer")
    finally:
        group.remove()
        elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        for t in (target, second):
            elb.delete_target_group(TargetGroupArn=t)


def test_wrong_groups(scaling, network, template):
    def make(**more):
        scaling.create_auto_scaling_group(**{
            "AutoScalingGroupName": "wrong", "MinSize": 0, "MaxSize": 1, "VPCZoneIdentifier": network.subnets[0],
            "LaunchTemplate": {"LaunchTemplateId": template}, **more})

    refused("ValidationError", make, "lt-00000000000000000", LaunchTemplate={"LaunchTemplateId": "lt-00000000000000000"})
    refused("ValidationError", make, "subnet-00000000000000000", VPCZoneIdentifier="subnet-00000000000000000")
    refused("ValidationError", make, MinSize=2)
    refused("ValidationError", make, DesiredCapacity=5)
    refused("ValidationError", make, HealthCheckType="MAGIC")
    refused("ValidationError", make, "a:b", AutoScalingGroupName="a:b")
    refused("ValidationError", scaling.update_auto_scaling_group, "wrong", AutoScalingGroupName="wrong", MinSize=1)
    refused("ValidationError", scaling.delete_auto_scaling_group, "wrong", AutoScalingGroupName="wrong")
    assert scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["wrong"])["AutoScalingGroups"] == []


def test_tags_pages_and_deletion(scaling, ec2, network, template):
    tags = [{"Key": "team", "Value": "web", "PropagateAtLaunch": True}, {"Key": "own", "Value": "x", "PropagateAtLaunch": False}]
    groups = [Group(scaling, ec2, network, template, f"many-{n}", DesiredCapacity=int(n == 0), Tags=tags) for n in range(3)]
    refused("AlreadyExists", Group, "many-0 already exists", scaling=scaling, ec2=ec2, network=network, template=template, name="many-0")
    try:
        pages = list(scaling.get_paginator("describe_auto_scaling_groups").paginate(
            Filters=[{"Name": "tag:team", "Values": ["web"]}], PaginationConfig={"PageSize": 2}))
        assert [len(p["AutoScalingGroups"]) for p in pages] == [2, 1]
        i = list(groups[0].settle(1))[0]
        found = {t["Key"]: t["Value"] for t in ec2.describe_instances(InstanceIds=[i])["Reservations"][0]["Instances"][0]["Tags"]}
        assert found["team"] == "web" and "own" not in found and found["aws:autoscaling:groupName"] == "many-0"
        tag = {"ResourceId": "many-0", "ResourceType": "auto-scaling-group", "Key": "more", "Value": "y", "PropagateAtLaunch": False}
        scaling.create_or_update_tags(Tags=[tag])
        assert {t["Key"] for t in scaling.describe_tags(Filters=[{"Name": "auto-scaling-group", "Values": ["many-0"]}])["Tags"]} == {"team", "own", "more"}
        scaling.delete_tags(Tags=[tag])
        refused("ResourceInUse", scaling.delete_auto_scaling_group, "while there are instances", AutoScalingGroupName="many-0")
        assert scaling.describe_account_limits()["NumberOfAutoScalingGroups"] >= 3
    finally:
        scaling.delete_auto_scaling_group(AutoScalingGroupName="many-1")
        for group in (groups[0], groups[2]):
            group.remove()
