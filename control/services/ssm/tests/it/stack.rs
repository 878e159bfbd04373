//! `AWS::SSM::Parameter` as the stack engine calls it.

use kernel::Progress;
use serde_json::json;
use shapes::ssm as s;

use crate::region::region;

const TYPE: &str = "AWS::SSM::Parameter";

#[test]
fn a_stack_makes_changes_and_removes_a_parameter() {
    let mut stack = region();
    let first = json!({ "Type": "String", "Value": "one", "Description": "d", "Tags": { "team": "blue" } });
    let id = stack.make(TYPE, &first).unwrap();
    assert!(id.starts_with("CFN-Thing-"), "{id}");
    let shown = ssm::find(stack.state(), &id).unwrap();
    assert_eq!(shown.tags.len(), 2);

    let tagged = json!({ "Type": "String", "Value": "one", "Description": "d" });
    stack.change(TYPE, &id, &first, &tagged).unwrap();
    let shown = ssm::find(stack.state(), &id).unwrap();
    assert_eq!((shown.tags.len(), shown.version), (1, 1));

    let second = json!({ "Type": "StringList", "Value": "one,two" });
    stack.change(TYPE, &id, &tagged, &second).unwrap();
    let shown = ssm::find(stack.state(), &id).unwrap();
    assert_eq!((shown.version, shown.description.as_deref()), (2, None));

    assert_eq!(stack.attribute(TYPE, &id, "Value").unwrap(), json!("one,two"));
    for _ in 0..2 {
        assert_eq!(stack.end(TYPE, &id).unwrap(), Progress::Ready);
    }
    assert!(stack.change(TYPE, &id, &first, &second).is_err());
}

#[test]
fn a_name_that_is_taken_or_reserved_fails_the_creation() {
    let mut stack = region();
    let named = |name: &str| json!({ "Type": "String", "Value": "v", "Name": name });
    assert_eq!(stack.make(TYPE, &named("/web/url")).unwrap(), "/web/url");
    assert_eq!(stack.make(TYPE, &named("/web/url")).unwrap_err().code, "ParameterAlreadyExists");
    assert_eq!(stack.make(TYPE, &named("/aws/x")).unwrap_err().code, "AccessDeniedException");
}

/// A user's own tags are none of the stack's.
#[test]
fn an_update_takes_back_only_the_tags_that_the_stack_gave() {
    let mut stack = region();
    stack.stack_tags.insert("stage".into(), "test".into());
    let first = json!({ "Type": "String", "Value": "one", "Tags": { "team": "blue", "cost": "1" } });
    let id = stack.make(TYPE, &first).unwrap();
    let add = s::AddTagsToResourceRequest {
        resource_type: "Parameter".into(),
        resource_id: id.clone(),
        tags: vec![s::Tag { key: "mine".into(), value: "m".into() }],
    };
    stack.call::<s::ops::AddTagsToResource>(add).unwrap();
    stack.stack_tags.remove("stage");
    let second = json!({ "Type": "String", "Value": "one", "Tags": { "team": "red" } });
    stack.change(TYPE, &id, &first, &second).unwrap();
    let tags = &ssm::find(stack.state(), &id).unwrap().tags;
    let shown: Vec<_> = tags.iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(shown, [("mine", "m"), ("team", "red")]);
}
