//! What host and edge report at the end of a period.

use base::{InstanceId, Time};
use world::{BalancerTraffic, GroupTraffic, Histogram, InstanceUsage, Observation};

use super::account::{Account, Times};
use super::batch::Spent;
use super::{Load, Pool};

/// What a request and its answer are taken to weigh, and how many come over one connection of a client: no trace tells, and
/// nothing but byte and connection metrics depends on them.
const REQUEST_BYTES: f64 = 1_024.0;
const ANSWER_BYTES: f64 = 10_240.0;
const PACKET_BYTES: f64 = 1_400.0;
const REQUESTS_PER_CONNECTION: f64 = 10.0;

/// A number that only grows, told in whole parts to several: part `index` of `of`.
fn part(value: f64, index: usize, of: usize) -> u64 {
    let of = of.max(1) as f64;
    let upto = |i: usize| (value * i as f64 / of).round().max(0.0) as u64;
    upto(index + 1).saturating_sub(upto(index))
}

pub(super) fn usage(id: &InstanceId, spent: Spent, since: Time, until: Time) -> InstanceUsage {
    let (taken, given) = (spent.requests * REQUEST_BYTES, spent.requests * ANSWER_BYTES);
    InstanceUsage {
        id: id.clone(),
        cpu_us: spent.cpu_us.round() as u64,
        running_ms: until.ms_since(since),
        network_in_bytes: taken.round() as u64,
        network_out_bytes: given.round() as u64,
        network_in_packets: (taken / PACKET_BYTES).ceil() as u64,
        network_out_packets: (given / PACKET_BYTES).ceil() as u64,
    }
}

impl Load {
    /// The reports of the period that ends now; the next one begins.
    pub(super) fn report(&mut self, now: Time) -> Vec<Observation> {
        let from = self.reported;
        let mut instances = std::mem::take(&mut self.ended);
        instances.reserve(self.records.len());
        for (id, record) in &self.records {
            let spent = record.carried + (self.batches.all[record.batch].spent - record.at_join);
            instances.push(usage(id, spent, record.since.max(from), now));
        }
        let places = self.batches.renew();
        for record in self.records.values_mut() {
            (record.carried, record.at_join) = (Spent::default(), Spent::default());
            record.batch = places[record.batch];
        }
        let balancers = self.traffic();
        self.reported = now;
        let mut reports = vec![Observation::Usage { from, until: now, instances }];
        if !balancers.is_empty() {
            reports.push(Observation::Traffic { from, until: now, balancers });
        }
        reports
    }

    fn traffic(&mut self) -> Vec<BalancerTraffic> {
        let mut all = Vec::new();
        for (arn, balancer) in &mut self.balancers {
            let zones = balancer.zones.len();
            let fixed = std::mem::take(&mut balancer.fixed);
            let mut accounts: Vec<(usize, Account)> = Vec::new();
            for index in &balancer.pools {
                let account = &mut self.pools[*index].account;
                let fresh = Account { inside: account.inside, ..Account::default() };
                accounts.push((*index, std::mem::replace(account, fresh)));
            }
            for (place, zone) in balancer.zones.iter().enumerate() {
                let groups = accounts.iter().map(|(pool, account)| group(&self.pools[*pool], account, place, zones)).collect();
                let sum = |of: fn(&Account) -> f64| accounts.iter().map(|(_, a)| of(a)).sum::<f64>();
                let requests = sum(|a| a.sent) + fixed;
                let own = [(502, sum(|a| a.failures.broken)), (503, sum(|a| a.failures.nobody)), (504, sum(|a| a.failures.late))];
                let own = own.into_iter().map(|(status, count)| (status, part(count, place, zones))).filter(|(_, n)| *n > 0);
                all.push(BalancerTraffic {
                    id: arn.clone(),
                    zone: zone.clone(),
                    requests: part(requests, place, zones),
                    active_connections: part(sum(|a| a.inside) * 2.0, place, zones),
                    new_connections: part(requests / REQUESTS_PER_CONNECTION * 2.0, place, zones),
                    rejected_connections: 0,
                    processed_bytes: part(requests * (REQUEST_BYTES + ANSWER_BYTES), place, zones),
                    fixed_responses: part(fixed, place, zones),
                    own_answers: own.collect(),
                    groups,
                });
            }
        }
        all
    }
}

fn group(pool: &Pool, account: &Account, place: usize, zones: usize) -> GroupTraffic {
    GroupTraffic {
        id: pool.group.clone(),
        requests: part(account.sent, place, zones),
        answers: [part(account.done, place, zones), 0, 0, 0],
        connection_errors: part(account.failures.broken, place, zones),
        response_time_us: histogram(&account.times_us, place, zones),
    }
}

/// Whole requests by bucket: what is rounded off in one is made good in the next.
fn histogram(times: &Times, place: usize, zones: usize) -> Histogram {
    let (mut all, mut told) = (0.0, 0_u64);
    let mut histogram = Histogram::default();
    for (bucket, count) in &times.0 {
        all += count;
        let count = part(all, place, zones).saturating_sub(told);
        told += count;
        if count > 0 {
            let value = Histogram::value_of(*bucket);
            if histogram.count == 0 {
                histogram.min = value;
            }
            histogram.max = value;
            histogram.count += count;
            histogram.sum += value * count as f64;
            histogram.buckets.push((*bucket, count));
        }
    }
    histogram
}
