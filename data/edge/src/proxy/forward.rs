//! Takes a request to a target, and to another one where that loses nothing.
//!
//! A connection that is refused is tried elsewhere for every request, since nothing was sent. A request that was sent
//! and got no byte of an answer is tried elsewhere when its method is idempotent and its body is still at hand. An ALB
//! does less: it answers 502 when a target dies with a request. A request that may not be repeated uses a connection
//! that was idle only for a moment, so that it does not meet one which its target is closing.
//!
//! A client that goes away while a target works is noticed by the worker's sweep, which ends the target's connection: there is
//! no other target then, and it is not the target's failure.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use super::answer::{AnswerError, AnswerPath, Answered, Progress};
use super::plan::{Forward, body_at_hand, skip_body};
use super::relay::{Relay, RelayError};
use super::tunnel::tunnel;
use super::{Client, Next};
use crate::clock::{elapsed, now_ms};
use crate::connector::{Stalls, bear};
use crate::http::answer::write_page;
use crate::http::body::{Decoder, Encoding};
use crate::http::head::Framing;
use crate::stream::Half;
use crate::target::{InFlight, Target};
use crate::worker::Worker;
use crate::worker::buffer::Buffer;
use crate::worker::io::write_all;
use crate::worker::pool::{Freshness, Upstream};

/// Targets that a request is taken to at most.
pub const TRIES_MAX: usize = 3;
/// All connecting of a request together ("ELB User Guide, Troubleshoot: HTTP 504", 10 s).
pub const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Connecting to one target while there are others.
const CONNECT_SHORT: Duration = Duration::from_millis(500);
/// What counts as the answer to a client that has left before it had one: "HTTP 460: The load balancer received a request from a
/// client, but the client closed the connection with the load balancer before the idle timeout period elapsed" ("ELB User Guide,
/// Troubleshoot your Application Load Balancers").
pub const CLIENT_LEFT: u16 = 460;
/// How long a connection may have been idle for a request that can be repeated, and for one that cannot.
const IDLE_MS_MAX: u64 = 60_000;
const IDLE_MS_BRIEF: u64 = 2_000;

/// How a try ended without an answer that the client could get.
struct Failure {
    status: u16,
    /// Another target may try.
    retry: bool,
    /// The request's body was touched: where the next request begins is not known.
    unread: bool,
}

enum Tried {
    Done(Next),
    Failed(Failure),
}

pub async fn forward(worker: &Worker, client: &mut Client, plan: &Forward) -> Next {
    let zone = plan.site.counters.worker(worker.index);
    let begun_ms = now_ms();
    let mut tried: Vec<u64> = Vec::new();
    let mut failure = Failure { status: 503, retry: true, unread: false };
    for attempt in 0..TRIES_MAX {
        let flight = plan.choose(worker, &tried, if attempt == 0 { begun_ms } else { now_ms() });
        let Some(flight) = flight else { break };
        if attempt == 0 {
            plan.count(worker);
        }
        match one_try(worker, client, plan, flight, &mut tried, begun_ms).await {
            Tried::Done(next) => return next,
            Tried::Failed(failed) => failure = failed,
        }
        if !failure.retry {
            break;
        }
    }
    zone.answered(failure.status);
    if let Some(log) = &plan.log {
        log.refused(failure.status);
    }
    let whole = !failure.unread && skip_body(&mut client.buffer, plan.framing);
    let close = !whole || !plan.keep_alive;
    let mut text = worker.buffers.text();
    let headers = &plan.site.headers.answers;
    worker.date.with(|date| write_page(&mut text, failure.status, date, close, plan.to_head, headers));
    let sent = write_all(&mut client.stream, &client.watch, plan.site.balancer.idle_timeout_ms, [&text]).await;
    worker.buffers.give_text_back(text);
    match sent {
        Err(_) => Next::Close,
        Ok(()) if !whole => Next::Linger,
        Ok(()) if close => Next::Close,
        Ok(()) => Next::Keep,
    }
}

