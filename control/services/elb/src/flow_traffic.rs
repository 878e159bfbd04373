//! What CloudWatch hears of network load balancers: the metrics of `AWS/NetworkELB` with the dimensions that "CloudWatch
//! metrics for your Network Load Balancer" gives each. One through which nothing flows is not told of, as there; its hosts are.

use kernel::State;
use metrics::Sample;
use world::{BalancerTraffic, FlowCounts, FlowTraffic};

use crate::listener;
use crate::load_balancer::LoadBalancer;
use crate::target_group::TargetGroup;
use crate::traffic::{Dimensions, Hosts, Told, Wanted, state_of};

pub(crate) const NAMESPACE: &str = "AWS/NetworkELB";
/// Of each protocol, what a capacity unit holds ("Elastic Load Balancing pricing"): flows opened in a second, flows open. Of
/// bytes it is the same for all.
const CAPACITY: [(&str, f64, f64); 3] = [("TCP", 800.0, 100_000.0), ("TLS", 50.0, 3_000.0), ("UDP", 400.0, 50_000.0)];
const BYTES_PER_HOUR: f64 = 1e9;

/// Of a load balancer, whole and by zone.
pub(crate) fn balancer(told: &mut Told, balancer: &LoadBalancer, zones: &[&BalancerTraffic], period_ms: u64) {
    let name = balancer.full_name();
    let whole: Dimensions = &[("LoadBalancer", &name)];
    common(told, whole, zones);
    for zone in zones {
        common(told, &[("AvailabilityZone", &zone.zone), ("LoadBalancer", &name)], &[zone]);
    }
    let Some(sum) = sum(zones) else { return };
    let seconds = period_ms as f64 / 1_000.0;
    let mut all: f64 = 0.0;
    for ((protocol, new, active), counts) in CAPACITY.into_iter().zip([sum.tcp, sum.tls, sum.udp]) {
        let used = [
            counts.new as f64 / seconds / new,
            counts.active as f64 / active,
            counts.processed_bytes as f64 / seconds * 3_600.0 / BYTES_PER_HOUR,
        ];
        let used = used.into_iter().fold(0.0, f64::max);
        all += used;
        if used > 0.0 {
            told.tell(&format!("ConsumedLCUs_{protocol}"), whole, "Count", Sample::value(used));
        }
    }
    told.tell("ConsumedLCUs", whole, "Count", Sample::value(all));
}

/// Which of the counts.
type CountOf<T> = fn(&T) -> u64;

fn common(told: &mut Told, dimensions: Dimensions, zones: &[&BalancerTraffic]) {
    let Some(sum) = sum(zones) else { return };
    let all = [sum.tcp, sum.tls, sum.udp];
    let kinds: [(&str, &str, CountOf<FlowCounts>); 3] = [
        ("ActiveFlowCount", "Count", |c| c.active),
        ("NewFlowCount", "Count", |c| c.new),
        ("ProcessedBytes", "Bytes", |c| c.processed_bytes),
    ];
    for (name, unit, of) in kinds {
        told.tell(name, dimensions, unit, Sample::value(all.iter().map(of).sum::<u64>() as f64));
        for ((protocol, ..), counts) in CAPACITY.iter().zip(&all).filter(|(_, counts)| of(counts) > 0) {
            told.tell(&format!("{name}_{protocol}"), dimensions, unit, Sample::value(of(counts) as f64));
        }
    }
    let client_tls_errors = zones.iter().map(|zone| zone.client_tls_errors).sum::<u64>();
    // "Reporting criteria: Always reported".
    for (name, count) in [
        ("ClientTLSNegotiationErrorCount", client_tls_errors),
        ("RejectedFlowCount", sum.rejected),
        ("TargetTLSNegotiationErrorCount", sum.target_tls_errors),
        ("TCP_Client_Reset_Count", sum.client_resets),
        ("TCP_ELB_Reset_Count", sum.balancer_resets),
        ("TCP_Target_Reset_Count", sum.target_resets),
    ] {
        told.tell(name, dimensions, "Count", Sample::value(count as f64));
    }
    told.count("UnhealthyRoutingFlowCount", dimensions, sum.unhealthy_routed);
    // Those of health checks, which AWS includes, are not among them.
    told.count("ProcessedPackets", dimensions, sum.packets);
    let (bytes, packets) = peaks(zones);
    told.tell("PeakBytesPerSecond", dimensions, "Bytes/Second", Sample::value(bytes));
    told.tell("PeakPacketsPerSecond", dimensions, "Count/Second", Sample::value(packets));
}

