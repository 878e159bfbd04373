//! Recognises functions in nodes, in their long (`Fn::Sub:`) and short (`!Sub`) form, and checks their arguments'
//! number and shape. What names mean is checked later, in `check`.

use serde_json::Value as Json;

use crate::error::{Collector, Position};
use crate::expression::{Expression, ExpressionKind, Function, Member, SubPart, scalar_text};
use crate::node::{Node, NodeKind, Scalar, Style};
use crate::path::Path;

pub(crate) const JOIN: &str = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
pub(crate) const SPLIT: &str = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.";
pub(crate) const SELECT: &str =
    "Template error: Fn::Select requires a list argument with two elements: an integer index and a list";
const FIND_IN_MAP: &str = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value";
pub(crate) const SUB: &str = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string";
const SUB_NAME: &str = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons";
const GET_ATT: &str =
    "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute";
const REF: &str = "Template error: every Ref object must have a single String value.";
const IF: &str = "Template error: Fn::If requires a list argument with three elements";
pub(crate) const EQUALS: &str = "Template error: every Fn::Equals object requires a list of 2 string parameters.";
const NOT: &str = "Template error: every Fn::Not object requires one boolean parameter.";
pub(crate) const CIDR: &str = "Template error: every Fn::Cidr object requires two or three parameters, (1) an IP address block, (2) the number of CIDRs to generate and (3) the number of subnet bits.";
const CONDITION: &str = "Template error: every Condition object must have a single String value.";
const RULE_FUNCTIONS: [&str; 6] =
    ["Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"];
const LANGUAGE_EXTENSIONS: [&str; 4] = ["Fn::Length", "Fn::ToJsonString", "Fn::ForEach", "Fn::GetStackOutput"];

/// Where an expression stands, as far as that changes what is a function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A map with the single key `Condition` refers to a condition.
    Condition,
    /// `Condition` is a key like others, as in IAM's policies.
    Value,
    /// Some functions stand in rules only.
    Rule,
}

pub(crate) struct Reader<'a> {
    pub(crate) errors: &'a mut Collector,
    pub(crate) place: Place,
}

