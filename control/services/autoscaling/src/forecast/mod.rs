//! Predictive scaling: forecasts a group's load and raises its capacity ahead of time ("How predictive scaling works"). It owns
//! forecasts; it never takes capacity away.

mod customized;
mod history;
mod model;
mod read;
mod row;

pub(crate) use read::{read, show};
pub(crate) use row::{Forecast, Predictive};

use std::time::Duration;

use base::{Fault, GroupName, Time};
use kernel::{Cx, Registry, State, Tx};
use shapes::autoscaling as s;

use crate::error::Error;
use crate::group::{Group, Process, SIZE_MAX};
use crate::policy::{PolicyKey, Rule, ScalingPolicy};
use history::Reader;
use row::{HOUR_MS, scaling};

const RECONCILER: &str = "autoscaling.forecast";
const HOUR: Duration = Duration::from_secs(3_600);
/// A forecast is made anew after so long ("How predictive scaling works").
const REFRESH: Duration = Duration::from_secs(6 * 3_600);
/// "GetPredictiveScalingForecast": the longest span asked for.
const SPAN_MAX: Duration = Duration::from_secs(30 * 86_400);
const MINUTE_S: u32 = 60;

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<Forecast>();
    registry.reconciler(RECONCILER, reconcile);
    registry.watch::<ScalingPolicy>(RECONCILER, |_, policy, due| {
        if matches!(policy.rule, Rule::PredictiveScaling(_)) {
            due.push(kernel::Row::key(policy).to_string());
        }
    });
}

/// Forgets the forecast of a policy that is gone.
pub(crate) fn forget(tx: &mut Tx, policy: &PolicyKey) {
    tx.remove::<Forecast>(policy);
}

fn hour_of(moment: Time) -> Time {
    Time::from_unix_ms(moment.unix_ms().div_euclid(HOUR_MS) * HOUR_MS)
}

fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let Some(key) = PolicyKey::parse(key) else { return Ok(None) };
    let Some(policy) = tx.get::<ScalingPolicy>(&key).cloned() else { return Ok(None) };
    let Rule::PredictiveScaling(predictive) = &policy.rule else {
        forget(tx, &key);
        return Ok(None);
    };
    let old = tx.get::<Forecast>(&key);
    if old.is_none_or(|f| cx.now >= f.made_at + REFRESH) {
        match make(tx, cx, &policy, predictive) {
            Some(forecast) => tx.put(forecast),
            // Too little is known yet; the next hour tells more.
            None => return Ok(Some(hour_of(cx.now) + HOUR)),
        }
    }
    if predictive.scales && policy.enabled {
        raise(tx, cx, &policy, predictive);
    }
    let buffer = Duration::from_secs(u64::from(predictive.buffer_s));
    // The next moment at which an hour comes near enough, and that at which the forecast has aged.
    let ahead = hour_of(cx.now + buffer) + HOUR - buffer;
    let aged = tx.get::<Forecast>(&key).map_or(ahead, |f| f.made_at + REFRESH);
    Ok(Some(ahead.min(aged)))
}

/// A forecast from what the store holds; none with too little data.
fn make(state: &State, cx: &Cx, policy: &ScalingPolicy, predictive: &Predictive) -> Option<Forecast> {
    let from = hour_of(cx.now);
    let reader = Reader::new(state, cx, &policy.group, from);
    let past = reader.load(predictive);
    // The time before the first data is no gap: there was no group.
    let first = past.iter().position(Option::is_some)?;
    let load = model::forecast(&past[first..])?;
    let for_each = predictive.target / reader.per_load(predictive, &past);
    // Without the slack a sum such as 500.00000000000006 would cost an instance.
    let instances = |load: &f64| (load / for_each * (1.0 - 1e-9)).ceil().clamp(0.0, f64::from(SIZE_MAX)) as u32;
    let capacity = load.iter().map(instances).collect();
    Some(Forecast { policy: kernel::Row::key(policy), made_at: cx.now, from, load, capacity })
}

