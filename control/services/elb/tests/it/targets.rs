//! Wishes for targets: each by itself, for as long as there is something to send requests to it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use kernel::Wanted;
use shapes::ec2 as e;
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{Exit, InstanceState, Observation, RegisteredTarget, Slot, SlotKind, TargetHealth, TargetMode, TargetReason, Want};

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

    /// The edge tells of a target that it has.
    fn say(&mut self, subnet: usize, host: u32, health: TargetHealth) {
        let id = self.address(subnet, host);
        let row = self.region.state().rows::<elb::Registration>().find(|r| r.target.id == id).unwrap().clone();
        self.region.observe(&Observation::Target {
            load_balancer: self.balancer.as_str().into(),
            group: row.group,
            target: row.target,
            generation: row.generation,
            health,
        });
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
    scene.region.pass(Duration::from_secs(301));
    assert_eq!(scene.told().len(), 5, "the edge has not said that it is over");
    scene.region.pass(Duration::from_secs(10));
    assert_eq!(scene.told().len(), 4, "nobody says anything");
}

/// "If you specified a port override when you registered a target, you must specify both the target ID and the port when you
/// deregister it" (DeregisterTargets).
#[test]
fn a_target_that_is_named_without_its_port_has_the_groups() {
    let mut scene = Scene::new();
    let id = scene.address(0, 10);
    let target = |port: Option<i64>| s::TargetDescription { id: id.clone(), port, ..Default::default() };
    let group = scene.group.clone();
    let register = |port| s::RegisterTargetsInput { target_group_arn: group.clone(), targets: vec![target(port)] };
    let deregister = |port| s::DeregisterTargetsInput { target_group_arn: group.clone(), targets: vec![target(port)] };
    let active = |scene: &Scene| {
        let told = scene.told().into_iter().map(|told| told.target);
        let mut ports: Vec<u16> = told.filter(|t| t.key.id == id && t.mode == TargetMode::Active).map(|t| t.key.port).collect();
        ports.sort_unstable();
        ports
    };
    for port in [8080, 8081] {
        scene.region.call::<ops::RegisterTargets>(register(Some(port))).unwrap();
    }
    assert_eq!(active(&scene), [80, 8080, 8081]);
    scene.region.call::<ops::DeregisterTargets>(deregister(None)).unwrap();
    assert_eq!(active(&scene), [8080, 8081]);
    scene.region.call::<ops::DeregisterTargets>(deregister(None)).unwrap();
    assert_eq!(active(&scene), [8080, 8081], "it is out already");
    scene.region.call::<ops::DeregisterTargets>(deregister(Some(8081))).unwrap();
    assert_eq!(active(&scene), [8080]);
}

/// "ELB User Guide, Deregistration delay": the deregistration of a target with nothing under way completes at once, and its state
/// is draining until the delay is over all the same.
#[test]
fn a_target_is_draining_until_the_delay_is_over_and_the_edge_has_said_so() {
    let draining = || ("draining".to_string(), "Target.DeregistrationInProgress".to_string());
    let gone = || ("unused".to_string(), "Target.NotRegistered".to_string());
    let mut scene = Scene::new();
    scene.deregister(0, 10);
    scene.deregister(0, 11);
    scene.say(0, 10, TargetHealth::Drained);
    assert_eq!((scene.told().len(), scene.state_of(0, 10)), (3, draining()), "complete, and shown");
    scene.say(0, 10, TargetHealth::Draining);
    assert_eq!(scene.told().len(), 3, "a word that comes late changes nothing");
    scene.region.pass(Duration::from_secs(301));
    assert_eq!((scene.state_of(0, 10), scene.state_of(0, 11)), (gone(), draining()));
    scene.say(0, 11, TargetHealth::Drained);
    assert_eq!((scene.told().len(), scene.state_of(0, 11)), (2, gone()));
    scene.register(0, 10);
    assert_eq!(scene.state_of(0, 10).1, "Elb.RegistrationInProgress");
}

