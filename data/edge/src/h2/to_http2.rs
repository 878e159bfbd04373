//! An attempt at a target that speaks HTTP/2: plain or gRPC, which differ in nothing here. The request's body and the answer
//! go their ways at the same time, each as fast as its taker allows.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use ::h2::client::ResponseFuture;
use ::h2::{Reason, RecvStream, SendStream};
use ::http::header::{CONTENT_LENGTH, DATE, HeaderName, SERVER, TE};
use ::http::uri::{Scheme, Uri};
use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use bytes::Bytes;

use super::exchange::{Answered, Attempt, Connecting, Fault, Sink, Source, SourceError, is_bare, unless_gone};
use super::incoming::passable;
use super::outgoing::{NoSeat, Patience, Seat, seat};
use crate::clock::{elapsed, now_ms};
use crate::http::HttpError;
use crate::http::fields::{HEADERS_MAX, Header, Headers, Known};
use crate::http::forward::ListenerHeaders;
use crate::http::head::{Answer, Framing, parse_request, whole_head};
use crate::http::scan::{ANSWER_HEAD_BYTES_MAX, LINE_BYTES_MAX};
use crate::proxy::answer::INFORMATIONAL_MAX;
use crate::proxy::forward::{CONNECT_MAX, patience};
use crate::proxy::plan::Forward;

/// Before a client that is late, but whose answer goes on, is listened to again.
const LATE_PAUSE: Duration = Duration::from_millis(250);

/// Sends the request on a shared connection, and hands the answer to the sink.
pub async fn attempt<S: Source, K: Sink>(attempt: &Attempt<'_>, source: &mut S, sink: &mut K) -> Result<Answered, Fault> {
    let Attempt { worker, plan, target, tried, begun_ms, .. } = *attempt;
    let head = request_head(plan, target.secure).ok_or(Fault::Request(SourceError::Broken))?;
    let patience = Patience { connect: patience(plan, target, tried, begun_ms), room: patience_for_room(attempt) };
    let seated = unless_gone(sink, seat(&worker.links, target, &plan.site.counters, patience)).await?;
    let seat = seated.map_err(|e| match e {
        NoSeat::Full => Fault::Full,
        NoSeat::Io(kind) => Fault::NotConnected(Connecting::of(&kind.into())),
    })?;
    if target.is_cut() {
        // Its deregistration delay ended while the request waited; nothing was sent.
        return Err(Fault::NotConnected(Connecting::Refused));
    }
    let ends = plan.framing == Framing::None;
    // What cannot be sent was not processed: the target has said goodbye meanwhile.
    let (response, stream) = seat.send(head, ends).map_err(|_| Fault::Unprocessed)?;
    attempt.dispatched();
    let idle = Idle::new(plan.site.balancer.idle_timeout_ms);
    let begun = Cell::new(false);
    let sent = Instant::now();
    let mut up = pin!(send_body(source, (!ends).then_some(stream), &plan.site.headers, &idle));
    let mut down = pin!(Answering { attempt, sink, idle: &idle, begun: &begun, sent, seat: &seat }.run(response));
    let mut late = pin!(idle.over());
    let mut sending = true;
    loop {
        tokio::select! {
            biased;
            result = &mut up, if sending => match result {
                Ok(()) => sending = false,
                // It may have answered before it stopped listening.
                Err(SendError::Target) => sending = false,
                Err(SendError::Source(_)) if begun.get() => return Err(Fault::Broken),
                Err(SendError::Source(error)) => return Err(Fault::Request(error)),
            },
            result = &mut down => return result.map(|status| Answered { status, early: sending }),
            () = &mut late => return Err(if begun.get() { Fault::Broken } else { Fault::Late }),
        }
    }
}

/// How long a request waits for a free place at a target whose connections are full: as long as connecting may take, or the
/// idle timeout when that is less. Where another target may have one it does not wait, unless it belongs to this one ("ELB User
/// Guide, Sticky sessions"): then it goes on when half of the time is over.
fn patience_for_room(attempt: &Attempt<'_>) -> Duration {
    let Attempt { plan, target, tried, begun_ms, tries_left, .. } = *attempt;
    let most = CONNECT_MAX.min(Duration::from_millis(plan.site.balancer.idle_timeout_ms));
    let goes_on = tries_left > 0 && plan.group.has_alternative(plan.site.node, tried, target);
    let belongs = || plan.session.as_ref().is_some_and(|session| session.wanted == Some(target.scope));
    match goes_on {
        true if belongs() => most / 2,
        true => Duration::ZERO,
        false => most.saturating_sub(elapsed(begun_ms)),
    }
}

