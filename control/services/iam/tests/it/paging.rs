//! Listings: prefixes, pages, markers.

use kernel::Trial;
use shapes::iam::{self as s, ops};

use crate::region::{AWS_POLICY, READ_BUCKET, TRUST, region, tag};

fn roles(region: &mut Trial, count: usize) {
    for n in 0..count {
        let input = s::CreateRoleRequest {
            role_name: format!("role{n:02}"),
            path: Some(if n % 2 == 0 { "/even/" } else { "/odd/" }.into()),
            assume_role_policy_document: TRUST.into(),
            ..Default::default()
        };
        region.call::<ops::CreateRole>(input).unwrap();
    }
}

#[test]
fn pages_of_roles_join_to_the_whole_though_rows_go_in_between() {
    let mut region = region();
    roles(&mut region, 9);
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let input = s::ListRolesRequest { path_prefix: Some("/even".into()), marker, max_items: Some(2) };
        let page = region.call::<ops::ListRoles>(input).unwrap();
        assert!(page.roles.len() <= 2);
        assert_eq!(page.is_truncated, Some(page.marker.is_some()));
        names.extend(page.roles.into_iter().map(|role| role.role_name));
        if names.len() == 2 {
            region.call::<ops::DeleteRole>(s::DeleteRoleRequest { role_name: "role04".into() }).unwrap();
        }
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(names, ["role00", "role02", "role06", "role08"]);
    let strange = s::ListRolesRequest { marker: Some("x".into()), ..Default::default() };
    assert_eq!(region.refusal::<ops::ListRoles>(strange), "ValidationError 400: Invalid Marker.");
}

#[test]
fn listings_leave_out_tags_and_boundaries_as_aws_does() {
    let mut region = region();
    let input = s::CreateRoleRequest {
        role_name: "server".into(),
        assume_role_policy_document: TRUST.into(),
        permissions_boundary: Some(AWS_POLICY.into()),
        tags: vec![tag("a", "1"), tag("b", "2"), tag("c", "3")],
        ..Default::default()
    };
    region.call::<ops::CreateRole>(input).unwrap();
    let role = region.call::<ops::ListRoles>(s::ListRolesRequest::default()).unwrap().roles.remove(0);
    assert_eq!((role.permissions_boundary, role.tags.len(), role.role_last_used), (None, 0, None));
    let tags = s::ListRoleTagsRequest { role_name: "server".into(), max_items: Some(2), marker: None };
    let first = region.call::<ops::ListRoleTags>(tags.clone()).unwrap();
    let rest = region.call::<ops::ListRoleTags>(s::ListRoleTagsRequest { marker: first.marker, ..tags }).unwrap();
    assert_eq!((first.tags.len(), rest.tags), (2, vec![tag("c", "3")]));
}

#[test]
fn policies_are_listed_by_scope_use_and_path() {
    let mut region = region();
    roles(&mut region, 1);
    let input = s::CreatePolicyRequest {
        policy_name: "reader".into(),
        path: Some("/web/".into()),
        policy_document: READ_BUCKET.into(),
        ..Default::default()
    };
    region.call::<ops::CreatePolicy>(input).unwrap();
    let attach = s::AttachRolePolicyRequest { role_name: "role00".into(), policy_arn: AWS_POLICY.into() };
    region.call::<ops::AttachRolePolicy>(attach).unwrap();
    let mut check = |input: s::ListPoliciesRequest, expected: &[&str]| {
        let found = region.call::<ops::ListPolicies>(s::ListPoliciesRequest { max_items: Some(1_000), ..input }).unwrap();
        assert_eq!(found.policies.iter().filter_map(|p| p.policy_name.as_deref()).collect::<Vec<_>>(), expected);
    };
    let none = s::ListPoliciesRequest::default;
    check(s::ListPoliciesRequest { scope: Some("Local".into()), ..none() }, &["reader"]);
    check(s::ListPoliciesRequest { only_attached: Some(true), ..none() }, &["AmazonSSMManagedInstanceCore"]);
    check(s::ListPoliciesRequest { path_prefix: Some("/web/".into()), ..none() }, &["reader"]);
    check(s::ListPoliciesRequest { scope: Some("AWS".into()), path_prefix: Some("/job-function/B".into()), ..none() }, &[]);
    check(s::ListPoliciesRequest { policy_usage_filter: Some("PermissionsBoundary".into()), ..none() }, &[]);
    let (mut names, mut marker) = (0, None);
    loop {
        let page = region.call::<ops::ListPolicies>(s::ListPoliciesRequest { marker, ..none() }).unwrap();
        names += page.policies.len();
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    assert!(names > 80, "{names}");
}
