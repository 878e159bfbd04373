//! A target's answer on its way to the client.

use std::cell::Cell;
use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::plan::Forward;
use super::relay::{Relay, RelayError};
use crate::http::HttpError;
use crate::http::body::{Decoder, Encoding};
use crate::http::fields::{Header, Headers, Known};
use crate::http::forward::{AnswerRules, write_answer};
use crate::http::head::{Framing, check_start, parse_answer};
use crate::http::scan::HeadScan;
use crate::stream::Bare;
use crate::worker::Worker;
use crate::worker::buffer::{Buffer, LARGE_BYTES};
use crate::worker::io::{read, write_all};
use crate::worker::watch::Watch;

/// Informational answers (1xx) before the final one.
pub const INFORMATIONAL_MAX: u32 = 16;
/// A smaller body that is all there is copied behind its head: one piece costs the kernel less than two.
const COPIED_BYTES_MAX: usize = 4 * 1024;

/// Why an answer did not reach the client whole.
#[derive(Debug)]
pub enum AnswerError {
    /// The target ended the connection before its answer's head was whole; the client has got nothing.
    Lost,
    /// The target did not answer within the idle timeout; the client has got nothing.
    Late,
    /// The target's answer is not understood; the client has got nothing.
    Garbage(HttpError),
    /// The target failed within the body: the client has got a part.
    Broken,
    /// The client is gone, or does not take its answer.
    Client,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// The target's connection may carry another exchange.
    pub keep_target: bool,
    /// The client's connection was announced to be kept.
    pub keep_client: bool,
    /// Both sides now speak another protocol.
    pub switched: bool,
    pub status: u16,
}

/// How far an exchange has come, as far as both of its halves need to know.
#[derive(Debug, Default)]
pub struct Progress {
    /// The client gets the final answer: from then on it cannot be replaced by one of ours.
    pub begun: Cell<bool>,
    /// Something of the request is still to be sent. An answer that begins now says that the connection ends with it: what
    /// follows might be the rest of the request (RFC 9112, 9.3 and 9.6).
    pub unsent: Cell<bool>,
}

/// Where an answer comes from and goes to.
pub struct AnswerPath<'a, R, W> {
    pub worker: &'a Worker,
    pub plan: &'a Forward,
    pub from: &'a mut R,
    pub from_watch: &'a Watch,
    pub to: &'a mut W,
    pub to_watch: &'a Watch,
    pub buffer: &'a mut Buffer,
    pub progress: &'a Progress,
    pub dispatched: Instant,
}

/// A head as it goes on, and what it says about the rest.
struct Made {
    text: Vec<u8>,
    status: u16,
    framing: Framing,
    encoding: Encoding,
    keep_target: bool,
    keep_client: bool,
}

