"""Everything about scaling that a stack may have, in one template: made, changed, deleted, and refused where it is wrong."""

import copy
import json
import re

import pytest
from botocore.exceptions import ClientError

from region import wait_for
from stacks import stack  # noqa: F401 (a fixture)

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"


def ref(name):
    return {"Ref": name}


def arn(name):
    return {"Fn::GetAtt": [name, "Arn"]}


def resource(kind, **properties):
    return {"Type": f"AWS::{kind}", "Properties": properties}


def template():
    """All types of this area at work on one small group."""
    owned = {"AutoScalingGroupName": ref("Group")}
    dimensions = [{"Name": "AutoScalingGroupName", "Value": ref("Group")}]
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": ref("Topic")}]}
    hook = {"LifecycleHookName": "own", "LifecycleTransition": TERMINATING, "HeartbeatTimeout": 30, "DefaultResult": "CONTINUE"}
    told = {"TopicARN": ref("Topic"), "NotificationTypes": ["autoscaling:EC2_INSTANCE_LAUNCH_ERROR"]}
    return {"Resources": {
        "Net": resource("EC2::VPC", CidrBlock="10.74.0.0/16"),
        "Part": resource("EC2::Subnet", VpcId=ref("Net"), CidrBlock="10.74.1.0/24"),
        "Topic": resource("SNS::Topic", DisplayName="one"),
        "Mail": resource("SNS::Subscription", TopicArn=ref("Topic"), Protocol="email", Endpoint="a@example.com"),
        "TopicPolicy": resource("SNS::TopicPolicy", Topics=[ref("Topic")], PolicyDocument=policy),
        "Configuration": resource("AutoScaling::LaunchConfiguration", ImageId="ami-host", InstanceType="t3.nano"),
        "Group": resource(
            "AutoScaling::AutoScalingGroup", MinSize="0", MaxSize="3", DesiredCapacity="1", VPCZoneIdentifier=[ref("Part")],
            LaunchConfigurationName=ref("Configuration"), MaxInstanceLifetime=86_400,
            InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150},
            LifecycleHookSpecificationList=[hook], NotificationConfigurations=[told]),
        "Hook": resource("AutoScaling::LifecycleHook", LifecycleTransition=LAUNCHING, HeartbeatTimeout=30, DefaultResult="CONTINUE", **owned),
        "Pool": resource("AutoScaling::WarmPool", MinSize=0, MaxGroupPreparedCapacity=1, PoolState="Stopped", **owned),
        "Nightly": resource("AutoScaling::ScheduledAction", DesiredCapacity=1, Recurrence="0 3 * * *", TimeZone="Europe/Berlin", **owned),
        "Target": resource("AutoScaling::ScalingPolicy", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration={
            "TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}}, **owned),
        "Step": resource("AutoScaling::ScalingPolicy", PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=[
            {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}], **owned),
        "Busy": resource(
            "CloudWatch::Alarm", Namespace="AWS/EC2", MetricName="CPUUtilization", Dimensions=dimensions, Statistic="Average", Period=60,
            EvaluationPeriods=3, DatapointsToAlarm=2, Threshold=80, ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching", AlarmActions=[ref("Step"), ref("Topic")]),
        "Both": resource("CloudWatch::CompositeAlarm", AlarmRule={"Fn::Sub": "ALARM(${Busy})"}, AlarmActions=[ref("Topic")]),
        "Board": resource("CloudWatch::Dashboard", DashboardBody=json.dumps({"widgets": []})),
    }, "Outputs": {
        "Step": {"Value": ref("Step")}, "Busy": {"Value": arn("Busy")}, "Both": {"Value": arn("Both")}, "Topic": {"Value": ref("Topic")},
        "Nightly": {"Value": ref("Nightly")}, "Hook": {"Value": ref("Hook")},
    }}  # fmt: skip


@pytest.fixture(scope="module")
def cloudwatch(client):
    return client("cloudwatch")


def test_all_of_it_is_made_changed_and_deleted(stack, client, scaling, cloudwatch):  # noqa: F811
    s, body, sns = stack(), template(), client("sns")
    s.create(body)
    made, group = s.resources(), {"AutoScalingGroupName": s.resources()["Group"]}
    describe = lambda: scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made["Group"]])["AutoScalingGroups"]
    shown = describe()[0]
    assert shown["LaunchConfigurationName"] == made["Configuration"] and shown["MaxInstanceLifetime"] == 86_400
    assert shown["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150}
    hooks = {h["LifecycleHookName"]: h for h in scaling.describe_lifecycle_hooks(**group)["LifecycleHooks"]}
    assert set(hooks) == {"own", made["Hook"]} and hooks[made["Hook"]]["LifecycleTransition"] == LAUNCHING
    told = scaling.describe_notification_configurations(AutoScalingGroupNames=[made["Group"]])["NotificationConfigurations"]
    assert [(t["TopicARN"], t["NotificationType"]) for t in told] == [(made["Topic"], "autoscaling:EC2_INSTANCE_LAUNCH_ERROR")]
    action = scaling.describe_scheduled_actions(**group)["ScheduledUpdateGroupActions"][0]
    assert (action["ScheduledActionName"], action["Recurrence"], action["TimeZone"]) == (made["Nightly"], "0 3 * * *", "Europe/Berlin")
    policies = {p["PolicyType"]: p for p in scaling.describe_policies(**group)["ScalingPolicies"]}
    assert policies["StepScaling"]["PolicyARN"] == made["Step"] and len(policies["TargetTrackingScaling"]["Alarms"]) == 2
    alarm = cloudwatch.describe_alarms(AlarmNames=[made["Busy"]])["MetricAlarms"][0]
    assert alarm["AlarmArn"] == s.outputs()["Busy"] and set(alarm["AlarmActions"]) == {made["Step"], made["Topic"]}
    both = cloudwatch.describe_alarms(AlarmNames=[made["Both"]], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    assert both["AlarmRule"] == f"ALARM({made['Busy']})"
    assert json.loads(cloudwatch.get_dashboard(DashboardName=made["Board"])["DashboardBody"]) == {"widgets": []}
    assert sns.get_topic_attributes(TopicArn=made["Topic"])["Attributes"]["DisplayName"] == "one"

    changed = copy.deepcopy(body)
    of = lambda name: changed["Resources"][name]["Properties"]
    of("Group").update(MaxInstanceLifetime=172_800, LifecycleHookSpecificationList=[], NotificationConfigurations=[])
    del of("Group")["InstanceMaintenancePolicy"]
    of("Hook")["HeartbeatTimeout"] = 60
    of("Pool")["PoolState"] = "Running"
    of("Nightly")["Recurrence"] = "0 4 * * *"
    of("Target")["TargetTrackingConfiguration"]["TargetValue"] = 40
    of("Busy")["Threshold"] = 70
    of("Both")["AlarmRule"] = {"Fn::Sub": "NOT ALARM(${Busy})"}
    of("Topic")["DisplayName"] = "two"
    of("Board")["DashboardBody"] = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]})
    s.update(changed)
    assert s.resources() == made, "all of it changes in place"
    shown = describe()[0]
    assert shown["MaxInstanceLifetime"] == 172_800 and "InstanceMaintenancePolicy" not in shown
    assert [h["HeartbeatTimeout"] for h in scaling.describe_lifecycle_hooks(**group)["LifecycleHooks"]] == [60]
    assert not scaling.describe_notification_configurations(AutoScalingGroupNames=[made["Group"]])["NotificationConfigurations"]
    assert scaling.describe_warm_pool(**group)["WarmPoolConfiguration"]["PoolState"] == "Running"
    assert scaling.describe_scheduled_actions(**group)["ScheduledUpdateGroupActions"][0]["Recurrence"] == "0 4 * * *"
    policies = {p["PolicyType"]: p for p in scaling.describe_policies(**group)["ScalingPolicies"]}
    assert policies["TargetTrackingScaling"]["TargetTrackingConfiguration"]["TargetValue"] == 40
    assert cloudwatch.describe_alarms(AlarmNames=[made["Busy"]])["MetricAlarms"][0]["Threshold"] == 70
    assert "hello" in cloudwatch.get_dashboard(DashboardName=made["Board"])["DashboardBody"]

    s.delete()
    assert not describe() and not cloudwatch.describe_alarms(AlarmNamePrefix=s.name)["MetricAlarms"]
    assert not scaling.describe_launch_configurations(LaunchConfigurationNames=[made["Configuration"]])["LaunchConfigurations"]
    tracked = cloudwatch.describe_alarms(AlarmNamePrefix=f"TargetTracking-{made['Group']}")["MetricAlarms"]
    assert not tracked, "the policy's own alarms are gone with it"
    assert all(t["TopicArn"] != made["Topic"] for t in sns.list_topics()["Topics"])