/// The most bytes and packets per second of all zones together in a stretch. The last stretches of all ended at one moment; a
/// zone may be younger than others.
fn peaks(zones: &[&BalancerTraffic]) -> (f64, f64) {
    let count = zones.iter().map(|zone| zone.paces.len()).max().unwrap_or_default();
    let mut peaks = (0.0_f64, 0.0_f64);
    for back in 0..count {
        let at = zones.iter().filter_map(|zone| zone.paces.iter().rev().nth(back));
        let (bytes, packets) = at.fold((0.0, 0.0), |(bytes, packets), pace| {
            let seconds = pace.ms.max(1) as f64 / 1_000.0;
            (bytes + pace.bytes as f64 / seconds, packets + pace.packets as f64 / seconds)
        });
        peaks = (peaks.0.max(bytes), peaks.1.max(packets));
    }
    peaks
}

/// The sum over zones; none where nothing was said, nor is open.
fn sum(zones: &[&BalancerTraffic]) -> Option<FlowTraffic> {
    let add = |a: FlowCounts, b: FlowCounts| FlowCounts {
        active: a.active + b.active,
        new: a.new + b.new,
        processed_bytes: a.processed_bytes + b.processed_bytes,
    };
    let sum = zones.iter().filter_map(|zone| zone.flows).fold(FlowTraffic::default(), |a, b| FlowTraffic {
        tcp: add(a.tcp, b.tcp),
        tls: add(a.tls, b.tls),
        udp: add(a.udp, b.udp),
        packets: a.packets + b.packets,
        client_resets: a.client_resets + b.client_resets,
        target_resets: a.target_resets + b.target_resets,
        balancer_resets: a.balancer_resets + b.balancer_resets,
        rejected: a.rejected + b.rejected,
        unhealthy_routed: a.unhealthy_routed + b.unhealthy_routed,
        target_tls_errors: a.target_tls_errors + b.target_tls_errors,
    });
    let client_tls_errors = zones.iter().map(|zone| zone.client_tls_errors).sum::<u64>();
    (sum != FlowTraffic::default() || client_tls_errors > 0).then_some(sum)
}

/// How many targets are well, by group and zone, and which zones are.
pub(crate) fn groups(told: &mut Told, state: &State, balancer: &LoadBalancer) {
    let name = balancer.full_name();
    let mut all = Vec::new();
    for arn in &listener::groups_of(state, &balancer.arn) {
        let Some(group) = state.get::<TargetGroup>(arn) else { continue };
        let id = group.full_name();
        let hosts = Hosts::of(state, balancer, group);
        told.hosts(&[("LoadBalancer", &name), ("TargetGroup", &id)], hosts.all(), &hosts);
        for node in &balancer.nodes {
            let dimensions: Dimensions = &[("AvailabilityZone", &node.zone), ("LoadBalancer", &name), ("TargetGroup", &id)];
            told.hosts(dimensions, hosts.in_zone(&node.zone), &hosts);
        }
        all.push((state_of(balancer, group), hosts));
    }
    zonal_health(told, balancer, &all);
}

/// "The load balancer emits a 1 for each healthy Availability Zone and a 0 for each unhealthy Availability Zone. Reporting
/// criteria: Reported if health checks are enabled": they are where there are targets.
fn zonal_health(told: &mut Told, balancer: &LoadBalancer, groups: &[(Wanted, Hosts)]) {
    if groups.iter().all(|(_, hosts)| hosts.all().is_none()) {
        return;
    }
    let name = balancer.full_name();
    let mut all = Sample::default();
    for node in &balancer.nodes {
        let is_healthy = groups.iter().all(|(wanted, hosts)| wanted.keeps_in_dns(hosts, &node.zone));
        let sample = Sample::value(f64::from(u8::from(is_healthy)));
        all.merge(&sample);
        told.tell("ZonalHealthStatus", &[("AvailabilityZone", &node.zone), ("LoadBalancer", &name)], "Count", sample);
    }
    told.tell("ZonalHealthStatus", &[("LoadBalancer", &name)], "Count", all);
}
