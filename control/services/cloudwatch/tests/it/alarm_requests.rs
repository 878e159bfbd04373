//! What requests about alarms may be, and what they answer.

use cloudwatch::alarm::Watched;
use kernel::{Progress, ResourceRequest};
use serde_json::{Value as Json, json};
use shapes::cloudwatch::{self as s, ops};

use crate::alarms::{POLICY, Region, input};

#[test]
fn contradictory_parameters_are_refused() {
    type Change = fn(&mut s::PutMetricAlarmInput);
    let bad: &[(&str, Change)] = &[
        ("EvaluationPeriods must be specified", |i| i.evaluation_periods = None),
        ("ComparisonOperator must be specified", |i| i.comparison_operator = None),
        ("Threshold must be specified", |i| i.threshold = None),
        ("MetricName must be specified", |i| i.metric_name = None),
        ("mutually exclusive", |i| i.extended_statistic = Some("p99".into())),
        ("Exactly one of", |i| i.statistic = None),
        ("Period must be 10, 20, 30 or a multiple of 60", |i| i.period = Some(45)),
        ("Period must be", |i| i.period = Some(0)),
        ("one day", |i| i.evaluation_periods = Some(1_441)),
        ("seven days", |i| (i.period, i.evaluation_periods) = (Some(86_400), Some(8))),
        ("DatapointsToAlarm must be less than", |i| i.datapoints_to_alarm = Some(2)),
        ("datapointsToAlarm", |i| i.datapoints_to_alarm = Some(0)),
        ("TreatMissingData", |i| i.treat_missing_data = Some("maybe".into())),
        ("comparisonOperator", |i| i.comparison_operator = Some("Equal".into())),
        ("anomaly detection", |i| i.comparison_operator = Some("LessThanLowerThreshold".into())),
        ("ThresholdMetricId", |i| i.threshold_metric_id = Some("ad1".into())),
        ("EvaluateLowSampleCountPercentile", |i| i.evaluate_low_sample_count_percentile = Some("ignore".into())),
        ("alarmActions", |i| i.alarm_actions = vec![POLICY.into(); 6]),
        ("Invalid arn syntax", |i| i.ok_actions = vec!["topic".into()]),
        ("Invalid region us-east-1", |i| i.ok_actions = vec!["arn:aws:sns:us-east-1:000000000000:t".into()]),
        ("not available", |i| i.ok_actions = vec!["arn:aws:lambda:eu-central-1:000000000000:function:f".into()]),
        ("cannot have the action", |i| i.ok_actions = vec!["arn:aws:automate:eu-central-1:ec2:stop".into()]),
        ("alarmName", |i| i.alarm_name = "x".repeat(256)),
        ("control characters", |i| i.alarm_name = "a\nb".into()),
        ("the same name", |i| i.dimensions.push(s::Dimension { name: "Host".into(), value: "b".into() })),
        ("unit", |i| i.unit = Some("Parsec".into())),
    ];
    let mut region = Region::new();
    for (expected, change) in bad {
        let mut input = input("high");
        change(&mut input);
        let fault = region.call::<ops::PutMetricAlarm>(input).unwrap_err();
        assert!(fault.code == "ValidationError" && fault.message.contains(expected), "{expected}: {fault}");
    }
    assert_eq!(region.state().count::<cloudwatch::Alarm>(), 0);
}

fn query(id: &str, period: i64) -> s::MetricDataQuery {
    let metric = s::Metric {
        namespace: Some("App".into()),
        metric_name: Some("Load".into()),
        dimensions: vec![s::Dimension { name: "Host".into(), value: "a".into() }],
    };
    let stat = s::MetricStat { metric, period, stat: "Average".into(), unit: None };
    s::MetricDataQuery { id: id.into(), metric_stat: Some(stat), return_data: Some(false), ..Default::default() }
}

fn expression(text: &str) -> s::MetricDataQuery {
    s::MetricDataQuery { id: "e1".into(), expression: Some(text.into()), return_data: Some(true), ..Default::default() }
}

fn math(metrics: Vec<s::MetricDataQuery>) -> s::PutMetricAlarmInput {
    s::PutMetricAlarmInput {
        alarm_name: "math".into(),
        evaluation_periods: Some(1),
        threshold: Some(50.0),
        comparison_operator: Some("GreaterThanThreshold".into()),
        metrics,
        ..Default::default()
    }
}

