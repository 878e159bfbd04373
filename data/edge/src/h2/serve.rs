//! Serves a client's connection that speaks HTTP/2: takes its streams, has each one answered, and ends it in the ways of RFC
//! 9113 when it is idle, old, no longer wanted, or a burden.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::h2::server::{Builder, Connection, SendResponse};
use ::h2::{Reason, RecvStream};
use bytes::Bytes;
use http::Request;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::answer::Outgoing;
use super::exchange::{End, exchange};
use super::incoming::Incoming;
use super::io::{Io, Wire};
use super::link::{Lane, Link, add, size_of};
use super::request::plan;
use super::slots::{SLOTS_MAX, Slots};
use crate::clock::now_ms;
use crate::http::answer::write_page;
use crate::http::forward::PLAIN;
use crate::http::scan::HEADERS_BYTES_MAX;
use crate::proxy::plan::{Forward, Own, Plan};
use crate::proxy::{Client, count_own_at, idle_timeout_ms, linger};
use crate::stream::Stream;
use crate::worker::Worker;

/// What a client may send of one body before any of it was taken, and of all bodies together.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What waits of one answer for a client that is slower than its window.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The greeting must be whole in this time, or in the idle timeout when that is less.
const GREETING_MS_MAX: u64 = 10_000;
/// How often streams' deadlines are looked at while there are streams.
const TICK: Duration = Duration::from_secs(1);
/// How long a client may take to confirm that it has read our farewell.
const FAREWELL_MS: u64 = 2_000;
/// What of a body is still read behind its answer, and for how long.
const DISCARDED_BYTES_MAX: usize = 256 * 1024;
const DISCARD_MAX: Duration = Duration::from_secs(2);

/// Serves the connection to its end. Its first bytes have not been read.
pub async fn serve(worker: Rc<Worker>, client: Client) {
    let Client { watch, stream, caller, open, .. } = client;
    let Stream::Tls(session) = stream else { return };
    let idle_ms = idle_timeout_ms(&worker, caller.at);
    let wire = Rc::new(Wire::new(worker.clone(), watch, session, idle_ms));
    if let Some(connection) = greet(&wire, idle_ms).await {
        let link = Rc::new(Link::new(worker, caller, wire.clone(), open, idle_ms));
        let mut serving = Serving { link, connection, tick: None, is_idle: false, said_farewell: false };
        let mut slots = Slots::default();
        poll_fn(|cx| serving.turn(cx, &mut slots, &serve_stream)).await;
        drop(slots);
        serving.link.count_moved();
    }
    if let Some(Wire { watch, session, .. }) = Rc::into_inner(wire) {
        let mut stream = Stream::Tls(session.into_inner());
        // The watch goes before the socket.
        let watch = watch;
        linger(&mut stream, &watch).await;
    }
}

/// Says how many streams there may be and more, and reads the client's greeting.
async fn greet(wire: &Rc<Wire>, idle_ms: u64) -> Option<Connection<Io, Bytes>> {
    wire.watch.read_by(now_ms() + idle_ms.min(GREETING_MS_MAX));
    let mut greeting = Box::pin(builder().handshake::<_, Bytes>(Io(wire.clone())));
    let greeted = poll_fn(|cx| {
        wire.begin_turn();
        let greeted = greeting.as_mut().poll(cx);
        match (wire.end_turn(cx), greeted) {
            (Err(_), _) => Poll::Ready(None),
            (Ok(()), Poll::Pending) if wire.has_ended() => Poll::Ready(None),
            (Ok(()), greeted) => greeted.map(Result::ok),
        }
    })
    .await;
    wire.watch.read_done();
    greeted
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        // "ELB User Guide, Listeners: up to 128 requests in parallel using one HTTP/2 connection".
        .max_concurrent_streams(u32::try_from(SLOTS_MAX).unwrap_or(u32::MAX))
        // "Quotas": 64 K for all headers.
        .max_header_list_size(u32::try_from(HEADERS_BYTES_MAX).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX);
    builder
}

/// A connection after its greeting.
struct Serving {
    link: Rc<Link>,
    connection: Connection<Io, Bytes>,
    /// Runs while there are streams.
    tick: Option<Pin<Box<Sleep>>>,
    is_idle: bool,
    said_farewell: bool,
}

impl Serving {
    /// Does all that can be done now; ready at the connection's end.
    fn turn<F: Future<Output = ()>>(
        &mut self,
        cx: &mut Context<'_>,
        slots: &mut Slots<F>,
        serve: &impl Fn(Rc<Link>, usize, Request<RecvStream>, SendResponse<Bytes>) -> F,
    ) -> Poll<()> {
        self.link.wire.begin_turn();
        let done = self.work(cx, slots, serve);
        match self.link.wire.end_turn(cx) {
            Ok(()) => done,
            Err(_) => Poll::Ready(()),
        }
    }

    fn work<F: Future<Output = ()>>(
        &mut self,
        cx: &mut Context<'_>,
        slots: &mut Slots<F>,
        serve: &impl Fn(Rc<Link>, usize, Request<RecvStream>, SendResponse<Bytes>) -> F,
    ) -> Poll<()> {
        loop {
            slots.run(cx);
            let accepted =
                if slots.is_full() { self.connection.poll_closed(cx).map(|_| None) } else { self.connection.poll_accept(cx) };
            match accepted {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.link.wire.progress();
                    slots.begin(|number| serve(self.link.clone(), number, request, respond));
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(client = %self.link.caller.borrow().address, "HTTP/2 ends: {error}");
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending if slots.has_woken() => continue,
                Poll::Pending => {}
            }
            if self.link.wire.has_ended() && (self.said_farewell || !self.is_our_end()) {
                return Poll::Ready(());
            }
            let must_end = self.link.wire.has_ended().then_some(Reason::NO_ERROR).or_else(|| self.link.complaint());
            if let Some(reason) = must_end.filter(|_| !self.said_farewell) {
                tracing::debug!(client = %self.link.caller.borrow().address, "HTTP/2 is ended: {reason}");
                self.said_farewell = true;
                self.connection.abrupt_shutdown(reason);
                continue;
            }
            if !self.note_idleness(slots.is_empty()) && !self.tick(cx, slots) {
                return Poll::Pending;
            }
        }
    }

