//! Serves a client's connection that speaks HTTP/2: takes its streams, has each one answered, and ends it in the ways of RFC
//! 9113 when it is idle, old, no longer wanted, or a burden.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::h2::Reason;
use tokio::time::{Instant, Sleep, sleep};

use super::answer::Outgoing;
use super::exchange::{End, exchange};
use super::frames::{self, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, PING};
use super::incoming::Incoming;
use super::intake::{Event, FAREWELL, Intake};
use super::io::Wire;
use super::link::{Lane, Link, add};
use super::request::Head;
use super::slots::{SLOTS_MAX, Slots};
use super::streams::{CONNECTION_WINDOW_BYTES, FIRST_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use crate::clock::now_ms;
use crate::http::HttpError;
use crate::http::answer::write_page;
use crate::http::forward::PLAIN;
use crate::http::scan::HEADERS_BYTES_MAX;
use crate::log::access::Entry;
use crate::metrics::ZoneLine;
use crate::proxy::forward::CLIENT_LEFT;
use crate::proxy::plan::{Forward, Own, Plan, refusal};
use crate::proxy::{Client, count_own_at, idle_timeout_ms, linger};
use crate::stream::Stream;
use crate::worker::Worker;
use crate::worker::buffer::LARGE_BYTES;

/// The greeting must be whole in this time, or in the idle timeout when that is less.
const GREETING_MS_MAX: u64 = 10_000;
/// How often streams' deadlines are looked at while there are streams.
const TICK: Duration = Duration::from_secs(1);
/// How long a client may take to confirm that it has read our farewell.
const FAREWELL_MS: u64 = 2_000;
/// A number of streams that none reaches: no stream is meant yet (RFC 9113, 6.8).
const EVERY_STREAM: u32 = 0x7fff_ffff;

/// Serves the connection to its end. Its first bytes have not been read.
pub async fn serve(worker: Rc<Worker>, client: Client) {
    let Client { watch, stream, caller, open, .. } = client;
    let Stream::Tls(session) = stream else { return };
    let idle_ms = idle_timeout_ms(&worker, caller.at);
    let wire = Rc::new(Wire::new(worker.clone(), watch, session, idle_ms));
    let link = Rc::new(Link::new(worker, caller, wire.clone(), open, idle_ms));
    let mut serving = Serving { link, intake: Intake::default(), tick: None, is_idle: None, stage: Stage::Open, named: None };
    serving.greet(idle_ms);
    let mut slots = Slots::default();
    poll_fn(|cx| serving.turn(cx, &mut slots, &serve_stream)).await;
    drop(slots);
    serving.link.count_moved();
    serving.link.worker.buffers.give_back(std::mem::take(&mut serving.intake.buffer));
    drop(serving);
    if let Some(Wire { watch, session, .. }) = Rc::into_inner(wire) {
        let mut stream = Stream::Tls(session.into_inner());
        // The watch goes before the socket.
        let watch = watch;
        linger(&mut stream, &watch).await;
    }
}

/// How near its end a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The client was asked to begin no more streams by this moment; those that it has begun meanwhile are served. It has
    /// confirmed so many pings: the first may overtake streams that it had begun.
    Asked {
        by_ms: u64,
        confirmed: u8,
    },
    /// It has read that, or should have: when its streams have ended, the connection does.
    Last,
    /// It ends as soon as everything has left.
    Over,
}

/// A client's connection at work.
struct Serving {
    link: Rc<Link>,
    intake: Intake,
    /// Runs while there are streams.
    tick: Option<Pin<Box<Sleep>>>,
    /// Unknown before the greeting.
    is_idle: Option<bool>,
    stage: Stage,
    /// The last stream that the client was told will be served.
    named: Option<u32>,
}

/// A request, as its own future gets it.
struct Begun {
    link: Rc<Link>,
    slot: usize,
    plan: Plan,
    /// No body follows its head.
    ends: bool,
    to_head: bool,
    head_bytes: usize,
}

impl Serving {
    /// Says how many streams there may be and more, and waits for the client to say who it is.
    fn greet(&self, idle_ms: u64) {
        let mut streams = self.link.streams.borrow_mut();
        streams.make_room(&self.link.worker.buffers);
        let settings = [
            // "ELB User Guide, Listeners: up to 128 requests in parallel using one HTTP/2 connection".
            (MAX_CONCURRENT_STREAMS, u32::try_from(SLOTS_MAX).unwrap_or(u32::MAX)),
            (INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES),
            // "Quotas": 64 K for all headers.
            (MAX_HEADER_LIST_SIZE, u32::try_from(HEADERS_BYTES_MAX).unwrap_or(u32::MAX)),
        ];
        frames::push_settings(&mut streams.out, &settings);
        frames::push_window(&mut streams.out, 0, CONNECTION_WINDOW_BYTES - FIRST_WINDOW_BYTES);
        self.link.wire.watch.read_by(now_ms() + idle_ms.min(GREETING_MS_MAX));
    }

