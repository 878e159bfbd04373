"""The life of groups as a user drives it: hooks, standby, warm pools, schedules, notifications, refreshes, draining. In a region whose
metrics have a period of one second."""

import contextlib
import datetime
import http.client
import json
import threading
import time

import pytest

from calls import Network, encoded, refused
from region import wait_for
from test_auto_scaling import Group
from test_load_balancing import CHECK
from test_notifications import Endpoint, subscribe

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
# Answers /slow after three seconds, and what it has begun also when it is told to end.
SERVER = """#!/bin/sh
cat > /server.py <<'END'
import http.server, signal, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(3)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *a):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
END
setsid python3 /server.py > /dev/null 2>&1 &
"""


@pytest.fixture(scope="module")
def region(quick):
    return quick


@pytest.fixture(scope="module")
def client(quick_client):
    return quick_client


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.46")
    yield network
    network.remove()


@pytest.fixture(scope="module")
def template(ec2, network):
    data = {"ImageId": "ami-host", "InstanceType": "t3.nano", "SecurityGroupIds": [network.app], "UserData": encoded(SERVER)}
    made = ec2.create_launch_template(LaunchTemplateName="life", LaunchTemplateData=data)["LaunchTemplate"]
    yield made["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])


@pytest.fixture(scope="module")
def waiting(scaling, ec2, network, template):
    """A group whose hooks nobody answers; their time runs while other tests do."""
    hooks = [
        {"LifecycleHookName": "silent", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 30, "DefaultResult": "CONTINUE"},
    ]
    group = Group(scaling, ec2, network, template, "silent-hooks", DesiredCapacity=1, LifecycleHookSpecificationList=hooks)
    group.began = time.monotonic()
    yield group
    group.remove()


@pytest.fixture
def make(scaling, ec2, network, template, waiting):
    """Makes groups that are gone after the test."""
    with contextlib.ExitStack() as stack:

        def make(name, **more):
            group = Group(scaling, ec2, network, template, name, **more)
            stack.callback(group.remove)
            return group

        yield make


@pytest.fixture
def heard(client):
    """A topic and what an HTTP endpoint hears of it."""
    sns = client("sns")
    topic = sns.create_topic(Name="life")["TopicArn"]
    with contextlib.closing(Endpoint()) as endpoint:
        subscribe(sns, topic, endpoint)
        endpoint.messages = lambda: [json.loads(json.loads(body)["Message"]) for _, body in list(endpoint.got)]
        yield topic, endpoint
    sns.delete_topic(TopicArn=topic)


def of(group):
    return {"AutoScalingGroupName": group.name}


def states(group):
    return sorted(i["LifecycleState"] for i in group.describe()["Instances"])


def in_state(group, state, seconds=30):
    """The one instance that comes to this state."""
    return wait_for(f"one {state} of {group.name}", lambda: group.members(state), seconds)[0]["InstanceId"]


def test_hooks_hold_instances_that_come_and_go(scaling, make, heard):
    topic, endpoint = heard
    group = make("hooks", DesiredCapacity=0)
    put = lambda **more: scaling.put_lifecycle_hook(LifecycleHookName="in", **of(group), **more)
    put(LifecycleTransition=LAUNCHING, NotificationTargetARN=topic, RoleARN="arn:aws:iam::000000000000:role/hook",
        HeartbeatTimeout=60, NotificationMetadata="who: me")  # fmt: skip
    wait_for("the test message", lambda: [m for m in endpoint.messages() if m.get("Event") == "autoscaling:TEST_NOTIFICATION"])
    hook = scaling.describe_lifecycle_hooks(**of(group))["LifecycleHooks"][0]
    assert hook["HeartbeatTimeout"] == 60 and hook["GlobalTimeout"] == 6000 and hook["DefaultResult"] == "ABANDON"

    group.set(1)
    i = in_state(group, "Pending:Wait")
    told = wait_for("the hook's message", lambda: [m for m in endpoint.messages() if m.get("EC2InstanceId") == i])[0]
    assert told["LifecycleTransition"] == LAUNCHING and told["NotificationMetadata"] == "who: me"
    assert (told["Origin"], told["Destination"], told["LifecycleHookName"]) == ("EC2", "AutoScalingGroup", "in")
    action = {"LifecycleHookName": "in", **of(group)}
    scaling.record_lifecycle_action_heartbeat(LifecycleActionToken=told["LifecycleActionToken"], **action)
    complete = lambda result, **who: scaling.complete_lifecycle_action(LifecycleActionResult=result, **who, **action)
    refused("ValidationError", complete, "CONTINUE or ABANDON", result="PERHAPS", InstanceId=i)
    refused("ValidationError", complete, "No active Lifecycle Action", result="CONTINUE", InstanceId="i-00000000000000000")
    complete("CONTINUE", LifecycleActionToken=told["LifecycleActionToken"])
    assert group.settle(1) == {i}
    refused("ValidationError", complete, "No active Lifecycle Action", result="CONTINUE", InstanceId=i)

    # "Complete a lifecycle action": an abandoned launch ends the instance, and another one is launched for it.
    group.set(2)
    first = in_state(group, "Pending:Wait")
    complete("ABANDON", InstanceId=first)
    other = wait_for("another", lambda: [x["InstanceId"] for x in group.members("Pending:Wait") if x["InstanceId"] != first])[0]
    failed = group.activities(f"Launching a new EC2 instance: {first}")[0]
    assert failed["StatusCode"] in ("Failed", "Cancelled") and "abandon" in failed.get("StatusMessage", "").lower(), failed
    complete("CONTINUE", InstanceId=other)
    assert group.settle(2) == {i, other}

    scaling.put_lifecycle_hook(LifecycleHookName="out", LifecycleTransition=TERMINATING, **of(group))
    group.set(1)
    leaving = in_state(group, "Terminating:Wait")
    assert group.activities(f"Terminating EC2 instance: {leaving}")[0]["StatusCode"] == "MidTerminatingLifecycleAction"
    scaling.complete_lifecycle_action(LifecycleHookName="out", InstanceId=leaving, LifecycleActionResult="CONTINUE", **of(group))
    group.settle(1)
    for name in ("in", "out"):
        scaling.delete_lifecycle_hook(LifecycleHookName=name, **of(group))
    refused("ValidationError", scaling.delete_lifecycle_hook, "No Lifecycle Hook found", LifecycleHookName="in", **of(group))


@pytest.mark.parametrize("wrong", [
    {"HeartbeatTimeout": 29}, {"HeartbeatTimeout": 7201}, {"DefaultResult": "MAYBE"}, {"LifecycleTransition": "autoscaling:NOW"},
    {"LifecycleHookName": "a b"}, {"NotificationTargetARN": "arn:aws:sns:us-east-1:000000000000:nobody"},
])  # fmt: skip
def test_wrong_hooks(scaling, waiting, wrong):
    arguments = {"LifecycleHookName": "h", "LifecycleTransition": LAUNCHING, **of(waiting), **wrong}
    refused("ValidationError", scaling.put_lifecycle_hook, status=400, **arguments)


def test_standby_leaves_and_returns(scaling, ec2, make):
    group = make("standby")
    one, other = sorted(group.settle(2))
    enter = lambda shrink, i=one: scaling.enter_standby(InstanceIds=[i], ShouldDecrementDesiredCapacity=shrink, **of(group))
    activity = enter(True)["Activities"][0]
    assert activity["Description"] == f"Moving EC2 instance to Standby: {one}"
    assert "moved to standby in response to a user request, shrinking the capacity from 2 to 1." in activity["Cause"]
    assert in_state(group, "Standby") == one and group.ids() == {other} and group.describe()["DesiredCapacity"] == 1
    refused("ValidationError", enter, "not in InService", shrink=True)
    refused("ValidationError", scaling.exit_standby, "not in Standby", InstanceIds=[other], **of(group))
    # "Temporarily remove instances": what stands by is not health checked.
    ec2.stop_instances(InstanceIds=[one])
    stopped = lambda: ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["State"]["Name"] == "stopped"
    wait_for("the stop", stopped)
    assert states(group) == ["InService", "Standby"]
    ec2.start_instances(InstanceIds=[one])
    wait_for("the start", lambda: ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running")
    back = scaling.exit_standby(InstanceIds=[one], **of(group))["Activities"][0]
    assert back["Description"] == f"Moving EC2 instance out of Standby: {one}"
    assert group.settle(2) == {one, other} and group.describe()["DesiredCapacity"] == 2
    # With the capacity kept, another one takes its place, and the return makes the group larger.
    enter(False)
    wait_for("a third", lambda: states(group) == ["InService", "InService", "Standby"])
    scaling.exit_standby(InstanceIds=[one], **of(group))
    assert len(group.settle(3)) == 3
    group.update(MinSize=3)
    refused("ValidationError", enter, "min", shrink=True)


def test_health_that_a_user_sets_respects_the_grace_period(scaling, make):
    group = make("grace", DesiredCapacity=1, HealthCheckGracePeriod=3600)
    (i,) = group.settle(1)
    scaling.set_instance_health(InstanceId=i, HealthStatus="Unhealthy")
    assert group.members()[0]["HealthStatus"] == "Healthy", "its grace period is not over"
    scaling.set_instance_health(InstanceId=i, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    wait_for("its replacement", lambda: group.ids() and i not in group.ids())


@pytest.mark.parametrize("policy, end", [("OldestInstance", 0), ("NewestInstance", -1)])
def test_termination_policies_choose(network, make, policy, end):
    group = make(policy.lower(), DesiredCapacity=1, TerminationPolicies=[policy], VPCZoneIdentifier=network.subnets[0])
    order = list(group.settle(1))
    for size in (2, 3):
        group.set(size)
        order += group.settle(size) - set(order)
    group.set(2)
    victim = order.pop(end)
    assert group.settle(2) == set(order), f"{victim} had to go"


def test_old_versions_of_the_template_go_first(scaling, ec2, network, template, make):
    group = make("versions", DesiredCapacity=2, TerminationPolicies=["OldestLaunchTemplate"], VPCZoneIdentifier=network.subnets[0])
    old = group.settle(2)
    ec2.create_launch_template_version(LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.micro"})
    group.set(3)
    (new,) = group.settle(3) - old
    group.set(1)
    assert group.settle(1) == {new}
    refused("ValidationError", group.update, "Youngest", TerminationPolicies=["Youngest"])
    types = scaling.describe_termination_policy_types()["TerminationPolicyTypes"]
    assert {"Default", "OldestInstance", "NewestInstance", "ClosestToNextInstanceHour", "OldestLaunchTemplate"} <= set(types)


def test_a_zone_that_was_away_is_filled_again_unless_that_is_suspended(network, make):
    group = make("zones", DesiredCapacity=4, VPCZoneIdentifier=network.subnets[0])
    assert len(group.settle(4)) == 4
    group.suspend("AZRebalance")
    group.update(VPCZoneIdentifier=",".join(network.subnets))
    group.set(5)
    group.settle(5)
    assert sorted(group.zones().values()) == [1, 4], "only what is launched anyway goes to the new zone"
    group.resume("AZRebalance")
    wait_for("balance", lambda: sorted(group.zones().values()) == [2, 3], 60)
    group.settle(5)


def test_suspended_processes_for_alarms_and_schedules(scaling, make):
    group = make("suspended", DesiredCapacity=1)
    group.settle(1)
    group.suspend("AlarmNotification", "ScheduledActions")
    policy = {"PolicyName": "more", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1}
    scaling.put_scaling_policy(Cooldown=0, **policy, **of(group))
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    scaling.put_scheduled_update_group_action(ScheduledActionName="soon", StartTime=soon, DesiredCapacity=3, **of(group))
    actions = lambda: scaling.describe_scheduled_actions(**of(group))["ScheduledUpdateGroupActions"]
    wait_for("the action is over", lambda: datetime.datetime.now(datetime.timezone.utc) > soon + datetime.timedelta(seconds=1))
    assert group.describe()["DesiredCapacity"] == 1, actions()
    group.resume()
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    scaling.put_scheduled_update_group_action(ScheduledActionName="again", StartTime=soon, DesiredCapacity=2, **of(group))
    wait_for("the action", lambda: group.describe()["DesiredCapacity"] == 2)
    assert datetime.datetime.now(datetime.timezone.utc) >= soon - datetime.timedelta(seconds=1)
    group.settle(2)
    cause = group.activities("Launching a new EC2 instance: ")[0]["Cause"]
    assert "the scheduled action again executed. Setting desired capacity from 1 to 2." in cause, cause
    scaling.execute_policy(PolicyName="more", **of(group))
    group.settle(3)


@pytest.mark.parametrize("wrong, words", [
    ({"Recurrence": "61 * * * *"}, "Given recurrence string: 61 * * * * is invalid"), ({"Recurrence": "* * * *"}, "invalid"),
    ({"Recurrence": "0 9 * * *", "TimeZone": "Mars/Olympus"}, "Mars/Olympus"),
    ({"MinSize": 5, "MaxSize": 1, "Recurrence": "0 9 * * *"}, ""),
    ({"StartTime": datetime.datetime(2001, 1, 1)}, "past"), ({"Recurrence": "0 9 * * *", "MinSize": None}, ""),
])  # fmt: skip
def test_wrong_schedules(scaling, waiting, wrong, words):
    arguments = {"ScheduledActionName": "wrong", "MinSize": 1, **of(waiting), **wrong}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    refused("ValidationError", scaling.put_scheduled_update_group_action, words, status=400, **arguments)


def test_a_topic_hears_of_launches_and_terminations(scaling, make, heard):
    topic, endpoint = heard
    group = make("told", DesiredCapacity=0)
    kinds = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"]
    scaling.put_notification_configuration(TopicARN=topic, NotificationTypes=kinds, **of(group))
    found = scaling.describe_notification_configurations(AutoScalingGroupNames=[group.name])["NotificationConfigurations"]
    assert {(n["TopicARN"], n["NotificationType"]) for n in found} == {(topic, kind) for kind in kinds}
    group.set(1)
    (i,) = group.settle(1)
    group.set(0)
    group.settle(0)
    about = lambda kind: [m for m in endpoint.messages() if m.get("Event") == kind]
    for kind, word in zip(kinds, ("Launching a new EC2 instance", "Terminating EC2 instance")):
        told = wait_for(f"a message of {kind}", lambda kind=kind: about(kind))[0]
        assert told["EC2InstanceId"] == i and told["StatusCode"] == "Successful" and told["Description"] == f"{word}: {i}"
        assert told["AutoScalingGroupName"] == group.name and told["Details"]["Availability Zone"]
    wrong = {"TopicARN": topic, "NotificationTypes": ["autoscaling:NEVER"], **of(group)}
    refused("ValidationError", scaling.put_notification_configuration, "is not a valid Notification Type", **wrong)
    scaling.delete_notification_configuration(TopicARN=topic, **of(group))
    assert not scaling.describe_notification_configurations(AutoScalingGroupNames=[group.name])["NotificationConfigurations"]


@pytest.mark.parametrize("kept, state", [("Stopped", "Warmed:Stopped"), ("Running", "Warmed:Running")])
def test_a_warm_pool_gives_first_and_is_filled_again(scaling, ec2, make, kept, state):
    group = make(f"pool-{kept.lower()}", DesiredCapacity=1, MaxSize=3)
    first = group.settle(1)
    scaling.put_warm_pool(PoolState=kept, MinSize=1, MaxGroupPreparedCapacity=2, InstanceReusePolicy={"ReuseOnScaleIn": True}, **of(group))
    pool = lambda: scaling.describe_warm_pool(**of(group))["Instances"]
    ready = lambda: [i["InstanceId"] for i in pool() if i["LifecycleState"] == state]
    (warm,) = wait_for("the pool", ready)
    machine = ec2.describe_instances(InstanceIds=[warm])["Reservations"][0]["Instances"][0]["State"]["Name"]
    assert machine == kept.lower() and warm not in group.ids() and group.describe()["WarmPoolSize"] == 1
    group.set(2)
    wait_for("the one of the pool serves", lambda: group.ids() == first | {warm})
    cause = group.activities(f"Launching a new EC2 instance from warm pool: {warm}")[0]["Cause"]
    assert "an instance was started in response to a difference between desired and actual capacity" in cause
    (second,) = wait_for("the pool is filled", lambda: (r := ready()) and warm not in r and r)
    # "Instance reuse policy": what a shrinking group gives up goes back, and the pool keeps its size.
    group.set(1)
    (left,) = group.settle(1)
    wait_for("one ready", lambda: len(pool()) == 1 and ready())
    assert set(ready()) <= (first | {warm, second}) - {left}
    refused("ValidationError", scaling.put_warm_pool, "MaxGroupPreparedCapacity", MinSize=3, MaxGroupPreparedCapacity=2, **of(group))
    scaling.delete_warm_pool(**of(group))
    wait_for("no pool", lambda: "WarmPoolConfiguration" not in scaling.describe_warm_pool(**of(group)))
    assert group.settle(1) == {left}


def test_launch_configurations(scaling, ec2, network, make):
    plain = {"LaunchConfigurationName": "lc", "ImageId": "ami-host", "InstanceType": "t3.nano", "SecurityGroups": [network.app]}
    scaling.create_launch_configuration(UserData=SERVER, **plain)
    refused("AlreadyExists", scaling.create_launch_configuration, "lc", **plain)
    missing = dict(plain, LaunchConfigurationName="none", ImageId="ami-00000000000000000")
    refused("ValidationError", scaling.create_launch_configuration, "ami-00000000000000000", **missing)
    name = {"AutoScalingGroupName": "configured"}
    scaling.create_auto_scaling_group(
        LaunchConfigurationName="lc", MinSize=1, MaxSize=1, VPCZoneIdentifier=network.subnets[0], **name)  # fmt: skip
    find = lambda: scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["configured"])["AutoScalingGroups"]
    try:
        wait_for("one in service", lambda: [i["LifecycleState"] for i in find()[0]["Instances"]] == ["InService"])
        assert find()[0]["Instances"][0]["LaunchConfigurationName"] == "lc"
        refused("ResourceInUse", scaling.delete_launch_configuration, LaunchConfigurationName="lc")
    finally:
        scaling.delete_auto_scaling_group(ForceDelete=True, **name)
        wait_for("its end", lambda: not find())
        scaling.delete_launch_configuration(LaunchConfigurationName="lc")
    assert scaling.describe_launch_configurations()["LaunchConfigurations"] == []


def test_max_instance_lifetime_has_a_day_at_least(make, waiting):
    for seconds in (1, 86_399, 31_536_001):
        refused("ValidationError", waiting.update, "MaxInstanceLifetime", MaxInstanceLifetime=seconds)
    waiting.update(MaxInstanceLifetime=86_400)
    assert waiting.describe()["MaxInstanceLifetime"] == 86_400
    waiting.update(MaxInstanceLifetime=0)
    assert "MaxInstanceLifetime" not in waiting.describe()


def test_a_termination_drains_first(client, region, scaling, network, make):
    elb = client("elbv2")
    target = elb.create_target_group(Name="drains", Protocol="HTTP", Port=8080, VpcId=network.vpc, **CHECK)["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=target, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "20"}])  # fmt: skip
    balancer = elb.create_load_balancer(Name="drains", Subnets=network.subnets, SecurityGroups=[network.front])["LoadBalancers"][0]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])  # fmt: skip
    try:
        group = make("drains", DesiredCapacity=1, TargetGroupARNs=[target])
        (i,) = group.settle(1)
        health = lambda: [h["TargetHealth"]["State"] for h in elb.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]]
        wait_for("a healthy target", lambda: health() == ["healthy"])
        (front, *_), host = region.front("drains")
        answer, seen = [], []

        def ask():
            connection = http.client.HTTPConnection(front, 80, timeout=20)
            try:
                connection.request("GET", "/slow", headers={"Host": host})
                answer.append(connection.getresponse().status)
            except OSError as e:
                answer.append(repr(e))
            seen.append("answered")

        scaling.put_lifecycle_hook(LifecycleHookName="last", LifecycleTransition=TERMINATING, **of(group))
        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.5)
        group.set(0)

        def look():
            state = next((x["LifecycleState"] for x in group.describe()["Instances"]), "gone")
            if [state] != [s for s in seen if s != "answered"][-1:]:
                seen.append(state)
            if state == "Terminating:Wait":
                action = {"LifecycleHookName": "last", "InstanceId": i, "LifecycleActionResult": "CONTINUE", **of(group)}
                scaling.complete_lifecycle_action(**action)
            return state == "gone"

        wait_for("its end", look, 30)
        asking.join(20)
        assert answer == [200], (answer, seen)
        order = [s for s in seen if s not in ("InService", "Terminating:Proceed")]
        assert order == ["Terminating", "answered", "Terminating:Wait", "gone"], seen
        # The draining ended with the last request, long before the delay of 20 s.
        assert group.activities(f"Terminating EC2 instance: {i}")[0]["StatusCode"] == "Successful"
    finally:
        elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        elb.delete_target_group(TargetGroupArn=target)