/// The head as HTTP/2 has it; none when that cannot be said.
fn request_head(plan: &Forward, secure: bool) -> Option<Request<()>> {
    let mut headers = Headers::new();
    let request = whole_head(parse_request(&plan.head, &mut headers)).ok()?;
    let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
    let uri = Uri::builder().scheme(scheme).authority(request.host?).path_and_query(request.target).build().ok()?;
    let mut head = Request::new(());
    *head.method_mut() = request.method.parse().ok()?;
    *head.uri_mut() = uri;
    *head.version_mut() = Version::HTTP_2;
    let headers = head.headers_mut();
    headers.reserve(request.headers.len());
    for header in request.headers {
        match header.known {
            Known::Host | Known::Connection | Known::TransferEncoding | Known::Upgrade => {}
            _ => {
                let name = HeaderName::from_bytes(header.name).ok()?;
                headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
            }
        }
    }
    // Trailers are passed on, and gRPC asks for this.
    headers.insert(TE, HeaderValue::from_static("trailers"));
    Some(head)
}

/// How long nothing has moved in an exchange.
struct Idle {
    idle_ms: u64,
    moved_ms: Cell<u64>,
    /// It is the client for whom the exchange waits; others see to that.
    is_clients: Cell<bool>,
}

impl Idle {
    fn new(idle_ms: u64) -> Self {
        Self { idle_ms, moved_ms: Cell::new(now_ms()), is_clients: Cell::new(false) }
    }

    fn moved(&self) {
        self.moved_ms.set(now_ms());
    }

    fn left_ms(&self) -> u64 {
        if self.is_clients.get() { self.idle_ms } else { (self.moved_ms.get() + self.idle_ms).saturating_sub(now_ms()) }
    }

    /// Waits until nothing has moved for the idle timeout.
    async fn over(&self) {
        loop {
            match self.left_ms() {
                0 => return,
                left => tokio::time::sleep(Duration::from_millis(left)).await,
            }
        }
    }

    /// Lets the client take its time with this.
    async fn for_client<T>(&self, work: impl Future<Output = T>) -> T {
        self.is_clients.set(true);
        let done = work.await;
        self.is_clients.set(false);
        self.moved();
        done
    }
}

enum SendError {
    Source(SourceError),
    /// It takes no more; what it answers, or fails to, tells why.
    Target,
}

impl From<::h2::Error> for SendError {
    fn from(_: ::h2::Error) -> Self {
        SendError::Target
    }
}

/// Sends the body to its end; without a stream there is none.
async fn send_body<S: Source>(
    source: &mut S,
    stream: Option<SendStream<Bytes>>,
    listener: &ListenerHeaders,
    idle: &Idle,
) -> Result<(), SendError> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut held = next(source, idle).await?;
    while let Some(piece) = held {
        // Whether this piece is the last one is only known where that costs no waiting.
        let following = if source.is_at_hand() { next(source, idle).await? } else { None };
        let trailers = if source.is_at_hand() && following.is_none() { source.passing_trailers(listener) } else { None };
        let ends = source.is_at_hand() && following.is_none() && trailers.is_none();
        send_piece(&mut stream, piece, ends).await?;
        idle.moved();
        if ends {
            return Ok(());
        }
        if let Some(trailers) = trailers {
            return Ok(stream.send_trailers(trailers)?);
        }
        held = if following.is_some() { following } else { next(source, idle).await? };
    }
    match source.passing_trailers(listener) {
        Some(trailers) => stream.send_trailers(trailers)?,
        None => stream.send_data(Bytes::new(), true)?,
    }
    Ok(())
}

/// The next piece. A client that says nothing while its answer goes on is not late.
async fn next<S: Source>(source: &mut S, idle: &Idle) -> Result<Option<Bytes>, SendError> {
    loop {
        match source.next().await {
            Err(SourceError::Late) if idle.left_ms() > 0 && !idle.is_clients.get() => tokio::time::sleep(LATE_PAUSE).await,
            other => return other.map_err(SendError::Source),
        }
    }
}

/// Sends a piece as the target's windows let it.
async fn send_piece(stream: &mut SendStream<Bytes>, mut piece: Bytes, ends: bool) -> Result<(), SendError> {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        while stream.capacity() == 0 {
            match poll_fn(|cx| stream.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(SendError::Target),
            }
        }
        let part = piece.split_to(stream.capacity().min(piece.len()));
        stream.send_data(part, ends && piece.is_empty())?;
    }
    Ok(())
}

struct Answering<'a, K> {
    attempt: &'a Attempt<'a>,
    sink: &'a mut K,
    idle: &'a Idle,
    /// The sink has the final head.
    begun: &'a Cell<bool>,
    sent: Instant,
    seat: &'a Seat,
}

