#![allow(clippy::unwrap_used)]

use serde_json::{Value as Json, json};

use super::{Environment, evaluate};
use crate::conditions;
use crate::template::Template;

/// A small region in which `Web` and `Maybe` exist.
pub(crate) struct World;

impl Environment for World {
    fn parameter(&self, name: &str) -> Option<Json> {
        match name {
            "Size" => Some(json!("small")),
            "Port" => Some(json!("8080")),
            "Which" => Some(json!("1")),
            "Subnets" => Some(json!(["s-1", "s-2"])),
            "Long" => Some(json!("x".repeat(4_096))),
            _ => None,
        }
    }

    fn pseudo(&self, name: &str) -> Option<Json> {
        match name {
            "AWS::Region" => Some(json!("eu-central-1")),
            "AWS::AccountId" => Some(json!("000000000000")),
            "AWS::NotificationARNs" => Some(json!([])),
            _ => None,
        }
    }

    fn physical_id(&self, logical: &str) -> Result<Json, String> {
        match logical {
            "Web" | "Maybe" => Ok(json!(format!("i-{logical}"))),
            other => Err(format!("Resource {other} is not there yet")),
        }
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Result<Json, String> {
        match (logical, attribute) {
            ("Web", "Names") => Ok(json!(["a", "b"])),
            ("Web", "Address.Ip") => Ok(json!("10.0.0.1")),
            ("Web", "small") => Ok(json!("attribute small")),
            ("Web", "Port") => Ok(json!(80)),
            _ => Err(format!("Template error: resource {logical} does not support attribute type {attribute} in Fn::GetAtt")),
        }
    }

    fn zones(&self, region: &str) -> Result<Vec<String>, String> {
        match region {
            "eu-central-1" => Ok(vec!["eu-central-1a".into(), "eu-central-1b".into()]),
            other => Err(format!("Template error: Fn::GetAZs: no region {other}")),
        }
    }

    fn import(&self, name: &str) -> Result<String, String> {
        match name {
            "net-small" => Ok("vpc-1".into()),
            other => Err(format!("No export named {other} found.")),
        }
    }
}

const SECTIONS: &str = r"
Mappings:
  Sizes: {small: {Cpu: '1', Zones: [a, b]}, eu-central-1: {Cpu: '9'}}
  Names: {eu-central-1: {Key: small}}
Conditions:
  Yes: !Equals [a, a]
  No: !Equals [a, b]
Resources:
  Web: {Type: T}
  Late: {Type: T}
  Maybe: {Type: T, Condition: Yes}
  Never: {Type: T, Condition: No}
  Subject: {Type: T, Metadata: ";

/// Evaluates one expression in flow style, in the sections above.
fn run(expression: &str) -> Result<Option<Json>, String> {
    let template = Template::parse(&format!("{}{expression}}}\n", SECTIONS.trim_start())).unwrap();
    let known = conditions(&template, &World).unwrap();
    let subject = template.resource("Subject").unwrap().metadata.as_ref().unwrap();
    evaluate(&template, &known, &World, subject).map_err(|error| {
        assert_eq!(error.position.line, 12, "{error}");
        error.message
    })
}

fn gives(expression: &str, expected: Json) {
    assert_eq!(run(expression), Ok(Some(expected)), "{expression}");
}

fn fails(expression: &str, expected: &str) {
    let message = run(expression).unwrap_err();
    assert!(message.contains(expected), "{expression}: {message}");
}

#[test]
fn literals_keep_their_kind() {
    gives("{a: [1, 'x', true, 080], b: {}}", json!({"a": [1, "x", true, "080"], "b": {}}));
}

#[test]
fn ref_finds_parameters_pseudo_parameters_and_resources() {
    gives("!Ref Size", json!("small"));
    gives("{Ref: Subnets}", json!(["s-1", "s-2"]));
    gives("!Ref AWS::Region", json!("eu-central-1"));
    gives("!Ref AWS::NotificationARNs", json!([]));
    gives("!Ref Web", json!("i-Web"));
    gives("!Ref Maybe", json!("i-Maybe"));
    fails("!Ref Late", "Resource Late is not there yet");
    fails("!Ref Nobody", "Unresolved resource dependencies [Nobody]");
    fails("!Ref AWS::Nothing", "Unresolved resource dependencies [AWS::Nothing]");
    fails("!Ref Never", "Unresolved resource dependencies [Never]");
}

#[test]
fn get_att() {
    gives("!GetAtt Web.Names", json!(["a", "b"]));
    gives("!GetAtt Web.Address.Ip", json!("10.0.0.1"));
    gives("{Fn::GetAtt: [Web, !Ref Size]}", json!("attribute small"));
    fails("!GetAtt Web.Color", "resource Web does not support attribute type Color in Fn::GetAtt");
    fails("!GetAtt Nobody.Arn", "Template error: instance of Fn::GetAtt references undefined resource Nobody");
    fails("!GetAtt Never.Arn", "Unresolved resource dependencies [Never]");
}

#[test]
fn sub() {
    gives("!Sub 'a-${Size}-${AWS::Region}-${Web}-${Web.Address.Ip}'", json!("a-small-eu-central-1-i-Web-10.0.0.1"));
    gives("!Sub ['${A}/${Size}/${B.c}', {A: !Select [1, !Ref Subnets], B.c: 5}]", json!("s-2/small/5"));
    gives("!Sub '${!Size} $ {Size} ${Size'", json!("${Size} $ {Size} ${Size"));
    gives("!Sub '${Web.Port}'", json!("80"));
    gives("!Sub ''", json!(""));
    let unresolved = |name: &str| format!("Template error: variable {name} in Fn::Sub expression does not resolve to a string");
    fails("!Sub '${Subnets}'", &unresolved("Subnets"));
    fails("!Sub '${Web.Names}'", &unresolved("Web.Names"));
    fails("!Sub '${AWS::NoValue}'", &unresolved("AWS::NoValue"));
    fails("!Sub ['${A}', {A: !Ref AWS::NoValue}]", &unresolved("A"));
    fails("!Sub '${Nobody}'", "Unresolved resource dependencies [Nobody]");
    fails("!Sub '${Nobody.Arn}'", "Fn::GetAtt references undefined resource Nobody");
}

#[test]
fn join() {
    gives("!Join ['-', [a, !Ref Size, 5, true]]", json!("a-small-5-true"));
    gives("!Join [', ', !Ref Subnets]", json!("s-1, s-2"));
    gives("!Join ['', !GetAZs '']", json!("eu-central-1aeu-central-1b"));
    gives("!Join ['-', !Split [',', 'a,b']]", json!("a-b"));
    gives("!Join ['-', [a, !Ref AWS::NoValue, b]]", json!("a-b"));
    gives("!Join ['-', []]", json!(""));
    fails("!Join ['-', [a, !Ref Subnets]]", "every Fn::Join object requires two parameters");
    fails("!Join ['-', !Ref Size]", "every Fn::Join object requires two parameters");
    fails("!Join ['-', [{a: b}]]", "every Fn::Join object requires two parameters");
}

#[test]
fn select_and_split() {
    gives("!Select [0, [a, b]]", json!("a"));
    gives("!Select ['1', !Ref Subnets]", json!("s-2"));
    gives("!Select [!Ref Which, !Split [',', 'a,b,c']]", json!("b"));
    gives("!Select [0, !GetAZs {Ref: AWS::Region}]", json!("eu-central-1a"));
    gives("!Select [1, !Cidr [10.0.0.0/16, 4, 8]]", json!("10.0.1.0/24"));
    fails("!Select [3, [a, b]]", "Template error: Fn::Select cannot select nonexistent value at index 3");
    fails("!Select [-1, [a]]", "cannot select nonexistent value at index -1");
    fails("!Select [1, [a, !Ref AWS::NoValue]]", "cannot select nonexistent value at index 1");
    fails("!Select [x, [a]]", "cannot select nonexistent value at index x");
    fails("!Select [0, !Ref Size]", "Fn::Select requires a list argument with two elements");
    gives("!Split ['|', 'a||b']", json!(["a", "", "b"]));
    gives("!Split [',', !Ref Size]", json!(["small"]));
    gives("!Split ['-', '-']", json!(["", ""]));
    fails("!Split [',', !Ref Subnets]", "every Fn::Split object requires two parameters");
}

#[test]
fn find_in_map() {
    gives("!FindInMap [Sizes, small, Cpu]", json!("1"));
    gives("!FindInMap [Sizes, !Ref Size, Zones]", json!(["a", "b"]));
    gives("!FindInMap [Sizes, !Ref AWS::Region, Cpu]", json!("9"));
    gives("!FindInMap [Sizes, !FindInMap [Names, !Ref AWS::Region, Key], Cpu]", json!("1"));
    fails("!FindInMap [Sizes, big, Cpu]", "Template error: Unable to get mapping for Sizes::big::Cpu");
    fails("!FindInMap [Sizes, small, Ram]", "Unable to get mapping for Sizes::small::Ram");
    fails("!FindInMap [Nope, a, b]", "Mapping named 'Nope' is not present in the 'Mappings' section of template.");
    fails("!FindInMap [Sizes, !Ref Web, Cpu]", "Fn::FindInMap cannot refer to the resource Web");
    fails("!FindInMap [Sizes, !Ref Subnets, Cpu]", "every Fn::FindInMap object requires three strings");
}

#[test]
fn conditional_values() {
    gives("!If [Yes, a, !Ref Nobody]", json!("a"));
    gives("!If [No, !Ref Nobody, {b: !Ref Port}]", json!({"b": "8080"}));
    fails("!If [Perhaps, a, b]", "Unresolved condition dependency Perhaps");
    assert_eq!(run("!Ref AWS::NoValue"), Ok(None));
    assert_eq!(run("!If [Yes, !If [No, a, !Ref AWS::NoValue], b]"), Ok(None));
    gives("{a: !If [No, x, !Ref AWS::NoValue], b: [1, !If [Yes, !Ref AWS::NoValue, 2], 3]}", json!({"b": [1, 3]}));
    gives("[{a: !Ref AWS::NoValue}]", json!([{}]));
}

#[test]
fn base64_zones_cidr_and_imports() {
    gives("!Base64 'hallo ✓'", json!("aGFsbG8g4pyT"));
    gives("{Fn::Base64: !Sub '#!/bin/sh ${Port}'}", json!("IyEvYmluL3NoIDgwODA="));
    fails("!Base64 {Ref: Subnets}", "every Fn::Base64 object must have a String-typed value.");
    gives("!GetAZs ''", json!(["eu-central-1a", "eu-central-1b"]));
    gives("!Select [1, !GetAZs ]", json!("eu-central-1b"));
    gives("{Fn::GetAZs: !Ref AWS::Region}", json!(["eu-central-1a", "eu-central-1b"]));
    fails("!GetAZs mars-1", "no region mars-1");
    gives("!Cidr ['10.0.0.0/16', '2', '8']", json!(["10.0.0.0/24", "10.0.1.0/24"]));
    gives("!Cidr [10.0.0.0/16, 1]", json!(["10.0.0.0/24"]));
    gives("!Cidr ['2001:db8::/56', 2, 64]", json!(["2001:db8::/64", "2001:db8:0:1::/64"]));
    fails("!Cidr [10.0.0.0/16, many, 8]", "every Fn::Cidr object requires two or three parameters");
    fails("!Cidr [10.0.0.0/24, 5, 7]", "do not fit");
    gives("!ImportValue net-small", json!("vpc-1"));
    gives("{Fn::ImportValue: !Sub 'net-${Size}'}", json!("vpc-1"));
    fails("!ImportValue nothing", "No export named nothing found.");
    fails("!ImportValue {Ref: Subnets}", "the attribute in Fn::ImportValue must be a string");
}

#[test]
fn a_short_template_cannot_ask_for_gigabytes() {
    let many = "${Long}".repeat(10_000);
    fails(&format!("!Sub '{many}'"), "the functions give more than 16777216 bytes of text");
    let list = vec!["!Ref Long"; 10_000].join(", ");
    fails(&format!("[{list}]"), "the functions give more than 16777216 bytes of text");
    let delimiter = "d".repeat(10_000);
    let items = vec!["a"; 10_000].join(", ");
    fails(&format!("!Join ['{delimiter}', [{items}]]"), "the functions give more than 16777216 bytes of text");
}

#[test]
fn an_error_tells_the_place_of_the_function() {
    let text = "Resources:\n  Web:\n    Type: T\n    Metadata:\n      Port: !Select [3, [a]]\n";
    let template = Template::parse(text).unwrap();
    let metadata = template.resources[0].metadata.as_ref().unwrap();
    let error = evaluate(&template, &conditions(&template, &World).unwrap(), &World, metadata).unwrap_err();
    assert_eq!(error.to_string(), "5:13: Template error: Fn::Select cannot select nonexistent value at index 3");
}
