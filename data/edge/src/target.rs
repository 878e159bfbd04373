//! What all workers share of a target and of a target group: health, requests under way, whose turn it is; and the
//! choice of a target for a request. Everything shared is an atomic number.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use base::NetworkInterfaceId;
use fastrand::Rng;
use tokio::sync::Notify;
use world::Algorithm;

use crate::metrics::GroupCounters;

/// How long a target that refused a connection is left alone; then one request tries it, while others go on
/// avoiding it. A passed health check ends it sooner.
const ASIDE_MS: u64 = 1_000;

/// Health as far as routing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// Not yet checked: gets nothing.
    Initial,
    Healthy,
    /// Gets requests only when no target of its group is healthy.
    Unhealthy,
    /// Deregistered.
    Draining,
}

/// One registration of a target, as the traffic plane sees it.
#[derive(Debug)]
pub struct Target {
    /// Unique in the life of this process.
    pub number: u64,
    pub address: SocketAddrV4,
    /// The load balancer's interface from which it is reached.
    pub from: NetworkInterfaceId,
    standing: AtomicU8,
    /// Until when it is set aside, in the edge's milliseconds; zero when it is not.
    aside_until: AtomicU64,
    /// Since when it is healthy, for the slow start; zero when it needs none.
    warming_since: AtomicU64,
    outstanding: AtomicU32,
    /// Cut: what is under way ends without a retry.
    cut: AtomicBool,
    /// Told when the last request of a draining target ends.
    idle: Arc<Notify>,
}

impl Target {
    pub fn new(number: u64, address: SocketAddrV4, from: NetworkInterfaceId, idle: Arc<Notify>) -> Self {
        Self {
            number,
            address,
            from,
            standing: AtomicU8::new(Standing::Initial as u8),
            aside_until: AtomicU64::new(0),
            warming_since: AtomicU64::new(0),
            outstanding: AtomicU32::new(0),
            cut: AtomicBool::new(false),
            idle,
        }
    }

    pub fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::Initial,
            1 => Standing::Healthy,
            2 => Standing::Unhealthy,
            _ => Standing::Draining,
        }
    }

    pub fn set_standing(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Release);
    }

    /// Begins the slow start of a target that has become healthy.
    pub fn warm_from(&self, now_ms: u64) {
        self.warming_since.store(now_ms, Ordering::Relaxed);
    }

    /// Requests under way.
    pub fn outstanding(&self) -> u32 {
        self.outstanding.load(Ordering::Acquire)
    }

    /// It refused a connection, or fell silent: others are tried first for a while.
    pub fn set_aside(&self, now_ms: u64) {
        self.aside_until.store(now_ms + ASIDE_MS, Ordering::Relaxed);
    }

    /// It answered.
    pub fn call_back(&self) {
        if self.aside_until.load(Ordering::Relaxed) != 0 {
            self.aside_until.store(0, Ordering::Relaxed);
        }
    }

    pub fn set_cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Whether requests avoid it now.
    fn is_aside(&self, now_ms: u64) -> bool {
        self.aside_until.load(Ordering::Relaxed) > now_ms
    }

    /// It was chosen: when its time aside is over, this request alone tries it, and others go on avoiding it.
    fn claim_trial(&self, now_ms: u64) {
        let until = self.aside_until.load(Ordering::Relaxed);
        if until != 0 && until <= now_ms {
            self.set_aside(now_ms);
        }
    }

    /// The share of its turns that a warming target takes; one when it is warm.
    fn warmth(&self, now_ms: u64, slow_start_ms: u64) -> f32 {
        let since = self.warming_since.load(Ordering::Relaxed);
        if slow_start_ms == 0 || since == 0 {
            return 1.0;
        }
        let elapsed = now_ms.saturating_sub(since);
        if elapsed >= slow_start_ms {
            self.warming_since.store(0, Ordering::Relaxed);
            return 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
        let share = elapsed as f32 / slow_start_ms as f32;
        share
    }
}

/// A request under way at a target. It counts from the choice until it is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Target>);

