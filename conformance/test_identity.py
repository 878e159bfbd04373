"""IAM's records, Parameter Store and STS, as their users drive them."""

import json
import subprocess

import pytest

from calls import refused

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})
MAY_READ = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
MANAGED = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


@pytest.fixture(scope="module")
def iam(client):
    return client("iam")


@pytest.fixture(scope="module")
def ssm(client):
    return client("ssm")


def test_a_role_from_creation_to_deletion(iam):
    tags = [{"Key": "team", "Value": "web"}]
    role = iam.create_role(RoleName="web", Path="/app/", AssumeRolePolicyDocument=TRUST, Description="d", Tags=tags)["Role"]
    assert role["Arn"].endswith(":role/app/web") and role["RoleId"].startswith("AROA") and role["MaxSessionDuration"] == 3600
    iam.get_waiter("role_exists").wait(RoleName="web")
    assert iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    refused("EntityAlreadyExists", iam.create_role, "Role with name web already exists.", status=409, RoleName="web", AssumeRolePolicyDocument=TRUST)
    iam.update_role(RoleName="web", Description="changed", MaxSessionDuration=7200)
    assert iam.update_role_description(RoleName="web", Description="again")["Role"]["MaxSessionDuration"] == 7200
    other = TRUST.replace("ec2.", "lambda.")
    iam.update_assume_role_policy(RoleName="web", PolicyDocument=other)
    assert iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"] == json.loads(other)

    iam.put_role_policy(RoleName="web", PolicyName="read", PolicyDocument=MAY_READ)
    assert iam.get_role_policy(RoleName="web", PolicyName="read")["PolicyDocument"] == json.loads(MAY_READ)
    assert iam.list_role_policies(RoleName="web")["PolicyNames"] == ["read"]
    iam.attach_role_policy(RoleName="web", PolicyArn=MANAGED)
    iam.attach_role_policy(RoleName="web", PolicyArn=MANAGED)
    assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="web")["AttachedPolicies"]] == [MANAGED]
    assert [r["RoleName"] for r in iam.list_entities_for_policy(PolicyArn=MANAGED)["PolicyRoles"]] == ["web"]
    iam.tag_role(RoleName="web", Tags=[{"Key": "a", "Value": "b"}])
    iam.untag_role(RoleName="web", TagKeys=["team", "never"])
    assert iam.list_role_tags(RoleName="web")["Tags"] == [{"Key": "a", "Value": "b"}]
    assert [r["RoleName"] for r in iam.list_roles(PathPrefix="/app/")["Roles"]] == ["web"]

    refused("DeleteConflict", iam.delete_role, "Cannot delete entity, must detach all policies first.", status=409, RoleName="web")
    iam.detach_role_policy(RoleName="web", PolicyArn=MANAGED)
    refused("NoSuchEntity", iam.detach_role_policy, status=404, RoleName="web", PolicyArn=MANAGED)
    refused("DeleteConflict", iam.delete_role, "must delete policies first", RoleName="web")
    iam.delete_role_policy(RoleName="web", PolicyName="read")
    refused("NoSuchEntity", iam.get_role_policy, "The role policy with name read cannot be found.", RoleName="web", PolicyName="read")
    iam.delete_role(RoleName="web")
    refused("NoSuchEntity", iam.get_role, "The role with name web cannot be found.", status=404, RoleName="web")


def test_wrong_roles(iam):
    make = lambda **more: iam.create_role(**{"RoleName": "bad", "AssumeRolePolicyDocument": TRUST, **more})
    refused("MalformedPolicyDocument", make, AssumeRolePolicyDocument="{")
    refused("MalformedPolicyDocument", make, AssumeRolePolicyDocument=MAY_READ)
    refused("ValidationError", make, "roleName", RoleName="a b")
    refused("ValidationError", make, Path="no-slash")
    refused("ValidationError", make, MaxSessionDuration=60 * 60 * 13)
    refused("NoSuchEntity", iam.attach_role_policy, "bad", RoleName="bad", PolicyArn=MANAGED)
    refused("InvalidInput", make, Tags=[{"Key": "aws:x", "Value": "y"}])
    assert "bad" not in [r["RoleName"] for r in iam.list_roles()["Roles"]]


