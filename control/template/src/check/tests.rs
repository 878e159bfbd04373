#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use super::check;
use crate::schema::Schema;
use crate::template::Template;

const VPC: &str = "
properties
  CidrBlock  string  required replace
  Zones      list string
attributes
  Arn
  Outputs.*
";

fn errors_of(text: &str) -> Vec<String> {
    let schemas = |name: &str| match name {
        "AWS::EC2::VPC" => Some(Arc::new(Schema::parse(VPC).unwrap())),
        "AWS::Test::Any" | "AWS::EC2::Volume" => Some(Arc::new(Schema::parse("properties\n  P json\n  S string").unwrap())),
        _ => None,
    };
    let template = Template::parse(text).unwrap();
    check(&template, &schemas).err().map_or_else(Vec::new, |all| all.iter().map(ToString::to_string).collect())
}

/// The errors of a template with the lines in `text`.
fn refuses(text: &str, expected: &[&str]) {
    assert_eq!(errors_of(text), expected, "{text}");
}

/// The one error, without its place, when the value stands in a resource's property.
fn refuses_value(value: &str, expected: &str) {
    let text = format!(
        "
Parameters: {{Name: {{Type: String}}}}
Mappings: {{Map: {{Row: {{Key: a, Other: b}}, Next: {{Key: c}}}}}}
Conditions: {{Is: !Equals [!Ref Name, a]}}
Resources:
  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.0.0.0/16}}}}
  Own: {{Type: AWS::Test::Any, Properties: {{S: {value}}}}}"
    );
    let expected: Vec<String> =
        (!expected.is_empty()).then(|| format!("7:47: Resources.Own.Properties.S.{expected}")).into_iter().collect();
    assert_eq!(errors_of(&text), expected, "{value}");
}

#[test]
fn accepts_a_template_that_is_right() {
    let text = r"
Parameters:
  Name: {Type: String}
  Zones: {Type: CommaDelimitedList}
Mappings: {Map: {us-east-1: {Cidr: 10.0.0.0/16}}}
Conditions:
  Is: !Equals [!Ref Name, !FindInMap [Map, us-east-1, Cidr]]
  Not: !Not [!Condition Is]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Condition: Is
    Metadata: {Any: !Ref Name}
    Properties: {CidrBlock: !FindInMap [Map, !Ref 'AWS::Region', Cidr], Zones: !Ref Zones}
  Own:
    Type: AWS::Test::Any
    DependsOn: Vpc
    CreationPolicy: {ResourceSignal: {Count: !Ref Name, Timeout: PT5M}}
    UpdatePolicy: {AutoScalingRollingUpdate: {MinInstancesInService: '1', SuspendProcesses: [AZRebalance]}}
    Properties: {P: {Condition: {Any: 1}, Arn: !GetAtt Vpc.Outputs.Any}, S: !Sub ['${Vpc.Arn} ${X} ${AWS::Partition}${!Literal}', {X: !Ref Name}]}
Outputs:
  Own: {Value: !If [Is, !Ref Own, !Sub '${Name}'], Condition: Not, Export: {Name: !Sub '${AWS::StackName}-own'}}
";
    refuses(text, &[]);
}

#[test]
fn refuses_names_that_mean_nothing() {
    let unresolved = "Template format error: Unresolved resource dependencies";
    let block = "in the Resources block of the template";
    refuses_value("!Ref Nobody", &format!("Ref: {unresolved} [Nobody] {block}"));
    refuses_value("!Ref AWS::Nothing", &format!("Ref: {unresolved} [AWS::Nothing] {block}"));
    refuses_value("!Sub 'a${Nobody}'", &format!("Fn::Sub: {unresolved} [Nobody] {block}"));
}

