//! Turns expressions into values (CloudFormation User Guide, "Intrinsic function reference").
//!
//! It never looks anything up itself: parameters, resources, zones and exports come from an [`Environment`]. Recursion
//! is bounded by the depth that the reader allows, and results by [`RESULT_BYTES_MAX`].

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use serde_json::{Map, Value as Json};

use crate::cidr::{CIDR_BITS_DEFAULT, blocks};
use crate::error::Position;
use crate::expression::{Expression, ExpressionKind, Function, Member, SubPart, scalar_text};
use crate::function::{CIDR, EQUALS, JOIN, SELECT, SPLIT};
use crate::parameter::ParameterType;
use crate::template::{MappingValue, Template};

/// Most bytes of text that the functions of one expression may make; a short template could else ask for gigabytes.
pub const RESULT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What an item of a list weighs beside its text.
const ITEM_BYTES: usize = 32;
/// Of the functions that compare with the members of a list.
const CONTAINS: &str = "Template error: a function of a rule needs a list of strings and what its members are compared with";
const NO_VALUE: &str = "AWS::NoValue";

/// What a template's functions ask of the world around it. Errors are whole messages for the user.
pub trait Environment {
    /// What `Ref` gives for a parameter: a string, or an array of strings for the list types.
    fn parameter(&self, name: &str) -> Option<Json>;
    /// A pseudo parameter such as `AWS::Region`; `AWS::NoValue` is never asked for.
    fn pseudo(&self, name: &str) -> Option<Json>;
    /// What `Ref` gives for a resource of the template.
    fn physical_id(&self, logical: &str) -> Result<Json, String>;
    /// What `Fn::GetAtt` gives for a resource of the template.
    fn attribute(&self, logical: &str, attribute: &str) -> Result<Json, String>;
    /// The names of a region's availability zones.
    fn zones(&self, region: &str) -> Result<Vec<String>, String>;
    /// The value that another stack exports.
    fn import(&self, name: &str) -> Result<String, String>;
    /// Everything that the account has of a parameter type such as `AWS::EC2::VPC::Id`; only rules ask for it.
    fn all(&self, aws_type: &str) -> Result<Vec<String>, String> {
        Err(format!("Template error: Fn::RefAll cannot list {aws_type} in this region"))
    }
    /// An attribute of a thing of a parameter type, such as a subnet's `VpcId`; only rules ask for it.
    fn value_of(&self, aws_type: &str, id: &str, attribute: &str) -> Result<String, String> {
        Err(format!("Template error: Fn::ValueOf knows no attribute {attribute} of {id}, which is of the type {aws_type}"))
    }
}

/// Why an expression has no value, and where the function stands that says so. Prints as `line:column: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluateError {
    pub position: Position,
    /// In CloudFormation's words where they are known.
    pub message: String,
}

impl fmt::Display for EvaluateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

impl std::error::Error for EvaluateError {}

/// The value of an expression of the template; none when it is `AWS::NoValue`. A member of a map or list that has no
/// value disappears. `conditions` are those of [`crate::conditions`].
pub fn evaluate(
    template: &Template,
    conditions: &BTreeMap<String, bool>,
    environment: &dyn Environment,
    expression: &Expression,
) -> Result<Option<Json>, EvaluateError> {
    Evaluator::new(template, conditions, environment, Scope::Resources).value(expression)
}

/// Where an expression stands, as far as that changes what it may refer to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Resources,
    /// Nothing may refer to a resource.
    Conditions,
    /// The arguments of `Fn::FindInMap`: nothing may refer to a resource.
    MapKeys,
}

pub(crate) struct Evaluator<'a> {
    template: &'a Template,
    conditions: &'a BTreeMap<String, bool>,
    environment: &'a dyn Environment,
    scope: Scope,
    /// Bytes made so far.
    made: Cell<usize>,
}

type Evaluated<T> = Result<T, EvaluateError>;

