//! `DescribeAlarms` and `DescribeAlarmsForMetric`.

use base::Fault;
use kernel::{Cx, State, Tx, page};
use metrics::Metric;
use shapes::cloudwatch as s;

use super::limits::{broken, dimensions};
use crate::alarm::row::metric_key;
use crate::alarm::view::{composite_alarm, metric_alarm, single};
use crate::alarm::{Alarm, AlarmState, Watched, rule};

/// Most names of one call, and most alarms of one answer.
const PAGE_MAX: i64 = 100;
/// Alarms of an answer when the caller does not say ("DescribeAlarms", MaxRecords).
const PAGE_DEFAULT: i64 = 50;

pub(super) fn bad_token() -> Fault {
    Fault::client("InvalidNextToken", "The next token specified is invalid.")
}

/// How many items an answer has.
pub(super) fn page_size(asked: Option<i64>, default: i64) -> Result<usize, Fault> {
    let size = asked.unwrap_or(default);
    match usize::try_from(size) {
        Ok(n @ 1..) if size <= PAGE_MAX => Ok(n),
        _ => Err(broken(&size.to_string(), "maxRecords", &format!("Member must have value between 1 and {PAGE_MAX}"))),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types {
    pub metric: bool,
    pub composite: bool,
}

/// `AlarmTypes`: without it metric alarms only, as AWS.
pub(super) fn types(asked: &[String]) -> Result<Types, Fault> {
    let mut types = Types { metric: asked.is_empty(), composite: false };
    for text in asked {
        match text.as_str() {
            "MetricAlarm" => types.metric = true,
            "CompositeAlarm" => types.composite = true,
            "LogAlarm" => {}
            _ => {
                return Err(broken(
                    text,
                    "alarmTypes",
                    "Member must satisfy enum value set: [CompositeAlarm, MetricAlarm, LogAlarm]",
                ));
            }
        }
    }
    Ok(types)
}

impl Types {
    pub(super) fn has(self, composite: bool) -> bool {
        if composite { self.composite } else { self.metric }
    }
}

pub(super) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeAlarmsInput) -> Result<s::DescribeAlarmsOutput, Fault> {
    check(&input)?;
    let state: &State = tx;
    let size = page_size(input.max_records, PAGE_DEFAULT)?;
    if let Some(name) = &input.children_of_alarm_name {
        let names = find(state, name)?.children();
        return related(names.iter().filter_map(|n| state.get::<Alarm>(n)), size, input.next_token.as_deref());
    }
    if let Some(name) = &input.parents_of_alarm_name {
        let found = find(state, name)?;
        return related(state.rows_where::<Alarm>("child", &found.name), size, input.next_token.as_deref());
    }
    let types = types(&input.alarm_types)?;
    let prefix = input.alarm_name_prefix.as_deref().unwrap_or_default();
    let action = input.action_prefix.as_deref();
    let invokes = |alarm: &Alarm| {
        let all = [&alarm.alarm_actions, &alarm.ok_actions, &alarm.insufficient_data_actions];
        action.is_none_or(|prefix| all.into_iter().flatten().any(|a| a.starts_with(prefix)))
    };
    let wanted = |alarm: &&Alarm| {
        types.has(alarm.is_composite())
            && alarm.name.starts_with(prefix)
            && input.state_value.as_deref().is_none_or(|state| alarm.state.state.as_str() == state)
            && (input.alarm_names.is_empty() || input.alarm_names.contains(&alarm.name))
            && invokes(alarm)
    };
    let first = prefix.to_string();
    let rows = state.rows_from::<Alarm>(&first).take_while(|a| a.name.starts_with(prefix)).filter(wanted);
    let page = page(rows, |a| a.name.clone(), input.next_token.as_deref(), size, bad_token)?;
    Ok(s::DescribeAlarmsOutput {
        composite_alarms: page.items.iter().filter_map(|a| composite_alarm(a)).collect(),
        metric_alarms: page.items.iter().filter_map(|a| metric_alarm(a)).collect(),
        log_alarms: Vec::new(),
        next_token: page.next_token,
    })
}

fn check(input: &s::DescribeAlarmsInput) -> Result<(), Fault> {
    if input.alarm_names.len() > usize::try_from(PAGE_MAX).unwrap_or(0) {
        let constraint = format!("Member must have length less than or equal to {PAGE_MAX}");
        return Err(broken(&format!("{} names", input.alarm_names.len()), "alarmNames", &constraint));
    }
    if !input.alarm_names.is_empty() && input.alarm_name_prefix.is_some() {
        return Err(Fault::validation("AlarmNames and AlarmNamePrefix are mutually exclusive"));
    }
    if let Some(state) = input.state_value.as_deref().filter(|s| AlarmState::parse(s).is_none()) {
        return Err(broken(state, "stateValue", "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"));
    }
    let is_related = input.children_of_alarm_name.is_some() || input.parents_of_alarm_name.is_some();
    let is_filtered = !input.alarm_names.is_empty()
        || input.alarm_name_prefix.is_some()
        || input.state_value.is_some()
        || input.action_prefix.is_some()
        || (input.children_of_alarm_name.is_some() && input.parents_of_alarm_name.is_some());
    // "DescribeAlarms", ChildrenOfAlarmName: with it no other parameters but MaxRecords and NextToken.
    if is_related && is_filtered {
        return Err(Fault::validation(
            "ChildrenOfAlarmName and ParentsOfAlarmName can only be used with MaxRecords and NextToken, and not together",
        ));
    }
    Ok(())
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a Alarm, Fault> {
    let found = state.find::<Alarm, str>(rule::name_of(name));
    found.ok_or_else(|| Fault::new(404, "ResourceNotFound", "The named resource does not exist."))
}

/// "DescribeAlarms", ChildrenOfAlarmName: the answer has names, ARNs and states only.
fn related<'a>(
    alarms: impl Iterator<Item = &'a Alarm>,
    size: usize,
    token: Option<&str>,
) -> Result<s::DescribeAlarmsOutput, Fault> {
    let page = page(alarms, |a| a.name.clone(), token, size, bad_token)?;
    let mut answer = s::DescribeAlarmsOutput { next_token: page.next_token, ..Default::default() };
    for alarm in page.items {
        let (alarm_name, alarm_arn) = (Some(alarm.name.clone()), Some(alarm.arn.clone()));
        let (state_value, at) = (Some(alarm.state.state.as_str().into()), Some(alarm.state.at));
        if alarm.is_composite() {
            let shape =
                s::CompositeAlarm { alarm_name, alarm_arn, state_value, state_updated_timestamp: at, ..Default::default() };
            answer.composite_alarms.push(shape);
        } else {
            let shape = s::MetricAlarm { alarm_name, alarm_arn, state_value, state_updated_timestamp: at, ..Default::default() };
            answer.metric_alarms.push(shape);
        }
    }
    Ok(answer)
}

/// Alarms on one metric; those on expressions over it are left out, as AWS's.
pub(super) fn for_metric(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeAlarmsForMetricInput,
) -> Result<s::DescribeAlarmsForMetricOutput, Fault> {
    let metric = Metric { namespace: input.namespace, name: input.metric_name, dimensions: dimensions(&input.dimensions)? };
    let statistic = input.statistic.or(input.extended_statistic);
    let wanted = |alarm: &&Alarm| {
        let Watched::Metrics { queries, .. } = &alarm.watched else { return false };
        single(queries).is_some_and(|(one, watched)| {
            *watched == metric
                && statistic.as_ref().is_none_or(|s| *s == one.statistic)
                && input.period.is_none_or(|p| p == i64::from(one.period_s))
                && input.unit.as_ref().is_none_or(|u| one.unit.as_ref() == Some(u))
        })
    };
    let key = metric_key(&metric);
    let found = tx.rows_where::<Alarm>("metric", &key).filter(wanted).filter_map(metric_alarm);
    Ok(s::DescribeAlarmsForMetricOutput { metric_alarms: found.collect() })
}
