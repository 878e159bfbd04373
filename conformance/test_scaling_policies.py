"""Step and simple scaling policies that a user's own alarms set off, and scheduled actions, on real instances: what the group comes to,
and what its activities and the alarms' history say of it. In a region whose metrics have a period of one second."""

import datetime
import re
import time

import pytest

from calls import Network, refused
from region import wait_for
from test_auto_scaling import Group

# The shortest period that an alarm can have; such alarms are evaluated, and repeat what they invoke, as often.
PERIOD_S = 10
COOLDOWN_S = 12
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture(scope="module")
def client(quick_client):
    return quick_client


@pytest.fixture(scope="module")
def cloudwatch(client):
    return client("cloudwatch")


@pytest.fixture(scope="module")
def template(client):
    """A network and a launch template in it."""
    ec2 = client("ec2")
    network = Network(ec2, "10.45")
    data = {"ImageId": "ami-host", "InstanceType": "t3.nano", "SecurityGroupIds": [network.app]}
    made = ec2.create_launch_template(LaunchTemplateName="policies", LaunchTemplateData=data)["LaunchTemplate"]
    yield network, made["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])
    network.remove()


@pytest.fixture
def group(client, template, request):
    """A group of one instance, named after the test."""
    network, launch_template = template
    scaling = client("autoscaling")
    made = Group(
        scaling, client("ec2"), network, launch_template, request.node.name[:40], MinSize=0, DesiredCapacity=1, DefaultInstanceWarmup=0
    )
    made.settle(1)
    yield made
    scaling.delete_auto_scaling_group(AutoScalingGroupName=made.name, ForceDelete=True)
    gone = lambda: not scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made.name])["AutoScalingGroups"]  # noqa: E731
    wait_for("the group's end", gone, 60)


def policy(group, name, **more):
    made = group.scaling.put_scaling_policy(
        AutoScalingGroupName=group.name, PolicyName=name, AdjustmentType="ChangeInCapacity", **more
    )
    return made["PolicyARN"]


def alarm(cloudwatch, name, action, **more):
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="Shop", MetricName=name, Statistic="Maximum", Period=PERIOD_S, EvaluationPeriods=1, Threshold=100,
        ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[action], **more,
    )  # fmt: skip


def sample(cloudwatch, name, value):
    now = datetime.datetime.now(datetime.timezone.utc)
    cloudwatch.put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": name, "Value": value, "Timestamp": now, "StorageResolution": 1}]
    )


def causes(group, description="Launching"):
    """Activities with their causes, the oldest first, without the one that began the group."""
    return group.activities(description)[::-1][1:] if description == "Launching" else group.activities(description)[::-1]


def results(cloudwatch, name):
    items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
    return [item["HistorySummary"] for item in items]


def test_a_users_alarm_sets_off_the_step_of_its_breach(cloudwatch, group):
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 50, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 50, "ScalingAdjustment": 2},
    ]
    arn = policy(group, "deep", PolicyType="StepScaling", StepAdjustments=steps)
    alarm(cloudwatch, "queue", arn)
    described = group.scaling.describe_policies(AutoScalingGroupName=group.name)["ScalingPolicies"][0]
    assert [a["AlarmName"] for a in described["Alarms"]] == ["queue"]
    group.suspend("AlarmNotification")
    sample(cloudwatch, "queue", 170)
    suspended = f"The process AlarmNotification is suspended for AutoScalingGroup: {group.name}"
    failed = f'Failed to execute action {arn}. Received error: "{suspended}"'
    wait_for("what came of the action", lambda: results(cloudwatch, "queue") == [failed], 2 * PERIOD_S + 5)
    assert group.describe()["DesiredCapacity"] == 1
    # The state lasts, and is told again; the values of a new period decide.
    group.resume("AlarmNotification")

    def grown():
        sample(cloudwatch, "queue", 170)
        return group.describe()["DesiredCapacity"] == 3

    wait_for("two instances more", grown, 3 * PERIOD_S, every=0.5)
    sample(cloudwatch, "queue", 0)
    group.settle(3)
    for activity in causes(group):
        assert re.match(
            f"At {MOMENT} a monitor alarm queue in state ALARM triggered policy deep changing the desired capacity from 1 to 3\\.  "
            f"At {MOMENT} an instance was started in response to a difference between desired and actual capacity, increasing the "
            "capacity from 1 to 3\\.",
            activity["Cause"],
        ), activity
    assert len(causes(group)) == 2
    cloudwatch.delete_alarms(AlarmNames=["queue"])


