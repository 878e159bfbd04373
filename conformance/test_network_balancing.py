"""Network load balancers as unmodified clients make them, with real connections, TLS and datagrams to instances."""

import collections
import contextlib
import json
import socket
import ssl
import struct

import pytest

from calls import Network, refused, script
from region import wait_for

# By TCP: says its name and the header of the PROXY protocol if there is one, then repeats what it hears. By UDP: answers with
# its name and the datagram.
SERVER = """
import os, socket, socketserver, threading
name = os.uname().nodename.encode()
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(60)
        if self.server.server_address[1] == 7001:
            header = self.request.recv(28, socket.MSG_WAITALL)
            self.request.sendall(header.hex().encode() + b"\\n")
        self.request.sendall(name + b" " + self.client_address[0].encode() + b"\\n")
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128
for port in (7000, 7001):
    threading.Thread(target=Server(("", port), Echo).serve_forever).start()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", 7000))
while True:
    data, peer = udp.recvfrom(65535)
    udp.sendto(name + b" " + data, peer)
"""
DATA = script("cat > /server.py <<'END'", SERVER, "END", "setsid python3 /server.py > /dev/null 2>&1 &")
CHECK = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2}


@pytest.fixture(scope="module")
def elb(client):
    return client("elbv2")


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.44", port=7000)
    for port, protocol in ((7001, "tcp"), (7000, "udp")):
        rule = [{"IpProtocol": protocol, "FromPort": port, "ToPort": port, **network.pair}]
        ec2.authorize_security_group_ingress(GroupId=network.app, IpPermissions=rule)
    yield network
    network.remove()


class Flows:
    """A network load balancer with security groups, and an instance in each zone."""

    def __init__(self, ec2, elb, network):
        self.elb, self.network = elb, network
        made = elb.create_load_balancer(Name="flows", Type="network", Subnets=network.subnets, SecurityGroups=[network.front])
        made = made["LoadBalancers"][0]
        self.arn, self.host = made["LoadBalancerArn"], made["DNSName"]
        assert made["Type"] == "network" and made["SecurityGroups"] == [network.front]
        self.groups = []
        run = lambda subnet: ec2.run_instances(
            ImageId="ami-host", InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=subnet,
            SecurityGroupIds=[network.app], UserData=DATA)["Instances"][0]
        self.instances = [run(subnet)["InstanceId"] for subnet in network.subnets]
        ec2.get_waiter("instance_running").wait(InstanceIds=self.instances, WaiterConfig={"Delay": 1})
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 1})

    def listen(self, port, protocol, group_protocol=None, target_port=7000, attributes=(), **more):
        """A listener over a group of its own with both instances in it; gives the group once they are healthy."""
        group = self.elb.create_target_group(
            Name=f"flows-{port}", Protocol=group_protocol or protocol, Port=target_port, VpcId=self.network.vpc, **CHECK)
        group = group["TargetGroups"][0]["TargetGroupArn"]
        self.groups.append(group)
        attributes = {"load_balancing.cross_zone.enabled": "true", **dict(attributes)}
        self.elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": k, "Value": v} for k, v in attributes.items()])
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        self.elb.create_listener(LoadBalancerArn=self.arn, Protocol=protocol, Port=port, DefaultActions=forward, **more)
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": i} for i in self.instances])
        self.elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 40})
        return group

    def remove(self):
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        self.elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 1})
        for group in self.groups:
            self.elb.delete_target_group(TargetGroupArn=group)


@pytest.fixture(scope="module")
def flows(ec2, elb, network):
    flows = Flows(ec2, elb, network)
    yield flows
    flows.remove()


def line(connection):
    text = b""
    while not text.endswith(b"\n"):
        more = connection.recv(1)
        assert more, f"it ended after {text}"
        text += more
    return text.decode().strip()


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        assert more, f"it ended after {len(data)} bytes"
        data += more
    return data


def call(address, port, wrap=lambda connection: connection):
    """A connection, and the name of who answers, with the address that it sees."""
    connection = wrap(socket.create_connection((address, port), timeout=20))
    return connection, line(connection).split()


def fronts(region):
    balancers = region.status()["load_balancers"]
    return [zone["front"] for zone in next(b for b in balancers if b["name"] == "flows")["zones"]]


