"""Instances and what they are made from, as a user of EC2 drives them. The network is in test_ec2_network.py."""

import os

import pytest

from calls import Network, console, dry, encoded, init_pid, processes_in, refused, script
from region import wait_for

UNKNOWN = "00000000000000000"
KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm test"


@pytest.fixture(scope="module")
def network(ec2):
    network = Network(ec2, "10.41")
    yield network
    network.remove()


@pytest.fixture
def run(ec2, network):
    """Runs instances that end with the test."""
    made = []

    def run(count=1, **more):
        more = {"ImageId": "ami-host", "InstanceType": "t3.nano", "SubnetId": network.subnets[0], "MaxCount": count, **more}
        reservation = ec2.run_instances(**{"MinCount": more["MaxCount"], **more})
        made.extend(i["InstanceId"] for i in reservation["Instances"])
        return reservation

    yield run
    if made:
        ec2.terminate_instances(InstanceIds=made)


def one(ec2, instance_id):
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def wait(ec2, waiter, *ids):
    ec2.get_waiter(waiter).wait(InstanceIds=list(ids), WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def state(ec2, instance_id):
    return one(ec2, instance_id)["State"]["Name"]


def test_the_life_of_an_instance(region, ec2, network, run):
    """Run, stop, start, reboot, terminate: each really happens, and user data runs at the first boot only."""
    tags = [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": "life"}]} for kind in ("instance", "volume")]
    data = script("echo user data on $(hostname)", "touch /marker")
    answer = run(UserData=data, TagSpecifications=tags, SecurityGroupIds=[network.app])
    instance = answer["Instances"][0]
    i = instance["InstanceId"]
    assert instance["State"] == {"Code": 0, "Name": "pending"}
    assert instance["Placement"]["AvailabilityZone"] == network.zones[0]
    assert instance["PrivateIpAddress"].startswith("10.41.0.")
    assert {"Key": "Name", "Value": "life"} in instance["Tags"]
    assert answer["OwnerId"] and answer["ReservationId"].startswith("r-")
    wait(ec2, "instance_running", i)
    wait(ec2, "instance_status_ok", i)
    wait(ec2, "system_status_ok", i)
    name = "ip-" + instance["PrivateIpAddress"].replace(".", "-")
    wait_for("user data in the console", lambda: f"user data on {name}" in console(ec2, i))

    pid = init_pid(region, i)
    space = os.readlink(f"/proc/{pid}/ns/pid_for_children")
    stopping = ec2.stop_instances(InstanceIds=[i])["StoppingInstances"][0]
    assert stopping["PreviousState"]["Name"] == "running" and stopping["CurrentState"]["Name"] == "stopping"
    wait(ec2, "instance_stopped", i)
    assert not os.path.exists(f"/proc/{pid}") and processes_in(space) == 0, "a stopped instance has no process"
    stopped = one(ec2, i)
    assert stopped["PrivateIpAddress"] == instance["PrivateIpAddress"], "a stopped instance keeps its address"
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert stopped["StateTransitionReason"].startswith("User initiated (")

    starting = ec2.start_instances(InstanceIds=[i])["StartingInstances"][0]
    assert (starting["PreviousState"]["Name"], starting["CurrentState"]["Name"]) == ("stopped", "pending")
    wait(ec2, "instance_running", i)
    wait_for("a second boot", lambda: "boot 2" in console(ec2, i))
    assert one(ec2, i)["LaunchTime"] >= instance["LaunchTime"]

    before = init_pid(region, i)
    ec2.reboot_instances(InstanceIds=[i])
    wait_for("a third boot", lambda: "boot 3" in console(ec2, i))
    wait_for("another init", lambda: init_pid(region, i) not in (None, before))
    assert console(ec2, i).count(f"user data on {name}") == 1, console(ec2, i)

    ended = ec2.terminate_instances(InstanceIds=[i])["TerminatingInstances"][0]
    assert ended["PreviousState"]["Name"] == "running" and ended["CurrentState"]["Name"] == "shutting-down"
    wait(ec2, "instance_terminated", i)
    last = one(ec2, i)
    assert "PrivateIpAddress" not in last and "VpcId" not in last, last
    assert init_pid(region, i) is None
    assert ec2.terminate_instances(InstanceIds=[i])["TerminatingInstances"][0]["CurrentState"]["Name"] == "terminated"
    refused("IncorrectInstanceState", ec2.start_instances, i, InstanceIds=[i])
    refused("IncorrectInstanceState", ec2.stop_instances, i, InstanceIds=[i])
    refused("IncorrectInstanceState", ec2.reboot_instances, i, InstanceIds=[i])


def test_an_instance_ends_itself_as_its_shutdown_behavior_says(ec2, run):
    stops, ends = (
        run(UserData=script("kill -TERM 1"), InstanceInitiatedShutdownBehavior=b)["Instances"][0]["InstanceId"]
        for b in ("stop", "terminate")
    )
    # The waiter for stopped instances gives up on pending ones.
    wait_for("the stop", lambda: state(ec2, stops) == "stopped")
    wait_for("the end", lambda: state(ec2, ends) == "terminated")
    assert one(ec2, ends)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_counts(ec2, network, run):
    assert len(run(MinCount=1, MaxCount=3)["Instances"]) == 3
    refused("InvalidParameterValue", run, MinCount=0, MaxCount=1)
    refused("InvalidParameterCombination", run, MinCount=3, MaxCount=2)
    small = ec2.create_subnet(VpcId=network.vpc, CidrBlock="10.41.200.0/28")["Subnet"]
    assert small["AvailableIpAddressCount"] == 11
    refused("InsufficientFreeAddressesInSubnet", run, small["SubnetId"], MinCount=12, MaxCount=12, SubnetId=small["SubnetId"])
    assert ec2.describe_subnets(SubnetIds=[small["SubnetId"]])["Subnets"][0]["AvailableIpAddressCount"] == 11
    many = [i["InstanceId"] for i in run(MinCount=2, MaxCount=20, SubnetId=small["SubnetId"])["Instances"]]
    assert len(many) == 11, "as many as there is room for"
    indexes = {one(ec2, i)["AmiLaunchIndex"] for i in many}
    assert indexes == set(range(11))
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=small["SubnetId"])
    ec2.terminate_instances(InstanceIds=many)
    wait(ec2, "instance_terminated", *many)
    ec2.delete_subnet(SubnetId=small["SubnetId"])


def test_client_tokens(ec2, run):
    first, again = (run(ClientToken="once")["Instances"][0]["InstanceId"] for _ in range(2))
    assert first == again
    refused("IdempotentParameterMismatch", run, ClientToken="once", InstanceType="t3.micro")
    assert one(ec2, first)["ClientToken"] == "once"
    refused("InvalidParameterValue", run, ClientToken="x" * 65)


WRONG_LAUNCHES = [
    ({"ImageId": "ami-" + UNKNOWN}, "InvalidAMIID.NotFound", "The image id '[ami-00000000000000000]' does not exist"),
    ({"ImageId": "nonsense"}, "InvalidAMIID.Malformed", 'Invalid id: "nonsense" (expecting "ami-...")'),
    ({"InstanceType": "t9.huge"}, "InvalidParameterValue", "Invalid value 't9.huge' for InstanceType"),
    ({"InstanceType": "t4g.nano"}, "InvalidParameterValue", "does not match the architecture"),
    ({"SubnetId": "subnet-" + UNKNOWN}, "InvalidSubnetID.NotFound", f"The subnet ID 'subnet-{UNKNOWN}' does not exist"),
    ({"SecurityGroupIds": ["sg-" + UNKNOWN]}, "InvalidGroup.NotFound", f"The security group 'sg-{UNKNOWN}' does not exist"),
    ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5}}]}, "UnsupportedOperation", "/dev/sdf"),
    ({"KeyName": "none"}, "InvalidKeyPair.NotFound", "The key pair 'none' does not exist"),
    ({"IamInstanceProfile": {"Name": "none"}}, "InvalidParameterValue", "iamInstanceProfile.name"),
    ({"PrivateIpAddress": "10.41.1.9"}, "InvalidParameterValue", "does not fall within the subnet's address range"),
    ({"UserData": "x" * 16_385}, "InvalidParameterValue", "User data is limited to 16384 bytes"),
    ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "InvalidLaunchTemplateName.NotFoundException", "none"),
    ({"LaunchTemplate": {"LaunchTemplateId": "lt-" + UNKNOWN}}, "InvalidLaunchTemplateId.NotFound", "lt-" + UNKNOWN),
    (
        {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "aws:x", "Value": "y"}]}]},
        "InvalidParameterValue",
        "aws:",
    ),
]