impl<R: AsyncRead + Unpin + Bare, W: AsyncWrite + Unpin + Bare> AnswerPath<'_, R, W> {
    pub async fn run(&mut self) -> Result<Answered, AnswerError> {
        for _ in 0..=INFORMATIONAL_MAX {
            let (made, length) = self.read_head().await?;
            if let Some(log) = &self.plan.log {
                log.headed();
            }
            self.buffer.consume(length);
            match made.status {
                101 if self.plan.upgrade.is_some() => {
                    self.begin(101);
                    self.write_only(made.text).await?;
                    return Ok(Answered { keep_target: false, keep_client: false, switched: true, status: 101 });
                }
                101 => return Err(AnswerError::Garbage(HttpError::Syntax("an upgrade that nobody asked for"))),
                100..=199 if self.plan.client_http11 => self.write_only(made.text).await?,
                100..=199 => self.worker.buffers.give_text_back(made.text),
                _ => return self.send(made).await,
            }
        }
        Err(AnswerError::Garbage(HttpError::TooLarge("the number of informational answers")))
    }

    /// The client is to get what comes from here on, and is not looked after any more.
    fn begin(&self, status: u16) {
        self.progress.begun.set(true);
        self.to_watch.answer_begins();
        self.count(status);
    }

    /// Reads a head and makes one of it, and tells its length. Mostly it comes in one piece and is read at once; else its end is
    /// looked for first, each byte once.
    async fn read_head(&mut self) -> Result<(Made, usize), AnswerError> {
        let mut scan = None;
        let idle_ms = self.plan.site.balancer.idle_timeout_ms;
        loop {
            let came = self.buffer.filled();
            if !came.is_empty() {
                let scan = match &mut scan {
                    Some(scan) => scan,
                    None => match self.make(came).map_err(AnswerError::Garbage)? {
                        Some(made) => return Ok(made),
                        None => scan.insert(HeadScan::of_answer()),
                    },
                };
                check_start(came).map_err(AnswerError::Garbage)?;
                if let Some(span) = scan.advance(came).map_err(AnswerError::Garbage)? {
                    let made = self.make(&came[..span.end]).map_err(AnswerError::Garbage)?;
                    return made.ok_or(AnswerError::Garbage(HttpError::Syntax("a head that does not end")));
                }
            }
            if self.buffer.is_real() && self.buffer.space().is_empty() {
                if self.buffer.capacity() >= LARGE_BYTES {
                    return Err(AnswerError::Garbage(HttpError::TooLarge("the head")));
                }
                self.worker.buffers.enlarge(self.buffer);
            }
            match read(self.from, self.from_watch, idle_ms, &self.worker.buffers, self.buffer).await {
                Ok(0) => return Err(AnswerError::Lost),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::TimedOut && self.from_watch.has_expired() => return Err(AnswerError::Late),
                Err(_) => return Err(AnswerError::Lost),
            }
        }
    }

    /// A head as it goes on, of the one that the bytes begin with, whose length is told; nothing when that is not whole.
    fn make(&self, bytes: &[u8]) -> Result<Option<(Made, usize)>, HttpError> {
        let mut headers = Headers::new();
        let Some((answer, length)) = parse_answer(bytes, &mut headers, self.plan.to_head)? else { return Ok(None) };
        let may_chunk = self.plan.client_http11;
        let (encoding, ends_by_close) = match answer.framing {
            Framing::None | Framing::Length(_) => (Encoding::Raw, false),
            Framing::Chunked | Framing::UntilClose if may_chunk => (Encoding::Chunked, false),
            Framing::Chunked | Framing::UntilClose => (Encoding::Raw, true),
        };
        let keep_client = self.plan.keep_alive && self.worker.stays() && !ends_by_close && !self.progress.unsent.get();
        let keep_target = self.plan.keep_target && answer.keep_alive;
        let switching = self.plan.upgrade.as_deref().filter(|_| answer.status == 101);
        let is_other = |asked: &str, h: &Header<'_>| h.known == Known::Upgrade && !h.value.eq_ignore_ascii_case(asked.as_bytes());
        if switching.is_some_and(|asked| answer.headers.iter().any(|h| is_other(asked, h))) {
            return Err(HttpError::Syntax("an upgrade to another protocol than was asked for"));
        }
        let cookies = self.plan.cookies(self.worker, &answer);
        let mut text = self.worker.buffers.text();
        self.worker.date.with(|date| {
            let chunked = encoding == Encoding::Chunked;
            let listener = &self.plan.site.headers.answers;
            let rules = AnswerRules { date, close: !keep_client, chunked, switching, cookies: &cookies, listener };
            write_answer(&mut text, &answer, &rules);
        });
        let made = Made { text, status: answer.status, framing: answer.framing, encoding, keep_target, keep_client };
        Ok(Some((made, length)))
    }

    fn count(&self, status: u16) {
        if let Some(log) = &self.plan.log {
            log.answered(status);
        }
        let micros = u64::try_from(self.dispatched.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.plan.group.counters[self.plan.site.node].worker(self.worker.index).answered(status, micros);
    }

    async fn write_only(&mut self, text: Vec<u8>) -> Result<(), AnswerError> {
        let idle_ms = self.plan.site.balancer.idle_timeout_ms;
        let sent = write_all(self.to, self.to_watch, idle_ms, [&text]).await;
        self.worker.buffers.give_text_back(text);
        sent.map_err(|_| AnswerError::Client)
    }

    async fn send(&mut self, made: Made) -> Result<Answered, AnswerError> {
        let Made { mut text, status, framing, encoding, keep_target, keep_client } = made;
        let short = match framing {
            Framing::None => Some(0),
            Framing::Length(length) => usize::try_from(length).ok().filter(|length| *length < COPIED_BYTES_MAX),
            _ => None,
        };
        if let Some(body) = short.and_then(|length| self.buffer.filled().get(..length)) {
            text.extend_from_slice(body);
            self.begin(status);
            let length = body.len();
            self.buffer.consume(length);
            self.write_only(text).await?;
        } else {
            // On the heap, so that answers that are all there do not carry what it needs.
            Box::pin(self.relay(text, status, framing, encoding)).await?;
        }
        // What came unasked behind the answer belongs to nobody.
        Ok(Answered { keep_target: keep_target && self.buffer.is_empty(), keep_client, switched: false, status })
    }

    /// Sends a head and the body behind it as it comes. What of the body came along with the head is looked at before either
    /// goes: "HTTP 502: The target response is malformed" ("ELB User Guide, Troubleshoot your Application Load Balancers").
    async fn relay(&mut self, head: Vec<u8>, status: u16, framing: Framing, encoding: Encoding) -> Result<(), AnswerError> {
        let mut decoder = Decoder::new(framing);
        let first = match decoder.decode(self.buffer.filled_mut()) {
            Ok(first) => first,
            Err(why) => {
                self.worker.buffers.give_text_back(head);
                return Err(AnswerError::Garbage(why));
            }
        };
        self.begin(status);
        let mut relay = Relay {
            buffers: &self.worker.buffers,
            idle_ms: self.plan.site.balancer.idle_timeout_ms,
            from: &mut *self.from,
            from_watch: self.from_watch,
            to: &mut *self.to,
            to_watch: self.to_watch,
            buffer: &mut *self.buffer,
            decoder,
            encoding,
        };
        let relayed = relay.run_from(&head, first).await;
        self.worker.buffers.give_text_back(head);
        relayed.map_err(|e| match e {
            RelayError::Source(_) => AnswerError::Broken,
            RelayError::Framing(why) => {
                tracing::warn!("an answer's body is not understood: {why}");
                AnswerError::Broken
            }
            RelayError::Sink => AnswerError::Client,
        })
    }
}