#[test]
fn without_a_delay_a_deregistration_is_over_as_soon_as_the_edge_says_so() {
    let mut scene = Scene::new();
    let attributes =
        vec![s::TargetGroupAttribute { key: Some("deregistration_delay.timeout_seconds".into()), value: Some("0".into()) }];
    let input = s::ModifyTargetGroupAttributesInput { target_group_arn: scene.group.clone(), attributes };
    scene.region.call::<ops::ModifyTargetGroupAttributes>(input).unwrap();
    scene.deregister(0, 10);
    assert_eq!(
        (scene.told().len(), scene.state_of(0, 10).0.as_str()),
        (4, "draining"),
        "the edge is told to end what is under way"
    );
    scene.say(0, 10, TargetHealth::Drained);
    assert_eq!((scene.told().len(), scene.state_of(0, 10).1.as_str()), (3, "Target.NotRegistered"));
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

/// What the edge saw of a target before it let go of it says nothing of it now: "initial" again, until it is checked anew.
#[test]
fn a_target_that_comes_back_is_judged_anew() {
    let mut scene = Scene::new();
    let initial = || ("initial".to_string(), "Elb.RegistrationInProgress".to_string());
    let of = |scene: &Scene, generation: u64| scene.told().iter().any(|told| told.target.generation == generation);
    scene.say(0, 10, TargetHealth::Healthy);
    let before = scene.told()[0].target.generation;
    let delete = s::DeleteListenerInput { listener_arn: scene.listener.clone() };
    scene.region.call::<ops::DeleteListener>(delete).unwrap();
    let (balancer, group) = (scene.balancer.clone(), scene.group.clone());
    scene.listener = scene.region.listener(&balancer, "HTTP", 80, forward(&group));
    assert_eq!((scene.state_of(0, 10), of(&scene, before)), (initial(), false), "the edge begins anew, too");
    scene.say(0, 10, TargetHealth::Healthy);
    assert_eq!(scene.state_of(0, 10).0, "healthy");
    let known = scene.versions();
    scene.region.reopen();
    assert_eq!((scene.versions(), scene.state_of(0, 10).0.as_str()), (known, "healthy"));
}

#[test]
fn an_instance_that_starts_again_is_not_healthy_before_it_is_checked() {
    let mut region = Region::new();
    let (balancer, id) = (region.balancer_arn("web", "application"), region.instance());
    let input = s::CreateTargetGroupInput { target_type: None, ..region.group_input("web", "HTTP") };
    let made = region.call::<ops::CreateTargetGroup>(input).unwrap().target_groups.remove(0);
    let group = made.target_group_arn.unwrap();
    region.listener(&balancer, "HTTP", 80, forward(&group));
    let targets = vec![s::TargetDescription { id: id.clone(), ..Default::default() }];
    region.call::<ops::RegisterTargets>(s::RegisterTargetsInput { target_group_arn: group.clone(), targets }).unwrap();
    let state = |region: &mut Region| {
        let input = s::DescribeTargetHealthInput { target_group_arn: group.clone(), ..Default::default() };
        let mut told = region.call::<ops::DescribeTargetHealth>(input).unwrap().target_health_descriptions;
        told.remove(0).target_health.unwrap().state.unwrap()
    };
    let row = region.state().rows::<elb::Registration>().next().unwrap().clone();
    let (load_balancer, health) = (balancer.as_str().into(), TargetHealth::Healthy);
    let healthy = Observation::Target { load_balancer, group: row.group, target: row.target, generation: row.generation, health };
    region.observe(&healthy);
    assert_eq!(state(&mut region), "healthy");
    region
        .call::<e::ops::StopInstances>(e::StopInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() })
        .unwrap();
    region.instance_becomes(&id, InstanceState::Stopped { exit: Exit::Asked });
    assert_eq!(state(&mut region), "unused");
    // Said before the edge heard of the stop.
    region.observe(&healthy);
    region
        .call::<e::ops::StartInstances>(e::StartInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() })
        .unwrap();
    assert_eq!(state(&mut region), "initial");
    region.instance_becomes(&id, InstanceState::Running);
    region.observe(&healthy);
    assert_eq!(state(&mut region), "initial");
}

#[test]
fn a_target_whose_flows_have_time_to_end_is_unhealthy_and_draining() {
    let mut scene = Scene::new();
    for (draining, state) in [(true, "unhealthy.draining"), (false, "unhealthy")] {
        scene.say(0, 10, TargetHealth::Unhealthy { reason: TargetReason::Timeout, draining });
        assert_eq!(scene.state_of(0, 10), (state.into(), "Target.Timeout".into()));
    }
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