@pytest.mark.parametrize("wrong, code, words", WRONG_LAUNCHES)
def test_wrong_launches_make_nothing(ec2, network, run, wrong, code, words):
    before = set(network.instances())
    refused(code, run, words, **wrong)
    assert set(network.instances()) <= before


def test_wrong_ids(ec2):
    for call in (ec2.start_instances, ec2.stop_instances, ec2.reboot_instances, ec2.terminate_instances, ec2.describe_instances):
        refused("InvalidInstanceID.Malformed", call, 'Invalid id: "x"', InstanceIds=["x"])
        refused("InvalidInstanceID.NotFound", call, f"The instance ID 'i-{UNKNOWN}' does not exist", InstanceIds=["i-" + UNKNOWN])
    two = ["i-" + UNKNOWN, "i-00000000000000001"]
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, f"The instance IDs '{', '.join(two)}' do not exist", InstanceIds=two)
    refused("InvalidInstanceID.NotFound", ec2.get_console_output, InstanceId="i-" + UNKNOWN)
    refused("InvalidParameterValue", ec2.describe_instances, "The filter 'color' is invalid", Filters=[{"Name": "color", "Values": ["red"]}])


def test_dry_runs_change_nothing(ec2, network, run):
    i = run()["Instances"][0]["InstanceId"]
    wait(ec2, "instance_running", i)
    before = network.instances()
    dry(ec2.run_instances, ImageId="ami-host", InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=network.subnets[0])
    for call in (ec2.stop_instances, ec2.reboot_instances, ec2.terminate_instances, ec2.start_instances):
        dry(call, InstanceIds=[i])
    dry(ec2.describe_instances)
    dry(ec2.create_launch_template, LaunchTemplateName="dry", LaunchTemplateData={"InstanceType": "t3.nano"})
    dry(ec2.import_key_pair, KeyName="dry", PublicKeyMaterial=KEY)
    dry(ec2.create_tags, Resources=[i], Tags=[{"Key": "a", "Value": "b"}])
    dry(ec2.get_console_output, InstanceId=i)
    dry(ec2.modify_instance_attribute, InstanceId=i, DisableApiTermination={"Value": True})
    assert network.instances() == before and state(ec2, i) == "running"
    assert not one(ec2, i).get("Tags") and not ec2.describe_key_pairs()["KeyPairs"]
    dry(ec2.run_instances, ImageId="ami-host", MinCount=1, MaxCount=1, SubnetId=network.subnets[0])
    refused("InvalidAMIID.NotFound", run, DryRun=True, ImageId="ami-" + UNKNOWN)


