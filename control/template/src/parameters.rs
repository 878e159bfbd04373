//! Judges the values that a user gives for a template's parameters (CloudFormation User Guide, "Parameters").
//!
//! It never remembers a stack's earlier values: whoever says "use the previous value" gives that value here.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::parameter::{ParameterType, pattern};
use crate::template::{Parameter, Template};

/// Longest value of a parameter, in bytes ("AWS CloudFormation quotas").
pub const PARAMETER_VALUE_BYTES_MAX: usize = 4_096;

/// What a parameter is for one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterValue {
    /// As given, or the default.
    pub text: String,
    /// What the SSM parameter holds that `text` names; only for `AWS::SSM::Parameter::Value<T>`.
    pub resolved: Option<String>,
    /// Its value is not to be shown.
    pub no_echo: bool,
}

impl ParameterValue {
    /// What `Ref` gives: a string, or a list of strings for the list types.
    pub fn reference(&self, kind: &ParameterType) -> Json {
        kind.value_of(self.resolved.as_deref().unwrap_or(&self.text))
    }
}

/// What the account has that a parameter can name.
pub trait ParameterLookup {
    /// The value of an SSM parameter.
    fn ssm(&self, name: &str) -> Option<String>;
    /// Whether the account has a thing of a parameter type such as `AWS::EC2::VPC::Id`.
    fn exists(&self, aws_type: &str, id: &str) -> bool;
}

