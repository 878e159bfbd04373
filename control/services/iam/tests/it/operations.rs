//! The operations with their answers and refusals.

use kernel::Trial;
use shapes::iam::{self as s, ops};
use shapes::sts;

use crate::region::{AWS_POLICY, READ_BUCKET, TRUST, region, tag};

fn new_role(name: &str) -> s::CreateRoleRequest {
    s::CreateRoleRequest { role_name: name.into(), assume_role_policy_document: TRUST.into(), ..Default::default() }
}

fn role_of(region: &mut Trial, name: &str) -> s::Role {
    region.call::<ops::GetRole>(s::GetRoleRequest { role_name: name.into() }).unwrap().role
}

fn make_policy(region: &mut Trial, name: &str) -> String {
    let input = s::CreatePolicyRequest {
        policy_name: name.into(),
        policy_document: READ_BUCKET.into(),
        description: Some("Reads assets".into()),
        ..Default::default()
    };
    region.call::<ops::CreatePolicy>(input).unwrap().policy.unwrap().arn.unwrap()
}

#[test]
fn the_caller_is_the_accounts_root() {
    let mut region = region();
    let answer = region.call::<sts::ops::GetCallerIdentity>(sts::GetCallerIdentityRequest {}).unwrap();
    assert_eq!(answer.arn.as_deref(), Some("arn:aws:iam::000000000000:root"));
    assert_eq!((answer.account.as_deref(), answer.user_id.as_deref()), (Some("000000000000"), Some("000000000000")));
}

#[test]
fn a_role_lives_and_survives_a_restart() {
    let mut region = region();
    let made = region
        .call::<ops::CreateRole>(s::CreateRoleRequest {
            path: Some("/web/".into()),
            description: Some("Servers".into()),
            permissions_boundary: Some(AWS_POLICY.into()),
            tags: vec![tag("team", "shop")],
            ..new_role("server")
        })
        .unwrap()
        .role;
    assert_eq!(made.arn, "arn:aws:iam::000000000000:role/web/server");
    assert!(made.role_id.starts_with("AROA") && made.role_id.len() == 21, "{}", made.role_id);
    assert_eq!(made.max_session_duration, Some(3_600));
    assert!(made.assume_role_policy_document.as_deref().unwrap().starts_with("%7B%22Version%22%3A%222012-10-17%22"));
    let boundary = made.permissions_boundary.as_ref().unwrap();
    assert_eq!(boundary.permissions_boundary_type.as_deref(), Some("Policy"));

    region.reopen();
    assert_eq!(role_of(&mut region, "server"), made);

    let update = s::UpdateRoleRequest { role_name: "server".into(), max_session_duration: Some(7_200), description: None };
    region.call::<ops::UpdateRole>(update).unwrap();
    let retag = s::TagRoleRequest { role_name: "server".into(), tags: vec![tag("Team", "blog"), tag("stage", "test")] };
    region.call::<ops::TagRole>(retag).unwrap();
    region.call::<ops::UntagRole>(s::UntagRoleRequest { role_name: "server".into(), tag_keys: vec!["stage".into()] }).unwrap();
    let now = role_of(&mut region, "server");
    assert_eq!((now.max_session_duration, now.description.as_deref()), (Some(7_200), Some("Servers")));
    assert_eq!(now.tags, [tag("Team", "blog")], "keys count without case");

    region.call::<ops::DeleteRole>(s::DeleteRoleRequest { role_name: "server".into() }).unwrap();
    let refusal = region.refusal::<ops::GetRole>(s::GetRoleRequest { role_name: "server".into() });
    assert_eq!(refusal, "NoSuchEntity 404: The role with name server cannot be found.");
}

#[test]
fn bad_roles_are_refused_in_awss_words() {
    let mut region = region();
    region.call::<ops::CreateRole>(new_role("server")).unwrap();
    let with_trust = |document: &str| s::CreateRoleRequest { assume_role_policy_document: document.into(), ..new_role("other") };
    for (input, expected) in [
        (new_role("SERVER"), "EntityAlreadyExists 409: Role with name SERVER already exists."),
        (with_trust("{"), "MalformedPolicyDocument 400: This policy contains invalid Json"),
        (with_trust(READ_BUCKET), "MalformedPolicyDocument 400: Has prohibited field Resource"),
        (
            new_role("a b"),
            "ValidationError 400: The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
        ),
        (
            s::CreateRoleRequest { permissions_boundary: Some("arn:aws:iam::aws:policy/Nothing".into()), ..new_role("other") },
            "NoSuchEntity 404: Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.",
        ),
        (
            s::CreateRoleRequest { tags: vec![tag("aws:x", "1")], ..new_role("other") },
            "InvalidInput 400: Caller is not allowed to modify tag aws:x: keys with the prefix aws: are reserved.",
        ),
        (
            s::CreateRoleRequest { max_session_duration: Some(60), ..new_role("other") },
            "ValidationError 400: 1 validation error detected: Value '60' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600",
        ),
    ] {
        assert_eq!(region.refusal::<ops::CreateRole>(input), expected);
    }
    let roles = region.call::<ops::ListRoles>(s::ListRolesRequest::default()).unwrap().roles;
    assert_eq!(roles.len(), 1, "what was refused left nothing");
}

