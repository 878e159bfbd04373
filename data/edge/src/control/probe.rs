//! One look at a target: a connection, or a request in what its group speaks, and what came of it. It judges nothing.

use std::io::{self, ErrorKind};
use std::time::Duration;

use ::h2::RecvStream;
use ::h2::client::{Connection, SendRequest};
use ::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, TE, USER_AGENT};
use ::http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use world::{Protocol, ProtocolVersion, TargetReason};

use super::health::{Outcome, Subject};
use crate::connector::Connector;
use crate::descriptors::is_shortage;
use crate::flow::preface;
use crate::h2::{grpc, outgoing};
use crate::http::HttpError;
use crate::http::fields::Headers;
use crate::http::head::{check_start, parse_answer, whole_head};
use crate::http::scan::HeadScan;
use crate::proxy::answer::INFORMATIONAL_MAX;
use crate::stream::Stream;
use crate::tls::outgoing::Speaks;

/// What follows the head is read for so long, so that the application is not cut off while it writes.
const REST_MAX: Duration = Duration::from_millis(500);
const REST_BYTES_MAX: usize = 1024 * 1024;
/// Pause before a check is made that could not be.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(250);
/// How an ALB calls itself ("ELB User Guide, Troubleshoot: health checks").
const USER_AGENT_TEXT: &str = "ELB-HealthChecker/2.0";
const ENCODINGS: &str = "gzip, compressed";
/// A gRPC message with nothing in it: not compressed, of length zero (gRPC over HTTP2).
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// A connection on which the application may still be writing.
pub enum Rest {
    Http1(Stream),
    Http2(Box<Answering>),
}

/// An HTTP/2 connection with the answer of its one request.
pub struct Answering {
    connection: Connection<Stream, Bytes>,
    body: RecvStream,
}

/// What came of a check.
pub struct Look {
    pub outcome: Outcome,
    /// What the target answered, if it did.
    pub code: Option<u16>,
    /// To be read by [`Rest::read`].
    pub rest: Option<Rest>,
}

/// One check.
pub async fn probe(subject: &Subject, connector: &Connector) -> Look {
    // What this machine lacks says nothing of the target: the check waits.
    let mut looked = look(subject, connector).await;
    if let Err(shortage) = &looked {
        tracing::warn!(target = %subject.address, "a health check waits: {shortage}");
    }
    let (outcome, rest) = loop {
        match looked {
            Ok(look) => break look,
            Err(_) => sleep(SHORTAGE_PAUSE).await,
        }
        looked = look(subject, connector).await;
    };
    match rest {
        Some((code, rest)) => Look { outcome, code: Some(code), rest: Some(rest) },
        None => Look { outcome, code: None, rest: None },
    }
}

/// Fails where there is no descriptor or memory for the check.
async fn look(subject: &Subject, connector: &Connector) -> io::Result<(Outcome, Option<(u16, Rest)>)> {
    let within = Duration::from_millis(subject.check.timeout_ms);
    if subject.check.protocol == Protocol::Tcp {
        // "A TCP health check attempts to open a TCP connection on the specified port" and needs no more.
        return match timeout(within, connect(subject, connector)).await {
            Err(_) => Ok((Err(TargetReason::Timeout), None)),
            Ok(Err(e)) if is_shortage(&e) => Err(e),
            Ok(connected) => Ok((connected.map(|_| ()).map_err(|_| TargetReason::FailedHealthChecks), None)),
        };
    }
    let asked = timeout(within, async {
        match subject.version {
            ProtocolVersion::Http1 => ask_http1(subject, connector).await,
            ProtocolVersion::Http2 | ProtocolVersion::Grpc => ask_http2(subject, connector).await,
        }
    });
    Ok(match asked.await {
        Err(_) => (Err(TargetReason::Timeout), None),
        Ok(Err(e)) if is_shortage(&e) => return Err(e),
        Ok(Err(e)) => {
            tracing::debug!(target = %subject.address, "a health check got no answer: {e}");
            (Err(TargetReason::FailedHealthChecks), None)
        }
        Ok(Ok((Code::Counts(status), rest))) => {
            let passes = subject.check.matcher.iter().any(|(low, high)| (*low..=*high).contains(&status));
            (if passes { Ok(()) } else { Err(TargetReason::ResponseCodeMismatch { status }) }, Some((status, rest)))
        }
        Ok(Ok((Code::Foreign(status), rest))) => (Err(TargetReason::ResponseCodeMismatch { status }), Some((status, rest))),
    })
}

/// "After you enable proxy protocol, the proxy protocol header is also included in health check connections from the load
/// balancer. However, with health check connections, the client connection information is not sent" ("Edit target group
/// attributes for your Network Load Balancer: Health check connections").
async fn connect(subject: &Subject, connector: &Connector) -> io::Result<TcpStream> {
    let mut socket = connector.connect(&subject.from, subject.address).await?;
    if subject.announces {
        socket.write_all(&preface::LOCAL).await?;
    }
    Ok(socket)
}

/// Likewise, and speaks TLS over it where that is wanted.
async fn open(subject: &Subject, connector: &Connector, tls: Option<Speaks>) -> io::Result<Stream> {
    let socket = connect(subject, connector).await?;
    match tls {
        None => Ok(Stream::Plain(socket)),
        Some(speaks) => connector.secure(socket, subject.address, speaks).await,
    }
}

/// The code of an answer.
enum Code {
    /// It is of the kind that the matcher has.
    Counts(u16),
    /// A status of HTTP where one of gRPC was due: it is never right, and tells more than that none came.
    Foreign(u16),
}

