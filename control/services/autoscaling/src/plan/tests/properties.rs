//! What holds whatever happens to a group.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, TestCaseError, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::toy::{GROUP, Toy};
use crate::group::Process;
use crate::member::{Health, Hooks, Lifecycle, Sickness};
use crate::plan::{Action, Because, LaunchReason, Machine, Step, Target};
use crate::warm_pool::PoolState;

pub(super) fn any_event() -> impl Strategy<Value = (u8, usize)> {
    (0..12_u8, 0..12_usize)
}

pub(super) fn any_zones() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![Just(vec!["a"]), Just(vec!["a", "b"]), Just(vec!["a", "b", "c"])]
}

/// Something happens to the toy.
pub(super) fn happen(toy: &mut Toy, (kind, index): (u8, usize)) {
    let length = toy.beings.len();
    let being = (length > 0).then(|| &mut toy.beings[index % length]);
    match (kind, being) {
        (0, Some(b)) if b.row.lifecycle == Lifecycle::InService => b.machine = Machine::Down,
        (1, Some(b)) => b.machine = Machine::Gone,
        (2, Some(b)) if b.row.lifecycle == Lifecycle::InService => {
            b.targets.insert(GROUP.into(), Target::Unhealthy);
        }
        (3, Some(b)) if b.row.lifecycle == Lifecycle::InService => b.row.health = Health::Unhealthy(Sickness::User),
        (4, Some(b)) => b.row.protected = !b.row.protected,
        (5, _) => (toy.desired, toy.asked) = (index, true),
        (6, _) => toy.boot_all(),
        (7, _) => toy.now = toy.now + Duration::from_secs(index as u64 * 10),
        (8, _) => {
            let zone = toy.zones[index % toy.zones.len()].clone();
            toy.avoid.insert(zone, toy.now + Duration::from_secs(index as u64 * 20));
        }
        (9, Some(b)) if b.machine == Machine::Starting => b.machine = Machine::Up,
        (10, _) => (toy.holds_launches, toy.holds_terminations) = (index % 2 == 0, index % 3 == 0),
        (11, _) => {
            let state = if index % 2 == 0 { PoolState::Stopped } else { PoolState::Running };
            toy.pool = (index > 3).then_some((state, index / 3));
        }
        _ => {}
    }
}

fn check_capacity(before: &Toy, after: &Toy) -> Result<(), TestCaseError> {
    let (mut surplus, mut launched, mut extra, mut retired) = (0, 0, 0, BTreeSet::new());
    for action in &after.actions {
        match action {
            Action::Retire { instance, because } => {
                prop_assert!(retired.insert(instance.clone()), "{} is retired twice", instance);
                surplus += usize::from(matches!(because, Because::TooMany { .. }));
            }
            Action::Launch { place, why } => {
                let open = before.avoid.get(&place.zone).is_none_or(|until| *until <= before.now);
                prop_assert!(before.zones.contains(&place.zone) && open);
                *if *why == LaunchReason::Balance { &mut extra } else { &mut launched } += 1;
            }
            Action::Call { .. } => launched += 1,
            Action::Prepare { .. } => {}
        }
    }
    let left = after.beings.iter().filter(|b| b.row.lifecycle.serves() && !b.row.extra).count();
    prop_assert!(launched == 0 || left <= after.desired, "{} of {}", left, after.desired);
    prop_assert!(surplus == 0 || left >= after.desired, "{} are left of {}", left, after.desired);
    prop_assert!(extra == 0 || (extra == 1 && left == after.desired && launched == 0 && surplus == 0));
    Ok(())
}