@pytest.mark.parametrize("resource, change, words", [
    ("Hook", {"HeartbeatTimeout": 5}, "HeartbeatTimeout"),
    ("Hook", {"LifecycleTransition": "sometime"}, "LifecycleTransition"),
    ("Hook", {"Colour": "red"}, "Colour"),
    ("Pool", {"PoolState": "Boiling"}, "PoolState"),
    ("Pool", {"AutoScalingGroupName": None}, "AutoScalingGroupName"),
    ("Nightly", {"TimeZone": 5.5, "MinSize": "many"}, "MinSize"),
    ("Target", {"PolicyType": "Magic"}, "PolicyType"),
    ("Step", {"StepAdjustments": [{"MetricIntervalLowerBound": 0}]}, "ScalingAdjustment"),
    ("Busy", {"Period": "often"}, "Period"),
    ("Busy", {"Dimensions": [{"Name": "a"}]}, "Value"),
    ("Both", {"AlarmRule": None}, "AlarmRule"),
    ("Board", {"DashboardBody": None}, "DashboardBody"),
    ("Topic", {"SignatureVersion": "9"}, "SignatureVersion"),
    ("Mail", {"Protocol": None}, "Protocol"),
    ("TopicPolicy", {"Topics": None}, "Topics"),
    ("Configuration", {"ImageId": None}, "ImageId"),
    ("Configuration", {"SpotPrice": "0.1"}, "SpotPrice"),
    ("Group", {"MinSize": "few"}, "MinSize"),
    ("Group", {"LifecycleHookSpecificationList": [{"LifecycleHookName": "x"}]}, "LifecycleTransition"),
])  # fmt: skip
def test_what_is_wrong_is_refused_before_anything_is_made(client, resource, change, words):
    """With the line and the column of the template."""
    body = template()
    for name, value in change.items():
        if value is None:
            del body["Resources"][resource]["Properties"][name]
        else:
            body["Resources"][resource]["Properties"][name] = value
    text = json.dumps(body, indent=1)
    with pytest.raises(ClientError) as e:
        client("cloudformation").create_stack(StackName="wrong-scaling", TemplateBody=text)
    error = e.value.response["Error"]
    assert error["Code"] == "ValidationError" and words in error["Message"], error
    place = re.match(r"(\d+):(\d+): ", error["Message"])
    assert place, error
    line = text.splitlines()[int(place[1]) - 1]
    assert 0 < int(place[2]) <= len(line) + 1, error
    assert f'"{resource}": {{' in "\n".join(text.splitlines()[max(0, int(place[1]) - 25) : int(place[1])]), error


