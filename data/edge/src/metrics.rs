//! What the edge counts: per target group and worker, so that counting shares nothing, and summed when read.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The counters of one group; each worker has its own, and alone writes them.
#[derive(Debug)]
pub struct GroupCounters(Vec<WorkerCounters>);

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerCounters {
    requests: AtomicU64,
    /// Answers of targets by the first digit of their status, 2 to 5.
    target_statuses: [AtomicU64; 4],
    /// The load balancer's own 502, 503 and 504.
    failures: AtomicU64,
    retries: AtomicU64,
    response_time_us: AtomicU64,
}

/// Sums over workers, as read at one moment. All count from the start of the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTotals {
    /// Requests that a target has answered.
    pub requests: u64,
    pub target_2xx: u64,
    pub target_3xx: u64,
    pub target_4xx: u64,
    pub target_5xx: u64,
    /// Answered with 502, 503 or 504 by the load balancer itself.
    pub failures: u64,
    /// Tries after a first one.
    pub retries: u64,
    /// From a request's dispatch until the head of its answer, summed over `requests`.
    pub response_time_us: u64,
}

impl GroupCounters {
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| WorkerCounters::default()).collect())
    }

    pub fn worker(&self, index: usize) -> &WorkerCounters {
        &self.0[index]
    }

    pub fn totals(&self) -> GroupTotals {
        let sum = |of: fn(&WorkerCounters) -> &AtomicU64| self.0.iter().map(|w| of(w).load(Ordering::Relaxed)).sum();
        GroupTotals {
            requests: sum(|w| &w.requests),
            target_2xx: sum(|w| &w.target_statuses[0]),
            target_3xx: sum(|w| &w.target_statuses[1]),
            target_4xx: sum(|w| &w.target_statuses[2]),
            target_5xx: sum(|w| &w.target_statuses[3]),
            failures: sum(|w| &w.failures),
            retries: sum(|w| &w.retries),
            response_time_us: sum(|w| &w.response_time_us),
        }
    }
}

impl WorkerCounters {
    pub fn answered(&self, status: u16, response_time_us: u64) {
        add(&self.requests, 1);
        if let Some(class) = usize::from(status / 100).checked_sub(2).and_then(|i| self.target_statuses.get(i)) {
            add(class, 1);
        }
        add(&self.response_time_us, response_time_us);
    }

    pub fn failed(&self) {
        add(&self.failures, 1);
    }

    pub fn retried(&self) {
        add(&self.retries, 1);
    }
}

/// Only one thread writes, so it needs no locked instruction.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}