def test_filters_tags_and_pages(ec2, network, run):
    ids = [i["InstanceId"] for i in run(3)["Instances"]]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}])
    ec2.create_tags(Resources=ids[:1], Tags=[{"Key": "team", "Value": "green*"}])

    def found(*filters):
        filters = [{"Name": name, "Values": values} for name, values in (*filters, ("vpc-id", [network.vpc]))]
        pages = ec2.get_paginator("describe_instances").paginate(Filters=filters, PaginationConfig={"PageSize": 5})
        return {i["InstanceId"] for p in pages for r in p["Reservations"] for i in r["Instances"]}

    assert found(("tag:team", ["blue"])) == set(ids[1:])
    assert found(("tag:team", ["bl*", "green\\*"])) == set(ids)
    assert found(("tag:team", ["gr??n\\*"]), ("instance-type", ["t3.nano"])) == {ids[0]}
    assert found(("tag-key", ["empty"])) == set(ids)
    assert found(("tag:team", ["Blue"])) == set(), "values count with their case"
    assert found(("instance-state-name", ["pending", "running"])) >= set(ids)
    address = one(ec2, ids[2])["PrivateIpAddress"]
    assert found(("private-ip-address", [address])) == {ids[2]}
    pages = list(ec2.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "resource-id", "Values": ids}], PaginationConfig={"PageSize": 5}))
    assert len(pages) == 2 and sum(len(p["Tags"]) for p in pages) == 6
    ec2.delete_tags(Resources=ids, Tags=[{"Key": "team", "Value": "blue"}])
    assert found(("tag-key", ["team"])) == {ids[0]}, "only the tags with that value go"
    ec2.delete_tags(Resources=ids, Tags=[{"Key": "team"}])
    assert found(("tag-key", ["team"])) == set()
    refused("InvalidInstanceID.NotFound", ec2.create_tags, Resources=["i-" + UNKNOWN], Tags=[{"Key": "a", "Value": "b"}])
    many = [{"Key": str(n), "Value": ""} for n in range(51)]
    refused("TagLimitExceeded", ec2.create_tags, Resources=ids[:1], Tags=many)
    refused("InvalidParameterValue", ec2.describe_instances, MaxResults=4)
    refused("InvalidParameterValue", ec2.create_tags, "aws:", Resources=ids[:1], Tags=[{"Key": "aws:a", "Value": "b"}])


