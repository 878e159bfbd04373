//! Deadlines and cuts without a timer per connection: a worker keeps a list of its sockets, each with the moment by
//! which it must have moved, and looks through the list a few times a second while there is any. A socket that is
//! late, or that must go, is shut down; whoever waits on it wakes with an end of stream and asks why.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, shutdown};
use tokio::sync::Notify;

use crate::clock::now_ms;
use crate::flow::segments::Segments;

/// How often the list is looked through; a deadline is met this much late at most.
pub const SWEEP_EVERY_MS: u64 = 250;
/// How many sweeps after each other a connection's packets are counted.
const COUNT_EVERY_SWEEPS: u32 = 4;
/// Clients' sockets that the kernel is asked about in one call.
const POLLED_MAX: usize = 1_024;
/// What a socket says whose other side has closed it, or its sending half, or has reset it.
const CLOSED: PollFlags = PollFlags::RDHUP.union(PollFlags::HUP).union(PollFlags::ERR);

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A client's, accepted at this address.
    Client(SocketAddr),
    /// One to the target of this number.
    Target(u64),
}

/// Whether a client waits for a target's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Nothing,
    /// By the socket at this place in the list.
    Answer(usize),
    /// Likewise; but the last sweep has found that the client has closed its connection.
    InVain(usize),
    /// So did the next one, and the target's socket was shut down.
    NoMore,
}

#[derive(Debug)]
struct Entry {
    socket: RawFd,
    role: Role,
    /// When a read or a write that waits is late; zero when none waits.
    read_by: Cell<u64>,
    write_by: Cell<u64>,
    expired: Cell<bool>,
    /// Shut down for its target's sake.
    cut: Cell<bool>,
    /// A client's connection between two requests.
    idle: Cell<bool>,
    awaits: Cell<Awaits>,
    /// It was shut down by us, in one direction at least.
    shut: Cell<bool>,
    /// Read and written so far, and how much of both was taken.
    read: Cell<u64>,
    written: Cell<u64>,
    taken: Cell<u64>,
    /// Where its packets are counted.
    segments: OnceCell<Rc<Segments>>,
}

/// The sockets of one worker.
#[derive(Debug, Default)]
pub struct Watches {
    entries: RefCell<Vec<Option<Rc<Entry>>>>,
    free: RefCell<Vec<usize>>,
    sweeps: Cell<u32>,
    /// Told when the first entry comes.
    pub woken: Notify,
}

/// Stands for a socket in the list. It must be dropped before its socket is closed: declare it first.
#[derive(Debug)]
pub struct Watch {
    entry: Rc<Entry>,
    list: Rc<Watches>,
    index: usize,
}

impl Watches {
    pub fn watch(self: &Rc<Self>, socket: &impl AsFd, role: Role) -> Watch {
        let entry = Rc::new(Entry {
            socket: socket.as_fd().as_raw_fd(),
            role,
            read_by: Cell::new(0),
            write_by: Cell::new(0),
            expired: Cell::new(false),
            cut: Cell::new(false),
            idle: Cell::new(false),
            awaits: Cell::new(Awaits::Nothing),
            shut: Cell::new(false),
            read: Cell::new(0),
            written: Cell::new(0),
            taken: Cell::new(0),
            segments: OnceCell::new(),
        });
        let mut entries = self.entries.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            entries.push(None);
            entries.len() - 1
        });
        entries[index] = Some(entry.clone());
        self.woken.notify_one();
        Watch { entry, list: self.clone(), index }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.borrow().len() == self.free.borrow().len()
    }

    /// Shuts down what is late, and what nobody waits for any more.
    pub fn sweep(&self) {
        let now = now_ms();
        let sweeps = self.sweeps.get().wrapping_add(1);
        self.sweeps.set(sweeps);
        let entries = self.entries.borrow();
        let mut waiting = Vec::new();
        for entry in entries.iter().flatten() {
            if sweeps.is_multiple_of(COUNT_EVERY_SWEEPS)
                && let Some(segments) = entry.segments.get()
            {
                segments.look(entry.socket());
            }
            let late = |by: &Cell<u64>| by.get() != 0 && by.get() <= now;
            if late(&entry.write_by) {
                entry.expire(Shutdown::Both);
            } else if late(&entry.read_by) {
                entry.expire(Shutdown::Read);
            }
            if matches!(entry.awaits.get(), Awaits::Answer(_) | Awaits::InVain(_)) {
                waiting.push(&**entry);
            }
        }
        for some in waiting.chunks(POLLED_MAX) {
            end_vain_exchanges(&entries, some);
        }
    }

    /// Ends clients' connections that wait for a request at an address which `closed` names.
    pub fn close_idle(&self, closed: impl Fn(SocketAddr) -> bool) {
        for entry in self.entries.borrow().iter().flatten() {
            if entry.idle.get() && matches!(entry.role, Role::Client(at) if closed(at)) {
                entry.shut(Shutdown::Read);
            }
        }
    }

    /// Cuts every connection to this target.
    pub fn cut_target(&self, target: u64) {
        for entry in self.entries.borrow().iter().flatten().filter(|e| e.role == Role::Target(target)) {
            entry.cut.set(true);
            entry.shut(Shutdown::Both);
        }
    }

    /// Cuts clients' connections at addresses that `ended` names.
    pub fn cut_clients(&self, ended: impl Fn(SocketAddr) -> bool) {
        for entry in self.entries.borrow().iter().flatten() {
            if matches!(entry.role, Role::Client(at) if ended(at)) {
                entry.cut.set(true);
                entry.shut(Shutdown::Both);
            }
        }
    }

    /// Cuts everything, at the end.
    pub fn cut_all(&self) {
        for entry in self.entries.borrow().iter().flatten() {
            entry.cut.set(true);
            entry.shut(Shutdown::Both);
        }
    }

    /// Open connections, to clients and to targets.
    pub fn sockets(&self) -> usize {
        self.entries.borrow().len() - self.free.borrow().len()
    }

    pub fn clients(&self) -> usize {
        self.entries.borrow().iter().flatten().filter(|e| matches!(e.role, Role::Client(_))).count()
    }
}

