//! What capacity a policy wants: pure arithmetic over a view of the group. It owns the sums, never the rows: nothing here
//! reads a table, a clock or a metric.

use serde::{Deserialize, Serialize};

/// What a scaling decision needs to know of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fleet {
    pub(crate) desired: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// In service and warmed up.
    pub(crate) warm: u32,
    /// On their way into service, or in service and not warmed up yet.
    pub(crate) coming: u32,
    /// On their way out.
    pub(crate) leaving: u32,
}

impl Fleet {
    fn bound(self, capacity: i64) -> u32 {
        let (min, max) = (i64::from(self.min), i64::from(self.max.max(self.min)));
        u32::try_from(capacity.clamp(min, max)).unwrap_or(u32::MAX)
    }
}

/// How a step or simple policy changes the capacity ("Step and simple scaling policies, Scaling adjustment types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::enum_variant_names, reason = "AWS's names")]
pub(crate) enum Adjustment {
    ChangeInCapacity,
    ExactCapacity,
    PercentChangeInCapacity,
}

impl Adjustment {
    pub(crate) const ALL: [Adjustment; 3] = [Self::ChangeInCapacity, Self::ExactCapacity, Self::PercentChangeInCapacity];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ChangeInCapacity => "ChangeInCapacity",
            Self::ExactCapacity => "ExactCapacity",
            Self::PercentChangeInCapacity => "PercentChangeInCapacity",
        }
    }

    /// The capacity that follows from `current`, unbounded below zero and above.
    pub(crate) fn apply(self, current: u32, by: i64, min_magnitude: Option<u32>) -> i64 {
        let current = i64::from(current);
        match self {
            Self::ChangeInCapacity => current.saturating_add(by),
            Self::ExactCapacity => by,
            Self::PercentChangeInCapacity => {
                let change = rounded(current as f64 * by as f64 / 100.0);
                // "MinAdjustmentMagnitude": the least number of instances by which a percentage changes the group.
                let least = i64::from(min_magnitude.unwrap_or(0));
                let change = if change.unsigned_abs() < least.unsigned_abs() { least * by.signum() } else { change };
                current.saturating_add(change)
            }
        }
    }
}

/// "Scaling adjustment types": above 1 and below -1 towards zero, what lies between away from it.
fn rounded(change: f64) -> i64 {
    let whole = if change > -1.0 && change < 1.0 { change.signum() * change.abs().ceil() } else { change.trunc() };
    whole as i64
}

/// One step: for metric values that differ from the alarm's threshold by `lower` to `upper`; none means without end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) lower: Option<f64>,
    pub(crate) upper: Option<f64>,
    pub(crate) by: i64,
}

impl Step {
    /// "Step adjustments": above the threshold the lower bound belongs to the step and the upper does not, below it the
    /// other way round.
    fn holds(&self, difference: f64) -> bool {
        let (lower, upper) = (self.lower.unwrap_or(f64::NEG_INFINITY), self.upper.unwrap_or(f64::INFINITY));
        if difference >= 0.0 && lower >= 0.0 || difference > 0.0 {
            lower <= difference && difference < upper
        } else {
            lower < difference && difference <= upper
        }
    }
}

/// The step that a metric's distance from the threshold falls into.
pub(crate) fn step_of(steps: &[Step], difference: f64) -> Option<&Step> {
    steps.iter().find(|s| s.holds(difference))
}

/// What a step policy wants; none when it has to wait. Instances that are coming count as added already, and leaving ones
/// as still there, so that alarms in quick succession do not add up ("Step and simple scaling policies, Instance warmup").
pub(crate) fn step(fleet: Fleet, adjustment: Adjustment, by: i64, min_magnitude: Option<u32>) -> Option<u32> {
    let grown_from = fleet.warm.min(fleet.desired);
    let out = fleet.bound(adjustment.apply(grown_from, by, min_magnitude));
    let is_out = adjustment.apply(grown_from, by, min_magnitude) > i64::from(grown_from);
    if is_out {
        return Some(out.max(fleet.desired));
    }
    let shrunk_from = fleet.desired.saturating_add(fleet.leaving);
    let wanted = adjustment.apply(shrunk_from, by, min_magnitude);
    if wanted < i64::from(shrunk_from) {
        // The same place: a scale-in cannot start while a scale-out is in progress.
        return (fleet.coming == 0).then(|| fleet.bound(wanted).min(fleet.desired));
    }
    // An exact capacity above what is warm has been taken care of above.
    Some(fleet.desired)
}

/// What a simple policy wants: the adjustment of the wanted capacity.
pub(crate) fn simple(fleet: Fleet, adjustment: Adjustment, by: i64, min_magnitude: Option<u32>) -> u32 {
    fleet.bound(adjustment.apply(fleet.desired, by, min_magnitude))
}

/// After a scale-in the metric is expected at most at this share of the target: room for noise, so that the next period
/// does not take the decision back. AWS says "gradually" and gives no number.
const HEADROOM: f64 = 0.95;
/// At most this share of the instances, and always one, leaves at a time. AWS says "gradually" and gives no number.
const LEAVING_SHARE: f64 = 0.25;

/// What a target tracking policy wants when its metric, an average over the `measured` instances, lies above the target: as
/// many instances more as the metric is above ("Target tracking scaling policies": scales out proportionally). Coming
/// instances are part of the wanted capacity, so they are not asked for twice.
pub(crate) fn track_out(fleet: Fleet, measured: u32, metric: f64, target: f64) -> u32 {
    let needed = needed(measured.max(1), metric, target);
    fleet.bound(needed.max(i64::from(fleet.desired)))
}

/// What it wants when the metric lies below: fewer instances, never so few that the metric would pass the target again, and
/// a few at a time. None while instances come or go: the metric is then of another fleet.
pub(crate) fn track_in(fleet: Fleet, metric: f64, target: f64) -> Option<u32> {
    if fleet.coming > 0 || fleet.leaving > 0 {
        return None;
    }
    let present = fleet.warm.max(1);
    let needed = needed(present, metric, target * HEADROOM);
    let a_few = ((f64::from(fleet.desired) * LEAVING_SHARE) as i64).max(1);
    let wanted = needed.max(i64::from(fleet.desired) - a_few);
    Some(fleet.bound(wanted).min(fleet.desired))
}

/// The least number of instances over which the load of `present` ones at `metric` stays at or under `target` each.
fn needed(present: u32, metric: f64, target: f64) -> i64 {
    // Without this a quotient such as 3.0000000000000004 would cost an instance.
    const SLACK: f64 = 1e-9;
    let needed = f64::from(present) * metric.max(0.0) / target;
    if needed.is_finite() { (needed - needed * SLACK).ceil() as i64 } else { i64::MAX }
}
