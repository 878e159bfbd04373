#![allow(clippy::unwrap_used)]

use std::time::Duration;

use base::Time;
use proptest::prelude::*;

use super::{MemberView, Plan, STALLED, Stage, Step, View, plan};
use crate::refresh::pool::PoolView;
use crate::refresh::row::Blocked;

const START: Time = Time::from_unix_ms(1_800_000_000_000);
const WARMUP: Duration = Duration::from_secs(30);

fn member(number: usize, obsolete: bool) -> MemberView {
    MemberView {
        id: format!("i-{number:03}").as_str().into(),
        zone: ["a", "b"][number % 2].into(),
        launched_at: START,
        obsolete,
        stage: Stage::Serving,
        warm_at: START,
        protected: false,
    }
}

fn view(desired: usize, min_percent: usize, max_percent: usize) -> View {
    View {
        now: START,
        desired,
        min_percent,
        max_percent,
        protected: Blocked::Wait,
        standby: Blocked::Wait,
        total: desired,
        checkpoints: Vec::new(),
        checkpoint_delay: Duration::from_secs(100),
        waits_until: None,
        ends_at_percent: 100,
        bake: Duration::ZERO,
        baking_until: None,
        progressed_at: START,
        remaining_before: desired,
        suspended: false,
        alarm: None,
        pool: PoolView::default(),
        pool_remaining_before: 0,
        cancelling: false,
        members: (0..desired).map(|n| member(n, true)).collect(),
    }
}

/// What the first look at a healthy group does: instances replaced, and launched ahead.
fn first(desired: usize, min_percent: usize, max_percent: usize) -> (usize, usize) {
    let plan = plan(&view(desired, min_percent, max_percent));
    (plan.replace.len(), plan.surplus.unwrap())
}

#[test]
fn minimum_and_maximum_healthy_percentage_bound_each_step() {
    assert_eq!(first(10, 90, 100), (1, 0), "the default");
    assert_eq!(first(10, 50, 100), (5, 0));
    assert_eq!(first(10, 0, 100), (10, 0));
    assert_eq!(first(3, 50, 100), (1, 0), "the minimum is rounded up");
    assert_eq!(first(2, 90, 100), (1, 0), "one at a time where there is no room");
    assert_eq!(first(1, 100, 100), (1, 0));
    assert_eq!(first(10, 100, 120), (0, 2), "launch before terminating");
    assert_eq!(first(4, 100, 110), (0, 1), "at least one is launched ahead");
    assert_eq!(first(10, 90, 110), (1, 1));
    assert_eq!(first(4, 100, 200), (0, 4));
}

#[test]
fn zones_take_turns_and_the_oldest_goes_first() {
    let mut view = view(5, 40, 100);
    view.members[4].launched_at = START - Duration::from_secs(9);
    let ids: Vec<String> = plan(&view).replace.iter().map(|id| id.to_string()).collect();
    assert_eq!(ids, ["i-004", "i-001", "i-000"]);
}

#[test]
fn instances_protected_from_scale_in_are_waited_for_ignored_or_replaced() {
    for (how, replaced, remaining) in [(Blocked::Wait, 0, 2), (Blocked::Ignore, 0, 0), (Blocked::Replace, 2, 2)] {
        let mut view = View { protected: how, ..view(2, 0, 100) };
        view.members.iter_mut().for_each(|m| m.protected = true);
        let planned = plan(&view);
        assert_eq!((planned.replace.len(), planned.remaining), (replaced, remaining), "{how:?}");
        let later = plan(&View { now: START + STALLED, ..view });
        assert_eq!(matches!(later.step, Step::Fail(_)), how != Blocked::Ignore, "{how:?}: for one hour");
    }
}

#[test]
fn instances_on_standby_are_waited_for_ignored_or_ended() {
    for (how, replaced, step) in
        [(Blocked::Wait, 0, Step::GoOn), (Blocked::Ignore, 0, Step::Succeed), (Blocked::Replace, 1, Step::GoOn)]
    {
        let mut view = View { standby: how, total: 1, ..view(1, 90, 100) };
        view.members[0].obsolete = false;
        view.members.push(MemberView { stage: Stage::Standby, ..member(7, true) });
        let planned = plan(&view);
        assert_eq!((planned.replace.len(), planned.step), (replaced, step), "{how:?}");
    }
}

#[test]
fn a_checkpoint_holds_the_refresh_for_its_delay() {
    let mut view = View { checkpoints: vec![50, 100], ..view(4, 0, 100) };
    assert_eq!(plan(&view).replace.len(), 2, "no more than the checkpoint allows");
    view.members.iter_mut().take(2).for_each(|m| m.obsolete = false);
    let until = START + Duration::from_secs(100);
    assert_eq!(plan(&view).step, Step::Checkpoint { reached: 1, until });
    view.waits_until = Some(until);
    let planned = plan(&view);
    assert_eq!((planned.step, planned.replace.len(), planned.wake_at), (Step::GoOn, 0, Some(until)));
    assert_eq!(plan(&View { now: until, ..view.clone() }).step, Step::LeaveCheckpoint);
    let last = View { checkpoints: vec![50], ends_at_percent: 50, waits_until: None, ..view };
    assert_eq!(plan(&last).step, Step::Succeed, "it ends at the last checkpoint");
}