def test_predictive_policies_forecast_after_a_day(scaling, make):
    group = make("predicted", DesiredCapacity=0)
    pair = {"TargetValue": 50, "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ASGCPUUtilization"}}
    put = lambda **c: scaling.put_scaling_policy(
        PolicyName="tomorrow", PolicyType="PredictiveScaling", PredictiveScalingConfiguration={"MetricSpecifications": [pair], **c}, **of(group))  # fmt: skip
    put(Mode="ForecastOnly")
    shown = scaling.describe_policies(**of(group))["ScalingPolicies"][0]["PredictiveScalingConfiguration"]
    assert shown["Mode"] == "ForecastOnly" and shown["MetricSpecifications"] == [pair]
    now = datetime.datetime.now(datetime.timezone.utc)
    span = {"StartTime": now, "EndTime": now + datetime.timedelta(hours=48)}
    forecast = lambda **more: scaling.get_predictive_scaling_forecast(**{"PolicyName": "tomorrow", **span, **of(group), **more})
    # "Predictive scaling": forecasts begin with a day of data.
    refused("ValidationError", forecast, "24 hours of data")
    refused("ValidationError", forecast, "nobody", PolicyName="nobody")
    refused("ValidationError", put, "Clairvoyant", "[ForecastAndScale, ForecastOnly]", Mode="Clairvoyant")
    refused("ValidationError", put, SchedulingBufferTime=3601)


