"""Server certificates that IAM keeps, as users of HTTPS listeners bring them: unmodified clients, the `aws` command with files,
and TLS clients that look at what is served."""

import json
import os
import subprocess
import sys

import pytest

from calls import front_of, refused
from region import wait_for
from stacks import Stack, name_of
from test_acm import curl, openssl, served

HELLO = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "hello"}}


@pytest.fixture(scope="module")
def iam(client):
    return client("iam")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with an authority (`ca.pem`) and what it signed for two hosts (`shop.pem`, `shop.key`, likewise `blog`)."""
    folder = tmp_path_factory.mktemp("server-certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    usage = ["-addext", "keyUsage = critical, keyCertSign, cRLSign"]
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2", *usage)
    for name in ("shop", "blog"):
        (folder / "names").write_text(f"subjectAltName = DNS:{name}.example.com\n")
        openssl(folder, "req", "-new", *key, "-keyout", f"{name}.key", "-out", "request", "-subj", f"/CN={name}.example.com")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
        openssl(folder, "x509", "-req", "-in", "request", "-out", f"{name}.pem", *signing)
    return folder


def body_of(files, name):
    return {"CertificateBody": (files / f"{name}.pem").read_text(), "PrivateKey": (files / f"{name}.key").read_text()}


def serial_of(files, name):
    told = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", files / f"{name}.pem"], capture_output=True, text=True, timeout=20)
    return told.stdout.strip().removeprefix("serial=").lower()


@pytest.fixture(scope="module")
def shop(iam, region, files):
    """Uploaded by the `aws` command from files; gives what it told."""
    words = ["--server-certificate-name", "shop", "--path", "/web/", "--tags", "Key=team,Value=a"]
    words += [w for option, file in (("body", "shop.pem"), ("chain", "ca.pem")) for w in (f"--certificate-{option}", f"file://{files / file}")]
    words += ["--private-key", f"file://{files / 'shop.key'}", "--output", "json"]
    command = [os.path.join(os.path.dirname(sys.executable), "aws"), "iam", "upload-server-certificate", *words]
    out = subprocess.run(command, env=region.environment(), capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert "PRIVATE" not in out.stdout
    yield json.loads(out.stdout)
    iam.delete_server_certificate(ServerCertificateName="shop")


@pytest.fixture(scope="module")
def blog(iam, files):
    yield iam.upload_server_certificate(ServerCertificateName="blog", **body_of(files, "blog"))["ServerCertificateMetadata"]["Arn"]
    iam.delete_server_certificate(ServerCertificateName="blog")


@pytest.fixture(scope="module")
def balancer(client):
    elb, subnets = client("elbv2"), client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    ids = [s["SubnetId"] for s in subnets["Subnets"]][:2]
    made = elb.create_load_balancer(Name="server-certificates", Subnets=ids)["LoadBalancers"][0]["LoadBalancerArn"]
    yield made
    elb.delete_load_balancer(LoadBalancerArn=made)


@pytest.fixture(scope="module")
def listener(client, region, shop, blog, balancer):
    """An HTTPS listener with the uploaded certificates; its ARN and its address. It ends before they do."""
    elb = client("elbv2")
    arn = elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": shop["ServerCertificateMetadata"]["Arn"]}],
        DefaultActions=[HELLO],
    )["Listeners"][0]["ListenerArn"]
    front = wait_for("the edge serves the listener", lambda: front_of(region, arn))
    yield arn, front.rsplit(":", 1)[0]
    elb.delete_listener(ListenerArn=arn)


def test_an_uploaded_certificate_is_told_without_its_key(iam, shop, files):
    told = shop["ServerCertificateMetadata"]
    assert told["Arn"].endswith(":server-certificate/web/shop") and told["ServerCertificateId"].startswith("ASCA")
    assert shop["Tags"] == [{"Key": "team", "Value": "a"}]
    got = iam.get_server_certificate(ServerCertificateName="shop")
    assert "PRIVATE" not in json.dumps(got, default=str)
    shown = got["ServerCertificate"]
    assert shown["CertificateBody"] == (files / "shop.pem").read_text().strip()
    assert shown["CertificateChain"] == (files / "ca.pem").read_text().strip()
    listed = iam.list_server_certificates(PathPrefix="/web/")["ServerCertificateMetadataList"]
    assert [c["ServerCertificateName"] for c in listed] == ["shop"]
    assert (shown["ServerCertificateMetadata"]["Expiration"] - shown["ServerCertificateMetadata"]["UploadDate"]).days == 1


def test_what_does_not_fit_together_is_refused(iam, shop, files):
    good, other = body_of(files, "shop"), body_of(files, "blog")
    put = lambda name="new", **more: {"ServerCertificateName": name, **good, **more}
    refused("EntityAlreadyExists", iam.upload_server_certificate, status=409, **put("Shop"))
    refused("KeyPairMismatch", iam.upload_server_certificate, status=400, **put(PrivateKey=other["PrivateKey"]))
    refused("MalformedCertificate", iam.upload_server_certificate, status=400, **put(CertificateBody="nothing"))
    chain = (files / "blog.pem").read_text()
    refused("MalformedCertificate", iam.upload_server_certificate, "certificate chain", **put(CertificateChain=chain))
    refused("ValidationError", iam.upload_server_certificate, "'privateKey'", **put(PrivateKey="x" * 16_385))
    refused("NoSuchEntity", iam.get_server_certificate, "new cannot be found", status=404, ServerCertificateName="new")
    refused("NoSuchEntity", iam.delete_server_certificate, ServerCertificateName="new")


def test_tags_come_and_go(iam, shop):
    iam.tag_server_certificate(ServerCertificateName="shop", Tags=[{"Key": "stage", "Value": "test"}])
    iam.untag_server_certificate(ServerCertificateName="shop", TagKeys=["team"])
    assert iam.list_server_certificate_tags(ServerCertificateName="shop")["Tags"] == [{"Key": "stage", "Value": "test"}]


def test_clients_are_shown_the_certificate_of_the_name_they_call(client, listener, shop, blog, files):
    elb, (arn, front) = client("elbv2"), listener
    assert curl("shop.example.com", front, files / "ca.pem").stdout == "hello"
    assert served("shop.example.com", front) == serial_of(files, "shop")
    assert curl("blog.example.com", front, files / "ca.pem").returncode == 60
    refused("CertificateNotFound", elb.add_listener_certificates, ListenerArn=arn, Certificates=[{"CertificateArn": blog + "2"}])
    elb.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": blog}])
    wait_for("the second one is shown", lambda: served("blog.example.com", front) == serial_of(files, "blog"))
    assert curl("blog.example.com", front, files / "ca.pem").stdout == "hello"
    assert served("shop.example.com", front) == serial_of(files, "shop")
    elb.remove_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": blog}])


def test_a_certificate_in_use_is_not_deleted_and_keeps_its_listener_under_another_name(client, iam, listener, balancer, shop, files):
    elb, (arn, front) = client("elbv2"), listener
    words = ["is currently in use by " + balancer]
    refused("DeleteConflict", iam.delete_server_certificate, *words, status=409, ServerCertificateName="shop")
    iam.update_server_certificate(ServerCertificateName="shop", NewServerCertificateName="store", NewPath="/")
    now = iam.get_server_certificate(ServerCertificateName="store")["ServerCertificate"]["ServerCertificateMetadata"]
    assert now["Arn"].endswith(":server-certificate/store")
    assert now["ServerCertificateId"] == shop["ServerCertificateMetadata"]["ServerCertificateId"]
    assert elb.describe_listeners(ListenerArns=[arn])["Listeners"][0]["Certificates"] == [{"CertificateArn": now["Arn"]}]
    assert curl("shop.example.com", front, files / "ca.pem").stdout == "hello"
    refused("DeleteConflict", iam.delete_server_certificate, *words, ServerCertificateName="store")
    iam.update_server_certificate(ServerCertificateName="store", NewServerCertificateName="shop", NewPath="/web/")


def test_a_stack_makes_a_certificate_with_its_listener_and_ends_both(client, iam, region, balancer, files):
    pair = body_of(files, "blog")
    template = {
        "Parameters": {"Path": {"Type": "String", "Default": "/one/"}},
        "Resources": {
            "Certificate": {
                "Type": "AWS::IAM::ServerCertificate",
                "Properties": {**pair, "CertificateChain": (files / "ca.pem").read_text(), "Path": {"Ref": "Path"}},
            },
            "Listener": {
                "Type": "AWS::ElasticLoadBalancingV2::Listener",
                "Properties": {
                    "LoadBalancerArn": balancer,
                    "Port": 9443,
                    "Protocol": "HTTPS",
                    "Certificates": [{"CertificateArn": {"Fn::GetAtt": ["Certificate", "Arn"]}}],
                    "DefaultActions": [HELLO],
                },
            },
        },
        "Outputs": {"Name": {"Value": {"Ref": "Certificate"}}, "Listener": {"Value": {"Ref": "Listener"}}},
    }
    formation = client("cloudformation")
    stack = Stack(formation, name_of("server-certificate"))
    try:
        told = stack.create(template).outputs()
        front = wait_for("the edge serves the listener", lambda: front_of(region, told["Listener"]))
        address, port = front.rsplit(":", 1)
        show = ["openssl", "s_client", "-connect", f"{address}:{port}", "-CAfile", files / "ca.pem"]
        shown = lambda: subprocess.run(show, input="", capture_output=True, text=True, timeout=20).stdout
        assert "CN = blog.example.com" in shown() and "Verify return code: 0 (ok)" in shown()
        events = formation.describe_stack_events(StackName=stack.id)["StackEvents"]
        assert not any("PRIVATE KEY" in e.get("ResourceProperties", "") for e in events)
        stack.update(parameters={"Path": "/two/"})
        got = iam.get_server_certificate(ServerCertificateName=told["Name"])["ServerCertificate"]["ServerCertificateMetadata"]
        assert got["Arn"].endswith(f":server-certificate/two/{told['Name']}")
        template["Resources"]["Certificate"]["Properties"] |= body_of(files, "shop")
        stack.update(template, parameters={"Path": None})
        wait_for("the new certificate is shown", lambda: "CN = shop.example.com" in shown())
        refused("NoSuchEntity", iam.get_server_certificate, ServerCertificateName=told["Name"])
        told = stack.outputs()
    finally:
        stack.delete()
    refused("NoSuchEntity", iam.get_server_certificate, ServerCertificateName=told["Name"])


def test_keys_are_in_no_log(region, listener):
    for log in (region.data / "logs").iterdir():
        assert b"PRIVATE KEY" not in log.read_bytes(), log
