//! Instances that are alike, counted together: they have the same size, stand in the same target groups in the same way
//! and have about as many requests inside. An instance that comes to a group whose others have a long queue is not like
//! them: it gets as many new requests and has none of the old ones.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign, Sub};

use super::{Demand, Pool, Station, Step};
use crate::standing::Part;

/// Most batches that differ only in the length of their queues; beyond it the nearest are taken together.
const COHORTS_MAX: usize = 32;

/// What an instance has done and used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    pub(super) cpu_us: f64,
    pub(super) requests: f64,
}

impl Add for Spent {
    type Output = Spent;
    fn add(self, other: Spent) -> Spent {
        Spent { cpu_us: self.cpu_us + other.cpu_us, requests: self.requests + other.requests }
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Spent) {
        *self = *self + other;
    }
}

impl Sub for Spent {
    type Output = Spent;
    fn sub(self, other: Spent) -> Spent {
        Spent { cpu_us: self.cpu_us - other.cpu_us, requests: self.requests - other.requests }
    }
}

/// How an instance stands in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Role {
    pub(super) pool: usize,
    pub(super) part: Part,
}

#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) millicores: u32,
    pub(super) serves: bool,
    pub(super) roles: Vec<Role>,
    cohort: u32,
    pub(super) count: u64,
    pub(super) station: Station,
    /// Of each of its instances.
    pub(super) inside: f64,
    pub(super) last: Step,
    pub(super) spent: Spent,
}

/// What makes instances alike, but for the cohort.
type Kind = (u32, bool, Vec<Role>);

#[derive(Debug, Default)]
pub(super) struct Batches {
    pub(super) all: Vec<Batch>,
    by_kind: BTreeMap<Kind, Vec<usize>>,
}

impl Batches {
    /// Takes one instance out; gives its batch as it is.
    pub(super) fn leave(&mut self, index: usize, pools: &mut [Pool]) -> Batch {
        let batch = &mut self.all[index];
        batch.count -= 1;
        batch.roles.iter().for_each(|r| pools[r.pool].count(r.part, -1));
        batch.clone()
    }

    /// Puts one instance in, with so many requests inside.
    pub(super) fn join(
        &mut self,
        demand: &Demand,
        millicores: u32,
        serves: bool,
        roles: Vec<Role>,
        inside: f64,
        pools: &mut [Pool],
    ) -> usize {
        roles.iter().for_each(|r| pools[r.pool].count(r.part, 1));
        let kind = (millicores, serves, roles);
        let alike = self.by_kind.get(&kind).map(Vec::as_slice).unwrap_or_default();
        let distance = |i: &usize| (self.all[*i].inside - inside).abs();
        let nearest = alike.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let is_near = |i: &usize| self.all[*i].count == 0 || near(self.all[*i].inside, inside) || alike.len() >= COHORTS_MAX;
        if let Some(index) = nearest.filter(is_near) {
            let batch = &mut self.all[index];
            let count = batch.count as f64;
            batch.inside = (batch.inside * count + inside) / (count + 1.0);
            batch.count += 1;
            return index;
        }
        let cohort = u32::try_from(alike.len()).unwrap_or(u32::MAX);
        self.all.push(Batch {
            millicores,
            serves,
            roles: kind.2.clone(),
            cohort,
            count: 1,
            station: Station::of(demand, millicores),
            inside,
            last: Step::default(),
            spent: Spent::default(),
        });
        self.by_kind.entry(kind).or_default().push(self.all.len() - 1);
        self.all.len() - 1
    }

    /// Begins a new period: takes together what has become alike, forgets what is empty, and counts from zero. Gives the
    /// new place of each batch.
    pub(super) fn renew(&mut self) -> Vec<usize> {
        let old = std::mem::take(&mut self.all);
        self.by_kind.clear();
        let mut places = Vec::with_capacity(old.len());
        for mut batch in old {
            if batch.count == 0 {
                places.push(usize::MAX);
                continue;
            }
            batch.spent = Spent::default();
            let alike = self.by_kind.entry((batch.millicores, batch.serves, batch.roles.clone())).or_default();
            if let Some(index) = alike.iter().copied().find(|i| near(self.all[*i].inside, batch.inside)) {
                let other = &mut self.all[index];
                let (a, b) = (other.count as f64, batch.count as f64);
                other.inside = (other.inside * a + batch.inside * b) / (a + b);
                other.count += batch.count;
                places.push(index);
                continue;
            }
            batch.cohort = u32::try_from(alike.len()).unwrap_or(u32::MAX);
            alike.push(self.all.len());
            places.push(self.all.len());
            self.all.push(batch);
        }
        places
    }
}

/// Whether queues of these lengths are about the same.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1.0 + 0.1 * a.max(b)
}
