//! One exchange with HTTP/2 on a side, or on both. Two seams keep it one path: a [`Source`] gives a request's body as it comes,
//! whoever sent it, and a [`Sink`] takes its answer, whoever gets it. What targets speak decides which attempt is made with
//! the two. HTTP/1.1 on both sides does not come by here: `proxy::forward` is faster.
//!
//! Heads cross in the words of HTTP/1.1, which all rules for headers are written for: a request's as the text that
//! `proxy::plan` has made ([`Forward::head`]), an answer's as the borrowed [`Answer`], to which the sink applies the rules.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;

use super::{to_http1, to_http2};
use crate::clock::now_ms;
use crate::http::HttpError;
use crate::http::forward::ListenerHeaders;
use crate::http::head::{Answer, Framing};
use crate::metrics::Event;
use crate::proxy::forward::TRIES_MAX;
use crate::proxy::plan::Forward;
use crate::target::Target;
use crate::worker::Worker;
use world::ProtocolVersion;

/// A request's body on its way in.
pub trait Source {
    /// All of it has come and is kept: reading it never waits.
    fn is_at_hand(&self) -> bool;

    /// All that was read of it is kept: it may be read again after [`Source::rewind`].
    fn is_kept(&self) -> bool;

    /// Begins anew with a body of which all that was read is kept.
    fn rewind(&mut self);

    /// The next piece, which is not empty; none at the end. It waits no longer than the idle timeout.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, SourceError>>;

    /// What came behind the body, once that has ended.
    fn trailers(&mut self) -> Option<HeaderMap>;

    /// Likewise, without what only the load balancer may say: fields under names that the listener has for its own
    /// ("ELB User Guide, HTTP header modification: Rename mTLS/TLS headers").
    fn passing_trailers(&mut self, listener: &ListenerHeaders) -> Option<HeaderMap> {
        let trailers = self.trailers()?;
        if listener.request_names.is_empty() {
            return Some(trailers);
        }
        let fields = trailers.iter().filter(|(name, _)| !listener.is_ours(name.as_str().as_bytes()));
        let passing: HeaderMap = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        (!passing.is_empty()).then_some(passing)
    }
}

/// Why there is no more of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// The client said nothing for the idle timeout.
    Late,
    /// It broke the rules of its framing, or broke off.
    Broken,
}

impl SourceError {
    /// What to answer with, as long as nothing else was.
    pub fn status(self) -> u16 {
        match self {
            SourceError::Late => 408,
            SourceError::Broken => 400,
        }
    }
}

/// The client takes no more of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// An answer on its way out: any number of informational heads, a final one, data, and the end.
pub trait Sink {
    /// Takes an answer's head and changes it as its listener wants. It may lie here until more comes or [`Sink::flush`] is
    /// called. A final head that [`is_bare`] is the whole answer, and nothing follows; `UntilClose` says that the length is not
    /// known.
    fn head(&mut self, answer: &Answer<'_, '_>, cookies: &[String]) -> Result<(), Gone>;

    /// Takes data, which is not empty, as fast as the client does; `last` when nothing follows, not even trailers.
    fn data(&mut self, piece: &[u8], last: bool) -> impl Future<Output = Result<(), Gone>>;

    /// Ends an answer that had no last piece.
    fn end(&mut self, trailers: Option<HeaderMap>) -> impl Future<Output = Result<(), Gone>>;

    /// Sends what lies here.
    fn flush(&mut self) -> impl Future<Output = Result<(), Gone>>;

    /// Ready when the client does not want its answer any more; a sink that cannot tell is never ready.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Gone>;
}

/// Whether an answer's head is all of it.
pub fn is_bare(framing: Framing) -> bool {
    matches!(framing, Framing::None | Framing::Length(0))
}

/// Waits for something that has to do with the target, unless the client leaves meanwhile.
pub async fn unless_gone<K: Sink, T>(sink: &mut K, work: impl Future<Output = T>) -> Result<T, Gone> {
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => sink.poll_gone(cx).map(Err),
    })
    .await
}

/// A target has answered, and the client has all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// The answer ended before the request's body did.
    pub early: bool,
}

/// Why an attempt at a target failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There was no connection to be had; nothing was sent, and nothing of the source was read.
    NotConnected(Connecting),
    /// All connections that there may be to it are full, and no place came free in time; nothing of the source was read.
    Full,
    /// The target says that it did nothing with the request (REFUSED_STREAM, or a GOAWAY that names an earlier one).
    Unprocessed,
    /// The connection ended before any answer. One that was used before may have been closed by the target meanwhile.
    Lost { reused: bool },
    /// No answer within the idle timeout.
    Late,
    /// The answer is not understood.
    Garbage(HttpError),
    /// The request's body did not come whole.
    Request(SourceError),
    /// The target failed within its answer: the client has got a part.
    Broken,
    /// The client is gone.
    Gone,
}

/// How connecting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connecting {
    Refused,
    Late,
    /// TLS, or the protocol above it, was not agreed on.
    NotAgreed,
}

impl Connecting {
    pub fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::TimedOut => Connecting::Late,
            std::io::ErrorKind::InvalidData => Connecting::NotAgreed,
            _ => Connecting::Refused,
        }
    }
}

impl From<Gone> for Fault {
    fn from(_: Gone) -> Self {
        Fault::Gone
    }
}