#[test]
fn an_alarm_on_mathematics_compares_its_result() {
    let mut region = Region::new();
    region.put(math(vec![query("m1", 60), expression("m1 * 10")]));
    region.minute(Some(4.0));
    assert_eq!(region.is("math"), cloudwatch::AlarmState::Ok);
    region.minute(Some(6.0));
    assert_eq!(region.is("math"), cloudwatch::AlarmState::Alarm);
    assert!(region.alarm("math").state.reason.contains("[60.0 ("), "{}", region.alarm("math").state.reason);
    let shown = region.call::<ops::DescribeAlarms>(s::DescribeAlarmsInput::default()).unwrap().metric_alarms.remove(0);
    assert_eq!((shown.metrics.len(), shown.metric_name), (2, None));
}

#[test]
fn lists_of_metrics_that_make_no_sense_are_refused() {
    let mut region = Region::new();
    let bad = [
        ("exactly one", vec![query("m1", 60), query("m2", 60)]),
        ("same period", vec![query("m1", 60), query("m2", 300), expression("m1 + m2")]),
        ("at least one metric", vec![expression("TIME_SERIES(1)")]),
        ("single time series", vec![query("m1", 60), query("m2", 60), expression("[m1, m2]")]),
        ("m9", vec![query("m1", 60), expression("m9")]),
        ("SEARCH is not supported", vec![query("m1", 60), expression("m1 + SUM(SEARCH('App', 'Sum', 60))")]),
    ];
    for (expected, metrics) in bad {
        let fault = region.call::<ops::PutMetricAlarm>(math(metrics)).unwrap_err();
        assert!(fault.message.contains(expected), "{expected}: {fault}");
    }
    let both = s::PutMetricAlarmInput { namespace: Some("App".into()), ..math(vec![query("m1", 60), expression("m1")]) };
    assert!(region.call::<ops::PutMetricAlarm>(both).unwrap_err().message.contains("mutually exclusive"));
}

#[test]
fn alarms_are_listed_by_name_prefix_state_and_action() {
    let mut region = Region::new();
    for n in 0..7 {
        region.put(input(&format!("web-{n}")));
    }
    region.put(s::PutMetricAlarmInput { alarm_actions: Vec::new(), ..input("db") });
    let names = |region: &mut Region, input: s::DescribeAlarmsInput| -> (Vec<String>, Option<String>) {
        let answer = region.call::<ops::DescribeAlarms>(input).unwrap();
        (answer.metric_alarms.into_iter().filter_map(|a| a.alarm_name).collect(), answer.next_token)
    };
    let prefixed = s::DescribeAlarmsInput { alarm_name_prefix: Some("web".into()), max_records: Some(5), ..Default::default() };
    let (first, token) = names(&mut region, prefixed.clone());
    let (rest, end) = names(&mut region, s::DescribeAlarmsInput { next_token: token, ..prefixed });
    assert_eq!((first.len(), rest, end), (5, vec!["web-5".to_string(), "web-6".into()], None));
    let named = s::DescribeAlarmsInput { alarm_names: vec!["db".into(), "nobody".into()], ..Default::default() };
    assert_eq!(names(&mut region, named).0, ["db"]);
    let acting = s::DescribeAlarmsInput { action_prefix: Some("arn:aws:autoscaling".into()), ..Default::default() };
    assert_eq!(names(&mut region, acting).0.len(), 7);
    let in_alarm = s::DescribeAlarmsInput { state_value: Some("ALARM".into()), ..Default::default() };
    assert_eq!(names(&mut region, in_alarm).0.len(), 0);
    let of_metric = s::DescribeAlarmsForMetricInput {
        namespace: "App".into(),
        metric_name: "Load".into(),
        dimensions: vec![s::Dimension { name: "Host".into(), value: "a".into() }],
        ..Default::default()
    };
    assert_eq!(region.call::<ops::DescribeAlarmsForMetric>(of_metric.clone()).unwrap().metric_alarms.len(), 8);
    let other = s::DescribeAlarmsForMetricInput { dimensions: Vec::new(), ..of_metric };
    assert_eq!(region.call::<ops::DescribeAlarmsForMetric>(other).unwrap().metric_alarms.len(), 0);
}

