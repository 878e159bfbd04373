//! Decides what becomes of a request once its head is there, and writes the head that goes on. No waiting here, so
//! nothing borrowed from the buffer outlives it.

use std::rc::Rc;
use std::sync::Arc;

use super::Caller;
use crate::clock::{now_ms, unix_seconds};
use crate::h2::grpc::{self, RequestProtocol};
use crate::http::HttpError;
use crate::http::answer::{OwnAnswer, write, write_page, write_plain_to_https, write_with_page};
use crate::http::desync::{Treatment, of_refused, treat};
use crate::http::fields::Headers;
use crate::http::forward::{AnswerHeaders, PLAIN, RequestRules, TraceId, host_and_path, write_request};
use crate::http::head::{Answer, Framing, Request, parse_request, whole_head};
use crate::http::said::Said;
use crate::log::access::{self, Entry, Notes};
use crate::metrics::Event;
use crate::route::action::{Action, Called};
use crate::route::condition::Subject;
use crate::route::session::{self, Session};
use crate::route::transform::Rewritten;
use crate::snapshot::Site;
use crate::target::{Group, InFlight, Seeker};
use crate::worker::Worker;
use crate::worker::buffer::Buffer;

/// Longest address that a redirect may lead to.
const LOCATION_BYTES_MAX: usize = 8 * 1024;

pub enum Plan {
    Forward(Forward),
    Answer(Own),
}

/// An answer of our own, ready to send.
pub struct Own {
    pub status: u16,
    pub by: By,
    /// Whose answer it is, when it is anybody's.
    pub site: Option<Arc<Site>>,
    pub text: Vec<u8>,
    /// Where the request's body ends.
    pub framing: Framing,
    pub close: bool,
    /// Its line in the access log.
    pub log: Option<Rc<Entry>>,
}

/// Who decided that no target answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A listener's action.
    Fixed,
    Redirect,
    /// The load balancer itself.
    Itself,
}

/// A request on its way to a target.
pub struct Forward {
    pub site: Arc<Site>,
    pub group: Arc<Group>,
    /// When its action or its group is sticky.
    pub session: Option<Box<Session>>,
    /// The head as the target gets it.
    pub head: Vec<u8>,
    pub framing: Framing,
    /// Doing it twice is the same as doing it once (RFC 9110, 9.2.2).
    pub idempotent: bool,
    pub to_head: bool,
    /// It is a request of gRPC.
    pub grpc: bool,
    /// Its client has an IPv6 address.
    pub ipv6: bool,
    /// The protocol that the client's connection is to change to.
    pub upgrade: Option<Box<str>>,
    pub client_http11: bool,
    /// The client's connection may be kept.
    pub keep_alive: bool,
    /// The target's may be, too.
    pub keep_target: bool,
    /// Its line in the access log.
    pub log: Option<Rc<Entry>>,
}

impl Plan {
    pub fn log(&self) -> Option<&Rc<Entry>> {
        match self {
            Plan::Forward(forward) => forward.log.as_ref(),
            Plan::Answer(own) => own.log.as_ref(),
        }
    }

    /// The text that was made for it.
    pub fn into_text(self) -> Vec<u8> {
        match self {
            Plan::Forward(forward) => forward.head,
            Plan::Answer(own) => own.text,
        }
    }

    fn set_log(&mut self, entry: Option<Rc<Entry>>) {
        match self {
            Plan::Forward(forward) => forward.log = entry,
            Plan::Answer(own) => own.log = entry,
        }
    }
}

/// What becomes of the request that the bytes begin with, and the length of its head; nothing when that is not there, or not as
/// it should be.
pub fn plan_at_once(worker: &Worker, caller: &Caller, bytes: &[u8]) -> Option<(Plan, usize)> {
    let mut headers = Headers::new();
    let (request, length) = parse_request(bytes, &mut headers).ok()??;
    Some((decide(worker, caller, &request), length))
}

/// What becomes of the request that the bytes begin with, whose head is known to be whole.
pub fn plan(worker: &Worker, caller: &Caller, bytes: &[u8]) -> Plan {
    let mut headers = Headers::new();
    match whole_head(parse_request(bytes, &mut headers)) {
        Ok(request) => decide(worker, caller, &request),
        Err(error) => Plan::Answer(refusal(worker, caller, error, || Said::read(bytes))),
    }
}

