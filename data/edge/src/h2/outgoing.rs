//! HTTP/2 connections to targets: opened when there is no room on those that are there, shared by the requests of a worker,
//! given up when their target says so, ends them, or has had none for a while. What the requests are is not its business.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use ::h2::{Reason, SendStream};
use ::http::Request;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout, timeout_at};

use crate::clock::now_ms;
use crate::http::scan::HEAD_BYTES_MAX;
use crate::metrics::{Open, ZoneCounters};
use crate::stream::Stream;
use crate::target::Target;
use crate::tls::outgoing::Speaks;
use crate::worker::Worker;
use crate::worker::watch::{Role, Watch};

/// Requests on one connection at a time, if its target allows as many.
pub const STREAMS_MAX: usize = 128;
/// Connections of a worker to one target.
pub const LINKS_MAX: usize = 64;
/// Requests of a worker that wait for a place on connections to one target.
pub const WAITING_MAX: usize = 1_024;
/// Longest life of a connection without requests.
const IDLE_MS_MAX: u64 = 60_000;
/// What a target may send of an answer before its client has taken any of it.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// Likewise of all answers of a connection: those that are not taken do not hold up the others.
const LINK_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * STREAMS_MAX as u32;
/// Bytes of a request that wait for the socket.
const SEND_BUFFER_BYTES_MAX: usize = 128 * 1024;
/// Stands for the number of streams that a target allows while it has not said how many.
const NOT_SAID: usize = usize::MAX >> 1;

/// Why there is no place for a request on a connection.
#[derive(Debug)]
pub enum NoSeat {
    /// All connections that a worker may have to this target are full, and stayed so, or too many wait already.
    Full,
    /// `TimedOut` when it took too long, `InvalidData` when TLS could not be agreed.
    Io(ErrorKind),
}

/// How long a request waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection to open.
    pub connect: Duration,
    /// For a place on one, when there may be no more connections.
    pub room: Duration,
}

/// The HTTP/2 connections of a worker, by target.
#[derive(Debug)]
pub struct Links {
    by_target: RefCell<HashMap<u64, OfTarget>>,
    /// Whose they are.
    worker: Weak<Worker>,
}

#[derive(Debug, Default)]
struct OfTarget {
    links: Vec<Rc<Link>>,
    room: Rc<Room>,
}

/// Where requests wait when all connections to a target are full.
#[derive(Debug, Default)]
struct Room {
    freed: Notify,
    waiting: Cell<usize>,
}

/// Where a request goes that wants a connection to a target.
enum Place {
    On(Rc<Link>),
    /// To the end of those who wait.
    Behind(Rc<Room>),
}

/// Whether a request has waited for its place: one that comes does not go before those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Comes,
    Has,
}

impl OfTarget {
    fn free(&self) -> Option<&Rc<Link>> {
        self.links.iter().find(|link| link.has_room())
    }
}

impl Drop for OfTarget {
    fn drop(&mut self) {
        // Those who wait look for themselves what there is now.
        self.room.freed.notify_waiters();
    }
}

/// One connection, from the moment that it is wanted.
pub struct Link {
    sender: RefCell<Option<SendRequest<Bytes>>>,
    failed: Cell<Option<ErrorKind>>,
    /// Told when it is open, or has failed.
    settled: Notify,
    /// Requests that have a place on it.
    seats: Cell<usize>,
    /// Those that wait until it is open.
    waiting: Cell<usize>,
    idle_since: Cell<u64>,
    /// Its target has answered a request on it.
    served: Cell<bool>,
    room: Rc<Room>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("seats", &self.seats).field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// The right to one stream of a connection; free again when dropped.
#[derive(Debug)]
pub struct Seat {
    link: Rc<Link>,
}

impl Seat {
    fn new(link: Rc<Link>) -> Self {
        link.seats.set(link.seats.get() + 1);
        Self { link }
    }

    /// The target has answered.
    pub fn served(&self) {
        self.link.served.set(true);
    }

    /// Whether it has ever done so on this connection.
    pub fn has_served(&self) -> bool {
        self.link.served.get()
    }

    /// Sends the head of a request.
    pub fn send(&self, head: Request<()>, ends: bool) -> Result<(ResponseFuture, SendStream<Bytes>), ::h2::Error> {
        // Each seat has a sender of its own: one that waits for its stream to open does not hold up the others.
        let sender = self.link.sender.borrow().clone();
        sender.map_or_else(|| Err(Reason::REFUSED_STREAM.into()), |mut sender| sender.send_request(head, ends))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.link.seats.set(self.link.seats.get() - 1);
        self.link.idle_since.set(now_ms());
        self.link.room.freed.notify_one();
    }
}

/// One that waits, as long as it does.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Room {
    /// Waits until there may be a place.
    async fn until_freed(&self, by: Instant) -> Result<(), NoSeat> {
        if self.waiting.get() >= WAITING_MAX {
            return Err(NoSeat::Full);
        }
        let _waiting = Waiting::new(&self.waiting);
        timeout_at(by, self.freed.notified()).await.map_err(|_| NoSeat::Full)
    }
}