proptest! {
    /// Whatever happened, once nothing more happens the group has its size, all healthy, its zones are even, no hook
    /// holds anything, and the warm pool has its size. Then it rests: nothing more is done.
    #[test]
    fn it_becomes_what_it_should_be_and_rests(zones in any_zones(), desired in 0..12_usize, events in prop::collection::vec((any_event(), any::<bool>()), 0..60)) {
        let mut toy = Toy::new(&zones, desired);
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
        prop_assert!(serving.iter().all(|b| b.targets.get(GROUP) == Some(&Target::Fine)));
        prop_assert!(toy.beings.iter().all(|b| b.row.hooks != Hooks::Waiting));
        let pool = toy.pool.map_or(0, |(_, wanted)| wanted);
        prop_assert_eq!(toy.beings.len() - serving.len(), pool);
        let counts = toy.zone_counts();
        let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
        prop_assert!(most - least <= 1, "{:?}", counts);
        let launched = toy.launched;
        for _ in 0..20 {
            prop_assert!(!toy.turn(), "{:?} {:?}", toy.steps, toy.actions);
            toy.now = toy.now + Duration::from_secs(600);
        }
        prop_assert_eq!(toy.launched, launched);
    }

    /// No plan launches past the wanted capacity, but for one that evens out the zones.
    #[test]
    fn it_never_launches_past_its_size(zones in any_zones(), desired in 0..12_usize, events in prop::collection::vec(any_event(), 0..60)) {
        let mut toy = Toy::new(&zones, desired);
        for event in events {
            happen(&mut toy, event);
            toy.turn();
            let serving = toy.count(Lifecycle::Pending) + toy.count(Lifecycle::InService);
            let extra = toy.beings.iter().filter(|b| b.row.extra && b.row.lifecycle.serves()).count();
            let protected = toy.beings.iter().filter(|b| b.row.protected).count();
            // An extra one that has just entered service makes one too many until the next plan.
            prop_assert!(extra <= 1 && serving <= toy.desired.max(protected) + 1 + extra, "{} of {}", serving, toy.desired);
        }
    }

    /// Each single plan keeps to the capacity: it launches no more than are missing, retires no healthy instance that is
    /// needed, evens out zones by a tenth at a time and only when the size is right, and launches where it may.
    #[test]
    fn every_plan_keeps_to_the_capacity(zones in any_zones(), desired in 0..12_usize, events in prop::collection::vec(any_event(), 0..60)) {
        let mut toy = Toy::new(&zones, desired);
        for event in events {
            happen(&mut toy, event);
            let before = toy.clone();
            toy.turn();
            check_capacity(&before, &toy)?;
        }
    }

    /// What is suspended is not done.
    #[test]
    fn suspended_processes_do_nothing(desired in 0..8_usize, suspended in prop::collection::btree_set(prop::sample::select(Process::ALL.to_vec()), 0..9), events in prop::collection::vec(any_event(), 0..40)) {
        let mut toy = Toy::settled(&["a", "b"], desired);
        toy.suspended = suspended.clone();
        for event in events {
            happen(&mut toy, event);
            toy.turn();
            let of_action = |action: &Action| match action {
                Action::Launch { why: LaunchReason::Balance, .. } => vec![Process::Launch, Process::AzRebalance],
                Action::Launch { .. } | Action::Call { .. } | Action::Prepare { .. } => vec![Process::Launch],
                Action::Retire { .. } => vec![Process::Terminate],
            };
            let of_step = |step: &Step| match step {
                Step::Retire(Because::Unhealthy(_)) => vec![Process::ReplaceUnhealthy, Process::Terminate],
                Step::MarkUnhealthy(_) => vec![Process::HealthCheck],
                Step::Register(_) => vec![Process::AddToLoadBalancer],
                Step::EnterService { register } if !register.is_empty() => vec![Process::AddToLoadBalancer],
                _ => vec![],
            };
            let done = toy.actions.iter().flat_map(of_action);
            for process in done {
                prop_assert!(!suspended.contains(&process), "{:?} with {:?}", toy.actions, suspended);
            }
            // A warm instance that is lost is no member of the group: its pool replaces it.
            let warm = |id: &str| toy.beings.iter().any(|b| b.row.instance.as_str() == id && b.row.lifecycle.is_warm());
            for (_, step) in toy.steps.iter().filter(|(id, _)| !warm(id)) {
                prop_assert!(of_step(step).iter().all(|p| !suspended.contains(p)), "{:?} with {:?}", step, suspended);
            }
        }
    }

    /// Every hook ends: whoever is held is let go when its time is over, though nobody answers.
    #[test]
    fn every_hook_ends(desired in 0..8_usize, events in prop::collection::vec(any_event(), 0..40)) {
        let mut toy = Toy::settled(&["a", "b"], desired);
        for event in events {
            happen(&mut toy, event);
            toy.turn();
        }
        toy.boot_all();
        for being in &toy.beings {
            prop_assert!(being.row.hooks != Hooks::Waiting || !being.row.actions.is_empty());
        }
        toy.now = toy.now + Duration::from_secs(48 * 3_600);
        let held: Vec<_> = toy.beings.iter().filter(|b| b.row.hooks == Hooks::Waiting).map(|b| (b.row.instance.clone(), b.row.lifecycle)).collect();
        toy.turn();
        for (id, lifecycle) in held {
            let still = toy.beings.iter().find(|b| b.row.instance == id && b.row.lifecycle == lifecycle);
            prop_assert!(still.is_none_or(|b| b.row.hooks != Hooks::Waiting));
        }
    }
}