/// Ends exchanges whose client has closed its connection while it waited for the answer, among these that wait. A client that
/// only ends its sending side looks the same to the kernel: it is given the time between two sweeps, in which most answers come.
fn end_vain_exchanges(entries: &[Option<Rc<Entry>>], waiting: &[&Entry]) {
    let mut polled: Vec<PollFd<'_>> = waiting.iter().map(|e| PollFd::from_borrowed_fd(e.socket(), e.telling())).collect();
    if poll(&mut polled, Some(&Timespec::default())).is_err() {
        return;
    }
    for (entry, told) in waiting.iter().zip(&polled) {
        let is_closed = told.revents().intersects(CLOSED);
        entry.awaits.set(match entry.awaits.get() {
            Awaits::Answer(target) | Awaits::InVain(target) if !is_closed => Awaits::Answer(target),
            Awaits::Answer(target) => Awaits::InVain(target),
            Awaits::InVain(target) => {
                if let Some(Some(target)) = entries.get(target) {
                    target.shut(Shutdown::Both);
                }
                Awaits::NoMore
            }
            other => other,
        });
    }
}

impl Entry {
    fn expire(&self, how: Shutdown) {
        self.expired.set(true);
        self.read_by.set(0);
        self.write_by.set(0);
        self.shut(how);
    }

    fn shut(&self, how: Shutdown) {
        self.shut.set(true);
        // An error says that the other side has closed it already.
        let _ = shutdown(self.socket(), how);
    }

    /// What of [`CLOSED`] the kernel tells only when asked. A reading side that we have shut looks like one that the client has.
    fn telling(&self) -> PollFlags {
        if self.shut.get() { PollFlags::empty() } else { PollFlags::RDHUP }
    }

    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: the entry is in the list only while its `Watch` lives, and that is dropped before the socket is
        // closed, on this same thread; so the descriptor is open and still this socket's.
        unsafe { BorrowedFd::borrow_raw(self.socket) }
    }
}

impl Watch {
    /// A read begins to wait.
    pub fn read_within(&self, ms: u64) {
        self.entry.read_by.set(now_ms() + ms);
    }

    /// A read must be done by this moment, whatever comes before.
    pub fn read_by(&self, moment_ms: u64) {
        self.entry.read_by.set(moment_ms);
    }

    pub fn read_done(&self) {
        self.entry.read_by.set(0);
    }

    pub fn write_within(&self, ms: u64) {
        self.entry.write_by.set(now_ms() + ms);
    }

    pub fn write_done(&self) {
        self.entry.write_by.set(0);
    }

    /// Something moved elsewhere in the same exchange: a read that waits here gets new time.
    pub fn refresh_read(&self, ms: u64) {
        if self.entry.read_by.get() != 0 {
            self.read_within(ms);
        }
    }

    /// Whether it was shut down for being late.
    pub fn has_expired(&self) -> bool {
        self.entry.expired.get()
    }

    /// Whether it was shut down because its target, or everything, ends.
    pub fn was_cut(&self) -> bool {
        self.entry.cut.get()
    }

    /// So many bytes were read.
    pub fn moved(&self, bytes: usize) {
        self.entry.read.set(self.entry.read.get() + bytes as u64);
    }

    /// So many bytes were written.
    pub fn wrote(&self, bytes: usize) {
        self.entry.written.set(self.entry.written.get() + bytes as u64);
    }

    /// Bytes that were read and written so far.
    pub fn so_far(&self) -> (u64, u64) {
        (self.entry.read.get(), self.entry.written.get())
    }

