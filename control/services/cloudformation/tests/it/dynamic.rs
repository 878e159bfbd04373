//! Dynamic references in a template's properties.

use serde_json::{Value as Json, json};
use shapes::cloudformation as s;
use shapes::ssm::{PutParameterRequest, ops};

use crate::region::Region;

fn template(value: &str) -> Json {
    json!({ "Resources": { "One": { "Type": "Test::Thing", "Properties": { "Value": value, "Key": "k", "Mode": "ok" } } } })
}

fn put(region: &mut Region, value: &str) {
    let input = PutParameterRequest {
        name: "/a".into(),
        value: value.into(),
        r#type: Some("String".into()),
        overwrite: Some(true),
        ..Default::default()
    };
    region.call::<ops::PutParameter>(input).unwrap();
}

#[test]
fn a_parameter_is_read_when_the_resource_is_made_and_again_at_an_update() {
    let mut region = Region::new();
    put(&mut region, "one");
    let references = template("{{resolve:ssm:/a}} and {{resolve:ssm:/a:1}}");
    let id = region.create(&references);
    assert_eq!(region.rest(&id, &mut |_| {}), "CREATE_COMPLETE");
    assert_eq!(region.things()[0].value, "one and one");
    assert_eq!(region.update(&references, None), None);
    put(&mut region, "two");
    region.update(&template("{{resolve:ssm:/a}}"), None).unwrap();
    assert_eq!(region.rest(&id, &mut |_| {}), "UPDATE_COMPLETE");
    assert_eq!(region.things()[0].value, "two");
}

#[test]
fn a_missing_parameter_fails_the_resource_and_a_secret_the_request() {
    let mut region = Region::new();
    let id = region.create(&template("{{resolve:ssm:/a}}"));
    assert_eq!(region.rest(&id, &mut |_| {}), "ROLLBACK_COMPLETE");
    assert!(region.things().is_empty());
    let input = s::CreateStackInput {
        stack_name: "secret".into(),
        template_body: Some(template("{{resolve:secretsmanager:s}}").to_string()),
        ..Default::default()
    };
    let refused = region.call::<s::ops::CreateStack>(input).unwrap_err();
    assert_eq!((&*refused.code, refused.http), ("ValidationError", 400));
    assert!(refused.message.contains("dynamic references to secretsmanager are not supported"), "{}", refused.message);
}
