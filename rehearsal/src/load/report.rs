//! What host and edge report at the end of a period.

use base::{InstanceId, Time};
use world::{BalancerTraffic, GroupTraffic, Histogram, InstanceUsage, Observation, RequestCounts};

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

/// What makes the usage of two instances the same: batch, beginning, and what was spent at it and before.
type Alike = (usize, Time, Spent, Spent);

fn write_over(old: &mut InstanceUsage, new: &InstanceUsage) {
    let InstanceUsage { id: _, cpu_us, running_ms, network_in_bytes, network_out_bytes, network_in_packets, network_out_packets } =
        new;
    (old.cpu_us, old.running_ms) = (*cpu_us, *running_ms);
    (old.network_in_bytes, old.network_out_bytes) = (*network_in_bytes, *network_out_bytes);
    (old.network_in_packets, old.network_out_packets) = (*network_in_packets, *network_out_packets);
}

impl Load {
    /// Takes back a report that was heard: most of the next one is the same.
    pub(crate) fn take_back(&mut self, instances: Vec<InstanceUsage>) {
        self.spare = instances;
    }

    /// The reports of the period that ends now; the next one begins.
    pub(super) fn report(&mut self, now: Time) -> Vec<Observation> {
        let from = self.reported;
        let mut instances = std::mem::take(&mut self.spare);
        self.records.merge(&mut instances);
        let mut last: Option<(Alike, InstanceUsage)> = None;
        for (at, record) in self.records.all().iter().enumerate() {
            // Most are like the one before.
            let alike = (record.batch, record.since.max(from), record.at_join, record.carried);
            let told = match &last {
                Some((known, told)) if *known == alike => told,
                _ => {
                    let spent = record.carried + (self.batches.all[record.batch].spent - record.at_join);
                    &last.insert((alike, usage(&record.id, spent, record.since.max(from), now))).1
                }
            };
            match instances.get_mut(at) {
                // What is the same text stays in its place, without a look at it.
                Some(old) if std::ptr::eq(old.id.as_str(), record.id.as_str()) => write_over(old, told),
                Some(old) => *old = InstanceUsage { id: record.id.clone(), ..told.clone() },
                None => instances.push(InstanceUsage { id: record.id.clone(), ..told.clone() }),
            }
        }
        instances.truncate(self.records.len());
        instances.append(&mut self.ended);
        let places = self.batches.renew();
        for record in self.records.all_mut() {
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
                    client_tls_errors: 0,
                    own_answers: own.collect(),
                    groups,
                    more: RequestCounts::default(),
                    flows: None,
                    paces: Vec::new(),
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
        unhealthy_routed: 0,
        grpc_requests: 0,
        ipv6_requests: 0,
        answers: [part(account.done, place, zones), 0, 0, 0],
        connection_errors: part(account.failures.broken, place, zones),
        tls_errors: 0,
        response_time_us: histogram(&account.times_us, place, zones),
    }
}

/// Whole requests by bucket: what is rounded off in one is made good in the next.
fn histogram(times: &Times, place: usize, zones: usize) -> Histogram {
    let (mut all, mut told) = (0.0, 0_u64);
    let mut histogram = Histogram::default();
    for (bucket, count) in times.each() {
        all += count;
        let count = part(all, place, zones).saturating_sub(told);
        told += count;
        if count > 0 {
            let value = Histogram::value_of(bucket);
            if histogram.count == 0 {
                histogram.min = value;
            }
            histogram.max = value;
            histogram.count += count;
            histogram.sum += value * count as f64;
            histogram.buckets.push((bucket, count));
        }
    }
    histogram
}
