//! Whatever the text, reading and evaluating a template ends in a value or an error, never in a panic.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use serde_json::{Map, Value as Json, json};
use template::{
    Environment, Expression, ParameterLookup, Position, Template, TemplateErrors, check, conditions, evaluate, needs,
    resolve_parameters,
};

/// A region that has one of everything.
struct World;

impl Environment for World {
    fn parameter(&self, name: &str) -> Option<Json> {
        (name == "P").then(|| json!(["a", "b"]))
    }
    fn pseudo(&self, name: &str) -> Option<Json> {
        (name == "AWS::Region").then(|| json!("eu-central-1"))
    }
    fn physical_id(&self, logical: &str) -> Result<Json, String> {
        Ok(json!(logical))
    }
    fn attribute(&self, _: &str, attribute: &str) -> Result<Json, String> {
        Ok(json!([attribute, 1, null]))
    }
    fn zones(&self, region: &str) -> Result<Vec<String>, String> {
        Ok(vec![format!("{region}a")])
    }
    fn import(&self, name: &str) -> Result<String, String> {
        Err(format!("No export named {name} found."))
    }
}

impl ParameterLookup for World {
    fn ssm(&self, name: &str) -> Option<String> {
        Some(name.into())
    }
    fn exists(&self, _: &str, id: &str) -> bool {
        !id.is_empty()
    }
}

/// Errors name a place that the text has.
fn in_text(errors: &TemplateErrors, text: &str) {
    // A lone carriage return ends a line in YAML.
    let lines = text.chars().filter(|c| matches!(c, '\n' | '\r')).count() + 2;
    for error in errors.iter() {
        assert!(error.position.line <= lines, "{error} in {text:?}");
        assert!(!error.message.is_empty());
    }
    assert!(errors.first().position >= Position { line: 1, column: 1 }, "{errors} in {text:?}");
}

/// Reads a text and evaluates all that it holds.
fn run(text: &str) {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(errors) => return in_text(&errors, text),
    };
    let given: BTreeMap<String, String> = template.parameters.iter().map(|p| (p.name.clone(), "1,x".into())).collect();
    let _ = resolve_parameters(&template, &given, &World);
    if let Err(errors) = check(&template, &|_| None) {
        in_text(&errors, text);
    }
    let known = conditions(&template, &World).unwrap_or_default();
    for resource in &template.resources {
        needs(&template, resource, Some(&known));
    }
    let resources = template.resources.iter().flat_map(|r| r.properties.iter().chain(&r.metadata));
    let outputs = template.outputs.iter().flat_map(|o| std::iter::once(&o.value).chain(&o.export));
    let all: Vec<&Expression> = resources.chain(outputs).collect();
    for expression in all {
        let _ = evaluate(&template, &known, &World, expression);
    }
}

const SECTIONS: [&str; 9] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
    "Rules",
];
const KEYS: [&str; 36] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Default",
    "AllowedValues",
    "AllowedPattern",
    "MinLength",
    "MaxValue",
    "NoEcho",
    "Value",
    "Export",
    "Name",
    "DeletionPolicy",
    "P",
    "M",
    "C",
    "A",
    "B",
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::Select",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::If",
    "Fn::Equals",
    "Fn::And",
    "Fn::Not",
    "Fn::Base64",
    "Fn::GetAZs",
    "Fn::Cidr",
    "Fn::ImportValue",
    "Fn::Transform",
    "Fn::",
];
const WORDS: [&str; 24] = [
    "A",
    "B",
    "P",
    "C",
    "M",
    "a",
    "",
    "0",
    "1",
    "-1",
    "99999999999999999999",
    "10.0.0.0/8",
    "::/0",
    "A.Id",
    "A.",
    "${A}",
    "${A.Id}${",
    "${!x}${P}",
    "AWS::NoValue",
    "AWS::Region",
    "String",
    "List<Number>",
    "AWS::SSM::Parameter::Value<String>",
    "(é",
];

fn scalar() -> BoxedStrategy<Json> {
    let word = proptest::sample::select(&WORDS[..]).prop_map(Json::from);
    prop_oneof![
        8 => word,
        1 => any::<String>().prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<f64>().prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
    ]
    .boxed()
}

/// Values that are nearly what templates hold.
fn value() -> BoxedStrategy<Json> {
    let deeper = |inner: BoxedStrategy<Json>| {
        let key = prop_oneof![9 => proptest::sample::select(&KEYS[..]).prop_map(String::from), 1 => any::<String>()];
        let map = |size| {
            let entries = vec((key.clone(), inner.clone()), size);
            entries.prop_map(|entries| Json::Object(entries.into_iter().collect()))
        };
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Json::Array), map(1..2), map(0..4)].boxed()
    };
    scalar().prop_recursive(5, 48, 4, deeper).boxed()
}