async fn ask_http1(subject: &Subject, connector: &Connector) -> io::Result<(Code, Rest)> {
    let tls = (subject.check.protocol == Protocol::Https).then_some(Speaks::Http1);
    let mut connection = open(subject, connector, tls).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nUser-Agent: {USER_AGENT_TEXT}\r\nAccept-Encoding: {ENCODINGS}\r\n\r\n",
        subject.check.path, subject.address
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    let (mut scan, mut informational) = (HeadScan::of_answer(), 0);
    loop {
        check_start(&answer).map_err(invalid)?;
        if let Some(span) = scan.advance(&answer).map_err(invalid)? {
            let status = status_of(&answer[span.begin..span.end])?;
            if !goes_ahead(status) {
                return Ok((Code::Counts(status), Rest::Http1(connection)));
            }
            informational += 1;
            if informational > INFORMATIONAL_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            answer.drain(..span.end);
            scan = HeadScan::of_answer();
            continue;
        }
        if connection.read_buf(&mut answer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Whether the answer is still to come behind one with this status (RFC 9110, 15.2).
fn goes_ahead(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

fn status_of(head: &[u8]) -> io::Result<u16> {
    whole_head(parse_answer(head, &mut Headers::new(), false)).map(|a| a.status).map_err(invalid)
}

fn invalid(error: HttpError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error.to_string())
}

/// Groups of HTTP/2 and of gRPC are checked by what their targets speak ("ELB User Guide, Health checks for Application Load
/// Balancer target groups: HealthCheckPath").
async fn ask_http2(subject: &Subject, connector: &Connector) -> io::Result<(Code, Rest)> {
    let tls = (subject.check.protocol == Protocol::Https).then_some(Speaks::Http2);
    let stream = open(subject, connector, tls).await?;
    let (sender, connection) = outgoing::builder().handshake(stream).await.map_err(io::Error::other)?;
    let is_grpc = subject.version == ProtocolVersion::Grpc;
    let request = request_of(subject, is_grpc).map_err(io::Error::other)?;
    let mut connection = Box::new(connection);
    let exchange = ask(sender, request, is_grpc);
    tokio::pin!(exchange);
    let mut ended = false;
    let (code, body) = loop {
        tokio::select! {
            biased;
            answered = &mut exchange => break answered.map_err(io::Error::other)?,
            // What has come before its end is still to be read.
            _ = Pin::new(&mut *connection), if !ended => ended = true,
        }
    };
    let code = code.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "an answer without grpc-status"))?;
    Ok((code, Rest::Http2(Box::new(Answering { connection: *connection, body }))))
}

fn request_of(subject: &Subject, is_grpc: bool) -> Result<Request<()>, ::http::Error> {
    let scheme = if subject.check.protocol == Protocol::Https { "https" } else { "http" };
    let authority = subject.address.to_string();
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(subject.check.path.as_str()).build()?;
    let request = Request::builder().version(Version::HTTP_2).uri(uri).header(USER_AGENT, USER_AGENT_TEXT);
    if is_grpc {
        request.method(Method::POST).header(CONTENT_TYPE, "application/grpc").header(TE, "trailers").body(())
    } else {
        request.method(Method::GET).header(ACCEPT_ENCODING, ENCODINGS).body(())
    }
}

type Asked = (Option<Code>, RecvStream);

async fn ask(mut sender: SendRequest<Bytes>, request: Request<()>, is_grpc: bool) -> Result<Asked, ::h2::Error> {
    let (response, mut stream) = sender.send_request(request, !is_grpc)?;
    if is_grpc {
        stream.send_data(Bytes::from_static(EMPTY_MESSAGE), true)?;
    }
    let (head, mut body) = response.await?.into_parts();
    if !is_grpc {
        return Ok((Some(Code::Counts(head.status.as_u16())), body));
    }
    // An answer that is nothing but trailers has the status in its head.
    let code = match grpc_status(&head.headers) {
        Some(status) => Some(Code::Counts(status)),
        None if head.status != StatusCode::OK => Some(Code::Foreign(head.status.as_u16())),
        None => {
            skip(&mut body).await?;
            body.trailers().await?.as_ref().and_then(grpc_status).map(Code::Counts)
        }
    };
    Ok((code, body))
}

fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    grpc::status(headers.get("grpc-status")?.as_bytes())
}

/// Reads a body to its end, or what of it is at most read.
async fn skip(body: &mut RecvStream) -> Result<(), ::h2::Error> {
    let mut left = REST_BYTES_MAX;
    while let Some(piece) = body.data().await {
        let bytes = piece?.len();
        body.flow_control().release_capacity(bytes)?;
        left = left.saturating_sub(bytes);
        if left == 0 {
            break;
        }
    }
    Ok(())
}

impl Rest {
    /// Reads what the application still writes, for a moment, and ends the connection.
    pub async fn read(self) {
        let _ = match self {
            Rest::Http1(connection) => timeout(REST_MAX, read_http1(connection)).await,
            Rest::Http2(answering) => timeout(REST_MAX, answering.read()).await,
        };
    }
}

impl Answering {
    async fn read(mut self) {
        {
            let skipped = skip(&mut self.body);
            tokio::pin!(skipped);
            tokio::select! {
                _ = &mut skipped => {}
                _ = Pin::new(&mut self.connection) => return,
            }
        }
        drop(self.body);
        // Without a request it says goodbye and ends.
        let _ = self.connection.await;
    }
}

async fn read_http1(mut connection: Stream) {
    let mut sink = vec![0; 4096];
    let mut left = REST_BYTES_MAX;
    while left > 0 {
        match connection.read(&mut sink).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => left = left.saturating_sub(bytes),
        }
    }
}
