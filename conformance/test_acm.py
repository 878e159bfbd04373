"""Certificates of the region's own authority, and imported ones, as a user of ACM drives them: unmodified clients, and curl
against HTTPS listeners with the region's root."""

import json
import subprocess
import urllib.request

import pytest

from calls import front_of, refused
from region import wait_for

HELLO = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "hello"}}


@pytest.fixture(scope="module")
def acm(client):
    return client("acm")


@pytest.fixture(scope="module")
def root(region):
    """The file of the region's root, as `allod ca` names it."""
    told = json.loads(region.run("ca", "--output", "json"))
    assert told["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert region.run("ca") == told["certificate"]
    return told["file"]


def described(acm, arn):
    return acm.describe_certificate(CertificateArn=arn)["Certificate"]


def issued(acm, name, **more):
    arn = acm.request_certificate(DomainName=name, ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1", **more)["CertificateArn"]
    wait_for("the certificate is issued", lambda: described(acm, arn)["Status"] == "ISSUED")
    return arn


def curl(host, front, root, *more):
    """What curl says of an HTTPS request to the host at an address."""
    command = ["curl", "-sS", "--max-time", "10", "--cacert", str(root), "--resolve", f"{host}:443:{front}", *more, f"https://{host}/"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def served(host, front):
    """The certificate that a server shows for a host."""
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", f"{front}:443", "-servername", host], input="", capture_output=True, text=True, timeout=20
    )
    told = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown.stdout, capture_output=True, text=True, timeout=20)
    return told.stdout.strip().removeprefix("serial=").lower()


@pytest.fixture(scope="module")
def balancer(client):
    elb, subnets = client("elbv2"), client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    ids = [s["SubnetId"] for s in subnets["Subnets"]][:2]
    made = elb.create_load_balancer(Name="certificates", Subnets=ids)["LoadBalancers"][0]
    yield made
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


@pytest.fixture(scope="module")
def listener(client, acm, region, balancer):
    """An HTTPS listener with a certificate for the load balancer's own name; gives both and its address."""
    name = balancer["DNSName"].split(".", 1)[1]
    arn = issued(acm, f"*.{name}")
    made = client("elbv2").create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[HELLO],
    )["Listeners"][0]

    front = wait_for("the edge serves the listener", lambda: front_of(region, made["ListenerArn"]))
    yield made["ListenerArn"], arn, front.rsplit(":", 1)[0]
    client("elbv2").delete_listener(ListenerArn=made["ListenerArn"])


def test_a_requested_certificate_is_validated_and_issued_by_the_region(acm):
    arn = issued(acm, "www.example.com", SubjectAlternativeNames=["*.example.com"], Tags=[{"Key": "team", "Value": "a"}])
    shown = described(acm, arn)
    assert shown["Type"] == "AMAZON_ISSUED" and shown["KeyAlgorithm"] == "EC-prime256v1"
    assert shown["SubjectAlternativeNames"] == ["www.example.com", "*.example.com"]
    assert {v["ValidationStatus"] for v in shown["DomainValidationOptions"]} == {"SUCCESS"}
    assert (shown["NotAfter"] - shown["NotBefore"]).days == 394
    got = acm.get_certificate(CertificateArn=arn)
    assert "PRIVATE" not in got["Certificate"] + got["CertificateChain"]
    listed = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
    assert arn in [c["CertificateArn"] for c in listed]
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]
    acm.delete_certificate(CertificateArn=arn)
    refused("ResourceNotFoundException", acm.describe_certificate, CertificateArn=arn)


def test_a_certificate_has_at_most_ten_names(acm):
    more = [f"{n}.example.com" for n in range(10)]
    refused("LimitExceededException", acm.request_certificate, "too many domains", DomainName="www.example.com", SubjectAlternativeNames=more)


def test_tags_and_options_change_and_what_is_no_private_certificate_stays_here(acm):
    arn = issued(acm, "options.example.com")
    acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "test"}])
    acm.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "team"}])
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]
    acm.update_certificate_options(CertificateArn=arn, Options={"CertificateTransparencyLoggingPreference": "DISABLED"})
    assert described(acm, arn)["Options"]["CertificateTransparencyLoggingPreference"] == "DISABLED"
    refused("ValidationException", acm.export_certificate, "not a private certificate", CertificateArn=arn, Passphrase=b"secret")
    mail = {"Domain": "options.example.com", "ValidationDomain": "example.com"}
    refused("InvalidStateException", acm.resend_validation_email, "does not wait", CertificateArn=arn, **mail)
    acm.delete_certificate(CertificateArn=arn)


