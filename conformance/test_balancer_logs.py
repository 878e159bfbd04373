"""The logs of a load balancer, as its user finds them in the directory that stands for the bucket."""

import gzip
import shlex
import urllib.request

import pytest

from calls import front_of, refused
from region import wait_for

HELLO = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "hello"}}


@pytest.fixture(scope="module")
def balancer(client):
    elb, subnets = client("elbv2"), client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    ids = [s["SubnetId"] for s in subnets["Subnets"]][:2]
    made = elb.create_load_balancer(Name="logged", Subnets=ids)["LoadBalancers"][0]["LoadBalancerArn"]
    yield made
    elb.delete_load_balancer(LoadBalancerArn=made)


def switch(elb, balancer, kind, enabled, **more):
    attributes = {f"{kind}.s3.enabled": enabled, **{f"{kind}.s3.{name}": value for name, value in more.items()}}
    told = [{"Key": key, "Value": value} for key, value in attributes.items()]
    return elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=told)


def lines(files):
    return [shlex.split(line) for file in files for line in gzip.decompress(file.read_bytes()).decode().splitlines()]


def test_every_request_is_a_line_of_the_access_log(client, region, balancer):
    elb = client("elbv2")
    made = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8099, DefaultActions=[HELLO])["Listeners"][0]
    front = wait_for("the edge serves the listener", lambda: front_of(region, made["ListenerArn"]))
    home = region.data / "buckets/web-logs/front/AWSLogs" / balancer.split(":")[4]
    switch(elb, balancer, "access_logs", "true", bucket="web-logs", prefix="front")
    wait_for("the bucket is tried", lambda: (home / "ELBAccessLogTestFile").exists())
    for number in range(3):
        request = urllib.request.Request(f"http://{front}/shop?item={number}", headers={"User-Agent": "a \"quoted\" agent"})
        assert urllib.request.urlopen(request, timeout=10).read() == b"hello"
    switch(elb, balancer, "access_logs", "false")
    written = wait_for("what was logged is written", lambda: list(home.rglob("*.log.gz")))
    name = balancer.split("loadbalancer/")[1].replace("/", ".")
    assert all(f"_elasticloadbalancing_eu-central-1_{name}_" in file.name for file in written)
    # Each worker's lines come in their order.
    entries = sorted((line for line in lines(written) if "/shop" in line[12]), key=lambda line: line[12])
    assert len(entries) == 3
    for number, entry in enumerate(entries):
        assert entry[0] == "http" and entry[4] == "-" and entry[8:10] == ["200", "-"], entry
        assert entry[12] == f"GET http://{front}/shop?item={number} HTTP/1.1"
        assert entry[22] == "fixed-response", entry
    elb.delete_listener(ListenerArn=made["ListenerArn"])


def test_a_log_needs_the_name_of_a_bucket(client, balancer):
    elb = client("elbv2")
    told = [{"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": "../etc"}]
    refused("InvalidConfigurationRequest", elb.modify_load_balancer_attributes, LoadBalancerArn=balancer, Attributes=told)
