//! The plans in a toy world: bounds, balance, replacement, hooks, warm pools, suspension.
#![allow(clippy::unwrap_used)]

mod maintain;
mod properties;
mod toy;

use std::collections::BTreeMap;
use std::time::Duration;

use toy::{GROUP, HEARTBEAT_S, Toy};

use super::{Action, Because, GroupPlan, LAUNCH_TIMEOUT, LaunchReason, Machine, Place, Step, Target};
use crate::group::{HealthCheck, Process};
use crate::member::{Hooks, Lifecycle, Sickness};
use crate::warm_pool::PoolState;

fn retires(toy: &Toy, because: Because) -> bool {
    toy.steps.iter().any(|(_, step)| *step == Step::Retire(because))
}

#[test]
fn an_unhealthy_instance_is_replaced_in_its_zone_at_once() {
    let mut toy = Toy::settled(&["a", "b", "c"], 2);
    let zone = toy.beings[1].row.zone.clone();
    toy.beings[1].machine = Machine::Down;
    toy.turn();
    assert!(retires(&toy, Because::Unhealthy(Sickness::Ec2)));
    let place = Place { zone, subnet: None };
    assert_eq!(toy.actions, [Action::Launch { place, why: LaunchReason::Replacement }]);
}

#[test]
fn load_balancer_checks_count_after_the_grace_period_only() {
    let mut toy = Toy::settled(&["a"], 1);
    toy.beings[0].targets.insert(GROUP.into(), Target::Unhealthy);
    assert!(!toy.turn());
    let over = toy.beings[0].row.in_service_at.unwrap() + toy.grace;
    assert_eq!(toy.wake_at, Some(over));
    toy.now = over;
    let mut deaf = toy.clone();
    deaf.health_check = HealthCheck::Ec2;
    assert!(!deaf.turn());
    toy.turn();
    assert!(retires(&toy, Because::Unhealthy(Sickness::Elb)));
}

#[test]
fn an_instance_leaves_its_targets_before_its_hooks_hold_it_and_before_it_ends() {
    let mut toy = Toy::settled(&["a"], 1);
    toy.holds_terminations = true;
    toy.desired = 0;
    toy.turn();
    toy.beings[0].targets.insert(GROUP.into(), Target::Draining);
    assert!(!toy.turn(), "it waits for the requests under way");
    toy.beings[0].targets.clear();
    toy.turn();
    assert_eq!(toy.steps[0].1, Step::BeginHooks);
    assert!(!toy.turn(), "it waits for its hooks");
    assert_eq!((toy.beings[0].row.state(), toy.beings[0].machine), ("Terminating:Wait", Machine::Up));
    toy.beings[0].row.hooks = Hooks::Done;
    toy.turn();
    assert_eq!(toy.steps[0].1, Step::End);
    toy.settle();
    assert!(toy.beings.is_empty());
}

#[test]
fn hooks_hold_a_launch_until_their_time_is_over() {
    let mut toy = Toy::new(&["a"], 1);
    toy.holds_launches = true;
    for _ in 0..2 {
        toy.turn();
        toy.boot_all();
    }
    assert_eq!(toy.beings[0].row.state(), "Pending:Wait");
    let over = toy.now + Duration::from_secs(HEARTBEAT_S);
    assert!(!toy.turn());
    assert_eq!(toy.wake_at, Some(over));
    toy.now = over + LAUNCH_TIMEOUT;
    toy.turn();
    assert_eq!(toy.steps[0].1, Step::ExpireHooks);
    toy.settle();
    assert_eq!(toy.count(Lifecycle::InService), 1);
}

#[test]
fn a_launch_that_does_not_come_up_is_given_up() {
    let mut toy = Toy::new(&["a"], 1);
    toy.turn();
    let deadline = toy.now + LAUNCH_TIMEOUT;
    assert!(!toy.turn());
    assert_eq!(toy.wake_at, Some(deadline));
    toy.now = deadline;
    toy.turn();
    assert!(retires(&toy, Because::LaunchFailed));
}

#[test]
fn a_zone_whose_launches_fail_is_passed_over_and_tried_again_later() {
    let mut toy = Toy::new(&["a", "b"], 2);
    let until = toy.now + Duration::from_secs(60);
    toy.avoid.insert("a".into(), until);
    toy.settle();
    assert_eq!(toy.zone_counts(), BTreeMap::from([("a".into(), 0), ("b".into(), 2)]));
    assert_eq!(toy.wake_at, Some(until));
    toy.now = until;
    toy.settle();
    assert_eq!(toy.zone_counts(), BTreeMap::from([("a".into(), 1), ("b".into(), 1)]), "the zone is back");
    toy.avoid = BTreeMap::from([("a".into(), until + LAUNCH_TIMEOUT), ("b".into(), until + LAUNCH_TIMEOUT)]);
    toy.desired = 3;
    assert_eq!(toy.decide_group(), GroupPlan { actions: vec![], wake_at: Some(until + LAUNCH_TIMEOUT) });
}

