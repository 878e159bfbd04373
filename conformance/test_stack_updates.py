"""Updates of stacks: in place or by replacement, as AWS documents, and back when they fail."""

import json
import time

import pytest

from region import ROOT, Load, get, wait_for
from stacks import BAD, NET, instances_of, parameter, put, refused, resources, value, waiting
from stacks import stack  # noqa: F401 (a fixture)


def test_policies_keep_what_they_say(stack, client):
    s = stack()
    first, second = f"/{s.name}/first", f"/{s.name}/second"
    s.create(resources(A=parameter("1", first, UpdateReplacePolicy="Retain"), B=parameter("b"), C=parameter("c")))
    a, b, c = (s.resources()[x] for x in "ABC")
    # Only the policies change: an update all the same.
    s.update(resources(A=parameter("1", first, UpdateReplacePolicy="Retain"), B=parameter("b", DeletionPolicy="Retain"), C=parameter("c", DeletionPolicy="RetainExceptOnCreate")))
    assert (a, b, c) == tuple(s.resources()[x] for x in "ABC")
    s.update(resources(A=parameter("2", second, UpdateReplacePolicy="Retain"), C=parameter("c", DeletionPolicy="RetainExceptOnCreate")))
    assert value(client, first) == "1" and value(client, second) == "2", "the replaced one is kept"
    assert value(client, b) == "b", "the removed one is kept"
    s.delete()
    assert value(client, second) is None and value(client, c) == "c"
    assert s.statuses()["C"] == "DELETE_SKIPPED"
    for kept in (first, b, c):
        client("ssm").delete_parameter(Name=kept)


