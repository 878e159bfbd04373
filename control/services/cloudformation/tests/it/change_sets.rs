//! What a change set tells of each change: replacement, causes and policies ("Viewing a change set").

use serde_json::{Value as Json, json};
use shapes::cloudformation as s;
use shapes::cloudformation::ops;

use crate::region::Region;

fn template(key: &str, parameter: &str, has_more: bool) -> Json {
    let thing = |value: Json, key: Json, wants: Json| json!({"Type": "Test::Thing", "Properties": {"Value": value, "Key": key, "Wants": wants, "Mode": "ok"}});
    let mut all = json!({
        "Parameters": {"P": {"Type": "String", "Default": parameter}},
        "Resources": {
            "A": thing(json!("a"), json!(key), json!([])),
            "Wanting": thing(json!("b"), json!("b"), json!([{"Ref": "A"}])),
            "Reading": thing(json!({"Fn::Sub": "is ${A.Value}"}), json!("c"), json!([])),
            "Keyed": thing(json!("d"), json!({"Ref": "A"}), json!([])),
            "Told": thing(json!({"Ref": "P"}), json!("e"), json!([])),
            "Same": thing(json!("f"), json!("f"), json!([])),
        },
    });
    if has_more {
        all["Resources"]["Gone"] = thing(json!("g"), json!("g"), json!([]));
        all["Resources"]["Kept"] = thing(json!("h"), json!("h"), json!([]));
        all["Resources"]["Kept"]["DeletionPolicy"] = json!("Retain");
    } else {
        all["Resources"]["A"]["UpdateReplacePolicy"] = json!("Retain");
    }
    all
}

fn changes(region: &mut Region, template: &Json) -> Vec<s::ResourceChange> {
    let create = s::CreateChangeSetInput {
        stack_name: "web".into(),
        change_set_name: "c".into(),
        template_body: Some(template.to_string()),
        ..Default::default()
    };
    let id = region.call::<ops::CreateChangeSet>(create).unwrap().id.unwrap();
    let describe = s::DescribeChangeSetInput { change_set_name: id, ..Default::default() };
    let set = region.call::<ops::DescribeChangeSet>(describe).unwrap();
    set.changes.into_iter().filter_map(|c| c.resource_change).collect()
}

/// Each detail as `attribute.property recreation evaluation source entity`.
fn details(change: &s::ResourceChange) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let one = |d: &s::ResourceChangeDetail| {
        let target = d.target.clone().unwrap_or_default();
        let (attribute, name, recreation) = (text(&target.attribute), text(&target.name), text(&target.requires_recreation));
        format!("{attribute}.{name} {recreation} {} {} {}", text(&d.evaluation), text(&d.change_source), text(&d.causing_entity))
    };
    change.details.iter().map(one).collect()
}

#[test]
fn a_change_tells_whether_it_replaces_and_what_causes_it() {
    let mut region = Region::new();
    let id = region.create(&template("k1", "old", true));
    assert_eq!(region.rest(&id, &mut |_| ()), "CREATE_COMPLETE");
    let found = changes(&mut region, &template("k2", "new", false));
    type Expected<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>, &'a [&'a str]);
    let expected: [Expected; 7] = [
        (
            "A",
            "Modify",
            Some("True"),
            Some("ReplaceAndRetain"),
            &["Properties.Key Always Static DirectModification -", "UpdateReplacePolicy.- Never Static DirectModification -"],
        ),
        ("Wanting", "Modify", Some("False"), None, &["Properties.Wants Never Dynamic ResourceReference A"]),
        ("Reading", "Modify", Some("False"), None, &["Properties.Value Never Dynamic ResourceAttribute A.Value"]),
        (
            "Keyed",
            "Modify",
            Some("Conditional"),
            Some("ReplaceAndDelete"),
            &["Properties.Key Always Dynamic ResourceReference A"],
        ),
        (
            "Told",
            "Modify",
            Some("False"),
            None,
            &["Properties.Value Never Static ParameterReference P", "Properties.Value Never Dynamic DirectModification -"],
        ),
        ("Gone", "Remove", None, Some("Delete"), &[]),
        ("Kept", "Remove", None, Some("Retain"), &[]),
    ];
    for (logical, action, replacement, policy, causes) in expected {
        let change = found.iter().find(|c| c.logical_resource_id.as_deref() == Some(logical)).unwrap();
        assert_eq!(change.action.as_deref(), Some(action), "{logical}");
        assert_eq!((change.replacement.as_deref(), change.policy_action.as_deref()), (replacement, policy), "{logical}");
        assert_eq!(details(change), causes, "{logical}");
    }
    assert_eq!(found.len(), expected.len(), "{found:?}");
}

#[test]
fn a_change_set_has_one_template() {
    let mut region = Region::new();
    let template = template("k", "p", false);
    let id = region.create(&template);
    assert_eq!(region.rest(&id, &mut |_| ()), "CREATE_COMPLETE");
    let create = s::CreateChangeSetInput {
        stack_name: "web".into(),
        change_set_name: "c".into(),
        template_body: Some(template.to_string()),
        use_previous_template: Some(true),
        ..Default::default()
    };
    let fault = region.call::<ops::CreateChangeSet>(create).unwrap_err();
    assert_eq!(fault.message, "Specify either UsePreviousTemplate or a template, but not both");
}

/// CDK says both of every deployment.
#[test]
fn nested_stacks_and_a_standard_deployment_may_be_asked_for() {
    let mut region = Region::new();
    let standard = s::DeploymentConfig { mode: Some("STANDARD".into()), disable_rollback: None };
    let create = s::CreateChangeSetInput {
        stack_name: "web".into(),
        change_set_name: "c".into(),
        change_set_type: Some("CREATE".into()),
        template_body: Some(template("k", "p", false).to_string()),
        include_nested_stacks: Some(true),
        deployment_config: Some(standard.clone()),
        ..Default::default()
    };
    let express = s::DeploymentConfig { mode: Some("EXPRESS".into()), disable_rollback: None };
    let refused = region
        .call::<ops::CreateChangeSet>(s::CreateChangeSetInput { deployment_config: Some(express), ..create.clone() })
        .unwrap_err();
    assert_eq!(refused.message, "DeploymentConfig is not supported by this region yet");
    let id = region.call::<ops::CreateChangeSet>(create).unwrap().id.unwrap();
    let describe = s::DescribeChangeSetInput { change_set_name: id, ..Default::default() };
    let set = region.call::<ops::DescribeChangeSet>(describe).unwrap();
    assert_eq!((set.include_nested_stacks, set.status.as_deref()), (Some(true), Some("CREATE_COMPLETE")));
    let delete = s::DeleteStackInput { stack_name: "web".into(), deployment_config: Some(standard), ..Default::default() };
    region.call::<ops::DeleteStack>(delete).unwrap();
}

/// `cdk bootstrap` asks for imports, but it is its buckets and repositories that stand in the way.
#[test]
fn a_template_is_checked_before_imports_are_refused() {
    let mut region = Region::new();
    let mut refused = |template: Json| {
        let create = s::CreateChangeSetInput {
            stack_name: "web".into(),
            change_set_name: "c".into(),
            change_set_type: Some("CREATE".into()),
            template_body: Some(template.to_string()),
            import_existing_resources: Some(true),
            ..Default::default()
        };
        region.call::<ops::CreateChangeSet>(create).unwrap_err().message.to_string()
    };
    let unknown = refused(json!({"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}));
    assert!(unknown.contains("Unrecognized resource types: [AWS::S3::Bucket]"), "{unknown}");
    assert_eq!(refused(template("k", "p", false)), "ImportExistingResources is not supported by this region yet");
}
