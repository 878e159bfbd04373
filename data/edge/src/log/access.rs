//! Access logs ("ELB User Guide, Access logs for your Application Load Balancer: Access log entries"): a line for each request,
//! or for each WebSocket connection at its end. What is known when a request is planned is written down then, since the head
//! is gone later; the rest is noted as it happens.

use std::cell::{Cell, RefCell};
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::text::{Moment, push_millis, push_safe, push_trace_id};
use super::{Channel, Writer};
use crate::h2::grpc::RequestProtocol;
use crate::http::HttpError;
use crate::http::desync::{Class, of_refused};
use crate::http::fields::Known;
use crate::http::forward::{TraceId, host_and_path_of, push_trace, split_port};
use crate::http::head::Request;
use crate::http::said::Said;
use crate::http::text::{push, push_address, push_number};
use crate::proxy::Caller;
use crate::proxy::forward::CLIENT_LEFT;
use crate::route::transform::Rewritten;
use crate::snapshot::Site;
use crate::tls::Agreed;
use crate::worker::Worker;

/// "If the string is longer than 8 KB, it is truncated."
const USER_AGENT_BYTES_MAX: usize = 8 * 1024;

/// What was decided about a request.
#[derive(Debug, Default)]
pub struct Notes {
    /// Priority of the rule that was taken; zero is the default action, none when it did not come to that.
    pub rule: Option<u32>,
    pub action: Option<Action>,
    /// ARN.
    pub group: Option<Arc<str>>,
    pub location: Option<String>,
    pub rewritten: Rewritten,
    /// What became of the rule's transforms, when one of them applied.
    pub transform: Option<&'static str>,
}

/// `actions_executed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Forward,
    Redirect,
    FixedResponse,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Forward => "forward",
            Action::Redirect => "redirect",
            Action::FixedResponse => "fixed-response",
        }
    }
}

/// How a request compares with RFC 7230: class and reason.
pub type Classified = Option<(Class, &'static str)>;

/// A line in the making.
#[derive(Debug)]
pub struct Entry {
    channel: Arc<Channel>,
    kind: &'static str,
    client: SocketAddr,
    begun: Instant,
    begun_at: Moment,
    /// The fields from the request line on, and where among them those about targets go.
    text: RefCell<Vec<u8>>,
    middle: usize,
    target: Cell<Option<SocketAddrV4>>,
    dispatched: Cell<Option<Instant>>,
    headed: Cell<Option<Instant>>,
    sending: Cell<Option<Instant>>,
    status: Cell<u16>,
    target_status: Cell<u16>,
}

/// Begins the line of a request whose head was understood; none when its load balancer logs no requests.
pub fn begin(
    worker: &Worker,
    caller: &Caller,
    site: &Site,
    request: &Request<'_, '_>,
    trace: &TraceId,
    notes: &Notes,
) -> Option<Rc<Entry>> {
    let channel = site.log.as_ref()?.access.as_ref()?;
    let mut text = worker.buffers.text();
    let said = Said {
        method: request.method,
        target: request.target,
        host: request.host,
        version: version(request),
        agent: request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(b"user-agent")).map(|h| h.value),
    };
    push_said(&mut text, caller, site, &said);
    push_tls(&mut text, caller.tls.as_deref());
    push(&mut text, &[" ", notes.group.as_deref().unwrap_or("-"), " \""]);
    let came = request.headers.iter().rfind(|h| h.known == Known::TraceId).map(|h| h.value);
    let mut traced = Vec::with_capacity(64);
    push_trace(&mut traced, came, trace.as_bytes());
    push_safe(&mut text, &traced);
    let classified = request.flaw.map(|flaw| (flaw.class(), flaw.name()));
    let kind = kind(site, request);
    Some(finish_text(worker, caller, channel, kind, text, notes, classified))
}

/// Begins the line of a request that was refused before anybody decided over it, for this error or because it came late. It tells
/// what the head says where that is not malformed.
pub fn begin_refused<'b>(
    worker: &Worker,
    caller: &Caller,
    site: &Site,
    error: Option<HttpError>,
    said: impl FnOnce() -> Option<Said<'b>>,
) -> Option<Rc<Entry>> {
    let channel = site.log.as_ref()?.access.as_ref()?;
    let mut text = worker.buffers.text();
    let is_malformed = matches!(error, Some(HttpError::Syntax(_) | HttpError::LineTooLong));
    match if is_malformed { None } else { said() } {
        Some(said) => push_said(&mut text, caller, site, &said),
        None => push_nothing_said(&mut text, caller, site),
    }
    push_tls(&mut text, caller.tls.as_deref());
    push(&mut text, &[" - \"-"]);
    let kind = match &caller.tls {
        Some(tls) if tls.http2 => "h2",
        Some(_) => "https",
        None => "http",
    };
    Some(finish_text(worker, caller, channel, kind, text, &Notes::default(), error.and_then(of_refused)))
}

