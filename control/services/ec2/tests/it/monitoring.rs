//! Metrics of instances, from the host's reports to the store; and what alarms do to instances.

use std::time::Duration;

use base::{Fault, InstanceId, Time};
use cloudwatch::alarm::{self, Comparison, MetricQuery, MissingData, StateChange, Watched};
use cloudwatch::{Alarm, AlarmState, Invocation};
use metrics::{Metric, Sample, Statistic};
use shapes::ec2 as s;
use shapes::ec2::ops;
use world::{InstanceState, InstanceUsage, Observation};

use crate::region::Region;

const MINUTE: Duration = Duration::from_secs(60);

/// A running t3.micro, whose two vCPUs are half a core here.
fn run(region: &mut Region, detailed: bool) -> String {
    let request = s::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.micro".into()),
        min_count: 1,
        max_count: 1,
        monitoring: Some(s::RunInstancesMonitoringEnabled { enabled: detailed, ..Default::default() }),
        ..Default::default()
    };
    let id = region.call::<ops::RunInstances>(request).unwrap().instances.pop().unwrap().instance_id.unwrap();
    region.apply(&id);
    region.running(&id);
    id
}

/// A minute passes in which the instances use so much of half a core, in percent.
fn minute(region: &mut Region, used: &[(&str, u64)]) {
    let from = region.now;
    region.pass(MINUTE);
    let until = region.now;
    let usage = |(id, percent): &(&str, u64)| InstanceUsage {
        id: InstanceId::from(*id),
        cpu_us: 300_000 * percent,
        running_ms: 60_000,
        network_in_bytes: 1_000,
        network_out_bytes: 2_000,
        network_in_packets: 10,
        network_out_packets: 20,
    };
    region.observe(&Observation::Usage { from, until, instances: used.iter().map(usage).collect() });
}

fn points(region: &Region, name: &str, id: &str) -> Vec<(Time, Sample)> {
    let metric = Metric::new("AWS/EC2", name, &[("InstanceId", id)]);
    cloudwatch::store(region.state()).points(&metric, Time::ZERO, region.now + MINUTE, 60)
}

fn averages(region: &Region, name: &str, id: &str) -> Vec<f64> {
    points(region, name, id).iter().map(|(_, sample)| Statistic::Average.of(sample).unwrap()).collect()
}

#[test]
fn detailed_monitoring_gives_a_point_each_minute() {
    let mut region = Region::new();
    let id = run(&mut region, true);
    let begin = region.now;
    minute(&mut region, &[(&id, 40)]);
    minute(&mut region, &[(&id, 250)]);
    assert_eq!(averages(&region, "CPUUtilization", &id), [40.0, 100.0], "a percentage never exceeds 100");
    assert_eq!(points(&region, "CPUUtilization", &id)[0].0, begin, "a point is told by the beginning of its period");
    assert_eq!(averages(&region, "NetworkIn", &id), [1_000.0, 1_000.0]);
    assert_eq!(averages(&region, "NetworkPacketsOut", &id), [20.0, 20.0]);
}

#[test]
fn basic_monitoring_gives_a_point_every_five_minutes() {
    let mut region = Region::new();
    let id = run(&mut region, false);
    let begin = region.now;
    for percent in [10, 20, 30, 40] {
        minute(&mut region, &[(&id, percent)]);
    }
    assert!(points(&region, "CPUUtilization", &id).is_empty());
    minute(&mut region, &[(&id, 50)]);
    let told = points(&region, "CPUUtilization", &id);
    assert_eq!(told.len(), 1);
    let (at, sample) = &told[0];
    assert_eq!((*at, sample.count, sample.min, sample.max, sample.sum), (begin, 5.0, 10.0, 50.0, 150.0));
    assert_eq!(points(&region, "NetworkOut", &id)[0].1.sum, 10_000.0);
}

fn shown_monitoring(region: &mut Region, id: &str) -> String {
    let request = s::DescribeInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
    let mut reservations = region.call::<ops::DescribeInstances>(request).unwrap().reservations;
    reservations.pop().unwrap().instances.pop().unwrap().monitoring.unwrap().state.unwrap()
}

fn monitor(region: &mut Region, id: &str) -> Result<String, Fault> {
    let request = s::MonitorInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
    told(region.call::<ops::MonitorInstances>(request)?.instance_monitorings, id)
}

fn unmonitor(region: &mut Region, id: &str) -> Result<String, Fault> {
    let request = s::UnmonitorInstancesRequest { instance_ids: vec![id.into()], ..Default::default() };
    told(region.call::<ops::UnmonitorInstances>(request)?.instance_monitorings, id)
}

