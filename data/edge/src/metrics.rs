//! What the edge counts: each worker in lines of its own, so that counting shares nothing, and summed when read. Counters only
//! grow, from the start of the edge; whoever reads them remembers what they were.

use std::array::from_fn;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use world::Histogram;

/// Statuses of the load balancer's own answers.
const STATUSES: std::ops::Range<u16> = 200..600;
/// Buckets of response times: one for what is below a microsecond, then [`Histogram::bucket_of`] from zero on, up to an hour.
pub const BUCKETS: usize = 1 + 32 * 32;

/// What happened at one load balancer in one zone.
#[derive(Debug)]
pub struct ZoneCounters(Box<[ZoneLine]>);

/// What happened at one target group through one zone.
#[derive(Debug)]
pub struct GroupCounters(Box<[GroupLine]>);

/// One worker's, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub struct ZoneLine {
    requests: AtomicU64,
    opened: AtomicU64,
    closed: AtomicU64,
    processed_bytes: AtomicU64,
    fixed_responses: AtomicU64,
    tls_failures: AtomicU64,
    events: [AtomicU64; EVENTS],
    own_answers: [AtomicU32; (STATUSES.end - STATUSES.start) as usize],
}

/// What else may be said of requests, and how often it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Event {
    Redirect,
    RedirectTooLong,
    NonCompliant,
    RuleEvaluation,
    DroppedInvalidHeader,
    ForwardedInvalidHeader,
    Grpc,
    Ipv6Request,
    Ipv6Byte,
    NonSticky,
    /// A client's connection was refused for want of room, or a request for want of a place on connections to its target.
    Rejected,
}

const EVENTS: usize = Event::Rejected as usize + 1;

#[derive(Debug)]
#[repr(align(128))]
pub struct GroupLine {
    requests: AtomicU64,
    unhealthy_routed: AtomicU64,
    grpc_requests: AtomicU64,
    ipv6_requests: AtomicU64,
    /// Answers of targets by the first digit of their status, 2 to 5.
    answers: [AtomicU64; 4],
    connection_errors: AtomicU64,
    tls_errors: AtomicU64,
    response_time_us: AtomicU64,
    /// Since they were last read, not since the start.
    shortest_us: AtomicU64,
    longest_us: AtomicU64,
    /// Made at the first answer: most groups of most workers in most zones have none.
    buckets: OnceLock<Box<[AtomicU32; BUCKETS]>>,
}

/// Sums over workers, as read at one moment.
#[derive(Clone, Debug)]
pub struct ZoneTotals {
    pub requests: u64,
    pub opened: u64,
    pub closed: u64,
    pub processed_bytes: u64,
    pub fixed_responses: u64,
    pub tls_failures: u64,
    events: [u64; EVENTS],
    own_answers: Vec<u32>,
}

/// Likewise.
#[derive(Clone, Debug)]
pub struct GroupTotals {
    pub requests: u64,
    pub unhealthy_routed: u64,
    pub grpc_requests: u64,
    pub ipv6_requests: u64,
    pub answers: [u64; 4],
    pub connection_errors: u64,
    pub tls_errors: u64,
    response_time_us: u64,
    shortest_us: u64,
    longest_us: u64,
    buckets: Vec<u32>,
}

/// A connection that counts as open until this is dropped, by the worker that it belongs to.
#[derive(Debug)]
pub struct Open {
    counters: Arc<ZoneCounters>,
    worker: usize,
}

impl Open {
    pub fn new(counters: &Arc<ZoneCounters>, worker: usize) -> Self {
        add(&counters.worker(worker).opened, 1);
        Self { counters: counters.clone(), worker }
    }

    /// The line of the connection's worker.
    pub fn line(&self) -> &ZoneLine {
        self.counters.worker(self.worker)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        add(&self.line().closed, 1);
    }
}

impl ZoneCounters {
    pub fn new(workers: usize) -> Self {
        let line = |_| ZoneLine {
            requests: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            processed_bytes: AtomicU64::new(0),
            fixed_responses: AtomicU64::new(0),
            tls_failures: AtomicU64::new(0),
            events: from_fn(|_| AtomicU64::new(0)),
            own_answers: from_fn(|_| AtomicU32::new(0)),
        };
        Self((0..workers).map(line).collect())
    }

    pub fn worker(&self, index: usize) -> &ZoneLine {
        &self.0[index]
    }

