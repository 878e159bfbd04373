//! Wishes for targets: each by itself, for as long as there is something to send requests to it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use kernel::Wanted;
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{Observation, RegisteredTarget, Slot, SlotKind, TargetMode, Want};

use crate::region::{Region, forward};

struct Scene {
    region: Region,
    balancer: String,
    group: String,
    listener: String,
}

impl Scene {
    /// Two targets in each of two zones.
    fn new() -> Self {
        let mut region = Region::new();
        let (balancer, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
        let listener = region.listener(&balancer, "HTTP", 80, forward(&group));
        let mut scene = Self { region, balancer, group, listener };
        [(0, 10), (0, 11), (1, 10), (1, 11)].into_iter().for_each(|(subnet, host)| scene.register(subnet, host));
        scene
    }

    fn address(&self, subnet: usize, host: u32) -> String {
        let id = self.region.subnets[subnet].as_str().into();
        let cidr = self.region.state().get::<ec2::network::Subnet>(&id).unwrap().cidr.to_string();
        let base: Ipv4Addr = cidr.split('/').next().unwrap().parse().unwrap();
        Ipv4Addr::from(u32::from(base) + host).to_string()
    }

    fn target(&self, subnet: usize, host: u32) -> Vec<s::TargetDescription> {
        vec![s::TargetDescription { id: self.address(subnet, host), ..Default::default() }]
    }

    fn register(&mut self, subnet: usize, host: u32) {
        let input = s::RegisterTargetsInput { target_group_arn: self.group.clone(), targets: self.target(subnet, host) };
        self.region.call::<ops::RegisterTargets>(input).unwrap();
    }

    fn deregister(&mut self, subnet: usize, host: u32) {
        let input = s::DeregisterTargetsInput { target_group_arn: self.group.clone(), targets: self.target(subnet, host) };
        self.region.call::<ops::DeregisterTargets>(input).unwrap();
    }

    /// Versions of all wishes that the edge gets.
    fn versions(&self) -> BTreeMap<Slot, u64> {
        let ours = |slot: &Slot| matches!(slot.kind, SlotKind::LoadBalancer | SlotKind::Target);
        let wanted = self.region.state().rows::<Wanted>().filter(|w| ours(&w.slot) && w.want.is_some());
        wanted.map(|w| (w.slot.clone(), w.version)).collect()
    }

    fn told(&self) -> Vec<RegisteredTarget> {
        let of = |w: &Wanted| if let Some(Want::Target(told)) = &w.want { Some(told.clone()) } else { None };
        self.region.state().rows::<Wanted>().filter_map(of).collect()
    }

    fn state_of(&mut self, subnet: usize, host: u32) -> (String, String) {
        let input = s::DescribeTargetHealthInput {
            target_group_arn: self.group.clone(),
            targets: self.target(subnet, host),
            ..Default::default()
        };
        let described = self.region.call::<ops::DescribeTargetHealth>(input).unwrap();
        let health = described.target_health_descriptions[0].target_health.clone().unwrap();
        (health.state.unwrap(), health.reason.unwrap_or_default())
    }
}

#[test]
fn a_target_that_comes_or_goes_is_all_that_is_told() {
    let mut scene = Scene::new();
    let before = scene.versions();
    assert_eq!(before.len(), 5);
    scene.register(0, 12);
    let mut after = scene.versions();
    after.retain(|slot, version| before.get(slot) != Some(version));
    assert_eq!(after.len(), 1, "{after:?}");
    let slot = after.into_keys().next().unwrap();
    assert!(slot.kind == SlotKind::Target && slot.id.contains(&scene.address(0, 12)), "{slot}");
    let before = scene.versions();
    scene.deregister(0, 12);
    let mut after = scene.versions();
    after.retain(|slot, version| before.get(slot) != Some(version));
    assert_eq!(after.into_keys().collect::<Vec<_>>(), [slot]);
    let draining = scene.told().into_iter().filter(|told| told.target.mode != TargetMode::Active);
    assert_eq!(draining.map(|told| told.target.key.id).collect::<Vec<_>>(), [scene.address(0, 12)]);
    scene.region.pass(std::time::Duration::from_secs(301));
    assert_eq!(scene.told().len(), 4, "its time is over");
}

#[test]
fn wishes_for_targets_follow_what_they_need() {
    let mut scene = Scene::new();
    assert_eq!(scene.told().len(), 4);
    let delete = s::DeleteListenerInput { listener_arn: scene.listener.clone() };
    scene.region.call::<ops::DeleteListener>(delete).unwrap();
    assert_eq!((scene.told().len(), scene.state_of(0, 10)), (0, ("unused".into(), "Target.NotInUse".into())));
    scene.register(0, 12);
    assert_eq!(scene.told().len(), 0, "nobody forwards to it");
    let (balancer, group) = (scene.balancer.clone(), scene.group.clone());
    scene.region.listener(&balancer, "HTTP", 80, forward(&group));
    assert_eq!(scene.told().len(), 5);
    let before = scene.versions();
    scene.region.reopen();
    assert_eq!(scene.versions(), before, "a control plane that comes back has nothing new to say");
    let delete = s::DeleteLoadBalancerInput { load_balancer_arn: balancer };
    scene.region.call::<ops::DeleteLoadBalancer>(delete).unwrap();
    assert!(scene.versions().is_empty());
}

#[test]
fn a_target_that_the_edge_refuses_is_told_as_an_internal_error() {
    let mut scene = Scene::new();
    let slot = scene.versions().into_iter().find(|(slot, _)| slot.kind == SlotKind::Target);
    let (slot, version) = slot.unwrap();
    let reason = "there are too many".into();
    scene.region.observe(&Observation::Refused { slot, version, reason });
    assert_eq!(scene.state_of(0, 10), ("unhealthy".into(), "Elb.InternalError".into()));
    assert_eq!(scene.state_of(0, 11).1, "Elb.RegistrationInProgress");
}
