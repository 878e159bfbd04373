//! CloudFormation's resource types of this service. Properties come as JSON that was checked against the schema; each
//! type has a typed view of them.

mod certificate;
mod listener;
mod load_balancer;
mod rule;
mod shape;
mod target_group;
mod trust_store;

use std::collections::BTreeMap;

use base::Tags;
use kernel::{Progress, Registry, ResourceRequest, State, Tx, Wanted};
use serde_json::Value as Json;
use world::Want;

use crate::certificate::balancers as certificate_users;
use crate::error::Error;
use crate::load_balancer::{LoadBalancer, LoadBalancerState};
use crate::plan::plan;
use crate::{listener as listeners, load_balancer as load_balancers, tags};

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(certificate::Type);
    registry.resource(listener::Type);
    registry.resource(rule::Type);
    registry.resource(load_balancer::Type);
    registry.resource(target_group::Type);
    registry.resource(trust_store::Store);
    registry.resource(trust_store::Revocation);
}

/// How far the edge is with what a load balancer has become by a change of it, its listeners, rules, certificates or groups: a
/// stack says that such a resource is complete only when users are served so ("CREATE_COMPLETE" always means that it works).
/// What the edge refuses, it refuses of the load balancer as a whole.
fn served(state: &State, balancer: &LoadBalancer) -> Progress {
    // What is wished is of before this change until the load balancer is reconciled.
    let wished = state.get::<Wanted>(&balancer.slot()).and_then(|wanted| wanted.want.as_ref());
    let planned = plan(state, &balancer.arn).map(|planned| Want::LoadBalancer(Box::new(planned)));
    if wished != planned.as_ref() {
        return Progress::Pending;
    }
    match balancer.state(state) {
        LoadBalancerState::Active => Progress::Ready,
        LoadBalancerState::Provisioning => Progress::Pending,
        LoadBalancerState::Failed(reason) => Progress::Failed(reason),
    }
}

/// Likewise, by the listener that a resource belongs to.
fn served_listener(state: &State, listener: &str) -> Progress {
    let balancer = listeners::find(state, listener).and_then(|l| load_balancers::find(state, &l.load_balancer));
    balancer.map_or_else(|e| Progress::Failed(e.to_string()), |balancer| served(state, balancer))
}

/// Likewise, by the trust store that listeners verify their clients with.
fn served_trust_store(state: &State, store: &str) -> Progress {
    let balancers = certificate_users(state, store).filter_map(|arn| load_balancers::find(state, arn).ok());
    let mut each = balancers.map(|balancer| served(state, balancer));
    each.find(|progress| *progress != Progress::Ready).unwrap_or(Progress::Ready)
}

/// Keys and values of `LoadBalancerAttributes` and their like.
fn attributes(properties: &Json, name: &str) -> Vec<(String, String)> {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_string();
    properties[name].as_array().into_iter().flatten().map(|one| (text(&one["Key"]), text(&one["Value"]))).collect()
}

/// The resource's own tags over the stack's, which have the characters of this service's tags too.
fn tags_of(request: &ResourceRequest) -> Result<Tags, Error> {
    let shape = |(key, value)| shapes::elbv2::Tag { key, value: Some(value) };
    let own: Vec<_> = attributes(request.properties, "Tags").into_iter().map(shape).collect();
    let mut all = request.tags.clone();
    all.extend(tags::from_user(&own)?);
    tags::check_count(&all)?;
    tags::check_texts(&all.clone().into_iter().map(shape).collect::<Vec<_>>())?;
    Ok(all)
}

/// Gives a resource its tags of now; those that a user has added stay.
fn retag(tx: &mut Tx, arn: &str, old: &Json, request: &ResourceRequest) -> Result<(), Error> {
    let own = attributes(old, "Tags");
    let mut all = request.kept_tags(&tags::of(tx, arn), |key| own.iter().any(|(own, _)| own == key));
    all.extend(tags_of(request)?);
    tags::check_count(&all)?;
    tags::set(tx, arn, all);
    Ok(())
}

/// What to set so that attributes become `new` where they were `old`: those that are gone get their default.
fn attribute_changes(
    old: &[(String, String)],
    new: &[(String, String)],
    default: impl Fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    all.extend(old.iter().filter_map(|(key, _)| Some((key.clone(), default(key)?))));
    all.extend(new.iter().cloned());
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use base::Tags;
    use kernel::ResourceRequest;
    use serde_json::json;

    use super::tags_of;

    fn check(own: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let of_stack = Tags::from([("aws:cloudformation:stack-name".into(), "web".into()), ("team".into(), "a".into())]);
        let own: Vec<_> = own.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        let properties = json!({"Tags": own});
        let request = ResourceRequest {
            stack_id: "arn",
            stack_name: "web",
            logical_id: "Balancer",
            properties: &properties,
            tags: &of_stack,
            old_tags: None,
            creation_policy: None,
            update_policy: None,
        };
        tags_of(&request).ok().map(|tags| tags.into_iter().collect())
    }

    #[test]
    fn own_tags_win_over_the_stacks_and_are_checked_as_a_users() {
        let stack = ("aws:cloudformation:stack-name".to_string(), "web".to_string());
        assert_eq!(check(&[("team", "b")]), Some(vec![stack, ("team".into(), "b".into())]));
        assert_eq!(check(&[("aws:team", "b")]), None);
        assert_eq!(check(&[("team", "b!")]), None);
        assert_eq!(check(&[("team", &"b".repeat(257))]), None);
        assert_eq!(check(&[("team", "b"), ("team", "c")]), None);
        let many: Vec<String> = (0..51).map(|i| i.to_string()).collect();
        assert_eq!(check(&many.iter().map(|key| (key.as_str(), "")).collect::<Vec<_>>()), None);
    }
}