impl InFlight {
    fn new(target: &Arc<Target>, now_ms: u64) -> Self {
        target.claim_trial(now_ms);
        target.outstanding.fetch_add(1, Ordering::AcqRel);
        Self(target.clone())
    }

    pub fn target(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let left = self.0.outstanding.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == 0 && self.0.standing() == Standing::Draining {
            self.0.idle.notify_one();
        }
    }
}

/// A target group as the workers route to it.
#[derive(Debug)]
pub struct Group {
    pub algorithm: Algorithm,
    pub slow_start_ms: u64,
    /// Registered targets that are not draining.
    pub targets: Vec<Arc<Target>>,
    /// Shared by all versions of the group, so that a change does not begin the round anew.
    pub turn: Arc<AtomicUsize>,
    /// One for each node of the load balancer.
    pub counters: Vec<Arc<GroupCounters>>,
}

/// Who may be chosen: the healthy; when none is and some were found unhealthy, these ("ELB User Guide, Target group
/// health: fail open").
#[derive(Clone, Copy, Debug)]
struct Eligible {
    standing: Standing,
    avoid_aside: bool,
}

impl Group {
    /// Chooses a target, other than those tried already.
    pub fn choose(&self, now_ms: u64, rng: &mut Rng, tried: &[u64]) -> Option<InFlight> {
        let standing =
            if self.targets.iter().any(|t| t.standing() == Standing::Healthy) { Standing::Healthy } else { Standing::Unhealthy };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        [true, false].into_iter().find_map(|avoid_aside| {
            let eligible = Eligible { standing, avoid_aside };
            match self.algorithm {
                Algorithm::RoundRobin | Algorithm::WeightedRandom => self.in_turn(turn, now_ms, rng, tried, eligible),
                Algorithm::LeastOutstandingRequests => self.least_busy(turn, now_ms, tried, eligible),
            }
        })
    }

    fn may_take(target: &Target, now_ms: u64, tried: &[u64], eligible: Eligible) -> bool {
        target.standing() == eligible.standing
            && !tried.contains(&target.number)
            && !(eligible.avoid_aside && target.is_aside(now_ms))
    }

    /// The next one; where that cannot take it, the turns of those that cannot are spread evenly over the others.
    fn in_turn(&self, turn: usize, now_ms: u64, rng: &mut Rng, tried: &[u64], eligible: Eligible) -> Option<InFlight> {
        let next = self.targets.get(turn.checked_rem(self.targets.len())?)?;
        if Self::may_take(next, now_ms, tried, eligible) && self.is_warm_enough(next, now_ms, rng) {
            return Some(InFlight::new(next, now_ms));
        }
        let others: Vec<&Arc<Target>> = self.targets.iter().filter(|t| Self::may_take(t, now_ms, tried, eligible)).collect();
        let spread = others.get(turn.checked_rem(others.len())?)?;
        let warm =
            others.iter().cycle().skip(turn % others.len()).take(others.len()).find(|t| self.is_warm_enough(t, now_ms, rng));
        Some(InFlight::new(warm.unwrap_or(spread), now_ms))
    }

    fn is_warm_enough(&self, target: &Target, now_ms: u64, rng: &mut Rng) -> bool {
        let warmth = target.warmth(now_ms, self.slow_start_ms);
        warmth >= 1.0 || rng.f32() < warmth
    }

    /// The one with the fewest requests under way; among equals, in turn.
    fn least_busy(&self, turn: usize, now_ms: u64, tried: &[u64], eligible: Eligible) -> Option<InFlight> {
        let start = turn.checked_rem(self.targets.len())?;
        let (before, after) = self.targets.split_at(start);
        let candidates = after.iter().chain(before).filter(|t| Self::may_take(t, now_ms, tried, eligible));
        candidates.min_by_key(|t| t.outstanding()).map(|t| InFlight::new(t, now_ms))
    }

    /// Whether a target other than those tried could take a request that this one fails.
    pub fn has_alternative(&self, tried: &[u64], now: &Target) -> bool {
        let standing = now.standing();
        self.targets.iter().any(|t| t.number != now.number && t.standing() == standing && !tried.contains(&t.number))
    }
}