def test_pages_of_roles(iam):
    names = [f"page-{n:02}" for n in range(7)]
    for name in names:
        iam.create_role(RoleName=name, Path="/pages/", AssumeRolePolicyDocument=TRUST)
    pages = list(iam.get_paginator("list_roles").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 3}))
    assert [len(p["Roles"]) for p in pages] == [3, 3, 1] and [p["IsTruncated"] for p in pages] == [True, True, False]
    assert [r["RoleName"] for p in pages for r in p["Roles"]] == names
    for name in names:
        iam.delete_role(RoleName=name)


def test_instance_profiles(iam):
    iam.create_role(RoleName="inside", AssumeRolePolicyDocument=TRUST)
    profile = iam.create_instance_profile(InstanceProfileName="p", Tags=[{"Key": "a", "Value": "b"}])["InstanceProfile"]
    assert profile["InstanceProfileId"].startswith("AIPA") and profile["Roles"] == []
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="p")
    refused("EntityAlreadyExists", iam.create_instance_profile, "Instance Profile p already exists.", InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="inside")
    refused("LimitExceeded", iam.add_role_to_instance_profile, status=409, InstanceProfileName="p", RoleName="inside")
    assert iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Roles"][0]["RoleName"] == "inside"
    assert [p["InstanceProfileName"] for p in iam.list_instance_profiles_for_role(RoleName="inside")["InstanceProfiles"]] == ["p"]
    assert "p" in [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]]
    iam.tag_instance_profile(InstanceProfileName="p", Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_instance_profile(InstanceProfileName="p", TagKeys=["a"])
    assert iam.list_instance_profile_tags(InstanceProfileName="p")["Tags"] == [{"Key": "c", "Value": "d"}]
    refused("DeleteConflict", iam.delete_role, "must remove roles from instance profile first", RoleName="inside")
    refused("DeleteConflict", iam.delete_instance_profile, "must remove roles from instance profile first", InstanceProfileName="p")
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="inside")
    refused("NoSuchEntity", iam.remove_role_from_instance_profile, InstanceProfileName="p", RoleName="inside")
    iam.delete_instance_profile(InstanceProfileName="p")
    iam.delete_role(RoleName="inside")
    refused("NoSuchEntity", iam.get_instance_profile, "Instance Profile p cannot be found.", InstanceProfileName="p")


