"""The life of stacks with unmodified clients: creation, failures, ends, and what they leave behind."""

import json
import os
import random
import subprocess
import time

import pytest

from region import wait_for
from stacks import BAD, NET, TIER, instances_of, name_of, parameter, put, refused, resources, signalling, tags_of_stack, value, waiting
from stacks import stack  # noqa: F401 (a fixture)


def test_create_describe_delete(stack, client):
    s = stack()
    s.create(resources(A=parameter("1"), B=parameter("2", DependsOn="A")), tags={"team": "web"}, Capabilities=["CAPABILITY_IAM"])
    shown = s.describe()
    assert shown["StackName"] == s.name and shown["StackId"] == s.id and shown["Capabilities"] == ["CAPABILITY_IAM"]
    assert shown["Tags"] == [{"Key": "team", "Value": "web"}] and not shown["EnableTerminationProtection"]
    events = [(logical, status) for logical, status, _ in s.events()]
    assert events[0] == (s.name, "CREATE_IN_PROGRESS") and events[-1] == (s.name, "CREATE_COMPLETE")
    assert events.index(("A", "CREATE_COMPLETE")) < events.index(("B", "CREATE_IN_PROGRESS"))
    physical = s.resources()["A"]
    found = s.formation.describe_stack_resources(PhysicalResourceId=physical)["StackResources"]
    assert {r["LogicalResourceId"] for r in found} == {"A", "B"}
    refused(s.formation.create_stack, "already exists", "AlreadyExistsException", StackName=s.name, TemplateBody="Resources: {A: {Type: AWS::EC2::InternetGateway}}")
    s.delete()
    assert value(client, physical) is None
    events = [(logical, status) for logical, status, _ in s.events()]
    assert events.index(("B", "DELETE_COMPLETE")) < events.index(("A", "DELETE_IN_PROGRESS"))
    refused(s.formation.describe_stacks, f"Stack with id {s.name} does not exist", StackName=s.name)
    s.formation.delete_stack(StackName=s.name)
    listed = s.formation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    assert s.id in [x["StackId"] for p in listed for x in p["StackSummaries"]]


def test_names_and_tokens(stack):
    s = stack()
    refused(s.formation.create_stack, "[a-zA-Z][-a-zA-Z0-9]*", StackName="9-bad", TemplateBody=json.dumps(resources(A=parameter("1"))))
    s.create(resources(A=parameter("1")), ClientRequestToken="one")
    again = s.formation.create_stack(StackName=s.name, TemplateBody=json.dumps(resources(A=parameter("1"))), ClientRequestToken="one")
    assert again["StackId"] == s.id
    s.update(resources(A=parameter("2")), ClientRequestToken="two")
    s.formation.update_stack(StackName=s.name, TemplateBody=json.dumps(resources(A=parameter("2"))), ClientRequestToken="two")
    refused(s.update, "No updates are to be performed.", template=resources(A=parameter("2")), ClientRequestToken="three")
    events = s.formation.describe_stack_events(StackName=s.name)["StackEvents"]
    assert {e.get("ClientRequestToken") for e in events} == {"one", "two"}


@pytest.mark.parametrize(
    "how, wanted",
    [
        ({"RoleARN": "arn:aws:iam::000000000000:role/deploy"}, "RoleARN is not supported"),
        ({"NotificationARNs": ["arn:aws:sns:eu-central-1:000000000000:topic"]}, "NotificationARNs is not supported"),
        ({"DeploymentConfig": {"Mode": "EXPRESS"}}, "DeploymentConfig is not supported"),
        ({"OnFailure": "EXPLODE"}, "Member must satisfy enum value set: [DO_NOTHING, ROLLBACK, DELETE]"),
    ],
)
def test_what_nothing_here_acts_on_is_refused(stack, how, wanted):
    s = stack()
    template = json.dumps(resources(A=parameter("1")))
    refused(s.formation.create_stack, wanted, StackName=s.name, TemplateBody=template, **how)
    refused(s.formation.describe_stacks, "does not exist", StackName=s.name)


