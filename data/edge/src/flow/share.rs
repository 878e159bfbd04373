//! The target groups that divide a listener's flows, and which of them a flow goes to ("Network Load Balancers now support
//! Weighted Target Groups", AWS Networking & Content Delivery Blog).

use std::sync::Arc;

use super::choose::mix;
use crate::target::Group;

/// Sets the draw of a group apart from that of a target, which is made with the same hash.
const SALT: u64 = 0x5eed_0f6a_0e0f_70e5;

/// A target group and its part of a listener's flows.
#[derive(Debug)]
pub struct Share {
    pub group: Arc<Group>,
    /// 0 to 999; none gets flows with 0.
    pub weight: u32,
    /// A client's flows all go to one of its targets.
    pub sticky: bool,
    /// Its targets are told of the client by a header of the PROXY protocol, version 2, datagrams of UDP by one each.
    pub announces: bool,
}

impl Share {
    fn pull(&self, hash: u64) -> f64 {
        pull(hash ^ mix(self.group.scope ^ SALT), self.weight)
    }
}

/// The group to which a hash leads; none when no weight is above zero. One without healthy targets is drawn all the same, as
/// those of an application load balancer are. When weights change, no more hashes change their group than must.
pub fn draw(shares: &[Share], hash: impl FnOnce() -> u64) -> Option<&Share> {
    if let [only] = shares {
        return (only.weight > 0).then_some(only);
    }
    let hash = hash();
    let weighty = shares.iter().filter(|share| share.weight > 0);
    weighty.max_by(|a, b| a.pull(hash).total_cmp(&b.pull(hash)))
}

/// The highest of several is the one of this weight as often as the weight is part of all of theirs: the waiting times of events
/// that come at these rates, with a sign.
fn pull(seed: u64, weight: u32) -> f64 {
    // Between zero and one, and neither of them.
    let even = ((mix(seed) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    even.ln() / f64::from(weight)
}

#[cfg(test)]
mod tests {
    use super::super::choose::mix;
    use super::pull;

    fn drawn(flow: u64, weights: [u32; 3]) -> usize {
        let pull = |index: usize| pull(mix(flow) ^ mix(index as u64), weights[index]);
        (0..3).filter(|index| weights[*index] > 0).max_by(|a, b| pull(*a).total_cmp(&pull(*b))).unwrap_or(usize::MAX)
    }

    #[test]
    fn flows_are_divided_by_weight_and_few_move_when_weights_change() {
        let flows = || 0..20_000_u64;
        for (weights, expected) in
            [([1, 1, 2], [5_000, 5_000, 10_000]), ([999, 0, 1], [19_980, 0, 20]), ([0, 0, 5], [0, 0, 20_000])]
        {
            let mut counts = [0_i64; 3];
            flows().for_each(|flow| counts[drawn(flow, weights)] += 1);
            for (count, expected) in counts.into_iter().zip(expected) {
                assert!((count - expected).abs() <= expected / 20 + 15, "{weights:?}: {counts:?}");
            }
        }
        let moved = flows().filter(|flow| drawn(*flow, [50, 50, 0]) != drawn(*flow, [50, 40, 0])).count();
        assert!(moved < 20_000 / 14, "one in eighteen must move: {moved}");
        assert!(flows().all(|flow| drawn(flow, [1, 1, 0]) == drawn(flow, [7, 7, 0])), "only relations count");
    }
}