#[test]
fn refuses_attributes_mappings_and_conditions() {
    let undefined = "Template error: instance of Fn::GetAtt references undefined resource Nobody";
    refuses_value("!GetAtt Nobody.Arn", &format!("Fn::GetAtt: {undefined}"));
    refuses_value("!Sub '${Nobody.Arn}'", &format!("Fn::Sub: {undefined}"));
    let unsupported = "Template error: resource Vpc does not support attribute type";
    refuses_value("!GetAtt Vpc.arn", &format!("Fn::GetAtt: {unsupported} arn in Fn::GetAtt; did you mean Arn?"));
    refuses_value("!Sub '${Vpc.Colour}'", &format!("Fn::Sub: {unsupported} Colour in Fn::GetAtt"));
    refuses_value("!GetAtt [Vpc, !Ref Name]", "");
    let mapping = "Fn::FindInMap: Template error: Unable to get mapping for";
    refuses_value("!FindInMap [Map, Gone, Key]", &format!("{mapping} Map::Gone::Key"));
    refuses_value("!FindInMap [Map, Next, Other]", &format!("{mapping} Map::Next::Other"));
    refuses_value("!FindInMap [Map, !Ref Name, Gone]", &format!("{mapping} Map::*::Gone"));
    refuses_value("!FindInMap [Map, Gone, !Ref Name]", &format!("{mapping} Map::Gone::*"));
    refuses_value("!FindInMap [Map, !Ref Name, Other]", "");
    refuses_value("!FindInMap [!Ref Name, a, b]", "");
    let gone = "Fn::FindInMap: Template error: Mapping named 'Gone' is not present in the 'Mappings' section of template.";
    refuses_value("!FindInMap [Gone, a, b]", gone);
    let condition = "Template format error: Unresolved condition dependency Gone in the Resources block of the template";
    refuses_value("!If [Gone, a, b]", &format!("Fn::If: {condition}"));
    let boolean = "Fn::Equals: Template error: Fn::Equals can only be used in the Conditions block of the template";
    refuses_value("!Equals [a, b]", boolean);
}

#[test]
fn refuses_in_conditions_what_is_not_known_yet() {
    let text = "
Conditions:
  A: !Equals [!Ref R, a]
  B: !Equals [!GetAtt R.Arn, a]
  C: !Not [!Condition Gone]
  D: !Equals [!ImportValue x, a]
  E: !Not [!Condition E]
Resources: {R: {Type: AWS::Test::Any}}";
    let resources =
        "Template format error: Unresolved dependencies [R]. Cannot reference resources in the Conditions block of the template";
    refuses(
        text,
        &[
            &format!("3:15: Conditions.A.Fn::Equals.Ref: {resources}"),
            &format!("4:15: Conditions.B.Fn::Equals.Fn::GetAtt: {resources}"),
            "5:12: Conditions.C.Fn::Not.Condition: Template format error: Unresolved condition dependency Gone in the Conditions block of the template",
            "6:15: Conditions.D.Fn::Equals.Fn::ImportValue: Template format error: Cannot use Fn::ImportValue in Conditions.",
            "7:3: Conditions.E: Template error: Found circular condition dependency between E",
        ],
    );
}

#[test]
fn refuses_types_properties_and_attributes_of_resources() {
    let text = "
Parameters: {Both: {Type: String}}
Resources:
  A: {Type: AWS::Nope::Nope, Properties: {X: !Ref Gone}}
  B: {Type: AWS::EC2::VPC, Condition: Gone, DependsOn: [A, Gone]}
  C: {Type: AWS::EC2::VPC, Properties: {CidrBlok: a, Zones: [!Ref A]}}
  Both: {Type: AWS::Test::Any}
  D: {Type: AWS::Test::Any, DependsOn: E}
  E: {Type: AWS::Test::Any, Properties: {S: !Ref D}}";
    refuses(
        text,
        &[
            "4:13: Resources.A.Type: Template format error: Unrecognized resource types: [AWS::Nope::Nope]",
            "4:46: Resources.A.Properties.X.Ref: Template format error: Unresolved resource dependencies [Gone] in the Resources block of the template",
            "5:3: Resources.B.Condition: Template format error: Condition Gone is not defined.",
            "5:3: Resources.B.Properties: Property CidrBlock is required and cannot be empty",
            "5:56: Resources.B.DependsOn: Template format error: Unresolved resource dependencies [Gone] in the Resources block of the template",
            "6:3: Resources.C.Properties: Property CidrBlock is required and cannot be empty",
            "6:41: Resources.C.Properties.CidrBlok: Encountered unsupported property CidrBlok; did you mean CidrBlock?",
            "7:3: Resources.Both: Template format error: Both names both a parameter and a resource",
            "8:3: Resources.D: Circular dependency between resources: [D, E]",
        ],
    );
}

