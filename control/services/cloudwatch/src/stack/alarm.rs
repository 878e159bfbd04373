//! `AWS::CloudWatch::Alarm`: a metric alarm as part of a stack. `Ref` gives its name.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;
use shapes::cloudwatch as s;

use super::{Tag, arn_of, put_tags, read, remove};
use crate::alarm;

const NAME_CHARS_MAX: usize = 255;

pub(super) struct Alarm;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    actions_enabled: Option<bool>,
    alarm_actions: Vec<String>,
    alarm_description: Option<String>,
    alarm_name: Option<String>,
    comparison_operator: Option<String>,
    datapoints_to_alarm: Option<i64>,
    dimensions: Vec<Dimension>,
    evaluate_low_sample_count_percentile: Option<String>,
    evaluation_periods: Option<i64>,
    extended_statistic: Option<String>,
    insufficient_data_actions: Vec<String>,
    metric_name: Option<String>,
    metrics: Vec<Query>,
    namespace: Option<String>,
    #[serde(rename = "OKActions")]
    ok_actions: Vec<String>,
    period: Option<i64>,
    statistic: Option<String>,
    tags: Vec<Tag>,
    threshold: Option<f64>,
    treat_missing_data: Option<String>,
    unit: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: String,
    expression: Option<String>,
    label: Option<String>,
    metric_stat: Option<MetricStat>,
    period: Option<i64>,
    return_data: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Metric,
    period: i64,
    stat: String,
    unit: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    #[serde(default)]
    dimensions: Vec<Dimension>,
    metric_name: Option<String>,
    namespace: Option<String>,
}

fn dimensions(all: Vec<Dimension>) -> Vec<s::Dimension> {
    all.into_iter().map(|d| s::Dimension { name: d.name, value: d.value }).collect()
}

impl Query {
    fn shape(self) -> s::MetricDataQuery {
        let metric_stat = self.metric_stat.map(|stat| s::MetricStat {
            metric: s::Metric {
                namespace: stat.metric.namespace,
                metric_name: stat.metric.metric_name,
                dimensions: dimensions(stat.metric.dimensions),
            },
            period: stat.period,
            stat: stat.stat,
            unit: stat.unit,
        });
        s::MetricDataQuery {
            id: self.id,
            metric_stat,
            expression: self.expression,
            label: self.label,
            return_data: self.return_data,
            period: self.period,
            account_id: None,
        }
    }
}

impl Properties {
    fn input(self, alarm_name: String) -> s::PutMetricAlarmInput {
        s::PutMetricAlarmInput {
            alarm_name,
            alarm_description: self.alarm_description,
            actions_enabled: self.actions_enabled,
            ok_actions: self.ok_actions,
            alarm_actions: self.alarm_actions,
            insufficient_data_actions: self.insufficient_data_actions,
            metric_name: self.metric_name,
            namespace: self.namespace,
            statistic: self.statistic,
            extended_statistic: self.extended_statistic,
            dimensions: dimensions(self.dimensions),
            period: self.period,
            unit: self.unit,
            evaluation_periods: self.evaluation_periods,
            datapoints_to_alarm: self.datapoints_to_alarm,
            threshold: self.threshold,
            comparison_operator: self.comparison_operator,
            treat_missing_data: self.treat_missing_data,
            evaluate_low_sample_count_percentile: self.evaluate_low_sample_count_percentile,
            metrics: self.metrics.into_iter().map(Query::shape).collect(),
            ..Default::default()
        }
    }

    fn put(self, tx: &mut Tx, cx: &Cx, name: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let tags = self.tags.clone();
        let alarm = alarm::operations::alarm_of(cx, self.input(name.to_string()))?;
        alarm::put(tx, cx, alarm)?;
        put_tags(tx, &alarm::arn(cx, name), tags, old, request)
    }
}

impl StackResource for Alarm {
    fn type_name(&self) -> &'static str {
        "AWS::CloudWatch::Alarm"
    }

    fn schema(&self) -> &'static str {
        include_str!("alarm.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let name = super::new_name(tx, cx, properties.alarm_name.clone(), request, NAME_CHARS_MAX)?;
        properties.put(tx, cx, &name, &Json::Null, request)?;
        Ok(name)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        read::<Properties>(request.properties)?.put(tx, cx, physical_id, old, request)
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        remove(tx, cx, physical_id)
    }

    fn attribute(&self, state: &State, cx: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        arn_of(state, cx, physical_id, name)
    }
}
