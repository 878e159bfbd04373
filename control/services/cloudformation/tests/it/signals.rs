//! Creations that wait for signals, and updates that take some.

use std::time::Duration;

use base::StackId;
use serde_json::{Value as Json, json};
use shapes::cloudformation as s;
use shapes::cloudformation::ops;

use crate::region::Region;

fn template(value: &str, policy: Json) -> Json {
    let properties = json!({"Value": value, "Key": "k", "Mode": "ok"});
    let mut thing = json!({"Type": "Test::Thing", "Properties": properties});
    if !policy.is_null() {
        thing["CreationPolicy"] = policy;
    }
    json!({"Resources": {"T": thing}})
}

fn waits(count: u32, timeout: &str) -> Json {
    json!({"ResourceSignal": {"Count": count, "Timeout": timeout}})
}

impl Region {
    fn signal(&mut self, id: &str, status: &str) -> Result<(), String> {
        let input = s::SignalResourceInput {
            stack_name: "web".into(),
            logical_resource_id: "T".into(),
            unique_id: id.into(),
            status: status.into(),
        };
        self.call::<ops::SignalResource>(input).map_err(|fault| fault.message)
    }

    fn reasons(&mut self, id: &StackId) -> Vec<String> {
        let input = s::DescribeStackEventsInput { stack_name: id.to_string(), ..Default::default() };
        let mut events = self.call::<ops::DescribeStackEvents>(input).unwrap().stack_events;
        events.reverse();
        events.into_iter().filter_map(|e| e.resource_status_reason).collect()
    }
}

#[test]
fn a_creation_policy_waits_for_its_count_of_signals() {
    let mut region = Region::new();
    let id = region.create(&template("1", waits(2, "PT10M")));
    region.turn();
    region.now = region.now + Duration::from_secs(400);
    region.turn();
    region.signal("a", "SUCCESS").unwrap();
    region.signal("a", "SUCCESS").unwrap();
    region.turn();
    assert_eq!(region.stack(&id).status.name(), "CREATE_IN_PROGRESS", "a repeated id is one signal");
    region.signal("b", "SUCCESS").unwrap();
    assert_eq!(region.rest(&id, &mut |_| ()), "CREATE_COMPLETE");
    assert!(region.reasons(&id).contains(&"Received SUCCESS signal with UniqueId a".to_string()));
    let refused = region.signal("c", "SUCCESS").unwrap_err();
    assert_eq!(refused, format!("Stack:{id} is in CREATE_COMPLETE state and can not be signaled."));
}

#[test]
fn signals_that_do_not_come_in_time_roll_the_creation_back() {
    let mut region = Region::new();
    let id = region.create(&template("1", waits(2, "PT1M")));
    region.turn();
    region.signal("a", "SUCCESS").unwrap();
    assert_eq!(region.rest(&id, &mut |_| ()), "ROLLBACK_COMPLETE");
    let text = "Failed to receive 1 resource signal(s) within the specified duration";
    assert!(region.reasons(&id).contains(&text.to_string()), "{:?}", region.reasons(&id));
    assert!(region.things().is_empty());
}

#[test]
fn a_failure_signal_fails_the_creation_at_once() {
    let mut region = Region::new();
    let id = region.create(&template("1", waits(1, "PT10M")));
    region.turn();
    region.crash();
    region.signal("i-1", "FAILURE").unwrap();
    assert_eq!(region.count_of("cloudformation.resource-signal"), 1);
    assert_eq!(region.rest(&id, &mut |_| ()), "ROLLBACK_COMPLETE");
    assert!(region.reasons(&id).iter().filter(|r| *r == "Received FAILURE signal with UniqueId i-1").count() >= 2);
    assert_eq!(region.count_of("cloudformation.resource-signal"), 0, "nobody asks for the signals of what is gone");
}

#[test]
fn the_default_is_one_signal_in_five_minutes_and_bad_durations_are_refused() {
    let mut region = Region::new();
    let id = region.create(&template("1", json!({"ResourceSignal": {}})));
    region.turn();
    region.now = region.now + Duration::from_secs(299);
    region.turn();
    assert_eq!(region.stack(&id).status.name(), "CREATE_IN_PROGRESS");
    region.now = region.now + Duration::from_secs(1);
    assert_eq!(region.rest(&id, &mut |_| ()), "ROLLBACK_COMPLETE");

    let mut region = Region::new();
    let id = region.create(&template("1", waits(1, "13 hours")));
    assert_eq!(region.rest(&id, &mut |_| ()), "ROLLBACK_COMPLETE");
    let text = "CreationPolicy Timeout must be a duration such as PT15M, at most PT12H, not '13 hours'.";
    assert!(region.reasons(&id).contains(&text.to_string()));
}

#[test]
fn what_waits_for_no_signals_takes_none() {
    let mut region = Region::new();
    let id = region.create(&template("1", Json::Null));
    let refused = region.signal("a", "SUCCESS").unwrap_err();
    assert!(refused.contains("does not exist for stack") || refused.contains("cannot take signals"), "{refused}");
    assert_eq!(region.signal("a", "MAYBE").unwrap_err(), "Status must be SUCCESS or FAILURE, not 'MAYBE'");
    assert!(region.signal(&"x".repeat(65), "SUCCESS").is_err());
    assert_eq!(region.rest(&id, &mut |_| ()), "CREATE_COMPLETE");
}
