use base::{InstanceId, LoadBalancerArn, TargetGroupArn};
use serde::{Deserialize, Serialize};

/// What an instance used in a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceUsage {
    pub id: InstanceId,
    /// Processor time of all its processes, microseconds.
    pub cpu_us: u64,
    /// How much of the period it was running, milliseconds.
    pub running_ms: u64,
    /// Through its interface, from its point of view.
    pub network_in_bytes: u64,
    pub network_out_bytes: u64,
    pub network_in_packets: u64,
    pub network_out_packets: u64,
}

/// What a load balancer did in a period in one of its zones: the zone of the node that took the connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalancerTraffic {
    pub id: LoadBalancerArn,
    pub zone: String,
    /// Requests that a target was found for, and those answered with a fixed response or a redirect.
    pub requests: u64,
    /// Client and target connections open at the end of the period.
    pub active_connections: u64,
    /// Client and target connections opened in the period.
    pub new_connections: u64,
    /// Client connections refused for want of room, and requests for want of a place on connections to their target.
    pub rejected_connections: u64,
    /// Bytes of requests and answers, heads and bodies.
    pub processed_bytes: u64,
    pub fixed_responses: u64,
    /// TLS handshakes with clients that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub client_tls_errors: u64,
    /// Answers that the load balancer itself made, `(status, how many)`, in order of status.
    pub own_answers: Vec<(u16, u64)>,
    pub groups: Vec<GroupTraffic>,
    #[serde(default, skip_serializing_if = "RequestCounts::is_nothing")]
    pub more: RequestCounts,
    /// Of a network load balancer, which has neither requests nor answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<FlowTraffic>,
    /// How fast that was, stretch after stretch; of those that ended in the period. None where nothing moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paces: Vec<Pace>,
}

/// What moved in a stretch of time, of ten seconds where periods are as long or longer. All zones' end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Never zero.
    pub ms: u64,
    pub bytes: u64,
    pub packets: u64,
}

/// What else is to be said of an application load balancer's requests in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestCounts {
    pub redirects: u64,
    /// Redirects to addresses that were too long to be sent.
    pub redirects_too_long: u64,
    /// Requests that do not comply with RFC 7230, refused or not.
    pub non_compliant: u64,
    /// Rules that were looked at, other than default ones.
    pub rule_evaluations: u64,
    /// Requests with header names that are not valid: those that lost them, and those that kept them.
    pub dropped_invalid_headers: u64,
    pub forwarded_invalid_headers: u64,
    pub grpc_requests: u64,
    pub ipv6_requests: u64,
    pub ipv6_bytes: u64,
    /// Requests to sticky groups for which a target was chosen anew.
    pub non_sticky: u64,
}

impl RequestCounts {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What a network load balancer did in a period in one of its zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTraffic {
    pub tcp: FlowCounts,
    pub tls: FlowCounts,
    pub udp: FlowCounts,
    /// Segments of clients' connections, and datagrams, both ways.
    #[serde(default)]
    pub packets: u64,
    /// Connections that the client reset, the target, or the load balancer itself.
    pub client_resets: u64,
    pub target_resets: u64,
    pub balancer_resets: u64,
    /// Flows for which there was no room.
    pub rejected: u64,
    /// Flows sent to targets of any health, for want of healthy ones.
    pub unhealthy_routed: u64,
    /// Connections to targets on which TLS could not be agreed.
    pub target_tls_errors: u64,
}

/// Flows of listeners of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCounts {
    /// At the end of the period.
    pub active: u64,
    pub new: u64,
    /// Of payload, both ways.
    pub processed_bytes: u64,
}

/// What went to one target group through one zone of a load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupTraffic {
    pub id: TargetGroupArn,
    /// Requests sent to targets of the group.
    pub requests: u64,
    /// Those among them that went to targets of any health, for want of healthy ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unhealthy_routed: u64,
    /// Those among them that were of gRPC, and those of clients with IPv6 addresses.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub grpc_requests: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ipv6_requests: u64,
    /// Answers of targets by the first digit of their status, 2 to 5.
    pub answers: [u64; 4],
    /// Connections to a target that could not be made.
    pub connection_errors: u64,
    /// Connections to a target that were made, and on which TLS could not be agreed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tls_errors: u64,
    /// From the request's dispatch until the head of its answer, microseconds.
    pub response_time_us: Histogram,
}

pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How values are spread, with bounded error: buckets grow by a fixed ratio ([`Histogram::bucket_of`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    pub count: u64,
    pub sum: f64,
    /// Zero while `count` is.
    pub min: f64,
    pub max: f64,
    /// `(bucket, how many)` in order of bucket, without empty ones.
    pub buckets: Vec<(i16, u64)>,
}

/// Buckets for each doubling of the value: neighbours differ by 2.2 %, so a percentile is off by 1.1 % at most.
const BUCKETS_PER_DOUBLING: f64 = 32.0;
/// Values up to this fall into one bucket.
const SMALLEST: f64 = 1e-9;

impl Histogram {
    /// The bucket of a value. Values below a billionth, zero and negative ones share the first.
    pub fn bucket_of(value: f64) -> i16 {
        if value <= SMALLEST || value.is_nan() {
            return i16::MIN;
        }
        // Far inside the range of i16: f64's own range is 2^-1074 to 2^1024; what is beyond ±1,000 doublings saturates.
        (value.log2() * BUCKETS_PER_DOUBLING).floor() as i16
    }

    /// The middle of a bucket.
    pub fn value_of(bucket: i16) -> f64 {
        if bucket == i16::MIN { 0.0 } else { ((f64::from(bucket) + 0.5) / BUCKETS_PER_DOUBLING).exp2() }
    }

    /// Adds a value `count` times.
    pub fn add(&mut self, value: f64, count: u64) {
        if count == 0 {
            return;
        }
        (self.min, self.max) = match self.count {
            0 => (value, value),
            _ => (self.min.min(value), self.max.max(value)),
        };
        self.count += count;
        self.sum += value * count as f64;
        let bucket = Self::bucket_of(value);
        match self.buckets.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn a_value_lies_within_two_percent_of_the_middle_of_its_bucket() {
        for value in [1e-6, 0.37, 1.0, 1.999, 2.0, 1234.5, 1e9] {
            let middle = Histogram::value_of(Histogram::bucket_of(value));
            assert!((middle / value - 1.0).abs() < 0.02, "{value} is counted as {middle}");
        }
        let mut all = Histogram::default();
        for value in [4.0, 1.0, 0.0, 1.0] {
            all.add(value, 2);
        }
        assert_eq!((all.count, all.sum, all.min, all.max, all.buckets.len()), (8, 12.0, 0.0, 4.0, 3));
    }
}
