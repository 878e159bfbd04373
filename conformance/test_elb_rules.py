"""Rules of listeners with real requests, and what else the API of load balancers has beside them. No instance is needed:
every rule answers by itself."""

import http.client
import socket
import ssl

import pytest

from calls import Network, refused
from region import wait_for
from stacks import resources
from stacks import stack  # noqa: F401 (a fixture)

GROUP = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}


@pytest.fixture(scope="module")
def elb(client):
    return client("elbv2")


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.49")
    yield network
    network.remove()


def says(text, status="200"):
    return [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status, "ContentType": "text/plain", "MessageBody": text}}]


def condition(field, config, **values):
    return {"Field": field, config: values}


class Web:
    """An application load balancer whose listener says `default` unless a rule says otherwise."""

    def __init__(self, elb, network, region):
        self.elb, self.region = elb, region
        made = elb.create_load_balancer(Name="rules", Subnets=network.subnets, SecurityGroups=[network.front])["LoadBalancers"][0]
        self.arn, self.host = made["LoadBalancerArn"], made["DNSName"]
        listener = elb.create_listener(LoadBalancerArn=self.arn, Protocol="HTTP", Port=80, DefaultActions=says("default"))
        self.listener = listener["Listeners"][0]["ListenerArn"]
        elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 1})
        balancers = region.status()["load_balancers"]
        self.front = next(b for b in balancers if b["name"] == "rules")["zones"][0]["front"]

    def rule(self, priority, conditions, actions, **more):
        made = self.elb.create_rule(
            ListenerArn=self.listener, Priority=priority, Conditions=conditions, Actions=actions, **more)
        return made["Rules"][0]["RuleArn"]

    def ask(self, path="/", method="GET", host=None, **headers):
        connection = http.client.HTTPConnection(self.front, 80, timeout=10)
        try:
            connection.request(method, path, headers={"Host": host or self.host, **headers})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def text(self, *arguments, **headers):
        return self.ask(*arguments, **headers)[2]

    def hears(self, text, *arguments, **headers):
        wait_for(f"{text} for {arguments}", lambda: self.text(*arguments, **headers) == text, 10)

    def remove(self):
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        self.elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[self.arn], WaiterConfig={"Delay": 1})


@pytest.fixture(scope="module")
def web(elb, network, region):
    web = Web(elb, network, region)
    yield web
    web.remove()


def test_all_six_conditions_route(elb, web):
    rules = [
        web.rule(10, [condition("path-pattern", "PathPatternConfig", Values=["/img/*"])], says("path")),
        web.rule(11, [condition("host-header", "HostHeaderConfig", Values=["*.example.com"])], says("host")),
        web.rule(12, [condition("http-header", "HttpHeaderConfig", HttpHeaderName="X-Team", Values=["blue*"])], says("header")),
        web.rule(13, [condition("http-request-method", "HttpRequestMethodConfig", Values=["DELETE"])], says("method")),
        web.rule(14, [condition("query-string", "QueryStringConfig", Values=[{"Key": "v", "Value": "beta"}])], says("query")),
        web.rule(15, [{"Field": "path-pattern", "RegexValues": ["^/v[0-9]+/"]}], says("regex")),
        web.rule(16, [condition("source-ip", "SourceIpConfig", Values=["192.0.2.0/24"])], says("elsewhere")),
    ]
    web.hears("regex", "/v12/x")
    assert web.text("/img/a.png") == "path" and web.text("/IMG/a.png") == "default", "case of paths matters"
    assert web.text("/", "GET", "www.EXAMPLE.com") == "host"
    assert web.text("/", **{"X-Team": "Blueish"}) == "header"
    assert web.text("/", "DELETE") == "method"
    assert web.text("/?a=1&v=beta") == "query" and web.text("/?v=alpha") == "default"
    web.rule(17, [condition("source-ip", "SourceIpConfig", Values=["127.0.0.0/8"])], says("here"))
    web.hears("here", "/")
    shown = elb.describe_rules(ListenerArn=web.listener)["Rules"]
    assert [r["Priority"] for r in shown] == [*map(str, range(10, 18)), "default"]
    assert shown[0]["Conditions"][0]["Values"] == ["/img/*"], "as older clients know it"
    for rule in shown[:-1]:
        elb.delete_rule(RuleArn=rule["RuleArn"])
    web.hears("default", "/img/a.png")
    assert len(rules) == 7