#[test]
fn quotas_hold() {
    let mut region = region();
    region.call::<ops::CreateRole>(new_role("server")).unwrap();
    let tags = (0..51).map(|n| tag(&format!("k{n}"), "v")).collect();
    let refusal = region.refusal::<ops::TagRole>(s::TagRoleRequest { role_name: "server".into(), tags });
    assert_eq!(refusal, "LimitExceeded 409: Cannot exceed quota for TagsPerEntity: 50");

    let attach = |arn: String| s::AttachRolePolicyRequest { role_name: "server".into(), policy_arn: arn };
    for n in 0..10 {
        let arn = make_policy(&mut region, &format!("p{n}"));
        region.call::<ops::AttachRolePolicy>(attach(arn)).unwrap();
    }
    let refusal = region.refusal::<ops::AttachRolePolicy>(attach(AWS_POLICY.into()));
    assert_eq!(refusal, "LimitExceeded 409: Cannot exceed quota for PoliciesPerRole: 10");

    let actions: Vec<String> = (0..900).map(|n| format!("s3:Action{n:04}")).collect();
    let large = serde_json::json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}).to_string();
    let put = s::PutRolePolicyRequest { role_name: "server".into(), policy_name: "large".into(), policy_document: large };
    let refusal = region.refusal::<ops::PutRolePolicy>(put);
    assert_eq!(refusal, "LimitExceeded 409: Maximum policy size of 10240 bytes exceeded for role server");
    let list = s::ListRolePoliciesRequest { role_name: "server".into(), ..Default::default() };
    assert!(region.call::<ops::ListRolePolicies>(list).unwrap().policy_names.is_empty());
}

#[test]
fn a_role_keeps_its_policies_and_profile_until_they_are_taken_away() {
    let mut region = region();
    region.call::<ops::CreateRole>(new_role("server")).unwrap();
    let (name, arn) = ("server".to_string(), AWS_POLICY.to_string());
    let put =
        s::PutRolePolicyRequest { role_name: name.clone(), policy_name: "read".into(), policy_document: READ_BUCKET.into() };
    region.call::<ops::PutRolePolicy>(put).unwrap();
    let attach = s::AttachRolePolicyRequest { role_name: name.clone(), policy_arn: arn.clone() };
    region.call::<ops::AttachRolePolicy>(attach).unwrap();
    let new = s::CreateInstanceProfileRequest { instance_profile_name: "box".into(), ..Default::default() };
    region.call::<ops::CreateInstanceProfile>(new).unwrap();
    let add = s::AddRoleToInstanceProfileRequest { instance_profile_name: "box".into(), role_name: name.clone() };
    region.call::<ops::AddRoleToInstanceProfile>(add.clone()).unwrap();
    let again = region.refusal::<ops::AddRoleToInstanceProfile>(add);
    assert_eq!(again, "LimitExceeded 409: Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");

    let read = s::GetRolePolicyRequest { role_name: name.clone(), policy_name: "read".into() };
    let read = region.call::<ops::GetRolePolicy>(read).unwrap().policy_document;
    assert!(read.contains("%22s3%3AGet%2A%22"), "{read}");
    let attached = s::ListAttachedRolePoliciesRequest { role_name: name.clone(), ..Default::default() };
    let attached = region.call::<ops::ListAttachedRolePolicies>(attached).unwrap().attached_policies;
    assert_eq!(attached[0].policy_name.as_deref(), Some("AmazonSSMManagedInstanceCore"));

    let delete = || s::DeleteRoleRequest { role_name: "server".into() };
    let delete_box = || s::DeleteInstanceProfileRequest { instance_profile_name: "box".into() };
    let refusal = region.refusal::<ops::DeleteRole>(delete());
    assert_eq!(refusal, "DeleteConflict 409: Cannot delete entity, must remove roles from instance profile first.");
    let refusal = region.refusal::<ops::DeleteInstanceProfile>(delete_box());
    assert_eq!(refusal, "DeleteConflict 409: Cannot delete entity, must remove roles from instance profile first.");
    let remove = s::RemoveRoleFromInstanceProfileRequest { instance_profile_name: "box".into(), role_name: name.clone() };
    region.call::<ops::RemoveRoleFromInstanceProfile>(remove).unwrap();
    region.call::<ops::DeleteInstanceProfile>(delete_box()).unwrap();
    let refusal = region.refusal::<ops::DeleteRole>(delete());
    assert_eq!(refusal, "DeleteConflict 409: Cannot delete entity, must detach all policies first.");
    let detach = s::DetachRolePolicyRequest { role_name: name.clone(), policy_arn: arn };
    region.call::<ops::DetachRolePolicy>(detach).unwrap();
    let refusal = region.refusal::<ops::DeleteRole>(delete());
    assert_eq!(refusal, "DeleteConflict 409: Cannot delete entity, must delete policies first.");
    region.call::<ops::DeleteRolePolicy>(s::DeleteRolePolicyRequest { role_name: name, policy_name: "read".into() }).unwrap();
    region.call::<ops::DeleteRole>(delete()).unwrap();
}

