#![allow(clippy::unwrap_used)]

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::decide::{Adjustment, Fleet, Step, simple, step, step_of, track_in, track_out};
use Adjustment::{ChangeInCapacity, ExactCapacity, PercentChangeInCapacity};

fn steady(size: u32) -> Fleet {
    Fleet { desired: size, min: 0, max: 1_000, warm: size, coming: 0, leaving: 0 }
}

#[test]
fn percent_changes_are_rounded_as_in_scaling_adjustment_types() {
    // AWS's own examples: 12.7 to 12, .67 to 1, -.58 to -1, -6.67 to -6; then the least magnitude.
    let cases = [
        (127, 10, None, 139),
        (67, 1, None, 68),
        (58, -1, None, 57),
        (667, -1, None, 661),
        (10, 0, None, 10),
        (4, 25, Some(2), 6),
        (4, -25, Some(2), 2),
        (40, 25, Some(2), 50),
        (200, i64::MIN, None, 200 + i64::MIN),
        (200, i64::MAX, Some(2), i64::MAX),
    ];
    for (current, percent, magnitude, expected) in cases {
        assert_eq!(PercentChangeInCapacity.apply(current, percent, magnitude), expected, "{current} {percent}");
    }
}

#[test]
fn bounds_of_steps_belong_to_them_as_in_step_adjustments() {
    let of = |lower, upper, by| Step { lower, upper, by };
    let out = [of(Some(0.0), Some(10.0), 0), of(Some(10.0), Some(20.0), 10), of(Some(20.0), None, 30)];
    for (difference, by) in [(0.0, 0), (9.9, 0), (10.0, 10), (19.9, 10), (20.0, 30), (500.0, 30)] {
        assert_eq!(step_of(&out, difference).unwrap().by, by, "{difference}");
    }
    assert_eq!(step_of(&out, -1.0), None);
    let into = [of(Some(-10.0), Some(0.0), 0), of(Some(-20.0), Some(-10.0), -10), of(None, Some(-20.0), -30)];
    for (difference, by) in [(0.0, 0), (-9.9, 0), (-10.0, -10), (-19.9, -10), (-20.0, -30), (-500.0, -30)] {
        assert_eq!(step_of(&into, difference).unwrap().by, by, "{difference}");
    }
    assert_eq!(step_of(&into, 1.0), None);
}

#[test]
fn warming_instances_count_as_added_already() {
    // The example of "Step scaling": 10 instances, +10 % makes 11; 70 % comes while the eleventh warms up: 13, not 14.
    let warming = Fleet { desired: 11, warm: 10, coming: 1, ..steady(10) };
    assert_eq!(step(steady(10), PercentChangeInCapacity, 10, None), Some(11));
    assert_eq!(step(warming, PercentChangeInCapacity, 10, None), Some(11));
    assert_eq!(step(warming, PercentChangeInCapacity, 30, None), Some(13));
    assert_eq!(step(warming, PercentChangeInCapacity, -10, None), None, "no scale-in while a scale-out is in progress");
    let leaving = Fleet { desired: 8, warm: 8, leaving: 2, ..steady(8) };
    assert_eq!(step(leaving, ChangeInCapacity, -2, None), Some(8), "leaving instances are still there");
    assert_eq!(step(steady(8), ExactCapacity, 5, None), Some(5));
    assert_eq!(step(steady(3), ExactCapacity, 5, None), Some(5));
    assert_eq!(simple(Fleet { max: 4, ..steady(3) }, ChangeInCapacity, 5, None), 4);
}

#[test]
fn target_tracking_scales_out_proportionally_and_in_gradually() {
    let out = |size, metric| track_out(steady(size), size, metric, 50.0);
    assert_eq!([out(2, 100.0), out(2, 75.0), out(4, 51.0), out(3, 50.0), out(10, 500.0)], [4, 3, 5, 3, 100]);
    let warming = Fleet { desired: 4, warm: 2, coming: 2, ..steady(2) };
    assert_eq!(track_out(warming, 2, 100.0, 50.0), 4, "what comes is not asked for twice");
    assert_eq!(track_in(warming, 10.0, 50.0), None);
    let into = |size, metric| track_in(steady(size), metric, 50.0);
    assert_eq!([into(2, 20.0), into(2, 40.0), into(16, 0.0), into(1, 0.0)], [Some(1), Some(2), Some(12), Some(0)]);
}

proptest! {
    #[test]
    fn wanted_capacities_stay_within_bounds(
        desired in 0_u32..300, min in 0_u32..100, span in 0_u32..200, warm in 0_u32..300, coming in 0_u32..50, leaving in 0_u32..50,
        metric in 0.0_f64..1e6, by in any::<i32>(), kind in 0_usize..3,
    ) {
        let max = min + span;
        let fleet = Fleet { desired: desired.clamp(min, max), min, max, warm, coming, leaving };
        let by = i64::from(by);
        let mut all = vec![track_out(fleet, warm, metric, 50.0), simple(fleet, Adjustment::ALL[kind], by, None)];
        all.extend(track_in(fleet, metric, 50.0));
        all.extend(step(fleet, Adjustment::ALL[kind], by, Some(2)));
        prop_assert!(all.iter().all(|c| (min..=max).contains(c)), "{all:?} {fleet:?}");
        prop_assert!(track_out(fleet, warm, metric, 50.0) >= fleet.desired);
    }

    #[test]
    fn more_of_the_metric_never_means_fewer_instances(size in 1_u32..200, a in 0.0_f64..300.0, b in 0.0_f64..300.0) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(track_out(steady(size), size, low, 50.0) <= track_out(steady(size), size, high, 50.0));
        prop_assert!(track_in(steady(size), low, 50.0) <= track_in(steady(size), high, 50.0));
    }

    /// The alarms' thresholds and the decisions played against a load that does not change: once the group has settled it
    /// stays as it is, and on the way it never turns round.
    #[test]
    fn constant_load_makes_no_oscillation(load in 1.0_f64..20_000.0, start in 1_u32..400, target in 10.0_f64..90.0) {
        let mut size = start;
        let mut sizes = vec![size];
        for _ in 0..60 {
            let metric = load / f64::from(size);
            if metric > target {
                size = track_out(steady(size), size, metric, target);
            } else if metric < 0.9 * target {
                size = track_in(steady(size), metric, target).unwrap().max(1);
            }
            sizes.push(size);
        }
        prop_assert_eq!(sizes[sizes.len() - 2], size, "{:?}", sizes);
        let grows = sizes.windows(2).any(|w| w[1] > w[0]);
        let shrinks = sizes.windows(2).any(|w| w[1] < w[0]);
        prop_assert!(!(grows && shrinks), "{sizes:?}");
        prop_assert!(size == 1_000 || load / f64::from(size) <= target * 1.000_001, "{sizes:?}");
    }
}