async fn one_try(
    worker: &Worker,
    client: &mut Client,
    plan: &Forward,
    flight: InFlight,
    tried: &mut Vec<u64>,
    begun_ms: u64,
) -> Tried {
    let target = flight.target().clone();
    let at_hand = body_at_hand(&client.buffer, plan.framing);
    let repeatable = plan.idempotent && at_hand.is_some();
    if let Some(log) = &plan.log {
        log.tries(target.address);
    }
    let mut upstream = match connection(worker, plan, &target, repeatable, tried, begun_ms).await {
        Ok(upstream) => upstream,
        Err(e) => {
            tracing::debug!(target = %target.address, "no connection: {e}");
            let group = plan.group.counters[plan.site.node].worker(worker.index);
            if e.kind() == io::ErrorKind::InvalidData {
                group.not_agreed()
            } else {
                group.not_connected()
            }
            target.set_aside(now_ms());
            target.failed();
            tried.push(target.number);
            let status = if e.kind() == io::ErrorKind::TimedOut { 504 } else { 502 };
            return Tried::Failed(Failure { status, retry: true, unread: false });
        }
    };
    if let Some(log) = &plan.log {
        log.dispatched();
    }
    let mut buffer = Buffer::default();
    let progress = Progress::default();
    let outcome = match at_hand {
        // All there: sent at once, and kept until an answer comes.
        Some(length) => {
            let (dispatched, idle_ms) = (Instant::now(), plan.site.balancer.idle_timeout_ms);
            let slices = [&plan.head, &client.buffer.filled()[..length]];
            let outcome = match write_all(&mut upstream.stream, &upstream.watch, idle_ms, slices).await {
                Err(e) if e.kind() == io::ErrorKind::TimedOut => Err(AnswerError::Late),
                Err(_) => Err(AnswerError::Lost),
                Ok(()) => {
                    client.watch.awaits(&upstream.watch);
                    let mut answer = AnswerPath {
                        worker,
                        plan,
                        from: &mut upstream.stream,
                        from_watch: &upstream.watch,
                        to: &mut client.stream,
                        to_watch: &client.watch,
                        buffer: &mut buffer,
                        progress: &progress,
                        dispatched,
                    };
                    answer.run().await
                }
            };
            outcome.map_err(ExchangeError::Answer)
        }
        None => {
            bear(upstream.stream.socket(), Stalls::Allowed);
            // On the heap, so that requests that are all there do not carry what it needs.
            let outcome = Box::pin(streamed_request(worker, client, plan, &mut upstream, &mut buffer, &progress)).await;
            bear(upstream.stream.socket(), Stalls::Never);
            outcome
        }
    };
    let has_left = client.watch.has_left();
    // What the target's connection then came to is not the target's doing.
    let outcome = outcome.map_err(|error| if has_left { ExchangeError::Answer(AnswerError::Client) } else { error });
    if is_targets_failure(&outcome) {
        target.failed();
    }
    let tried_out = match outcome {
        Ok(answered) if answered.switched => {
            bear(upstream.stream.socket(), Stalls::Allowed);
            Box::pin(tunnel(worker, client, plan.site.balancer.idle_timeout_ms, upstream, &mut buffer)).await;
            Tried::Done(Next::Close)
        }
        Ok(answered) => {
            target.call_back();
            if at_hand.is_some() {
                skip_body(&mut client.buffer, plan.framing);
            }
            if answered.keep_target && !has_left && worker.snapshot.borrow().targets.contains(&target.number) {
                worker.pool.give_back(target.number, upstream);
            }
            Tried::Done(if answered.keep_client && !has_left { Next::Keep } else { Next::Close })
        }
        Err(error) => after_error(worker, plan, &target, &upstream, tried, at_hand.is_some(), error, progress.begun.get()),
    };
    worker.buffers.give_back(buffer);
    tried_out
}

/// Why a request that a connection was there for failed.
enum ExchangeError {
    Answer(AnswerError),
    /// The client's request broke off or makes no sense; the status to say so with.
    Request(u16),
    /// The answer ended before the request did: it is the client's, and the connections end.
    Early,
}

/// No answer, or one of status 5xx.
fn is_targets_failure(outcome: &Result<Answered, ExchangeError>) -> bool {
    match outcome {
        Ok(answered) => answered.status >= 500,
        Err(ExchangeError::Answer(error)) => !matches!(error, AnswerError::Client),
        Err(_) => false,
    }
}

#[expect(clippy::too_many_arguments, reason = "all that the decision depends on")]
fn after_error(
    worker: &Worker,
    plan: &Forward,
    target: &Target,
    upstream: &Upstream,
    tried: &mut Vec<u64>,
    at_hand: bool,
    error: ExchangeError,
    sent_on: bool,
) -> Tried {
    let failed = |status, retry| Tried::Failed(Failure { status, retry, unread: !at_hand });
    match error {
        ExchangeError::Early => Tried::Done(Next::Linger),
        _ if sent_on => Tried::Done(Next::Close),
        ExchangeError::Request(status) => failed(status, false),
        ExchangeError::Answer(AnswerError::Lost) => {
            worker.pool.forget(target.number);
            if !upstream.reused {
                target.set_aside(now_ms());
                tried.push(target.number);
            }
            failed(502, plan.idempotent && at_hand && !target.is_cut())
        }
        ExchangeError::Answer(AnswerError::Late) => failed(504, false),
        ExchangeError::Answer(AnswerError::Garbage(why)) => {
            tracing::warn!(target = %target.address, "an answer is not understood: {why}");
            failed(502, false)
        }
        ExchangeError::Answer(AnswerError::Client) => {
            plan.site.counters.worker(worker.index).answered(CLIENT_LEFT);
            Tried::Done(Next::Close)
        }
        ExchangeError::Answer(AnswerError::Broken) => Tried::Done(Next::Close),
    }
}