/// The values of all parameters of the template: the given ones, defaults for others. The first mistake is told in
/// CloudFormation's words.
pub fn resolve_parameters(
    template: &Template,
    given: &BTreeMap<String, String>,
    lookup: &dyn ParameterLookup,
) -> Result<BTreeMap<String, ParameterValue>, String> {
    let unknown: Vec<&str> = given.keys().map(String::as_str).filter(|name| template.parameter(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
    }
    let mut chosen = Vec::new();
    let mut missing = Vec::new();
    for parameter in &template.parameters {
        match given.get(&parameter.name).or(parameter.default.as_ref()) {
            Some(text) => chosen.push((parameter, text)),
            None => missing.push(parameter.name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(format!("Parameters: [{}] must have values", missing.join(", ")));
    }
    let resolved = chosen.into_iter().map(|(parameter, text)| Ok((parameter.name.clone(), resolve(parameter, text, lookup)?)));
    resolved.collect()
}

fn resolve(parameter: &Parameter, text: &str, lookup: &dyn ParameterLookup) -> Result<ParameterValue, String> {
    let name = &parameter.name;
    if text.len() > PARAMETER_VALUE_BYTES_MAX {
        return Err(format!("Parameter '{name}' must contain at most {PARAMETER_VALUE_BYTES_MAX} bytes"));
    }
    if let Err(violation) = constraints(parameter, text) {
        return Err(match &parameter.constraint_description {
            Some(description) => format!("Parameter {name} failed to satisfy constraint: {description}"),
            None => format!("Parameter '{name}' {violation}"),
        });
    }
    let fetch = |key: &str| {
        let none = || format!("Unable to fetch parameters [{key}] from parameter store for this account.");
        lookup.ssm(key).ok_or_else(none)
    };
    let mut resolved = None;
    match &parameter.kind {
        ParameterType::SsmName => drop(fetch(text)?),
        ParameterType::SsmValue(inner) => {
            let value = fetch(text)?;
            existence(name, inner, &value, lookup)?;
            resolved = Some(value);
        }
        kind => existence(name, kind, text, lookup)?,
    }
    Ok(ParameterValue { text: text.into(), resolved, no_echo: parameter.no_echo })
}

/// What a value violates, as the end of a sentence. Lists are judged member by member; of the SSM types the name is
/// judged, not what it resolves to.
fn constraints(parameter: &Parameter, text: &str) -> Result<(), String> {
    let is_list = !matches!(parameter.kind, ParameterType::SsmValue(_)) && parameter.kind.is_list();
    let items: Vec<&str> = if is_list { text.split(',').map(str::trim).collect() } else { vec![text] };
    if !parameter.allowed_values.is_empty() && !items.iter().all(|item| is_allowed(parameter, item)) {
        return Err("must be one of AllowedValues".into());
    }
    if let Some(allowed) = &parameter.allowed_pattern {
        let regex = pattern(allowed)?;
        for item in &items {
            match regex.is_match(item) {
                Ok(true) => {}
                Ok(false) => return Err(format!("must match pattern {allowed}")),
                Err(_) => return Err(format!("takes too long to compare with pattern {allowed}")),
            }
        }
    }
    let length = text.chars().count() as u64;
    if let Some(min) = parameter.min_length.filter(|min| length < *min) {
        return Err(format!("must contain at least {min} characters"));
    }
    if let Some(max) = parameter.max_length.filter(|max| length > *max) {
        return Err(format!("must contain at most {max} characters"));
    }
    if !matches!(parameter.kind, ParameterType::Number | ParameterType::NumberList) {
        return Ok(());
    }
    for item in items {
        let number = number(item).ok_or(if is_list { "must be a list of numbers" } else { "must be a number" })?;
        if let Some(min) = parameter.min_value.filter(|min| number < *min) {
            return Err(format!("must be a number not less than {min}"));
        }
        if let Some(max) = parameter.max_value.filter(|max| number > *max) {
            return Err(format!("must be a number not greater than {max}"));
        }
    }
    Ok(())
}

/// Numbers are compared as numbers: 8080 is allowed where the template says 8080.0.
fn is_allowed(parameter: &Parameter, item: &str) -> bool {
    let is_number = matches!(parameter.kind, ParameterType::Number | ParameterType::NumberList);
    let same_number = |allowed: &String| is_number && number(item).is_some_and(|n| number(allowed) == Some(n));
    parameter.allowed_values.iter().any(|allowed| allowed == item || same_number(allowed))
}

/// An integer or float in decimal digits; "inf" and "nan" are none.
fn number(text: &str) -> Option<f64> {
    let looks_so = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse().ok().filter(|n: &f64| looks_so && n.is_finite())
}

fn existence(name: &str, kind: &ParameterType, text: &str, lookup: &dyn ParameterLookup) -> Result<(), String> {
    let (aws_type, ids): (_, Vec<&str>) = match kind {
        ParameterType::Aws(aws_type) => (aws_type, vec![text]),
        ParameterType::AwsList(aws_type) => (aws_type, text.split(',').map(str::trim).collect()),
        _ => return Ok(()),
    };
    match ids.into_iter().find(|id| id.is_empty() || !lookup.exists(aws_type, id)) {
        Some(id) => Err(format!("Parameter validation failed: parameter value {id} for parameter name {name} does not exist")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{BTreeMap, ParameterLookup, ParameterValue, Template, resolve_parameters};
    use serde_json::{Value as Json, json};

    struct Account;

    impl ParameterLookup for Account {
        fn ssm(&self, name: &str) -> Option<String> {
            let known = [("/image", "ami-1"), ("/gone", "ami-9"), ("/subnets", "subnet-a, subnet-b"), ("/words", "x,y")];
            known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        }

        fn exists(&self, aws_type: &str, id: &str) -> bool {
            let known = [
                ("AWS::EC2::VPC::Id", "vpc-1"),
                ("AWS::EC2::Image::Id", "ami-1"),
                ("AWS::EC2::Subnet::Id", "subnet-a"),
                ("AWS::EC2::Subnet::Id", "subnet-b"),
            ];
            known.contains(&(aws_type, id))
        }
    }

    fn template(parameters: &str) -> Template {
        Template::parse(&format!("Parameters:\n{parameters}Resources: {{A: {{Type: T}}}}\n")).unwrap()
    }

    fn resolve(parameters: &str, given: &[(&str, &str)]) -> Result<BTreeMap<String, ParameterValue>, String> {
        let given = given.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
        resolve_parameters(&template(parameters), &given, &Account)
    }

    /// One parameter `P` of these attributes, given this value: what `Ref` gives, or the error.
    fn check(attributes: &str, value: &str, expected: Result<Json, &str>) {
        let section = format!("  P: {{{attributes}}}\n");
        let result = resolve(&section, &[("P", value)]);
        let reference = result.map(|all| all["P"].reference(&template(&section).parameters[0].kind));
        assert_eq!(reference, expected.map_err(str::to_string), "{attributes} = {value:?}");
    }

    #[test]
    fn every_type_gives_what_ref_gives() {
        check("Type: String", "", Ok(json!("")));
        check("Type: String", " a,b ", Ok(json!(" a,b ")));
        check("Type: Number", "08.50", Ok(json!("08.50")));
        check("Type: List<Number>", "80, 443", Ok(json!(["80", "443"])));
        check("Type: List<String>", "a,b", Ok(json!(["a", "b"])));
        check("Type: CommaDelimitedList", "a, b ,c", Ok(json!(["a", "b", "c"])));
        check("Type: CommaDelimitedList", "", Ok(json!([""])));
        check("Type: AWS::EC2::VPC::Id", "vpc-1", Ok(json!("vpc-1")));
        check("Type: List<AWS::EC2::Subnet::Id>", "subnet-a,subnet-b", Ok(json!(["subnet-a", "subnet-b"])));
        check("Type: AWS::SSM::Parameter::Name", "/image", Ok(json!("/image")));
        check("Type: AWS::SSM::Parameter::Value<String>", "/image", Ok(json!("ami-1")));
        check("Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "/image", Ok(json!("ami-1")));
        check("Type: AWS::SSM::Parameter::Value<List<String>>", "/words", Ok(json!(["x", "y"])));
        check("Type: AWS::SSM::Parameter::Value<CommaDelimitedList>", "/words", Ok(json!(["x", "y"])));
        let subnets = "Type: AWS::SSM::Parameter::Value<List<AWS::EC2::Subnet::Id>>";
        check(subnets, "/subnets", Ok(json!(["subnet-a", "subnet-b"])));
    }

    #[test]
    fn wrong_values_are_refused_in_the_words_of_cloudformation() {
        let absent = |id: &str| format!("Parameter validation failed: parameter value {id} for parameter name P does not exist");
        let no_ssm = "Unable to fetch parameters [/none] from parameter store for this account.";
        for wrong in ["", "x", "inf", "nan", "1,2", "0x10", " 1"] {
            check("Type: Number", wrong, Err("Parameter 'P' must be a number"));
        }
        check("Type: List<Number>", "1,x", Err("Parameter 'P' must be a list of numbers"));
        check("Type: AWS::EC2::VPC::Id", "vpc-2", Err(&absent("vpc-2")));
        check("Type: AWS::EC2::VPC::Id", "", Err(&absent("")));
        check("Type: List<AWS::EC2::Subnet::Id>", "subnet-a,subnet-c", Err(&absent("subnet-c")));
        check("Type: AWS::SSM::Parameter::Name", "/none", Err(no_ssm));
        check("Type: AWS::SSM::Parameter::Value<String>", "/none", Err(no_ssm));
        check("Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "/gone", Err(&absent("ami-9")));
        check("Type: String", &"x".repeat(4_097), Err("Parameter 'P' must contain at most 4096 bytes"));
    }

    #[test]
    fn constraints_hold_for_values_and_members_of_lists() {
        let one_of = Err("Parameter 'P' must be one of AllowedValues");
        check("Type: String, AllowedValues: [a, b]", "b", Ok(json!("b")));
        check("Type: String, AllowedValues: [a, b]", "B", one_of.clone());
        check("Type: Number, AllowedValues: [1, 2.0]", "2", Ok(json!("2")));
        check("Type: CommaDelimitedList, AllowedValues: [a, b]", "a, b", Ok(json!(["a", "b"])));
        check("Type: CommaDelimitedList, AllowedValues: [a, b]", "a, c", one_of);
        let pattern = Err("Parameter 'P' must match pattern [a-z]+|9");
        check("Type: String, AllowedPattern: '[a-z]+|9'", "9", Ok(json!("9")));
        check("Type: String, AllowedPattern: '[a-z]+|9'", "ab9", pattern.clone());
        check("Type: String, AllowedPattern: '[a-z]+|9'", "ab\n", pattern);
        check(r"Type: String, AllowedPattern: '\d+'", "٣", Err(r"Parameter 'P' must match pattern \d+"));
        check(r"Type: String, AllowedPattern: '[\w-]+'", "a-b", Ok(json!("a-b")));
        let password = r"^(?=.*[A-Z])(?=.*\d)(?!.*(.)\1)[\w-]{4,}$";
        let declaration = format!("Type: String, AllowedPattern: '{password}'");
        check(&declaration, "aB-3", Ok(json!("aB-3")));
        for wrong in ["ab-3", "aBcd", "aBB3", "aB3"] {
            check(&declaration, wrong, Err(&format!("Parameter 'P' must match pattern {password}")));
        }
        let endless = "Parameter 'P' takes too long to compare with pattern (a|a)*(?=c)c";
        check("Type: String, AllowedPattern: '(a|a)*(?=c)c'", &"a".repeat(60), Err(endless));
        check(r"Type: CommaDelimitedList, AllowedPattern: '\w'", "a,b", Ok(json!(["a", "b"])));
        check("Type: String, MinLength: 2", "é", Err("Parameter 'P' must contain at least 2 characters"));
        check("Type: String, MaxLength: 1", "é", Ok(json!("é")));
        check("Type: String, MaxLength: 1", "ab", Err("Parameter 'P' must contain at most 1 characters"));
        check("Type: Number, MinValue: 2", "1.5", Err("Parameter 'P' must be a number not less than 2"));
        check("Type: Number, MaxValue: 2.5", "3", Err("Parameter 'P' must be a number not greater than 2.5"));
        check("Type: List<Number>, MaxValue: 2", "1,3", Err("Parameter 'P' must be a number not greater than 2"));
        let described = Err("Parameter P failed to satisfy constraint: a lower letter, please");
        check("Type: String, AllowedPattern: '[a-z]', ConstraintDescription: 'a lower letter, please'", "1", described);
        check("Type: String, AllowedPattern: '.{0,4096}'", "any", Ok(json!("any")));
        let image = "Type: AWS::SSM::Parameter::Value<String>, AllowedValues: [/image]";
        check(image, "/image", Ok(json!("ami-1")));
    }

    #[test]
    fn missing_and_unknown_parameters_are_named() {
        let two = "  B: {Type: String}\n  A: {Type: String}\n  C: {Type: String, Default: c, NoEcho: true}\n";
        assert_eq!(resolve(two, &[]), Err("Parameters: [B, A] must have values".into()));
        assert_eq!(resolve(two, &[("X", ""), ("Y", "")]), Err("Parameters: [X, Y] do not exist in the template".into()));
        let all = resolve(two, &[("A", "1"), ("B", "2")]).unwrap();
        assert_eq!(all["C"], ParameterValue { text: "c".into(), resolved: None, no_echo: true });
        assert!(!all["A"].no_echo);
        let wrong_default = "  D: {Type: Number, Default: x}\n";
        assert_eq!(resolve(wrong_default, &[]), Err("Parameter 'D' must be a number".into()));
    }

    #[test]
    fn wrong_declarations_are_refused_with_their_place() {
        let cases = [
            ("Default: x", "Every Parameters object must contain a Type member."),
            ("Type: Text", "Unrecognized parameter type: Text"),
            ("Type: AWS::SSM::Parameter::Value<Number>", "Unrecognized parameter type"),
            ("Type: List<AWS::EC2::KeyPair::KeyName>", "Unrecognized parameter type"),
            ("Type: String, Pattern: x", "Invalid template parameter property 'Pattern'"),
            ("Type: String, Default: !Ref A", "Every Default member must be a string, not the function !Ref."),
            ("Type: String, Default: [a]", "Every Default member must be a string, not a list."),
            ("Type: String, AllowedValues: a", "Every AllowedValues member must be a list"),
            ("Type: String, AllowedPattern: '('", "AllowedPattern ( is not a regular expression"),
            ("Type: String, AllowedPattern: 'a)|(b'", "is not a regular expression"),
            ("Type: String, AllowedPattern: '(?!a'", "AllowedPattern (?!a is not a regular expression"),
            ("Type: String, MinLength: many", "Every MinLength member must be a number, not many."),
            ("Type: String, MinLength: 3, MaxLength: 2", "MinLength is greater than MaxLength"),
            ("Type: Number, MinValue: 3, MaxValue: 2", "MinValue is greater than MaxValue"),
            ("Type: String, NoEcho: perhaps", "Every NoEcho member must be true or false, not perhaps."),
        ];
        for (attributes, expected) in cases {
            let text = format!("Parameters:\n  P: {{{attributes}}}\nResources: {{A: {{Type: T}}}}\n");
            let errors = Template::parse(&text).unwrap_err();
            let first = errors.first();
            assert!(first.message.contains(expected), "{attributes}: {first}");
            assert_eq!(first.position.line, 2, "{attributes}: {first}");
            assert!(first.path.starts_with("Parameters.P"), "{attributes}: {first}");
        }
    }
}
