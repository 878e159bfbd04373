//! An attempt at a target that speaks HTTP/1.1, on behalf of a client that speaks something else.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite};

use super::exchange::{Answered, Attempt, Connecting, Fault, Sink, Source, SourceError, is_bare, unless_gone};
use crate::connector::{Stalls, bear};
use crate::http::HttpError;
use crate::http::body::{ChunkLine, Decoded, Decoder};
use crate::http::fields::{Headers, Known};
use crate::http::head::{Framing, check_start, parse_answer, whole_head};
use crate::http::scan::{HeadScan, HeadSpan};
use crate::proxy::answer::INFORMATIONAL_MAX;
use crate::proxy::forward::connection;
use crate::stream::Half;
use crate::worker::buffer::{Buffer, LARGE_BYTES, SMALL_BYTES};
use crate::worker::io::{read, write_all};
use crate::worker::pool::Upstream;
use crate::worker::watch::Watch;

/// Sends the request on a connection of the worker's pool, and hands the answer to the sink.
pub async fn attempt<S: Source, K: Sink>(attempt: &Attempt<'_>, source: &mut S, sink: &mut K) -> Result<Answered, Fault> {
    let Attempt { worker, plan, target, tried, begun_ms, .. } = *attempt;
    let repeatable = plan.idempotent && source.is_at_hand();
    let connecting = connection(worker, plan, target, repeatable, tried, begun_ms);
    let mut upstream = unless_gone(sink, connecting).await?.map_err(|e| Fault::NotConnected(Connecting::of(&e)))?;
    attempt.dispatched();
    let mut buffer = Buffer::default();
    let outcome = if source.is_at_hand() {
        whole(attempt, &mut upstream, &mut buffer, source, sink).await
    } else {
        bear(upstream.stream.socket(), Stalls::Allowed);
        // On the heap, so that requests that are all there do not carry what it needs.
        let outcome = Box::pin(streamed(attempt, &mut upstream, &mut buffer, source, sink)).await;
        bear(upstream.stream.socket(), Stalls::Never);
        outcome
    };
    // What came unasked behind the answer belongs to nobody.
    let is_clean = buffer.is_empty();
    worker.buffers.give_back(buffer);
    let outcome = outcome.map_err(|fault| if fault == LOST { Fault::Lost { reused: upstream.reused } } else { fault })?;
    if outcome.keep && is_clean && worker.snapshot.borrow().targets.contains(&target.number) {
        worker.pool.give_back(target.number, upstream);
    }
    Ok(outcome.answered)
}

/// Filled in by [`attempt`], which knows the connection.
const LOST: Fault = Fault::Lost { reused: false };

struct Outcome {
    answered: Answered,
    /// The target's connection may carry another exchange.
    keep: bool,
}

/// A request that is all there goes out first.
async fn whole<S: Source, K: Sink>(
    attempt: &Attempt<'_>,
    upstream: &mut Upstream,
    buffer: &mut Buffer,
    source: &mut S,
    sink: &mut K,
) -> Result<Outcome, Fault> {
    let Upstream { stream, watch, .. } = upstream;
    let sent = Instant::now();
    let mut request = Sending { attempt, to: stream, watch, waits_for_client: &Cell::new(false) };
    request.run(source).await.map_err(|e| match e {
        SendError::Source(error) => Fault::Request(error),
        SendError::Target(e) if e.kind() == ErrorKind::TimedOut => Fault::Late,
        SendError::Target(_) => LOST,
    })?;
    let begun = Cell::new(false);
    Answering { attempt, from: stream, watch, buffer, sink, sent, begun: &begun }.run().await
}