fn wrong<T>(position: Position, message: impl Into<String>) -> Evaluated<T> {
    Err(EvaluateError { position, message: message.into() })
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        template: &'a Template,
        conditions: &'a BTreeMap<String, bool>,
        environment: &'a dyn Environment,
        scope: Scope,
    ) -> Self {
        Self { template, conditions, environment, scope, made: Cell::new(0) }
    }

    fn value(&self, expression: &Expression) -> Evaluated<Option<Json>> {
        match &expression.kind {
            ExpressionKind::Literal(json) => Ok(Some(json.clone())),
            ExpressionKind::List(items) => {
                let values: Evaluated<Vec<Option<Json>>> = items.iter().map(|item| self.value(item)).collect();
                Ok(Some(values?.into_iter().flatten().collect()))
            }
            ExpressionKind::Map(members) => self.map(members).map(|map| Some(Json::Object(map))),
            ExpressionKind::Function(function) => {
                let value = self.function(function, expression.position)?;
                self.charge(value.as_ref(), expression.position)?;
                Ok(value)
            }
        }
    }

    fn map(&self, members: &[Member]) -> Evaluated<Map<String, Json>> {
        let mut map = Map::new();
        for member in members {
            if let Some(value) = self.value(&member.value)? {
                map.insert(member.key.clone(), value);
            }
        }
        Ok(map)
    }

    /// Counts what a function made.
    fn charge(&self, value: Option<&Json>, at: Position) -> Evaluated<()> {
        let bytes = match value {
            Some(Json::String(text)) => text.len(),
            Some(Json::Array(items)) => items.iter().map(|item| ITEM_BYTES + item.as_str().map_or(0, str::len)).sum(),
            _ => 0,
        };
        self.spend(bytes, at)
    }

    fn spend(&self, bytes: usize, at: Position) -> Evaluated<()> {
        self.made.set(self.made.get().saturating_add(bytes));
        if self.made.get() > RESULT_BYTES_MAX {
            return wrong(at, format!("Template error: the functions give more than {RESULT_BYTES_MAX} bytes of text"));
        }
        Ok(())
    }

    fn function(&self, function: &Function, at: Position) -> Evaluated<Option<Json>> {
        let value = match function {
            Function::Ref(name) if name == NO_VALUE => return Ok(None),
            Function::If { condition, then, otherwise } => {
                return self.value(if self.condition(condition, at)? { then } else { otherwise });
            }
            Function::Ref(name) => self.reference(name, at)?,
            Function::GetAtt { resource, attribute } => {
                let attribute =
                    self.text(attribute, "Template error: every Fn::GetAtt object requires the attribute's name as a string")?;
                self.attribute(resource, &attribute, at)?
            }
            Function::Sub { parts, variables } => Json::String(self.sub(parts, variables, at)?),
            Function::Join { delimiter, values } => Json::String(self.join(delimiter, values)?),
            Function::Select { index, values } => self.select(index, values, at)?,
            Function::Split { delimiter, text } => {
                let text = self.text(text, SPLIT)?;
                text.split(delimiter.as_str()).map(Json::from).collect()
            }
            Function::FindInMap { map, top, second } => self.find_in_map([map, top, second], at)?,
            boolean if boolean.is_boolean() => Json::Bool(self.truth(function, at)?),
            Function::Base64(text) => {
                let text = self.text(text, "Template error: every Fn::Base64 object must have a String-typed value.")?;
                Json::String(base64::engine::general_purpose::STANDARD.encode(text))
            }
            Function::GetAzs(region) => self.zones(region, at)?,
            Function::Cidr { block, count, bits } => {
                let block = self.text(block, CIDR)?;
                let count = self.number(count)?;
                let bits = bits.as_ref().map(|bits| self.number(bits)).transpose()?.unwrap_or(CIDR_BITS_DEFAULT);
                blocks(&block, count, bits).or_else(|message| wrong(at, message))?.into()
            }
            Function::ImportValue(name) => self.import(name, at)?,
            other => self.of_account(other, at)?,
        };
        Ok(Some(value))
    }

    /// A string, or what else prints as one; `expected` tells what was wanted of the function around it.
    fn text(&self, expression: &Expression, expected: &str) -> Evaluated<String> {
        match self.value(expression)? {
            Some(json @ (Json::String(_) | Json::Number(_) | Json::Bool(_))) => Ok(scalar_text(&json)),
            _ => wrong(expression.position, expected),
        }
    }

    fn list(&self, expression: &Expression, expected: &str) -> Evaluated<Vec<Json>> {
        match self.value(expression)? {
            Some(Json::Array(items)) => Ok(items),
            _ => wrong(expression.position, expected),
        }
    }

    fn number(&self, expression: &Expression) -> Evaluated<u128> {
        let text = self.text(expression, CIDR)?;
        text.parse().or_else(|_| wrong(expression.position, CIDR))
    }

    fn reference(&self, name: &str, at: Position) -> Evaluated<Json> {
        if name.starts_with("AWS::")
            && let Some(value) = self.environment.pseudo(name)
        {
            return Ok(value);
        }
        if let Some(value) = self.environment.parameter(name) {
            return Ok(value);
        }
        self.resource(name, at)?;
        self.environment.physical_id(name).or_else(|message| wrong(at, message))
    }

    fn attribute(&self, resource: &str, attribute: &str, at: Position) -> Evaluated<Json> {
        if self.scope == Scope::Resources && self.template.resource(resource).is_none() {
            return wrong(at, format!("Template error: instance of Fn::GetAtt references undefined resource {resource}"));
        }
        self.resource(resource, at)?;
        self.environment.attribute(resource, attribute).or_else(|message| wrong(at, message))
    }

    /// Refuses a resource that cannot be referred to here: unknown, not made under the present conditions, or out of place.
    fn resource(&self, name: &str, at: Position) -> Evaluated<()> {
        match self.scope {
            Scope::Resources => {}
            Scope::Conditions => {
                let message = format!(
                    "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the Conditions block of the template"
                );
                return wrong(at, message);
            }
            Scope::MapKeys => {
                let message = format!(
                    "Template error: Fn::FindInMap cannot refer to the resource {name}: its keys must be known before there are resources"
                );
                return wrong(at, message);
            }
        }
        let resource = self.template.resource(name);
        let is_made = |condition: &String| self.conditions.get(condition).copied().unwrap_or(true);
        if !resource.is_some_and(|resource| resource.condition.as_ref().is_none_or(is_made)) {
            return wrong(at, format!("Template format error: Unresolved resource dependencies [{name}] in the template"));
        }
        Ok(())
    }

    fn sub(&self, parts: &[SubPart], variables: &[Member], at: Position) -> Evaluated<String> {
        let variables = self.map(variables)?;
        let mut text = String::new();
        for part in parts {
            let (name, value) = match part {
                SubPart::Text(plain) => {
                    text.push_str(plain);
                    continue;
                }
                SubPart::Variable(name) => (name.clone(), variables.get(name).cloned()),
                SubPart::Reference(name) if name == NO_VALUE => (name.clone(), None),
                SubPart::Reference(name) => (name.clone(), Some(self.reference(name, at)?)),
                SubPart::Attribute { resource, attribute } => {
                    (format!("{resource}.{attribute}"), Some(self.attribute(resource, attribute, at)?))
                }
            };
            let Some(json @ (Json::String(_) | Json::Number(_) | Json::Bool(_))) = value else {
                return wrong(at, format!("Template error: variable {name} in Fn::Sub expression does not resolve to a string"));
            };
            let value = scalar_text(&json);
            self.spend(value.len(), at)?;
            text.push_str(&value);
        }
        Ok(text)
    }

    fn join(&self, delimiter: &str, values: &Expression) -> Evaluated<String> {
        let items = self.list(values, JOIN)?;
        if items.iter().any(|item| item.is_array() || item.is_object()) {
            return wrong(values.position, JOIN);
        }
        self.spend(delimiter.len().saturating_mul(items.len()), values.position)?;
        let items: Vec<String> = items.iter().map(scalar_text).collect();
        Ok(items.join(delimiter))
    }

    fn select(&self, index: &Expression, values: &Expression, at: Position) -> Evaluated<Json> {
        let index = self.text(index, SELECT)?;
        let mut items = self.list(values, SELECT)?;
        match index.parse().ok().filter(|i: &usize| *i < items.len()) {
            Some(i) => Ok(items.swap_remove(i)),
            None => wrong(at, format!("Template error: Fn::Select cannot select nonexistent value at index {index}")),
        }
    }

    fn find_in_map(&self, keys: [&Expression; 3], at: Position) -> Evaluated<Json> {
        let scope = if self.scope == Scope::Conditions { Scope::Conditions } else { Scope::MapKeys };
        let inner = Evaluator { scope, made: Cell::new(self.made.get()), ..*self };
        let expected = "Template error: every Fn::FindInMap object requires three strings: the map name, map key and the attribute for return value";
        let [map, top, second] = keys.map(|key| inner.text(key, expected));
        self.made.set(inner.made.get());
        let (map, top, second) = (map?, top?, second?);
        let Some(mapping) = self.template.mapping(&map) else {
            return wrong(
                at,
                format!("Template error: Mapping named '{map}' is not present in the 'Mappings' section of template."),
            );
        };
        match mapping.rows.get(&top).and_then(|row| row.get(&second)) {
            Some(MappingValue::One(text)) => Ok(Json::String(text.clone())),
            Some(MappingValue::List(items)) => Ok(Json::from(items.clone())),
            None => wrong(at, format!("Template error: Unable to get mapping for {map}::{top}::{second}")),
        }
    }

    fn zones(&self, region: &Expression, at: Position) -> Evaluated<Json> {
        let mut region = self.text(region, "Template error: every Fn::GetAZs object must have a String-typed value.")?;
        if region.is_empty() {
            region = self.environment.pseudo("AWS::Region").map(|own| scalar_text(&own)).unwrap_or_default();
        }
        self.environment.zones(&region).map(Json::from).or_else(|message| wrong(at, message))
    }

    fn import(&self, name: &Expression, at: Position) -> Evaluated<Json> {
        if self.scope == Scope::Conditions {
            return wrong(at, "Template format error: Cannot use Fn::ImportValue in Conditions.");
        }
        let expected = "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string";
        let name = self.text(name, expected)?;
        self.environment.import(&name).map(Json::String).or_else(|message| wrong(at, message))
    }

    /// What rules ask about things of the account.
    fn of_account(&self, function: &Function, at: Position) -> Evaluated<Json> {
        let told = |message| EvaluateError { position: at, message };
        let values = |kind: &str, ids: Vec<String>, attribute: &str| {
            let values = ids.iter().map(|id| self.environment.value_of(kind, id, attribute));
            values.collect::<Result<Vec<_>, _>>().map_err(told)
        };
        match function {
            Function::RefAll(kind) => self.environment.all(kind).map(Json::from).map_err(told),
            Function::ValueOfAll { kind, attribute } => {
                let ids = self.environment.all(kind).map_err(told)?;
                values(kind, ids, attribute).map(Json::from)
            }
            Function::ValueOf { parameter, attribute } => {
                let kind = self.template.parameter(parameter).map(|p| &p.kind);
                match (kind, self.environment.parameter(parameter)) {
                    (Some(ParameterType::Aws(kind)), Some(Json::String(id))) => {
                        Ok(values(kind, vec![id], attribute)?.pop().map(Json::String).unwrap_or_default())
                    }
                    (Some(ParameterType::AwsList(kind)), Some(Json::Array(ids))) => {
                        values(kind, ids.iter().map(scalar_text).collect(), attribute).map(Json::from)
                    }
                    _ => wrong(
                        at,
                        format!("Template error: Fn::ValueOf needs a parameter of an AWS-specific type, not {parameter}"),
                    ),
                }
            }
            other => wrong(at, format!("Template error: {} cannot be used here", other.name())),
        }
    }

    fn condition(&self, name: &str, at: Position) -> Evaluated<bool> {
        let unknown = || EvaluateError {
            position: at,
            message: format!("Template format error: Unresolved condition dependency {name} in the template"),
        };
        self.conditions.get(name).copied().ok_or_else(unknown)
    }

    /// The answer of a condition function.
    pub(crate) fn boolean(&self, expression: &Expression) -> Evaluated<bool> {
        match expression.function().filter(|function| function.is_boolean()) {
            Some(function) => self.truth(function, expression.position),
            None => wrong(
                expression.position,
                "Template format error: expected a condition: Condition, Fn::Equals, Fn::And, Fn::Or or Fn::Not",
            ),
        }
    }

    fn truth(&self, function: &Function, at: Position) -> Evaluated<bool> {
        match function {
            Function::Condition(name) => self.condition(name, at),
            Function::Not(one) => Ok(!self.boolean(one)?),
            // All are evaluated: a mistake is told whatever the others say.
            Function::And(all) => Ok(self.booleans(all)?.into_iter().all(|holds| holds)),
            Function::Or(all) => Ok(self.booleans(all)?.into_iter().any(|holds| holds)),
            Function::Equals(a, b) => match (self.value(a)?, self.value(b)?) {
                (Some(a), Some(b)) => Ok(is_same(&a, &b)),
                _ => wrong(at, EQUALS),
            },
            Function::Contains { values, value } => {
                let value = self.text(value, CONTAINS)?;
                Ok(self.list(values, CONTAINS)?.iter().any(|one| scalar_text(one) == value))
            }
            Function::EachMemberEquals { values, value } => {
                let value = self.text(value, CONTAINS)?;
                Ok(self.list(values, CONTAINS)?.iter().all(|one| scalar_text(one) == value))
            }
            Function::EachMemberIn { values, of } => {
                let of = self.list(of, CONTAINS)?;
                Ok(self.list(values, CONTAINS)?.iter().all(|one| of.iter().any(|known| is_same(one, known))))
            }
            other => wrong(at, format!("Template error: {} is not a condition function", other.name())),
        }
    }

    fn booleans(&self, all: &[Expression]) -> Evaluated<Vec<bool>> {
        all.iter().map(|one| self.boolean(one)).collect()
    }
}

/// Equality as CloudFormation sees it: the number 80 and the text "80" are the same.
fn is_same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        (Json::Array(_) | Json::Object(_), _) | (_, Json::Array(_) | Json::Object(_)) => false,
        _ => scalar_text(a) == scalar_text(b),
    }
}

#[cfg(test)]
pub(crate) mod tests;
