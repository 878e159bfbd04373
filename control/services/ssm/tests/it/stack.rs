//! `AWS::SSM::Parameter` as the stack engine calls it.

use kernel::Progress;
use serde_json::json;

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
