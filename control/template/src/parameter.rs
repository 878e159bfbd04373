//! Reads the members of `Parameters`: what a template asks its user for. What a user gives is judged in `parameters`.

use std::fmt;

use fancy_regex::{Regex, RegexBuilder};
use serde_json::Value as Json;

use crate::error::Position;
use crate::node::{Entry, Node, NodeKind};
use crate::path::Path;
use crate::sections::SectionReader;
use crate::template::Parameter;

/// Longest description of a parameter, in bytes (CloudFormation User Guide, "Parameters": 4,000).
pub const PARAMETER_DESCRIPTION_BYTES_MAX: usize = 4_000;
/// Largest compiled `AllowedPattern`, in bytes.
const PATTERN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// AWS-specific types; the flag tells whether there is a `List<>` of it.
const AWS_TYPES: [(&str, bool); 10] = [
    ("AWS::EC2::AvailabilityZone::Name", true),
    ("AWS::EC2::Image::Id", true),
    ("AWS::EC2::Instance::Id", true),
    ("AWS::EC2::KeyPair::KeyName", false),
    ("AWS::EC2::SecurityGroup::GroupName", true),
    ("AWS::EC2::SecurityGroup::Id", true),
    ("AWS::EC2::Subnet::Id", true),
    ("AWS::EC2::VPC::Id", true),
    ("AWS::EC2::Volume::Id", true),
    ("AWS::Route53::HostedZone::Id", true),
];

/// A parameter's type. Prints as CloudFormation writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterType {
    String,
    Number,
    /// `List<Number>`
    NumberList,
    /// `List<String>`
    StringList,
    CommaDelimitedList,
    /// The id or name of something that exists in the account, such as `AWS::EC2::VPC::Id`.
    Aws(&'static str),
    /// `List<AWS::EC2::Subnet::Id>` and the like.
    AwsList(&'static str),
    /// `AWS::SSM::Parameter::Name`: the name itself, which must exist.
    SsmName,
    /// `AWS::SSM::Parameter::Value<T>`: the user gives a name, the template sees the value.
    SsmValue(Box<ParameterType>),
}

impl ParameterType {
    /// None for what CloudFormation does not know.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix("AWS::SSM::Parameter::Value<").and_then(|t| t.strip_suffix('>')) {
            // Numbers and names of parameters are not among what CloudFormation fetches; neither is a fetched value, so
            // that this goes only one level deep.
            let inner = Some(inner).filter(|inner| !inner.starts_with("AWS::SSM::")).and_then(Self::parse)?;
            return (!matches!(inner, Self::Number | Self::NumberList)).then(|| Self::SsmValue(Box::new(inner)));
        }
        if let Some(inner) = text.strip_prefix("List<").and_then(|t| t.strip_suffix('>')) {
            return match inner {
                "Number" => Some(Self::NumberList),
                "String" => Some(Self::StringList),
                _ => AWS_TYPES.iter().find(|(name, has_list)| *has_list && *name == inner).map(|(name, _)| Self::AwsList(name)),
            };
        }
        match text {
            "String" => Some(Self::String),
            "Number" => Some(Self::Number),
            "CommaDelimitedList" => Some(Self::CommaDelimitedList),
            "AWS::SSM::Parameter::Name" => Some(Self::SsmName),
            _ => AWS_TYPES.iter().find(|(name, _)| *name == text).map(|(name, _)| Self::Aws(name)),
        }
    }

    /// Whether `name` is a type of things that exist in the account, such as `AWS::EC2::VPC::Id`.
    pub(crate) fn is_of_account(name: &str) -> bool {
        AWS_TYPES.iter().any(|(known, _)| *known == name)
    }

    /// `Ref` gives a list.
    pub fn is_list(&self) -> bool {
        match self {
            Self::NumberList | Self::StringList | Self::CommaDelimitedList | Self::AwsList(_) => true,
            Self::SsmValue(inner) => inner.is_list(),
            Self::String | Self::Number | Self::Aws(_) | Self::SsmName => false,
        }
    }

    /// What `Ref` gives for the (resolved) text: a string, or a list of strings without the spaces around its members.
    pub fn value_of(&self, text: &str) -> Json {
        if self.is_list() {
            return Json::Array(text.split(',').map(|item| Json::String(item.trim().into())).collect());
        }
        Json::String(text.into())
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("String"),
            Self::Number => f.write_str("Number"),
            Self::NumberList => f.write_str("List<Number>"),
            Self::StringList => f.write_str("List<String>"),
            Self::CommaDelimitedList => f.write_str("CommaDelimitedList"),
            Self::Aws(name) => f.write_str(name),
            Self::AwsList(name) => write!(f, "List<{name}>"),
            Self::SsmName => f.write_str("AWS::SSM::Parameter::Name"),
            Self::SsmValue(inner) => write!(f, "AWS::SSM::Parameter::Value<{inner}>"),
        }
    }
}

impl SectionReader {
    pub(crate) fn parameter(&mut self, entry: &Entry, path: &Path<'_>) -> Option<Parameter> {
        let mut parameter = Parameter {
            name: entry.key.clone(),
            position: entry.key_position,
            kind: ParameterType::String,
            default: None,
            description: None,
            allowed_values: Vec::new(),
            allowed_pattern: None,
            constraint_description: None,
            min_length: None,
            max_length: None,
            min_value: None,
            max_value: None,
            no_echo: false,
        };
        let mut has_type = false;
        for attribute in self.map(&entry.value, path)? {
            has_type |= attribute.key == "Type";
            self.parameter_attribute(&mut parameter, attribute, &path.key(&attribute.key));
        }
        if !has_type {
            self.wrong(entry.key_position, path, "Template format error: Every Parameters object must contain a Type member.");
        }
        self.bounds(&parameter, path);
        Some(parameter)
    }

