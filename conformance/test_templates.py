"""Templates: what their functions, parameters and conditions give, and how mistakes in them are told."""

import json

import pytest
from botocore.exceptions import ClientError

from cdk import cdk_template
from stacks import name_of, refused, text
from stacks import stack  # noqa: F401 (a fixture)


FUNCTIONS = """
AWSTemplateFormatVersion: '2010-09-09'
Description: every function
Parameters:
  Env: {Type: String, Default: prod, AllowedValues: [prod, test]}
  Sizes: {Type: CommaDelimitedList, Default: 'small, medium,large'}
  Ports: {Type: List<Number>, Default: '80,443'}
  Count: {Type: Number, Default: 3}
Mappings:
  ByEnv:
    prod: {Cidr: 10.61.0.0/16, Letters: [a, b, c]}
    test: {Cidr: 10.62.0.0/16, Letters: [x, y]}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsTest: !Not [!Condition IsProd]
  Both: !And [!Condition IsProd, !Equals [!Ref Count, 3]]
  Either: !Or [!Condition IsTest, !Equals [!Select [1, !Ref Sizes], medium]]
Resources:
  Net:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !FindInMap [ByEnv, !Ref Env, Cidr]
      EnableDnsHostnames: !If [IsProd, true, !Ref AWS::NoValue]
      Tags:
        - {Key: Name, Value: !Sub '${AWS::StackName}-net'}
        - !If [IsTest, {Key: Only, Value: test}, !Ref 'AWS::NoValue']
  TestOnly: {Type: AWS::EC2::InternetGateway, Condition: IsTest}
  Part:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Net
      CidrBlock: !Select [1, !Cidr [!GetAtt Net.CidrBlock, 4, 8]]
      AvailabilityZone: !Select [0, !GetAZs '']
Outputs:
  Join: {Value: !Join ['|', [a, !Ref Env, !Ref Count]]}
  JoinList: {Value: !Join ['+', !Ref Sizes]}
  JoinPorts: {Value: !Join ['+', !Ref Ports]}
  Sub: {Value: !Sub ['${Env}-${Own}-${Net.CidrBlock}-${!Literal}', {Own: !Join ['', [x, y]]}]}
  Select: {Value: !Select ['2', !Ref Sizes]}
  Split: {Value: !Select [1, !Split [':', 'a:b:c']]}
  Map: {Value: !Join [',', !FindInMap [ByEnv, !Ref Env, Letters]]}
  Base64: {Value: {'Fn::Base64': !Sub 'hello ${Env}'}}
  Zones: {Value: !Join [',', {'Fn::GetAZs': !Ref 'AWS::Region'}]}
  Cidr: {Value: !Join [',', !Cidr ['192.168.0.0/24', 3, 5]]}
  If: {Value: !If [Both, both, neither]}
  Either: {Condition: Either, Value: 'yes'}
  Absent: {Condition: IsTest, Value: !Ref TestOnly}
  Zone: {Value: !GetAtt Part.AvailabilityZone}
  Pseudo: {Value: !Sub '${AWS::Partition}/${AWS::Region}/${AWS::AccountId}/${AWS::URLSuffix}/${AWS::StackName}'}
  StackId: {Value: !Ref AWS::StackId}
"""


def test_every_function(stack, client):
    s = stack().create(FUNCTIONS)
    zones = [z["ZoneName"] for z in client("ec2").describe_availability_zones()["AvailabilityZones"]]
    me = client("sts").get_caller_identity()["Account"]
    region = client("ec2").meta.region_name
    assert s.outputs() == {
        "Join": "a|prod|3",
        "JoinList": "small+medium+large",
        "JoinPorts": "80+443",
        "Sub": "prod-xy-10.61.0.0/16-${Literal}",
        "Select": "large",
        "Split": "b",
        "Map": "a,b,c",
        "Base64": "aGVsbG8gcHJvZA==",
        "Zones": ",".join(zones),
        "Cidr": "192.168.0.0/27,192.168.0.32/27,192.168.0.64/27",
        "If": "both",
        "Either": "yes",
        "Zone": zones[0],
        "Pseudo": f"aws/{region}/{me}/amazonaws.com/{s.name}",
        "StackId": s.id,
    }
    vpc = client("ec2").describe_vpcs(VpcIds=[s.resources()["Net"]])["Vpcs"][0]
    tags = {t["Key"]: t["Value"] for t in vpc["Tags"]}
    assert tags["Name"] == f"{s.name}-net" and "Only" not in tags
    assert tags["aws:cloudformation:stack-name"] == s.name and tags["aws:cloudformation:logical-id"] == "Net"
    assert set(s.resources()) == {"Net", "Part"}
    s.update(parameters={"Env": "test"})
    assert s.outputs()["Map"] == "x,y" and s.outputs()["If"] == "neither"
    assert s.resources()["TestOnly"].startswith("igw-") and s.outputs()["Absent"] == s.resources()["TestOnly"]