def test_tags_that_a_stack_gives_up_leave_its_resources(stack, client):
    s = stack()
    part = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Net"}, "CidrBlock": "10.71.1.0/24"}}
    launch = {"LaunchTemplateData": {"ImageId": "{{resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}}", "InstanceType": "t3.micro"}}
    group = {"MinSize": "0", "MaxSize": "1", "VPCZoneIdentifier": [{"Ref": "Part"}]}
    group["LaunchTemplate"] = {"LaunchTemplateId": {"Ref": "Launch"}, "Version": "1"}
    template = resources(
        Net=NET, Part=part, Topic={"Type": "AWS::SNS::Topic"}, Launch={"Type": "AWS::EC2::LaunchTemplate", "Properties": launch},
        Group={"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": group})
    ec2, sns, scaling = client("ec2"), client("sns"), client("autoscaling")

    def tags():
        net, topic, group = (s.resources()[x] for x in ("Net", "Topic", "Group"))
        of_net = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [net]}])["Tags"]
        of_group = scaling.describe_tags(Filters=[{"Name": "auto-scaling-group", "Values": [group]}])["Tags"]
        all = of_net, sns.list_tags_for_resource(ResourceArn=topic)["Tags"], of_group
        return [{t["Key"]: t["Value"] for t in some if not t["Key"].startswith("aws:")} for some in all]

    s.create(template, Tags=[{"Key": "team", "Value": "blue"}, {"Key": "stage", "Value": "test"}])
    assert tags() == [{"team": "blue", "stage": "test"}] * 3
    ec2.create_tags(Resources=[s.resources()["Net"]], Tags=[{"Key": "mine", "Value": "1"}])
    sns.tag_resource(ResourceArn=s.resources()["Topic"], Tags=[{"Key": "mine", "Value": "1"}])
    of_group = {"ResourceId": s.resources()["Group"], "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
    scaling.create_or_update_tags(Tags=[{**of_group, "Key": "mine", "Value": "1"}])
    s.update(Tags=[{"Key": "team", "Value": "red"}])
    assert tags() == [{"team": "red", "mine": "1"}] * 3, "those of others stay"


def test_updates_change_in_place_or_replace(stack, client):
    ec2, elb, scaling = client("ec2"), client("elbv2"), client("autoscaling")

    def template(cidr="10.72.1.0/24", dns=True, description="web", rule=80, public=False, port=80, path="/", kind="t3.micro", most=1):
        return resources(
            Net={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.72.0.0/16", "EnableDnsSupport": dns}},
            Part={
                "Type": "AWS::EC2::Subnet",
                "Properties": {"VpcId": {"Ref": "Net"}, "CidrBlock": cidr, "MapPublicIpOnLaunch": public},
            },
            Group={
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {
                    "VpcId": {"Ref": "Net"},
                    "GroupDescription": description,
                    "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": rule, "ToPort": rule, "CidrIp": "0.0.0.0/0"}],
                },
            },
            Targets={
                "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
                "Properties": {"VpcId": {"Ref": "Net"}, "Port": port, "Protocol": "HTTP", "HealthCheckPath": path},
            },
            Launch={
                "Type": "AWS::EC2::LaunchTemplate",
                "Properties": {
                    "LaunchTemplateData": {
                        "ImageId": "resolve",
                        "InstanceType": kind,
                        "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
                    }
                },
            },
            Scaling={
                "Type": "AWS::AutoScaling::AutoScalingGroup",
                "Properties": {
                    "MinSize": 0,
                    "MaxSize": most,
                    "DesiredCapacity": 0,
                    "VPCZoneIdentifier": [{"Ref": "Part"}],
                    "TargetGroupARNs": [{"Ref": "Targets"}],
                    "LaunchTemplate": {
                        "LaunchTemplateId": {"Ref": "Launch"},
                        "Version": {"Fn::GetAtt": ["Launch", "LatestVersionNumber"]},
                    },
                },
            },
        )

    image = ec2.describe_images(Owners=["self", "amazon"])["Images"][0]["ImageId"]

    def filled(**change):
        return json.loads(json.dumps(template(**change)).replace("resolve", image))

    s = stack().create(filled())
    now = s.resources()

    def changed():
        nonlocal now
        before, now = now, s.resources()
        return {logical for logical in now if now[logical] != before.get(logical)}

    current = {}
    for change, replaced in [
        ({"dns": False}, set()),
        ({"public": True}, set()),
        ({"rule": 8080}, set()),
        ({"path": "/health"}, set()),
        ({"kind": "t3.small"}, set()),
        ({"most": 3}, set()),
        ({"description": "web servers"}, {"Group"}),
        ({"port": 8080}, {"Targets"}),
        ({"cidr": "10.72.2.0/24"}, {"Part"}),
    ]:
        current |= change
        s.update(filled(**current))
        assert changed() == replaced, change
    group = ec2.describe_security_groups(GroupIds=[now["Group"]])["SecurityGroups"][0]
    assert group["Description"] == "web servers" and group["IpPermissions"][0]["FromPort"] == 8080
    assert len(ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [now["Net"]]}])["SecurityGroups"]) == 2
    assert ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [now["Net"]]}])["Subnets"][0]["CidrBlock"] == "10.72.2.0/24"
    assert ec2.describe_vpc_attribute(VpcId=now["Net"], Attribute="enableDnsSupport")["EnableDnsSupport"] == {"Value": False}
    target = elb.describe_target_groups(TargetGroupArns=[now["Targets"]])["TargetGroups"][0]
    assert target["Port"] == 8080 and target["HealthCheckPath"] == "/health"
    version = ec2.describe_launch_template_versions(LaunchTemplateId=now["Launch"], Versions=["$Latest"])["LaunchTemplateVersions"][0]
    assert version["LaunchTemplateData"]["InstanceType"] == "t3.small" and version["LaunchTemplateData"]["SecurityGroupIds"] == [now["Group"]]
    asg = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[now["Scaling"]])["AutoScalingGroups"][0]
    assert asg["MaxSize"] == 3 and asg["VPCZoneIdentifier"] == now["Part"] and asg["TargetGroupARNs"] == [now["Targets"]]
    assert asg["LaunchTemplate"]["Version"] == str(version["VersionNumber"])
    s.update(tags={"team": "web"})
    tags = {t["Key"]: t["Value"] for t in ec2.describe_vpcs(VpcIds=[now["Net"]])["Vpcs"][0]["Tags"]}
    assert tags["team"] == "web" and changed() == set()
    latest = ec2.describe_launch_templates(LaunchTemplateIds=[now["Launch"]])["LaunchTemplates"][0]
    assert latest["LatestVersionNumber"] == version["VersionNumber"], "tags alone make no new version"
    tags = {t["Key"]: t["Value"] for t in scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[now["Scaling"]])["AutoScalingGroups"][0]["Tags"]}
    assert tags["team"] == "web"
    tags = elb.describe_tags(ResourceArns=[now["Targets"]])["TagDescriptions"][0]["Tags"]
    assert {"Key": "team", "Value": "web"} in tags
    s.delete()
    assert not ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [now["Net"]]}])["Vpcs"]