def test_curl_trusts_a_listener_by_the_regions_root_alone(listener, balancer, root):
    _, _, front = listener
    said = curl(balancer["DNSName"], front, root)
    assert said.stdout == "hello", said.stderr
    assert curl(balancer["DNSName"], front, "/etc/ssl/certs/ca-certificates.crt").returncode == 60


def test_curl_agrees_on_http2_unless_it_is_off(client, listener, balancer, root):
    _, _, front = listener
    ask = [balancer["DNSName"], front, root, "--http2", "--write-out", " by %{http_version}"]
    assert curl(*ask).stdout == "hello by 2"
    assert curl(*ask, "--data", "x" * 100_000).stdout == "hello by 2"

    def set_http2(value):
        attributes = [{"Key": "routing.http2.enabled", "Value": value}]
        client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"], Attributes=attributes)

    set_http2("false")
    wait_for("HTTP/2 is not offered", lambda: curl(*ask).stdout == "hello by 1.1")
    set_http2("true")
    wait_for("HTTP/2 is offered", lambda: curl(*ask).stdout == "hello by 2")


def test_a_certificate_in_use_names_its_load_balancer_and_stays(acm, listener, balancer):
    _, arn, _ = listener
    assert described(acm, arn)["InUseBy"] == [balancer["LoadBalancerArn"]]
    refused("ResourceInUseException", acm.delete_certificate, CertificateArn=arn)


def test_a_renewed_certificate_reaches_the_listener_by_itself(acm, listener, balancer, root):
    _, arn, front = listener
    before = described(acm, arn)["Serial"]
    acm.renew_certificate(CertificateArn=arn)
    wait_for("it is renewed", lambda: described(acm, arn)["Serial"] != before)
    after = described(acm, arn)["Serial"].replace(":", "")
    wait_for("the edge shows it", lambda: served(balancer["DNSName"], front) == after)
    assert described(acm, arn)["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    assert curl(balancer["DNSName"], front, root).stdout == "hello"


def test_certificates_are_told_apart_by_the_name_that_is_called(client, acm, listener, balancer, root, tmp_path):
    arn, own, front = listener
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        + ["-subj", "/CN=shop.example.com", "-addext", "subjectAltName=DNS:shop.example.com"]
        + ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "shop.pem")],
        check=True,
        capture_output=True,
    )
    certificate, key = (tmp_path / "shop.pem").read_bytes(), (tmp_path / "key.pem").read_bytes()
    shop = acm.import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
    elb = client("elbv2")
    elb.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": shop}])
    wait_for("the imported one is shown", lambda: curl("shop.example.com", front, tmp_path / "shop.pem").stdout == "hello")
    assert curl("shop.example.com", front, root).returncode == 60
    # "If the default certificate is also in the certificate list, it appears twice": the list is a thing of its own.
    for default in (shop, own):
        elb.modify_listener(ListenerArn=arn, Certificates=[{"CertificateArn": default}])
        shown = elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]
        assert [(c["CertificateArn"], c["IsDefault"]) for c in shown] == [(default, True), (shop, False)]
    wait_for("the own one is the default again", lambda: curl(balancer["DNSName"], front, root).stdout == "hello")
    assert curl("shop.example.com", front, tmp_path / "shop.pem").stdout == "hello"
    assert acm.import_certificate(CertificateArn=shop, Certificate=certificate, PrivateKey=key)["CertificateArn"] == shop
    refused("ValidationException", acm.export_certificate, CertificateArn=shop, Passphrase=b"secret")
    elb.remove_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": shop}])
    acm.delete_certificate(CertificateArn=shop)


def test_keys_lie_in_files_of_their_owner_alone(region, listener):
    for file in ["authority/root-key.pem", "region.redb", "run/edge-config.json"]:
        assert (region.data / file).stat().st_mode & 0o777 == 0o600, file
    for log in (region.data / "logs").iterdir():
        assert b"PRIVATE KEY" not in log.read_bytes(), log