def test_json_is_a_template_too(stack):
    template = {
        "Parameters": {"Cidr": {"Type": "String"}},
        "Resources": {"Net": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": {"Ref": "Cidr"}}}},
        "Outputs": {"Id": {"Value": {"Fn::GetAtt": ["Net", "VpcId"]}}, "Att": {"Value": {"Fn::GetAtt": "Net.CidrBlock"}}},
    }
    s = stack().create(template, parameters={"Cidr": "10.60.0.0/16"})
    assert s.outputs() == {"Id": s.resources()["Net"], "Att": "10.60.0.0/16"}
    assert s.formation.get_template(StackName=s.name)["TemplateBody"] == template


def test_parameters_of_ssm(stack, client):
    ssm = client("ssm")
    ssm.put_parameter(Name="/templates/cidr", Type="String", Value="10.63.0.0/16", Overwrite=True)
    ssm.put_parameter(Name="/templates/list", Type="StringList", Value="a,b,c", Overwrite=True)
    template = """
Parameters:
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
  Cidr: {Type: AWS::SSM::Parameter::Value<String>, Default: /templates/cidr}
  Many: {Type: AWS::SSM::Parameter::Value<List<String>>, Default: /templates/list}
  Named: {Type: AWS::SSM::Parameter::Name, Default: /templates/cidr}
Resources:
  Net: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}
Outputs:
  Image: {Value: !Ref Image}
  Many: {Value: !Join ['-', !Ref Many]}
  Named: {Value: !Ref Named}
"""
    s = stack().create(template)
    outputs = s.outputs()
    assert outputs["Image"].startswith("ami-") and outputs["Many"] == "a-b-c" and outputs["Named"] == "/templates/cidr"
    shown = {p["ParameterKey"]: p for p in s.describe()["Parameters"]}
    assert shown["Cidr"]["ParameterValue"] == "/templates/cidr" and shown["Cidr"]["ResolvedValue"] == "10.63.0.0/16"
    # A changed parameter is noticed although nothing of the stack's input changes.
    ssm.put_parameter(Name="/templates/list", Type="StringList", Value="a,b,d", Overwrite=True)
    s.update(parameters={"Many": None})
    assert s.outputs()["Many"] == "a-b-d"
    refused(
        s.formation.create_stack,
        "Unable to fetch parameters [/templates/none] from parameter store for this account.",
        StackName=name_of("none"),
        TemplateBody=template,
        Parameters=[{"ParameterKey": "Cidr", "ParameterValue": "/templates/none"}],
    )


ANY = "Resources: {G: {Type: AWS::EC2::InternetGateway}}\n"

PARAMETERS = [
    ("P: {Type: String}", {}, "Parameters: [P] must have values"),
    ("P: {Type: String, Default: a}", {"Q": "b"}, "Parameters: [Q] do not exist in the template"),
    ("P: {Type: Number}", {"P": "x"}, "Parameter 'P' must be a number"),
    ("P: {Type: Number, MinValue: 2}", {"P": "1"}, "Parameter 'P' must be a number not less than 2"),
    ("P: {Type: Number, MaxValue: 2}", {"P": "3"}, "Parameter 'P' must be a number not greater than 2"),
    ("P: {Type: String, MinLength: 2}", {"P": "a"}, "Parameter 'P' must contain at least 2 characters"),
    ("P: {Type: String, MaxLength: 2}", {"P": "aaa"}, "Parameter 'P' must contain at most 2 characters"),
    ("P: {Type: String, AllowedValues: [a, b]}", {"P": "c"}, "Parameter 'P' must be one of AllowedValues"),
    ("P: {Type: String, AllowedPattern: '[a-z]+'}", {"P": "A"}, "Parameter 'P' must match pattern [a-z]+"),
    (
        "P: {Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: lower case only}",
        {"P": "A"},
        "Parameter P failed to satisfy constraint: lower case only",
    ),
    ("P: {Type: AWS::EC2::VPC::Id}", {"P": "vpc-0000"}, "vpc-0000"),
    ("P: {Type: List<AWS::EC2::Subnet::Id>}", {"P": "subnet-1,subnet-2"}, "subnet-1"),
    ("P: {Type: AWS::EC2::KeyPair::KeyName}", {"P": "nokey"}, "nokey"),
    ("P: {Type: Strin}", {"P": "a"}, "2:13: Parameters.P.Type: Template format error: Unrecognized parameter type: Strin"),
]


@pytest.mark.parametrize("declared, given, wanted", PARAMETERS)
def test_parameters_are_judged_in_awss_words(client, declared, given, wanted):
    parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()]
    template = f"Parameters:\n  {declared}\n{ANY}"
    create = client("cloudformation").create_stack
    refused(create, wanted, StackName=name_of("judged"), TemplateBody=template, Parameters=parameters)