def test_an_update_that_fails_is_turned_back(stack, client):
    s = stack()
    old = resources(Net=NET, A=parameter("1", f"/{s.name}/a"), B=parameter("b"), C=parameter("c"))
    s.create(old)
    before = s.resources()
    # A is replaced, B changed, C removed, D added; then one fails.
    new = resources(
        Net=NET,
        A=parameter("2", f"/{s.name}/a2"),
        B=parameter("b2"),
        D=parameter("d", f"/{s.name}/d"),
        Bad={**BAD, "DependsOn": ["A", "B", "D"]},
    )
    s.update(new, wait="UPDATE_ROLLBACK_COMPLETE")
    assert s.resources() == before
    assert value(client, f"/{s.name}/a") == "1" and value(client, before["B"]) == "b" and value(client, before["C"]) == "c"
    assert value(client, f"/{s.name}/a2") is None and value(client, f"/{s.name}/d") is None
    assert any("The following resource(s) failed to create: [Bad]" in reason for _, _, reason in s.events())
    s.update(resources(Net=NET, A=parameter("3", f"/{s.name}/a")))
    assert value(client, f"/{s.name}/a") == "3" and set(s.resources()) == {"Net", "A"}


def test_a_failed_update_can_be_tried_again_or_turned_back(stack, client):
    s = stack()
    first, second, third = (f"/{s.name}/{x}" for x in ("first", "second", "third"))
    s.create(resources(Net=NET, A=parameter("1", first)))
    bad = {**BAD, "DependsOn": "A"}
    for name in (second, third):
        s.update(resources(Net=NET, A=parameter("2", name), Bad=bad), wait="UPDATE_FAILED", DisableRollback=True)
        assert value(client, first) == "1" and value(client, name) == "2"
    s.formation.rollback_stack(StackName=s.name)
    s.until("UPDATE_ROLLBACK_COMPLETE")
    assert [value(client, n) for n in (first, second, third)] == ["1", None, None]
    s.update(resources(Net=NET, A=parameter("2", second), Bad=bad), wait="UPDATE_FAILED", DisableRollback=True)
    s.update(resources(Net=NET, A=parameter("3", third)))
    assert [value(client, n) for n in (first, second, third)] == [None, None, "3"]


