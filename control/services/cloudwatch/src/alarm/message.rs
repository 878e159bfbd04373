//! The message that an alarm publishes to a topic: AWS's JSON and subject ("Amazon SNS alarm notifications" have this form).

use kernel::Cx;
use serde_json::{Value as Json, json};
use sns::Message;

use super::evaluate::period_s;
use super::reason::moment;
use super::row::{Alarm, AlarmState, MetricQuery, StateChange, Watched};
use super::view::{is_simple, single};

/// SNS takes subjects of at most so many characters.
const SUBJECT_CHARS_MAX: usize = 100;

/// `alarm` has the new state already.
pub(super) fn of(cx: &Cx, alarm: &Alarm, old: &StateChange) -> Message {
    of_state(cx, alarm, &alarm.state, old.state)
}

fn of_state(cx: &Cx, alarm: &Alarm, new: &StateChange, old: AlarmState) -> Message {
    let region = region_name(&cx.scope.region);
    let mut body = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": cx.scope.account,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.configured_at),
        "NewStateValue": new.state.as_str(),
        "NewStateReason": new.reason,
        "StateChangeTime": moment(new.at),
        "Region": region,
        "AlarmArn": alarm.arn,
        "OldStateValue": old.as_str(),
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    });
    match &alarm.watched {
        Watched::Metrics { .. } => body["Trigger"] = trigger(alarm),
        Watched::Rule { rule, .. } => {
            body["AlarmRule"] = rule.clone().into();
            if let Some(triggering) =
                serde_json::from_str::<Json>(&new.reason_data).ok().and_then(|d| d.get("triggeringAlarms").cloned())
            {
                body["TriggeringChildren"] = triggering.as_array().into_iter().flatten().map(child).collect();
            }
        }
    }
    let subject = format!("{}: \"{}\" in {region}", new.state.as_str(), alarm.name);
    Message { subject: Some(shortened(subject)), body: body.to_string() }
}

fn child(triggering: &Json) -> Json {
    let state = &triggering["state"];
    json!({ "Arn": triggering["arn"], "State": { "Value": state["value"], "Timestamp": state["timestamp"] } })
}

/// A subject that is too long ends in an ellipsis.
fn shortened(subject: String) -> String {
    if subject.chars().count() <= SUBJECT_CHARS_MAX {
        return subject;
    }
    let kept: String = subject.chars().take(SUBJECT_CHARS_MAX - 3).collect();
    format!("{kept}...")
}

fn trigger(alarm: &Alarm) -> Json {
    let Watched::Metrics { queries, comparison, threshold, evaluation_periods, datapoints_to_alarm, missing, ignore_low_samples } =
        &alarm.watched
    else {
        return Json::Null;
    };
    let mut trigger = match single(queries) {
        Some((one, metric)) => {
            let simple = is_simple(&one.statistic);
            let mut trigger = json!({
                "MetricName": metric.name,
                "Namespace": metric.namespace,
                "StatisticType": if simple { "Statistic" } else { "ExtendedStatistic" },
            });
            if simple {
                trigger["Statistic"] = statistic_word(&one.statistic).into();
            } else {
                trigger["ExtendedStatistic"] = one.statistic.clone().into();
            }
            trigger["Unit"] = one.unit.clone().into();
            trigger["Dimensions"] = dimensions(&metric.dimensions);
            trigger
        }
        None => json!({}),
    };
    trigger["Period"] = period_s(queries).into();
    trigger["EvaluationPeriods"] = (*evaluation_periods).into();
    trigger["DatapointsToAlarm"] = (*datapoints_to_alarm).into();
    trigger["ComparisonOperator"] = comparison.as_str().into();
    trigger["Threshold"] = (*threshold).into();
    trigger["TreatMissingData"] = missing.as_str().into();
    trigger["EvaluateLowSampleCountPercentile"] = if *ignore_low_samples { "ignore" } else { "" }.into();
    if single(queries).is_none() {
        trigger["Metrics"] = queries.iter().map(query).collect();
    }
    trigger
}

fn statistic_word(statistic: &str) -> &str {
    match statistic {
        "Average" => "AVERAGE",
        "Sum" => "SUM",
        "Minimum" => "MINIMUM",
        "Maximum" => "MAXIMUM",
        "SampleCount" => "SAMPLE_COUNT",
        other => other,
    }
}

fn dimensions(all: &[(String, String)]) -> Json {
    all.iter().map(|(name, value)| json!({ "value": value, "name": name })).collect()
}

fn query(query: &MetricQuery) -> Json {
    let mut one = json!({ "Id": query.id });
    if let Some(metric) = &query.metric {
        let named =
            json!({ "Dimensions": dimensions(&metric.dimensions), "MetricName": metric.name, "Namespace": metric.namespace });
        one["MetricStat"] = json!({ "Metric": named, "Period": query.period_s, "Stat": query.statistic });
    }
    if let Some(expression) = &query.expression {
        one["Expression"] = expression.clone().into();
    }
    if let Some(label) = &query.label {
        one["Label"] = label.clone().into();
    }
    one["ReturnData"] = query.returns.into();
    one
}

/// The region's name as messages and subjects have it ("AWS Regions", names; Europe is `EU` here). An unknown one is its code.
pub(super) fn region_name(region: &str) -> &str {
    match region {
        "af-south-1" => "Africa (Cape Town)",
        "ap-east-1" => "Asia Pacific (Hong Kong)",
        "ap-northeast-1" => "Asia Pacific (Tokyo)",
        "ap-northeast-2" => "Asia Pacific (Seoul)",
        "ap-northeast-3" => "Asia Pacific (Osaka)",
        "ap-south-1" => "Asia Pacific (Mumbai)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        "ca-central-1" => "Canada (Central)",
        "eu-central-1" => "EU (Frankfurt)",
        "eu-central-2" => "EU (Zurich)",
        "eu-north-1" => "EU (Stockholm)",
        "eu-south-1" => "EU (Milan)",
        "eu-west-1" => "EU (Ireland)",
        "eu-west-2" => "EU (London)",
        "eu-west-3" => "EU (Paris)",
        "me-south-1" => "Middle East (Bahrain)",
        "sa-east-1" => "South America (Sao Paulo)",
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        other => other,
    }
}
