"""How groups replace their instances: refreshes, and the bounds of instance maintenance policies."""

import contextlib

import pytest

from calls import Network, refused
from region import wait_for
from test_auto_scaling import Group


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.48")
    yield network
    network.remove()


@pytest.fixture(scope="module")
def template(ec2, network):
    data = {"ImageId": "ami-host", "InstanceType": "t3.nano", "SecurityGroupIds": [network.app]}
    made = ec2.create_launch_template(LaunchTemplateName="replaced", LaunchTemplateData=data)["LaunchTemplate"]
    yield made["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])


@pytest.fixture
def make(scaling, ec2, network, template):
    """Makes groups that are gone after the test."""
    with contextlib.ExitStack() as stack:

        def make(name, **more):
            group = Group(scaling, ec2, network, template, name, **more)
            stack.callback(group.remove)
            return group

        yield make


def of(group):
    return {"AutoScalingGroupName": group.name}


def refresh_of(scaling, group):
    return scaling.describe_instance_refreshes(**of(group))["InstanceRefreshes"][0]


def ended(scaling, group, seconds=60):
    return wait_for("the refresh ends", lambda: (r := refresh_of(scaling, group)) and "EndTime" in r and r, seconds)


def test_refreshes_stop_at_checkpoints_skip_what_matches_and_turn_back(scaling, ec2, template, make):
    group = make("refreshed", DesiredCapacity=4)
    old = group.settle(4)
    start = lambda **p: scaling.start_instance_refresh(Preferences={"InstanceWarmup": 0, **p}, **of(group))["InstanceRefreshId"]
    first = start(MinHealthyPercentage=50, CheckpointPercentages=[50, 100], CheckpointDelay=3600)
    refused("InstanceRefreshInProgress", start)
    wait_for("half of it", lambda: refresh_of(scaling, group)["PercentageComplete"] == 50)
    assert len(group.settle(4) & old) == 2, "it waits with two of four replaced"
    assert scaling.cancel_instance_refresh(**of(group))["InstanceRefreshId"] == first
    assert ended(scaling, group)["Status"] == "Cancelled"
    refused("ActiveInstanceRefreshNotFound", scaling.cancel_instance_refresh, **of(group))

    start(SkipMatching=True)
    assert ended(scaling, group)["Status"] == "Successful"
    before = group.settle(4)
    assert len(before & old) == 2, "all of them are as the template says"

    version = ec2.create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.micro"})["LaunchTemplateVersion"]["VersionNumber"]  # fmt: skip
    group.update(LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
    desired = {"LaunchTemplate": {"LaunchTemplateId": template, "Version": str(version)}}
    scaling.start_instance_refresh(
        DesiredConfiguration=desired, Preferences={"InstanceWarmup": 0, "CheckpointPercentages": [25], "CheckpointDelay": 3600, "BakeTime": 600}, **of(group))  # fmt: skip
    wait_for("a quarter", lambda: refresh_of(scaling, group)["PercentageComplete"] >= 25)
    scaling.rollback_instance_refresh(**of(group))
    assert ended(scaling, group)["Status"] == "RollbackSuccessful"
    group.settle(4)
    assert {i["LaunchTemplate"]["Version"] for i in group.members()} == {"1"}
    assert group.describe()["LaunchTemplate"]["Version"] == "1"


def test_a_refresh_leaves_protected_instances_that_it_is_to_ignore(scaling, make):
    group = make("protected")
    kept, other = sorted(group.settle(2))
    scaling.set_instance_protection(InstanceIds=[kept], ProtectedFromScaleIn=True, **of(group))
    preferences = {"InstanceWarmup": 0, "MinHealthyPercentage": 0, "ScaleInProtectedInstances": "Ignore"}
    scaling.start_instance_refresh(Preferences=preferences, **of(group))
    assert ended(scaling, group)["Status"] == "Successful"
    assert kept in group.settle(2) and other not in group.ids()
    for wrong in ({"MinHealthyPercentage": 101}, {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 110},
                  {"CheckpointPercentages": [50, 20]}, {"CheckpointPercentages": [50], "CheckpointDelay": 172_801},
                  {"ScaleInProtectedInstances": "Love"}, {"StandbyInstances": "Love"}):  # fmt: skip
        refused("ValidationError", scaling.start_instance_refresh, status=400, Preferences=wrong, **of(group))


def test_a_refresh_replaces_the_warm_pool_too(scaling, make):
    group = make("warm", DesiredCapacity=1, MaxSize=3)
    old = group.settle(1)
    scaling.put_warm_pool(MinSize=2, PoolState="Stopped", **of(group))
    pool = lambda: {i["InstanceId"]: i["LifecycleState"] for i in scaling.describe_warm_pool(**of(group))["Instances"]}  # noqa: E731
    full = lambda: len(found := pool()) == 2 and set(found.values()) == {"Warmed:Stopped"} and set(found)  # noqa: E731
    old |= wait_for("a full pool", full)
    scaling.start_instance_refresh(Preferences={"InstanceWarmup": 0, "MinHealthyPercentage": 0}, **of(group))
    refresh = ended(scaling, group)
    assert refresh["Status"] == "Successful", refresh
    assert refresh["ProgressDetails"]["WarmPoolProgress"] == {"PercentageComplete": 100, "InstancesToUpdate": 0}
    new = wait_for("a full pool again", full) | group.settle(1)
    assert len(new) == 3 and not old & new
    scaling.delete_warm_pool(ForceDelete=True, **of(group))


def test_zones_are_evened_out_within_the_maintenance_policy(network, make):
    group = make(
        "even", DesiredCapacity=4, MaxSize=4, VPCZoneIdentifier=network.subnets[0], DefaultInstanceWarmup=2,
        InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150},
    )  # fmt: skip
    group.settle(4)
    group.update(VPCZoneIdentifier=",".join(network.subnets[:2]))
    seen = []

    def even():
        seen.append(sum(i["LifecycleState"] == "InService" for i in group.describe()["Instances"]))
        zones = [i["AvailabilityZone"] for i in group.members()]
        return len(zones) == 4 and len(set(zones)) == 2 and all(zones.count(z) == 2 for z in zones)

    wait_for("two in each zone", even, 60, every=0.02)
    assert min(seen) >= 4 and max(seen) == 6, seen


def serving(group):
    return [i["InstanceId"] for i in group.members()]


def test_a_maintenance_policy_launches_before_it_ends_what_is_unhealthy(scaling, make):
    policy = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    group = make("ahead", DesiredCapacity=2, InstanceMaintenancePolicy=policy)
    assert group.describe()["InstanceMaintenancePolicy"] == policy
    old = group.settle(2)
    for i in old:
        scaling.set_instance_health(InstanceId=i, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    seen = []
    wait_for("two others", lambda: seen.append(len(serving(group))) or (not old & set(serving(group)) and seen[-1] >= 2))
    assert min(seen) >= 2, f"fewer than two were there: {seen}"
    group.settle(2)
    launched, ended = group.activities("Launching a new EC2 instance: "), group.activities("Terminating EC2 instance: ")
    assert "in response to an unhealthy instance needing to be replaced." in launched[0]["Cause"]
    assert max(a["EndTime"] for a in launched[:2]) <= min(a["StartTime"] for a in ended)

    group.update(InstanceMaintenancePolicy={"MinHealthyPercentage": -1, "MaxHealthyPercentage": -1})
    assert "InstanceMaintenancePolicy" not in group.describe()
    for low, high in ((0, 101), (101, 150), (50, 99), (100, 201), (-1, 150)):
        refused("ValidationError", group.update, InstanceMaintenancePolicy={"MinHealthyPercentage": low, "MaxHealthyPercentage": high})
    refused("ValidationError", group.update, "both", InstanceMaintenancePolicy={"MinHealthyPercentage": 90})
