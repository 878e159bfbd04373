#![allow(clippy::unwrap_used)]

use std::time::Duration;

use base::Time;
use proptest::prelude::*;

use super::super::{Pause, Phase, Policy};
use super::{MemberView, Step, View, plan};

const START: Time = Time::from_unix_ms(1_800_000_000_000);

fn view(desired: usize, batch_max: u32, min_in_service: u32, signals: bool) -> View {
    let pause = Pause { time: Duration::from_secs(60), text: "PT1M".into(), signals };
    let policy =
        Policy { batch_max, min_in_service, min_active_percent: 100, min_successful_percent: 100, pause, suspends: Vec::new() };
    let member = |n: usize| MemberView { id: format!("i-{n:03}").as_str().into(), obsolete: true, serving: true, leaving: false };
    View {
        now: START,
        desired,
        max_size: desired + 100,
        policy,
        phase: Phase::Ready,
        total: desired,
        expected: 0,
        successes: 0,
        failures: 0,
        members: (0..desired).map(member).collect(),
    }
}

fn replaced(view: &View) -> (usize, usize, usize) {
    match plan(view) {
        (Step::Replace { ids, launched }, surplus) => (ids.len(), launched, surplus),
        other => panic!("{other:?}"),
    }
}

#[test]
fn batches_leave_the_minimum_in_service() {
    assert_eq!(replaced(&view(4, 2, 1, false)), (2, 2, 0));
    assert_eq!(replaced(&view(4, 9, 0, false)), (4, 4, 0));
    assert_eq!(replaced(&view(4, 3, 2, false)), (2, 3, 1));
    assert_eq!(plan(&view(2, 1, 2, false)), (Step::Wait(None), 1), "the group grows first");
}

#[test]
fn missing_signals_count_as_failures_and_enough_successes_do() {
    let mut view = View { phase: Phase::Settling { until: START }, expected: 2, successes: 1, ..view(4, 2, 0, true) };
    assert_eq!(plan(&view).0, Step::Missed(1));
    view.failures = 1;
    let text = "Received 1 FAILURE signal(s) out of 4.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement";
    assert_eq!(plan(&view).0, Step::Fail(text.into()));
    view.policy.min_successful_percent = 75;
    assert_eq!(plan(&view).0, Step::Proceed);
}

#[test]
fn a_pause_without_signals_passes() {
    let mut view = View { phase: Phase::Settling { until: START }, ..view(1, 1, 0, false) };
    assert_eq!(plan(&view).0, Step::Proceed);
    view.now = START - Duration::from_secs(1);
    assert_eq!(plan(&view).0, Step::Wait(Some(START)));
}

proptest! {
    #[test]
    fn every_update_ends_with_the_minimum_in_service_at_each_step(
        desired in 1_usize..20,
        batch in 1_u32..8,
        least in 0_u32..24,
        room in 1_usize..6,
        signals in any::<bool>(),
    ) {
        let mut view = View { phase: Phase::Moving { ending: Vec::new() }, ..view(desired, batch, least, signals) };
        view.max_size = desired.max(least as usize) + room;
        let floor = desired.min(least as usize);
        let mut new = 0;
        for _ in 0..500 {
            let (step, surplus) = plan(&view);
            prop_assert!(desired + surplus <= view.max_size);
            match step {
                Step::Wait(Some(at)) => view.now = at,
                Step::Wait(None) => {}
                Step::Settle => {
                    view.phase = Phase::Settling { until: view.now + Duration::from_secs(60) };
                    view.expected = new;
                    view.successes = new;
                }
                Step::Proceed => view.phase = Phase::Ready,
                Step::Replace { ids, .. } => {
                    view.members.iter_mut().filter(|m| ids.contains(&m.id)).for_each(|m| m.leaving = true);
                    view.phase = Phase::Moving { ending: ids };
                }
                Step::Done => {
                    prop_assert!(view.members.iter().all(|m| !m.obsolete));
                    prop_assert_eq!(view.members.len(), desired);
                    return Ok(());
                }
                other => prop_assert!(false, "{other:?}"),
            }
            let serving = view.members.iter().filter(|m| m.serving && !m.leaving).count();
            prop_assert!(serving >= floor, "{serving} of {floor}");
            // The world: what leaves is gone, what comes serves a step later.
            view.members.retain(|m| !m.leaving);
            view.members.iter_mut().for_each(|m| m.serving = true);
            while view.members.len() < desired + surplus {
                new += 1;
                let id = format!("i-new{new:03}").as_str().into();
                view.members.push(MemberView { id, obsolete: false, serving: false, leaving: false });
            }
        }
        prop_assert!(false, "it never ends: {view:?}");
    }
}
