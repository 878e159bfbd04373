use serde_json::Value as Json;

use crate::error::Position;

/// A piece of a template as it stands in the text, with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub kind: NodeKind,
    pub position: Position,
    /// A short function tag without its `!`, such as `Ref`.
    pub tag: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar with its original text: `080` and `2010-09-09` stay what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    pub style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: it may mean a number, a boolean or null.
    Plain,
    /// In quotes or a block: always a string.
    Quoted,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_position: Position,
    pub value: Node,
}

impl Scalar {
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The scalar as JSON. Only what prints back as the same text becomes a number, so that no character of a value
    /// is lost that turns out to be a string.
    pub fn to_json(&self) -> Json {
        if self.style == Style::Quoted {
            return Json::String(self.text.clone());
        }
        if self.is_null() {
            return Json::Null;
        }
        match self.text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            text => number(text).unwrap_or_else(|| Json::String(text.into())),
        }
    }
}

/// A number that prints back as `text`.
fn number(text: &str) -> Option<Json> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || first == b'-') {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return (whole.to_string() == text).then(|| Json::from(whole));
    }
    let number = serde_json::Number::from_f64(text.parse().ok()?)?;
    (number.to_string() == text).then_some(Json::Number(number))
}

impl Node {
    /// The text of a scalar without a tag.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) if self.tag.is_none() => Some(&scalar.text),
            _ => None,
        }
    }

    /// What CloudFormation calls the node's type in its messages.
    pub(crate) fn kind_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(_) => "a scalar",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Scalar, Style};
    use serde_json::json;

    #[test]
    fn only_what_prints_back_the_same_becomes_a_number() {
        let cases = [
            ("080", json!("080")),
            ("80", json!(80)),
            ("-3", json!(-3)),
            ("-0", json!("-0")),
            ("+3", json!("+3")),
            ("1.5", json!(1.5)),
            ("1.10", json!("1.10")),
            ("1e3", json!("1e3")),
            ("2010-09-09", json!("2010-09-09")),
            ("123456789012", json!(123_456_789_012_i64)),
            ("99999999999999999999", json!("99999999999999999999")),
            ("yes", json!("yes")),
            ("true", json!(true)),
            ("", json!(null)),
            ("nan", json!("nan")),
            ("-inf", json!("-inf")),
        ];
        for (text, expected) in cases {
            assert_eq!(Scalar { text: text.into(), style: Style::Plain }.to_json(), expected, "{text}");
            assert_eq!(Scalar { text: text.into(), style: Style::Quoted }.to_json(), json!(text), "{text}");
        }
    }
}
