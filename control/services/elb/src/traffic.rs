//! What CloudWatch hears of load balancers, from the edge's reports: the metrics of `AWS/ApplicationELB` with the dimensions that
//! "CloudWatch metrics for your Application Load Balancer" gives each. Counters are told only when they are not zero, as there;
//! the counts of hosts whenever a group has registered targets. It counts nothing itself.

use std::collections::BTreeMap;

use base::{Fault, LoadBalancerArn, Time};
use kernel::{Cx, State, Tx};
use metrics::{Metric, Resolution, Sample};
use world::{BalancerKind, BalancerTraffic, GroupTraffic, Histogram, MinimumHealthy, Observation, RequestCounts, TargetHealth};

use crate::load_balancer::{LoadBalancer, LoadBalancerState};
use crate::target::Registration;
use crate::target_group::TargetGroup;
use crate::{attribute, flow_traffic, listener, plan};

const NAMESPACE: &str = "AWS/ApplicationELB";
/// Capacity units are the greatest of these ("Elastic Load Balancing pricing"): connections opened in a second, connections
/// open, bytes in an hour, and rules evaluated in a second, of which some are free for each request.
const LCU_NEW_PER_SECOND: f64 = 25.0;
const LCU_ACTIVE: f64 = 3_000.0;
const LCU_BYTES_PER_HOUR: f64 = 1e9;
const LCU_RULES_PER_SECOND: f64 = 1_000.0;
const FREE_RULES: u64 = 10;
const HOUR_MS: f64 = 3_600_000.0;
/// Buckets between a microsecond and a second: `log2(1e6)` doublings of 32 buckets, off by a sixth of a bucket.
const MICROSECOND_BUCKETS: i16 = 638;

/// Which of the counts.
type CountOf = fn(&RequestCounts) -> u64;

/// Counts of requests that are told of a load balancer and of each of its zones.
const REQUESTS: [(&str, CountOf); 8] = [
    ("HTTP_Redirect_Count", |more| more.redirects),
    ("HTTP_Redirect_Url_Limit_Exceeded_Count", |more| more.redirects_too_long),
    ("DesyncMitigationMode_NonCompliant_Request_Count", |more| more.non_compliant),
    ("DroppedInvalidHeaderRequestCount", |more| more.dropped_invalid_headers),
    ("ForwardedInvalidHeaderRequestCount", |more| more.forwarded_invalid_headers),
    ("GrpcRequestCount", |more| more.grpc_requests),
    ("IPv6RequestCount", |more| more.ipv6_requests),
    ("NonStickyRequestCount", |more| more.non_sticky),
];

/// Takes in a report.
pub(crate) fn observe(tx: &mut Tx, cx: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::Traffic { from, until, balancers } = observation else { return Ok(()) };
    let period_ms = until.ms_since(*from);
    if period_ms == 0 {
        return Ok(());
    }
    let mut by_balancer: BTreeMap<&LoadBalancerArn, Vec<&BalancerTraffic>> = BTreeMap::new();
    for traffic in balancers {
        by_balancer.entry(&traffic.id).or_default().push(traffic);
    }
    let (mut told, mut flows) = (Told::new(NAMESPACE), Told::new(flow_traffic::NAMESPACE));
    for (arn, zones) in by_balancer {
        let Some(balancer) = tx.get::<LoadBalancer>(arn) else { continue };
        match balancer.kind {
            BalancerKind::Application => {
                told.balancer(balancer, &zones, period_ms);
                told.reserved(tx, balancer, period_ms);
                told.groups(tx, balancer, &zones);
            }
            BalancerKind::Network => {
                flow_traffic::balancer(&mut flows, balancer, &zones, period_ms);
                flow_traffic::groups(&mut flows, tx, balancer);
                flows.reserved(tx, balancer, period_ms);
            }
        }
    }
    let resolution = if cx.settings.metric_period_s < 60 { Resolution::High } else { Resolution::Standard };
    publish(tx, *from, resolution, &told.all);
    publish(tx, *from, resolution, &flows.all);
    Ok(())
}

