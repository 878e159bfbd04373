//! From a client's connection to a target's and back: reads requests, lets [`plan`] decide, forwards, tries again
//! where nothing was lost, answers by itself where it must. It never decides who is healthy.

pub(crate) mod answer;
pub(crate) mod forward;
pub(crate) mod plan;
mod relay;
pub(crate) mod secure;
mod tunnel;

use std::net::SocketAddr;
use std::rc::Rc;

use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;

use crate::clock::now_ms;
use crate::h2;
use crate::http::HttpError;
use crate::http::answer::write_page;
use crate::http::desync::of_refused;
use crate::http::forward::PLAIN;
use crate::http::said::Said;
use crate::http::scan::{HeadScan, HeadSpan};
use crate::log::access::{self, Entry};
use crate::log::connection;
use crate::metrics::{Event, Open, ZoneLine};
use crate::snapshot::{Door, Site};
use crate::stream::Stream;
use crate::tls::Agreed;
use crate::worker::Worker;
use crate::worker::buffer::{Buffer, LARGE_BYTES};
use crate::worker::io::write_all;
use crate::worker::watch::{Role, Watch};
use plan::{By, Own, Plan};

/// A head must be whole this long after its first byte, however it trickles in; less when the idle timeout is less.
const HEAD_MS_MAX: u64 = 60_000;
/// A connection whose time is over waits for so long: a request that is on its way gets its answer, and is told that it is the
/// last one.
const LAST_REQUEST_MS: u64 = 500;
/// What of a refused request is still read, so that the client gets to see the answer.
const LINGER_BYTES_MAX: usize = 256 * 1024;
const LINGER_MS: u64 = 2_000;

/// A client's connection. The watch goes before the socket.
pub struct Client {
    pub watch: Watch,
    pub stream: Stream,
    pub buffer: Buffer,
    pub caller: Caller,
    /// Counts it as open, once it is known where.
    pub open: Option<Open>,
}

/// Who calls: all that a decision over a request needs to know of the connection that carries it.
#[derive(Clone, Debug)]
pub struct Caller {
    pub address: SocketAddr,
    /// Where it came in.
    pub at: SocketAddr,
    /// When its connection is too old for another request; set by the first one.
    pub ends_ms: u64,
    /// What it has agreed on, if it speaks TLS.
    pub tls: Option<Rc<Agreed>>,
    /// Its number among all connections of its worker.
    pub serial: u64,
}

/// What becomes of a client's connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Keep,
    Close,
    /// Close, but let the client read our answer although we have not read all of its request.
    Linger,
}

enum NoRequest {
    /// It ended, or came late without having begun a request.
    Gone,
    /// A request began and did not end in time.
    Late,
    Bad(HttpError),
}

/// Serves a client's connection to its end.
pub async fn serve(worker: Rc<Worker>, socket: TcpStream, address: SocketAddr, at: SocketAddr) {
    let watch = worker.watches.watch(&socket, Role::Client(at));
    let front = worker.snapshot.borrow().doors.get(&at).and_then(|door| door.front.clone());
    let caller = Caller { address, at, ends_ms: u64::MAX, tls: None, serial: worker.next_serial() };
    let mut client = match front {
        None => Client::new(&worker, watch, Stream::Plain(socket), caller),
        // On the heap, and gone before the first request.
        Some(front) => match Box::pin(secure::begin(&worker, &front, watch, socket, caller)).await {
            Some(client) => client,
            None => return,
        },
    };
    if client.caller.tls.as_ref().is_some_and(|tls| tls.http2) {
        return Box::pin(h2::serve::serve(worker, client)).await;
    }
    serve_requests(&worker, &mut client).await;
    client.stream.say_farewell();
    client.count_moved();
    worker.buffers.give_back(std::mem::take(&mut client.buffer));
}

async fn serve_requests(worker: &Worker, client: &mut Client) {
    loop {
        if client.buffer.is_empty() && !await_first_byte(worker, client).await {
            return;
        }
        let next = match plan::plan_at_once(worker, &client.caller, client.buffer.filled()) {
            Some((plan, head)) => carry_out(worker, client, plan, head).await,
            None => Box::pin(read_on(worker, client)).await,
        };
        match next {
            // What comes behind in the same buffer is not read for: others have their turns all the same.
            Next::Keep if !client.buffer.is_empty() => consume_budget().await,
            Next::Keep => {}
            Next::Close => return,
            // On the heap for the sake of idle connections, too.
            Next::Linger => return Box::pin(linger(&mut client.stream, &client.watch)).await,
        }
    }
}

impl Client {
    fn new(worker: &Worker, watch: Watch, stream: Stream, caller: Caller) -> Self {
        let snapshot = worker.snapshot.borrow();
        // Where several load balancers share an address, the first request tells where it counts.
        let site = snapshot.doors.get(&caller.at).and_then(|door| door.site(caller.tls.as_deref(), None));
        let open = site.map(|site| opened(worker, &caller, site.of_connection(caller.serial)));
        Self { watch, stream, buffer: Buffer::default(), caller, open }
    }