#[test]
fn tags_are_kept_with_the_alarm() {
    let mut region = Region::new();
    let tag = |key: &str, value: &str| s::Tag { key: key.into(), value: value.into() };
    region.put(s::PutMetricAlarmInput { tags: vec![tag("team", "web")], ..input("high") });
    let arn = region.alarm("high").arn.clone();
    region.put(s::PutMetricAlarmInput { tags: vec![tag("team", "other")], ..input("high") });
    let add = s::TagResourceInput { resource_arn: arn.clone(), tags: vec![tag("tier", "1")] };
    region.call::<ops::TagResource>(add).unwrap();
    let list = s::ListTagsForResourceInput { resource_arn: arn.clone() };
    let found = region.call::<ops::ListTagsForResource>(list.clone()).unwrap().tags;
    assert_eq!(found, [tag("team", "web"), tag("tier", "1")], "an update does not touch tags");
    region.call::<ops::DeleteAlarms>(s::DeleteAlarmsInput { alarm_names: vec!["high".into()] }).unwrap();
    assert_eq!(region.call::<ops::ListTagsForResource>(list).unwrap_err().code, "ResourceNotFoundException");
    let kinds: Vec<_> = region.history("high", "ConfigurationUpdate").into_iter().filter_map(|i| i.history_summary).collect();
    assert_eq!(kinds, ["Alarm \"high\" deleted", "Alarm \"high\" updated", "Alarm \"high\" created"]);
}

fn stack<T>(
    region: &mut Region,
    kind: &str,
    properties: &Json,
    work: impl FnOnce(&mut kernel::Tx, &kernel::Cx, &dyn kernel::StackResource, &ResourceRequest) -> Result<T, base::Fault>,
) -> Result<T, base::Fault> {
    let tags = base::Tags::from([("aws:cloudformation:stack-name".to_string(), "s".to_string())]);
    let request = ResourceRequest {
        stack_id: "arn:stack",
        stack_name: "s",
        logical_id: "High",
        properties,
        tags: &tags,
        old_tags: None,
        creation_policy: None,
        update_policy: None,
    };
    region.run(|tx, cx| work(tx, cx, tx.registry().stack_resource(kind).unwrap(), &request))
}

#[test]
fn a_stack_makes_changes_and_deletes_alarms() {
    const ALARM: &str = "AWS::CloudWatch::Alarm";
    const COMPOSITE: &str = "AWS::CloudWatch::CompositeAlarm";
    let mut region = Region::new();
    let old = json!({
        "Namespace": "App", "MetricName": "Load", "Dimensions": [{"Name": "Host", "Value": "a"}], "Statistic": "Average",
        "Period": 60, "EvaluationPeriods": 2, "DatapointsToAlarm": 1, "Threshold": 70, "TreatMissingData": "notBreaching",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": [POLICY],
        "Tags": [{"Key": "team", "Value": "web"}],
    });
    let name = stack(&mut region, ALARM, &old, |tx, cx, resource, request| resource.create(tx, cx, request)).unwrap();
    assert!(name.starts_with("s-High-"), "{name}");
    let rule = json!({"AlarmName": "both", "AlarmRule": format!("ALARM({name})")});
    stack(&mut region, COMPOSITE, &rule, |tx, cx, resource, request| resource.create(tx, cx, request)).unwrap();
    let mut new = old.clone();
    new["Threshold"] = json!(80);
    stack(&mut region, ALARM, &new, |tx, cx, resource, request| resource.update(tx, cx, &name, &old, request)).unwrap();
    let arn = stack(&mut region, ALARM, &new, |tx, cx, resource, _| resource.attribute(tx, cx, &name, "Arn")).unwrap();
    assert_eq!(arn, region.alarm(&name).arn.as_str());
    let shown = s::DescribeAlarmsInput { alarm_names: vec![name.clone()], ..Default::default() };
    let shown = region.call::<ops::DescribeAlarms>(shown).unwrap().metric_alarms.remove(0);
    assert_eq!((shown.threshold, shown.datapoints_to_alarm), (Some(80.0), Some(1)));
    let list = s::ListTagsForResourceInput { resource_arn: arn.as_str().unwrap().into() };
    assert_eq!(region.call::<ops::ListTagsForResource>(list).unwrap().tags.len(), 2);
    let gone = |region: &mut Region, kind: &str, name: &str| {
        stack(region, kind, &Json::Null, |tx, cx, resource, _| resource.delete(tx, cx, name))
    };
    assert!(gone(&mut region, ALARM, &name).is_err(), "a composite alarm needs it");
    assert_eq!(gone(&mut region, COMPOSITE, "both"), Ok(Progress::Ready));
    assert_eq!(gone(&mut region, ALARM, &name), Ok(Progress::Ready));
    assert_eq!(gone(&mut region, ALARM, &name), Ok(Progress::Ready), "what does not exist is deleted");
}

