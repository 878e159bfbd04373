//! IAM's resources in stacks.

use kernel::{Progress, Trial};
use serde_json::{Value as Json, json};
use shapes::iam::{self as s, ops};

use crate::region::{AWS_POLICY, READ_BUCKET, TRUST, region, tag};

const ROLE: &str = "AWS::IAM::Role";
const PROFILE: &str = "AWS::IAM::InstanceProfile";
const POLICY: &str = "AWS::IAM::Policy";
const MANAGED: &str = "AWS::IAM::ManagedPolicy";
const ROLE_POLICY: &str = "AWS::IAM::RolePolicy";

fn parse(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn role_properties() -> Json {
    json!({
        "AssumeRolePolicyDocument": parse(TRUST),
        "Path": "/web/",
        "ManagedPolicyArns": [AWS_POLICY],
        "Policies": [{"PolicyName": "read", "PolicyDocument": parse(READ_BUCKET)}],
        "Tags": [{"Key": "team", "Value": "blog"}],
    })
}

/// Inline policies of a role, and what is attached to it.
fn policies(region: &Trial, role: &str) -> (Vec<String>, Vec<String>) {
    let role = iam::find_role(region.state(), role).unwrap();
    (role.inline.keys().cloned().collect(), role.attached.iter().cloned().collect())
}

#[test]
fn a_role_is_made_changed_and_ended_with_its_policies() {
    let mut region = region();
    let name = region.make(ROLE, &role_properties()).unwrap();
    assert!(name.starts_with("web-Thing-") && name.len() == 22, "{name}");
    let role = iam::find_role(region.state(), &name).unwrap().clone();
    assert_eq!(role.arn, format!("arn:aws:iam::000000000000:role/web/{name}"));
    assert_eq!(role.tags["team"], "blog", "the resource's own tags win");
    assert_eq!(role.tags["aws:cloudformation:stack-name"], "web");
    assert_eq!(policies(&region, &name), (vec!["read".into()], vec![AWS_POLICY.into()]));
    assert_eq!(region.attribute(ROLE, &name, "Arn").unwrap(), json!(role.arn));
    assert_eq!(region.attribute(ROLE, &name, "RoleId").unwrap(), json!(role.id));
    assert!(region.attribute(ROLE, &name, "Nothing").is_err());

    let new = json!({
        "AssumeRolePolicyDocument": TRUST,
        "Path": "/web/",
        "Description": "Servers",
        "MaxSessionDuration": 7200,
        "PermissionsBoundary": AWS_POLICY,
        "Policies": [{"PolicyName": "other", "PolicyDocument": parse(READ_BUCKET)}],
    });
    region.change(ROLE, &name, &role_properties(), &new).unwrap();
    assert_eq!(policies(&region, &name), (vec!["other".into()], vec![]));
    let role = iam::find_role(region.state(), &name).unwrap();
    assert_eq!((role.max_session_s, role.boundary.as_deref()), (7_200, Some(AWS_POLICY)));
    assert_eq!(role.tags["team"], "shop", "the stack's tag shows again");

    region.change(ROLE, &name, &new, &role_properties()).unwrap();
    assert_eq!(policies(&region, &name), (vec!["read".into()], vec![AWS_POLICY.into()]));
    let role = iam::find_role(region.state(), &name).unwrap();
    assert_eq!((role.max_session_s, &role.boundary, &role.description), (3_600, &None, &None));

    assert_eq!(region.end(ROLE, &name).unwrap(), Progress::Ready);
    assert!(iam::find_role(region.state(), &name).is_err());
    assert_eq!(region.end(ROLE, &name).unwrap(), Progress::Ready, "what is gone is gone");
}

#[test]
fn a_role_that_is_refused_leaves_nothing() {
    let mut region = region();
    let mut properties = role_properties();
    properties["RoleName"] = json!("server");
    properties["Policies"][0]["PolicyDocument"] = json!({"Statement": []});
    let fault = region.make(ROLE, &properties).unwrap_err();
    assert_eq!(fault.code, "MalformedPolicyDocument");
    assert!(iam::find_role(region.state(), "server").is_err());
}

#[test]
fn an_instance_profile_swaps_its_role() {
    let mut region = region();
    let first = region.make(ROLE, &role_properties()).unwrap();
    let second = region.make(ROLE, &role_properties()).unwrap();
    let (old, new) = (json!({"Roles": [first]}), json!({"Roles": [second]}));
    let name = region.make(PROFILE, &old).unwrap();
    let arn = region.attribute(PROFILE, &name, "Arn").unwrap();
    assert_eq!(arn, json!(format!("arn:aws:iam::000000000000:instance-profile/{name}")));
    region.change(PROFILE, &name, &old, &new).unwrap();
    assert_eq!(iam::find_instance_profile(region.state(), &name).unwrap().role.as_deref(), Some(second.as_str()));
    assert_eq!(region.end(ROLE, &second).unwrap_err().code, "DeleteConflict");
    assert_eq!(policies(&region, &second).0, ["read"], "a refused deletion takes nothing away");
    assert_eq!(region.end(PROFILE, &name).unwrap(), Progress::Ready);
    assert_eq!(region.end(ROLE, &second).unwrap(), Progress::Ready);
    assert_eq!(region.make(PROFILE, &json!({"Roles": [first, "b"]})).unwrap_err().code, "ValidationError");
}

#[test]
fn a_policy_follows_its_roles_and_its_name() {
    let mut region = region();
    let bare = json!({"AssumeRolePolicyDocument": parse(TRUST)});
    let (a, b) = (region.make(ROLE, &bare).unwrap(), region.make(ROLE, &bare).unwrap());
    let old = json!({"PolicyName": "log", "PolicyDocument": parse(READ_BUCKET), "Roles": [a]});
    let new = json!({"PolicyName": "logs", "PolicyDocument": parse(READ_BUCKET), "Roles": [a, b]});
    let id = region.make(POLICY, &old).unwrap();
    assert_eq!(region.attribute(POLICY, &id, "Id").unwrap(), json!(id));
    region.change(POLICY, &id, &old, &new).unwrap();
    assert_eq!((policies(&region, &a).0, policies(&region, &b).0), (vec!["logs".into()], vec!["logs".into()]));
    region.change(POLICY, &id, &new, &old).unwrap();
    assert_eq!((policies(&region, &a).0, policies(&region, &b).0), (vec!["log".into()], vec![]));
    let other = s::PutRolePolicyRequest { role_name: a.clone(), policy_name: "own".into(), policy_document: READ_BUCKET.into() };
    region.call::<ops::PutRolePolicy>(other).unwrap();
    region.reopen();
    region.end(POLICY, &id).unwrap();
    assert_eq!(policies(&region, &a).0, ["own"], "what others wrote stays");
    region.end(ROLE, &a).unwrap();
    assert_eq!(region.end(POLICY, &id).unwrap(), Progress::Ready);
    let nobody = json!({"PolicyName": "log", "PolicyDocument": parse(READ_BUCKET)});
    assert_eq!(region.make(POLICY, &nobody).unwrap_err().message, "At least one of [Groups,Roles,Users] must be non-empty.");
}

#[test]
fn a_managed_policy_gets_versions_and_goes_with_them() {
    let mut region = region();
    let role = region.make(ROLE, &json!({"AssumeRolePolicyDocument": parse(TRUST)})).unwrap();
    let properties = |action: &str, roles: Json| {
        json!({
            "ManagedPolicyName": "reader",
            "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]},
            "Roles": roles,
        })
    };
    let mut old = properties("s3:Get0", json!([role]));
    let arn = region.make(MANAGED, &old).unwrap();
    assert_eq!(arn, "arn:aws:iam::000000000000:policy/reader");
    assert_eq!(policies(&region, &role).1, std::slice::from_ref(&arn));
    for n in 1..8 {
        let new = properties(&format!("s3:Get{n}"), json!([role]));
        region.change(MANAGED, &arn, &old, &new).unwrap();
        old = new;
    }
    assert_eq!(region.attribute(MANAGED, &arn, "DefaultVersionId").unwrap(), json!("v8"));
    assert_eq!(region.attribute(MANAGED, &arn, "AttachmentCount").unwrap(), json!(1));
    let detached = properties("s3:Get7", json!([]));
    region.change(MANAGED, &arn, &old, &detached).unwrap();
    assert_eq!(
        region.attribute(MANAGED, &arn, "DefaultVersionId").unwrap(),
        json!("v8"),
        "an unchanged document makes no version"
    );
    assert!(policies(&region, &role).1.is_empty());

    let attach = s::AttachRolePolicyRequest { role_name: role.clone(), policy_arn: arn.clone() };
    region.call::<ops::AttachRolePolicy>(attach).unwrap();
    assert_eq!(region.end(MANAGED, &arn).unwrap_err().code, "DeleteConflict");
    region.change(MANAGED, &arn, &detached, &old).unwrap();
    assert_eq!(region.end(MANAGED, &arn).unwrap(), Progress::Ready);
    assert!(policies(&region, &role).1.is_empty());
    assert_eq!(region.end(MANAGED, &arn).unwrap(), Progress::Ready);
}

#[test]
fn a_role_policy_is_found_again_by_its_id() {
    let mut region = region();
    let role = region.make(ROLE, &json!({"AssumeRolePolicyDocument": parse(TRUST)})).unwrap();
    let properties = json!({"PolicyName": "log", "RoleName": role, "PolicyDocument": parse(READ_BUCKET)});
    let id = region.make(ROLE_POLICY, &properties).unwrap();
    assert_eq!(id, format!("log|{role}"));
    assert_eq!(region.make(ROLE_POLICY, &properties).unwrap_err().code, "EntityAlreadyExists");
    let changed = json!({"PolicyName": "log", "RoleName": role, "PolicyDocument": READ_BUCKET.replace("Get", "List")});
    region.change(ROLE_POLICY, &id, &properties, &changed).unwrap();
    assert!(iam::find_role(region.state(), &role).unwrap().inline["log"].contains("List"));
    region.end(ROLE_POLICY, &id).unwrap();
    assert!(policies(&region, &role).0.is_empty());
}

/// What all inline policies of a role are together counts, not what they are while one after the other is written.
#[test]
fn inline_policies_of_a_role_may_give_their_room_to_each_other() {
    let mut region = region();
    let sized = |size: usize| READ_BUCKET.replace("assets", &"a".repeat(size));
    let properties = |first: usize, second: usize| {
        json!({
            "AssumeRolePolicyDocument": parse(TRUST),
            "Policies": [
                {"PolicyName": "a", "PolicyDocument": sized(first)},
                {"PolicyName": "b", "PolicyDocument": sized(second)},
            ],
        })
    };
    let (old, new) = (properties(100, 9_000), properties(9_000, 100));
    let name = region.make(ROLE, &old).unwrap();
    region.change(ROLE, &name, &old, &new).unwrap();
    assert!(iam::find_role(region.state(), &name).unwrap().inline["a"].len() > 9_000);
    assert_eq!(region.change(ROLE, &name, &new, &properties(9_000, 9_000)).unwrap_err().code, "LimitExceeded");
}

/// A user's own tags are none of the stack's.
#[test]
fn an_update_takes_back_only_the_tags_that_the_stack_gave() {
    let mut region = region();
    let of = |tags: Json| {
        let mut properties = role_properties();
        properties["Tags"] = tags;
        properties
    };
    let first = of(json!([{"Key": "cost", "Value": "1"}, {"Key": "stage", "Value": "test"}]));
    let name = region.make(ROLE, &first).unwrap();
    let input = s::TagRoleRequest { role_name: name.clone(), tags: vec![tag("mine", "m"), tag("Owner", "me")] };
    region.call::<ops::TagRole>(input).unwrap();
    region.stack_tags.remove("team");
    // Keys are the same in any case.
    let second = of(json!([{"Key": "owner", "Value": "stack"}, {"Key": "stage", "Value": "live"}]));
    region.change(ROLE, &name, &first, &second).unwrap();
    let tags = &iam::find_role(region.state(), &name).unwrap().tags;
    let shown: Vec<_> = tags.iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(shown, [("mine", "m"), ("owner", "stack"), ("stage", "live")]);
}