def test_managed_policies(iam):
    policy = iam.create_policy(PolicyName="own", PolicyDocument=MAY_READ, Description="d")["Policy"]
    arn = policy["Arn"]
    assert arn.endswith(":policy/own") and policy["DefaultVersionId"] == "v1" and policy["AttachmentCount"] == 0
    iam.get_waiter("policy_exists").wait(PolicyArn=arn)
    refused("EntityAlreadyExists", iam.create_policy, "own", PolicyName="own", PolicyDocument=MAY_READ)
    refused("MalformedPolicyDocument", iam.create_policy, PolicyName="bad", PolicyDocument="{}")
    for n in range(2, 6):
        assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=MAY_READ, SetAsDefault=n == 2)["PolicyVersion"]["VersionId"] == f"v{n}"
    refused("LimitExceeded", iam.create_policy_version, "up to 5 versions", PolicyArn=arn, PolicyDocument=MAY_READ)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == json.loads(MAY_READ)
    assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 5
    refused("DeleteConflict", iam.delete_policy_version, "default version", PolicyArn=arn, VersionId="v2")
    refused("DeleteConflict", iam.delete_policy, "more than one version", PolicyArn=arn)
    for v in ("v1", "v3", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=v)
    refused("NoSuchEntity", iam.get_policy_version, "v1", PolicyArn=arn, VersionId="v1")
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    iam.create_role(RoleName="holder", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="holder", PolicyArn=arn)
    assert [p["PolicyName"] for p in iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"]] == ["own"]
    assert MANAGED in [p["Arn"] for page in iam.get_paginator("list_policies").paginate(Scope="AWS") for p in page["Policies"]]
    refused("DeleteConflict", iam.delete_policy, "attached", PolicyArn=arn)
    iam.detach_role_policy(RoleName="holder", PolicyArn=arn)
    iam.delete_role(RoleName="holder")
    iam.delete_policy(PolicyArn=arn)
    refused("NoSuchEntity", iam.get_policy, f"Policy {arn} was not found.", PolicyArn=arn)


def test_parameters(ssm):
    put = lambda name, **more: ssm.put_parameter(**{"Name": name, "Value": "1", "Type": "String", **more})
    assert put("/web/port", Tags=[{"Key": "a", "Value": "b"}])["Version"] == 1
    refused("ParameterAlreadyExists", put, "already exists", name="/web/port")
    assert put("/web/port", Value="2", Overwrite=True)["Version"] == 2
    put("/web/db/password", Type="SecureString", Value="secret")
    put("/web/hosts", Type="StringList", Value="a,b")
    got = ssm.get_parameter(Name="/web/port")["Parameter"]
    assert (got["Value"], got["Version"]) == ("2", 2) and got["ARN"].endswith(":parameter/web/port")
    assert ssm.get_parameter(Name="/web/port:2")["Parameter"]["Value"] == "2"
    refused("ParameterVersionNotFound", ssm.get_parameter, Name="/web/port:7")
    assert ssm.get_parameter(Name="/web/db/password")["Parameter"]["Value"] != "secret"
    assert ssm.get_parameter(Name="/web/db/password", WithDecryption=True)["Parameter"]["Value"] == "secret"
    several = ssm.get_parameters(Names=["/web/port", "/none"])
    assert [p["Name"] for p in several["Parameters"]] == ["/web/port"] and several["InvalidParameters"] == ["/none"]
    below = lambda **a: [p["Name"] for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/web", **a) for p in page["Parameters"]]
    assert below() == ["/web/hosts", "/web/port"]
    assert below(Recursive=True, PaginationConfig={"PageSize": 1}) == ["/web/db/password", "/web/hosts", "/web/port"]
    filters = [{"Key": "Type", "Values": ["SecureString"]}]
    assert [p["Name"] for p in ssm.describe_parameters(ParameterFilters=filters)["Parameters"]] == ["/web/db/password"]
    refused("InvalidFilterKey", ssm.describe_parameters, ParameterFilters=[{"Key": "Color", "Values": ["red"]}])
    refused("ParameterPatternMismatchException", put, name="/web/number", Value="x", AllowedPattern="^\\d+$")
    refused("ValidationException", put, name="/web//x")
    refused("AccessDeniedException", put, name="/aws/x")
    tag = {"ResourceType": "Parameter", "ResourceId": "/web/port"}
    ssm.add_tags_to_resource(Tags=[{"Key": "c", "Value": "d"}], **tag)
    ssm.remove_tags_from_resource(TagKeys=["a"], **tag)
    assert ssm.list_tags_for_resource(**tag)["TagList"] == [{"Key": "c", "Value": "d"}]
    refused("InvalidResourceId", ssm.add_tags_to_resource, Tags=[{"Key": "c", "Value": "d"}], ResourceType="Parameter", ResourceId="/none")
    for name in ("/web/port", "/web/hosts", "/web/db/password"):
        ssm.delete_parameter(Name=name)
    refused("ParameterNotFound", ssm.delete_parameter, Name="/web/port")


def test_public_images(ssm, client):
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = ssm.get_parameter(Name=name)["Parameter"]
    assert image["Value"] == "ami-host"
    refused("AccessDeniedException", ssm.put_parameter, Name=name, Value="x", Type="String", Overwrite=True)


def test_the_aws_command_knows_the_caller(region):
    def aws(*words):
        out = subprocess.run(["aws", *words, "--output", "json"], env=region.environment(), capture_output=True, text=True, timeout=60)
        return out.returncode, out.stdout, out.stderr

    status, out, _ = aws("sts", "get-caller-identity")
    assert status == 0 and json.loads(out)["Arn"].endswith(":root")
    status, _, err = aws("iam", "get-role", "--role-name", "none")
    assert status in (254, 255) and "An error occurred (NoSuchEntity) when calling the GetRole operation: The role with name none cannot be found." in err
    status, out, _ = aws("ec2", "describe-instance-types", "--instance-types", "t3.micro", "--query", "InstanceTypes[0].VCpuInfo.DefaultVCpus")
    assert status == 0 and out.strip() == "2"


def test_who_i_am(client):
    assert client("sts").get_caller_identity()["UserId"]
