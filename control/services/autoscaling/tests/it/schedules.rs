//! Scheduled actions.

use std::time::Duration;

use base::Time;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::{Region, refusal};

fn at(text: &str) -> Option<Time> {
    Some(Time::parse_iso8601(text).unwrap())
}

/// An action that sets the capacity to five. The region's time begins at 2027-01-15T08:00:00Z, a Friday.
fn action(name: &str) -> s::PutScheduledUpdateGroupActionType {
    s::PutScheduledUpdateGroupActionType {
        auto_scaling_group_name: "g".into(),
        scheduled_action_name: name.into(),
        desired_capacity: Some(5),
        ..Default::default()
    }
}

fn once(name: &str, start: &str) -> s::PutScheduledUpdateGroupActionType {
    s::PutScheduledUpdateGroupActionType { start_time: at(start), ..action(name) }
}

fn recurring(name: &str, cron: &str) -> s::PutScheduledUpdateGroupActionType {
    s::PutScheduledUpdateGroupActionType { recurrence: Some(cron.into()), ..action(name) }
}

fn put(region: &mut Region, input: s::PutScheduledUpdateGroupActionType) {
    region.call::<ops::PutScheduledUpdateGroupAction>(input).unwrap();
}

fn shown(region: &mut Region) -> Vec<s::ScheduledUpdateGroupAction> {
    region.call::<ops::DescribeScheduledActions>(Default::default()).unwrap().scheduled_update_group_actions
}

#[test]
fn a_one_off_action_runs_at_its_time_says_so_and_is_gone() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let resized =
        s::PutScheduledUpdateGroupActionType { min_size: Some(3), max_size: Some(6), ..once("up", "2027-01-15T08:10:00Z") };
    put(&mut region, resized);
    region.pass(599);
    assert_eq!((region.row().desired_capacity, shown(&mut region).len()), (2, 1));
    let told = region.told(0).len();
    region.pass(1);
    let group = region.row();
    assert_eq!((group.min_size, group.max_size, group.desired_capacity), (3, 6, 5));
    let (_, cause, _) = region.told(told).remove(0);
    let expected = "At T the scheduled action up executed. Setting min size from 0 to 3. Setting max size from 10 to 6. Setting desired capacity from 2 to 5.";
    assert!(cause.starts_with(expected), "{cause}");
    assert_eq!((shown(&mut region).len(), region.in_service().len()), (0, 5));
}

#[test]
fn a_recurring_action_comes_again_in_its_zone_until_its_end() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let daily = s::PutScheduledUpdateGroupActionType {
        time_zone: Some("Europe/Berlin".into()),
        end_time: at("2027-01-16T20:00:00Z"),
        ..recurring("daily", "30 9 * * *")
    };
    put(&mut region, daily);
    assert_eq!(shown(&mut region)[0].start_time, at("2027-01-15T08:30:00Z"));
    leap(&mut region, Duration::from_secs(1_800));
    assert_eq!((region.row().desired_capacity, shown(&mut region)[0].start_time), (5, at("2027-01-16T08:30:00Z")));
    leap(&mut region, Duration::from_secs(86_400));
    assert_eq!(shown(&mut region).len(), 0, "the third comes after the end");
}

#[test]
fn what_was_missed_for_long_is_left_out_and_what_is_suspended_too() {
    let mut region = Region::new();
    region.group(2, |_| {});
    put(&mut region, recurring("hourly", "0 * * * *"));
    put(&mut region, once("late", "2027-01-15T08:30:00Z"));
    leap(&mut region, Duration::from_secs(3_600 + 300));
    assert_eq!((region.row().desired_capacity, shown(&mut region)[0].start_time), (2, at("2027-01-15T10:00:00Z")));
    assert_eq!(shown(&mut region).len(), 1);
    let query =
        s::ScalingProcessQuery { auto_scaling_group_name: "g".into(), scaling_processes: vec!["ScheduledActions".into()] };
    region.call::<ops::SuspendProcesses>(query.clone()).unwrap();
    leap(&mut region, Duration::from_secs(55 * 60));
    assert_eq!((region.row().desired_capacity, shown(&mut region)[0].start_time), (2, at("2027-01-15T11:00:00Z")));
    region.call::<ops::ResumeProcesses>(query).unwrap();
    region.now = region.now + Duration::from_secs(3_700);
    region.reopen();
    assert_eq!(region.row().desired_capacity, 5, "a minute late is recent");
}