impl Link {
    /// Waits until the connection is open.
    async fn until_settled(&self) -> Result<(), NoSeat> {
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let told = self.settled.notified();
            if let Some(kind) = self.failed.get() {
                return Err(NoSeat::Io(kind));
            }
            if self.is_open() {
                return Ok(());
            }
            told.await;
        }
    }

    fn new(room: Rc<Room>) -> Self {
        Self {
            sender: RefCell::default(),
            failed: Cell::default(),
            settled: Notify::new(),
            seats: Cell::new(0),
            waiting: Cell::new(0),
            idle_since: Cell::new(now_ms()),
            served: Cell::new(false),
            room,
        }
    }

    fn is_open(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// Whether another request can go this way, or wait for it. A connection whose target has said goodbye takes none.
    fn has_room(&self) -> bool {
        let mut sender = self.sender.borrow_mut();
        let Some(sender) = sender.as_mut() else {
            return self.failed.get().is_none() && self.waiting.get() < STREAMS_MAX;
        };
        let is_fit = matches!(sender.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())));
        is_fit && self.seats.get() < sender.current_max_send_streams().min(STREAMS_MAX)
    }

    fn settle(&self, outcome: Result<SendRequest<Bytes>, ErrorKind>) {
        match outcome {
            Ok(sender) => *self.sender.borrow_mut() = Some(sender),
            Err(kind) => self.failed.set(Some(kind)),
        }
        self.settled.notify_waiters();
        self.room.freed.notify_waiters();
    }
}

impl Links {
    pub fn new(worker: Weak<Worker>) -> Self {
        Self { by_target: RefCell::default(), worker }
    }

    /// Gives up the connections of a target: those that carry requests end with these.
    pub fn forget(&self, target: u64) {
        self.by_target.borrow_mut().remove(&target);
    }

    /// Keeps only the connections of targets that `keep` names.
    pub fn retain(&self, keep: impl Fn(u64) -> bool) {
        self.by_target.borrow_mut().retain(|target, _| keep(*target));
    }

    /// Gives up connections that have been idle for too long, and those of targets that are no longer there.
    pub fn sweep(&self, keep: impl Fn(u64) -> bool) {
        let oldest = now_ms().saturating_sub(IDLE_MS_MAX);
        self.by_target.borrow_mut().retain(|target, of| {
            of.links.retain(|link| link.seats.get() > 0 || !link.is_open() || link.idle_since.get() >= oldest);
            keep(*target) && !of.links.is_empty()
        });
    }

    /// A connection with room or a new one, unless it is not this request's turn, or there may be no more.
    fn place(&self, target: &Arc<Target>, zone: &Arc<ZoneCounters>, within: Duration, turn: Turn) -> Result<Place, NoSeat> {
        if let Some(of) = self.by_target.borrow().get(&target.number) {
            match of.free() {
                Some(link) if turn == Turn::Has || of.room.waiting.get() == 0 => return Ok(Place::On(link.clone())),
                Some(_) => {
                    // The target may allow more than before, of which nobody tells.
                    of.room.freed.notify_one();
                    return Ok(Place::Behind(of.room.clone()));
                }
                None if of.links.len() >= LINKS_MAX => return Ok(Place::Behind(of.room.clone())),
                None => {}
            }
        }
        self.open(target, zone, within).map(Place::On)
    }

    /// Has the next of those who wait look too, when there is room for it.
    fn pass_on(&self, target: u64) {
        if let Some(of) = self.by_target.borrow().get(&target).filter(|of| of.room.waiting.get() > 0 && of.free().is_some()) {
            of.room.freed.notify_one();
        }
    }

    /// Begins to open one more.
    fn open(&self, target: &Arc<Target>, zone: &Arc<ZoneCounters>, within: Duration) -> Result<Rc<Link>, NoSeat> {
        let worker = self.worker.upgrade().ok_or(NoSeat::Full)?;
        let link = self.add(target.number).ok_or(NoSeat::Full)?;
        // A task of its own: others wait for it too when the request that wanted it is gone.
        spawn_local(carry(worker, target.clone(), zone.clone(), within, Rc::downgrade(&link)));
        Ok(link)
    }

    fn add(&self, target: u64) -> Option<Rc<Link>> {
        let mut by_target = self.by_target.borrow_mut();
        let of = by_target.entry(target).or_default();
        if of.links.len() >= LINKS_MAX {
            return None;
        }
        let link = Rc::new(Link::new(of.room.clone()));
        of.links.push(link.clone());
        Some(link)
    }

    fn remove(&self, target: u64, link: &Weak<Link>) {
        let mut by_target = self.by_target.borrow_mut();
        if let Some(of) = by_target.get_mut(&target) {
            of.links.retain(|other| !std::ptr::eq(Rc::as_ptr(other), link.as_ptr()));
            of.room.freed.notify_waiters();
            if of.links.is_empty() {
                by_target.remove(&target);
            }
        }
    }
}