impl<K: Sink> Answering<'_, K> {
    /// Waits for the answer and hands it over; its status.
    async fn run(mut self, mut response: ResponseFuture) -> Result<u16, Fault> {
        let response = self.final_head(&mut response).await?;
        let (head, mut body) = response.into_parts();
        let status = head.status.as_u16();
        // What comes with an answer that has no content (RFC 9110, 6.4.1) is passed over.
        let is_bodiless = self.attempt.plan.to_head || matches!(status, 204 | 304) || body.is_end_stream();
        let framing = if is_bodiless { Framing::None } else { Framing::UntilClose };
        self.pass_head(head.status, &head.headers, framing)?;
        self.begun.set(true);
        self.seat.served();
        self.attempt.count(status, self.sent);
        self.idle.moved();
        if is_bare(framing) {
            self.idle.for_client(self.sink.flush()).await?;
        } else {
            self.body(&mut body).await?;
        }
        Ok(status)
    }

    async fn final_head(&mut self, response: &mut ResponseFuture) -> Result<Response<RecvStream>, Fault> {
        for _ in 0..=INFORMATIONAL_MAX {
            let next = unless_gone(self.sink, next_head(response)).await?;
            self.idle.moved();
            match next.map_err(|e| fault_of(&e, self.seat.has_served()))? {
                Head::Final(response) => return Ok(response),
                Head::Informational(head) => {
                    self.pass_head(head.status(), head.headers(), Framing::None)?;
                    self.idle.for_client(self.sink.flush()).await?;
                }
            }
        }
        Err(Fault::Garbage(HttpError::TooLarge("the number of informational answers")))
    }

    /// Hands a head to the sink.
    fn pass_head(&mut self, status: StatusCode, headers: &HeaderMap, framing: Framing) -> Result<(), Fault> {
        if headers.len() > HEADERS_MAX {
            return Err(Fault::Garbage(HttpError::TooLarge("the number of headers")));
        }
        // "RFC 9113, 8.6: HTTP/2 removes support for the 101 (Switching Protocols) informational status code".
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Fault::Garbage(HttpError::Syntax("a change of protocol")));
        }
        if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
            return Err(Fault::Garbage(HttpError::Syntax("two lengths")));
        }
        // As many bytes as they would be on lines, with colon and space, and CR LF.
        let lines = || headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2);
        if lines().sum::<usize>() + 2 * headers.len() > ANSWER_HEAD_BYTES_MAX || lines().any(|line| line > LINE_BYTES_MAX) {
            return Err(Fault::Garbage(HttpError::TooLarge("the head")));
        }
        let headers_of: Vec<Header<'_>> =
            headers.iter().map(|(name, value)| Header::new(name.as_str().as_bytes(), value.as_bytes())).collect();
        let answer = Answer {
            status: status.as_u16(),
            reason: status.canonical_reason().unwrap_or_default().as_bytes(),
            headers: &headers_of,
            framing,
            keep_alive: true,
            names_headers: false,
            has_date: headers.contains_key(DATE),
            has_server: headers.contains_key(SERVER),
        };
        let cookies = self.attempt.plan.cookies(self.attempt.worker, &answer);
        Ok(self.sink.head(&answer, &cookies)?)
    }

    async fn body(&mut self, body: &mut RecvStream) -> Result<(), Fault> {
        loop {
            // What is there already goes along with the head.
            let piece = match poll_fn(|cx| Poll::Ready(body.poll_data(cx))).await {
                Poll::Ready(piece) => piece,
                Poll::Pending => {
                    self.idle.for_client(self.sink.flush()).await?;
                    unless_gone(self.sink, poll_fn(|cx| body.poll_data(cx))).await?
                }
            };
            self.idle.moved();
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|_| Fault::Broken)?;
            let (length, last) = (piece.len(), body.is_end_stream());
            if length > 0 {
                self.idle.for_client(self.sink.data(&piece, last)).await?;
                // Only now may the target send as much again; an error says that it has sent all.
                let _ = body.flow_control().release_capacity(length);
            } else if last {
                self.idle.for_client(self.sink.end(None)).await?;
            }
            if last {
                return Ok(());
            }
        }
        let trailers = unless_gone(self.sink, poll_fn(|cx| body.poll_trailers(cx))).await?;
        let trailers = trailers.map_err(|_| Fault::Broken)?.map(passable).filter(|trailers| !trailers.is_empty());
        Ok(self.idle.for_client(self.sink.end(trailers)).await?)
    }
}

enum Head {
    Informational(Response<()>),
    Final(Response<RecvStream>),
}

async fn next_head(response: &mut ResponseFuture) -> Result<Head, ::h2::Error> {
    poll_fn(|cx| match response.poll_informational(cx) {
        Poll::Ready(Some(informational)) => Poll::Ready(informational.map(Head::Informational)),
        Poll::Ready(None) => Pin::new(&mut *response).poll(cx).map_ok(Head::Final),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// What became of a request whose stream ended before an answer (RFC 9113, 8.7: what REFUSED_STREAM or a GOAWAY with an earlier
/// stream's number ends was not processed).
fn fault_of(error: &::h2::Error, reused: bool) -> Fault {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    if error.is_remote() && (refused || error.is_go_away()) {
        Fault::Unprocessed
    } else if error.is_io() {
        Fault::Lost { reused }
    } else if error.is_remote() {
        // It gave up this request alone: its connection is as good as before.
        Fault::Lost { reused: true }
    } else {
        Fault::Garbage(HttpError::Syntax("an HTTP/2 answer"))
    }
}
