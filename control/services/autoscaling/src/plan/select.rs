//! Which instances a shrinking group gives up: first those of the zones with the most, then by the group's
//! termination policies ("Configure termination policies for Amazon EC2 Auto Scaling"). Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use base::{InstanceId, Time};

use crate::group::TerminationPolicy;
use crate::member::Member;

const HOUR_MS: u64 = 3_600_000;

/// An instance that may have to go.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) id: &'a InstanceId,
    pub(crate) zone: &'a str,
    /// It serves; what does not yet serves no one, so it goes first.
    pub(crate) serves: bool,
    /// Its zone is one of the group's.
    pub(crate) inside: bool,
    pub(crate) launched_at: Time,
    pub(crate) protected: bool,
    /// When its launch configuration was made; none of an instance from a launch template.
    pub(crate) configuration: Option<Time>,
    /// Whether its launch template is the group's, and its version.
    pub(crate) template: Option<(bool, u64)>,
}

impl<'a> Candidate<'a> {
    pub(crate) fn of(member: &'a Member, zones: &[&str], template: &str) -> Self {
        Self {
            id: &member.instance,
            zone: &member.zone,
            serves: member.in_service_at.is_some(),
            inside: zones.contains(&member.zone.as_str()),
            launched_at: member.launched_at,
            protected: member.protected,
            configuration: member.configuration.as_ref().map(|c| c.created_at),
            template: member.template.as_ref().map(|t| (t.id == template, t.version)),
        }
    }
}

/// Up to `count` instances to terminate, out of those that make up the capacity. Protected ones are spared, and count.
pub(crate) fn victims(candidates: Vec<Candidate>, policies: &[TerminationPolicy], count: usize, now: Time) -> Vec<InstanceId> {
    let mut in_zone: BTreeMap<&str, usize> = BTreeMap::new();
    for candidate in &candidates {
        *in_zone.entry(candidate.zone).or_default() += 1;
    }
    // In each zone the order is fixed; only which zone is the fullest changes as instances go.
    let mut queues: BTreeMap<(bool, bool, &str), Queue> = BTreeMap::new();
    for c in candidates.iter().filter(|c| !c.protected) {
        let rank = policies.iter().flat_map(|p| ranks(*p, c, now)).collect();
        // Ids are random, so they stand for AWS's random choice, and it can be repeated.
        queues.entry((c.serves, c.inside, c.zone)).or_default().push((rank, c.id));
    }
    queues.values_mut().for_each(|queue| queue.sort_by(|a, b| b.cmp(a)));
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let fullness = |zone: &str| in_zone.get(zone).copied().unwrap_or_default();
        let heads = queues.iter().filter_map(|(key, queue)| Some((key, queue.last()?)));
        let next =
            heads.min_by(|(a, x), (b, y)| (a.0, a.1, Reverse(fullness(a.2)), x).cmp(&(b.0, b.1, Reverse(fullness(b.2)), y)));
        let Some(key) = next.map(|(key, _)| *key) else { break };
        let Some((_, id)) = queues.get_mut(&key).and_then(Vec::pop) else { break };
        if let Some(left) = in_zone.get_mut(key.2) {
            *left -= 1;
        }
        chosen.push(id.clone());
    }
    chosen
}

/// The smaller goes first.
type Rank = u64;
/// The instances of a zone, the next to go last.
type Queue<'a> = Vec<(Vec<Rank>, &'a InstanceId)>;

/// How early an instance goes by one policy.
fn ranks(policy: TerminationPolicy, c: &Candidate, now: Time) -> Vec<Rank> {
    let age = |at: Time| u64::MAX - now.ms_since(at);
    // Instances from launch configurations go before those from launch templates ("Default termination policy").
    let configuration = c.configuration.map_or(Rank::MAX, age);
    // First those from a template that is not the group's any more, then the oldest version of the group's.
    let template = c.template.map_or(0, |(present, version)| if present { version.saturating_add(1) } else { 0 });
    let hour = HOUR_MS - now.ms_since(c.launched_at) % HOUR_MS;
    match policy {
        TerminationPolicy::OldestInstance => vec![age(c.launched_at)],
        TerminationPolicy::NewestInstance => vec![now.ms_since(c.launched_at)],
        TerminationPolicy::OldestLaunchTemplate => vec![template],
        TerminationPolicy::OldestLaunchConfiguration => vec![configuration],
        TerminationPolicy::ClosestToNextInstanceHour => vec![hour],
        TerminationPolicy::Default => vec![configuration, template, hour],
        // Instances of a group differ in nothing that it could allocate.
        TerminationPolicy::AllocationStrategy => vec![],
    }
}

#[cfg(test)]
mod tests {
    use base::{InstanceId, Time};

    use super::{Candidate, victims};
    use crate::group::TerminationPolicy::{
        self, ClosestToNextInstanceHour, Default, NewestInstance, OldestInstance, OldestLaunchConfiguration, OldestLaunchTemplate,
    };

