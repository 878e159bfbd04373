//! What all workers share of a target and of a target group: health, requests under way, whose turn it is; and the
//! choice of a target for a request. Everything shared is an atomic number.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use base::NetworkInterfaceId;
use fastrand::Rng;
use tokio::sync::Notify;
use world::{Algorithm, FlowAttributes, Protocol, ProtocolVersion};

use crate::flow::mix;
use crate::metrics::GroupCounters;
use crate::route::session::Sticky;

/// How long a target that refused a connection is left alone; then one request tries it, while others go on
/// avoiding it. A passed health check ends it sooner.
const ASIDE_MS: u64 = 1_000;
/// The weight of a target about which nothing is known that would make it lighter.
pub const WEIGHT_FULL: u32 = 1_000;

const KEEPS_FLOWS: u8 = 1;
const CUT_WHEN_UNHEALTHY: u8 = 2;
const DEREGISTERED: u8 = 4;
const HAS_FLOWS: u8 = 8;
const LEFT_BEHIND: u8 = 16;

/// Health as far as routing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// Not yet checked: gets nothing.
    Initial,
    Healthy,
    /// Gets requests only when no target of its group is healthy.
    Unhealthy,
    /// Likewise, and its flows have time to end.
    Lingering,
    /// Not registered any more, and nobody has deregistered it: such as one whose instance was stopped.
    Gone,
    /// Deregistered.
    Draining,
}

/// One registration of a target, as the traffic plane sees it.
#[derive(Debug)]
pub struct Target {
    /// Unique in the life of this process.
    pub number: u64,
    /// Stands for it in cookies, also after a restart of the edge.
    pub scope: u64,
    pub address: SocketAddrV4,
    /// It speaks TLS.
    pub secure: bool,
    /// The load balancer's interface from which it is reached.
    pub from: NetworkInterfaceId,
    standing: AtomicU8,
    /// Until when it is set aside, in the edge's milliseconds; zero when it is not.
    aside_until: AtomicU64,
    /// Since when it is healthy, for the slow start; zero when it needs none.
    warming_since: AtomicU64,
    outstanding: AtomicU32,
    /// Share of the requests that it gets where they are drawn by weight, up to [`WEIGHT_FULL`].
    weight: AtomicU32,
    /// Requests that it got, and those that it failed: no connection, no answer, or one of status 5xx. They only grow.
    requests: AtomicU32,
    failures: AtomicU32,
    /// Cut: what is under way ends without a retry.
    cut: AtomicBool,
    /// What becomes of its flows, where its load balancer is one of flows.
    flows: AtomicU8,
    /// Told when the last request of a draining target ends.
    idle: Arc<Notify>,
}

impl Target {
    pub fn new(number: u64, scope: u64, address: SocketAddrV4, from: NetworkInterfaceId, idle: Arc<Notify>) -> Self {
        Self {
            number,
            scope,
            address,
            secure: false,
            from,
            standing: AtomicU8::new(Standing::Initial as u8),
            aside_until: AtomicU64::new(0),
            warming_since: AtomicU64::new(0),
            outstanding: AtomicU32::new(0),
            weight: AtomicU32::new(WEIGHT_FULL),
            requests: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            cut: AtomicBool::new(false),
            flows: AtomicU8::new(0),
            idle,
        }
    }

