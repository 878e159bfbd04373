//! `AWS::SSM::Parameter` as the stack engine calls it.

use base::{Fault, Tags};
use kernel::{Progress, ResourceRequest};
use serde_json::{Value as Json, json};

use crate::region::Region;

const TYPE: &str = "AWS::SSM::Parameter";

struct Stack {
    region: Region,
    tags: Tags,
}

impl Stack {
    fn create(&mut self, properties: &Json) -> Result<String, Fault> {
        let tags = &self.tags;
        self.region.run(|tx, cx| {
            let resource = tx.registry().stack_resource(TYPE).unwrap();
            resource.create(tx, cx, &request(properties, tags))
        })
    }

    fn update(&mut self, id: &str, old: &Json, properties: &Json) -> Result<(), Fault> {
        let tags = &self.tags;
        self.region.run(|tx, cx| {
            let resource = tx.registry().stack_resource(TYPE).unwrap();
            resource.update(tx, cx, id, old, &request(properties, tags))
        })
    }
}

fn request<'a>(properties: &'a Json, tags: &'a Tags) -> ResourceRequest<'a> {
    ResourceRequest {
        stack_id: "arn:stack",
        stack_name: "aws-web",
        logical_id: "Url",
        properties,
        tags,
        creation_policy: None,
        update_policy: None,
    }
}

#[test]
fn a_stack_makes_changes_and_removes_a_parameter() {
    let tags = Tags::from([("aws:cloudformation:stack-name".to_string(), "aws-web".to_string())]);
    let mut stack = Stack { region: Region::new(), tags };
    let first = json!({ "Type": "String", "Value": "one", "Description": "d", "Tags": { "team": "blue" } });
    let id = stack.create(&first).unwrap();
    assert!(id.starts_with("CFN-Url-"), "{id}");
    let shown = ssm::find(stack.region.state(), &id).unwrap();
    assert_eq!(shown.tags.len(), 2);

    let tagged = json!({ "Type": "String", "Value": "one", "Description": "d" });
    stack.update(&id, &first, &tagged).unwrap();
    let shown = ssm::find(stack.region.state(), &id).unwrap();
    assert_eq!((shown.tags.len(), shown.version), (1, 1));

    let second = json!({ "Type": "StringList", "Value": "one,two" });
    stack.update(&id, &tagged, &second).unwrap();
    let shown = ssm::find(stack.region.state(), &id).unwrap();
    assert_eq!((shown.version, shown.description.as_deref()), (2, None));

    let value = stack.region.run(|tx, cx| {
        let resource = tx.registry().stack_resource(TYPE).unwrap();
        resource.attribute(tx, cx, &id, "Value")
    });
    assert_eq!(value.unwrap(), json!("one,two"));
    for _ in 0..2 {
        let gone = stack.region.run(|tx, cx| {
            let resource = tx.registry().stack_resource(TYPE).unwrap();
            resource.delete(tx, cx, &id)
        });
        assert_eq!(gone.unwrap(), Progress::Ready);
    }
    assert!(stack.update(&id, &first, &second).is_err());
}

#[test]
fn a_name_that_is_taken_or_reserved_fails_the_creation() {
    let mut stack = Stack { region: Region::new(), tags: Tags::new() };
    let named = |name: &str| json!({ "Type": "String", "Value": "v", "Name": name });
    assert_eq!(stack.create(&named("/web/url")).unwrap(), "/web/url");
    assert_eq!(stack.create(&named("/web/url")).unwrap_err().code, "ParameterAlreadyExists");
    assert_eq!(stack.create(&named("/aws/x")).unwrap_err().code, "AccessDeniedException");
}