#[test]
fn what_it_is_to_ignore_brings_it_to_no_checkpoint() {
    let mut view = View { protected: Blocked::Ignore, checkpoints: vec![50, 100], ..view(10, 50, 100) };
    view.members.iter_mut().take(6).for_each(|m| m.protected = true);
    let planned = plan(&view);
    assert_eq!((planned.step, planned.percent, planned.replace.len()), (Step::GoOn, 0, 2), "half of the four that it replaces");
    view.members.iter_mut().skip(6).take(2).for_each(|m| m.obsolete = false);
    let (planned, until) = (plan(&view), START + Duration::from_secs(100));
    assert_eq!((planned.step, planned.percent), (Step::Checkpoint { reached: 1, until }, 50));
}

#[test]
fn it_bakes_before_it_succeeds_and_an_alarm_fails_it() {
    let mut view = View { bake: WARMUP, ..view(1, 0, 100) };
    view.members[0].obsolete = false;
    assert_eq!(plan(&view).step, Step::Bake(START + WARMUP));
    view.baking_until = Some(START + WARMUP);
    assert_eq!(plan(&view).wake_at, Some(START + WARMUP));
    let alarmed = View { alarm: Some("a".into()), ..view.clone() };
    assert_eq!(plan(&alarmed).step, Step::Fail("a".into()));
    assert_eq!(plan(&View { now: START + WARMUP, ..view }).step, Step::Succeed);
}

#[test]
fn a_suspended_refresh_replaces_nothing() {
    let planned = plan(&View { suspended: true, ..view(4, 0, 200) });
    assert_eq!((planned.replace.len(), planned.surplus), (0, None));
}

#[derive(Debug)]
struct World {
    view: View,
    launched: usize,
    /// How long each new instance takes to serve, in seconds.
    boot: Vec<u64>,
    serves_at: Vec<(String, Time)>,
    surplus: usize,
}

impl World {
    fn alive(&self) -> usize {
        self.view.members.iter().filter(|m| m.stage != Stage::Leaving).count()
    }

    fn warm(&self) -> usize {
        self.view.members.iter().filter(|m| m.stage == Stage::Serving && m.warm_at <= self.view.now).count()
    }

    /// Does what the plan says and what the group does on its own.
    fn act(&mut self, planned: &Plan) {
        for id in &planned.replace {
            self.view.members.iter_mut().find(|m| m.id == *id).unwrap().stage = Stage::Leaving;
        }
        self.surplus = planned.surplus.unwrap_or(self.surplus);
        while self.alive() < self.view.desired + self.surplus {
            let number = 100 + self.launched;
            let boot = Duration::from_secs(self.boot[self.launched % self.boot.len()]);
            self.launched += 1;
            let at = self.view.now + boot;
            let new =
                MemberView { stage: Stage::Coming, launched_at: self.view.now, warm_at: at + WARMUP, ..member(number, false) };
            self.serves_at.push((new.id.to_string(), at));
            self.view.members.push(new);
        }
        if planned.remaining < self.view.remaining_before {
            self.view.progressed_at = self.view.now;
        }
        self.view.remaining_before = planned.remaining;
    }

    fn pass(&mut self) {
        self.view.now = self.view.now + Duration::from_secs(10);
        let now = self.view.now;
        self.view.members.retain(|m| m.stage != Stage::Leaving);
        for member in &mut self.view.members {
            let serves = self.serves_at.iter().any(|(id, at)| *id == member.id.as_str() && *at <= now);
            if member.stage == Stage::Coming && serves {
                member.stage = Stage::Serving;
            }
        }
    }
}

proptest! {
    #[test]
    fn enough_serve_at_every_step_never_too_many_and_every_refresh_ends(
        desired in 1_usize..24,
        min_percent in 0_usize..=100,
        above in 0_usize..=100,
        boot in prop::collection::vec(0_u64..200, 1..6),
    ) {
        let max_percent = (100 + above).min(100 + min_percent);
        let mut world = World { view: view(desired, min_percent, max_percent), launched: 0, boot, serves_at: Vec::new(), surplus: 0 };
        let floor = (desired * min_percent).div_ceil(100);
        let ceiling = desired + if max_percent > 100 { (desired * (max_percent - 100) / 100).max(1) } else { 0 };
        let floor = if floor >= desired && max_percent <= 100 { desired - 1 } else { floor };
        for _ in 0..2_000 {
            let planned = plan(&world.view);
            world.act(&planned);
            prop_assert!(world.warm() >= floor, "{} of {desired} serve, at least {floor} must", world.warm());
            prop_assert!(world.alive() <= ceiling, "{} of at most {ceiling}", world.alive());
            match planned.step {
                Step::Succeed => {
                    prop_assert!(world.view.members.iter().all(|m| !m.obsolete));
                    prop_assert!(world.warm() >= desired);
                    return Ok(());
                }
                Step::GoOn => {}
                other => prop_assert!(false, "it came to {other:?}"),
            }
            world.pass();
        }
        prop_assert!(false, "it never ends");
    }

    #[test]
    fn one_whose_instances_never_serve_fails_after_an_hour(desired in 1_usize..12, min_percent in 0_usize..=100) {
        let mut world =
            World { view: view(desired, min_percent, 100), launched: 0, boot: vec![1_000_000], serves_at: Vec::new(), surplus: 0 };
        for _ in 0..1_000 {
            let planned = plan(&world.view);
            world.act(&planned);
            if let Step::Fail(_) = planned.step {
                prop_assert!(world.view.now >= START + STALLED);
                return Ok(());
            }
            world.pass();
        }
        prop_assert!(false, "it never ends");
    }
}