/// Writes the fields behind the trace id.
fn finish_text(
    worker: &Worker,
    caller: &Caller,
    channel: &Arc<Channel>,
    kind: &'static str,
    mut text: Vec<u8>,
    notes: &Notes,
    classified: Classified,
) -> Rc<Entry> {
    let begun_at = Moment::now();
    push(&mut text, &["\" \""]);
    let shown = caller.tls.as_deref().and_then(|tls| tls.shown.as_ref());
    match caller.tls.as_deref().and_then(|tls| tls.server_name.as_deref()).filter(|_| shown.is_some_and(|s| s.is_for_host)) {
        Some(name) => push_safe(&mut text, name.as_bytes()),
        None => push(&mut text, &["-"]),
    }
    push(&mut text, &["\" \"", shown.map_or("-", |shown| shown.name()), "\" "]);
    match notes.rule {
        Some(priority) => push_number(&mut text, priority),
        None => push(&mut text, &["-"]),
    }
    push(&mut text, &[" "]);
    begun_at.push(&mut text);
    push(&mut text, &[" \"", notes.action.map_or("-", Action::name), "\" \""]);
    push_safe(&mut text, notes.location.as_deref().unwrap_or("-").as_bytes());
    // No action of those that have reasons for their errors is served here.
    push(&mut text, &["\" \"-\" \""]);
    let middle = text.len();
    let (class, reason) = classified.map_or(("-", "-"), |(class, reason)| (class.name(), reason));
    push(&mut text, &["\" \"", class, "\" \"", reason, "\" "]);
    push_trace_id(&mut text, worker.log.secret(), caller.serial);
    for part in [&notes.rewritten.host, &notes.rewritten.target] {
        push(&mut text, &[" \""]);
        push_safe(&mut text, part.as_deref().unwrap_or("-").as_bytes());
        push(&mut text, &["\""]);
    }
    push(&mut text, &[" \"", notes.transform.unwrap_or("-"), "\" ", channel.node()]);
    Rc::new(Entry {
        channel: channel.clone(),
        kind,
        client: caller.address,
        begun: Instant::now(),
        begun_at,
        text: RefCell::new(text),
        middle,
        target: Cell::new(None),
        dispatched: Cell::new(None),
        headed: Cell::new(None),
        sending: Cell::new(None),
        status: Cell::new(0),
        target_status: Cell::new(0),
    })
}

impl Entry {
    /// This target is to get it; another one may follow.
    pub fn tries(&self, target: SocketAddrV4) {
        self.target.set(Some(target));
    }

    /// It goes to the target now.
    pub fn dispatched(&self) {
        self.dispatched.set(Some(Instant::now()));
    }

    /// The head of an answer has come.
    pub fn headed(&self) {
        self.headed.set(Some(Instant::now()));
    }

    /// The target's final answer begins to go to the client.
    pub fn answered(&self, status: u16) {
        self.sending.set(Some(Instant::now()));
        self.target_status.set(status);
        self.status.set(status);
    }

    /// The load balancer answers by itself.
    pub fn refused(&self, status: u16) {
        self.sending.set(Some(Instant::now()));
        self.target_status.set(0);
        self.status.set(status);
    }

    /// "The time when the load balancer generated a response to the client. For WebSockets, this is the time when the
    /// connection is closed."
    fn time(&self) -> Moment {
        let upgraded = self.target_status.get() == 101;
        let end = self.sending.get().filter(|_| !upgraded).unwrap_or_else(Instant::now);
        self.begun_at.after(end.saturating_duration_since(self.begun))
    }

    /// Writes the line: so many bytes were received for the request, and sent for its answer. A client that got nothing has left.
    pub fn finish(&self, worker: &Worker, received: u64, sent: u64) {
        let text = self.text.take();
        self.write(&worker.log, &text, received, sent);
        worker.buffers.give_text_back(text);
    }