@pytest.mark.parametrize("resource, change, words", [
    ("Nightly", {"Recurrence": "61 * * * *"}, "Given recurrence string: 61 * * * * is invalid"),
    ("Group", {"MaxInstanceLifetime": 60}, "MaxInstanceLifetime"),
    ("Group", {"MinSize": "9"}, "Max bound, 3, must be greater than or equal to min bound, 9"),
    ("Group", {"InstanceMaintenancePolicy": {"MinHealthyPercentage": 10, "MaxHealthyPercentage": 150}}, "greater than 100"),
    ("Both", {"AlarmRule": "ALARM("}, "AlarmRule"),
    ("Mail", {"Protocol": "pigeon"}, "pigeon"),
    ("Board", {"DashboardBody": "{"}, "JSON"),
])  # fmt: skip
def test_what_only_a_service_can_tell_rolls_the_stack_back(stack, resource, change, words):  # noqa: F811
    s, body = stack(), template()
    # Without an instance no hook holds anything while the stack goes.
    body["Resources"]["Group"]["Properties"]["DesiredCapacity"] = "0"
    body["Resources"]["Pool"]["Properties"]["MaxGroupPreparedCapacity"] = 0
    body["Resources"][resource]["Properties"].update(change)
    s.create(body, wait="ROLLBACK_COMPLETE")
    failed = [reason for name, status, reason in s.events() if status == "CREATE_FAILED" and name == resource]
    assert failed and words in failed[0], s.events()
    assert set(s.statuses().values()) <= {"DELETE_COMPLETE"}, s.statuses()


def test_a_replacing_update_makes_a_new_group_before_the_old_one_ends(stack, scaling):  # noqa: F811
    s, body = stack(), template()
    keep = ("Net", "Part", "Configuration", "Group")
    body = {"Resources": {name: body["Resources"][name] for name in keep}}
    group = body["Resources"]["Group"]
    for name in ("NotificationConfigurations", "LifecycleHookSpecificationList"):
        del group["Properties"][name]
    group["UpdatePolicy"] = {"AutoScalingReplacingUpdate": {"WillReplace": True}}
    s.create(body)
    old = s.resources()["Group"]
    describe = lambda name: scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    body["Resources"]["Configuration"]["Properties"]["InstanceType"] = "t3.micro"
    s.formation.create_change_set(StackName=s.name, ChangeSetName="look", TemplateBody=json.dumps(body))
    planned = s.formation.describe_change_set(StackName=s.name, ChangeSetName="look")["Changes"]
    told = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in planned}
    assert {name: (c["Replacement"], c["PolicyAction"]) for name, c in told.items()} == {
        "Configuration": ("True", "ReplaceAndDelete"), "Group": ("True", "ReplaceAndDelete"),
    }  # fmt: skip
    assert told["Group"]["Details"] == [{
        "Target": {"Attribute": "Properties", "Name": "LaunchConfigurationName", "RequiresRecreation": "Never"},
        "Evaluation": "Dynamic", "ChangeSource": "ResourceReference", "CausingEntity": "Configuration",
    }]  # fmt: skip
    s.update(body, wait=None)

    def serves(name):
        return [i["LifecycleState"] for g in describe(name) for i in g["Instances"]] == ["InService"]

    def both():
        stands, new = serves(old), s.resources()["Group"]
        arrived = new != old and serves(new)
        assert stands or arrived, "the old one serves meanwhile"
        return new if arrived else None

    new = wait_for("the new group", both, every=0.01)
    s.until("UPDATE_COMPLETE")
    assert not describe(old) and describe(new)[0]["Instances"][0]["InstanceType"] == "t3.micro"
