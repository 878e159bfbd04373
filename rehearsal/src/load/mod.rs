//! Load in the simulated world: requests arrive as a trace says, are dealt out over the targets that the load balancers
//! were told of and found healthy, and take what they take. It owns queues and what is counted; which target exists and
//! is healthy is the [`Model`]'s, and what follows from it the region's. Nothing here is random.

mod account;
mod batch;
mod queue;
mod records;
mod report;
mod trace;

use std::collections::BTreeMap;
use std::time::Duration;

use base::{InstanceId, LoadBalancerArn, TargetGroupArn, Time};
use world::{InstanceUsage, Observation};

pub use account::{Failures, Tally, Times};
pub use queue::{Demand, Spread, Station, Step, Variability, step};
pub use trace::{Clock, PATTERNS, Per, Trace, TraceError, parse_moment, seconds};

use crate::model::Model;
use crate::standing::{Face, Part};
use batch::{Batch, Batches, Role};
use records::{Record, Records};

/// How long each step of the queues is.
pub const TICK: Duration = Duration::from_secs(1);

/// What users send, and what the instances make of it.
#[derive(Debug)]
pub struct Load {
    trace: Trace,
    /// The beginning of the trace.
    from: Time,
    demand: Demand,
    spread: Spread,
    period: Duration,
    next: Time,
    /// The end of the last period that was reported.
    reported: Time,
    pools: Vec<Pool>,
    by_name: BTreeMap<(LoadBalancerArn, TargetGroupArn), usize>,
    balancers: BTreeMap<LoadBalancerArn, Balancer>,
    faces: u64,
    batches: Batches,
    records: Records,
    /// Of instances that ended within the period.
    ended: Vec<InstanceUsage>,
    /// The last report, to be written over by the next.
    spare: Vec<InstanceUsage>,
    tally: Tally,
}

/// The targets of a group behind one load balancer.
#[derive(Debug)]
struct Pool {
    group: TargetGroupArn,
    /// Share of all requests that comes here.
    share: f64,
    /// No group of the load balancer has a weight: it answers what comes here with 503, as the edge does.
    closed: bool,
    timeout_s: f64,
    active: u64,
    healthy: u64,
    account: account::Account,
}

#[derive(Debug, Default)]
struct Balancer {
    zones: Vec<String>,
    pools: Vec<usize>,
    /// Share of all requests that it answers itself.
    fixed_share: f64,
    fixed: f64,
}

