//! AWS's protocols: tells what a request asks for, decodes it into a [`Value`] by the description in `models`,
//! checks it, and encodes the answer. It knows no service and no operation by name.
//!
//! There are five: query, EC2 query, JSON, Smithy's RPC v2 over CBOR, and a JSON of our own ([`Protocol::Plain`]) by which
//! the command line and the console call any operation of any service. Decoding is bounded by the body's size and by
//! [`DEPTH_MAX`]; of JSON by the 128 levels that serde_json reads.

mod cbor;
mod form;
mod json;
mod path;
mod query;
mod route;
pub mod sigv4;
mod unpack;
mod validate;
mod xml;

use base::{Fault, Value};
use http::{HeaderValue, Response, StatusCode, header};

pub use route::{Protocol, Refusal, Route, protocol, route};
pub use unpack::{UNPACKED_BYTES_MAX, unpacked};

/// Deepest nesting of a request's members.
pub const DEPTH_MAX: usize = 32;

/// Reads and checks the input of a routed request.
pub fn decode(route: &Route, parts: &http::request::Parts, body: &[u8]) -> Result<Value, Fault> {
    let value = match route.protocol {
        Protocol::Query | Protocol::Ec2 => query::decode(route, &form::parameters(parts, body)?)?,
        Protocol::Json | Protocol::Plain => json::decode(route, body)?,
        Protocol::Cbor => cbor::decode(route, body)?,
    };
    if let Some(input) = &route.operation.input {
        validate::validate(route, input, &value)?;
    }
    Ok(value)
}

/// Writes the answer to a request, good or bad.
pub fn encode(route: &Route, answer: Result<&Value, &Fault>, request_id: &str) -> Response<Vec<u8>> {
    match answer {
        Ok(value) => {
            let body = match route.protocol {
                Protocol::Query | Protocol::Ec2 => xml::answer(route, value, request_id),
                Protocol::Json | Protocol::Plain => json::answer(route, value),
                Protocol::Cbor => cbor::answer(route, value),
            };
            let version = route.service.json_version.as_deref();
            let mut response = response(route.operation.status, content_type(route.protocol, version), body, request_id);
            mark(route.protocol, &mut response);
            response
        }
        Err(fault) => {
            let mut response = refused(route, fault, request_id);
            let content_type = content_type(route.protocol, route.service.json_version.as_deref());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
    }
}

/// Writes an error of a routed request. A service that began with query and now speaks JSON and CBOR too names the error by its
/// shape, and tells the code that query clients know in a header ("AWS query compatible error responses", Smithy).
fn refused(route: &Route, fault: &Fault, request_id: &str) -> Response<Vec<u8>> {
    let spoke_query = route.service.protocols.iter().any(|p| p == "query");
    if !spoke_query || !matches!(route.protocol, Protocol::Json | Protocol::Cbor) {
        return encode_fault(route.protocol, route.service.xml_namespace.as_deref(), fault, request_id);
    }
    let shape = route.service.structures.values().find(|s| s.error.as_ref().is_some_and(|(code, _)| *code == fault.code));
    let named = Fault::new(fault.http, shape.map_or(fault.code.to_string(), |s| s.name.clone()), fault.message.clone());
    let mut response = encode_fault(route.protocol, None, &named, request_id);
    let at_fault = if fault.http < 500 { "Sender" } else { "Receiver" };
    if let Ok(value) = HeaderValue::from_str(&format!("{};{at_fault}", fault.code)) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}

/// Writes an error, also one of a request that could not be routed.
pub fn encode_fault(protocol: Protocol, namespace: Option<&str>, fault: &Fault, request_id: &str) -> Response<Vec<u8>> {
    let body = match protocol {
        Protocol::Query => xml::query_fault(fault, namespace, request_id),
        Protocol::Ec2 => xml::ec2_fault(fault, request_id),
        Protocol::Json | Protocol::Plain => json::fault(fault),
        Protocol::Cbor => cbor::fault(&fault.code, &fault.message),
    };
    let mut response = response(fault.http, content_type(protocol, None), body, request_id);
    mark(protocol, &mut response);
    if let Ok(code) = HeaderValue::from_str(&fault.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// RPC v2 clients refuse an answer that does not say what it is.
fn mark(protocol: Protocol, response: &mut Response<Vec<u8>>) {
    if protocol == Protocol::Cbor {
        response.headers_mut().insert(route::SMITHY_PROTOCOL, HeaderValue::from_static(route::RPC_V2_CBOR));
    }
}

fn content_type(protocol: Protocol, json_version: Option<&str>) -> &'static str {
    match (protocol, json_version) {
        (Protocol::Query, _) => "text/xml",
        (Protocol::Ec2, _) => "text/xml;charset=UTF-8",
        (Protocol::Cbor, _) => "application/cbor",
        (Protocol::Json, Some("1.0")) => "application/x-amz-json-1.0",
        (Protocol::Json | Protocol::Plain, _) => "application/x-amz-json-1.1",
    }
}

fn response(status: u16, content_type: &'static str, body: Vec<u8>, request_id: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