def test_priorities_swap_and_rules_change_live(elb, web):
    one, two = (web.rule(n, [{"Field": "path-pattern", "Values": ["/x*"]}], says(t)) for n, t in ((1, "one"), (2, "two")))
    web.hears("one", "/x")
    swapped = elb.set_rule_priorities(RulePriorities=[{"RuleArn": one, "Priority": 2}, {"RuleArn": two, "Priority": 1}])
    assert {r["Priority"] for r in swapped["Rules"]} == {"1", "2"}
    web.hears("two", "/x")
    changed = elb.modify_rule(RuleArn=two, Conditions=[{"Field": "path-pattern", "Values": ["/y*"]}])["Rules"][0]
    assert changed["Actions"][0]["FixedResponseConfig"]["MessageBody"] == "two"
    web.hears("one", "/x")
    web.hears("two", "/y")
    refused("PriorityInUse", elb.create_rule, "Priority '1' is currently in use", ListenerArn=web.listener, Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/z"]}], Actions=says("z"))
    default = elb.describe_rules(ListenerArn=web.listener)["Rules"][-1]["RuleArn"]
    refused("OperationNotPermitted", elb.delete_rule, "cannot be deleted", RuleArn=default)
    for rule in (one, two):
        elb.delete_rule(RuleArn=rule)
    refused("RuleNotFound", elb.delete_rule, "One or more rules not found", RuleArn=one)


def test_redirects(elb, web):
    config = {"Protocol": "HTTPS", "Port": "443", "Host": "new.example.com", "Path": "/moved/#{path}", "StatusCode": "HTTP_301"}
    rule = web.rule(1, [{"Field": "path-pattern", "Values": ["/old*"]}], [{"Type": "redirect", "RedirectConfig": config}])
    wait_for("the redirect", lambda: web.ask("/old")[0] == 301, 10)
    assert web.ask("/old?a=b")[1]["Location"] == "https://new.example.com:443/moved/old?a=b"
    loop = [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302"}}]
    refused("InvalidLoadBalancerAction", elb.modify_rule, "creates a loop", RuleArn=rule, Actions=loop)
    elb.delete_rule(RuleArn=rule)


def test_what_no_rule_can_have_is_refused(elb, web):
    make = lambda **more: elb.create_rule(**{
        "ListenerArn": web.listener, "Priority": 9, "Conditions": [{"Field": "path-pattern", "Values": ["/a"]}], "Actions": says("a"), **more})
    refused("ValidationError", make, "'5' condition values", Conditions=[{"Field": "path-pattern", "Values": list("abcdef")}])
    refused("ValidationError", make, "'6' condition wildcards", Conditions=[{"Field": "path-pattern", "Values": ["/*/*/*/*", "/*/*/*"]}])
    refused("ValidationError", make, "cookie", Conditions=[{"Field": "cookie", "Values": ["a"]}])
    refused("ValidationError", make, Conditions=[condition("source-ip", "SourceIpConfig", Values=["127.0.0.1"])])
    refused("ValidationError", make, "regular expression", Conditions=[{"Field": "path-pattern", "RegexValues": ["("]}])
    refused("InvalidLoadBalancerAction", make, "Exactly one action", Actions=says("a") + says("b"))
    oidc = {"Issuer": "https://a", "AuthorizationEndpoint": "https://a", "TokenEndpoint": "https://a", "UserInfoEndpoint": "https://a",
            "ClientId": "a", "ClientSecret": "a"}
    login = [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": oidc}, {**says("a")[0], "Order": 2}]
    refused("InvalidConfigurationRequest", make, "'authenticate-oidc' are not supported", Actions=login)
    refused("ListenerNotFound", make, ListenerArn=web.listener[:-1] + "x")
    assert len(elb.describe_rules(ListenerArn=web.listener)["Rules"]) == 1


def test_what_cannot_be_compiled_is_refused_at_the_call(elb, web):
    """One rule that the edge cannot serve would keep the whole load balancer as it was."""
    make = lambda condition, actions=says("a"), **more: elb.create_rule(
        ListenerArn=web.listener, Priority=9, Conditions=[condition], Actions=actions, **more)
    regex = lambda value, field="path-pattern": {"Field": field, "RegexValues": [value]}
    for value in (r"^/\p{L}+", "^/[\u00e9]+", "^/[^\u00e9]$", "(?R)", "^/a++", "(?=a)", r"(?u)^/\w"):
        refused("ValidationError", make, condition=regex(value))
    refused("ValidationError", make, "stands for too much", condition=regex("(a{255}){100}", "host-header"))
    rewrite = lambda replace: [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/(.*)", "Replace": replace}]}}]
    refused("ValidationError", make, "names group $2", condition=regex("^/a"), Transforms=rewrite("/$2"))
    redirect = lambda **config: [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}]
    refused("InvalidLoadBalancerAction", make, "'+80'", condition=regex("^/a"), actions=redirect(Port="+80"))
    refused("InvalidLoadBalancerAction", make, "creates a loop", condition=regex("^/a"), actions=redirect(Query="a=b"))
    taken = [(r"^/users/[\w-]{1,36}$", "/users/a-1"), (r"^/[\w.-]{1,255}$", "/a.b"), (r"^/\w{1,100}/\d{1,100}$", "/a/1"), (r"^/\w{100}$", "/" + "a" * 100)]
    for value, asked in taken:
        rule = make(regex(value), says(value))["Rules"][0]["RuleArn"]
        web.hears(value, asked)
        elb.delete_rule(RuleArn=rule)


def first_free(plain, ports):
    for port in ports:
        try:
            plain.bind(("", port))
            return port
        except OSError:
            continue
    raise AssertionError("no port is free")


def listening(port, **more):
    return {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {
        "LoadBalancerArn": {"Ref": "Balancer"}, "Port": port, "Protocol": "HTTP", "DefaultActions": says("listener")}, **more}


def test_a_stack_does_not_say_that_what_nobody_serves_is_complete(elb, network, stack):
    """A port that another program has, too high for a substitute: the stack tells why it fails, and finds back to what it was."""
    balancer = {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {
        "Subnets": network.subnets, "SecurityGroups": [network.front]}}
    with socket.socket() as other:
        taken = first_free(other, range(62_000, 64_000))
        other.listen()
        failing = stack()
        failing.create(resources(Balancer=balancer, Listener=listening(taken)), wait="ROLLBACK_COMPLETE")
        told = [reason for name, status, reason in failing.events() if (name, status) == ("Listener", "CREATE_FAILED")]
        assert len(told) == 1 and str(taken) in told[0], failing.events()

        updated = stack()
        old = resources(Balancer=balancer, Listener=listening(7180))
        updated.create(old)
        new = resources(Balancer=balancer, Listener=listening(7181), Second=listening(taken, DependsOn="Listener"))
        updated.update(new, wait="UPDATE_ROLLBACK_COMPLETE")
        arn = updated.resources()["Balancer"]
        shown = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        assert shown["State"] == {"Code": "active"}
        assert [l["Port"] for l in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]] == [7180]
    updated.update(new)
    for port in (7181, taken):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/", headers={"Host": shown["DNSName"]})
        assert connection.getresponse().read() == b"listener", "complete means that it is served, at once"
        connection.close()


def test_security_policies(elb):
    policies = elb.describe_ssl_policies()["SslPolicies"]
    assert {v for p in policies for v in p["SslProtocols"]} == {"TLSv1.2", "TLSv1.3"}
    one = elb.describe_ssl_policies(Names=["ELBSecurityPolicy-TLS13-1-2-Res-2021-06"])["SslPolicies"][0]
    assert one["Ciphers"][0] == {"Name": "TLS_AES_128_GCM_SHA256", "Priority": 1}
    refused("InvalidConfigurationRequest", elb.describe_ssl_policies, "TLS 1.0", Names=["ELBSecurityPolicy-2016-08"])
    refused("SSLPolicyNotFound", elb.describe_ssl_policies, Names=["nonsense"])


def test_address_types_and_capacity(elb, web):
    assert elb.set_ip_address_type(LoadBalancerArn=web.arn, IpAddressType="dualstack")["IpAddressType"] == "dualstack"
    assert elb.describe_load_balancers(LoadBalancerArns=[web.arn])["LoadBalancers"][0]["IpAddressType"] == "dualstack"
    elb.set_ip_address_type(LoadBalancerArn=web.arn, IpAddressType="ipv4")
    reserve = lambda units: elb.modify_capacity_reservation(
        LoadBalancerArn=web.arn, MinimumLoadBalancerCapacity={"CapacityUnits": units})
    assert reserve(200)["MinimumLoadBalancerCapacity"]["CapacityUnits"] == 200
    assert len(elb.describe_capacity_reservation(LoadBalancerArn=web.arn)["CapacityReservationState"]) == 2
    elb.modify_capacity_reservation(LoadBalancerArn=web.arn, ResetCapacityReservation=True)
    assert "MinimumLoadBalancerCapacity" not in elb.describe_capacity_reservation(LoadBalancerArn=web.arn)
    web.hears("default", "/")


def test_network_load_balancers_have_their_own_rules(elb, network, web):
    made = elb.create_load_balancer(Name="flow", Type="network", Scheme="internal", Subnets=network.subnets[:1])["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    assert made["Type"] == "network" and "/net/flow/" in arn and not made.get("SecurityGroups")
    group = lambda name, protocol: elb.create_target_group(
        Name=name, Protocol=protocol, Port=80, VpcId=network.vpc, TargetType="ip")["TargetGroups"][0]
    tcp = group("flow-tcp", "TCP")
    assert tcp["HealthCheckProtocol"] == "TCP" and "Matcher" not in tcp and "ProtocolVersion" not in tcp
    http = group("flow-http", "HTTP")
    make = lambda protocol, to: elb.create_listener(
        LoadBalancerArn=arn, Protocol=protocol, Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": to["TargetGroupArn"]}])
    refused("ValidationError", make, "'TCP, TLS, UDP, TCP_UDP'", protocol="HTTP", to=http)
    refused("IncompatibleProtocols", make, protocol="TCP", to=http)
    refused("InvalidLoadBalancerAction", elb.create_listener, LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=says("a"))
    refused("InvalidConfigurationRequest", elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=[network.front])
    values = {a["Key"]: a["Value"] for a in elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]}
    assert values["load_balancing.cross_zone.enabled"] == "false" and "idle_timeout.timeout_seconds" not in values
    attributes = {a["Key"]: a["Value"] for a in elb.describe_target_group_attributes(TargetGroupArn=tcp["TargetGroupArn"])["Attributes"]}
    assert attributes["preserve_client_ip.enabled"] == "false" and attributes["stickiness.type"] == "source_ip"
    elb.delete_load_balancer(LoadBalancerArn=arn)
    for one in (tcp, http):
        elb.delete_target_group(TargetGroupArn=one["TargetGroupArn"])


def shown(front, name):
    """The certificate that clients of this name are shown, DER."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((front, 443), timeout=10) as plain, context.wrap_socket(plain, server_hostname=name) as secure:
        return secure.getpeercert(binary_form=True)


def test_certificates_by_name(client, elb, web):
    """Each name gets its certificate, live; the default one is for all others and cannot be taken away."""
    acm = client("acm")
    names = ["one.example.com", "two.example.com"]
    one, two = (acm.request_certificate(DomainName=name, ValidationMethod="DNS")["CertificateArn"] for name in names)
    issued = lambda arn: acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED"
    wait_for("both issued", lambda: issued(one) and issued(two), 60)
    der = {arn: ssl.PEM_cert_to_DER_cert(acm.get_certificate(CertificateArn=arn)["Certificate"]) for arn in (one, two)}
    make = lambda **more: elb.create_listener(
        **{"LoadBalancerArn": web.arn, "Protocol": "HTTPS", "Port": 443, "DefaultActions": says("secure"),
           "Certificates": [{"CertificateArn": one}], **more})
    refused("CertificateNotFound", make, Certificates=[{"CertificateArn": one[:-1] + "x"}])
    refused("ValidationError", make, "A certificate must be specified", Certificates=[])
    refused("InvalidConfigurationRequest", make, "TLS 1.0", SslPolicy="ELBSecurityPolicy-2016-08")
    listener = make()["Listeners"][0]
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "the one that AWS's console proposes"

    def shows(name, arn):
        try:
            return shown(web.front, name) == der[arn]
        except OSError:
            return False

    wait_for("the default certificate", lambda: shows(names[0], one) and shows(names[1], one), 10)
    more = {"ListenerArn": listener["ListenerArn"], "Certificates": [{"CertificateArn": two}]}
    elb.add_listener_certificates(**more)
    wait_for("the name's certificate", lambda: shows(names[1], two), 10)
    assert shows(names[0], one) and shows("other.example.com", one)
    listed = elb.describe_listener_certificates(ListenerArn=listener["ListenerArn"])["Certificates"]
    assert listed == [{"CertificateArn": one, "IsDefault": True}, {"CertificateArn": two, "IsDefault": False}]
    refused("OperationNotPermitted", elb.remove_listener_certificates, ListenerArn=listener["ListenerArn"],
            Certificates=[{"CertificateArn": one}])
    refused("ResourceInUseException", acm.delete_certificate, CertificateArn=one)
    elb.remove_listener_certificates(**more)
    wait_for("the default one again", lambda: shows(names[1], one), 10)
    elb.delete_listener(ListenerArn=listener["ListenerArn"])
    for arn in (one, two):
        acm.delete_certificate(CertificateArn=arn)
