//! What is counted while requests flow.

use std::ops::AddAssign;

use world::Histogram;

use super::batch::{Batch, Spent};
use super::{Demand, Pool, Spread, Variability, step};
use crate::standing::Part;

/// Requests that got no good answer, by what users saw ("Troubleshoot your Application Load Balancers").
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Failures {
    /// 503: no target was registered.
    pub nobody: f64,
    /// 502: the target refused, broke the connection or was no longer there.
    pub broken: f64,
    /// 504: the target did not answer within the idle timeout.
    pub late: f64,
}

impl Failures {
    pub fn all(&self) -> f64 {
        self.nobody + self.broken + self.late
    }
}

impl AddAssign for Failures {
    fn add_assign(&mut self, other: Self) {
        self.nobody += other.nobody;
        self.broken += other.broken;
        self.late += other.late;
    }
}

/// How long requests took, in microseconds: requests by the histogram's bucket, fractions of one too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// The bucket of the first count.
    first: i16,
    counts: Vec<f64>,
}

/// The bucket of a nanosecond. What is shorter counts as that.
const SHORTEST: i16 = -320;

impl Times {
    fn add(&mut self, bucket: i16, count: f64) {
        let bucket = bucket.max(SHORTEST);
        match self.counts.get_mut(usize::try_from(i32::from(bucket) - i32::from(self.first)).unwrap_or(usize::MAX)) {
            Some(known) => *known += count,
            None => *self.widened(bucket) += count,
        }
    }

    /// The count of a bucket for which there may not be room yet.
    fn widened(&mut self, bucket: i16) -> &mut f64 {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        let before = usize::try_from(i32::from(self.first) - i32::from(bucket)).unwrap_or(0);
        if before > 0 {
            self.counts.splice(0..0, std::iter::repeat_n(0.0, before));
            self.first = bucket;
        }
        let place = usize::try_from(i32::from(bucket) - i32::from(self.first)).unwrap_or(0);
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0.0);
        }
        &mut self.counts[place]
    }

    /// Buckets with their counts, in order of bucket.
    pub(super) fn each(&self) -> impl Iterator<Item = (i16, f64)> {
        (self.first..).zip(self.counts.iter().copied()).filter(|(_, count)| *count > 0.0)
    }

    pub fn merge(&mut self, other: &Times) {
        other.each().for_each(|(bucket, count)| self.add(bucket, count));
    }

    /// The value that this share of the requests do not exceed; zero when there are none.
    pub fn quantile(&self, share: f64) -> f64 {
        let all: f64 = self.counts.iter().sum();
        let mut below = 0.0;
        for (bucket, count) in self.each() {
            below += count;
            if below >= all * share {
                return Histogram::value_of(bucket);
            }
        }
        0.0
    }
}

/// What went through one pool in a period.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) sent: f64,
    pub(super) done: f64,
    pub(super) failures: Failures,
    pub(super) times_us: Times,
    /// Requests inside its targets now.
    pub(super) inside: f64,
}

/// What happened in a while, in all.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub seconds: f64,
    /// Requests that users sent, and those that were answered.
    pub offered: f64,
    pub done: f64,
    pub failures: Failures,
    /// Core-seconds used, and those that the serving instances had.
    pub cpu_s: f64,
    pub cores_s: f64,
    /// Requests that the targets in use could have done.
    pub capacity: f64,
    /// Instance-seconds of targets in use.
    pub serving_s: f64,
    /// Requests inside instances, at the end.
    pub inside: f64,
    /// Highest use of a station, 0 to 1.
    pub utilisation_max: f64,
    pub times_us: Times,
}

/// One step of time for one batch.
pub(super) struct Tick<'a> {
    pub(super) rate: f64,
    pub(super) direct: f64,
    pub(super) dt: f64,
    pub(super) demand: &'a Demand,
    pub(super) spread: &'a Spread,
}

