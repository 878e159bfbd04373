//! Reads what a request says about a policy, with AWS's checks ("PutScalingPolicy" and the pages of each type).

use base::GroupName;
use cloudwatch::alarm::MetricQuery;
use kernel::State;
use metrics::Metric;
use shapes::autoscaling as s;

use super::decide::{Adjustment, Step};
use super::row::{Aggregation, AlarmPair, Predefined, Rule, ScalingPolicy, Tracked};
use super::tracking;
use crate::error::Error;
use crate::forecast;
use crate::group::Group;

/// "Quotas for Auto Scaling resources and groups".
const STEPS_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 255;
/// "TargetTrackingMetricDataQuery" arrays.
const QUERIES_MAX: usize = 10;
/// "TargetTrackingConfiguration": 8.515920e-109 to 1.174271e+108.
const TARGET_MIN: f64 = 8.515920e-109;
const TARGET_MAX: f64 = 1.174271e108;
/// "CustomizedMetricSpecification": periods of a metric in seconds.
const PERIODS_S: [i64; 3] = [10, 30, 60];

/// A policy as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(super) rule: Rule,
    pub(super) warmup_s: Option<u32>,
}

fn invalid<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::Invalid(text.into()))
}

impl Wish {
    pub(crate) fn of(input: s::PutScalingPolicyType) -> Result<Self, Error> {
        let name = input.policy_name.clone();
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return invalid(format!("PolicyName must have 1 to {NAME_CHARS_MAX} characters."));
        }
        // "PolicyType": SimpleScaling where it is absent.
        let kind = input.policy_type.clone().unwrap_or_else(|| "SimpleScaling".into());
        refuse_foreign(&kind, &input)?;
        let warmup_s = input.estimated_instance_warmup.map(|v| number("EstimatedInstanceWarmup", v)).transpose()?;
        let (group, enabled) = (input.auto_scaling_group_name.clone(), input.enabled.unwrap_or(true));
        let rule = match kind.as_str() {
            "SimpleScaling" => simple(&input)?,
            "StepScaling" => step(&input)?,
            "TargetTrackingScaling" => target_tracking(&input)?,
            _ => Rule::PredictiveScaling(forecast::read(input.predictive_scaling_configuration)?),
        };
        Ok(Self { group, name, enabled, rule, warmup_s })
    }

    /// What depends on the region: the load balancer of a label, and other policies of the group.
    pub(super) fn check_against_others(&self, state: &State, group: &GroupName) -> Result<(), Error> {
        match &self.rule {
            Rule::TargetTrackingScaling { metric, .. } => {
                if let Tracked::Predefined { label: Some(label), .. } = metric {
                    check_label(state, group, label)?;
                }
                let same = |p: &ScalingPolicy| {
                    p.name != self.name && matches!(&p.rule, Rule::TargetTrackingScaling { metric: other, .. } if other == metric)
                };
                if state.rows_where::<ScalingPolicy>("group", group).any(same) {
                    return invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.");
                }
            }
            Rule::PredictiveScaling(predictive) => {
                for label in predictive.labels() {
                    check_label(state, group, label)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// "PutScalingPolicy" says of each parameter for which types it is.
fn refuse_foreign(kind: &str, input: &s::PutScalingPolicyType) -> Result<(), Error> {
    let (simple, step, track) = ("SimpleScaling", "StepScaling", "TargetTrackingScaling");
    let predict = "PredictiveScaling";
    if ![simple, step, track, predict].contains(&kind) {
        return invalid(format!(
            "Unsupported policy type: {kind}. Supported types are SimpleScaling, StepScaling, TargetTrackingScaling and PredictiveScaling."
        ));
    }
    let given: [(&str, bool, &[&str]); 10] = [
        ("AdjustmentType", input.adjustment_type.is_some(), &[simple, step]),
        ("MinAdjustmentStep", input.min_adjustment_step.is_some(), &[simple, step]),
        ("MinAdjustmentMagnitude", input.min_adjustment_magnitude.is_some(), &[simple, step]),
        ("ScalingAdjustment", input.scaling_adjustment.is_some(), &[simple]),
        // Terraform sends 0 where a configuration has none.
        ("Cooldown", input.cooldown.is_some_and(|c| c != 0), &[simple]),
        ("MetricAggregationType", input.metric_aggregation_type.is_some(), &[step]),
        ("StepAdjustments", !input.step_adjustments.is_empty(), &[step]),
        ("EstimatedInstanceWarmup", input.estimated_instance_warmup.is_some(), &[step, track]),
        ("TargetTrackingConfiguration", input.target_tracking_configuration.is_some(), &[track]),
        ("PredictiveScalingConfiguration", input.predictive_scaling_configuration.is_some(), &[predict]),
    ];
    match given.iter().find(|(_, there, types)| *there && !types.contains(&kind)) {
        Some((parameter, ..)) => invalid(format!("{parameter} is not supported for policy type {kind}.")),
        None => Ok(()),
    }
}

fn number(parameter: &str, value: i64) -> Result<u32, Error> {
    u32::try_from(value).or_else(|_| invalid(format!("{parameter} must be 0 or more, not {value}.")))
}

fn adjustment(input: &s::PutScalingPolicyType) -> Result<(Adjustment, Option<u32>), Error> {
    let names = Adjustment::ALL.map(Adjustment::as_str).join(", ");
    let Some(text) = &input.adjustment_type else {
        return invalid("AdjustmentType is required for policy types SimpleScaling and StepScaling.");
    };
    let found = Adjustment::ALL.into_iter().find(|a| a.as_str() == text);
    let Some(adjustment) = found else { return invalid(format!("Invalid AdjustmentType '{text}'. It must be one of {names}.")) };
    if input.min_adjustment_step.is_some() && input.min_adjustment_magnitude.is_some() {
        return invalid("MinAdjustmentStep and MinAdjustmentMagnitude cannot both be specified.");
    }
    let magnitude = input.min_adjustment_magnitude.or(input.min_adjustment_step);
    if magnitude.is_some() && adjustment != Adjustment::PercentChangeInCapacity {
        return invalid("MinAdjustmentMagnitude is only supported for AdjustmentType PercentChangeInCapacity.");
    }
    Ok((adjustment, magnitude.map(|v| number("MinAdjustmentMagnitude", v)).transpose()?))
}

fn simple(input: &s::PutScalingPolicyType) -> Result<Rule, Error> {
    let (adjustment, min_magnitude) = adjustment(input)?;
    let Some(by) = input.scaling_adjustment else {
        return invalid("ScalingAdjustment is required for policy type SimpleScaling.");
    };
    check_exact(adjustment, by)?;
    let cooldown_s = input.cooldown.map(|v| number("Cooldown", v)).transpose()?;
    Ok(Rule::SimpleScaling { adjustment, by, min_magnitude, cooldown_s })
}

fn check_exact(adjustment: Adjustment, by: i64) -> Result<(), Error> {
    if adjustment == Adjustment::ExactCapacity && by < 0 {
        return invalid(format!("ScalingAdjustment must not be negative for AdjustmentType ExactCapacity, and it is {by}."));
    }
    Ok(())
}

fn step(input: &s::PutScalingPolicyType) -> Result<Rule, Error> {
    let (adjustment, min_magnitude) = adjustment(input)?;
    let of = |a: &s::StepAdjustment| Step {
        lower: a.metric_interval_lower_bound,
        upper: a.metric_interval_upper_bound,
        by: a.scaling_adjustment,
    };
    let steps: Vec<Step> = input.step_adjustments.iter().map(of).collect();
    check_steps(&steps)?;
    steps.iter().try_for_each(|s| check_exact(adjustment, s.by))?;
    let aggregation = match input.metric_aggregation_type.as_deref() {
        None | Some("Average") => Aggregation::Average,
        Some("Minimum") => Aggregation::Minimum,
        Some("Maximum") => Aggregation::Maximum,
        Some(other) => {
            return invalid(format!("Invalid MetricAggregationType '{other}'. It must be Minimum, Maximum or Average."));
        }
    };
    Ok(Rule::StepScaling { adjustment, steps, min_magnitude, aggregation })
}

/// "Step and simple scaling policies, Step adjustments": no overlap, no gap, at most one open end each way, and an open end
/// wherever a bound goes beyond the threshold on that side.
pub(super) fn check_steps(steps: &[Step]) -> Result<(), Error> {
    if steps.is_empty() {
        return invalid("At least one StepAdjustment is required for policy type StepScaling.");
    }
    if steps.len() > STEPS_MAX {
        return invalid(format!("There can be at most {STEPS_MAX} step adjustments per scaling policy."));
    }
    let bounds = steps.iter().flat_map(|s| [s.lower, s.upper]).flatten();
    if bounds.clone().any(|b| !b.is_finite()) {
        return invalid("The bounds of a StepAdjustment must be finite numbers.");
    }
    let spans = |s: &Step| (s.lower.unwrap_or(f64::NEG_INFINITY), s.upper.unwrap_or(f64::INFINITY));
    if steps.iter().any(|s| spans(s).0 >= spans(s).1) {
        return invalid("The upper bound of a StepAdjustment must be greater than its lower bound.");
    }
    if steps.iter().filter(|s| s.lower.is_none()).count() > 1 {
        return invalid("At most one StepAdjustment may have an unspecified lower bound.");
    }
    if steps.iter().filter(|s| s.upper.is_none()).count() > 1 {
        return invalid("At most one StepAdjustment may have an unspecified upper bound.");
    }
    let mut sorted: Vec<(f64, f64)> = steps.iter().map(spans).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    for pair in sorted.windows(2) {
        if pair[1].0 < pair[0].1 {
            return invalid("StepAdjustment intervals can't overlap.");
        }
        if pair[1].0 > pair[0].1 {
            return invalid("StepAdjustment intervals can't have gaps between them.");
        }
    }
    if steps.iter().all(|s| s.upper.is_some()) && bounds.clone().any(|b| b > 0.0) {
        return invalid(
            "There must be a StepAdjustment with an unspecified upper bound (i.e., upper bound is null) when one StepAdjustment has a positive upper bound",
        );
    }
    if steps.iter().all(|s| s.lower.is_some()) && bounds.clone().any(|b| b < 0.0) {
        return invalid(
            "There must be a StepAdjustment with an unspecified lower bound (i.e., lower bound is null) when one StepAdjustment has a negative lower bound",
        );
    }
    Ok(())
}

fn target_tracking(input: &s::PutScalingPolicyType) -> Result<Rule, Error> {
    let Some(configuration) = input.target_tracking_configuration.clone() else {
        return invalid("TargetTrackingConfiguration is required for policy type TargetTrackingScaling.");
    };
    let target = check_target(configuration.target_value)?;
    let metric = match (configuration.predefined_metric_specification, configuration.customized_metric_specification) {
        (Some(predefined), None) => predefined_metric(predefined)?,
        (None, Some(customized)) => customized_metric(customized)?,
        _ => {
            return invalid(
                "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be in a TargetTrackingConfiguration.",
            );
        }
    };
    let disable_scale_in = configuration.disable_scale_in.unwrap_or(false);
    // Names come when the policy is put.
    let alarms = AlarmPair { high: String::new(), low: None };
    Ok(Rule::TargetTrackingScaling { metric, target, disable_scale_in, alarms })
}

pub(crate) fn check_target(target: f64) -> Result<f64, Error> {
    if (TARGET_MIN..=TARGET_MAX).contains(&target) {
        return Ok(target);
    }
    invalid(format!("TargetValue must be between {TARGET_MIN:e} and {TARGET_MAX:e}, not {target}."))
}

fn predefined_metric(specification: s::PredefinedMetricSpecification) -> Result<Tracked, Error> {
    let text = &specification.predefined_metric_type;
    let names = Predefined::ALL.map(Predefined::as_str).join(", ");
    let Some(kind) = Predefined::ALL.into_iter().find(|k| k.as_str() == text) else {
        return invalid(format!("Invalid PredefinedMetricType '{text}'. It must be one of {names}."));
    };
    let needs = kind == Predefined::ALBRequestCountPerTarget;
    match (&specification.resource_label, needs) {
        (None, true) => invalid("ResourceLabel is required for PredefinedMetricType ALBRequestCountPerTarget."),
        (Some(_), false) => invalid(format!("ResourceLabel is not supported for PredefinedMetricType {text}.")),
        _ => Ok(Tracked::Predefined { kind, label: specification.resource_label }),
    }
}

/// "PredefinedMetricSpecification": `app/NAME/ID/targetgroup/NAME/ID`, and the target group must be attached to the group.
fn check_label(state: &State, group: &GroupName, label: &str) -> Result<(), Error> {
    let target_group = tracking::target_group_of(label);
    let balancer = label.strip_suffix(target_group).and_then(|l| l.strip_suffix('/')).unwrap_or_default();
    let is_balancer = state.rows::<elb::LoadBalancer>().any(|b| b.full_name() == balancer);
    let group = state.get::<Group>(group);
    let attached = group.into_iter().flat_map(|g| &g.target_groups).filter_map(|arn| state.get::<elb::TargetGroup>(arn));
    if target_group.is_empty() || !is_balancer {
        return invalid(format!("Invalid resource label: {label}"));
    }
    if !attached.into_iter().any(|t| t.full_name() == target_group) {
        return invalid(format!("The target group in the resource label {label} is not attached to the Auto Scaling group."));
    }
    Ok(())
}

fn customized_metric(custom: s::CustomizedMetricSpecification) -> Result<Tracked, Error> {
    if custom.metrics.is_empty() {
        let (Some(namespace), Some(name)) = (&custom.namespace, &custom.metric_name) else {
            return invalid("A CustomizedMetricSpecification needs Metrics, or MetricName, Namespace and Statistic.");
        };
        let Some(statistic) = &custom.statistic else {
            return invalid("Statistic is required in a CustomizedMetricSpecification without Metrics.");
        };
        if !["Average", "Minimum", "Maximum", "SampleCount", "Sum"].contains(&statistic.as_str()) {
            return invalid(format!("Invalid Statistic '{statistic}'."));
        }
        let period_s = custom.period.map(period).transpose()?;
        let query = MetricQuery {
            unit: custom.unit,
            ..tracking::one(metric(namespace, name, &custom.dimensions), statistic, period_s.unwrap_or(60))
        };
        check_watchable(std::slice::from_ref(&query))?;
        return Ok(Tracked::Metric { query, period_s });
    }
    if custom.metric_name.is_some() || custom.namespace.is_some() || custom.statistic.is_some() || !custom.dimensions.is_empty() {
        return invalid("Metrics cannot be combined with MetricName, Namespace, Dimensions or Statistic.");
    }
    if custom.metrics.len() > QUERIES_MAX {
        return invalid(format!("At most {QUERIES_MAX} Metrics are allowed in a CustomizedMetricSpecification."));
    }
    let common = custom.period;
    let queries = custom.metrics.into_iter().map(|q| query(q, common)).collect::<Result<Vec<_>, _>>()?;
    if queries.iter().filter(|(q, _)| q.returns).count() != 1 {
        return invalid("Exactly one of the Metrics must have ReturnData true.");
    }
    check_watchable(&queries.iter().map(|(query, _)| query.clone()).collect::<Vec<_>>())?;
    Ok(Tracked::Math(queries))
}

/// The policy's alarms are on these queries, so that CloudWatch's own checks hold ("CustomizedMetricSpecification", Metrics).
fn check_watchable(queries: &[MetricQuery]) -> Result<(), Error> {
    cloudwatch::alarm::check(queries).map_err(|fault| Error::Invalid(fault.message))
}

fn period(seconds: i64) -> Result<u32, Error> {
    if PERIODS_S.contains(&seconds) {
        return number("Period", seconds);
    }
    invalid(format!("Period must be 10, 30 or 60 seconds, not {seconds}."))
}

fn metric(namespace: &str, name: &str, dimensions: &[s::MetricDimension]) -> Metric {
    let dimensions: Vec<_> = dimensions.iter().map(|d| (d.name.as_str(), d.value.as_str())).collect();
    Metric::new(namespace, name, &dimensions)
}

/// A query of a policy, and the period that it asks for itself.
fn query(query: s::TargetTrackingMetricDataQuery, common: Option<i64>) -> Result<(MetricQuery, Option<u32>), Error> {
    let asked = query.metric_stat.as_ref().and_then(|m| m.period).or(query.period).map(period).transpose()?;
    let common = common.map(period).transpose()?;
    let plain = MetricQuery {
        id: query.id,
        metric: None,
        statistic: String::new(),
        unit: None,
        period_s: asked.or(common).unwrap_or(60),
        expression: query.expression,
        label: query.label,
        // "TargetTrackingMetricDataQuery": true where it is absent.
        returns: query.return_data.unwrap_or(true),
    };
    let whole = match (query.metric_stat, &plain.expression) {
        (Some(stat), None) => MetricQuery {
            metric: Some(metric(&stat.metric.namespace, &stat.metric.metric_name, &stat.metric.dimensions)),
            statistic: stat.stat,
            unit: stat.unit,
            ..plain
        },
        (None, Some(_)) => plain,
        _ => return invalid(format!("Each of the Metrics needs either Expression or MetricStat, unlike {}.", plain.id)),
    };
    Ok((whole, asked))
}
