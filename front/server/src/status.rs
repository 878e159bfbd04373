//! The state of everything in one page, for `allod status` and the console. It asks the same operations as any client.

use base::{Caller, Fault, Time};
use region::sns::{Delivery, Lost, Subscription};
use serde_json::{Value as Json, json};
use shapes::autoscaling::ops::{DescribeAutoScalingGroups, DescribeScalingActivities};
use shapes::autoscaling::{Activity, AutoScalingGroup, DescribeScalingActivitiesType};
use shapes::cloudformation::ops::{DescribeStackEvents, DescribeStacks, ListStackResources};
use shapes::cloudformation::{DescribeStackEventsInput, ListStackResourcesInput, Stack, StackEvent, StackResourceSummary};
use shapes::ec2::Instance;
use shapes::ec2::ops::DescribeInstances;
use shapes::elbv2::ops::{DescribeListeners, DescribeLoadBalancers, DescribeTargetGroups, DescribeTargetHealth};
use shapes::elbv2::{
    DescribeListenersInput, DescribeTargetGroupsInput, DescribeTargetHealthInput, Listener, LoadBalancer, TargetGroup,
    TargetHealthDescription,
};
use world::LoadBalancer as Served;
use world::{Slot, SlotKind, Want};

use crate::front::Front;
use crate::http::Region;
use crate::local::call;

/// How much of a history the page shows.
const EVENTS_SHOWN: usize = 50;
const ACTIVITIES_SHOWN: i64 = 50;
const LOST_SHOWN: usize = 20;

pub(crate) async fn status(region: &Region) -> Result<Json, Fault> {
    let ask = Ask { region, caller: Caller::root(&region.scope, &region.credentials.access_key_id) };
    let endpoint = &region.endpoint;
    let front = Front::read(region);
    Ok(json!({
        "region": endpoint.region,
        "endpoint": endpoint.url,
        "console": format!("{}/_allod/?token={}", endpoint.url, region.console_token),
        "metrics": {
            "url": format!("{}/_allod/metrics", endpoint.url),
            "bearer_token": crate::console::metrics_token(&region.credentials),
        },
        "stacks": ask.stacks().await?,
        "edge": front.edge(),
        "failing": region.failing.all(),
        "load_balancers": ask.load_balancers(&front).await?,
        "groups": ask.groups().await?,
        "instances": ask.instances().await?,
        "notifications": notifications(region).await?,
    }))
}

/// The messages of topics that wait, and those that were given up: how many are remembered, and the newest.
async fn notifications(region: &Region) -> Result<Json, Fault> {
    let read = region.control.read(|state| {
        let lost = state.rows::<Lost>().rev().take(LOST_SHOWN).map(|lost| {
            let endpoint = state.get::<Subscription>(&lost.subscription).map(Subscription::shown_endpoint);
            json!({
                "message_id": lost.message_id,
                "subscription": lost.subscription,
                "endpoint": endpoint,
                "attempts": lost.attempts,
                "at": lost.at.iso8601_s(),
                "reason": lost.reason,
            })
        });
        let lost: Vec<Json> = lost.collect();
        json!({"waiting": state.count::<Delivery>(), "lost_count": state.count::<Lost>(), "lost": lost})
    });
    read.await
}

struct Ask<'a> {
    region: &'a Region,
    caller: Caller,
}

