use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;

use crate::error::Error;
use crate::{listener, load_balancer, rule, tags, target_group, trust_store};

/// Most resources that one call may name.
const RESOURCES_MAX: usize = 20;

fn check(state: &State, arns: &[String]) -> Result<(), Error> {
    if arns.is_empty() || arns.len() > RESOURCES_MAX {
        return Err(Error::Validation(format!("Between 1 and {RESOURCES_MAX} resource ARNs must be specified")));
    }
    for arn in arns {
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        match resource.split('/').next() {
            Some("loadbalancer") => load_balancer::find(state, arn).map(|_| ())?,
            Some("targetgroup") => target_group::find(state, arn).map(|_| ())?,
            Some("listener-rule") if rule::default_of(state, arn).is_some() => {}
            Some("listener-rule") => rule::find(state, arn, "tagged").map(|_| ())?,
            Some("listener") => listener::find(state, arn).map(|_| ())?,
            Some("truststore") => trust_store::find(state, arn).map(|_| ())?,
            _ => return Err(Error::Validation(format!("'{arn}' is not a valid resource ARN"))),
        }
    }
    Ok(())
}

pub(super) fn add(tx: &mut Tx, _: &Cx, input: s::AddTagsInput) -> Result<s::AddTagsOutput, Fault> {
    tags::check_texts(&input.tags)?;
    check(tx, &input.resource_arns)?;
    let given = tags::from_user(&input.tags)?;
    for arn in &input.resource_arns {
        tags::add(tx, arn, given.clone())?;
    }
    Ok(s::AddTagsOutput {})
}

pub(super) fn remove(tx: &mut Tx, _: &Cx, input: s::RemoveTagsInput) -> Result<s::RemoveTagsOutput, Fault> {
    tags::check_keys(&input.tag_keys)?;
    check(tx, &input.resource_arns)?;
    for arn in &input.resource_arns {
        tags::remove(tx, arn, &input.tag_keys)?;
    }
    Ok(s::RemoveTagsOutput {})
}

pub(super) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeTagsInput) -> Result<s::DescribeTagsOutput, Fault> {
    check(tx, &input.resource_arns)?;
    let tag = |(key, value): (&String, &String)| s::Tag { key: key.clone(), value: Some(value.clone()) };
    let describe =
        |arn: String| s::TagDescription { tags: tags::of(tx, &arn).iter().map(tag).collect(), resource_arn: Some(arn) };
    Ok(s::DescribeTagsOutput { tag_descriptions: input.resource_arns.into_iter().map(describe).collect() })
}