#[test]
fn refuses_policies() {
    let text = "
Resources:
  A: {Type: AWS::Test::Any, CreationPolicy: {ResourceSignal: {Cont: 1}}}
  B: {Type: AWS::Test::Any, UpdatePolicy: {AutoScalingRollingUpdate: {MaxBatchSize: few}, Other: {}}}
  C: {Type: AWS::Test::Any, DeletionPolicy: Snapshot, UpdateReplacePolicy: Snapshot}
  D: {Type: AWS::EC2::Volume, DeletionPolicy: Snapshot}";
    refuses(
        text,
        &[
            "3:63: Resources.A.CreationPolicy.ResourceSignal.Cont: Encountered unsupported property ResourceSignal.Cont; did you mean Count?",
            "4:85: Resources.B.UpdatePolicy.AutoScalingRollingUpdate.MaxBatchSize: Value of property AutoScalingRollingUpdate.MaxBatchSize must be of type Integer",
            "4:91: Resources.B.UpdatePolicy.Other: Encountered unsupported property Other",
            "5:3: Resources.C.DeletionPolicy: Template error: resource type AWS::Test::Any does not support deletion policy Snapshot",
            "5:3: Resources.C.UpdateReplacePolicy: Template error: resource type AWS::Test::Any does not support update replace policy Snapshot",
        ],
    );
}

#[test]
fn refuses_outputs() {
    let text = "
Resources: {R: {Type: AWS::EC2::VPC, Properties: {CidrBlock: a}}}
Outputs:
  A: {Value: !Ref Gone}
  B: {Value: [a]}
  C: {Value: !GetAZs ''}
  D: {Value: a, Condition: Gone}
  E: {Value: !GetAtt R.Gone, Export: {Name: x}}
  F: {Value: a, Export: {Name: x}}
  G: {Value: a, Export: {Name: !Sub '${R}'}}
  H: {Value: a, Export: {Name: ''}}";
    let text_wanted = "Template format error: The Value field of every Outputs member must evaluate to a String.";
    refuses(
        text,
        &[
            "4:14: Outputs.A.Value.Ref: Template format error: Unresolved resource dependencies [Gone] in the Outputs block of the template",
            &format!("5:14: Outputs.B.Value: {text_wanted}"),
            &format!("6:14: Outputs.C.Value: {text_wanted}"),
            "7:3: Outputs.D.Condition: Template format error: Condition Gone is not defined.",
            "8:14: Outputs.E.Value.Fn::GetAtt: Template error: resource R does not support attribute type Gone in Fn::GetAtt",
            "9:32: Outputs.F.Export: Template format error: Output E is exported under the same name",
            "10:32: Outputs.G.Export: Template format error: The Name of an Export cannot depend on the resource R.",
            "11:32: Outputs.H.Export: Template format error: Output H is malformed. The Name of an Export must be a String.",
        ],
    );
}

#[test]
fn refuses_dynamic_references_but_those_to_ssm() {
    let text = "
Resources:
  A: {Type: AWS::EC2::VPC, Properties: {CidrBlock: '{{resolve:ssm:/net}}'}}
  B: {Type: AWS::EC2::VPC, Properties: {CidrBlock: '{{resolve:secretsmanager:net}}'}}
  C: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Sub '{{resolve:ssm-secure:/${AWS::StackName}/net:1}}'}}";
    let wanted = |service| {
        format!("Template error: dynamic references to {service} are not supported by this region yet: those to ssm are")
    };
    refuses(
        text,
        &[
            &format!("4:52: Resources.B.Properties.CidrBlock: {}", wanted("secretsmanager")),
            &format!("5:52: Resources.C.Properties.CidrBlock.Fn::Sub: {}", wanted("ssm-secure")),
        ],
    );
}