fn publish(tx: &mut Tx, at: Time, resolution: Resolution, told: &[(Metric, &'static str, Sample)]) {
    for (metric, unit, sample) in told {
        cloudwatch::publish(tx, metric, unit, resolution, at, sample);
    }
}

pub(crate) type Dimensions<'a> = &'a [(&'a str, &'a str)];

/// What is to be published.
pub(crate) struct Told {
    namespace: &'static str,
    all: Vec<(Metric, &'static str, Sample)>,
}

impl Told {
    fn new(namespace: &'static str) -> Self {
        Self { namespace, all: Vec::new() }
    }

    pub(crate) fn tell(&mut self, name: &str, dimensions: Dimensions, unit: &'static str, sample: Sample) {
        self.all.push((Metric::new(self.namespace, name, dimensions), unit, sample));
    }

    /// A number of things; none are not told.
    pub(crate) fn count(&mut self, name: &str, dimensions: Dimensions, count: u64) {
        if count > 0 {
            self.tell(name, dimensions, "Count", Sample::value(count as f64));
        }
    }

    /// Bytes; none are not told.
    fn bytes(&mut self, name: &str, dimensions: Dimensions, bytes: u64) {
        if bytes > 0 {
            self.tell(name, dimensions, "Bytes", Sample::value(bytes as f64));
        }
    }

    fn balancer(&mut self, balancer: &LoadBalancer, zones: &[&BalancerTraffic], period_ms: u64) {
        let name = balancer.full_name();
        let sum = |of: fn(&BalancerTraffic) -> u64| zones.iter().map(|zone| of(zone)).sum::<u64>();
        let whole: Dimensions = &[("LoadBalancer", &name)];
        self.common(whole, zones);
        for zone in zones {
            self.common(&[("AvailabilityZone", &zone.zone), ("LoadBalancer", &name)], &[zone]);
        }
        let rules = sum(|z| z.more.rule_evaluations);
        self.count("RuleEvaluations", whole, rules);
        let (active, new, bytes) = (sum(|z| z.active_connections), sum(|z| z.new_connections), sum(|z| z.processed_bytes));
        let seconds = period_ms as f64 / 1_000.0;
        let used = [
            new as f64 / seconds / LCU_NEW_PER_SECOND,
            active as f64 / LCU_ACTIVE,
            bytes as f64 / seconds * 3_600.0 / LCU_BYTES_PER_HOUR,
            rules.saturating_sub(FREE_RULES * sum(|z| z.requests)) as f64 / seconds / LCU_RULES_PER_SECOND,
        ];
        self.tell("ConsumedLCUs", whole, "Count", Sample::value(used.into_iter().fold(0.0, f64::max)));
    }

    /// Capacity that is reserved, once it is provisioned: "if you have a LCU reservation of 6,000, the one-hour total for
    /// ReservedLCUs is 6,000, and the one-minute total is 100" ("Monitor Load Balancer Capacity Unit reservation").
    fn reserved(&mut self, state: &State, balancer: &LoadBalancer, period_ms: u64) {
        let Some(capacity) = balancer.capacity else { return };
        if balancer.state(state) == LoadBalancerState::Active {
            let units = capacity.units as f64 * period_ms as f64 / HOUR_MS;
            self.tell("ReservedLCUs", &[("LoadBalancer", &balancer.full_name())], "Count", Sample::value(units));
        }
    }

    /// What is told of a load balancer and of each of its zones.
    fn common(&mut self, dimensions: Dimensions, zones: &[&BalancerTraffic]) {
        let sum = |of: fn(&BalancerTraffic) -> u64| zones.iter().map(|zone| of(zone)).sum::<u64>();
        self.count("RequestCount", dimensions, sum(|z| z.requests));
        self.count("ActiveConnectionCount", dimensions, sum(|z| z.active_connections));
        self.count("NewConnectionCount", dimensions, sum(|z| z.new_connections));
        self.bytes("ProcessedBytes", dimensions, sum(|z| z.processed_bytes));
        self.bytes("IPv6ProcessedBytes", dimensions, sum(|z| z.more.ipv6_bytes));
        self.count("RejectedConnectionCount", dimensions, sum(|z| z.rejected_connections));
        self.count("HTTP_Fixed_Response_Count", dimensions, sum(|z| z.fixed_responses));
        self.count("ClientTLSNegotiationErrorCount", dimensions, sum(|z| z.client_tls_errors));
        for (name, of) in REQUESTS {
            self.count(name, dimensions, zones.iter().map(|zone| of(&zone.more)).sum());
        }
        let own = |from: u16, to: u16| {
            let answers = zones.iter().flat_map(|zone| &zone.own_answers);
            answers.filter(|(status, _)| (from..=to).contains(status)).map(|(_, count)| count).sum::<u64>()
        };
        for (name, from, to) in [
            ("HTTPCode_ELB_3XX_Count", 300, 399),
            ("HTTPCode_ELB_4XX_Count", 400, 499),
            ("HTTPCode_ELB_5XX_Count", 500, 599),
            ("HTTPCode_ELB_500_Count", 500, 500),
            ("HTTPCode_ELB_502_Count", 502, 502),
            ("HTTPCode_ELB_503_Count", 503, 503),
            ("HTTPCode_ELB_504_Count", 504, 504),
        ] {
            self.count(name, dimensions, own(from, to));
        }
        let groups: Vec<&GroupTraffic> = zones.iter().flat_map(|zone| &zone.groups).collect();
        self.targets(dimensions, &groups);
    }

    /// What is told of targets, for whichever dimensions.
    fn targets(&mut self, dimensions: Dimensions, groups: &[&GroupTraffic]) {
        for (index, name) in
            ["HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"]
                .into_iter()
                .enumerate()
        {
            self.count(name, dimensions, groups.iter().map(|group| group.answers[index]).sum());
        }
        self.count("TargetConnectionErrorCount", dimensions, groups.iter().map(|group| group.connection_errors).sum());
        self.count("TargetTLSNegotiationErrorCount", dimensions, groups.iter().map(|group| group.tls_errors).sum());
        let mut times = Sample::default();
        for group in groups {
            times.merge(&Sample::histogram(&in_seconds(&group.response_time_us)));
        }
        if times.count > 0.0 {
            self.tell("TargetResponseTime", dimensions, "Seconds", times);
        }
    }

    fn groups(&mut self, state: &State, balancer: &LoadBalancer, zones: &[&BalancerTraffic]) {
        let name = balancer.full_name();
        for arn in &listener::groups_of(state, &balancer.arn) {
            let Some(group) = state.get::<TargetGroup>(arn) else { continue };
            let id = group.full_name();
            let hosts = Hosts::of(state, balancer, group);
            let whole: Dimensions = &[("LoadBalancer", &name), ("TargetGroup", &id)];
            let parts: Vec<&GroupTraffic> = zones.iter().flat_map(|zone| &zone.groups).filter(|part| part.id == *arn).collect();
            self.group(whole, &parts);
            self.of_group(&[whole, &[("TargetGroup", &id)]], &parts, &hosts);
            self.hosts(whole, hosts.all(), &hosts);
            self.anomalies(whole, hosts.all(), &hosts);
            self.states(state_of(balancer, group), &hosts, zones, &name, &id);
            for zone in zones {
                let in_zone: Dimensions = &[("AvailabilityZone", &zone.zone), ("LoadBalancer", &name), ("TargetGroup", &id)];
                let parts: Vec<&GroupTraffic> = zone.groups.iter().filter(|part| part.id == *arn).collect();
                self.group(in_zone, &parts);
                let by_zone: Dimensions = &[("AvailabilityZone", &zone.zone), ("TargetGroup", &id)];
                self.of_group(&[in_zone, by_zone], &parts, &hosts);
                let own = hosts.in_zone(&zone.zone);
                self.hosts(in_zone, own, &hosts);
                self.anomalies(in_zone, own, &hosts);
            }
        }
    }

    fn group(&mut self, dimensions: Dimensions, parts: &[&GroupTraffic]) {
        self.count("RequestCount", dimensions, parts.iter().map(|part| part.requests).sum());
        self.count("IPv6RequestCount", dimensions, parts.iter().map(|part| part.ipv6_requests).sum());
        self.count("UnhealthyRoutingRequestCount", dimensions, parts.iter().map(|part| part.unhealthy_routed).sum());
        self.targets(dimensions, parts);
    }

    /// What is told of a group by itself, too: requests of gRPC, and requests a target, over those that get requests: the
    /// healthy ones, or all when none is.
    fn of_group(&mut self, dimensions: &[Dimensions], parts: &[&GroupTraffic], hosts: &Hosts) {
        let grpc_requests = parts.iter().map(|part| part.grpc_requests).sum();
        dimensions.iter().for_each(|dimensions| self.count("GrpcRequestCount", dimensions, grpc_requests));
        let requests: u64 = parts.iter().map(|part| part.requests).sum();
        let targets = if hosts.all().healthy > 0 { hosts.all().healthy } else { hosts.registered.max(1) };
        if requests > 0 {
            let sample = Sample::value(requests as f64 / targets as f64);
            dimensions.iter().for_each(|dimensions| self.tell("RequestCountPerTarget", dimensions, "Count", sample.clone()));
        }
    }

    pub(crate) fn hosts(&mut self, dimensions: Dimensions, count: Count, hosts: &Hosts) {
        if hosts.registered > 0 {
            self.tell("HealthyHostCount", dimensions, "Count", Sample::value(count.healthy as f64));
            self.tell("UnHealthyHostCount", dimensions, "Count", Sample::value(count.unhealthy as f64));
        }
    }

    /// Hosts that stand out ("Reporting criteria: Always reported"), of which network load balancers know nothing.
    fn anomalies(&mut self, dimensions: Dimensions, count: Count, hosts: &Hosts) {
        if hosts.registered > 0 {
            self.tell("AnomalousHostCount", dimensions, "Count", Sample::value(count.anomalous as f64));
            self.tell("MitigatedHostCount", dimensions, "Count", Sample::value(count.mitigated as f64));
        }
    }

    /// Zones in which the group has enough healthy targets for DNS and for routing, and those in which it has not ("Target
    /// group health metrics"). Where targets of all zones serve, what counts is all of them.
    fn states(&mut self, wanted: Wanted, hosts: &Hosts, zones: &[&BalancerTraffic], name: &str, id: &str) {
        if hosts.registered == 0 {
            return;
        }
        for (minimum, healthy_name, unhealthy_name) in [
            (wanted.dns_failover, "HealthyStateDNS", "UnhealthyStateDNS"),
            (wanted.fail_open, "HealthyStateRouting", "UnhealthyStateRouting"),
        ] {
            let (mut good, mut bad) = (0, 0);
            for zone in zones {
                let own = hosts.in_zone(&zone.zone);
                let is_good = !is_below(minimum, if wanted.cross_zone { hosts.all() } else { own });
                (good, bad) = (good + u64::from(is_good), bad + u64::from(!is_good));
                let dimensions: Dimensions = &[("AvailabilityZone", &zone.zone), ("LoadBalancer", name), ("TargetGroup", id)];
                self.tell(healthy_name, dimensions, "Count", Sample::value(f64::from(u8::from(is_good))));
                self.tell(unhealthy_name, dimensions, "Count", Sample::value(f64::from(u8::from(!is_good))));
            }
            let dimensions: Dimensions = &[("LoadBalancer", name), ("TargetGroup", id)];
            self.tell(healthy_name, dimensions, "Count", Sample::value(good as f64));
            self.tell(unhealthy_name, dimensions, "Count", Sample::value(bad as f64));
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    healthy: usize,
    unhealthy: usize,
    all: usize,
    anomalous: usize,
    mitigated: usize,
}

impl Count {
    /// There are no targets.
    pub(crate) fn is_none(self) -> bool {
        self.all == 0
    }
}

/// What decides about the state of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    dns_failover: MinimumHealthy,
    fail_open: MinimumHealthy,
    cross_zone: bool,
}

impl Wanted {
    /// Whether the group lets DNS name the node of a zone, as the edge decides, too ("Troubleshoot your Network Load Balancer:
    /// Load balancer zonal health"): one without any targets does.
    pub(crate) fn keeps_in_dns(&self, hosts: &Hosts, zone: &str) -> bool {
        let reached = if self.cross_zone { hosts.all() } else { hosts.in_zone(zone) };
        hosts.all().is_none() || !(reached.is_none() || is_below(self.dns_failover, reached))
    }
}

pub(crate) fn state_of(balancer: &LoadBalancer, group: &TargetGroup) -> Wanted {
    Wanted {
        dns_failover: attribute::minimum_healthy(group, "dns_failover"),
        fail_open: attribute::minimum_healthy(group, "unhealthy_state_routing"),
        cross_zone: plan::is_cross_zone(balancer, group),
    }
}

/// Whether fewer targets are healthy than either threshold wants.
fn is_below(wanted: MinimumHealthy, count: Count) -> bool {
    let few = wanted.count.is_some_and(|least| count.healthy < least as usize);
    few || wanted.percent.is_some_and(|percent| count.healthy * 100 < percent as usize * count.all)
}

/// The targets of a group at the moment of the report. One that is deregistered or not yet judged is neither healthy nor
/// unhealthy.
#[derive(Default)]
pub(crate) struct Hosts {
    registered: usize,
    by_zone: BTreeMap<String, Count>,
}

impl Hosts {
    pub(crate) fn of(state: &State, balancer: &LoadBalancer, group: &TargetGroup) -> Self {
        let mut hosts = Self::default();
        for registration in state.rows_where::<Registration>("group", &group.arn) {
            if registration.draining_until.is_some() {
                continue;
            }
            hosts.registered += 1;
            let Some(place) = registration.place_in(state, group) else { continue };
            if !balancer.nodes.iter().any(|node| node.zone == place.zone) {
                continue;
            }
            let count = match hosts.by_zone.get_mut(place.zone) {
                Some(count) => count,
                None => hosts.by_zone.entry(place.zone.into()).or_default(),
            };
            count.all += 1;
            if let Some(anomaly) = registration.anomaly {
                count.anomalous += 1;
                count.mitigated += usize::from(anomaly.mitigated);
            }
            // It runs, in one of the zones, and is not leaving: what was seen is all that is left to decide.
            match registration.seen_by(balancer) {
                Some(TargetHealth::Healthy) => count.healthy += 1,
                Some(TargetHealth::Unhealthy { .. }) => count.unhealthy += 1,
                Some(TargetHealth::Initial | TargetHealth::Draining | TargetHealth::Drained) | None => {}
            }
        }
        hosts
    }

    pub(crate) fn in_zone(&self, zone: &str) -> Count {
        self.by_zone.get(zone).copied().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> Count {
        let add = |a: Count, b: &Count| Count {
            healthy: a.healthy + b.healthy,
            unhealthy: a.unhealthy + b.unhealthy,
            all: a.all + b.all,
            anomalous: a.anomalous + b.anomalous,
            mitigated: a.mitigated + b.mitigated,
        };
        self.by_zone.values().fold(Count::default(), add)
    }
}

/// A distribution of microseconds as one of seconds.
fn in_seconds(microseconds: &Histogram) -> Histogram {
    let shift = |bucket: i16| if bucket == i16::MIN { bucket } else { bucket.saturating_sub(MICROSECOND_BUCKETS) };
    Histogram {
        count: microseconds.count,
        sum: microseconds.sum / 1e6,
        min: microseconds.min / 1e6,
        max: microseconds.max / 1e6,
        buckets: microseconds.buckets.iter().map(|(bucket, count)| (shift(*bucket), *count)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::in_seconds;
    use world::Histogram;

    #[test]
    fn a_distribution_keeps_its_shape_from_microseconds_to_seconds() {
        let mut microseconds = Histogram::default();
        for value in [1_500.0, 20_000.0, 3_000_000.0] {
            microseconds.add(value, 2);
        }
        let seconds = in_seconds(&microseconds);
        for ((bucket, count), value) in seconds.buckets.iter().zip([0.0015, 0.02, 3.0]) {
            let middle = Histogram::value_of(*bucket);
            assert!((middle / value - 1.0).abs() < 0.02 && *count == 2, "{middle} {value}");
        }
        assert_eq!((seconds.count, seconds.min, seconds.max), (6, 0.0015, 3.0));
    }
}
