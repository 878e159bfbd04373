//! The JSON protocols.

mod read;
#[cfg(test)]
mod tests;

use base::{Fault, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use models::{Member, Structure, Type};
use serde_json::{Map, Number, Value as Json, json};

use crate::route::{Protocol, Route};

pub(crate) fn decode(route: &Route, body: &[u8]) -> Result<Value, Fault> {
    let Some(structure) = route.operation.input.as_ref().and_then(|name| route.service.structure(name)) else {
        return Ok(Value::Null);
    };
    read::read(route, structure, if body.is_empty() { b"{}" } else { body })
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