    /// Does all that can be done now; ready at the connection's end.
    fn turn<F: Future<Output = ()>>(
        &mut self,
        cx: &mut Context<'_>,
        slots: &mut Slots<F>,
        serve: &impl Fn(Begun) -> F,
    ) -> Poll<()> {
        self.link.wire.begin_turn();
        self.link.streams.borrow_mut().make_room(&self.link.worker.buffers);
        let done = self.work(cx, slots, serve);
        if self.stage == Stage::Over {
            slots.clear();
        }
        let sent = self.poll_send(cx);
        if self.intake.buffer.is_empty() {
            self.link.worker.buffers.give_back(std::mem::take(&mut self.intake.buffer));
        }
        match sent {
            Poll::Ready(Err(())) => Poll::Ready(()),
            Poll::Pending if self.stage == Stage::Over => Poll::Pending,
            Poll::Ready(Ok(())) if self.stage == Stage::Over => Poll::Ready(()),
            _ => done,
        }
    }

    /// Sends what there is; an error when nothing can be sent any more.
    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        self.link.wire.poll_send(cx, &mut self.link.streams.borrow_mut().out).map_err(|_| ())
    }

    fn work<F: Future<Output = ()>>(
        &mut self,
        cx: &mut Context<'_>,
        slots: &mut Slots<F>,
        serve: &impl Fn(Begun) -> F,
    ) -> Poll<()> {
        while self.stage != Stage::Over {
            slots.run(cx);
            match self.take_in(cx, slots, serve) {
                Ok(true) => continue,
                Ok(false) if slots.has_woken() => continue,
                Ok(false) => {}
                Err(reason) => {
                    self.say_over(reason);
                    return Poll::Pending;
                }
            }
            if self.link.wire.has_ended() {
                if !self.is_our_end() {
                    return Poll::Ready(());
                }
                self.say_over(Reason::NO_ERROR);
                return Poll::Pending;
            }
            if self.stage == Stage::Last && slots.is_empty() {
                self.stage = Stage::Over;
                return Poll::Pending;
            }
            let changed = self.note_idleness(slots.is_empty()) || self.tick(cx, slots);
            if !changed && !self.pass_data(cx, slots) {
                return Poll::Pending;
            }
        }
        Poll::Pending
    }

    /// Takes in what there is; true when something came.
    fn take_in<F: Future<Output = ()>>(
        &mut self,
        cx: &mut Context<'_>,
        slots: &mut Slots<F>,
        serve: &impl Fn(Begun) -> F,
    ) -> Result<bool, Reason> {
        let mut came = false;
        // A client that does not take what we say is not listened to either.
        while self.link.streams.borrow().has_room() {
            if let Some(reason) = self.link.complaint() {
                return Err(reason);
            }
            let (streams, fields) = (&self.link.streams, &self.link.worker.fields);
            let Some(event) = self.intake.next(&mut streams.borrow_mut(), &mut fields.borrow_mut())? else {
                return Ok(self.read(cx) || came);
            };
            came = true;
            match event {
                Event::None => {}
                Event::Stream(slot) => slots.mark(slot),
                Event::Data { slot, bytes } => {
                    self.link.wire.wanted(bytes);
                    slot.into_iter().for_each(|slot| slots.mark(slot));
                }
                Event::Request { stream, ends } => self.begin(cx, slots, serve, (stream, ends)),
                Event::Farewell => self.note_confirmation(),
            }
        }
        Ok(came)
    }

    /// Reads more frames, or more of one; false when there is nothing now.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let (buffers, buffer) = (&self.link.worker.buffers, &mut self.intake.buffer);
        if !buffer.is_real() {
            *buffer = buffers.small();
        } else if buffer.space().is_empty() && buffer.capacity() < LARGE_BYTES {
            buffers.enlarge(buffer);
        }
        match self.link.wire.poll_read(cx, buffer.space()) {
            Poll::Ready(Ok(bytes)) => {
                buffer.filled_by(bytes);
                bytes > 0
            }
            // Whoever writes finds out, too; there is nothing more to read.
            Poll::Ready(Err(_)) => {
                self.link.wire.end();
                false
            }
            Poll::Pending => false,
        }
    }

    /// A request has come: it gets its answer in a slot of its own, unless its client broke the rules.
    fn begin<F: Future<Output = ()>>(
        &mut self,
        cx: &mut Context<'_>,
        slots: &mut Slots<F>,
        serve: &impl Fn(Begun) -> F,
        (stream, ends): (u32, bool),
    ) {
        let link = &self.link;
        if slots.is_full() {
            slots.run(cx);
        }
        // What was begun behind what our farewell named has had nothing done with it, either (RFC 9113, 6.8).
        if slots.is_full() || self.stage == Stage::Last {
            return link.streams.borrow_mut().refuse(stream, Reason::REFUSED_STREAM);
        }
        link.wire.progress();
        let ends = ends || self.intake.take_end(stream);
        let fields = &*link.worker.fields.borrow();
        let (plan, length, to_head, head_bytes) = if fields.is_over() {
            let said = || Head::read(fields, ends).ok().map(|head| head.said());
            let refused = refusal(&link.worker, &link.caller.borrow(), HttpError::TooLarge("the headers"), said);
            let to_head = fields.iter().any(|field| field == (b":method", b"HEAD"));
            (Plan::Answer(refused), None, to_head, HEADERS_BYTES_MAX)
        } else {
            let Ok(head) = Head::read(fields, ends) else {
                link.streams.borrow_mut().refuse(stream, Reason::PROTOCOL_ERROR);
                return link.ended(false);
            };
            (head.plan(&link.worker, &link.caller.borrow(), ends), head.length, head.is_head(), head.bytes())
        };
        // However short it is, it begins the connection's time anew.
        self.is_idle = None;
        slots.begin(|slot| {
            link.streams.borrow_mut().begin(slot, stream, ends, length);
            serve(Begun { link: link.clone(), slot, plan, ends, to_head, head_bytes })
        });
    }

    /// Has streams that wait for room get some, and sends what fills it; true when someone can go on.
    fn pass_data<F: Future<Output = ()>>(&self, cx: &mut Context<'_>, slots: &Slots<F>) -> bool {
        let mut streams = self.link.streams.borrow_mut();
        if !streams.anyone_waits() && streams.has_room() {
            return false;
        }
        if streams.has_room() {
            return streams.grant(|slot| slots.mark(slot));
        }
        let wire = &self.link.wire;
        let failed = !wire.may_send_again(cx) || matches!(wire.poll_send(cx, &mut streams.out), Poll::Ready(Err(_)));
        if failed || !streams.has_room() {
            return false;
        }
        streams.grant(|slot| slots.mark(slot));
        // Reading was left off meanwhile, and nobody waits for what comes.
        true
    }

    /// The connection ends now, for this reason.
    fn say_over(&mut self, reason: Reason) {
        tracing::debug!(client = %self.link.caller.borrow().address, "HTTP/2 is ended: {reason}");
        let last = self.named.unwrap_or(self.intake.last());
        frames::push_goaway(&mut self.link.streams.borrow_mut().out, last, reason);
        self.stage = Stage::Over;
    }

    /// The client has read what we have said of the end.
    fn note_confirmation(&mut self) {
        match &mut self.stage {
            Stage::Asked { confirmed: confirmed @ 0, .. } => {
                *confirmed = 1;
                frames::push(&mut self.link.streams.borrow_mut().out, PING, 0, 0, &FAREWELL);
            }
            Stage::Asked { .. } => self.say_last(),
            _ => {}
        }
    }

    /// The client's last stream is the last one that has come.
    fn say_last(&mut self) {
        let last = *self.named.insert(self.intake.last());
        frames::push_goaway(&mut self.link.streams.borrow_mut().out, last, Reason::NO_ERROR);
        self.stage = Stage::Last;
    }

    /// Whether it was us who shut the reading side.
    fn is_our_end(&self) -> bool {
        self.link.wire.watch.has_expired() || !self.link.keeps()
    }

    /// Sees to the connection's own deadline, and has it end when it is not to be kept; true when there is something to send.
    fn note_idleness(&mut self, is_idle: bool) -> bool {
        if !self.intake.is_greeted() {
            return false;
        }
        let ends = is_idle && self.end_unless_kept();
        if self.is_idle == Some(is_idle) && !ends {
            return false;
        }
        self.is_idle = Some(is_idle);
        self.link.wire.watch.set_idle(is_idle);
        if is_idle {
            self.link.wire.watch.read_within(if self.stage == Stage::Open { self.link.may_idle_ms() } else { FAREWELL_MS });
            self.intake.trim();
        } else {
            self.link.wire.watch.read_done();
        }
        ends
    }

    /// Begins to end a connection that is not to be kept.
    fn end_unless_kept(&mut self) -> bool {
        let ends = self.stage == Stage::Open && !self.link.keeps();
        if ends {
            self.stage = Stage::Asked { by_ms: now_ms() + FAREWELL_MS, confirmed: 0 };
            self.link.closing.set(true);
            let out = &mut self.link.streams.borrow_mut().out;
            frames::push_goaway(out, EVERY_STREAM, Reason::NO_ERROR);
            frames::push(out, PING, 0, 0, &FAREWELL);
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
            self.link.streams.borrow_mut().trim();
            return false;
        }
        tick.as_mut().reset(Instant::now() + TICK);
        self.link.pass_deadlines(|number| slots.mark(number));
        self.end_unless_kept();
        if matches!(self.stage, Stage::Asked { by_ms, .. } if by_ms <= now_ms()) {
            self.say_last();
        }
        self.link.count_moved();
        true
    }
}