def test_connections_go_to_instances_of_both_zones_and_last(region, ec2, flows):
    flows.listen(7100, "TCP")
    status = next(b for b in region.status()["load_balancers"] if b["name"] == "flows")
    assert status["url"] == f"tcp://{flows.host}:7100", status
    seen, open_ones = collections.Counter(), []
    for number in range(40):
        address = ["127.0.0.1", *fronts(region)][number % 3]
        connection, (name, peer) = call(address, 7100)
        seen[name] += 1
        open_ones.append(connection)
        # Targets see the load balancer's own address in the VPC ("When you disable client IP preservation [...]").
        assert peer.startswith("10.44."), peer
    assert len(seen) == 2 and min(seen.values()) >= 5, seen
    for connection in open_ones:
        connection.sendall(b"again")
        assert exactly(connection, 5) == b"again"
        connection.close()
    big, _ = call("127.0.0.1", 7100)
    with contextlib.closing(big):
        piece = bytes(range(256)) * 1024
        for _ in range(40):
            big.sendall(piece)
            assert exactly(big, len(piece)) == piece


def test_security_groups_stand_between_load_balancer_and_instances(region, flows, network):
    group = next(g for g in flows.groups if "flows-7100" in g)
    health = lambda: {h["TargetHealth"]["State"] for h in flows.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]}
    network.close(network.app, 7000, network.pair)
    wait_for("both unhealthy", lambda: health() == {"unhealthy"}, 40)
    network.open(network.app, 7000, network.pair)
    wait_for("both healthy", lambda: health() == {"healthy"}, 40)
    wait_for("it answers", lambda: call("127.0.0.1", 7100))


