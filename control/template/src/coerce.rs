//! Brings evaluated properties into the types of a schema, as CloudFormation does before it hands them to a resource
//! type: numbers and booleans may come as strings and strings as numbers, but a lone value is never taken for a list.
//!
//! Owns the wording of what is wrong with a value; `fit` says the same of literals before anything is evaluated.

use serde_json::{Map, Number, Value as Json};

use crate::expression::scalar_text;
use crate::nearest::nearest;
use crate::path::Path;
use crate::schema::{Bounds, Kind, Property, Rules, Schema, Structure, Support};

impl Schema {
    /// The properties in the schema's types: each `integer` a whole JSON number, each `string` a JSON string and so on.
    /// Members whose value is null are left out.
    ///
    /// # Errors
    /// The first thing wrong in CloudFormation's words, such as `Value of property Tags must be of type List`; what is
    /// further inside is named by its path, such as `Tags[0].Key`.
    pub fn coerce(&self, props: &Json) -> Result<Json, String> {
        match props {
            Json::Null => self.structure(&self.properties, &Map::new(), &Path::ROOT),
            Json::Object(members) => self.structure(&self.properties, members, &Path::ROOT),
            _ => Err("Properties must be an object".into()),
        }
    }

    fn structure(&self, structure: &Structure, members: &Map<String, Json>, path: &Path<'_>) -> Result<Json, String> {
        let mut made = Map::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let path = path.key(name);
            let property = structure.property(name).ok_or_else(|| unknown(structure, name, &path))?;
            if property.support == Support::Unsupported {
                return Err(unsupported(&path));
            }
            made.insert(name.clone(), self.property(property, value, &path)?);
        }
        match structure.required().find(|p| !made.contains_key(&p.name)) {
            Some(missing) => Err(required(&path.key(&missing.name))),
            None => Ok(Json::Object(made)),
        }
    }

    fn property(&self, property: &Property, value: &Json, path: &Path<'_>) -> Result<Json, String> {
        let count = match (&property.kind, value) {
            (Kind::List(_), Json::Array(items)) => Some(items.len()),
            (Kind::Map(_), Json::Object(members)) => Some(members.len()),
            _ => None,
        };
        if let (Some(bounds), Some(count)) = (property.rules.length, count) {
            size(bounds, count, path)?;
        }
        self.value(&property.kind, &property.value_rules(), value, path)
    }

    fn value(&self, kind: &Kind, rules: &Rules, value: &Json, path: &Path<'_>) -> Result<Json, String> {
        match (kind, value) {
            (Kind::List(inner), Json::Array(items)) => {
                if is_scalar(inner) && items.iter().any(|item| item.is_array() || item.is_object()) {
                    return Err(mistyped(path, &format!("List of {}", inner.name())));
                }
                let items = items.iter().enumerate().map(|(i, item)| self.value(inner, rules, item, &path.index(i)));
                items.collect::<Result<_, _>>().map(Json::Array)
            }
            (Kind::Map(inner), Json::Object(members)) => {
                let members = members.iter().filter(|(_, member)| !member.is_null());
                let members = members.map(|(key, member)| Ok((key.clone(), self.value(inner, rules, member, &path.key(key))?)));
                members.collect::<Result<_, String>>().map(Json::Object)
            }
            (Kind::Structure(name), Json::Object(members)) => match self.structures.get(name) {
                Some(structure) => self.structure(structure, members, path),
                None => Err(wrong_kind(kind, path)),
            },
            (Kind::Json, value) => document(value, path),
            (Kind::List(_) | Kind::Map(_) | Kind::Structure(_), _) => Err(wrong_kind(kind, path)),
            (_, scalar) => coerce_scalar(kind, rules, scalar, path),
        }
    }
}

/// A scalar in the type `kind`, which must be one of the scalar ones.
pub(crate) fn coerce_scalar(kind: &Kind, rules: &Rules, value: &Json, path: &Path<'_>) -> Result<Json, String> {
    if value.is_array() || value.is_object() || value.is_null() {
        return Err(wrong_kind(kind, path));
    }
    let text = scalar_text(value);
    let made = match kind {
        Kind::String => Some(Json::String(text)),
        Kind::Boolean => boolean(&text).map(Json::Bool),
        Kind::Integer => whole(&text).map(Json::from),
        Kind::Number => number(&text),
        _ => None,
    };
    let made = made.ok_or_else(|| wrong_kind(kind, path))?;
    keeps(rules, &made, path)?;
    Ok(made)
}