/// Answers one request.
async fn serve_stream(begun: Begun) {
    let Begun { link, slot, plan, ends, to_head, head_bytes } = begun;
    let lane = Rc::new(Lane::new(link.clone(), slot));
    let log = plan.log().cloned();
    let logged = log.as_deref().map(|log| Logged { log, worker: &link.worker, lane: &lane });
    add(&lane.received, head_bytes);
    let body = Incoming::new(lane.clone(), ends);
    let whole = match plan {
        // Broken off as soon as it was sent.
        _ if link.streams.borrow().is_reset(slot) => false,
        Plan::Forward(plan) => forward(&link, &lane, plan, body).await,
        Plan::Answer(own) => {
            let sent = Box::pin(answer(&link, &lane, own, to_head)).await;
            let whole = sent && !link.streams.borrow().is_reset(slot);
            if body.goes_on() {
                Box::pin(body.discard()).await;
            }
            whole
        }
    };
    drop(logged);
    link.streams.borrow_mut().end(slot);
    link.ended(whole);
}

/// A request's line in the access log, which is written when this ends: with the connection, if that ends before.
struct Logged<'a> {
    log: &'a Entry,
    worker: &'a Worker,
    lane: &'a Lane,
}

impl Drop for Logged<'_> {
    fn drop(&mut self) {
        self.log.finish(self.worker, self.lane.received.get(), self.lane.sent.get());
    }
}