def test_hooks_that_nobody_answers_end_with_their_time(waiting):
    """Begun with the module: 30 seconds is the least that AWS allows."""
    group = waiting
    left = max(0.0, 30 - (time.monotonic() - group.began))
    if left > 2:
        assert states(group) == ["Pending:Wait"], "the hook holds it for its whole time"
    group.settle(1, left + 20)
    assert time.monotonic() - group.began >= 28


def test_what_kinds_there_are(scaling):
    assert LAUNCHING in scaling.describe_lifecycle_hook_types()["LifecycleHookTypes"]
    assert "autoscaling:EC2_INSTANCE_LAUNCH" in scaling.describe_auto_scaling_notification_types()["AutoScalingNotificationTypes"]
    kinds = [a["AdjustmentType"] for a in scaling.describe_adjustment_types()["AdjustmentTypes"]]
    assert sorted(kinds) == ["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
    assert "Launch" in [p["ProcessName"] for p in scaling.describe_scaling_process_types()["Processes"]]
    kinds = scaling.describe_metric_collection_types()
    assert "GroupDesiredCapacity" in [m["Metric"] for m in kinds["Metrics"]] and kinds["Granularities"] == [{"Granularity": "1Minute"}]


def test_metrics_of_a_group_are_switched_on_and_off(scaling, make):
    group = make("counted", DesiredCapacity=0)
    enabled = lambda: [m["Metric"] for m in group.describe()["EnabledMetrics"]]
    scaling.enable_metrics_collection(Granularity="1Minute", Metrics=["GroupMinSize", "GroupMaxSize"], **of(group))
    assert sorted(enabled()) == ["GroupMaxSize", "GroupMinSize"]
    scaling.disable_metrics_collection(Metrics=["GroupMinSize"], **of(group))
    assert enabled() == ["GroupMaxSize"]


def test_several_schedules_at_once(scaling, make):
    group = make("planned", DesiredCapacity=0)
    hours = {"one": 1, "two": 2, "three": 3}
    actions = [{"ScheduledActionName": name, "Recurrence": f"0 {hour} * * *", "DesiredCapacity": 1} for name, hour in hours.items()]
    assert scaling.batch_put_scheduled_update_group_action(ScheduledUpdateGroupActions=actions, **of(group))[
        "FailedScheduledUpdateGroupActions"] == []  # fmt: skip
    assert scaling.batch_delete_scheduled_action(ScheduledActionNames=["one"], **of(group))["FailedScheduledActions"] == []
    scaling.delete_scheduled_action(ScheduledActionName="two", **of(group))
    left = scaling.describe_scheduled_actions(**of(group))["ScheduledUpdateGroupActions"]
    assert [a["ScheduledActionName"] for a in left] == ["three"]
