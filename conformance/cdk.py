"""A template as `cdk synth` writes it for a VPC, a load balancer and an Auto Scaling group, shortened."""

import json


def cdk_template():
    path = {"aws:cdk:path": "Web/Net/Resource"}
    subnet = lambda i: {  # noqa: E731
        "Type": "AWS::EC2::Subnet",
        "Properties": {
            "AvailabilityZone": {"Fn::Select": [i, {"Fn::GetAZs": ""}]},
            "CidrBlock": f"10.65.{i}.0/24",
            "MapPublicIpOnLaunch": True,
            "Tags": [{"Key": "aws-cdk:subnet-type", "Value": "Public"}],
            "VpcId": {"Ref": "NetA1B2C3D4"},
        },
        "Metadata": path,
    }
    group = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {
            "GroupDescription": "Web/LB/SecurityGroup",
            "SecurityGroupIngress": [
                {"CidrIp": "0.0.0.0/0", "Description": "Allow from anyone on port 80", "FromPort": 80, "IpProtocol": "tcp", "ToPort": 80}
            ],
            "VpcId": {"Ref": "NetA1B2C3D4"},
        },
        "Metadata": path,
    }
    zones = [f"subnet{i}" for i in (0, 1)]
    return {
        "Resources": {
            "NetA1B2C3D4": {
                "Type": "AWS::EC2::VPC",
                "Properties": {
                    "CidrBlock": "10.65.0.0/16",
                    "EnableDnsHostnames": True,
                    "EnableDnsSupport": True,
                    "InstanceTenancy": "default",
                    "Tags": [{"Key": "Name", "Value": "Web/Net"}],
                },
                "Metadata": path,
            },
            "subnet0": subnet(0),
            "subnet1": subnet(1),
            "NetIGW": {"Type": "AWS::EC2::InternetGateway", "Metadata": path},
            "NetVPCGW": {
                "Type": "AWS::EC2::VPCGatewayAttachment",
                "Properties": {"InternetGatewayId": {"Ref": "NetIGW"}, "VpcId": {"Ref": "NetA1B2C3D4"}},
                "Metadata": path,
            },
            "Routes": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "NetA1B2C3D4"}}, "Metadata": path},
            "DefaultRoute": {
                "Type": "AWS::EC2::Route",
                "Properties": {
                    "DestinationCidrBlock": "0.0.0.0/0",
                    "GatewayId": {"Ref": "NetIGW"},
                    "RouteTableId": {"Ref": "Routes"},
                },
                "DependsOn": ["NetVPCGW"],
                "Metadata": path,
            },
            "LBSecurityGroup": group,
            "AsgSecurityGroup": json.loads(json.dumps(group).replace("Web/LB", "Web/ASG")),
            "AsgFromLB": {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": {
                    "Description": "Load balancer to target",
                    "FromPort": 80,
                    "GroupId": {"Fn::GetAtt": ["AsgSecurityGroup", "GroupId"]},
                    "IpProtocol": "tcp",
                    "SourceSecurityGroupId": {"Fn::GetAtt": ["LBSecurityGroup", "GroupId"]},
                    "ToPort": 80,
                },
                "Metadata": path,
            },
            "InstanceRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {
                        "Statement": [
                            {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
                        ],
                        "Version": "2012-10-17",
                    },
                    "Tags": [{"Key": "Name", "Value": "Web/ASG"}],
                },
                "Metadata": path,
            },
            "InstanceProfile": {
                "Type": "AWS::IAM::InstanceProfile",
                "Properties": {"Roles": [{"Ref": "InstanceRole"}]},
                "Metadata": path,
            },
            "LaunchTemplate": {
                "Type": "AWS::EC2::LaunchTemplate",
                "Properties": {
                    "LaunchTemplateData": {
                        "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["InstanceProfile", "Arn"]}},
                        "ImageId": {"Ref": "SsmParameterValueAmi"},
                        "InstanceType": "t3.micro",
                        "Monitoring": {"Enabled": False},
                        "SecurityGroupIds": [{"Fn::GetAtt": ["AsgSecurityGroup", "GroupId"]}],
                        "TagSpecifications": [
                            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "Web/ASG/LaunchTemplate"}]},
                            {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "Web/ASG/LaunchTemplate"}]},
                        ],
                        "UserData": {"Fn::Base64": "#!/bin/bash"},
                    },
                    "TagSpecifications": [
                        {"ResourceType": "launch-template", "Tags": [{"Key": "Name", "Value": "Web/ASG/LaunchTemplate"}]}
                    ],
                },
                "DependsOn": ["InstanceRole"],
                "Metadata": path,
            },
            "ASG": {
                "Type": "AWS::AutoScaling::AutoScalingGroup",
                "Properties": {
                    "LaunchTemplate": {
                        "LaunchTemplateId": {"Ref": "LaunchTemplate"},
                        "Version": {"Fn::GetAtt": ["LaunchTemplate", "LatestVersionNumber"]},
                    },
                    "MaxSize": "2",
                    "MinSize": "0",
                    "Tags": [{"Key": "Name", "PropagateAtLaunch": True, "Value": "Web/ASG"}],
                    "TargetGroupARNs": [{"Ref": "TargetGroup"}],
                    "VPCZoneIdentifier": [{"Ref": z} for z in zones],
                },
                "UpdatePolicy": {"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}},
                "Metadata": path,
            },
            "LB": {
                "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
                "Properties": {
                    "LoadBalancerAttributes": [{"Key": "deletion_protection.enabled", "Value": "false"}],
                    "Scheme": "internet-facing",
                    "SecurityGroups": [{"Fn::GetAtt": ["LBSecurityGroup", "GroupId"]}],
                    "Subnets": [{"Ref": z} for z in zones],
                    "Type": "application",
                },
                "DependsOn": ["DefaultRoute"],
                "Metadata": path,
            },
            "Listener": {
                "Type": "AWS::ElasticLoadBalancingV2::Listener",
                "Properties": {
                    "DefaultActions": [{"TargetGroupArn": {"Ref": "TargetGroup"}, "Type": "forward"}],
                    "LoadBalancerArn": {"Ref": "LB"},
                    "Port": 80,
                    "Protocol": "HTTP",
                    "Tags": [{"Key": "team", "Value": "web"}],
                },
                "Metadata": path,
            },
            "Rule": {
                "Type": "AWS::ElasticLoadBalancingV2::ListenerRule",
                "Properties": {
                    "Actions": [{"FixedResponseConfig": {"StatusCode": "200"}, "Type": "fixed-response"}],
                    "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/fixed"]}}],
                    "ListenerArn": {"Ref": "Listener"},
                    "Priority": 1,
                    "Tags": [{"Key": "team", "Value": "web"}],
                },
                "Metadata": path,
            },
            "Dashboard": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {"DashboardBody": "{\"widgets\":[]}", "Tags": [{"Key": "team", "Value": "web"}]},
                "Metadata": path,
            },
            "TargetGroup": {
                "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
                "Properties": {
                    "Port": 80,
                    "Protocol": "HTTP",
                    "TargetGroupAttributes": [{"Key": "stickiness.enabled", "Value": "false"}],
                    "TargetType": "instance",
                    "VpcId": {"Ref": "NetA1B2C3D4"},
                },
                "Metadata": path,
            },
            "CDKMetadata": {
                "Type": "AWS::CDK::Metadata",
                "Properties": {"Analytics": "v2:deflate64:H4sIAAAAAAAA"},
                "Metadata": {"aws:cdk:path": "Web/CDKMetadata/Default"},
                "Condition": "CDKMetadataAvailable",
            },
        },
        "Outputs": {"LoadBalancerDNS": {"Value": {"Fn::GetAtt": ["LB", "DNSName"]}}},
        "Parameters": {
            "SsmParameterValueAmi": {
                "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
                "Default": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
            },
            "BootstrapVersion": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/cdk-bootstrap/hnb659fds/version",
                "Description": "Version of the CDK Bootstrap resources in this environment, automatically retrieved from SSM Parameter Store. [cdk:skip]",
            },
        },
        "Conditions": {
            "CDKMetadataAvailable": {
                "Fn::Or": [
                    {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, r]} for r in ("af-south-1", "ap-east-1", "eu-central-1")]},
                    {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, r]} for r in ("us-east-1", "us-west-2")]},
                ]
            }
        },
        "Rules": {
            "CheckBootstrapVersion": {
                "Assertions": [
                    {
                        "Assert": {
                            "Fn::Not": [{"Fn::Contains": [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]}]
                        },
                        "AssertDescription": "CDK bootstrap stack version 6 required. Please run 'cdk bootstrap' with a recent version of the CDK CLI.",
                    }
                ]
            }
        },
    }