/// What becomes of a request, whatever carried it.
pub fn decide(worker: &Worker, caller: &Caller, request: &Request<'_, '_>) -> Plan {
    let snapshot = worker.snapshot.borrow();
    let keep_alive = request.keep_alive && worker.stays() && now_ms() < caller.ends_ms;
    let Some(door) = snapshot.doors.get(&caller.at) else {
        return Plan::Answer(page(worker, request, 503, None, false));
    };
    let tls = caller.tls.as_deref();
    if tls.is_none() && door.speaks_tls_only() {
        // Its listener has changed while the connection was kept.
        return Plan::Answer(plain_to_https(worker, request, door.answer_headers(tls)));
    }
    let Some(site) = door.site(tls, host_and_path(request).0) else {
        return Plan::Answer(unknown_host(worker, request, door.sites(tls), keep_alive && request.is_whole));
    };
    let site = site.of_connection(caller.serial);
    count(worker, caller, site, request);
    let (mut notes, trace) = (Notes::default(), trace_id(worker));
    let mut plan = route(worker, caller, request, site, keep_alive, &trace, &mut notes);
    if site.log.is_some() {
        plan.set_log(access::begin(worker, caller, site, request, &trace, &notes));
    }
    plan
}

/// Notes what CloudWatch hears of a request beside what becomes of it.
fn count(worker: &Worker, caller: &Caller, site: &Site, request: &Request<'_, '_>) {
    let line = site.counters.worker(worker.index);
    if request.flaw.is_some() {
        line.count(Event::NonCompliant, 1);
    }
    if caller.address.is_ipv6() {
        line.count(Event::Ipv6Request, 1);
    }
    if RequestProtocol::of(request) == RequestProtocol::Grpc {
        line.count(Event::Grpc, 1);
    }
}

/// What becomes of a request at this listener.
fn route(
    worker: &Worker,
    caller: &Caller,
    request: &Request<'_, '_>,
    site: &Arc<Site>,
    keep_alive: bool,
    trace: &TraceId,
    notes: &mut Notes,
) -> Plan {
    let treatment = treat(site.balancer.http.desync, request.flaw);
    if treatment == Treatment::Block {
        tracing::debug!(client = %caller.address, "blocked: {:?}", request.flaw);
        return Plan::Answer(blocked(worker, site));
    }
    let keep_alive = keep_alive && treatment == Treatment::Pass;
    // An answer of ours does not wait for the rest of a body, with which the connection then ends.
    let keep_own = keep_alive && request.is_whole;
    let subject = Subject::of(request, caller.address.ip());
    let rule = site.route.decide(&subject);
    notes.rule = Some(rule.priority);
    if rule.evaluated > 0 {
        site.counters.worker(worker.index).count(Event::RuleEvaluation, rule.evaluated as u64);
    }
    match rule.action {
        Action::Fixed { status, content_type, body } => {
            notes.action = Some(access::Action::FixedResponse);
            let mut text = worker.buffers.text();
            let to_head = request.method == "HEAD";
            let headers = &site.headers.answers;
            let answer = OwnAnswer { status: *status, content_type, body, close: !keep_own, location: None, to_head, headers };
            worker.date.with(|date| write(&mut text, date, &answer));
            Plan::Answer(Own { by: By::Fixed, ..own(*status, Some(site), text, request, keep_own) })
        }
        Action::Redirect(redirect) => {
            let called = Called { protocol: site.scheme(), dns_name: &site.balancer.dns_name, port: caller.at.port() };
            let (location, to_head) = (redirect.location(&subject, called), request.method == "HEAD");
            // "HTTP 507: The redirect URL is too long" ("ELB User Guide, Troubleshoot your Application Load Balancers").
            if location.len() > LOCATION_BYTES_MAX {
                site.counters.worker(worker.index).count(Event::RedirectTooLong, 1);
                return Plan::Answer(page(worker, request, 507, Some(site), keep_own));
            }
            let mut text = worker.buffers.text();
            let answer = OwnAnswer {
                status: redirect.status,
                content_type: "",
                body: &[],
                close: !keep_own,
                location: Some(&location),
                to_head,
                headers: &site.headers.answers,
            };
            worker.date.with(|date| write_with_page(&mut text, date, &answer));
            (notes.action, notes.location) = (Some(access::Action::Redirect), Some(location));
            Plan::Answer(Own { by: By::Redirect, ..own(redirect.status, Some(site), text, request, keep_own) })
        }
        Action::Forward(forwarding) => {
            notes.action = Some(access::Action::Forward);
            let Some((group, session)) = session::begin(forwarding, request.headers, site.https, &worker.rng) else {
                return Plan::Answer(page(worker, request, 503, Some(site), keep_own));
            };
            let protocol = RequestProtocol::of(request);
            if !protocol.fits(request.method, group.version) {
                return Plan::Answer(page(worker, request, grpc::INCOMPATIBLE, Some(site), keep_own));
            }
            let rewritten = rule.transforms.map_or(Ok(Rewritten::default()), |transforms| transforms.apply(request));
            if site.log.is_some() {
                notes.group = Some(group.id.clone());
            }
            let rewritten = match rewritten {
                Ok(rewritten) => rewritten,
                Err(unusable) => {
                    notes.transform = Some(unusable.name());
                    return Plan::Answer(page(worker, request, 500, Some(site), keep_own));
                }
            };
            let on_its_way = rewritten.of(request);
            let keep_target = treatment == Treatment::Pass;
            let forward = forward(worker, caller, &on_its_way, site, group, keep_alive, trace);
            if !rewritten.is_as_it_was() {
                (notes.transform, notes.rewritten) = (Some("TransformSuccess"), rewritten);
            }
            Plan::Forward(Forward { session, keep_target, grpc: protocol == RequestProtocol::Grpc, ..forward })
        }
    }
}

