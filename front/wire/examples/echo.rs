//! The codec as a program, for `conformance/wire`: reads one JSON object a line and writes one, without a server.
//!
//! `{"request": {"method", "uri", "headers": [[name, value]], "body": BASE64}}` gives what the request asks for:
//! `{"service", "operation", "input"}`, or `{"fault": {"code", "http", "message"}, "answer": {...}}`.
//! `{"answer": {"service", "operation", "protocol", "output" | "fault": {"code", "http", "message"}}}` gives the bytes of
//! that answer: `{"status", "headers": [[name, value]], "body": BASE64}`.
//!
//! Values are JSON by the interface description: members by name, bytes as base64, times as milliseconds since 1970. It
//! shares no code with the JSON protocols, so that one checks the other.

use std::io::{BufRead, Write};

use base::{Fault, Time, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response};
use models::{Service, Type};
use serde_json::{Map, Value as Json, json};
use wire::{Protocol, Route, decode, encode, encode_fault, route};

/// Our own mistakes and those of the test that drives this program.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const REQUEST_ID: &str = "8f6c2c7e-0000-4000-8000-000000000001";

fn main() -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let task: Json = serde_json::from_str(&line?)?;
        let result = match (task.get("request"), task.get("answer")) {
            (Some(request), None) => read(request)?,
            (None, Some(answer)) => write(answer)?,
            _ => return Err("a task is a request or an answer".into()),
        };
        writeln!(out, "{result}")?;
        out.flush()?;
    }
    Ok(())
}

fn read(request: &Json) -> Outcome<Json> {
    let mut builder = Request::builder().method(text(request, "method")?).uri(text(request, "uri")?);
    for header in request["headers"].as_array().into_iter().flatten() {
        let (name, value) = (header[0].as_str().unwrap_or_default(), header[1].as_str().unwrap_or_default());
        builder = builder.header(name, value);
    }
    let (parts, ()) = builder.body(())?.into_parts();
    let body = STANDARD.decode(text(request, "body")?)?;
    let route = match route(&parts, &body) {
        Ok(route) => route,
        Err(refusal) => {
            let answer = encode_fault(refusal.protocol, refusal.namespace.as_deref(), &refusal.fault, REQUEST_ID);
            return Ok(refused(&refusal.fault, &answer));
        }
    };
    Ok(match decode(&route, &parts, &body) {
        Ok(value) => json!({
            "service": route.service.name,
            "operation": route.operation.name,
            "input": route.operation.input.as_ref().map(|name| shown(route.service, &Type::Structure(name.clone()), &value)),
        }),
        Err(fault) => refused(&fault, &encode(&route, Err(&fault), REQUEST_ID)),
    })
}

fn refused(fault: &Fault, answer: &Response<Vec<u8>>) -> Json {
    json!({"fault": {"code": fault.code, "http": fault.http, "message": fault.message}, "answer": bytes(answer)})
}

fn write(answer: &Json) -> Outcome<Json> {
    let service = models::service(text(answer, "service")?).ok_or("no such service")?;
    let operation = service.operation(text(answer, "operation")?).ok_or("no such operation")?;
    let protocol = match text(answer, "protocol")? {
        "ec2" => Protocol::Ec2,
        "query" => Protocol::Query,
        "json" => Protocol::Json,
        "smithy-rpc-v2-cbor" => Protocol::Cbor,
        other => return Err(format!("{other} is none of the protocols that are here").into()),
    };
    let route = Route { service, operation, protocol };
    if let Some(fault) = answer.get("fault") {
        let http = fault["http"].as_u64().and_then(|http| u16::try_from(http).ok()).ok_or("no HTTP status")?;
        let fault = Fault::new(http, text(fault, "code")?.to_string(), text(fault, "message")?);
        return Ok(bytes(&encode(&route, Err(&fault), REQUEST_ID)));
    }
    let value = match &operation.output {
        Some(name) => value(service, &Type::Structure(name.clone()), &answer["output"])?,
        None => Value::Null,
    };
    Ok(bytes(&encode(&route, Ok(&value), REQUEST_ID)))
}

