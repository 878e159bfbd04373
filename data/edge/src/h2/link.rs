//! What the streams of one client's connection share: who calls, deadlines, and what there is to hold against the client.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ::h2::Reason;

use super::io::Wire;
use super::streams::Streams;
use crate::clock::now_ms;
use crate::metrics::Open;
use crate::proxy::{Caller, count_moved, opened};
use crate::snapshot::Site;
use crate::worker::Worker;

/// Requests that a client may break off beyond those that it lets end, before its connection does (CVE-2023-44487).
const CREDIT_MAX: u32 = 200;
/// Bytes of frames that bring nobody anything: settings, pings, priorities, windows, empty data.
const IDLE_BYTES_MAX: usize = 1024 * 1024;

/// A client's connection, as its streams see it.
pub struct Link {
    pub worker: Rc<Worker>,
    pub caller: RefCell<Caller>,
    pub wire: Rc<Wire>,
    pub streams: RefCell<Streams>,
    /// Counts it as open, once it is known where.
    pub open: RefCell<Option<Open>>,
    /// The client was told that there are to be no more requests after those that are there.
    pub closing: Cell<bool>,
    /// It is to be told so: a request came that is not safe to be followed by others.
    pub spoiled: Cell<bool>,
    idle_ms: u64,
    credit: Cell<u32>,
    deadlines: RefCell<Vec<Deadline>>,
}

/// By when the client must have moved in a stream that waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Deadline {
    #[default]
    None,
    At(u64),
    Passed,
}

impl Link {
    pub fn new(worker: Rc<Worker>, caller: Caller, wire: Rc<Wire>, open: Option<Open>, idle_ms: u64) -> Self {
        Self {
            worker,
            caller: RefCell::new(caller),
            wire,
            streams: RefCell::default(),
            open: RefCell::new(open),
            closing: Cell::new(false),
            spoiled: Cell::new(false),
            idle_ms,
            credit: Cell::new(CREDIT_MAX),
            deadlines: RefCell::default(),
        }
    }

    /// A request is for this listener: the connection counts as open there, unless it counts somewhere already, and lives as long
    /// from the first one on as its load balancer allows.
    pub fn comes_to(&self, site: &Site) {
        self.open.borrow_mut().get_or_insert_with(|| opened(&self.worker, &self.caller.borrow(), site));
        let mut caller = self.caller.borrow_mut();
        if caller.ends_ms == u64::MAX {
            caller.ends_ms = now_ms().saturating_add(site.balancer.client_keep_alive_ms);
        }
    }

    /// Has the connection's bytes counted where it is.
    pub fn count_moved(&self) {
        if let Some(open) = &*self.open.borrow() {
            count_moved(open.line(), &self.wire.watch, &self.caller.borrow());
        }
    }

    /// Whether another request is welcome.
    pub fn keeps(&self) -> bool {
        let caller = self.caller.borrow();
        !self.closing.get() && !self.spoiled.get() && self.worker.keeps(caller.at) && now_ms() < caller.ends_ms
    }

    /// How long it may be without a request, in milliseconds.
    pub fn may_idle_ms(&self) -> u64 {
        self.idle_ms.min(self.caller.borrow().ends_ms.saturating_sub(now_ms()))
    }

    /// A request has ended; `whole` when the client got what it asked for.
    pub fn ended(&self, whole: bool) {
        let credit = self.credit.get();
        self.credit.set(if whole { (credit + 1).min(CREDIT_MAX) } else { credit.saturating_sub(1) });
        self.count_moved();
    }

    /// Why the client is not to be borne any longer.
    pub fn complaint(&self) -> Option<Reason> {
        let is_flood = self.credit.get() == 0 || self.wire.idle_bytes() > IDLE_BYTES_MAX;
        is_flood.then_some(Reason::ENHANCE_YOUR_CALM)
    }

    /// Gives streams' deadlines that have passed to `late`.
    pub fn pass_deadlines(&self, mut late: impl FnMut(usize)) {
        let now = now_ms();
        for (slot, deadline) in self.deadlines.borrow_mut().iter_mut().enumerate() {
            if matches!(*deadline, Deadline::At(by) if by <= now) {
                *deadline = Deadline::Passed;
                late(slot);
            }
        }
    }
}

/// Adds to a count of bytes.
pub fn add(count: &Cell<u64>, bytes: usize) {
    count.set(count.get() + bytes as u64);
}

/// One stream's way to its connection.
pub struct Lane {
    pub link: Rc<Link>,
    pub slot: usize,
    /// Bytes of the stream, without what carries them, as the access log tells them.
    pub received: Cell<u64>,
    pub sent: Cell<u64>,
    /// Its final answer has begun, or is known at least.
    pub answered: Cell<bool>,
}

impl Lane {
    pub fn new(link: Rc<Link>, slot: usize) -> Self {
        let lane = Self { link, slot, received: Cell::new(0), sent: Cell::new(0), answered: Cell::new(false) };
        lane.set(Deadline::None);
        lane
    }

    fn set(&self, deadline: Deadline) {
        let mut deadlines = self.link.deadlines.borrow_mut();
        if deadlines.len() <= self.slot {
            deadlines.resize(self.slot + 1, Deadline::None);
        }
        deadlines[self.slot] = deadline;
    }

    /// The stream waits for its client; true when it has for too long. Whoever waits runs again then.
    pub fn is_late(&self) -> bool {
        let deadline = self.link.deadlines.borrow().get(self.slot).copied().unwrap_or_default();
        if deadline == Deadline::None {
            self.set(Deadline::At(now_ms() + self.link.idle_ms));
        }
        deadline == Deadline::Passed
    }

    /// The client has moved.
    pub fn moved(&self) {
        self.set(Deadline::None);
        self.link.wire.progress();
    }
}
