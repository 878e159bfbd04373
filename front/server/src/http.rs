//! The HTTP side: connections, limits, authentication, and the way of a request to the control thread and back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base::{Caller, Fault, Rng, Scope};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kernel::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use wire::sigv4::{self, SignatureError, Verified};
use wire::{Protocol, Route};
use world::RunPaths;

use crate::ConsoleOutput;
use crate::control::{Call, Control, wall_clock};
use crate::endpoint::Endpoint;
use crate::identity::{self, Credentials};
use crate::{links, local};

/// Longest body of a control request: AWS's own limit for most services.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Most connections at once; more wait in the listener's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// How long a client may take for the head of a request.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// How long a client may take for the whole body.
const BODY_MAX: Duration = Duration::from_secs(60);
/// How much of a body that is too long is read and thrown away, so that a client that sends all before it listens gets
/// its answer. Of a longer one nothing is read on.
const DRAINED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a client may leave an answer unread.
const WRITE_MAX_MS: u32 = 60_000;
/// Services that have one endpoint for all regions, signed for `us-east-1`.
const GLOBAL_SERVICES: [&str; 2] = ["iam", "sts"];
const GLOBAL_REGION: &str = "us-east-1";

pub(crate) type Answer = Response<Full<Bytes>>;

/// What requests need of the region.
pub(crate) struct Region {
    pub(crate) control: Control,
    pub(crate) registry: Arc<Registry>,
    pub(crate) scope: Scope,
    pub(crate) console_token: String,
    pub(crate) credentials: Credentials,
    pub(crate) endpoint: Endpoint,
    pub(crate) paths: RunPaths,
    pub(crate) console_output: ConsoleOutput,
    /// Period of the region's own metrics in seconds.
    pub(crate) metric_period_s: u32,
    pub(crate) stop: Arc<Notify>,
}

