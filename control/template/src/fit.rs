//! Compares what a template writes with what a schema wants, before anything is evaluated: names of properties, required
//! ones, literals, and functions whose answer has the wrong shape. What only a value can tell is left to `coerce`.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::coerce::{coerce_scalar, document, is_scalar, mistyped, required, size, unknown, unsupported, wrong_kind};
use crate::error::{Collector, Position, TemplateError};
use crate::expression::{Expression, ExpressionKind, Function, Member};
use crate::parameter::ParameterType;
use crate::path::Path;
use crate::schema::{Kind, Property, Rules, Schema, Structure, Support};

/// What is known of the shape of a value that is still to be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar,
    List,
    Object,
    /// It may be anything, or go away.
    Open,
}

/// The shape that the expression's value will have.
pub(crate) fn shape(expression: &Expression, parameters: &HashMap<&str, &ParameterType>) -> Shape {
    let function = match &expression.kind {
        ExpressionKind::Literal(_) => return Shape::Scalar,
        ExpressionKind::List(_) => return Shape::List,
        ExpressionKind::Map(_) => return Shape::Object,
        ExpressionKind::Function(function) => function.as_ref(),
    };
    match function {
        Function::Ref(name) if name == "AWS::NoValue" => Shape::Open,
        Function::Ref(name) if name == "AWS::NotificationARNs" => Shape::List,
        Function::Ref(name) if parameters.get(name.as_str()).is_some_and(|kind| kind.is_list()) => Shape::List,
        Function::Split { .. } | Function::GetAzs(_) | Function::Cidr { .. } => Shape::List,
        Function::Ref(_) | Function::Sub { .. } | Function::Join { .. } | Function::Base64(_) | Function::ImportValue(_) => {
            Shape::Scalar
        }
        _ => Shape::Open,
    }
}

/// A text with a dynamic reference, such as `{{resolve:ssm:NAME}}`, says nothing of the value that it will have.
fn is_dynamic(literal: &Json) -> bool {
    literal.as_str().is_some_and(|text| text.contains("{{resolve:"))
}

/// Compares one map of a resource with a schema.
pub(crate) struct Fitter<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) parameters: &'a HashMap<&'a str, &'a ParameterType>,
    pub(crate) errors: &'a mut Collector,
    /// Where the map stands, such as `Resources.Web.Properties`.
    pub(crate) place: String,
}

