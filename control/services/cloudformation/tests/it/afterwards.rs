//! What an operation that failed leaves behind, for the one after it.

use std::time::Duration;

use serde_json::{Value as Json, json};
use shapes::cloudformation as s;
use shapes::cloudformation::ops;

use crate::region::Region;

fn thing(value: &str, mode: &str) -> Json {
    json!({"Type": "Test::Thing", "Properties": {"Value": value, "Key": "k", "Mode": mode}})
}

fn delete(region: &mut Region) {
    let input = s::DeleteStackInput { stack_name: "web".into(), ..Default::default() };
    region.call::<ops::DeleteStack>(input).unwrap();
}

#[test]
fn what_a_failed_update_says_of_deletion_is_forgotten() {
    for (before, after, left) in [("Retain", "Delete", 1), ("Delete", "Retain", 0)] {
        let mut region = Region::new();
        let kept = |policy: &str| {
            let mut kept = thing("kept", "ok");
            kept["DeletionPolicy"] = policy.into();
            kept
        };
        let id = region.create(&json!({"Resources": {"A": kept(before)}}));
        assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
        region.update(&json!({"Resources": {"A": kept(after), "B": thing("b", "fails")}}), None).unwrap();
        assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_ROLLBACK_COMPLETE");
        delete(&mut region);
        assert_eq!(region.rest(&id, &mut |_| {}), "DELETE_COMPLETE");
        assert_eq!(region.things().len(), left, "{before}");
    }
}

#[test]
fn a_wait_condition_waits_as_long_as_it_says() {
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {
        "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "C": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "H"}, "Timeout": 43_200}},
    }}));
    region.turn();
    region.now = region.now + Duration::from_secs(43_199);
    region.turn();
    assert_eq!(region.stack(&id).status.name(), "CREATE_IN_PROGRESS");
    region.now = region.now + Duration::from_secs(1);
    assert_eq!(region.rest(&id, &mut |_| {}), "ROLLBACK_COMPLETE");
    let input = s::DescribeStackEventsInput { stack_name: id.to_string(), ..Default::default() };
    let events = region.call::<ops::DescribeStackEvents>(input).unwrap().stack_events;
    let text = "WaitCondition timed out. Received 0 conditions when expecting 1";
    assert!(events.iter().any(|e| e.resource_status_reason.as_deref() == Some(text)), "{events:?}");
}

#[test]
fn a_creation_may_be_given_any_time() {
    let mut region = Region::new();
    let input = s::CreateStackInput {
        stack_name: "web".into(),
        template_body: Some(json!({"Resources": {"A": thing("a", "slow")}}).to_string()),
        timeout_in_minutes: Some(i64::MAX),
        ..Default::default()
    };
    let id = region.call::<ops::CreateStack>(input).unwrap().stack_id.unwrap();
    assert_eq!(region.rest(&base::StackId::from(id.as_str()), &mut |_| {}), "CREATE_COMPLETE");
}

#[test]
fn a_resource_that_could_not_be_made_may_become_one_of_another_type() {
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {"A": thing("a", "ok")}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    region.update(&json!({"Resources": {"A": thing("a", "ok"), "B": thing("b", "refused")}}), Some(true)).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_FAILED");
    let handle = json!({"Type": "AWS::CloudFormation::WaitConditionHandle"});
    region.update(&json!({"Resources": {"A": thing("a", "ok"), "B": handle}}), Some(true)).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_COMPLETE");
    let input = s::DescribeStackResourcesInput { stack_name: Some("web".into()), ..Default::default() };
    let resources = region.call::<ops::DescribeStackResources>(input).unwrap().stack_resources;
    let types: Vec<&str> = resources.iter().map(|r| r.resource_type.as_str()).collect();
    assert_eq!(types, ["Test::Thing", "AWS::CloudFormation::WaitConditionHandle"]);
}

#[test]
fn an_update_tried_again_waits_for_what_did_not_become_ready() {
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {"A": thing("a", "ok")}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let broken = json!({"Resources": {"A": thing("b", "fails")}});
    region.update(&broken, Some(true)).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_FAILED");
    region.update(&broken, Some(true)).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_FAILED");
}

#[test]
fn a_creation_that_is_rolled_back_has_no_outputs() {
    let mut region = Region::new();
    let exporting = json!({
        "Resources": {"A": thing("a", "ok")},
        "Outputs": {"O": {"Value": {"Ref": "A"}, "Export": {"Name": "e"}}},
    });
    let id = region.create(&exporting);
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let input =
        s::CreateStackInput { stack_name: "other".into(), template_body: Some(exporting.to_string()), ..Default::default() };
    let other = region.call::<ops::CreateStack>(input).unwrap().stack_id.unwrap();
    let other = base::StackId::from(other.as_str());
    assert_eq!(region.rest(&other, &mut |_| {}), "ROLLBACK_COMPLETE");
    assert_eq!(region.stack(&other).outputs, Vec::new());
}

