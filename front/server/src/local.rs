//! What the server answers itself, under `/_allod/`: health, console, status, shutdown, signals of wait conditions. And
//! the one AWS operation whose answer lies with the host: an instance's console output.

use base::{Caller, Fault, FromValue, IntoValue, Operation, Value};
use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value as Json, json};
use shapes::ec2::ops::{DescribeInstances, GetConsoleOutput};
use shapes::ec2::{DescribeInstancesRequest, GetConsoleOutputRequest, GetConsoleOutputResult};
use wire::Protocol;

use crate::api::authenticate;
use crate::control::Call;
use crate::http::{Answer, Region, is_read, plain};
use crate::{charts, console, exposition, links, status, wall_clock};

/// Most bytes of a console that AWS gives: the last 64 KiB.
const CONSOLE_BYTES_MAX: usize = 64 * 1024;

const CONSOLE_OUTPUT: &str = "/console-output/";

pub(crate) async fn answer(region: &Region, parts: &Parts, body: &[u8]) -> Answer {
    if !names_us(parts) {
        return plain(StatusCode::FORBIDDEN, "Ask for this page by the machine's address or as localhost\n");
    }
    let path = parts.uri.path().trim_start_matches("/_allod");
    match path {
        links::CERTIFICATE if is_read(parts) => links::certificate(region),
        "/health" => plain(StatusCode::OK, "ok\n"),
        "/status" => match allowed(region, parts, body) {
            Ok(()) => status_page(region).await,
            Err(fault) => fault_page(&fault),
        },
        "/metrics" if is_read(parts) => match allowed_metrics(region, parts, body) {
            Ok(()) => metrics_page(region).await,
            Err(fault) => fault_page(&fault),
        },
        "/charts" => match allowed(region, parts, body) {
            Ok(()) => charts_page(region, parts.uri.query().unwrap_or_default()).await,
            Err(fault) => fault_page(&fault),
        },
        "/shutdown" if parts.method == Method::POST => match authenticate(region, Protocol::Plain, parts, body) {
            Ok(_) => {
                region.stop.notify_one();
                json_page(StatusCode::OK, &json!({}))
            }
            Err(fault) => fault_page(&fault),
        },
        _ if path.starts_with(CONSOLE_OUTPUT) => match allowed(region, parts, body) {
            Ok(()) => console_output(region, path.trim_start_matches(CONSOLE_OUTPUT)).await,
            Err(fault) => fault_page(&fault),
        },
        _ if is_read(parts) && path.starts_with(links::TRUST_STORE) => {
            let secret = path.trim_start_matches(links::TRUST_STORE);
            links::trust_store(region, secret).await.unwrap_or_else(|fault| fault_page(&fault))
        }
        "/signal" => instance_signal(region, parts, body).await,
        _ if path.starts_with("/wait/") => signal(region, parts, path, body).await,
        _ if is_read(parts) => console_page(region, parts, path),
        _ => plain(StatusCode::NOT_FOUND, "There is no such page\n"),
    }
}

/// What the name of a browser's cookie begins with. The region's port follows: cookies are shared by all ports of a host.
const COOKIE: &str = "allod-";

/// What the request calls this host and port.
fn authority(parts: &Parts) -> Option<Authority> {
    parts.headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// Whether the request names this machine by address or as `localhost`. A page elsewhere on the web can make a browser
/// connect here under a name of its own (DNS rebinding): such a name is not served.
fn names_us(parts: &Parts) -> bool {
    let Some(authority) = authority(parts) else { return false };
    let name = authority.host();
    name.eq_ignore_ascii_case("localhost") || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}

/// A signed request, or a browser that was let in.
fn allowed(region: &Region, parts: &Parts, body: &[u8]) -> Result<(), Fault> {
    let cookies = parts.headers.get(header::COOKIE).and_then(|c| c.to_str().ok()).unwrap_or_default();
    let mut ours = cookies.split(';').filter_map(|c| c.trim().strip_prefix(COOKIE)?.split_once('='));
    if ours.any(|(_, token)| same(token, &region.console_token)) {
        return Ok(());
    }
    authenticate(region, Protocol::Plain, parts, body).map(|_| ())
}

/// Whoever is allowed anything, or has the token for metrics.
fn allowed_metrics(region: &Region, parts: &Parts, body: &[u8]) -> Result<(), Fault> {
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|a| a.to_str().ok()).unwrap_or_default();
    match authorization.strip_prefix("Bearer ") {
        Some(token) if same(token.trim(), &console::metrics_token(&region.credentials)) => Ok(()),
        Some(_) => Err(Fault::new(401, "InvalidClientTokenId", "The bearer token is not the one that `allod status` prints.")),
        None => allowed(region, parts, body),
    }
}

fn same(a: &str, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

async fn status_page(region: &Region) -> Answer {
    match status::status(region).await {
        Ok(status) => json_page(StatusCode::OK, &status),
        Err(fault) => fault_page(&fault),
    }
}

async fn metrics_page(region: &Region) -> Answer {
    match exposition::metrics(region).await {
        Ok(text) => {
            let mut answer = plain(StatusCode::OK, &text);
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(exposition::MEDIA_TYPE));
            answer
        }
        Err(fault) => fault_page(&fault),
    }
}

async fn charts_page(region: &Region, query: &str) -> Answer {
    match charts::charts(region, query).await {
        Ok(charts) => json_page(StatusCode::OK, &charts),
        Err(fault) => fault_page(&fault),
    }
}