def test_attributes(ec2, network, run):
    i = run()["Instances"][0]["InstanceId"]
    get = lambda name: ec2.describe_instance_attribute(InstanceId=i, Attribute=name)
    assert get("instanceType")["InstanceType"]["Value"] == "t3.nano"
    assert get("disableApiTermination")["DisableApiTermination"]["Value"] is False
    ec2.modify_instance_attribute(InstanceId=i, DisableApiTermination={"Value": True})
    refused("OperationNotPermitted", ec2.terminate_instances, "disableApiTermination", i, InstanceIds=[i])
    ec2.modify_instance_attribute(InstanceId=i, Attribute="disableApiTermination", Value="false")
    ec2.modify_instance_attribute(InstanceId=i, DisableApiStop={"Value": True})
    wait(ec2, "instance_running", i)
    refused("OperationNotPermitted", ec2.stop_instances, "disableApiStop", InstanceIds=[i])
    ec2.modify_instance_attribute(InstanceId=i, DisableApiStop={"Value": False})
    refused("IncorrectInstanceState", ec2.modify_instance_attribute, "'stopped'", InstanceId=i, InstanceType={"Value": "t3.micro"})
    ec2.stop_instances(InstanceIds=[i])
    wait(ec2, "instance_stopped", i)
    ec2.modify_instance_attribute(InstanceId=i, InstanceType={"Value": "t3.micro"})
    ec2.modify_instance_attribute(InstanceId=i, UserData={"Value": b"#!/bin/sh\n"})
    ec2.modify_instance_attribute(InstanceId=i, Groups=[network.app])
    assert one(ec2, i)["InstanceType"] == "t3.micro"
    assert [g["GroupId"] for g in one(ec2, i)["SecurityGroups"]] == [network.app]
    options = ec2.modify_instance_metadata_options(InstanceId=i, HttpTokens="required", HttpPutResponseHopLimit=3)
    assert options["InstanceMetadataOptions"]["HttpTokens"] == "required"
    assert one(ec2, i)["MetadataOptions"]["HttpPutResponseHopLimit"] == 3
    refused("InvalidParameterValue", ec2.modify_instance_metadata_options, InstanceId=i, HttpTokens="maybe")
    statuses = ec2.describe_instance_status(InstanceIds=[i], IncludeAllInstances=True)["InstanceStatuses"]
    assert statuses[0]["InstanceState"]["Name"] == "stopped"
    assert not ec2.describe_instance_status(InstanceIds=[i])["InstanceStatuses"]
    credits = ec2.describe_instance_credit_specifications(InstanceIds=[i])["InstanceCreditSpecifications"]
    assert credits == [{"InstanceId": i, "CpuCredits": "unlimited"}]
    root = one(ec2, i)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    volume = ec2.describe_volumes(VolumeIds=[root])["Volumes"][0]
    assert volume["State"] == "in-use" and volume["Attachments"][0]["InstanceId"] == i
    refused("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=["vol-" + UNKNOWN])
    ec2.start_instances(InstanceIds=[i])
    wait(ec2, "instance_running", i)


def test_launch_templates(ec2, network, run):
    data = {"ImageId": "ami-host", "InstanceType": "t3.nano", "UserData": encoded(script("echo one"))}
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data, TagSpecifications=tags)["LaunchTemplate"]
    t = made["LaunchTemplateId"]
    assert (made["DefaultVersionNumber"], made["LatestVersionNumber"]) == (1, 1) and made["Tags"] == [{"Key": "a", "Value": "b"}]
    refused("InvalidLaunchTemplateName.AlreadyExistsException", ec2.create_launch_template, LaunchTemplateName="web", LaunchTemplateData=data)
    another = ec2.create_launch_template_version(
        LaunchTemplateId=t, SourceVersion="1", VersionDescription="larger", LaunchTemplateData={"InstanceType": "t3.micro"})
    assert another["LaunchTemplateVersion"]["VersionNumber"] == 2
    assert another["LaunchTemplateVersion"]["LaunchTemplateData"]["ImageId"] == "ami-host", "the rest is the source's"
    run_version = lambda v: run(ImageId="ami-host", LaunchTemplate={"LaunchTemplateId": t, **v})["Instances"][0]
    def type_of(version):
        answer = ec2.run_instances(MinCount=1, MaxCount=1, SubnetId=network.subnets[1], LaunchTemplate={"LaunchTemplateName": "web", **version})
        i = answer["Instances"][0]
        ec2.terminate_instances(InstanceIds=[i["InstanceId"]])
        from_template = {x["Key"]: x["Value"] for x in one(ec2, i["InstanceId"])["Tags"]}
        assert from_template["aws:ec2launchtemplate:id"] == t, from_template
        return i["InstanceType"], from_template["aws:ec2launchtemplate:version"]
    assert type_of({}) == type_of({"Version": "$Default"}) == ("t3.nano", "1")
    assert type_of({"Version": "$Latest"}) == type_of({"Version": "2"}) == ("t3.micro", "2")
    ec2.modify_launch_template(LaunchTemplateId=t, DefaultVersion="2")
    assert type_of({}) == ("t3.micro", "2")
    refused("InvalidLaunchTemplateId.VersionNotFound", type_of, version={"Version": "9"})
    assert run_version({"Version": "1"})["InstanceType"] == "t3.nano", "the request goes before the template"
    versions = lambda **a: [v["VersionNumber"] for v in ec2.describe_launch_template_versions(**a)["LaunchTemplateVersions"]]
    assert versions(LaunchTemplateId=t) == [2, 1]
    assert versions(LaunchTemplateName="web", Versions=["$Default"]) == [2]
    assert versions(LaunchTemplateId=t, MaxVersion="1") == [1]
    assert 2 in versions(Versions=["$Latest"]), "of every template"
    gone = ec2.delete_launch_template_versions(LaunchTemplateId=t, Versions=["1", "2", "7"])
    assert [v["VersionNumber"] for v in gone["SuccessfullyDeletedLaunchTemplateVersions"]] == [1]
    assert [v["VersionNumber"] for v in gone["UnsuccessfullyDeletedLaunchTemplateVersions"]] == [2, 7]
    refused("InvalidLaunchTemplateName.NotFoundException", ec2.describe_launch_templates, LaunchTemplateNames=["none"])
    assert ec2.describe_launch_templates(Filters=[{"Name": "tag:a", "Values": ["b"]}])["LaunchTemplates"][0]["LaunchTemplateId"] == t
    assert ec2.delete_launch_template(LaunchTemplateName="web")["LaunchTemplate"]["LaunchTemplateId"] == t
    refused("InvalidLaunchTemplateId.NotFound", ec2.delete_launch_template, t, LaunchTemplateId=t)
    refused("InvalidUserData.Malformed", ec2.create_launch_template, LaunchTemplateName="bad", LaunchTemplateData={"UserData": "???"})