def test_a_simple_policy_waits_for_its_cooldown(cloudwatch, group):
    arn = policy(group, "one-more", PolicyType="SimpleScaling", ScalingAdjustment=1, Cooldown=COOLDOWN_S)
    alarm(cloudwatch, "busy", arn, TreatMissingData="ignore")
    cloudwatch.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="a drill")
    wait_for("a second instance", lambda: group.describe()["DesiredCapacity"] == 2)
    began = time.time()
    wait_for("a third instance", lambda: group.describe()["DesiredCapacity"] == 3, 4 * PERIOD_S)
    assert time.time() - began >= COOLDOWN_S - 1, "the alarm repeats itself within the cooldown, and nothing comes of it"
    cloudwatch.set_alarm_state(AlarmName="busy", StateValue="OK", StateReason="the drill is over")
    group.settle(3)
    first, second = causes(group)
    assert "a monitor alarm busy in state ALARM triggered policy one-more changing the desired capacity from 1 to 2." in first["Cause"]
    assert "a monitor alarm busy in state ALARM triggered policy one-more changing the desired capacity from 2 to 3." in second["Cause"]
    assert results(cloudwatch, "busy") == [f"Successfully executed action {arn}"]
    cloudwatch.delete_alarms(AlarmNames=["busy"])


def test_a_scheduled_action_changes_the_group_at_its_time(group):
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
    group.scaling.put_scheduled_update_group_action(
        AutoScalingGroupName=group.name, ScheduledActionName="evening", StartTime=start, MinSize=2, MaxSize=4, DesiredCapacity=2
    )
    assert group.describe()["DesiredCapacity"] == 1
    wait_for("the action", lambda: group.describe()["DesiredCapacity"] == 2)
    assert datetime.datetime.now(datetime.timezone.utc) >= start.replace(microsecond=0)
    group.settle(2)
    described = group.describe()
    assert (described["MinSize"], described["MaxSize"]) == (2, 4)
    (activity,) = causes(group)
    assert re.search(f"At {MOMENT} the scheduled action evening executed\\..*desired capacity from 1 to 2", activity["Cause"]), activity
    left = group.scaling.describe_scheduled_actions(AutoScalingGroupName=group.name)["ScheduledUpdateGroupActions"]
    assert left == [], "one that does not recur is gone"


def test_a_policy_takes_its_alarms_with_it(cloudwatch, group):
    tracking = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": 50,
    }
    made = group.scaling.put_scaling_policy(
        AutoScalingGroupName=group.name, PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration=tracking
    )
    names = [a["AlarmName"] for a in made["Alarms"]]
    assert len(names) == 2
    group.scaling.delete_policy(AutoScalingGroupName=group.name, PolicyName="cpu")
    assert cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []
    for name in names:
        items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="ConfigurationUpdate")["AlarmHistoryItems"]
        assert items[0]["HistorySummary"] == f'Alarm "{name}" deleted'


def test_a_predictive_policy_of_customized_metrics_is_shown_as_it_was_asked_for(group):
    def metric(id, name, stat, **more):
        named = {"Namespace": "Shop", "MetricName": name, "Dimensions": [{"Name": "Branch", "Value": "north"}]}
        return {"Id": id, "MetricStat": {"Metric": named, "Stat": stat}, **more}

    orders = [metric("a", "OrdersA", "Sum", ReturnData=False), metric("b", "OrdersB", "Sum", ReturnData=False),
              {"Id": "all", "Expression": "a + b", "Label": "orders", "ReturnData": True}]  # fmt: skip
    specification = {
        "TargetValue": 10,
        "CustomizedLoadMetricSpecification": {"MetricDataQueries": orders},
        "CustomizedScalingMetricSpecification": {"MetricDataQueries": [metric("busy", "Busy", "Average", ReturnData=True)]},
        "CustomizedCapacityMetricSpecification": {"MetricDataQueries": [metric("n", "Workers", "Average", ReturnData=True)]},
    }

    def put(specification):
        group.scaling.put_scaling_policy(
            AutoScalingGroupName=group.name, PolicyName="ahead", PolicyType="PredictiveScaling",
            PredictiveScalingConfiguration={"MetricSpecifications": [specification]},
        )  # fmt: skip

    put(specification)
    shown = group.scaling.describe_policies(AutoScalingGroupName=group.name)["ScalingPolicies"][0]["PredictiveScalingConfiguration"]
    assert shown["MetricSpecifications"] == [specification]
    orders[2]["Expression"] = "a + nobody"
    refused("ValidationError", put, "Undefined variable 'nobody'", specification=specification)
    del specification["CustomizedLoadMetricSpecification"]
    refused("ValidationError", put, "one load metric", specification=specification)