fn told(mut answers: Vec<s::InstanceMonitoring>, id: &str) -> Result<String, Fault> {
    let answer = answers.pop().unwrap();
    assert_eq!((answer.instance_id.as_deref(), answers.len()), (Some(id), 0));
    Ok(answer.monitoring.unwrap().state.unwrap())
}

#[test]
fn monitoring_is_pending_until_the_instance_runs() {
    let mut region = Region::new();
    let request = s::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.micro".into()),
        min_count: 1,
        max_count: 1,
        monitoring: Some(s::RunInstancesMonitoringEnabled { enabled: true, ..Default::default() }),
        ..Default::default()
    };
    let id = region.call::<ops::RunInstances>(request).unwrap().instances.pop().unwrap().instance_id.unwrap();
    assert_eq!(shown_monitoring(&mut region, &id), "pending");
    assert_eq!(monitor(&mut region, &id).unwrap(), "pending");
    region.apply(&id);
    region.running(&id);
    assert_eq!(shown_monitoring(&mut region, &id), "enabled");
}

#[test]
fn monitoring_changes_at_once_and_no_period_is_told_twice() {
    let mut region = Region::new();
    let id = run(&mut region, false);
    let begin = region.now;
    minute(&mut region, &[(&id, 10)]);
    assert_eq!(monitor(&mut region, &id).unwrap(), "pending");
    assert_eq!(monitor(&mut region, &id).unwrap(), "enabled");
    assert_eq!(shown_monitoring(&mut region, &id), "enabled");
    minute(&mut region, &[(&id, 20)]);
    minute(&mut region, &[(&id, 30)]);
    assert_eq!(averages(&region, "CPUUtilization", &id), [20.0, 30.0]);
    assert_eq!(unmonitor(&mut region, &id).unwrap(), "disabling");
    assert_eq!(unmonitor(&mut region, &id).unwrap(), "disabled");
    assert_eq!(shown_monitoring(&mut region, &id), "disabled");
    minute(&mut region, &[(&id, 40)]);
    minute(&mut region, &[(&id, 50)]);
    let points = points(&region, "NetworkIn", &id);
    let sums: Vec<f64> = points.iter().map(|(_, sample)| sample.sum).collect();
    assert_eq!(
        (points[0].0, sums),
        (begin, vec![3_000.0, 1_000.0, 1_000.0]),
        "basic minutes with the five, detailed by themselves"
    );
}

#[test]
fn monitoring_is_refused_where_it_cannot_be_changed() {
    let mut region = Region::new();
    let id = run(&mut region, false);
    let code = |outcome: Result<String, Fault>| outcome.unwrap_err().code.to_string();
    assert_eq!(code(monitor(&mut region, "i-0123456789abcdef0")), "InvalidInstanceID.NotFound");
    assert_eq!(code(unmonitor(&mut region, "web-1")), "InvalidInstanceID.Malformed");
    let dry = s::MonitorInstancesRequest { instance_ids: vec![id.clone()], dry_run: Some(true), ..Default::default() };
    assert_eq!(region.call::<ops::MonitorInstances>(dry).unwrap_err().code, "DryRunOperation");
    assert_eq!(region.call::<ops::MonitorInstances>(s::MonitorInstancesRequest::default()).unwrap_err().code, "MissingParameter");
    let categories = s::MonitorInstancesRequest {
        instance_ids: vec![id.clone()],
        metric_category_ids: vec!["cpu".into()],
        ..Default::default()
    };
    assert_eq!(region.call::<ops::MonitorInstances>(categories).unwrap_err().code, "UnsupportedOperation");
    assert_eq!(shown_monitoring(&mut region, &id), "disabled", "nothing of that has changed it");
    let end = s::TerminateInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() };
    region.call::<ops::TerminateInstances>(end).unwrap();
    assert_eq!(code(monitor(&mut region, &id)), "IncorrectInstanceState");
}

#[test]
fn status_checks_come_each_minute_and_fail_for_an_instance_that_the_host_does_not_find() {
    let mut region = Region::new();
    let (well, lost) = (run(&mut region, false), run(&mut region, false));
    minute(&mut region, &[(&well, 1), (&lost, 1)]);
    minute(&mut region, &[(&well, 1)]);
    assert_eq!(averages(&region, "StatusCheckFailed", &well), [0.0, 0.0]);
    assert_eq!(averages(&region, "StatusCheckFailed", &lost), [0.0, 1.0]);
    assert_eq!(averages(&region, "StatusCheckFailed_Instance", &lost), [0.0, 1.0]);
    assert_eq!(averages(&region, "StatusCheckFailed_System", &lost), [0.0, 0.0]);
}