#[test]
fn a_physical_id_finds_the_stack_that_lives() {
    let mut region = Region::new();
    let template = json!({"Resources": {"A": thing("a", "ok")}});
    let id = region.create(&template);
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let find = |region: &mut Region| {
        let input = s::DescribeStackResourcesInput { physical_resource_id: Some("named-1".into()), ..Default::default() };
        region.call::<ops::DescribeStackResources>(input).map(|o| o.stack_resources[0].stack_id.clone().unwrap())
    };
    for _ in 0..8 {
        let named =
            json!({"Resources": {"N": {"Type": "Test::Thing", "Properties": {"Value": "a", "Key": "named-1", "Mode": "ok"}}}});
        let input =
            s::CreateStackInput { stack_name: "named".into(), template_body: Some(named.to_string()), ..Default::default() };
        let made = region.call::<ops::CreateStack>(input).unwrap().stack_id.unwrap();
        assert_eq!(region.rest(&base::StackId::from(made.as_str()), &mut |_| {}), "CREATE_COMPLETE");
        assert_eq!(find(&mut region).unwrap(), made);
        let input = s::DeleteStackInput { stack_name: "named".into(), ..Default::default() };
        region.call::<ops::DeleteStack>(input).unwrap();
        assert_eq!(region.rest(&base::StackId::from(made.as_str()), &mut |_| {}), "DELETE_COMPLETE");
    }
    assert!(find(&mut region).is_ok(), "what is deleted can be looked at");
}

#[test]
fn a_change_set_of_what_has_changed_since_is_not_executed() {
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {"A": thing("a", "ok")}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let create = s::CreateChangeSetInput {
        stack_name: "web".into(),
        change_set_name: "c".into(),
        template_body: Some(json!({"Resources": {"A": thing("b", "ok")}}).to_string()),
        ..Default::default()
    };
    let set = region.call::<ops::CreateChangeSet>(create).unwrap().id.unwrap();
    region.update(&json!({"Resources": {"A": thing("c", "ok")}}), None).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_COMPLETE");
    let describe = s::DescribeChangeSetInput { change_set_name: set.clone(), ..Default::default() };
    let told = region.call::<ops::DescribeChangeSet>(describe).unwrap();
    assert_eq!((told.status.as_deref(), told.execution_status.as_deref()), (Some("CREATE_COMPLETE"), Some("OBSOLETE")));
    let execute = s::ExecuteChangeSetInput { change_set_name: set, ..Default::default() };
    let fault = region.call::<ops::ExecuteChangeSet>(execute).unwrap_err();
    assert_eq!(fault.code, "InvalidChangeSetStatus");
}

#[test]
fn the_pages_of_imports_join_to_the_whole() {
    let mut region = Region::new();
    let mut create = |name: &str, template: Json| {
        let input =
            s::CreateStackInput { stack_name: name.into(), template_body: Some(template.to_string()), ..Default::default() };
        let id = region.call::<ops::CreateStack>(input).unwrap().stack_id.unwrap();
        assert_eq!(region.rest(&base::StackId::from(id.as_str()), &mut |_| {}), "CREATE_COMPLETE");
    };
    create("exports", json!({"Resources": {"A": thing("a", "ok")}, "Outputs": {"O": {"Value": "v", "Export": {"Name": "e"}}}}));
    let importing = json!({"Resources": {"A": {"Type": "Test::Thing", "Properties": {"Value": {"Fn::ImportValue": "e"}, "Key": "k", "Mode": "ok"}}}});
    // The ids of these are in another order than their names: `a-00/` < `a/`.
    let mut names: Vec<String> = (0..100).map(|i| format!("a-{i:02}")).collect();
    names.push("a".into());
    names.iter().for_each(|name| create(name, importing.clone()));
    let (mut told, mut token) = (Vec::new(), None);
    loop {
        let input = s::ListImportsInput { export_name: "e".into(), next_token: token };
        let page = region.call::<ops::ListImports>(input).unwrap();
        told.extend(page.imports);
        token = page.next_token;
        if token.is_none() || told.len() > names.len() {
            break;
        }
    }
    names.sort();
    assert_eq!(told, names);
}

