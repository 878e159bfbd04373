use serde_json::Value as Json;

use crate::error::Position;
use crate::graph::Reference;

/// A value of a template in which functions are recognised and still to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub kind: ExpressionKind,
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// A string, number or boolean.
    Literal(Json),
    List(Vec<Expression>),
    Map(Vec<Member>),
    Function(Box<Function>),
}

/// A key of a map and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub key: String,
    pub key_position: Position,
    pub value: Expression,
}

/// CloudFormation's intrinsic functions.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    Ref(String),
    GetAtt { resource: String, attribute: Expression },
    Sub { parts: Vec<SubPart>, variables: Vec<Member> },
    Join { delimiter: String, values: Expression },
    Select { index: Expression, values: Expression },
    Split { delimiter: String, text: Expression },
    FindInMap { map: Expression, top: Expression, second: Expression },
    If { condition: String, then: Expression, otherwise: Expression },
    Equals(Expression, Expression),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Expression),
    Condition(String),
    Base64(Expression),
    GetAzs(Expression),
    Cidr { block: Expression, count: Expression, bits: Option<Expression> },
    ImportValue(Expression),
    // The following stand in rules only.
    Contains { values: Expression, value: Expression },
    EachMemberEquals { values: Expression, value: Expression },
    EachMemberIn { values: Expression, of: Expression },
    RefAll(String),
    ValueOf { parameter: String, attribute: String },
    ValueOfAll { kind: String, attribute: String },
}

/// A piece of a text of `Fn::Sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubPart {
    Text(String),
    /// One of the function's own variables.
    Variable(String),
    /// A parameter, pseudo parameter or resource, as `Ref`.
    Reference(String),
    Attribute {
        resource: String,
        attribute: String,
    },
}

impl SubPart {
    /// The name that may be a resource's.
    pub(crate) fn resource(&self) -> Option<&str> {
        self.reference().map(|reference| match reference {
            Reference::Name(name) | Reference::Attribute { resource: name, .. } => name,
        })
    }

    pub(crate) fn reference(&self) -> Option<Reference<'_>> {
        match self {
            SubPart::Reference(name) => Some(Reference::Name(name)),
            SubPart::Attribute { resource, attribute } => Some(Reference::Attribute { resource, attribute: Some(attribute) }),
            SubPart::Text(_) | SubPart::Variable(_) => None,
        }
    }
}

impl Function {
    /// The function's long name, such as `Fn::Sub`.
    pub fn name(&self) -> &'static str {
        match self {
            Function::Ref(_) => "Ref",
            Function::GetAtt { .. } => "Fn::GetAtt",
            Function::Sub { .. } => "Fn::Sub",
            Function::Join { .. } => "Fn::Join",
            Function::Select { .. } => "Fn::Select",
            Function::Split { .. } => "Fn::Split",
            Function::FindInMap { .. } => "Fn::FindInMap",
            Function::If { .. } => "Fn::If",
            Function::Equals(..) => "Fn::Equals",
            Function::And(_) => "Fn::And",
            Function::Or(_) => "Fn::Or",
            Function::Not(_) => "Fn::Not",
            Function::Condition(_) => "Condition",
            Function::Base64(_) => "Fn::Base64",
            Function::GetAzs(_) => "Fn::GetAZs",
            Function::Cidr { .. } => "Fn::Cidr",
            Function::ImportValue(_) => "Fn::ImportValue",
            Function::Contains { .. } => "Fn::Contains",
            Function::EachMemberEquals { .. } => "Fn::EachMemberEquals",
            Function::EachMemberIn { .. } => "Fn::EachMemberIn",
            Function::RefAll(_) => "Fn::RefAll",
            Function::ValueOf { .. } => "Fn::ValueOf",
            Function::ValueOfAll { .. } => "Fn::ValueOfAll",
        }
    }

    /// Its answer is true or false: it belongs into conditions.
    pub fn is_boolean(&self) -> bool {
        use Function::{And, Condition, Contains, EachMemberEquals, EachMemberIn, Equals, Not, Or};
        matches!(
            self,
            Equals(..) | And(_) | Or(_) | Not(_) | Condition(_) | Contains { .. } | EachMemberEquals { .. } | EachMemberIn { .. }
        )
    }

    /// It may stand in `Rules`.
    pub(crate) fn is_for_rules(&self) -> bool {
        let of_lists =
            matches!(self, Function::Ref(_) | Function::RefAll(_) | Function::ValueOf { .. } | Function::ValueOfAll { .. });
        of_lists || (self.is_boolean() && !matches!(self, Function::Condition(_)))
    }

    /// The expressions it is made of.
    pub(crate) fn arguments(&self) -> Vec<&Expression> {
        match self {
            Function::Ref(_)
            | Function::Condition(_)
            | Function::RefAll(_)
            | Function::ValueOf { .. }
            | Function::ValueOfAll { .. } => Vec::new(),
            Function::Contains { values, value } | Function::EachMemberEquals { values, value } => vec![values, value],
            Function::EachMemberIn { values, of } => vec![values, of],
            Function::GetAtt { attribute, .. } => vec![attribute],
            Function::Sub { variables, .. } => variables.iter().map(|v| &v.value).collect(),
            Function::Join { values, .. } => vec![values],
            Function::Select { index, values } => vec![index, values],
            Function::Split { text, .. } => vec![text],
            Function::FindInMap { map, top, second } => vec![map, top, second],
            Function::If { then, otherwise, .. } => vec![then, otherwise],
            Function::Equals(a, b) => vec![a, b],
            Function::And(all) | Function::Or(all) => all.iter().collect(),
            Function::Not(one) | Function::Base64(one) | Function::GetAzs(one) | Function::ImportValue(one) => vec![one],
            Function::Cidr { block, count, bits } => [block, count].into_iter().chain(bits).collect(),
        }
    }
}

impl Expression {
    /// The text of a literal.
    pub fn literal_text(&self) -> Option<String> {
        match &self.kind {
            ExpressionKind::Literal(json) => Some(scalar_text(json)),
            _ => None,
        }
    }

    pub fn function(&self) -> Option<&Function> {
        match &self.kind {
            ExpressionKind::Function(function) => Some(function),
            _ => None,
        }
    }

    /// `!Ref AWS::NoValue`, which takes away the property that it stands for.
    pub fn is_no_value(&self) -> bool {
        matches!(self.function(), Some(Function::Ref(name)) if name == "AWS::NoValue")
    }

    /// Calls `each` with every function in the expression, outer ones first.
    pub(crate) fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a Function, Position)) {
        match &self.kind {
            ExpressionKind::Literal(_) => {}
            ExpressionKind::List(items) => items.iter().for_each(|item| item.visit(each)),
            ExpressionKind::Map(members) => members.iter().for_each(|member| member.value.visit(each)),
            ExpressionKind::Function(function) => {
                each(function, self.position);
                function.arguments().into_iter().for_each(|argument| argument.visit(each));
            }
        }
    }
}

/// A scalar as a string, as CloudFormation turns numbers and booleans into text.
pub(crate) fn scalar_text(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