/// One that is kept, or a new one.
pub async fn connection(
    worker: &Worker,
    plan: &Forward,
    target: &Target,
    repeatable: bool,
    tried: &[u64],
    begun_ms: u64,
) -> io::Result<Upstream> {
    if let Some(kept) = kept_connection(worker, target, repeatable) {
        return Ok(kept);
    }
    // On the heap, so that requests that find one do not carry what it needs.
    let opened = Box::pin(worker.connect(target, &plan.site.counters, patience(plan, target, tried, begun_ms))).await?;
    // Its deregistration delay ended meanwhile: nothing more is sent there, and another target may have the request.
    if target.is_cut() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(opened) }
}

/// One that is kept, for a request that can be repeated or not.
fn kept_connection(worker: &Worker, target: &Target, repeatable: bool) -> Option<Upstream> {
    let freshness = if repeatable { Freshness::Known } else { Freshness::Asked };
    worker.pool.take(target.number, if repeatable { IDLE_MS_MAX } else { IDLE_MS_BRIEF }, freshness)
}

/// How long connecting to this target may take.
pub fn patience(plan: &Forward, target: &Target, tried: &[u64], begun_ms: u64) -> Duration {
    let left = CONNECT_MAX.saturating_sub(elapsed(begun_ms));
    if plan.group.has_alternative(plan.site.node, tried, target) { CONNECT_SHORT.min(left) } else { left }
}

/// A request whose body is still coming: it goes on while the answer may already come back.
async fn streamed_request(
    worker: &Worker,
    client: &mut Client,
    plan: &Forward,
    upstream: &mut Upstream,
    buffer: &mut Buffer,
    progress: &Progress,
) -> Result<Answered, ExchangeError> {
    let (target, caller) = (RefCell::new(&mut upstream.stream), RefCell::new(&mut client.stream));
    let (mut from_target, mut to_target) = (Half(&target), Half(&target));
    let (mut from_client, mut to_client) = (Half(&caller), Half(&caller));
    let encoding = if plan.framing == Framing::Chunked { Encoding::Chunked } else { Encoding::Raw };
    let mut request = Relay {
        buffers: &worker.buffers,
        idle_ms: plan.site.balancer.idle_timeout_ms,
        from: &mut from_client,
        from_watch: &client.watch,
        to: &mut to_target,
        to_watch: &upstream.watch,
        buffer: &mut client.buffer,
        decoder: Decoder::new(plan.framing).without(&plan.site.headers),
        encoding,
    };
    let mut answer = AnswerPath {
        worker,
        plan,
        from: &mut from_target,
        from_watch: &upstream.watch,
        to: &mut to_client,
        to_watch: &client.watch,
        buffer,
        progress,
        dispatched: Instant::now(),
    };
    let (request, answer) = (request.run(&plan.head), answer.run());
    tokio::pin!(request, answer);
    progress.unsent.set(true);
    let mut sending = true;
    loop {
        tokio::select! {
            biased;
            result = &mut request, if sending => {
                sending = false;
                match result {
                    Ok(()) => {
                        progress.unsent.set(false);
                        if !progress.begun.get() {
                            client.watch.awaits(&upstream.watch);
                        }
                    }
                    // It may have answered before it stopped listening.
                    Err(RelayError::Sink) => {}
                    Err(RelayError::Framing(why)) => {
                        tracing::debug!("a request's body is refused: {why}");
                        return Err(ExchangeError::Request(400));
                    }
                    Err(RelayError::Source(e)) if e.kind() == io::ErrorKind::TimedOut => return Err(ExchangeError::Request(408)),
                    Err(RelayError::Source(_)) => return Err(ExchangeError::Request(400)),
                }
            }
            result = &mut answer => {
                return match result {
                    Ok(_) if progress.unsent.get() => Err(ExchangeError::Early),
                    other => other.map_err(ExchangeError::Answer),
                };
            }
        }
    }
}
