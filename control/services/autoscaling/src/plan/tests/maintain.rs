//! Replacement under an instance maintenance policy: ahead where it leaves room, and within its bounds whatever happens.

use std::time::Duration;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::properties::{any_event, any_zones, happen};
use super::toy::Toy;
use crate::group::{MaintenancePolicy, Process};
use crate::member::{Health, Lifecycle, Sickness};
use crate::plan::{Action, Because, Machine};

const DAY: Duration = Duration::from_secs(86_400);

fn maintained(desired: usize, min_percent: u32, max_percent: u32) -> Toy {
    let mut toy = Toy::settled(&["a", "b"], desired);
    toy.maintenance = Some(MaintenancePolicy { min_percent, max_percent });
    toy
}

/// How few were in service and healthy, and how many were so or pending, until all was done.
fn play(toy: &mut Toy) -> (usize, usize) {
    let (mut fewest, mut most) = (usize::MAX, 0);
    for _ in 0..100 {
        toy.turn();
        let coming = toy.beings.iter().filter(|b| b.row.lifecycle == Lifecycle::Pending).count();
        (fewest, most) = (fewest.min(toy.ready()), most.max(toy.ready() + coming));
        toy.boot_all();
    }
    (fewest, most)
}

#[test]
fn an_unhealthy_instance_stays_until_another_serves_in_its_place_and_zone() {
    let mut toy = maintained(2, 100, 150);
    let (id, zone) = (toy.beings[1].row.instance.clone(), toy.beings[1].row.zone.clone());
    toy.beings[1].row.health = Health::Unhealthy(Sickness::User);
    toy.turn();
    assert!(matches!(&toy.actions[..], [Action::Launch { place, .. }] if place.zone == zone), "{:?}", toy.actions);
    assert_eq!(toy.being(id.as_str()).row.lifecycle, Lifecycle::InService);
    assert!(!toy.turn(), "it waits for the other one");
    toy.boot_all();
    toy.turn();
    assert_eq!(toy.actions, [Action::Retire { instance: id, because: Because::Unhealthy(Sickness::User) }]);
    toy.settle();
    assert_eq!((toy.beings.len(), toy.launched), (2, 3));
}

#[test]
fn an_instance_that_is_gone_is_not_waited_for() {
    let mut toy = maintained(2, 100, 200);
    toy.beings[0].machine = Machine::Gone;
    toy.turn();
    assert_eq!(toy.beings.iter().filter(|b| b.row.lifecycle == Lifecycle::InService).count(), 1);
    toy.settle();
    assert_eq!((toy.beings.len(), toy.launched), (2, 3));
}

#[test]
fn outlived_instances_are_replaced_within_the_bounds() {
    // Minimum, maximum; the fewest that serve, the most there are.
    for (min, max, fewest, most) in [(100, 110, 10, 11), (100, 150, 10, 15), (50, 150, 5, 15), (90, 120, 9, 12), (90, 100, 9, 10)]
    {
        let mut toy = maintained(10, min, max);
        toy.lifetime = Some(DAY);
        toy.now = toy.now + DAY;
        let found = play(&mut toy);
        assert!(found.0 >= fewest && found.1 <= most, "{min} {max}: {found:?}");
        assert!(toy.beings.len() == 10 && toy.launched == 20, "{min} {max}: {}", toy.launched);
    }
}

/// "Instance maintenance policies" holds for the balance of the zones too.
#[test]
fn zones_are_evened_out_within_the_bounds() {
    // Minimum, maximum; the fewest that serve, the most there are.
    for (min, max, fewest, most) in [(100, 110, 10, 11), (100, 150, 10, 15), (80, 100, 8, 10), (50, 100, 5, 10), (90, 120, 9, 12)]
    {
        let mut toy = Toy::settled(&["a"], 10);
        toy.maintenance = Some(MaintenancePolicy { min_percent: min, max_percent: max });
        toy.zones.push("b".into());
        let found = play(&mut toy);
        assert!(found.0 >= fewest && found.1 <= most, "{min} {max}: {found:?}");
        assert_eq!(toy.zone_counts().values().collect::<Vec<_>>(), [&5, &5], "{min} {max}");
        assert_eq!(toy.launched, 15, "{min} {max}: one for each that had to move");
    }
}

