//! The JSON protocols.

use base::{Fault, Time, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use models::{Member, Structure, Type};
use serde_json::{Map, Number, Value as Json, json};

use crate::path::Path;
use crate::route::{Protocol, Route};

pub(crate) fn decode(route: &Route, body: &[u8]) -> Result<Value, Fault> {
    let Some(structure) = route.operation.input.as_ref().and_then(|name| route.service.structure(name)) else {
        return Ok(Value::Null);
    };
    let json: Json = if body.is_empty() { json!({}) } else { serde_json::from_slice(body).map_err(|e| bad(&e.to_string()))? };
    read_structure(route, structure, json, &Path::Root)
}

pub(crate) fn answer(route: &Route, value: &Value) -> Vec<u8> {
    match route.operation.output.as_ref().and_then(|name| route.service.structure(name)) {
        Some(structure) => write_structure(route, structure, value).to_string().into_bytes(),
        None if route.protocol == Protocol::Plain => b"{}".to_vec(),
        None => Vec::new(),
    }
}

pub(crate) fn fault(fault: &Fault) -> Vec<u8> {
    json!({"__type": fault.code, "message": fault.message}).to_string().into_bytes()
}

fn bad(message: &str) -> Fault {
    Fault::client("SerializationException", message)
}

fn name<'m>(route: &Route, member: &'m Member) -> &'m str {
    let wire = if route.protocol == Protocol::Json { member.wire_name.as_deref() } else { None };
    wire.unwrap_or(&member.name)
}

fn read_structure(route: &Route, structure: &Structure, json: Json, path: &Path) -> Result<Value, Fault> {
    let Json::Object(mut object) = json else { return Err(expected(path, "an object")) };
    let mut slots = Vec::with_capacity(structure.members.len());
    for member in &structure.members {
        let name = name(route, member);
        slots.push(match object.remove(name) {
            None | Some(Json::Null) => Value::Null,
            Some(json) => read(route, &member.shape, json, &Path::Name(path, name))?,
        });
    }
    match object.into_iter().next() {
        Some((unknown, _)) => Err(bad(&format!("{}/{unknown} is not recognized", path.slashed()))),
        None => Ok(Value::Struct(slots)),
    }
}

fn expected(path: &Path, what: &str) -> Fault {
    let path = path.slashed();
    bad(&format!("{} must be {what}", if path.is_empty() { "the request" } else { &path }))
}

/// serde_json bounds the depth of what it reads at 128, so recursion here is bounded too.
fn read(route: &Route, shape: &Type, json: Json, path: &Path) -> Result<Value, Fault> {
    Ok(match (shape, json) {
        (Type::Structure(name), json) => match route.service.structure(name) {
            Some(structure) => read_structure(route, structure, json, path)?,
            None => Value::Null,
        },
        (Type::List { item, .. }, Json::Array(items)) => {
            let each = items.into_iter().enumerate();
            Value::List(each.map(|(n, json)| read(route, item, json, &Path::Item(path, n))).collect::<Result<_, _>>()?)
        }
        (Type::Map { value, .. }, Json::Object(entries)) => {
            let each = entries.into_iter();
            Value::Map(
                each.map(|(k, json)| Ok((k.clone(), read(route, value, json, &Path::Key(path, &k))?)))
                    .collect::<Result<_, _>>()?,
            )
        }
        (Type::Str | Type::Text(_), Json::String(text)) => Value::Str(text),
        (Type::Bool, Json::Bool(b)) => Value::Bool(b),
        (Type::Int, Json::Number(n)) => {
            let fits = n.as_i64().filter(|n| i32::try_from(*n).is_ok());
            Value::Int(fits.ok_or_else(|| expected(path, "an integer of 32 bits"))?)
        }
        (Type::Long, Json::Number(n)) => Value::Int(n.as_i64().ok_or_else(|| expected(path, "an integer"))?),
        (Type::F32 | Type::F64, Json::Number(n)) => Value::Float(n.as_f64().ok_or_else(|| expected(path, "a number"))?),
        // JSON has no way to write these ("AWS JSON 1.0 protocol", Smithy).
        (Type::F32 | Type::F64, Json::String(text)) => Value::Float(match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return Err(expected(path, "a number")),
        }),
        (Type::Blob, Json::String(text)) => Value::Blob(STANDARD.decode(text).map_err(|_| expected(path, "base64"))?),
        (Type::Time(_), Json::String(text)) => {
            Value::Time(Time::parse_iso8601(&text).ok_or_else(|| expected(path, "a moment in ISO 8601"))?)
        }
        (Type::Time(_), Json::Number(n)) => Value::Time(from_seconds(n.as_f64().unwrap_or_default())),
        (Type::List { .. }, _) => return Err(expected(path, "a list")),
        (Type::Map { .. }, _) => return Err(expected(path, "an object")),
        (Type::Str | Type::Text(_), _) => return Err(expected(path, "a string")),
        (Type::Bool, _) => return Err(expected(path, "true or false")),
        (Type::Int | Type::Long, _) => return Err(expected(path, "an integer")),
        (Type::F32 | Type::F64, _) => return Err(expected(path, "a number")),
        (Type::Blob, _) => return Err(expected(path, "base64 text")),
        (Type::Time(_), _) => return Err(expected(path, "a moment")),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a float casts to the nearest integer that there is")]
fn from_seconds(seconds: f64) -> Time {
    Time::from_unix_ms((seconds * 1_000.0) as i64)
}

fn write_structure(route: &Route, structure: &Structure, value: &Value) -> Json {
    let mut object = Map::new();
    if let Value::Struct(slots) = value {
        for (member, slot) in structure.members.iter().zip(slots).filter(|(_, slot)| **slot != Value::Null) {
            object.insert(name(route, member).to_string(), write(route, &member.shape, slot));
        }
    }
    Json::Object(object)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double for ages")]
fn write(route: &Route, shape: &Type, value: &Value) -> Json {
    match (shape, value) {
        (Type::Structure(name), value) => match route.service.structure(name) {
            Some(structure) => write_structure(route, structure, value),
            None => Json::Null,
        },
        (Type::List { item, .. }, Value::List(items)) => items.iter().map(|i| write(route, item, i)).collect(),
        (Type::Map { value: item, .. }, Value::Map(entries)) => {
            Json::Object(entries.iter().map(|(k, v)| (k.clone(), write(route, item, v))).collect())
        }
        (_, Value::Bool(b)) => Json::Bool(*b),
        (_, Value::Int(n)) => (*n).into(),
        (_, Value::Float(n)) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
        (_, Value::Str(s)) => s.as_str().into(),
        (_, Value::Blob(bytes)) => STANDARD.encode(bytes).into(),
        (_, Value::Time(t)) if route.protocol == Protocol::Plain => t.iso8601_ms().into(),
        (_, Value::Time(t)) => (t.unix_ms() as f64 / 1_000.0).into(),
        _ => Json::Null,
    }
}