    /// How many were read and written since the last call.
    pub fn take_moved(&self) -> u64 {
        let all = self.entry.read.get() + self.entry.written.get();
        all - self.entry.taken.replace(all)
    }

    /// Has its packets counted now and then, and at its end.
    pub fn count_segments(&self, segments: Rc<Segments>) {
        let _ = self.entry.segments.set(segments);
    }

    pub fn set_idle(&self, idle: bool) {
        self.entry.idle.set(idle);
    }

    /// All of this client's request was sent to a target, and it waits for the answer. Should it go away before that begins, the
    /// target's socket is shut down.
    pub fn awaits(&self, target: &Watch) {
        self.entry.awaits.set(Awaits::Answer(target.index));
    }

    /// The answer begins: from now on, failing writes tell of a client that is gone.
    pub fn answer_begins(&self) {
        if self.entry.awaits.get() != Awaits::NoMore {
            self.entry.awaits.set(Awaits::Nothing);
        }
    }

    /// The exchange is over, and the target's socket may be closed: tells whether it was shut down for the client's sake.
    pub fn has_left(&self) -> bool {
        self.entry.awaits.replace(Awaits::Nothing) == Awaits::NoMore
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(segments) = self.entry.segments.get() {
            segments.count(self.entry.socket());
        }
        self.list.entries.borrow_mut()[self.index] = None;
        self.list.free.borrow_mut().push(self.index);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    const AT: &str = "127.0.0.1:8080";

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener.accept().unwrap().0)
    }

    /// Something has come from the other side: data, the end, or a reset.
    fn await_news(socket: &TcpStream) {
        let _ = socket.peek(&mut [0]);
    }

    /// A client that waits for a target's answer does `what`; tells after how many of ten sweeps it has left, if it has.
    fn left_after(what: impl FnOnce(TcpStream, &TcpStream, &Watches) -> Option<TcpStream>) -> Option<usize> {
        let watches = Rc::<Watches>::default();
        let ((client, accepted), (upstream, mut target)) = (pair(), pair());
        let to_target = watches.watch(&upstream, Role::Target(1));
        let to_client = watches.watch(&accepted, Role::Client(AT.parse().unwrap()));
        to_client.set_idle(true);
        to_client.awaits(&to_target);
        let _client = what(client, &accepted, &watches);
        for sweep in 1..=10 {
            watches.sweep();
            target.set_nonblocking(true).unwrap();
            let is_shut = matches!(target.read(&mut [0]), Ok(0));
            if to_client.entry.awaits.get() == Awaits::NoMore {
                target.set_nonblocking(false).unwrap();
                assert_eq!(target.read(&mut [0]).unwrap(), 0, "the target sees the end");
                assert!(to_client.has_left() && !to_client.has_left());
                return Some(sweep);
            }
            assert!(!is_shut);
        }
        to_client.answer_begins();
        assert!(!to_client.has_left());
        None
    }

    #[test]
    fn a_client_has_left_when_two_sweeps_in_a_row_say_so() {
        let closed = left_after(|client, accepted, _| {
            drop(client);
            await_news(accepted);
            None
        });
        let reset = left_after(|client, accepted, _| {
            rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
            drop(client);
            await_news(accepted);
            None
        });
        let half_closed = left_after(|client, accepted, _| {
            client.shutdown(std::net::Shutdown::Write).unwrap();
            await_news(accepted);
            Some(client)
        });
        assert_eq!((closed, reset, half_closed), (Some(2), Some(2), Some(2)));
    }

    #[test]
    fn a_client_that_is_there_has_not_left() {
        let silent = left_after(|client, _, _| Some(client));
        let ahead = left_after(|mut client, accepted, _| {
            client.write_all(b"GET /next HTTP/1.1").unwrap();
            await_news(accepted);
            Some(client)
        });
        let shut_by_us = left_after(|client, _, watches| {
            watches.close_idle(|_| true);
            Some(client)
        });
        assert_eq!((silent, ahead, shut_by_us), (None, None, None));
    }

    #[test]
    fn clients_that_do_not_wait_for_a_target_are_not_asked_about() {
        let watches = Rc::<Watches>::default();
        let ((client, accepted), (upstream, _target)) = (pair(), pair());
        let to_target = watches.watch(&upstream, Role::Target(1));
        let to_client = watches.watch(&accepted, Role::Client(AT.parse().unwrap()));
        drop(client);
        await_news(&accepted);
        to_client.awaits(&to_target);
        watches.sweep();
        to_client.answer_begins();
        (0..3).for_each(|_| watches.sweep());
        assert!(!to_client.has_left());
        // The next request's exchange begins anew.
        to_client.awaits(&to_target);
        watches.sweep();
        assert!(!to_client.has_left());
    }
}