#[test]
fn an_instance_profile_is_found_by_name_and_arn_with_its_role() {
    let mut region = region();
    region.call::<ops::CreateRole>(new_role("server")).unwrap();
    let new = s::CreateInstanceProfileRequest {
        instance_profile_name: "box".into(),
        path: Some("/web/".into()),
        tags: vec![tag("a", "1")],
    };
    let made = region.call::<ops::CreateInstanceProfile>(new).unwrap().instance_profile;
    assert_eq!(made.arn, "arn:aws:iam::000000000000:instance-profile/web/box");
    assert!(made.instance_profile_id.starts_with("AIPA"));
    let add = s::AddRoleToInstanceProfileRequest { instance_profile_name: "box".into(), role_name: "server".into() };
    region.call::<ops::AddRoleToInstanceProfile>(add).unwrap();

    for name in ["box", made.arn.as_str()] {
        assert_eq!(iam::find_instance_profile(region.state(), name).unwrap().role.as_deref(), Some("server"));
    }
    assert!(iam::find_instance_profile(region.state(), "arn:aws:iam::000000000000:instance-profile/box").is_none());
    let get = s::GetInstanceProfileRequest { instance_profile_name: "box".into() };
    let got = region.call::<ops::GetInstanceProfile>(get).unwrap().instance_profile;
    assert_eq!((got.roles[0].role_name.as_str(), &got.tags[..]), ("server", &[tag("a", "1")][..]));
    let list = s::ListInstanceProfilesForRoleRequest { role_name: "server".into(), ..Default::default() };
    let list = region.call::<ops::ListInstanceProfilesForRole>(list).unwrap().instance_profiles;
    assert_eq!(list.iter().map(|p| p.instance_profile_name.as_str()).collect::<Vec<_>>(), ["box"]);
}