impl Reader<'_> {
    /// The node as an expression; what is wrong with it is noted and stands as an empty string.
    pub(crate) fn read(&mut self, node: &Node, path: &Path<'_>) -> Expression {
        let position = node.position;
        if let Some(tag) = &node.tag {
            let argument = Node { tag: None, ..node.clone() };
            return self.function(&long_name(tag), &argument, position, path);
        }
        let kind = match &node.kind {
            NodeKind::Scalar(scalar) => ExpressionKind::Literal(self.literal(scalar, position, path)),
            NodeKind::List(items) => {
                ExpressionKind::List(items.iter().enumerate().map(|(i, item)| self.read(item, &path.index(i))).collect())
            }
            NodeKind::Map(entries) => {
                let function =
                    entries.iter().find(|e| e.key.starts_with("Fn::") || (entries.len() == 1 && self.is_function(&e.key)));
                if let Some(entry) = function {
                    if entries.len() > 1 {
                        let message = format!("Template format error: {} must be the only key of its object", entry.key);
                        self.errors.add(entry.key_position, path, message);
                    }
                    return self.function(&entry.key, &entry.value, position, path);
                }
                ExpressionKind::Map(entries.iter().map(|e| self.member(e, path)).collect())
            }
        };
        Expression { kind, position }
    }

    fn member(&mut self, entry: &crate::node::Entry, path: &Path<'_>) -> Member {
        let value = self.read(&entry.value, &path.key(&entry.key));
        Member { key: entry.key.clone(), key_position: entry.key_position, value }
    }

    fn is_function(&self, key: &str) -> bool {
        key == "Ref" || (key == "Condition" && self.place == Place::Condition)
    }

    fn literal(&mut self, scalar: &Scalar, position: Position, path: &Path<'_>) -> Json {
        let json = scalar.to_json();
        if json.is_null() {
            self.errors.add(position, path, null_message(path));
        }
        json
    }

    fn function(&mut self, name: &str, argument: &Node, position: Position, path: &Path<'_>) -> Expression {
        let path = path.key(name);
        let kind = match self.build(name, argument, &path) {
            Ok(function) => ExpressionKind::Function(Box::new(function)),
            Err(message) => {
                self.errors.add(position, &path, message);
                ExpressionKind::Literal(Json::String(String::new()))
            }
        };
        Expression { kind, position }
    }

    fn build(&mut self, name: &str, argument: &Node, path: &Path<'_>) -> Result<Function, String> {
        Ok(match name {
            "Ref" => Function::Ref(name_of(argument).ok_or(REF)?),
            "Condition" => Function::Condition(name_of(argument).ok_or(CONDITION)?),
            "Fn::GetAtt" => self.get_att(argument, path)?,
            "Fn::Sub" => self.sub(argument, path)?,
            "Fn::Join" => {
                let [delimiter, values] = items(argument).ok_or(JOIN)?;
                let values = self.list_argument(values, &path.index(1)).ok_or(JOIN)?;
                Function::Join { delimiter: string_of(delimiter).ok_or(JOIN)?, values }
            }
            "Fn::Select" => {
                let [index, values] = items(argument).ok_or(SELECT)?;
                let values = self.list_argument(values, &path.index(1)).ok_or(SELECT)?;
                Function::Select { index: self.text_argument(index, &path.index(0)).ok_or(SELECT)?, values }
            }
            "Fn::Split" => {
                let [delimiter, text] = items(argument).ok_or(SPLIT)?;
                let delimiter = string_of(delimiter).filter(|d| !d.is_empty()).ok_or(SPLIT)?;
                Function::Split { delimiter, text: self.text_argument(text, &path.index(1)).ok_or(SPLIT)? }
            }
            "Fn::FindInMap" => self.find_in_map(argument, path)?,
            "Fn::If" => {
                let [condition, then, otherwise] = items(argument).ok_or(IF)?;
                let condition = name_of(condition).ok_or(IF)?;
                Function::If { condition, then: self.read(then, &path.index(1)), otherwise: self.read(otherwise, &path.index(2)) }
            }
            "Fn::Base64" => Function::Base64(
                self.text_argument(argument, path)
                    .ok_or("Template error: every Fn::Base64 object must have a String-typed value.")?,
            ),
            "Fn::GetAZs" => Function::GetAzs(
                self.text_argument(argument, path)
                    .ok_or("Template error: every Fn::GetAZs object must have a String-typed value.")?,
            ),
            "Fn::ImportValue" => {
                let message =
                    "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string";
                Function::ImportValue(self.text_argument(argument, path).ok_or(message)?)
            }
            "Fn::Cidr" => self.cidr(argument, path)?,
            "Fn::Equals" => {
                let [a, b] = items(argument).ok_or(EQUALS)?;
                Function::Equals(self.read(a, &path.index(0)), self.read(b, &path.index(1)))
            }
            "Fn::And" | "Fn::Or" => {
                let message = || {
                    format!(
                        "Template error: every {name} object requires a list of at least 2 and at most 10 boolean parameters."
                    )
                };
                let NodeKind::List(all) = &argument.kind else { return Err(message()) };
                if !(2..=10).contains(&all.len()) {
                    return Err(message());
                }
                let all = all.iter().enumerate().map(|(i, one)| self.boolean(one, &path.index(i))).collect();
                if name == "Fn::And" { Function::And(all) } else { Function::Or(all) }
            }
            "Fn::Not" => {
                let [one] = items(argument).ok_or(NOT)?;
                Function::Not(self.boolean(one, &path.index(0)))
            }
            rule if self.place == Place::Rule => self.rule_function(rule, argument, path)?,
            other => return Err(unsupported(other)),
        })
    }

    /// The functions that stand in rules only (CloudFormation User Guide, "Rule-specific intrinsic functions").
    fn rule_function(&mut self, name: &str, argument: &Node, path: &Path<'_>) -> Result<Function, String> {
        let two = || format!("Template error: every {name} object requires two parameters");
        Ok(match name {
            "Fn::Contains" | "Fn::EachMemberEquals" => {
                let [values, value] = items(argument).ok_or_else(two)?;
                let values = self.list_argument(values, &path.index(0)).ok_or_else(two)?;
                let value = self.text_argument(value, &path.index(1)).ok_or_else(two)?;
                if name == "Fn::Contains" {
                    Function::Contains { values, value }
                } else {
                    Function::EachMemberEquals { values, value }
                }
            }
            "Fn::EachMemberIn" => {
                let [values, of] = items(argument).ok_or_else(two)?;
                let values = self.list_argument(values, &path.index(0)).ok_or_else(two)?;
                Function::EachMemberIn { values, of: self.list_argument(of, &path.index(1)).ok_or_else(two)? }
            }
            "Fn::RefAll" => {
                let message = "Template error: every Fn::RefAll object requires the name of a parameter type";
                Function::RefAll(name_of(argument).ok_or(message)?)
            }
            "Fn::ValueOf" | "Fn::ValueOfAll" => {
                let [first, attribute] = items(argument).ok_or_else(two)?;
                let (first, attribute) = (name_of(first).ok_or_else(two)?, name_of(attribute).ok_or_else(two)?);
                if name == "Fn::ValueOf" {
                    Function::ValueOf { parameter: first, attribute }
                } else {
                    Function::ValueOfAll { kind: first, attribute }
                }
            }
            other => return Err(unsupported(other)),
        })
    }

    fn boolean(&mut self, node: &Node, path: &Path<'_>) -> Expression {
        let inside = if self.place == Place::Rule { Place::Rule } else { Place::Condition };
        let place = std::mem::replace(&mut self.place, inside);
        let expression = self.read(node, path);
        self.place = place;
        if !expression.function().is_some_and(Function::is_boolean) {
            let message = "Template format error: expected a condition: Condition, Fn::Equals, Fn::And, Fn::Or or Fn::Not";
            self.errors.add(node.position, path, message);
        }
        expression
    }

    /// A string, or a function that may give one.
    fn text_argument(&mut self, node: &Node, path: &Path<'_>) -> Option<Expression> {
        let expression = self.read(node, path);
        matches!(expression.kind, ExpressionKind::Literal(_) | ExpressionKind::Function(_)).then_some(expression)
    }

    /// A list, or a function that may give one.
    fn list_argument(&mut self, node: &Node, path: &Path<'_>) -> Option<Expression> {
        let expression = self.read(node, path);
        matches!(expression.kind, ExpressionKind::List(_) | ExpressionKind::Function(_)).then_some(expression)
    }

    fn get_att(&mut self, argument: &Node, path: &Path<'_>) -> Result<Function, String> {
        if let Some(text) = string_of(argument) {
            let (resource, attribute) = text.split_once('.').filter(|(r, a)| !r.is_empty() && !a.is_empty()).ok_or(GET_ATT)?;
            let kind = ExpressionKind::Literal(Json::String(attribute.into()));
            return Ok(Function::GetAtt {
                resource: resource.into(),
                attribute: Expression { kind, position: argument.position },
            });
        }
        let [resource, attribute] = items(argument).ok_or(GET_ATT)?;
        let resource = name_of(resource).ok_or(GET_ATT)?;
        let attribute = self.text_argument(attribute, &path.index(1)).ok_or(GET_ATT)?;
        let is_fine = match &attribute.kind {
            ExpressionKind::Literal(json) => !scalar_text(json).is_empty(),
            _ => matches!(attribute.function(), Some(Function::Ref(_))),
        };
        if !is_fine {
            return Err(GET_ATT.into());
        }
        Ok(Function::GetAtt { resource, attribute })
    }

    fn find_in_map(&mut self, argument: &Node, path: &Path<'_>) -> Result<Function, String> {
        if let NodeKind::List(all) = &argument.kind
            && all.len() == 4
        {
            return Err("Template error: DefaultValue of Fn::FindInMap needs the transform AWS::LanguageExtensions, which is not supported".into());
        }
        let [map, top, second] = items(argument).ok_or(FIND_IN_MAP)?;
        let map = self.text_argument(map, &path.index(0)).ok_or(FIND_IN_MAP)?;
        let top = self.text_argument(top, &path.index(1)).ok_or(FIND_IN_MAP)?;
        let second = self.text_argument(second, &path.index(2)).ok_or(FIND_IN_MAP)?;
        for key in [&map, &top, &second] {
            if let Some(f) = key.function().filter(|f| !matches!(f, Function::Ref(_) | Function::FindInMap { .. })) {
                return Err(format!("{FIND_IN_MAP}; they may be strings, Ref or Fn::FindInMap, not {}", f.name()));
            }
        }
        Ok(Function::FindInMap { map, top, second })
    }

    fn cidr(&mut self, argument: &Node, path: &Path<'_>) -> Result<Function, String> {
        let NodeKind::List(all) = &argument.kind else { return Err(CIDR.into()) };
        let (block, count, bits) = match all.as_slice() {
            [block, count] => (block, count, None),
            [block, count, bits] => (block, count, Some(bits)),
            _ => return Err(CIDR.into()),
        };
        let block = self.text_argument(block, &path.index(0)).ok_or(CIDR)?;
        let count = self.text_argument(count, &path.index(1)).ok_or(CIDR)?;
        let bits = bits.map(|bits| self.text_argument(bits, &path.index(2)).ok_or(CIDR)).transpose()?;
        Ok(Function::Cidr { block, count, bits })
    }

    fn sub(&mut self, argument: &Node, path: &Path<'_>) -> Result<Function, String> {
        if let Some(text) = string_of(argument) {
            return Ok(Function::Sub { parts: sub_parts(&text, &[])?, variables: Vec::new() });
        }
        let [text, variables] = items(argument).ok_or(SUB)?;
        let text = string_of(text).ok_or(SUB)?;
        let NodeKind::Map(entries) = &variables.kind else { return Err(SUB.into()) };
        if variables.tag.is_some() {
            return Err(SUB.into());
        }
        let path = path.index(1);
        let variables: Vec<Member> = entries.iter().map(|entry| self.member(entry, &path)).collect();
        if variables.iter().any(|v| !v.key.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c))) {
            return Err(SUB_NAME.into());
        }
        Ok(Function::Sub { parts: sub_parts(&text, &variables)?, variables })
    }
}