    /// A request is for this listener: the connection counts as open there, unless it counts somewhere already, and lives as long
    /// from the first one on as its load balancer allows.
    fn comes_to(&mut self, worker: &Worker, site: &Site) {
        if self.open.is_none() {
            self.open = Some(opened(worker, &self.caller, site));
        }
        if self.caller.ends_ms == u64::MAX {
            self.caller.ends_ms = now_ms().saturating_add(site.balancer.client_keep_alive_ms);
        }
    }

    /// Has its bytes counted where the connection is.
    fn count_moved(&self) {
        if let Some(open) = &self.open {
            count_moved(open.line(), &self.watch, &self.caller);
        }
    }
}

/// Counts what was read and written on a client's connection since the last time.
pub fn count_moved(line: &ZoneLine, watch: &Watch, caller: &Caller) {
    let bytes = watch.take_moved();
    line.processed(bytes);
    if caller.address.is_ipv6() {
        line.count(Event::Ipv6Byte, bytes);
    }
}

/// It is known to which listener a connection leads.
pub fn opened(worker: &Worker, caller: &Caller, site: &Site) -> Open {
    if site.log.is_some() {
        connection::established(worker, caller, site);
    }
    Open::new(&site.counters, worker.index)
}

/// Waits for the rest of a head that has begun to come; what has come is looked through for its end, each byte once.
async fn rest_of_head(worker: &Worker, client: &mut Client) -> Result<HeadSpan, NoRequest> {
    let mut scan = HeadScan::default();
    let by = now_ms() + idle_timeout_ms(worker, client.caller.at).min(HEAD_MS_MAX);
    loop {
        if let Some(span) = scan.advance(client.buffer.filled()).map_err(NoRequest::Bad)? {
            client.watch.read_done();
            return Ok(span);
        }
        if client.buffer.space().is_empty() {
            if client.buffer.capacity() >= LARGE_BYTES {
                return Err(NoRequest::Bad(HttpError::TooLarge("the head")));
            }
            worker.buffers.enlarge(&mut client.buffer);
        }
        match client.stream.read_now(client.buffer.space()).await {
            Ok(0) if client.watch.has_expired() => return Err(NoRequest::Late),
            Ok(0) => return Err(NoRequest::Gone),
            Ok(bytes) => {
                client.watch.moved(bytes);
                client.buffer.filled_by(bytes);
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                client.watch.read_by(by);
                client.stream.readable().await.map_err(|_| NoRequest::Gone)?;
            }
            Err(_) => return Err(NoRequest::Gone),
        }
    }
}

