"""The whole path: a template becomes a load balancer that answers from real instances, and stays so when they die."""

import collections
import json
import os
import re
import signal
import subprocess
import time

from region import ROOT, Load, get, wait_for


def instances_seen(region, requests=40):
    """Which instances answered, by id, over requests to the load balancer."""
    fronts, host = region.front()
    seen = collections.Counter()
    for n in range(requests):
        status, _, body = get(fronts[n % len(fronts)], "/api/instance", host)
        assert status == 200, (status, body)
        answer = json.loads(body)
        seen[answer["instance_id"], answer["availability_zone"]] += 1
    return seen


def in_service(client):
    groups = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    members = [i for g in groups for i in g["Instances"]]
    return [i for i in members if i["LifecycleState"] == "InService" and i["HealthStatus"] == "Healthy"]


def healthy_targets(client):
    elb = client("elbv2")
    groups = elb.describe_target_groups()["TargetGroups"]
    health = [h for g in groups for h in elb.describe_target_health(TargetGroupArn=g["TargetGroupArn"])["TargetHealthDescriptions"]]
    return {h["Target"]["Id"] for h in health if h["TargetHealth"]["State"] == "healthy"}


def init_pid(region, instance_id):
    """The process on this machine that is the instance's PID 1."""
    for state in (region.data / "run").rglob("*"):
        if state.is_file() and instance_id in str(state):
            found = re.search(rb'"pid":\s*(\d+)', state.read_bytes())
            if found:
                return int(found.group(1))
    raise AssertionError(f"no process of {instance_id} is known")


def test_both_zones_answer_in_turn(region, web_tier):
    seen = instances_seen(region)
    assert len({zone for _, zone in seen}) == 2, seen
    assert min(seen.values()) >= 10, seen


def test_up_again_changes_nothing(region, web_tier):
    before = {i["InstanceId"] for i in in_service_of(region)}
    out = json.loads(region.run("up", str(ROOT / "stacks/web-tier.yaml"), "--stack-name", "web-tier", "--output", "json"))
    assert out["outcome"] == "unchanged"
    assert {i["InstanceId"] for i in in_service_of(region)} == before


def in_service_of(region):
    return [{"InstanceId": i["id"]} for g in region.status()["groups"] for i in g["instances"]]


def test_the_aws_command_agrees(region, web_tier):
    command = ["aws", "cloudformation", "describe-stacks", "--stack-name", "web-tier"]
    out = subprocess.run(command, env=region.environment(), capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def test_instances_are_isolated(region, web_tier, client):
    """An instance sees itself only, and nobody but the load balancer may connect to it."""
    reservations = client("ec2").describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
    running = [i for r in reservations for i in r["Instances"]]
    pids = [init_pid(region, i["InstanceId"]) for i in running]
    for name in ("net", "mnt", "pid", "uts", "ipc"):
        spaces = {os.readlink(f"/proc/{pid}/ns/{name}") for pid in pids} | {os.readlink(f"/proc/self/ns/{name}")}
        assert len(spaces) == len(pids) + 1, name


def test_a_killed_instance_is_replaced_and_no_request_fails(region, web_tier, client):
    wait_for("two healthy targets", lambda: len(healthy_targets(client)) == 2)
    victim = sorted(healthy_targets(client))[0]
    zone = next(i["AvailabilityZone"] for i in in_service(client) if i["InstanceId"] == victim)
    fronts, host = region.front()
    with Load(fronts, host) as load:
        wait_for("load", lambda: len(load.done) > 50)
        killed = time.monotonic()
        os.kill(init_pid(region, victim), signal.SIGKILL)
        wait_for("a replacement", lambda: victim not in healthy_targets(client) and len(healthy_targets(client)) == 2)
        replaced = time.monotonic()
        wait_for("requests after it", lambda: load.done[-1][0] > replaced)
    assert not load.failures, load.failures[:5]
    print(f"replaced in {replaced - killed:.2f} s, {len(load.done)} requests")
    assert zone in {i["AvailabilityZone"] for i in in_service(client) if i["InstanceId"] != victim}
    activities = client("autoscaling").describe_scaling_activities()["Activities"]
    cause = next(a["Cause"] for a in activities if a["Description"] == f"Terminating EC2 instance: {victim}")
    assert "was taken out of service in response to" in cause, cause


def test_desired_capacity_grows_and_shrinks_under_load_without_a_failure(region, web_tier, client):
    autoscaling = client("autoscaling")
    name = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupName"]
    fronts, host = region.front()
    with Load(fronts, host) as load:
        autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
        wait_for("four healthy targets", lambda: len(healthy_targets(client)) == 4)
        zones = collections.Counter(i["AvailabilityZone"] for i in in_service(client))
        assert sorted(zones.values()) == [2, 2], zones
        autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
        wait_for("two members", lambda: len(autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]) == 2, 90)
    assert not load.failures, load.failures[:5]