/// "You can't delete a stack if another stack references one of its outputs": nor may one begin to meanwhile.
#[test]
fn what_a_stack_exports_that_is_being_deleted_is_not_imported() {
    let mut region = Region::new();
    let create = |region: &mut Region, name: &str, template: &Json| {
        let input =
            s::CreateStackInput { stack_name: name.into(), template_body: Some(template.to_string()), ..Default::default() };
        base::StackId::from(region.call::<ops::CreateStack>(input).unwrap().stack_id.unwrap().as_str())
    };
    let exporting =
        json!({"Resources": {"A": thing("it stays", "ok")}, "Outputs": {"O": {"Value": "v", "Export": {"Name": "e"}}}});
    let importing = json!({"Resources": {"A": {"Type": "Test::Thing", "Properties": {"Value": {"Fn::ImportValue": "e"}, "Key": "k", "Mode": "ok"}}}});
    let exporter = create(&mut region, "exports", &exporting);
    assert_eq!(region.rest(&exporter, &mut |_| {}), "CREATE_COMPLETE");
    region.call::<ops::DeleteStack>(s::DeleteStackInput { stack_name: "exports".into(), ..Default::default() }).unwrap();
    assert_eq!(region.stack(&exporter).status.name(), "DELETE_IN_PROGRESS");
    let importer = create(&mut region, "imports", &importing);
    assert_eq!(region.rest(&importer, &mut |_| {}), "ROLLBACK_COMPLETE");
    assert_eq!(region.rest(&exporter, &mut |_| {}), "DELETE_COMPLETE");
}

#[test]
fn a_change_in_place_waits_for_no_signals_after_a_replacement_whose_update_failed() {
    let mut region = Region::new();
    let signalled = |value: &str, key: &str| {
        let properties = json!({"Value": value, "Key": key, "Mode": "ok"});
        let policy = json!({"ResourceSignal": {"Count": 1}});
        json!({"Type": "Test::Thing", "Properties": properties, "CreationPolicy": policy})
    };
    let signal = |region: &mut Region| {
        let input = s::SignalResourceInput {
            stack_name: "web".into(),
            logical_resource_id: "A".into(),
            unique_id: "i".into(),
            status: "SUCCESS".into(),
        };
        region.turn();
        region.call::<ops::SignalResource>(input).unwrap();
    };
    let id = region.create(&json!({"Resources": {"A": signalled("1", "k1")}}));
    signal(&mut region);
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let mut broken = thing("b", "fails");
    broken["DependsOn"] = "A".into();
    region.update(&json!({"Resources": {"A": signalled("1", "k2"), "B": broken}}), Some(true)).unwrap();
    signal(&mut region);
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_FAILED");
    region.update(&json!({"Resources": {"A": signalled("2", "k2"), "B": thing("b", "ok")}}), Some(true)).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_COMPLETE");
    assert_eq!(region.things().len(), 2, "what was replaced is gone");
}

#[test]
fn a_stack_under_review_forgets_a_change_set_that_failed() {
    let mut region = Region::new();
    let template = |key: &str| {
        let condition = json!({"Fn::Equals": [{"Fn::FindInMap": ["M", {"Ref": "P"}, "k"]}, "v"]});
        json!({
            "Parameters": {"P": {"Type": "String", "Default": key}},
            "Mappings": {"M": {"known": {"k": "v"}}},
            "Conditions": {"C": condition},
            "Resources": {"A": thing("a", "ok")},
        })
    };
    let mut statuses = Vec::new();
    for (name, key) in [("first", "unknown"), ("second", "known")] {
        let create = s::CreateChangeSetInput {
            stack_name: "web".into(),
            change_set_name: name.into(),
            change_set_type: Some("CREATE".into()),
            template_body: Some(template(key).to_string()),
            ..Default::default()
        };
        let id = region.call::<ops::CreateChangeSet>(create).unwrap().id.unwrap();
        let describe = s::DescribeChangeSetInput { change_set_name: id, ..Default::default() };
        statuses.push(region.call::<ops::DescribeChangeSet>(describe).unwrap().status.unwrap());
    }
    assert_eq!(statuses, ["FAILED", "CREATE_COMPLETE"]);
}

#[test]
fn the_handle_of_a_stack_that_is_gone_takes_no_signals() {
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let input = s::DescribeStackResourcesInput { stack_name: Some("web".into()), ..Default::default() };
    let address = region.call::<ops::DescribeStackResources>(input).unwrap().stack_resources[0].physical_resource_id.clone();
    let address = address.unwrap();
    let handle = address.rsplit('/').next().unwrap();
    let signal = |region: &mut Region, id: &str| {
        let body = json!({"Status": "SUCCESS", "UniqueId": id, "Reason": "", "Data": ""}).to_string();
        let now = region.now;
        let taken = region.kernel.run(now, |tx, cx| cloudformation::signal_wait_condition(tx, cx, handle, body.as_bytes()));
        region.kernel.commit().unwrap();
        taken.map_err(|fault| fault.http)
    };
    assert_eq!((signal(&mut region, "a"), region.count_of("cloudformation.signal")), (Ok(()), 1));
    delete(&mut region);
    assert_eq!(region.rest(&id, &mut |_| {}), "DELETE_COMPLETE");
    assert_eq!((signal(&mut region, "b"), region.count_of("cloudformation.signal")), (Err(404), 0));
}