    pub fn totals(&self) -> ZoneTotals {
        let sum = |of: fn(&ZoneLine) -> &AtomicU64| self.0.iter().map(|line| of(line).load(Ordering::Relaxed)).sum();
        let mut own_answers = vec![0_u32; STATUSES.len()];
        for line in &self.0 {
            add_all(&mut own_answers, &line.own_answers);
        }
        ZoneTotals {
            requests: sum(|line| &line.requests),
            // Read first, a connection that ends meanwhile does not count as less than none.
            closed: sum(|line| &line.closed),
            opened: sum(|line| &line.opened),
            processed_bytes: sum(|line| &line.processed_bytes),
            fixed_responses: sum(|line| &line.fixed_responses),
            tls_failures: sum(|line| &line.tls_failures),
            events: from_fn(|event| self.0.iter().map(|line| line.events[event].load(Ordering::Relaxed)).sum()),
            own_answers,
        }
    }
}

impl ZoneLine {
    /// A target was found for a request, or it was answered by a fixed response.
    pub fn requested(&self) {
        add(&self.requests, 1);
    }

    pub fn processed(&self, bytes: u64) {
        add(&self.processed_bytes, bytes);
    }

    /// The load balancer answered by itself.
    pub fn answered(&self, status: u16) {
        if let Some(counter) = status.checked_sub(STATUSES.start).and_then(|at| self.own_answers.get(usize::from(at))) {
            add_small(counter);
        }
    }

    /// A client's TLS handshake failed.
    pub fn tls_failed(&self) {
        add(&self.tls_failures, 1);
    }

    /// Something happened so many times.
    pub fn count(&self, event: Event, times: u64) {
        add(&self.events[event as usize], times);
    }

    /// It answered by itself because a listener's action says so.
    pub fn fixed(&self) {
        add(&self.fixed_responses, 1);
    }
}

impl ZoneTotals {
    pub fn zero() -> Self {
        ZoneCounters::new(0).totals()
    }

    /// How often it happened since `before`.
    pub fn events_since(&self, before: &Self, event: Event) -> u64 {
        self.events[event as usize].wrapping_sub(before.events[event as usize])
    }

    /// How many own answers of each status came since `before`, without those of which there were none.
    pub fn own_answers_since(&self, before: &Self) -> Vec<(u16, u64)> {
        let new = since(&self.own_answers, &before.own_answers);
        STATUSES.zip(new).filter(|(_, count)| *count > 0).collect()
    }
}

impl GroupCounters {
    pub fn new(workers: usize) -> Self {
        let line = |_| GroupLine {
            requests: AtomicU64::new(0),
            unhealthy_routed: AtomicU64::new(0),
            grpc_requests: AtomicU64::new(0),
            ipv6_requests: AtomicU64::new(0),
            answers: from_fn(|_| AtomicU64::new(0)),
            connection_errors: AtomicU64::new(0),
            tls_errors: AtomicU64::new(0),
            response_time_us: AtomicU64::new(0),
            shortest_us: AtomicU64::new(u64::MAX),
            longest_us: AtomicU64::new(0),
            buckets: OnceLock::new(),
        };
        Self((0..workers).map(line).collect())
    }

    pub fn worker(&self, index: usize) -> &GroupLine {
        &self.0[index]
    }

    /// Reads all, and begins anew to look for the shortest and the longest time.
    pub fn totals(&self) -> GroupTotals {
        let sum = |of: fn(&GroupLine) -> &AtomicU64| self.0.iter().map(|line| of(line).load(Ordering::Relaxed)).sum();
        let mut buckets = vec![0_u32; BUCKETS];
        for counted in self.0.iter().filter_map(|line| line.buckets.get()) {
            add_all(&mut buckets, counted.as_slice());
        }
        let swapped =
            |of: fn(&GroupLine) -> &AtomicU64, rest| self.0.iter().map(move |line| of(line).swap(rest, Ordering::Relaxed));
        GroupTotals {
            requests: sum(|line| &line.requests),
            unhealthy_routed: sum(|line| &line.unhealthy_routed),
            grpc_requests: sum(|line| &line.grpc_requests),
            ipv6_requests: sum(|line| &line.ipv6_requests),
            answers: [
                sum(|line| &line.answers[0]),
                sum(|line| &line.answers[1]),
                sum(|line| &line.answers[2]),
                sum(|line| &line.answers[3]),
            ],
            connection_errors: sum(|line| &line.connection_errors),
            tls_errors: sum(|line| &line.tls_errors),
            response_time_us: sum(|line| &line.response_time_us),
            shortest_us: swapped(|line| &line.shortest_us, u64::MAX).min().unwrap_or(u64::MAX),
            longest_us: swapped(|line| &line.longest_us, 0).max().unwrap_or_default(),
            buckets,
        }
    }
}