impl Ask<'_> {
    async fn call<O: base::Operation>(&self, input: O::Input) -> Result<O::Output, Fault> {
        call::<O>(self.region, self.caller.clone(), "", input).await
    }

    /// Every page of a list. `token` is where a page is asked for, `next` where the page before names it.
    async fn pages<O: base::Operation<Input: Clone>>(
        &self,
        mut input: O::Input,
        token: fn(&mut O::Input) -> &mut Option<String>,
        next: fn(&O::Output) -> &Option<String>,
    ) -> Result<Vec<O::Output>, Fault> {
        let mut pages = Vec::new();
        loop {
            let page = self.call::<O>(input.clone()).await?;
            token(&mut input).clone_from(next(&page));
            pages.push(page);
            if token(&mut input).is_none() {
                return Ok(pages);
            }
        }
    }

    async fn stacks(&self) -> Result<Vec<Json>, Fault> {
        let mut all = Vec::new();
        for stack in self.stack_shapes().await? {
            let name = stack.stack_id.clone().unwrap_or(stack.stack_name.clone());
            let resources = self.resources(&name).await?;
            let input = DescribeStackEventsInput { stack_name: name, ..Default::default() };
            let events = self.call::<DescribeStackEvents>(input).await?.stack_events;
            all.push(stack_json(&stack, &resources, &events));
        }
        Ok(all)
    }

    async fn stack_shapes(&self) -> Result<Vec<Stack>, Fault> {
        let pages = self.pages::<DescribeStacks>(Default::default(), |i| &mut i.next_token, |o| &o.next_token).await?;
        Ok(pages.into_iter().flat_map(|p| p.stacks).collect())
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResourceSummary>, Fault> {
        let input = ListStackResourcesInput { stack_name: stack.into(), ..Default::default() };
        let pages = self.pages::<ListStackResources>(input, |i| &mut i.next_token, |o| &o.next_token).await?;
        Ok(pages.into_iter().flat_map(|p| p.stack_resource_summaries).collect())
    }

    async fn load_balancers(&self, front: &Front) -> Result<Vec<Json>, Fault> {
        let mut all = Vec::new();
        for balancer in self.call::<DescribeLoadBalancers>(Default::default()).await?.load_balancers {
            all.extend(unless_gone(self.load_balancer(&balancer, front).await)?);
        }
        Ok(all)
    }

    async fn load_balancer(&self, balancer: &LoadBalancer, front: &Front) -> Result<Json, Fault> {
        let arn = balancer.load_balancer_arn.clone();
        let input = DescribeListenersInput { load_balancer_arn: arn.clone(), ..Default::default() };
        let listeners = self.call::<DescribeListeners>(input).await?.listeners;
        let input = DescribeTargetGroupsInput { load_balancer_arn: arn.clone(), ..Default::default() };
        let mut groups = Vec::new();
        for group in self.call::<DescribeTargetGroups>(input).await?.target_groups {
            let arn = group.target_group_arn.clone().unwrap_or_default();
            let input = DescribeTargetHealthInput { target_group_arn: arn, ..Default::default() };
            let targets = unless_gone(self.call::<DescribeTargetHealth>(input).await)?;
            groups.extend(targets.map(|targets| target_group_json(&group, &targets.target_health_descriptions)));
        }
        self.load_balancer_json(balancer, &listeners, groups, front).await
    }

    async fn load_balancer_json(
        &self,
        balancer: &LoadBalancer,
        listeners: &[Listener],
        groups: Vec<Json>,
        front: &Front,
    ) -> Result<Json, Fault> {
        let arn = balancer.load_balancer_arn.clone().unwrap_or_default();
        let failed = front.failed_zones(&arn);
        let served = self.region.control.read(move |state| {
            let slot = Slot::new(SlotKind::LoadBalancer, arn);
            match state.get::<kernel::Wanted>(&slot).and_then(|w| w.want.clone()) {
                Some(Want::LoadBalancer(served)) => Some(*served),
                _ => None,
            }
        });
        let served: Option<Served> = served.await?;
        let node = |n: &world::Node| json!({"zone": n.zone, "front": n.front, "failed": failed.contains(&n.zone)});
        let nodes = served.iter().flat_map(|s| &s.nodes).map(node);
        let name = balancer.dns_name.clone().unwrap_or_default();
        let listeners: Vec<Json> = listeners.iter().map(|l| listener_json(l, &name, front)).collect();
        Ok(json!({
            "name": balancer.load_balancer_name,
            "dns_name": name,
            "url": listeners.first().map(|l| l["url"].clone()),
            "listeners": listeners,
            "state": balancer.state.as_ref().and_then(|s| s.code.clone()),
            "zones": nodes.collect::<Vec<_>>(),
            "target_groups": groups,
        }))
    }

    async fn groups(&self) -> Result<Vec<Json>, Fault> {
        let mut all = Vec::new();
        for group in self.group_shapes().await? {
            let name = Some(group.auto_scaling_group_name.clone());
            let input = DescribeScalingActivitiesType {
                auto_scaling_group_name: name,
                max_records: Some(ACTIVITIES_SHOWN),
                ..Default::default()
            };
            let page = unless_gone(self.call::<DescribeScalingActivities>(input).await)?;
            all.extend(page.map(|page| group_json(&group, &page.activities)));
        }
        Ok(all)
    }

    async fn group_shapes(&self) -> Result<Vec<AutoScalingGroup>, Fault> {
        let pages = self.pages::<DescribeAutoScalingGroups>(Default::default(), |i| &mut i.next_token, |o| &o.next_token).await?;
        Ok(pages.into_iter().flat_map(|p| p.auto_scaling_groups).collect())
    }

    async fn instances(&self) -> Result<Vec<Json>, Fault> {
        let pages = self.pages::<DescribeInstances>(Default::default(), |i| &mut i.next_token, |o| &o.next_token).await?;
        Ok(pages.iter().flat_map(|p| &p.reservations).flat_map(|r| &r.instances).map(instance_json).collect())
    }
}