#[test]
fn zones_are_evened_out_by_launches_first_and_at_most_a_tenth_at_a_time() {
    let mut toy = Toy::settled(&["a"], 40);
    toy.max_size = 40;
    toy.zones = vec!["a".into(), "b".into()];
    toy.turn();
    assert_eq!(toy.actions.len(), 4, "{:?}", toy.actions);
    assert!(toy.actions.iter().all(|a| matches!(a, Action::Launch { place, why: LaunchReason::Balance } if place.zone == "b")));
    for _ in 0..400 {
        toy.boot_all();
        toy.turn();
        assert!(toy.count(Lifecycle::InService) >= 40, "never fewer than wanted");
    }
    assert_eq!(toy.zone_counts(), BTreeMap::from([("a".into(), 20), ("b".into(), 20)]));
}

#[test]
fn with_terminate_suspended_a_rebalance_leaves_the_group_larger() {
    let mut toy = Toy::settled(&["a"], 4);
    toy.zones = vec!["a".into(), "b".into()];
    toy.suspended.insert(Process::Terminate);
    toy.settle();
    assert_eq!(toy.zone_counts(), BTreeMap::from([("a".into(), 4), ("b".into(), 1)]));
}

#[test]
fn old_instances_are_replaced_one_after_the_other_and_protected_ones_stay() {
    let mut toy = Toy::settled(&["a"], 5);
    toy.lifetime = Some(Duration::from_secs(86_400));
    assert!(!toy.turn());
    assert_eq!(toy.wake_at, Some(toy.now + Duration::from_secs(86_400)));
    toy.now = toy.now + Duration::from_secs(86_400);
    toy.beings[0].row.protected = true;
    let stays = toy.beings[0].row.instance.clone();
    for _ in 0..100 {
        toy.turn();
        assert!(toy.count(Lifecycle::InService) >= 4, "one at a time");
        toy.boot_all();
    }
    assert_eq!((toy.launched, toy.beings.len()), (9, 5));
    assert!(toy.beings.iter().any(|b| b.row.instance == stays));
}

#[test]
fn a_surplus_is_launched_and_kept_while_it_lasts() {
    let mut toy = Toy::settled(&["a", "b"], 4);
    toy.surplus = 2;
    toy.settle();
    assert_eq!(toy.beings.len(), 6);
    toy.surplus = 0;
    toy.settle();
    assert_eq!(toy.beings.len(), 4);
}

#[test]
fn a_deleted_group_ends_all_even_the_protected() {
    let mut toy = Toy::settled(&["a", "b"], 4);
    toy.beings.iter_mut().for_each(|b| b.row.protected = true);
    toy.deleting = true;
    toy.settle();
    assert!(toy.beings.is_empty());
}

#[test]
fn a_detached_instance_runs_on() {
    let mut toy = Toy::settled(&["a"], 1);
    toy.beings[0].row.lifecycle = Lifecycle::Detaching;
    toy.desired = 0;
    toy.settle();
    assert_eq!((toy.beings.len(), toy.released), (0, 1));
}

#[test]
fn an_instance_on_standby_serves_nobody_and_is_not_checked() {
    let mut toy = Toy::settled(&["a"], 2);
    toy.beings[0].row.turn(Lifecycle::EnteringStandby);
    toy.desired = 1;
    toy.settle();
    assert_eq!((toy.count(Lifecycle::Standby), toy.beings[0].targets.len()), (1, 0));
    toy.beings[0].machine = Machine::Down;
    assert!(!toy.turn());
    toy.desired = 0;
    toy.settle();
    assert_eq!(toy.count(Lifecycle::Standby), 1, "a group that shrinks leaves it alone");
}

#[test]
fn a_warm_pool_is_filled_given_out_first_and_filled_again() {
    for (state, stored) in [(PoolState::Stopped, Lifecycle::WarmedStopped), (PoolState::Running, Lifecycle::WarmedRunning)] {
        let mut toy = Toy::settled(&["a", "b"], 2);
        toy.pool = Some((state, 3));
        toy.settle();
        assert_eq!((toy.count(Lifecycle::InService), toy.count(stored)), (2, 3));
        let warm: Vec<_> = toy.beings.iter().filter(|b| b.row.lifecycle.is_warm()).map(|b| b.row.instance.clone()).collect();
        toy.desired = 4;
        toy.pool = Some((state, 1));
        toy.settle();
        let came = toy.beings.iter().filter(|b| b.row.lifecycle == Lifecycle::InService && warm.contains(&b.row.instance));
        assert_eq!((came.count(), toy.count(stored), toy.launched), (2, 1, 5), "none was launched anew");
        toy.pool = None;
        toy.settle();
        assert_eq!((toy.beings.len(), toy.count(Lifecycle::InService)), (4, 4));
    }
}

#[test]
fn with_reuse_a_shrinking_group_fills_its_warm_pool() {
    let mut toy = Toy::settled(&["a"], 3);
    (toy.pool, toy.reuses) = (Some((PoolState::Stopped, 2)), true);
    toy.desired = 1;
    // The plan takes the difference from what leaves: nothing is launched meanwhile.
    toy.suspended.insert(Process::Launch);
    toy.settle();
    assert_eq!((toy.count(Lifecycle::InService), toy.count(Lifecycle::WarmedStopped), toy.launched), (1, 2, 3));
}
