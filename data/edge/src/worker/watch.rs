//! Deadlines and cuts without a timer per connection: a worker keeps a list of its sockets, each with the moment by
//! which it must have moved, and looks through the list a few times a second while there is any. A socket that is
//! late, or that must go, is shut down; whoever waits on it wakes with an end of stream and asks why.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;

use rustix::net::{Shutdown, shutdown};
use tokio::sync::Notify;

use crate::clock::now_ms;

/// How often the list is looked through; a deadline is met this much late at most.
pub const SWEEP_EVERY_MS: u64 = 250;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A client's, accepted at this address.
    Client(SocketAddr),
    /// One to the target of this number.
    Target(u64),
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
    /// Read and written so far, and how much of both was taken.
    read: Cell<u64>,
    written: Cell<u64>,
    taken: Cell<u64>,
}

/// The sockets of one worker.
#[derive(Debug, Default)]
pub struct Watches {
    entries: RefCell<Vec<Option<Rc<Entry>>>>,
    free: RefCell<Vec<usize>>,
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
            read: Cell::new(0),
            written: Cell::new(0),
            taken: Cell::new(0),
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

    /// Shuts down what is late.
    pub fn sweep(&self) {
        let now = now_ms();
        for entry in self.entries.borrow().iter().flatten() {
            let late = |by: &Cell<u64>| by.get() != 0 && by.get() <= now;
            if late(&entry.write_by) {
                entry.expire(Shutdown::Both);
            } else if late(&entry.read_by) {
                entry.expire(Shutdown::Read);
            }
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

    /// Whether so many sockets are open that no more should be taken in.
    pub fn clients_reach(&self, most: usize) -> bool {
        self.entries.borrow().len() - self.free.borrow().len() >= most
    }

    pub fn clients(&self) -> usize {
        self.entries.borrow().iter().flatten().filter(|e| matches!(e.role, Role::Client(_))).count()
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
        // SAFETY: the entry is in the list only while its `Watch` lives, and that is dropped before the socket is
        // closed, on this same thread; so the descriptor is open and still this socket's.
        let socket = unsafe { BorrowedFd::borrow_raw(self.socket) };
        // An error says that the other side has closed it already.
        let _ = shutdown(socket, how);
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

    pub fn set_idle(&self, idle: bool) {
        self.entry.idle.set(idle);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.list.entries.borrow_mut()[self.index] = None;
        self.list.free.borrow_mut().push(self.index);
    }
}
