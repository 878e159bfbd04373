"""Processes are killed while users send requests."""

import time


from region import Load, get, wait_for


def running(client):
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    reservations = client("ec2").describe_instances(Filters=filters)["Reservations"]
    return {i["InstanceId"] for r in reservations for i in r["Instances"]}


def test_serve_is_killed_under_load_and_no_user_notices(region, web_tier, client):
    fronts, host = region.front()
    before = running(client)
    hosts, edges = region.processes("host"), region.processes("edge")
    with Load(fronts, host) as load:
        wait_for("load", lambda: len(load.done) > 50)
        region.kill("serve")
        gone = time.monotonic()
        wait_for("load while it is gone", lambda: load.done[-1][0] > gone + 1)
        began = time.monotonic()
        region.start()
        print(f"serve answers again after {time.monotonic() - began:.3f} s, process start and all")
        wait_for("load after it", lambda: load.done[-1][0] > began + 1)
    assert not load.failures, load.failures[:5]
    assert running(client) == before, "none lost, none started twice"
    assert (region.processes("host"), region.processes("edge")) == (hosts, edges), "executors were adopted, not restarted"


def test_edge_is_killed_and_is_back_with_its_configuration_within_a_second(region, web_tier):
    fronts, host = region.front()
    region.kill("edge")
    killed = time.monotonic()
    # The connection is not refused: `serve` has the listening sockets too, and it waits in their queue.
    assert get(fronts[0], "/health", host)[0] == 200
    back = time.monotonic() - killed
    print(f"the edge serves again after {back:.3f} s")
    assert back < 1.0


def test_the_edge_is_restarted_under_load_and_no_user_notices(region, web_tier):
    fronts, host = region.front()
    with Load(fronts, host) as load:
        wait_for("load", lambda: len(load.done) > 50)
        for _ in range(4):
            before = region.status()["edge"]["pid"]
            assert f"process {before} ends" in region.run("restart", "edge")
            assert region.status()["edge"]["pid"] != before
            mark = time.monotonic()
            wait_for("load after it", lambda: load.done[-1][0] > mark + 0.5)  # noqa: B023
        wait_for("the edges before it have ended", lambda: len(region.processes("edge")) == 1)
    assert not load.failures, load.failures[:5]
    targets = region.status()["load_balancers"][0]["target_groups"][0]["targets"]
    assert {t["state"] for t in targets} == {"healthy"}, targets


def test_host_is_killed_and_finds_its_instances_again(region, web_tier, client):
    before = running(client)
    fronts, host = region.front()
    with Load(fronts, host) as load:
        wait_for("load", lambda: len(load.done) > 20)
        old = region.kill("host")
        wait_for("a new host", lambda: region.processes("host") and region.processes("host") != old)
        mark = time.monotonic()
        wait_for("load after it", lambda: load.done[-1][0] > mark + 1)
    assert not load.failures, load.failures[:5]
    assert running(client) == before


def test_a_stack_in_creation_goes_on_after_a_crash(region, client):
    template = """
Resources:
  Handle:
    Type: AWS::CloudFormation::WaitConditionHandle
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: '60', Count: 1}
  After:
    Type: AWS::SSM::Parameter
    DependsOn: Wait
    Properties: {Type: String, Value: done, Name: /crash/after}
"""
    formation = client("cloudformation")
    formation.create_stack(StackName="crash", TemplateBody=template)

    def handle():
        resources = formation.describe_stack_resources(StackName="crash")["StackResources"]
        waiting = [r for r in resources if r["LogicalResourceId"] == "Wait" and r["ResourceStatus"] == "CREATE_IN_PROGRESS"]
        return waiting and next(r["PhysicalResourceId"] for r in resources if r["LogicalResourceId"] == "Handle")

    url = wait_for("the wait condition", handle)
    region.kill("serve")
    region.start()
    import urllib.request

    signal = b'{"Status":"SUCCESS","UniqueId":"1","Data":"x","Reason":"test"}'
    urllib.request.urlopen(urllib.request.Request(url, data=signal, method="PUT"), timeout=10).read()
    status = lambda: formation.describe_stacks(StackName="crash")["Stacks"][0]["StackStatus"]  # noqa: E731
    wait_for("the stack", lambda: status() == "CREATE_COMPLETE")
    assert client("ssm").get_parameter(Name="/crash/after")["Parameter"]["Value"] == "done"
    formation.delete_stack(StackName="crash")
    formation.get_waiter("stack_delete_complete").wait(StackName="crash", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