/// A request whose body is still coming: it goes on while the answer may already come back.
async fn streamed<S: Source, K: Sink>(
    attempt: &Attempt<'_>,
    upstream: &mut Upstream,
    buffer: &mut Buffer,
    source: &mut S,
    sink: &mut K,
) -> Result<Outcome, Fault> {
    let Upstream { stream, watch, .. } = upstream;
    let target = RefCell::new(stream);
    let (mut from, mut to) = (Half(&target), Half(&target));
    let (begun, waits_for_client) = (Cell::new(false), Cell::new(false));
    let mut request = Sending { attempt, to: &mut to, watch, waits_for_client: &waits_for_client };
    let answer = Answering { attempt, from: &mut from, watch, buffer, sink, sent: Instant::now(), begun: &begun };
    let (request, answer) = (request.run(source), answer.run());
    tokio::pin!(request, answer);
    let (mut sent, mut sending) = (false, true);
    loop {
        tokio::select! {
            biased;
            result = &mut request, if sending => {
                sending = false;
                match result {
                    Ok(()) => sent = true,
                    // It may have answered before it stopped listening.
                    Err(SendError::Target(_)) => {}
                    Err(SendError::Source(_)) if begun.get() => return Err(Fault::Broken),
                    Err(SendError::Source(error)) => return Err(Fault::Request(error)),
                }
            }
            result = &mut answer => {
                // A target need not answer before it has all of the request.
                let late = if waits_for_client.get() { Fault::Request(SourceError::Late) } else { Fault::Late };
                let outcome = result.map_err(|fault| if fault == Fault::Late { late } else { fault })?;
                let answered = Answered { early: !sent, ..outcome.answered };
                return Ok(Outcome { answered, keep: outcome.keep && sent });
            }
        }
    }
}

enum SendError {
    Source(SourceError),
    Target(io::Error),
}

struct Sending<'a, W> {
    attempt: &'a Attempt<'a>,
    to: &'a mut W,
    watch: &'a Watch,
    /// Nothing can be done before the client sends more.
    waits_for_client: &'a Cell<bool>,
}

impl<W: AsyncWrite + Unpin> Sending<'_, W> {
    /// Sends the head, and the body to its end.
    async fn run<S: Source>(&mut self, source: &mut S) -> Result<(), SendError> {
        let plan = self.attempt.plan;
        let mut head: &[u8] = &plan.head;
        if !source.is_at_hand() {
            // The client may wait for a word of the target before it sends more.
            self.write([std::mem::take(&mut head)]).await?;
        }
        let chunked = plan.framing == Framing::Chunked;
        loop {
            self.waits_for_client.set(true);
            let piece = source.next().await.map_err(SendError::Source)?;
            self.waits_for_client.set(false);
            let Some(piece) = piece else { break };
            self.watch.refresh_read(plan.site.balancer.idle_timeout_ms);
            let line = if chunked { ChunkLine::new(piece.len()) } else { ChunkLine::default() };
            let end: &[u8] = if chunked { b"\r\n" } else { b"" };
            self.write([std::mem::take(&mut head), line.as_bytes(), &piece, end]).await?;
        }
        let end = if chunked { last_chunk(source.passing_trailers(&plan.site.headers).as_ref()) } else { Vec::new() };
        self.write([head, &end]).await
    }

    async fn write<const N: usize>(&mut self, slices: [&[u8]; N]) -> Result<(), SendError> {
        let idle_ms = self.attempt.plan.site.balancer.idle_timeout_ms;
        write_all(self.to, self.watch, idle_ms, slices).await.map_err(SendError::Target)
    }
}

/// Trailers that came as lines, but for those that would say how the message is carried; none where there are none.
fn fields(lines: &[u8]) -> Option<HeaderMap> {
    let field = |line: &[u8]| {
        let colon = memchr(b':', line)?;
        let name =
            HeaderName::from_bytes(&line[..colon]).ok().filter(|name| Known::of(name.as_str().as_bytes()) == Known::Other)?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    };
    let map: HeaderMap = lines.split(|byte| *byte == b'\n').filter_map(field).collect();
    (!map.is_empty()).then_some(map)
}

fn last_chunk(trailers: Option<&HeaderMap>) -> Vec<u8> {
    let mut end = b"0\r\n".to_vec();
    for (name, value) in trailers.into_iter().flatten() {
        end.extend_from_slice(name.as_str().as_bytes());
        end.extend_from_slice(b": ");
        end.extend_from_slice(value.as_bytes());
        end.extend_from_slice(b"\r\n");
    }
    end.extend_from_slice(b"\r\n");
    end
}

struct Answering<'a, R, K> {
    attempt: &'a Attempt<'a>,
    from: &'a mut R,
    watch: &'a Watch,
    buffer: &'a mut Buffer,
    sink: &'a mut K,
    /// When the request was sent, or began to be.
    sent: Instant,
    /// The sink has the final head.
    begun: &'a Cell<bool>,
}

/// What an answer's head says about the rest.
struct Begun {
    status: u16,
    framing: Framing,
    keep: bool,
}

/// An answer's body, and what of it came along with the head.
struct Body {
    decoder: Decoder,
    decoded: Decoded,
}

