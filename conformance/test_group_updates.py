"""Groups of stacks that are updated in batches, and that wait for their instances' signals."""

import json
import time

import pytest
from region import ROOT, Load, wait_for

SIGNAL = "/opt/aws/bin/cfn-signal -e $? --stack ${AWS::StackName} --resource Group --region ${AWS::Region}"
POLICIES = """\
    CreationPolicy:
      ResourceSignal: {Count: 2, Timeout: %s}
    UpdatePolicy:
      AutoScalingRollingUpdate:
        MinInstancesInService: 2
        MaxBatchSize: 1
        WaitOnResourceSignals: true
        PauseTime: PT1M
    Properties:
      MinSize: !Ref MinSize
"""


def template(mark, timeout="PT1M", signal=SIGNAL):
    """stacks/web-tier.yaml with the policies; a different mark makes different instances."""
    text = (ROOT / "stacks/web-tier.yaml").read_text()
    before = "    Properties:\n      MinSize: !Ref MinSize\n"
    told = 'settings written"\n'
    assert text.count(before) == 1 and text.count(told) == 1
    return text.replace(before, POLICIES % timeout).replace(told, f"{told}            echo {mark}\n            {signal}\n")


PARAMETERS = [{"ParameterKey": "DesiredCapacity", "ParameterValue": "2"}]


def ended(cloudformation, name, seconds=240):
    """The status in which the stack comes to rest."""

    def rests():
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else status

    return wait_for(f"stack {name} rests", rests, seconds, every=0.5)


def reasons(cloudformation, name):
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return [e.get("ResourceStatusReason", "") for e in reversed(events) if e["LogicalResourceId"] == "Group"]


def delete(cloudformation, name):
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack)
    assert ended(cloudformation, stack) == "DELETE_COMPLETE"


@pytest.fixture
def rolling(client, image):
    """A stack whose instances have signalled from their user data."""
    cloudformation = client("cloudformation")
    arguments = {"Parameters": PARAMETERS, "Capabilities": ["CAPABILITY_IAM"]}
    cloudformation.create_stack(StackName="rolling", TemplateBody=template("one"), **arguments)
    try:
        status = ended(cloudformation, "rolling")
        assert status == "CREATE_COMPLETE", reasons(cloudformation, "rolling")
        yield cloudformation, arguments
    finally:
        delete(cloudformation, "rolling")


def test_a_rolling_update_fails_no_request(region, client, rolling):
    cloudformation, arguments = rolling
    told = reasons(cloudformation, "rolling")
    assert sum(r.startswith("Received SUCCESS signal with UniqueId i-") for r in told) == 2, told

    def ids():
        groups = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        group = next(g for g in groups if g["AutoScalingGroupName"].startswith("rolling-"))
        return {i["InstanceId"] for i in group["Instances"] if i["LifecycleState"] == "InService"}

    before = ids()
    balancer = next(b["name"] for b in region.status()["load_balancers"] if b["dns_name"].startswith("rolling"))
    fronts, host = region.front(balancer)
    with Load(fronts, host, seconds=360) as load:
        cloudformation.update_stack(StackName="rolling", TemplateBody=template("two"), **arguments)
        assert ended(cloudformation, "rolling") == "UPDATE_COMPLETE", reasons(cloudformation, "rolling")
        time.sleep(2)
    assert not load.failures, load.failures[:5]
    assert len(load.done) > 500
    assert len(ids()) == 2 and not before & ids()
    told = reasons(cloudformation, "rolling")
    assert any(r.startswith("Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1") for r in told), told
    assert any(r.endswith("(Progress 100%).") for r in told), told


def test_a_creation_that_nobody_signals_rolls_back(client, image):
    cloudformation = client("cloudformation")
    arguments = {"Parameters": PARAMETERS, "Capabilities": ["CAPABILITY_IAM"]}
    body = template("silent", timeout="PT15S", signal="true")
    cloudformation.create_stack(StackName="silent", TemplateBody=body, **arguments)
    assert ended(cloudformation, "silent") == "ROLLBACK_COMPLETE"
    told = reasons(cloudformation, "silent")
    text = "Received 0 SUCCESS signal(s) out of 2.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement"
    assert text in told, json.dumps(told)
    delete(cloudformation, "silent")


def test_an_instance_refresh_fails_no_request(region, client, web_tier):
    autoscaling = client("autoscaling")
    name = next(
        g["AutoScalingGroupName"]
        for g in autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        if g["AutoScalingGroupName"].startswith("web-tier")
    )
    balancer = next(b["name"] for b in region.status()["load_balancers"] if b["dns_name"].startswith("web-tier"))
    fronts, host = region.front(balancer)
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "InstanceWarmup": 1}
    with Load(fronts, host, seconds=360) as load:
        autoscaling.start_instance_refresh(AutoScalingGroupName=name, Preferences=preferences)

        def over():
            refresh = autoscaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"][0]
            return refresh if "EndTime" in refresh else None

        refresh = wait_for("the refresh ends", over, 240, every=0.5)
        assert refresh["Status"] == "Successful" and refresh["PercentageComplete"] == 100, refresh
        time.sleep(2)
    assert not load.failures, load.failures[:5]