def test_images(region, ec2, image, run):
    found = ec2.describe_images(ImageIds=[image])["Images"][0]
    assert found["Name"] == "web-tier" and found["State"] == "available" and not found["Public"]
    assert "ami-host" in [i["ImageId"] for i in ec2.describe_images(Owners=["amazon"])["Images"]]
    assert [i["ImageId"] for i in ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["web-*"]}])["Images"]] == [image]
    ec2.get_waiter("image_available").wait(ImageIds=[image])
    copy = ec2.register_image(Name="another", ImageLocation=found["ImageLocation"], Description="the same layer")["ImageId"]
    refused("InvalidAMIName.Duplicate", ec2.register_image, copy, Name="another", ImageLocation=found["ImageLocation"])
    refused("InvalidAMIName.Malformed", ec2.register_image, Name="xy!", ImageLocation=found["ImageLocation"])
    i = run(ImageId=copy)["Instances"][0]["InstanceId"]
    wait(ec2, "instance_running", i)
    wait_for("the application", lambda: "web-tier: version" in console(ec2, i))
    ec2.deregister_image(ImageId=copy)
    refused("InvalidAMIID.NotFound", run, ImageId=copy)
    assert state(ec2, i) == "running", "instances outlive their image"
    ec2.reboot_instances(InstanceIds=[i])
    wait_for("a second boot", lambda: "boot 2" in console(ec2, i))
    broken = ec2.register_image(Name="broken", ImageLocation="nowhere")["ImageId"]
    i = run(ImageId=broken)["Instances"][0]["InstanceId"]
    # The waiter would take `pending` for a failure.
    wait_for("the end of what cannot start", lambda: state(ec2, i) == "terminated")
    assert one(ec2, i)["StateReason"]["Code"] in ("Server.InternalError", "Client.InternalError"), one(ec2, i)["StateReason"]
    ec2.deregister_image(ImageId=broken)