WRONG = [
    ("Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlok: 10.0.0.0/16\n", "5:7:", "CidrBlok; did you mean CidrBlock?"),
    ("Resources:\n  A: {Type: AWS::EC2::VCP}\n", "2:13:", "Unrecognized resource types: [AWS::EC2::VCP]"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, DependsOn: B}\n", "2:", "Unresolved resource dependencies [B]"),
    ("Resources:\n  A: {Type: AWS::EC2::VPC, Condition: C}\n", "2:3:", "Condition C is not defined"),
    (ANY + "Outputs:\n  O: {Value: !GetAtt G.Nothing}\n", "3:", "does not support attribute type Nothing"),
    (ANY + "Outputs:\n  O: {Value: !GetAtt H.Arn}\n", "3:", "undefined resource H"),
    (ANY + "Outputs:\n  O: {Value: !FindInMap [M, a, b]}\n", "3:", "Mapping named 'M' is not present"),
    (ANY + "Outputs:\n  O: {Value: !Sub 'x${Nobody}'}\n", "3:", "Unresolved resource dependencies [Nobody]"),
    (ANY + "Outputs:\n  O: {Value: !If [C, a, b]}\n", "3:", "Unresolved condition dependency C"),
    (ANY + "Outputs:\n  O: {Value: [a]}\n", "3:", "must evaluate to a String"),
    (ANY + "Conditions:\n  C: !Equals [!Ref G, a]\n", "3:", "Cannot reference resources in the Conditions block"),
    (ANY + "Conditions:\n  C: !Equals [a]\n", "3:", "Fn::Equals"),
    (ANY + "Conditions:\n  C: !Contains [[a], a]\n", "3:", "can only be used in the Rules block"),
    (ANY + "Outputs:\n  O: {Value: !Length [a]}\n", "3:", "Fn::Length"),
    (ANY + "Transform: AWS::Serverless-2016-10-31\n", "2:1:", "Transform"),
    (ANY + "Color: red\n", "2:1:", "Invalid template property or properties [Color]"),
    ("AWSTemplateFormatVersion: '2011-01-01'\n" + ANY, "1:", "2011-01-01"),
    ("Description: nothing\n", "1:", "At least one Resources member must be defined"),
    ('{"Resources": {"A": {"Type": "AWS::EC2::VPC",}}}', "1:", "Template format error"),
    ("Resources:\n  A:\n\tType: AWS::EC2::VPC\n", "3:", "Template format error"),
    ("Resources:\n  A-b: {Type: AWS::EC2::VPC}\n", "2:3:", "non alphanumeric"),
]


@pytest.mark.parametrize("template, place, wanted", WRONG)
def test_mistakes_are_told_with_their_place(client, template, place, wanted):
    formation = client("cloudformation")
    for call, more in ((formation.create_stack, {"StackName": name_of("wrong")}), (formation.validate_template, {})):
        with pytest.raises(ClientError) as e:
            call(TemplateBody=template, **more)
        error = e.value.response["Error"]
        assert error["Code"] == "ValidationError", error
        assert error["Message"].startswith(place) and wanted in error["Message"], error


def test_the_command_puts_the_file_before_every_line(region, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(
        "Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlok: x\n  B: {Type: AWS::EC2::Nothing}\n"
        "  C: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref D}}\n"
    )
    done = region.run("up", str(file), "--stack-name", "bad", check=False)
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.strip()]
    told[0] = told[0].removeprefix("error: ").removeprefix("allod: ")
    assert len(told) >= 3, done.stderr
    for line, number in zip(told, (5, 6, 7)):
        assert line.startswith(f"{file}:{number}:"), done.stderr
    file.write_text("Parameters: {P: {Type: String}}\n" + ANY)
    done = region.run("up", str(file), "--stack-name", "bad", check=False)
    assert f"{file}: Parameters: [P] must have values" in done.stderr