/// A value of the type `json`: a structure as it is, or a text of JSON that holds one.
pub(crate) fn document(value: &Json, path: &Path<'_>) -> Result<Json, String> {
    match value {
        Json::Object(_) | Json::Array(_) => Ok(value.clone()),
        Json::String(text) => match serde_json::from_str(text) {
            Ok(parsed @ (Json::Object(_) | Json::Array(_))) => Ok(parsed),
            _ => Err(wrong_kind(&Kind::Json, path)),
        },
        _ => Err(wrong_kind(&Kind::Json, path)),
    }
}

/// Whether a list or map may have `count` members.
pub(crate) fn size(bounds: Bounds, count: usize, path: &Path<'_>) -> Result<(), String> {
    if bounds.has(count as f64) {
        return Ok(());
    }
    Err(format!("Value of property {path} must have {bounds} members"))
}

fn keeps(rules: &Rules, value: &Json, path: &Path<'_>) -> Result<(), String> {
    if !rules.values.is_empty() && !rules.values.contains(&scalar_text(value)) {
        return Err(format!("Value of property {path} must be one of [{}]", rules.values.join(", ")));
    }
    match value {
        Json::Number(number) => match rules.range {
            Some(bounds) if !number.as_f64().is_some_and(|n| bounds.has(n)) => {
                Err(format!("Value of property {path} must be {bounds}"))
            }
            _ => Ok(()),
        },
        Json::String(text) => match rules.length {
            Some(bounds) if !bounds.has(text.chars().count() as f64) => {
                Err(format!("Value of property {path} must be {bounds} characters long"))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A whole number; `80.0` is one.
fn whole(text: &str) -> Option<i64> {
    let plain = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    plain.parse().ok()
}

fn number(text: &str) -> Option<Json> {
    whole(text).map(Json::from).or_else(|| Number::from_f64(text.parse().ok()?).map(Json::Number))
}

pub(crate) fn is_scalar(kind: &Kind) -> bool {
    matches!(kind, Kind::String | Kind::Integer | Kind::Number | Kind::Boolean)
}

/// The value at `path` is not of the type `kind`.
pub(crate) fn wrong_kind(kind: &Kind, path: &Path<'_>) -> String {
    match kind {
        Kind::Structure(_) | Kind::Map(_) | Kind::Json => format!("Value of property {path} must be an object"),
        Kind::List(_) => mistyped(path, "List"),
        scalar => mistyped(path, &scalar.name()),
    }
}

pub(crate) fn mistyped(path: &Path<'_>, kind: &str) -> String {
    format!("Value of property {path} must be of type {kind}")
}

pub(crate) fn required(path: &Path<'_>) -> String {
    format!("Property {path} is required and cannot be empty")
}

pub(crate) fn unsupported(path: &Path<'_>) -> String {
    format!("Property {path} is not available in this region yet")
}

/// CloudFormation's refusal of a property that the type does not have, and what may have been meant.
pub(crate) fn unknown(structure: &Structure, name: &str, path: &Path<'_>) -> String {
    let meant = nearest(name, structure.0.iter().map(|p| p.name.as_str()));
    let hint = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    format!("Encountered unsupported property {path}{hint}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::schema::Schema;
    use serde_json::{Value as Json, json};

    const TEXT: &str = "
properties
  VpcId      string   required
  Port       integer  range 1..65535
  Weight     number   range 0.5..2
  Name       string   length 2..4
  Protocol   string   values HTTP|HTTPS
  Enabled    boolean
  Subnets    list string  length 1..2
  Tags       list Tag
  Labels     map integer  values 1|2  length ..1
  Policy     json
  Launch     Launch
  Ipv6       string   unsupported
structure Tag
  Key        string   required
  Value      string
structure Launch
  Id         string
  Ports      list integer range 1..9
";

    fn check(mut props: Json, expected: Result<Json, &str>) {
        let with_vpc = |json: &mut Json| drop(json.as_object_mut().unwrap().insert("VpcId".into(), json!("vpc-1")));
        with_vpc(&mut props);
        let expected = expected.map(|mut json| {
            with_vpc(&mut json);
            json
        });
        let made = Schema::parse(TEXT).unwrap().coerce(&props);
        assert_eq!(made, expected.map_err(str::to_string), "{props}");
    }

    #[test]
    fn turns_scalars_into_the_wanted_type() {
        check(json!({"Port": "80"}), Ok(json!({"Port": 80})));
        check(json!({"Port": 80.0}), Ok(json!({"Port": 80})));
        check(json!({"Port": "080"}), Ok(json!({"Port": 80})));
        check(json!({"Weight": "1.5"}), Ok(json!({"Weight": 1.5})));
        check(json!({"Weight": "2"}), Ok(json!({"Weight": 2})));
        check(json!({"Enabled": "True"}), Ok(json!({"Enabled": true})));
        check(json!({"Name": 123}), Ok(json!({"Name": "123"})));
        check(json!({"Name": true}), Ok(json!({"Name": "true"})));
        check(json!({"Name": null}), Ok(json!({})));
        check(json!({"Subnets": [1, "b"]}), Ok(json!({"Subnets": ["1", "b"]})));
        check(json!({"Labels": {"a": "1"}}), Ok(json!({"Labels": {"a": 1}})));
        check(json!({"Tags": [{"Key": 1, "Value": false}]}), Ok(json!({"Tags": [{"Key": "1", "Value": "false"}]})));
        check(json!({"Launch": {"Ports": ["1", 2]}}), Ok(json!({"Launch": {"Ports": [1, 2]}})));
        check(json!({"Policy": {"a": [1]}}), Ok(json!({"Policy": {"a": [1]}})));
        check(json!({"Policy": "{\"a\": 1}"}), Ok(json!({"Policy": {"a": 1}})));
    }

    #[test]
    fn refuses_values_of_the_wrong_type() {
        let cases = [
            (json!({"Port": "http"}), "Value of property Port must be of type Integer"),
            (json!({"Port": "80.5"}), "Value of property Port must be of type Integer"),
            (json!({"Port": true}), "Value of property Port must be of type Integer"),
            (json!({"Port": [80]}), "Value of property Port must be of type Integer"),
            (json!({"Weight": "inf"}), "Value of property Weight must be of type Number"),
            (json!({"Enabled": "yes"}), "Value of property Enabled must be of type Boolean"),
            (json!({"Name": {"a": 1}}), "Value of property Name must be of type String"),
            (json!({"Tags": {"Key": "a"}}), "Value of property Tags must be of type List"),
            (json!({"Subnets": "a"}), "Value of property Subnets must be of type List"),
            (json!({"Subnets": [["a"]]}), "Value of property Subnets must be of type List of String"),
            (json!({"Tags": ["a"]}), "Value of property Tags[0] must be an object"),
            (json!({"Tags": [{"Key": []}]}), "Value of property Tags[0].Key must be of type String"),
            (json!({"Labels": []}), "Value of property Labels must be an object"),
            (json!({"Policy": "text"}), "Value of property Policy must be an object"),
            (json!({"Policy": 5}), "Value of property Policy must be an object"),
            (json!({"Launch": "lt-1"}), "Value of property Launch must be an object"),
        ];
        cases.into_iter().for_each(|(props, message)| check(props, Err(message)));
    }

    #[test]
    fn keeps_to_values_ranges_and_lengths() {
        let cases = [
            (json!({"Port": 0}), "Value of property Port must be between 1 and 65535"),
            (json!({"Port": "65536"}), "Value of property Port must be between 1 and 65535"),
            (json!({"Weight": 0.4}), "Value of property Weight must be between 0.5 and 2"),
            (json!({"Name": "a"}), "Value of property Name must be between 2 and 4 characters long"),
            (json!({"Name": "abcde"}), "Value of property Name must be between 2 and 4 characters long"),
            (json!({"Protocol": "http"}), "Value of property Protocol must be one of [HTTP, HTTPS]"),
            (json!({"Subnets": []}), "Value of property Subnets must have between 1 and 2 members"),
            (json!({"Labels": {"a": 3}}), "Value of property Labels.a must be one of [1, 2]"),
            (json!({"Labels": {"a": 1, "b": 2}}), "Value of property Labels must have at most 1 members"),
            (json!({"Launch": {"Ports": [10]}}), "Value of property Launch.Ports[0] must be between 1 and 9"),
        ];
        cases.into_iter().for_each(|(props, message)| check(props, Err(message)));
        check(json!({"Name": "äöüß"}), Ok(json!({"Name": "äöüß"})));
        check(json!({"Subnets": ["longer than two"]}), Ok(json!({"Subnets": ["longer than two"]})));
    }

    #[test]
    fn refuses_properties_that_are_unknown_unsupported_or_missing() {
        check(json!({"Foo": 1}), Err("Encountered unsupported property Foo"));
        check(json!({"port": 1}), Err("Encountered unsupported property port; did you mean Port?"));
        check(json!({"Tags": [{"key": "a"}]}), Err("Encountered unsupported property Tags[0].key; did you mean Key?"));
        check(json!({"Ipv6": "::/0"}), Err("Property Ipv6 is not available in this region yet"));
        check(json!({"Tags": [{"Value": "a"}]}), Err("Property Tags[0].Key is required and cannot be empty"));
        let schema = Schema::parse(TEXT).unwrap();
        let missing = "Property VpcId is required and cannot be empty".to_string();
        for props in [json!({}), json!(null), json!({"VpcId": null})] {
            assert_eq!(schema.coerce(&props), Err(missing.clone()));
        }
        assert_eq!(schema.coerce(&json!([])), Err("Properties must be an object".into()));
    }
}