/// A file of the console. `?token=..` lets a browser in and is then taken out of its address.
fn console_page(region: &Region, parts: &Parts, path: &str) -> Answer {
    let token = parts.uri.query().unwrap_or_default().split('&').find_map(|p| p.strip_prefix("token="));
    if let Some(token) = token {
        if !same(token, &region.console_token) {
            return plain(StatusCode::FORBIDDEN, "The token is not this region's: `allod status` prints the console's address\n");
        }
        let mut answer = plain(StatusCode::SEE_OTHER, "");
        let port = authority(parts).and_then(|at| at.port_u16()).unwrap_or_default();
        let cookie = format!("{COOKIE}{port}={token}; Path=/_allod/; HttpOnly; SameSite=Strict");
        answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/_allod/"));
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return answer;
    }
    match console::file(path.trim_start_matches('/')) {
        Some((kind, bytes)) => {
            let mut answer = Response::new(Full::new(Bytes::from_static(bytes)));
            let headers = answer.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            headers
                .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'"));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            answer
        }
        None => plain(StatusCode::NOT_FOUND, "There is no such page\n"),
    }
}

/// A signal to a wait condition: whoever knows the handle's address may send it, as at AWS.
async fn signal(region: &Region, parts: &Parts, path: &str, body: &[u8]) -> Answer {
    if parts.method != Method::PUT {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "PUT a signal here\n");
    }
    let (handle, signal) = (path.trim_start_matches("/wait/").to_string(), body.to_vec());
    let outcome = region.control.run(move |tx, cx| region::cloudformation::signal_wait_condition(tx, cx, &handle, &signal)).await;
    match outcome {
        Ok(()) => plain(StatusCode::OK, ""),
        Err(fault) => fault_page(&fault),
    }
}

/// `cfn-signal` of an instance: what it knows of itself takes the place of a user's credentials. The instance is named in
/// `Authorization: CFN_V1 INSTANCE:SECRET`; the body says what is signalled, as JSON.
async fn instance_signal(region: &Region, parts: &Parts, body: &[u8]) -> Answer {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Signal {
        stack_name: String,
        logical_resource_id: String,
        status: String,
    }
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let identity = header.strip_prefix("CFN_V1 ").and_then(|identity| identity.split_once(':'));
    let (Some((instance, secret)), Method::PUT) = (identity, parts.method.clone()) else {
        return plain(StatusCode::FORBIDDEN, "PUT a signal here, with the instance's identity\n");
    };
    let Ok(signal) = serde_json::from_slice::<Signal>(body) else {
        return plain(StatusCode::BAD_REQUEST, "A signal is JSON with StackName, LogicalResourceId and Status\n");
    };
    let (instance, secret) = (base::InstanceId::from(instance), secret.to_string());
    let input = shapes::cloudformation::SignalResourceInput {
        stack_name: signal.stack_name,
        logical_resource_id: signal.logical_resource_id,
        unique_id: String::new(),
        status: signal.status,
    };
    let outcome =
        region.control.run(move |tx, cx| region::cloudformation::signal_from_instance(tx, cx, &instance, &secret, input)).await;
    match outcome {
        Ok(()) => plain(StatusCode::OK, ""),
        Err(fault) => fault_page(&fault),
    }
}

pub(crate) fn has_operation(service: &str, operation: &str) -> bool {
    (service, operation) == (GetConsoleOutput::SERVICE, GetConsoleOutput::NAME)
}

/// `GetConsoleOutput`: the region says whether the instance exists, the host what it wrote.
pub(crate) async fn operate(region: &Region, caller: Caller, request_id: &str, input: Value) -> Result<Value, Fault> {
    let GetConsoleOutputRequest { instance_id: id, dry_run, .. } = GetConsoleOutputRequest::from_value(input);
    let ask = DescribeInstancesRequest { instance_ids: vec![id.clone()], dry_run, ..Default::default() };
    call::<DescribeInstances>(region, caller, request_id, ask).await?;
    let bytes = (region.console_output)(&id.as_str().into()).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(CONSOLE_BYTES_MAX)..];
    // AWS gives the text encoded in base64; the shape's type is a plain string.
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tail);
    let output = GetConsoleOutputResult { instance_id: Some(id), timestamp: Some(wall_clock()), output: Some(encoded) };
    Ok(output.into_value())
}

/// What an instance wrote to its console, as it is.
async fn console_output(region: &Region, id: &str) -> Answer {
    let caller = Caller::root(&region.scope, &region.credentials.access_key_id);
    let ask = DescribeInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
    match call::<DescribeInstances>(region, caller, "", ask).await {
        Ok(_) => {
            let bytes = (region.console_output)(&id.into()).unwrap_or_default();
            let mut answer = plain(StatusCode::OK, &String::from_utf8_lossy(&bytes));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            answer
        }
        Err(fault) => fault_page(&fault),
    }
}

/// A typed operation of the region.
pub(crate) async fn call<O: Operation>(
    region: &Region,
    caller: Caller,
    request_id: &str,
    input: O::Input,
) -> Result<O::Output, Fault> {
    let call = Call {
        caller,
        request_id: request_id.into(),
        service: O::SERVICE.into(),
        operation: O::NAME.into(),
        input: input.into_value(),
    };
    region.control.call(call).await.map(O::Output::from_value)
}

fn json_page(status: StatusCode, json: &Json) -> Answer {
    let mut answer = plain(status, &json.to_string());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn fault_page(fault: &Fault) -> Answer {
    let status = StatusCode::from_u16(fault.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_page(status, &json!({"__type": fault.code, "message": fault.message}))
}