    /// Id, zone, minute of launch, template version, protected.
    type Line = (&'static str, &'static str, i64, u64, bool);

    fn minute(minute: i64) -> Time {
        Time::from_unix_ms(minute * 60_000)
    }

    fn candidate<'a>(id: &'a InstanceId, (_, zone, launched, version, protected): &Line) -> Candidate<'a> {
        Candidate {
            id,
            zone,
            serves: true,
            inside: ["a", "b"].contains(zone),
            launched_at: minute(*launched),
            protected: *protected,
            configuration: None,
            template: Some((true, *version)),
        }
    }

    fn check_with(
        policies: &[TerminationPolicy],
        count: usize,
        lines: &[Line],
        change: impl Fn(&mut Candidate),
        expected: &[&str],
    ) {
        let ids: Vec<InstanceId> = lines.iter().map(|l| l.0.into()).collect();
        let mut all: Vec<Candidate> = ids.iter().zip(lines).map(|(id, line)| candidate(id, line)).collect();
        all.iter_mut().for_each(change);
        assert_eq!(victims(all, policies, count, minute(100)), expected, "{policies:?} {lines:?}");
    }

    fn check(policies: &[TerminationPolicy], count: usize, lines: &[Line], expected: &[&str]) {
        check_with(policies, count, lines, |_| {}, expected);
    }

    #[test]
    fn the_fullest_zone_gives_first() {
        let lines = [("i-1", "a", 1, 1, false), ("i-2", "b", 3, 1, false), ("i-3", "b", 2, 1, false)];
        check(&[OldestInstance], 1, &lines, &["i-3"]);
        check(&[OldestInstance], 2, &lines, &["i-3", "i-1"]);
    }

    #[test]
    fn a_zone_that_was_left_gives_before_all() {
        check(&[NewestInstance], 1, &[("i-1", "c", 1, 1, false), ("i-2", "b", 3, 1, false), ("i-3", "b", 2, 1, false)], &["i-1"]);
    }

    #[test]
    fn what_does_not_serve_yet_gives_before_what_does() {
        let lines = [("i-1", "a", 1, 1, false), ("i-2", "b", 3, 1, false), ("i-3", "b", 2, 1, false)];
        check_with(&[OldestInstance], 1, &lines, |c| c.serves = c.id.as_str() != "i-1", &["i-1"]);
    }

    #[test]
    fn policies_choose_within_the_zone() {
        let lines = [("i-1", "a", 1, 2, false), ("i-2", "a", 30, 1, false), ("i-3", "a", 50, 2, false)];
        check(&[OldestInstance], 1, &lines, &["i-1"]);
        check(&[NewestInstance], 1, &lines, &["i-3"]);
        check(&[OldestLaunchTemplate], 1, &lines, &["i-2"]);
        check(&[OldestLaunchTemplate, OldestInstance], 2, &lines, &["i-2", "i-1"]);
        check(&[Default], 1, &lines, &["i-2"]);
        // With one version left, the default looks at the hour: i-3 has run 50 minutes of it, i-1 99 minutes.
        check(&[Default], 2, &lines, &["i-2", "i-3"]);
        check(&[ClosestToNextInstanceHour], 1, &lines, &["i-3"]);
    }

    #[test]
    fn launch_configurations_go_before_launch_templates_and_the_oldest_of_them_first() {
        let lines = [("i-1", "a", 1, 1, false), ("i-2", "a", 2, 1, false), ("i-3", "a", 3, 1, false)];
        let mixed = |c: &mut Candidate| {
            if c.id.as_str() != "i-1" {
                c.template = None;
                c.configuration = Some(minute(if c.id.as_str() == "i-3" { 0 } else { 1 }));
            }
        };
        check_with(&[Default], 3, &lines, mixed, &["i-3", "i-2", "i-1"]);
        check_with(&[OldestLaunchConfiguration], 3, &lines, mixed, &["i-3", "i-2", "i-1"]);
    }

    #[test]
    fn a_template_that_is_not_the_groups_any_more_goes_before_old_versions_of_it() {
        let lines = [("i-1", "a", 1, 1, false), ("i-2", "a", 2, 9, false)];
        check_with(&[OldestLaunchTemplate], 1, &lines, |c| c.template = Some((c.id.as_str() == "i-1", 1)), &["i-2"]);
    }

    #[test]
    fn protected_instances_stay() {
        check(&[OldestInstance], 2, &[("i-1", "a", 1, 1, true), ("i-2", "a", 3, 1, false)], &["i-2"]);
    }

    #[test]
    fn thousands_are_chosen_at_once() {
        let ids: Vec<InstanceId> = (0..10_000).map(|n| format!("i-{n:05}").into()).collect();
        let line = |n: usize| ("", ["a", "b", "c"][n % 3], n as i64 % 90, 1, false);
        let all: Vec<Candidate> = ids.iter().enumerate().map(|(n, id)| candidate(id, &line(n))).collect();
        assert_eq!(victims(all, &[Default], 9_000, minute(100)).len(), 9_000);
    }
}