#[test]
fn a_size_that_does_not_fit_is_told_as_a_failed_activity() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let large = s::PutScheduledUpdateGroupActionType { desired_capacity: Some(50), ..once("large", "2027-01-15T08:01:00Z") };
    put(&mut region, large);
    let told = region.told(0).len();
    region.pass(60);
    let (description, _, status) = region.told(told).remove(0);
    assert!(
        description.contains("Desired capacity:50 must be between the specified min size:0 and max size:10"),
        "{description}"
    );
    assert_eq!((status, region.row().desired_capacity), ("Failed", 2));
}

#[test]
fn what_is_no_schedule_is_refused_in_the_words_of_aws() {
    let mut region = Region::new();
    region.group(1, |_| {});
    put(&mut region, once("there", "2027-01-15T09:00:00Z"));
    let none = s::PutScheduledUpdateGroupActionType { desired_capacity: None, ..once("x", "2027-01-15T10:00:00Z") };
    let bounds =
        s::PutScheduledUpdateGroupActionType { min_size: Some(3), max_size: Some(2), ..once("x", "2027-01-15T10:00:00Z") };
    let zone = s::PutScheduledUpdateGroupActionType { time_zone: Some("Mars/Olympus".into()), ..recurring("x", "0 0 * * *") };
    let ended = s::PutScheduledUpdateGroupActionType { end_time: at("2020-01-01T00:00:00Z"), ..recurring("x", "0 0 * * *") };
    let cases = [
        (once("x", "2027-01-15T07:00:00Z"), "ValidationError", "Given start time is in the past"),
        (ended, "ValidationError", "Given end time is in the past"),
        (recurring("x", "every day"), "ValidationError", "Given recurrence string: every day is invalid"),
        (recurring("x", "0 0 30 2 *"), "ValidationError", "never comes due"),
        (action("x"), "ValidationError", "StartTime or Recurrence must be specified."),
        (zone, "ValidationError", "Given time zone: Mars/Olympus is invalid"),
        (none, "ValidationError", "At least one of MinSize, MaxSize and DesiredCapacity must be specified."),
        (bounds, "ValidationError", "Max bound, 2, must be greater than or equal to min bound, 3"),
        (once("x", "2027-01-15T09:00:00Z"), "AlreadyExists", "A scheduled action with the same start time already exists"),
    ];
    for (input, code, text) in cases {
        let (got, words) = refusal(region.call::<ops::PutScheduledUpdateGroupAction>(input));
        assert!(got == code && words.contains(text), "{got} {words}");
    }
    let batch = s::BatchPutScheduledUpdateGroupActionType {
        auto_scaling_group_name: "g".into(),
        scheduled_update_group_actions: vec![
            s::ScheduledUpdateGroupActionRequest {
                scheduled_action_name: "good".into(),
                recurrence: Some("5 0 * * *".into()),
                min_size: Some(1),
                ..Default::default()
            },
            s::ScheduledUpdateGroupActionRequest { scheduled_action_name: "bad".into(), ..Default::default() },
        ],
    };
    let failed = region.call::<ops::BatchPutScheduledUpdateGroupAction>(batch).unwrap().failed_scheduled_update_group_actions;
    assert_eq!((failed.len(), failed[0].scheduled_action_name.as_str()), (1, "bad"));
    let delete = s::BatchDeleteScheduledActionType {
        auto_scaling_group_name: "g".into(),
        scheduled_action_names: vec!["good".into(), "gone".into()],
    };
    let failed = region.call::<ops::BatchDeleteScheduledAction>(delete).unwrap().failed_scheduled_actions;
    assert_eq!(failed[0].error_message.as_deref(), Some("Scheduled action name not found: gone"));
    assert_eq!(shown(&mut region).len(), 1);
}

/// Lets time pass in one step.
fn leap(region: &mut Region, time: Duration) {
    region.now = region.now + time;
    region.settle();
    region.play();
}