impl Fitter<'_> {
    /// `properties` is the map, if there is one; what it lacks is noted at `position` then.
    pub(crate) fn properties(&mut self, properties: Option<&Expression>, position: Position) {
        let members: &[Member] = match properties.map(|p| &p.kind) {
            Some(ExpressionKind::Map(members)) => members,
            _ => &[],
        };
        self.structure(&self.schema.properties, members, position, &Path::ROOT);
    }

    fn structure(&mut self, structure: &Structure, members: &[Member], position: Position, path: &Path<'_>) {
        for member in members {
            let path = path.key(&member.key);
            match structure.property(&member.key) {
                None => self.wrong(member.key_position, &path, unknown(structure, &member.key, &path)),
                _ if member.value.is_no_value() => {}
                Some(property) if property.support == Support::Unsupported => {
                    self.wrong(member.key_position, &path, unsupported(&path));
                }
                Some(property) => self.property(property, &member.value, &path),
            }
        }
        let is_given = |name: &str| members.iter().any(|m| m.key == name && !m.value.is_no_value());
        for missing in structure.required().filter(|p| !is_given(&p.name)) {
            let missing = path.key(&missing.name);
            self.wrong(position, path, required(&missing));
        }
    }

    fn property(&mut self, property: &Property, value: &Expression, path: &Path<'_>) {
        let count = match (&property.kind, &value.kind) {
            // A function may stand for nothing.
            (Kind::List(_), ExpressionKind::List(items)) if items.iter().all(|item| item.function().is_none()) => {
                Some(items.len())
            }
            (Kind::Map(_), ExpressionKind::Map(members)) if members.iter().all(|m| m.value.function().is_none()) => {
                Some(members.len())
            }
            _ => None,
        };
        if let (Some(bounds), Some(count)) = (property.rules.length, count)
            && let Err(message) = size(bounds, count, path)
        {
            self.wrong(value.position, path, message);
        }
        self.value(&property.kind, &property.value_rules(), value, path);
    }

    fn value(&mut self, kind: &Kind, rules: &Rules, value: &Expression, path: &Path<'_>) {
        match (kind, &value.kind) {
            (_, ExpressionKind::Function(function)) => self.function(kind, rules, function, value, path),
            (kind, ExpressionKind::Literal(json)) if is_dynamic(json) && (is_scalar(kind) || *kind == Kind::Json) => {}
            (Kind::Json, ExpressionKind::Literal(json)) => self.note(value.position, path, document(json, path)),
            (Kind::Json, _) => {}
            (Kind::List(inner), ExpressionKind::List(items)) => {
                for (i, item) in items.iter().enumerate() {
                    self.item(inner, rules, item, &path.index(i), path);
                }
            }
            (Kind::Map(inner), ExpressionKind::Map(members)) => {
                members.iter().for_each(|m| self.value(inner, rules, &m.value, &path.key(&m.key)));
            }
            (Kind::Structure(name), ExpressionKind::Map(members)) => {
                // The schema's reader saw to it that the structure is there.
                if let Some(structure) = self.schema.structures.get(name) {
                    self.structure(structure, members, value.position, path);
                }
            }
            (kind, ExpressionKind::Literal(json)) if is_scalar(kind) => {
                self.note(value.position, path, coerce_scalar(kind, rules, json, path));
            }
            (kind, _) => self.wrong(value.position, path, wrong_kind(kind, path)),
        }
    }

    /// A member of the list at `list`.
    fn item(&mut self, kind: &Kind, rules: &Rules, item: &Expression, path: &Path<'_>, list: &Path<'_>) {
        if is_scalar(kind) && matches!(shape(item, self.parameters), Shape::List | Shape::Object) {
            self.wrong(item.position, path, mistyped(list, &format!("List of {}", kind.name())));
        } else {
            self.value(kind, rules, item, path);
        }
    }

    fn function(&mut self, kind: &Kind, rules: &Rules, function: &Function, value: &Expression, path: &Path<'_>) {
        if let Function::If { then, otherwise, .. } = function {
            return [then, otherwise].into_iter().for_each(|branch| self.value(kind, rules, branch, path));
        }
        let fits = match (kind, shape(value, self.parameters)) {
            (_, Shape::Open) => true,
            // A text may hold a document.
            (Kind::Json, _) => true,
            (Kind::List(_), shape) => shape == Shape::List,
            (Kind::Map(_) | Kind::Structure(_), shape) => shape == Shape::Object,
            (_, shape) => shape == Shape::Scalar,
        };
        if !fits {
            self.wrong(value.position, path, wrong_kind(kind, path));
        }
    }

    fn note<T>(&mut self, position: Position, path: &Path<'_>, result: Result<T, String>) {
        if let Err(message) = result {
            self.wrong(position, path, message);
        }
    }

    fn wrong(&mut self, position: Position, path: &Path<'_>, message: String) {
        let inside = path.to_string();
        let path = if inside.is_empty() { self.place.clone() } else { format!("{}.{inside}", self.place) };
        self.errors.push(TemplateError { position, path, message });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::Fitter;
    use crate::error::Collector;
    use crate::schema::Schema;
    use crate::template::Template;

    const SCHEMA: &str = "
properties
  VpcId     string   required
  Port      integer  range 1..65535
  Protocol  string   values HTTP|HTTPS
  Subnets   list string length 1..2
  Tags      list Tag
  Labels    map string
  Policy    json
  Launch    Launch
  Old       string   unsupported
structure Tag
  Key       string   required
  Value     string
structure Launch
  Enabled   boolean
";

    /// The errors of the one-line properties `text`, without line and path of the resource.
    fn check(text: &str, expected: &[&str]) {
        let text = format!(
            "Parameters: {{One: {{Type: String}}, Many: {{Type: CommaDelimitedList}}}}\nResources:\n  Web:\n    Type: T\n    Properties: {text}"
        );
        let template = Template::parse(&text).unwrap();
        let parameters: HashMap<_, _> = template.parameters.iter().map(|p| (p.name.as_str(), &p.kind)).collect();
        let (schema, mut errors, web) = (Schema::parse(SCHEMA).unwrap(), Collector::default(), &template.resources[0]);
        Fitter { schema: &schema, parameters: &parameters, errors: &mut errors, place: "Place".into() }
            .properties(web.properties.as_ref(), web.position);
        let found = errors.finish(()).err().map_or_else(String::new, |errors| errors.to_string());
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn accepts_what_fits() {
        check("{VpcId: vpc-1, Port: '80', Subnets: [a, 1], Tags: [{Key: 1}], Labels: {a: true}, Launch: {Enabled: 'true'}}", &[]);
        check("{VpcId: !Ref One, Subnets: !Ref Many, Policy: {Any: [thing]}, Launch: {Enabled: !Ref One}}", &[]);
        check("{VpcId: !Sub '${One}', Subnets: !GetAZs '', Tags: !If [C, [{Key: a}], !Ref 'AWS::NoValue']}", &[]);
        check(
            "{VpcId: !GetAtt A.B, Port: !Ref One, Subnets: [!Ref One, !GetAtt A.B], Policy: !Sub '{}', Old: !Ref 'AWS::NoValue'}",
            &[],
        );
        check(
            "{VpcId: !Select [0, !Ref Many], Subnets: [], Policy: '{\"a\": 1}'}",
            &["5:58: Place.Subnets: Value of property Subnets must have between 1 and 2 members"],
        );
        check("{VpcId: a, Subnets: [!If [C, a, !Ref 'AWS::NoValue'], b, c]}", &[]);
        check("{VpcId: a, Port: '{{resolve:ssm:/port}}', Protocol: '{{resolve:ssm:/p:2}}', Policy: '{{resolve:ssm:/p}}'}", &[]);
    }

    #[test]
    fn refuses_names() {
        check(
            "{VpcID: a}",
            &[
                "3:3: Place: Property VpcId is required and cannot be empty",
                "5:18: Place.VpcID: Encountered unsupported property VpcID; did you mean VpcId?",
            ],
        );
        check("{VpcId: !Ref 'AWS::NoValue'}", &["3:3: Place: Property VpcId is required and cannot be empty"]);
        check("{VpcId: a, Old: b}", &["5:28: Place.Old: Property Old is not available in this region yet"]);
        check("{VpcId: a, Tags: [{Value: b}]}", &["5:35: Place.Tags[0]: Property Tags[0].Key is required and cannot be empty"]);
        check(
            "{VpcId: a, Tags: [{Key: a, Colour: b}]}",
            &["5:44: Place.Tags[0].Colour: Encountered unsupported property Tags[0].Colour"],
        );
    }

    #[test]
    fn refuses_literals() {
        let cases = [
            ("Port: http", "5:34: Place.Port: Value of property Port must be of type Integer"),
            ("Port: 0", "5:34: Place.Port: Value of property Port must be between 1 and 65535"),
            ("Port: !If [C, 80, none]", "5:46: Place.Port: Value of property Port must be of type Integer"),
            ("Protocol: TCP", "5:38: Place.Protocol: Value of property Protocol must be one of [HTTP, HTTPS]"),
            ("Port: [1]", "5:34: Place.Port: Value of property Port must be of type Integer"),
            ("Subnets: a", "5:37: Place.Subnets: Value of property Subnets must be of type List"),
            ("Subnets: [[a]]", "5:38: Place.Subnets[0]: Value of property Subnets must be of type List of String"),
            ("Tags: {Key: a}", "5:34: Place.Tags: Value of property Tags must be of type List"),
            ("Launch: [a]", "5:36: Place.Launch: Value of property Launch must be an object"),
            ("Launch: {Enabled: 1}", "5:46: Place.Launch.Enabled: Value of property Launch.Enabled must be of type Boolean"),
            ("Labels: {a: {}}", "5:40: Place.Labels.a: Value of property Labels.a must be of type String"),
            ("Policy: text", "5:36: Place.Policy: Value of property Policy must be an object"),
        ];
        cases.into_iter().for_each(|(text, expected)| check(&format!("{{VpcId: a, {text}}}"), &[expected]));
    }

    #[test]
    fn refuses_functions_of_another_shape() {
        let cases = [
            ("Subnets: !Ref One", "5:37: Place.Subnets: Value of property Subnets must be of type List"),
            ("Subnets: [!Ref Many]", "5:38: Place.Subnets[0]: Value of property Subnets must be of type List of String"),
            ("Port: !Ref Many", "5:34: Place.Port: Value of property Port must be of type Integer"),
            ("Protocol: !Split [a, b]", "5:38: Place.Protocol: Value of property Protocol must be of type String"),
            ("Launch: !Ref Own", "5:36: Place.Launch: Value of property Launch must be an object"),
            ("Tags: !If [C, !Sub a, []]", "5:42: Place.Tags: Value of property Tags must be of type List"),
        ];
        cases.into_iter().for_each(|(text, expected)| check(&format!("{{VpcId: a, {text}}}"), &[expected]));
    }
}