/// Serves connections for ever.
pub(crate) async fn accept(listener: TcpListener, region: Arc<Region>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let region = region.clone();
                tokio::spawn(async move {
                    serve(stream, region).await;
                    drop(permit);
                });
            }
            // Out of descriptors, or a client that left: go on a little later.
            Err(e) => {
                tracing::warn!(%e, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, region: Arc<Region>) {
    let _ = stream.set_nodelay(true);
    // The kernel ends a connection whose client does not read its answer.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, WRITE_MAX_MS);
    let service = service_fn(|request| {
        let region = region.clone();
        async move { Ok::<_, Infallible>(answer(&region, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    if let Err(e) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%e, "a connection ended early");
    }
}

async fn answer(region: &Region, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_MAX, read_body(&parts, body)).await {
        Ok(Ok(Some(body))) => body,
        Ok(Ok(None)) => return too_large(&parts),
        _ => return plain(StatusCode::BAD_REQUEST, "The request's body did not arrive\n"),
    };
    if parts.uri.path().starts_with("/_allod") {
        return local::answer(region, &parts, &body).await;
    }
    if parts.uri.path() == "/favicon.ico" && is_read(&parts) {
        return plain(StatusCode::NOT_FOUND, "");
    }
    api(region, &parts, &body).await
}

/// The whole body; none when it is over the limit.
async fn read_body(parts: &Parts, mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let announced = body.size_hint().lower();
    let waits_for_us = parts.headers.contains_key(header::EXPECT);
    if announced > DRAINED_BYTES_MAX || (waits_for_us && announced > BODY_BYTES_MAX as u64) {
        return Ok(None);
    }
    let (mut kept, mut seen) = (Vec::new(), 0_u64);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len() as u64;
        if seen <= BODY_BYTES_MAX as u64 {
            kept.extend_from_slice(&data);
        } else {
            kept = Vec::new();
        }
        if seen > DRAINED_BYTES_MAX {
            break;
        }
    }
    Ok((seen <= BODY_BYTES_MAX as u64).then(|| kept.into()))
}

fn too_large(parts: &Parts) -> Answer {
    let fault =
        Fault::new(413, "RequestEntityTooLarge", format!("The request's body is over the limit of {BODY_BYTES_MAX} bytes"));
    let (protocol, namespace) = wire::protocol(parts);
    with_body(wire::encode_fault(protocol, namespace, &fault, &request_id()))
}

/// One of AWS's operations.
async fn api(region: &Region, parts: &Parts, body: &[u8]) -> Answer {
    let request_id = request_id();
    let unpacked = match wire::unpacked(parts, body) {
        Ok(unpacked) => unpacked,
        Err(fault) => {
            let (protocol, namespace) = wire::protocol(parts);
            let fault = verified(region, protocol, parts, body).err().unwrap_or(fault);
            return with_body(wire::encode_fault(protocol, namespace, &fault, &request_id));
        }
    };
    let route = match wire::route(parts, &unpacked) {
        Ok(route) => route,
        Err(refusal) => {
            // Who cannot prove who he is learns nothing else.
            let fault = match verified(region, refusal.protocol, parts, body) {
                Ok(signed) if !is_known(region, &signed.service) => Fault::client(
                    "UnknownOperationException",
                    format!("The service {} is not supported in this region.", signed.service),
                ),
                Ok(_) => refusal.fault,
                Err(fault) => fault,
            };
            return with_body(wire::encode_fault(refusal.protocol, refusal.namespace.as_deref(), &fault, &request_id));
        }
    };
    let outcome = operate(region, &route, parts, (body, &unpacked), &request_id).await;
    if let Err(fault) = &outcome {
        tracing::debug!(service = route.service.name, operation = route.operation.name, request_id, %fault, "refused");
    }
    with_body(wire::encode(&route, outcome.as_ref(), &request_id))
}

/// Runs a routed request. The signature is over its body as it was sent, its meaning is in the body unpacked.
async fn operate(
    region: &Region,
    route: &Route,
    parts: &Parts,
    (body, unpacked): (&[u8], &[u8]),
    request_id: &str,
) -> Result<base::Value, Fault> {
    let caller = match links::needs_no_signature(route, parts) {
        true => Caller::anonymous(),
        false => authenticate(region, route.protocol, parts, body)?,
    };
    let (service, operation) = (&route.service.name, &route.operation.name);
    if !region.registry.has_operation(service, operation) && !local::has_operation(service, operation) {
        return Err(Fault::client("InvalidAction", format!("The action {operation} is not valid for this web service.")));
    }
    let input = wire::decode(route, parts, unpacked)?;
    if local::has_operation(service, operation) {
        return local::operate(region, caller, request_id, input).await;
    }
    let call = Call { caller, request_id: request_id.into(), service: service.clone(), operation: operation.clone(), input };
    region.control.call(call).await
}

/// Whether any service signs its requests with this name.
fn is_known(region: &Region, signing_name: &str) -> bool {
    let name = match signing_name {
        "elasticloadbalancing" => "elbv2",
        "monitoring" => "cloudwatch",
        other => other,
    };
    region.registry.operations().any(|(service, _)| service == name)
}

/// Checks the signature; there is one user, root.
pub(crate) fn authenticate(region: &Region, protocol: Protocol, parts: &Parts, body: &[u8]) -> Result<Caller, Fault> {
    verified(region, protocol, parts, body).map(|verified| Caller::root(&region.scope, &verified.access_key_id))
}

fn verified(region: &Region, protocol: Protocol, parts: &Parts, body: &[u8]) -> Result<Verified, Fault> {
    let credentials = &region.credentials;
    let secret = |key: &str| (key == credentials.access_key_id).then(|| credentials.secret_access_key.clone());
    let verified = sigv4::verify(parts, body, wall_clock(), secret).map_err(|e| e.fault(protocol))?;
    let name = &region.scope.region;
    let is_global = GLOBAL_SERVICES.contains(&verified.service.as_str()) && verified.region == GLOBAL_REGION;
    if verified.region != *name && !is_global {
        let text = format!("Credential should be scoped to a valid region, not '{}': this region is {name}.", verified.region);
        return Err(SignatureError::WrongScope(text).fault(protocol));
    }
    Ok(verified)
}

/// A request's id, a UUID as AWS's are.
fn request_id() -> String {
    Rng::new(identity::random_seed().unwrap_or_default()).uuid()
}

fn with_body(answer: Response<Vec<u8>>) -> Answer {
    answer.map(|body| Full::new(body.into()))
}

pub(crate) fn plain(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::new(text.to_string().into()));
    *answer.status_mut() = status;
    answer
}

pub(crate) fn is_read(parts: &Parts) -> bool {
    parts.method == Method::GET || parts.method == Method::HEAD
}