/// A place for a request on a connection to this target: one that is open, or a new one, on behalf of a load balancer in one
/// of its zones. Where there may be no more connections it waits for a place to come free.
pub async fn seat(links: &Links, target: &Arc<Target>, zone: &Arc<ZoneCounters>, patience: Patience) -> Result<Seat, NoSeat> {
    let (begun, mut turn) = (Instant::now(), Turn::Comes);
    loop {
        let link = match links.place(target, zone, patience.connect, turn)? {
            Place::On(link) => link,
            Place::Behind(room) => {
                // On the heap, so that requests that find a place do not carry what it needs.
                Box::pin(room.until_freed(begun + patience.room)).await?;
                turn = Turn::Has;
                continue;
            }
        };
        if !link.is_open() {
            let settled = timeout_at(begun + patience.connect.max(patience.room), link.until_settled()).await;
            settled.unwrap_or(Err(NoSeat::Io(ErrorKind::TimedOut)))?;
            // It may turn out to have room for fewer than have waited for it.
            if !link.has_room() {
                continue;
            }
        }
        let seat = Seat::new(link);
        if turn == Turn::Has {
            links.pass_on(target.number);
        }
        return Ok(seat);
    }
}

/// A connection with its watch, which goes before the socket.
struct Carrier {
    _watch: Watch,
    connection: Connection<Stream, Bytes>,
}

/// Opens a connection and carries it to its end: until its target ends it, or the last request after it was given up.
async fn carry(worker: Rc<Worker>, target: Arc<Target>, zone: Arc<ZoneCounters>, within: Duration, link: Weak<Link>) {
    let opened = timeout(within, open(&worker, &target)).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    match opened {
        Err(e) => {
            tracing::debug!(target = %target.address, "no HTTP/2 connection: {e}");
            if let Some(link) = link.upgrade() {
                link.settle(Err(e.kind()));
            }
        }
        Ok((sender, mut carrier)) => {
            let _open = Open::new(&zone, worker.index);
            // Whoever holds the link holds the connection: this task does not.
            if let Some(link) = link.upgrade() {
                link.settle(Ok(sender));
            } else {
                drop(sender);
            }
            if let Err(e) = poll_fn(|cx| Pin::new(&mut carrier.connection).poll(cx)).await {
                tracing::debug!(target = %target.address, "an HTTP/2 connection ended: {e}");
            }
        }
    }
    worker.links.remove(target.number, &link);
}

/// Connects, and waits until the target has said what it allows: what does not speak HTTP/2 gets no request.
async fn open(worker: &Worker, target: &Target) -> io::Result<(SendRequest<Bytes>, Carrier)> {
    let stream = worker.connector.open(&target.from, target.address, target.secure.then_some(Speaks::Http2)).await?;
    let watch = worker.watches.watch(&stream, Role::Target(target.number));
    let (sender, connection) = builder().handshake(stream).await.map_err(|e| not_http2(&e))?;
    let mut carrier = Carrier { _watch: watch, connection };
    poll_fn(|cx| match Pin::new(&mut carrier.connection).poll(cx) {
        Poll::Ready(Err(e)) => Poll::Ready(Err(not_http2(&e))),
        Poll::Ready(Ok(())) => Poll::Ready(Err(ErrorKind::ConnectionAborted.into())),
        Poll::Pending if carrier.connection.max_concurrent_send_streams() == NOT_SAID => Poll::Pending,
        Poll::Pending => Poll::Ready(Ok(())),
    })
    .await?;
    Ok((sender, carrier))
}

fn not_http2(error: &::h2::Error) -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, error.to_string())
}

/// How connections to targets are set up.
pub fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(LINK_WINDOW_BYTES)
        .initial_max_send_streams(NOT_SAID)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX);
    builder
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{NoSeat, Room, WAITING_MAX};

    #[test]
    fn so_many_requests_wait_for_a_place_and_no_more() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let (room, by) = (Room::default(), Instant::now() + Duration::from_secs(60));
        let mut cx = Context::from_waker(Waker::noop());
        let wait = || -> Pin<Box<dyn Future<Output = Result<(), NoSeat>> + '_>> { Box::pin(room.until_freed(by)) };
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| wait()).collect();
        assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut cx).is_pending()));
        assert!(matches!(wait().as_mut().poll(&mut cx), Poll::Ready(Err(NoSeat::Full))));
        room.freed.notify_one();
        assert!(matches!(waiting[0].as_mut().poll(&mut cx), Poll::Ready(Ok(()))), "the first that came");
        assert!(waiting[1].as_mut().poll(&mut cx).is_pending());
        let mut next = wait();
        assert!(next.as_mut().poll(&mut cx).is_pending(), "there is room for one more");
        drop(waiting);
        assert_eq!(room.waiting.get(), 1, "who gives up does not count");
    }
}