fn bytes(answer: &Response<Vec<u8>>) -> Json {
    let headers: Vec<_> =
        answer.headers().iter().map(|(name, value)| json!([name.as_str(), value.to_str().unwrap_or_default()])).collect();
    json!({"status": answer.status().as_u16(), "headers": headers, "body": STANDARD.encode(answer.body())})
}

fn text<'a>(object: &'a Json, name: &str) -> Outcome<&'a str> {
    object.get(name).and_then(Json::as_str).ok_or_else(|| format!("{name} is missing").into())
}

/// A value as JSON; absent members are left out.
fn shown(service: &Service, shape: &Type, value: &Value) -> Json {
    match (shape, value) {
        (Type::Structure(name), Value::Struct(slots)) => {
            let members = service.structure(name).map(|s| s.members.as_slice()).unwrap_or_default();
            let set = members.iter().zip(slots).filter(|(_, slot)| **slot != Value::Null);
            Json::Object(set.map(|(member, slot)| (member.name.clone(), shown(service, &member.shape, slot))).collect())
        }
        (Type::List { item, .. }, Value::List(items)) => items.iter().map(|i| shown(service, item, i)).collect(),
        (Type::Map { value: item, .. }, Value::Map(entries)) => {
            Json::Object(entries.iter().map(|(key, v)| (key.clone(), shown(service, item, v))).collect())
        }
        (_, Value::Bool(b)) => (*b).into(),
        (_, Value::Int(n)) => (*n).into(),
        (_, Value::Float(n)) => (*n).into(),
        (_, Value::Str(s)) => s.as_str().into(),
        (_, Value::Blob(bytes)) => STANDARD.encode(bytes).into(),
        (_, Value::Time(t)) => t.unix_ms().into(),
        (shape, value) => json!(format!("{value:?} is no {shape:?}")),
    }
}

/// JSON as a value.
fn value(service: &Service, shape: &Type, given: &Json) -> Outcome<Value> {
    let strange = || format!("{given} is no {shape:?}");
    Ok(match shape {
        _ if given.is_null() => Value::Null,
        Type::Structure(name) => {
            let structure = service.structure(name).ok_or_else(strange)?;
            let mut rest: Map<String, Json> = given.as_object().ok_or_else(strange)?.clone();
            let mut slots = Vec::new();
            for member in &structure.members {
                slots.push(value(service, &member.shape, &rest.remove(&member.name).unwrap_or_default())?);
            }
            match rest.keys().next() {
                Some(unknown) => return Err(format!("{name} has no member {unknown}").into()),
                None => Value::Struct(slots),
            }
        }
        Type::List { item, .. } => {
            let items = given.as_array().ok_or_else(strange)?;
            Value::List(items.iter().map(|i| value(service, item, i)).collect::<Outcome<_>>()?)
        }
        Type::Map { value: item, .. } => {
            let entries = given.as_object().ok_or_else(strange)?;
            Value::Map(entries.iter().map(|(key, v)| Ok((key.clone(), value(service, item, v)?))).collect::<Outcome<_>>()?)
        }
        Type::Bool => Value::Bool(given.as_bool().ok_or_else(strange)?),
        Type::Int | Type::Long => Value::Int(given.as_i64().ok_or_else(strange)?),
        Type::F32 | Type::F64 => Value::Float(given.as_f64().ok_or_else(strange)?),
        Type::Blob => Value::Blob(STANDARD.decode(given.as_str().ok_or_else(strange)?)?),
        Type::Time(_) => Value::Time(Time::from_unix_ms(given.as_i64().ok_or_else(strange)?)),
        Type::Str | Type::Text(_) => Value::Str(given.as_str().ok_or_else(strange)?.into()),
    })
}