fn forward(
    worker: &Worker,
    caller: &Caller,
    request: &Request<'_, '_>,
    site: &Arc<Site>,
    group: Arc<Group>,
    keep_alive: bool,
    trace: &TraceId,
) -> Forward {
    let mut head = worker.buffers.text();
    let balancer = &site.balancer;
    let rules = RequestRules {
        client: caller.address,
        port: caller.at.port(),
        dns_name: &balancer.dns_name,
        preserve_host: balancer.preserve_host,
        drop_invalid: balancer.drop_invalid,
        forwarded_for: balancer.http.forwarded_for,
        client_port: balancer.http.forwarded_client_port,
        listener: &site.headers,
        trace,
        tls: caller.tls.as_deref(),
        tls_headers: balancer.http.tls_headers,
    };
    if write_request(&mut head, request, &rules) {
        let event = if balancer.drop_invalid { Event::DroppedInvalidHeader } else { Event::ForwardedInvalidHeader };
        site.counters.worker(worker.index).count(event, 1);
    }
    Forward {
        group,
        log: None,
        session: None,
        head,
        framing: request.framing,
        idempotent: matches!(request.method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS") && request.upgrade.is_none(),
        to_head: request.method == "HEAD",
        grpc: false,
        ipv6: caller.address.is_ipv6(),
        upgrade: request.upgrade.map(Box::from),
        client_http11: request.http11,
        keep_alive,
        keep_target: true,
        site: site.clone(),
    }
}

impl Forward {
    /// A target was found for it.
    pub fn count(&self, worker: &Worker) {
        self.site.counters.worker(worker.index).requested();
        let group = self.group.counters[self.site.node].worker(worker.index);
        group.requested();
        if self.grpc {
            group.requested_by_grpc();
        }
        if self.ipv6 {
            group.requested_by_ipv6();
        }
    }

    /// Chooses a target, other than those that failed this request.
    pub fn choose(&self, worker: &Worker, tried: &[u64], now_ms: u64) -> Option<InFlight> {
        let wanted = self.session.as_ref().and_then(|session| session.wanted);
        if tried.is_empty() && self.group.fail_open.is_set(self.site.node) {
            self.group.counters[self.site.node].worker(worker.index).routed_unhealthy();
        }
        let seeker = Seeker { node: self.site.node, now_ms, tried, wanted };
        let flight = self.group.choose(seeker, &mut worker.rng.borrow_mut())?;
        if let Some(session) = &self.session {
            session.chose(flight.target().scope);
            if tried.is_empty() && session.is_bound() && wanted != Some(flight.target().scope) {
                self.site.counters.worker(worker.index).count(Event::NonSticky, 1);
            }
        }
        Some(flight)
    }

    /// Values of the cookies that its answer gets.
    pub fn cookies(&self, worker: &Worker, answer: &Answer<'_, '_>) -> Vec<String> {
        match &self.session {
            Some(session) if answer.status >= 200 || answer.status == 101 => {
                session.cookies(&self.group, answer.headers, &mut worker.rng.borrow_mut())
            }
            _ => Vec::new(),
        }
    }
}

fn own(status: u16, site: Option<&Arc<Site>>, text: Vec<u8>, request: &Request<'_, '_>, keep_alive: bool) -> Own {
    let (by, framing, close) = (By::Itself, request.framing, !keep_alive);
    Own { status, by, site: site.cloned(), text, framing, close, log: None }
}

fn trace_id(worker: &Worker) -> TraceId {
    let mut rng = worker.rng.borrow_mut();
    TraceId::new(unix_seconds(), (rng.u64(..), rng.u32(..)))
}

/// The desync mode lets this request not pass. What follows it on its connection is not read.
fn blocked(worker: &Worker, site: &Arc<Site>) -> Own {
    let mut text = worker.buffers.text();
    worker.date.with(|date| write_page(&mut text, 400, date, true, false, &site.headers.answers));
    let (status, by, framing, close) = (400, By::Itself, Framing::UntilClose, true);
    Own { status, by, site: Some(site.clone()), text, framing, close, log: None }
}

/// A request cannot be served, whoever it is for; `said` is what its head tells all the same.
pub fn refusal<'b>(worker: &Worker, caller: &Caller, error: HttpError, said: impl FnOnce() -> Option<Said<'b>>) -> Own {
    tracing::debug!(client = %caller.address, "refused: {error}");
    let mut text = worker.buffers.text();
    let (status, by, framing, close) = (error.status(), By::Itself, Framing::UntilClose, true);
    let (snapshot, tls) = (worker.snapshot.borrow(), caller.tls.as_deref());
    let door = snapshot.doors.get(&caller.at);
    let headers = door.map_or(&PLAIN, |door| door.answer_headers(tls));
    worker.date.with(|date| write_page(&mut text, status, date, true, false, headers));
    let log = door.and_then(|door| door.site(tls, None)).and_then(|site| {
        if of_refused(error).is_some() {
            site.counters.worker(worker.index).count(Event::NonCompliant, 1);
        }
        access::begin_refused(worker, caller, site, Some(error), said)
    });
    // Where its body ends is not known.
    Own { status, by, site: None, text, framing, close, log }
}

