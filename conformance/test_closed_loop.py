"""The closed loop with real load on real instances: load raises the processor's use, alarms see it, the policy adds instances, they
serve, the use settles at the target; the load ends and the group shrinks to its minimum. No request fails in all of it.

A region of its own with a short metric period: what AWS does each minute, it does every two seconds.
"""

import http.client
import json
import subprocess
import threading
import time

import pytest

from calls import clients
from region import ROOT, binary, running, wait_for

PERIOD_S = 2
TARGET = 50.0
# One vCPU is so many cores: a t3.micro has two, so that five instances at work fit on half a core.
VCPU_CORES = 0.05
INSTANCE_CORES = 2 * VCPU_CORES
WORK_MS = 5


class PacedLoad:
    """GET /work at a steady rate, however long answers take: each of its threads sends at its own beat, on a kept connection."""

    def __init__(self, fronts, host, threads=8):
        self.fronts, self.host, self.threads = fronts, host, threads
        self.cores = 0.0
        self.stop = threading.Event()
        self.done, self.failures = [], []
        self.running = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self):
        for thread in self.running:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.running:
            thread.join(15)

    def run(self, number):
        connection, due = None, time.monotonic()
        while not self.stop.is_set():
            if self.cores == 0:
                due = time.monotonic() + 0.1
                self.stop.wait(0.1)
                continue
            due = max(due + self.threads * WORK_MS / 1000 / self.cores, time.monotonic() - 1)
            self.stop.wait(max(0, due - time.monotonic()))
            began = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection(self.fronts[number % len(self.fronts)], 80, timeout=15)
                connection.request("GET", f"/work?ms={WORK_MS}", headers={"Host": self.host})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append((began, answer.status))
                self.done.append((began, time.monotonic() - began))
            except (OSError, http.client.HTTPException) as e:
                self.failures.append((began, repr(e)))
                connection = None


@pytest.fixture(scope="module")
def loop():
    """A region whose minute has two seconds, with the reference stack."""
    with running(30, "--metric-period", str(PERIOD_S), "--vcpu-cores", str(VCPU_CORES)) as region:
        layer = region.data / "layer"
        subprocess.run(["sh", str(ROOT / "app/image/build.sh"), str(binary("web-tier")), str(layer)], check=True)
        region.run("image", "import", "web-tier", str(layer), "--base", "host")
        region.run("up", str(ROOT / "stacks/web-tier.yaml"), "--parameter", "MaxSize=8", "--parameter", f"CpuTarget={TARGET:.0f}",
                   "--parameter", "WarmupSeconds=4")  # fmt: skip
        yield region


@pytest.fixture(scope="module")
def ask(loop):
    return clients(loop, max_attempts=2)


def group_of(ask):
    return ask("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]


def in_service(ask):
    return [i for i in group_of(ask)["Instances"] if i["LifecycleState"] == "InService"]


def cpu(ask, seconds):
    """Average processor use of the group in the last seconds, in percent."""
    now = time.time() // PERIOD_S * PERIOD_S
    query = {
        "Id": "cpu",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/EC2",
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group_of(ask)["AutoScalingGroupName"]}],
            },
            "Period": 1,
            "Stat": "Average",
        },
    }
    got = ask("cloudwatch").get_metric_data(MetricDataQueries=[query], StartTime=now - seconds, EndTime=now)["MetricDataResults"][0]
    return sum(got["Values"]) / len(got["Values"]) if got["Values"] else None


def settled(ask):
    """The processor's use, once it is within ten points of the target over five periods with nothing under way."""
    group = group_of(ask)
    if len(in_service(ask)) != group["DesiredCapacity"] or len(group["Instances"]) != group["DesiredCapacity"]:
        return None
    use = cpu(ask, 5 * PERIOD_S)
    return use if use is not None and abs(use - TARGET) <= 10 else None


def grow(ask, load, cores, least):
    """Puts this load on, and waits until enough instances serve it at about the target."""
    load.cores = cores
    wait_for(f"{least} instances", lambda: len(in_service(ask)) >= least, 90)
    use = wait_for("processor use near its target", lambda: settled(ask), 60, every=0.5)
    print(f"{cores} cores of work: {len(in_service(ask))} instances at {use:.0f} %")


def test_the_group_follows_real_load_and_no_request_fails(loop, ask):
    fronts, host = loop.front()
    wait_for("two instances in service", lambda: len(in_service(ask)) == 2)
    with PacedLoad(fronts, host) as load:
        grow(ask, load, 1.5 * INSTANCE_CORES, 3)
        grow(ask, load, 2.3 * INSTANCE_CORES, 4)
        grown = {i["InstanceId"] for i in in_service(ask)}
        served = {}
        wait_for("an answer of every instance", lambda: served_by(loop, served) >= grown, 20)
        load.cores = 0.1 * INSTANCE_CORES
        wait_for("the minimum", lambda: len(group_of(ask)["Instances"]) == 2, 180, every=0.5)
        assert len(load.done) > 500
    assert not load.failures, load.failures[:5]
    activities = ask("autoscaling").describe_scaling_activities()["Activities"]
    causes = " ".join(a["Cause"] for a in activities)
    assert "AlarmHigh" in causes and "in state ALARM triggered policy" in causes, causes
    assert "AlarmLow" in causes, causes


def served_by(loop, served):
    """Collects which instances have answered; gives their ids."""
    fronts, host = loop.front()
    connection = http.client.HTTPConnection(fronts[len(served) % 2], 80, timeout=10)
    connection.request("GET", "/api/instance", headers={"Host": host})
    answer = connection.getresponse()
    served[json.loads(answer.read())["instance_id"]] = True
    connection.close()
    return set(served)


def test_an_instance_refresh_under_load_fails_no_request(loop, ask):
    fronts, host = loop.front()
    client = ask("autoscaling")
    name = group_of(ask)["AutoScalingGroupName"]
    before = {i["InstanceId"] for i in in_service(ask)}
    with PacedLoad(fronts, host) as load:
        load.cores = 0.5 * INSTANCE_CORES
        preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "InstanceWarmup": 2}
        refresh = client.start_instance_refresh(AutoScalingGroupName=name, Preferences=preferences)["InstanceRefreshId"]

        def status():
            found = client.describe_instance_refreshes(AutoScalingGroupName=name, InstanceRefreshIds=[refresh])["InstanceRefreshes"][0]
            assert len([i for i in in_service(ask)]) >= 2
            assert found["Status"] not in ("Failed", "Cancelled"), found
            return found["Status"] == "Successful"

        wait_for("the refresh", status, 120, every=0.2)
        after = {i["InstanceId"] for i in in_service(ask)}
        assert len(after) >= 2 and not after & before, (before, after)
        wait_for("requests after it", lambda: len(load.done) > 100)
    assert not load.failures, load.failures[:5]