@pytest.mark.parametrize(
    "how, ends",
    [
        ({}, "ROLLBACK_COMPLETE"),
        ({"OnFailure": "ROLLBACK"}, "ROLLBACK_COMPLETE"),
        ({"OnFailure": "DELETE"}, "DELETE_COMPLETE"),
        ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED"),
        ({"DisableRollback": True}, "CREATE_FAILED"),
    ],
)
def test_what_follows_a_failed_creation(stack, client, how, ends):
    s = stack()
    kept, later = f"/{s.name}/kept", f"/{s.name}/later"
    both = {
        "Kept": parameter("kept", kept, DeletionPolicy="Retain"),
        "Later": parameter("kept", later, DeletionPolicy="RetainExceptOnCreate"),
    }
    s.create(resources(**both, Net=NET, Bad={**BAD, "DependsOn": ["Kept", "Later"]}), wait=ends, **how)
    events = s.events()
    assert any(e[:2] == ("Bad", "CREATE_FAILED") and "InvalidSubnet.Range" in e[2] for e in events)
    assert any("The following resource(s) failed to create: [Bad]." in reason for _, _, reason in events) or ends == "CREATE_FAILED"
    vpcs = client("ec2").describe_vpcs(Filters=[{"Name": "tag:aws:cloudformation:stack-name", "Values": [s.name]}])["Vpcs"]
    if ends == "CREATE_FAILED":
        assert len(vpcs) == 1
        refused(s.update, "is in CREATE_FAILED state and can not be updated.", template=resources(Net=NET))
    else:
        assert not vpcs and value(client, later) is None and value(client, kept) == "kept"
        if ends == "ROLLBACK_COMPLETE":
            refused(s.update, "is in ROLLBACK_COMPLETE state and can not be updated.", template=resources(Net=NET))
    if ends != "DELETE_COMPLETE":
        s.delete()
    assert value(client, kept) == "kept"
    client("ssm").delete_parameter(Name=kept)
    if ends == "CREATE_FAILED":
        client("ssm").delete_parameter(Name=later)


def test_exports_bind_stacks(stack, client):
    one, two = stack(), stack()
    name = f"{one.name}-cidr"

    def exporter(value, export=name):
        return {**resources(A=parameter("1")), "Outputs": {"O": {"Value": value, "Export": {"Name": export}}}}

    one.create(exporter("10.73.0.0/16"))
    two.create(resources(A=parameter({"Fn::ImportValue": {"Fn::Sub": f"{one.name}-cidr"}})))
    formation = one.formation
    exported = {e["Name"]: e for p in formation.get_paginator("list_exports").paginate() for e in p["Exports"]}
    assert exported[name]["Value"] == "10.73.0.0/16" and exported[name]["ExportingStackId"] == one.id
    assert formation.list_imports(ExportName=name)["Imports"] == [two.name]
    refused(formation.delete_stack, f"Export {name} cannot be deleted as it is in use by {two.name}", StackName=one.name)
    one.update(exporter("10.74.0.0/16"), wait="UPDATE_ROLLBACK_COMPLETE")
    assert any(f"Export {name} cannot be updated as it is in use by {two.name}" in reason for *_, reason in one.events())
    one.update(exporter("10.73.0.0/16", export=name + "2"), wait="UPDATE_ROLLBACK_COMPLETE")
    assert any(f"Export {name} cannot be deleted as it is in use by {two.name}" in reason for *_, reason in one.events())
    three = stack().create(exporter("x"), wait="ROLLBACK_COMPLETE")
    assert any(f"Export with name {name} is already exported by stack {one.name}" in reason for *_, reason in three.events())
    two.update(resources(A=parameter("free")))
    one.update(exporter("10.74.0.0/16"))
    four = stack().create(resources(A=parameter({"Fn::ImportValue": "nobody"})), wait="ROLLBACK_COMPLETE")
    assert any("No export named nobody found." in reason for *_, reason in four.events())
    one.delete()