#[test]
fn a_group_that_is_asked_to_shrink_does_so_at_once() {
    let mut toy = maintained(4, 100, 150);
    (toy.desired, toy.asked) = (2, true);
    toy.turn();
    assert_eq!(toy.actions.len(), 2, "{:?}", toy.actions);
}

#[test]
fn a_small_group_replaces_one_at_a_time_where_rounding_leaves_no_room() {
    let mut toy = maintained(3, 100, 110);
    toy.beings.iter_mut().for_each(|b| b.row.launched_at = b.row.launched_at + Duration::from_secs(1));
    (toy.lifetime, toy.now) = (Some(DAY), toy.now + DAY + Duration::from_secs(1));
    assert_eq!(play(&mut toy), (3, 4));
    assert_eq!((toy.beings.len(), toy.launched), (3, 6));
}

#[test]
fn without_launches_it_keeps_what_it_has() {
    let mut toy = maintained(3, 100, 110);
    toy.suspended.insert(Process::Launch);
    toy.beings[0].row.health = Health::Unhealthy(Sickness::User);
    assert!(!toy.turn());
    toy.desired = 2;
    toy.settle();
    assert!(toy.beings.len() == 2 && toy.ready() == 2, "a shrinking group gives up the unhealthy one");
}

fn any_policy() -> impl Strategy<Value = MaintenancePolicy> {
    let policy = |min_percent, max_percent| MaintenancePolicy { min_percent, max_percent };
    prop_oneof![
        (0..=100_u32).prop_map(move |min| policy(min, 100)),
        (0..=100_u32, 1..=100_u32).prop_map(move |(min, above)| policy(min, 100 + above.min(min))),
    ]
}

proptest! {
    #[test]
    fn a_maintained_group_becomes_what_it_should_be_and_rests(policy in any_policy(), zones in any_zones(), desired in 0..12_usize, events in prop::collection::vec((any_event(), any::<bool>()), 0..60)) {
        let mut toy = Toy::new(&zones, desired);
        (toy.maintenance, toy.lifetime) = (Some(policy), Some(DAY));
        for (event, planned) in events {
            happen(&mut toy, event);
            if planned {
                toy.turn();
            }
        }
        toy.now = toy.now + Duration::from_secs(3_600);
        toy.beings.iter_mut().for_each(|b| b.row.protected = false);
        toy.settle();
        let serving: Vec<_> = toy.beings.iter().filter(|b| !b.row.lifecycle.is_warm()).collect();
        prop_assert_eq!(serving.len(), toy.desired);
        prop_assert!(serving.iter().all(|b| b.row.lifecycle == Lifecycle::InService && b.row.health == Health::Healthy && b.machine == Machine::Up));
        let counts = toy.zone_counts();
        prop_assert!(counts.values().max().unwrap() - counts.values().min().unwrap() <= 1, "{:?}", counts);
        prop_assert!(!toy.turn(), "{:?} {:?}", toy.steps, toy.actions);
    }

    /// Whatever happens, no plan ends what is outlived below the least, or launches ahead above the most.
    #[test]
    fn every_plan_keeps_to_the_policy(policy in any_policy(), zones in any_zones(), desired in 0..12_usize, events in prop::collection::vec(any_event(), 0..60)) {
        let mut toy = Toy::new(&zones, desired);
        (toy.maintenance, toy.lifetime) = (Some(policy), Some(Duration::from_secs(200)));
        for event in events {
            happen(&mut toy, event);
            toy.turn();
            let ended = toy.actions.iter().filter(|a| matches!(a, Action::Retire { because: Because::Expired, .. })).count();
            let one_at_a_time = !policy.launches_ahead() && ended == 1 && toy.ready() + 1 >= toy.desired;
            prop_assert!(ended == 0 || toy.ready() >= policy.floor(toy.desired) || one_at_a_time, "{:?}", toy.actions);
            let ahead = toy.actions.iter().any(|a| matches!(a, Action::Launch { why, .. } | Action::Call { why, .. } if matches!(why, crate::plan::LaunchReason::Ahead(_))));
            let there = toy.ready() + toy.beings.iter().filter(|b| b.row.lifecycle == Lifecycle::Pending).count();
            prop_assert!(!ahead || there <= policy.ceiling(toy.desired), "{} with {:?}", there, toy.actions);
        }
    }
}