/// One attempt, as the protocols that targets speak need it.
pub struct Attempt<'a> {
    pub worker: &'a Worker,
    pub plan: &'a Forward,
    pub target: &'a Arc<Target>,
    /// Targets that failed this request before.
    pub tried: &'a [u64],
    /// When the exchange began.
    pub begun_ms: u64,
    /// How many more targets it may be taken to after this one.
    pub tries_left: usize,
}

impl Attempt<'_> {
    /// There is a connection, and the request goes out on it now.
    pub fn dispatched(&self) {
        if let Some(log) = &self.plan.log {
            log.dispatched();
        }
    }

    /// Counts a final answer of the target, with the time since the request was sent to it.
    pub fn count(&self, status: u16, sent: Instant) {
        if let Some(log) = &self.plan.log {
            log.headed();
            log.answered(status);
        }
        let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.plan.group.counters[self.plan.site.node].worker(self.worker.index).answered(status, micros);
    }

    fn count_unconnected(&self, how: Connecting) {
        let group = self.plan.group.counters[self.plan.site.node].worker(self.worker.index);
        match how {
            Connecting::NotAgreed => group.not_agreed(),
            Connecting::Refused | Connecting::Late => group.not_connected(),
        }
    }
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Answered(Answered),
    /// The client has got nothing yet, and is to get a page of this status.
    Failed(u16),
    /// The client has got a part of an answer that will not become whole.
    Broken,
    Gone,
}

/// Takes a request to a target, and to another one where that loses nothing: by the same rules as `proxy::forward`, and when
/// a target has told that it did nothing with the request (RFC 9113, 8.7).
pub async fn exchange<S: Source, K: Sink>(worker: &Worker, plan: &Forward, source: &mut S, sink: &mut K) -> End {
    let zone = plan.site.counters.worker(worker.index);
    let begun_ms = now_ms();
    let mut tried: Vec<u64> = Vec::new();
    let (mut status, mut is_full) = (503, false);
    for number in 0..TRIES_MAX {
        let Some(flight) = plan.choose(worker, &tried, now_ms()) else { break };
        if number == 0 {
            plan.count(worker);
        } else if source.is_kept() {
            source.rewind();
        }
        let target = flight.target();
        let attempt = Attempt { worker, plan, target, tried: &tried, begun_ms, tries_left: TRIES_MAX - 1 - number };
        if let Some(log) = &plan.log {
            log.tries(target.address);
        }
        let outcome = match plan.group.version {
            ProtocolVersion::Http1 => to_http1::attempt(&attempt, source, sink).await,
            ProtocolVersion::Http2 | ProtocolVersion::Grpc => to_http2::attempt(&attempt, source, sink).await,
        };
        let fault = match outcome {
            Ok(answered) => {
                target.call_back();
                if answered.status >= 500 {
                    target.failed();
                }
                return End::Answered(answered);
            }
            Err(fault) => fault,
        };
        match after(&attempt, fault, source.is_kept()) {
            After::End(end) => {
                count_own(worker, plan, end);
                return end;
            }
            After::Again { status: failed, without } => {
                (status, is_full) = (failed, fault == Fault::Full);
                if without {
                    let number = target.number;
                    tried.push(number);
                }
            }
        }
    }
    if is_full {
        // "CloudWatch metrics for your Application Load Balancer, RejectedConnectionCount": no more connections are allowed.
        zone.count(Event::Rejected, 1);
    }
    count_own(worker, plan, End::Failed(status));
    End::Failed(status)
}

fn count_own(worker: &Worker, plan: &Forward, end: End) {
    if let End::Failed(status) = end {
        plan.site.counters.worker(worker.index).answered(status);
        if let Some(log) = &plan.log {
            log.refused(status);
        }
    }
}

enum After {
    End(End),
    /// Another target may try; this status if there is none. This one is to be avoided.
    Again {
        status: u16,
        without: bool,
    },
}

fn after(attempt: &Attempt<'_>, fault: Fault, is_kept: bool) -> After {
    let (target, plan) = (attempt.target, attempt.plan);
    if !matches!(fault, Fault::Request(_) | Fault::Gone | Fault::Unprocessed | Fault::Full) {
        target.failed();
    }
    match fault {
        Fault::NotConnected(how) => {
            tracing::debug!(target = %target.address, "no connection: {how:?}");
            attempt.count_unconnected(how);
            target.set_aside(now_ms());
            After::Again { status: if how == Connecting::Late { 504 } else { 502 }, without: true }
        }
        // "ELB User Guide, Troubleshoot: HTTP 503": no target can take it.
        Fault::Full => After::Again { status: 503, without: true },
        Fault::Unprocessed if is_kept && !target.is_cut() => After::Again { status: 502, without: false },
        Fault::Lost { reused } => {
            attempt.worker.pool.forget(target.number);
            if !reused {
                target.set_aside(now_ms());
            }
            if plan.idempotent && is_kept && !target.is_cut() {
                After::Again { status: 502, without: !reused }
            } else {
                After::End(End::Failed(502))
            }
        }
        Fault::Unprocessed => After::End(End::Failed(502)),
        Fault::Late => After::End(End::Failed(504)),
        Fault::Garbage(why) => {
            tracing::warn!(target = %target.address, "an answer is not understood: {why}");
            After::End(End::Failed(502))
        }
        Fault::Request(error) => After::End(End::Failed(error.status())),
        Fault::Broken => After::End(End::Broken),
        Fault::Gone => After::End(End::Gone),
    }
}