def test_types_and_custom_names_stay(stack, client):
    s = stack()
    s.create(resources(Net=NET, Targets={"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {"VpcId": {"Ref": "Net"}, "Port": 80, "Protocol": "HTTP", "Name": s.name[:32]}}))
    retyped = "Update of resource type is not permitted. The new template modifies resource type of the following resources: [Targets]"
    refused(s.update, retyped, template=resources(Net=NET, Targets=parameter("1")))
    s.formation.create_change_set(StackName=s.name, ChangeSetName="retype", TemplateBody=json.dumps(resources(Net=NET, Targets=parameter("1"))))
    set = s.formation.describe_change_set(StackName=s.name, ChangeSetName="retype")
    assert set["Status"] == "FAILED" and set["StatusReason"] == retyped
    s.update(resources(Net=NET, Targets={"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {"VpcId": {"Ref": "Net"}, "Port": 81, "Protocol": "HTTP", "Name": s.name[:32]}}), wait="UPDATE_ROLLBACK_COMPLETE")
    assert any("CloudFormation cannot update a stack when a custom-named resource requires replacing." in r for *_, r in s.events())


def test_an_update_can_be_cancelled(stack, client):
    s = stack()
    s.create(resources(A=parameter("1")))
    a = s.resources()["A"]
    slow = {"Resources": {**waiting(timeout=600)["Resources"], "A": parameter("2")}}
    s.update(slow, wait=None)
    wait_for("the condition", lambda: s.resources().get("Wait"))
    refused(s.update, "is in UPDATE_IN_PROGRESS state and can not be updated.", template=resources(A=parameter("3")))
    s.formation.cancel_update_stack(StackName=s.name)
    s.until("UPDATE_ROLLBACK_COMPLETE")
    assert s.resources() == {"A": a} and value(client, a) == "1"


def test_a_failed_update_leaves_the_old_resources_serving(stack, region, image, client):
    s = stack()
    template = (ROOT / "stacks/web-tier.yaml").read_text().replace("10.0.0.0/16", "10.77.0.0/16")
    s.create(template, parameters={"VpcCidr": "10.77.0.0/16"}, Capabilities=["CAPABILITY_IAM"])
    balancer = client("elbv2").describe_load_balancers(LoadBalancerArns=[s.resources()["LoadBalancer"]])["LoadBalancers"][0]
    fronts, host = region.front(balancer["LoadBalancerName"])
    served = lambda: get(fronts[0], "/health", host)[0] == 200  # noqa: E731
    wait_for("the first answer", served)
    before, members = s.resources(), sorted(instances_of(s, client))
    bad = "  Bad:\n    Type: AWS::EC2::Subnet\n    DependsOn: [Group, Listener, LaunchTemplate]\n    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.99.0.0/24}\n"
    changed = template.replace("\nOutputs:", bad + "\nOutputs:").replace("settings written", "settings are written")
    changed = changed.replace("HealthCheckIntervalSeconds: 5", "HealthCheckIntervalSeconds: 6").replace("Users reach the", "Users find the")
    with Load(fronts, host) as load:
        s.update(changed, wait="UPDATE_ROLLBACK_COMPLETE", parameters={"VpcCidr": None, "MaxSize": "5"}, Capabilities=["CAPABILITY_IAM"])
        mark = time.monotonic()
        wait_for("load after it", lambda: load.done[-1][0] > mark + 0.5)
    assert not load.failures, load.failures[:5]
    assert s.resources() == before and sorted(instances_of(s, client)) == members
    group = client("elbv2").describe_target_groups(TargetGroupArns=[before["TargetGroup"]])["TargetGroups"][0]
    assert group["HealthCheckIntervalSeconds"] == 5
    # A target group that is replaced has no targets yet; the way back brings the old one back.
    moved = template.replace("\nOutputs:", bad + "\nOutputs:").replace("      Port: 8080\n      HealthCheckProtocol", "      Port: 8081\n      HealthCheckProtocol")
    assert moved.count("8081") == 1
    s.update(moved, wait="UPDATE_ROLLBACK_COMPLETE", parameters={"VpcCidr": None}, Capabilities=["CAPABILITY_IAM"])
    assert s.resources() == before and sorted(instances_of(s, client)) == members
    wait_for("an answer", served)
    assert len(client("elbv2").describe_target_groups(LoadBalancerArn=before["LoadBalancer"])["TargetGroups"]) == 1


@pytest.mark.parametrize("skips", [False, True])
def test_a_way_back_that_fails_can_be_continued(stack, client, skips):
    s, ssm = stack(), client("ssm")
    names = [f"/{s.name}/a", f"/{s.name}/b"]
    s.create(resources(A=parameter("1", names[0]), B=parameter("1", names[1])))
    before = s.resources()
    waits = waiting(timeout=600)["Resources"]
    waits["Wait"]["DependsOn"] = ["A", "B"]
    s.update({"Resources": {**waits, "A": parameter("2", names[0]), "B": parameter("2", names[1])}}, wait=None)
    wait_for("the condition", lambda: s.resources().get("Wait"))
    ssm.delete_parameter(Name=names[0])
    assert put(s.resources()["Handle"], '{"Status":"FAILURE","UniqueId":"1","Reason":"no"}') == 200
    s.until("UPDATE_ROLLBACK_FAILED")
    assert s.statuses()["A"] == "UPDATE_FAILED"
    refused(s.update, "is in UPDATE_ROLLBACK_FAILED state and can not be updated.", template=resources(A=parameter("3")))
    if skips:
        refused(s.formation.continue_update_rollback, "[Nobody]", StackName=s.name, ResourcesToSkip=["Nobody"])
        s.formation.continue_update_rollback(StackName=s.name, ResourcesToSkip=["A"])
    else:
        ssm.put_parameter(Name=names[0], Type="String", Value="x")
        s.formation.continue_update_rollback(StackName=s.name)
    s.until("UPDATE_ROLLBACK_COMPLETE")
    assert s.resources() == before
    assert [value(client, n) for n in names] == [None if skips else "1", "1"]
