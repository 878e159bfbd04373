//! The books of what was counted: who is counted where, and what was told of it. It reports differences at the end of each
//! period that `serve` has asked for; the workers count.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{LoadBalancerArn, TargetGroupArn, Time};
use world::{
    BalancerKind, BalancerTraffic, FlowTraffic, GroupTraffic, LoadBalancer, Observation, Periods, RequestCounts, Unsent,
};

use super::pace::{Paces, Stretches};
use crate::flow::counters::{FlowCounters, FlowTotals};
use crate::metrics::{Event, GroupCounters, GroupTotals, ZoneCounters, ZoneTotals};

/// A load balancer in one of its zones.
struct Zone {
    counters: Arc<ZoneCounters>,
    told: ZoneTotals,
    flows: Option<FlowBook>,
    groups: BTreeMap<TargetGroupArn, GroupBook>,
    /// Still configured; otherwise it is told of once more.
    stays: bool,
}

/// Of a network load balancer.
struct FlowBook {
    counters: Arc<FlowCounters>,
    told: FlowTotals,
    paces: Paces,
}

struct GroupBook {
    counters: Arc<GroupCounters>,
    told: GroupTotals,
    stays: bool,
}

/// All counters of this edge.
pub struct Traffic {
    workers: usize,
    zones: BTreeMap<(LoadBalancerArn, String), Zone>,
    pub periods: Periods,
    stretches: Stretches,
    /// Made while nobody listened.
    pub unsent: Unsent,
}

impl Traffic {
    pub fn new(workers: usize) -> Self {
        Self {
            workers,
            zones: BTreeMap::new(),
            periods: Periods::default(),
            stretches: Stretches::default(),
            unsent: Unsent::default(),
        }
    }

    /// Opens books for what is configured now.
    pub fn configure<'a>(&mut self, balancers: impl Iterator<Item = &'a LoadBalancer>) {
        let workers = self.workers;
        for zone in self.zones.values_mut() {
            zone.stays = false;
            zone.groups.values_mut().for_each(|group| group.stays = false);
        }
        for balancer in balancers {
            for node in &balancer.nodes {
                let zone = self.zones.entry((balancer.id.clone(), node.zone.clone())).or_insert_with(|| Zone {
                    counters: Arc::new(ZoneCounters::new(workers)),
                    told: ZoneTotals::zero(),
                    flows: (balancer.kind == BalancerKind::Network).then(|| FlowBook::new(workers)),
                    groups: BTreeMap::new(),
                    stays: true,
                });
                zone.stays = true;
                for group in &balancer.target_groups {
                    let book = zone.groups.entry(group.id.clone()).or_insert_with(|| GroupBook {
                        counters: Arc::new(GroupCounters::new(workers)),
                        told: GroupTotals::zero(),
                        stays: true,
                    });
                    book.stays = true;
                }
            }
        }
    }

    /// The counters of a load balancer, one for each of its nodes.
    pub fn zones(&self, balancer: &LoadBalancer) -> Vec<Arc<ZoneCounters>> {
        let of = |zone: &str| self.zones.get(&(balancer.id.clone(), zone.to_string()));
        balancer.nodes.iter().filter_map(|node| of(&node.zone)).map(|zone| zone.counters.clone()).collect()
    }

    /// The counters of a network load balancer, likewise.
    pub fn flows(&self, balancer: &LoadBalancer) -> Vec<Arc<FlowCounters>> {
        let of = |zone: &str| self.zones.get(&(balancer.id.clone(), zone.to_string()))?.flows.as_ref();
        balancer.nodes.iter().filter_map(|node| of(&node.zone)).map(|book| book.counters.clone()).collect()
    }

    /// The counters of one of its groups, likewise.
    pub fn group(&self, balancer: &LoadBalancer, group: &TargetGroupArn) -> Vec<Arc<GroupCounters>> {
        let of = |zone: &str| self.zones.get(&(balancer.id.clone(), zone.to_string()))?.groups.get(group);
        balancer.nodes.iter().filter_map(|node| of(&node.zone)).map(|book| book.counters.clone()).collect()
    }

    /// Milliseconds until [`Traffic::report`] has something to do; none while nobody wants reports.
    pub fn wait_ms(&self, now: Time) -> Option<u64> {
        let wait_ms = self.periods.wait_ms(now)?;
        let has_flows = self.zones.values().any(|zone| zone.flows.is_some());
        Some(if has_flows { wait_ms.min(self.stretches.wait_ms(now)) } else { wait_ms })
    }

    /// The report of the period that has ended, if one has.
    pub fn report(&mut self, now: Time) -> Option<Observation> {
        let (from, until) = self.periods.under_way()?;
        let stretch_ms = self.stretches.ended(now, until.ms_since(from), now >= until);
        if let Some(ms) = stretch_ms {
            self.zones.values_mut().filter_map(|zone| zone.flows.as_mut()).for_each(|book| book.pace(ms));
        }
        let (from, until) = self.periods.ended(now)?;
        Some(self.report_of(from, until))
    }

    /// What happened in the period under way, when nothing more will.
    pub fn rest(&mut self) -> Option<Observation> {
        let (from, until) = self.periods.under_way()?;
        Some(self.report_of(from, until))
    }

    fn report_of(&mut self, from: Time, until: Time) -> Observation {
        let balancers = self.zones.iter_mut().map(|((id, zone), book)| book.turn(id, zone)).collect();
        self.zones.retain(|_, zone| zone.stays);
        Observation::Traffic { from, until, balancers }
    }
}