/// A user's own tags are none of the stack's.
#[test]
fn an_update_takes_back_only_the_tags_that_the_stack_gave() {
    const COMPOSITE: &str = "AWS::CloudWatch::CompositeAlarm";
    let tag = |key: &str, value: &str| s::Tag { key: key.into(), value: value.into() };
    let mut region = Region::new();
    let of = |tags: Json| json!({"AlarmName": "both", "AlarmRule": "FALSE", "Tags": tags});
    let first = of(json!([{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "1"}]));
    region.stack_tags = base::Tags::from([("stage".to_string(), "test".to_string())]);
    let name = region.make(COMPOSITE, &first).unwrap();
    let resource_arn = region.alarm(&name).arn.clone();
    let tags = vec![tag("mine", "m")];
    region.call::<ops::TagResource>(s::TagResourceInput { resource_arn: resource_arn.clone(), tags }).unwrap();
    region.stack_tags.clear();
    region.change(COMPOSITE, &name, &first, &of(json!([{"Key": "team", "Value": "red"}]))).unwrap();
    let shown = region.call::<ops::ListTagsForResource>(s::ListTagsForResourceInput { resource_arn }).unwrap().tags;
    assert_eq!(shown, [tag("mine", "m"), tag("team", "red")]);
}

#[test]
fn a_dashboard_of_a_stack_has_its_own_tags_and_the_stacks() {
    const DASHBOARD: &str = "AWS::CloudWatch::Dashboard";
    let mut region = Region::new();
    let of = |team: &str| json!({"DashboardBody": "{\"widgets\":[]}", "Tags": [{"Key": "team", "Value": team}]});
    region.stack_tags = base::Tags::from([("stage".to_string(), "test".to_string())]);
    let name = region.make(DASHBOARD, &of("blue")).unwrap();
    region.change(DASHBOARD, &name, &of("blue"), &of("red")).unwrap();
    let resource_arn = format!("arn:aws:cloudwatch::000000000000:dashboard/{name}");
    let shown = region.call::<ops::ListTagsForResource>(s::ListTagsForResourceInput { resource_arn }).unwrap().tags;
    let shown: Vec<_> = shown.into_iter().map(|tag| (tag.key, tag.value)).collect();
    assert_eq!(shown, [("stage".to_string(), "test".to_string()), ("team".into(), "red".into())]);
}

#[test]
fn dashboards_have_tags_too() {
    let mut region = Region::new();
    let board = s::PutDashboardInput {
        dashboard_name: "live".into(),
        dashboard_body: json!({"widgets": []}).to_string(),
        tags: vec![s::Tag { key: "team".into(), value: "web".into() }],
    };
    region.call::<ops::PutDashboard>(board).unwrap();
    let list = s::ListTagsForResourceInput { resource_arn: "arn:aws:cloudwatch::000000000000:dashboard/live".into() };
    assert_eq!(region.call::<ops::ListTagsForResource>(list).unwrap().tags.len(), 1);
    let list = s::ListTagsForResourceInput { resource_arn: "arn:aws:cloudwatch::000000000000:dashboard/gone".into() };
    assert_eq!(region.call::<ops::ListTagsForResource>(list).unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn a_threshold_is_the_same_number_after_a_restart() {
    let mut region = Region::new();
    // Of the numbers with as many digits one in ten was read back as its neighbour.
    let all = [0.1, 50.0, 90.42225290942383, 42.215889504792884, -19.243053591130522, f64::MAX, f64::MIN_POSITIVE];
    for (n, threshold) in all.into_iter().enumerate() {
        region.put(s::PutMetricAlarmInput { threshold: Some(threshold), ..input(&n.to_string()) });
    }
    region.reopen();
    for (n, threshold) in all.into_iter().enumerate() {
        let Watched::Metrics { threshold: kept, .. } = region.alarm(&n.to_string()).watched else { panic!("a metric alarm") };
        assert_eq!(kept.to_bits(), threshold.to_bits(), "{threshold}");
    }
}