impl<R: AsyncRead + Unpin, K: Sink> Answering<'_, R, K> {
    async fn run(mut self) -> Result<Outcome, Fault> {
        for _ in 0..=INFORMATIONAL_MAX {
            let span = self.read_head().await?;
            let (begun, body) = self.pass_head(span)?;
            self.buffer.consume(span.end);
            match begun.status {
                101 => return Err(Fault::Garbage(HttpError::Syntax("an upgrade that nobody asked for"))),
                100..=199 => {
                    // Nothing of it is kept while it waits.
                    drop(body);
                    self.sink.flush().await?;
                }
                status => {
                    self.begun.set(true);
                    self.attempt.count(status, self.sent);
                    if !is_bare(begun.framing) {
                        self.body(body).await?;
                    }
                    return Ok(Outcome { answered: Answered { status, early: false }, keep: begun.keep });
                }
            }
        }
        Err(Fault::Garbage(HttpError::TooLarge("the number of informational answers")))
    }

    async fn read_head(&mut self) -> Result<HeadSpan, Fault> {
        let mut scan = HeadScan::of_answer();
        loop {
            check_start(self.buffer.filled()).map_err(Fault::Garbage)?;
            if let Some(span) = scan.advance(self.buffer.filled()).map_err(Fault::Garbage)? {
                return Ok(span);
            }
            if self.buffer.is_real() && self.buffer.space().is_empty() {
                if self.buffer.capacity() >= LARGE_BYTES {
                    return Err(Fault::Garbage(HttpError::TooLarge("the head")));
                }
                self.attempt.worker.buffers.enlarge(self.buffer);
            }
            match self.read().await? {
                Ok(0) => return Err(LOST),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::TimedOut && self.watch.has_expired() => return Err(Fault::Late),
                Err(_) => return Err(LOST),
            }
        }
    }

    /// Hands a head to the sink, once what came behind it was understood: until then another answer can take its place. Nothing
    /// borrowed from the buffer outlives it.
    fn pass_head(&mut self, span: HeadSpan) -> Result<(Begun, Body), Fault> {
        let Attempt { worker, plan, .. } = *self.attempt;
        let mut headers = Headers::new();
        let (head, behind) = self.buffer.filled_mut().split_at_mut(span.end);
        let answer = whole_head(parse_answer(head, &mut headers, plan.to_head)).map_err(Fault::Garbage)?;
        let mut decoder = Decoder::new(answer.framing);
        let decoded = decoder.decode(behind).map_err(Fault::Garbage)?;
        if answer.status != 101 {
            self.sink.head(&answer, &plan.cookies(worker, &answer))?;
        }
        let begun = Begun { status: answer.status, framing: answer.framing, keep: plan.keep_target && answer.keep_alive };
        Ok((begun, Body { decoder, decoded }))
    }

    async fn body(&mut self, body: Body) -> Result<(), Fault> {
        let Body { mut decoder, mut decoded } = body;
        loop {
            let trailers = if decoded.done { fields(decoder.trailers()) } else { None };
            let is_last = decoded.done && trailers.is_none();
            if !decoded.data.is_empty() {
                self.sink.data(&self.buffer.filled()[decoded.data], is_last).await?;
            } else if is_last {
                self.sink.end(None).await?;
            }
            if trailers.is_some() {
                self.sink.end(trailers).await?;
            }
            self.buffer.consume(decoded.consumed);
            if decoded.done {
                return Ok(());
            }
            if self.buffer.capacity() <= SMALL_BYTES && decoder.expects_more_than(SMALL_BYTES) {
                self.attempt.worker.buffers.enlarge(self.buffer);
            }
            match self.read().await? {
                // One that was cut is not whole.
                Ok(0) if decoder.may_end() && !self.watch.was_cut() => return Ok(self.sink.end(None).await?),
                Ok(0) | Err(_) => return Err(Fault::Broken),
                Ok(_) => {}
            }
            decoded = decoder.decode(self.buffer.filled_mut()).map_err(|why| {
                tracing::warn!("an answer's body is not understood: {why}");
                Fault::Broken
            })?;
        }
    }

    async fn read(&mut self) -> Result<io::Result<usize>, Fault> {
        let Attempt { worker, plan, .. } = *self.attempt;
        let read = read(self.from, self.watch, plan.site.balancer.idle_timeout_ms, &worker.buffers, self.buffer);
        Ok(unless_gone(self.sink, read).await?)
    }
}