#[test]
fn credits_are_earned_and_spent_every_five_minutes_and_outlive_the_process() {
    let mut region = Region::new();
    let id = run(&mut region, true);
    for _ in 0..5 {
        minute(&mut region, &[(&id, 0)]);
    }
    assert_eq!(averages(&region, "CPUCreditBalance", &id), [1.0], "a t3.micro earns 12 an hour");
    for _ in 0..5 {
        minute(&mut region, &[(&id, 50)]);
    }
    assert_eq!(averages(&region, "CPUCreditUsage", &id), [0.0, 5.0]);
    assert_eq!(averages(&region, "CPUCreditBalance", &id), [1.0, 0.0]);
    assert_eq!(averages(&region, "CPUSurplusCreditBalance", &id), [0.0, 3.0]);
}

#[test]
fn reports_of_strangers_and_of_no_time_are_passed_over() {
    let mut region = Region::new();
    let id = run(&mut region, true);
    minute(&mut region, &[("i-0000000000000000a", 10)]);
    let now = region.now;
    let unlike = InstanceUsage {
        id: InstanceId::from(id.as_str()),
        cpu_us: u64::MAX,
        running_ms: 0,
        network_in_bytes: 0,
        network_out_bytes: 0,
        network_in_packets: 0,
        network_out_packets: 0,
    };
    region.observe(&Observation::Usage { from: now, until: now, instances: vec![unlike.clone()] });
    region.observe(&Observation::Usage { from: now, until: now + MINUTE, instances: vec![unlike.clone()] });
    assert!(points(&region, "CPUUtilization", &id).is_empty());
    assert_eq!(ec2::cpu_percent(region.state(), &kernel::Settings::default(), &unlike), None);
}

fn invoke(region: &mut Region, id: &str, action: &str) {
    let state =
        StateChange { state: AlarmState::Alarm, at: region.now, reason: String::new(), reason_data: String::new(), value: None };
    let query = MetricQuery {
        id: "m1".into(),
        metric: Some(Metric::new("AWS/EC2", "CPUUtilization", &[("InstanceId", id)])),
        statistic: "Average".into(),
        unit: None,
        period_s: 60,
        expression: None,
        label: None,
        returns: true,
    };
    let watched = Watched::Metrics {
        queries: vec![query],
        comparison: Comparison::GreaterThanThreshold,
        threshold: 1.0,
        evaluation_periods: 1,
        datapoints_to_alarm: 1,
        missing: MissingData::Missing,
        ignore_low_samples: false,
    };
    let alarm = Alarm {
        name: "a".into(),
        arn: "arn:aws:cloudwatch:eu-central-1:000000000000:alarm:a".into(),
        description: None,
        watched,
        actions_enabled: true,
        alarm_actions: vec![action.into()],
        ok_actions: Vec::new(),
        insufficient_data_actions: Vec::new(),
        configured_at: region.now,
        state,
        evaluated_until: region.now,
    };
    let invocation = Invocation {
        key: format!("{action}/1"),
        action: action.into(),
        alarm: "a".into(),
        state: AlarmState::Alarm,
        at: region.now,
        value: None,
        reason: String::new(),
    };
    region
        .run(|tx, cx| {
            alarm::put(tx, cx, alarm)?;
            tx.put(invocation);
            Ok(())
        })
        .unwrap();
}

#[test]
fn alarms_stop_terminate_reboot_and_recover_their_instance() {
    for (action, power, generation) in [("stop", "stopping", 1), ("terminate", "shutting-down", 1), ("reboot", "running", 2)] {
        let mut region = Region::new();
        let id = run(&mut region, false);
        invoke(&mut region, &id, &format!("arn:aws:automate:eu-central-1:ec2:{action}"));
        let instance = region.state().get::<ec2::Instance>(&id.as_str().into()).unwrap();
        assert_eq!((instance.state().as_str(), instance.generation), (power, generation), "{action}");
        assert_eq!(region.state().count::<Invocation>(), 0);
    }
}

#[test]
fn an_alarm_does_not_end_a_protected_instance_nor_act_on_what_is_not_there() {
    let mut region = Region::new();
    let id = run(&mut region, false);
    let protect = s::ModifyInstanceAttributeRequest {
        instance_id: id.clone(),
        disable_api_termination: Some(s::AttributeBooleanValue { value: Some(true) }),
        ..Default::default()
    };
    region.call::<ops::ModifyInstanceAttribute>(protect).unwrap();
    invoke(&mut region, &id, "arn:aws:automate:eu-central-1:ec2:terminate");
    invoke(&mut region, "i-0000000000000000a", "arn:aws:automate:eu-central-1:ec2:stop");
    let instance = region.state().get::<ec2::Instance>(&id.as_str().into()).unwrap();
    assert_eq!(instance.state().as_str(), "running");
    assert_eq!(region.state().count::<Invocation>(), 0);
    region.report(&id, InstanceState::Running);
}