def test_a_deletion_that_fails_can_leave_things_behind(stack, client):
    s, ec2 = stack(), client("ec2")
    s.create(resources(Net={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.75.0.0/16"}}, A=parameter("1")))
    vpc = s.resources()["Net"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.75.1.0/24")["Subnet"]["SubnetId"]
    refused(s.formation.delete_stack, "DELETE_FAILED", StackName=s.name, RetainResources=["Net"])
    s.delete(wait="DELETE_FAILED")
    assert s.describe()["StackStatusReason"].startswith("The following resource(s) failed to delete: [Net].")
    assert any(e[:2] == ("Net", "DELETE_FAILED") and "DependencyViolation" in e[2] for e in s.events())
    assert s.statuses() == {"Net": "DELETE_FAILED"}
    s.delete(RetainResources=["Net"])
    assert s.statuses()["Net"] == "DELETE_SKIPPED"
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_termination_protection(stack):
    s = stack().create(resources(A=parameter("1")), EnableTerminationProtection=True)
    refused(s.formation.delete_stack, "cannot be deleted while TerminationProtection is enabled", StackName=s.name)
    assert s.describe()["StackStatus"] == "CREATE_COMPLETE"


def test_wait_conditions(stack):
    s = stack().create(waiting(count=2), wait=None)
    url = wait_for("the handle", lambda: s.resources().get("Handle"))
    assert put(url, "nonsense") == 400
    assert put(url[:-4] + "beef", '{"Status":"SUCCESS","UniqueId":"1"}') == 404
    signal = {"Status": "SUCCESS", "Reason": "done", "UniqueId": "1", "Data": "one"}
    assert put(url, json.dumps(signal)) == 200
    assert put(url, json.dumps(signal)) == 200
    assert s.describe()["StackStatus"] == "CREATE_IN_PROGRESS", "the same id counts once"
    assert put(url, json.dumps({**signal, "UniqueId": "2", "Data": "two"})) == 200
    s.until("CREATE_COMPLETE")
    assert json.loads(s.outputs()["Data"]) == {"1": "one", "2": "two"}
    failed = stack().create(waiting(), wait=None)
    url = wait_for("the handle", lambda: failed.resources().get("Handle"))
    assert put(url, '{"Status":"FAILURE","UniqueId":"1","Reason":"no disk"}') == 200
    failed.until("ROLLBACK_COMPLETE")
    assert any("WaitCondition received failed message: 'no disk' for uniqueId: 1" in r for *_, r in failed.events())
    late = stack().create(waiting(timeout=1), wait="ROLLBACK_COMPLETE")
    assert any("WaitCondition timed out. Received 0 conditions when expecting 1" in r for *_, r in late.events())
    by_call = stack().create(waiting(), wait=None)
    wait_for("the condition", lambda: by_call.resources().get("Wait"))
    by_call.formation.signal_resource(StackName=by_call.name, LogicalResourceId="Wait", UniqueId="x", Status="SUCCESS")
    by_call.until("CREATE_COMPLETE")


def test_instances_signal_from_their_user_data(stack, client):
    s = stack().create(signalling({"Status": "SUCCESS", "UniqueId": "web", "Data": "installed", "Reason": "done"}))
    assert json.loads(s.outputs()["Data"]) == {"web": "installed"}
    failed = stack().create(signalling({"Status": "FAILURE", "UniqueId": "web", "Reason": "no disk"}), wait="ROLLBACK_COMPLETE")
    assert any("WaitCondition received failed message: 'no disk' for uniqueId: web" in r for *_, r in failed.events())
    assert not instances_of(failed, client)


def test_instances_reach_the_api_and_get_in_with_keys_only(stack, region, client):
    api, key = "http://127.0.0.1:" + region.endpoint()["url"].rsplit(":", 1)[1], region.credentials()
    query = f"'{api}/?Action=DescribeVpcs&Version=2016-11-15'"
    # curl signs by itself.
    signed = f"--aws-sigv4 aws:amz:{region.endpoint()['region']}:ec2 --user {key['access_key_id']}"
    asked = {
        f"{api}/_allod/health": "200",
        f"{api}/_allod/status": "400",
        f"-X POST {api}/_allod/shutdown": "400",
        f"{api}/_allod/console-output/i-1": "400",
        f"'{api}/_allod/?token=guess'": "403",
        f"-X PUT {api}/_allod/wait/guess -d {{}}": "404",
        query: "401",
        f"{query} {signed}:guess": "401",
        f"{query} {signed}:{key['secret_access_key']}": "200",
    }
    ask = "".join(f"curl -s -o /dev/null -w 'got %{{http_code}}\\n' {arguments}\n" for arguments in asked)
    s = stack().create(signalling({"Status": "SUCCESS", "UniqueId": "x"}, before=ask))
    [server] = instances_of(s, client)
    console = client("ec2").get_console_output(InstanceId=server)["Output"]
    got = [line.split()[1] for line in console.splitlines() if line.startswith("got ")]
    assert dict(zip(asked, got, strict=True)) == asked, console
    assert region.processes("serve")


def test_a_creation_has_a_timeout(stack, client):
    s = stack()
    s.create({"Resources": {**waiting(timeout=600)["Resources"], "A": parameter("1")}}, wait=None, TimeoutInMinutes=1)
    assert s.describe()["TimeoutInMinutes"] == 1
    s.until("ROLLBACK_COMPLETE", seconds=90)


def test_secrets_are_not_shown(stack, region):
    template = {**resources(A=parameter({"Ref": "Secret"})), "Parameters": {"Secret": {"Type": "String", "NoEcho": True}}}
    s = stack().create(template, parameters={"Secret": "hunter2"})
    assert s.describe()["Parameters"] == [{"ParameterKey": "Secret", "ParameterValue": "****"}]
    s.formation.create_change_set(StackName=s.name, ChangeSetName="c", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Secret", "ParameterValue": "hunter3"}])
    shown = s.formation.describe_change_set(StackName=s.name, ChangeSetName="c")
    assert shown["Parameters"][0]["ParameterValue"] == "****"
    s.update(template, tags={"a": "b"}, parameters={"Secret": None})


def test_previous_values(stack, client):
    template = {**resources(A=parameter({"Ref": "P"})), "Parameters": {"P": {"Type": "String", "Default": "default"}, "Q": {"Type": "String", "Default": "q"}}}
    s = stack().create(template, parameters={"P": "given"})
    s.update(parameters={"P": None, "Q": "r"}, template={**template, "Outputs": {"P": {"Value": {"Ref": "P"}}}})
    assert s.outputs() == {"P": "given"}
    s.update(parameters={"Q": None}, template={**template, "Outputs": {"P": {"Value": {"Ref": "P"}}}})
    assert s.outputs() == {"P": "default"}, "what is not given has its default again"
    refused(s.update, "Parameters: [R] do not exist in the template", parameters={"R": "x"})
    refused(
        s.update,
        "Cannot specify usePreviousValue as true for a parameter key not in the previous template",
        template={**template, "Parameters": {**template["Parameters"], "R": {"Type": "String"}}},
        parameters={"R": None},
    )


def test_change_sets(stack, client):
    s = stack()
    f = s.formation
    template = resources(A=parameter("1"), B=parameter("b", f"/{s.name}/b"))
    made = f.create_change_set(StackName=s.name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(template))
    s.id = made["StackId"]
    f.get_waiter("change_set_create_complete").wait(ChangeSetName="first", StackName=s.name, WaiterConfig={"Delay": 1})
    assert s.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
    set = f.describe_change_set(ChangeSetName=made["Id"])
    assert [(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in set["Changes"]] == [("Add", "A"), ("Add", "B")]
    f.execute_change_set(ChangeSetName=made["Id"])
    f.get_waiter("stack_create_complete").wait(StackName=s.name, WaiterConfig={"Delay": 1})
    new = resources(A=parameter("2"), B=parameter("b", f"/{s.name}/b2"), C=parameter("c"))
    f.create_change_set(StackName=s.name, ChangeSetName="second", TemplateBody=json.dumps(new))
    set = f.describe_change_set(ChangeSetName="second", StackName=s.name)
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in set["Changes"]}
    assert {k: (c["Action"], c.get("Replacement")) for k, c in changes.items()} == {"A": ("Modify", "False"), "B": ("Modify", "True"), "C": ("Add", None)}
    target = changes["B"]["Details"][0]["Target"]
    assert target == {"Attribute": "Properties", "Name": "Name", "RequiresRecreation": "Always"}
    f.delete_change_set(ChangeSetName="second", StackName=s.name)
    refused(f.describe_change_set, "does not exist", "ChangeSetNotFound", ChangeSetName="second", StackName=s.name)
    f.create_change_set(StackName=s.name, ChangeSetName="same", TemplateBody=json.dumps(template))
    same = f.describe_change_set(ChangeSetName="same", StackName=s.name)
    assert same["Status"] == "FAILED" and "didn't contain changes" in same["StatusReason"] and same["ExecutionStatus"] == "UNAVAILABLE"
    refused(f.execute_change_set, "cannot be executed", "InvalidChangeSetStatus", ChangeSetName="same", StackName=s.name)
    refused(f.create_change_set, "does not exist", StackName=name_of("no"), ChangeSetName="a", TemplateBody=json.dumps(template))
    assert [x["ChangeSetName"] for x in f.list_change_sets(StackName=s.name)["Summaries"]]


def test_the_aws_command_deploys(stack, region, tmp_path):
    s = stack()
    file = tmp_path / "template.yaml"
    file.write_text("Parameters: {P: {Type: String}}\nResources: {A: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref P}}}\nOutputs: {P: {Value: !Ref P}}\n")

    def aws(*arguments, fails=False):
        command = [os.path.join(os.path.dirname(os.sys.executable), "aws"), "cloudformation", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=region.environment())
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    deploy = ["deploy", "--template-file", str(file), "--stack-name", s.name]
    aws("validate-template", "--template-body", f"file://{file}")
    assert "Parameters: [P] must have values" in aws(*deploy, fails=True)
    assert "Successfully created/updated stack" in aws(*deploy, "--parameter-overrides", "P=1")
    assert "No changes to deploy" in aws(*deploy, "--no-fail-on-empty-changeset")
    assert "Successfully" in aws(*deploy, "--parameter-overrides", "P=2", "--tags", "team=web")
    assert s.outputs() == {"P": "2"}
    aws("update-stack", "--stack-name", s.name, "--use-previous-template", "--parameters", "ParameterKey=P,ParameterValue=3")
    aws("wait", "stack-update-complete", "--stack-name", s.name)
    aws("delete-stack", "--stack-name", s.name)
    aws("wait", "stack-delete-complete", "--stack-name", s.name)
    assert "does not exist" in aws("describe-stacks", "--stack-name", s.name, fails=True)


def test_ten_stacks_at_once_and_many_events(stack):
    template = resources(**{f"P{i:02}": parameter(str(i)) for i in range(40)})
    all = [stack().create(template, wait=None) for _ in range(10)]
    for s in all:
        s.until("CREATE_COMPLETE")
        assert len(s.resources()) == 40
    first = all[0].formation.describe_stack_events(StackName=all[0].name)
    assert len(first["StackEvents"]) == 100 and first["NextToken"]
    events = all[0].events()
    assert len(events) == 40 * 3 + 2 and len(set(events)) == len(events)


def test_a_template_of_500_resources(stack):
    def template(value):
        return resources(**{f"P{i:03}": parameter(value, **({"DependsOn": f"P{i - 10:03}"} if i >= 10 else {})) for i in range(500)})

    s = stack()
    began = time.monotonic()
    s.create(template("1"))
    created = time.monotonic() - began
    s.update(template("2"))
    updated = time.monotonic() - began - created
    s.delete()
    deleted = time.monotonic() - began - created - updated
    print(f"500 resources: created in {created:.1f} s, updated in {updated:.1f} s, deleted in {deleted:.1f} s")
    assert max(created, updated, deleted) < 30
    refused(s.formation.create_stack, "Number of resources, 501, is greater than maximum allowed, 500", StackName=name_of("big"), TemplateBody=json.dumps(resources(**{f"P{i}": parameter("1") for i in range(501)})))


def test_serve_is_killed_at_any_moment_of_a_creation(stack, region, client):
    """Twenty times; each stack ends complete, with nothing made twice and nothing left after its end."""
    ec2, elb = client("ec2"), client("elbv2")
    rng = random.Random(4610)
    for round in range(20):
        s = stack().create(TIER, wait=None)
        time.sleep(rng.uniform(0, 0.35))
        region.kill("serve")
        region.start()
        s.until("CREATE_COMPLETE")
        began = [logical for logical, status, reason in s.events() if status == "CREATE_IN_PROGRESS" and "Initiated" not in reason]
        assert len(began) == len(set(began)), f"round {round}: begun twice: {began}"
        assert len(instances_of(s, client)) == 2, f"round {round}"
        for found in (ec2.describe_vpcs, ec2.describe_subnets, ec2.describe_internet_gateways, ec2.describe_security_groups, ec2.describe_launch_templates):
            ids = [x for k, x in found(Filters=tags_of_stack(s)).items() if k != "ResponseMetadata"][0]
            assert len(ids) == (2 if found == ec2.describe_subnets else 1), f"round {round}: {ids}"
        arns = [b["LoadBalancerArn"] for b in elb.describe_load_balancers()["LoadBalancers"] if b["VpcId"] == s.resources()["Net"]]
        assert arns == [s.resources()["Balancer"]]
        if round % 2:
            s.formation.delete_stack(StackName=s.name)
            time.sleep(rng.uniform(0, 0.2))
            region.kill("serve")
            region.start()
            s.until("DELETE_COMPLETE")
        else:
            s.delete()
        assert not instances_of(s, client) and not ec2.describe_vpcs(Filters=tags_of_stack(s))["Vpcs"]


def test_allod_up_creates_updates_and_tells_failures(stack, region, tmp_path):
    s = stack()
    file = tmp_path / "t.yaml"
    template = "Parameters: {P: {Type: String}}\nResources:\n  A: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref P}}\n"
    net = "  Net: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.78.0.0/16}}\n"
    bad = net + "  Bad: {Type: AWS::EC2::Subnet, DependsOn: A, Properties: {VpcId: !Ref Net, CidrBlock: 10.99.0.0/24}}\n"

    def up(text, *more, check=True):
        file.write_text(text)
        return region.run("up", str(file), "--stack-name", s.name, *more, check=check)

    done = up(template + bad, "--parameter", "P=1", check=False)
    assert done.returncode != 0 and "ROLLBACK_COMPLETE: Bad: The CIDR '10.99.0.0/24' is invalid." in done.stderr, done.stderr
    assert "ROLLBACK_COMPLETE" in done.stdout and "InvalidSubnet.Range" in done.stdout
    # It is simply tried again: what failed is cleared away.
    assert "CREATE_COMPLETE" in up(template, "--parameter", "P=1")
    assert json.loads(up(template, "--output", "json"))["outcome"] == "unchanged"
    out = up(template.replace("Resources:", "Outputs: {P: {Value: !Ref P}}\nResources:") + net)
    assert "UPDATE_COMPLETE" in out and "P = 1" in out and out.count("User Initiated") == 1, out
    done = up(template + bad, check=False)
    assert done.returncode != 0 and "UPDATE_ROLLBACK_COMPLETE: Bad: The CIDR" in done.stderr, done.stderr
    assert s.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    # Who goes back to the template before it has what they ask for.
    before = template.replace("Resources:", "Outputs: {P: {Value: !Ref P}}\nResources:") + net
    assert json.loads(up(before, "--output", "json"))["outcome"] == "unchanged"


def test_allod_up_does_not_wait_for_a_review(stack, region, tmp_path):
    s = stack()
    file = tmp_path / "t.yaml"
    file.write_text(json.dumps(resources(A=parameter("1"))))
    s.formation.create_change_set(StackName=s.name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=file.read_text())
    done = region.run("up", str(file), "--stack-name", s.name, check=False)
    assert done.returncode == 1 and "has nothing but change sets yet (REVIEW_IN_PROGRESS)" in done.stderr, done.stderr
    region.run("down", "--stack-name", s.name)
    assert "CREATE_COMPLETE" in region.run("up", str(file), "--stack-name", s.name)


def test_a_stack_can_end_at_any_moment(stack, client):
    s = stack().create(TIER + "  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}\n  Wait: {Type: AWS::CloudFormation::WaitCondition, DependsOn: Scaling, Properties: {Handle: !Ref Handle, Timeout: 600}}\n", wait=None)
    wait_for("the condition", lambda: s.resources().get("Wait"))
    s.delete()
    assert not client("ec2").describe_vpcs(Filters=tags_of_stack(s))["Vpcs"] and not instances_of(s, client)
    names = [f"{s.name}-1", f"{s.name}-2"]
    s = stack().create(resources(A=parameter("1", names[0])))
    waits = waiting(timeout=600)["Resources"]
    waits["Wait"]["DependsOn"] = "A"
    s.update({"Resources": {**waits, "A": parameter("1", names[1])}}, wait=None)
    wait_for("the condition", lambda: s.resources().get("Wait"))
    assert [value(client, n) for n in names] == ["1", "1"]
    s.delete()
    assert [value(client, n) for n in names] == [None, None], "what was replaced goes with its stack"


def test_stacks_that_are_not_there(client):
    f = client("cloudformation")
    refused(f.update_stack, "Stack [nobody] does not exist", StackName="nobody", TemplateBody=json.dumps(resources(A=parameter("1"))))
    refused(f.describe_stack_events, "Stack [nobody] does not exist", StackName="nobody")
    assert {x["Name"] for x in f.describe_account_limits()["AccountLimits"]} >= {"StackLimit"}
    for call in (f.describe_stacks, f.describe_stack_resources, f.list_stack_resources, f.get_template):
        refused(call, "Stack with id nobody does not exist", StackName="nobody")