#[test]
fn two_outputs_are_not_exported_under_one_name() {
    let mut region = Region::new();
    let output = |value: &str| json!({"Value": value, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-e"}}});
    let id = region.create(&json!({"Resources": {"A": thing("a", "ok")}, "Outputs": {"O": output("1"), "P": output("2")}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "ROLLBACK_COMPLETE");
}

#[test]
fn a_wait_condition_takes_as_many_signals_as_it_may_count() {
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {
        "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "C": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "H"}, "Timeout": 600, "Count": 10_000}},
    }}));
    region.turn();
    for n in 0..10_000 {
        assert_eq!(region.stack(&id).status.name(), "CREATE_IN_PROGRESS", "{n}");
        let input = s::SignalResourceInput {
            stack_name: "web".into(),
            logical_resource_id: "C".into(),
            unique_id: n.to_string(),
            status: "SUCCESS".into(),
        };
        region.call::<ops::SignalResource>(input).unwrap();
    }
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
}

/// "RollbackStack": from CREATE_FAILED or UPDATE_FAILED; CancelUpdateStack turns one back that is under way.
#[test]
fn only_what_has_failed_is_rolled_back() {
    let mut region = Region::new();
    let back = |region: &mut Region| {
        region.call::<ops::RollbackStack>(s::RollbackStackInput { stack_name: "web".into(), ..Default::default() })
    };
    let id = region.create(&json!({"Resources": {"A": thing("a", "ok")}}));
    assert!(back(&mut region).is_err());
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    assert!(back(&mut region).is_err());
    region.update(&json!({"Resources": {"A": thing("b", "ok")}}), None).unwrap();
    assert_eq!(region.stack(&id).status.name(), "UPDATE_IN_PROGRESS");
    let refusal = back(&mut region).unwrap_err();
    assert!(refusal.code == "ValidationError" && refusal.message.contains("UPDATE_IN_PROGRESS"), "{}", refusal.message);
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_COMPLETE");
}

/// As at AWS: what a service gives instead of making another, such as a subnet's association with the same table, would go with
/// either of its owners.
#[test]
fn what_another_resource_owns_is_not_taken_over() {
    let named = json!({"Type": "Test::Thing", "Properties": {"Value": "a", "Key": "named-1", "Mode": "ok"}});
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {"A": named}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    // Another logical id for the same thing.
    region.update(&json!({"Resources": {"B": named}}), None).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(region.things().iter().map(|t| t.logical_id.as_str()).collect::<Vec<_>>(), ["A"]);
    let input = s::DescribeStackEventsInput { stack_name: id.to_string(), ..Default::default() };
    let events = region.call::<ops::DescribeStackEvents>(input).unwrap().stack_events;
    let text = format!("named-1 already exists in stack {id}");
    assert!(events.iter().any(|e| e.resource_status_reason.as_ref().is_some_and(|r| r.contains(&text))), "{events:?}");
    // What is gone may come again.
    delete(&mut region);
    assert_eq!(region.rest(&id, &mut |_| {}), "DELETE_COMPLETE");
    let id = region.create(&json!({"Resources": {"B": named}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
}

/// CDK's `rollback` asks for it each time.
#[test]
fn a_rollback_leaves_what_is_to_be_retained_unless_told_otherwise() {
    let kept = |value: &str| {
        let mut kept = thing(value, "ok");
        kept["DeletionPolicy"] = json!("Retain");
        kept
    };
    for (except_on_create, left) in [(None, 2), (Some(true), 1)] {
        let mut region = Region::new();
        let id = region.create(&json!({"Resources": {"A": kept("a")}}));
        assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
        let more = json!({"Resources": {"A": kept("a"), "B": kept("b"), "C": thing("c", "refused")}});
        region.update(&more, Some(true)).unwrap();
        assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_FAILED");
        let input =
            s::RollbackStackInput { stack_name: "web".into(), retain_except_on_create: except_on_create, ..Default::default() };
        region.call::<ops::RollbackStack>(input).unwrap();
        assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_ROLLBACK_COMPLETE");
        assert_eq!(region.things().len(), left);
    }
}

#[test]
fn no_two_events_of_a_stack_have_the_same_time() {
    let mut region = Region::new();
    let id = region.create(&json!({"Resources": {"A": thing("a", "ok"), "B": thing("b", "ok")}}));
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    let input = s::DescribeStackEventsInput { stack_name: "web".into(), ..Default::default() };
    let events = region.call::<ops::DescribeStackEvents>(input).unwrap().stack_events;
    let times: Vec<_> = events.iter().map(|e| e.timestamp).collect();
    assert_eq!(events.len(), 8);
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");
}
