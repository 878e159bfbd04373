"""Metrics of instances and load balancers, from real processes and requests to CloudWatch and Prometheus, in a region whose
metrics have a period of one second."""

import datetime
import re
import urllib.error
import urllib.request

import pytest

from calls import Network, script
from region import get, wait_for

SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:4]) if self.path[1:4].isdigit() else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *a):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
DATA = script("cat > /server.py <<'END'", SERVER, "END", "setsid python3 /server.py > /dev/null 2>&1 &")
BUSY = script("setsid sh -c 'while :; do :; done' > /dev/null 2>&1 &")


@pytest.fixture(scope="module")
def client(quick_client):
    return quick_client


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.44")
    yield network
    network.remove()


def points(cloudwatch, namespace, name, statistic, **dimensions):
    """All values of a metric by the second, the oldest first."""
    now = datetime.datetime.now(datetime.timezone.utc)
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
    }
    query = {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 1, "Stat": statistic}}
    span = {"StartTime": now - datetime.timedelta(minutes=10), "EndTime": now + datetime.timedelta(seconds=1)}
    answer = cloudwatch.get_metric_data(MetricDataQueries=[query], ScanBy="TimestampAscending", **span)
    return answer["MetricDataResults"][0]["Values"]


def run(ec2, network, data):
    answer = ec2.run_instances(
        ImageId="ami-host",
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=network.subnets[0],
        SecurityGroupIds=[network.app],
        UserData=data,
        Monitoring={"Enabled": True},
    )
    return answer["Instances"][0]["InstanceId"]


def test_processor_use_of_a_busy_instance_rises_and_that_of_an_idle_one_does_not(client, ec2, network):
    cloudwatch = client("cloudwatch")
    busy, idle = run(ec2, network, BUSY), run(ec2, network, "")
    try:
        of = lambda instance: points(cloudwatch, "AWS/EC2", "CPUUtilization", "Average", InstanceId=instance)  # noqa: E731
        wait_for("five seconds of use", lambda: len(of(busy)) >= 5 and len(of(idle)) >= 5)
        wait_for("a busy processor", lambda: min(of(busy)[-3:]) > 80)
        assert max(of(idle)[-3:]) < 20, of(idle)
        names = cloudwatch.list_metrics(Namespace="AWS/EC2", Dimensions=[{"Name": "InstanceId", "Value": busy}])
        told = {m["MetricName"] for m in names["Metrics"]}
        assert {"CPUUtilization", "NetworkIn", "NetworkOut", "NetworkPacketsIn", "NetworkPacketsOut"} <= told
        states = lambda answer: [i["Monitoring"]["State"] for i in answer["InstanceMonitorings"]]  # noqa: E731
        assert states(ec2.unmonitor_instances(InstanceIds=[idle])) == ["disabling"]
        assert states(ec2.unmonitor_instances(InstanceIds=[idle])) == ["disabled"]
        assert states(ec2.monitor_instances(InstanceIds=[idle])) == ["pending"]
    finally:
        ec2.terminate_instances(InstanceIds=[busy, idle])


@pytest.fixture(scope="module")
def balancer(client, ec2, network, quick):
    """A load balancer in front of one instance: its name and its group's as metrics have them."""
    elb = client("elbv2")
    instance = run(ec2, network, DATA)
    more = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}
    made = elb.create_target_group(Name="metrics", Protocol="HTTP", Port=8080, VpcId=network.vpc, **more)
    group = made["TargetGroups"][0]["TargetGroupArn"]
    made = elb.create_load_balancer(Name="metrics", Subnets=network.subnets, SecurityGroups=[network.front])
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    wait_for("a running instance", lambda: state(ec2, instance) == "running")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    health = lambda: elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]  # noqa: E731
    wait_for("a healthy target", lambda: [h["TargetHealth"]["State"] for h in health()] == ["healthy"])
    yield arn.split(":loadbalancer/")[1], group.split(":")[-1]
    elb.delete_load_balancer(LoadBalancerArn=arn)
    elb.delete_target_group(TargetGroupArn=group)
    ec2.terminate_instances(InstanceIds=[instance])
    wait_for("an ended instance", lambda: state(ec2, instance) == "terminated")


def state(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def test_request_counts_equal_the_requests_that_were_sent(client, balancer, quick):
    name, group = balancer
    cloudwatch = client("cloudwatch")
    (address, *_), _ = quick.front("metrics")
    for path in ["/200"] * 30 + ["/404"] * 5 + ["/503"] * 2:
        assert get(address, path)[0] == int(path[1:])

    def total(metric, **more):
        return sum(points(cloudwatch, "AWS/ApplicationELB", metric, "Sum", LoadBalancer=name, **more))

    wait_for("all requests are counted", lambda: total("RequestCount") >= 37)
    assert total("RequestCount") == total("RequestCount", TargetGroup=group) == 37
    codes = {c: total(f"HTTPCode_Target_{c}XX_Count") for c in (2, 4, 5)}
    assert codes == {2: 30, 4: 5, 5: 2}
    assert total("RequestCountPerTarget", TargetGroup=group) == 37
    assert total("HTTPCode_ELB_5XX_Count") == 0, "the target's own errors are not the load balancer's"
    times = points(cloudwatch, "AWS/ApplicationELB", "TargetResponseTime", "p99", LoadBalancer=name)
    assert times and all(0 < t < 5 for t in times)
    hosts = points(cloudwatch, "AWS/ApplicationELB", "HealthyHostCount", "Average", LoadBalancer=name, TargetGroup=group)
    assert hosts[-1] == 1


def test_samples_outlive_a_serve_that_is_killed(client, balancer, quick):
    """Requests that were served while nobody listened are counted when somebody does."""
    name, _ = balancer
    (address, *_), _ = quick.front("metrics")
    total = lambda: sum(points(client("cloudwatch"), "AWS/ApplicationELB", "RequestCount", "Sum", LoadBalancer=name))  # noqa: E731
    wait_for("nothing is under way", lambda: total() == total())
    before = total()
    quick.kill("serve")
    for _ in range(20):
        assert get(address, "/200")[0] == 200
    quick.run("serve", "--background", "--listen", f"127.0.0.1:{quick.port}", "--metric-period", "1")
    wait_for("the requests of the gap", lambda: total() >= before + 20)
    assert total() == before + 20


def scrape(quick, token):
    request = urllib.request.Request(f"{quick.endpoint()['url']}/_allod/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_prometheus_reads_the_same(balancer, quick):
    name, _ = balancer
    with pytest.raises(urllib.error.HTTPError) as refusal:
        scrape(quick, "guess")
    assert refusal.value.code == 401
    kind, text = scrape(quick, quick.status()["metrics"]["bearer_token"])
    assert kind.startswith("text/plain; version=0.0.4")
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+\{(\w+="[^"]*",?)+\} -?[0-9.e+-]+', line), line
    assert re.search(rf'aws_applicationelb_healthy_host_count_average\{{load_balancer="{name}",target_group="[^"]+"\}} 1\n', text)
    assert "# TYPE aws_ec2_cpuutilization_average gauge" in text


def test_a_period_that_does_not_divide_a_minute_is_refused(quick):
    for bad in ("0", "7", "61", "x"):
        done = quick.run("serve", "--metric-period", bad, check=False)
        assert done.returncode == 2 and "--metric-period" in done.stderr, done