    fn write(&self, log: &Writer, text: &[u8], received: u64, sent: u64) {
        let status = if self.status.get() == 0 { CLIENT_LEFT } else { self.status.get() };
        let target = self.target.get();
        log.line(&self.channel, |out| {
            push(out, &[self.kind, " "]);
            self.time().push(out);
            push(out, &[" ", self.channel.balancer(), " "]);
            push_address(out, self.client.ip(), Some(self.client.port()));
            push(out, &[" "]);
            push_target(out, target);
            self.push_times(out);
            push_number(out, status);
            push(out, &[" "]);
            push_status(out, self.target_status.get());
            push(out, &[" "]);
            push_number(out, received);
            push(out, &[" "]);
            push_number(out, sent);
            push(out, &[" "]);
            out.extend_from_slice(&text[..self.middle]);
            push_target(out, target);
            push(out, &["\" \""]);
            push_status(out, self.target_status.get());
            out.extend_from_slice(&text[self.middle..]);
        });
    }

    /// Until the request was sent, until its answer began, until that was sent on; -1 where no target has answered.
    fn push_times(&self, out: &mut Vec<u8>) {
        let times = (self.dispatched.get(), self.headed.get(), self.sending.get());
        let (Some(dispatched), Some(headed), Some(sending)) = times else { return push(out, &[" -1 -1 -1 "]) };
        if self.target_status.get() == 0 {
            return push(out, &[" -1 -1 -1 "]);
        }
        let times: [Duration; 3] = [
            dispatched.saturating_duration_since(self.begun),
            headed.saturating_duration_since(dispatched),
            sending.saturating_duration_since(headed),
        ];
        push(out, &[" "]);
        for time in times {
            push_millis(out, time);
            push(out, &[" "]);
        }
    }
}

/// `type`: "http, https, h2, grpcs, ws, wss".
fn kind(site: &Site, request: &Request<'_, '_>) -> &'static str {
    match (RequestProtocol::of(request), site.https, request.is_websocket()) {
        (RequestProtocol::Grpc, ..) => "grpcs",
        (RequestProtocol::Http2, ..) => "h2",
        (RequestProtocol::Http1, false, false) => "http",
        (RequestProtocol::Http1, true, false) => "https",
        (RequestProtocol::Http1, false, true) => "ws",
        (RequestProtocol::Http1, true, true) => "wss",
    }
}

fn version(request: &Request<'_, '_>) -> &'static str {
    match (request.http2, request.http11) {
        (true, _) => "HTTP/2.0",
        (false, true) => "HTTP/1.1",
        (false, false) => "HTTP/1.0",
    }
}

/// `request` and `user_agent`, each in quotes with a blank behind.
fn push_said(out: &mut Vec<u8>, caller: &Caller, site: &Site, said: &Said<'_>) {
    push(out, &["\"", said.method, " "]);
    let (host, (slash, path)) = host_and_path_of(said.target, said.host);
    push_origin(out, caller, site, host);
    push(out, &[slash]);
    push_safe(out, path.as_bytes());
    push(out, &[" ", said.version, "\" \""]);
    let agent = said.agent.unwrap_or(b"-");
    push_safe(out, &agent[..agent.len().min(USER_AGENT_BYTES_MAX)]);
    push(out, &["\" "]);
}

/// Likewise, of a request that was not understood.
fn push_nothing_said(out: &mut Vec<u8>, caller: &Caller, site: &Site) {
    push(out, &["\"- "]);
    push_origin(out, caller, site, None);
    push(out, &["- -\" \"-\" "]);
}

/// `protocol://host:port`.
fn push_origin(out: &mut Vec<u8>, caller: &Caller, site: &Site, host: Option<&str>) {
    push(out, &[site.scheme(), "://"]);
    push_safe(out, host.map_or(site.balancer.dns_name.as_str(), |host| split_port(host).0).as_bytes());
    push(out, &[":"]);
    push_number(out, caller.at.port());
}

fn push_tls(out: &mut Vec<u8>, tls: Option<&Agreed>) {
    match tls {
        Some(agreed) => push(out, &[agreed.cipher, " ", agreed.version]),
        None => push(out, &["- -"]),
    }
}

fn push_target(out: &mut Vec<u8>, target: Option<SocketAddrV4>) {
    match target {
        Some(target) => push_address(out, (*target.ip()).into(), Some(target.port())),
        None => push(out, &["-"]),
    }
}

fn push_status(out: &mut Vec<u8>, status: u16) {
    match status {
        0 => push(out, &["-"]),
        status => push_number(out, status),
    }
}