/// A request that is with a target. Its client has left when this ends, maybe with the connection, before an answer has begun.
struct Waiting<'a> {
    line: &'a ZoneLine,
    lane: &'a Lane,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.lane.answered.get() {
            self.line.answered(CLIENT_LEFT);
        }
    }
}

async fn answer(link: &Link, lane: &Rc<Lane>, own: Own, to_head: bool) -> bool {
    if let Some(site) = &own.site {
        link.comes_to(site);
    }
    count_own_at(&link.worker, link.open.borrow().as_ref(), &own);
    let sent = Outgoing::new(lane.clone(), &PLAIN).page(&own.text, to_head).await;
    link.worker.buffers.give_text_back(own.text);
    if let Some(log) = &own.log {
        log.refused(own.status);
    }
    sent.is_ok()
}

/// Has a target answer; false when the client broke it off, or the rules.
async fn forward(link: &Link, lane: &Rc<Lane>, plan: Forward, mut body: Incoming) -> bool {
    let worker = &*link.worker;
    link.comes_to(&plan.site);
    let mut sink = Outgoing::new(lane.clone(), &plan.site.headers.answers);
    body.gather();
    let waiting = Waiting { line: plan.site.counters.worker(worker.index), lane };
    let end = exchange(worker, &plan, &mut body, &mut sink).await;
    lane.answered.set(lane.answered.get() || end != End::Gone);
    drop(waiting);
    match end {
        End::Answered(_) => {}
        End::Failed(status) => {
            let mut text = worker.buffers.text();
            let headers = &plan.site.headers.answers;
            worker.date.with(|date| write_page(&mut text, status, date, false, plan.to_head, headers));
            let _ = Box::pin(sink.page(&text, plan.to_head)).await;
            worker.buffers.give_text_back(text);
        }
        End::Broken => {}
        End::Gone => sink.reset(Reason::CANCEL),
    }
    // A target that breaks off is not its client's fault.
    let whole = end != End::Gone && !link.streams.borrow().is_reset(lane.slot);
    if end == End::Broken {
        sink.reset(Reason::INTERNAL_ERROR);
    }
    if !plan.keep_alive {
        // "ELB User Guide, Desync mitigation mode: routes ambiguous requests and closes the client and target connections."
        link.spoiled.set(true);
    }
    worker.buffers.give_text_back(plan.head);
    if matches!(end, End::Answered(_) | End::Failed(_)) && body.goes_on() {
        // On the heap, so that requests that are all there do not carry what it needs.
        Box::pin(body.discard()).await;
    }
    whole
}