def test_tls_ends_at_the_listener(region, client, flows):
    acm = client("acm")
    arn = acm.request_certificate(DomainName="flows.example.com", ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    wait_for("the certificate is issued", lambda: acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED")
    flows.listen(7443, "TLS", "TCP", Certificates=[{"CertificateArn": arn}], AlpnPolicy=["HTTP2Preferred"])
    context = ssl.create_default_context(cafile=json.loads(region.run("ca", "--output", "json"))["file"])
    context.set_alpn_protocols(["http/1.1", "h2"])
    connection, _ = call("127.0.0.1", 7443, lambda plain: context.wrap_socket(plain, server_hostname="flows.example.com"))
    with contextlib.closing(connection):
        assert connection.version() == "TLSv1.3" and connection.selected_alpn_protocol() == "h2"
        connection.sendall(b"in secret")
        assert exactly(connection, 9) == b"in secret"


@pytest.mark.parametrize("policy, offered, agreed", [
    ("HTTP1Only", ["h2", "http/1.1"], "http/1.1"),
    ("HTTP2Only", ["http/1.1", "h2"], "h2"),
    # "Otherwise, the load balancer does not use ALPN."
    ("HTTP2Only", ["http/1.1"], None),
    ("HTTP2Optional", ["h2", "http/1.1"], "http/1.1"),
    ("HTTP2Optional", ["h2"], "h2"),
    ("HTTP2Preferred", ["http/1.1", "h2"], "h2"),
    ("None", ["h2", "http/1.1"], None),
])
def test_the_alpn_policy_decides_and_ends_no_connection(region, flows, policy, offered, agreed):
    listener = next(l for l in flows.elb.describe_listeners(LoadBalancerArn=flows.arn)["Listeners"] if l["Port"] == 7443)
    changed = flows.elb.modify_listener(ListenerArn=listener["ListenerArn"], AlpnPolicy=[policy])["Listeners"][0]
    assert changed["AlpnPolicy"] == [policy]
    context = ssl.create_default_context(cafile=json.loads(region.run("ca", "--output", "json"))["file"])
    context.set_alpn_protocols(offered)
    wrap = lambda plain: context.wrap_socket(plain, server_hostname="flows.example.com")

    def is_agreed():
        connection, _ = call("127.0.0.1", 7443, wrap)
        with contextlib.closing(connection):
            connection.sendall(b"hello")
            assert exactly(connection, 5) == b"hello"
            return connection.selected_alpn_protocol() == agreed

    wait_for(f"{policy} gives {agreed}", is_agreed)


def test_datagrams_go_both_ways(flows):
    flows.listen(7053, "UDP")
    seen = collections.Counter()
    for number in range(20):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asker:
            asker.connect(("127.0.0.1", 7053))
            asker.settimeout(5)
            names = set()
            for text in (b"one", b"two"):
                asker.send(text)
                name, echo = asker.recv(65_535).split(b" ")
                assert echo == text
                names.add(name)
            assert len(names) == 1, "a flow has one target"
            seen.update(names)
    assert len(seen) == 2, seen


def test_a_new_edge_takes_over_connections_to_come_and_flows_of_datagrams(region, flows):
    edge = lambda: region.status()["edge"]["pid"]
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.connect(("127.0.0.1", 7053))
    asker.settimeout(5)

    def ask(text):
        asker.send(text)
        name, echo = asker.recv(65_535).split(b" ")
        assert echo == text
        return name

    with contextlib.closing(asker):
        name, (connection, (there, _)), before = ask(b"before"), call("127.0.0.1", 7100), edge()
        with contextlib.closing(connection):
            for round in (b"one", b"two"):
                region.run("restart", "edge")
                assert ask(round) == name, "the first datagram to the new edge has its answer, by the same target"
                connection.sendall(round)
                assert exactly(connection, 3) == round, "what is open lives on in the old edge"
                call("127.0.0.1", 7100)[0].close()
            assert edge() != before


def test_targets_are_told_of_clients_by_proxy_protocol(flows):
    flows.listen(7101, "TCP", target_port=7001, attributes={"proxy_protocol_v2.enabled": "true"}.items())
    connection = socket.create_connection(("127.0.0.1", 7101), timeout=20)
    with contextlib.closing(connection):
        own, port = connection.getsockname()
        expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton(own) + socket.inet_aton("127.0.0.1")
        assert line(connection) == (expected + struct.pack("!HH", port, 7101)).hex()


def test_flows_are_divided_by_the_weights_of_groups(elb, flows):
    groups = [flows.listen(port, "TCP") for port in (7102, 7103)]
    for group, instance in zip(groups, reversed(flows.instances)):
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    listener = next(l for l in elb.describe_listeners(LoadBalancerArn=flows.arn)["Listeners"] if l["Port"] == 7102)["ListenerArn"]

    def weigh(*weights):
        tuples = [{"TargetGroupArn": group, "Weight": weight} for group, weight in zip(groups, weights)]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}]
        changed = elb.modify_listener(ListenerArn=listener, DefaultActions=actions)["Listeners"][0]["DefaultActions"][0]
        assert changed["ForwardConfig"]["TargetGroups"] == tuples, changed

    def names(count):
        calls = [call("127.0.0.1", 7102) for _ in range(count)]
        [connection.close() for connection, _ in calls]
        return collections.Counter(name for _, (name, _) in calls)

    weigh(1, 1)
    wait_for("both groups have some", lambda: len(names(24)) == 2)
    open_one, (name, _) = call("127.0.0.1", 7102)
    for weights in ((1, 0), (0, 1)):
        weigh(*weights)
        wait_for("only one group has any", lambda: len(names(24)) == 1)
    with contextlib.closing(open_one):
        open_one.sendall(b"still here")
        assert exactly(open_one, 10) == b"still here", name


def test_an_instance_that_ends_takes_its_connections_along_and_gets_no_new_ones(ec2, flows):
    pairs = [call("127.0.0.1", 7100) for _ in range(16)]
    gone = pairs[0][1][0]
    name_of = {i["InstanceId"]: i["PrivateDnsName"] for r in ec2.describe_instances(InstanceIds=flows.instances)["Reservations"]
               for i in r["Instances"]}
    instance = next(i for i, name in name_of.items() if name.split(".")[0] == gone.split(".")[0])
    ec2.stop_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    wait_for("only the other one answers", lambda: {call("127.0.0.1", 7100)[1][0] for _ in range(12)}.isdisjoint({gone}), 40)
    for connection, (name, _) in pairs:
        with contextlib.closing(connection):
            if name != gone:
                connection.sendall(b"still there")
                assert exactly(connection, 11) == b"still there"


def test_what_a_loopback_client_rules_out_is_refused(elb, flows):
    keep = [{"Key": "preserve_client_ip.enabled", "Value": "true"}]
    refused("InvalidConfigurationRequest", elb.modify_target_group_attributes, "loopback", "proxy_protocol_v2.enabled",
            TargetGroupArn=flows.groups[0], Attributes=keep)