    /// Whether it was us who shut the reading side.
    fn is_our_end(&self) -> bool {
        self.link.wire.watch.has_expired() || !self.link.keeps()
    }

    /// Sees to the connection's own deadline, and has it end when it is not to be kept; true when there is something to send.
    fn note_idleness(&mut self, is_idle: bool) -> bool {
        let ends = is_idle && self.end_unless_kept();
        if is_idle == self.is_idle && !ends {
            return false;
        }
        self.is_idle = is_idle;
        self.link.wire.watch.set_idle(is_idle);
        if is_idle {
            self.link.wire.watch.read_within(if self.link.closing.get() { FAREWELL_MS } else { self.link.may_idle_ms() });
        } else {
            self.link.wire.watch.read_done();
        }
        ends
    }

    /// Begins to end a connection that is not to be kept.
    fn end_unless_kept(&mut self) -> bool {
        let ends = !self.link.keeps() && !self.link.closing.replace(true);
        if ends {
            self.connection.graceful_shutdown();
        }
        ends
    }

    /// Looks at deadlines now and then; true when something is to be done at once.
    fn tick<F: Future<Output = ()>>(&mut self, cx: &mut Context<'_>, slots: &mut Slots<F>) -> bool {
        if self.tick.is_none() && slots.is_empty() {
            return false;
        }
        let tick = self.tick.get_or_insert_with(|| Box::pin(sleep(TICK)));
        if tick.as_mut().poll(cx).is_pending() {
            return false;
        }
        if slots.is_empty() {
            self.tick = None;
            slots.trim();
            return false;
        }
        tick.as_mut().reset(Instant::now() + TICK);
        self.link.pass_deadlines(|number| slots.mark(number));
        self.end_unless_kept();
        self.link.count_moved();
        true
    }
}

/// Answers one request.
async fn serve_stream(link: Rc<Link>, slot: usize, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let (parts, body) = request.into_parts();
    let plan = plan(&link.worker, &link.caller.borrow(), &parts, body.is_end_stream());
    let to_head = parts.method == http::Method::HEAD;
    let lane = Rc::new(Lane::new(link.clone(), slot));
    let log = plan.log().cloned();
    if log.is_some() {
        add(&lane.received, size_of(&parts.headers));
    }
    drop(parts);
    let whole = match plan {
        Plan::Forward(plan) => forward(&link, &lane, plan, body, respond).await,
        Plan::Answer(own) => {
            let sent = Box::pin(answer(&link, &lane, own, to_head, respond)).await;
            if !body.is_end_stream() {
                Box::pin(discard(body)).await;
            }
            sent
        }
    };
    if let Some(log) = log {
        log.finish(&link.worker, lane.received.get(), lane.sent.get());
    }
    link.ended(whole);
}

async fn answer(link: &Link, lane: &Rc<Lane>, own: Own, to_head: bool, respond: SendResponse<Bytes>) -> bool {
    if let Some(site) = &own.site {
        link.comes_to(site);
    }
    count_own_at(&link.worker, link.open.borrow().as_ref(), &own);
    let sent = Outgoing::new(respond, lane.clone(), &PLAIN).page(&own.text, to_head).await;
    link.worker.buffers.give_text_back(own.text);
    if let Some(log) = &own.log {
        log.refused(own.status);
    }
    sent.is_ok()
}

/// Reads what the client still sends of a request that has its answer, for a moment: clients such as curl 7.88 throw an answer
/// away when the reset of its stream comes along with it.
async fn discard(mut body: RecvStream) {
    let read = async {
        let mut left = DISCARDED_BYTES_MAX;
        while let Some(Ok(piece)) = body.data().await {
            let _ = body.flow_control().release_capacity(piece.len());
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = timeout(DISCARD_MAX, read).await;
}

/// Has a target answer; false when the client broke it off.
async fn forward(link: &Link, lane: &Rc<Lane>, plan: Forward, body: RecvStream, respond: SendResponse<Bytes>) -> bool {
    let worker = &*link.worker;
    link.serves(&plan.site);
    let mut source = Incoming::new(body, lane.clone());
    let mut sink = Outgoing::new(respond, lane.clone(), &plan.site.headers.answers);
    let end = exchange(worker, &plan, &mut source, &mut sink).await;
    match end {
        End::Answered(_) => {}
        End::Failed(status) => {
            let mut text = worker.buffers.text();
            let headers = &plan.site.headers.answers;
            worker.date.with(|date| write_page(&mut text, status, date, false, plan.to_head, headers));
            let _ = Box::pin(sink.page(&text, plan.to_head)).await;
            worker.buffers.give_text_back(text);
        }
        End::Broken => sink.reset(Reason::INTERNAL_ERROR),
        End::Gone => sink.reset(Reason::CANCEL),
    }
    if !plan.keep_alive {
        // "ELB User Guide, Desync mitigation mode: routes ambiguous requests and closes the client and target connections."
        link.spoiled.set(true);
    }
    worker.buffers.give_text_back(plan.head);
    let body = source.into_body();
    if matches!(end, End::Answered(_) | End::Failed(_)) && !body.is_end_stream() {
        // On the heap, so that requests that are all there do not carry what it needs.
        Box::pin(discard(body)).await;
    }
    end != End::Gone
}