impl Load {
    /// Load from the next whole second on; `period` is how often the executors report, and divides a minute.
    pub fn new(trace: Trace, from: Time, demand: Demand, now: Time, period: Duration) -> Self {
        let tick_ms = i64::try_from(TICK.as_millis()).unwrap_or(1_000);
        let begin = Time::from_unix_ms((now.unix_ms() + tick_ms - 1).div_euclid(tick_ms) * tick_ms);
        Self {
            trace,
            from,
            demand,
            spread: Spread::new(demand.variation),
            period,
            next: begin + TICK,
            reported: begin,
            pools: Vec::new(),
            by_name: BTreeMap::new(),
            balancers: BTreeMap::new(),
            faces: 0,
            batches: Batches::default(),
            records: Records::default(),
            ended: Vec::new(),
            spare: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// When it wants to be called next.
    pub(crate) fn next(&self) -> Time {
        self.next
    }

    /// What was counted since it was last asked.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Instances that run.
    pub fn running(&self) -> usize {
        self.records.len()
    }

    /// Moves all queues on by one tick, which ends at [`Load::next`]; at the end of a period says what was used and done in
    /// it. Ticks stay at whole seconds also when the clock has passed one, or no period would ever end.
    pub(crate) fn tick(&mut self, model: &mut Model) -> Vec<Observation> {
        let now = self.next;
        self.follow(now, model);
        let rate = self.trace.at(self.from, now - TICK);
        self.flow(rate);
        self.next = now + TICK;
        let period_ms = i64::try_from(self.period.as_millis()).unwrap_or(60_000);
        if now.unix_ms() % period_ms == 0 { self.report(now) } else { Vec::new() }
    }

    /// Takes in what has changed in the world.
    fn follow(&mut self, now: Time, model: &mut Model) {
        if self.faces != model.faces_version() {
            self.faces = model.faces_version();
            self.face_all(model);
        }
        for id in model.take_touched() {
            self.place(now, &id, model);
        }
    }

    fn pool(&mut self, balancer: &LoadBalancerArn, group: &TargetGroupArn) -> usize {
        if let Some(known) = self.by_name.get(&(balancer.clone(), group.clone())) {
            return *known;
        }
        self.pools.push(Pool {
            group: group.clone(),
            share: 0.0,
            closed: false,
            timeout_s: 60.0,
            active: 0,
            healthy: 0,
            account: account::Account::default(),
        });
        let index = self.pools.len() - 1;
        self.by_name.insert((balancer.clone(), group.clone()), index);
        self.balancers.entry(balancer.clone()).or_default().pools.push(index);
        index
    }

    /// Requests are shared out evenly over the load balancers, and in each by the weights of its first listener that forwards.
    fn face_all(&mut self, model: &Model) {
        self.pools.iter_mut().for_each(|p| p.share = 0.0);
        self.balancers.values_mut().for_each(|b| b.fixed_share = 0.0);
        let faces: Vec<(&LoadBalancerArn, &Face)> = model.faces().filter(|(_, f)| f.listens()).collect();
        let part = 1.0 / faces.len().max(1) as f64;
        for (arn, face) in faces {
            let weights: u32 = face.forward.iter().map(|(_, weight)| weight).sum();
            for (group, weight) in &face.forward {
                let index = self.pool(arn, group);
                self.pools[index].share = part * f64::from(*weight) / f64::from(weights.max(1));
                self.pools[index].closed = weights == 0;
                self.pools[index].timeout_s = face.idle_timeout_ms as f64 / 1e3;
            }
            if let (0, Some((group, _))) = (weights, face.forward.first()) {
                let index = self.pool(arn, group);
                self.pools[index].share = part;
            }
            let balancer = self.balancers.entry(arn.clone()).or_default();
            balancer.zones.clone_from(&face.zones);
            balancer.fixed_share = if face.forward.is_empty() { part } else { 0.0 };
        }
    }

    /// Puts an instance where it belongs now.
    fn place(&mut self, now: Time, id: &InstanceId, model: &Model) {
        let old = self.records.remove(id);
        let mut inside = 0.0;
        let (mut since, mut carried) = (now, batch::Spent::default());
        if let Some(record) = &old {
            let batch = self.batches.leave(record.batch, &mut self.pools);
            inside = batch.inside;
            since = record.since;
            carried = record.carried + (batch.spent - record.at_join);
        }
        let Some(standing) = model.standing(id) else {
            if let Some(record) = old {
                self.lose(record.batch, inside);
                self.ended.push(report::usage(id, carried, since.max(self.reported), now));
            }
            return;
        };
        let roles = standing.roles.iter().map(|r| Role { pool: self.pool(r.balancer, r.group), part: r.part }).collect();
        if !standing.serves && inside > 0.0 {
            let from = old.as_ref().map_or(0, |r| r.batch);
            self.lose(from, std::mem::take(&mut inside));
        }
        let batch = self.batches.join(&self.demand, standing.millicores, standing.serves, roles, inside, &mut self.pools);
        let at_join = self.batches.all[batch].spent;
        self.records.put(Record { id: id.clone(), batch, since, at_join, carried });
    }

    /// Requests inside an instance that ended have failed. What is less than one is what a fluid leaves of a queue that was
    /// worked off: it counts as done.
    fn lose(&mut self, batch: usize, requests: f64) {
        if requests < 0.5 {
            self.tally.done += requests;
            return;
        }
        self.tally.failures.broken += requests;
        if let Some(role) = self.batches.all[batch].roles.first() {
            self.pools[role.pool].account.failures.broken += requests;
        }
    }

    fn flow(&mut self, rate: f64) {
        let dt = TICK.as_secs_f64();
        self.tally.seconds += dt;
        self.tally.inside = 0.0;
        self.pools.iter_mut().for_each(|p| p.account.inside = 0.0);
        self.tally.offered += rate * dt;
        let is_balanced = self.balancers.values().any(|b| b.fixed_share > 0.0) || self.pools.iter().any(|p| p.share > 0.0);
        for balancer in self.balancers.values_mut() {
            balancer.fixed += rate * balancer.fixed_share * dt;
            self.tally.done += rate * balancer.fixed_share * dt;
        }
        for pool in self.pools.iter_mut().filter(|p| p.share > 0.0 && p.takers() == 0) {
            pool.account.failures.nobody += rate * pool.share * dt;
            self.tally.failures.nobody += rate * pool.share * dt;
        }
        // Without a load balancer the load is spread over all that run.
        let serving: u64 = self.batches.all.iter().filter(|b| b.serves).map(|b| b.count).sum();
        if !is_balanced && serving == 0 {
            self.tally.failures.nobody += rate * dt;
        }
        let direct = if is_balanced || serving == 0 { 0.0 } else { rate / serving as f64 };
        for batch in self.batches.all.iter_mut().filter(|b| b.count > 0) {
            let tick = account::Tick { rate, direct, dt, demand: &self.demand, spread: &self.spread };
            tick.flow(batch, &mut self.pools, &mut self.tally);
        }
    }
}

impl Pool {
    /// How many targets share its requests: the healthy ones, or all where none is ("Elastic Load Balancing, Health checks
    /// for Application Load Balancer target groups": fail open).
    fn takers(&self) -> u64 {
        match (self.closed, self.healthy) {
            (true, _) => 0,
            (false, 0) => self.active,
            (false, healthy) => healthy,
        }
    }

    /// Requests a second that a target in this part gets of `rate` in all.
    fn rate_for(&self, part: Part, rate: f64) -> f64 {
        let takes = part == Part::Healthy || (part == Part::Unhealthy && self.healthy == 0);
        if takes && self.takers() > 0 { rate * self.share / self.takers() as f64 } else { 0.0 }
    }

    fn count(&mut self, part: Part, change: i64) {
        if part != Part::Draining {
            self.active = self.active.saturating_add_signed(change);
        }
        if part == Part::Healthy {
            self.healthy = self.healthy.saturating_add_signed(change);
        }
    }
}

impl Batch {
    /// Share of the batch's requests that belongs to its role of this place, when they come at these rates.
    fn share(&self, rates: &[f64], place: usize) -> f64 {
        let all: f64 = rates.iter().sum();
        if all > 0.0 { rates[place] / all } else { 1.0 / rates.len().max(1) as f64 }
    }
}