def test_types(ec2):
    kind = ec2.describe_instance_types(InstanceTypes=["m5.large"])["InstanceTypes"][0]
    assert kind["VCpuInfo"]["DefaultVCpus"] == 2 and kind["MemoryInfo"]["SizeInMiB"] == 8192 and kind["Hypervisor"] == "nitro"
    pages = ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 20})
    names = [t["InstanceType"] for p in pages for t in p["InstanceTypes"]]
    assert len(names) == len(set(names)) and {"t3.micro", "t3.nano", "c5.xlarge"} <= set(names)
    burstable = ec2.describe_instance_types(Filters=[{"Name": "burstable-performance-supported", "Values": ["true"]}])["InstanceTypes"]
    assert burstable and all(t["InstanceType"].startswith("t") for t in burstable)
    refused("InvalidInstanceType", ec2.describe_instance_types, "[x1.none]", InstanceTypes=["x1.none"])
    offers = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}])
    assert {o["Location"] for o in offers["InstanceTypeOfferings"]} == {z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]}


def test_key_pairs(ec2, run):
    refused("UnsupportedOperation", ec2.create_key_pair, "ssh-keygen", KeyName="own")
    made = ec2.import_key_pair(KeyName="own", PublicKeyMaterial=KEY)
    assert made["KeyFingerprint"] and made["KeyPairId"].startswith("key-")
    refused("InvalidKeyPair.Duplicate", ec2.import_key_pair, KeyName="own", PublicKeyMaterial=KEY)
    refused("InvalidKey.Format", ec2.import_key_pair, KeyName="bad", PublicKeyMaterial=b"nonsense")
    ec2.get_waiter("key_pair_exists").wait(KeyNames=["own"])
    assert [k["KeyName"] for k in ec2.describe_key_pairs(KeyNames=["own"], IncludePublicKey=True)["KeyPairs"]] == ["own"]
    assert run(KeyName="own")["Instances"][0]["KeyName"] == "own"
    for name in ("own", "never"):
        ec2.delete_key_pair(KeyName=name)
    refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, "own", KeyNames=["own"])