#[test]
fn policies_have_versions_and_are_kept_while_used() {
    let mut region = region();
    let arn = make_policy(&mut region, "reader");
    assert_eq!(arn, "arn:aws:iam::000000000000:policy/reader");
    let version = |default| s::CreatePolicyVersionRequest {
        policy_arn: "arn:aws:iam::000000000000:policy/reader".into(),
        policy_document: READ_BUCKET.replace("Get", "List"),
        set_as_default: Some(default),
    };
    for (default, expected) in [(false, "v2"), (true, "v3"), (false, "v4"), (false, "v5")] {
        let made = region.call::<ops::CreatePolicyVersion>(version(default)).unwrap().policy_version.unwrap();
        assert_eq!((made.version_id.as_deref(), made.is_default_version), (Some(expected), Some(default)));
    }
    assert!(
        region.refusal::<ops::CreatePolicyVersion>(version(false)).starts_with("LimitExceeded 409: A managed policy can have")
    );
    let list = s::ListPolicyVersionsRequest { policy_arn: arn.clone(), max_items: Some(3), ..Default::default() };
    let first = region.call::<ops::ListPolicyVersions>(list.clone()).unwrap();
    let rest = region.call::<ops::ListPolicyVersions>(s::ListPolicyVersionsRequest { marker: first.marker, ..list }).unwrap();
    let ids: Vec<_> = first.versions.into_iter().chain(rest.versions).filter_map(|v| v.version_id).collect();
    assert_eq!(ids, ["v5", "v4", "v3", "v2", "v1"]);

    let get = |id: &str| s::GetPolicyVersionRequest { policy_arn: arn.clone(), version_id: id.into() };
    let document = region.call::<ops::GetPolicyVersion>(get("v3")).unwrap().policy_version.unwrap().document.unwrap();
    assert!(document.contains("List"), "{document}");
    assert!(region.refusal::<ops::GetPolicyVersion>(get("v9")).starts_with("NoSuchEntity 404: Policy arn:"));
    assert!(region.refusal::<ops::GetPolicyVersion>(get("v3.x")).starts_with("NoSuchEntity 404: Policy arn:"));
    for id in ["v03", "v+3", "3", "v"] {
        let refusal = region.refusal::<ops::GetPolicyVersion>(get(id));
        assert!(refusal.starts_with("ValidationError 400: 1 validation error detected: Value '"), "{id}: {refusal}");
    }
    let remove = |id: &str| s::DeletePolicyVersionRequest { policy_arn: arn.clone(), version_id: id.into() };
    let refusal = region.refusal::<ops::DeletePolicyVersion>(remove("v3"));
    assert_eq!(refusal, "DeleteConflict 409: Cannot delete the default version of a policy.");

    region
        .call::<ops::CreateRole>(s::CreateRoleRequest { permissions_boundary: Some(arn.clone()), ..new_role("bound") })
        .unwrap();
    region.call::<ops::CreateRole>(new_role("server")).unwrap();
    let attach = s::AttachRolePolicyRequest { role_name: "server".into(), policy_arn: arn.clone() };
    region.call::<ops::AttachRolePolicy>(attach).unwrap();
    let policy = region.call::<ops::GetPolicy>(s::GetPolicyRequest { policy_arn: arn.clone() }).unwrap().policy.unwrap();
    assert_eq!((policy.attachment_count, policy.permissions_boundary_usage_count), (Some(1), Some(1)));
    assert_eq!((policy.default_version_id.as_deref(), policy.description.as_deref()), (Some("v3"), Some("Reads assets")));
    let delete = || s::DeletePolicyRequest { policy_arn: arn.clone() };
    assert_eq!(region.refusal::<ops::DeletePolicy>(delete()), "DeleteConflict 409: Cannot delete a policy attached to entities.");

    let mut roles = |usage: Option<&str>| {
        let input = s::ListEntitiesForPolicyRequest {
            policy_arn: arn.clone(),
            policy_usage_filter: usage.map(Into::into),
            ..Default::default()
        };
        let answer = region.call::<ops::ListEntitiesForPolicy>(input).unwrap();
        answer.policy_roles.into_iter().filter_map(|role| role.role_name).collect::<Vec<_>>()
    };
    assert_eq!(roles(None), ["bound", "server"]);
    assert_eq!(roles(Some("PermissionsBoundary")), ["bound"]);
    assert_eq!(roles(Some("PermissionsPolicy")), ["server"]);

    for name in ["bound", "server"] {
        let _ =
            region.call::<ops::DetachRolePolicy>(s::DetachRolePolicyRequest { role_name: name.into(), policy_arn: arn.clone() });
        region.call::<ops::DeleteRole>(s::DeleteRoleRequest { role_name: name.into() }).unwrap();
    }
    assert!(
        region.refusal::<ops::DeletePolicy>(delete()).starts_with("DeleteConflict 409: This policy has more than one version.")
    );
    for id in ["v1", "v2", "v4", "v5"] {
        region.call::<ops::DeletePolicyVersion>(remove(id)).unwrap();
    }
    region.call::<ops::DeletePolicy>(delete()).unwrap();
    assert!(region.refusal::<ops::GetPolicy>(s::GetPolicyRequest { policy_arn: arn.clone() }).starts_with("NoSuchEntity"));
}

#[test]
fn awss_policies_are_known_by_name_but_their_documents_are_not_kept() {
    let mut region = region();
    let policy = region.call::<ops::GetPolicy>(s::GetPolicyRequest { policy_arn: AWS_POLICY.into() }).unwrap().policy.unwrap();
    assert_eq!(policy.policy_name.as_deref(), Some("AmazonSSMManagedInstanceCore"));
    let get = s::GetPolicyVersionRequest { policy_arn: AWS_POLICY.into(), version_id: "v1".into() };
    assert!(region.refusal::<ops::GetPolicyVersion>(get).starts_with("UnsupportedOperation 400"));
}