/// Waits between requests, without a buffer; tells whether one has begun.
async fn await_first_byte(worker: &Worker, client: &mut Client) -> bool {
    let mut buffer = std::mem::take(&mut client.buffer);
    loop {
        if !buffer.is_real() {
            buffer = worker.buffers.small();
        }
        match client.stream.read_now(buffer.space()).await {
            Ok(0) => {
                worker.buffers.give_back(buffer);
                return false;
            }
            Ok(bytes) => {
                client.watch.read_done();
                client.watch.moved(bytes);
                buffer.filled_by(bytes);
                client.buffer = buffer;
                return true;
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        worker.buffers.give_back(std::mem::take(&mut buffer));
        let Some(idle_ms) = worker.awaits_for(client.caller.at) else { return false };
        let (now, ends_ms) = (now_ms(), client.caller.ends_ms);
        client.watch.read_by((now + idle_ms).min(ends_ms.max(now).saturating_add(LAST_REQUEST_MS)));
        client.watch.set_idle(true);
        let ready = client.stream.readable().await;
        client.watch.set_idle(false);
        if ready.is_err() {
            return false;
        }
    }
}

pub fn idle_timeout_ms(worker: &Worker, at: SocketAddr) -> u64 {
    worker.snapshot.borrow().doors.get(&at).map_or(Door::IDLE_MS, Door::idle_timeout_ms)
}

/// Serves a request whose head has begun to come, or is not as it should be.
async fn read_on(worker: &Worker, client: &mut Client) -> Next {
    match rest_of_head(worker, client).await {
        Ok(span) => {
            let plan = plan::plan(worker, &client.caller, &client.buffer.filled()[span.begin..]);
            carry_out(worker, client, plan, span.end).await
        }
        Err(NoRequest::Gone) => Next::Close,
        Err(NoRequest::Late) => refuse(worker, client, None).await,
        Err(NoRequest::Bad(error)) => {
            tracing::debug!(client = %client.caller.address, "refused: {error}");
            refuse(worker, client, Some(error)).await
        }
    }
}

/// Does what a plan says; the request's head takes so much of the client's buffer. In a room of the worker's, so that an idle
/// connection does not hold what an exchange needs; not an `async fn`, which would hold the plan twice.
fn carry_out<'a>(worker: &'a Worker, client: &'a mut Client, plan: Plan, head: usize) -> impl Future<Output = Next> + 'a {
    worker.rooms.house(|| async move {
        let line = plan.log().map(|log| Line::begin(log, client));
        client.buffer.consume(head);
        let next = match &plan {
            Plan::Forward(forward) => {
                client.comes_to(worker, &forward.site);
                forward::forward(worker, client, forward).await
            }
            Plan::Answer(own) => {
                count_own(worker, client, own);
                if let Some(log) = &own.log {
                    log.refused(own.status);
                }
                let whole = plan::skip_body(&mut client.buffer, own.framing);
                let idle_ms = idle_timeout_ms(worker, client.caller.at);
                match write_all(&mut client.stream, &client.watch, idle_ms, [&own.text]).await {
                    Err(_) => Next::Close,
                    Ok(()) if !whole => Next::Linger,
                    Ok(()) if own.close => Next::Close,
                    Ok(()) => Next::Keep,
                }
            }
        };
        worker.buffers.give_text_back(plan.into_text());
        if let Some(line) = line {
            line.finish(worker, client);
        }
        client.count_moved();
        next
    })
}

/// A request's line in the access log, and what had been read and written before it.
struct Line {
    log: Rc<Entry>,
    read: u64,
    written: u64,
}

impl Line {
    /// The request is the first thing in the client's buffer.
    fn begin(log: &Rc<Entry>, client: &Client) -> Self {
        let (read, written) = client.watch.so_far();
        Self { log: log.clone(), read: read - client.buffer.filled().len() as u64, written }
    }

    fn finish(&self, worker: &Worker, client: &Client) {
        let (read, written) = client.watch.so_far();
        let received = (read - client.buffer.filled().len() as u64).saturating_sub(self.read);
        self.log.finish(worker, received, written - self.written);
    }
}

fn count_own(worker: &Worker, client: &mut Client, own: &Own) {
    if let Some(site) = &own.site {
        client.comes_to(worker, site);
    }
    count_own_at(worker, client.open.as_ref(), own);
}

/// Counts an answer of our own, on a connection that counts as open there.
pub fn count_own_at(worker: &Worker, open: Option<&Open>, own: &Own) {
    let Some(site) = &own.site else {
        open.iter().for_each(|open| open.line().answered(own.status));
        return;
    };
    let line = site.counters.worker(worker.index);
    line.answered(own.status);
    // "RequestCount: only where the load balancer was able to choose a target", or an action that needs none.
    match own.by {
        By::Fixed => {
            line.requested();
            line.fixed();
        }
        By::Redirect => {
            line.requested();
            line.count(Event::Redirect, 1);
        }
        By::Itself => {}
    }
}

/// Answers what cannot be understood, or without an error came late, and ends the connection: nobody knows where a next request
/// would begin.
async fn refuse(worker: &Worker, client: &mut Client, error: Option<HttpError>) -> Next {
    let status = error.map_or(408, HttpError::status);
    if let Some(open) = &client.open {
        open.line().answered(status);
        if error.and_then(of_refused).is_some() {
            open.line().count(Event::NonCompliant, 1);
        }
    }
    let mut text = worker.buffers.text();
    let (snapshot, tls) = (worker.snapshot.borrow().clone(), client.caller.tls.as_deref());
    let door = snapshot.doors.get(&client.caller.at);
    let headers = door.map_or(&PLAIN, |door| door.answer_headers(tls));
    worker.date.with(|date| write_page(&mut text, status, date, true, false, headers));
    // Late clients had their reading side shut, not their writing side.
    let log = door
        .and_then(|door| door.site(tls, None))
        .and_then(|site| access::begin_refused(worker, &client.caller, site, error, || Said::read(client.buffer.filled())));
    let line = log.map(|log| {
        log.refused(status);
        Line::begin(&log, client)
    });
    let sent = write_all(&mut client.stream, &client.watch, LINGER_MS, [&text]).await;
    worker.buffers.give_text_back(text);
    if let Some(line) = line {
        client.buffer = Buffer::default();
        line.finish(worker, client);
    }
    if sent.is_ok() { Next::Linger } else { Next::Close }
}

/// Says that nothing more comes, and reads on for a moment: closing with unread bytes would make the kernel send a
/// reset, which may overtake the answer.
pub async fn linger(stream: &mut Stream, watch: &Watch) {
    stream.say_farewell();
    let _ = shutdown(&*stream, Shutdown::Write);
    watch.read_by(now_ms() + LINGER_MS);
    let mut sink = [0; 4096];
    let mut left = LINGER_BYTES_MAX;
    while left > 0 {
        match stream.read_now(&mut sink).await {
            Ok(0) => return,
            Ok(bytes) => left = left.saturating_sub(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                if stream.readable().await.is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