/// What forecasts demand of a group at the moment: the capacity of this hour, and of the next one once its buffer has begun.
pub(crate) fn floor(state: &State, group: &GroupName, now: Time) -> u32 {
    let wants = scaling(state, group).filter_map(|(policy, predictive)| {
        let forecast = state.get::<Forecast>(&kernel::Row::key(policy))?;
        let ahead = now + Duration::from_secs(u64::from(predictive.buffer_s));
        forecast.capacity_at(now).max(forecast.capacity_at(ahead))
    });
    let max = state.get::<Group>(group).map_or(0, |g| g.max_size);
    wants.max().unwrap_or(0).min(max)
}

/// Raises the capacity to the forecast's. It never lowers it: that is for dynamic scaling ("How predictive scaling works").
fn raise(tx: &mut Tx, cx: &Cx, policy: &ScalingPolicy, predictive: &Predictive) {
    let paused = |g: &Group| g.deleting || g.suspended.contains_key(&Process::ScheduledActions);
    let Some(mut group) = tx.get::<Group>(&policy.group).filter(|g| !paused(g)).cloned() else { return };
    let Some(forecast) = tx.get::<Forecast>(&kernel::Row::key(policy)) else { return };
    let ahead = cx.now + Duration::from_secs(u64::from(predictive.buffer_s));
    let wanted = forecast.capacity_at(cx.now).max(forecast.capacity_at(ahead)).unwrap_or(0);
    if let Some(percent) = predictive.above_max_percent {
        // "MaxCapacityBreachBehavior": a maximum that was increased does not go back by itself.
        let limit = (u64::from(wanted) * u64::from(100 + percent)).div_ceil(100).min(u64::from(SIZE_MAX));
        group.max_size = group.max_size.max(u32::try_from(limit).unwrap_or(SIZE_MAX));
    }
    let (before, to) = (group.desired_capacity, wanted.min(group.max_size));
    if to > before {
        group.desired_capacity = to;
        group.request = Some(format!(
            "At {} predictive scaling policy {} changed the desired capacity from {before} to {to} according to its forecast.",
            cx.now.iso8601_s(),
            policy.name
        ));
    }
    tx.put(group);
}

/// "GetPredictiveScalingForecast".
pub(crate) fn answer(
    state: &State,
    _: &Cx,
    key: &PolicyKey,
    from: Time,
    until: Time,
) -> Result<s::GetPredictiveScalingForecastAnswer, Error> {
    let Some(Rule::PredictiveScaling(predictive)) = state.get::<ScalingPolicy>(key).map(|p| &p.rule) else {
        return Err(Error::Invalid(format!("The policy {} is not a predictive scaling policy.", key.1)));
    };
    if until <= from || until > from + SPAN_MAX {
        return Err(Error::Invalid("EndTime must be after StartTime, and at most 30 days after it.".into()));
    }
    let none = || Error::Invalid(format!("There is no forecast for the policy {} yet: it needs 24 hours of data.", key.1));
    let forecast = state.get::<Forecast>(key).ok_or_else(none)?;
    let hours = (0_u32..).map(|hour| forecast.from + HOUR * hour);
    let shown: Vec<_> = hours
        .zip(forecast.load.iter().zip(&forecast.capacity))
        .filter(|(at, _)| (from..=until).contains(at))
        .map(|(at, (load, capacity))| (at, *load, f64::from(*capacity)))
        .collect();
    let timestamps: Vec<Time> = shown.iter().map(|(at, ..)| *at).collect();
    Ok(s::GetPredictiveScalingForecastAnswer {
        load_forecast: vec![s::LoadForecast {
            timestamps: timestamps.clone(),
            values: shown.iter().map(|(_, load, _)| *load).collect(),
            metric_specification: read::show_specification(predictive),
        }],
        capacity_forecast: s::CapacityForecast { timestamps, values: shown.iter().map(|(.., capacity)| *capacity).collect() },
        update_time: forecast.made_at,
    })
}
