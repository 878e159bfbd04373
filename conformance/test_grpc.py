"""A service of gRPC in an instance behind an HTTPS listener, with gRPC's own library on both sides."""

import importlib.util
import json
import pathlib
import shutil
import threading

import grpc
import pytest

from calls import Network, front_of, refused, script
from region import wait_for

# What the service needs beside Python lies in its image under /opt/grpc.
SERVER = """
import sys
sys.path.insert(0, "/opt/grpc")
import concurrent.futures, os
import grpc

def echo(request, context):
    context.set_trailing_metadata((("x-node", os.uname().nodename),))
    return request

def count(request, context):
    for n in range(int(request)):
        yield str(n).encode()

def join(requests, context):
    return b",".join(requests)

def talk(requests, context):
    for request in requests:
        yield request.upper()

def refuse(request, context):
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")

def deadline(request, context):
    while context.is_active():
        threading_event.wait(0.05)
    return request

import threading
threading_event = threading.Event()
methods = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Join": grpc.stream_unary_rpc_method_handler(join),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
    "Deadline": grpc.unary_unary_rpc_method_handler(deadline),
}
server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", methods),))
assert server.add_insecure_port("0.0.0.0:8080")
server.start()
print("the service listens", flush=True)
server.wait_for_termination()
"""
DATA = script("cat > /server.py <<'END'", SERVER, "END", "setsid /usr/bin/python3 /server.py > /dev/console 2>&1 &")


def package(name):
    """Where a library of this interpreter lies."""
    return pathlib.Path(importlib.util.find_spec(name).origin)


@pytest.fixture(scope="module")
def image(region):
    """The machine's own programs with gRPC's library; gives the image's id."""
    layer = region.data / "grpc-layer"
    shutil.copytree(package("grpc").parent, layer / "opt/grpc/grpc", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package("typing_extensions"), layer / "opt/grpc/typing_extensions.py")
    return region.run("image", "import", "grpc", str(layer), "--base", "host").split()[0]


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.47")
    network.open(network.front, 443, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    yield network
    network.remove()


class Service:
    """A load balancer with an HTTPS listener, a target group of gRPC, and an instance in it."""

    def __init__(self, client, region, network, image):
        self.elb, self.acm, self.region, self.network = client("elbv2"), client("acm"), region, network
        made = self.elb.create_load_balancer(Name="calls", Subnets=network.subnets, SecurityGroups=[network.front])["LoadBalancers"][0]
        self.arn, self.host = made["LoadBalancerArn"], made["DNSName"]
        self.group = self.elb.create_target_group(
            Name="calls", Protocol="HTTP", ProtocolVersion="GRPC", Port=8080, VpcId=network.vpc,
            HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"][0]
        run = client("ec2").run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=network.subnets[0],
            SecurityGroupIds=[network.app], UserData=DATA)
        self.instance = run["Instances"][0]["InstanceId"]
        client("ec2").get_waiter("instance_running").wait(InstanceIds=[self.instance], WaiterConfig={"Delay": 1})
        self.elb.register_targets(TargetGroupArn=self.group["TargetGroupArn"], Targets=[{"Id": self.instance}])
        name = self.host.split(".", 1)[1]
        self.certificate = self.acm.request_certificate(DomainName=f"*.{name}", ValidationMethod="DNS")["CertificateArn"]
        shown = lambda: self.acm.describe_certificate(CertificateArn=self.certificate)["Certificate"]
        wait_for("the certificate is issued", lambda: shown()["Status"] == "ISSUED")
        self.listener = self.elb.create_listener(
            LoadBalancerArn=self.arn, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": self.certificate}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group["TargetGroupArn"]}])["Listeners"][0]["ListenerArn"]

    def health(self):
        found = self.elb.describe_target_health(TargetGroupArn=self.group["TargetGroupArn"])
        return found["TargetHealthDescriptions"][0]["TargetHealth"]

    def channel(self):
        root = pathlib.Path(json.loads(self.region.run("ca", "--output", "json"))["file"]).read_bytes()
        front = wait_for("the edge serves the listener", lambda: front_of(self.region, self.listener))
        return grpc.secure_channel(front, grpc.ssl_channel_credentials(root), (("grpc.ssl_target_name_override", self.host),))

    def remove(self):
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        self.elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 1})
        self.elb.delete_target_group(TargetGroupArn=self.group["TargetGroupArn"])
        self.acm.delete_certificate(CertificateArn=self.certificate)