/// Functions of the right shape around values that need not fit.
fn expression() -> BoxedStrategy<Json> {
    let word = || proptest::sample::select(&WORDS[..]);
    let name = || proptest::sample::select(&["A", "B", "P", "C", "M", "a", "AWS::NoValue", "AWS::Region"][..]);
    let leaf = prop_oneof![
        3 => word().prop_map(Json::from),
        1 => any::<u8>().prop_map(Json::from),
        3 => name().prop_map(|name| json!({"Ref": name})),
        1 => name().prop_map(|name| json!({"Fn::GetAtt": [name, "Id"]})),
        1 => (name(), name()).prop_map(|(a, b)| json!({"Fn::Sub": format!("{a}${{{b}}}")})),
    ];
    let deeper = move |one: BoxedStrategy<Json>| {
        let list =
            prop_oneof![vec(one.clone(), 0..4).prop_map(Json::Array), Just(json!({"Ref": "P"})), Just(json!({"Fn::GetAZs": ""}))];
        let pair = || (one.clone(), one.clone());
        prop_oneof![
            list.clone(),
            vec((word(), one.clone()), 0..3).prop_map(|all| Json::Object(all.into_iter().map(|(k, v)| (k.into(), v)).collect())),
            (word(), list.clone()).prop_map(|(delimiter, list)| json!({"Fn::Join": [delimiter, list]})),
            (0..4_u8, list).prop_map(|(index, list)| json!({"Fn::Select": [index, list]})),
            one.clone().prop_map(|text| json!({"Fn::Split": [",", text]})),
            one.clone().prop_map(|text| json!({"Fn::Base64": text})),
            one.clone().prop_map(|text| json!({"Fn::GetAZs": text})),
            one.clone().prop_map(|text| json!({"Fn::ImportValue": text})),
            pair().prop_map(|(a, b)| json!({"Fn::If": ["C", a, b]})),
            pair().prop_map(|(a, b)| json!({"Fn::Cidr": [a, b, 8]})),
            pair().prop_map(|(a, b)| json!({"Fn::Sub": ["${a}${b}${P}", {"a": a, "b": b}]})),
            name().prop_map(|key| json!({"Fn::FindInMap": ["M", {"Ref": key}, "A"]})),
        ]
        .boxed()
    };
    leaf.prop_recursive(5, 32, 3, deeper).boxed()
}

/// A template whose sections hold right members with nearly right expressions.
fn template() -> BoxedStrategy<Json> {
    let section = proptest::sample::select(&SECTIONS[..]);
    let extra = vec((section.prop_map(String::from), value()), 0..2);
    let extra = prop_oneof![2 => Just(Vec::new()), 1 => extra];
    let any_value = || prop_oneof![3 => expression(), 1 => value()];
    let parameter = prop_oneof![2 => Just(Json::Null), 1 => value()];
    (parameter, any_value(), any_value(), any_value(), extra)
        .prop_map(|(parameter, condition, properties, output, extra)| {
            let mut all = Map::new();
            all.insert(
                "Parameters".into(),
                json!({"P": {"Type": "CommaDelimitedList", "Default": "a", "Description": "d"}, "Q": parameter}),
            );
            all.insert("Mappings".into(), json!({"M": {"a": {"A": "1", "B": ["1", "2"]}}}));
            all.insert("Conditions".into(), json!({"C": {"Fn::Equals": ["a", condition]}}));
            all.insert("Resources".into(), json!({"A": {"Type": "T"}, "B": {"Type": "T", "Properties": {"X": properties}}}));
            all.insert("Outputs".into(), json!({"O": {"Value": output}}));
            all.extend(extra);
            if all["Parameters"]["Q"].get("Type").is_none() {
                all["Parameters"].as_object_mut().map(|parameters| parameters.remove("Q"));
            }
            Json::Object(all)
        })
        .boxed()
}