impl GroupLine {
    /// A target was found for a request.
    pub fn requested(&self) {
        add(&self.requests, 1);
    }

    /// That request is one of gRPC.
    pub fn requested_by_grpc(&self) {
        add(&self.grpc_requests, 1);
    }

    /// Its client has an IPv6 address.
    pub fn requested_by_ipv6(&self) {
        add(&self.ipv6_requests, 1);
    }

    /// Targets of any health were asked, for want of healthy ones.
    pub fn routed_unhealthy(&self) {
        add(&self.unhealthy_routed, 1);
    }

    /// A target has answered.
    pub fn answered(&self, status: u16, response_time_us: u64) {
        if let Some(class) = usize::from(status / 100).checked_sub(2).and_then(|i| self.answers.get(i)) {
            add(class, 1);
        }
        add(&self.response_time_us, response_time_us);
        if response_time_us < self.shortest_us.load(Ordering::Relaxed) {
            self.shortest_us.store(response_time_us, Ordering::Relaxed);
        }
        if response_time_us > self.longest_us.load(Ordering::Relaxed) {
            self.longest_us.store(response_time_us, Ordering::Relaxed);
        }
        let buckets = self.buckets.get_or_init(|| Box::new(from_fn(|_| AtomicU32::new(0))));
        add_small(&buckets[index_of(response_time_us)]);
    }

    /// A target took no connection.
    pub fn not_connected(&self) {
        add(&self.connection_errors, 1);
    }

    /// A target took a connection, and TLS could not be agreed on.
    pub fn not_agreed(&self) {
        add(&self.tls_errors, 1);
    }
}

impl GroupTotals {
    pub fn zero() -> Self {
        GroupCounters::new(0).totals()
    }

    /// How the response times since `before` are spread.
    pub fn response_times_since(&self, before: &Self) -> Histogram {
        let new = since(&self.buckets, &before.buckets).enumerate().filter(|(_, count)| *count > 0);
        let buckets: Vec<(i16, u64)> = new.map(|(index, count)| (bucket_at(index), count)).collect();
        let (Some((first, _)), Some((last, _))) = (buckets.first(), buckets.last()) else { return Histogram::default() };
        // A reading may fall between a worker's two stores: what it has then missed is told by its bucket.
        let exact = |us: u64, bucket: i16| {
            let is_there = us > 0 && Histogram::bucket_of(us as f64) == bucket;
            if is_there { us as f64 } else { Histogram::value_of(bucket) }
        };
        Histogram {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: self.response_time_us.wrapping_sub(before.response_time_us) as f64,
            min: exact(self.shortest_us, *first),
            max: exact(self.longest_us, *last),
            buckets,
        }
    }
}

fn index_of(us: u64) -> usize {
    usize::try_from(Histogram::bucket_of(us as f64)).map_or(0, |bucket| (bucket + 1).min(BUCKETS - 1))
}

fn bucket_at(index: usize) -> i16 {
    index.checked_sub(1).and_then(|bucket| i16::try_from(bucket).ok()).unwrap_or(i16::MIN)
}

fn add_all(sums: &mut [u32], more: &[AtomicU32]) {
    for (sum, counter) in sums.iter_mut().zip(more) {
        *sum = sum.wrapping_add(counter.load(Ordering::Relaxed));
    }
}

/// What was counted between two readings; counters may have come round.
fn since<'a>(now: &'a [u32], before: &'a [u32]) -> impl Iterator<Item = u64> + 'a {
    now.iter().zip(before).map(|(now, before)| u64::from(now.wrapping_sub(*before)))
}

/// Only one thread writes, so it needs no locked instruction.
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

fn add_small(counter: &AtomicU32) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::{GroupCounters, GroupTotals};

    #[test]
    fn response_times_are_those_since_the_last_reading() {
        let counters = GroupCounters::new(2);
        counters.worker(0).answered(200, 1_000);
        counters.worker(1).answered(503, 0);
        let first = counters.totals();
        let told = first.response_times_since(&GroupTotals::zero());
        assert_eq!((told.count, told.sum, told.min, told.max), (2, 1_000.0, 0.0, 1_000.0));
        assert_eq!(first.answers, [1, 0, 0, 1]);
        counters.worker(1).answered(200, 250);
        counters.worker(1).answered(200, u64::MAX / 4);
        let told = counters.totals().response_times_since(&first);
        assert_eq!((told.count, told.min), (2, 250.0));
        assert_eq!(told.buckets.iter().map(|(_, count)| count).sum::<u64>(), 2);
        assert_eq!(counters.totals().response_times_since(&counters.totals()).count, 0);
    }
}