impl Zone {
    fn turn(&mut self, id: &LoadBalancerArn, zone: &str) -> BalancerTraffic {
        let now = self.counters.totals();
        let before = std::mem::replace(&mut self.told, now.clone());
        let flows = self.flows.as_mut().map(FlowBook::turn);
        let paces = self.flows.as_mut().map(|book| book.paces.take()).unwrap_or_default();
        let groups = self.groups.iter_mut().map(|(id, book)| book.turn(id)).collect();
        self.groups.retain(|_, group| group.stays);
        BalancerTraffic {
            id: id.clone(),
            zone: zone.into(),
            requests: now.requests.wrapping_sub(before.requests),
            active_connections: now.opened.saturating_sub(now.closed),
            new_connections: now.opened.wrapping_sub(before.opened),
            // A worker that is full leaves connections in the kernel's queue; it refuses handshakes beyond its limit.
            rejected_connections: now.events_since(&before, Event::Rejected),
            processed_bytes: now.processed_bytes.wrapping_sub(before.processed_bytes),
            fixed_responses: now.fixed_responses.wrapping_sub(before.fixed_responses),
            client_tls_errors: flows.map_or(now.tls_failures.wrapping_sub(before.tls_failures), |(_, errors)| errors),
            own_answers: now.own_answers_since(&before),
            groups,
            more: more(&now, &before),
            flows: flows.map(|(flows, _)| flows),
            paces,
        }
    }
}

fn more(now: &ZoneTotals, before: &ZoneTotals) -> RequestCounts {
    let count = |event| now.events_since(before, event);
    RequestCounts {
        redirects: count(Event::Redirect),
        redirects_too_long: count(Event::RedirectTooLong),
        non_compliant: count(Event::NonCompliant),
        rule_evaluations: count(Event::RuleEvaluation),
        dropped_invalid_headers: count(Event::DroppedInvalidHeader),
        forwarded_invalid_headers: count(Event::ForwardedInvalidHeader),
        grpc_requests: count(Event::Grpc),
        ipv6_requests: count(Event::Ipv6Request),
        ipv6_bytes: count(Event::Ipv6Byte),
        non_sticky: count(Event::NonSticky),
    }
}

impl FlowBook {
    fn new(workers: usize) -> Self {
        Self { counters: Arc::new(FlowCounters::new(workers)), told: FlowTotals::default(), paces: Paces::default() }
    }

    /// A stretch of so many milliseconds has ended.
    fn pace(&mut self, ms: u64) {
        let now = self.counters.totals();
        self.paces.note(ms, now.bytes(), now.packets);
    }

    /// Flows, and handshakes with clients that failed.
    fn turn(&mut self) -> (FlowTraffic, u64) {
        let now = self.counters.totals();
        let before = std::mem::replace(&mut self.told, now);
        (now.since(&before), now.client_tls_errors_since(&before))
    }
}

impl GroupBook {
    fn turn(&mut self, id: &TargetGroupArn) -> GroupTraffic {
        let now = self.counters.totals();
        let before = std::mem::replace(&mut self.told, now.clone());
        let mut answers = now.answers;
        answers.iter_mut().zip(before.answers).for_each(|(now, before)| *now = now.wrapping_sub(before));
        GroupTraffic {
            id: id.clone(),
            requests: now.requests.wrapping_sub(before.requests),
            unhealthy_routed: now.unhealthy_routed.wrapping_sub(before.unhealthy_routed),
            grpc_requests: now.grpc_requests.wrapping_sub(before.grpc_requests),
            ipv6_requests: now.ipv6_requests.wrapping_sub(before.ipv6_requests),
            answers,
            connection_errors: now.connection_errors.wrapping_sub(before.connection_errors),
            tls_errors: now.tls_errors.wrapping_sub(before.tls_errors),
            response_time_us: now.response_times_since(&before),
        }
    }
}