impl Tick<'_> {
    pub(super) fn flow(&self, batch: &mut Batch, pools: &mut [Pool], tally: &mut Tally) {
        let rates: Vec<f64> = batch.roles.iter().map(|r| pools[r.pool].rate_for(r.part, self.rate)).collect();
        let (count, dt) = (batch.count as f64, self.dt);
        for (role, rate) in batch.roles.iter().zip(&rates) {
            pools[role.pool].account.sent += rate * count * dt;
        }
        let arriving: f64 = rates.iter().sum::<f64>() + if batch.serves { self.direct } else { 0.0 };
        if !batch.serves {
            tally.failures.broken += arriving * count * dt;
            for (role, rate) in batch.roles.iter().zip(&rates) {
                pools[role.pool].account.failures.broken += rate * count * dt;
            }
            return;
        }
        let takers = batch.roles.iter().map(|r| pools[r.pool].takers()).max().unwrap_or(1);
        let variability =
            if self.direct > 0.0 { Variability::dealt(self.demand, 1) } else { Variability::dealt(self.demand, takers) };
        let mut now = step(&batch.station, variability, batch.inside, arriving, dt, batch.last.utilisation);
        let timeout_s = batch.roles.iter().map(|r| pools[r.pool].timeout_s).fold(f64::INFINITY, f64::min);
        let mut lost = self.refuse(batch, timeout_s, &mut now);
        (batch.inside, batch.last) = (now.inside, now);
        batch.spent += Spent { cpu_us: now.done * self.demand.cpu_us * dt, requests: now.done * dt };
        let (done, mut late) = (now.done * dt * count, 0.0);
        // Those who would have waited too long for their turn are gone already.
        let patience_s = timeout_s + now.wait_s;
        let each = |seconds: f64, share: f64| {
            // The work is done, and nobody waits for its answer any more.
            if seconds > patience_s {
                late += share;
                return;
            }
            let bucket = Histogram::bucket_of(seconds * 1e6);
            tally.times_us.add(bucket, share * done);
            for (place, role) in batch.roles.iter().enumerate() {
                let part = if batch.roles.len() == 1 { 1.0 } else { batch.share(&rates, place) };
                pools[role.pool].account.times_us.add(bucket, share * done * part);
            }
        };
        if done > 0.0 {
            self.spread.each(&batch.station, variability, &now, each);
        }
        lost.late += now.done * dt * late;
        self.tell(batch, &rates, lost, now.done * dt * (1.0 - late), pools, tally);
    }

    /// Takes away what one instance cannot let wait, or could only answer after the load balancer has given up.
    fn refuse(&self, batch: &Batch, timeout_s: f64, now: &mut super::Step) -> Failures {
        let waiting = now.inside - batch.station.servers * now.utilisation;
        let (room, patience) = (f64::from(self.demand.queue_max), batch.station.rate * timeout_s);
        let over = waiting - room.min(patience);
        if over <= 0.0 {
            return Failures::default();
        }
        now.inside -= over;
        now.wait_s = now.wait_s.min(room.min(patience) / batch.station.rate);
        if room < patience {
            Failures { broken: over, ..Failures::default() }
        } else {
            Failures { late: over, ..Failures::default() }
        }
    }

    /// Counts what one instance of a batch has lost and answered, for all of them.
    fn tell(&self, batch: &Batch, rates: &[f64], lost: Failures, answered: f64, pools: &mut [Pool], tally: &mut Tally) {
        let (count, dt, now) = (batch.count as f64, self.dt, &batch.last);
        for (place, role) in batch.roles.iter().enumerate() {
            let share = batch.share(rates, place) * count;
            let account = &mut pools[role.pool].account;
            account.done += answered * share;
            account.failures.broken += lost.broken * share;
            account.failures.late += lost.late * share;
            account.inside += now.inside * share;
        }
        tally.done += answered * count;
        tally.failures.broken += lost.broken * count;
        tally.failures.late += lost.late * count;
        tally.cpu_s += now.done * self.demand.cpu_us / 1e6 * dt * count;
        tally.cores_s += batch.station.cores * dt * count;
        let in_use = self.direct > 0.0 || batch.roles.iter().any(|r| r.part == Part::Healthy);
        if in_use {
            tally.capacity += batch.station.rate * dt * count;
            tally.serving_s += dt * count;
            tally.utilisation_max = tally.utilisation_max.max(now.utilisation);
        }
        tally.inside += now.inside * count;
    }
}