/// JSON as YAML in block style with short tags, where they may stand.
fn yaml(json: &Json, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match json {
        Json::Object(map) if map.len() == 1 && map.keys().all(|k| k.starts_with("Fn::") && k.len() > 4 || k == "Ref") => {
            for (key, value) in map {
                out.push_str(&format!("!{} ", key.trim_start_matches("Fn::")));
                yaml(value, indent, out);
            }
        }
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("\n{pad}{}: ", Json::from(key.as_str())));
                yaml(value, indent + 1, out);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}- "));
                yaml(item, indent + 1, out);
            }
        }
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..400)) {
        run(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_text(text in any::<String>()) {
        run(&text);
        run(&format!("{{{text}"));
        run(&format!("Resources: {text}"));
    }

    /// Characters that mean something in YAML and JSON.
    #[test]
    fn random_marks(text in r#"([-?:,\[\]{}#&*!|>'"%@` \n\t\\~<.0a]|!Sub |Ref: |\$\{|\n  |\n- |--- |\u{feff}|\u{85}|é){0,120}"#) {
        run(&text);
        run(&format!("{{\"Resources\":{text}"));
        run(&format!("Resources:\n  A:\n    Type: T\n    Properties:\n      X: {text}\n"));
    }

    #[test]
    fn random_json(json in template(), pretty in any::<bool>()) {
        run(&if pretty { format!("{json:#}") } else { json.to_string() });
    }

    #[test]
    fn random_yaml(json in template()) {
        let mut text = String::new();
        yaml(&json, 0, &mut text);
        run(&text);
    }

    /// A right template with a piece cut out, doubled or overwritten.
    #[test]
    fn damaged_templates(at in any::<proptest::sample::Index>(), length in 0..40_usize, with in ".{0,6}", is_json in any::<bool>()) {
        let text = if is_json { RIGHT_JSON } else { RIGHT_YAML };
        let chars: Vec<char> = text.chars().collect();
        let start = at.index(chars.len());
        let end = (start + length).min(chars.len());
        let before: String = chars[..start].iter().collect();
        let cut: String = chars[start..end].iter().collect();
        let after: String = chars[end..].iter().collect();
        run(&format!("{before}{with}{after}"));
        run(&format!("{before}{cut}{cut}{after}"));
        run(&before);
    }
}

const RIGHT_YAML: &str = r#"# A web tier, small.
AWSTemplateFormatVersion: "2010-09-09"
Description: >-
  Folded
  text
Parameters:
  Size: {Type: String, Default: small, AllowedValues: [small, big], AllowedPattern: '[a-z]{1,9}'}
  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>'}
Mappings:
  Sizes:
    small: {Cpu: 1, Zones: [a, b]}
Conditions:
  Big: !Equals [!Ref Size, big]
  NotBig: !Not [Condition: Big]
Resources:
  Web:
    Type: AWS::EC2::Instance
    Condition: NotBig
    Properties:
      UserData:
        Fn::Base64: !Sub |
          #!/bin/sh
          echo ${Size} ${AWS::Region} ${!Kept}
      Cpu: !FindInMap [Sizes, !Ref Size, Cpu]
      Subnet: !Select [0, !Ref Subnets]
      Block: !Select [1, !Cidr ["10.0.0.0/16", 4, 8]]
      Nothing: !If [Big, x, !Ref "AWS::NoValue"]
Outputs:
  Names: {Value: !Join [",", !GetAZs ""], Export: {Name: !Sub "${AWS::Region}-x"}}
"#;

const RIGHT_JSON: &str = r#"{
  "Parameters": {"P": {"Type": "Number", "Default": "8", "MinValue": 1.5}},
  "Conditions": {"C": {"Fn::Or": [{"Fn::Equals": ["\u00e9\ud83d\ude00", {"Ref": "P"}]}, {"Condition": "D"}]}, "D": {"Fn::Equals": ["a", "a"]}},
  "Resources": {
    "A": {"Type": "T", "DependsOn": ["B"], "Properties": {"X": {"Fn::GetAtt": ["B", "Arn"]}, "Y": [1, -2.5e3, true, {"Fn::Split": [",", "a,b"]}]}},
    "B": {"Type": "T", "DeletionPolicy": "Retain", "Metadata": {"Fn::Sub": ["${A}\n${x}", {"x": "\\"}]}}
  },
  "Outputs": {"O": {"Value": {"Fn::If": ["C", {"Ref": "A"}, {"Fn::ImportValue": "i"}]}}}
}"#;

#[test]
fn the_right_templates_are_right() {
    for text in [RIGHT_YAML, RIGHT_JSON] {
        if let Err(errors) = Template::parse(text) {
            panic!("{errors}");
        }
    }
}

/// Nesting is refused before it can exhaust a stack, in the small stack of a server's thread too.
#[test]
fn deep_nesting_is_refused() {
    let repeat = |text: &str, n: usize| text.repeat(n);
    let texts = [
        repeat("[", 200_000),
        repeat("{\"a\":", 100_000),
        repeat("{\"a\":[", 100_000),
        repeat("- ", 200_000),
        repeat("? ", 200_000),
        repeat("{a: ", 100_000),
        repeat("!Sub [", 100_000),
        format!("Resources: {}", repeat("[", 200_000)),
        (0..1_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
        format!("Parameters: {{P: {{Type: '{}'}}}}", repeat("AWS::SSM::Parameter::Value<", 20_000) + &repeat(">", 20_000)),
        format!("Parameters: {{P: {{Type: String, AllowedPattern: '{}'}}}}", repeat("(", 50_000) + &repeat(")", 50_000)),
        format!("Parameters: {{P: {{Type: String, AllowedPattern: '{}'}}}}", "a".to_string() + &repeat("{1000}", 4)),
    ];
    for text in texts {
        let name: String = text.chars().take(40).collect();
        let run = move || assert!(Template::parse(&text).is_err());
        let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(run);
        assert!(thread.is_ok_and(|thread| thread.join().is_ok()), "{name}");
    }
}

#[test]
fn size_is_bounded() {
    let long = format!("Resources: {{A: {{Type: T, Metadata: '{}'}}}}", "x".repeat(template::TEMPLATE_BYTES_MAX));
    let errors = Template::parse(&long).map_err(|errors| errors.to_string());
    assert!(errors.is_err_and(|errors| errors.contains("Template may not exceed 1048576 bytes in size")));
}