    fn parameter_attribute(&mut self, parameter: &mut Parameter, attribute: &Entry, path: &Path<'_>) {
        let node = &attribute.value;
        match attribute.key.as_str() {
            "Type" => {
                if let Some(kind) = self.parameter_type(node, path) {
                    parameter.kind = kind;
                }
            }
            "Default" => parameter.default = self.string(node, path),
            "Description" => parameter.description = self.parameter_description(node, path),
            "AllowedValues" => parameter.allowed_values = self.allowed_values(node, path),
            "AllowedPattern" => parameter.allowed_pattern = self.allowed_pattern(node, path),
            "ConstraintDescription" => parameter.constraint_description = self.string(node, path),
            "MinLength" => parameter.min_length = self.number(node, path),
            "MaxLength" => parameter.max_length = self.number(node, path),
            "MinValue" => parameter.min_value = self.number(node, path).filter(|n: &f64| n.is_finite()),
            "MaxValue" => parameter.max_value = self.number(node, path).filter(|n: &f64| n.is_finite()),
            "NoEcho" => parameter.no_echo = self.boolean(node, path),
            other => self.wrong(attribute.key_position, path, format!("Invalid template parameter property '{other}'")),
        }
    }

    fn parameter_type(&mut self, node: &Node, path: &Path<'_>) -> Option<ParameterType> {
        let text = self.string(node, path)?;
        let kind = ParameterType::parse(&text);
        if kind.is_none() {
            self.wrong(node.position, path, format!("Template format error: Unrecognized parameter type: {text}"));
        }
        kind
    }

    fn parameter_description(&mut self, node: &Node, path: &Path<'_>) -> Option<String> {
        let text = self.string(node, path)?;
        if text.len() > PARAMETER_DESCRIPTION_BYTES_MAX {
            let message =
                format!("Template format error: 'Description' length is greater than {PARAMETER_DESCRIPTION_BYTES_MAX}.");
            self.wrong(node.position, path, message);
        }
        Some(text)
    }

    fn allowed_values(&mut self, node: &Node, path: &Path<'_>) -> Vec<String> {
        match &node.kind {
            NodeKind::List(items) if node.tag.is_none() && !items.is_empty() => self.strings(node, path),
            _ => {
                let message = "Template format error: Every AllowedValues member must be a list with at least one string.";
                self.wrong(node.position, path, message);
                Vec::new()
            }
        }
    }

    fn allowed_pattern(&mut self, node: &Node, path: &Path<'_>) -> Option<String> {
        let text = self.string(node, path)?;
        if let Err(why) = pattern(&text) {
            let message =
                format!("Template format error: AllowedPattern {text} is not a regular expression that is supported: {why}");
            self.wrong(node.position, path, message);
        }
        Some(text)
    }

    fn number<T: std::str::FromStr>(&mut self, node: &Node, path: &Path<'_>) -> Option<T> {
        let text = self.string(node, path)?;
        let number = text.parse().ok();
        if number.is_none() {
            let member = path.slashed();
            let member = member.rsplit('/').next().unwrap_or_default().to_string();
            self.wrong(
                node.position,
                path,
                format!("Template format error: Every {member} member must be a number, not {text}."),
            );
        }
        number
    }

    fn boolean(&mut self, node: &Node, path: &Path<'_>) -> bool {
        let Some(text) = self.string(node, path) else { return false };
        match text.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.wrong(
                    node.position,
                    path,
                    format!("Template format error: Every NoEcho member must be true or false, not {text}."),
                );
                false
            }
        }
    }

    /// Refuses bounds that no value can satisfy.
    fn bounds(&mut self, parameter: &Parameter, path: &Path<'_>) {
        let at: Position = parameter.position;
        if matches!((parameter.min_length, parameter.max_length), (Some(min), Some(max)) if min > max) {
            self.wrong(at, path, "Template format error: MinLength is greater than MaxLength.");
        }
        if matches!((parameter.min_value, parameter.max_value), (Some(min), Some(max)) if min > max) {
            self.wrong(at, path, "Template format error: MinValue is greater than MaxValue.");
        }
    }
}

/// An `AllowedPattern`, which must match the whole value. `\d`, `\w` and `\s` mean ASCII, as in Java's expressions that
/// AWS uses. Look-around and back references may be in it; how long they are tried is bounded.
pub(crate) fn pattern(text: &str) -> Result<Regex, String> {
    let ascii = ascii_classes(text);
    let build = |text: &str| {
        let built = RegexBuilder::new(text).delegate_size_limit(PATTERN_BYTES_MAX).build();
        built.map_err(|e| e.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_string())
    };
    build(&ascii)?;
    build(&format!(r"\A(?:{ascii})\z"))
}

fn ascii_classes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str(r"[ \t\n\x0B\f\r]"),
            Some('S') => out.push_str(r"[^ \t\n\x0B\f\r]"),
            other => {
                out.push('\\');
                out.extend(other);
            }
        }
    }
    out
}