def test_validate_and_summary(client):
    formation = client("cloudformation")
    template = """
Description: roles
Parameters: {Secret: {Type: String, NoEcho: true, Description: hidden}, Env: {Type: String, Default: prod, AllowedValues: [prod]}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: summary
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]
"""
    found = formation.validate_template(TemplateBody=template)
    assert found["Capabilities"] == ["CAPABILITY_NAMED_IAM"] and "AWS::IAM::Role" in found["CapabilitiesReason"]
    assert found["Description"] == "roles"
    assert {p["ParameterKey"]: p["NoEcho"] for p in found["Parameters"]} == {"Secret": True, "Env": False}
    summary = formation.get_template_summary(TemplateBody=template)
    assert summary["ResourceTypes"] == ["AWS::IAM::Role"]
    env = next(p for p in summary["Parameters"] if p["ParameterKey"] == "Env")
    assert env["ParameterConstraints"]["AllowedValues"] == ["prod"] and env["DefaultValue"] == "prod"
    refused(
        formation.create_stack,
        "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        code="InsufficientCapabilitiesException",
        StackName=name_of("capable"),
        TemplateBody=template,
        Parameters=[{"ParameterKey": "Secret", "ParameterValue": "x"}],
    )


def test_rules_are_kept(stack, client):
    template = """
Parameters:
  Env: {Type: String, Default: prod}
  Size: {Type: String, Default: large}
  Net: {Type: AWS::EC2::VPC::Id}
  Parts: {Type: List<AWS::EC2::Subnet::Id>}
Rules:
  Sizes:
    RuleCondition: !Equals [!Ref Env, prod]
    Assertions:
      - Assert: {'Fn::Contains': [[large, huge], !Ref Size]}
        AssertDescription: prod is large
  OfTheNetwork:
    Assertions:
      - Assert: {'Fn::EachMemberIn': [{'Fn::ValueOfAll': [AWS::EC2::Subnet::Id, VpcId]}, {'Fn::RefAll': 'AWS::EC2::VPC::Id'}]}
      - Assert: {'Fn::EachMemberEquals': [{'Fn::ValueOf': [Parts, VpcId]}, !Ref Net]}
        AssertDescription: the subnets are not of the VPC
""" + ANY
    ec2 = client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    given = {"Net": subnets[0]["VpcId"], "Parts": ",".join(s["SubnetId"] for s in subnets)}
    s = stack()
    refused(s.create, "prod is large", template=template, parameters={**given, "Size": "small"})
    refused(s.describe, "does not exist")
    other = stack().create("Resources: {Net: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.64.0.0/16}}}").resources()["Net"]
    refused(s.create, "the subnets are not of the VPC", template=template, parameters={**given, "Net": other})
    s.create(template, parameters={**given, "Env": "test", "Size": "small"})
    refused(s.update, "prod is large", parameters={**given, "Env": "prod", "Size": None})


def test_what_the_cdk_writes(stack, client):
    s, ssm, template = stack(), client("ssm"), cdk_template()
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="5", Overwrite=True)
    refused(s.create, "CDK bootstrap stack version 6 required.", template=template, Capabilities=["CAPABILITY_IAM"])
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="21", Overwrite=True)
    s.create(template, Capabilities=["CAPABILITY_IAM"])
    assert s.outputs()["LoadBalancerDNS"].endswith(".elb.localhost")
    assert ("CDKMetadata" in s.resources()) == (client("ec2").meta.region_name == "eu-central-1")
    detail = s.formation.describe_stack_resource(StackName=s.name, LogicalResourceId="ASG")["StackResourceDetail"]
    assert json.loads(detail["Metadata"]) == {"aws:cdk:path": "Web/Net/Resource"}
    # `cdk deploy` of a changed construct path changes metadata only.
    changed = json.loads(text(template).replace("Web/Net/Resource", "Web/Net2/Resource"))
    before = s.resources()
    s.update(changed, Capabilities=["CAPABILITY_IAM"])
    assert s.resources() == before
    refused(s.update, "No updates are to be performed.", template=changed, Capabilities=["CAPABILITY_IAM"])