    pub fn standing(&self) -> Standing {
        use Standing::{Draining, Gone, Healthy, Initial, Lingering, Unhealthy};
        let all = [Initial, Healthy, Unhealthy, Lingering, Gone];
        all.get(usize::from(self.standing.load(Ordering::Acquire))).copied().unwrap_or(Draining)
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

    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    pub fn set_weight(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
    }

    /// It failed a request.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests that it got and requests that it failed so far; both come round.
    pub fn record(&self) -> (u32, u32) {
        (self.requests.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
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

    /// What becomes of the flows to it; of an application load balancer's group nothing that is not so anyway.
    pub fn set_flows(&self, protocol: Protocol, wanted: FlowAttributes) {
        let is_flow = !matches!(protocol, Protocol::Http | Protocol::Https);
        let keeps = if is_flow && !wanted.cut_at_deregistration { KEEPS_FLOWS } else { 0 };
        let cuts = if is_flow && wanted.cut_when_unhealthy { CUT_WHEN_UNHEALTHY } else { 0 };
        let has = if is_flow { HAS_FLOWS } else { 0 };
        let known = self.flows.load(Ordering::Relaxed) & DEREGISTERED;
        self.flows.store(known | has | keeps | cuts, Ordering::Relaxed);
    }

    /// Its group leaves the load balancer: flows to it go on for a while.
    pub fn leave_with_group(&self) {
        if self.flows.load(Ordering::Relaxed) & HAS_FLOWS != 0 {
            self.flows.fetch_or(LEFT_BEHIND, Ordering::Relaxed);
        }
    }

    /// Its load balancer is gone, and with it the interface that flows to it went through.
    pub fn leave_with_balancer(&self) {
        if self.flows.load(Ordering::Relaxed) & HAS_FLOWS != 0 {
            self.set_cut();
        }
    }

    pub fn is_left_behind(&self) -> bool {
        self.flows.load(Ordering::Relaxed) & LEFT_BEHIND != 0
    }

    /// Flows go on when its deregistration is over.
    pub fn keeps_flows(&self) -> bool {
        self.flows.load(Ordering::Relaxed) & KEEPS_FLOWS != 0
    }

    /// It leaves because somebody said so, and not because its group does.
    pub fn set_deregistered(&self) {
        self.flows.fetch_or(DEREGISTERED, Ordering::Relaxed);
    }

    /// What is under way there is let be, for as long as it lasts.
    pub fn is_let_be(&self) -> bool {
        self.keeps_flows() && self.flows.load(Ordering::Relaxed) & DEREGISTERED != 0
    }

    /// Flows end when it becomes unhealthy.
    pub fn cuts_when_unhealthy(&self) -> bool {
        self.flows.load(Ordering::Relaxed) & CUT_WHEN_UNHEALTHY != 0
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

    /// Whether it takes its full share.
    pub fn is_warm(&self, now_ms: u64, slow_start_ms: u64) -> bool {
        self.warmth(now_ms, slow_start_ms) >= 1.0
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
        target.requests.fetch_add(1, Ordering::Relaxed);
        Self(target.clone())
    }

    /// What another edge has begun there.
    pub fn resume(target: &Arc<Target>) -> Self {
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

/// Something that holds for some nodes of a load balancer and not for others.
#[derive(Debug, Default)]
pub struct NodeFlags(Vec<AtomicBool>);

impl NodeFlags {
    pub fn new(nodes: usize) -> Self {
        Self((0..nodes).map(|_| AtomicBool::new(false)).collect())
    }

    pub fn set(&self, node: usize, holds: bool) {
        if let Some(flag) = self.0.get(node) {
            flag.store(holds, Ordering::Relaxed);
        }
    }

    pub fn is_set(&self, node: usize) -> bool {
        self.0.get(node).is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// A target group as the workers route to it.
#[derive(Debug)]
pub struct Group {
    /// ARN.
    pub id: Arc<str>,
    /// What its targets speak.
    pub version: ProtocolVersion,
    pub algorithm: Algorithm,
    pub slow_start_ms: u64,
    /// Stands for it in cookies.
    pub scope: u64,
    pub sticky: Option<Sticky>,
    /// Registered targets that are not draining: those of all zones, or a list for each node where nodes keep to their
    /// zones ("ELB User Guide, Cross-zone load balancing for target groups").
    pub targets: Reach,
    /// Where unhealthy targets get requests too ("ELB User Guide, Target group health: unhealthy state routing").
    pub fail_open: Arc<NodeFlags>,
    /// Shared by all versions of the group, so that a change does not begin the round anew.
    pub turn: Arc<AtomicUsize>,
    /// One for each node of the load balancer.
    pub counters: Vec<Arc<GroupCounters>>,
}

/// Which targets a node sends to.
#[derive(Debug)]
pub enum Reach {
    All(Vec<Arc<Target>>),
    ByNode(Vec<Vec<Arc<Target>>>),
}

impl Reach {
    pub fn of(&self, node: usize) -> &[Arc<Target>] {
        match self {
            Reach::All(targets) => targets,
            Reach::ByNode(nodes) => nodes.get(node).map_or(&[], Vec::as_slice),
        }
    }
}

/// For whom a target is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Seeker<'a> {
    /// Number of the node that has the request.
    pub node: usize,
    pub now_ms: u64,
    /// Numbers of targets that failed it.
    pub tried: &'a [u64],
    /// The target that its client belongs to.
    pub wanted: Option<u64>,
}

/// Who may be chosen: the healthy, and the unhealthy too when there are too few.
#[derive(Clone, Copy, Debug)]
struct Eligible<'a> {
    seeker: Seeker<'a>,
    open: bool,
    avoid_aside: bool,
}

impl Eligible<'_> {
    fn takes(&self, target: &Target) -> bool {
        self.takes_standing(target.standing())
            && !self.seeker.tried.contains(&target.number)
            && !(self.avoid_aside && target.is_aside(self.seeker.now_ms))
    }

    fn takes_standing(&self, standing: Standing) -> bool {
        standing == Standing::Healthy || (self.open && matches!(standing, Standing::Unhealthy | Standing::Lingering))
    }
}

/// Targets that are drawn blindly before the weights of all are added up.
const DRAWS_MAX: usize = 8;

impl Group {
    /// Chooses a target, other than those tried already.
    pub fn choose(&self, seeker: Seeker<'_>, rng: &mut Rng) -> Option<InFlight> {
        let targets = self.targets.of(seeker.node);
        let open = self.fail_open.is_set(seeker.node);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let chosen = [true, false].into_iter().find_map(|avoid_aside| {
            let eligible = Eligible { seeker, open, avoid_aside };
            if let Some(wanted) = seeker.wanted {
                let kept = targets.iter().find(|t| t.scope == wanted && eligible.takes(t));
                if kept.is_some() {
                    return kept;
                }
            }
            match self.algorithm {
                Algorithm::RoundRobin => self.in_turn(targets, turn, eligible, rng),
                Algorithm::WeightedRandom => by_weight(targets, eligible, rng),
                Algorithm::LeastOutstandingRequests => least_busy(targets, turn, eligible),
            }
        });
        chosen.map(|target| InFlight::new(target, seeker.now_ms))
    }

    /// Chooses the target to which a hash leads, other than those tried already: the others keep their hashes when one comes or
    /// goes.
    pub fn choose_by_hash(&self, seeker: Seeker<'_>, hash: u64) -> Option<InFlight> {
        let open = self.fail_open.is_set(seeker.node);
        let chosen = [true, false].into_iter().find_map(|avoid_aside| {
            let eligible = Eligible { seeker, open, avoid_aside };
            let targets = self.targets.of(seeker.node).iter().filter(|t| eligible.takes(t));
            targets.max_by_key(|t| mix(hash ^ t.scope))
        });
        chosen.map(|target| InFlight::new(target, seeker.now_ms))
    }

    /// Whether unhealthy targets are chosen too.
    pub fn fails_open(&self, node: usize) -> bool {
        self.fail_open.is_set(node)
    }

    /// The next one; where that cannot take it, the turns of those that cannot are spread evenly over the others.
    fn in_turn<'a>(
        &self,
        targets: &'a [Arc<Target>],
        turn: usize,
        eligible: Eligible<'_>,
        rng: &mut Rng,
    ) -> Option<&'a Arc<Target>> {
        let at = turn.checked_rem(targets.len())?;
        let next = targets.get(at)?;
        let now_ms = eligible.seeker.now_ms;
        if eligible.takes(next) && self.is_warm_enough(next, now_ms, rng) {
            return Some(next);
        }
        let others = || targets.iter().filter(|t| eligible.takes(t));
        let count = others().count();
        let unable = targets[..at].iter().filter(|t| !eligible.takes(t)).count();
        let start = substitute(turn / targets.len(), targets.len() - count, unable).checked_rem(count)?;
        let in_order = others().skip(start).chain(others()).take(count);
        in_order.clone().find(|t| self.is_warm_enough(t, now_ms, rng)).or_else(|| in_order.clone().next())
    }

    fn is_warm_enough(&self, target: &Target, now_ms: u64, rng: &mut Rng) -> bool {
        let warmth = target.warmth(now_ms, self.slow_start_ms);
        warmth >= 1.0 || rng.f32() < warmth
    }

    /// Whether a target other than those tried could take a request that this one fails.
    pub fn has_alternative(&self, node: usize, tried: &[u64], now: &Target) -> bool {
        let seeker = Seeker { node, now_ms: 0, tried, wanted: None };
        let eligible = Eligible { seeker, open: self.fail_open.is_set(node), avoid_aside: false };
        self.targets.of(node).iter().any(|t| t.number != now.number && eligible.takes(t))
    }
}

/// How many turns were given up before this one: by all that are unable in each of the rounds before, and in this round by those
/// that come earlier. Counted like this, they go to the others in turn, wherever the unable stand. Where none is, the others are
/// too cold, and get another substitute in each round.
fn substitute(rounds: usize, unable: usize, before: usize) -> usize {
    rounds.wrapping_mul(unable.max(1)).wrapping_add(before)
}

/// The one with the fewest requests under way; among equals, in turn.
fn least_busy<'a>(targets: &'a [Arc<Target>], turn: usize, eligible: Eligible<'_>) -> Option<&'a Arc<Target>> {
    let able = || targets.iter().filter(|t| eligible.takes(t));
    let count = able().count();
    let start = turn.checked_rem(count)?;
    able().skip(start).chain(able()).take(count).min_by_key(|t| t.outstanding())
}

/// Any one, as often as its weight says. All weigh the same but those that mitigation has made lighter, so that a blind
/// draw mostly hits.
fn by_weight<'a>(targets: &'a [Arc<Target>], eligible: Eligible<'_>, rng: &mut Rng) -> Option<&'a Arc<Target>> {
    for _ in 0..DRAWS_MAX.min(targets.len()) {
        let drawn = &targets[rng.usize(..targets.len())];
        if eligible.takes(drawn) && rng.u32(..WEIGHT_FULL) < drawn.weight() {
            return Some(drawn);
        }
    }
    let others = || targets.iter().filter(|t| eligible.takes(t));
    let sum: u32 = others().map(|t| t.weight()).sum();
    let mut left = rng.u32(..sum.max(1));
    let drawn = others().find(|t| {
        let hit = left < t.weight();
        left = left.saturating_sub(t.weight());
        hit
    });
    // Weights change meanwhile.
    drawn.or_else(|| others().next())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::substitute;

    proptest! {
        #[test]
        fn turns_of_those_that_cannot_are_spread_evenly(able in prop::collection::vec(any::<bool>(), 1..12)) {
            let places: Vec<usize> = (0..able.len()).filter(|at| able[*at]).collect();
            prop_assume!(!places.is_empty());
            let mut requests = vec![0; able.len()];
            // As many rounds as there are able ones: each has its own turns and an equal share of all others.
            for turn in 0..able.len() * places.len() {
                let at = turn % able.len();
                let before = able[..at].iter().filter(|able| !**able).count();
                let start = substitute(turn / able.len(), able.len() - places.len(), before) % places.len();
                requests[if able[at] { at } else { places[start] }] += 1;
            }
            prop_assert!(places.iter().all(|at| requests[*at] == able.len()), "{:?} of {:?}", requests, able);
        }
    }
}
