"""Application load balancers, target groups and listeners, as a user of ELB drives them, with real requests."""

import collections
import threading
import time

import pytest

from calls import Network, refused, script
from region import get, wait_for

# Answers /health with the status that /become?STATUS has set. It closes each connection: those that are open outlive the
# rule that let them in, at AWS too.
SERVER = """
import http.server, os, time, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    health = 200
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/become":
            Handler.health = int(url.query)
        if url.path == "/slow":
            time.sleep(float(url.query))
        body = (os.uname().nodename + " " + str(self.headers.get("X-Forwarded-For"))).encode()
        self.send_response(Handler.health if url.path == "/health" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
DATA = script("cat > /server.py <<'END'", SERVER, "END", "echo starting", "setsid python3 /server.py > /dev/null 2>&1 &")
CHECK = {
    "HealthCheckPath": "/health",
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
}
NO_ARN = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:{}/none/0123456789abcdef"


@pytest.fixture(scope="module")
def elb(client):
    return client("elbv2")


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.43")
    yield network
    network.remove()


class Tier:
    """A load balancer, a target group, a listener and two instances, one in each zone."""

    def __init__(self, ec2, elb, network):
        self.ec2, self.elb, self.network = ec2, elb, network
        made = elb.create_load_balancer(Name="tier", Subnets=network.subnets, SecurityGroups=[network.front])["LoadBalancers"][0]
        self.arn, self.host = made["LoadBalancerArn"], made["DNSName"]
        assert made["State"]["Code"] == "provisioning" and made["Type"] == "application" and made["Scheme"] == "internet-facing"
        self.group = self.make_group("tier")
        attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "3"}]
        elb.modify_target_group_attributes(TargetGroupArn=self.group, Attributes=attributes)
        forward = [{"Type": "forward", "TargetGroupArn": self.group}]
        listener = elb.create_listener(LoadBalancerArn=self.arn, Protocol="HTTP", Port=80, DefaultActions=forward)
        self.listener = listener["Listeners"][0]["ListenerArn"]
        run = lambda subnet: ec2.run_instances(
            ImageId="ami-host", InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=subnet,
            SecurityGroupIds=[network.app], UserData=DATA)["Instances"][0]
        self.instances = [run(subnet) for subnet in network.subnets]
        self.ids = [i["InstanceId"] for i in self.instances]
        ec2.get_waiter("instance_running").wait(InstanceIds=self.ids, WaiterConfig={"Delay": 1})
        elb.register_targets(TargetGroupArn=self.group, Targets=[{"Id": i} for i in self.ids])
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 1})
        self.in_service(self.group)

    def make_group(self, name, **more):
        more = {"Protocol": "HTTP", "Port": 8080, "VpcId": self.network.vpc, **CHECK, **more}
        return self.elb.create_target_group(Name=name, **more)["TargetGroups"][0]["TargetGroupArn"]

    def in_service(self, group, *targets):
        named = {"Targets": [{"Id": t} for t in targets]} if targets else {}
        waiter = self.elb.get_waiter("target_in_service")
        waiter.wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 40}, **named)

    def health(self, group=None):
        found = self.elb.describe_target_health(TargetGroupArn=group or self.group)["TargetHealthDescriptions"]
        return {h["Target"]["Id"]: h["TargetHealth"] for h in found}

    def states(self, group=None):
        return {i: h["State"] for i, h in self.health(group).items()}

    def fronts(self, region):
        balancers = region.status()["load_balancers"]
        return [z["front"] for z in next(b for b in balancers if b["name"] == "tier")["zones"]]

    def ask(self, region, path="/", requests=1, port=80):
        """Statuses, and which instances answered."""
        fronts, seen = self.fronts(region), collections.Counter()
        for n in range(requests):
            status, _, body = get(fronts[n % len(fronts)], path, self.host, port, timeout=30)
            seen[status, body.split()[0].decode() if status == 200 else None] += 1
        return seen

    def remove(self):
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        self.elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 1})
        for group in self.elb.describe_target_groups()["TargetGroups"]:
            if group["VpcId"] == self.network.vpc:
                self.elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


@pytest.fixture(scope="module")
def tier(ec2, elb, network):
    tier = Tier(ec2, elb, network)
    yield tier
    tier.remove()


def test_both_zones_answer(region, tier):
    seen = tier.ask(region, requests=20)
    assert len(seen) == 2 and min(seen.values()) >= 5 and {status for status, _ in seen} == {200}, seen


def test_security_groups_filter(ec2, elb, network, tier, region):
    """Without its rule the instances get nothing from the load balancer; with it they do again."""
    network.close(network.app, network.port, network.pair)
    wait_for("both unhealthy", lambda: set(tier.states().values()) == {"unhealthy"}, 40)
    health = tier.health()[tier.ids[0]]
    assert health["Reason"] == "Target.Timeout" and health["Description"] == "Request timed out", health
    assert {s for s, _ in tier.ask(region)} == {504}, "where no target is healthy, all are tried, in vain"
    network.open(network.app, network.port, network.pair)
    tier.in_service(tier.group)
    wait_for("answers", lambda: {s for s, _ in tier.ask(region, requests=4)} == {200})


def test_health_checks_change_live(elb, tier):
    changed = elb.modify_target_group(TargetGroupArn=tier.group, HealthCheckPath="/become?404", Matcher={"HttpCode": "404"})
    assert changed["TargetGroups"][0]["Matcher"] == {"HttpCode": "404"}
    wait_for("wrong codes", lambda: set(tier.states().values()) == {"unhealthy"}, 40)
    health = tier.health()[tier.ids[0]]
    assert health["Reason"] == "Target.ResponseCodeMismatch"
    assert health["Description"] == "Health checks failed with these codes: [200]"
    elb.modify_target_group(TargetGroupArn=tier.group, HealthCheckPath="/health", Matcher={"HttpCode": "200,404"})
    tier.in_service(tier.group)
    elb.modify_target_group(TargetGroupArn=tier.group, HealthCheckPath="/become?200", Matcher={"HttpCode": "200"})
    tier.in_service(tier.group)
    elb.modify_target_group(TargetGroupArn=tier.group, HealthCheckPath="/health")
    for wrong, words in (
        ({"HealthCheckIntervalSeconds": 301}, "'301'"), ({"HealthCheckTimeoutSeconds": 5}, "timeout"),
        ({"Matcher": {"HttpCode": "600"}}, "600"), ({"HealthCheckPath": "nothing"}, "nothing"),
        ({"HealthCheckPort": "0"}, "'0'"),
    ):
        refused("ValidationError", elb.modify_target_group, words, TargetGroupArn=tier.group, **wrong)
    tier.in_service(tier.group)


def test_deregistration_lets_requests_finish(elb, tier, region):
    one, other = tier.ids
    elb.deregister_targets(TargetGroupArn=tier.group, Targets=[{"Id": other}])
    time.sleep(0.5)  # Nothing is under way there, so its deregistration is complete by then; it is shown all the same.
    assert tier.health()[other]["State"] == "draining"
    elb.get_waiter("target_deregistered").wait(TargetGroupArn=tier.group, Targets=[{"Id": other}], WaiterConfig={"Delay": 1})
    gone = elb.describe_target_health(TargetGroupArn=tier.group, Targets=[{"Id": other}])["TargetHealthDescriptions"][0]
    assert gone["TargetHealth"]["State"] == "unused" and gone["TargetHealth"]["Reason"] == "Target.NotRegistered"
    answers = []
    slow = threading.Thread(target=lambda: answers.append(tier.ask(region, "/slow?1.5")))
    slow.start()
    time.sleep(0.5)  # The request is under way by then; there is no event to wait for.
    began = time.monotonic()
    elb.deregister_targets(TargetGroupArn=tier.group, Targets=[{"Id": one}])
    draining = tier.health()[one]
    assert draining["State"] == "draining" and draining["Reason"] == "Target.DeregistrationInProgress", draining
    wait_for("503 for new requests", lambda: set(tier.ask(region)) == {(503, None)}, 5)
    slow.join(10)
    assert list(answers[0])[0][0] == 200, answers
    wait_for("the end of the delay", lambda: one not in tier.health(), 10)
    assert time.monotonic() - began < 8
    elb.register_targets(TargetGroupArn=tier.group, Targets=[{"Id": i} for i in tier.ids])
    tier.in_service(tier.group)


def test_addresses_as_targets(elb, tier, region):
    group = tier.make_group("addresses", TargetType="ip")
    address = tier.instances[0]["PrivateIpAddress"]
    unused = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    assert unused["TargetType"] == "ip" and unused["LoadBalancerArns"] == []
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": 8080}])
    assert tier.health(group)[address]["Reason"] == "Target.NotInUse"
    refused("ValidationError", elb.register_targets, TargetGroupArn=group, Targets=[{"Id": tier.ids[0]}])
    refused("InvalidTarget", elb.register_targets, TargetGroupArn=tier.group, Targets=[{"Id": "i-00000000000000000"}])
    made = elb.create_listener(
        LoadBalancerArn=tier.arn, Protocol="HTTP", Port=81, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    tier.in_service(group)
    wait_for("an answer", lambda: {s for s, _ in tier.ask(region, port=81)} == {200})
    refused("ResourceInUse", elb.delete_target_group, "is currently in use by a listener or a rule", TargetGroupArn=group)
    elb.delete_listener(ListenerArn=made["Listeners"][0]["ListenerArn"])
    elb.delete_target_group(TargetGroupArn=group)


def test_listeners_and_fixed_responses(elb, tier, region):
    fixed = {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": "short and stout"}
    action = [{"Type": "fixed-response", "FixedResponseConfig": fixed}]
    forward = elb.describe_listeners(ListenerArns=[tier.listener])["Listeners"][0]["DefaultActions"]
    changed = elb.modify_listener(ListenerArn=tier.listener, DefaultActions=action)["Listeners"][0]
    assert changed["DefaultActions"][0]["FixedResponseConfig"] == fixed
    front = tier.fronts(region)[0]
    wait_for("the fixed response", lambda: get(front, "/", tier.host)[0] == 418)
    _, headers, body = get(front, "/", tier.host)
    assert body == b"short and stout" and headers["Content-Type"].startswith("text/plain"), headers
    assert tier.health()[tier.ids[0]]["Reason"] == "Target.NotInUse"
    elb.modify_listener(ListenerArn=tier.listener, DefaultActions=forward)
    tier.in_service(tier.group)
    make = lambda **more: elb.create_listener(**{"LoadBalancerArn": tier.arn, "Protocol": "HTTP", "Port": 82, "DefaultActions": action, **more})
    refused("DuplicateListener", make, f"on this port for this load balancer '{tier.arn}'", Port=80)
    # "If you attempt to create multiple listeners with the same settings, each call succeeds."
    again = make(Port=80, DefaultActions=forward)["Listeners"][0]
    assert again["ListenerArn"] == tier.listener
    refused("ValidationError", make, "'foo' is not a valid target group ARN", DefaultActions=[{"Type": "forward", "TargetGroupArn": "foo"}])
    refused("TargetGroupNotFound", make, DefaultActions=[{"Type": "forward", "TargetGroupArn": NO_ARN.format("targetgroup")}])
    refused("LoadBalancerNotFound", make, LoadBalancerArn=NO_ARN.format("loadbalancer/app"))
    bad = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "301"}}]
    refused("ValidationError", make, "301", DefaultActions=bad)
    refused("ListenerNotFound", elb.modify_listener, ListenerArn=NO_ARN.format("listener/app/x"), Port=83)
    rules = elb.describe_rules(ListenerArn=tier.listener)["Rules"]
    assert [r["Priority"] for r in rules] == ["default"] and rules[0]["IsDefault"]
    attributes = {a["Key"]: a["Value"] for a in elb.describe_listener_attributes(ListenerArn=tier.listener)["Attributes"]}
    key = "routing.http.response.server.enabled"
    assert attributes[key] == "true"
    elb.modify_listener_attributes(ListenerArn=tier.listener, Attributes=[{"Key": key, "Value": "true"}])


def test_attributes(elb, tier):
    values = lambda: {a["Key"]: a["Value"] for a in elb.describe_load_balancer_attributes(LoadBalancerArn=tier.arn)["Attributes"]}
    set_one = lambda key, value: elb.modify_load_balancer_attributes(LoadBalancerArn=tier.arn, Attributes=[{"Key": key, "Value": value}])
    assert values()["idle_timeout.timeout_seconds"] == "60" and values()["deletion_protection.enabled"] == "false"
    set_one("idle_timeout.timeout_seconds", "30")
    assert values()["idle_timeout.timeout_seconds"] == "30"
    refused("ValidationError", set_one, "idle_timeout", key="idle_timeout.timeout_seconds", value="4001")
    refused("InvalidConfigurationRequest", set_one, "'color' is not recognized", key="color", value="red")
    set_one("deletion_protection.enabled", "true")
    refused("OperationNotPermitted", elb.delete_load_balancer, "deletion protection", LoadBalancerArn=tier.arn)
    set_one("deletion_protection.enabled", "false")
    group = lambda: {a["Key"]: a["Value"] for a in elb.describe_target_group_attributes(TargetGroupArn=tier.group)["Attributes"]}
    assert group()["deregistration_delay.timeout_seconds"] == "3" and group()["stickiness.enabled"] == "false"
    wrong = [{"Key": "deregistration_delay.timeout_seconds", "Value": "3601"}]
    refused("ValidationError", elb.modify_target_group_attributes, TargetGroupArn=tier.group, Attributes=wrong)
    limits = {limit["Name"]: limit["Max"] for limit in elb.describe_account_limits()["Limits"]}
    assert limits["application-load-balancers"] == "50"


def test_subnets_and_groups_change_live(ec2, elb, network, tier, region):
    third = ec2.create_subnet(VpcId=network.vpc, CidrBlock="10.43.7.0/24", AvailabilityZone=network.zones[1])["Subnet"]["SubnetId"]
    zones = elb.set_subnets(LoadBalancerArn=tier.arn, Subnets=[network.subnets[0], third])["AvailabilityZones"]
    assert {z["SubnetId"] for z in zones} == {network.subnets[0], third}
    wait_for("answers from the new node", lambda: {s for s, _ in tier.ask(region, requests=4)} == {200})
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=third)
    refused("ValidationError", elb.set_subnets, "two different Availability Zones", LoadBalancerArn=tier.arn, Subnets=[third])
    refused("InvalidConfigurationRequest", elb.set_subnets, "same Availability Zone", LoadBalancerArn=tier.arn, Subnets=[*network.subnets, third])
    refused("SubnetNotFound", elb.set_subnets, LoadBalancerArn=tier.arn, Subnets=[third, "subnet-00000000000000000"])
    elb.set_subnets(LoadBalancerArn=tier.arn, Subnets=network.subnets)
    wait_for("the subnet's release", lambda: not used(ec2, third))
    ec2.delete_subnet(SubnetId=third)
    extra = network.group("extra")
    assert elb.set_security_groups(LoadBalancerArn=tier.arn, SecurityGroups=[extra])["SecurityGroupIds"] == [extra]
    wait_for("checks without the front group fail", lambda: set(tier.states().values()) == {"unhealthy"}, 40)
    refused("InvalidSecurityGroup", elb.set_security_groups, LoadBalancerArn=tier.arn, SecurityGroups=["sg-00000000000000000"])
    elb.set_security_groups(LoadBalancerArn=tier.arn, SecurityGroups=[network.front])
    tier.in_service(tier.group)


def used(ec2, subnet):
    return ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]


def test_stopped_instances_are_out(ec2, tier, region):
    i = tier.ids[1]
    ec2.stop_instances(InstanceIds=[i])
    wait_for("out", lambda: tier.health()[i]["State"] == "unused")
    assert tier.health()[i]["Reason"] == "Target.InvalidState" and tier.health()[i]["Description"] == "Target is in the stopped state"
    assert {s for s, _ in tier.ask(region, requests=6)} == {200}
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[i], WaiterConfig={"Delay": 1})
    ec2.terminate_instances(InstanceIds=[i])
    wait_for("forgotten", lambda: tier.health().get(i, {}).get("Reason") in (None, "Target.InvalidState"))


def test_internet_facing_load_balancers_need_a_gateway(ec2, elb, network):
    vpc = ec2.create_vpc(CidrBlock="10.43.0.0/16")["Vpc"]["VpcId"]
    make = lambda n: ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.43.{n}.0/24", AvailabilityZone=network.zones[n])["Subnet"]["SubnetId"]
    subnets = [make(0), make(1)]
    refused("InvalidSubnet", elb.create_load_balancer, f"VPC {vpc} has no internet gateway", Name="shut", Subnets=subnets)
    inside = elb.create_load_balancer(Name="inside", Subnets=subnets, Scheme="internal")["LoadBalancers"][0]
    assert inside["Scheme"] == "internal" and inside["DNSName"].startswith("internal-inside-")
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    elb.delete_load_balancer(LoadBalancerArn=inside["LoadBalancerArn"])
    wait_for("its interfaces to go", lambda: not used(ec2, subnets[0]))
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_names_tags_and_pages(elb, network, tier):
    refused("DuplicateTargetGroupName", tier.make_group, name="tier", Port=9)
    assert tier.make_group("tier") == tier.group, "the same settings give the same group"
    refused("DuplicateLoadBalancerName", elb.create_load_balancer, Name="tier", Subnets=network.subnets, Scheme="internal")
    refused("ValidationError", elb.create_load_balancer, "-bad", Name="-bad", Subnets=network.subnets)
    refused("ValidationError", elb.create_load_balancer, Name="one", Subnets=network.subnets[:1])
    elb.add_tags(ResourceArns=[tier.arn, tier.group, tier.listener], Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])
    elb.remove_tags(ResourceArns=[tier.arn], TagKeys=["c"])
    found = {d["ResourceArn"]: len(d["Tags"]) for d in elb.describe_tags(ResourceArns=[tier.arn, tier.group])["TagDescriptions"]}
    assert found == {tier.arn: 1, tier.group: 2}
    refused("LoadBalancerNotFound", elb.describe_tags, ResourceArns=[NO_ARN.format("loadbalancer/app")])
    groups = [tier.make_group(f"page-{n}") for n in range(5)]
    pages = elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
    assert set(groups) <= {g["TargetGroupArn"] for p in pages for g in p["TargetGroups"]}
    for group in groups:
        elb.delete_target_group(TargetGroupArn=group)
    refused("TargetGroupNotFound", elb.describe_target_groups, "One or more target groups not found", TargetGroupArns=groups[:1])
    assert [b["LoadBalancerName"] for b in elb.describe_load_balancers(Names=["tier"])["LoadBalancers"]] == ["tier"]
    elb.get_waiter("load_balancer_exists").wait(Names=["tier"])