/// Cuts a text of `Fn::Sub` at its `${...}`.
fn sub_parts(text: &str, variables: &[Member]) -> Result<Vec<SubPart>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        plain.push_str(&rest[..start]);
        let name = &rest[start + 2..start + length];
        rest = &rest[start + length + 1..];
        if let Some(literal) = name.strip_prefix('!') {
            plain.push_str(&format!("${{{literal}}}"));
            continue;
        }
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c)) {
            return Err(SUB_NAME.into());
        }
        if !plain.is_empty() {
            parts.push(SubPart::Text(std::mem::take(&mut plain)));
        }
        parts.push(match name.split_once('.') {
            _ if variables.iter().any(|v| v.key == name) => SubPart::Variable(name.into()),
            Some((resource, attribute)) if !resource.is_empty() && !attribute.is_empty() => {
                SubPart::Attribute { resource: resource.into(), attribute: attribute.into() }
            }
            Some(_) => return Err(SUB_NAME.into()),
            None => SubPart::Reference(name.into()),
        });
    }
    plain.push_str(rest);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(SubPart::Text(plain));
    }
    Ok(parts)
}

/// Exactly `N` items of a list.
fn items<const N: usize>(node: &Node) -> Option<&[Node; N]> {
    match &node.kind {
        NodeKind::List(items) if node.tag.is_none() => items.as_slice().try_into().ok(),
        _ => None,
    }
}