/// None of what has gone since it was listed: the page is put together from several looks. Auto Scaling calls it a
/// `ValidationError`.
fn unless_gone<T>(found: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match found {
        Err(fault) if fault.code.ends_with("NotFound") || fault.code == "ValidationError" => Ok(None),
        found => found.map(Some),
    }
}

fn listener_json(listener: &Listener, name: &str, front: &Front) -> Json {
    let port = listener.port.unwrap_or_default();
    let front = listener.listener_arn.as_ref().and_then(|arn| front.url(arn));
    json!({
        "port": port,
        "protocol": listener.protocol,
        "action": listener.default_actions.first().map(|a| a.r#type.clone()),
        "url": front.unwrap_or_else(|| url(listener.protocol.as_deref().unwrap_or("HTTP"), name, port)),
    })
}

/// Where users will reach a listener that the edge does not tell of yet.
fn url(protocol: &str, name: &str, port: i64) -> String {
    match (protocol, port) {
        ("HTTP", 80) => format!("http://{name}/"),
        ("HTTPS", 443) => format!("https://{name}/"),
        ("HTTP" | "HTTPS", _) => format!("{}://{name}:{port}/", protocol.to_ascii_lowercase()),
        _ => format!("{}://{name}:{port}", protocol.to_ascii_lowercase()),
    }
}

fn stack_json(stack: &Stack, resources: &[StackResourceSummary], events: &[StackEvent]) -> Json {
    let resources = resources.iter().map(|r| {
        json!({
            "logical_id": r.logical_resource_id,
            "type": r.resource_type,
            "physical_id": r.physical_resource_id,
            "status": r.resource_status,
            "reason": r.resource_status_reason,
        })
    });
    let events = events.iter().take(EVENTS_SHOWN).map(|e| {
        json!({
            "time": e.timestamp.iso8601_ms(),
            "logical_id": e.logical_resource_id,
            "type": e.resource_type,
            "status": e.resource_status,
            "reason": e.resource_status_reason,
        })
    });
    json!({
        "id": stack.stack_id,
        "name": stack.stack_name,
        "status": stack.stack_status,
        "reason": stack.stack_status_reason,
        "outputs": stack.outputs.iter().map(|o| json!({"key": o.output_key, "value": o.output_value})).collect::<Vec<_>>(),
        "resources": resources.collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
    })
}

fn target_group_json(group: &TargetGroup, targets: &[TargetHealthDescription]) -> Json {
    let targets = targets.iter().map(|t| {
        let (target, health) = (t.target.clone().unwrap_or_default(), t.target_health.clone().unwrap_or_default());
        json!({
            "id": target.id,
            "zone": target.availability_zone,
            "port": target.port,
            "state": health.state,
            "reason": health.description.or(health.reason),
        })
    });
    json!({"name": group.target_group_name, "targets": targets.collect::<Vec<_>>()})
}

fn group_json(group: &AutoScalingGroup, activities: &[Activity]) -> Json {
    let instances = group.instances.iter().map(|i| {
        json!({
            "id": i.instance_id,
            "zone": i.availability_zone,
            "lifecycle_state": i.lifecycle_state,
            "health": i.health_status,
        })
    });
    let activities = activities.iter().map(|a| {
        json!({
            "time": a.start_time.iso8601_ms(),
            "end": a.end_time.map(Time::iso8601_ms),
            "status": a.status_code,
            "description": a.description,
            "cause": a.cause,
        })
    });
    json!({
        "name": group.auto_scaling_group_name,
        "min": group.min_size,
        "desired": group.desired_capacity,
        "max": group.max_size,
        "instances": instances.collect::<Vec<_>>(),
        "activities": activities.collect::<Vec<_>>(),
    })
}

fn instance_json(instance: &Instance) -> Json {
    json!({
        "id": instance.instance_id,
        "zone": instance.placement.as_ref().and_then(|p| p.availability_zone.clone()),
        "address": instance.private_ip_address,
        "type": instance.instance_type,
        "state": instance.state.as_ref().and_then(|s| s.name.clone()),
        "image": instance.image_id,
        "launch_time": instance.launch_time.map(Time::iso8601_ms),
    })
}