def test_a_trust_store_is_read_from_its_bucket(client, region, root):
    elb = client("elbv2")
    bucket = region.data / "buckets" / "trust"
    bucket.mkdir(parents=True, exist_ok=True)
    (bucket / "ca.pem").write_bytes(open(root, "rb").read())
    (bucket / "bad.pem").write_text("nothing")
    place = {"CaCertificatesBundleS3Bucket": "trust", "CaCertificatesBundleS3Key": "ca.pem"}
    refused("CaCertificatesBundleNotFound", elb.create_trust_store, Name="clients", **place | {"CaCertificatesBundleS3Key": "none"})
    refused("InvalidCaCertificatesBundle", elb.create_trust_store, Name="clients", **place | {"CaCertificatesBundleS3Key": "bad.pem"})
    store = elb.create_trust_store(Name="clients", **place)["TrustStores"][0]
    assert (store["Status"], store["NumberOfCaCertificates"]) == ("ACTIVE", 1)
    refused("DuplicateTrustStoreName", elb.create_trust_store, Name="clients", **place)
    elb.delete_trust_store(TrustStoreArn=store["TrustStoreArn"])
    refused("TrustStoreNotFound", elb.describe_trust_stores, TrustStoreArns=[store["TrustStoreArn"]])


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """A folder with an authority of clients (`ca.pem`), a client of it (`client.pem`, `client.key`) and a list that revokes that one."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ncertificate = ca.pem\nprivate_key = ca.key\n"
        "default_md = sha256\ndefault_crl_days = 2\n"
    )
    (folder / "index.txt").write_text("")
    (folder / "number").write_text("01\n")
    (folder / "client.ext").write_text("basicConstraints = CA:false\nextendedKeyUsage = clientAuth\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    usage = ["-addext", "keyUsage = critical, keyCertSign, cRLSign"]
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=clients", "-days", "2", *usage)
    openssl(folder, "req", "-new", *key, "-keyout", "client.key", "-out", "client.csr", "-subj", "/CN=ada")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "client.ext"]
    openssl(folder, "x509", "-req", "-in", "client.csr", "-out", "client.pem", *signing)
    openssl(folder, "ca", "-config", "ca.cnf", "-revoke", "client.pem")
    openssl(folder, "ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem")
    return folder


def test_clients_show_a_certificate_that_the_trust_store_vouches_for(client, region, root, listener, balancer, clients):
    elb, (arn, _, front) = client("elbv2"), listener
    bucket = region.data / "buckets" / "mutual"
    bucket.mkdir(parents=True, exist_ok=True)
    for name in ["ca.pem", "crl.pem"]:
        (bucket / name).write_bytes((clients / name).read_bytes())
    made = elb.create_trust_store(Name="mutual", CaCertificatesBundleS3Bucket="mutual", CaCertificatesBundleS3Key="ca.pem")
    store = made["TrustStores"][0]["TrustStoreArn"]
    elb.modify_listener(ListenerArn=arn, MutualAuthentication={"Mode": "verify", "TrustStoreArn": store})
    users = elb.describe_trust_store_associations(TrustStoreArn=store)["TrustStoreAssociations"]
    assert users == [{"ResourceArn": balancer["LoadBalancerArn"]}]
    refused("TrustStoreInUse", elb.delete_trust_store, TrustStoreArn=store)

    ask = [balancer["DNSName"], front, root]
    own = ["--cert", str(clients / "client.pem"), "--key", str(clients / "client.key")]
    wait_for("a client without a certificate is turned away", lambda: curl(*ask).returncode != 0)
    said = curl(*ask, *own)
    assert said.stdout == "hello", said.stderr

    crl = {"S3Bucket": "mutual", "S3Key": "crl.pem", "RevocationType": "CRL"}
    added = elb.add_trust_store_revocations(TrustStoreArn=store, RevocationContents=[crl])["TrustStoreRevocations"]
    assert [(r["RevocationType"], r["NumberOfRevokedEntries"]) for r in added] == [("CRL", 1)]
    listed = elb.describe_trust_store_revocations(TrustStoreArn=store)["TrustStoreRevocations"]
    assert [r["RevocationId"] for r in listed] == [added[0]["RevocationId"]]
    wait_for("the revoked client is turned away", lambda: curl(*ask, *own).returncode != 0)
    content = elb.get_trust_store_revocation_content(TrustStoreArn=store, RevocationId=added[0]["RevocationId"])
    with urllib.request.urlopen(content["Location"]) as answer:
        assert answer.read().split() == (clients / "crl.pem").read_bytes().split()
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[added[0]["RevocationId"]])
    wait_for("the client is trusted again", lambda: curl(*ask, *own).stdout == "hello")

    (bucket / "region.pem").write_bytes(open(root, "rb").read())
    elb.modify_trust_store(TrustStoreArn=store, CaCertificatesBundleS3Bucket="mutual", CaCertificatesBundleS3Key="region.pem")
    assert elb.describe_trust_stores(TrustStoreArns=[store])["TrustStores"][0]["NumberOfCaCertificates"] == 1
    wait_for("a client of another authority is turned away", lambda: curl(*ask, *own).returncode != 0)

    with urllib.request.urlopen(elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=store)["Location"]) as answer:
        assert answer.read().split() == open(root, "rb").read().split()
    refused("RevocationIdNotFound", elb.get_trust_store_revocation_content, TrustStoreArn=store, RevocationId=9)
    elb.modify_listener(ListenerArn=arn, MutualAuthentication={"Mode": "off"})
    wait_for("nobody is asked", lambda: curl(*ask).stdout == "hello")
    elb.delete_trust_store(TrustStoreArn=store)