/// A literal string that is not empty.
fn name_of(node: &Node) -> Option<String> {
    string_of(node).filter(|text| !text.is_empty())
}

fn string_of(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Scalar(scalar) if node.tag.is_none() && !scalar.is_null() => Some(scalar.text.clone()),
        NodeKind::Scalar(Scalar { text, style: Style::Quoted }) if node.tag.is_none() => Some(text.clone()),
        _ => None,
    }
}

fn long_name(tag: &str) -> String {
    if tag == "Ref" || tag == "Condition" { tag.into() } else { format!("Fn::{tag}") }
}

fn unsupported(name: &str) -> String {
    if RULE_FUNCTIONS.contains(&name) {
        return format!("Template error: {name} can only be used in the Rules block of the template");
    }
    if name == "Fn::Transform" {
        return "Template error: Fn::Transform is not supported: there are no macros in this region".into();
    }
    if LANGUAGE_EXTENSIONS.iter().any(|f| name.starts_with(f)) {
        return format!("Template error: {name} needs the transform AWS::LanguageExtensions, which is not supported");
    }
    format!(
        "Template error: Encountered unsupported function: {name} Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Sub, Fn::Cidr]"
    )
}

/// CloudFormation's refusal of a null.
pub(crate) fn null_message(path: &Path<'_>) -> String {
    format!("Template format error: [{}] 'null' values are not allowed in templates", path.slashed())
}
