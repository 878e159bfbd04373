//! The HTTP side: connections, their limits, and bodies. What requests mean is not known here.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base::{Fault, Scope};
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
use world::RunPaths;

use crate::ConsoleOutput;
use crate::control::Control;
use crate::endpoint::Endpoint;
use crate::executors::Failing;
use crate::identity::Credentials;
use crate::large::Large;
use crate::{api, local};

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
    /// Processes that do not start.
    pub(crate) failing: Failing,
    pub(crate) large: Large,
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

async fn answer(region: &Arc<Region>, request: Request<Incoming>) -> Answer {
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
    api::answer(region, parts, body).await
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
    api::refused(parts, &fault, &api::request_id())
}

pub(crate) fn with_body(answer: Response<Vec<u8>>) -> Answer {
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