@pytest.fixture(scope="module")
def service(client, region, network, image):
    service = Service(client, region, network, image)
    yield service
    service.remove()


@pytest.fixture(scope="module")
def channel(service):
    wait_for("the target is healthy", lambda: service.health()["State"] == "healthy", 60)
    with service.channel() as channel:
        yield channel


def test_the_health_check_calls_the_default_method(service):
    check = {name: service.group[name] for name in ("HealthCheckPath", "Matcher", "ProtocolVersion")}
    assert check == {"HealthCheckPath": "/AWS.ALB/healthcheck", "Matcher": {"GrpcCode": "12"}, "ProtocolVersion": "GRPC"}
    wait_for("the target is healthy", lambda: service.health()["State"] == "healthy", 60)


def test_a_call_of_each_kind(channel):
    echo = channel.unary_unary("/test.Service/Echo")
    answer, call = echo.with_call(b"hello", timeout=10)
    assert answer == b"hello" and call.code() == grpc.StatusCode.OK
    assert [key for key, _ in call.trailing_metadata()] == ["x-node"]
    big = bytes(range(256)) * 8_000
    assert echo(big, timeout=20) == big
    assert list(channel.unary_stream("/test.Service/Count")(b"500", timeout=10)) == [str(n).encode() for n in range(500)]
    parts = [str(n).encode() for n in range(500)]
    assert channel.stream_unary("/test.Service/Join")(iter(parts), timeout=10) == b",".join(parts)


def test_a_conversation_goes_to_and_fro(channel):
    heard, said = threading.Semaphore(0), [b"one", b"two", b"three"]

    def words():
        for word in said:
            yield word
            assert heard.acquire(timeout=10), "no answer came before the next word"

    answers = []
    for answer in channel.stream_stream("/test.Service/Talk")(words(), timeout=20):
        answers.append(answer)
        heard.release()
    assert answers == [b"ONE", b"TWO", b"THREE"]


def test_errors_come_with_their_status(channel):
    with pytest.raises(grpc.RpcError) as e:
        channel.unary_unary("/test.Service/Refuse")(b"", timeout=10)
    assert (e.value.code(), e.value.details()) == (grpc.StatusCode.NOT_FOUND, "nothing here")
    assert ("x-why", "because") in [tuple(pair) for pair in e.value.trailing_metadata()]
    with pytest.raises(grpc.RpcError) as e:
        channel.unary_unary("/test.Service/None")(b"", timeout=10)
    assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(grpc.RpcError) as e:
        channel.unary_unary("/test.Service/Deadline")(b"", timeout=0.5)
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_many_calls_at_once(channel):
    echo = channel.unary_unary("/test.Service/Echo")
    calls = [echo.future(str(n).encode(), timeout=20) for n in range(300)]
    assert [call.result() for call in calls] == [str(n).encode() for n in range(300)]


def test_a_matcher_that_the_target_does_not_meet_makes_it_unhealthy(service, channel):
    change = lambda codes: service.elb.modify_target_group(
        TargetGroupArn=service.group["TargetGroupArn"], Matcher={"GrpcCode": codes})
    change("0-5")
    wait_for("the target is unhealthy", lambda: service.health()["State"] == "unhealthy", 60)
    health = service.health()
    assert (health["Reason"], health["Description"]) == (
        "Target.ResponseCodeMismatch", "Health checks failed with these codes: [12]")
    change("12")
    wait_for("the target is healthy", lambda: service.health()["State"] == "healthy", 60)
    refused("ValidationError", service.elb.modify_target_group, TargetGroupArn=service.group["TargetGroupArn"], Matcher={"HttpCode": "200"})


def test_only_https_listeners_forward_to_grpc(service):
    forward = [{"Type": "forward", "TargetGroupArn": service.group["TargetGroupArn"]}]
    refused(
        "InvalidLoadBalancerAction", service.elb.create_listener,
        "Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC'",
        LoadBalancerArn=service.arn, Protocol="HTTP", Port=80, DefaultActions=forward)
