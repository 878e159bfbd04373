//! What the edge counts of flows: each worker in a line of its own, summed when read. Counters only grow.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use world::{FlowCounts, FlowTraffic};

use super::Kind;
use super::segments::Segments;
use crate::metrics::add;
use crate::worker::watch::Watch;

const KINDS: usize = 3;

/// What happened at a network load balancer in one zone.
#[derive(Debug)]
pub struct FlowCounters(Box<[FlowLine]>);

/// One worker's, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct FlowLine {
    opened: [AtomicU64; KINDS],
    closed: [AtomicU64; KINDS],
    /// Begun at the edge before this one, where they counted as new.
    adopted: [AtomicU64; KINDS],
    bytes: [AtomicU64; KINDS],
    packets: AtomicU64,
    client_resets: AtomicU64,
    target_resets: AtomicU64,
    own_resets: AtomicU64,
    rejected: AtomicU64,
    unhealthy_routed: AtomicU64,
    client_tls_errors: AtomicU64,
    target_tls_errors: AtomicU64,
}

/// Sums over workers, as read at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowTotals {
    opened: [u64; KINDS],
    closed: [u64; KINDS],
    adopted: [u64; KINDS],
    bytes: [u64; KINDS],
    pub packets: u64,
    client_resets: u64,
    target_resets: u64,
    own_resets: u64,
    rejected: u64,
    unhealthy_routed: u64,
    client_tls_errors: u64,
    target_tls_errors: u64,
}

/// A flow that counts as active until this is dropped.
#[derive(Debug)]
pub struct Active {
    counters: Arc<FlowCounters>,
    worker: usize,
    kind: Kind,
    segments: Option<Rc<Segments>>,
}

impl Active {
    pub fn new(counters: &Arc<FlowCounters>, worker: usize, kind: Kind) -> Self {
        add(&counters.worker(worker).opened[kind as usize], 1);
        Self { counters: counters.clone(), worker, kind, segments: None }
    }

    /// One that began at the edge before this one.
    pub fn adopt(counters: &Arc<FlowCounters>, worker: usize, kind: Kind) -> Self {
        add(&counters.worker(worker).adopted[kind as usize], 1);
        Self { counters: counters.clone(), worker, kind, segments: None }
    }

    pub fn line(&self) -> &FlowLine {
        self.counters.worker(self.worker)
    }

    /// Has the packets of its client's connection counted.
    pub fn count_segments(&mut self, client: &Watch) {
        let segments = Rc::new(Segments::new(&self.counters, self.worker));
        client.count_segments(segments.clone());
        self.segments = Some(segments);
    }

    /// So many bytes went either way: those of one datagram, or of some part of a connection.
    pub fn moved(&self, bytes: usize) {
        let line = self.line();
        add(&line.bytes[self.kind as usize], bytes as u64);
        if self.kind == Kind::Udp {
            line.packets(1);
        }
        if let Some(segments) = &self.segments {
            segments.moved();
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        add(&self.line().closed[self.kind as usize], 1);
    }
}

impl FlowLine {
    pub fn packets(&self, count: u64) {
        add(&self.packets, count);
    }

    pub fn client_reset(&self) {
        add(&self.client_resets, 1);
    }

    pub fn target_reset(&self) {
        add(&self.target_resets, 1);
    }

    pub fn own_reset(&self) {
        add(&self.own_resets, 1);
    }

    /// There was no room for a flow.
    pub fn rejected(&self) {
        add(&self.rejected, 1);
    }

    /// A flow goes to any target, for want of healthy ones.
    pub fn unhealthy_routed(&self) {
        add(&self.unhealthy_routed, 1);
    }

    pub fn client_tls_failed(&self) {
        add(&self.client_tls_errors, 1);
    }

    pub fn target_tls_failed(&self) {
        add(&self.target_tls_errors, 1);
    }
}

impl FlowCounters {
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| FlowLine::default()).collect())
    }

    pub fn worker(&self, index: usize) -> &FlowLine {
        &self.0[index]
    }

    pub fn totals(&self) -> FlowTotals {
        let sum = |of: fn(&FlowLine) -> &AtomicU64| self.0.iter().map(|line| of(line).load(Ordering::Relaxed)).sum::<u64>();
        let each = |of: fn(&FlowLine) -> &[AtomicU64; KINDS]| {
            std::array::from_fn(|kind| self.0.iter().map(|line| of(line)[kind].load(Ordering::Relaxed)).sum())
        };
        FlowTotals {
            // Read first, a flow that ends meanwhile does not count as less than none.
            closed: each(|line| &line.closed),
            opened: each(|line| &line.opened),
            adopted: each(|line| &line.adopted),
            bytes: each(|line| &line.bytes),
            packets: sum(|line| &line.packets),
            client_resets: sum(|line| &line.client_resets),
            target_resets: sum(|line| &line.target_resets),
            own_resets: sum(|line| &line.own_resets),
            rejected: sum(|line| &line.rejected),
            unhealthy_routed: sum(|line| &line.unhealthy_routed),
            client_tls_errors: sum(|line| &line.client_tls_errors),
            target_tls_errors: sum(|line| &line.target_tls_errors),
        }
    }
}

impl FlowTotals {
    /// What happened since `before`.
    pub fn since(&self, before: &Self) -> FlowTraffic {
        let counts = |kind: Kind| {
            let kind = kind as usize;
            FlowCounts {
                active: (self.opened[kind] + self.adopted[kind]).saturating_sub(self.closed[kind]),
                new: self.opened[kind].wrapping_sub(before.opened[kind]),
                processed_bytes: self.bytes[kind].wrapping_sub(before.bytes[kind]),
            }
        };
        FlowTraffic {
            tcp: counts(Kind::Tcp),
            tls: counts(Kind::Tls),
            udp: counts(Kind::Udp),
            packets: self.packets.wrapping_sub(before.packets),
            client_resets: self.client_resets.wrapping_sub(before.client_resets),
            target_resets: self.target_resets.wrapping_sub(before.target_resets),
            balancer_resets: self.own_resets.wrapping_sub(before.own_resets),
            rejected: self.rejected.wrapping_sub(before.rejected),
            unhealthy_routed: self.unhealthy_routed.wrapping_sub(before.unhealthy_routed),
            target_tls_errors: self.target_tls_errors.wrapping_sub(before.target_tls_errors),
        }
    }

    /// Of all protocols.
    pub fn bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }

    /// TLS handshakes with clients that failed since `before`.
    pub fn client_tls_errors_since(&self, before: &Self) -> u64 {
        self.client_tls_errors.wrapping_sub(before.client_tls_errors)
    }
}