fn page(worker: &Worker, request: &Request<'_, '_>, status: u16, site: Option<&Arc<Site>>, keep_alive: bool) -> Own {
    let mut text = worker.buffers.text();
    let headers = site.map_or(&PLAIN, |site| &site.headers.answers);
    worker.date.with(|date| write_page(&mut text, status, date, !keep_alive, request.method == "HEAD", headers));
    own(status, site, text, request, keep_alive)
}

/// Plain text where only TLS is spoken.
fn plain_to_https(worker: &Worker, request: &Request<'_, '_>, headers: &AnswerHeaders) -> Own {
    let mut text = worker.buffers.text();
    worker.date.with(|date| write_plain_to_https(&mut text, date, headers));
    own(400, None, text, request, false)
}

/// Several load balancers share this address and none has the name that was called.
fn unknown_host(worker: &Worker, request: &Request<'_, '_>, sites: &[Arc<Site>], keep_alive: bool) -> Own {
    let called = host_and_path(request).0.unwrap_or("no host");
    let names: Vec<&str> = sites.iter().map(|s| s.balancer.dns_name.as_str()).collect();
    let body = format!("No load balancer here is called {called}. Those that listen here are: {}\n", names.join(", "));
    let mut text = worker.buffers.text();
    let to_head = request.method == "HEAD";
    let (content_type, headers) = ("text/plain; charset=utf-8", &PLAIN);
    let answer =
        OwnAnswer { status: 404, content_type, body: body.as_bytes(), close: !keep_alive, location: None, to_head, headers };
    worker.date.with(|date| write(&mut text, date, &answer));
    own(404, None, text, request, keep_alive)
}

/// How much of the body lies in the buffer, when all of it does.
pub fn body_at_hand(buffer: &Buffer, framing: Framing) -> Option<usize> {
    match framing {
        Framing::None => Some(0),
        Framing::Length(length) => usize::try_from(length).ok().filter(|length| *length <= buffer.filled().len()),
        Framing::Chunked | Framing::UntilClose => None,
    }
}

/// Drops the body of a request from the buffer; false when it is not all there.
pub fn skip_body(buffer: &mut Buffer, framing: Framing) -> bool {
    let at_hand = body_at_hand(buffer, framing);
    buffer.consume(at_hand.unwrap_or(0));
    at_hand.is_some()
}
