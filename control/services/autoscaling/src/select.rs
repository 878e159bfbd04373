//! Which instances a shrinking group gives up: first those of the zones with the most, then by the group's
//! termination policies ("How termination policies work"). Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use base::{InstanceId, Time};

use crate::group::TerminationPolicy;
use crate::plan::MemberView;

const HOUR_MS: u64 = 3_600_000;

/// Up to `count` instances to terminate, out of `members`, which are those that count. Protected ones are spared.
pub(crate) fn victims(
    members: &[&MemberView],
    zones: &[&str],
    policies: &[TerminationPolicy],
    count: usize,
    now: Time,
) -> Vec<InstanceId> {
    let mut left: Vec<&MemberView> = members.to_vec();
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let Some(next) = next_victim(&left, zones, policies, now) else { break };
        left.retain(|m| m.id != next);
        chosen.push(next);
    }
    chosen
}

fn next_victim(members: &[&MemberView], zones: &[&str], policies: &[TerminationPolicy], now: Time) -> Option<InstanceId> {
    let mut in_zone: BTreeMap<&str, usize> = BTreeMap::new();
    for member in members {
        *in_zone.entry(&member.zone).or_default() += 1;
    }
    let mut candidates: Vec<&MemberView> = members.iter().copied().filter(|m| !m.protected).collect();
    // What is not in service yet serves no one, so it goes first; then what stands in a zone that is no longer the group's.
    keep_least(&mut candidates, |m| m.in_service_at.is_some());
    keep_least(&mut candidates, |m| zones.contains(&m.zone.as_str()));
    keep_least(&mut candidates, |m| Reverse(in_zone.get(m.zone.as_str()).copied().unwrap_or_default()));
    for policy in policies {
        apply(*policy, &mut candidates, now);
    }
    // Ids are random, so this stands for AWS's random choice, and it can be repeated.
    candidates.into_iter().map(|m| m.id.clone()).min()
}

/// Leaves those that a policy prefers.
fn apply(policy: TerminationPolicy, candidates: &mut Vec<&MemberView>, now: Time) {
    match policy {
        TerminationPolicy::OldestInstance => keep_least(candidates, |m| m.launched_at),
        TerminationPolicy::NewestInstance => keep_least(candidates, |m| Reverse(m.launched_at)),
        TerminationPolicy::OldestLaunchTemplate => keep_least(candidates, |m| m.template_version),
        TerminationPolicy::ClosestToNextInstanceHour => {
            keep_least(candidates, |m| HOUR_MS - now.ms_since(m.launched_at) % HOUR_MS);
        }
        TerminationPolicy::Default => {
            apply(TerminationPolicy::OldestLaunchTemplate, candidates, now);
            apply(TerminationPolicy::ClosestToNextInstanceHour, candidates, now);
        }
        TerminationPolicy::OldestLaunchConfiguration | TerminationPolicy::AllocationStrategy => {}
    }
}

fn keep_least<K: Ord>(candidates: &mut Vec<&MemberView>, key: impl Fn(&MemberView) -> K) {
    if let Some(least) = candidates.iter().map(|m| key(m)).min() {
        candidates.retain(|m| key(m) == least);
    }
}

#[cfg(test)]
mod tests {
    use base::Time;

    use super::victims;
    use crate::group::TerminationPolicy::{self, Default, NewestInstance, OldestInstance, OldestLaunchTemplate};
    use crate::plan::MemberView;

    /// Id, zone, minute of launch, template version, protected.
    type Line = (&'static str, &'static str, i64, u64, bool);

    fn member((id, zone, minute, version, protected): &Line) -> MemberView {
        let launched_at = Time::from_unix_ms(minute * 60_000);
        let mut member = MemberView::in_service(id, zone, launched_at);
        member.template_version = Some(*version);
        member.protected = *protected;
        member
    }

    fn check(policies: &[TerminationPolicy], count: usize, lines: &[Line], expected: &[&str]) {
        let members: Vec<MemberView> = lines.iter().map(member).collect();
        let members: Vec<&MemberView> = members.iter().collect();
        let got = victims(&members, &["a", "b"], policies, count, Time::from_unix_ms(100 * 60_000));
        assert_eq!(got, expected, "{policies:?} {lines:?}");
    }

    #[test]
    fn the_fullest_zone_gives_first() {
        check(&[OldestInstance], 1, &[("i-1", "a", 1, 1, false), ("i-2", "b", 3, 1, false), ("i-3", "b", 2, 1, false)], &["i-3"]);
        check(
            &[OldestInstance],
            2,
            &[("i-1", "a", 1, 1, false), ("i-2", "b", 3, 1, false), ("i-3", "b", 2, 1, false)],
            &["i-3", "i-1"],
        );
    }

    #[test]
    fn a_zone_that_was_left_gives_before_all() {
        check(&[NewestInstance], 1, &[("i-1", "c", 1, 1, false), ("i-2", "b", 3, 1, false), ("i-3", "b", 2, 1, false)], &["i-1"]);
    }

    #[test]
    fn policies_choose_within_the_zone() {
        let lines = [("i-1", "a", 1, 2, false), ("i-2", "a", 30, 1, false), ("i-3", "a", 50, 2, false)];
        check(&[OldestInstance], 1, &lines, &["i-1"]);
        check(&[NewestInstance], 1, &lines, &["i-3"]);
        check(&[OldestLaunchTemplate], 1, &lines, &["i-2"]);
        check(&[Default], 1, &lines, &["i-2"]);
        // With one version left, the default looks at the hour: i-3 has run 50 minutes of it, i-1 99 minutes.
        check(&[Default], 2, &lines, &["i-2", "i-3"]);
    }

    #[test]
    fn protected_instances_stay() {
        check(&[OldestInstance], 2, &[("i-1", "a", 1, 1, true), ("i-2", "a", 3, 1, false)], &["i-2"]);
    }
}
