//! CloudFormation's resource types of this service. Properties come as JSON that was checked against the schema; each
//! type has a typed view of them.

mod listener;
mod load_balancer;
mod target_group;

use std::collections::BTreeMap;

use base::Tags;
use kernel::{Registry, ResourceRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::error::Error;
use crate::tags;

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(listener::Type);
    registry.resource(load_balancer::Type);
    registry.resource(target_group::Type);
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// `LoadBalancerAttributes` and their like.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    key: String,
    value: String,
}

fn properties<T: DeserializeOwned>(json: &Json) -> Result<T, Error> {
    serde_json::from_value(json.clone()).map_err(|e| Error::Validation(format!("Properties validation failed: {e}")))
}

/// The resource's own tags over the stack's.
fn tags_of(request: &ResourceRequest, own: &[Tag]) -> Result<Tags, Error> {
    let own: Vec<_> = own.iter().map(|t| shapes::elbv2::Tag { key: t.key.clone(), value: Some(t.value.clone()) }).collect();
    let mut all = request.tags.clone();
    all.extend(tags::from_user(&own)?);
    tags::check_count(&all)?;
    Ok(all)
}

/// What to set so that attributes become `new` where they were `old`: those that are gone get their default.
fn attribute_changes(old: &[Attribute], new: &[Attribute], default: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    all.extend(old.iter().filter_map(|a| Some((a.key.clone(), default(&a.key)?))));
    all.extend(new.iter().map(|a| (a.key.clone(), a.value.clone())));
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use base::Tags;
    use kernel::ResourceRequest;
    use serde_json::Value as Json;

    use super::{Tag, tags_of};

    fn check(own: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let of_stack = Tags::from([("aws:cloudformation:stack-name".into(), "web".into()), ("team".into(), "a".into())]);
        let request = ResourceRequest {
            stack_id: "arn",
            stack_name: "web",
            logical_id: "Balancer",
            properties: &Json::Null,
            tags: &of_stack,
            creation_policy: None,
            update_policy: None,
        };
        let own: Vec<Tag> = own.iter().map(|(key, value)| Tag { key: (*key).into(), value: (*value).into() }).collect();
        tags_of(&request, &own).ok().map(|tags| tags.into_iter().collect())
    }

    #[test]
    fn own_tags_win_over_the_stacks_and_are_checked_as_a_users() {
        let stack = ("aws:cloudformation:stack-name".to_string(), "web".to_string());
        assert_eq!(check(&[("team", "b")]), Some(vec![stack, ("team".into(), "b".into())]));
        assert_eq!(check(&[("aws:team", "b")]), None);
        assert_eq!(check(&[("team", "b"), ("team", "c")]), None);
        let many: Vec<String> = (0..51).map(|i| i.to_string()).collect();
        assert_eq!(check(&many.iter().map(|key| (key.as_str(), "")).collect::<Vec<_>>()), None);
    }
}
